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

/// What was found about every part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Whether every part works.
    pub healthy: bool,
    /// When this was checked, RFC 3339.
    pub timestamp: String,
    /// The store answers.
    pub database: Check,
    /// What is remembered can be recalled.
    pub memory: Check,
    /// The data folder can be written and has room.
    pub disk: Check,
    /// The runners that can be started.
    pub api: Check,
    /// The boundary around tasks.
    pub sandbox: Check,
}

impl Health {
    /// Returns the summary of these checks. Overall healthy means that none is unhealthy.
    pub fn new(timestamp: String, [database, memory, disk, api, sandbox]: [Check; 5]) -> Self {
        let healthy = [&database, &memory, &disk, &api, &sandbox].iter().all(|check| check.status < Status::Unhealthy);
        Self { healthy, timestamp, database, memory, disk, api, sandbox }
    }
}
