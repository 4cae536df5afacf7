//! Whether the parts that the product stands on work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a part works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It works.
    Healthy,
    /// It works in part.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// What was found about one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Whether it works.
    pub status: Status,
    /// What was seen, and what to try when it does not work.
    pub detail: String,
}

impl Check {
    /// Returns a check with this status.
    pub fn new(status: Status, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

/// Returns the status of the whole: that of the worst of its parts.
pub fn overall<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Status {
    checks.into_iter().map(|check| check.status).max().unwrap_or(Status::Healthy)
}
