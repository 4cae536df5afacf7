//! A command line in the sandbox: what `ctx run` and `ctx sandbox run` share.

use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exec::{self, Ended, ExecError, Exit, Launch, Policy, Streams};
use crate::tools::Services;

/// The exit code after a time-out, as `timeout(1)` has it.
const TIMED_OUT: u8 = 124;
/// The exit code when no boundary that the settings accept can be built: again as `timeout(1)` says
/// that it failed itself, so that it is not taken for the command's own.
pub const REFUSED: u8 = 125;
/// The exit codes for a program that does not start, as shells have them.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// The exit code of a command that went over a limit, which is ended by SIGKILL.
const KILLED: u8 = 137;

/// Adds the arguments that say what runs, and within which bounds.
pub fn with_arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("policy")
                .long("policy")
                .value_parser(["command", "readonly", "agent"])
                .default_value("command")
                .help("What it may do"),
        )
        .arg(Arg::new("workspace").long("workspace").value_name("DIR").help("The folder it may change (default: here)"))
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64).range(1..))
                .help("Wall time (default: delegation.timeout_seconds)"),
        )
        .arg(
            Arg::new("command")
                .required(true)
                .num_args(1..)
                .trailing_var_arg(true)
                .value_name("CMD")
                .help("The program and its arguments"),
        )
}

/// A command that is ready to be started.
pub struct Confined {
    /// What is started.
    pub launch: Launch,
    /// What it may do.
    pub policy: Policy,
}

/// What came of a command.
pub enum Ran {
    /// It ran, and this is its exit code.
    Ended(Box<Exit>, u8),
    /// It did not start, for which this is the exit code; the reason has been said.
    NotStarted(u8),
}

impl Confined {
    /// Reads what is to run. `Err` with an exit code: it cannot be started, and why has been said.
    pub fn read(matches: &ArgMatches, services: &Services) -> Result<Result<Self, u8>> {
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
            return Ok(Err(if is_there { NOT_EXECUTABLE } else { NOT_FOUND }));
        };
        let home = config.paths.home.clone();
        let mut policy = match matches.get_one::<String>("policy").map(String::as_str) {
            Some("readonly") => Policy::readonly(workspace.clone(), home),
            Some("agent") => Policy::agent(workspace.clone(), home),
            _ => Policy::command(workspace.clone(), home),
        };
        policy.apply(config);
        policy.limits.wall = matches
            .get_one::<u64>("timeout")
            .map_or(config.delegation.timeout, |&seconds| Duration::from_secs(seconds));
        let launch = Launch {
            program,
            arguments: command.collect(),
            stdin: Vec::new(),
            environment: config.delegation.environment.clone(),
            working_directory: workspace,
            home_files: Vec::new(),
        };
        Ok(Ok(Self { launch, policy }))
    }

    /// Runs it with what is piped in, and says on standard error what its exit code alone does not.
    /// A signal that asks us to end is passed on; a second interrupt ends us at once.
    pub async fn run(self, services: &Services, streams: Streams) -> Result<Ran> {
        let Self { launch, policy } = self;
        let wall = policy.limits.wall;
        let cancel = CancellationToken::new();
        let signals = Signals::watch(cancel.clone());
        let streams = Streams { stdin: piped_stdin()?, ..streams };
        let exit = services.executor.run_with(launch, &policy, cancel, streams).await;
        let asked = signals.end();
        let exit = match exit {
            Err(error) => {
                note(&error.to_string());
                return Ok(Ran::NotStarted(match error {
                    ExecError::NotFound { .. } => NOT_FOUND,
                    ExecError::Start { .. } => NOT_EXECUTABLE,
                    ExecError::Refused { hint, .. } => {
                        note(&format!("try: {hint}"));
                        REFUSED
                    }
                }));
            }
            Ok(exit) => exit,
        };
        let code = match &exit.ended {
            Ended::Exited(code) => u8::try_from(*code).unwrap_or(1),
            Ended::Signalled(signal) => {
                note(&format!("ended by signal {signal}"));
                u8::try_from(128 + signal).unwrap_or(1)
            }
            Ended::TimedOut => {
                note(&format!("ended after {} s, the time limit", wall.as_secs()));
                TIMED_OUT
            }
            Ended::Cancelled => asked,
            Ended::Limit(limit) => {
                note(&format!("ended by the limit on {limit}"));
                KILLED
            }
        };
        if exit.sandbox.strength == exec::sandbox::Strength::Unprotected {
            note("this ran without any boundary, as the settings allow");
        }
        for path in &exit.touched {
            note(&format!("it touched {}, which this system may obey later", path.display()));
        }
        Ok(Ran::Ended(Box::new(exit), code))
    }
}

/// Says something about the command on standard error.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "ctx: {text}");
}

/// Returns what is piped in, for the command to read; a terminal is not passed into the sandbox.
fn piped_stdin() -> Result<Option<OwnedFd>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    stdin.as_fd().try_clone_to_owned().map(Some).context("cannot pass standard input on")
}

/// Cancels a command when we are asked to end, and remembers by which signal.
struct Signals {
    watching: JoinHandle<()>,
    code: Arc<AtomicU8>,
}

impl Signals {
    fn watch(cancel: CancellationToken) -> Self {
        let code = Arc::new(AtomicU8::new(130));
        let first = Arc::clone(&code);
        // Listened for from now on, not from when the task first runs.
        let asked = asked_to_end();
        let watching = tokio::spawn(async move {
            first.store(asked.await, Ordering::Release);
            cancel.cancel();
            let again = asked_to_end().await;
            std::process::exit(i32::from(again));
        });
        Self { watching, code }
    }

    /// Stops watching; returns the exit code of the signal that came, or else that of an interrupt.
    fn end(self) -> u8 {
        self.watching.abort();
        self.code.load(Ordering::Acquire)
    }
}

/// Returns the exit code of the next signal that asks us to end, as shells have it.
#[cfg(unix)]
fn asked_to_end() -> impl Future<Output = u8> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143), (SignalKind::hangup(), 129)];
    let signals: Vec<_> = kinds.into_iter().filter_map(|(kind, code)| Some((signal(kind).ok()?, code))).collect();
    async move {
        let arrivals = signals.into_iter().map(|(mut signal, code)| {
            Box::pin(async move {
                signal.recv().await;
                code
            })
        });
        let arrivals: Vec<_> = arrivals.collect();
        if arrivals.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(arrivals).await.0
    }
}

#[cfg(not(unix))]
async fn asked_to_end() -> u8 {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    130
}
