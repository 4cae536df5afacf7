//! Settings as written: what a user may put into `context-engine.yaml`, every part optional.
//!
//! The doc comments are the reference: the JSON schema, and with it completion in editors, is made
//! of these types. The key of a setting is its path with dots (`context.max_tokens`); `keys.rs`
//! derives from it the environment variable and what `--set` takes. Values are in `defaults.yaml`,
//! their resolution is in `resolve.rs`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of Context Engine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "context-engine.yaml")]
pub struct Settings {
    /// The folder that holds this project's data; absent: `.claude/data` in the project's root, or
    /// the user's data folder outside any project. A project's settings may only name a folder
    /// inside the project.
    #[schemars(extend("x-inside" = true))]
    pub data_dir: Option<String>,
    /// What is logged to standard error: a level (error, warn, info, debug, trace) or a filter such
    /// as `info,context_engine::store=debug`.
    pub log: Option<String>,
    /// Budgets and compression.
    pub context: Option<Context>,
    /// What is remembered, and where.
    pub memory: Option<Memory>,
    /// The model that tells what memories mean; absent: the one within the program.
    pub embedding: Option<Embedding>,
    /// Metrics for other programs to read.
    pub monitoring: Option<Monitoring>,
    /// Limits on what callers may do.
    pub security: Option<Security>,
    /// Runs of sub-agents.
    pub delegation: Option<Delegation>,
    /// The boundary around the processes of sub-agents.
    pub sandbox: Option<Sandbox>,
}

/// Budgets and compression.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The budget of a packet or a recall when the caller names none, in tokens.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_tokens: Option<usize>,
    /// The encoding that is counted with when the caller names none.
    pub encoding: Option<String>,
    /// The most tokens of any result.
    #[schemars(range(min = 200, max = 100_000_000))]
    pub max_output_tokens: Option<usize>,
    /// How text is made to fit.
    pub compression: Option<Compression>,
    /// How much is kept of the originals of what was cut.
    pub originals: Option<Originals>,
}

/// How much is kept of the originals of what was cut; the one that was just cut always is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Originals {
    /// The most of all of them together, in MiB; those whose last use is longest ago make room.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_mib: Option<u64>,
    /// How many days an original is kept that nobody uses.
    #[schemars(range(min = 1, max = 36_500))]
    pub max_age_days: Option<u32>,
}

/// How text is made to fit.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compression {
    /// Whether text is compressed at all; when not, it is only truncated.
    pub enabled: Option<bool>,
    /// The levels that may be used, in order.
    pub levels: Option<Vec<Level>>,
}

/// A level of compression; each is used only if the one before does not make the text fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Lossless: colours, trailing blanks, repeats.
    Whitespace,
    /// Lossless: the same data in a shorter form.
    Structure,
    /// The most telling parts.
    Summarize,
    /// Cut, and marked.
    Truncate,
}

impl Level {
    /// Returns the level's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whitespace => "whitespace",
            Self::Structure => "structure",
            Self::Summarize => "summarize",
            Self::Truncate => "truncate",
        }
    }
}

/// What is remembered, and where.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// What keeps the memories.
    pub backend: Option<Backend>,
    /// The address of a PostgreSQL server.
    pub connection: Option<String>,
    /// The file that keeps the memories; absent: `memory.db` in the data folder. A project's
    /// settings may only name a file inside the project.
    #[schemars(extend("x-inside" = true))]
    pub path: Option<String>,
    /// The cache of recalls.
    pub cache: Option<Cache>,
}

/// The model that tells what memories mean. Not in a project's settings: a repository must not say where
/// the memories of whoever opens it are sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// Whether memories are embedded at all. Without, words alone find them, and many are stored faster.
    #[schemars(extend("x-trusted" = true))]
    pub enabled: Option<bool>,
    /// A folder with a BERT encoder such as all-MiniLM-L6-v2: `config.json`, `vocab.txt` and
    /// `model.safetensors`.
    #[schemars(extend("x-trusted" = true))]
    pub model_dir: Option<String>,
    /// The address of an OpenAI-compatible server, to whose `/v1/embeddings` the texts are sent.
    #[schemars(extend("x-trusted" = true))]
    pub url: Option<String>,
    /// The model that the server is asked for.
    #[schemars(extend("x-trusted" = true))]
    pub model: Option<String>,
    /// The key that is sent to the server, best as `${NAME}` of an environment variable.
    #[schemars(extend("x-trusted" = true))]
    pub api_key: Option<String>,
    /// The time limit of a request to the server.
    #[schemars(range(min = 1, max = 600), extend("x-trusted" = true))]
    pub timeout_seconds: Option<u64>,
    /// How many texts are sent in one request.
    #[schemars(range(min = 1, max = 2_048), extend("x-trusted" = true))]
    pub batch_max: Option<usize>,
}

/// What keeps the memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// A file, shared by all processes of this machine.
    Sqlite,
    /// A server, shared by a team.
    Postgresql,
}

/// The cache of recalls.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// How long an answer is kept, in seconds.
    pub ttl: Option<u64>,
    /// The most answers kept.
    pub max_size: Option<u64>,
    /// The address of a Redis server that shares the cache.
    pub redis: Option<String>,
}

/// Metrics for other programs to read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Whether metrics are served.
    pub enabled: Option<bool>,
    /// The port they are served on.
    #[schemars(range(min = 1, max = 65_535))]
    pub metrics_port: Option<u16>,
}

/// Limits on what callers may do.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
    /// How strictly requests are checked.
    pub input_validation: Option<InputValidation>,
}

/// How many requests are answered.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The most requests a minute from one connection; absent: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<u32>,
}

/// How strictly requests are checked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputValidation {
    /// Whether unknown arguments are refused.
    pub strict: Option<bool>,
}

/// Runs of sub-agents.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The most steps that run at once in one process.
    #[schemars(range(min = 1, max = 1024))]
    pub max_parallel: Option<usize>,
    /// The time limit of a step when nothing else names one.
    #[schemars(range(min = 1, max = 604_800))]
    pub timeout_seconds: Option<u64>,
    /// How often a failed step is tried again.
    #[schemars(range(max = 100))]
    pub retries_max: Option<u32>,
    /// The budget of a step's packet when nothing else names one, in tokens.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub budget_tokens: Option<usize>,
    /// The budget of a step's result when nothing else names one, in tokens.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub result_tokens: Option<usize>,
    /// The runner of agents that name none; absent: the first of claude and codex that is installed.
    pub runner: Option<String>,
    /// Names of further environment variables that tasks may see. Not in a project's settings: a
    /// repository must not ask for the secrets of whoever opens it.
    #[schemars(extend("x-trusted" = true))]
    pub environment: Option<Vec<String>>,
}

/// The boundary around the processes of sub-agents.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// The weakest boundary that is accepted: `full`, `landlock`, or `unprotected` for none at all.
    /// Not in a project's settings.
    #[schemars(extend("x-trusted" = true))]
    pub minimum: Option<super::MinimumStrength>,
    /// The most memory of a task, in MiB.
    #[schemars(range(min = 16, max = 16_777_216))]
    pub memory_mib: Option<u64>,
    /// The most processes and threads of a task.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub processes: Option<u64>,
    /// The most that is kept of each output stream of a task, in KiB.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub output_kib: Option<u64>,
    /// Further paths that tasks may read. Not in a project's settings.
    #[schemars(extend("x-trusted" = true))]
    pub readable: Option<Vec<String>>,
}

/// Returns the JSON schema of the settings file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Settings)
}
