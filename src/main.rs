//! The `ctx` command.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use context_engine::base::SystemClock;
use context_engine::config::{self, Sources};
use context_engine::front::{Front, serve};
use context_engine::observe::{self, Bus};
use context_engine::tools::Services;

fn main() -> anyhow::Result<ExitCode> {
    let front = match std::env::args().nth(1).as_deref() {
        Some("serve") => Front::Mcp,
        Some("rpc") => Front::JsonRpc,
        _ => anyhow::bail!("expected `ctx serve` or `ctx rpc`"),
    };
    let loaded = config::load(&Sources::from_process(&[]).context("the working directory is gone")?);
    observe::log::start(&loaded.config.log, false);
    let services = Services { config: loaded.config, clock: Arc::new(SystemClock), bus: Bus::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(serve(front, Arc::new(services)));
    runtime.shutdown_background();
    result.context("failed to serve")?;
    Ok(ExitCode::SUCCESS)
}
