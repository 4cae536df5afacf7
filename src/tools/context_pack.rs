//! `context_pack`: files, memories, a diff and text in one packet of an exact size.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::Reach;
use super::{Call, Command, Effects, ErrorKind, ToolError, TypedTool, context_compress};
use crate::base::{Handle, MemoryId};
use crate::compress::savings::Saving;
use crate::delegate::{Context, MemoryRef, context_items};
use crate::memory;
use crate::pack::{self, Item, PackError, Source};
use crate::tokens::{Budget, Encoding};

/// The tool.
pub struct ContextPack;

/// What is to be packed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(length(min = 1, max = 200))]
    sources: Vec<SourceParams>,
    /// What matters
    query: Option<String>,
    #[schemars(range(min = 1))]
    max_tokens: Option<usize>,
    encoding: Option<Encoding>,
    model: Option<String>,
}

/// One source; exactly one of its fields besides `label` and `priority`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SourceParams {
    /// Path or glob
    files: Option<String>,
    text: Option<String>,
    /// Id or query
    memory: Option<String>,
    /// Uncommitted changes
    diff: Option<bool>,
    label: Option<String>,
    /// 10 vital, 1 spare
    #[schemars(range(min = 1, max = 10))]
    priority: Option<u8>,
}

/// The packet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The packet: a table of contents, then each part under its label.
    text: String,
    /// Its tokens.
    tokens: usize,
    /// What became of each part, in order.
    parts: Vec<PartOutput>,
    /// Sources that could not be read, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

/// What became of a part.
#[derive(Debug, Serialize, JsonSchema)]
struct PartOutput {
    /// Where it comes from.
    label: String,
    /// Its tokens before.
    tokens_before: usize,
    /// Its tokens in the packet; 0 when it was left out.
    tokens: usize,
    /// Where its original is kept, when something of it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<Handle>,
}

impl TypedTool for ContextPack {
    const NAME: &'static str = "context_pack";
    const ABOUT: &'static str =
        "Pack files, globs, memories, diff and text into one packet within max_tokens, by priority and query.";
    const EFFECTS: Effects = Effects { idempotent: true, ..Effects::ADDS };
    const COMMAND: Command = Command { name: "pack", positional: &["sources"], verbatim: true, ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        call.services.stores()?;
        let services = &call.services;
        let measure = services.measure(params.encoding, params.model.as_deref())?;
        let tokens = params.max_tokens.unwrap_or(services.config.context.max_tokens);
        let budget = Budget { tokens, measure };
        let mut items = Vec::new();
        for (index, source) in params.sources.into_iter().enumerate() {
            items.extend(source.items(call, index).await?);
        }
        let reach = Reach::of(call);
        let paths = &services.config.paths;
        let mut roots = vec![paths.workspace.clone()];
        if reach.within().is_none() && paths.working_directory != paths.workspace {
            roots.push(paths.working_directory.clone());
        }
        let loaded = tokio::task::spawn_blocking(move || pack::load_within(&items, &roots, reach.within()))
            .await
            .map_err(|error| ToolError::new(ErrorKind::Internal, format!("reading failed: {error}")))?;
        let problems: Vec<String> =
            loaded.problems.iter().map(|problem| format!("{}: {}", problem.source, problem.reason)).collect();
        let mut parts = loaded.parts;
        if parts.is_empty() {
            let why = if problems.is_empty() { "no memory was found".to_owned() } else { problems.join("; ") };
            return Err(ToolError::new(ErrorKind::NotFound, format!("there is nothing to pack: {why}")));
        }
        pack::keep_originals(
            services.store.as_ref(),
            &mut parts,
            budget,
            services.clock.now(),
            Some(&memory::redacted),
        )
        .await?;
        let levels = context_compress::levels(services);
        let query = params.query;
        let packed = tokio::task::spawn_blocking(move || {
            pack::pack(&pack::Request { parts: &parts, query: query.as_deref(), levels, budget })
        })
        .await
        .map_err(|error| ToolError::new(ErrorKind::Internal, format!("packing failed: {error}")))?
        .map_err(|error @ PackError::CannotFit { needed, .. }| {
            ToolError::new(ErrorKind::BudgetTooSmall, error.to_string())
                .with_hint(format!("allow at least {needed} tokens"))
        })?;
        let before = packed.parts.iter().map(|part| part.tokens_before).sum();
        services.savings.add(&Saving::of_parts(Self::NAME, before, packed.tokens, &packed.text, measure));
        let parts = packed
            .parts
            .into_iter()
            .map(|part| PartOutput {
                label: part.label,
                tokens_before: part.tokens_before,
                tokens: part.tokens,
                handle: part.handle.filter(|_| part.level.is_none() || !part.cuts.is_empty()),
            })
            .collect();
        Ok(Output { text: packed.text, tokens: packed.tokens, parts, problems })
    }

    fn text(&self, output: &Output) -> String {
        output.text.clone()
    }

    fn remark(&self, output: &Output) -> Option<String> {
        (!output.problems.is_empty()).then(|| format!("not packed: {}", output.problems.join("; ")))
    }
}

impl SourceParams {
    async fn items(self, call: &Call, index: usize) -> Result<Vec<Item>, ToolError> {
        let services = &call.services;
        let priority = self.priority.unwrap_or(pack::PRIORITY_DEFAULT);
        let diff = self.diff.unwrap_or(false);
        let given = [self.files.is_some(), self.text.is_some(), self.memory.is_some(), diff];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(ToolError::invalid(format!(
                "/sources/{index} must have exactly one of files, text, memory and diff"
            )));
        }
        if let Some(text) = self.text {
            let label = self.label.unwrap_or_else(|| "text".to_owned());
            return Ok(vec![Item { source: Source::Text { label, text }, priority, mandatory: false }]);
        }
        let memory =
            self.memory.map(|memory| memory.parse::<MemoryId>().map_or(MemoryRef::Query(memory), MemoryRef::Id));
        let context = Context {
            files: self.files.into_iter().collect(),
            text: None,
            memories: memory.into_iter().collect(),
            diff,
        };
        let paths = &services.config.paths;
        let mut items = context_items(&context, &services.memories, &paths.workspace, &paths.programs)
            .await
            .map_err(|error| ToolError::new(ErrorKind::NotFound, format!("/sources/{index}: {error}")))?;
        for item in &mut items {
            item.priority = priority;
        }
        Ok(items)
    }
}
