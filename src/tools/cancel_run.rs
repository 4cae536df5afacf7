//! `cancel_run`: ends a run and every process of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run_view::{self, StepOutput};
use super::{Call, Command, Effects, ToolError, TypedTool};
use crate::base::{Name, RunId};
use crate::store::RunState;

/// How long the call waits for the processes to end.
const WAIT: Duration = Duration::from_secs(20);

/// The tool.
pub struct CancelRun;

/// Which run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    run_id: RunId,
}

/// What was stopped.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The run.
    run_id: RunId,
    /// Its state now.
    status: RunState,
    /// The steps that were stopped or will not start.
    stopped: Vec<Name>,
}

impl TypedTool for CancelRun {
    const NAME: &'static str = "cancel_run";
    const ABOUT: &'static str = "Stop a run and its processes.";
    const EFFECTS: Effects = Effects::CHANGES;
    const COMMAND: Command = Command { name: "cancel", positional: &["run_id"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let was_going = call.services.delegator.cancel(&params.run_id).await?;
        let view = run_view::wait(call, &params.run_id, WAIT).await?;
        let steps = view.steps.into_iter().map(StepOutput::from);
        let stopped =
            steps.filter(|step| was_going && step.status == RunState::Cancelled).map(|step| step.name).collect();
        Ok(Output { run_id: view.run.id, status: view.run.state, stopped })
    }

    fn text(&self, output: &Output) -> String {
        let state = output.status.as_str();
        if !output.status.is_final() {
            format!("{} was asked to stop and is still {state}", output.run_id)
        } else if output.stopped.is_empty() {
            format!("{} was {state} already; nothing was stopped", output.run_id)
        } else {
            let names: Vec<&str> = output.stopped.iter().map(Name::as_str).collect();
            format!("{} is {state}; stopped {}", output.run_id, names.join(", "))
        }
    }
}
