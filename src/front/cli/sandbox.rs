//! `ctx sandbox`: a command inside the boundary, and how strong that is here.

use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ArgMatches;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::tool::write_stdout;
use crate::exec::{self, Ended, ExecError, Launch, Output, Policy, Stream};
use crate::tools::Services;

/// The exit code after a time-out, as `timeout(1)` has it.
const TIMED_OUT: u8 = 124;
/// The exit codes for a program that does not start, as shells have them.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
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
    let config = &services.config;
    let mut command = matches.get_many::<String>("command").context("no command")?.cloned();
    let name = command.next().context("no command")?;
    let workspace = match matches.get_one::<String>("workspace") {
        Some(folder) => {
            PathBuf::from(folder).canonicalize().with_context(|| format!("cannot use the folder {folder}"))?
        }
        None => config.paths.working_directory.clone(),
    };
    // A name with a slash is meant from where the command starts, as a shell has it.
    let path = workspace.join(&name);
    let found = if name.contains('/') { path.to_str().unwrap_or_default() } else { &name };
    let Some(program) = exec::find_program(found, &config.paths.programs) else {
        let is_there = name.contains('/') && path.exists();
        note(&format!("program {name} {}", if is_there { "cannot be executed" } else { "was not found" }));
        return Ok(ExitCode::from(if is_there { NOT_EXECUTABLE } else { NOT_FOUND }));
    };
    let home = config.paths.home.clone();
    let mut policy = match matches.get_one::<String>("policy").map(String::as_str) {
        Some("readonly") => Policy::readonly(workspace.clone(), home),
        Some("agent") => Policy::agent(workspace.clone(), home),
        _ => Policy::command(workspace.clone(), home),
    };
    policy.apply(config);
    policy.limits.wall =
        matches.get_one::<u64>("timeout").map_or(config.delegation.timeout, |&seconds| Duration::from_secs(seconds));
    let launch = Launch {
        program,
        arguments: command.collect(),
        stdin: Vec::new(),
        environment: config.delegation.environment.clone(),
        working_directory: workspace,
        home_files: Vec::new(),
    };
    let (sender, mut outputs) = mpsc::channel::<Output>(OUTPUTS_MAX);
    let cancel = CancellationToken::new();
    let interrupt = cancel.clone();
    let signals = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(output) = outputs.recv().await {
            pass_on(&output);
        }
    });
    let exit = services.executor.run_with(launch, &policy, cancel, Some(sender), piped_stdin()?).await;
    signals.abort();
    let _ = writer.await;
    let exit = match exit {
        Err(error @ (ExecError::NotFound { .. } | ExecError::Start { .. })) => {
            note(&error.to_string());
            let is_missing = matches!(error, ExecError::NotFound { .. });
            return Ok(ExitCode::from(if is_missing { NOT_FOUND } else { NOT_EXECUTABLE }));
        }
        other => other?,
    };
    let code = match exit.ended {
        Ended::Exited(code) => u8::try_from(code).unwrap_or(1),
        Ended::Signalled(signal) => {
            note(&format!("ended by signal {signal}"));
            u8::try_from(128 + signal).unwrap_or(1)
        }
        Ended::TimedOut => {
            note(&format!("ended after {} s, the time limit", policy.limits.wall.as_secs()));
            TIMED_OUT
        }
        Ended::Cancelled => 130,
        Ended::Limit(limit) => {
            note(&format!("ended by the limit on {limit}"));
            137
        }
    };
    if exit.sandbox.strength == exec::sandbox::Strength::Unprotected {
        note("this ran without any boundary, as the settings allow");
    }
    Ok(ExitCode::from(code))
}

/// Returns what is piped in, for the command to read; a terminal is not passed into the sandbox.
fn piped_stdin() -> Result<Option<OwnedFd>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    stdin.as_fd().try_clone_to_owned().map(Some).context("cannot pass standard input on")
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

fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "ctx: {text}");
}
