//! From the names that a caller gives to the files that they stand for.
//!
//! A name is a file, a folder or a glob, in this order: a file called `[id].ts` is itself. What a
//! folder or a glob stands for leaves out what ignore files name, hidden files, and links, which
//! could lead out of the folder or in circles; what is named itself is always counted.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Component, Path, PathBuf};

use globset::GlobMatcher;
use ignore::WalkBuilder;

use super::watch::Watch;
use crate::tools::files::{Reach, unreadable};
use crate::tools::{ErrorKind, ToolError};

/// A file to be counted.
pub struct Found {
    /// What people see.
    pub name: String,
    /// Where it is, from the working directory on.
    pub path: PathBuf,
    /// Its size as the system says it.
    pub bytes: u64,
    /// Whether it was named itself, and so is counted whatever is in it.
    pub named: bool,
}

/// Something that could not be counted.
pub struct Failure {
    /// The file, folder or glob.
    pub name: String,
    /// Why.
    pub error: ToolError,
}

/// What names stand for.
#[derive(Default)]
pub struct Files {
    /// The files, each once.
    pub found: Vec<Found>,
    /// What could not be found or looked into.
    pub failures: Vec<Failure>,
    /// Where in `found` the file at each place is.
    seen: HashMap<PathBuf, usize>,
}

/// Returns the files that `names` stand for. A name that is out of the caller's reach ends it with
/// that error; other failures are collected.
pub fn find(reach: &Reach, names: &[String], watch: &Watch) -> Result<Files, ToolError> {
    let mut files = Files::default();
    for name in names {
        match files.add(reach, name, watch) {
            Ok(()) => {}
            Err(error) if matches!(error.kind, ErrorKind::Refused | ErrorKind::Cancelled) => return Err(error),
            Err(error) => files.failures.push(Failure { name: name.clone(), error }),
        }
    }
    Ok(files)
}

impl Files {
    fn add(&mut self, reach: &Reach, name: &str, watch: &Watch) -> Result<(), ToolError> {
        let found = reach.resolve(name, Path::new(name)).and_then(|place| {
            let metadata = std::fs::metadata(&place).map_err(|error| unreadable(name, &error))?;
            Ok((place, metadata))
        });
        match found {
            Ok((place, metadata)) if metadata.is_dir() => {
                let walk = Walk { place: &place, prefix: &plain(Path::new(name)), glob: None, hidden: false };
                self.walk(&walk, watch)
            }
            Ok((place, metadata)) => {
                let found =
                    Found { name: name.to_owned(), path: plain(Path::new(name)), bytes: metadata.len(), named: true };
                self.push(plain(&place), found, watch);
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::NotFound && is_glob(name) => self.add_glob(reach, name, watch),
            Err(error) => Err(error),
        }
    }

    fn add_glob(&mut self, reach: &Reach, pattern: &str, watch: &Watch) -> Result<(), ToolError> {
        let whole = plain(Path::new(pattern));
        let base: PathBuf =
            whole.components().take_while(|part| !is_glob(&part.as_os_str().to_string_lossy())).collect();
        let glob = globset::GlobBuilder::new(&whole.to_string_lossy())
            .literal_separator(true)
            .build()
            .map_err(|error| ToolError::invalid(format!("{pattern} is not a glob: {}", error.kind())))?
            .compile_matcher();
        let shown = if base.as_os_str().is_empty() { ".".to_owned() } else { base.display().to_string() };
        let place = reach.resolve(&shown, Path::new(&shown))?;
        if !place.is_dir() {
            return Err(ToolError::new(ErrorKind::NotFound, format!("{pattern}: there is no folder {shown}")));
        }
        // As in a shell, a pattern meets hidden files only where it names the dot.
        let rest = whole.components().skip(base.components().count());
        let hidden = rest.into_iter().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
        let before = self.found.len() + self.failures.len();
        let known = self.seen.len();
        self.walk(&Walk { place: &place, prefix: &base, glob: Some(&glob), hidden }, watch)?;
        if self.found.len() + self.failures.len() == before && self.seen.len() == known {
            return Err(ToolError::new(ErrorKind::NotFound, format!("{pattern} matches no file"))
                .with_hint("ignored and hidden files, and links, are counted only when they are named"));
        }
        Ok(())
    }

    fn walk(&mut self, walk: &Walk<'_>, watch: &Watch) -> Result<(), ToolError> {
        let walker = WalkBuilder::new(walk.place)
            .hidden(!walk.hidden)
            .require_git(false)
            .follow_links(false)
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
            .build();
        for entry in walker {
            watch.goes_on()?;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.failures.push(walk.failure(&error));
                    continue;
                }
            };
            let Ok(relative) = entry.path().strip_prefix(walk.place) else { continue };
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = walk.prefix.join(relative);
            if walk.glob.is_none_or(|glob| glob.is_match(&path)) {
                let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
                let found = Found { name: path.to_string_lossy().into_owned(), path, bytes, named: false };
                self.push(plain(entry.path()), found, watch);
            }
        }
        Ok(())
    }

    /// Adds the file at `place`, unless it is there by another name.
    fn push(&mut self, place: PathBuf, file: Found, watch: &Watch) {
        match self.seen.entry(place) {
            Entry::Vacant(place) => {
                watch.found(file.bytes);
                place.insert(self.found.len());
                self.found.push(file);
            }
            Entry::Occupied(place) => self.found[*place.get()].named |= file.named,
        }
    }
}

/// A folder to look through.
struct Walk<'a> {
    place: &'a Path,
    /// What stands before the paths in it where people see them.
    prefix: &'a Path,
    glob: Option<&'a GlobMatcher>,
    hidden: bool,
}

impl Walk<'_> {
    /// What could not be looked into, called as the caller would call it.
    fn failure(&self, error: &ignore::Error) -> Failure {
        let place = path_of(error).unwrap_or(self.place);
        let path = place.strip_prefix(self.place).map_or(place.to_owned(), |relative| self.prefix.join(relative));
        let name = if path.as_os_str().is_empty() { ".".to_owned() } else { path.to_string_lossy().into_owned() };
        let error = match error.io_error() {
            Some(error) => unreadable(&name, error),
            None => ToolError::new(ErrorKind::NotFound, format!("cannot read {name}: {error}")),
        };
        Failure { name, error }
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        _ => None,
    }
}

/// The path without `.` in it.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
