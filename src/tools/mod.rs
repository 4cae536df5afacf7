//! What the product offers, one file per tool: its `Params`, its `Output` and `run`.
//!
//! The last room that sees JSON. [`TOOLS`] is the list that the fronts offer; [`call()`] checks an
//! input against its schema before anything else sees it, and runs the tool. Schemas, listings,
//! CLI subcommands and the reference all come from this list.

mod call;
mod cap;
mod error;
mod files;
mod memory_filter;
mod run_view;
mod schema;
mod services;
mod time;
mod validate;

mod cancel_run;
pub mod context_compress;
mod context_pack;
mod context_retrieve;
pub mod count_tokens;
mod delegate_task;
mod get_run;
mod list_agents;
mod memory_forget;
mod memory_recall;
mod memory_store;
mod memory_update;
mod run_workflow;
mod server_health;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use schemars::JsonSchema;
use schemars::generate::Contract;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use call::{Call, Progress, Update};
pub use error::{ErrorKind, ToolError};
pub use files::Input;
pub use services::Services;

/// Every tool, in the order in which they are listed.
pub static TOOLS: &[&dyn Tool] = &[
    &delegate_task::DelegateTask,
    &run_workflow::RunWorkflow,
    &get_run::GetRun,
    &cancel_run::CancelRun,
    &list_agents::ListAgents,
    &memory_store::MemoryStore,
    &memory_recall::MemoryRecall,
    &memory_update::MemoryUpdate,
    &memory_forget::MemoryForget,
    &context_compress::ContextCompress,
    &context_retrieve::ContextRetrieve,
    &context_pack::ContextPack,
    &count_tokens::CountTokens,
    &server_health::ServerHealth,
];

/// What a tool does to the world, for clients that ask their user before calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// It changes nothing.
    pub read_only: bool,
    /// It may remove or overwrite something.
    pub destructive: bool,
    /// Calling it again with the same input changes nothing more.
    pub idempotent: bool,
    /// It reaches beyond this program: it starts agents.
    pub open_world: bool,
}

impl Effects {
    /// Changes nothing.
    pub const READS: Self = Self { read_only: true, destructive: false, idempotent: true, open_world: false };
    /// Adds something.
    pub const ADDS: Self = Self { read_only: false, destructive: false, idempotent: false, open_world: false };
    /// Changes or removes something.
    pub const CHANGES: Self = Self { read_only: false, destructive: true, idempotent: true, open_world: false };
    /// Starts agents.
    pub const RUNS: Self = Self { read_only: false, destructive: true, idempotent: false, open_world: true };
}

/// How a tool looks as a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// The subcommand.
    pub name: &'static str,
    /// The fields that are given by position; the last one takes all that is left if it is a list.
    pub positional: &'static [&'static str],
    /// The field that takes standard input when neither it nor a positional field is given.
    pub stdin: Option<&'static str>,
    /// A list field whose single item's fields may be given directly.
    pub wrap: Option<&'static str>,
    /// Whether the text is data to be piped on: nothing is added to it, not even a line end.
    pub verbatim: bool,
}

impl Command {
    /// A command without positional fields that takes no standard input.
    pub const DEFAULT: Self = Self { name: "", positional: &[], stdin: None, wrap: None, verbatim: false };
}

/// A tool in plain types.
pub trait TypedTool: Send + Sync + 'static {
    /// Its name.
    const NAME: &'static str;
    /// What it is for, for the assistant that chooses among tools.
    const ABOUT: &'static str;
    /// What it does to the world.
    const EFFECTS: Effects;
    /// How it looks as a command.
    const COMMAND: Command;
    /// Its input.
    type Params: DeserializeOwned + JsonSchema + Send;
    /// Its output.
    type Output: Serialize + JsonSchema + Send;

    /// Does what is asked.
    fn run(&self, call: &Call, params: Self::Params) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Returns the output as a person or a model reads it.
    fn text(&self, output: &Self::Output) -> String;

    /// Returns the output byte for byte, where the text cannot be that or says more.
    fn bytes(&self, _output: &Self::Output) -> Option<Vec<u8>> {
        None
    }

    /// Returns what a person should know besides, which is not part of the output.
    fn remark(&self, _output: &Self::Output) -> Option<String> {
        None
    }

    /// Returns the exit code of the command when the output tells that what was asked did not come
    /// about, which is an answer to an assistant and a failure to a script.
    fn failure(&self, _output: &Self::Output) -> Option<u8> {
        None
    }
}

/// What a tool answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The output, as its schema describes it.
    pub structured: Value,
    /// The same for a reader.
    pub text: String,
    /// What a person should know besides.
    pub remark: Option<String>,
    /// What a verbatim command writes, where it is not the text.
    pub bytes: Option<Vec<u8>>,
    /// The exit code of the command when what was asked did not come about.
    pub failure: Option<u8>,
}

impl Answer {
    /// Returns the answer that the tool's output is.
    fn of<T: TypedTool>(tool: &T, output: &T::Output) -> Result<Self, ToolError> {
        let structured = serde_json::to_value(output).map_err(|error| {
            ToolError::new(ErrorKind::Internal, format!("the output of {} is not JSON: {error}", T::NAME))
        })?;
        Ok(Self {
            structured,
            text: tool.text(output),
            remark: tool.remark(output),
            bytes: tool.bytes(output),
            failure: tool.failure(output),
        })
    }
}

/// The schemas of a tool.
pub struct Schemas {
    /// Of the input, complete: committed under `schemas/`.
    pub input: Value,
    /// Of the output, complete.
    pub output: Value,
    /// Of the input, short: as tools are listed.
    pub listed_input: Value,
    /// Of the output, short.
    pub listed_output: Value,
    /// Checks inputs, with the schema that it checks by; compiled when the tool is first called.
    checked: OnceLock<(Value, Validator)>,
}

impl Schemas {
    fn checked(&self) -> (&Value, &Validator) {
        let (schema, validator) = self.checked.get_or_init(|| {
            let schema = schema::flat(&self.input);
            let validator = schema::validator(&schema);
            (schema, validator)
        });
        (schema, validator)
    }
}

/// A tool as the fronts see it.
pub trait Tool: Send + Sync {
    /// Returns its name.
    fn name(&self) -> &'static str;
    /// Returns what it is for.
    fn about(&self) -> &'static str;
    /// Returns what it does to the world.
    fn effects(&self) -> Effects;
    /// Returns how it looks as a command.
    fn command(&self) -> Command;
    /// Makes its schemas; use [`schemas`], which makes them once.
    fn make_schemas(&self) -> Schemas;
    /// Runs it on an input that satisfies its schema.
    fn run_json<'a>(
        &'a self,
        call: &'a Call,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, ToolError>> + Send + 'a>>;
}

impl<T: TypedTool> Tool for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn about(&self) -> &'static str {
        T::ABOUT
    }

    fn effects(&self) -> Effects {
        T::EFFECTS
    }

    fn command(&self) -> Command {
        T::COMMAND
    }

    fn make_schemas(&self) -> Schemas {
        let input = schema::full::<T::Params>(Contract::Deserialize);
        let output = schema::full::<T::Output>(Contract::Serialize);
        let listed_input = schema::listed_input(&input);
        let listed_output = schema::listed_output(&output);
        Schemas { input, output, listed_input, listed_output, checked: OnceLock::new() }
    }

    fn run_json<'a>(
        &'a self,
        call: &'a Call,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, ToolError>> + Send + 'a>> {
        Box::pin(async move {
            let params = serde_json::from_value(input).map_err(|error| ToolError::invalid(error.to_string()))?;
            let output = self.run(call, params).await?;
            Answer::of(self, &output)
        })
    }
}

/// Returns the tool of that name.
pub fn find(name: &str) -> Option<&'static dyn Tool> {
    TOOLS.iter().copied().find(|tool| tool.name() == name)
}

/// Returns the schemas of a tool, made at first use.
pub fn schemas(tool: &dyn Tool) -> &'static Schemas {
    static MADE: LazyLock<HashMap<&'static str, OnceLock<Schemas>>> =
        LazyLock::new(|| TOOLS.iter().map(|tool| (tool.name(), OnceLock::new())).collect());
    MADE.get(tool.name()).expect("every tool is in TOOLS").get_or_init(|| tool.make_schemas())
}

/// Checks `input` against the schema of the tool `name` and runs it. A panic inside becomes an
/// internal error; a cancelled call ends with [`ErrorKind::Cancelled`].
pub async fn call(call: &Call, name: &str, input: Value) -> Result<Answer, ToolError> {
    let Some(tool) = find(name) else {
        let shown: String = name.chars().take(80).collect();
        let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name()).collect();
        return Err(ToolError::new(ErrorKind::UnknownTool, format!("there is no tool {shown:?}"))
            .with_hint(format!("the tools are {}", names.join(", "))));
    };
    let schemas = schemas(tool);
    let mut input = if input.is_null() { Value::Object(serde_json::Map::new()) } else { input };
    let (checked, validator) = schemas.checked();
    validate::normalize(&mut input, checked);
    if !call.services.config.security.strict {
        validate::drop_unknown(&mut input, checked);
    }
    validate::check(validator, checked, &input)?;
    let asked = cap::asked(&input);
    let running = async {
        let answer = tool.run_json(call, input).await?;
        if call.capped { cap::hold(call, name, asked, answer).await } else { Ok(answer) }
    };
    let running = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(running));
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => Err(ToolError::new(ErrorKind::Cancelled, format!("{name} was cancelled"))),
        result = running => result.unwrap_or_else(|panic| Err(internal(name, panic.as_ref()))),
    }
}

fn internal(name: &str, panic: &(dyn std::any::Any + Send)) -> ToolError {
    let reason = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let reason = reason.unwrap_or("unknown");
    tracing::error!(tool = name, reason, "a request panicked");
    ToolError::new(ErrorKind::Internal, format!("{name} failed by a mistake in this program: {reason}"))
        .with_hint("the server goes on; please report the input that caused this")
}
