//! A store in one SQLite file, which several processes may use at once.
//!
//! One thread writes ([`writer`]), a few connections read ([`readers`]); the small part of every
//! memory that filters need is followed in memory ([`memories::Follower`]). Nothing is opened
//! before the first use, so that starting the program costs nothing.

mod backup;
mod care;
mod connect;
mod memories;
mod migrate;
mod originals;
mod postings;
mod readers;
mod runs;
mod savings;
mod transfer;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use tokio::sync::{OnceCell, mpsc};

use readers::Readers;
use writer::Writer;

use super::{
    Added, Alike, BackupInfo, Change, Created, Event, Finding, Forgotten, Holders, Matches, Meaning, Memory,
    MemoryFilter, NewMemory, NewOriginal, Original, OriginalInfo, OriginalLimits, Purge, Purged, Put, Restored, Run,
    RunFilter, SavingRow, Step, Store, StoreError, StoreStatus,
};
use crate::base::{Handle, MemoryId, RunId, Timestamp};
use crate::embed::Embeddings;

/// Keeps everything in one file.
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    follower: Arc<memories::Follower>,
    /// What answers while there is no file: most projects have nothing of the user's own.
    empty: Arc<Mutex<Option<Connection>>>,
    /// Set when the file is there with the present schema.
    made: OnceCell<()>,
    limits: OriginalLimits,
    /// Its model is the one whose vectors count; they are made elsewhere.
    embeddings: Arc<Embeddings>,
}

impl SqliteStore {
    /// Returns the store in the file at `path`. The file is made or migrated at the first use.
    pub fn new(path: PathBuf) -> Self {
        Self {
            writer: Writer::start(path.clone()),
            readers: Readers::new(path.clone()),
            path,
            follower: Arc::default(),
            empty: Arc::default(),
            made: OnceCell::new(),
            limits: OriginalLimits::default(),
            embeddings: Arc::default(),
        }
    }

    /// Returns the store whose vectors are those of this model.
    #[must_use]
    pub fn with(self, embeddings: Arc<Embeddings>) -> Self {
        Self { embeddings, ..self }
    }

    /// Returns the store with these limits to its originals.
    #[must_use]
    pub fn within(self, limits: OriginalLimits) -> Self {
        Self { limits, ..self }
    }

    async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if !self.made.initialized() && !self.path.exists() {
            // A question makes no folder: the answer is that of an empty store, which is made once.
            let kept = self.empty.clone();
            let ask = move || {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let empty = match kept.take() {
                    Some(empty) => empty,
                    None => connect::empty()?,
                };
                work(kept.insert(empty)).doing(doing)
            };
            return tokio::task::spawn_blocking(ask).await.expect("a question to an empty store does not panic");
        }
        // The writer opens the file, and with it makes or migrates it, before it runs anything.
        self.made.get_or_try_init(|| self.writer.open()).await?;
        self.readers
            .read(move |connection| {
                // One snapshot for everything that `work` asks.
                let transaction = connection.transaction().doing(doing)?;
                work(&transaction).doing(doing)
            })
            .await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn add_memories(&self, memories: Vec<NewMemory>) -> Result<Vec<Added>, StoreError> {
        let add = move |connection: &Connection| memories.iter().map(|new| memories::add(connection, new)).collect();
        self.writer.write("adding memories", add).await
    }

    async fn memories(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
        let ids = ids.to_vec();
        let find = move |connection: &Connection| {
            ids.iter().filter_map(|id| memories::by_id(connection, id).transpose()).collect()
        };
        self.read("reading memories", find).await
    }

    async fn ids_ending(&self, end: &str) -> Result<Vec<MemoryId>, StoreError> {
        let end = end.to_owned();
        self.read("looking for a memory", move |connection| care::ids_ending(connection, &end)).await
    }

    async fn replaced_by(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
        let ids = ids.to_vec();
        let find = move |connection: &Connection| {
            let lists = ids.iter().map(|id| memories::replaced_by(connection, id));
            Ok(lists.collect::<rusqlite::Result<Vec<_>>>()?.concat())
        };
        self.read("reading what memories replaced", find).await
    }

    async fn list_memories(
        &self,
        filter: &MemoryFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Memory>, StoreError> {
        let (filter, follower, embeddings) = (filter.clone(), self.follower.clone(), self.embeddings.clone());
        let list = move |connection: &Connection| {
            let index = follower.catch_up(connection, embeddings.model())?;
            let ids = index.newest(&filter, limit, offset).into_iter().map(|number| index.entry(number).id());
            ids.filter_map(|id| memories::by_id(connection, &id).transpose()).collect()
        };
        self.read("listing memories", list).await
    }

    async fn memories_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Memory)>, StoreError> {
        self.read("reading all memories", move |connection| transfer::after(connection, after, limit)).await
    }

    async fn all_memories(&self, page: usize, pages: mpsc::Sender<Vec<Memory>>) -> Result<(), StoreError> {
        self.read("reading all memories", move |connection| {
            let mut last = 0;
            loop {
                let found = transfer::after(connection, last, page)?;
                let Some((number, _)) = found.last() else { return Ok(()) };
                last = *number;
                if pages.blocking_send(found.into_iter().map(|(_, memory)| memory).collect()).is_err() {
                    return Ok(());
                }
            }
        })
        .await
    }

    async fn alike(&self, memories: &[NewMemory]) -> Result<Vec<Alike>, StoreError> {
        let memories = memories.to_vec();
        let find = move |connection: &Connection| memories.iter().map(|new| transfer::alike(connection, new)).collect();
        self.read("looking for duplicates", find).await
    }

    async fn put_memories(&self, memories: Vec<Put>) -> Result<Vec<bool>, StoreError> {
        let put = move |connection: &Connection| memories.iter().map(|put| transfer::put(connection, put)).collect();
        self.writer.write("putting memories in", put).await
    }

    async fn match_terms(&self, terms: &[String], filter: &MemoryFilter) -> Result<Matches, StoreError> {
        let (terms, filter, follower) = (terms.to_vec(), filter.clone(), self.follower.clone());
        let embeddings = self.embeddings.clone();
        let find = move |connection: &Connection| {
            let index = follower.catch_up(connection, embeddings.model())?;
            Ok(index.matches(&filter, postings::of(connection, &terms, usize::MAX)?))
        };
        self.read("searching memories", find).await
    }

    async fn match_rare_terms(
        &self,
        terms: &[String],
        most: usize,
        filter: &MemoryFilter,
    ) -> Result<Holders, StoreError> {
        let (terms, filter, follower) = (terms.to_vec(), filter.clone(), self.follower.clone());
        let embeddings = self.embeddings.clone();
        let find = move |connection: &Connection| {
            let index = follower.catch_up(connection, embeddings.model())?;
            Ok(index.holders(&filter, postings::of(connection, &terms, most)?))
        };
        self.read("searching memories", find).await
    }

    async fn session(&self, session_id: &str, from: i64, to: i64) -> Result<Vec<Memory>, StoreError> {
        let session_id = session_id.to_owned();
        self.read("reading a session", move |connection| memories::session(connection, &session_id, from, to)).await
    }

    async fn supersede(&self, old: &MemoryId, new: NewMemory) -> Result<Option<Memory>, StoreError> {
        let old = old.clone();
        self.writer.write("superseding a memory", move |connection| memories::supersede(connection, &old, &new)).await
    }

    async fn change_memory(&self, id: &MemoryId, change: Change) -> Result<Option<Memory>, StoreError> {
        let id = id.clone();
        self.writer.write("changing a memory", move |connection| memories::change(connection, &id, &change)).await
    }

    async fn forget(&self, ids: &[MemoryId], purge: bool, at: Timestamp) -> Result<Vec<Forgotten>, StoreError> {
        let ids = ids.to_vec();
        let forget = move |connection: &Connection| memories::forget(connection, &ids, purge, at);
        if purge {
            let (mut gone, emptied) = self.writer.write_and_empty_log("purging memories", forget).await?;
            gone.iter_mut().for_each(|one| one.purged &= emptied);
            Ok(gone)
        } else {
            self.writer.write("forgetting memories", forget).await
        }
    }

    fn copies(&self) -> Vec<PathBuf> {
        let mut copies = migrate::backups(&self.path);
        copies.extend(backup::elsewhere(&self.path));
        copies
    }

    async fn back_up(&self, target: Option<&Path>, at: Timestamp) -> Result<BackupInfo, StoreError> {
        let (path, target) = (self.path.clone(), target.map(Path::to_owned));
        blocking(move || backup::back_up(&path, target.as_deref(), at)).await
    }

    async fn restore(&self, from: &Path, at: Timestamp, replace_damaged: bool) -> Result<Restored, StoreError> {
        let (path, from) = (self.path.clone(), from.to_owned());
        blocking(move || backup::restore(&path, &from, at, replace_damaged)).await
    }

    async fn examine(&self, mend: bool) -> Result<Vec<Finding>, StoreError> {
        const DOING: &str = "examining the store";
        if mend && (self.made.initialized() || self.path.exists()) {
            return self.writer.write(DOING, |connection| care::examine(connection, true)).await;
        }
        self.read(DOING, |connection| care::examine(connection, false)).await
    }

    async fn without_meaning(&self, limit: usize) -> Result<Vec<(MemoryId, String)>, StoreError> {
        let embeddings = self.embeddings.clone();
        let find = move |connection: &Connection| care::without_meaning(connection, embeddings.model(), limit);
        self.read("looking for memories without a vector", find).await
    }

    async fn put_meanings(&self, meanings: Vec<(MemoryId, Meaning)>) -> Result<(), StoreError> {
        self.writer.write("keeping vectors", move |connection| care::put_meanings(connection, &meanings)).await
    }

    async fn stored_memories(&self, after: Option<&MemoryId>, limit: usize) -> Result<Vec<Memory>, StoreError> {
        let after = after.cloned();
        self.read("reading all memories", move |connection| care::stored(connection, after.as_ref(), limit)).await
    }

    async fn rewrite_memories(&self, memories: Vec<NewMemory>) -> Result<bool, StoreError> {
        let rewrite =
            move |connection: &Connection| memories.iter().try_for_each(|new| care::rewrite(connection, new).map(drop));
        Ok(self.writer.write_and_empty_log("rewriting memories", rewrite).await?.1)
    }

    async fn merge_memories(
        &self,
        pairs: Vec<(MemoryId, MemoryId)>,
        at: Timestamp,
    ) -> Result<Vec<MemoryId>, StoreError> {
        self.writer.write("merging memories", move |connection| care::merge(connection, &pairs, at)).await
    }

    async fn note_uses(&self, uses: Vec<(MemoryId, Timestamp)>) -> Result<(), StoreError> {
        self.writer.write("noting what was recalled", move |connection| care::note_uses(connection, &uses)).await
    }

    async fn used_since(&self, since: Timestamp) -> Result<Vec<MemoryId>, StoreError> {
        self.read("reading what was recalled", move |connection| care::used_since(connection, since)).await
    }

    async fn unmerge_memories(&self, ids: Vec<MemoryId>, at: Timestamp) -> Result<Vec<MemoryId>, StoreError> {
        self.writer.write("parting memories", move |connection| care::unmerge(connection, &ids, at)).await
    }

    async fn put_original(&self, original: NewOriginal) -> Result<Handle, StoreError> {
        let limits = self.limits;
        self.writer.write("keeping an original", move |connection| originals::put(connection, &original, &limits)).await
    }

    async fn original(&self, handle: &Handle) -> Result<Option<Original>, StoreError> {
        let handle = handle.clone();
        self.read("reading an original", move |connection| originals::get(connection, &handle)).await
    }

    async fn original_info(&self, handle: &Handle) -> Result<Option<OriginalInfo>, StoreError> {
        let handle = handle.clone();
        self.read("reading about an original", move |connection| originals::info(connection, &handle)).await
    }

    async fn originals(&self, limit: usize) -> Result<Vec<OriginalInfo>, StoreError> {
        self.read("listing originals", move |connection| originals::list(connection, limit)).await
    }

    async fn touch_original(&self, handle: &Handle, at: Timestamp) -> Result<bool, StoreError> {
        const DOING: &str = "noting the use of an original";
        let asked = handle.clone();
        let Some(noted) = self.read(DOING, move |connection| originals::used_at(connection, &asked)).await? else {
            return Ok(false);
        };
        if super::is_worth_noting(noted, at) {
            let handle = handle.clone();
            self.writer.write(DOING, move |connection| originals::touch(connection, &handle, at)).await?;
        }
        Ok(true)
    }

    async fn purge_originals(&self, which: Purge, at: Timestamp) -> Result<Purged, StoreError> {
        if !self.made.initialized() && !self.path.exists() {
            return Ok(Purged { originals: Vec::new(), traceless: true });
        }
        let purge = move |connection: &Connection| originals::purge(connection, &which, at);
        let (originals, traceless) = self.writer.write_and_empty_log("purging originals", purge).await?;
        Ok(Purged { originals, traceless })
    }

    async fn add_savings(&self, rows: Vec<SavingRow>) -> Result<(), StoreError> {
        let is_new = !self.made.initialized() && !self.path.exists();
        if is_new && rows.iter().all(|row| row.before == row.after) {
            return Ok(());
        }
        self.writer.write("adding up what was saved", move |connection| savings::add(connection, &rows)).await
    }

    async fn savings(&self, since: Date) -> Result<Vec<SavingRow>, StoreError> {
        self.read("reading what was saved", move |connection| savings::list(connection, since)).await
    }

    async fn create_run(&self, run: Run, steps: Vec<Step>) -> Result<Created, StoreError> {
        self.writer.write("recording a run", move |connection| runs::create(connection, &run, &steps)).await
    }

    async fn save_run(&self, run: &Run) -> Result<(), StoreError> {
        let run = run.clone();
        self.writer.write("saving a run", move |connection| runs::save(connection, &run)).await
    }

    async fn save_step(&self, step: &Step) -> Result<(), StoreError> {
        let step = step.clone();
        self.writer.write("saving a step", move |connection| runs::save_step(connection, &step)).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let id = id.clone();
        self.read("reading a run", move |connection| runs::get(connection, &id)).await
    }

    async fn steps(&self, run: &RunId) -> Result<Vec<Step>, StoreError> {
        let run = run.clone();
        self.read("reading steps", move |connection| runs::steps(connection, &run)).await
    }

    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
        let filter = filter.clone();
        self.read("listing runs", move |connection| runs::list(connection, &filter, limit)).await
    }

    async fn renew_lease(&self, run: &RunId, owner: &str, until: Timestamp) -> Result<(), StoreError> {
        let (run, owner) = (run.clone(), owner.to_owned());
        self.writer.write("renewing a lease", move |connection| runs::renew(connection, &run, &owner, until)).await
    }

    async fn interrupt_abandoned(&self, now: Timestamp, gone: &[String]) -> Result<Vec<RunId>, StoreError> {
        let gone = gone.to_vec();
        self.writer.write("marking abandoned runs", move |connection| runs::interrupt(connection, now, &gone)).await
    }

    async fn request_cancel(&self, run: &RunId, at: Timestamp) -> Result<(), StoreError> {
        let run = run.clone();
        self.writer.write("asking for a cancel", move |connection| runs::request_cancel(connection, &run, at)).await
    }

    async fn add_event(&self, event: Event) -> Result<(), StoreError> {
        self.writer.write("adding an event", move |connection| runs::add_event(connection, &event)).await
    }

    async fn events(&self, run: &RunId, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let run = run.clone();
        self.read("reading events", move |connection| runs::events(connection, &run, after, limit)).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let (follower, path, embeddings) = (self.follower.clone(), self.path.clone(), self.embeddings.clone());
        let status = move |connection: &Connection| {
            let count =
                |table| connection.query_one(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
            let (originals, originals_bytes) = originals::sum(connection)?;
            Ok(StoreStatus {
                backend: "sqlite",
                schema_version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
                memories: follower.catch_up(connection, embeddings.model())?.current() as u64,
                embeddings: count("meanings")?.unsigned_abs(),
                originals,
                originals_bytes,
                runs: count("runs")?.unsigned_abs(),
                bytes: std::fs::metadata(&path).map_or(0, |data| data.len()),
                location: path.display().to_string(),
            })
        };
        self.read("reading the status", status).await
    }
}

/// Runs work that waits for the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(StoreError::Closed),
    }
}

/// Says what was being done when the database refused.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing, source: Box::new(source) })
    }
}

/// The microseconds as which the file keeps a time.
fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

fn from_micros(column: usize, value: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Reads a column as an identifier or a name.
fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Reads a column as one of an enum's words.
fn word<T>(row: &Row<'_>, column: usize, of_word: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    of_word(text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unknown word {text:?}").into())
    })
}
