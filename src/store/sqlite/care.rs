//! Looking after what is stored: what is wrong with a file, and mending it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, OptionalExtension, params};

use super::memories::{self, CURRENT};
use super::{backup, micros, parsed};
use crate::base::{MemoryId, Timestamp};
use crate::store::{Finding, Meaning, Memory, NewMemory};

/// How many examples a finding names.
const EXAMPLES: usize = 5;

/// Says what is wrong with the file; with `mend`, puts right what can be.
pub(super) fn examine(connection: &Connection, mend: bool) -> rusqlite::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if let Some(detail) = backup::check_pages(connection)? {
        let detail = format!("{detail}; restore a backup with `ctx restore`");
        findings.push(Finding { name: "damaged_file", count: 1, detail, examples: Vec::new(), mended: false });
        // What else is wrong follows from it, and writing would make it worse.
        return Ok(findings);
    }
    let checks: [fn(&Connection, bool) -> rusqlite::Result<Finding>; 5] =
        [lost_texts, orphans, lost_successors, doubled_topics, index_out_of_step];
    for check in checks {
        let finding = check(connection, mend)?;
        if finding.count > 0 {
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// Memories without a row for their text: nothing can be shown of them, so they become tombstones.
fn lost_texts(connection: &Connection, mend: bool) -> rusqlite::Result<Finding> {
    let lost = texts(
        connection,
        "SELECT id FROM memories m WHERE NOT EXISTS (SELECT 1 FROM texts t WHERE t.number = m.number) ORDER BY number",
    )?;
    if mend {
        for id in &lost {
            let revision = memories::next_revision(connection)?;
            connection.execute(
                "UPDATE memories SET revision = ?, purged = 1, digest = '', length = 0, \
                 forgotten_at = coalesce(forgotten_at, created_at) WHERE id = ?",
                params![revision, id],
            )?;
            connection.execute(
                "INSERT INTO texts (number, text, terms, metadata) SELECT number, '', '', '{}' FROM memories WHERE id = ?",
                [id],
            )?;
        }
    }
    Ok(finding("lost_texts", lost, "memories have lost their text; a backup may have it", mend))
}

/// Rows that belong to nothing.
fn orphans(connection: &Connection, mend: bool) -> rusqlite::Result<Finding> {
    let mut rows: Vec<(String, Option<i64>)> = connection
        .prepare("PRAGMA foreign_key_check")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let left = "SELECT v.number FROM meanings v JOIN memories m USING (number) WHERE m.purged";
    let left: Vec<i64> = connection.prepare(left)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    rows.extend(left.into_iter().map(|number| ("meanings".to_owned(), Some(number))));
    if mend {
        for (table, row) in &rows {
            match (table.as_str(), row) {
                // A table without row numbers: all that point nowhere go at once.
                ("steps", _) => connection.execute("DELETE FROM steps WHERE run NOT IN (SELECT id FROM runs)", [])?,
                (_, Some(row)) => connection.execute(&format!("DELETE FROM \"{table}\" WHERE rowid = ?"), [row])?,
                (_, None) => 0,
            };
        }
    }
    let named = rows.iter().map(|(table, row)| format!("{table} {}", row.map_or(String::new(), |row| row.to_string())));
    Ok(finding("orphans", named.collect(), "rows belong to nothing", mend))
}

/// Memories that were superseded by one that is not there: recall finds neither.
///
/// Of several that one replaced, only the newest is current again, and it only where nothing current
/// says the same: the others are earlier wordings of it.
fn lost_successors(connection: &Connection, mend: bool) -> rusqlite::Result<Finding> {
    let lost: Vec<(String, String)> = connection
        .prepare(
            "SELECT id, superseded_by FROM memories m WHERE superseded_by IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM memories n WHERE n.id = m.superseded_by) ORDER BY number DESC",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    if mend {
        let mut stands_for: BTreeMap<&str, String> = BTreeMap::new();
        for (id, successor) in &lost {
            let same: Option<String> = connection
                .prepare_cached(&format!(
                    "SELECT id FROM memories WHERE {CURRENT} AND digest <> '' \
                     AND digest = (SELECT digest FROM memories WHERE id = ?)"
                ))?
                .query_row([id], |row| row.get(0))
                .optional()?;
            match stands_for.get(successor.as_str()).cloned().or(same) {
                Some(other) => {
                    connection.execute(
                        "UPDATE memories SET revision = ?, superseded_by = ? WHERE id = ?",
                        params![memories::next_revision(connection)?, other, id],
                    )?;
                    stands_for.entry(successor).or_insert(other);
                }
                None => {
                    make_current(connection, id)?;
                    stands_for.insert(successor, id.clone());
                }
            }
        }
    }
    let mut named: Vec<String> = lost.into_iter().map(|(id, _)| id).collect();
    named.reverse();
    Ok(finding("lost_successors", named, "memories were superseded by one that is not there", mend))
}

/// More than one current memory of a topic: the newest stays, as if the others had come before it.
fn doubled_topics(connection: &Connection, mend: bool) -> rusqlite::Result<Finding> {
    let mut newest: BTreeMap<[String; 4], MemoryId> = BTreeMap::new();
    let mut older: Vec<(MemoryId, MemoryId)> = Vec::new();
    let mut statement = connection.prepare(&format!(
        "SELECT id, topic_key, scope, iif(scope = 'session', session_id, ''), iif(scope = 'agent', agent, '') \
         FROM memories WHERE topic_key IS NOT NULL AND {CURRENT} ORDER BY number DESC"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let column = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
        let (id, topic): (MemoryId, _) = (parsed(row, 0)?, [column(1)?, column(2)?, column(3)?, column(4)?]);
        match newest.get(&topic) {
            Some(newest) => older.push((id, newest.clone())),
            None => drop(newest.insert(topic, id)),
        }
    }
    drop(rows);
    if mend {
        for (old, newest) in &older {
            connection.execute(
                "UPDATE memories SET revision = ?1, superseded_by = ?2, superseded_at = \
                 max(created_at + 1, (SELECT created_at FROM memories WHERE id = ?2)) WHERE id = ?3",
                params![memories::next_revision(connection)?, newest.as_str(), old.as_str()],
            )?;
        }
    }
    let named = older.into_iter().map(|(old, _)| old.to_string()).collect();
    Ok(finding("doubled_topics", named, "memories are current beside a newer one of the same topic_key", mend))
}

/// Whether the words of the index are those of the texts.
///
/// FTS5's own check compares the index with every text, and those of forgotten memories are rightly
/// not in it. So the words of each memory are summed up on both sides, place by place.
fn index_out_of_step(connection: &Connection, mend: bool) -> rusqlite::Result<Finding> {
    const NAME: &str = "index_out_of_step";
    let sums = || -> rusqlite::Result<(HashMap<i64, u64>, HashMap<i64, u64>)> {
        let mut indexed: HashMap<i64, u64> = HashMap::new();
        let mut statement = connection.prepare("SELECT term, doc, offset FROM places")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let sum = indexed.entry(row.get(1)?).or_default();
            *sum = sum.wrapping_add(fingerprint(row.get_ref(0)?.as_str()?, row.get(2)?));
        }
        let mut expected: HashMap<i64, u64> = HashMap::new();
        let mut statement = connection.prepare(
            "SELECT t.number, t.terms FROM texts t JOIN memories m USING (number) WHERE m.forgotten_at IS NULL",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let terms = row.get_ref(1)?.as_str()?;
            let places = (0..).zip(terms.split(' ').filter(|term| !term.is_empty()));
            let sum = places.fold(0_u64, |sum, (place, term)| sum.wrapping_add(fingerprint(term, place)));
            if sum != 0 {
                expected.insert(row.get(0)?, sum);
            }
        }
        Ok((indexed, expected))
    };
    let differing = |(indexed, expected): (HashMap<i64, u64>, HashMap<i64, u64>)| {
        let numbers = expected.keys().chain(indexed.keys().filter(|number| !expected.contains_key(number)));
        let mut differing: Vec<i64> =
            numbers.filter(|number| indexed.get(number) != expected.get(number)).copied().collect();
        differing.sort_unstable();
        differing
    };
    // An index that is damaged may not even be readable.
    let found = match sums() {
        Ok(sums) => differing(sums).into_iter().map(|number| format!("memory number {number}")).collect(),
        Err(error) => vec![error.to_string()],
    };
    if mend && !found.is_empty() {
        connection.execute_batch(
            "INSERT INTO words (words) VALUES ('delete-all'); \
             INSERT INTO words (rowid, terms) SELECT t.number, t.terms FROM texts t JOIN memories m USING (number) \
               WHERE m.forgotten_at IS NULL;",
        )?;
        if !differing(sums()?).is_empty() {
            return Ok(finding(NAME, found, "the index of words could not be made anew", false));
        }
    }
    Ok(finding(
        NAME,
        found,
        "the index of words is not in step with the texts, so recall misses or mistakes them",
        mend,
    ))
}

fn fingerprint(term: &str, place: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (term, place).hash(&mut hasher);
    // Never nothing, so that a sum tells how many there are as well.
    hasher.finish() | 1
}

fn finding(name: &'static str, found: Vec<String>, what: &str, mended: bool) -> Finding {
    let count = found.len() as u64;
    let examples = found.into_iter().take(EXAMPLES).collect();
    Finding { name, count, detail: what.to_owned(), examples, mended: mended && count > 0 }
}

fn texts(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare(query)?.query_map([], |row| row.get(0))?.collect()
}

fn make_current(connection: &Connection, id: &str) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE memories SET revision = ?, superseded_by = NULL, superseded_at = NULL WHERE id = ?",
        params![memories::next_revision(connection)?, id],
    )
}

/// Returns the ids of memories that end so.
pub(super) fn ids_ending(connection: &Connection, end: &str) -> rusqlite::Result<Vec<MemoryId>> {
    connection
        .prepare_cached("SELECT id FROM memories WHERE substr(id, -length(?1)) = ?1 ORDER BY id")?
        .query_map([end], |row| parsed(row, 0))?
        .collect()
}

/// Returns memories that have no vector of this model, the oldest first.
pub(super) fn without_meaning(
    connection: &Connection,
    model: &str,
    limit: usize,
) -> rusqlite::Result<Vec<(MemoryId, String)>> {
    connection
        .prepare_cached(
            "SELECT m.id, t.text FROM memories m JOIN texts t USING (number) \
             LEFT JOIN meanings v ON v.number = m.number AND v.model = ? \
             WHERE v.number IS NULL AND NOT m.purged ORDER BY m.number LIMIT ?",
        )?
        .query_map(params![model, i64::try_from(limit).unwrap_or(i64::MAX)], |row| Ok((parsed(row, 0)?, row.get(1)?)))?
        .collect()
}

/// Keeps vectors of memories that are not purged.
pub(super) fn put_meanings(connection: &Connection, meanings: &[(MemoryId, Meaning)]) -> rusqlite::Result<()> {
    for (id, meaning) in meanings {
        let number: Option<i64> = connection
            .prepare_cached("SELECT number FROM memories WHERE id = ? AND NOT purged")?
            .query_row([id.as_str()], |row| row.get(0))
            .optional()?;
        let Some(number) = number else { continue };
        memories::keep_meaning(connection, number, meaning)?;
        touch(connection, number)?;
    }
    Ok(())
}

/// Returns memories as they lie in the file, in the order of their ids.
pub(super) fn stored(connection: &Connection, after: Option<&MemoryId>, limit: usize) -> rusqlite::Result<Vec<Memory>> {
    connection
        .prepare_cached(&format!(
            "SELECT {}, {} FROM memories m JOIN texts t USING (number) WHERE m.id > ? AND NOT m.purged \
             ORDER BY m.id LIMIT ?",
            memories::COLUMNS,
            memories::TEXT_COLUMNS
        ))?
        .query_map(
            params![after.map_or("", MemoryId::as_str), i64::try_from(limit).unwrap_or(i64::MAX)],
            memories::as_stored,
        )?
        .collect()
}

/// Writes `new` over the memory of the same id, in place.
pub(super) fn rewrite(connection: &Connection, new: &NewMemory) -> rusqlite::Result<bool> {
    let found: Option<(i64, bool)> = connection
        .prepare_cached("SELECT number, forgotten_at IS NOT NULL FROM memories WHERE id = ? AND NOT purged")?
        .query_row([new.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, forgotten)) = found else { return Ok(false) };
    if !forgotten {
        connection
            .prepare_cached(
                "INSERT INTO words (words, rowid, terms) SELECT 'delete', number, terms FROM texts WHERE number = ?",
            )?
            .execute([number])?;
    }
    let terms = new.terms.join(" ");
    connection
        .prepare_cached("UPDATE texts SET text = ?, terms = ?, source = ?, metadata = ? WHERE number = ?")?
        .execute(params![new.text, terms, new.source, new.metadata, number])?;
    connection
        .prepare_cached(
            "UPDATE memories SET digest = ?, agent = ?, tags = ?, session_id = ?, actor = ?, topic_key = ?, \
             length = ?, asks = ? WHERE number = ?",
        )?
        .execute(params![
            new.digest,
            new.agent,
            memories::list(&new.tags),
            new.session_id,
            new.actor,
            new.topic_key,
            new.length,
            new.asks,
            number
        ])?;
    match &new.meaning {
        Some(meaning) => memories::keep_meaning(connection, number, meaning)?,
        // What the text meant tells of what it was.
        None => drop(connection.prepare_cached("DELETE FROM meanings WHERE number = ?")?.execute([number])?),
    }
    if !forgotten {
        connection.prepare_cached("INSERT INTO words (rowid, terms) VALUES (?, ?)")?.execute(params![number, terms])?;
    }
    touch(connection, number)?;
    Ok(true)
}

/// Marks each first memory as superseded by the second; both must be current. Returns those that
/// were marked.
pub(super) fn merge(
    connection: &Connection,
    pairs: &[(MemoryId, MemoryId)],
    at: Timestamp,
) -> rusqlite::Result<Vec<MemoryId>> {
    let mut merged = Vec::new();
    for (old, into) in pairs {
        if old != into && memories::is_current(connection, old)? && memories::is_current(connection, into)? {
            connection
                .prepare_cached("UPDATE memories SET revision = ?, superseded_by = ?, superseded_at = ? WHERE id = ?")?
                .execute(params![memories::next_revision(connection)?, into.as_str(), micros(at), old.as_str()])?;
            merged.push(old.clone());
        }
    }
    Ok(merged)
}

/// Takes back that memories were superseded at this time. Returns those that are current again.
pub(super) fn unmerge(connection: &Connection, ids: &[MemoryId], at: Timestamp) -> rusqlite::Result<Vec<MemoryId>> {
    let mut current = Vec::new();
    for id in ids {
        let is_so: bool = connection
            .prepare_cached("SELECT count(*) FROM memories WHERE id = ? AND superseded_at = ? AND NOT purged")?
            .query_row(params![id.as_str(), micros(at)], |row| row.get(0))?;
        if is_so && make_current(connection, id.as_str())? == 1 {
            current.push(id.clone());
        }
    }
    Ok(current)
}

/// Notes when memories were last recalled.
pub(super) fn note_uses(connection: &Connection, uses: &[(MemoryId, Timestamp)]) -> rusqlite::Result<()> {
    let mut note = connection.prepare_cached(
        "INSERT INTO uses (number, used_at) SELECT number, ? FROM memories WHERE id = ? AND NOT purged \
         ON CONFLICT (number) DO UPDATE SET used_at = max(used_at, excluded.used_at)",
    )?;
    uses.iter().try_for_each(|(id, at)| note.execute(params![micros(*at), id.as_str()]).map(drop))
}

/// Returns the memories that were recalled since then.
pub(super) fn used_since(connection: &Connection, since: Timestamp) -> rusqlite::Result<Vec<MemoryId>> {
    connection
        .prepare_cached("SELECT m.id FROM uses u JOIN memories m USING (number) WHERE u.used_at >= ? ORDER BY m.id")?
        .query_map([micros(since)], |row| parsed(row, 0))?
        .collect()
}

fn touch(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE memories SET revision = ? WHERE number = ?")?
        .execute(params![memories::next_revision(connection)?, number])
        .map(drop)
}
