//! Owns the runs of this process: starts them, waits for them, cancels them.
//!
//! Each run is one task with one loop over one closed [`Event`]; the loop alone changes the state
//! of the run, and each of its steps is a task of its own that reports to it. What a step does is
//! in `step.rs`, what is written down in `journal.rs`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::DelegateError;
use super::journal::{Journal, LEASE};
use super::outcome::Outcome;
use super::plan::{self, Plan, PlannedStep};
use super::request::Request;
use super::step::{self, Attempt, Failure};
use super::{owner, worktree};
use crate::agents;
use crate::base::{Clock, Name, RunId};
use crate::compress::savings::Savings;
use crate::config::Config;
use crate::exec::Executor;
use crate::memory::{self, Memories};
use crate::observe::Bus;
use crate::runners;
use crate::store::{Created, Run, RunFilter, RunState, Step, Store};

/// How many messages of a run's steps may wait for its loop.
const MESSAGES_MAX: usize = 64;
/// How often a run looks whether another process asked for its end, and renews its lease.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How many unfinished runs are looked at for whether their process lives.
const GOING_MAX: usize = 1000;
/// How often a run of another process is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(250);

/// What delegation stands on.
#[derive(Clone)]
pub struct Parts {
    /// Where runs are kept.
    pub store: Arc<dyn Store>,
    /// Adds up what fitting saves.
    pub savings: Savings,
    /// Where outcomes are remembered and examples recalled.
    pub memories: Memories,
    /// Starts processes.
    pub executor: Arc<Executor>,
    /// Carries what happens.
    pub bus: Bus,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub config: Arc<Config>,
}

/// Runs agents.
#[derive(Clone)]
pub struct Delegator(Arc<Inner>);

struct Inner {
    parts: Parts,
    owner: String,
    swept: OnceCell<()>,
    slots: Arc<Semaphore>,
    live: Mutex<HashMap<RunId, Live>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A run of this process that has not ended.
#[derive(Clone)]
struct Live {
    cancel: CancellationToken,
    done: CancellationToken,
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub id: RunId,
    /// Whether this call started it; otherwise it is an older one with the same key.
    pub is_new: bool,
}

/// Ends the waiting for a run, however its loop ended.
struct Ended {
    inner: Arc<Inner>,
    id: RunId,
    done: CancellationToken,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.inner.live().remove(&self.id);
        self.done.cancel();
    }
}

/// A run as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The run.
    pub run: Run,
    /// Its steps, with what came of them.
    pub steps: Vec<(Step, Option<Outcome>)>,
}

/// What happens to a run.
enum Event {
    /// A step's process is about to start.
    Started { step: usize, attempt: u32, packet_tokens: usize },
    /// A step has written this many bytes so far.
    Output { step: usize, bytes: u64 },
    /// A step failed and will be tried again.
    Retrying { step: usize, error: String },
    /// A step ended.
    Finished { step: usize, result: Box<Result<Outcome, Failure>> },
}

impl Delegator {
    /// Returns a delegator that has no runs yet.
    pub fn new(parts: Parts) -> Self {
        let slots = Arc::new(Semaphore::new(parts.config.delegation.max_parallel.max(1)));
        Self(Arc::new(Inner {
            parts,
            owner: owner::this_process(),
            swept: OnceCell::new(),
            slots,
            live: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Plans and records a run, and starts it. The run is in the store when this returns; with a
    /// known idempotency key it is the older run, and nothing is started.
    pub async fn start(&self, request: Request) -> Result<Started, DelegateError> {
        let inner = &self.0;
        inner.swept.get_or_init(|| inner.sweep()).await;
        let folders = agents::Folders::of(&inner.parts.config.paths);
        let found = tokio::task::spawn_blocking(move || agents::discover(&folders, runners::KINDS))
            .await
            .map_err(|error| DelegateError::Invalid { problems: vec![format!("cannot read agents: {error}")] })?;
        let plan = plan::plan(&request, &found.agents).map_err(|problems| DelegateError::Invalid { problems })?;
        let store = Arc::clone(&inner.parts.store);
        let now = inner.parts.clock.now();
        let run = Run {
            id: RunId::generate(now),
            tool: request.tool.to_owned(),
            title: memory::redacted(&request.title).chars().take(200).collect(),
            state: RunState::Running,
            idempotency_key: request.idempotency_key.clone(),
            parent: request.parent.clone(),
            owner: inner.owner.clone(),
            lease_until: now.saturating_add(LEASE).unwrap_or(now),
            created_at: now,
            finished_at: None,
            cancel_requested_at: None,
            outcome: None,
            error: None,
        };
        let steps: Vec<Step> =
            plan.steps.iter().enumerate().map(|(place, step)| recorded(&run.id, place, step)).collect();
        if let Created::Existing(older) = store.create_run(run.clone(), steps.clone()).await? {
            return Ok(Started { id: older.id, is_new: false });
        }
        let live = Live { cancel: inner.stop.child_token(), done: CancellationToken::new() };
        inner.live().insert(run.id.clone(), live.clone());
        let journal = Journal::new(store, inner.parts.bus.clone(), Arc::clone(&inner.parts.clock), run.clone(), steps);
        let id = run.id;
        let task = Arc::clone(inner);
        let key = id.clone();
        inner.tasks.spawn(async move {
            // The guard holds even if the loop panics: nobody waits for ever for a lost run.
            let _ended = Ended { inner: Arc::clone(&task), id: key, done: live.done };
            task.drive(journal, plan, live.cancel).await;
        });
        Ok(Started { id, is_new: true })
    }

    /// Waits until the run has ended or `time` is up, and returns it as it is then.
    pub async fn wait(&self, id: &RunId, time: Duration) -> Result<View, DelegateError> {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            let live = self.0.live().get(id).cloned();
            let view = self.view(id).await?;
            let now = tokio::time::Instant::now();
            if view.run.state.is_final() || now >= deadline {
                return Ok(view);
            }
            match live {
                Some(live) => {
                    let _ = tokio::time::timeout_at(deadline, live.done.cancelled()).await;
                }
                None => tokio::time::sleep_until(deadline.min(now + POLL)).await,
            }
        }
    }

    /// Returns the run as it is now; one whose process has died is marked as interrupted first.
    pub async fn view(&self, id: &RunId) -> Result<View, DelegateError> {
        let store = &self.0.parts.store;
        let unknown = || DelegateError::UnknownRun(id.clone());
        let mut run = store.run(id).await?.ok_or_else(unknown)?;
        let now = self.0.parts.clock.now();
        let is_ours = self.0.live().contains_key(id);
        if !run.state.is_final() && !is_ours && (run.lease_until < now || owner::is_gone(&run.owner)) {
            store.interrupt_abandoned(now, std::slice::from_ref(&run.owner)).await?;
            run = store.run(id).await?.ok_or_else(unknown)?;
        }
        let steps = store.steps(id).await?;
        let steps = steps
            .into_iter()
            .map(|step| {
                let outcome = step.outcome.as_deref().and_then(|text| serde_json::from_str(text).ok());
                (step, outcome)
            })
            .collect();
        Ok(View { run, steps })
    }

    /// Returns up to `limit` runs that pass the filter, newest first.
    pub async fn list(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, DelegateError> {
        let store = &self.0.parts.store;
        let going = RunFilter { states: vec![RunState::Queued, RunState::Running], ..RunFilter::default() };
        let owners = store.runs(&going, GOING_MAX).await?.into_iter().map(|run| run.owner);
        let gone: Vec<String> = owners.filter(|owner| owner::is_gone(owner)).collect();
        store.interrupt_abandoned(self.0.parts.clock.now(), &gone).await?;
        Ok(store.runs(filter, limit).await?)
    }

    /// Cancels a run, also one of another process. Returns whether it was still going.
    pub async fn cancel(&self, id: &RunId) -> Result<bool, DelegateError> {
        let view = self.view(id).await?;
        if view.run.state.is_final() {
            return Ok(false);
        }
        let live = self.0.live().get(id).cloned();
        match live {
            Some(live) => live.cancel.cancel(),
            None => {
                self.0.parts.store.request_cancel(id, self.0.parts.clock.now()).await?;
            }
        }
        Ok(true)
    }

    /// Cancels a run of this process without waiting for anything, for callers that go away.
    pub fn abandon(&self, id: &RunId) {
        if let Some(live) = self.0.live().get(id) {
            live.cancel.cancel();
        }
    }

    /// Returns how many runs of this process have not ended.
    pub fn live_runs(&self) -> usize {
        self.0.live().len()
    }

    /// Cancels every run of this process and waits until each has ended and is written down.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Inner {
    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the trees that processes of this project left behind when they died.
    async fn sweep(&self) {
        let Parts { config, store, clock, .. } = &self.parts;
        let folder = step::trees(config);
        for key in worktree::left_behind(&folder) {
            let Some(id) = key.get(..20).and_then(|id| id.parse::<RunId>().ok()) else { continue };
            let is_alive = match store.run(&id).await {
                Ok(Some(run)) => !run.state.is_final() && run.lease_until > clock.now() && !owner::is_gone(&run.owner),
                Ok(None) => false,
                // Rather a tree too many than one that somebody works in.
                Err(_) => true,
            };
            // Changes that could not be read are kept: the run failed and says where they are.
            let is_kept = matches!(store.run(&id).await, Ok(Some(run)) if run.state == RunState::Failed);
            if !is_alive && !is_kept {
                worktree::sweep(&folder, &key, &config.paths.workspace, &config.paths.programs).await;
            }
        }
    }

    /// The loop of one run.
    async fn drive(&self, mut journal: Journal, plan: Plan, cancel: CancellationToken) {
        let (sender, mut messages) = mpsc::channel(MESSAGES_MAX);
        let mut tasks = JoinSet::new();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        let mut answers: BTreeMap<Name, String> = BTreeMap::new();
        let plan = Arc::new(plan);
        journal.run_started().await;
        loop {
            self.start_ready(&mut journal, &plan, &answers, &sender, &mut tasks, &cancel).await;
            if journal.is_complete() {
                break;
            }
            tokio::select! {
                Some(event) = messages.recv() => match event {
                    Event::Started { step, attempt, packet_tokens } => journal.step_started(step, attempt, packet_tokens).await,
                    Event::Output { step, bytes } => journal.step_output(step, bytes),
                    Event::Retrying { step, error } => journal.step_retried(step, &error).await,
                    Event::Finished { step, result } => {
                        if let Ok(outcome) = result.as_ref() {
                            answers.insert(plan.steps[step].name.clone(), outcome.result.clone());
                        }
                        self.remember(&journal, &plan.steps[step], &result).await;
                        journal.step_finished(step, *result).await;
                    }
                },
                Some(ended) = tasks.join_next() => {
                    // A step always reports before it ends; one that panicked could not.
                    if let Err(error) = ended {
                        tracing::error!(%error, run = %journal.run_id(), "a step was lost");
                        journal.fail_unfinished(&format!("a step ended by a mistake in this program: {error}")).await;
                        break;
                    }
                }
                _ = heartbeat.tick() => {
                    if journal.keep_alive().await {
                        cancel.cancel();
                    }
                }
            }
        }
        tasks.shutdown().await;
        journal.run_finished().await;
    }

    /// Starts every step whose needs have succeeded; skips those whose needs have failed, and all
    /// that has not started once the run is cancelled.
    async fn start_ready(
        &self,
        journal: &mut Journal,
        plan: &Arc<Plan>,
        answers: &BTreeMap<Name, String>,
        sender: &mpsc::Sender<Event>,
        tasks: &mut JoinSet<()>,
        cancel: &CancellationToken,
    ) {
        for (index, step) in plan.steps.iter().enumerate() {
            if !journal.is_waiting(index) {
                continue;
            }
            let states: Vec<RunState> = step.needs.iter().map(|need| journal.state_of(need)).collect();
            if cancel.is_cancelled() {
                journal.step_skipped(index, RunState::Cancelled, "the run was cancelled before it started").await;
            } else if let Some(failed) =
                states.iter().position(|state| state.is_final() && *state != RunState::Succeeded)
            {
                journal
                    .step_skipped(index, RunState::Skipped, &format!("step {} did not succeed", step.needs[failed]))
                    .await;
            } else if states.iter().all(|state| *state == RunState::Succeeded) {
                journal.step_queued(index);
                let earlier =
                    step.needs.iter().filter_map(|need| Some((need.clone(), answers.get(need)?.clone()))).collect();
                tasks.spawn(run_step(RunningStep {
                    parts: self.parts.clone(),
                    slots: Arc::clone(&self.slots),
                    run: journal.run_id().clone(),
                    plan: Arc::clone(plan),
                    index,
                    earlier,
                    cancel: cancel.child_token(),
                    sender: sender.clone(),
                }));
            }
        }
    }

    /// Keeps what came of a step as an episode that the next packet of its agent can recall.
    async fn remember(&self, journal: &Journal, step: &PlannedStep, result: &Result<Outcome, Failure>) {
        let (state, text) = match result {
            Ok(outcome) => (RunState::Succeeded, outcome.result.as_str()),
            Err(failure) => (failure.state, failure.error.as_str()),
        };
        if state == RunState::Cancelled {
            return;
        }
        let episode = step::episode(journal.run_id(), step, state, text, self.parts.clock.now());
        if let Err(error) = self.parts.memories.keep_episode(episode).await {
            tracing::warn!(%error, run = %journal.run_id(), "the outcome could not be remembered");
        }
    }
}

struct RunningStep {
    parts: Parts,
    slots: Arc<Semaphore>,
    run: RunId,
    plan: Arc<Plan>,
    index: usize,
    earlier: Vec<(Name, String)>,
    cancel: CancellationToken,
    sender: mpsc::Sender<Event>,
}

/// Waits for a slot, then tries the step until it succeeds, its attempts are used up, or it is
/// cancelled. Its last message is always [`Event::Finished`].
async fn run_step(running: RunningStep) {
    let RunningStep { parts, slots, run, plan, index, earlier, cancel, sender } = running;
    let step = &plan.steps[index];
    let attempts = 1 + step.request.limits.retries.unwrap_or(0).min(parts.config.delegation.retries_max);
    let mut attempt = 0;
    let result = loop {
        attempt += 1;
        let permit = tokio::select! {
            biased;
            () = cancel.cancelled() => break Err(Failure::cancelled()),
            permit = slots.acquire() => permit,
        };
        let watch = Watch { sender: sender.clone(), step: index, attempt };
        let asked = Attempt { parts: &parts, run: &run, step, number: attempt, earlier: &earlier, cancel: &cancel };
        let result = step::attempt(asked, &watch).await;
        drop(permit);
        match result {
            Err(failure) if failure.may_be_tried_again() && attempt < attempts && !cancel.is_cancelled() => {
                let _ = sender.send(Event::Retrying { step: index, error: failure.error }).await;
            }
            result => break result,
        }
    };
    let _ = sender.send(Event::Finished { step: index, result: Box::new(result) }).await;
}

/// Tells the loop what a step is doing.
pub struct Watch {
    sender: mpsc::Sender<Event>,
    step: usize,
    attempt: u32,
}

impl Watch {
    /// The packet is built, and the process is about to start.
    pub async fn started(&self, packet_tokens: usize) {
        let _ = self.sender.send(Event::Started { step: self.step, attempt: self.attempt, packet_tokens }).await;
    }

    /// The process has written this many bytes so far. Dropped when the loop is busy.
    pub fn output(&self, bytes: u64) {
        let _ = self.sender.try_send(Event::Output { step: self.step, bytes });
    }
}

fn recorded(run: &RunId, position: usize, step: &PlannedStep) -> Step {
    Step {
        run: run.clone(),
        name: step.name.clone(),
        position,
        needs: step.needs.clone(),
        agent: step.agent.name.clone(),
        task: memory::redacted(&step.request.task).into_owned(),
        state: RunState::Queued,
        attempt: 0,
        started_at: None,
        finished_at: None,
        outcome: None,
        error: None,
    }
}

impl std::fmt::Debug for Delegator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Delegator").field("owner", &self.0.owner).finish_non_exhaustive()
    }
}
