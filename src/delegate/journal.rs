//! The state of a run and of its steps, written down before anybody is told of it.

use std::sync::Arc;
use std::time::Duration;

use super::outcome::Outcome;
use super::step::Failure;
use crate::base::{Clock, Name, RunId};
use crate::observe::{Bus, Event as Observed};
use crate::store::{Event, Run, RunState, Step, Store, StoreError};

/// How long a run counts as alive after its process last said so: longer than a write may wait for
/// a busy database.
pub const LEASE: Duration = Duration::from_secs(60);
/// How often a refused write is tried again before it is given up.
const WRITE_ATTEMPTS: u32 = 4;

/// Writes down what happens to one run. Its loop owns it.
pub struct Journal {
    store: Arc<dyn Store>,
    bus: Bus,
    clock: Arc<dyn Clock>,
    run: Run,
    steps: Vec<Step>,
    queued: Vec<bool>,
    cancelled: bool,
}

impl Journal {
    /// Returns the journal of a run that has just been recorded.
    pub fn new(store: Arc<dyn Store>, bus: Bus, clock: Arc<dyn Clock>, run: Run, steps: Vec<Step>) -> Self {
        let queued = vec![false; steps.len()];
        Self { store, bus, clock, run, steps, queued, cancelled: false }
    }

    /// Returns the run's id.
    pub fn run_id(&self) -> &RunId {
        &self.run.id
    }

    /// Whether every step has ended.
    pub fn is_complete(&self) -> bool {
        self.steps.iter().all(|step| step.state.is_final())
    }

    /// Whether the step has neither been handed to a task nor ended.
    pub fn is_waiting(&self, step: usize) -> bool {
        !self.queued[step] && !self.steps[step].state.is_final()
    }

    /// Returns the state of the step of that name.
    pub fn state_of(&self, name: &Name) -> RunState {
        self.steps.iter().find(|step| step.name == *name).map_or(RunState::Failed, |step| step.state)
    }

    /// The run begins.
    pub async fn run_started(&mut self) {
        self.tell(Observed::RunStarted { run: self.run.id.to_string() }).await;
    }

    /// The step was handed to a task, which waits for a slot.
    pub fn step_queued(&mut self, step: usize) {
        self.queued[step] = true;
    }

    /// The step's process is about to start.
    pub async fn step_started(&mut self, step: usize, attempt: u32, packet_tokens: usize) {
        let now = self.clock.now();
        let record = &mut self.steps[step];
        record.state = RunState::Running;
        record.attempt = attempt;
        record.started_at = Some(now);
        let event = Observed::StepStarted {
            run: self.run.id.to_string(),
            step: record.name.to_string(),
            agent: record.agent.to_string(),
            attempt,
            packet_tokens,
        };
        self.save_step(step).await;
        self.tell(event).await;
    }

    /// The step has written this many bytes so far; not worth a line in the store.
    pub fn step_output(&self, step: usize, bytes: u64) {
        let step = self.steps[step].name.to_string();
        self.bus.publish(Observed::StepOutput { run: self.run.id.to_string(), step, bytes });
    }

    /// The step failed and will be tried again.
    pub async fn step_retried(&mut self, step: usize, error: &str) {
        let step = self.steps[step].name.to_string();
        self.tell(Observed::StepRetried { run: self.run.id.to_string(), step, error: error.to_owned() }).await;
    }

    /// The step ended.
    pub async fn step_finished(&mut self, step: usize, result: Result<Outcome, Failure>) {
        let now = self.clock.now();
        let record = &mut self.steps[step];
        record.finished_at = Some(now);
        let outcome = match result {
            Ok(outcome) => {
                record.state = RunState::Succeeded;
                Some(outcome)
            }
            Err(failure) => {
                record.state = failure.state;
                record.error = Some(failure.error);
                failure.outcome.map(|outcome| *outcome)
            }
        };
        record.outcome = outcome.and_then(|outcome| serde_json::to_string(&outcome).ok());
        let since = record.started_at.unwrap_or(now);
        let event = Observed::StepFinished {
            run: self.run.id.to_string(),
            step: record.name.to_string(),
            state: record.state.as_str().to_owned(),
            seconds: now.duration_since(since).as_secs_f64(),
        };
        self.save_step(step).await;
        self.tell(event).await;
    }

    /// The step will never start.
    pub async fn step_skipped(&mut self, step: usize, state: RunState, reason: &str) {
        let record = &mut self.steps[step];
        record.state = state;
        record.finished_at = Some(self.clock.now());
        record.error = Some(reason.to_owned());
        let event = Observed::StepFinished {
            run: self.run.id.to_string(),
            step: record.name.to_string(),
            state: state.as_str().to_owned(),
            seconds: 0.0,
        };
        self.save_step(step).await;
        self.tell(event).await;
    }

    /// Every step that has not ended has failed for this reason.
    pub async fn fail_unfinished(&mut self, reason: &str) {
        for step in 0..self.steps.len() {
            if !self.steps[step].state.is_final() {
                self.step_skipped(step, RunState::Failed, reason).await;
            }
        }
    }

    /// Renews the lease, and returns whether somebody asked for the run to be cancelled.
    pub async fn keep_alive(&mut self) -> bool {
        let now = self.clock.now();
        let due = now.saturating_add(LEASE / 2).unwrap_or(now);
        if self.run.lease_until < due {
            let until = now.saturating_add(LEASE).unwrap_or(now);
            match self.store.renew_lease(&self.run.id, &self.run.owner, until).await {
                Ok(()) => self.run.lease_until = until,
                Err(error) => tracing::warn!(%error, run = %self.run.id, "cannot renew the lease"),
            }
        }
        if !self.cancelled
            && let Ok(Some(run)) = self.store.run(&self.run.id).await
            && run.cancel_requested_at.is_some()
        {
            self.cancelled = true;
            self.run.cancel_requested_at = run.cancel_requested_at;
        }
        self.cancelled
    }

    /// The run ended; its state follows from those of its steps.
    pub async fn run_finished(&mut self) {
        let any = |wanted: RunState| self.steps.iter().find(|step| step.state == wanted);
        let (state, cause) = if let Some(step) = any(RunState::Cancelled) {
            (RunState::Cancelled, Some(step))
        } else if let Some(step) = any(RunState::Failed) {
            (RunState::Failed, Some(step))
        } else if let Some(step) = any(RunState::TimedOut) {
            (RunState::TimedOut, Some(step))
        } else {
            (RunState::Succeeded, None)
        };
        self.run.error =
            cause.map(|step| format!("{}: {}", step.name, step.error.as_deref().unwrap_or("no reason given")));
        self.run.state = state;
        self.run.finished_at = Some(self.clock.now());
        let run = self.run.clone();
        self.write("the end of a run", || self.store.save_run(&run)).await;
        self.tell(Observed::RunFinished { run: self.run.id.to_string(), state: state.as_str().to_owned() }).await;
    }

    async fn save_step(&self, step: usize) {
        let record = &self.steps[step];
        self.write("a step", || self.store.save_step(record)).await;
    }

    /// Publishes an event, after it was added to the run's journal.
    async fn tell(&self, event: Observed) {
        let record = Event {
            number: 0,
            run: self.run.id.clone(),
            step: event.step().and_then(|step| step.parse().ok()),
            at: self.clock.now(),
            kind: event.kind().to_owned(),
            detail: event.line(),
        };
        self.write("an event", || self.store.add_event(record.clone())).await;
        self.bus.publish(event);
    }

    /// Writes, and tries again when the store is busy: a run must not be lost by a locked file.
    async fn write<'a, F>(&'a self, what: &str, mut write: impl FnMut() -> F)
    where
        F: Future<Output = Result<(), StoreError>> + 'a,
    {
        for attempt in 1..=WRITE_ATTEMPTS {
            match write().await {
                Ok(()) => return,
                Err(error) if attempt == WRITE_ATTEMPTS => {
                    tracing::error!(%error, run = %self.run.id, "cannot write {what}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50 << attempt)).await,
            }
        }
    }
}
