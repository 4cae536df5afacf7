//! Reading what a caller names: text, a file or several.
//!
//! An assistant reads files of the workspace and of the system's folder for temporary files, where
//! logs are put; a user's own command reads what the user may read.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::{Call, ErrorKind, ToolError};
use crate::base::{ReadError, read_file};

/// The most bytes that are read, of all files together.
pub const BYTES_MAX: u64 = 64 << 20;

/// What was named, read.
pub struct Input {
    /// The content; several files one after the other under their names.
    pub content: Vec<u8>,
    /// Where it comes from, for people.
    pub source: Option<String>,
}

impl Input {
    /// Returns the content as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.content)
    }
}

/// Where a caller may read.
#[derive(Debug, Clone)]
pub struct Reach {
    folder: PathBuf,
    /// The folders, free of links; `None`: anywhere.
    within: Option<Vec<PathBuf>>,
}

impl Reach {
    /// Returns where this caller may read.
    pub fn of(call: &Call) -> Self {
        let paths = &call.services.config.paths;
        let within = call.capped.then(|| {
            let folders = [paths.workspace.clone(), std::env::temp_dir()];
            folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect()
        });
        Self { folder: paths.working_directory.clone(), within }
    }

    /// Returns that of a user's own command that was started in `folder`.
    pub fn of_user(folder: PathBuf) -> Self {
        Self { folder, within: None }
    }

    /// Returns the folders in which files must lie, links resolved; `None`: anywhere.
    pub fn within(&self) -> Option<&[PathBuf]> {
        self.within.as_deref()
    }

    /// Reads a file of at most `bytes_max` bytes.
    pub fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>, ToolError> {
        self.read_at(name, Path::new(name), bytes_max)
    }

    /// Reads the file at `path`, which is called `name` where people see it.
    pub fn read_at(&self, name: &str, path: &Path, bytes_max: u64) -> Result<Vec<u8>, ToolError> {
        let path = self.resolve(name, path)?;
        read_file(&path, bytes_max).map_err(|error| match error {
            ReadError::Io(error) => unreadable(name, &error),
            ReadError::NotAFile(_) => ToolError::invalid(format!("{name} {error}")).with_hint("name regular files"),
            ReadError::TooLarge { .. } => ToolError::invalid(format!("{name} {error}")),
        })
    }

    /// Returns where the file or folder at `path` is, links resolved where they matter. Only within
    /// reach does the answer tell whether anything is there.
    pub fn resolve(&self, name: &str, path: &Path) -> Result<PathBuf, ToolError> {
        let path = self.folder.join(path);
        let Some(within) = &self.within else { return Ok(path) };
        // A path that is outside by its letters alone is refused whether or not it exists.
        let found = path.canonicalize();
        let place = found.as_deref().unwrap_or(&path);
        let dots = place.components().any(|part| part == std::path::Component::ParentDir);
        let is_inside = |place: &Path| within.iter().any(|folder| place.starts_with(folder));
        if dots || !(is_inside(place) || found.is_err() && place.starts_with(&self.folder)) {
            return Err(ToolError::new(
                ErrorKind::Refused,
                format!("{name} lies outside the workspace and the folder for temporary files"),
            )
            .with_hint("send its text instead, or have the user run `ctx` on it"));
        }
        found.map_err(|error| unreadable(name, &error))
    }
}

/// Returns the error of a file that the system does not let be read.
pub fn unreadable(name: &str, error: &std::io::Error) -> ToolError {
    ToolError::new(ErrorKind::NotFound, format!("cannot read {name}: {error}"))
}

/// Reads the one of text, path and paths that is given.
pub async fn read_input(
    call: &Call,
    text: Option<String>,
    path: Option<String>,
    paths: Option<Vec<String>>,
) -> Result<Input, ToolError> {
    let mut names = paths.unwrap_or_default();
    names.extend(path);
    match (text, names.len()) {
        (Some(_), 1..) => Err(ToolError::invalid("/text and /path exclude each other").with_hint("send one of them")),
        (Some(text), _) => Ok(Input { content: text.into_bytes(), source: None }),
        (None, 0) => Err(ToolError::invalid("there is nothing to read").with_hint("send text, path or paths")),
        (None, _) => {
            let reach = Reach::of(call);
            let source = Some(names.join(", "));
            let content = tokio::task::spawn_blocking(move || read_all(&reach, &names))
                .await
                .map_err(|error| ToolError::new(ErrorKind::Internal, format!("reading failed: {error}")))??;
            Ok(Input { content, source })
        }
    }
}

fn read_all(reach: &Reach, names: &[String]) -> Result<Vec<u8>, ToolError> {
    if let [name] = names {
        return reach.read(name, BYTES_MAX);
    }
    let mut all = Vec::new();
    for name in names {
        let content = reach.read(name, BYTES_MAX.saturating_sub(all.len() as u64))?;
        all.extend_from_slice(format!("==> {name} <==\n").as_bytes());
        all.extend_from_slice(&content);
        if !content.ends_with(b"\n") {
            all.push(b'\n');
        }
    }
    Ok(all)
}
