//! The transport below `rmcp`: reads whatever comes, answers what is no request, and passes on
//! the rest.
//!
//! `receive` is polled inside a `select!` and may be dropped at any await; whatever it holds is
//! therefore kept in the transport.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::requests::{Batch, Load, RUNNING_MAX, Request, Requests};
use super::session::{Era, Session, agreed, is_modern};
use crate::front::frame::{self, Flaw, INVALID_PARAMS, Message};
use crate::front::stdio::{Gone, Held, Stdio, Writer};

/// How long a request waits for room before it is refused; while it waits, nothing else is read.
const ROOM: Duration = Duration::from_secs(2);
/// How long calls may still finish by themselves after the end of input.
const FINISH: Duration = Duration::from_millis(500);

/// The code of a server that has too much to do.
const BUSY: i32 = -32000;

/// Where requests carry their version since 2026-07-28.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The one revision that has batches.
const BATCH_VERSION: &str = "2025-03-26";

/// What the reading thread found in a line, and the room that it takes.
type Found = (Result<Value, Flaw>, Held);

/// What a message came with.
#[derive(Default, Clone)]
struct Origin {
    batch: Option<Arc<Batch>>,
    held: Option<Arc<Held>>,
}

/// Standard input and output as `rmcp` sees them.
pub struct Transport {
    incoming: mpsc::Receiver<Found>,
    writer: Writer,
    session: Arc<Session>,
    requests: Arc<Requests>,
    load: watch::Receiver<Load>,
    /// Read, but not yet passed on.
    ready: VecDeque<Value>,
    /// To be written before anything else is read.
    replies: VecDeque<Value>,
    /// Read, but waiting for room since then.
    waiting: Option<(Found, Instant)>,
    ended: Option<Instant>,
}

impl Transport {
    /// Starts reading and writing.
    pub fn start(stdio: Stdio, session: Arc<Session>) -> io::Result<(Self, Writer)> {
        let (incoming, writer) = stdio.start(frame::parse)?;
        let requests = Arc::new(Requests::new());
        let load = requests.load();
        let transport = Self {
            incoming,
            writer: writer.clone(),
            session,
            requests,
            load,
            ready: VecDeque::new(),
            replies: VecDeque::new(),
            waiting: None,
            ended: None,
        };
        Ok((transport, writer))
    }

    /// Looks at what was read: it becomes messages to pass on, a reply, or nothing.
    fn take(&mut self, (found, held): Found) {
        let origin = Origin { batch: None, held: Some(Arc::new(held)) };
        let taken = found.and_then(|value| match value {
            Value::Array(items) => self.batch(items, origin),
            value => self.message(value, &origin),
        });
        if let Err(flaw) = taken {
            self.replies.push_back(reply(&flaw));
        }
    }

    fn message(&mut self, value: Value, origin: &Origin) -> Result<(), Flaw> {
        match frame::classify(value)? {
            Message::Request { id, method, params } => self.request(id, &method, params, origin),
            Message::Notification { method, params } => {
                self.notification(&method, params);
                Ok(())
            }
            // We ask nothing of clients, so it answers nothing.
            Message::Response => Ok(()),
        }
    }

    fn batch(&mut self, items: Vec<Value>, origin: Origin) -> Result<(), Flaw> {
        if !matches!(self.session.era(), Era::Legacy { version, .. } if version == BATCH_VERSION) {
            return Err(Flaw::invalid("batches are not accepted: send one message a line", Value::Null));
        }
        if items.is_empty() || items.len() > RUNNING_MAX {
            let detail = format!("the batch has {} messages: expected 1 to {RUNNING_MAX}", items.len());
            return Err(Flaw::invalid(detail, Value::Null));
        }
        let batch = Arc::new(Batch::default());
        let origin = Origin { batch: Some(batch.clone()), ..origin };
        for item in items {
            if let Err(flaw) = self.message(item, &origin) {
                batch.add(reply(&flaw));
            }
        }
        self.replies.extend(batch.complete());
        Ok(())
    }

    fn request(&mut self, id: Value, method: &str, params: Option<Value>, origin: &Origin) -> Result<(), Flaw> {
        if id.is_null() {
            return Err(Flaw::invalid("/id is null: expected a string or a number", Value::Null));
        }
        if let Some(detail) = params.as_ref().and_then(misshapen) {
            return Err(Flaw { code: INVALID_PARAMS, detail, id });
        }
        self.learn(&id, method, params.as_ref())?;
        if self.load.borrow().running >= RUNNING_MAX {
            let detail = format!("{RUNNING_MAX} requests are already running: wait for one to end, or cancel it");
            return Err(Flaw { code: BUSY, detail, id });
        }
        let Origin { batch, held } = origin.clone();
        if let Some(batch) = &batch {
            batch.expect();
        }
        let number = self.requests.begin(Request { id, batch, held }, method == "initialize");
        let mut message = json!({ "jsonrpc": "2.0", "id": number, "method": method });
        if let Some(params) = params {
            message["params"] = params;
        }
        self.ready.push_back(message);
        Ok(())
    }

    /// Learns from a request which lifecycle the client follows, before the next message is read:
    /// a script sends all of its requests at once.
    fn learn(&self, id: &Value, method: &str, params: Option<&Value>) -> Result<(), Flaw> {
        let version = params.and_then(|params| params.get("_meta")?.get(VERSION_KEY)?.as_str());
        if method == "initialize" {
            let requested = params.and_then(|params| params.get("protocolVersion")?.as_str());
            let client = params.and_then(|params| params.get("clientInfo")?.get("name")?.as_str());
            if let Some(requested) = requested {
                self.session.choose(Era::Legacy {
                    version: agreed(requested).as_str().to_owned(),
                    client: client.unwrap_or_default().to_owned(),
                });
            }
            return Ok(());
        }
        match (self.session.era(), version) {
            // A probe, after which the client may still fall back to `initialize`.
            (Era::Open, _) if method == "server/discover" => {}
            (Era::Open, Some(version)) if is_modern(version) => self.session.choose(Era::Modern),
            (Era::Modern, None) => {
                let detail = format!("/params/_meta/{} is missing", VERSION_KEY.replace('/', "~1"));
                return Err(Flaw { code: INVALID_PARAMS, detail, id: id.clone() });
            }
            _ => {}
        }
        Ok(())
    }

    fn notification(&mut self, method: &str, params: Option<Value>) {
        if method != "notifications/cancelled" {
            let mut message = json!({ "jsonrpc": "2.0", "method": method });
            if let Some(params) = params {
                message["params"] = params;
            }
            self.ready.push_back(message);
            return;
        }
        // An id that is unknown, or answered already, is no reason to do anything.
        let Some(id) = params.as_ref().and_then(|params| params.get("requestId")) else { return };
        for (number, request) in self.requests.cancel(id) {
            let params = json!({ "requestId": number });
            self.ready.push_back(json!({ "jsonrpc": "2.0", "method": method, "params": params }));
            self.replies.extend(request.batch.and_then(|batch| batch.settle(None)));
        }
    }

    /// Returns the line of a message, or nothing for the answer to a cancelled request and for one
    /// that waits for the rest of its batch.
    fn line(&self, message: &ServerJsonRpcMessage) -> Option<Vec<u8>> {
        let line = match message {
            JsonRpcMessage::Response(response) => {
                let Request { id, batch, held: _held } = self.end(&response.id)?;
                encode(&Reply { jsonrpc: "2.0", id, result: Some(&response.result), error: None }, batch)?
            }
            JsonRpcMessage::Error(failure) => {
                let Request { id, batch, held: _held } = self.end(failure.id.as_ref()?)?;
                encode(&Reply { jsonrpc: "2.0", id, result: None::<&()>, error: Some(&failure.error) }, batch)?
            }
            other => serde_json::to_vec(other),
        };
        line.inspect_err(|error| tracing::error!(%error, "an answer is not JSON")).ok()
    }

    fn end(&self, id: &RequestId) -> Option<Request> {
        match id {
            RequestId::Number(number) => self.requests.end(*number),
            RequestId::String(_) => None,
        }
    }
}

impl rmcp::transport::Transport<RoleServer> for Transport {
    type Error = Gone;

    fn send(&mut self, message: ServerJsonRpcMessage) -> impl Future<Output = Result<(), Gone>> + Send + 'static {
        let line = self.line(&message);
        let writer = self.writer.clone();
        async move {
            match line {
                Some(line) => writer.send(line).await,
                None => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            while let Some(reply) = self.replies.front() {
                let line = reply.to_string().into_bytes();
                self.writer.send(line).await.ok()?;
                self.replies.pop_front();
            }
            if let Some(mut message) = self.ready.pop_front() {
                let arguments = take_arguments(&mut message);
                match serde_json::from_value(message.clone()) {
                    Ok(message) => return Some(with_arguments(message, arguments)),
                    Err(error) => self.refuse(&message, &error),
                }
                continue;
            }
            // What follows `initialize` waits for its answer, as a client should have.
            self.load.wait_for(|load| !load.initializing).await.ok()?;
            if let Some((_, since)) = &self.waiting {
                let room = self.load.wait_for(|load| load.running < RUNNING_MAX);
                let _ = tokio::time::timeout_at(*since + ROOM, room).await;
                if let Some((found, _)) = self.waiting.take() {
                    self.take(found);
                }
                continue;
            }
            match self.incoming.recv().await {
                Some(found) if self.load.borrow().running >= RUNNING_MAX && !is_notification(&found) => {
                    self.waiting = Some((found, Instant::now()));
                }
                Some(found) => self.take(found),
                None => {
                    let since = *self.ended.get_or_insert_with(Instant::now);
                    let finished = self.load.wait_for(|load| load.running == 0);
                    let _ = tokio::time::timeout_at(since + FINISH, finished).await;
                    self.session.calls.cancel();
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Gone> {
        self.writer.flush().await;
        Ok(())
    }
}

impl Transport {
    /// Answers a message that `rmcp` cannot hold after all.
    fn refuse(&mut self, message: &Value, error: &serde_json::Error) {
        tracing::debug!(%error, "a message has no shape that is known");
        if let Some(request) = message["id"].as_i64().and_then(|number| self.requests.end(number)) {
            let detail = "the parameters of the method have the wrong shape".to_owned();
            let refusal = reply(&Flaw { code: INVALID_PARAMS, detail, id: request.id });
            self.replies.extend(match request.batch {
                Some(batch) => batch.settle(Some(refusal)),
                None => Some(refusal),
            });
        }
    }
}

/// Takes the arguments of a call out of its message: they may be large, and `rmcp` makes several copies of
/// what it reads.
fn take_arguments(message: &mut Value) -> Option<Map<String, Value>> {
    if message["method"] != "tools/call" {
        return None;
    }
    match message.pointer_mut("/params/arguments") {
        Some(Value::Object(arguments)) => Some(std::mem::take(arguments)),
        _ => None,
    }
}

/// Gives a call its arguments back.
fn with_arguments(mut message: ClientJsonRpcMessage, arguments: Option<Map<String, Value>>) -> ClientJsonRpcMessage {
    if let JsonRpcMessage::Request(request) = &mut message
        && let ClientRequest::CallToolRequest(call) = &mut request.request
        && arguments.is_some()
    {
        call.params.arguments = arguments;
    }
    message
}

/// Returns what is wrong with parameters that every method shares; `rmcp` takes such for absent.
fn misshapen(params: &Value) -> Option<String> {
    let Value::Object(params) = params else {
        return Some(format!("/params is {}: expected an object", frame::kind(params)));
    };
    if let Some(meta) = params.get("_meta").filter(|meta| !meta.is_object()) {
        return Some(format!("/params/_meta is {}: expected an object", frame::kind(meta)));
    }
    let cursor = params.get("cursor").filter(|cursor| !cursor.is_string())?;
    Some(format!("/params/cursor is {}: expected a string", frame::kind(cursor)))
}

/// An answer under the client's id.
#[derive(Serialize)]
struct Reply<'a, T: Serialize> {
    jsonrpc: &'static str,
    id: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorData>,
}

fn reply(flaw: &Flaw) -> Value {
    json!({ "jsonrpc": "2.0", "id": flaw.id, "error": { "code": flaw.code, "message": flaw.detail } })
}

/// Returns the line of a reply, or of the batch that it completes.
fn encode<T: Serialize>(reply: &Reply<'_, T>, batch: Option<Arc<Batch>>) -> Option<serde_json::Result<Vec<u8>>> {
    match batch {
        None => Some(serde_json::to_vec(reply)),
        Some(batch) => match serde_json::to_value(reply) {
            Ok(reply) => batch.settle(Some(reply)).map(|answers| serde_json::to_vec(&answers)),
            Err(error) => Some(Err(error)),
        },
    }
}

/// Notifications need no room, and one of them may be what makes some.
fn is_notification((found, _): &Found) -> bool {
    found.as_ref().is_ok_and(|value| value.get("id").is_none())
}
