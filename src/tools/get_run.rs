//! `get_run`: a run as it is now, or the list of recent runs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run_view::{self, StepOutput};
use super::{Call, Command, Effects, ToolError, TypedTool};
use crate::base::{Name, RunId};
use crate::store::{Event, Run, RunFilter, RunState};

/// How many runs are listed when the caller does not say.
const RUNS_DEFAULT: usize = 20;
/// How many of a run's latest events are shown.
const EVENTS_MAX: usize = 50;

/// The tool.
pub struct GetRun;

/// Which run, or which runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Without it: list runs
    run_id: Option<RunId>,
    status: Option<Vec<RunState>>,
    agent: Option<Name>,
    parent_run: Option<RunId>,
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// Wait for the end, at most 45
    #[schemars(range(max = 45))]
    wait_seconds: Option<u64>,
}

/// The runs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The runs, newest first.
    runs: Vec<RunOutput>,
}

/// A run as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
struct RunOutput {
    /// The run.
    run_id: RunId,
    /// Its state.
    status: RunState,
    /// The tool that started it.
    tool: String,
    /// What was asked.
    title: String,
    /// When it was recorded, RFC 3339.
    created_at: String,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// The run that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run: Option<RunId>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Its steps, when one run was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepOutput>,
    /// Its latest events, when one run was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventOutput>,
}

/// An event as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
struct EventOutput {
    /// When, RFC 3339.
    at: String,
    /// What.
    detail: String,
}

impl TypedTool for GetRun {
    const NAME: &'static str = "get_run";
    const ABOUT: &'static str = "State, steps and results of a run; without run_id, recent runs.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command = Command { name: "runs", positional: &["run_id"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let delegator = &call.services.delegator;
        let Some(id) = params.run_id else {
            if params.wait_seconds.is_some() {
                return Err(ToolError::invalid("/wait_seconds needs /run_id"));
            }
            let filter = RunFilter {
                states: params.status.unwrap_or_default(),
                agent: params.agent.map(String::from),
                parent: params.parent_run,
            };
            let runs = delegator.list(&filter, params.limit.unwrap_or(RUNS_DEFAULT)).await?;
            return Ok(Output { runs: runs.into_iter().map(|run| shown(run, Vec::new(), Vec::new())).collect() });
        };
        let view = run_view::wait(call, &id, Duration::from_secs(params.wait_seconds.unwrap_or(0))).await?;
        let events = call.services.store.events(&id, 0, 10_000).await?;
        let skipped = events.len().saturating_sub(EVENTS_MAX);
        let steps = view.steps.into_iter().map(StepOutput::from).collect();
        Ok(Output { runs: vec![shown(view.run, steps, events.into_iter().skip(skipped).collect())] })
    }

    fn text(&self, output: &Output) -> String {
        if output.runs.is_empty() {
            return "no runs".to_owned();
        }
        let mut lines = Vec::new();
        for run in &output.runs {
            lines.push(format!("{}  {}  {}  {}", run.run_id, run.status.as_str(), run.created_at, run.title));
            lines.extend(run.error.iter().map(|error| format!("  error: {error}")));
            lines.extend(run.steps.iter().map(run_view::step_text));
        }
        lines.join("\n")
    }
}

fn shown(run: Run, steps: Vec<StepOutput>, events: Vec<Event>) -> RunOutput {
    RunOutput {
        run_id: run.id,
        status: run.state,
        tool: run.tool,
        title: run.title,
        created_at: run.created_at.to_string(),
        finished_at: run.finished_at.map(|at| at.to_string()),
        parent_run: run.parent,
        error: run.error,
        steps,
        events: events
            .into_iter()
            .map(|event| EventOutput { at: event.at.to_string(), detail: event.detail })
            .collect(),
    }
}
