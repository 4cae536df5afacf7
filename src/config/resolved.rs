//! Settings as resolved: every value is there and valid.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sources::Environment;

/// Everything that can be set, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where things are.
    pub paths: Paths,
    /// Budgets and compression.
    pub context: ContextConfig,
    /// What is remembered, and where.
    pub memory: MemoryConfig,
    /// The model that tells what memories mean.
    pub embedding: EmbeddingConfig,
    /// Limits on requests.
    pub security: SecurityConfig,
    /// Runs of sub-agents.
    pub delegation: DelegationConfig,
    /// The boundary around processes.
    pub sandbox: SandboxConfig,
    /// What is logged to standard error: a level or a filter.
    pub log: String,
    /// The environment of this process, for those who name what they need of it.
    pub environment: Environment,
}

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The working directory at the start.
    pub working_directory: PathBuf,
    /// The project: the nearest parent with `.claude/` or `.git/`; of a git worktree, the main
    /// worktree's root. `None` outside any project.
    pub project_root: Option<PathBuf>,
    /// The nearest parent with `.claude/` or `.git/` itself; inside a git worktree it differs from
    /// `project_root`. Agents are looked for and tasks work here.
    pub workspace: PathBuf,
    /// The folder of this project's data.
    pub data: PathBuf,
    /// The folder of this user's data, shared by all projects.
    pub user_data: PathBuf,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The folders in which programs are looked for (`PATH`).
    pub programs: Vec<PathBuf>,
}

/// Budgets and compression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextConfig {
    /// The budget of a packet or a recall when the caller names none, in tokens.
    pub max_tokens: usize,
    /// The encoding that is counted with when the caller names none.
    pub encoding: String,
    /// The most tokens of any result.
    pub max_output_tokens: usize,
    /// How text is made to fit.
    pub compression: CompressionConfig,
    /// How much is kept of the originals of what was cut.
    pub originals: OriginalsConfig,
}

/// How much is kept of the originals of what was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalsConfig {
    /// The most bytes of all of them together.
    pub bytes_max: u64,
    /// How many days one is kept that nobody uses.
    pub unused_days_max: u32,
}

/// How text is made to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressionConfig {
    /// Whether text is compressed at all; when not, it is only truncated.
    pub enabled: bool,
    /// The levels that may be used, in order.
    pub levels: Vec<String>,
}

/// What is remembered, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryConfig {
    /// The store: a file path or an address with a scheme.
    pub location: String,
    /// The store of memories that follow the user.
    pub user_location: String,
}

/// The model that tells what memories mean.
#[derive(Clone, PartialEq, Eq)]
pub enum EmbeddingConfig {
    /// None: words alone find memories.
    Off,
    /// The one within the program.
    BuiltIn,
    /// One in a folder.
    Folder(PathBuf),
    /// One behind a server.
    Remote {
        /// The server's address.
        url: String,
        /// The model there.
        model: String,
        /// The key that is sent along.
        api_key: Option<String>,
        /// The time limit of a request.
        timeout: Duration,
        /// How many texts go in one request.
        batch_max: usize,
    },
}

impl std::fmt::Debug for EmbeddingConfig {
    /// Shows no key, and no address, which may hold a password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Off => write!(formatter, "Off"),
            Self::BuiltIn => write!(formatter, "BuiltIn"),
            Self::Folder(folder) => write!(formatter, "Folder({})", folder.display()),
            Self::Remote { model, .. } => write!(formatter, "Remote({model})"),
        }
    }
}

/// Limits on requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityConfig {
    /// Whether unknown arguments are refused.
    pub strict: bool,
    /// The most requests a minute from one connection; `None`: no limit.
    pub requests_per_minute: Option<u32>,
}

/// Runs of sub-agents.
#[derive(Debug, Clone, PartialEq)]
pub struct DelegationConfig {
    /// The most steps that run at once in this process.
    pub max_parallel: usize,
    /// The time limit of a step when nothing else names one.
    pub timeout: Duration,
    /// How often a failed step is tried again.
    pub retries_max: u32,
    /// The budget of a step's packet when nothing else names one, in tokens.
    pub budget_tokens: usize,
    /// The budget of a step's result when nothing else names one, in tokens.
    pub result_tokens: usize,
    /// The runner of agents that name none; `None`: the first of claude and codex that is installed.
    pub runner: Option<String>,
    /// Further environment variables that tasks may see, with their values: those of the names in
    /// `delegation.environment` that are set.
    pub environment: Vec<(String, String)>,
}

/// The weakest boundary that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinimumStrength {
    /// Namespaces and everything of `landlock`.
    Full,
    /// Landlock, seccomp and resource limits.
    Landlock,
    /// No boundary is needed: tasks may run unprotected.
    Unprotected,
}

/// The boundary around processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// The weakest boundary that is accepted.
    pub minimum: MinimumStrength,
    /// The most memory of a task, in bytes.
    pub memory_bytes: u64,
    /// The most processes of a task.
    pub processes: u64,
    /// The most bytes kept of each output stream of a task.
    pub output_bytes: u64,
    /// Further paths that tasks may read.
    pub readable: Vec<PathBuf>,
}
