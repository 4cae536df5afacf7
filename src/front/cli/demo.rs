//! `ctx demo`: the whole job once, on the folder it is started in, through the real server.
//!
//! The server is a child process, this program again with `serve`, and it is spoken to by a real
//! MCP client, rmcp's. Home and data folders are temporary, so nothing is left behind. A step that
//! does not hold ends the demo with what was expected and what was seen.

mod agents;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use self::agents::Witness;
use self::server::Server;
use super::tool::write_stdout;
use crate::base::thousands;
use crate::config::Config;

/// The budget that the output is cut to.
const BUDGET_TOKENS: u64 = 500;

/// Runs the demo and prints every step.
pub async fn run(config: &Config) -> Result<()> {
    let began = Instant::now();
    let scratch = Scratch::new()?;
    let outcome = steps(config, &scratch).await;
    let removed = scratch.remove();
    outcome?;
    removed?;
    say(&format!("\nEverything held, in {:.1} s. Nothing is left behind.", began.elapsed().as_secs_f64()));
    Ok(())
}

async fn steps(config: &Config, scratch: &Scratch) -> Result<()> {
    let workspace = &config.paths.workspace;
    say(&format!("Context Engine on {}\n", workspace.display()));
    let witness = Witness::new(&scratch.0).await?;
    let programs = agents::write(&scratch.0, workspace, &config.paths.programs, &witness).await?;

    step(1, "start the server and connect an MCP client");
    let started = Instant::now();
    let server = Server::start(config, &scratch.0).await?;
    done(&format!("{} tools offered over MCP {}", server.tools, server.protocol), started);

    step(2, &format!("delegate a task: the agent `history` runs `{}` in the sandbox", programs.history));
    let started = Instant::now();
    let task = json!({
        "agent": "history",
        "task": "Report the history of this repository.",
        "result_tokens": 100_000,
        "timeout_seconds": 25,
        "wait_seconds": 25,
    });
    let run = server.call("delegate_task", task).await?;
    ensure!(
        run["status"] == "succeeded",
        "the task should have succeeded and is {}: {}",
        run["status"].as_str().unwrap_or("unknown"),
        run["error"].as_str().unwrap_or("no reason given")
    );
    let report = text(&run, "result")?;
    let report_tokens = number(&run, "result_tokens")?;
    done(
        &format!(
            "{} succeeded with {} tokens of output; packet of {} tokens; sandbox {}",
            text(&run, "run_id")?,
            thousands(report_tokens),
            number(&run["packet"], "tokens")?,
            text(&run["sandbox"], "strength")?,
        ),
        started,
    );
    for gap in run["sandbox"]["gaps"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        say(&format!("       not enforced here: {gap}"));
    }

    step(3, "delegate an escape: the agent `intruder` tries to leave the sandbox");
    let started = Instant::now();
    let task = json!({ "agent": "intruder", "task": "Try to get out.", "timeout_seconds": 20, "wait_seconds": 20 });
    let escape = server.call("delegate_task", task).await?;
    let seen = text(&escape, "result")?;
    for line in seen.lines().filter(|line| line.contains(": ")) {
        say(&format!("       {line}"));
    }
    witness.check(&seen).await?;
    done("every attempt was refused, and the witnesses outside saw nothing", started);

    step(4, &format!("compress the output of step 2 to {BUDGET_TOKENS} tokens"));
    let started = Instant::now();
    let fitted = server.call("context_compress", json!({ "text": report, "max_tokens": BUDGET_TOKENS })).await?;
    let after = number(&fitted, "tokens_after")?;
    let counted = server.call("count_tokens", json!({ "text": text(&fitted, "text")? })).await?;
    ensure!(after as u64 <= BUDGET_TOKENS, "{after} tokens exceed the budget of {BUDGET_TOKENS}");
    ensure!(number(&counted, "total")? == after, "a recount gives {counted}, not {after}");
    done(
        &format!(
            "{} -> {} tokens, recounted; kind {}, level {}",
            thousands(number(&fitted, "tokens_before")?),
            thousands(after),
            text(&fitted, "kind")?,
            text(&fitted, "level")?
        ),
        started,
    );
    if let Some(cut) = fitted["cuts"].as_array().and_then(|cuts| cuts.first()) {
        let started = Instant::now();
        let lines = format!("{}-{}", number(cut, "from_line")?, number(cut, "to_line")?);
        let asked = json!({ "handle": text(&fitted, "handle")?, "lines": lines, "max_tokens": 20_000 });
        let back = server.call("context_retrieve", asked).await?;
        let part = text(&back, "text")?;
        ensure!(report.contains(part.trim_end()), "the part that came back is not of the original");
        done(&format!("lines {lines} that were cut came back, {} bytes", thousands(part.len())), started);
    }

    step(5, "remember the outcome");
    let started = Instant::now();
    let fact = format!("The context-engine demo delegated `{}` and it succeeded.", programs.history);
    let memory = json!({ "text": fact, "kind": "episode", "actor": "demo", "tags": ["demo"] });
    let stored = server.call("memory_store", json!({ "memories": [memory] })).await?;
    let id = text(&stored["stored"][0], "id")?;
    ensure!(stored["stored"][0]["status"] == "stored", "the memory was not stored: {stored}");
    done(&id, started);

    step(6, "restart the server");
    let started = Instant::now();
    server.stop().await?;
    let server = Server::start(config, &scratch.0).await?;
    done("stopped, started and connected again", started);

    step(7, "recall it");
    let started = Instant::now();
    let asked = json!({ "query": "which command did the demo delegate?", "limit": 3, "max_tokens": 400 });
    let recalled = server.call("memory_recall", asked).await?;
    let found = recalled["memories"].as_array().into_iter().flatten().any(|memory| memory["id"] == id.as_str());
    ensure!(found, "{id} was not recalled: {recalled}");
    done(
        &format!(
            "found among {} memories, {} tokens",
            recalled["memories"].as_array().map_or(0, Vec::len),
            number(&recalled, "tokens")?
        ),
        started,
    );
    server.stop().await
}

/// Says which step begins.
fn step(number: usize, what: &str) {
    say(&format!("[{number}/7] {what}"));
}

/// Says that something held, and how long it took.
fn done(what: &str, started: Instant) {
    say(&format!("    ok {what}  ({:.2} s)", started.elapsed().as_secs_f64()));
}

fn say(line: &str) {
    // The demo goes on when nobody reads: its exit code still tells how it went.
    let _ = write_stdout(line);
}

fn text(value: &Value, field: &str) -> Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("{field} is missing in {value}"))
}

fn number(value: &Value, field: &str) -> Result<usize> {
    let number = value[field].as_u64().with_context(|| format!("{field} is missing in {value}"))?;
    Ok(usize::try_from(number)?)
}

/// A temporary folder, removed at the end whatever happens.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let name = format!("context-engine-demo-{}", crate::base::RunId::generate(crate::base::Timestamp::now()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path.canonicalize()?))
    }

    fn remove(&self) -> Result<()> {
        for _ in 0..10 {
            if std::fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("cannot remove {}", self.0.display())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let path: &Path = &self.0;
        if path.exists() {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
