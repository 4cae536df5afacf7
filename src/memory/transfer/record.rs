//! A memory as it is written to exports: every field, history included.
//!
//! What can be made from the rest (terms, digest, vector) is left out and made again at the import.
//! Reading gives back exactly what was written, to the last bit of a number.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{MemoryId, Timestamp};
use crate::memory::redact::Redacted;
use crate::memory::remember::{self, Draft};
use crate::store::{Memory, MemoryKind, NewMemory, Scope};

/// A memory as it is written to exports, and shown as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id.
    pub id: MemoryId,
    /// Its text.
    pub text: String,
    /// What it is about.
    #[serde(default)]
    pub kind: MemoryKind,
    /// Who shares it.
    #[serde(default)]
    pub scope: Scope,
    /// The agent it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Words to filter by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The session it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Its place in its session.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: i64,
    /// Who said or did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
    /// From 0 to 1.
    #[serde(default = "Importance::usual")]
    pub importance: Importance,
    /// Whether it is kept whatever its age.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// When recall stops finding it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whatever was stored with it.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// A subject of which only the newest memory is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_key: Option<String>,
    /// The memory that it replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<MemoryId>,
    /// The memory that replaced it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<MemoryId>,
    /// When it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Timestamp>,
}

impl Record {
    /// Returns what is written of a memory.
    pub fn of(memory: &Memory) -> Self {
        // Named one by one, so that a new field of a memory has to find its place here.
        let NewMemory {
            id,
            text,
            terms: _,
            length: _,
            asks: _,
            meaning: _,
            digest: _,
            kind,
            scope,
            agent,
            tags,
            session_id,
            actor,
            occurred_at,
            created_at,
            importance,
            pinned,
            expires_at,
            source,
            metadata,
            topic_key,
            supersedes,
        } = memory.content.clone();
        Self {
            id,
            text,
            kind,
            scope,
            agent,
            tags,
            session_id,
            order: memory.order,
            actor,
            occurred_at,
            created_at,
            importance: Importance(importance),
            pinned,
            expires_at,
            source,
            metadata: Metadata(metadata),
            topic_key,
            supersedes,
            superseded_by: memory.superseded_by.clone(),
            superseded_at: memory.superseded_at,
        }
    }

    /// Makes the memory of it, with secrets replaced; the error says why it cannot be kept.
    pub(super) fn into_memory(self) -> Result<(Memory, Vec<Redacted>), String> {
        let Self { id, order, superseded_by, superseded_at, created_at, .. } = self;
        if !(0..=ORDER_MAX).contains(&order) {
            return Err(format!("its order is {order}, expected 0 to {ORDER_MAX}"));
        }
        let draft = Draft {
            text: self.text,
            kind: self.kind,
            scope: self.scope,
            agent: self.agent,
            tags: self.tags,
            session_id: self.session_id,
            actor: self.actor,
            occurred_at: Some(self.occurred_at),
            importance: Some(self.importance.0),
            pinned: self.pinned,
            expires_at: self.expires_at,
            source: self.source,
            metadata: Some(self.metadata.0),
            topic_key: self.topic_key,
            supersedes: self.supersedes,
        };
        let (mut content, redacted) = remember::prepared(draft, created_at)?;
        content.id = id;
        Ok((Memory { content, order, superseded_by, superseded_at, forgotten_at: None }, redacted))
    }
}

/// Beyond this, numbers of JSON are not exact, and a session has no place left behind it.
const ORDER_MAX: i64 = 1 << 53;

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A number that is a number in JSON when it is read back as the same one, and else a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub struct Importance(pub f64);

impl Importance {
    fn usual() -> Self {
        Self(0.5)
    }
}

impl From<Importance> for Value {
    fn from(Importance(number): Importance) -> Self {
        let value = Value::from(number);
        let again: Option<Value> = serde_json::from_str(&value.to_string()).ok();
        let same = again.and_then(|again| again.as_f64()).is_some_and(|again| again.to_bits() == number.to_bits());
        if same { value } else { Value::from(number.to_string()) }
    }
}

impl TryFrom<Value> for Importance {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        number.map(Self).ok_or("importance is not a number")
    }
}

/// The text of a JSON object: an object in JSON when it is read back as the same text, else a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Value", from = "Value")]
pub struct Metadata(pub String);

impl Metadata {
    fn is_empty(&self) -> bool {
        self.0 == "{}"
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl From<Metadata> for Value {
    fn from(Metadata(text): Metadata) -> Self {
        match serde_json::from_str::<Value>(&text) {
            Ok(value) if value.is_object() && serde_json::to_string(&value).is_ok_and(|again| again == text) => value,
            _ => Value::String(text),
        }
    }
}

impl From<Value> for Metadata {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self(text),
            Value::Null => Self::default(),
            other => Self(other.to_string()),
        }
    }
}
