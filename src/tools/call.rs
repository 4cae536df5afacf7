//! What a request carries besides its input.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::services::Services;

/// A request on its way to a tool.
#[derive(Clone)]
pub struct Call {
    /// What the product consists of.
    pub services: Arc<Services>,
    /// Cancelled when the caller takes the request back or goes away.
    pub cancel: CancellationToken,
    /// Where progress is reported.
    pub progress: Progress,
    /// The connection that the request came over: the session of memories that name none.
    pub session_id: String,
    /// Whether results that name no budget are capped, as they are for assistants.
    pub capped: bool,
}

impl Call {
    /// Returns the most tokens of a result: what the caller asks for, else the cap of the settings.
    /// This bounds what a tool makes; what it returns as JSON is bounded when it is done.
    pub fn result_tokens(&self, asked: Option<usize>) -> usize {
        asked.unwrap_or(self.services.config.context.max_output_tokens)
    }
}

/// Takes notice of progress.
type Listener = Arc<dyn Fn(Update) + Send + Sync>;

/// How far a request has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Grows with every update.
    pub done: f64,
    /// What `done` grows towards, if that is known.
    pub total: Option<f64>,
    /// What is being done.
    pub message: String,
}

/// Where progress is reported; reporting never waits.
#[derive(Clone, Default)]
pub struct Progress(Option<Listener>);

impl Progress {
    /// Returns a place whose updates go to `listener`, which must not block.
    pub fn to(listener: impl Fn(Update) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Returns whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Reports how far the request has come.
    pub fn report(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        if let Some(listener) = &self.0 {
            listener(Update { done, total, message: message.into() });
        }
    }
}
