//! What may be asked for.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{MemoryId, Name, RunId};

/// Where an agent works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In the workspace itself.
    #[default]
    Workspace,
    /// In a new git worktree of the last commit; what it changed comes back as a diff.
    Worktree,
    /// In a copy of the workspace without ignored files; what it changed comes back as a diff.
    Copy,
}

/// In which order steps run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One after the other; each sees the results of those before it.
    #[default]
    Sequential,
    /// All at once.
    Parallel,
    /// Each as soon as those it needs have succeeded.
    Dag,
}

/// Names memories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryRef {
    /// This one.
    Id(MemoryId),
    /// The best ones for this query.
    Query(String),
}

/// What an agent is given besides its task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// Files and globs, relative to the workspace.
    pub files: Vec<String>,
    /// Text.
    pub text: Option<String>,
    /// Memories.
    pub memories: Vec<MemoryRef>,
    /// The uncommitted changes of the workspace.
    pub diff: bool,
}

/// Limits of one step; `None` takes the agent's, then the settings'.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// The most tokens of the packet.
    pub budget_tokens: Option<usize>,
    /// The most tokens of the result.
    pub result_tokens: Option<usize>,
    /// The most wall time.
    pub timeout: Option<Duration>,
    /// How often a failed step is tried again.
    pub retries: Option<u32>,
}

/// One agent and its task.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRequest {
    /// The name of the step; `None`: the agent's name, made unique.
    pub name: Option<Name>,
    /// The agent.
    pub agent: Name,
    /// What it is asked.
    pub task: String,
    /// What it is given.
    pub context: Context,
    /// The steps that must succeed before it, for [`Mode::Dag`].
    pub needs: Vec<Name>,
    /// Its limits.
    pub limits: Limits,
    /// Where it works.
    pub isolation: Isolation,
}

/// A run that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The tool that asked: `delegate_task` or `run_workflow`.
    pub tool: &'static str,
    /// What is asked, in a line.
    pub title: String,
    /// The steps.
    pub steps: Vec<StepRequest>,
    /// Their order.
    pub mode: Mode,
    /// The same key means the same run, however often it is asked for.
    pub idempotency_key: Option<String>,
    /// The run that asked for this one.
    pub parent: Option<RunId>,
}
