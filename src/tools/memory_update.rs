//! `memory_update`: changes a memory; a new text supersedes the old one, which stays in history.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::memory_filter::{self, MemoryOutput};
use super::{Call, Command, Effects, ToolError, TypedTool, time};
use crate::base::MemoryId;
use crate::memory::Update;

/// The tool.
pub struct MemoryUpdate;

/// What is to be changed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    id: MemoryId,
    /// Supersedes the old text
    text: Option<String>,
    tags: Option<Vec<String>>,
    metadata: Option<Map<String, Value>>,
    #[schemars(range(min = 0.0, max = 1.0))]
    importance: Option<f64>,
    pinned: Option<bool>,
    /// A time, or never
    expires_at: Option<String>,
    /// Undo forgetting or superseding
    restore: Option<bool>,
}

/// The memory after the change.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The memory as it is now.
    memory: MemoryOutput,
    /// The version before, which stays in history.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<MemoryId>,
    /// The kinds of secrets that were replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redacted: Vec<String>,
}

impl TypedTool for MemoryUpdate {
    const NAME: &'static str = "memory_update";
    const ABOUT: &'static str = "Change a memory: new text keeps the old in history; also tags, pin, expiry, restore.";
    const EFFECTS: Effects = Effects { idempotent: true, destructive: false, ..Effects::CHANGES };
    const COMMAND: Command = Command { name: "memory update", positional: &["id", "text"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        call.services.stores()?;
        let expires_at = match params.expires_at.as_deref() {
            None => None,
            Some("never") => Some(None),
            Some(text) => Some(Some(time::parse(text, "/expires_at")?)),
        };
        let update = Update {
            text: params.text,
            tags: params.tags,
            metadata: params.metadata.map(|metadata| Value::Object(metadata).to_string()),
            importance: params.importance,
            pinned: params.pinned,
            expires_at,
            restore: params.restore.unwrap_or(false),
        };
        if update == Update::default() {
            return Err(ToolError::invalid("there is nothing to change")
                .with_hint("send text, tags, metadata, importance, pinned, expires_at or restore"));
        }
        let updated = call.services.memories.update(&params.id, update).await?;
        Ok(Output {
            memory: MemoryOutput::from(&updated.memory),
            previous: updated.previous,
            redacted: memory_filter::redacted(&updated.redacted),
        })
    }

    fn text(&self, output: &Output) -> String {
        let before = output.previous.as_ref().map(|id| format!(" (before: {id})")).unwrap_or_default();
        format!("{}{before}\n{}", output.memory.id, output.memory.text)
    }
}
