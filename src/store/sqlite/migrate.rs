//! Brings the schema up to date, forwards only.
//!
//! All of it happens in one immediate transaction: of several processes that find the same old
//! file, one migrates and the others wait and find it done. A file that held something is copied
//! first, while the lock keeps it still.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Doing, connect};
use crate::store::StoreError;

/// The schema's steps; the version of a file is how many of them it has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_originals.sql"),
    include_str!("../migrations/0003_savings.sql"),
    include_str!("../migrations/0004_meanings.sql"),
    include_str!("../migrations/0005_uses.sql"),
    include_str!("../migrations/0006_replaced.sql"),
];

/// Brings the file at `path` up to date, with a backup of what was there before.
pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    migrate_with(connection, path, migrations, &|found| back_up(path, found))
}

/// Brings a copy up to date, of which nobody needs a backup.
pub(super) fn migrate_copy(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_with(connection, Path::new("the copy"), MIGRATIONS, &|_| Ok(()))
}

fn migrate_with(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    back_up: &dyn Fn(i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let known = migrations.len() as i64;
    if version(connection)? == known {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .doing("waiting for the right to migrate")?;
    let found = version(&transaction)?;
    if found > known {
        return Err(StoreError::TooNew { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        back_up(found)?;
    }
    for migration in migrations.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration).doing("migrating the schema")?;
    }
    transaction.pragma_update(None, "user_version", known).doing("migrating the schema")?;
    transaction.commit().doing("committing the migration")
}

/// Returns the schema version of a file; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).doing("reading the schema version")
}

/// Where the file's state of `version` is kept when a later version takes over.
pub(super) fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".v{version}.backup"));
    path.with_file_name(name)
}

/// Copies the file as it was committed last. The copy appears under its name when it is complete.
fn back_up(path: &Path, version: i64) -> Result<(), StoreError> {
    const DOING: &str = "backing up before a migration";
    let target = backup_path(path, version);
    let unfinished = target.with_extension("unfinished");
    let file_failed = |source| StoreError::Folder { path: unfinished.clone(), source };
    // What a process that died left behind; ours is the only one now, because we hold the lock.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(file_failed(error)),
        _ => connect::private_file(&unfinished).map_err(file_failed)?,
    }
    let source = connect::reader(path)?;
    #[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
    let mut copy = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE).doing(DOING)?;
    Backup::new(&source, &mut copy)
        .and_then(|backup| backup.run_to_completion(1_000, Duration::ZERO, None))
        .doing(DOING)?;
    copy.close().map_err(|(_, error)| error).doing(DOING)?;
    std::fs::File::open(&unfinished).and_then(|file| file.sync_all()).map_err(file_failed)?;
    std::fs::rename(&unfinished, &target).map_err(file_failed)
}

/// Returns the copies of the file at `path` that lie beside it: from before migrations, from before a
/// restore with the log of a damaged one, and those that somebody asked for.
pub(super) fn backups(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder_of(path)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|file| is_copy(path, file)).collect();
    found.sort();
    found
}

/// Whether a file is, or would be, one of [`backups`].
pub(super) fn is_beside(path: &Path, file: &Path) -> bool {
    let folders = (folder_of(path).canonicalize(), folder_of(file).canonicalize());
    is_copy(path, file) && matches!(folders, (Ok(one), Ok(other)) if one == other)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file has the name of a copy of the one at `path`, or of the log of a copy.
fn is_copy(path: &Path, file: &Path) -> bool {
    let name = |file: &Path| file.file_name().and_then(|name| name.to_str()).unwrap_or("").to_owned();
    let (own, name) = (name(path), name(file));
    let name = ["-wal", "-shm", "-journal"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
    !own.is_empty()
        && name
            .strip_prefix(&own)
            .is_some_and(|rest| rest.starts_with('.') && (rest.ends_with(".backup") || rest.ends_with(".unfinished")))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('kept');";
    const SECOND: &str = "ALTER TABLE things ADD COLUMN size INTEGER NOT NULL DEFAULT 7;";

    fn open(path: &Path) -> Connection {
        Connection::open(path).expect("a connection")
    }

    #[test]
    fn a_migration_keeps_the_content_and_a_backup_of_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.db");
        let mut connection = open(&path);
        connection.pragma_update(None, "journal_mode", "wal").expect("a log");
        migrate(&mut connection, &path, &[FIRST]).expect("migrated");
        assert!(!backup_path(&path, 0).exists(), "an empty file needs no backup");
        migrate(&mut connection, &path, &[FIRST, SECOND]).expect("migrated");
        let size: i64 = connection.query_one("SELECT size FROM things", [], |row| row.get(0)).expect("a row");
        assert_eq!((size, version(&connection).expect("a version")), (7, 2));

        let backup = Connection::open(backup_path(&path, 1)).expect("a backup");
        let name: String = backup.query_one("SELECT name FROM things", [], |row| row.get(0)).expect("a row");
        assert_eq!((name.as_str(), version(&backup).expect("a version")), ("kept", 1));
        assert!(backup.prepare("SELECT size FROM things").is_err());
        // Its log is there for as long as somebody has it open.
        drop(backup);
        assert_eq!(backups(&path), [backup_path(&path, 1)]);
    }

    #[test]
    fn a_failed_migration_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.db");
        let mut connection = open(&path);
        migrate(&mut connection, &path, &[FIRST]).expect("migrated");
        migrate(&mut connection, &path, &[FIRST, SECOND, "CREATE NONSENSE"]).expect_err("nonsense");
        assert_eq!(version(&connection).expect("a version"), 1);
        assert!(connection.prepare("SELECT size FROM things").is_err());
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("memory.db");
        let mut connection = open(&path);
        migrate(&mut connection, &path, &[FIRST, SECOND]).expect("migrated");
        let error = migrate(&mut connection, &path, &[FIRST]).expect_err("too new");
        assert!(matches!(error, StoreError::TooNew { found: 2, known: 1, .. }), "{error}");
    }
}
