//! Reading what the sources name. Nothing outside the caller's roots is read, whatever a path or a
//! symbolic link says.

use std::path::{Component, Path, PathBuf};

use super::Part;
use crate::base::{ReadError, Timestamp, bytes, read_file};
use crate::compress::Kind;
use crate::compress::original::{OriginalError, Redact, ToKeep, keep};
use crate::store::Store;
use crate::tokens::Budget;

/// The largest file that is read, in bytes.
pub const FILE_MAX: u64 = 16 * 1024 * 1024;

/// The most files of a glob.
pub const GLOB_MAX: usize = 500;

/// Where a part comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file below one of the roots.
    File(PathBuf),
    /// Files below the roots whose path matches; ignored and hidden files do not.
    Glob(String),
    /// A memory, as text.
    Memory {
        /// Its id.
        id: String,
        /// Its text.
        text: String,
    },
    /// A diff, as text.
    Diff {
        /// What it is of.
        label: String,
        /// The diff.
        text: String,
    },
    /// Any other text.
    Text {
        /// What it is.
        label: String,
        /// The text.
        text: String,
    },
}

/// A source, and how much it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The source.
    pub source: Source,
    /// From 1 to 10.
    pub priority: u8,
    /// Whether it must be in the packet uncut.
    pub mandatory: bool,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The parts, in the order of the sources, files of a glob by path.
    pub parts: Vec<Part>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// A source that could not be read, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path or pattern as it was given.
    pub source: String,
    /// Why.
    pub reason: String,
}

/// Reads the sources; relative paths and globs are looked for below each of `roots` in turn, and
/// nothing outside them is read.
pub fn load(items: &[Item], roots: &[PathBuf]) -> Loaded {
    load_within(items, roots, Some(roots))
}

/// Reads the sources; relative paths and globs are looked for below each of `roots` in turn. Named
/// files must lie within one of the folders; `None`: anywhere.
pub fn load_within(items: &[Item], roots: &[PathBuf], within: Option<&[PathBuf]>) -> Loaded {
    let mut loaded = Loaded::default();
    let real = |folders: &[PathBuf]| -> Vec<PathBuf> {
        folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect()
    };
    let roots = real(roots);
    let within = within.map(real);
    for item in items {
        let part = |label: String, text: String, kind: Option<Kind>| Part {
            priority: item.priority,
            mandatory: item.mandatory,
            kind,
            ..Part::new(label, text)
        };
        match &item.source {
            Source::Memory { id, text } => loaded.parts.push(part(format!("memory {id}"), text.clone(), None)),
            Source::Diff { label, text } => loaded.parts.push(part(label.clone(), text.clone(), Some(Kind::Diff))),
            Source::Text { label, text } => loaded.parts.push(part(label.clone(), text.clone(), None)),
            Source::File(path) => match find(path, &roots, within.as_deref()).and_then(|found| read(&found)) {
                Ok((text, raw)) => {
                    loaded.parts.push(Part { raw, ..part(path.display().to_string(), text, None) });
                }
                Err(reason) => loaded.problems.push(Problem { source: path.display().to_string(), reason }),
            },
            Source::Glob(pattern) => match files(pattern, &roots) {
                Err(reason) => loaded.problems.push(Problem { source: pattern.clone(), reason }),
                Ok(files) => {
                    if files.is_empty() {
                        let reason = "matches no file".to_owned();
                        loaded.problems.push(Problem { source: pattern.clone(), reason });
                    } else if files.len() > GLOB_MAX {
                        let reason = format!("matches {} files, only the first {GLOB_MAX} are read", files.len());
                        loaded.problems.push(Problem { source: pattern.clone(), reason });
                    }
                    for (label, path) in files.into_iter().take(GLOB_MAX) {
                        match read(&path) {
                            Ok((text, raw)) => loaded.parts.push(Part { raw, ..part(label, text, None) }),
                            Err(reason) => loaded.problems.push(Problem { source: label, reason }),
                        }
                    }
                }
            },
        }
    }
    loaded
}

/// Keeps the originals of all parts that may be cut, and puts their handles in; nothing is kept
/// when everything is sure to fit.
pub async fn keep_originals(
    store: &dyn Store,
    parts: &mut [Part],
    budget: Budget,
    now: Timestamp,
    redact: Option<Redact<'_>>,
) -> Result<(), OriginalError> {
    let size: usize = parts.iter().map(|part| part.text.len() + part.label.len() + 64).sum();
    if size <= budget.tokens / 2 {
        return Ok(());
    }
    for part in parts.iter_mut().filter(|part| !part.mandatory && part.handle.is_none()) {
        let content = part.raw.take().unwrap_or_else(|| part.text.clone().into_bytes());
        let new = ToKeep { content, source: Some(part.label.clone()), kind: part.kind, ..ToKeep::default() };
        let kept = keep(store, new, now, redact).await?;
        part.text = kept.text;
        part.handle = Some(kept.handle);
    }
    Ok(())
}

/// The file of this name, free of links.
fn find(path: &Path, roots: &[PathBuf], within: Option<&[PathBuf]>) -> Result<PathBuf, String> {
    if within.is_some() && path.components().any(|component| component == Component::ParentDir) {
        return Err("a path must not contain `..`".to_owned());
    }
    let mut outside = false;
    for root in roots {
        let Ok(found) = root.join(path).canonicalize() else { continue };
        // Joining an absolute path replaces the root, and a link may lead anywhere.
        if within.is_none_or(|within| within.iter().any(|folder| found.starts_with(folder))) {
            return Ok(found);
        }
        outside = true;
    }
    Err(if outside { "lies outside the project".to_owned() } else { "there is no such file".to_owned() })
}

/// The files below the roots that match, with their paths relative to their root, sorted.
fn files(pattern: &str, roots: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, String> {
    let matcher = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("not a glob: {}", error.kind()))?
        .compile_matcher();
    let mut found = Vec::new();
    for root in roots {
        for entry in ignore::WalkBuilder::new(root).follow_links(false).require_git(false).build().flatten() {
            let Ok(relative) = entry.path().strip_prefix(root) else { continue };
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && matcher.is_match(relative) {
                found.push((relative.to_string_lossy().into_owned(), entry.path().to_owned()));
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    Ok(found)
}

/// The text of a file, and its bytes where it is not UTF-8; what is binary or too large is named,
/// not included.
fn read(path: &Path) -> Result<(String, Option<Vec<u8>>), String> {
    let content = match read_file(path, FILE_MAX) {
        Ok(content) => content,
        Err(error @ ReadError::TooLarge { .. }) => return Ok((format!("(not included: {error})"), None)),
        Err(error) => return Err(error.to_string()),
    };
    if content[..content.len().min(8_192)].contains(&0) {
        return Ok((format!("(binary file, {}, not included)", bytes(content.len() as u64)), None));
    }
    Ok(match String::from_utf8(content) {
        Ok(text) => (text, None),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(error.into_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn item(source: Source) -> Item {
        Item { source, priority: 5, mandatory: false }
    }

    #[test]
    fn nothing_outside_the_roots_is_read() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret"), "outside").expect("written");
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir(root.join("src")).expect("made");
        fs::write(root.join("src/b.rs"), "fn b() {}").expect("written");
        fs::write(root.join("src/a.rs"), "fn a() {}").expect("written");
        fs::write(root.join("data.bin"), b"\0\x01").expect("written");
        fs::write(root.join(".gitignore"), "ignored.rs\n").expect("written");
        fs::write(root.join("src/ignored.rs"), "").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink(outside.path().join("secret"), root.join("src/link.rs")).expect("linked");
        let loaded = load(
            &[
                item(Source::Glob("src/*.rs".to_owned())),
                item(Source::File("data.bin".into())),
                item(Source::File("../secret".into())),
                item(Source::File(outside.path().join("secret"))),
                item(Source::File("src/link.rs".into())),
                item(Source::File("missing".into())),
                item(Source::Glob("nothing/**".to_owned())),
                item(Source::Memory { id: "mem_1".to_owned(), text: "known".to_owned() }),
            ],
            &[root.to_owned()],
        );
        let parts: Vec<(&str, &str)> =
            loaded.parts.iter().map(|part| (part.label.as_str(), part.text.as_str())).collect();
        assert_eq!(
            parts,
            [
                ("src/a.rs", "fn a() {}"),
                ("src/b.rs", "fn b() {}"),
                ("data.bin", "(binary file, 2 B, not included)"),
                ("memory mem_1", "known"),
            ]
        );
        let reasons: Vec<&str> = loaded.problems.iter().map(|problem| problem.reason.as_str()).collect();
        let link = if cfg!(unix) { "lies outside the project" } else { "there is no such file" };
        assert_eq!(
            reasons,
            [
                "a path must not contain `..`",
                "lies outside the project",
                link,
                "there is no such file",
                "matches no file"
            ]
        );
    }
}
