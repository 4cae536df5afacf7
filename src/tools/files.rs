//! Reading what a caller names: text, a file or several.

use std::path::Path;

use super::{Call, ErrorKind, ToolError};
use crate::base::bytes;

/// The most bytes that are read, of all files together.
pub const BYTES_MAX: u64 = 64 << 20;

/// What was named, read.
pub struct Input {
    /// The text; several files one after the other under their names.
    pub text: String,
    /// Where it comes from, for people.
    pub source: Option<String>,
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
        (Some(text), _) => Ok(Input { text, source: None }),
        (None, 0) => Err(ToolError::invalid("there is nothing to read").with_hint("send text, path or paths")),
        (None, _) => {
            let folder = call.services.config.paths.working_directory.clone();
            let source = Some(names.join(", "));
            let text = tokio::task::spawn_blocking(move || read_all(&folder, &names))
                .await
                .map_err(|error| ToolError::new(ErrorKind::Internal, format!("reading failed: {error}")))??;
            Ok(Input { text, source })
        }
    }
}

/// Reads a file as text; what is not UTF-8 is replaced.
pub fn read(folder: &Path, name: &str, bytes_max: u64) -> Result<String, ToolError> {
    let failed = |error: std::io::Error| ToolError::new(ErrorKind::NotFound, format!("cannot read {name}: {error}"));
    let path = folder.join(name);
    let found = std::fs::metadata(&path).map_err(failed)?;
    if !found.is_file() {
        return Err(ToolError::invalid(format!("{name} is not a file")).with_hint("name files, not folders"));
    }
    if found.len() > bytes_max {
        let (size, most) = (bytes(found.len()), bytes(bytes_max));
        return Err(ToolError::invalid(format!("{name} has {size}: expected at most {most}")));
    }
    Ok(String::from_utf8_lossy(&std::fs::read(&path).map_err(failed)?).into_owned())
}

fn read_all(folder: &Path, names: &[String]) -> Result<String, ToolError> {
    if let [name] = names {
        return read(folder, name, BYTES_MAX);
    }
    let mut all = String::new();
    for name in names {
        let text = read(folder, name, BYTES_MAX.saturating_sub(all.len() as u64))?;
        all.push_str(&format!("==> {name} <==\n{text}"));
        if !text.ends_with('\n') {
            all.push('\n');
        }
    }
    Ok(all)
}
