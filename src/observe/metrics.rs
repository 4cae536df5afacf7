//! Counts of what happened since this process started.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the count.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// Returns the count.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every counter.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Fitted results that were there already.
    pub compress_cache_hits: Counter,
    /// Fitted results that had to be made.
    pub compress_cache_misses: Counter,
}

impl Metrics {
    /// Returns every counter under the name by which other programs know it.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        let all = [
            ("compress_cache_hits_total", &self.compress_cache_hits),
            ("compress_cache_misses_total", &self.compress_cache_misses),
        ];
        all.into_iter().map(|(name, counter)| (name, counter.count())).collect()
    }
}
