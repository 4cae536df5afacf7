//! `memory_store`: remembers one thing or many.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, Command, Effects, ToolError, TypedTool, memory_filter, time};
use crate::base::MemoryId;
use crate::memory::{Draft, Outcome, suspicions};
use crate::store::{MemoryKind, Scope};

/// The tool.
pub struct MemoryStore;

/// What is to be remembered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[schemars(length(min = 1, max = 1000))]
    memories: Vec<Item>,
}

/// One thing to be remembered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// One self-contained statement
    text: String,
    kind: Option<MemoryKind>,
    scope: Option<Scope>,
    agent: Option<String>,
    tags: Option<Vec<String>>,
    session_id: Option<String>,
    /// Who said it
    actor: Option<String>,
    /// Time; default now
    occurred_at: Option<String>,
    #[schemars(range(min = 0.0, max = 1.0))]
    importance: Option<f64>,
    expires_at: Option<String>,
    source: Option<String>,
    metadata: Option<Map<String, Value>>,
    /// Newest of a topic replaces the older
    topic_key: Option<String>,
    supersedes: Option<MemoryId>,
    pinned: Option<bool>,
}

/// What became of each.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// In the order given.
    stored: Vec<Stored>,
    /// What the caller should know: why words alone find memories at present.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// What became of one.
#[derive(Debug, Serialize, JsonSchema)]
struct Stored {
    /// Its id; of the older one for a duplicate; null when it was rejected.
    id: Option<MemoryId>,
    /// `stored`, `duplicate`, `superseded_other` or `rejected`.
    status: &'static str,
    /// The memory it replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    superseded: Option<MemoryId>,
    /// The beginning of what it replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// Other memories that say nearly the same, or something else of the same: supersede what is not
    /// so any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    similar: Vec<MemoryId>,
    /// In what ways it reads like an order to a model; recall says so as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suspicious: Vec<&'static str>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The kinds of secrets that were replaced in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redacted: Vec<String>,
}

impl TypedTool for MemoryStore {
    const NAME: &'static str = "memory_store";
    const ABOUT: &'static str =
        "Remember facts, decisions, preferences across sessions. Secrets are redacted, duplicates skipped.";
    const EFFECTS: Effects = Effects::ADDS;
    const COMMAND: Command = Command {
        name: "remember",
        positional: &["text"],
        stdin: Some("text"),
        wrap: Some("memories"),
        ..Command::DEFAULT
    };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        call.services.stores()?;
        let suspicious: Vec<Vec<&'static str>> = params.memories.iter().map(|item| suspicions(&item.text)).collect();
        let drafts = params.memories.into_iter().enumerate();
        let drafts: Vec<Draft> =
            drafts.map(|(index, item)| draft(item, index, &call.session_id)).collect::<Result<_, _>>()?;
        let remembered = call.services.memories.remember(drafts).await?;
        let stored = remembered
            .into_iter()
            .zip(suspicious)
            .map(|(one, suspicious)| {
                let (superseded, reason) = match &one.outcome {
                    Outcome::SupersededOther(id) => (Some(id.clone()), None),
                    Outcome::Rejected(reason) => (None, Some(reason.clone())),
                    Outcome::Stored | Outcome::Duplicate => (None, None),
                };
                let redacted = memory_filter::redacted(&one.redacted);
                Stored {
                    id: one.id,
                    status: one.outcome.as_str(),
                    superseded,
                    before: one.before,
                    similar: one.similar,
                    suspicious,
                    reason,
                    redacted,
                }
            })
            .collect();
        let notes = call.services.memories.embedding_problem().into_iter().collect();
        Ok(Output { stored, notes })
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        output.stored.iter().all(|one| one.id.is_none()).then_some(1)
    }

    fn text(&self, output: &Output) -> String {
        let line = |one: &Stored| {
            let mut words = vec![one.status.to_owned()];
            words.extend(one.id.as_ref().map(ToString::to_string));
            words.extend(one.superseded.as_ref().map(|id| match &one.before {
                Some(before) => format!("(replaced {id}: {before})"),
                None => format!("(replaced {id})"),
            }));
            if !one.similar.is_empty() {
                let ids = one.similar.iter().map(ToString::to_string).collect::<Vec<_>>();
                words.push(format!("(similar: {})", ids.join(", ")));
            }
            if !one.suspicious.is_empty() {
                words.push(format!("(suspicious: {})", one.suspicious.join(", ")));
            }
            words.extend(one.reason.as_ref().map(|reason| format!("({reason})")));
            if !one.redacted.is_empty() {
                words.push(format!("(redacted: {})", one.redacted.join(", ")));
            }
            words.join(" ")
        };
        let mut lines: Vec<String> = output.stored.iter().map(line).collect();
        lines.extend(output.notes.iter().cloned());
        lines.join("\n")
    }
}

fn draft(item: Item, index: usize, session_id: &str) -> Result<Draft, ToolError> {
    let at = |field: &str| format!("/memories/{index}/{field}");
    let scope = item.scope.unwrap_or_default();
    // The connection stands for the session of memories that are shared by a session only.
    let session_id = item.session_id.or_else(|| (scope == Scope::Session).then(|| session_id.to_owned()));
    Ok(Draft {
        text: item.text,
        kind: item.kind.unwrap_or_default(),
        scope,
        agent: item.agent,
        tags: item.tags.unwrap_or_default(),
        session_id,
        actor: item.actor,
        occurred_at: time::parse_option(item.occurred_at.as_deref(), &at("occurred_at"))?,
        importance: item.importance,
        pinned: item.pinned.unwrap_or(false),
        expires_at: time::parse_option(item.expires_at.as_deref(), &at("expires_at"))?,
        source: item.source,
        metadata: item.metadata.map(|metadata| Value::Object(metadata).to_string()),
        topic_key: item.topic_key,
        supersedes: item.supersedes,
    })
}
