//! What the product consists of, wired together by `app.rs` and handed to every tool.

use std::sync::Arc;

use crate::base::Clock;
use crate::config::Config;
use crate::observe::Bus;
use crate::tokens::{self, Encoding, Measure};

use super::error::ToolError;

/// What the product consists of.
pub struct Services {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Carries what happens to those who watch.
    pub bus: Bus,
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
}
