//! Further processes of this very program, trusted as much as this one: the server of the demo.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, ChildStdin, ChildStdout};

use super::ExecError;

/// A further process of this program, with pipes to its standard input and output. Killed when
/// dropped.
#[derive(Debug)]
pub struct OwnChild(Child);

/// Starts this program once more, outside any sandbox, with this environment and nothing else of
/// ours but `PATH`. Its standard error is ours.
pub fn own_child(
    arguments: &[&str],
    working_directory: &Path,
    programs: &[std::path::PathBuf],
    environment: &[(&str, &str)],
) -> Result<OwnChild, ExecError> {
    let failed = |program: &Path, error: std::io::Error| ExecError::Start {
        program: program.to_path_buf(),
        reason: error.to_string(),
    };
    let program = std::env::current_exe().map_err(|error| failed(Path::new("ctx"), error))?;
    let path = std::env::join_paths(programs).unwrap_or_default();
    #[expect(clippy::disallowed_methods, reason = "this is `exec/`")]
    let mut command = tokio::process::Command::new(&program);
    command
        .args(arguments)
        .current_dir(working_directory)
        .env_clear()
        .env("PATH", path)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    command.spawn().map(OwnChild).map_err(|error| failed(&program, error))
}

impl OwnChild {
    /// Returns the pipes, once.
    pub fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.0.stdin.take()?, self.0.stdout.take()?))
    }

    /// Waits for its end, at most `time`; returns the exit code, or `None` when it goes on or was
    /// ended by a signal.
    pub async fn wait(&mut self, time: Duration) -> Option<i32> {
        tokio::time::timeout(time, self.0.wait()).await.ok()?.ok()?.code()
    }
}
