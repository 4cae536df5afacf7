//! Changing what was remembered: text by superseding, with history; everything else in place.

use super::redact::{self, Redacted};
use super::remember::{self, Draft};
use super::{Memories, MemoryError};
use crate::base::{MemoryId, Timestamp};
use crate::store::{Change, Memory, Store};

/// What to change; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Update {
    /// A new text; the memory with the old one stays in history.
    pub text: Option<String>,
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// New metadata, a JSON object as text.
    pub metadata: Option<String>,
    /// A new importance, from 0 to 1.
    pub importance: Option<f64>,
    /// Pins or unpins.
    pub pinned: Option<bool>,
    /// A new expiry, or none.
    pub expires_at: Option<Option<Timestamp>>,
    /// Brings back a forgotten memory, or makes the text of a superseded one current again as a
    /// new version.
    pub restore: bool,
}

/// A memory after a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Updated {
    /// The memory as it is now.
    pub memory: Memory,
    /// The version before, when the text changed.
    pub previous: Option<MemoryId>,
    /// The secrets that were replaced in what was given.
    pub redacted: Vec<Redacted>,
}

impl Memories {
    /// Changes a memory.
    pub async fn update(&self, id: &MemoryId, update: Update) -> Result<Updated, MemoryError> {
        let rejected = |reason| MemoryError::Rejected { reason };
        remember::check_importance(update.importance).map_err(rejected)?;
        let mut redacted = Vec::new();
        let metadata = match update.metadata.as_deref() {
            None => None,
            Some(metadata) => {
                let (metadata, mut more) = remember::clean_metadata(Some(metadata)).map_err(rejected)?;
                redact::merge(&mut redacted, &mut more);
                Some(metadata)
            }
        };
        let tags = update.tags.map(|mut tags| {
            tags.iter_mut().for_each(|tag| redact::redact_in_place(tag, &mut redacted));
            remember::tidy_tags(tags)
        });
        let change = Change {
            tags,
            metadata,
            importance: update.importance,
            pinned: update.pinned,
            expires_at: update.expires_at,
            restore: update.restore,
        };

        let (store, mut memory) = self.find(id).await?;
        if update.restore && memory.forgotten_at.is_some() {
            memory = self.changed(store.as_ref(), id, Change { restore: true, ..Change::default() }).await?;
        }
        if memory.forgotten_at.is_some() {
            let reason = "it was forgotten; restore brings it back".to_owned();
            return Err(MemoryError::NotCurrent { id: id.clone(), reason });
        }
        let mut previous = None;
        if memory.superseded_by.is_some() {
            if !update.restore {
                let reason = self.successor_named(store.as_ref(), &memory).await?;
                return Err(MemoryError::NotCurrent { id: id.clone(), reason });
            }
            let current = self.newest_version(store.as_ref(), &memory).await?;
            previous = Some(current.content.id.clone());
            memory = self.replace(store.as_ref(), &current, &memory.content.text).await?;
        }
        if let Some(text) = &update.text {
            let (text, mut more) = remember::clean_text(text).map_err(rejected)?;
            redact::merge(&mut redacted, &mut more);
            if text != memory.content.text {
                previous = Some(memory.content.id.clone());
                memory = self.replace(store.as_ref(), &memory, &text).await?;
            }
        }
        let rest = Change { restore: false, ..change };
        if rest != Change::default() {
            memory = self.changed(store.as_ref(), &memory.content.id.clone(), rest).await?;
        }
        Ok(Updated { memory, previous, redacted })
    }

    /// Puts a memory with a new text in the place of `old`.
    async fn replace(&self, store: &dyn Store, old: &Memory, text: &str) -> Result<Memory, MemoryError> {
        let content = &old.content;
        let draft = Draft { text: text.to_owned(), supersedes: None, ..Draft::of(content) };
        let (new, _) =
            remember::prepared(draft, self.clock.now()).map_err(|reason| MemoryError::Rejected { reason })?;
        let new = self.with_meanings(vec![new]).await.pop().expect("as many as there were");
        store.supersede(&content.id, new).await?.ok_or_else(|| MemoryError::NotCurrent {
            id: content.id.clone(),
            reason: "another call changed it at the same moment; read it again".to_owned(),
        })
    }

    async fn changed(&self, store: &dyn Store, id: &MemoryId, change: Change) -> Result<Memory, MemoryError> {
        store.change_memory(id, change).await?.ok_or_else(|| MemoryError::NotCurrent {
            id: id.clone(),
            reason: "it was purged and cannot be brought back".to_owned(),
        })
    }

    pub(super) async fn newest_version(&self, store: &dyn Store, memory: &Memory) -> Result<Memory, MemoryError> {
        let mut newest = memory.clone();
        while let Some(next) = newest.superseded_by.clone() {
            match store.memories(std::slice::from_ref(&next)).await?.pop() {
                Some(memory) => newest = memory,
                // An import may have come without it.
                None => break,
            }
        }
        Ok(newest)
    }

    async fn successor_named(&self, store: &dyn Store, memory: &Memory) -> Result<String, MemoryError> {
        let newest = self.newest_version(store, memory).await?;
        Ok(format!("it was superseded; the current version is {}", newest.content.id))
    }
}
