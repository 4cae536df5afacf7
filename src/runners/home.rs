//! Copies of the files that a program needs in its private home folder: the user's login, not the
//! user's history.

use std::path::{Path, PathBuf};

use crate::config::Environment;

/// The largest file that is copied, in bytes.
const BYTES_MAX: u64 = 4 << 20;

/// A file of the user's home folder that a program needs.
#[derive(Debug, Clone, Copy)]
pub struct HomeFile {
    /// The variable that moves the program's folder.
    pub variable: &'static str,
    /// The file's name in the folder that the variable names.
    pub name: &'static str,
    /// Its usual path below the home folder, which is where the copy goes.
    pub target: &'static str,
    /// Returns the part that is copied; `None`: nothing.
    pub keep: fn(&str) -> Option<String>,
}

/// Reads those of the files that there are.
pub(super) fn read(files: &[HomeFile], home: Option<&Path>, environment: &Environment) -> Vec<(PathBuf, Vec<u8>)> {
    let copy = |file: &HomeFile| {
        let moved = environment.value(file.variable).filter(|folder| !folder.is_empty());
        let path = match moved {
            Some(folder) => Path::new(folder).join(file.name),
            None => home?.join(file.target),
        };
        let metadata = path.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= BYTES_MAX);
        let text = std::fs::read_to_string(metadata.map(|_| &path)?).ok()?;
        Some((PathBuf::from(file.target), (file.keep)(&text)?.into_bytes()))
    };
    files.iter().filter_map(copy).collect()
}
