//! Copies of the whole file, made and put back while others use it.
//!
//! A copy is one snapshot. It is checked (pages, schema version, rows of every table) before it gets
//! its name, so a file with a backup's name is whole. Putting one back writes over the content of
//! the present file in one transaction instead of replacing the file, so that other processes go on
//! with what is there afterwards. The copy that is kept of the present file is made within that
//! transaction, so that no write falls between the two. Only a present file that is damaged cannot
//! be written over; one that is merely held, or for whose copy there is no room, is not damaged.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Doing, connect, migrate};
use crate::base::Timestamp;
use crate::store::{BackupInfo, Restored, StoreError};

/// How many pages are copied before others get a turn.
const PAGES: std::ffi::c_int = 1_000;
/// How long a copy waits for those who hold the file.
const HELD_MAX: Duration = Duration::from_secs(30);
/// The tables without which a file is not one of ours.
const OURS: &[&str] = &["memories", "texts", "words"];
/// Why a copy does not get the name that was asked for.
const TAKEN: &str = "there is a file of that name already; name another, or remove it";

/// Copies the store at `path` to `target`, which must not be there yet; without a target, to a name
/// beside it that tells the time.
pub(super) fn back_up(path: &Path, target: Option<&Path>, at: Timestamp) -> Result<BackupInfo, StoreError> {
    if !path.exists() {
        return Err(refused(path, "nothing was stored there yet, so there is nothing to back up"));
    }
    let done = match target {
        Some(target) => {
            let target = std::path::absolute(target).map_err(|source| folder(target, source))?;
            if target.exists() {
                return Err(refused(&target, TAKEN));
            }
            copy_checked(path, std::iter::once(target))
        }
        None => copy_checked(path, beside(path, "", at)),
    };
    done.map_err(Unkept::into_error)
}

/// Puts the content of the backup `from` in the place of what is at `path`, of which a backup is
/// kept.
pub(super) fn restore(path: &Path, from: &Path, at: Timestamp, replace_damaged: bool) -> Result<Restored, StoreError> {
    if same_file(path, from) {
        return Err(refused(from, "this is the store itself"));
    }
    connect::prepare_folder_of(path)?;
    let incoming = Unfinished::of(&suffixed(path, connect::RESTORING))?;
    let (found, rows) = incoming.take(from)?;
    // What is purged here afterwards is still in there.
    note(path, from)?;
    let kept = match write_over(&incoming.0, path, at) {
        Ok(kept) => kept,
        Err(Unkept::Other(error)) => return Err(error),
        Err(Unkept::Damaged(error)) if !replace_damaged => {
            return Err(refused(
                path,
                &format!(
                    "the present file is damaged ({error}), so it has to be replaced and not written over: stop every \
                     ctx of this project, editors and assistants included, and restore again with --replace-damaged"
                ),
            ));
        }
        Err(Unkept::Damaged(_)) => Some(replace(&incoming.0, path, at)?),
    };
    let bytes = fs::metadata(path).map_or(0, |data| data.len());
    Ok(Restored { from: BackupInfo { path: from.to_owned(), bytes, schema_version: found, rows }, kept })
}

/// Returns the copies in places of the user's choice, made there or restored from there, that are
/// still there.
pub(super) fn elsewhere(path: &Path) -> Vec<PathBuf> {
    let Ok(file) = File::open(notes(path)) else { return Vec::new() };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let mut found: Vec<PathBuf> =
        lines.filter_map(|line| serde_json::from_str(&line).ok()).filter(|file: &PathBuf| file.exists()).collect();
    found.sort();
    found.dedup();
    found
}

/// Why a copy of the store could not be made.
enum Unkept {
    /// The store's own pages are damaged, so that there is nothing to copy or to write over.
    Damaged(StoreError),
    /// Anything else, such as a full disk or a process that holds the file: the store may be whole.
    Other(StoreError),
}

impl Unkept {
    fn into_error(self) -> StoreError {
        let (Self::Damaged(error) | Self::Other(error)) = self;
        error
    }
}

impl From<StoreError> for Unkept {
    fn from(error: StoreError) -> Self {
        let is_damage = matches!(&error, StoreError::Database { source, .. }
            if source.downcast_ref::<rusqlite::Error>().is_some_and(is_damage));
        if is_damage { Self::Damaged(error) } else { Self::Other(error) }
    }
}

/// A private file that is being made, under a name that no other process uses; gone with this value
/// unless it got another name.
struct Unfinished(PathBuf);

impl Unfinished {
    /// Makes an empty one beside `target`.
    fn of(target: &Path) -> Result<Self, StoreError> {
        let process = std::process::id();
        for number in 0_u32.. {
            let name = suffixed(target, &format!(".{process}-{number}.unfinished"));
            match connect::new_private_file(&name) {
                Ok(()) => return Ok(Self(name)),
                // Another thread's, or of a process that died and had the same number.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(folder(&name, error)),
            }
        }
        Err(refused(target, "there are too many unfinished copies beside it; remove them"))
    }

    /// Copies, checks and migrates; returns the version of the backup and the rows of every table.
    fn take(&self, from: &Path) -> Result<(i64, Vec<(String, u64)>), StoreError> {
        const DOING: &str = "reading the backup";
        let damaged = |reason: String| refused(from, &format!("it cannot be restored: {reason}"));
        if !from.is_file() {
            return Err(refused(from, "there is no such file"));
        }
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
        if let Some(reason) = check_pages(&copy).doing(DOING)? {
            return Err(damaged(reason));
        }
        migrate::migrate_copy(&mut copy)?;
        let rows = count_rows(&copy).doing(DOING)?;
        Ok((found, rows))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It was renamed, or was never made, or is of no use to anybody.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes the content of the file `incoming` over that of `path`, in one transaction, and returns the
/// copy of what was there.
fn write_over(incoming: &Path, path: &Path, at: Timestamp) -> Result<Option<PathBuf>, Unkept> {
    const DOING: &str = "restoring";
    let was_there = path.exists();
    let source = open(incoming).doing(DOING)?;
    // Makes sure of the schema as well: what is written over has to be ours.
    let mut target = connect::writer(path)?;
    let backup = Backup::new(&source, &mut target).doing(DOING)?;
    // Takes the right to write, and no page yet. What others commit comes before this, and is in the
    // copy that is kept, or waits, and goes into what is restored.
    step(&backup, 0, path)?;
    let kept = if was_there || holds_something(path)? {
        let info = copy_checked(path, beside(path, ".before-restore", at))?;
        let (found, known) = (info.schema_version, migrate::MIGRATIONS.len() as i64);
        if found > known {
            return Err(StoreError::TooNew { path: path.to_owned(), found, known }.into());
        }
        Some(info.path)
    } else {
        None
    };
    while !step(&backup, PAGES, path)? {}
    drop(backup);
    // Not the damage that `--replace-damaged` is for: what was there was whole, and is kept.
    if let Some(reason) = check_pages(&target).doing(DOING)? {
        return Err(Unkept::Other(refused(path, &reason)));
    }
    // Where somebody reads, the log is emptied later.
    let _ = target.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(kept)
}

/// Whether another process stored something in a file that was not there a moment ago.
fn holds_something(path: &Path) -> Result<bool, StoreError> {
    const QUERY: &str = "SELECT EXISTS (SELECT 1 FROM memories) OR EXISTS (SELECT 1 FROM runs) \
                         OR EXISTS (SELECT 1 FROM contents)";
    connect::reader(path)?.query_one(QUERY, [], |row| row.get(0)).doing("restoring")
}

/// Puts a file in the place of a damaged one, which is kept with its log.
fn replace(incoming: &Path, path: &Path, at: Timestamp) -> Result<PathBuf, StoreError> {
    let kept = first_free(path, beside(path, ".damaged", at))?;
    for end in ["-wal", "-shm"] {
        let log = suffixed(path, end);
        if log.exists() {
            fs::rename(&log, suffixed(&kept, end)).map_err(|source| folder(&log, source))?;
        }
    }
    fs::rename(incoming, path).map_err(|source| folder(path, source))?;
    Ok(kept)
}

/// Copies a snapshot of `path`, which gets the first of `names` that is free when it has been checked.
fn copy_checked(path: &Path, names: impl Iterator<Item = PathBuf>) -> Result<BackupInfo, Unkept> {
    const DOING: &str = "backing up";
    let mut names = names.peekable();
    let wanted = names.peek().expect("there is a name to try").clone();
    let unfinished = Unfinished::of(&wanted)?;
    // Before there is anything in it: whoever purges is told of a copy that was never finished, too.
    note(path, &wanted)?;
    note(path, &unfinished.0)?;
    let mut source = connect::reader(path)?;
    let snapshot = source.transaction().doing(DOING)?;
    let schema_version = migrate::version(&snapshot)?;
    let rows = count_rows(&snapshot).doing(DOING)?;
    let mut copy = open(&unfinished.0).doing(DOING)?;
    copy_pages(&snapshot, &mut copy, path)?;
    // Without a log of its own it is one file, and reading it leaves nothing beside it.
    copy.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).doing(DOING)?;
    if let Some(reason) = check_pages(&copy).doing(DOING)? {
        return Err(Unkept::Damaged(refused(path, &reason)));
    }
    if migrate::version(&copy)? != schema_version || count_rows(&copy).doing(DOING)? != rows {
        return Err(refused(&wanted, "the copy is not what was copied; try again").into());
    }
    copy.close().map_err(|(_, error)| error).doing(DOING)?;
    let failed = |source| folder(&wanted, source);
    File::open(&unfinished.0).and_then(|file| file.sync_all()).map_err(failed)?;
    let target = first_free(&unfinished.0, names)?;
    if let Some(parent) = target.parent() {
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    }
    let bytes = fs::metadata(&target).map_err(failed)?.len();
    Ok(BackupInfo { path: target, bytes, schema_version, rows })
}

/// Gives a file the first of `names` that nobody has taken, and returns it.
fn first_free(file: &Path, names: impl Iterator<Item = PathBuf>) -> Result<PathBuf, StoreError> {
    let mut taken = PathBuf::new();
    for name in names {
        match rename_to_new(file, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => taken = name,
            Err(error) => return Err(folder(&name, error)),
        }
    }
    Err(refused(&taken, TAKEN))
}

/// Renames a file to a name that must not be there, which `rename` alone would write over.
fn rename_to_new(file: &Path, name: &Path) -> std::io::Result<()> {
    match fs::hard_link(file, name) {
        Ok(()) => fs::remove_file(file),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links; an empty file holds the name for as long as it takes.
        Err(_) => {
            connect::new_private_file(name)?;
            fs::rename(file, name).inspect_err(|_| {
                // It is empty, and ours; nobody is to take it for a copy.
                let _ = fs::remove_file(name);
            })
        }
    }
}

fn copy_pages(source: &Connection, target: &mut Connection, named: &Path) -> Result<(), StoreError> {
    let backup = Backup::new(source, target).doing("copying the database")?;
    while !step(&backup, PAGES, named)? {}
    Ok(())
}

/// Copies that many pages, once nobody holds the file; whether all have been copied.
fn step(backup: &Backup<'_, '_>, pages: std::ffi::c_int, named: &Path) -> Result<bool, StoreError> {
    let asked = Instant::now();
    loop {
        match backup.step(pages).doing("copying the database")? {
            StepResult::Done => return Ok(true),
            StepResult::More => return Ok(false),
            _ if asked.elapsed() > HELD_MAX => {
                return Err(refused(named, "another process holds it for too long: stop it, or try again"));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Checks that the pages of a file fit together; returns what does not.
pub(super) fn check_pages(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let lines: rusqlite::Result<Vec<String>> = connection
        .prepare("PRAGMA integrity_check(10)")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
    match lines {
        Ok(lines) if lines == ["ok"] => Ok(None),
        Ok(lines) => Ok(Some(format!("its pages do not fit together: {}", lines.join("; ")))),
        Err(error) if is_damage(&error) => Ok(Some(format!("its pages cannot be read: {error}"))),
        Err(error) => Err(error),
    }
}

/// Whether SQLite says that the file itself is at fault.
fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
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

/// The names for a copy beside the store that nothing has yet.
fn beside(path: &Path, why: &str, at: Timestamp) -> impl Iterator<Item = PathBuf> {
    let stamp = at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let named = move |number: u32| {
        let number = if number == 0 { String::new() } else { format!("-{number}") };
        suffixed(path, &format!("{why}.{stamp}{number}.backup"))
    };
    (0..).map(named).filter(|name| !name.exists())
}

/// Notes where a copy is, so that whoever purges a memory is told of it. One beside the store is
/// found without.
fn note(path: &Path, copy: &Path) -> Result<(), StoreError> {
    if migrate::is_beside(path, copy) {
        return Ok(());
    }
    let notes = notes(path);
    let failed = |source| folder(&notes, source);
    let copy = std::path::absolute(copy).map_err(|source| folder(copy, source))?;
    let line = serde_json::to_string(&copy).map_err(|error| refused(&copy, &error.to_string()))?;
    connect::private_file(&notes).map_err(failed)?;
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
