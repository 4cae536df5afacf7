//! `server_health`: whether what the product stands on works.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, Command, Effects, ToolError, TypedTool};
use crate::base::{bytes, thousands};
use crate::config::EmbeddingConfig;
use crate::exec::sandbox::Strength;
use crate::memory::RecallRequest;
use crate::observe::{Check, Status, overall};
use crate::runners;

/// Below this much free space, the disk is unhealthy.
const DISK_BYTES_MIN: u64 = 100 << 20;

/// The tool.
pub struct ServerHealth;

/// It asks nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// Whether everything that is needed works: no check is unhealthy.
    healthy: bool,
    /// The status of the worst check.
    status: Status,
    /// The version of this program.
    version: &'static str,
    /// When this was checked, RFC 3339.
    timestamp: String,
    /// The checks.
    checks: Checks,
    /// Counts since this process started.
    metrics: BTreeMap<&'static str, u64>,
    /// What is wrong with the settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<String>,
}

/// The checks.
#[derive(Debug, Serialize, JsonSchema)]
struct Checks {
    /// The store answers.
    database: Check,
    /// What is remembered can be recalled.
    memory: Check,
    /// The data folder has room.
    disk: Check,
    /// The runners that can be started.
    api: Check,
    /// The boundary around tasks.
    sandbox: Check,
}

impl TypedTool for ServerHealth {
    const NAME: &'static str = "server_health";
    const ABOUT: &'static str = "Check database, disk, runners and sandbox.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command = Command { name: "health", ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, _: Params) -> Result<Output, ToolError> {
        let checks = Checks {
            database: database(call).await,
            memory: memory(call).await,
            disk: disk(&call.services.config.paths.data),
            api: api(call).await,
            sandbox: sandbox(call).await,
        };
        let all = [&checks.database, &checks.memory, &checks.disk, &checks.api, &checks.sandbox];
        let status = overall(all);
        Ok(Output {
            healthy: status < Status::Unhealthy,
            status,
            version: env!("CARGO_PKG_VERSION"),
            timestamp: call.services.clock.now().to_string(),
            checks,
            metrics: call.services.metrics.counts(),
            settings: call.services.problems.clone(),
        })
    }

    fn text(&self, output: &Output) -> String {
        let word = |status: Status| match status {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
        };
        let checks = &output.checks;
        let mut lines = vec![format!("{:<9} {}, version {}", "overall", word(output.status), output.version)];
        for (name, check) in [
            ("database", &checks.database),
            ("memory", &checks.memory),
            ("disk", &checks.disk),
            ("api", &checks.api),
            ("sandbox", &checks.sandbox),
        ] {
            lines.push(format!("{name:<9} {}: {}", word(check.status), check.detail));
        }
        lines.extend(output.metrics.iter().map(|(name, count)| format!("metric    {name} {count}")));
        lines.extend(output.settings.iter().map(|problem| format!("settings  {problem}")));
        lines.join("\n")
    }
}

async fn database(call: &Call) -> Check {
    if let Some(error) = &call.services.broken {
        return Check::new(Status::Unhealthy, error.message.clone());
    }
    match call.services.store.status().await {
        Ok(status) => Check::new(
            Status::Healthy,
            format!(
                "{} schema {}, {}, {} originals ({}), {} runs, {}",
                status.backend,
                status.schema_version,
                bytes(status.bytes),
                status.originals,
                bytes(status.originals_bytes),
                status.runs,
                status.location
            ),
        ),
        Err(error) => Check::new(Status::Unhealthy, error.to_string()),
    }
}

async fn memory(call: &Call) -> Check {
    if call.services.broken.is_some() {
        return Check::new(Status::Unhealthy, "there is no store");
    }
    let request = RecallRequest { query: "health".to_owned(), limit: 1, ..RecallRequest::default() };
    match call.services.memories.recall(&request).await {
        Ok(found) => Check::new(Status::Healthy, format!("{} memories can be recalled", thousands(found.passing))),
        Err(error) => Check::new(Status::Unhealthy, error.to_string()),
    }
}

fn disk(data: &Path) -> Check {
    // The folder is made at the first write; until then its nearest parent tells.
    let existing = data.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    match free_space(existing) {
        Some(free) if free < DISK_BYTES_MIN => {
            Check::new(Status::Unhealthy, format!("{} free at {}: make room", bytes(free), data.display()))
        }
        Some(free) => Check::new(Status::Healthy, format!("{} free at {}", bytes(free), data.display())),
        None => Check::new(Status::Degraded, format!("cannot tell the free space at {}", data.display())),
    }
}

#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(found.blocks_available().saturating_mul(found.fragment_size()))
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

async fn api(call: &Call) -> Check {
    let found = runners::installed(&call.services.config);
    if !matches!(call.services.config.embedding, EmbeddingConfig::Off | EmbeddingConfig::BuiltIn)
        && let Some(problem) = call.services.memories.examine_model().await
    {
        return Check::new(Status::Degraded, problem);
    }
    if found.is_empty() {
        Check::new(Status::Degraded, "no agent CLI is installed (claude, codex): only command agents can run")
    } else {
        Check::new(Status::Healthy, format!("installed: {}", found.join(", ")))
    }
}

async fn sandbox(call: &Call) -> Check {
    let report = call.services.executor.probe().await;
    let gaps =
        if report.gaps.is_empty() { String::new() } else { format!("; not enforced: {}", report.gaps.join(", ")) };
    match report.strength {
        Strength::Full => Check::new(Status::Healthy, format!("full{gaps}")),
        Strength::Landlock => Check::new(Status::Degraded, format!("landlock{gaps}")),
        Strength::Unprotected => {
            Check::new(Status::Unhealthy, "no boundary can be enforced here, so nothing is started".to_owned())
        }
    }
}
