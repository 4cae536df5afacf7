//! `ctx originals`: what is kept of what was cut, and removing it.
//!
//! For people and scripts only: an assistant fetches by handle and has no use for the list.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use jiff::{Span, SpanRelativeTo, Unit};
use serde_json::{Value, json};

use super::tool::{finished, printed};
use super::with_json;
use crate::base::{Handle, Timestamp, bytes, thousands};
use crate::store::{OriginalInfo, Purge};
use crate::tools::{ErrorKind, Services, ToolError};

/// How many originals are listed when nothing else is said.
const LISTED: &str = "50";

/// Returns the command line of `ctx originals`.
pub fn command() -> Command {
    let limit = || {
        Arg::new("limit")
            .long("limit")
            .value_name("N")
            .default_value(LISTED)
            .value_parser(value_parser!(u32).range(1..))
            .help("The most originals listed")
    };
    let handle = |required| {
        Arg::new("handle")
            .value_name("HANDLE")
            .num_args(1..)
            .action(ArgAction::Append)
            .required(required)
            .value_parser(|text: &str| text.parse::<Handle>())
            .help("What was named when the text was cut: ctx:...")
    };
    with_json(Command::new("originals"))
        .about("List or purge what is kept of texts that were cut")
        .args_conflicts_with_subcommands(true)
        .arg(limit())
        .subcommand(with_json(Command::new("list").about("List what is kept, the last used first")).arg(limit()))
        .subcommand(
            with_json(Command::new("show").about("Tell what is known of originals; `ctx retrieve` prints their text"))
                .arg(handle(true)),
        )
        .subcommand(
            with_json(Command::new("purge").about("Remove originals for good; their handles say so from then on"))
                .arg(handle(false))
                .arg(
                    Arg::new("older-than")
                        .long("older-than")
                        .value_name("TIME")
                        .value_parser(time_span)
                        .help("What nobody has used for this long: 12h, 7d, 2w"),
                )
                .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("Every original"))
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only say what would be removed"),
                )
                .group(ArgGroup::new("which").args(["handle", "older-than", "all"]).required(true)),
        )
}

/// Runs `list`, `show` or `purge`; `list` when none is named.
pub async fn run(matches: &ArgMatches, services: &Services) -> ExitCode {
    let done = match (services.stores(), matches.subcommand()) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(("show", inner))) => show(inner, services).await,
        (Ok(()), Some(("purge", inner))) => purge(inner, services).await,
        (Ok(()), Some((_, inner))) => list(inner, services).await,
        (Ok(()), None) => list(matches, services).await,
    };
    finished(done)
}

async fn list(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let limit = matches.get_one::<u32>("limit").map_or(usize::MAX, |&limit| limit as usize);
    let now = services.clock.now();
    let originals = services.store.originals(limit).await?;
    let status = services.store.status().await?;
    let limits = services.config.context.originals;
    if matches.get_flag("json") {
        let listed: Vec<Value> = originals.iter().map(|original| as_json(original, now)).collect();
        return printed(
            &json!({
                "originals": listed,
                "count": status.originals,
                "bytes": status.originals_bytes,
                "bytes_max": limits.bytes_max,
                "unused_days_max": limits.unused_days_max,
            })
            .to_string(),
        );
    }
    let rows: Vec<[String; 6]> = originals.iter().map(|original| row(original, now)).collect();
    if std::io::stderr().is_terminal() || rows.is_empty() {
        let kept = format!("{} originals, {}", thousands(rows.len()), bytes(status.originals_bytes));
        let most = format!("at most {}, unused for {} days", bytes(limits.bytes_max), limits.unused_days_max);
        let of = if rows.len() as u64 == status.originals { "" } else { " listed of more" };
        let _ = writeln!(std::io::stderr(), "{kept}{of} ({most})");
    }
    printed(&table(&rows))
}

async fn show(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let now = services.clock.now();
    let mut known = Vec::new();
    for handle in matches.get_many::<Handle>("handle").into_iter().flatten() {
        let info = services.store.original_info(handle).await?;
        known.push(info.ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("no original {handle} in this project"))
                .with_hint("`ctx originals` lists what is kept")
        })?);
    }
    if matches.get_flag("json") {
        let shown: Vec<Value> = known.iter().map(|original| as_json(original, now)).collect();
        return printed(&json!({ "originals": shown }).to_string());
    }
    let shown: Vec<String> = known.iter().map(|original| details(original, now)).collect();
    printed(&shown.join("\n\n"))
}

async fn purge(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let now = services.clock.now();
    let named: Vec<Handle> = matches.get_many("handle").into_iter().flatten().cloned().collect();
    let which = match matches.get_one::<Span>("older-than") {
        Some(span) => Purge::UnusedSince(before(now, span, "older-than")?),
        None if matches.get_flag("all") => Purge::All,
        None => Purge::These(named.clone()),
    };
    let dry_run = matches.get_flag("dry-run");
    let (gone, traceless) = if dry_run {
        let mut kept = services.store.originals(usize::MAX).await?;
        kept.retain(|original| match &which {
            Purge::All => true,
            Purge::UnusedSince(time) => original.used_at < *time,
            Purge::These(handles) => handles.contains(&original.handle),
        });
        (kept, true)
    } else {
        let purged = services.store.purge_originals(which, now).await?;
        (purged.originals, purged.traceless)
    };
    let unknown: Vec<&Handle> =
        named.iter().filter(|handle| gone.iter().all(|original| original.handle != **handle)).collect();
    let copies = if gone.is_empty() || dry_run { Vec::new() } else { services.store.copies() };
    let size: u64 = gone.iter().map(|original| original.bytes).sum();
    let notes = notes(traceless, &copies);
    let text = if matches.get_flag("json") {
        let handles: Vec<&Handle> = gone.iter().map(|original| &original.handle).collect();
        json!({ "purged": handles, "bytes": size, "unknown": unknown, "dry_run": dry_run, "notes": notes }).to_string()
    } else {
        let verb = if dry_run { "would purge" } else { "purged" };
        let mut lines = vec![format!("{verb} {} originals, {}", thousands(gone.len()), bytes(size))];
        lines.extend(unknown.iter().map(|handle| format!("not kept: {handle}")));
        lines.extend(notes);
        lines.join("\n")
    };
    printed(&text)?;
    Ok(if unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where a trace of what was purged may be left.
fn notes(traceless: bool, copies: &[PathBuf]) -> Vec<String> {
    let mut notes = Vec::new();
    if !traceless {
        notes.push(
            "another process is reading, so the write-ahead log beside the database may still hold what was purged \
             until that process ends"
                .to_owned(),
        );
    }
    notes.extend(copies.iter().map(|file| format!("{} may still hold it; delete it", file.display())));
    notes
}

/// Handle, kind, size, tokens, age and first line.
fn row(original: &OriginalInfo, now: Timestamp) -> [String; 6] {
    [
        original.handle.to_string(),
        original.kind.clone().unwrap_or_else(|| "-".to_owned()),
        bytes(original.bytes),
        original.tokens.map_or("-".to_owned(), |tokens| thousands(usize::try_from(tokens).unwrap_or(usize::MAX))),
        age(original.used_at, now),
        original.first_line.clone().or_else(|| original.source.clone()).unwrap_or_default(),
    ]
}

fn table(rows: &[[String; 6]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let lines = rows.iter().map(|[handle, kind, size, tokens, age, line]| {
        let [a, b, c, d, e] = widths;
        format!("{handle:<a$}  {kind:<b$}  {size:>c$}  {tokens:>d$}  {age:>e$}  {line}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn details(original: &OriginalInfo, now: Timestamp) -> String {
    let tokens = original.tokens.map(|tokens| {
        let tokens = thousands(usize::try_from(tokens).unwrap_or(usize::MAX));
        original.encoding.as_ref().map_or(tokens.clone(), |encoding| format!("{tokens} ({encoding})"))
    });
    let removed = original.removed.map(|removed| format!("{} on {}", removed.why.as_str(), removed.at));
    let known = [
        ("handle", Some(original.handle.to_string())),
        ("kind", original.kind.clone()),
        ("size", Some(bytes(original.bytes))),
        ("tokens", tokens),
        ("kept", Some(original.created_at.to_string())),
        ("used", Some(format!("{} ({} ago)", original.used_at, age(original.used_at, now)))),
        ("source", original.source.clone()),
        ("begins", original.first_line.clone()),
        ("removed", removed),
    ];
    let lines = known.into_iter().filter_map(|(name, value)| Some(format!("{name:<8} {}", value?)));
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(original: &OriginalInfo, now: Timestamp) -> Value {
    let mut shown = json!(original);
    shown["unused_seconds"] = json!(now.duration_since(original.used_at).as_secs().max(0));
    shown
}

/// Returns how long ago a time is, in its largest whole unit.
pub(super) fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Reads a span of time such as `12h` or `7d`.
pub(super) fn time_span(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|_| "expected a span of time such as 12h, 7d or 2w".to_owned())?;
    let is_fixed = span.get_years() == 0 && span.get_months() == 0;
    (is_fixed && !span.is_negative()).then_some(span).ok_or_else(|| "write it in weeks, days, hours or less".to_owned())
}

/// The time so long before now; `option` is where it was asked for.
pub(super) fn before(now: Timestamp, span: &Span, option: &str) -> Result<Timestamp, ToolError> {
    let too_long = |error: jiff::Error| ToolError::invalid(format!("--{option}: {error}"));
    let seconds = span.total((Unit::Second, SpanRelativeTo::days_are_24_hours())).map_err(too_long)?;
    let span = jiff::SignedDuration::try_from_secs_f64(seconds).map_err(too_long)?;
    Ok(now.saturating_sub(span).unwrap_or(Timestamp::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-15T00:00:00Z".parse().expect("a time");
        for (text, wanted) in
            [("12h", "2026-03-14T12:00:00Z"), ("7d", "2026-03-08T00:00:00Z"), ("2w 1 day", "2026-02-28T00:00:00Z")]
        {
            let span = time_span(text).expect(text);
            assert_eq!(before(now, &span, "since").expect(text), wanted.parse().expect("a time"), "{text}");
        }
        for text in ["", "7", "soon", "1 month", "-3d"] {
            assert!(time_span(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-03-15T00:00:00Z".parse().expect("a time");
        for (seconds, wanted) in [(0, "0s"), (59, "59s"), (60, "1m"), (7_199, "1h"), (200_000, "2d"), (-5, "0s")] {
            assert_eq!(age(now - jiff::SignedDuration::from_secs(seconds), now), wanted);
        }
    }
}
