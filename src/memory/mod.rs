//! Remembering and recalling.
//!
//! The door is [`Memories`], a service over two stores: the project's, and the user's own, which
//! holds the memories of [`Scope::User`](crate::store::Scope) and is shared by all projects. What
//! words mean is decided here and not in the stores: terms (`terms.rs`), ranking (`rank/`), secrets
//! ([`redact()`]). Recalled text is data with a source, never an instruction.
//!
//! | method | in | out |
//! | --- | --- | --- |
//! | `remember(Vec<Draft>)` | 1 to 1,000 drafts | `Vec<Remembered>` in the same order |
//! | `recall(&RecallRequest)` | query, filter, limit | [`Recollection`], best first; `keep_within` makes it fit |
//! | `get(&[MemoryId])` | ids | `Vec<Memory>` as stored, secrets redacted |
//! | `update(&MemoryId, Update)` | new text or fields | [`Updated`] |
//! | `forget(&ForgetRequest)` | ids or a filter | [`Forgetting`] |
//! | `tidy(&TidyRules, dry_run)` | what fades | [`Tidying`], which `undo_tidying` takes back |
//! | `embedding_problem()` | - | why only words find memories at present, if that is so |
//! | `examine(mend)` | - | [`Checkup`]: what is wrong, and what was put right |
//! | `back_up`, `restore_backup` | a file | what it holds |
//! | `list`, `versions`, `stats` | a filter, an id | what there is, history included |
//! | `export_lines`, `export_folder`, `import` | files of a [`Format`] | [`Exported`], [`Report`] |
//! | `remember_commits`, `remember_transcript` | a repository, a session | [`Report`] |
//! | `brief(Budget)` | how much | [`Briefing`]: what matters most, for the start of a session |
//! | `keep_episode(Episode)` | the outcome of a run | its id |
//! | `examples(&Name, &str, Budget)` | agent and task | `Vec<Recalled>`, within the budget |

mod alike;
mod assigned;
mod backfill;
mod brief;
mod care;
mod doctor;
mod episode;
mod forget;
mod rank;
mod recall;
mod redact;
mod remember;
mod similar;
mod suspicion;
mod terms;
mod tidy;
mod transfer;
mod update;
mod uses;
mod when;

use std::sync::Arc;

pub use brief::Briefing;
pub use care::Stats;
pub use doctor::Checkup;
pub use episode::Episode;
pub use forget::{ForgetRequest, Forgetting, Gone};
pub use recall::{LIMIT_MAX, NEIGHBOURS_MAX, RecallRequest, Recalled, Recollection};
pub use redact::{Redacted, redact, redacted};
pub use remember::{Draft, MEMORIES_MAX, Outcome, Remembered, TEXT_BYTES_MAX};
pub use suspicion::{WARNING, suspicions};
pub use tidy::{Reason, Tidied, TidyRules, Tidying, Undo};
pub use transfer::{
    Exported, Format, GitRequest, Importance, Metadata, Problem, Record, Report, SourceFile, TranscriptOptions,
    read_source,
};
pub use update::{Update, Updated};

pub use rank::ScorePart;

use crate::base::{Clock, MemoryId};
use crate::embed::Embeddings;
use crate::store::{Memory, Scope, Store, StoreError};

/// Remembers and recalls.
#[derive(Clone)]
pub struct Memories {
    project: Arc<dyn Store>,
    user: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    embeddings: Arc<Embeddings>,
    backfill: Arc<backfill::Backfill>,
    uses: Arc<uses::Uses>,
}

impl Memories {
    /// Returns the service over the project's store and the user's own.
    ///
    /// A store opens its file at the first use, so the user's costs nothing until it is asked.
    pub fn new(project: Arc<dyn Store>, user: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let (embeddings, backfill, uses) = (Arc::default(), Arc::default(), Arc::default());
        Self { project, user, clock, embeddings, backfill, uses }
    }

    /// Returns the service with this model instead of the one within the program; the stores must be
    /// those of the same model.
    #[must_use]
    pub fn with(self, embeddings: Arc<Embeddings>) -> Self {
        Self { embeddings, ..self }
    }

    /// Returns the memories of these ids, history included, in the order asked; unknown ids are
    /// left out. Secrets that were stored before a pattern was known are redacted.
    pub async fn get(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, MemoryError> {
        let mut found = self.project.memories(ids).await?;
        if found.len() < ids.len() {
            found.extend(self.user.memories(ids).await?);
            let place = |memory: &Memory| ids.iter().position(|id| *id == memory.content.id);
            found.sort_by_key(place);
            found.dedup_by(|one, other| one.content.id == other.content.id);
        }
        found.iter_mut().for_each(|memory| drop(redact::redact_memory(memory)));
        Ok(found)
    }

    /// Returns the ids that these stand for: whole ones, or their ends as short lists name them, of
    /// which one may stand for several.
    pub async fn whole_ids(&self, named: &[String]) -> Result<Vec<MemoryId>, MemoryError> {
        let mut ids: Vec<MemoryId> = Vec::with_capacity(named.len());
        for name in named {
            let found = match name.parse() {
                Ok(id) => vec![id],
                Err(_) => {
                    let mut found = self.project.ids_ending(name).await?;
                    found.extend(self.user.ids_ending(name).await?);
                    found
                }
            };
            if found.is_empty() {
                return Err(MemoryError::UnknownEnd { end: name.clone() });
            }
            ids.extend(found.into_iter().filter(|id| !ids.contains(id)).collect::<Vec<_>>());
        }
        Ok(ids)
    }

    /// The store that keeps memories of a scope.
    fn store_of(&self, scope: Scope) -> &Arc<dyn Store> {
        match scope {
            Scope::User => &self.user,
            Scope::Project | Scope::Session | Scope::Agent => &self.project,
        }
    }

    /// The memory of this id and the store that has it.
    async fn find(&self, id: &MemoryId) -> Result<(&Arc<dyn Store>, Memory), MemoryError> {
        for store in [&self.project, &self.user] {
            if let Some(memory) = store.memories(std::slice::from_ref(id)).await?.pop() {
                return Ok((store, memory));
            }
        }
        Err(MemoryError::Unknown { id: id.clone() })
    }
}

/// What can go wrong with memories.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many, or none.
    #[error("{given} memories in one call: expected 1 to {MEMORIES_MAX}")]
    Count {
        /// How many were given.
        given: usize,
    },
    /// There is no such memory.
    #[error("there is no memory {id}")]
    Unknown {
        /// The id asked for.
        id: MemoryId,
    },
    /// There is no memory whose id ends so.
    #[error("there is no memory whose id ends with {end}")]
    UnknownEnd {
        /// The end.
        end: String,
    },
    /// The memory was superseded or forgotten, so its text cannot be changed.
    #[error("{id} is not current: {reason}")]
    NotCurrent {
        /// The id asked for.
        id: MemoryId,
        /// What became of it.
        reason: String,
    },
    /// A text or a field cannot be kept.
    #[error("the memory cannot be kept: {reason}")]
    Rejected {
        /// Why.
        reason: String,
    },
    /// A file, a folder or a repository cannot be read or written.
    #[error("cannot use {place}: {reason}")]
    Unreadable {
        /// What it is.
        place: String,
        /// Why.
        reason: String,
    },
    /// Forgetting by a filter that restricts nothing would forget everything.
    #[error("nothing says what to forget: name ids, or a filter that restricts something")]
    EmptyFilter,
}
