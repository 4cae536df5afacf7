//! The folder, the file and the connections.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Doing, migrate};
use crate::store::StoreError;

/// How long a connection waits for another process before it gives up: less than half of the lease
/// by which a run shows that its owner lives, so that waiting once does not let it lapse.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(8);

/// How long it waits while a backup is put back: copying and checking a large store takes its time, and
/// whoever gave up would lose what it was to write.
const RESTORE_MAX: Duration = Duration::from_secs(300);

/// What stands in the name of the file from which a store is being restored.
pub(super) const RESTORING: &str = ".restoring";

/// Opens the writing connection: makes folder and file where they are missing and brings the
/// schema up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    prepare_folder(path)?;
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    use_log(&connection).doing("switching to a write-ahead log")?;
    // FULL makes an acknowledged write survive the power supply as well. `secure_delete` overwrites
    // what is removed, so that a purged text leaves no trace.
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;")
        .doing("setting up the connection")?;
    migrate::migrate(&mut connection, path, migrate::MIGRATIONS)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    // Not SQLITE_OPEN_READ_ONLY: a reader may have to recover the log of a process that died.
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("PRAGMA query_only = ON;").doing("setting up the connection")?;
    Ok(connection)
}

/// Opens an empty database in memory, which answers in place of a file that is not there yet.
pub(super) fn empty() -> Result<Connection, StoreError> {
    #[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
    let mut connection = Connection::open_in_memory().doing("opening an empty database")?;
    migrate::migrate(&mut connection, Path::new(":memory:"), migrate::MIGRATIONS)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
    let mut connection = Connection::open_with_flags(path, flags).doing("opening the database")?;
    wait_at_most(&mut connection, BUSY_MAX).doing("setting up the connection")?;
    // Without it a statement is compiled anew for each value that is bound to it, in case that the value
    // changes the plan; ours do not, and compiling was a fifth of a recall.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).doing("setting up the connection")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Sets how long a connection waits for other processes.
pub(super) fn wait_at_most(connection: &mut Connection, longest: Duration) -> rusqlite::Result<()> {
    // SQLite's own handler sleeps up to a tenth of a second at a time, which lets one busy process
    // starve another; short sleeps share the lock more evenly.
    let mut waited = Duration::ZERO;
    let file = connection.path().map(PathBuf::from);
    let wait = move |tries: i32| {
        if tries == 0 {
            waited = Duration::ZERO;
        }
        let nap = Duration::from_millis(u64::from(tries.unsigned_abs()).clamp(1, 10));
        std::thread::sleep(nap);
        waited += nap;
        waited < longest || (waited < RESTORE_MAX && file.as_deref().is_some_and(is_being_restored))
    };
    connection.busy_handler(Some(wait))
}

/// Whether another process restores the store at `path`; one that died while it did so counts until its
/// file is old.
fn is_being_restored(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let begin = format!("{name}{RESTORING}.");
    let files = path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    files.into_iter().any(|file| {
        let is_recent = || {
            file.metadata()
                .and_then(|data| data.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age < RESTORE_MAX))
        };
        file.file_name().to_str().is_some_and(|name| name.starts_with(&begin)) && is_recent()
    })
}

/// Switches to a write-ahead log, for which SQLite does not call the busy handler when another
/// process switches at the same moment.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let nap = Duration::from_millis(10);
    for _ in 0..BUSY_MAX.as_millis() / nap.as_millis() {
        match connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0)) {
            Err(error) if is_busy(&error) => std::thread::sleep(nap),
            other => return other.map(drop),
        }
    }
    connection.pragma_update(None, "journal_mode", "wal")
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// Makes the folder, and the file, private; SQLite gives its log the permissions of the file.
fn prepare_folder(path: &Path) -> Result<(), StoreError> {
    prepare_folder_of(path)?;
    if !path.exists() {
        private_file(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// Makes the folder of a store, private and unseen by git; those above it are ordinary ones.
pub(super) fn prepare_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| StoreError::Folder { path: folder.to_owned(), source };
    let is_new = !folder.is_dir();
    if is_new {
        create_folder(folder).map_err(failed)?;
    }
    // A folder that somebody else made may hold more than data: only ours is hidden.
    if is_new || folder.ends_with(".claude/data") {
        match fs::OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore")) {
            Ok(mut file) => file.write_all(b"*\n").map_err(failed)?,
            Err(error) if !is_new || error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Makes a file that only its owner can read, and leaves one that is there.
pub(super) fn private_file(path: &Path) -> io::Result<()> {
    private(fs::OpenOptions::new().create(true).truncate(false), path)
}

/// Makes such a file under a name that must not be there.
pub(super) fn new_private_file(path: &Path) -> io::Result<()> {
    private(fs::OpenOptions::new().create_new(true), path)
}

fn private(options: &mut fs::OpenOptions, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.write(true).open(path).map(drop)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    // Another process may have made it in the meantime.
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_waits_for_a_restore_but_not_for_anybody_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.db");
        let (holder, mut waiting) = (writer(&path).expect("opened"), writer(&path).expect("opened"));
        wait_at_most(&mut waiting, Duration::from_millis(20)).expect("set");
        holder.execute_batch("BEGIN IMMEDIATE").expect("begun");
        assert!(is_busy(&waiting.execute_batch("BEGIN IMMEDIATE").expect_err("it is held")));
        fs::write(folder.path().join("memory.db.restoring.1-0.unfinished"), "").expect("written");
        let release = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            holder.execute_batch("COMMIT").expect("committed");
        });
        waiting.execute_batch("BEGIN IMMEDIATE; COMMIT").expect("it was waited for");
        release.join().expect("released");
    }
}
