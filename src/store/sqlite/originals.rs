//! Originals of compressed texts: what is known of them, their content, and keeping within limits.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{from_micros, micros};
use crate::base::{Handle, Timestamp, content_hash};
use crate::store::{NewOriginal, Original, OriginalInfo, OriginalLimits, Purge, Removal, Removed};

/// The columns of [`info`].
const COLUMNS: &str =
    "handle, bytes, kind, tokens, encoding, first_line, source, created_at, used_at, removed_at, removed_why";

/// Keeps an original and returns its handle; others go where the limits want it, but not this one.
pub(super) fn put(
    connection: &Connection,
    original: &NewOriginal,
    limits: &OriginalLimits,
) -> rusqlite::Result<Handle> {
    let hash = original.hash.clone().unwrap_or_else(|| content_hash(&original.content));
    let now = original.created_at;
    let tokens = original.tokens.map(|tokens| i64::try_from(tokens).unwrap_or(i64::MAX));
    let known: Option<(String, bool)> = connection
        .prepare_cached("SELECT handle, removed_at IS NULL FROM originals WHERE hash = ?")?
        .query_row([&hash], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let digits = match &known {
        Some((handle, _)) => handle.len() - "ctx:".len(),
        None => digits_needed(connection, &hash)?,
    };
    let handle = Handle::of_hash(&hash, digits);
    if matches!(known, Some((_, true))) {
        connection
            .prepare_cached(
                "UPDATE originals SET used_at = max(used_at, ?2), kind = coalesce(kind, ?3), \
                 tokens = coalesce(tokens, ?4), encoding = coalesce(encoding, ?5) WHERE hash = ?1",
            )?
            .execute(params![hash, micros(now), original.kind, tokens, original.encoding])?;
        return Ok(handle);
    }
    connection
        .prepare_cached(
            "INSERT INTO originals \
             (hash, handle, bytes, kind, tokens, encoding, first_line, source, created_at, used_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) \
             ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes, kind = excluded.kind, \
             tokens = excluded.tokens, encoding = excluded.encoding, first_line = excluded.first_line, \
             source = excluded.source, created_at = excluded.created_at, used_at = excluded.used_at, \
             removed_at = NULL, removed_why = NULL",
        )?
        .execute(params![
            hash,
            handle.as_str(),
            original.content.len() as i64,
            original.kind,
            tokens,
            original.encoding,
            original.first_line,
            original.source,
            micros(now)
        ])?;
    connection
        .prepare_cached("INSERT INTO contents (hash, content) VALUES (?, ?)")?
        .execute(params![hash, original.content])?;
    keep_within(connection, limits, &hash, now)?;
    Ok(handle)
}

/// Returns an original.
pub(super) fn get(connection: &Connection, handle: &Handle) -> rusqlite::Result<Option<Original>> {
    connection
        .prepare_cached(
            "SELECT content, source, created_at FROM originals JOIN contents USING (hash) \
             WHERE handle = ? AND removed_at IS NULL",
        )?
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

/// Returns what is known of an original, also of one that was removed.
pub(super) fn info(connection: &Connection, handle: &Handle) -> rusqlite::Result<Option<OriginalInfo>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM originals WHERE handle = ?"))?
        .query_row([handle.as_str()], read_info)
        .optional()
}

/// Returns what is known of the kept originals, the last used first.
pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<OriginalInfo>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM originals WHERE removed_at IS NULL ORDER BY used_at DESC, hash LIMIT ?"
        ))?
        .query_map([limit], read_info)?
        .collect()
}

/// How many originals are kept, and how many bytes they have together.
pub(super) fn sum(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    connection
        .prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM originals WHERE removed_at IS NULL")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs())))
}

/// Returns when a kept original was last used.
pub(super) fn used_at(connection: &Connection, handle: &Handle) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT used_at FROM originals WHERE handle = ? AND removed_at IS NULL")?
        .query_row([handle.as_str()], |row| from_micros(0, row.get(0)?))
        .optional()
}

/// Notes that an original is used.
pub(super) fn touch(connection: &Connection, handle: &Handle, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE originals SET used_at = max(used_at, ?) WHERE handle = ? AND removed_at IS NULL")?
        .execute(params![micros(at), handle.as_str()])
        .map(drop)
}

/// Removes originals because somebody wants it so; returns what was known of them.
pub(super) fn purge(connection: &Connection, which: &Purge, at: Timestamp) -> rusqlite::Result<Vec<OriginalInfo>> {
    let chosen: Vec<OriginalInfo> = match which {
        Purge::All => list(connection, usize::MAX)?,
        Purge::UnusedSince(time) => {
            list(connection, usize::MAX)?.into_iter().filter(|original| original.used_at < *time).collect()
        }
        Purge::These(handles) => {
            let found: rusqlite::Result<Vec<_>> =
                handles.iter().filter_map(|handle| info(connection, handle).transpose()).collect();
            found?.into_iter().filter(|original| original.removed.is_none()).collect()
        }
    };
    for original in &chosen {
        let hash: String = connection
            .prepare_cached("SELECT hash FROM originals WHERE handle = ?")?
            .query_row([original.handle.as_str()], |row| row.get(0))?;
        remove(connection, &hash, Removal::Purged, at)?;
    }
    Ok(chosen)
}

/// Removes what was not used for too long, and of the others those whose use is longest ago until
/// the rest is within the limit; never the one with the hash `but`.
fn keep_within(connection: &Connection, limits: &OriginalLimits, but: &str, now: Timestamp) -> rusqlite::Result<()> {
    let expired: Vec<String> = connection
        .prepare_cached("SELECT hash FROM originals WHERE removed_at IS NULL AND used_at < ? AND hash <> ?")?
        .query_map(params![micros(limits.unused_since(now)), but], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for hash in expired {
        remove(connection, &hash, Removal::Expired, now)?;
    }
    let (_, mut bytes) = sum(connection)?;
    if bytes > limits.bytes_max {
        let mut oldest = connection.prepare_cached(
            "SELECT hash, bytes FROM originals WHERE removed_at IS NULL AND hash <> ? ORDER BY used_at, hash",
        )?;
        let mut rows = oldest.query([but])?;
        let mut crowded = Vec::new();
        while bytes > limits.bytes_max
            && let Some(row) = rows.next()?
        {
            crowded.push(row.get::<_, String>(0)?);
            bytes = bytes.saturating_sub(row.get::<_, i64>(1)?.unsigned_abs());
        }
        drop(rows);
        for hash in crowded {
            remove(connection, &hash, Removal::Crowded, now)?;
        }
    }
    connection
        .prepare_cached("DELETE FROM originals WHERE removed_at < ?")?
        .execute([micros(OriginalLimits::forgotten_since(now))])
        .map(drop)
}

/// Removes the content of an original; its handle says from now on that it was.
fn remove(connection: &Connection, hash: &str, why: Removal, at: Timestamp) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM contents WHERE hash = ?")?.execute([hash])?;
    connection
        .prepare_cached(
            "UPDATE originals SET removed_at = ?, removed_why = ?, first_line = NULL, source = NULL WHERE hash = ?",
        )?
        .execute(params![micros(at), why.as_str(), hash])
        .map(drop)
}

fn read_info(row: &Row<'_>) -> rusqlite::Result<OriginalInfo> {
    let removed_at: Option<i64> = row.get(9)?;
    let removed = match removed_at {
        None => None,
        Some(at) => Some(Removed { at: from_micros(9, at)?, why: super::word(row, 10, Removal::of_word)? }),
    };
    Ok(OriginalInfo {
        handle: super::parsed(row, 0)?,
        bytes: row.get::<_, i64>(1)?.unsigned_abs(),
        kind: row.get(2)?,
        tokens: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        encoding: row.get(4)?,
        first_line: row.get(5)?,
        source: row.get(6)?,
        created_at: from_micros(7, row.get(7)?)?,
        used_at: from_micros(8, row.get(8)?)?,
        removed,
    })
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
