//! Finding programs, and running short helpers of our own that need no boundary.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::output::{Keeper, drain};
use super::{ExecError, Stream};

/// The most bytes kept of each stream of a helper; diffs can be long.
const TOOL_OUTPUT_BYTES: u64 = 64 << 20;

/// Returns the first executable file of this name in the folders, as an absolute path. A name that
/// is an absolute path stands for itself; any other name with a `/` is not found.
pub fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        return is_executable(path).then(|| path.to_path_buf());
    }
    if name.is_empty() || name.contains('/') {
        return None;
    }
    folders
        .iter()
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}

/// What a helper wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, as text.
    pub stderr: String,
}

impl ToolOutput {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a trusted helper (git, for worktrees and diffs) without a boundary and waits for its end.
///
/// Its environment is built from nothing: neither system nor user configuration of git applies, no
/// hook runs, no monitor is started, nothing asks. It is killed at the time-out, and when the
/// caller stops waiting.
pub async fn tool<A: AsRef<OsStr>>(
    program: &Path,
    arguments: &[A],
    working_directory: &Path,
    timeout: Duration,
) -> Result<ToolOutput, ExecError> {
    let start = |reason: String| ExecError::Start { program: program.to_path_buf(), reason };
    #[expect(clippy::disallowed_methods, reason = "this is `exec/`")]
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .current_dir(working_directory)
        .env_clear()
        .envs([
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_PAGER", "cat"),
            // What a repository's own configuration may not make us execute.
            ("GIT_CONFIG_COUNT", "4"),
            ("GIT_CONFIG_KEY_0", "core.hooksPath"),
            ("GIT_CONFIG_VALUE_0", "/dev/null"),
            ("GIT_CONFIG_KEY_1", "core.fsmonitor"),
            ("GIT_CONFIG_VALUE_1", "false"),
            ("GIT_CONFIG_KEY_2", "protocol.ext.allow"),
            ("GIT_CONFIG_VALUE_2", "never"),
            ("GIT_CONFIG_KEY_3", "safe.directory"),
            ("GIT_CONFIG_VALUE_3", "*"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ExecError::NotFound { program: program.to_path_buf() },
        _ => start(error.to_string()),
    })?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(start("its output was not connected".to_owned()));
    };
    let (mut kept, mut errors) = (Keeper::new(TOOL_OUTPUT_BYTES), Keeper::new(1 << 16));
    let ended = tokio::time::timeout(timeout, async {
        tokio::join!(
            drain(stdout, Stream::Stdout, &mut kept, None),
            drain(stderr, Stream::Stderr, &mut errors, None),
            child.wait()
        )
        .2
    })
    .await;
    let status = match ended {
        Ok(status) => status.map_err(|error| start(error.to_string()))?,
        Err(_) => {
            let _gone = child.kill().await;
            return Err(start(format!("it did not end within {} s", timeout.as_secs())));
        }
    };
    let captured = kept.into_captured();
    if captured.dropped > 0 {
        return Err(start(format!("it wrote more than {TOOL_OUTPUT_BYTES} bytes")));
    }
    Ok(ToolOutput {
        code: status.code(),
        stdout: captured.bytes,
        stderr: String::from_utf8_lossy(&errors.into_captured().bytes).into_owned(),
    })
}
