//! `ctx memory`: the commands about memories that are for people and scripts, beside those of the
//! tools. An assistant has no use for them, so they are not in its list.

use std::pin::Pin;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::originals::{before, time_span};
use super::tool::finished;
use super::{memory_brief, memory_doctor, memory_edit, memory_list, memory_tidy, memory_transfer};
use crate::base::{MemoryId, Timestamp};
use crate::tools::{Services, ToolError};

/// What runs a command.
type Running<'a> = Pin<Box<dyn Future<Output = Result<ExitCode, ToolError>> + 'a>>;

/// A command of the group.
struct Own {
    command: fn() -> Command,
    run: for<'a> fn(&'a ArgMatches, &'a Services) -> Running<'a>,
}

/// Every command of the group that is not a tool's, in the order of help.
static OWN: [Own; 9] = [
    Own { command: memory_list::list_command, run: |matches, services| Box::pin(memory_list::list(matches, services)) },
    Own { command: memory_list::show_command, run: |matches, services| Box::pin(memory_list::show(matches, services)) },
    Own { command: memory_edit::command, run: |matches, services| Box::pin(memory_edit::run(matches, services)) },
    Own { command: memory_brief::command, run: |matches, services| Box::pin(memory_brief::run(matches, services)) },
    Own {
        command: memory_list::stats_command,
        run: |matches, services| Box::pin(memory_list::stats(matches, services)),
    },
    Own {
        command: memory_transfer::export_command,
        run: |matches, services| Box::pin(memory_transfer::export(matches, services)),
    },
    Own {
        command: memory_transfer::import_command,
        run: |matches, services| Box::pin(memory_transfer::import(matches, services)),
    },
    Own { command: memory_doctor::command, run: |matches, services| Box::pin(memory_doctor::run(matches, services)) },
    Own { command: memory_tidy::command, run: |matches, services| Box::pin(memory_tidy::run(matches, services)) },
];

/// Adds the commands to the group that the tools' own commands stand in.
pub fn with_commands(command: Command) -> Command {
    command.mut_subcommand("memory", |group| group.subcommands(OWN.iter().map(|own| (own.command)())))
}

/// The command that is named and its arguments, unless it is a tool's.
fn named(matches: &ArgMatches) -> Option<(&'static Own, &ArgMatches)> {
    let (name, inner) = matches.subcommand()?;
    OWN.iter().find(|own| (own.command)().get_name() == name).map(|own| (own, inner))
}

/// Whether one of these commands is named, and not a tool's.
pub fn is_named(matches: &ArgMatches) -> bool {
    named(matches).is_some()
}

/// Runs the command that is named.
pub async fn run(matches: &ArgMatches, services: &Services) -> ExitCode {
    let done = async {
        services.stores()?;
        let (own, inner) = named(matches).ok_or_else(|| ToolError::invalid("there is no such command"))?;
        (own.run)(inner, services).await
    };
    finished(done.await)
}

/// Returns the one id that a name stands for: a whole one, or the end of one.
pub async fn whole_id(services: &Services, named: &str) -> Result<MemoryId, ToolError> {
    let mut ids = services.memories.whole_ids(&[named.to_owned()]).await?;
    match (ids.pop(), ids.len()) {
        (Some(id), 0) => Ok(id),
        _ => {
            Err(ToolError::invalid(format!("{named:?} stands for several memories")).with_hint("write more of the id"))
        }
    }
}

/// Reads a time of the command line: a date, a time, or how long ago it was (`7d`).
pub fn moment(text: &str, option: &str, now: Timestamp) -> Result<Timestamp, ToolError> {
    let written = text.trim();
    if let Ok(span) = time_span(written) {
        return before(now, &span, option);
    }
    written
        .parse()
        .ok()
        .or_else(|| TimeZone::UTC.to_timestamp(written.parse::<DateTime>().ok()?).ok())
        .or_else(|| TimeZone::UTC.to_timestamp(written.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok())
        .ok_or_else(|| {
            ToolError::invalid(format!("--{option} is {written:?}: expected a time"))
                .with_hint("write 2026-01-31, 2026-01-31T12:00:00Z, or 7d for a week ago")
        })
}
