//! Which command was asked for.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::ArgMatches;

use super::{backup, demo, memory, memory_transfer, originals, sandbox, savings, settings, tool};
use crate::app;
use crate::config::Loaded;

/// Says on standard error what is wrong with the settings, a line each.
fn warn(loaded: &Loaded) {
    for problem in &loaded.problems {
        let _ = writeln!(std::io::stderr(), "warning: {problem}");
    }
}

/// Runs the command that the command line names, other than `serve` and `rpc`.
pub async fn run(matches: &ArgMatches, loaded: Loaded) -> Result<ExitCode> {
    // `config check` has them as its output.
    let checks = matches!(matches.subcommand(), Some(("config", inner)) if inner.subcommand_name() == Some("check"));
    if !checks {
        warn(&loaded);
    }
    match matches.subcommand() {
        Some(("config", inner)) => settings::run(inner, &loaded),
        Some(("demo", _)) => {
            demo::run(&loaded.config).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("sandbox", inner)) => {
            let services = app::build(loaded)?;
            sandbox::run(inner, &services).await
        }
        Some(("run", inner)) => {
            let services = app::build(loaded)?;
            super::run::run(inner, &services).await
        }
        Some(("originals", inner)) => {
            let services = app::build(loaded)?;
            Ok(originals::run(inner, &services).await)
        }
        Some(("savings", inner)) => {
            let services = app::build(loaded)?;
            Ok(savings::run(inner, &services).await)
        }
        Some(("backup", inner)) => {
            let services = app::build(loaded)?;
            Ok(backup::back_up(inner, &services).await)
        }
        Some(("restore", inner)) => {
            let services = app::build(loaded)?;
            Ok(backup::restore(inner, &services).await)
        }
        Some(("memory", inner)) if memory::is_named(inner) => {
            let services = app::build(loaded)?;
            Ok(memory::run(inner, &services).await)
        }
        Some(("remember", inner)) if memory_transfer::is_about_source(inner) => {
            let services = app::build(loaded)?;
            Ok(tool::finished(memory_transfer::remember(inner, &services).await))
        }
        Some(("call", inner)) => {
            let services = app::build(loaded)?;
            let name = inner.get_one::<String>("tool").map_or("", String::as_str);
            let input = inner.get_one::<String>("input").map_or("{}", String::as_str);
            Ok(tool::run_call(services, name, input).await)
        }
        _ => {
            let services = app::build(loaded)?;
            let (tool, arguments) = super::tool_of(matches).ok_or_else(|| anyhow::anyhow!("no such command"))?;
            Ok(tool::run_tool(Arc::clone(&services), tool, arguments).await)
        }
    }
}
