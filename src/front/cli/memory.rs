//! `ctx memory`: the commands about memories that are for people and scripts, beside those of the
//! tools. An assistant has no use for them, so they are not in its list.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::originals::{before, time_span};
use super::tool::{report, write_stdout};
use super::{memory_doctor, memory_edit, memory_list, memory_tidy, memory_transfer};
use crate::base::{MemoryId, Timestamp};
use crate::front::render;
use crate::tools::{ErrorKind, Services, ToolError};

/// Adds the commands to the group that the tools' own commands stand in.
pub fn with_commands(command: Command) -> Command {
    command.mut_subcommand("memory", |group| {
        group
            .subcommand(memory_list::list_command())
            .subcommand(memory_list::show_command())
            .subcommand(memory_edit::command())
            .subcommand(memory_list::stats_command())
            .subcommand(memory_transfer::export_command())
            .subcommand(memory_transfer::import_command())
            .subcommand(memory_doctor::command())
            .subcommand(memory_tidy::command())
    })
}

/// Whether one of these commands is named, and not a tool's.
pub fn is_named(matches: &ArgMatches) -> bool {
    let own = ["list", "show", "edit", "stats", "export", "import", "doctor", "tidy"];
    matches.subcommand_name().is_some_and(|name| own.contains(&name))
}

/// Runs the command that is named.
pub async fn run(matches: &ArgMatches, services: &Services) -> ExitCode {
    let done = match (services.stores(), matches.subcommand()) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(("list", inner))) => memory_list::list(inner, services).await,
        (Ok(()), Some(("show", inner))) => memory_list::show(inner, services).await,
        (Ok(()), Some(("stats", inner))) => memory_list::stats(inner, services).await,
        (Ok(()), Some(("edit", inner))) => memory_edit::run(inner, services).await,
        (Ok(()), Some(("export", inner))) => memory_transfer::export(inner, services).await,
        (Ok(()), Some(("import", inner))) => memory_transfer::import(inner, services).await,
        (Ok(()), Some(("doctor", inner))) => memory_doctor::run(inner, services).await,
        (Ok(()), Some(("tidy", inner))) => memory_tidy::run(inner, services).await,
        (Ok(()), _) => Ok(ExitCode::FAILURE),
    };
    finished(done)
}

/// The exit code of a command, after its error has been told.
pub fn finished(done: Result<ExitCode, ToolError>) -> ExitCode {
    done.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(render::codes(error.kind).exit)
    })
}

/// Prints a result.
pub fn printed(text: &str) -> Result<ExitCode, ToolError> {
    write_stdout(text)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| ToolError::new(ErrorKind::Unavailable, format!("cannot write the result: {error}")))
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
        return before(now, &span);
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
