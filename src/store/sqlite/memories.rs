//! Memories and the index of their terms.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, Rows, ToSql, params};

use super::{from_micros, micros, word};
use crate::base::{MemoryId, Timestamp};
use crate::store::index::{Brief, Index};
use crate::store::{Added, AddedStatus, Change, Forgotten, Meaning, Memory, MemoryKind, NewMemory, Scope};

pub(super) const COLUMNS: &str = "m.number, m.revision, m.id, m.digest, m.kind, m.scope, m.agent, m.tags, m.session_id, m.actor, \
    m.place, m.occurred_at, m.created_at, m.importance, m.pinned, m.expires_at, m.topic_key, m.supersedes, \
    m.superseded_by, m.superseded_at, m.forgotten_at, m.length, m.asks";
pub(super) const TEXT_COLUMNS: &str = "t.text, t.terms, t.source, t.metadata";
/// How long an id is: `mem_` and sixteen characters.
const ID_BYTES: usize = 20;
/// What makes a memory current, whatever its expiry.
pub(super) const CURRENT: &str = "superseded_at IS NULL AND forgotten_at IS NULL";

/// Adds one memory, or finds that it is there.
pub(super) fn add(connection: &Connection, new: &NewMemory) -> rusqlite::Result<Added> {
    if let Some(id) = duplicate_of(connection, new)? {
        return Ok(Added { id, status: AddedStatus::Duplicate });
    }
    let old = match &new.supersedes {
        None => same_topic(connection, new)?,
        Some(named) if is_current(connection, named)? => Some(named.clone()),
        Some(named) => {
            return Ok(Added { id: new.id.clone(), status: AddedStatus::UnknownSuperseded(named.clone()) });
        }
    };
    let place = next_place(connection, new.session_id.as_deref())?;
    insert(connection, new, old.as_ref(), place)?;
    let status = match old {
        None => AddedStatus::Stored,
        Some(old) => {
            mark_superseded(connection, &old, new)?;
            AddedStatus::Superseded(old)
        }
    };
    Ok(Added { id: new.id.clone(), status })
}

/// Puts `new` in the place of `old`.
pub(super) fn supersede(connection: &Connection, old: &MemoryId, new: &NewMemory) -> rusqlite::Result<Option<Memory>> {
    if !is_current(connection, old)? {
        return Ok(None);
    }
    let Some(replaced) = by_id(connection, old)? else { return Ok(None) };
    let place = if replaced.content.session_id == new.session_id {
        replaced.order
    } else {
        next_place(connection, new.session_id.as_deref())?
    };
    insert(connection, new, Some(old), place)?;
    mark_superseded(connection, old, new)?;
    by_id(connection, &new.id)
}

/// Changes what is not text.
pub(super) fn change(connection: &Connection, id: &MemoryId, change: &Change) -> rusqlite::Result<Option<Memory>> {
    let found: Option<(i64, bool)> = connection
        .prepare_cached("SELECT number, forgotten_at IS NOT NULL FROM memories WHERE id = ? AND NOT purged")?
        .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, forgotten)) = found else { return Ok(None) };
    let restore = forgotten && change.restore;
    connection
        .prepare_cached(
            "UPDATE memories SET revision = ?, tags = coalesce(?, tags), importance = coalesce(?, importance), \
             pinned = coalesce(?, pinned), expires_at = iif(?, ?, expires_at), \
             forgotten_at = iif(?, NULL, forgotten_at) WHERE number = ?",
        )?
        .execute(params![
            next_revision(connection)?,
            change.tags.as_deref().map(list),
            change.importance,
            change.pinned,
            change.expires_at.is_some(),
            change.expires_at.flatten().map(micros),
            restore,
            number
        ])?;
    if let Some(metadata) = &change.metadata {
        connection
            .prepare_cached("UPDATE texts SET metadata = ? WHERE number = ?")?
            .execute(params![metadata, number])?;
    }
    if restore {
        connection
            .prepare_cached("INSERT INTO words (rowid, terms) SELECT number, terms FROM texts WHERE number = ?")?
            .execute([number])?;
    }
    by_id(connection, id)
}

/// Forgets memories; those that are unknown, or that lost what they are to lose, are left out.
pub(super) fn forget(
    connection: &Connection,
    ids: &[MemoryId],
    purge: bool,
    at: Timestamp,
) -> rusqlite::Result<Vec<Forgotten>> {
    let mut forgotten = Vec::new();
    for id in ids {
        let found: Option<(i64, bool, bool)> = connection
            .prepare_cached("SELECT number, forgotten_at IS NOT NULL, purged FROM memories WHERE id = ?")?
            .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((number, already, purged)) = found else { continue };
        if purged && purge {
            forgotten.push(Forgotten { id: id.clone(), purged: true });
        }
        if purged || (already && !purge) {
            continue;
        }
        if !already {
            connection
                .prepare_cached(
                    "INSERT INTO words (words, rowid, terms) SELECT 'delete', number, terms FROM texts WHERE number = ?",
                )?
                .execute([number])?;
        }
        connection
            .prepare_cached(
                "UPDATE memories SET revision = ?, forgotten_at = coalesce(forgotten_at, ?) WHERE number = ?",
            )?
            .execute(params![next_revision(connection)?, micros(at), number])?;
        if purge {
            connection
                .prepare_cached(
                    "UPDATE memories SET purged = 1, digest = '', tags = '[]', topic_key = NULL, length = 0, \
                     actor = NULL, session_id = NULL, agent = NULL WHERE number = ?",
                )?
                .execute([number])?;
            connection
                .prepare_cached(
                    "UPDATE texts SET text = '', terms = '', source = NULL, metadata = '{}' WHERE number = ?",
                )?
                .execute([number])?;
            connection.prepare_cached("DELETE FROM meanings WHERE number = ?")?.execute([number])?;
            connection.prepare_cached("DELETE FROM uses WHERE number = ?")?.execute([number])?;
        }
        forgotten.push(Forgotten { id: id.clone(), purged: purge });
    }
    Ok(forgotten)
}

/// Returns a memory.
pub(super) fn by_id(connection: &Connection, id: &MemoryId) -> rusqlite::Result<Option<Memory>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {TEXT_COLUMNS} FROM memories m JOIN texts t USING (number) WHERE m.id = ?"
        ))?
        .query_row([id.as_str()], whole)
        .optional()
}

/// Returns the memories that one took the place of.
pub(super) fn replaced_by(connection: &Connection, id: &MemoryId) -> rusqlite::Result<Vec<Memory>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {TEXT_COLUMNS} FROM memories m JOIN texts t USING (number) \
             WHERE m.superseded_by = ? ORDER BY m.number"
        ))?
        .query_map([id.as_str()], whole)?
        .collect()
}

/// Returns the memories of a session between two places.
pub(super) fn session(connection: &Connection, session_id: &str, from: i64, to: i64) -> rusqlite::Result<Vec<Memory>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {TEXT_COLUMNS} FROM memories m JOIN texts t USING (number) \
             WHERE m.session_id = ? AND m.place BETWEEN ? AND ? ORDER BY m.place, m.number"
        ))?
        .query_map(params![session_id, from, to], whole)?
        .collect()
}

/// Keeps the [`Index`] in step with the file, whichever process writes to it.
#[derive(Default)]
pub(super) struct Follower(Mutex<Followed>);

#[derive(Default)]
struct Followed {
    index: Arc<Index>,
    revision: i64,
    /// SQLite's own number of the schema, which grows when a backup is put in the place of the file.
    schema: i64,
}

impl Follower {
    /// Takes in what changed since the last call and returns the index as of now, with the vectors of
    /// this model.
    pub(super) fn catch_up(&self, connection: &Connection, model: &str) -> rusqlite::Result<Arc<Index>> {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let schema = connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))?;
        if schema != followed.schema {
            *followed = Followed { schema, ..Followed::default() };
        }
        if followed.revision == 0 {
            // Not in the order of changes: half of it would be good for nothing.
            let mut begun = Followed { schema, ..Followed::default() };
            begun.begin(connection, model)?;
            *followed = begun;
        } else {
            followed.go_on(connection, model)?;
        }
        Ok(followed.index.clone())
    }
}

/// What the index takes of a memory.
const BRIEF: &str = "m.number, m.revision, m.id, m.scope, m.kind, m.agent, m.session_id, m.actor, m.created_at, \
    m.superseded_at, m.expires_at, m.forgotten_at IS NOT NULL, m.place, m.occurred_at, m.length, m.importance, m.asks, \
    m.tags";
/// The column after those.
const AFTER_BRIEF: usize = 18;

impl Followed {
    /// Takes in all there is: both tables from front to end, side by side, which is the quickest way.
    fn begin(&mut self, connection: &Connection, model: &str) -> rusqlite::Result<()> {
        let mut meanings =
            connection.prepare_cached("SELECT number, vector FROM meanings WHERE model = ? ORDER BY number")?;
        let mut meanings = meanings.query([model])?;
        let mut vector = Vec::new();
        let mut has_vector = next_vector(&mut meanings, &mut vector)?;
        let mut memories = connection.prepare_cached(&format!("SELECT {BRIEF} FROM memories m ORDER BY m.number"))?;
        let mut memories = memories.query([])?;
        while let Some(row) = memories.next()? {
            let number: i64 = row.get(0)?;
            while has_vector < number {
                has_vector = next_vector(&mut meanings, &mut vector)?;
            }
            self.take(row, (has_vector == number).then_some(vector.as_slice()))?;
        }
        Ok(())
    }

    /// Takes in what changed.
    fn go_on(&mut self, connection: &Connection, model: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {BRIEF}, v.vector FROM memories m LEFT JOIN meanings v ON v.number = m.number AND v.model = ? \
             WHERE m.revision > ? ORDER BY m.revision"
        ))?;
        let mut rows = statement.query(params![model, self.revision])?;
        let mut vector = Vec::new();
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(AFTER_BRIEF)?.as_blob_or_null()?;
            read_vector(bytes.unwrap_or_default(), &mut vector);
            self.take(row, bytes.map(|_| vector.as_slice()))?;
        }
        Ok(())
    }

    /// Takes in a memory: [`BRIEF`], and the vector of what it means.
    fn take(&mut self, row: &Row<'_>, vector: Option<&[i8]>) -> rusqlite::Result<()> {
        let id = row.get_ref(2)?.as_str()?;
        if id.len() != ID_BYTES {
            // Says what is wrong with it.
            parsed(row, 2)?;
        }
        let maybe_text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
        let brief = Brief {
            id,
            scope: word(row, 3, Scope::of_word)?,
            kind: word(row, 4, MemoryKind::of_word)?,
            agent: maybe_text(5)?,
            session: maybe_text(6)?,
            actor: maybe_text(7)?,
            created_at: row.get(8)?,
            superseded_at: row.get(9)?,
            expires_at: row.get(10)?,
            forgotten: row.get(11)?,
            order: row.get(12)?,
            occurred_at: row.get(13)?,
            length: row.get(14)?,
            importance: row.get(15)?,
            asks: row.get(16)?,
        };
        self.revision = self.revision.max(row.get(1)?);
        // Copies parts of the index only while an earlier recall still reads it.
        Arc::make_mut(&mut self.index).put_brief(row.get(0)?, &brief, tags(row, 17)?, vector);
        Ok(())
    }
}

/// Reads the next vector and returns the number of its memory; the last number there is when there is no
/// more.
fn next_vector(meanings: &mut Rows<'_>, vector: &mut Vec<i8>) -> rusqlite::Result<i64> {
    let Some(row) = meanings.next()? else { return Ok(i64::MAX) };
    read_vector(row.get_ref(1)?.as_blob()?, vector);
    row.get(0)
}

fn read_vector(bytes: &[u8], vector: &mut Vec<i8>) {
    vector.clear();
    vector.extend(bytes.iter().map(|byte| byte.cast_signed()));
}

fn duplicate_of(connection: &Connection, new: &NewMemory) -> rusqlite::Result<Option<MemoryId>> {
    connection
        .prepare_cached(&format!(
            "SELECT id FROM memories WHERE digest = ? AND {CURRENT} AND (expires_at IS NULL OR expires_at > ?) LIMIT 1"
        ))?
        .query_row(params![new.digest, micros(new.created_at)], |row| parsed(row, 0))
        .optional()
}

/// The current memory of the same topic: of the same scope, and there of the same session or agent.
pub(super) fn same_topic(connection: &Connection, new: &NewMemory) -> rusqlite::Result<Option<MemoryId>> {
    let Some(topic) = &new.topic_key else { return Ok(None) };
    let session = (new.scope == Scope::Session).then_some(new.session_id.as_deref()).flatten();
    let agent = (new.scope == Scope::Agent).then_some(new.agent.as_deref()).flatten();
    connection
        .prepare_cached(&format!(
            "SELECT id FROM memories WHERE topic_key = ?1 AND scope = ?2 AND {CURRENT} \
             AND (?3 IS NULL OR session_id = ?3) AND (?4 IS NULL OR agent = ?4) ORDER BY number DESC LIMIT 1"
        ))?
        .query_row(params![topic, new.scope.as_str(), session, agent], |row| parsed(row, 0))
        .optional()
}

pub(super) fn is_current(connection: &Connection, id: &MemoryId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(&format!("SELECT count(*) FROM memories WHERE id = ? AND {CURRENT}"))?
        .query_row([id.as_str()], |row| row.get(0))
}

fn next_place(connection: &Connection, session: Option<&str>) -> rusqlite::Result<i64> {
    let Some(session) = session else { return Ok(0) };
    connection
        .prepare_cached("SELECT coalesce(max(place) + 1, 0) FROM memories WHERE session_id = ?")?
        .query_row([session], |row| row.get(0))
}

pub(super) fn next_revision(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(revision) + 1, 1) FROM memories")?.query_row([], |row| row.get(0))
}

pub(super) fn insert(
    connection: &Connection,
    new: &NewMemory,
    old: Option<&MemoryId>,
    place: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO memories (revision, id, digest, kind, scope, agent, tags, session_id, actor, place, \
             occurred_at, created_at, importance, pinned, expires_at, topic_key, supersedes, length, asks) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            next_revision(connection)?,
            new.id.as_str(),
            new.digest,
            new.kind.as_str(),
            new.scope.as_str(),
            new.agent,
            list(&new.tags),
            new.session_id,
            new.actor,
            place,
            micros(new.occurred_at),
            micros(new.created_at),
            new.importance,
            new.pinned,
            new.expires_at.map(micros),
            new.topic_key,
            old.map(MemoryId::as_str),
            new.length,
            new.asks,
        ])?;
    let number = connection.last_insert_rowid();
    if let Some(meaning) = &new.meaning {
        keep_meaning(connection, number, meaning)?;
    }
    let terms = new.terms.join(" ");
    connection
        .prepare_cached("INSERT INTO texts (number, text, terms, source, metadata) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![number, new.text, terms, new.source, new.metadata])?;
    connection.prepare_cached("INSERT INTO words (rowid, terms) VALUES (?, ?)")?.execute(params![number, terms])?;
    Ok(())
}

pub(super) fn keep_meaning(connection: &Connection, number: i64, meaning: &Meaning) -> rusqlite::Result<()> {
    let bytes: Vec<u8> = meaning.vector.iter().map(|number| number.cast_unsigned()).collect();
    connection
        .prepare_cached("INSERT OR REPLACE INTO meanings (number, model, vector) VALUES (?, ?, ?)")?
        .execute(params![number, meaning.model, bytes])
        .map(drop)
}

pub(super) fn mark_superseded(connection: &Connection, old: &MemoryId, new: &NewMemory) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE memories SET revision = ?, superseded_by = ?, superseded_at = ? WHERE id = ?")?
        .execute(params![next_revision(connection)?, new.id.as_str(), micros(new.created_at), old.as_str()])
        .map(drop)
}

/// A memory from [`COLUMNS`] and [`TEXT_COLUMNS`]. What was forgotten has no text any more.
pub(super) fn whole(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let mut memory = as_stored(row)?;
    if memory.forgotten_at.is_some() {
        let content = &mut memory.content;
        (content.text, content.source, content.metadata) = (String::new(), None, "{}".to_owned());
        content.terms.clear();
    }
    Ok(memory)
}

/// A memory from [`COLUMNS`] and [`TEXT_COLUMNS`], with its text also where it was forgotten.
pub(super) fn as_stored(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let mut memory = without_text(row)?;
    memory.content.metadata = row.get("metadata")?;
    memory.content.text = row.get("text")?;
    memory.content.source = row.get("source")?;
    let terms: String = row.get("terms")?;
    memory.content.terms = terms.split_ascii_whitespace().map(str::to_owned).collect();
    Ok(memory)
}

fn without_text(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let time = |column| row.get::<_, i64>(column).and_then(|value| from_micros(column, value));
    let maybe_time = |column| -> rusqlite::Result<Option<Timestamp>> {
        row.get::<_, Option<i64>>(column)?.map(|value| from_micros(column, value)).transpose()
    };
    let maybe_id = |column| -> rusqlite::Result<Option<MemoryId>> {
        row.get::<_, Option<String>>(column)?.map(|_| parsed(row, column)).transpose()
    };
    let tags = tags(row, 7)?;
    let content = NewMemory {
        id: parsed(row, 2)?,
        text: String::new(),
        terms: Vec::new(),
        length: row.get(21)?,
        asks: row.get(22)?,
        meaning: None,
        digest: row.get(3)?,
        kind: word(row, 4, MemoryKind::of_word)?,
        scope: word(row, 5, Scope::of_word)?,
        agent: row.get(6)?,
        tags,
        session_id: row.get(8)?,
        actor: row.get(9)?,
        occurred_at: time(11)?,
        created_at: time(12)?,
        importance: row.get(13)?,
        pinned: row.get(14)?,
        expires_at: maybe_time(15)?,
        source: None,
        metadata: "{}".to_owned(),
        topic_key: row.get(16)?,
        supersedes: maybe_id(17)?,
    };
    Ok(Memory {
        content,
        order: row.get(10)?,
        superseded_by: maybe_id(18)?,
        superseded_at: maybe_time(19)?,
        forgotten_at: maybe_time(20)?,
    })
}

fn tags(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    match row.get_ref(column)?.as_str()? {
        "[]" => Ok(Vec::new()),
        tags => serde_json::from_str(tags)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))),
    }
}

fn parsed(row: &Row<'_>, column: usize) -> rusqlite::Result<MemoryId> {
    super::parsed(row, column)
}

pub(super) fn list(words: &[String]) -> impl ToSql {
    serde_json::to_string(words).expect("texts can be written as JSON")
}
