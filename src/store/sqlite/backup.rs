//! Copies of the whole file, made and put back while others use it.
//!
//! A copy is one snapshot. It is checked (pages, schema version, rows of every table) before it gets
//! its name, so a file with a backup's name is whole. Putting one back writes over the content of
//! the present file in one transaction instead of replacing the file, so that other processes go on
//! with what is there afterwards. Only a present file that is damaged cannot be written over.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Doing, connect, migrate};
use crate::base::Timestamp;
use crate::store::{BackupInfo, Restored, StoreError};

/// How many pages are copied before others get a turn.
const PAGES: std::ffi::c_int = 1_000;
/// How long a copy waits for those who hold the file.
const HELD_MAX: Duration = Duration::from_secs(30);
/// The tables without which a file is not one of ours.
const OURS: &[&str] = &["memories", "texts", "words"];

/// Copies the store at `path` to `target`, which must not be there yet; without a target, to a name
/// beside it that tells the time.
pub(super) fn back_up(path: &Path, target: Option<&Path>, at: Timestamp) -> Result<BackupInfo, StoreError> {
    if !path.exists() {
        return Err(refused(path, "nothing was stored there yet, so there is nothing to back up"));
    }
    let target = match target {
        Some(target) => std::path::absolute(target).map_err(|source| folder(target, source))?,
        None => beside(path, "", at),
    };
    let info = copy_checked(path, &target)?;
    if !migrate::backups(path).contains(&target) {
        note_elsewhere(path, &target)?;
    }
    Ok(info)
}

/// Puts the content of the backup `from` in the place of what is at `path`, of which a backup is
/// kept.
pub(super) fn restore(path: &Path, from: &Path, at: Timestamp, replace_damaged: bool) -> Result<Restored, StoreError> {
    if same_file(path, from) {
        return Err(refused(from, "this is the store itself"));
    }
    connect::prepare_folder_of(path)?;
    let incoming = Incoming(suffixed(path, ".restoring.unfinished"));
    let (found, rows) = incoming.take(from)?;
    let present = if path.exists() { keep_present(path, at) } else { Ok(None) };
    let kept = match present {
        Ok(kept) => {
            overwrite(&incoming.0, path)?;
            kept
        }
        Err(error @ StoreError::TooNew { .. }) => return Err(error),
        Err(error) if !replace_damaged => {
            return Err(refused(
                path,
                &format!(
                    "the present file is damaged ({error}), so it has to be replaced and not written over: stop every \
                     ctx of this project, editors and assistants included, and restore again with --replace-damaged"
                ),
            ));
        }
        Err(_) => Some(replace(&incoming.0, path, at)?),
    };
    let bytes = fs::metadata(path).map_or(0, |data| data.len());
    Ok(Restored { from: BackupInfo { path: from.to_owned(), bytes, schema_version: found, rows }, kept })
}

/// Returns the copies that were made for a place of the user's choice, and are still there.
pub(super) fn elsewhere(path: &Path) -> Vec<PathBuf> {
    let Ok(file) = File::open(notes(path)) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut found: Vec<PathBuf> =
        lines.filter_map(|line| serde_json::from_str(&line).ok()).filter(|file: &PathBuf| file.exists()).collect();
    found.sort();
    found.dedup();
    found
}

/// A copy of the backup, brought up to date beside the store; gone with this value.
struct Incoming(PathBuf);

impl Incoming {
    /// Copies, checks and migrates; returns the version of the backup and the rows of every table.
    fn take(&self, from: &Path) -> Result<(i64, Vec<(String, u64)>), StoreError> {
        const DOING: &str = "reading the backup";
        let damaged = |reason: String| refused(from, &format!("it cannot be restored: {reason}"));
        if !from.is_file() {
            return Err(refused(from, "there is no such file"));
        }
        make_anew(&self.0)?;
        #[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).doing(DOING)?;
        // Whether it is a database at all shows at the first page.
        let found = migrate::version(&source).map_err(|error| damaged(reason_of(&error)))?;
        let known = migrate::MIGRATIONS.len() as i64;
        if found > known {
            return Err(StoreError::TooNew { path: from.to_owned(), found, known });
        }
        let names = tables(&source).map_err(|error| damaged(error.to_string()))?;
        if found == 0 || OURS.iter().any(|name| !names.iter().any(|other| other == name)) {
            return Err(damaged("it is a database, but not one of ctx".to_owned()));
        }
        let mut copy = open(&self.0).doing(DOING)?;
        copy_pages(&source, &mut copy, from)?;
        copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).doing(DOING)?;
        check_pages(&copy).map_err(damaged)?;
        migrate::migrate_copy(&mut copy)?;
        let rows = count_rows(&copy).doing(DOING)?;
        Ok((found, rows))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It was renamed, or was never made, or is of no use to anybody.
        let _ = fs::remove_file(&self.0);
    }
}

/// Keeps what is at `path` under a name that tells why.
fn keep_present(path: &Path, at: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    // Makes sure of the schema as well: what is written over has to be ours.
    connect::writer(path)?;
    let target = beside(path, ".before-restore", at);
    copy_checked(path, &target)?;
    Ok(Some(target))
}

/// Writes the content of one file over that of another, in one transaction.
fn overwrite(incoming: &Path, path: &Path) -> Result<(), StoreError> {
    const DOING: &str = "restoring";
    let source = open(incoming).doing(DOING)?;
    let mut target = connect::writer(path)?;
    copy_pages(&source, &mut target, path)?;
    check_pages(&target).map_err(|reason| refused(path, &reason))?;
    // Where somebody reads, the log is emptied later.
    let _ = target.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(())
}

/// Puts a file in the place of a damaged one, which is kept with its log.
fn replace(incoming: &Path, path: &Path, at: Timestamp) -> Result<PathBuf, StoreError> {
    let kept = beside(path, ".damaged", at);
    fs::rename(path, &kept).map_err(|source| folder(path, source))?;
    for end in ["-wal", "-shm"] {
        let log = suffixed(path, end);
        if log.exists() {
            fs::rename(&log, suffixed(&kept, end)).map_err(|source| folder(&log, source))?;
        }
    }
    fs::rename(incoming, path).map_err(|source| folder(path, source))?;
    Ok(kept)
}

/// Copies a snapshot of `path` to `target`, which gets its name when it has been checked.
fn copy_checked(path: &Path, target: &Path) -> Result<BackupInfo, StoreError> {
    const DOING: &str = "backing up";
    if target.exists() {
        return Err(refused(target, "there is a file of that name already; name another, or remove it"));
    }
    let unfinished = Incoming(suffixed(target, ".unfinished"));
    make_anew(&unfinished.0)?;
    let mut source = connect::reader(path)?;
    let snapshot = source.transaction().doing(DOING)?;
    let schema_version = migrate::version(&snapshot)?;
    let rows = count_rows(&snapshot).doing(DOING)?;
    let mut copy = open(&unfinished.0).doing(DOING)?;
    copy_pages(&snapshot, &mut copy, path)?;
    // Without a log of its own it is one file, and reading it leaves nothing beside it.
    copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).doing(DOING)?;
    check_pages(&copy).map_err(|reason| refused(path, &reason))?;
    if migrate::version(&copy)? != schema_version || count_rows(&copy).doing(DOING)? != rows {
        return Err(refused(target, "the copy is not what was copied; try again"));
    }
    copy.close().map_err(|(_, error)| error).doing(DOING)?;
    let failed = |source| folder(target, source);
    File::open(&unfinished.0).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished.0, target).map_err(failed)?;
    if let Some(parent) = target.parent() {
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    }
    let bytes = fs::metadata(target).map_err(failed)?.len();
    Ok(BackupInfo { path: target.to_owned(), bytes, schema_version, rows })
}

fn copy_pages(source: &Connection, target: &mut Connection, named: &Path) -> Result<(), StoreError> {
    const DOING: &str = "copying the database";
    let backup = Backup::new(source, target).doing(DOING)?;
    let mut held_since = Instant::now();
    loop {
        match backup.step(PAGES).doing(DOING)? {
            StepResult::Done => return Ok(()),
            StepResult::More => held_since = Instant::now(),
            _ if held_since.elapsed() > HELD_MAX => {
                return Err(refused(named, "another process holds it for too long: stop it, or try again"));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Checks that the pages of a file fit together; the error says what does not.
pub(super) fn check_pages(connection: &Connection) -> Result<(), String> {
    let lines: rusqlite::Result<Vec<String>> = connection
        .prepare("PRAGMA integrity_check(10)")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
    match lines {
        Ok(lines) if lines == ["ok"] => Ok(()),
        Ok(lines) => Err(format!("its pages do not fit together: {}", lines.join("; "))),
        Err(error) => Err(format!("its pages cannot be read: {error}")),
    }
}

fn count_rows(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    let count = |name: String| {
        let rows: i64 = connection.query_one(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?;
        Ok((name, rows.unsigned_abs()))
    };
    tables(connection)?.into_iter().filter(|name| name != "places").map(count).collect()
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    #[expect(clippy::disallowed_methods, reason = "this is the room that speaks SQL")]
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Makes an empty private file, in the place of what a process that died may have left.
fn make_anew(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(folder(path, error)),
        _ => connect::private_file(path).map_err(|source| folder(path, source)),
    }
}

/// The name of a copy beside the store, which nothing has yet.
fn beside(path: &Path, why: &str, at: Timestamp) -> PathBuf {
    let stamp = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let named = |number: u32| {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        suffixed(path, &format!("{why}.{stamp}{number}.backup"))
    };
    (0..).map(named).find(|name| !name.exists()).expect("some number is free")
}

/// Notes where a copy is, so that whoever purges a memory is told of it.
fn note_elsewhere(path: &Path, target: &Path) -> Result<(), StoreError> {
    let notes = notes(path);
    let failed = |source| folder(&notes, source);
    connect::private_file(&notes).map_err(failed)?;
    let line = serde_json::to_string(target).map_err(|error| refused(target, &error.to_string()))?;
    let mut file = fs::OpenOptions::new().append(true).open(&notes).map_err(failed)?;
    file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

fn notes(path: &Path) -> PathBuf {
    suffixed(path, ".backups")
}

fn suffixed(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(end);
    path.with_file_name(name)
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn reason_of(error: &StoreError) -> String {
    match error {
        StoreError::Database { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn refused(path: &Path, reason: &str) -> StoreError {
    StoreError::Backup { path: path.to_owned(), reason: reason.to_owned() }
}

fn folder(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Folder { path: path.to_owned(), source }
}
