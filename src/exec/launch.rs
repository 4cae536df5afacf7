//! What is to be started, within which limits, and how it ended.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sandbox::Report;
use crate::config::MinimumStrength;

/// A process to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program, as an absolute path.
    pub program: PathBuf,
    /// Its arguments, passed unchanged.
    pub arguments: Vec<String>,
    /// What it reads on standard input.
    pub stdin: Vec<u8>,
    /// Its whole environment; nothing is inherited. `HOME` and `TMPDIR` are always set to the
    /// private folders; `PATH` and `LANG` only when they are not named here.
    pub environment: Vec<(String, String)>,
    /// Where it starts.
    pub working_directory: PathBuf,
    /// Files to be placed in its private home folder before it starts: path relative to `$HOME`,
    /// and content.
    pub home_files: Vec<(PathBuf, Vec<u8>)>,
}

/// What a process may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The weakest boundary that is accepted.
    pub minimum: MinimumStrength,
    /// The folders and files it may read, besides the system's own (`/usr`, parts of `/etc`, ...).
    pub readable: Vec<PathBuf>,
    /// The folders it may read and change. Persistence points below them stay protected.
    pub writable: Vec<PathBuf>,
    /// Paths it must not see, though they lie below readable ones.
    pub hidden: Vec<PathBuf>,
    /// What of the network it reaches.
    pub network: Network,
    /// The user's home folder. A private, empty one stands in its place.
    pub home: Option<PathBuf>,
    /// The limits on its resources.
    pub limits: Limits,
}

/// What of the network a process reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Nothing but a loopback of its own.
    None,
    /// Whatever the host reaches.
    Host,
}

/// Limits on the resources of a process and its descendants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time.
    pub wall: Duration,
    /// How long it may take to end after being asked.
    pub grace: Duration,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// The size of a file it writes, in bytes.
    pub file_bytes: u64,
    /// Open files of a process.
    pub open_files: u64,
    /// Bytes kept of each output stream; the rest is read, counted and dropped.
    pub output_bytes: u64,
}

impl Limits {
    /// Returns the limits without those that no system could tell from having none, so that sums and
    /// dates of them stay within bounds.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            wall: self.wall.min(Self::WALL_MAX),
            grace: self.grace.min(Self::GRACE_MAX),
            memory_bytes: self.memory_bytes.min(Self::BYTES_MAX),
            processes: self.processes.min(Self::PROCESSES_MAX),
            file_bytes: self.file_bytes.min(Self::BYTES_MAX),
            ..self
        }
    }

    const WALL_MAX: Duration = Duration::from_secs(365 * 86_400);
    const GRACE_MAX: Duration = Duration::from_secs(3600);
    const BYTES_MAX: u64 = 1 << 50;
    /// As many as Linux numbers.
    const PROCESSES_MAX: u64 = 1 << 22;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(600),
            grace: Duration::from_secs(2),
            memory_bytes: 4 << 30,
            processes: 512,
            file_bytes: 4 << 30,
            open_files: 4096,
            output_bytes: 1 << 20,
        }
    }
}

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it was written.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What is kept of an output stream: its beginning and its end when it was longer than the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The bytes kept; where some were dropped, a marker line stands in their place.
    pub bytes: Vec<u8>,
    /// How many bytes were dropped.
    pub dropped: u64,
}

/// Why a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// Because its wall time was up.
    TimedOut,
    /// Because the caller cancelled it.
    Cancelled,
    /// Because it went over this limit (`memory`, `processes`, ...).
    Limit(String),
}

/// How a process ended, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Why it ended.
    pub ended: Ended,
    /// Its standard output.
    pub stdout: Captured,
    /// Its standard error.
    pub stderr: Captured,
    /// How long it ran.
    pub wall: Duration,
    /// The boundary that held.
    pub sandbox: Report,
    /// What the host would execute or obey later and the task created or changed nevertheless
    /// (hooks of a new repository, ...). Hooks were disarmed; the rest is for the caller to judge.
    pub touched: Vec<PathBuf>,
}
