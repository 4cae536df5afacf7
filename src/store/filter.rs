//! What to look for.

use super::records::{MemoryKind, RunState, Scope};
use crate::base::Timestamp;

/// Which memories count. An empty field does not restrict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryFilter {
    /// One of these scopes.
    pub scopes: Vec<Scope>,
    /// One of these kinds.
    pub kinds: Vec<MemoryKind>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// This actor, whatever the case of its letters.
    pub actor: Option<String>,
    /// This session. Memories of [`Scope::Session`] are found only by naming their session.
    pub session_id: Option<String>,
    /// This agent. Memories of [`Scope::Agent`] are found only by naming their agent.
    pub agent: Option<String>,
    /// Happened at this time or later.
    pub since: Option<Timestamp>,
    /// Happened before this time.
    pub until: Option<Timestamp>,
    /// Current at this time, instead of now: history as it was believed then.
    pub as_of: Option<Timestamp>,
    /// The present, for expiry.
    pub now: Option<Timestamp>,
    /// History as well: what was superseded, and what has expired.
    pub history: bool,
    /// Every session and every agent: narrow scopes without their names.
    pub anyone: bool,
}

/// Which runs count. An empty field does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// One of these states.
    pub states: Vec<RunState>,
    /// With a step of this agent.
    pub agent: Option<String>,
    /// Started by this run.
    pub parent: Option<crate::base::RunId>,
}
