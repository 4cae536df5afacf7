//! One `tools/call`: from its parameters to its result, with progress and a heartbeat between.

use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ContentBlock, ErrorData, ProgressNotificationParam, ProgressToken,
};
use rmcp::service::RequestContext;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::session::Session;
use crate::front::render::{self, Shown};
use crate::tools::{self, Answer, Call, ErrorKind, Progress, Services, ToolError, Update};

/// The longest silence while a call runs. Clients count from the last progress; the strictest
/// give up after 60 seconds.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// How many updates wait to be sent; further ones are dropped, because newer ones follow.
const UPDATES_MAX: usize = 32;
/// What a notification adds to the last one when nothing countable has happened: the protocol
/// wants every number to be greater than the one before.
const STEP: f64 = 0.001;

/// Runs a call and returns its result.
pub async fn run(
    services: &Arc<Services>,
    session: &Session,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResult, ErrorData> {
    let shown = session.shown(context);
    let result = match session.admit() {
        Ok(()) => answer(services, session, request, context).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(answer) => Ok(success(answer, shown)),
        // The model cannot mend a name that its client did not list: an error of the protocol.
        Err(error) if error.kind == ErrorKind::UnknownTool => {
            Err(ErrorData::invalid_params(render::error_text(&error), Some(render::error_data(&error))))
        }
        // Everything else it can read, and try again: so it is a result, and says what to try.
        // It has no structured half, which would have to satisfy the tool's output schema.
        Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(render::error_text(&error))])),
    }
}

fn success(answer: Answer, shown: Shown) -> CallToolResult {
    let (texts, structured) = render::answer(answer, shown);
    let mut result = CallToolResult::success(texts.into_iter().map(ContentBlock::text).collect());
    result.structured_content = structured;
    result
}

async fn answer(
    services: &Arc<Services>,
    session: &Session,
    request: CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Answer, ToolError> {
    let (updates, mut reported) = mpsc::channel(UPDATES_MAX);
    let cancel = session.calls.child_token();
    let token = context.meta.get_progress_token();
    let call = Call {
        services: services.clone(),
        cancel: cancel.clone(),
        progress: match &token {
            Some(_) => Progress::to(move |update| drop(updates.try_send(update))),
            None => Progress::default(),
        },
        session_id: session.id.clone(),
        capped: true,
    };
    let input = request.arguments.map_or(Value::Null, Value::Object);
    let running = tools::call(&call, &request.name, input);
    tokio::pin!(running);
    let mut report = token.map(|token| Report::new(token, context));
    let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            biased;
            () = context.ct.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
            result = &mut running => return result,
            Some(update) = reported.recv() => {
                if let Some(report) = &mut report {
                    report.send(update).await;
                    heartbeat.reset();
                }
            }
            _ = heartbeat.tick() => {
                if let Some(report) = &mut report {
                    report.beat(&request.name).await;
                }
            }
        }
    }
}

/// Sends the progress of one call.
struct Report<'a> {
    token: ProgressToken,
    context: &'a RequestContext<RoleServer>,
    since: Instant,
    last: f64,
    message: Option<String>,
}

impl<'a> Report<'a> {
    fn new(token: ProgressToken, context: &'a RequestContext<RoleServer>) -> Self {
        Self { token, context, since: Instant::now(), last: 0.0, message: None }
    }

    async fn send(&mut self, update: Update) {
        self.message = Some(update.message.clone());
        self.notify(update.done, update.total, update.message).await;
    }

    async fn beat(&mut self, name: &str) {
        let seconds = self.since.elapsed().as_secs();
        let doing = self.message.as_deref().unwrap_or(name);
        let message = format!("{doing} ({seconds} s)");
        self.notify(self.last, None, message).await;
    }

    async fn notify(&mut self, done: f64, total: Option<f64>, message: String) {
        let done = if done > self.last { done } else { self.last + STEP };
        self.last = done;
        if self.context.ct.is_cancelled() {
            return;
        }
        let mut progress = ProgressNotificationParam::new(self.token.clone(), done).with_message(message);
        if let Some(total) = total {
            progress = progress.with_total(total.max(done));
        }
        if let Err(error) = self.context.peer.notify_progress(progress).await {
            tracing::debug!(%error, "progress was not sent");
        }
    }
}
