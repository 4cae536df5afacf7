//! The Model Context Protocol, all revisions from 2024-11-05 to 2026-07-28.
//!
//! `rmcp` stays behind this module: it knows the messages and keeps the requests apart. The
//! transport is ours, because what a client may send is wider than what `rmcp` reads; the handler
//! is written by hand, because the list of tools is ours too.

mod calls;
mod handler;
mod prompts;
mod requests;
mod session;
mod transport;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::stdio::Stdio;
use crate::tools::Services;

/// How long cancelled requests may take to clean up.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the protocol over `stdio` until its end, or until `leave` is done.
pub async fn serve(services: Arc<Services>, stdio: Stdio, leave: impl Future<Output = ()>) -> io::Result<()> {
    let session = Arc::new(session::Session::new(&services));
    let (transport, writer) = transport::Transport::start(stdio, session.clone())?;
    let handler = handler::Handler::new(services, session.clone());
    // The handshake of rmcp ends the server at the first message that it does not expect, so it is
    // left out: `initialize` and `server/discover` are requests like all others.
    let connection = CancellationToken::new();
    let running = rmcp::service::serve_directly_with_ct(handler, transport, None, connection.clone());
    let ended = running.waiting();
    tokio::pin!(ended);
    tokio::select! {
        result = &mut ended => return result.map(drop).map_err(io::Error::other),
        () = leave => {}
        () = writer.gone() => tracing::info!("the client has gone away"),
    }
    session.calls.cancel();
    connection.cancel();
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    Ok(())
}
