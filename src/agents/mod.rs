//! Agent files: find, parse, check. Shared by `delegate` and, later, the LSP front.
//!
//! An agent is a Markdown file of `.claude/agents/` in the form of Claude Code: YAML front matter
//! and a body, which is its system prompt. [`discover()`] lists every file it finds, the broken ones
//! with what is wrong with them, so that one of them never hides the others. What a file asks for
//! never widens the sandbox: `permissionMode`, `hooks` and `mcpServers` are kept, shown and left
//! unused.

mod check;
mod discover;
mod parse;

pub use check::check;
pub use discover::{FILE_BYTES_MAX, Folders, Found, Listed, discover};
pub use parse::parse;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Name;

/// An agent, ready to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// The name it is called by.
    pub name: Name,
    /// The file it stands in.
    pub path: PathBuf,
    /// Whose it is.
    pub scope: Scope,
    /// What the front matter says.
    pub front: FrontMatter,
    /// The body: its system prompt.
    pub prompt: String,
    /// Fields that we do not know, with their values as JSON text, in the order written.
    pub unknown: Vec<(String, String)>,
    /// The line of each field of the front matter.
    pub lines: Vec<(String, usize)>,
}

impl Agent {
    /// Returns the line in which a field stands, or 1.
    pub fn line(&self, field: &str) -> usize {
        self.lines.iter().find(|(name, _)| name == field).map_or(1, |(_, line)| *line)
    }
}

/// Whose an agent is; the first wins where two have one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The project's: it came with the repository, and is trusted no more than that.
    Project,
    /// The user's own.
    User,
}

/// The front matter of an agent file. The fields of Claude Code, then ours; other fields are kept.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(rename_all = "camelCase", title = "Front matter of an agent file")]
pub struct FrontMatter {
    /// The name; absent: the file's name without `.md`.
    pub name: Option<String>,
    /// When to use the agent.
    pub description: String,
    /// The tools it has; absent: all.
    pub tools: Option<Vec<String>>,
    /// The tools it has not, such as `Bash(git *)`.
    pub disallowed_tools: Vec<String>,
    /// The model: an alias, an id, or `inherit`.
    pub model: Option<String>,
    /// How it asks for permission: `default`, `acceptEdits`, `dontAsk`, `bypassPermissions` or
    /// `plan`. Only `plan` is heeded; nobody is there to be asked, and the sandbox is the boundary.
    pub permission_mode: Option<String>,
    /// The most turns.
    pub max_turns: Option<u32>,
    /// Skills it begins with.
    pub skills: Vec<String>,
    /// MCP servers, as JSON text. Unused: a task starts with none.
    #[schemars(schema_with = "anything")]
    pub mcp_servers: Option<String>,
    /// Hooks, as JSON text. Unused.
    #[schemars(schema_with = "anything")]
    pub hooks: Option<String>,
    /// Where it remembers: `user`, `project` or `local`.
    pub memory: Option<String>,
    /// Whether it runs in the background.
    pub background: Option<bool>,
    /// How hard it thinks.
    pub effort: Option<String>,
    /// `worktree`: it works in one of its own.
    pub isolation: Option<String>,
    /// The first message when it runs as a session.
    pub initial_prompt: Option<String>,
    /// The colour it is shown in.
    pub color: Option<String>,
    /// How it is started: `command`, `claude` or `codex`.
    #[schemars(rename = "runner")]
    pub runner: Option<String>,
    /// The program and its arguments, for the runner `command`. No shell is involved.
    #[schemars(rename = "command")]
    pub command: Vec<String>,
    /// Its time limit.
    #[schemars(rename = "timeout_seconds")]
    pub timeout_seconds: Option<u64>,
    /// The budget of its packet.
    #[schemars(rename = "budget_tokens")]
    pub budget_tokens: Option<usize>,
    /// The budget of its result.
    #[schemars(rename = "result_tokens")]
    pub result_tokens: Option<usize>,
    /// What of the network it reaches: `none` or `host`; absent: what its runner needs.
    pub network: Option<Reach>,
    /// Names of environment variables to pass. A project's agents get only those that
    /// `delegation.environment` of the user's settings lists.
    pub env: Vec<String>,
}

/// What of the network an agent asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Nothing but a loopback of its own.
    None,
    /// Whatever the host reaches.
    Host,
}

/// How bad a problem of an agent file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The agent cannot run.
    Error,
    /// It runs, though not quite as written.
    Warning,
}

/// Something wrong with an agent file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, as a fragment.
    pub message: String,
    /// What to try, as a fragment.
    pub hint: Option<String>,
}

impl Problem {
    fn error(line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, line, message: message.into(), hint: None }
    }

    fn warning(line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(line, message) }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(formatter, "; {hint}"))
    }
}

/// Returns the JSON schema of the front matter.
pub fn schema() -> schemars::Schema {
    let mut schema = schemars::schema_for!(FrontMatter);
    // Lists have a shape when absent, but nobody must write them.
    schema.insert("required".to_owned(), ["description"].as_slice().into());
    schema
}

fn anything(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::Schema::default()
}
