//! The `ctx` command.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use context_engine::base::SystemClock;
use context_engine::config::{
    CompressionConfig, Config, ContextConfig, DelegationConfig, MemoryConfig, MinimumStrength, Paths, SandboxConfig,
    SecurityConfig,
};
use context_engine::front::{Front, serve};
use context_engine::observe::{self, Bus};
use context_engine::tools::Services;

fn main() -> anyhow::Result<ExitCode> {
    let front = match std::env::args().nth(1).as_deref() {
        Some("serve") => Front::Mcp,
        Some("rpc") => Front::JsonRpc,
        _ => anyhow::bail!("expected `ctx serve` or `ctx rpc`"),
    };
    observe::log::start("warn,rmcp=error", false);
    let services = Arc::new(services()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(serve(front, services));
    runtime.shutdown_background();
    result.context("failed to serve")?;
    Ok(ExitCode::SUCCESS)
}

fn services() -> anyhow::Result<Services> {
    let folder = std::env::current_dir().context("the working directory is gone")?;
    let data = folder.join(".claude/data");
    let config = Config {
        paths: Paths {
            working_directory: folder.clone(),
            project_root: None,
            workspace: folder,
            data: data.clone(),
            user_data: data.clone(),
            home: None,
            programs: Vec::new(),
        },
        context: ContextConfig {
            max_tokens: 4000,
            encoding: "o200k_base".to_owned(),
            max_output_tokens: 20_000,
            compression: CompressionConfig { enabled: true, levels: Vec::new() },
        },
        memory: MemoryConfig { location: data.display().to_string(), user_location: data.display().to_string() },
        security: SecurityConfig { requests_per_minute: None },
        delegation: DelegationConfig {
            max_parallel: 8,
            timeout: Duration::from_secs(600),
            retries_max: 3,
            budget_tokens: 8000,
            result_tokens: 2000,
            runner: None,
            environment: Vec::new(),
        },
        sandbox: SandboxConfig {
            minimum: MinimumStrength::Landlock,
            memory_bytes: 4 << 30,
            processes: 512,
            output_bytes: 16 << 20,
            readable: Vec::new(),
        },
    };
    Ok(Services { config, clock: Arc::new(SystemClock), bus: Bus::default() })
}
