//! When a server leaves: a signal, or the death of the process that started it.
//!
//! The end of standard input is the transport's to see. Servers that outlive their client are the
//! field's most costly defect, and one that starts agents must not add to it.

use std::future::Future;

/// Returns a future that is done when the process is asked to end, or its parent is gone. It
/// watches from now on, not from its first poll: until then a signal would end us where we stand.
/// Must be called inside a runtime.
pub fn asked() -> impl Future<Output = ()> {
    let reason = reason();
    async {
        let reason = reason.await;
        tracing::info!(reason, "leaving");
    }
}

#[cfg(unix)]
fn reason() -> impl Future<Output = &'static str> {
    use tokio::signal::unix::SignalKind;
    let terminate = arrival(SignalKind::terminate());
    let hang_up = arrival(SignalKind::hangup());
    let interrupt = arrival(SignalKind::interrupt());
    let orphaned = orphaned();
    async {
        tokio::select! {
            () = terminate => "SIGTERM",
            () = hang_up => "SIGHUP",
            () = interrupt => "SIGINT",
            () = orphaned => "the parent process is gone",
        }
    }
}

#[cfg(unix)]
fn arrival(kind: tokio::signal::unix::SignalKind) -> impl Future<Output = ()> {
    let signals = tokio::signal::unix::signal(kind);
    async {
        match signals {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(error) => {
                tracing::warn!(%error, "a signal cannot be handled");
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(not(unix))]
async fn reason() -> &'static str {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    "interrupt"
}

/// Returns a future that is done when the parent has died.
///
/// The kernel tells when the *thread* that started us ends, which in many clients happens long
/// before its process does. So the signal is one that nobody else sends, and only says to look.
#[cfg(target_os = "linux")]
fn orphaned() -> impl Future<Output = ()> {
    use nix::sys::signal::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    let parent = nix::unistd::getppid();
    let told = signal(SignalKind::user_defined2());
    let asked = nix::sys::prctl::set_pdeathsig(Signal::SIGUSR2);
    async move {
        match (told, asked) {
            (Ok(mut told), Ok(())) => {
                while nix::unistd::getppid() == parent {
                    told.recv().await;
                }
            }
            _ => std::future::pending().await,
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
async fn orphaned() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
}
