//! What `rmcp` asks of a server.

use std::borrow::Cow;
use std::sync::Arc;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest,
    CustomResult, DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse, Implementation,
    InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value};

use super::calls;
use super::prompts;
use super::session::{Session, agreed, is_modern};
use crate::front::render::Shown;
use crate::tools::{self, Effects, Services, TOOLS};

/// The name of the server.
const NAME: &str = "context-engine";

/// What the assistant is told about all of it. Many clients show only this and the tools' names
/// until one is needed, so it says when to think of which.
const INSTRUCTIONS: &str = "\
Use these tools to keep your own context small and to lose nothing.
- memory_recall before you start a task or ask the user again; memory_store for decisions, facts and preferences worth \
keeping.
- context_compress for any long log, file or output before you read it; context_retrieve gives back what was cut, by \
the handle in the result.
- context_pack to collect files, memories and diffs within a token budget.
- delegate_task (run_workflow for several steps) for work whose details you need not see: an agent does it in a \
sandbox, and you get the result within a budget. list_agents says who is there; get_run waits for a run.
- count_tokens before you put something large into your context.";

/// How long a client may keep the lists, in milliseconds: they change only with the program.
const TTL_MS: u64 = 3_600_000;

/// Where the server names itself in results since 2026-07-28.
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

/// The longest part of an unknown name that is repeated.
const SHOWN_CHARS_MAX: usize = 80;

/// Answers requests.
pub struct Handler {
    services: Arc<Services>,
    session: Arc<Session>,
}

impl Handler {
    /// Returns a handler of one connection.
    pub fn new(services: Arc<Services>, session: Arc<Session>) -> Self {
        Self { services, session }
    }
}

/// Returns the tools as they are listed, with the schemas of their output where a client has use
/// for them.
pub fn listing(shown: Shown) -> Vec<Tool> {
    TOOLS
        .iter()
        .map(|tool| {
            let schemas = tools::schemas(*tool);
            let mut listed = Tool::new(tool.name(), tool.about(), object(&schemas.listed_input))
                .with_annotations(annotations(tool.effects()));
            if shown == Shown::Structured {
                listed = listed.with_raw_output_schema(object(&schemas.listed_output));
            }
            listed
        })
        .collect()
}

/// Returns only what differs from the defaults of the protocol: not read-only, destructive, not
/// idempotent, open world. The last three mean nothing for tools that only read.
fn annotations(effects: Effects) -> ToolAnnotations {
    let mut annotations = ToolAnnotations::new();
    if effects.read_only {
        annotations = annotations.read_only(true);
    } else {
        if !effects.destructive {
            annotations = annotations.destructive(false);
        }
        if effects.idempotent {
            annotations = annotations.idempotent(true);
        }
    }
    if !effects.open_world {
        annotations = annotations.open_world(false);
    }
    annotations
}

fn object(schema: &Value) -> Arc<Map<String, Value>> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

fn server_info() -> Implementation {
    Implementation::new(NAME, env!("CARGO_PKG_VERSION"))
}

/// Returns the metadata of a result, which only the newer lifecycle has.
fn meta(context: &RequestContext<RoleServer>) -> Option<MetaObject> {
    let modern = context.meta.protocol_version().is_some_and(|version| is_modern(version.as_str()));
    let info = modern.then(|| serde_json::to_value(server_info()).ok()).flatten()?;
    Some(MetaObject(Map::from_iter([(SERVER_INFO_KEY.to_owned(), info)])))
}

fn method_not_found(method: &str) -> ErrorData {
    let shown: String = method.chars().take(SHOWN_CHARS_MAX).collect();
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("there is no method {shown:?}"), None)
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(server_info())
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        mut request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let version: ProtocolVersion = agreed(request.protocol_version.as_str());
        request.protocol_version = version.clone();
        context.peer.set_peer_info(request);
        Ok(self.get_info().with_protocol_version(version))
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = ServerHandler::supported_protocol_versions(self).into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        result.ttl_ms = TTL_MS;
        result.cache_scope = CacheScope::Public;
        Ok(result)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("/cursor is unknown: the list has one page", None));
        }
        let mut result = ListToolsResult::with_all_items(listing(self.session.shown(&context)));
        result.meta = meta(&context);
        if result.meta.is_some() {
            result.ttl_ms = Some(TTL_MS);
            // Which half of a tool is listed depends on the client.
            result.cache_scope = Some(CacheScope::Private);
        }
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut result = calls::run(&self.services, &self.session, request, &context).await?;
        result.meta = meta(&context);
        Ok(result.into())
    }

    /// `rmcp` takes a request whose parameters it cannot read for one that it does not know.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let detail = match request.method.as_str() {
            "tools/call" => "expected /name, a string, and /arguments, an object",
            "prompts/get" => "expected /name, a string, and /arguments, an object",
            "tools/list" | "prompts/list" => "expected /cursor, a string, or nothing",
            "initialize" => "expected /protocolVersion, a string, /capabilities and /clientInfo, objects",
            "server/discover" | "ping" => "expected an object or nothing",
            method => return Err(method_not_found(method)),
        };
        Err(ErrorData::invalid_params(format!("the parameters have the wrong shape: {detail}"), None))
    }

    // `rmcp` answers what was never advertised with empty lists; it is not there.

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(method_not_found("completion/complete"))
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params("/cursor is unknown: the list has one page", None));
        }
        let mut result = ListPromptsResult::with_all_items(prompts::listing());
        result.meta = meta(&context);
        if result.meta.is_some() {
            result.ttl_ms = Some(TTL_MS);
            result.cache_scope = Some(CacheScope::Public);
        }
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let mut result = prompts::get(&self.services, request).await?;
        result.meta = meta(&context);
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(method_not_found("resources/list"))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(method_not_found("resources/templates/list"))
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }
}
