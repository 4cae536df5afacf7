//! The `ctx` command: command line -> settings -> services -> one front -> exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ArgMatches;
use context_engine::config::{self, Loaded, Sources};
use context_engine::exec::sandbox;
use context_engine::front::{self, Front, cli};
use context_engine::{app, base, observe};

fn main() -> ExitCode {
    // The helper of the sandbox, before anything has started a thread.
    if std::env::args_os().nth(1).is_some_and(|first| first == sandbox::init::ARGUMENT) {
        sandbox::init::main();
    }
    if let Some(code) = cli::quick(std::env::args_os().skip(1)) {
        return code;
    }
    base::give_back_large();
    let matches = cli::command_for(std::env::args_os().skip(1)).get_matches();
    match run(&matches) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let loaded = load(matches)?;
    observe::log::start(&loaded.config.log, std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let front = match matches.subcommand() {
        Some(("serve", _)) => Some(Front::Mcp),
        Some(("rpc", _)) => Some(Front::JsonRpc),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = match front {
        Some(front) => {
            for problem in &loaded.problems {
                tracing::warn!("{problem}");
            }
            let services = app::build(loaded)?;
            let served = runtime.block_on(async {
                let served = front::serve(front, Arc::clone(&services)).await;
                services.shut_down().await;
                served
            });
            served.map(|()| ExitCode::SUCCESS)?
        }
        None => runtime.block_on(cli::run(matches, loaded))?,
    };
    // A thread may still be waiting in a blocking read of standard input.
    runtime.shutdown_background();
    Ok(code)
}

fn load(matches: &ArgMatches) -> Result<Loaded> {
    let flags: Vec<String> = matches.get_many("set").into_iter().flatten().cloned().collect();
    let mut sources = Sources::from_process(&flags).context("cannot tell the working directory")?;
    if let Some(folder) = matches.get_one::<String>("project") {
        sources.working_directory =
            PathBuf::from(folder).canonicalize().with_context(|| format!("cannot use the folder {folder}"))?;
    }
    Ok(config::load(&sources))
}
