//! What came of a step, as it is returned and kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Handle;
use crate::exec::sandbox::Report;

/// What came of a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The exit code of the process, when it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the agent answered, within the budget.
    pub result: String,
    /// The tokens of `result`.
    pub result_tokens: usize,
    /// The whole answer, where `result` is only a part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// What the agent changed, where it worked apart from the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Handle>,
    /// What the caller should know besides: wishes of the agent file that its runner cannot fulfil,
    /// warnings of the runner, files that the host may execute later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What it used.
    pub usage: Usage,
    /// The boundary that held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Report>,
    /// What the agent was given.
    pub packet: PacketSummary,
}

/// What an agent used, as far as its runner says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens read by the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written by the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Its cost in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Its turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u64>,
    /// Its wall time in seconds.
    pub seconds: f64,
}

/// What an agent was given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketSummary {
    /// The tokens of the whole packet.
    pub tokens: usize,
    /// Its budget.
    pub budget_tokens: usize,
    /// Its parts, in order.
    pub parts: Vec<PacketPart>,
}

/// A part of a packet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PacketPart {
    /// What it is: `task`, `file src/lib.rs`, `memory mem_...`, ...
    pub part: String,
    /// Its tokens.
    pub tokens: usize,
    /// Whether something of it was cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
