//! Reading what is to be imported: one file, or the Markdown files of a folder.

use std::path::Path;

use crate::base::read_file;
use crate::memory::MemoryError;

/// The largest file that is read: 1 GiB.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// How deep a folder is read.
const DEPTH_MAX: usize = 16;

/// A file, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name in messages and sources: of a file its name, in a folder its path below that.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Something that is wrong in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, and the line where there is one: `notes.jsonl:12`.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

/// Returns the file at `path`, or the Markdown files of the folder there in the order of their
/// paths, and what could not be read of it. Hidden folders are left out.
pub fn read_source(path: &Path) -> Result<(Vec<SourceFile>, Vec<Problem>), MemoryError> {
    if !path.is_dir() {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let text =
            text_of(path).map_err(|reason| MemoryError::Unreadable { place: path.display().to_string(), reason })?;
        return Ok((vec![SourceFile { name, text }], Vec::new()));
    }
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with('.');
    let tree = walkdir::WalkDir::new(path).max_depth(DEPTH_MAX).sort_by_file_name().into_iter();
    for entry in tree.filter_entry(visible) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let place = error.path().unwrap_or(path).display().to_string();
                problems.push(Problem { place, reason: error.to_string() });
                continue;
            }
        };
        let is_markdown = entry.path().extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"));
        if !entry.file_type().is_file() || !is_markdown {
            continue;
        }
        let name = entry.path().strip_prefix(path).unwrap_or(entry.path()).display().to_string();
        match text_of(entry.path()) {
            Ok(text) => files.push(SourceFile { name, text }),
            Err(reason) => problems.push(Problem { place: name, reason }),
        }
    }
    Ok((files, problems))
}

fn text_of(path: &Path) -> Result<String, String> {
    let bytes = read_file(path, FILE_BYTES_MAX).map_err(|error| format!("it {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 (line {line}); convert it first")
    })
}
