//! The server of the demo, as a child process, and the client that speaks to it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rmcp::model::{CallToolRequestParams, ClientConfig};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ClientHandler, ServiceExt};
use serde_json::Value;

use crate::config::Config;
use crate::exec::{self, OwnChild};

/// How long the server may take to go away after its input ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of the demo; it only calls.
#[derive(Clone, Default)]
struct Demo;

impl ClientHandler for Demo {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.client_info.name = "context-engine-demo".to_owned();
        info.client_info.version = env!("CARGO_PKG_VERSION").to_owned();
        info
    }
}

/// A running server and its client.
pub struct Server {
    child: OwnChild,
    client: RunningService<RoleClient, Demo>,
    /// How many tools it offers.
    pub tools: usize,
    /// The revision of MCP that was agreed on.
    pub protocol: String,
}

impl Server {
    /// Starts `ctx serve` with a temporary home, connects and lists its tools.
    pub async fn start(config: &Config, home: &Path) -> Result<Self> {
        let shown = home.display().to_string();
        let data = home.join("data").display().to_string();
        let environment = [("HOME", shown.as_str()), ("CTX_DATA_DIR", data.as_str())];
        let mut child = exec::own_child(&["serve"], &config.paths.workspace, &config.paths.programs, &environment)
            .context("cannot start the server")?;
        let (stdin, stdout) = child.take_pipes().context("the server has no pipes")?;
        let client = Demo.serve((stdout, stdin)).await.context("the server did not answer the handshake")?;
        let tools = client.list_all_tools().await.context("the server did not list its tools")?.len();
        let protocol = client.peer_info().map(|info| info.protocol_version.to_string()).unwrap_or_default();
        Ok(Self { child, client, tools, protocol })
    }

    /// Calls a tool and returns its structured result.
    pub async fn call(&self, tool: &'static str, input: Value) -> Result<Value> {
        let mut params = CallToolRequestParams::new(tool);
        params.arguments = input.as_object().cloned();
        let result = self.client.call_tool(params).await.with_context(|| format!("{tool} failed"))?;
        if result.is_error == Some(true) {
            bail!("{tool} failed: {}", serde_json::to_string(&result.content)?);
        }
        result.structured_content.with_context(|| format!("{tool} gave no structured result"))
    }

    /// Ends the connection; the server leaves by itself.
    pub async fn stop(mut self) -> Result<()> {
        self.client.cancel().await.context("the connection did not close")?;
        match self.child.wait(STOP_TIMEOUT).await {
            Some(0) => Ok(()),
            Some(code) => bail!("the server left with exit code {code}"),
            None => bail!("the server did not leave within {STOP_TIMEOUT:?} after its input ended"),
        }
    }
}
