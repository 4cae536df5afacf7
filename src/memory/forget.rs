//! Forgetting: a tombstone, or with purge no trace of the text.

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
    /// Ids that no store knows.
    pub unknown: Vec<MemoryId>,
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
    /// Whether no trace of its text is left.
    pub purged: bool,
}

impl Memories {
    /// Forgets memories and their earlier versions.
    pub async fn forget(&self, request: &ForgetRequest) -> Result<Forgetting, MemoryError> {
        let restricts = |filter: &MemoryFilter| MemoryFilter { now: None, ..filter.clone() } != MemoryFilter::default();
        if request.ids.is_empty() && !request.filter.as_ref().is_some_and(restricts) {
            return Err(MemoryError::EmptyFilter);
        }
        let mut answer = Forgetting { dry_run: request.dry_run, ..Forgetting::default() };
        answer.unknown.clone_from(&request.ids);
        for (store, of_user) in [(&self.project, false), (&self.user, true)] {
            let mut chosen = store.memories(&answer.unknown).await?;
            answer.unknown.retain(|id| !chosen.iter().any(|memory| memory.content.id == *id));
            if let Some(filter) = &request.filter {
                chosen.extend(self.all_passing(store.as_ref(), filter, of_user).await?);
            }
            let chosen = with_versions(store.as_ref(), chosen).await?;
            let chosen: Vec<Memory> = chosen.into_iter().filter(|one| is_left(one, request.purge)).collect();
            if !request.dry_run && !chosen.is_empty() {
                let ids: Vec<MemoryId> = chosen.iter().map(|memory| memory.content.id.clone()).collect();
                store.forget(&ids, request.purge, self.clock.now()).await?;
            }
            answer.forgotten.extend(chosen.into_iter().map(|memory| gone(memory, request)));
        }
        Ok(answer)
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
/// its earlier wording kept.
async fn with_versions(store: &dyn Store, chosen: Vec<Memory>) -> Result<Vec<Memory>, MemoryError> {
    let mut all: Vec<Memory> = Vec::with_capacity(chosen.len());
    let mut waiting = chosen;
    while let Some(memory) = waiting.pop() {
        if all.iter().any(|known| known.content.id == memory.content.id) {
            continue;
        }
        if let Some(earlier) = &memory.content.supersedes {
            waiting.extend(store.memories(std::slice::from_ref(earlier)).await?);
        }
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
    let purged = request.purge && !request.dry_run;
    let text = if purged { String::new() } else { redact(&memory.content.text).0 };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Gone { id: memory.content.id, preview: line.chars().take(PREVIEW_CHARACTERS).collect(), purged }
}
