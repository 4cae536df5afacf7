//! `memory_forget`: forgets memories, by id or by filter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::memory_filter::Filter;
use super::{Call, Command, Effects, ToolError, TypedTool, schema};
use crate::base::MemoryId;
use crate::memory::{ForgetRequest, Forgetting};

/// How many forgotten memories are named.
const NAMED_MAX: usize = 1000;

/// The tool.
pub struct MemoryForget;

/// What is to be forgotten.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(length(min = 1, max = 1000))]
    ids: Option<Vec<MemoryId>>,
    /// As in memory_recall
    filter: Option<LooseFilter>,
    dry_run: Option<bool>,
    /// Leave no trace; cannot be undone
    purge: Option<bool>,
}

/// A filter whose fields are those of `memory_recall` and are not listed again.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct LooseFilter(Filter);

impl JsonSchema for LooseFilter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Filter".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schema::listed_loosely(generator.subschema_for::<Filter>())
    }
}

/// What was forgotten.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// These, earlier versions included.
    forgotten: Vec<Gone>,
    /// How many there are in all.
    count: usize,
    /// Ids that had been forgotten before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    already: Vec<MemoryId>,
    /// Ids that are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<MemoryId>,
    /// Whether nothing was changed.
    dry_run: bool,
    /// What the caller should know: what can still be recalled, or where a trace may be left.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// One that was forgotten.
#[derive(Debug, Serialize, JsonSchema)]
struct Gone {
    /// Its id.
    id: MemoryId,
    /// The beginning of its text; empty when purged.
    #[serde(skip_serializing_if = "String::is_empty")]
    preview: String,
    /// Whether no trace of its text is left in the database.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    purged: bool,
    /// The current version, which was not forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded_by: Option<MemoryId>,
}

impl TypedTool for MemoryForget {
    const NAME: &'static str = "memory_forget";
    const ABOUT: &'static str = "Forget memories by ids or filter. Undo with memory_update restore, unless purged.";
    const EFFECTS: Effects = Effects::CHANGES;
    const COMMAND: Command = Command { name: "memory forget", positional: &["ids"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        call.services.stores()?;
        let request = ForgetRequest {
            ids: params.ids.unwrap_or_default(),
            filter: params.filter.map(|filter| filter.0.into_filter("/filter", call)).transpose()?,
            dry_run: params.dry_run.unwrap_or(false),
            purge: params.purge.unwrap_or(false),
        };
        let done = call.services.memories.forget(&request).await?;
        let notes = notes(&done, request.purge);
        let count = done.forgotten.len();
        let named = done.forgotten.into_iter().take(NAMED_MAX);
        let forgotten = named
            .map(|gone| Gone {
                id: gone.id,
                preview: gone.preview,
                purged: gone.purged,
                superseded_by: gone.superseded_by,
            })
            .collect();
        Ok(Output { forgotten, count, already: done.already, unknown: done.unknown, dry_run: done.dry_run, notes })
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        (output.forgotten.is_empty() && !output.unknown.is_empty()).then_some(1)
    }

    fn text(&self, output: &Output) -> String {
        let verb = if output.dry_run { "would forget" } else { "forgot" };
        let mut lines: Vec<String> =
            output.forgotten.iter().map(|gone| format!("{verb} {} {}", gone.id, gone.preview)).collect();
        lines.extend(output.already.iter().map(|id| format!("{id} was forgotten before")));
        lines.extend(output.unknown.iter().map(|id| format!("unknown {id}")));
        if lines.is_empty() {
            lines.push(format!("{verb} nothing"));
        }
        lines.extend(output.notes.iter().cloned());
        lines.join("\n")
    }
}

/// What the answer does not claim.
fn notes(done: &Forgetting, purge: bool) -> Vec<String> {
    let current = done.forgotten.iter().filter_map(|gone| gone.superseded_by.as_ref());
    let mut notes: Vec<String> =
        current.map(|id| format!("the current version {id} can still be recalled; forget that id as well")).collect();
    if purge && !done.dry_run && done.forgotten.iter().any(|gone| !gone.purged) {
        notes.push(
            "another process is reading, so the write-ahead log beside the database may still hold the text; \
             purge again when it has ended"
                .to_owned(),
        );
    }
    notes.extend(done.copies.iter().map(|file| format!("{} may still hold the text; delete it", file.display())));
    notes
}
