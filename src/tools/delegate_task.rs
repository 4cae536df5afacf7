//! `delegate_task`: one agent, one task, in the sandbox.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run_view::{self, StepOutput};
use super::{Call, Command, Effects, ToolError, TypedTool};
use crate::base::{Handle, Name, RunId};
use crate::delegate::{Context, Isolation, Limits, MemoryRef, Mode, PacketSummary, Request, StepRequest, Usage};
use crate::exec::sandbox::Report;
use crate::store::RunState;

/// The tool.
pub struct DelegateTask;

/// What is to be delegated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// From list_agents
    agent: Name,
    /// What to do
    #[schemars(length(min = 1))]
    task: String,
    context: Option<ContextParams>,
    /// Most tokens the agent is given
    #[schemars(range(min = 1))]
    budget_tokens: Option<usize>,
    /// Most tokens of the result
    #[schemars(range(min = 1))]
    result_tokens: Option<usize>,
    #[schemars(range(min = 1, max = 86400))]
    timeout_seconds: Option<u64>,
    /// worktree and copy return a diff
    isolation: Option<Isolation>,
    /// Then answer with the run as it is; it goes on
    #[schemars(range(max = 86400))]
    wait_seconds: Option<u64>,
    /// Same key, same run
    #[schemars(length(min = 1, max = 200))]
    idempotency_key: Option<String>,
    parent_run: Option<RunId>,
}

/// What an agent is given besides its task.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextParams {
    /// Paths, globs
    files: Option<Vec<String>>,
    text: Option<String>,
    /// Ids, queries
    memories: Option<Vec<String>>,
    /// Uncommitted changes
    diff: Option<bool>,
}

impl ContextParams {
    /// Returns the context in plain types.
    pub fn into_context(self) -> Context {
        let memories = self.memories.unwrap_or_default();
        Context {
            files: self.files.unwrap_or_default(),
            text: self.text,
            memories: memories
                .into_iter()
                .map(|memory| memory.parse().map_or(MemoryRef::Query(memory), MemoryRef::Id))
                .collect(),
            diff: self.diff.unwrap_or(false),
        }
    }
}

/// The run and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The run.
    run_id: RunId,
    /// Its state.
    status: RunState,
    /// The exit code of the agent's process.
    exit_code: Option<i32>,
    /// What the agent answered, within `result_tokens`.
    result: String,
    /// The tokens of `result`.
    result_tokens: usize,
    /// The whole answer, where `result` is a part of it.
    handle: Option<Handle>,
    /// What the agent changed in its worktree or copy.
    diff: Option<Handle>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the caller should know besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What it used.
    usage: Usage,
    /// The boundary that held.
    sandbox: Option<Report>,
    /// What the agent was given.
    packet: PacketSummary,
}

impl TypedTool for DelegateTask {
    const NAME: &'static str = "delegate_task";
    const ABOUT: &'static str =
        "Run a sub-agent on a task in an OS sandbox with its own context. If status is running, poll get_run.";
    const EFFECTS: Effects = Effects::RUNS;
    const COMMAND: Command = Command { name: "delegate", positional: &["agent", "task"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let step = StepRequest {
            name: None,
            agent: params.agent,
            task: params.task.clone(),
            context: params.context.unwrap_or_default().into_context(),
            needs: Vec::new(),
            limits: Limits {
                budget_tokens: params.budget_tokens,
                result_tokens: params.result_tokens,
                timeout: params.timeout_seconds.map(Duration::from_secs),
                retries: None,
            },
            isolation: params.isolation.unwrap_or_default(),
        };
        let request = Request {
            tool: Self::NAME,
            title: params.task,
            steps: vec![step],
            mode: Mode::Sequential,
            idempotency_key: params.idempotency_key,
            parent: params.parent_run,
        };
        let view = run_view::start_and_wait(call, request, params.wait_seconds).await?;
        let error = view.run.error.clone();
        let step = view.steps.into_iter().next().map(StepOutput::from);
        let outcome = step.and_then(|step| step.outcome).unwrap_or_default();
        Ok(Output {
            run_id: view.run.id,
            status: view.run.state,
            exit_code: outcome.exit_code,
            result: outcome.result,
            result_tokens: outcome.result_tokens,
            handle: outcome.handle,
            diff: outcome.diff,
            error,
            notes: outcome.notes,
            usage: outcome.usage,
            sandbox: outcome.sandbox,
            packet: outcome.packet,
        })
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        run_view::failure(output.status)
    }

    fn text(&self, output: &Output) -> String {
        let mut lines = Vec::new();
        if !output.result.is_empty() {
            lines.push(output.result.clone());
        }
        if let Some(error) = &output.error {
            lines.push(format!("error: {error}"));
        }
        lines.extend(output.notes.iter().map(|note| format!("note: {note}")));
        lines.push(run_view::status_line(
            output.run_id.as_str(),
            output.status,
            output.usage.seconds,
            output.sandbox.as_ref(),
        ));
        if let Some(handle) = &output.handle {
            lines.push(format!("whole answer: {handle}"));
        }
        if let Some(diff) = &output.diff {
            lines.push(format!("diff: {diff}"));
        }
        lines.join("\n")
    }
}
