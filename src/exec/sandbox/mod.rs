//! The boundary around a process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How strong a boundary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Nothing was enforced, and the settings allowed that in words.
    Unprotected,
    /// Landlock, seccomp, resource limits, own environment, closed descriptors.
    Landlock,
    /// Own namespaces and a private root on top.
    Full,
}

/// Which boundary held, for results and health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// How strong it was.
    pub strength: Strength,
    /// What it does not enforce here, each in a few words.
    pub gaps: Vec<String>,
}
