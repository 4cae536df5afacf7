//! How far the counting has come, for those who wait.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio_util::sync::CancellationToken;

use crate::base::{bytes, thousands};
use crate::tools::{ErrorKind, Progress, ToolError};

/// Written by the threads that find and count, read by the one that reports.
#[derive(Default)]
pub struct Watch {
    cancel: CancellationToken,
    files: AtomicUsize,
    bytes: AtomicU64,
    files_done: AtomicUsize,
    bytes_done: AtomicU64,
}

impl Watch {
    /// Returns a watch over work that ends when it is cancelled.
    pub fn new(cancel: CancellationToken) -> Self {
        Self { cancel, ..Self::default() }
    }

    /// Returns an error when nobody waits for the result any more.
    pub fn goes_on(&self) -> Result<(), ToolError> {
        if self.cancel.is_cancelled() {
            return Err(ToolError::new(ErrorKind::Cancelled, "counting was cancelled"));
        }
        Ok(())
    }

    /// Notes a file that is to be counted.
    pub fn found(&self, bytes: u64) {
        self.files.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Notes that a file is done with.
    pub fn done(&self, bytes: u64) {
        self.files_done.fetch_add(1, Relaxed);
        self.bytes_done.fetch_add(bytes, Relaxed);
    }

    /// Reports how far it has come.
    pub fn report(&self, progress: &Progress) {
        let (files, done) = (self.files.load(Relaxed), self.files_done.load(Relaxed));
        let (all, counted) = (self.bytes.load(Relaxed), self.bytes_done.load(Relaxed));
        if done == 0 {
            progress.report(0.0, None, format!("{} files found ({})", thousands(files), bytes(all)));
        } else {
            let message = format!("{} of {} files counted ({})", thousands(done), thousands(files), bytes(counted));
            progress.report(counted as f64, Some(all as f64), message);
        }
    }
}
