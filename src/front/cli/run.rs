//! `ctx run`: a command in the sandbox, and of its output what fits.
//!
//! The output goes to standard output when the command has ended: as it was written where it fits,
//! else fitted, with the whole kept under the handle that the marks name. The exit code is the
//! command's own, so that `ctx run` can stand before any command in a script or a hook.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::confined::{Confined, REFUSED, Ran, note, with_arguments};
use super::progress::Line;
use super::tool::{report, write_stdout, write_verbatim};
use crate::base::{bytes, thousands};
use crate::compress::original::ORIGINAL_MAX;
use crate::compress::{COMPRESSORS, Kind, Level};
use crate::exec::{Ended, Exit, Streams};
use crate::tokens::Encoding;
use crate::tools::context_compress::{self, Wanted};
use crate::tools::{ErrorKind, Input, Services, ToolError};

/// The name of the command, in the accounts as well.
const NAME: &str = "run";
/// How many pieces of output may wait to be counted.
const OUTPUTS_MAX: usize = 64;
/// The most that is kept of an output: as much as an original may have, with room for the line that
/// says how much is missing.
const OUTPUT_BYTES_MAX: u64 = ORIGINAL_MAX as u64 - 4096;

/// Returns the command line of `ctx run`.
pub fn command() -> Command {
    let kinds: Vec<&str> = COMPRESSORS.iter().map(|compressor| compressor.kind().word()).collect();
    let encodings: Vec<&str> = Encoding::ALL.iter().map(|encoding| encoding.name()).collect();
    let command = Command::new(NAME)
        .about("Run a command in the sandbox and print of its output what fits; exits with the command's code")
        .after_help(
            "Both output streams are printed as one, when the command has ended: as they are where they fit, \
             else fitted, with marks that name what was cut and where it is kept. The exit code is the command's own, \
             124 after a time-out, 128 and the number of the signal that ended it, 125 when no boundary can be \
             built, 126 or 127 when it cannot start.\n\n  \
             ctx run --max-tokens 800 -- cargo test\n  \
             ctx run --query \"the failing migration\" -- pytest -x\n  \
             ctx retrieve ctx:0123abcd --regex 'error|panic'",
        )
        .arg(
            Arg::new("max_tokens")
                .long("max-tokens")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Most tokens of what is printed (default: context.max_tokens)"),
        )
        .arg(Arg::new("query").long("query").value_name("TEXT").help("What matters in the output"))
        .arg(Arg::new("kind").long("kind").value_parser(kinds).help("The kind of output (default: detected)"))
        .arg(
            Arg::new("encoding")
                .long("encoding")
                .value_parser(encodings)
                .help("Count with this encoding (default: context.encoding)"),
        )
        .arg(Arg::new("model").long("model").value_name("TEXT").help("Count for this model instead"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print what came of it as JSON"));
    with_arguments(command)
}

/// Runs the command.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode> {
    let wanted = match wanted(matches, services) {
        Ok(wanted) => wanted,
        Err(error) => {
            report(&error);
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let mut confined = match Confined::read(matches, services)? {
        Ok(confined) => confined,
        Err(code) => return Ok(ExitCode::from(code)),
    };
    confined.policy.limits.output_bytes = OUTPUT_BYTES_MAX;
    let words: Vec<String> = matches.get_many("command").into_iter().flatten().cloned().collect();
    let (sender, outputs) = mpsc::channel(OUTPUTS_MAX);
    let streams = Streams { output: Some(sender), joined: true, ..Streams::default() };
    let (ran, ()) = tokio::join!(confined.run(services, streams), watch(outputs));
    let (mut exit, code) = match ran? {
        Ran::Ended(exit, code) => (exit, code),
        Ran::NotStarted(code) => return Ok(ExitCode::from(code)),
    };
    if exit.stdout.dropped > 0 {
        note(&format!("{} in the middle of the output were dropped", bytes(exit.stdout.dropped)));
    }
    let content = std::mem::take(&mut exit.stdout.bytes);
    let fitted = fit(services, &words, &content, wanted).await;
    if matches.get_flag("json") {
        write_stdout(&as_json(&words, code, &exit, &fitted).to_string())?;
    }
    match fitted {
        Ok(fitted) => {
            if let Some(handle) = &fitted.handle {
                let (before, after) = (thousands(fitted.tokens_before), thousands(fitted.tokens_after));
                note(&format!("{before} -> {after} tokens ({}); the whole: ctx retrieve {handle}", fitted.kind.word()));
            }
            if !matches.get_flag("json") {
                write_verbatim(if fitted.level == Level::None { &content } else { fitted.text.as_bytes() })?;
            }
        }
        Err(error) => report(&error),
    }
    services.shut_down().await;
    Ok(ExitCode::from(code))
}

/// Reads what the output is to become; what is wrong shows before the command is started.
fn wanted(matches: &ArgMatches, services: &Services) -> Result<Wanted, ToolError> {
    services.stores()?;
    let encoding = matches.get_one::<String>("encoding").and_then(|name| name.parse().ok());
    let model = matches.get_one::<String>("model").map(String::as_str);
    let tokens = matches.get_one::<u32>("max_tokens").map(|&tokens| tokens as usize);
    Ok(Wanted {
        max_tokens: Some(tokens.unwrap_or(services.config.context.max_tokens)),
        query: matches.get_one::<String>("query").cloned(),
        kind: matches.get_one::<String>("kind").and_then(|word| Kind::of_word(word)),
        measure: services.measure(encoding, model)?,
    })
}

/// Makes the output fit. A store that fails must not take the output of a long command with it: then
/// it is fitted all the same, and what is cut is lost, which is said.
async fn fit(
    services: &Services,
    words: &[String],
    content: &[u8],
    wanted: Wanted,
) -> Result<context_compress::Output, ToolError> {
    let source = Some(format!("the output of {}", words.join(" ")));
    let input = || Input { content: content.to_vec(), source: source.clone() };
    match context_compress::compress(NAME, services, input(), wanted.clone(), None).await {
        Err(error) if error.kind == ErrorKind::Unavailable => {
            note(&format!("the whole output could not be kept, so what is cut is lost: {error}"));
            context_compress::compress_only(services, input(), wanted).await
        }
        other => other,
    }
}

/// Shows on a terminal how much has come so far.
async fn watch(mut outputs: mpsc::Receiver<crate::exec::Output>) {
    let (line, started) = (Line::default(), Instant::now());
    let progress = line.progress();
    let mut count = 0;
    while let Some(output) = outputs.recv().await {
        count += output.bytes.len() as u64;
        let seconds = started.elapsed().as_secs();
        progress.report(count as f64, None, format!("{} of output after {seconds} s", bytes(count)));
    }
    line.clear();
}

fn as_json(words: &[String], code: u8, exit: &Exit, fitted: &Result<context_compress::Output, ToolError>) -> Value {
    let ended = match &exit.ended {
        Ended::Exited(_) => "exited".to_owned(),
        Ended::Signalled(signal) => format!("signal {signal}"),
        Ended::TimedOut => "timed_out".to_owned(),
        Ended::Cancelled => "cancelled".to_owned(),
        Ended::Limit(limit) => format!("limit on {limit}"),
    };
    let mut shown = json!({
        "command": words,
        "exit_code": code,
        "ended": ended,
        "seconds": exit.wall.as_secs_f64(),
        "sandbox": exit.sandbox,
        "touched": exit.touched,
        "dropped_bytes": exit.stdout.dropped,
    });
    match fitted {
        Ok(output) => {
            if let (Some(shown), Value::Object(output)) = (shown.as_object_mut(), json!(output)) {
                shown.extend(output);
            }
        }
        Err(error) => shown["error"] = json!(error),
    }
    shown
}
