//! `run_workflow`: several agents, in sequence, side by side or as a graph.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delegate_task::ContextParams;
use super::run_view::{self, StepOutput};
use super::{Call, Command, Effects, ToolError, TypedTool, schema};
use crate::base::{Name, RunId};
use crate::delegate::{Isolation, Limits, Mode, Request, StepRequest};
use crate::store::RunState;

/// The tool.
pub struct RunWorkflow;

/// The steps and their order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(length(min = 1, max = 100))]
    steps: Vec<StepParams>,
    /// Default sequential
    mode: Option<Mode>,
    /// Of each step
    #[schemars(range(min = 1))]
    budget_tokens: Option<usize>,
    #[schemars(range(min = 1))]
    result_tokens: Option<usize>,
    #[schemars(range(min = 1, max = 86400))]
    timeout_seconds: Option<u64>,
    #[schemars(range(max = 86400))]
    wait_seconds: Option<u64>,
    #[schemars(length(min = 1, max = 200))]
    idempotency_key: Option<String>,
    parent_run: Option<RunId>,
}

/// One step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StepParams {
    name: Option<Name>,
    agent: Name,
    #[schemars(length(min = 1))]
    task: String,
    /// As in delegate_task
    context: Option<LooseContext>,
    /// For mode dag
    needs: Option<Vec<Name>>,
    isolation: Option<Isolation>,
    #[schemars(range(max = 10))]
    retries: Option<u32>,
}

/// The context of a step; its fields are those of `delegate_task` and are not listed again.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct LooseContext(ContextParams);

impl JsonSchema for LooseContext {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Context".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schema::listed_loosely(generator.subschema_for::<ContextParams>())
    }
}

/// The run and what came of its steps.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The run.
    run_id: RunId,
    /// Its state.
    status: RunState,
    /// How many steps have succeeded.
    phases_completed: usize,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The steps, in order.
    steps: Vec<StepOutput>,
}

impl TypedTool for RunWorkflow {
    const NAME: &'static str = "run_workflow";
    const ABOUT: &'static str = "Run several agents: sequential (each sees earlier results), parallel, or a dag.";
    const EFFECTS: Effects = Effects::RUNS;
    const COMMAND: Command = Command { name: "workflow", positional: &["steps"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let title = params.steps.iter().map(|step| step.agent.as_str()).collect::<Vec<_>>().join(", ");
        let limits = |retries| Limits {
            budget_tokens: params.budget_tokens,
            result_tokens: params.result_tokens,
            timeout: params.timeout_seconds.map(Duration::from_secs),
            retries,
        };
        let steps = params
            .steps
            .into_iter()
            .map(|step| StepRequest {
                name: step.name,
                agent: step.agent,
                task: step.task,
                context: step.context.unwrap_or_default().0.into_context(),
                needs: step.needs.unwrap_or_default(),
                limits: limits(step.retries),
                isolation: step.isolation.unwrap_or_default(),
            })
            .collect();
        let request = Request {
            tool: Self::NAME,
            title,
            steps,
            mode: params.mode.unwrap_or_default(),
            idempotency_key: params.idempotency_key,
            parent: params.parent_run,
        };
        let view = run_view::start_and_wait(call, request, params.wait_seconds).await?;
        let steps: Vec<StepOutput> = view.steps.into_iter().map(StepOutput::from).collect();
        Ok(Output {
            run_id: view.run.id,
            status: view.run.state,
            phases_completed: steps.iter().filter(|step| step.status == RunState::Succeeded).count(),
            error: view.run.error,
            steps,
        })
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        run_view::failure(output.status)
    }

    fn text(&self, output: &Output) -> String {
        let seconds =
            output.steps.iter().filter_map(|step| step.outcome.as_ref()).map(|outcome| outcome.usage.seconds).sum();
        let mut lines: Vec<String> = output.steps.iter().map(run_view::step_text).collect();
        lines.push(run_view::status_line(output.run_id.as_str(), output.status, seconds, None));
        lines.join("\n")
    }
}
