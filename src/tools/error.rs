//! What a tool answers when it cannot do what was asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which kind of failure it was; decides the protocol's code and the exit code, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// There is no tool of that name.
    UnknownTool,
    /// The input breaks the tool's schema, or a rule that the schema cannot express.
    InvalidInput,
    /// What the input names is not there.
    NotFound,
    /// The mandatory part is larger than the budget.
    BudgetTooSmall,
    /// A boundary or a rule forbids it.
    Refused,
    /// The caller asks too often.
    RateLimited,
    /// The caller cancelled the request.
    Cancelled,
    /// Something outside is broken: a file, the database, a program.
    Unavailable,
    /// A mistake in this program.
    Internal,
}

/// What a tool answers when it cannot do what was asked: what failed, on what, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[error("{message}")]
pub struct ToolError {
    /// Which kind of failure it was.
    pub kind: ErrorKind,
    /// What failed, on what.
    pub message: String,
    /// What to try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The longest message, in bytes: what a caller sent is not sent back whole.
const MESSAGE_BYTES_MAX: usize = 2000;

impl ToolError {
    /// Returns an error without a hint; the end of a very long message is left out.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push_str("...");
        }
        Self { kind, message, hint: None }
    }

    /// Returns an error about the input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Returns the same error with something to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
