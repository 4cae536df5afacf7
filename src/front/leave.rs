//! When a server leaves: a signal, or the death of the process that started it.
//!
//! The end of standard input is the transport's to see. Servers that outlive their client are the
//! field's most costly defect, and one that starts agents must not add to it.

use tokio_util::sync::CancellationToken;

/// Returns a token that is cancelled when the process is asked to end, or its parent is gone.
/// Must be called inside a runtime.
pub fn token() -> CancellationToken {
    let leave = CancellationToken::new();
    let asked = leave.clone();
    tokio::spawn(async move {
        let reason = asked_to_leave().await;
        tracing::info!(reason, "leaving");
        asked.cancel();
    });
    leave
}

#[cfg(unix)]
async fn asked_to_leave() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "a signal cannot be handled");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::hangup()) => "SIGHUP",
        () = wait(SignalKind::interrupt()) => "SIGINT",
        () = orphaned() => "the parent process is gone",
    }
}

#[cfg(not(unix))]
async fn asked_to_leave() -> &'static str {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    "interrupt"
}

/// Waits until the parent has died.
///
/// The kernel tells when the *thread* that started us ends, which in many clients happens long
/// before its process does. So the signal is one that nobody else sends, and only says to look.
#[cfg(target_os = "linux")]
async fn orphaned() {
    use nix::sys::signal::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    let parent = nix::unistd::getppid();
    let Ok(mut told) = signal(SignalKind::user_defined2()) else { return std::future::pending().await };
    if nix::sys::prctl::set_pdeathsig(Signal::SIGUSR2).is_err() {
        return std::future::pending().await;
    }
    while nix::unistd::getppid() == parent {
        told.recv().await;
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
async fn orphaned() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
}
