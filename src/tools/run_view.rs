//! What the tools of delegation share: waiting with progress, and showing a run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;

use super::{Call, ErrorKind, ToolError};
use crate::base::{Name, RunId};
use crate::delegate::{DelegateError, Delegator, Outcome, Request, Started, View};
use crate::exec::sandbox::{Report, Strength};
use crate::store::{RunState, Step};

/// How long an assistant's call waits when it does not say: below the 60 s after which common
/// clients give up.
const WAIT_DEFAULT: Duration = Duration::from_secs(45);
/// How often a waiting call tells that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A step as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StepOutput {
    /// Its name.
    pub name: Name,
    /// Its agent.
    pub agent: Name,
    /// Its state.
    pub status: RunState,
    /// How often it was started.
    pub attempt: u32,
    /// When its latest attempt started, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

impl From<(Step, Option<Outcome>)> for StepOutput {
    fn from((step, outcome): (Step, Option<Outcome>)) -> Self {
        Self {
            name: step.name,
            agent: step.agent,
            status: step.state,
            attempt: step.attempt,
            started_at: step.started_at.map(|at| at.to_string()),
            finished_at: step.finished_at.map(|at| at.to_string()),
            error: step.error,
            outcome,
        }
    }
}

impl From<DelegateError> for ToolError {
    fn from(error: DelegateError) -> Self {
        match error {
            DelegateError::Invalid { .. } => ToolError::invalid(error.to_string())
                .with_hint("list_agents shows the agents and what is wrong with each"),
            DelegateError::UnknownRun(_) => ToolError::new(ErrorKind::NotFound, error.to_string())
                .with_hint("get_run without run_id lists the runs"),
            DelegateError::Store(error) => error.into(),
        }
    }
}

/// Starts a run and waits for it; a caller that goes away meanwhile cancels it.
pub async fn start_and_wait(call: &Call, request: Request, wait_seconds: Option<u64>) -> Result<View, ToolError> {
    let delegator = &call.services.delegator;
    let Started { id, is_new } = delegator.start(request).await?;
    let time = match wait_seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None if call.capped => WAIT_DEFAULT,
        None => Duration::from_secs(7 * 24 * 3600),
    };
    // Whoever joins a run by its key may leave it again; it is not theirs to end.
    let mut guard = AbandonOnDrop { delegator, id: is_new.then(|| id.clone()) };
    let view = wait(call, &id, time).await?;
    guard.id = None;
    Ok(view)
}

/// Waits for a run at most `time`, reporting what happens to it.
pub async fn wait(call: &Call, id: &RunId, time: Duration) -> Result<View, ToolError> {
    let delegator = &call.services.delegator;
    let mut events = call.services.bus.subscribe();
    let began = tokio::time::Instant::now();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.tick().await;
    let waiting = delegator.wait(id, time);
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            view = &mut waiting => return Ok(view?),
            event = events.recv() => match event {
                Ok(event) if event.run() == id.as_str() => {
                    call.progress.report(began.elapsed().as_secs_f64(), None, event.line());
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                // The services hold a sender, so the bus outlives this call.
                Err(RecvError::Closed) => return Ok(waiting.await?),
            },
            _ = heartbeat.tick() => {
                let seconds = began.elapsed().as_secs();
                call.progress.report(began.elapsed().as_secs_f64(), None, format!("{id} is running ({seconds} s)"));
            }
        }
    }
}

/// Returns the exit code of a command whose run came to this; 124 after a time-out, as `timeout(1)`
/// has it.
pub fn failure(status: RunState) -> Option<u8> {
    match status {
        RunState::Succeeded => None,
        RunState::TimedOut => Some(124),
        RunState::Queued
        | RunState::Running
        | RunState::Failed
        | RunState::Cancelled
        | RunState::Skipped
        | RunState::Interrupted => Some(1),
    }
}

/// Returns one line on how a run ended.
pub fn status_line(id: &str, status: RunState, seconds: f64, sandbox: Option<&Report>) -> String {
    let status = status.as_str();
    let strength = match sandbox.map(|report| report.strength) {
        Some(Strength::Full) => ", sandbox full",
        Some(Strength::Landlock) => ", sandbox landlock",
        Some(Strength::Unprotected) => ", NO sandbox",
        None => "",
    };
    format!("[{id} {status}, {seconds:.1} s{strength}]")
}

/// Cancels the run when the call that waits for it is dropped.
struct AbandonOnDrop<'a> {
    delegator: &'a Delegator,
    id: Option<RunId>,
}

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.delegator.abandon(id);
        }
    }
}

/// Returns a step for a reader: one line, then its error or result.
pub fn step_text(step: &StepOutput) -> String {
    let mut lines = vec![format!("== {} ({}): {}", step.name, step.agent, step.status.as_str())];
    lines.extend(step.error.iter().map(|error| format!("error: {error}")));
    if let Some(outcome) = &step.outcome
        && !outcome.result.is_empty()
    {
        lines.push(outcome.result.clone());
    }
    lines.join("\n")
}
