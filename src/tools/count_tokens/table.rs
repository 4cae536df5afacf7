//! The counts as people read them: largest first, numbers below each other, the sum last.

use super::{Item, Output};
use crate::base::thousands;

/// How many files that are not UTF-8 are named.
const LOSSY_SHOWN_MAX: usize = 5;

/// Returns the table.
pub fn table(output: &Output) -> String {
    let mut rows: Vec<Row> = output.items.iter().map(|item| row(output, item)).collect();
    if output.more > 0 {
        let files = if output.more == 1 { "file" } else { "files" };
        rows.push(Row {
            tokens: thousands(output.more_tokens),
            share: share(output.more_tokens, output.total),
            kind: "",
            name: format!("and {} more {files}", thousands(output.more)),
        });
    }
    let total = thousands(output.total);
    let width = rows.iter().map(|row| row.tokens.len()).chain([total.len()]).max().unwrap_or_default();
    let kinds = rows.iter().map(|row| row.kind.len()).max().unwrap_or_default();
    let several = output.files != 1 || output.more > 0;
    if several {
        let files = if output.files == 1 { "file" } else { "files" };
        let name = format!("total of {} {files}", thousands(output.files));
        rows.push(Row { tokens: total, share: String::new(), kind: "", name });
    }
    rows.push(Row { tokens: String::new(), share: String::new(), kind: "", name: how(output) });
    let mut lines: Vec<String> = rows
        .iter()
        .map(|Row { tokens, share, kind, name }| {
            let share = if several { format!("  {share:>7}") } else { String::new() };
            let kind = if kinds > 0 { format!("  {kind:kinds$}") } else { String::new() };
            format!("{tokens:>width$}{share}{kind}  {name}")
        })
        .collect();
    if output.skipped > 0 {
        let files = if output.skipped == 1 { "binary file" } else { "binary files" };
        lines.push(format!("skipped {} {files}", thousands(output.skipped)));
    }
    let lossy: Vec<&Item> = output.items.iter().filter(|item| item.lossy).collect();
    for item in lossy.iter().take(LOSSY_SHOWN_MAX) {
        lines.push(format!("{} is not UTF-8; what is not counts as U+FFFD", printable(&item.path)));
    }
    if lossy.len() > LOSSY_SHOWN_MAX {
        lines.push(format!("and {} more are not UTF-8", lossy.len() - LOSSY_SHOWN_MAX));
    }
    lines.extend(output.problems.iter().map(|problem| format!("not counted: {}", printable(&problem.reason))));
    lines.join("\n")
}

struct Row {
    tokens: String,
    share: String,
    kind: &'static str,
    name: String,
}

fn row(output: &Output, item: &Item) -> Row {
    Row {
        tokens: thousands(item.tokens),
        share: share(item.tokens, output.total),
        kind: item.kind.map_or("", |kind| kind.name()),
        name: if item.path == "-" { "(text)".to_owned() } else { printable(&item.path) },
    }
}

fn share(part: usize, total: usize) -> String {
    if total == 0 {
        return String::new();
    }
    format!("{:.1} %", 100.0 * part as f64 / total as f64)
}

/// What was counted with, and how far it can be trusted.
fn how(output: &Output) -> String {
    match (output.low, output.high) {
        (Some(low), Some(high)) => {
            format!("estimate over {}: {} to {}", output.encoding, thousands(low), thousands(high))
        }
        _ => format!("{}, exact", output.encoding),
    }
}

/// A name without what a terminal would take for a command.
fn printable(name: &str) -> String {
    let is_safe = |c: char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c);
    if name.chars().all(is_safe) {
        return name.to_owned();
    }
    name.chars().map(|c| if is_safe(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}
