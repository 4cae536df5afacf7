//! Vectors for memories that were stored before there was a model, or with another one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::remember::meaning;
use super::{Memories, MemoryError};
use crate::base::MemoryId;
use crate::store::{Meaning, Store};

/// How many memories get their vectors in one transaction.
const BATCH: usize = 256;

/// Fills in what is missing, once for each process, after its first recall.
#[derive(Default)]
pub(super) struct Backfill {
    started: AtomicBool,
    /// Ends with the service: what was not done is found missing the next time.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Backfill {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Memories {
    /// Gives every memory that has none the vector of what it means; returns how many got one.
    pub async fn fill_in_meanings(&self) -> Result<usize, MemoryError> {
        let mut filled = 0;
        for store in [&self.project, &self.user] {
            filled += fill_in(store.as_ref()).await?;
        }
        Ok(filled)
    }

    /// Does so in the background, the first time that it is called.
    pub(super) fn fill_in_later(&self) {
        if self.backfill.started.swap(true, Ordering::Relaxed) {
            return;
        }
        let stores = [self.project.clone(), self.user.clone()];
        let task = tokio::spawn(async move {
            for store in stores {
                match fill_in(store.as_ref()).await {
                    Ok(0) => {}
                    Ok(filled) => tracing::info!(filled, "older memories have vectors now"),
                    Err(error) => tracing::warn!(%error, "older memories could not be given vectors"),
                }
            }
        });
        *self.backfill.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(task);
    }
}

async fn fill_in(store: &dyn Store) -> Result<usize, MemoryError> {
    let mut filled = 0;
    let mut last: Option<MemoryId> = None;
    loop {
        let lacking = store.without_meaning(BATCH).await?;
        // A store that does not keep what it is given must not hold us for ever.
        if lacking.is_empty() || lacking.first().map(|(id, _)| id) == last.as_ref() {
            return Ok(filled);
        }
        last = lacking.first().map(|(id, _)| id.clone());
        let embed = move || -> Vec<(MemoryId, Meaning)> {
            lacking.into_iter().filter_map(|(id, text)| Some((id, meaning(&text)?))).collect()
        };
        let meanings = tokio::task::spawn_blocking(embed).await.expect("embedding does not panic");
        filled += meanings.len();
        store.put_meanings(meanings).await?;
    }
}
