//! The boundary around a process.
//!
//! A process is not started by the server itself: `ctx` starts its own binary once more, as
//! `ctx __sandbox-init`, and sends it an `Order`. The helper is single-threaded, so it may
//! enter namespaces, mount and fork; it builds the boundary, starts the task inside, enforces the
//! limits, ends the tree, tidies up, and answers with an `Verdict`. It ends the task when
//! the server is gone.
//!
//! `linux/` holds the helper. Other systems have no boundary yet and refuse.

pub mod init;
pub(crate) mod order;

#[cfg(target_os = "linux")]
mod linux;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::MinimumStrength;

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

impl Strength {
    /// Whether this is at least what the settings demand.
    pub fn satisfies(self, minimum: MinimumStrength) -> bool {
        match minimum {
            MinimumStrength::Full => self == Self::Full,
            MinimumStrength::Landlock => self >= Self::Landlock,
            MinimumStrength::Unprotected => true,
        }
    }
}

/// Which boundary held, for results and health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// How strong it was.
    pub strength: Strength,
    /// What it does not enforce here, each in a few words.
    pub gaps: Vec<String>,
}
