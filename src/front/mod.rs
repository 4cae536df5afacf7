//! The doors to the outside, and the only room that knows a protocol.
//!
//! A front reads messages, makes a [`Call`](crate::tools::Call) of each, and renders what comes
//! back. [`serve`] runs one of those that speak over standard input and output until the other
//! side goes away.

pub mod cli;
mod frame;
mod jsonrpc;
mod leave;
mod limit;
mod mcp;
pub mod render;
mod stdio;

use std::io;
use std::sync::Arc;

use crate::tools::Services;

/// A protocol over standard input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// The Model Context Protocol: `ctx serve`.
    Mcp,
    /// Plain JSON-RPC 2.0, a message a line: `ctx rpc`.
    JsonRpc,
}

/// Serves until the other side goes away or the process is asked to end; then running requests
/// are cancelled and have a short while to clean up.
///
/// Standard input and output belong to the protocol from the first moment, so nothing may have
/// read or written before. The caller leaves its runtime behind (`shutdown_background`): a thread
/// may still be waiting in a blocking read.
pub async fn serve(front: Front, services: Arc<Services>) -> io::Result<()> {
    let stdio = stdio::Stdio::take()?;
    match front {
        Front::Mcp => mcp::serve(services, stdio, leave::asked()).await,
        Front::JsonRpc => jsonrpc::serve(services, stdio, leave::asked()).await,
    }
}
