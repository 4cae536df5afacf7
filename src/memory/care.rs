//! Looking after memories: lists, history and sums, for people rather than for assistants.

use std::collections::BTreeMap;

use super::redact::{redact_memory, redacted_filter};
use super::{Memories, MemoryError};
use crate::base::{MemoryId, Timestamp};
use crate::store::{Memory, MemoryFilter, Scope, Store};

/// How many versions of a memory are followed.
const VERSIONS_MAX: usize = 10_000;

/// Sums over all memories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// The current ones.
    pub current: usize,
    /// Those that were superseded.
    pub history: usize,
    /// Current ones that have expired.
    pub expired: usize,
    /// Pinned, current ones.
    pub pinned: usize,
    /// The bytes of all texts, history included.
    pub text_bytes: u64,
    /// Current ones by kind.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Current ones by scope.
    pub scopes: BTreeMap<&'static str, usize>,
    /// Current ones by session, those without one left out.
    pub sessions: BTreeMap<String, usize>,
    /// Current ones by actor, those without one left out.
    pub actors: BTreeMap<String, usize>,
    /// Current ones by tag.
    pub tags: BTreeMap<String, usize>,
    /// When the first of the current ones happened.
    pub oldest: Option<Timestamp>,
    /// When the last of the current ones happened.
    pub newest: Option<Timestamp>,
    /// Vectors of what memories mean, history included.
    pub embeddings: u64,
    /// The stores: where they are, and how many bytes their files have.
    pub stores: Vec<(String, u64)>,
}

impl Memories {
    /// Returns up to `limit` memories that pass a filter, newest first, after `offset` others, of the
    /// project's store and the user's; and how many more there are.
    pub async fn list(
        &self,
        filter: &MemoryFilter,
        limit: usize,
        offset: usize,
    ) -> Result<(Vec<Memory>, bool), MemoryError> {
        let now = filter.now.or_else(|| Some(self.clock.now()));
        let filter = MemoryFilter { now, ..redacted_filter(filter) };
        let wanted = limit.saturating_add(offset).saturating_add(1);
        let mut found: Vec<Memory> = Vec::new();
        for (store, of_user) in [(&self.project, false), (&self.user, true)] {
            if filter.scopes.is_empty() || filter.scopes.iter().any(|scope| (*scope == Scope::User) == of_user) {
                found.extend(store.list_memories(&filter, wanted, 0).await?);
            }
        }
        found.sort_by(|one, other| {
            let key = |memory: &Memory| (memory.content.occurred_at, memory.content.id.clone());
            key(other).cmp(&key(one))
        });
        let more = found.len() > limit.saturating_add(offset);
        let mut listed: Vec<Memory> = found.into_iter().skip(offset).take(limit).collect();
        listed.iter_mut().for_each(|memory| drop(redact_memory(memory)));
        Ok((listed, more))
    }

    /// Returns every version of a memory that is still known, the oldest first.
    pub async fn versions(&self, id: &MemoryId) -> Result<Vec<Memory>, MemoryError> {
        let (store, named) = self.find(id).await?;
        let mut versions = vec![named];
        while let Some(earlier) = neighbour(store.as_ref(), versions[0].content.supersedes.clone()).await? {
            if versions.len() >= VERSIONS_MAX || versions.iter().any(|one| one.content.id == earlier.content.id) {
                break;
            }
            versions.insert(0, earlier);
        }
        while let Some(later) = neighbour(store.as_ref(), versions[versions.len() - 1].superseded_by.clone()).await? {
            if versions.len() >= VERSIONS_MAX || versions.iter().any(|one| one.content.id == later.content.id) {
                break;
            }
            versions.push(later);
        }
        // What was merged into one of them, as a worse wording of the same.
        let ids: Vec<MemoryId> = versions.iter().map(|memory| memory.content.id.clone()).collect();
        let merged = store.replaced_by(&ids).await?;
        versions.extend(merged.into_iter().filter(|memory| !ids.contains(&memory.content.id)));
        versions.sort_by_key(|memory| memory.content.created_at);
        versions.iter_mut().for_each(|memory| drop(redact_memory(memory)));
        Ok(versions)
    }

    /// Adds up what there is.
    pub async fn stats(&self) -> Result<Stats, MemoryError> {
        let now = self.clock.now();
        let mut stats = Stats::default();
        self.each(&mut |memory| {
            stats.add(memory, now);
            Ok(())
        })
        .await?;
        for store in [&self.project, &self.user] {
            let status = store.status().await?;
            stats.embeddings += status.embeddings;
            stats.stores.push((status.location, status.bytes));
        }
        Ok(stats)
    }
}

async fn neighbour(store: &dyn Store, id: Option<MemoryId>) -> Result<Option<Memory>, MemoryError> {
    match id {
        None => Ok(None),
        Some(id) => Ok(store.memories(std::slice::from_ref(&id)).await?.pop()),
    }
}

impl Stats {
    fn add(&mut self, memory: &Memory, now: Timestamp) {
        let content = &memory.content;
        self.text_bytes += content.text.len() as u64;
        if memory.superseded_at.is_some() {
            self.history += 1;
            return;
        }
        self.current += 1;
        self.expired += usize::from(content.expires_at.is_some_and(|end| end <= now));
        self.pinned += usize::from(content.pinned);
        *self.kinds.entry(content.kind.as_str()).or_default() += 1;
        *self.scopes.entry(content.scope.as_str()).or_default() += 1;
        for (sums, name) in [(&mut self.sessions, &content.session_id), (&mut self.actors, &content.actor)] {
            if let Some(name) = name {
                *sums.entry(name.clone()).or_default() += 1;
            }
        }
        for tag in &content.tags {
            *self.tags.entry(tag.clone()).or_default() += 1;
        }
        let at = content.occurred_at;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
        self.newest = Some(self.newest.map_or(at, |newest| newest.max(at)));
    }
}
