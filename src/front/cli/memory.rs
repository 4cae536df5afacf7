//! `ctx memory`: the commands about memories that are for people and scripts, beside those of the
//! tools. An assistant has no use for them, so they are not in its list.

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use super::tool::report;
use super::{memory_doctor, memory_tidy};
use crate::front::render;
use crate::tools::Services;

/// Adds the commands to the group that the tools' own commands stand in.
pub fn with_commands(command: Command) -> Command {
    command
        .mut_subcommand("memory", |group| group.subcommand(memory_doctor::command()).subcommand(memory_tidy::command()))
}

/// Whether one of these commands is named, and not a tool's.
pub fn is_named(matches: &ArgMatches) -> bool {
    matches!(matches.subcommand_name(), Some("doctor" | "tidy"))
}

/// Runs the command that is named.
pub async fn run(matches: &ArgMatches, services: &Services) -> ExitCode {
    let done = match matches.subcommand() {
        Some(("doctor", inner)) => memory_doctor::run(inner, services).await,
        Some(("tidy", inner)) => memory_tidy::run(inner, services).await,
        _ => Ok(ExitCode::FAILURE),
    };
    done.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(render::codes(error.kind).exit)
    })
}
