//! What happens while the program runs, on one typed bus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// How many events a slow subscriber may be behind before it loses the oldest.
const QUEUE_EVENTS_MAX: usize = 1024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run was recorded.
    RunStarted {
        /// The run.
        run: String,
    },
    /// The packet of a step is built, and its process is about to start.
    StepStarted {
        /// The run.
        run: String,
        /// The step.
        step: String,
        /// The agent that does it.
        agent: String,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// The tokens of its packet.
        packet_tokens: usize,
    },
    /// A step wrote output.
    StepOutput {
        /// The run.
        run: String,
        /// The step.
        step: String,
        /// The bytes it has written so far.
        bytes: u64,
    },
    /// A step failed and will be tried again.
    StepRetried {
        /// The run.
        run: String,
        /// The step.
        step: String,
        /// Why it failed.
        error: String,
    },
    /// A step ended.
    StepFinished {
        /// The run.
        run: String,
        /// The step.
        step: String,
        /// Its final state.
        state: String,
        /// How long it ran, in seconds.
        seconds: f64,
    },
    /// A run ended.
    RunFinished {
        /// The run.
        run: String,
        /// Its final state.
        state: String,
    },
}

impl Event {
    /// Returns the run that the event is about.
    pub fn run(&self) -> &str {
        match self {
            Self::RunStarted { run }
            | Self::StepStarted { run, .. }
            | Self::StepOutput { run, .. }
            | Self::StepRetried { run, .. }
            | Self::StepFinished { run, .. }
            | Self::RunFinished { run, .. } => run,
        }
    }

    /// Returns the step that the event is about, if it is about one.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepOutput { step, .. }
            | Self::StepRetried { step, .. }
            | Self::StepFinished { step, .. } => Some(step),
            Self::RunStarted { .. } | Self::RunFinished { .. } => None,
        }
    }

    /// Returns the kind of event as one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted { .. } => "run_started",
            Self::StepStarted { .. } => "step_started",
            Self::StepOutput { .. } => "step_output",
            Self::StepRetried { .. } => "step_retried",
            Self::StepFinished { .. } => "step_finished",
            Self::RunFinished { .. } => "run_finished",
        }
    }

    /// Returns one line for people.
    pub fn line(&self) -> String {
        match self {
            Self::RunStarted { run } => format!("{run} started"),
            Self::StepStarted { step, agent, attempt, packet_tokens, .. } => {
                format!("{step}: {agent} started (attempt {attempt}, packet of {packet_tokens} tokens)")
            }
            Self::StepOutput { step, bytes, .. } => {
                format!("{step}: {} of output", crate::base::bytes(*bytes))
            }
            Self::StepRetried { step, error, .. } => format!("{step}: failed, trying again: {error}"),
            Self::StepFinished { step, state, seconds, .. } => format!("{step}: {state} after {seconds:.1} s"),
            Self::RunFinished { run, state } => format!("{run} {state}"),
        }
    }
}

/// Carries events from those who cause them to those who watch.
#[derive(Debug, Clone)]
pub struct Bus(broadcast::Sender<Event>);

impl Bus {
    /// Sends an event to every subscriber; nobody listening is fine.
    pub fn publish(&self, event: Event) {
        tracing::debug!(event = event.kind(), run = event.run(), "{}", event.line());
        let _ = self.0.send(event);
    }

    /// Returns a receiver of every event from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self(broadcast::Sender::new(QUEUE_EVENTS_MAX))
    }
}
