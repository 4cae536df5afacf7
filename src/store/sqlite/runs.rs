//! Runs, their steps and their events.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{from_micros, micros, parsed, word};
use crate::base::{Name, RunId, Timestamp};
use crate::store::{Created, Event, Run, RunFilter, RunState, Step, interrupted_reason};

const COLUMNS: &str = "id, tool, title, state, idempotency_key, parent, owner, lease_until, created_at, finished_at, \
    cancel_requested_at, outcome, error";
const STEP_COLUMNS: &str =
    "run, name, position, needs, agent, task, state, attempt, started_at, finished_at, outcome, error";

/// Records a run and its steps, or returns the run of the same idempotency key.
pub(super) fn create(connection: &Connection, run: &Run, steps: &[Step]) -> rusqlite::Result<Created> {
    if let Some(key) = &run.idempotency_key {
        let existing = connection
            .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE idempotency_key = ?"))?
            .query_row([key], run_of_row)
            .optional()?;
        if let Some(existing) = existing {
            return Ok(Created::Existing(Box::new(existing)));
        }
    }
    connection
        .prepare_cached(&format!("INSERT INTO runs ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"))?
        .execute(params![
            run.id.as_str(),
            run.tool,
            run.title,
            run.state.as_str(),
            run.idempotency_key,
            run.parent.as_ref().map(RunId::as_str),
            run.owner,
            micros(run.lease_until),
            micros(run.created_at),
            run.finished_at.map(micros),
            run.cancel_requested_at.map(micros),
            run.outcome,
            run.error,
        ])?;
    steps.iter().try_for_each(|step| save_step(connection, step))?;
    Ok(Created::New)
}

/// Writes a run's state, for its owner; what other processes write (lease, wish to cancel) is not taken back.
pub(super) fn save(connection: &Connection, run: &Run) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE runs SET title = ?, state = ?, lease_until = max(lease_until, ?), finished_at = ?, \
             cancel_requested_at = coalesce(cancel_requested_at, ?), outcome = ?, error = ? \
             WHERE id = ? AND owner = ? AND (state <> 'interrupted' OR ?)",
        )?
        .execute(params![
            run.title,
            run.state.as_str(),
            micros(run.lease_until),
            run.finished_at.map(micros),
            run.cancel_requested_at.map(micros),
            run.outcome,
            run.error,
            run.id.as_str(),
            run.owner,
            run.state.is_final(),
        ])
        .map(drop)
}

/// Writes a step's state; in an interrupted run, only a final one.
pub(super) fn save_step(connection: &Connection, step: &Step) -> rusqlite::Result<()> {
    let needs: Vec<&str> = step.needs.iter().map(Name::as_str).collect();
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO steps ({STEP_COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 \
             WHERE ?13 OR NOT EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND state = 'interrupted')"
        ))?
        .execute(params![
            step.run.as_str(),
            step.name.as_str(),
            step.position as i64,
            needs.join(" "),
            step.agent.as_str(),
            step.task,
            step.state.as_str(),
            step.attempt,
            step.started_at.map(micros),
            step.finished_at.map(micros),
            step.outcome,
            step.error,
            step.state.is_final(),
        ])
        .map(drop)
}

/// Returns a run.
pub(super) fn get(connection: &Connection, id: &RunId) -> rusqlite::Result<Option<Run>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?"))?
        .query_row([id.as_str()], run_of_row)
        .optional()
}

/// Returns the steps of a run.
pub(super) fn steps(connection: &Connection, run: &RunId) -> rusqlite::Result<Vec<Step>> {
    connection
        .prepare_cached(&format!("SELECT {STEP_COLUMNS} FROM steps WHERE run = ? ORDER BY position"))?
        .query_map([run.as_str()], step_of_row)?
        .collect()
}

/// Returns the runs that pass the filter, newest first.
pub(super) fn list(connection: &Connection, filter: &RunFilter, limit: usize) -> rusqlite::Result<Vec<Run>> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM runs WHERE (?1 = '' OR instr(' ' || ?1 || ' ', ' ' || state || ' ')) \
             AND (?2 IS NULL OR EXISTS (SELECT 1 FROM steps WHERE steps.run = runs.id AND steps.agent = ?2)) \
             AND (?3 IS NULL OR parent = ?3) ORDER BY created_at DESC, id DESC LIMIT ?4"
        ))?
        .query_map(
            params![
                states.join(" "),
                filter.agent,
                filter.parent.as_ref().map(RunId::as_str),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            run_of_row,
        )?
        .collect()
}

/// Extends a lease, if the owner still has it.
pub(super) fn renew(connection: &Connection, run: &RunId, owner: &str, until: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE runs SET lease_until = max(lease_until, ?) WHERE id = ? AND owner = ?")?
        .execute(params![micros(until), run.as_str(), owner])
        .map(drop)
}

fn json_list(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("texts are JSON")
}

/// Marks runs whose owner has died, and their unfinished steps.
pub(super) fn interrupt(connection: &Connection, now: Timestamp, gone: &[String]) -> rusqlite::Result<Vec<RunId>> {
    let mut ids: Vec<RunId> = connection
        .prepare_cached(
            "UPDATE runs SET state = 'interrupted', finished_at = ?1, error = ?2 \
             WHERE state IN ('queued', 'running') \
             AND (lease_until < ?1 OR owner IN (SELECT value FROM json_each(?3))) RETURNING id",
        )?
        .query_map(params![micros(now), interrupted_reason(), json_list(gone)], |row| parsed(row, 0))?
        .collect::<Result<_, _>>()?;
    ids.sort();
    for id in &ids {
        connection
            .prepare_cached(
                "UPDATE steps SET state = 'interrupted', finished_at = ?1, error = ?2 \
                 WHERE run = ?3 AND state IN ('queued', 'running')",
            )?
            .execute(params![micros(now), interrupted_reason(), id.as_str()])?;
    }
    Ok(ids)
}

/// Notes that somebody wants a run cancelled.
pub(super) fn request_cancel(connection: &Connection, run: &RunId, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?")?
        .execute(params![micros(at), run.as_str()])
        .map(drop)
}

/// Adds an event.
pub(super) fn add_event(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO events (run, step, at, kind, detail) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![
            event.run.as_str(),
            event.step.as_ref().map(Name::as_str),
            micros(event.at),
            event.kind,
            event.detail
        ])
        .map(drop)
}

/// Returns a run's events after a number.
pub(super) fn events(connection: &Connection, run: &RunId, after: i64, limit: usize) -> rusqlite::Result<Vec<Event>> {
    connection
        .prepare_cached(
            "SELECT number, run, step, at, kind, detail FROM events WHERE run = ? AND number > ? ORDER BY number LIMIT ?",
        )?
        .query_map(params![run.as_str(), after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(Event {
                number: row.get(0)?,
                run: parsed(row, 1)?,
                step: row.get::<_, Option<String>>(2)?.map(|_| parsed(row, 2)).transpose()?,
                at: from_micros(3, row.get(3)?)?,
                kind: row.get(4)?,
                detail: row.get(5)?,
            })
        })?
        .collect()
}

fn run_of_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: parsed(row, 0)?,
        tool: row.get(1)?,
        title: row.get(2)?,
        state: word(row, 3, RunState::of_word)?,
        idempotency_key: row.get(4)?,
        parent: row.get::<_, Option<String>>(5)?.map(|_| parsed(row, 5)).transpose()?,
        owner: row.get(6)?,
        lease_until: from_micros(7, row.get(7)?)?,
        created_at: from_micros(8, row.get(8)?)?,
        finished_at: maybe_time(row, 9)?,
        cancel_requested_at: maybe_time(row, 10)?,
        outcome: row.get(11)?,
        error: row.get(12)?,
    })
}

fn step_of_row(row: &Row<'_>) -> rusqlite::Result<Step> {
    let needs: String = row.get(3)?;
    let name = |name: &str| {
        name.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                3,
                rusqlite::types::Type::Text,
                Box::<crate::base::InvalidName>::new(error),
            )
        })
    };
    Ok(Step {
        run: parsed(row, 0)?,
        name: parsed(row, 1)?,
        position: row.get::<_, i64>(2)?.unsigned_abs() as usize,
        needs: needs.split_ascii_whitespace().map(name).collect::<Result<_, _>>()?,
        agent: parsed(row, 4)?,
        task: row.get(5)?,
        state: word(row, 6, RunState::of_word)?,
        attempt: row.get(7)?,
        started_at: maybe_time(row, 8)?,
        finished_at: maybe_time(row, 9)?,
        outcome: row.get(10)?,
        error: row.get(11)?,
    })
}

fn maybe_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|value| from_micros(column, value)).transpose()
}
