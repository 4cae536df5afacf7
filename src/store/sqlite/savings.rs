//! What compressing saved, added up.

use jiff::civil::Date;
use rusqlite::{Connection, params};

use super::parsed;
use crate::store::SavingRow;

/// Adds to the sums.
pub(super) fn add(connection: &Connection, rows: &[SavingRow]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO savings (day, tool, kind, percent, calls, before, after, marks) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (day, tool, kind, percent) DO UPDATE SET calls = calls + excluded.calls, \
         before = before + excluded.before, after = after + excluded.after, marks = marks + excluded.marks",
    )?;
    for row in rows {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        statement.execute(params![
            row.day.to_string(),
            row.tool,
            row.kind,
            row.percent,
            number(row.calls),
            number(row.before),
            number(row.after),
            number(row.marks)
        ])?;
    }
    Ok(())
}

/// Returns the sums from a day on, in the order of their columns.
pub(super) fn list(connection: &Connection, since: Date) -> rusqlite::Result<Vec<SavingRow>> {
    connection
        .prepare_cached(
            "SELECT day, tool, kind, percent, calls, before, after, marks FROM savings WHERE day >= ? \
             ORDER BY day, tool, kind, percent",
        )?
        .query_map([since.to_string()], |row| {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(SavingRow {
                day: parsed(row, 0)?,
                tool: row.get(1)?,
                kind: row.get(2)?,
                percent: row.get(3)?,
                calls: number(4)?,
                before: number(5)?,
                after: number(6)?,
                marks: number(7)?,
            })
        })?
        .collect()
}
