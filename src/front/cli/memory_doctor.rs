//! `ctx memory doctor`: what is wrong with the memories, and putting it right.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::tool::write_stdout;
use super::with_json;
use crate::base::thousands;
use crate::memory::Checkup;
use crate::store::Finding;
use crate::tools::{ErrorKind, Services, ToolError};

/// Returns the command line of `ctx memory doctor`.
pub fn command() -> Command {
    with_json(Command::new("doctor"))
        .about("Look for what is wrong with the memories; exit code 1 if anything is and was not put right")
        .arg(Arg::new("fix").long("fix").action(ArgAction::SetTrue).help("Put right what can be"))
        .after_help(
            "Looked for: damaged pages, an index of words that is not in step with the texts, memories without a \
             vector, texts and rows that belong to nothing, several current memories of one topic, and secrets that \
             were stored before their pattern was known. `ctx backup` first costs nothing.",
        )
}

/// Looks, and with `--fix` puts right.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    services.stores()?;
    let fix = matches.get_flag("fix");
    let checkup = services.memories.examine(fix).await?;
    let text = if matches.get_flag("json") {
        json!({
            "well": checkup.is_well(),
            "project": checkup.project,
            "user": checkup.user,
            "copies": checkup.copies,
        })
        .to_string()
    } else {
        told(&checkup, fix)
    };
    write_stdout(&text)
        .map_err(|error| ToolError::new(ErrorKind::Unavailable, format!("cannot write the result: {error}")))?;
    Ok(if checkup.is_well() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(checkup: &Checkup, fix: bool) -> String {
    let mut lines = Vec::new();
    for (whose, findings) in [("project", &checkup.project), ("user", &checkup.user)] {
        lines.extend(findings.iter().map(|finding| format!("{whose}: {}", line(finding))));
    }
    if lines.is_empty() {
        return "nothing is wrong".to_owned();
    }
    lines.extend(checkup.copies.iter().map(|file| format!("{} may still hold the secrets; delete it", file.display())));
    if !fix && !checkup.is_well() {
        lines.push("`ctx memory doctor --fix` puts right what can be".to_owned());
    }
    lines.join("\n")
}

fn line(finding: &Finding) -> String {
    let state = if finding.mended { "put right" } else { "wrong" };
    let count = thousands(usize::try_from(finding.count).unwrap_or(usize::MAX));
    let mut line = format!("{state}: {}: {count} {}", finding.name, finding.detail);
    if !finding.examples.is_empty() {
        let more = if finding.count > finding.examples.len() as u64 { ", ..." } else { "" };
        line.push_str(&format!(" ({}{more})", finding.examples.join(", ")));
    }
    line
}
