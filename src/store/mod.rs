//! Keeping things: memories, originals of compressed text, runs with their steps and events.
//!
//! The door is [`Store`], a trait over plain records, and [`open`], which picks the adapter. This
//! is the only room that knows SQL. A store keeps what it is given and finds it again; what the
//! words mean (stems, ranking, redaction) is decided in `memory/`, so that every adapter ranks
//! alike. What a method returned `Ok` for survives the death of the process.

mod filter;
mod in_memory;
mod index;
mod records;
mod selection;
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::sync::mpsc;

pub use filter::{MemoryFilter, RunFilter};
pub use in_memory::InMemoryStore;
pub use index::{Entry, Holders, Index, Matches, Meanings, NONE, Posting};
pub use records::{
    Added, AddedStatus, Alike, BackupInfo, Change, Created, Event, Finding, Forgotten, Meaning, Memory, MemoryKind,
    NewMemory, NewOriginal, Original, OriginalInfo, OriginalLimits, Purge, Purged, Put, Removal, Removed, Restored,
    Run, RunState, SavingRow, Scope, Step, StoreStatus,
};
pub use selection::Selection;
pub use sqlite::SqliteStore;

use crate::base::{Handle, MemoryId, RunId, Timestamp};
use crate::embed::Embeddings;

/// Returns the store at `location`: a file path, `sqlite://PATH`, or `memory:` for one that ends
/// with the process.
///
/// Nothing is touched yet: folder, file and schema are made by the first write. Until then, reading
/// finds an empty store.
pub fn open(location: &str) -> Result<Arc<dyn Store>, StoreError> {
    open_within(location, OriginalLimits::default())
}

/// Returns the store at `location`, as [`open`] does, with these limits to its originals.
pub fn open_within(location: &str, limits: OriginalLimits) -> Result<Arc<dyn Store>, StoreError> {
    open_with(location, limits, &Arc::default())
}

/// Returns the store at `location`, as [`open_within`] does, whose vectors are those of this model.
pub fn open_with(
    location: &str,
    limits: OriginalLimits,
    embeddings: &Arc<Embeddings>,
) -> Result<Arc<dyn Store>, StoreError> {
    if location == "memory:" {
        return Ok(Arc::new(InMemoryStore::within(limits)));
    }
    let path = location.strip_prefix("sqlite://").unwrap_or(location);
    // One letter before the colon is a Windows drive.
    let scheme = path.split_once("://").map_or("", |(scheme, _)| scheme);
    if path.is_empty() || scheme.len() > 1 {
        return Err(StoreError::UnknownBackend { location: location.to_owned() });
    }
    Ok(Arc::new(SqliteStore::new(path.into()).within(limits).with(embeddings.clone())))
}

/// Keeps memories, originals and runs.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds memories in one transaction and tells, in the same order, what became of each.
    ///
    /// A memory whose `digest` is already there, current and not expired is a duplicate and is not
    /// added again.
    /// One with a `topic_key` or `supersedes` takes the place of the current memory it names,
    /// which stays in history.
    async fn add_memories(&self, memories: Vec<NewMemory>) -> Result<Vec<Added>, StoreError>;

    /// Returns the memories of these ids, history included, in the order asked; unknown ids are
    /// left out.
    async fn memories(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError>;

    /// Returns the ids of memories that end so, history included, in their order.
    async fn ids_ending(&self, end: &str) -> Result<Vec<MemoryId>, StoreError>;

    /// Returns the memories in whose place one of these stands, however it came there.
    async fn replaced_by(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError>;

    /// Returns up to `limit` memories that pass the filter, newest first, after skipping `offset`.
    async fn list_memories(
        &self,
        filter: &MemoryFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Memory>, StoreError>;

    /// Returns up to `limit` memories that were added after number `after` (0: from the first on), in
    /// the order in which they were added, each with its number. History is included, what was
    /// forgotten is left out.
    async fn memories_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Memory)>, StoreError>;

    /// Sends all of them in pages of this many, as they are at one moment, however long that takes.
    /// Whoever wants no more closes the other end.
    async fn all_memories(&self, page: usize, pages: mpsc::Sender<Vec<Memory>>) -> Result<(), StoreError>;

    /// Returns for each memory what is kept already that it would repeat or replace.
    async fn alike(&self, memories: &[NewMemory]) -> Result<Vec<Alike>, StoreError>;

    /// Puts memories in as they are, with ids, places and history, and tells for each whether it is
    /// new: one whose id is known is left alone. Nobody looks for duplicates here; see
    /// [`Store::alike`].
    async fn put_memories(&self, memories: Vec<Put>) -> Result<Vec<bool>, StoreError>;

    /// Returns what ranking needs: which memories pass the filter, and for each of `terms` which
    /// of those hold it, and how often.
    async fn match_terms(&self, terms: &[String], filter: &MemoryFilter) -> Result<Matches, StoreError>;

    /// Returns for each of `terms` that is rare which memories that pass the filter hold it. One that
    /// stands at more than `most` places counts as held by none, and costs little more than reading so
    /// many; other memories are not looked at.
    async fn match_rare_terms(
        &self,
        terms: &[String],
        most: usize,
        filter: &MemoryFilter,
    ) -> Result<Holders, StoreError>;

    /// Returns the memories of a session whose order lies between `from` and `to`, both included.
    async fn session(&self, session_id: &str, from: i64, to: i64) -> Result<Vec<Memory>, StoreError>;

    /// Puts `new` in the place of `old`, which stays in history; returns what was added.
    /// `None`: there is no current memory of that id.
    async fn supersede(&self, old: &MemoryId, new: NewMemory) -> Result<Option<Memory>, StoreError>;

    /// Changes what is not text of a memory: metadata, tags, pin, restoring. Returns it as it is now;
    /// `None`: there is none of that id, or it was purged.
    async fn change_memory(&self, id: &MemoryId, change: Change) -> Result<Option<Memory>, StoreError>;

    /// Forgets memories: a tombstone keeps id and times; the text goes from recall. With `purge`
    /// every trace of the text leaves the file as well. Returns what was forgotten; with `purge`
    /// also what was purged before, because a trace may be gone only now.
    async fn forget(&self, ids: &[MemoryId], purge: bool, at: Timestamp) -> Result<Vec<Forgotten>, StoreError>;

    /// Returns files that may hold what was purged: backups, those made before a migration included.
    fn copies(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Keeps an original and returns its handle; the same content gets the same handle.
    ///
    /// Within the limits of the store: originals that nobody has used for too long are removed, and
    /// then those whose last use is longest ago, but never this one.
    async fn put_original(&self, original: NewOriginal) -> Result<Handle, StoreError>;

    /// Returns an original.
    async fn original(&self, handle: &Handle) -> Result<Option<Original>, StoreError>;

    /// Returns what is known of an original, also of one that was removed in the last year.
    async fn original_info(&self, handle: &Handle) -> Result<Option<OriginalInfo>, StoreError>;

    /// Returns what is known of up to `limit` kept originals, the last used first.
    async fn originals(&self, limit: usize) -> Result<Vec<OriginalInfo>, StoreError>;

    /// Notes, to about an hour, that an original is used; returns whether it is kept.
    async fn touch_original(&self, handle: &Handle, at: Timestamp) -> Result<bool, StoreError>;

    /// Removes originals; their handles say so from now on.
    async fn purge_originals(&self, which: Purge, at: Timestamp) -> Result<Purged, StoreError>;

    /// Adds to the sums of what compressing saved. Sums of calls that saved nothing are no reason to
    /// make the store.
    async fn add_savings(&self, rows: Vec<SavingRow>) -> Result<(), StoreError>;

    /// Returns the sums from a day on, in the order of their fields.
    async fn savings(&self, since: Date) -> Result<Vec<SavingRow>, StoreError>;

    /// Records a run and its steps before anything of it starts. When a run with the same
    /// idempotency key exists, nothing is recorded and that one is returned.
    async fn create_run(&self, run: Run, steps: Vec<Step>) -> Result<Created, StoreError>;

    /// Writes the run's present state, if `run.owner` is still its owner. A request to cancel and a
    /// later lease that other processes wrote in the meantime stay. A run that was marked as
    /// interrupted, because its owner was silent for too long, stays so until that owner says how
    /// it ended.
    async fn save_run(&self, run: &Run) -> Result<(), StoreError>;

    /// Writes the step's present state. In a run that was marked as interrupted, only how a step
    /// ended is written.
    async fn save_step(&self, step: &Step) -> Result<(), StoreError>;

    /// Returns a run.
    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError>;

    /// Returns the steps of a run, in the order they were recorded.
    async fn steps(&self, run: &RunId) -> Result<Vec<Step>, StoreError>;

    /// Returns up to `limit` runs that pass the filter, newest first.
    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError>;

    /// Extends the lease by which other processes see that this run's owner lives.
    async fn renew_lease(&self, run: &RunId, owner: &str, until: Timestamp) -> Result<(), StoreError>;

    /// Marks unfinished runs whose lease ended before `now`, or whose owner is among those that are
    /// `gone`, as interrupted; returns them.
    async fn interrupt_abandoned(&self, now: Timestamp, gone: &[String]) -> Result<Vec<RunId>, StoreError>;

    /// Asks for a run to be cancelled, whichever process owns it.
    async fn request_cancel(&self, run: &RunId, at: Timestamp) -> Result<(), StoreError>;

    /// Adds an event to a run's journal.
    async fn add_event(&self, event: Event) -> Result<(), StoreError>;

    /// Returns up to `limit` events of a run after number `after`, oldest first.
    async fn events(&self, run: &RunId, after: i64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Checks that the store answers, and returns what is in it.
    async fn status(&self) -> Result<StoreStatus, StoreError>;

    /// Copies the whole store to a file that is not there yet, by default one beside it that tells
    /// the time; others may go on writing. The copy is checked before it gets its name.
    async fn back_up(&self, _target: Option<&Path>, _at: Timestamp) -> Result<BackupInfo, StoreError> {
        Err(StoreError::Backup { path: PathBuf::new(), reason: "this store is not a file".to_owned() })
    }

    /// Puts the content of a backup in the place of the present one, of which a backup is kept
    /// first. Others go on with what is there afterwards; only a present file that is damaged can
    /// not be written over, and is replaced if `replace_damaged` says so.
    async fn restore(&self, from: &Path, _at: Timestamp, _replace_damaged: bool) -> Result<Restored, StoreError> {
        Err(StoreError::Backup { path: from.to_owned(), reason: "this store is not a file".to_owned() })
    }

    /// Says what is wrong with the store itself; with `mend`, puts right what can be.
    async fn examine(&self, mend: bool) -> Result<Vec<Finding>, StoreError>;

    /// Returns up to `limit` memories, id and text, of which nobody knows what they mean to the
    /// present model: they are older than it.
    async fn without_meaning(&self, limit: usize) -> Result<Vec<(MemoryId, String)>, StoreError>;

    /// Keeps what memories mean.
    async fn put_meanings(&self, meanings: Vec<(MemoryId, Meaning)>) -> Result<(), StoreError>;

    /// Returns up to `limit` memories with ids after this one, in the order of their ids: history
    /// included, and forgotten ones with the text that they still have; only purged ones are not.
    async fn stored_memories(&self, after: Option<&MemoryId>, limit: usize) -> Result<Vec<Memory>, StoreError>;

    /// Writes over the texts and names of memories in place, leaving no trace of what they were;
    /// returns whether no trace is left indeed. For secrets that should not have been stored: all
    /// else is superseded.
    async fn rewrite_memories(&self, memories: Vec<NewMemory>) -> Result<bool, StoreError>;

    /// Marks each first memory as superseded by the second, which is there already; returns those
    /// that were marked, because both were current.
    async fn merge_memories(
        &self,
        pairs: Vec<(MemoryId, MemoryId)>,
        at: Timestamp,
    ) -> Result<Vec<MemoryId>, StoreError>;

    /// Notes when memories were last recalled.
    async fn note_uses(&self, uses: Vec<(MemoryId, Timestamp)>) -> Result<(), StoreError>;

    /// Returns the memories that are noted to have been recalled since then, in the order of their
    /// ids.
    async fn used_since(&self, since: Timestamp) -> Result<Vec<MemoryId>, StoreError>;

    /// Takes back that memories were superseded at exactly this time; returns those that are current
    /// again.
    async fn unmerge_memories(&self, ids: Vec<MemoryId>, at: Timestamp) -> Result<Vec<MemoryId>, StoreError>;
}

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The location names a backend this build does not have.
    #[error("no storage backend for {location:?}: expected a file path or sqlite://PATH")]
    UnknownBackend {
        /// The location as given.
        location: String,
    },
    /// The folder of the database cannot be made or used.
    #[error("cannot use the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The file was written by a newer version.
    #[error("{} has schema version {found}, this program knows up to {known}: use a newer ctx", path.display())]
    TooNew {
        /// The database file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The database refused.
    #[error("database error while {doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The database's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A backup cannot be made or put back.
    #[error("{}: {reason}", path.display())]
    Backup {
        /// The file that is in the way.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The store was closed while the request waited.
    #[error("the store was closed")]
    Closed,
}

/// What is said about a run whose process died.
fn interrupted_reason() -> &'static str {
    "the process that ran it ended without finishing it"
}

/// Whether the last use that is noted of an original is so long ago that a new one is noted.
fn is_worth_noting(noted: Timestamp, now: Timestamp) -> bool {
    now.duration_since(noted) >= jiff::SignedDuration::from_hours(1)
}

/// How many leading digits two hashes share.
fn digits_shared(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}
