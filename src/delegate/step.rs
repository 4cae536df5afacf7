//! One attempt of one step: a tree to work in, a packet, a launch, a process, an answer that fits.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::dispatch::{Parts, Watch};
use super::outcome::{Outcome, PacketSummary, Usage};
use super::packet::{Builder, Packet};
use super::plan::PlannedStep;
use super::request::Isolation;
use super::worktree::{self, Tree};
use crate::agents::{Reach, Scope};
use crate::base::{Handle, Name, RunId, Timestamp, content_hash};
use crate::compress::original::{self, ToKeep};
use crate::compress::savings::Saving;
use crate::compress::{self, Kind};
use crate::config::Config;
use crate::exec::{Captured, Ended, ExecError, Exit, Network, Output, Policy};
use crate::memory::{self, Episode};
use crate::runners::{self, Reply, Runner};
use crate::store::RunState;
use crate::tokens::{Budget, Measure};

/// How many pieces of output may wait to be counted.
const OUTPUTS_MAX: usize = 64;
/// How much of an error message is kept, in characters.
const ERROR_CHARACTERS_MAX: usize = 600;

/// What is to be tried.
pub struct Attempt<'a> {
    /// What delegation stands on.
    pub parts: &'a Parts,
    /// The run.
    pub run: &'a RunId,
    /// The step.
    pub step: &'a PlannedStep,
    /// Which attempt this is, from 1.
    pub number: u32,
    /// The results of the steps it needs.
    pub earlier: &'a [(Name, String)],
    /// Ends the attempt.
    pub cancel: &'a CancellationToken,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// How it ended: failed, timed out or cancelled.
    pub state: RunState,
    /// What went wrong, for people.
    pub error: String,
    /// What came of it nevertheless.
    pub outcome: Option<Box<Outcome>>,
    /// Whether it ran at all: what could not even start will not start the second time.
    ran: bool,
}

impl Failure {
    /// Returns the failure of a step that was cancelled before it started.
    pub fn cancelled() -> Self {
        Self { state: RunState::Cancelled, error: "cancelled before it started".to_owned(), outcome: None, ran: false }
    }

    /// Whether trying again could help.
    pub fn may_be_tried_again(&self) -> bool {
        self.ran && self.state != RunState::Cancelled
    }

    fn before_start(error: impl Into<String>) -> Self {
        Self { state: RunState::Failed, error: error.into(), outcome: None, ran: false }
    }
}

/// Tries a step once.
pub async fn attempt(attempt: Attempt<'_>, watch: &Watch) -> Result<Outcome, Failure> {
    let Attempt { parts, step, .. } = attempt;
    let config = &parts.config;
    let asked = match step.request.isolation {
        Isolation::Workspace => in_file(step.agent.front.isolation.as_deref()),
        asked => asked,
    };
    let key = format!("{}-{}-{}", attempt.run, step.name, attempt.number);
    let trees = trees(config);
    let preparing = worktree::prepare(asked, &config.paths.workspace, &trees, &key, &config.paths.programs);
    let tree = tokio::select! {
        biased;
        () = attempt.cancel.cancelled() => {
            worktree::sweep(&trees, &key, &config.paths.workspace, &config.paths.programs).await;
            return Err(Failure::cancelled());
        }
        tree = preparing => tree.map_err(|error| Failure::before_start(error.to_string()))?,
    };
    let result = in_tree(&attempt, &tree, watch).await;
    let diff = match &result {
        Ok(_) => keep_diff(&attempt, &tree).await,
        Err(_) => Ok(None),
    };
    match (result, diff) {
        (Ok(mut outcome), Ok(diff)) => {
            tree.remove().await;
            outcome.diff = diff;
            Ok(outcome)
        }
        (Err(failure), _) => {
            tree.remove().await;
            Err(failure)
        }
        (Ok(outcome), Err(error)) => Err(Failure {
            state: RunState::Failed,
            error: format!(
                "the agent succeeded, but its changes could not be read ({error}); they are in {}",
                tree.path.display()
            ),
            outcome: Some(Box::new(outcome)),
            ran: true,
        }),
    }
}

/// Where the trees of this project's attempts are kept: beside the user's data, which is hidden
/// from tasks, and apart from other projects, so that each sweeps its own.
pub fn trees(config: &Config) -> PathBuf {
    let project = content_hash(config.paths.data.as_os_str().as_encoded_bytes());
    config.paths.user_data.with_file_name("context-engine-trees").join(&project[..12])
}

/// Returns what an agent file says of where its agent works; other words are told by its check.
fn in_file(isolation: Option<&str>) -> Isolation {
    match isolation {
        Some("worktree") => Isolation::Worktree,
        Some("copy") => Isolation::Copy,
        _ => Isolation::Workspace,
    }
}

async fn in_tree(attempt: &Attempt<'_>, tree: &Tree, watch: &Watch) -> Result<Outcome, Failure> {
    let Attempt { parts, step, earlier, .. } = *attempt;
    let config = &parts.config;
    let measure = Measure::exact(config.context.encoding.parse().unwrap_or_default());
    let limits = step.request.limits;
    let budget = of_file(step, step.agent.front.budget_tokens, config.delegation.budget_tokens);
    let budget = limits.budget_tokens.unwrap_or(budget);
    let budget = Budget { tokens: budget, measure };
    let builder = Builder {
        store: parts.store.as_ref(),
        memories: &parts.memories,
        clock: parts.clock.as_ref(),
        workspace: &config.paths.workspace,
        programs: &config.paths.programs,
    };
    let packet = builder.build(step, earlier, budget).await.map_err(Failure::before_start)?;
    let runner = runners::of(&step.agent, config).map_err(|error| Failure::before_start(error.to_string()))?;
    let mut prepared = runners::prepare(runner, &step.agent, &packet.text, config, &tree.path)
        .map_err(|error| Failure::before_start(error.to_string()))?;
    for (name, value) in [
        ("CTX_RUN", attempt.run.to_string()),
        ("CTX_STEP", step.name.to_string()),
        ("CTX_ATTEMPT", attempt.number.to_string()),
    ] {
        prepared.launch.environment.push((name.to_owned(), value));
    }
    let policy = policy(attempt, tree, &prepared);
    watch.started(packet.summary.tokens).await;
    let (sender, outputs) = mpsc::channel(OUTPUTS_MAX);
    let running = parts.executor.run(prepared.launch, &policy, attempt.cancel.clone(), Some(sender));
    let (exit, ()) = tokio::join!(running, count(outputs, watch));
    let exit = exit.map_err(|error| Failure::before_start(explain(&error)))?;
    answer(attempt, runner, packet, exit, measure, &policy, prepared.notes).await
}

/// What the process may do: the preset of its kind, narrowed or widened by the user's settings. An
/// agent file can only narrow it.
fn policy(attempt: &Attempt<'_>, tree: &Tree, prepared: &runners::Prepared) -> Policy {
    let config = &attempt.parts.config;
    let front = &attempt.step.agent.front;
    let home = config.paths.home.clone();
    let mut policy = match prepared.network {
        Network::None => Policy::command(tree.path.clone(), home),
        Network::Host => Policy::agent(tree.path.clone(), home),
    };
    if front.network == Some(Reach::None) {
        policy.network = Network::None;
    }
    if front.permission_mode.as_deref() == Some("plan") {
        policy.readable.append(&mut policy.writable);
    }
    policy.readable.extend(prepared.readable.iter().cloned());
    policy.apply(config);
    let default = match prepared.network {
        Network::None => config.delegation.timeout,
        Network::Host => config.delegation.timeout.max(policy.limits.wall),
    };
    let in_file = of_file(attempt.step, front.timeout_seconds.map(Duration::from_secs), default);
    policy.limits.wall = attempt.step.request.limits.timeout.unwrap_or(in_file);
    policy
}

/// Returns a limit that an agent file names, else that of the settings. A file that came with the
/// repository only lowers it.
fn of_file<T: Ord>(step: &PlannedStep, named: Option<T>, settings: T) -> T {
    match (named, step.agent.scope) {
        (None, _) => settings,
        (Some(named), Scope::Project) => named.min(settings),
        (Some(named), Scope::User) => named,
    }
}

/// Counts the output as it arrives.
async fn count(mut outputs: mpsc::Receiver<Output>, watch: &Watch) {
    let mut bytes = 0;
    while let Some(output) = outputs.recv().await {
        bytes += output.bytes.len() as u64;
        watch.output(bytes);
    }
}

/// Reads the runner's answer out of what the process wrote, and makes it fit.
async fn answer(
    attempt: &Attempt<'_>,
    runner: &dyn Runner,
    packet: Packet,
    exit: Exit,
    measure: Measure,
    policy: &Policy,
    mut notes: Vec<String>,
) -> Result<Outcome, Failure> {
    let Attempt { parts, step, .. } = *attempt;
    let reply = runner.parse(&exit);
    notes.extend(reply.notes.iter().cloned());
    notes.extend(
        exit.touched
            .iter()
            .map(|path| format!("the task touched {}, which this system may obey later", path.display())),
    );
    let exit_code = match exit.ended {
        Ended::Exited(code) => Some(code),
        _ => None,
    };
    let result_tokens = of_file(step, step.agent.front.result_tokens, parts.config.delegation.result_tokens);
    let result_tokens = step.request.limits.result_tokens.unwrap_or(result_tokens);
    let fitted = fit(attempt, &reply.text, Budget { tokens: result_tokens, measure })
        .await
        .map_err(|error| Failure { state: RunState::Failed, error, outcome: None, ran: true })?;
    let outcome = Outcome {
        exit_code,
        result: fitted.text,
        result_tokens: fitted.tokens,
        handle: fitted.handle,
        diff: None,
        notes,
        usage: usage(&reply, exit.wall),
        sandbox: Some(exit.sandbox.clone()),
        packet: PacketSummary { ..packet.summary },
    };
    match failure(&exit, &reply, policy) {
        None => Ok(outcome),
        Some((state, error)) => {
            let error = memory::redacted(&error).into_owned();
            Err(Failure { state, error, outcome: Some(Box::new(outcome)), ran: true })
        }
    }
}

/// Why the process did not succeed, if it did not.
fn failure(exit: &Exit, reply: &Reply, policy: &Policy) -> Option<(RunState, String)> {
    let told = |what: String| match last_words(&exit.stderr) {
        words if words.is_empty() => what,
        words => format!("{what}: {words}"),
    };
    match &exit.ended {
        Ended::Exited(0) if !reply.is_error => None,
        Ended::Exited(0) => Some((RunState::Failed, shortened(reply.error.as_deref().unwrap_or(&reply.text)))),
        Ended::Exited(code) => Some((RunState::Failed, told(format!("exit code {code}")))),
        Ended::Signalled(signal) => Some((RunState::Failed, told(format!("ended by signal {signal}")))),
        Ended::TimedOut => {
            let seconds = policy.limits.wall.as_secs();
            Some((RunState::TimedOut, told(format!("ended after its time limit of {seconds} s"))))
        }
        Ended::Cancelled => Some((RunState::Cancelled, "cancelled".to_owned())),
        Ended::Limit(limit) => Some((RunState::Failed, told(format!("ended by its limit on {limit}")))),
    }
}

/// The end of what was written to standard error.
fn last_words(stderr: &Captured) -> String {
    let text = String::from_utf8_lossy(&stderr.bytes);
    let text = text.trim();
    let start = text.char_indices().rev().nth(ERROR_CHARACTERS_MAX).map_or(0, |(at, _)| at);
    text[start..].to_owned()
}

fn shortened(text: &str) -> String {
    text.chars().take(ERROR_CHARACTERS_MAX).collect()
}

fn explain(error: &ExecError) -> String {
    match error {
        ExecError::Refused { hint, .. } => format!("{error}; {hint}"),
        _ => error.to_string(),
    }
}

fn usage(reply: &Reply, wall: Duration) -> Usage {
    Usage {
        input_tokens: reply.usage.input_tokens,
        output_tokens: reply.usage.output_tokens,
        cost_usd: reply.usage.cost_usd,
        turns: reply.usage.turns,
        seconds: wall.as_secs_f64(),
    }
}

struct FittedAnswer {
    text: String,
    tokens: usize,
    handle: Option<Handle>,
}

/// Makes an answer fit its budget; what is cut can be fetched by the handle.
async fn fit(attempt: &Attempt<'_>, text: &str, budget: Budget) -> Result<FittedAnswer, String> {
    let (text, _) = memory::redact(text);
    let measure = budget.measure;
    let add = |kind, before, after, text: &str| {
        attempt.parts.savings.add(&Saving::of("delegate_task", kind, before, after, text, measure));
    };
    if budget.holds(&text) {
        let tokens = measure.count(&text);
        add(compress::detect(&text).kind, tokens, tokens, &text);
        return Ok(FittedAnswer { tokens, text, handle: None });
    }
    let source = format!("run://{}/{}", attempt.run, attempt.step.name);
    let now = attempt.parts.clock.now();
    let new = ToKeep { content: text.into_bytes(), source: Some(source), ..ToKeep::default() };
    let kept = original::keep(attempt.parts.store.as_ref(), new, now, None)
        .await
        .map_err(|error| format!("the answer could not be kept: {error}"))?;
    let query = attempt.step.request.task.clone();
    let handle = kept.handle.clone();
    let fitted = tokio::task::spawn_blocking(move || {
        let request = compress::Request {
            query: Some(&query),
            handle: Some(&kept.handle),
            ..compress::Request::new(&kept.text, Some(budget.tokens), measure)
        };
        compress::fit(&request)
    })
    .await
    .map_err(|error| format!("the answer could not be fitted: {error}"))?
    .map_err(|error| format!("the answer could not be fitted: {error}"))?;
    add(fitted.kind, fitted.tokens_before, fitted.tokens_after, &fitted.text);
    Ok(FittedAnswer { text: fitted.text, tokens: fitted.tokens_after, handle: Some(handle) })
}

/// Keeps what the agent changed in a tree of its own.
async fn keep_diff(attempt: &Attempt<'_>, tree: &Tree) -> Result<Option<Handle>, String> {
    let Some(patch) = tree.diff().await.map_err(|error| error.to_string())? else { return Ok(None) };
    let source = format!("run://{}/{}/diff", attempt.run, attempt.step.name);
    let now = attempt.parts.clock.now();
    let new = ToKeep { content: patch, source: Some(source), kind: Some(Kind::Diff), ..ToKeep::default() };
    original::keep(attempt.parts.store.as_ref(), new, now, None)
        .await
        .map(|kept| Some(kept.handle))
        .map_err(|error| error.to_string())
}

/// Returns what is remembered of a step.
pub fn episode(run: &RunId, step: &PlannedStep, state: RunState, text: &str, at: Timestamp) -> Episode {
    Episode {
        agent: step.agent.name.clone(),
        run: run.clone(),
        task: step.request.task.clone(),
        status: state.as_str().to_owned(),
        outcome: text.to_owned(),
        at,
    }
}
