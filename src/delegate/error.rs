//! What can go wrong before a run is acknowledged, and when one is looked for.

use crate::base::RunId;
use crate::store::StoreError;

/// What can go wrong before a run is acknowledged, and when one is looked for.
#[derive(Debug, thiserror::Error)]
pub enum DelegateError {
    /// The request cannot be planned.
    #[error("{}", problems.join("; "))]
    Invalid {
        /// Every problem.
        problems: Vec<String>,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    UnknownRun(RunId),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}
