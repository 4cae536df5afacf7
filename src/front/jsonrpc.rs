//! Plain JSON-RPC 2.0, a message a line: the tools as methods.
//!
//! `jsonrpc-core` dispatches calls and assembles batches. It never sees the text: it would read
//! any depth, refuse ids below zero and members that it does not know, so lines go through
//! `frame.rs` first, and ids are replaced by numbers of our own until the answer.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonrpc_core::types::{Error, ErrorCode, Id, Version};
use jsonrpc_core::{Call as RpcCall, MetaIoHandler, Metadata, MethodCall, Notification, Params, Request};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{self, Flaw, Message};
use super::limit::Bucket;
use super::render;
use super::stdio::{Stdio, Writer};
use crate::base::RunId;
use crate::tools::{self, Call, ErrorKind, Progress, Services, TOOLS, Tool, ToolError};

/// The most lines that are worked on at once; further ones wait to be read.
const LINES_MAX: usize = 64;
/// The most calls of a batch.
const BATCH_CALLS_MAX: usize = 1000;
/// How long cancelled requests may take to clean up.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the protocol over `stdio`. At the end of input everything that was asked is still
/// answered, because scripts write their requests and close; when `leave` is done it is cancelled.
pub async fn serve(services: Arc<Services>, stdio: Stdio, leave: impl Future<Output = ()>) -> io::Result<()> {
    let (mut lines, writer) = stdio.start(frame::parse)?;
    let connection = Arc::new(Connection::new(services));
    let room = Arc::new(Semaphore::new(LINES_MAX));
    let tasks = TaskTracker::new();
    let asked = async {
        while let Some((found, held)) = lines.recv().await {
            let Ok(place) = room.clone().acquire_owned().await else { break };
            let connection = connection.clone();
            let writer = writer.clone();
            tasks.spawn(async move {
                connection.answer_line(found, &writer).await;
                drop((place, held));
            });
        }
        tasks.close();
        tasks.wait().await;
        connection.notified.close();
        connection.notified.wait().await;
    };
    let stopped = tokio::select! {
        () = asked => false,
        () = leave => true,
        () = writer.gone() => true,
    };
    if stopped {
        connection.cancel.cancel();
        tasks.close();
        connection.notified.close();
        let ended = async {
            tasks.wait().await;
            connection.notified.wait().await;
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
    writer.flush().await;
    Ok(())
}

/// The other side, and what is needed to answer it.
struct Connection {
    handler: MetaIoHandler<Context>,
    context: Context,
    cancel: CancellationToken,
    notified: TaskTracker,
}

/// What every method gets.
#[derive(Clone)]
struct Context {
    call: Call,
    bucket: Arc<Mutex<Bucket>>,
    since: Instant,
}

impl Metadata for Context {}

impl Connection {
    fn new(services: Arc<Services>) -> Self {
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        let bucket = Arc::new(Mutex::new(Bucket::new(services.config.security.requests_per_minute)));
        let session_id = RunId::generate(services.clock.now()).as_str().replacen("run_", "ses_", 1);
        let call = Call { services, cancel: cancel.clone(), progress: Progress::default(), session_id, capped: false };
        let context = Context { call, bucket, since: Instant::now() };
        Self { handler: methods(&tasks), context, cancel, notified: tasks }
    }

    async fn answer_line(&self, found: Result<Value, Flaw>, writer: &Writer) {
        let answer = match found {
            Ok(value) => self.answer(value).await,
            Err(flaw) => Some(refusal(&flaw)),
        };
        if let Some(answer) = answer {
            let line = serde_json::to_vec(&answer).unwrap_or_default();
            // Whether anybody reads is seen where the lines are read.
            let _ = writer.send(line).await;
        }
    }

    /// Returns the answer to a message or a batch, if it wants one.
    async fn answer(&self, value: Value) -> Option<Value> {
        let mut refused = Vec::new();
        let mut ids = Vec::new();
        let request = match value {
            Value::Array(items) if items.is_empty() => {
                return Some(refusal(&Flaw::invalid("the batch is empty", Value::Null)));
            }
            Value::Array(items) if items.len() > BATCH_CALLS_MAX => {
                let detail = format!("the batch has {} calls: expected at most {BATCH_CALLS_MAX}", items.len());
                return Some(refusal(&Flaw::invalid(detail, Value::Null)));
            }
            Value::Array(items) => {
                let calls = items.into_iter().filter_map(|item| match to_call(item, &mut ids) {
                    Ok(call) => call,
                    Err(flaw) => {
                        refused.push(refusal(&flaw));
                        None
                    }
                });
                Request::Batch(calls.collect())
            }
            single => match to_call(single, &mut ids) {
                Ok(call) => Request::Single(call?),
                Err(flaw) => return Some(refusal(&flaw)),
            },
        };
        let response = self.handler.handle_rpc_request(request, self.context.clone()).await;
        let mut response = serde_json::to_value(response).unwrap_or_default();
        match &mut response {
            Value::Array(answers) => {
                answers.iter_mut().for_each(|answer| restore(answer, &ids));
                answers.append(&mut refused);
                Some(response)
            }
            Value::Object(_) => {
                restore(&mut response, &ids);
                Some(response)
            }
            _ => (!refused.is_empty()).then_some(Value::Array(refused)),
        }
    }
}

/// Returns the call that a message is, under the number of its place in `ids`; `None` for one that
/// needs nothing.
fn to_call(value: Value, ids: &mut Vec<Value>) -> Result<Option<RpcCall>, Flaw> {
    let jsonrpc = Some(Version::V2);
    Ok(match frame::classify(value)? {
        Message::Request { id, method, params } => {
            ids.push(id);
            let id = Id::Num(ids.len() as u64 - 1);
            Some(RpcCall::MethodCall(MethodCall { jsonrpc, method, params: to_params(params), id }))
        }
        Message::Notification { method, params } => {
            let method = notified(&method);
            Some(RpcCall::Notification(Notification { jsonrpc, method, params: to_params(params) }))
        }
        Message::Response => None,
    })
}

/// Returns the name under which the handler knows a notification: `jsonrpc-core` keeps one list of
/// names for both, so that a method could not be notified as well. No method has a blank.
fn notified(method: &str) -> String {
    format!("notify {method}")
}

fn to_params(params: Option<Value>) -> Params {
    match params {
        Some(Value::Object(map)) => Params::Map(map),
        Some(Value::Array(items)) => Params::Array(items),
        _ => Params::None,
    }
}

/// Puts the caller's id back, and the message that the specification gives to an unknown method.
fn restore(answer: &mut Value, ids: &[Value]) {
    let number = answer["id"].as_u64().and_then(|number| usize::try_from(number).ok());
    answer["id"] = number.and_then(|number| ids.get(number)).cloned().unwrap_or(Value::Null);
    if answer["error"]["code"] == -32601 && answer["error"].get("data").is_none() {
        let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name()).collect();
        let hint = format!("the methods are {}", names.join(", "));
        answer["error"]["data"] = json!({ "kind": "unknown_tool", "hint": hint });
    }
}

/// Returns the answer to what is no request, in the words of the specification.
fn refusal(flaw: &Flaw) -> Value {
    let (message, kind) = match flaw.code {
        frame::PARSE_ERROR => ("Parse error", "parse_error"),
        _ => ("Invalid Request", "invalid_request"),
    };
    json!({
        "jsonrpc": "2.0",
        "error": { "code": flaw.code, "message": message, "data": { "kind": kind, "hint": flaw.detail } },
        "id": flaw.id,
    })
}

fn methods(tasks: &TaskTracker) -> MetaIoHandler<Context> {
    let mut handler = MetaIoHandler::default();
    for tool in TOOLS.iter().copied() {
        handler.add_method_with_meta(tool.name(), move |params, context: Context| run(tool, params, context));
        let tasks = tasks.clone();
        handler.add_notification_with_meta(&notified(tool.name()), move |params, context: Context| {
            tasks.spawn(async move {
                if let Err(error) = run(tool, params, context).await {
                    tracing::warn!(tool = tool.name(), error = error.message, "a notification failed");
                }
            });
        });
    }
    handler
}

async fn run(tool: &'static dyn Tool, params: Params, mut context: Context) -> Result<Value, Error> {
    context.call.cancel = context.call.cancel.child_token();
    let admitted = context.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(context.since.elapsed());
    let result = match admitted.and_then(|()| input(tool, params)) {
        Ok(input) => tools::call(&context.call, tool.name(), input).await,
        Err(error) => Err(error),
    };
    result.map(|answer| answer.structured).map_err(|error| Error {
        code: ErrorCode::from(i64::from(render::codes(error.kind).json_rpc)),
        message: error.message.clone(),
        data: Some(render::error_data(&error)),
    })
}

/// Returns the input of a tool: by name, or by position in the order of its command's arguments.
fn input(tool: &dyn Tool, params: Params) -> Result<Value, ToolError> {
    match params {
        Params::None => Ok(Value::Object(Map::new())),
        Params::Map(map) => Ok(Value::Object(map)),
        Params::Array(items) => {
            let names = tool.command().positional;
            if items.len() > names.len() {
                let message = format!("{} parameters were given by position: expected {}", items.len(), names.len());
                let hint = if names.is_empty() { "send an object".to_owned() } else { names.join(", ") };
                return Err(ToolError::new(ErrorKind::InvalidInput, message).with_hint(hint));
            }
            Ok(Value::Object(names.iter().map(|name| (*name).to_owned()).zip(items).collect()))
        }
    }
}
