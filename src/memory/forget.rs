//! Forgetting: a tombstone, or with purge no trace of the text.

use std::collections::HashSet;
use std::path::PathBuf;

use super::redact::redacted_filter;
use super::{Memories, MemoryError, redact};
use crate::base::MemoryId;
use crate::store::{Memory, MemoryFilter, Scope, Store};

/// How much of a text names it.
const PREVIEW_CHARACTERS: usize = 80;
/// How many memories a filter forgets in one step.
const PAGE: usize = 1_000;

/// What to forget: these, or all that pass a filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForgetRequest {
    /// These memories.
    pub ids: Vec<MemoryId>,
    /// Those that pass this filter, which must restrict something. Scopes of the user's own store
    /// count only when they are named.
    pub filter: Option<MemoryFilter>,
    /// Only tells what would be forgotten.
    pub dry_run: bool,
    /// Leaves no trace of the text in the file.
    pub purge: bool,
}

/// What was forgotten, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgetting {
    /// These, their earlier versions included.
    pub forgotten: Vec<Gone>,
    /// Ids that were asked for and had been forgotten before.
    pub already: Vec<MemoryId>,
    /// Ids that no store knows.
    pub unknown: Vec<MemoryId>,
    /// Files beside the stores that may still hold what was purged: backups, whoever made them.
    pub copies: Vec<PathBuf>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A memory that was forgotten, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its id.
    pub id: MemoryId,
    /// The beginning of its text, for people; empty where it is purged.
    pub preview: String,
    /// Whether no trace of its text is left in the file.
    pub purged: bool,
    /// The version that took its place and can still be recalled.
    pub superseded_by: Option<MemoryId>,
}

impl Memories {
    /// Forgets memories and their earlier versions; with purge, every version of them.
    ///
    /// Without purge, a later version than the one that is named stays, and is told.
    pub async fn forget(&self, request: &ForgetRequest) -> Result<Forgetting, MemoryError> {
        let restricts = |filter: &MemoryFilter| MemoryFilter { now: None, ..filter.clone() } != MemoryFilter::default();
        if request.ids.is_empty() && !request.filter.as_ref().is_some_and(restricts) {
            return Err(MemoryError::EmptyFilter);
        }
        let mut answer = Forgetting { dry_run: request.dry_run, ..Forgetting::default() };
        answer.unknown.clone_from(&request.ids);
        let filter = request.filter.as_ref().map(redacted_filter);
        for (store, of_user) in [(&self.project, false), (&self.user, true)] {
            let mut chosen = store.memories(&answer.unknown).await?;
            answer.unknown.retain(|id| !chosen.iter().any(|memory| memory.content.id == *id));
            answer.already.extend(
                chosen.iter().filter(|memory| !is_left(memory, request.purge)).map(|memory| memory.content.id.clone()),
            );
            if let Some(filter) = &filter {
                chosen.extend(self.all_passing(store.as_ref(), filter, of_user).await?);
            }
            let chosen = with_versions(store.as_ref(), chosen, request.purge).await?;
            let chosen: Vec<Memory> = chosen.into_iter().filter(|one| is_left(one, request.purge)).collect();
            let ids: Vec<MemoryId> = chosen.iter().map(|memory| memory.content.id.clone()).collect();
            let mut purged = HashSet::new();
            if !request.dry_run && !chosen.is_empty() {
                let done = store.forget(&ids, request.purge, self.clock.now()).await?;
                purged.extend(done.into_iter().filter(|one| one.purged).map(|one| one.id));
            }
            if request.purge && !chosen.is_empty() {
                answer.copies.extend(store.copies());
            }
            for memory in chosen {
                let superseded_by = match &memory.superseded_by {
                    Some(next) if ids.binary_search(next).is_err() => {
                        self.still_current(store.as_ref(), &memory).await?
                    }
                    _ => None,
                };
                let purged = purged.contains(&memory.content.id);
                answer.forgotten.push(Gone { superseded_by, purged, ..gone(memory, request) });
            }
        }
        Ok(answer)
    }

    /// The newest version of a memory, unless that is forgotten as well.
    async fn still_current(&self, store: &dyn Store, memory: &Memory) -> Result<Option<MemoryId>, MemoryError> {
        let newest = self.newest_version(store, memory).await?;
        Ok(newest.forgotten_at.is_none().then_some(newest.content.id))
    }

    async fn all_passing(
        &self,
        store: &dyn Store,
        filter: &MemoryFilter,
        of_user: bool,
    ) -> Result<Vec<Memory>, MemoryError> {
        let mut filter = filter.clone();
        if filter.scopes.is_empty() {
            filter.scopes = vec![Scope::Project, Scope::Session, Scope::Agent];
        }
        filter.scopes.retain(|scope| (*scope == Scope::User) == of_user);
        let mut all = Vec::new();
        while !filter.scopes.is_empty() {
            let page = store.list_memories(&filter, PAGE, all.len()).await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}

/// The memories and the ones they superseded: whoever wants a statement forgotten does not want
/// its earlier wording kept. With `later`, those that superseded them as well.
pub(super) async fn with_versions(
    store: &dyn Store,
    chosen: Vec<Memory>,
    later: bool,
) -> Result<Vec<Memory>, MemoryError> {
    let mut all: Vec<Memory> = Vec::with_capacity(chosen.len());
    let mut known = HashSet::new();
    let mut waiting = chosen;
    while let Some(memory) = waiting.pop() {
        if !known.insert(memory.content.id.clone()) {
            continue;
        }
        let next = memory.superseded_by.iter().filter(|_| later);
        let versions: Vec<MemoryId> = memory.content.supersedes.iter().chain(next).cloned().collect();
        waiting.extend(store.memories(&versions).await?);
        // Those that were merged into it are wordings of it too, though it did not come to replace them.
        waiting.extend(store.replaced_by(std::slice::from_ref(&memory.content.id)).await?);
        all.push(memory);
    }
    all.sort_by(|one, other| one.content.id.cmp(&other.content.id));
    Ok(all)
}

/// Whether there is anything left to forget.
fn is_left(memory: &Memory, purge: bool) -> bool {
    memory.forgotten_at.is_none() || purge
}

fn gone(memory: Memory, request: &ForgetRequest) -> Gone {
    let text = if request.purge && !request.dry_run { String::new() } else { redact(&memory.content.text).0 };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Gone {
        id: memory.content.id,
        preview: line.chars().take(PREVIEW_CHARACTERS).collect(),
        purged: false,
        superseded_by: None,
    }
}
