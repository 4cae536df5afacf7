//! The editor of whoever sits at the terminal: their program, with their environment, no boundary.

use std::path::Path;

use super::ExecError;

/// Runs an editor on a file and waits for its end. `editor` is written as in `$EDITOR`: the program
/// and perhaps its arguments, with blanks between them.
pub async fn edit(editor: &str, file: &Path) -> Result<(), ExecError> {
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or(editor);
    #[expect(clippy::disallowed_methods, reason = "this is `exec/`")]
    let status = tokio::process::Command::new(program).args(words).arg(file).status().await;
    let start = |reason: String| ExecError::Start { program: program.into(), reason };
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(start(format!("it ended with {status}; nothing was changed"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ExecError::NotFound { program: program.into() })
        }
        Err(error) => Err(start(error.to_string())),
    }
}
