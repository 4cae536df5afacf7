//! Runs one tool from the command line.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ArgMatches;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::flags;
use super::progress::Line;
use crate::front::render;
use crate::tools::{self, Answer, Call, ErrorKind, Services, Tool, ToolError};

/// Runs `tool` with the arguments of its subcommand and prints the result.
pub async fn run_tool(services: Arc<Services>, tool: &'static dyn Tool, matches: &ArgMatches) -> ExitCode {
    let result = match flags::input(tool, matches, &mut read_stdin) {
        Ok(input) => call(services, tool.name(), input).await,
        Err(error) => Err(error),
    };
    print(result, matches.get_flag("json"), tool.command().verbatim)
}

/// Runs the tool of that name on JSON input and prints the structured result.
pub async fn run_call(services: Arc<Services>, name: &str, input: &str) -> ExitCode {
    let name = super::named(name).map_or(name, |tool| tool.name());
    let result = match flags::read_json("the input", input, &mut read_stdin) {
        Ok(input) => call(services, name, input).await,
        Err(error) => Err(error),
    };
    print(result, true, false)
}

/// Calls a tool; Ctrl-C cancels it, and a second one ends the program.
async fn call(services: Arc<Services>, name: &str, input: Value) -> Result<Answer, ToolError> {
    let line = Line::default();
    let cancel = CancellationToken::new();
    let call = Call {
        services: Arc::clone(&services),
        cancel: cancel.clone(),
        progress: line.progress(),
        session_id: "cli".to_owned(),
        capped: false,
    };
    let interrupt = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    let result = tools::call(&call, name, input).await;
    interrupt.abort();
    line.clear();
    services.shut_down().await;
    if let Ok(answer) = &result
        && matches!(answer.structured["status"].as_str(), Some("running" | "queued"))
        && tools::find(name).is_some_and(|tool| tool.effects().open_world)
    {
        let run = answer.structured["run_id"].as_str().unwrap_or("the run");
        let _ = writeln!(std::io::stderr(), "warning: {run} was cancelled: it ends with the command that started it");
    }
    result
}

/// Prints a result: data to stdout, talk to stderr.
pub fn print(result: Result<Answer, ToolError>, json: bool, verbatim: bool) -> ExitCode {
    match result {
        Ok(answer) => {
            let data = answer.bytes.unwrap_or_else(|| answer.text.clone().into_bytes());
            // In a script, nothing is said but why there is nothing.
            let said = !json && (std::io::stderr().is_terminal() || data.is_empty());
            if let Some(remark) = answer.remark.filter(|_| said) {
                let _ = writeln!(std::io::stderr(), "{remark}");
            }
            let written = match (json, verbatim) {
                (true, _) => write_stdout(&answer.structured.to_string()),
                (false, true) => write_verbatim(&data),
                (false, false) => write_stdout(&answer.text),
            };
            match written {
                Ok(()) => answer.failure.map_or(ExitCode::SUCCESS, ExitCode::from),
                Err(error) => {
                    let _ = writeln!(std::io::stderr(), "error: cannot write the result: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Err(error) => {
            if json {
                let _ = write_stdout(&serde_json::json!({ "error": error }).to_string());
            }
            report(&error);
            ExitCode::from(render::codes(error.kind).exit)
        }
    }
}

/// Prints an error to stderr: what failed, on what, and what to try.
pub fn report(error: &ToolError) {
    let _ = writeln!(std::io::stderr(), "error: {}", error.message);
    if let Some(hint) = &error.hint {
        let _ = writeln!(std::io::stderr(), "  try: {hint}");
    }
}

/// Prints the result of a command.
pub fn printed(text: &str) -> Result<ExitCode, ToolError> {
    write_stdout(text)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| ToolError::new(ErrorKind::Unavailable, format!("cannot write the result: {error}")))
}

/// Returns the exit code of a command, after its error has been told.
pub fn finished(done: Result<ExitCode, ToolError>) -> ExitCode {
    done.unwrap_or_else(|error| {
        report(&error);
        ExitCode::from(render::codes(error.kind).exit)
    })
}

/// Writes text to stdout, as a whole line.
pub fn write_stdout(text: &str) -> std::io::Result<()> {
    write(text.as_bytes(), !text.ends_with('\n') && !text.is_empty())
}

/// Writes data to stdout byte for byte; on a terminal, the prompt still gets a line of its own.
pub fn write_verbatim(data: &[u8]) -> std::io::Result<()> {
    write(data, std::io::stderr().is_terminal() && !data.ends_with(b"\n"))
}

#[expect(clippy::disallowed_methods, reason = "this is the writer of the command line front")]
fn write(data: &[u8], end_line: bool) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let end: &[u8] = if end_line { b"\n" } else { b"" };
    match stdout.write_all(data).and_then(|()| stdout.write_all(end)).and_then(|()| stdout.flush()) {
        // Whoever read us has gone away, as `head` does: not a failure of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Reads standard input as text; a terminal only where it was asked for.
pub(super) fn read_stdin(terminal: bool) -> Result<Option<String>, ToolError> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() && !terminal {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    stdin
        .read_to_end(&mut bytes)
        .map_err(|error| ToolError::new(ErrorKind::Unavailable, format!("cannot read standard input: {error}")))?;
    Ok(Some(String::from_utf8(bytes).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "note: standard input is not UTF-8; what is not is replaced by U+FFFD");
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    })))
}
