//! The one thread that writes.
//!
//! Writes wait in a bounded queue. The thread takes all that wait, up to a limit, runs each within
//! a savepoint of one transaction, and answers after the commit: one flush to disk serves many
//! writes, and a write that fails takes nothing else with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{Doing, connect};
use crate::store::StoreError;

/// How many writes may wait.
const QUEUE_MAX: usize = 1_024;
/// How many writes share a transaction at most.
const GROUP_MAX: usize = 256;
/// How long emptying the log waits for those who read.
const READERS_MAX: Duration = Duration::from_secs(2);

/// Runs writes one after the other on a thread of its own, which ends with this value.
pub(super) struct Writer {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. The database is opened when the first write arrives.
    pub(super) fn start(path: PathBuf) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let thread =
            std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || run(&path, waiting)).ok();
        Self { queue: Some(queue), thread: Mutex::new(thread) }
    }

    /// Runs `work` in a transaction and returns its result after the commit.
    pub(super) async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.submit(doing, None, work).await
    }

    /// Like [`write`](Self::write), and empties the log after the commit, so that what was removed
    /// is gone from it as well. Returns also whether the log could be emptied.
    pub(super) async fn write_and_empty_log<T, F>(&self, doing: &'static str, work: F) -> Result<(T, bool), StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let emptied = Arc::new(AtomicBool::new(false));
        let done = self.submit(doing, Some(emptied.clone()), work).await?;
        Ok((done, emptied.load(Ordering::Acquire)))
    }

    /// Opens the database, and so makes or migrates it, without writing anything.
    pub(super) async fn open(&self) -> Result<(), StoreError> {
        self.write("opening the database", |_| Ok(())).await
    }

    async fn submit<T, F>(
        &self,
        doing: &'static str,
        emptied: Option<Arc<AtomicBool>>,
        work: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Write { doing, emptied, work: Some(work), done: None, reply };
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Box::new(job)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// A write that waits.
trait Job: Send {
    /// Does the work; whether it succeeded.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Set when the log is to be emptied after the commit; there it is told whether it was.
    fn emptied(&self) -> Option<&AtomicBool>;
    /// Answers after the commit, or with the reason why there was none.
    fn finish(self: Box<Self>, committed: Result<(), &StoreError>);
}

struct Write<T, F> {
    doing: &'static str,
    emptied: Option<Arc<AtomicBool>>,
    work: Option<F>,
    done: Option<rusqlite::Result<T>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let work = self.work.take().expect("a job runs once");
        let done = self.done.insert(work(connection));
        done.is_ok()
    }

    fn emptied(&self) -> Option<&AtomicBool> {
        self.emptied.as_deref()
    }

    fn finish(self: Box<Self>, committed: Result<(), &StoreError>) {
        let Self { doing, done, reply, .. } = *self;
        let result = match (done, committed) {
            (Some(Err(error)), _) => Err(error).doing(doing),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (_, Err(reason)) => Err(repeated(reason)),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // Whoever asked may have stopped waiting; the write stands all the same.
        let _ = reply.send(result);
    }
}

fn run(path: &std::path::Path, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let mut connection = None;
    let mut group = Vec::new();
    while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let opened = match connection.take() {
            Some(connection) => Ok(connection),
            None => connect::writer(path),
        };
        match opened {
            Ok(opened) => {
                let connection = connection.insert(opened);
                run_group(connection, std::mem::take(&mut group));
            }
            Err(error) => {
                group.drain(..).for_each(|job| job.finish(Err(&error)));
            }
        }
    }
}

fn run_group(connection: &mut Connection, mut group: Vec<Box<dyn Job>>) {
    let committed = transact(connection, &mut group).doing("committing");
    if committed.is_ok() && group.iter().any(|job| job.emptied().is_some()) {
        let emptied = empty_log(connection);
        group.iter().filter_map(|job| job.emptied()).for_each(|told| told.store(emptied, Ordering::Release));
    }
    for job in group {
        job.finish(committed.as_ref().copied());
    }
}

/// The same error once more, for the next of those who wait for the same thing.
fn repeated(error: &StoreError) -> StoreError {
    match error {
        StoreError::UnknownBackend { location } => StoreError::UnknownBackend { location: location.clone() },
        StoreError::Folder { path, source } => {
            StoreError::Folder { path: path.clone(), source: std::io::Error::new(source.kind(), source.to_string()) }
        }
        StoreError::TooNew { path, found, known } => {
            StoreError::TooNew { path: path.clone(), found: *found, known: *known }
        }
        StoreError::Database { doing, source } => StoreError::Database { doing, source: source.to_string().into() },
        StoreError::Backup { path, reason } => StoreError::Backup { path: path.clone(), reason: reason.clone() },
        StoreError::Closed => StoreError::Closed,
    }
}

fn transact(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in group {
        let savepoint = transaction.savepoint()?;
        if job.run(&savepoint) {
            savepoint.commit()?;
        } else {
            savepoint.finish()?;
        }
    }
    transaction.commit()
}

/// Moves the log into the file and cuts it to nothing. When another process reads at the moment
/// and does not finish, the log stays until the next checkpoint.
fn empty_log(connection: &mut Connection) -> bool {
    let mut empty = || {
        connect::wait_at_most(connection, READERS_MAX)?;
        connection.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0).map(|busy| busy == 0))
    };
    let done: rusqlite::Result<bool> = empty();
    if let Err(error) = connect::wait_at_most(connection, connect::BUSY_MAX) {
        tracing::warn!(%error, "the waiting time of the connection could not be set");
    }
    let emptied = matches!(done, Ok(true));
    if !emptied {
        tracing::warn!("the write-ahead log could not be emptied after a purge: another process is reading");
    }
    emptied
}
