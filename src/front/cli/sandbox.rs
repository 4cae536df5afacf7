//! `ctx sandbox`: a command inside the boundary, and how strong that is here.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::ArgMatches;
use serde_json::json;
use tokio::sync::mpsc;

use super::confined::{Confined, Ran};
use super::tool::write_stdout;
use crate::exec::{Output, Stream, Streams};
use crate::tools::Services;

/// How many pieces of output may wait to be written.
const OUTPUTS_MAX: usize = 64;

/// Runs `probe` or `run`.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode> {
    match matches.subcommand() {
        Some(("run", inner)) => run_command(inner, services).await,
        Some((_, inner)) => probe(services, inner.get_flag("json")).await,
        None => probe(services, false).await,
    }
}

async fn probe(services: &Services, json: bool) -> Result<ExitCode> {
    let report = services.executor.probe().await;
    let text = if json {
        json!(report).to_string()
    } else {
        let strength = serde_json::to_value(report.strength)?;
        let mut lines = vec![format!("strength  {}", strength.as_str().unwrap_or_default())];
        lines.extend(report.gaps.iter().map(|gap| format!("gap       {gap}")));
        lines.join("\n")
    };
    write_stdout(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn run_command(matches: &ArgMatches, services: &Services) -> Result<ExitCode> {
    let confined = match Confined::read(matches, services)? {
        Ok(confined) => confined,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    let (sender, mut outputs) = mpsc::channel::<Output>(OUTPUTS_MAX);
    let writer = tokio::spawn(async move {
        while let Some(output) = outputs.recv().await {
            pass_on(&output);
        }
    });
    let ran = confined.run(services, Streams { output: Some(sender), ..Streams::default() }).await;
    let _ = writer.await;
    match ran? {
        Ran::Ended(_, code) | Ran::NotStarted(code) => Ok(ExitCode::from(code)),
    }
}

#[expect(clippy::disallowed_methods, reason = "the output of the command is the output of `ctx sandbox run`")]
fn pass_on(output: &Output) {
    // Nobody reading any more is the reader's choice; the command goes on.
    let _ = match output.stream {
        Stream::Stdout => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&output.bytes).and_then(|()| stdout.flush())
        }
        Stream::Stderr => std::io::stderr().write_all(&output.bytes),
    };
}
