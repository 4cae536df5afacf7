//! Memories as they are, for exports and imports: read in the order in which they were added, and
//! put in with ids, places and history.

use rusqlite::{Connection, OptionalExtension, params};

use super::memories::{COLUMNS, CURRENT, TEXT_COLUMNS, by_id, insert, is_current, mark_superseded, same_topic, whole};
use super::{micros, parsed};
use crate::base::MemoryId;
use crate::store::{Alike, Memory, NewMemory, Put};

/// Returns memories after a number, with their numbers; what was forgotten is left out.
pub(super) fn after(connection: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<(i64, Memory)>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {TEXT_COLUMNS} FROM memories m JOIN texts t USING (number) \
             WHERE m.number > ? AND m.forgotten_at IS NULL ORDER BY m.number LIMIT ?"
        ))?
        .query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| Ok((row.get(0)?, whole(row)?)))?
        .collect()
}

/// Returns what is kept already that a memory would repeat or replace.
pub(super) fn alike(connection: &Connection, new: &NewMemory) -> rusqlite::Result<Alike> {
    let same: Option<MemoryId> = connection
        .prepare_cached(&format!(
            "SELECT id FROM memories WHERE digest = ? AND digest <> '' ORDER BY ({CURRENT}) DESC, number DESC LIMIT 1"
        ))?
        .query_row([&new.digest], |row| parsed(row, 0))
        .optional()?;
    let whole = |id: Option<MemoryId>| id.map(|id| by_id(connection, &id)).transpose().map(Option::flatten);
    Ok(Alike { same: whole(same)?, topic: whole(same_topic(connection, new)?)? })
}

/// Puts a memory in as it is, unless its id is known.
pub(super) fn put(connection: &Connection, put: &Put) -> rusqlite::Result<bool> {
    let (memory, new) = (&put.memory, &put.memory.content);
    let known = connection.prepare_cached("SELECT 1 FROM memories WHERE id = ?")?.exists([new.id.as_str()])?;
    if known {
        return Ok(false);
    }
    insert(connection, new, new.supersedes.as_ref(), memory.order)?;
    if memory.superseded_by.is_some() || memory.superseded_at.is_some() {
        connection.prepare_cached("UPDATE memories SET superseded_by = ?, superseded_at = ? WHERE id = ?")?.execute(
            params![
                memory.superseded_by.as_ref().map(MemoryId::as_str),
                memory.superseded_at.map(micros),
                new.id.as_str()
            ],
        )?;
    }
    if let Some(old) = &put.replaces
        && is_current(connection, old)?
    {
        mark_superseded(connection, old, new)?;
    }
    Ok(true)
}
