//! Originals of compressed texts.

use rusqlite::{Connection, OptionalExtension, params};

use super::{from_micros, micros};
use crate::base::{Handle, content_hash};
use crate::store::{NewOriginal, Original};

/// Keeps an original and returns its handle.
pub(super) fn put(connection: &Connection, original: &NewOriginal) -> rusqlite::Result<Handle> {
    let hash = content_hash(&original.content);
    let known: Option<String> = connection
        .prepare_cached("SELECT handle FROM originals WHERE hash = ?")?
        .query_row([&hash], |row| row.get(0))
        .optional()?;
    let digits = match known {
        Some(handle) => handle.len() - "ctx:".len(),
        None => digits_needed(connection, &hash)?,
    };
    let handle = Handle::of_hash(&hash, digits);
    connection
        .prepare_cached(
            "INSERT INTO originals (hash, handle, content, source, created_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (hash) DO NOTHING",
        )?
        .execute(params![hash, handle.as_str(), original.content, original.source, micros(original.created_at)])?;
    Ok(handle)
}

/// Returns an original.
pub(super) fn get(connection: &Connection, handle: &Handle) -> rusqlite::Result<Option<Original>> {
    connection
        .prepare_cached("SELECT content, source, created_at FROM originals WHERE handle = ?")?
        .query_row([handle.as_str()], |row| {
            Ok(Original {
                handle: handle.clone(),
                content: row.get(0)?,
                source: row.get(1)?,
                created_at: from_micros(2, row.get(2)?)?,
            })
        })
        .optional()
}

/// How many digits tell `hash` from its neighbours in the order of hashes, and so from all others.
fn digits_needed(connection: &Connection, hash: &str) -> rusqlite::Result<usize> {
    let mut needed = Handle::DIGITS_MIN;
    for sql in [
        "SELECT hash FROM originals WHERE hash < ? ORDER BY hash DESC LIMIT 1",
        "SELECT hash FROM originals WHERE hash > ? ORDER BY hash LIMIT 1",
    ] {
        let neighbour: Option<String> =
            connection.prepare_cached(sql)?.query_row([hash], |row| row.get(0)).optional()?;
        needed = needed.max(neighbour.map_or(0, |neighbour| crate::store::digits_shared(hash, &neighbour) + 1));
    }
    Ok(needed)
}
