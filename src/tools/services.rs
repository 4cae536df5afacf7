//! What the product consists of, wired together by `app.rs` and handed to every tool.

use std::sync::Arc;
use std::time::Duration;

use super::error::{ErrorKind, ToolError};
use crate::base::Clock;
use crate::compress::cache::Cache;
use crate::compress::savings::Savings;
use crate::config::Config;
use crate::delegate::Delegator;
use crate::exec::Executor;
use crate::memory::Memories;
use crate::observe::{Bus, Metrics};
use crate::store::{Store, StoreError};
use crate::tokens::{self, Encoding, Measure};

/// How long runs may take to end when the process is asked to go.
const SHUT_DOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// What the product consists of.
pub struct Services {
    /// The settings.
    pub config: Arc<Config>,
    /// What is wrong with the settings, a line each.
    pub problems: Vec<String>,
    /// Why no tool that needs the store can work, if that is so.
    pub broken: Option<ToolError>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Carries what happens to those who watch.
    pub bus: Bus,
    /// Counts what happens.
    pub metrics: Metrics,
    /// Keeps things.
    pub store: Arc<dyn Store>,
    /// Fitted results that were made before.
    pub results: Cache,
    /// Adds up what compressing saves.
    pub savings: Savings,
    /// Remembers and recalls.
    pub memories: Memories,
    /// Starts processes.
    pub executor: Arc<Executor>,
    /// Runs agents.
    pub delegator: Delegator,
}

impl Services {
    /// Returns the measure that a request names by encoding or by model; the default one of the
    /// settings when it names none.
    pub fn measure(&self, encoding: Option<Encoding>, model: Option<&str>) -> Result<Measure, ToolError> {
        match (encoding, model) {
            (Some(_), Some(_)) => {
                Err(ToolError::invalid("/encoding and /model exclude each other").with_hint("send one of them"))
            }
            (Some(encoding), None) => Ok(Measure::exact(encoding)),
            (None, Some(model)) => {
                tokens::for_model(model).map_err(|error| ToolError::invalid(format!("/model: {error}")))
            }
            (None, None) => Ok(self.default_measure()),
        }
    }

    /// Returns the measure of the settings.
    pub fn default_measure(&self) -> Measure {
        Measure::exact(self.config.context.encoding.parse().unwrap_or_default())
    }

    /// Returns an error when the settings name a store that cannot be used.
    pub fn stores(&self) -> Result<(), ToolError> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Ends every run of this process and waits until each is written down, but not for ever.
    pub async fn shut_down(&self) {
        if tokio::time::timeout(SHUT_DOWN_TIMEOUT, self.delegator.shut_down()).await.is_err() {
            tracing::error!("some runs did not end in time; their processes end with this one");
        }
        if tokio::time::timeout(SHUT_DOWN_TIMEOUT, self.memories.shut_down()).await.is_err() {
            tracing::debug!("what was recalled could not be noted in time");
        }
        if tokio::time::timeout(SHUT_DOWN_TIMEOUT, self.savings.shut_down()).await.is_err() {
            tracing::debug!("what was saved could not be written down in time");
        }
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        ToolError::new(ErrorKind::Unavailable, error.to_string()).with_hint("server_health says more about the store")
    }
}
