//! Vectors of what memories mean: for those that are being stored, and for those that have none.
//!
//! A memory may lack one because it is older than the model, because it was embedded with another one,
//! or because the model did not work when it was stored. Words find it all the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::{Memories, MemoryError};
use crate::base::MemoryId;
use crate::embed::{EmbedError, Embeddings, Purpose, quantized};
use crate::store::{Meaning, NewMemory, Store};

/// How many memories get their vectors in one transaction.
const BATCH: usize = 256;

/// Fills in what is missing, after the first recall of a process and after a model has failed.
#[derive(Default)]
pub(super) struct Backfill {
    /// Nothing is known to be missing.
    done: AtomicBool,
    /// Ends with the service: what was not done is found missing the next time.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Backfill {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Memories {
    /// Returns why memories are found by their words alone at present, if that is so.
    pub fn embedding_problem(&self) -> Option<String> {
        let reason = self.embeddings.problem()?;
        Some(format!("{reason}; memories are kept and found by their words alone until it works"))
    }

    /// Asks the model for a vector; returns why it does not give one, if that is so.
    pub async fn examine_model(&self) -> Option<String> {
        let embeddings = self.embeddings.clone();
        let ask = move || embeddings.embed(&["Is anybody there?"], Purpose::Query).err();
        tokio::task::spawn_blocking(ask).await.expect("embedding does not panic")?;
        self.embedding_problem()
    }

    /// Gives memories that are to be stored the vectors of what they mean. When the model fails they
    /// go without, and get them later.
    pub(super) async fn with_meanings(&self, mut news: Vec<NewMemory>) -> Vec<NewMemory> {
        if self.embeddings.is_off() {
            return news;
        }
        let embeddings = self.embeddings.clone();
        let embed = move || {
            let texts: Vec<&str> = news.iter().map(|new| new.text.as_str()).collect();
            let is_whole = match meanings(&embeddings, &texts) {
                Ok(meanings) => {
                    news.iter_mut().zip(meanings).for_each(|(new, meaning)| new.meaning = Some(meaning));
                    true
                }
                Err(_) => false,
            };
            (news, is_whole)
        };
        let (news, is_whole) = tokio::task::spawn_blocking(embed).await.expect("embedding does not panic");
        if !is_whole {
            self.backfill.done.store(false, Ordering::Relaxed);
        }
        news
    }

    /// Gives every memory that has none the vector of what it means; returns how many got one.
    pub async fn fill_in_meanings(&self) -> Result<usize, MemoryError> {
        if self.embeddings.is_off() {
            return Ok(0);
        }
        let mut filled = 0;
        for store in [&self.project, &self.user] {
            filled += fill_in(store.as_ref(), &self.embeddings).await?.0;
        }
        Ok(filled)
    }

    /// Does so in the background, unless nothing is known to be missing, or it is being done.
    pub(super) fn fill_in_later(&self) {
        let mut task = self.backfill.task.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = task.as_ref().is_some_and(|task| !task.is_finished());
        // While the model rests, nothing would come of it.
        if self.embeddings.is_off()
            || is_running
            || self.backfill.done.load(Ordering::Relaxed)
            || self.embeddings.is_resting()
        {
            return;
        }
        self.backfill.done.store(true, Ordering::Relaxed);
        let stores = [self.project.clone(), self.user.clone()];
        let (embeddings, backfill) = (self.embeddings.clone(), Arc::downgrade(&self.backfill));
        *task = Some(tokio::spawn(async move {
            for store in stores {
                let is_whole = match fill_in(store.as_ref(), &embeddings).await {
                    Ok((0, is_whole)) => is_whole,
                    Ok((filled, is_whole)) => {
                        tracing::info!(filled, "older memories have vectors now");
                        is_whole
                    }
                    Err(error) => {
                        tracing::warn!(%error, "older memories could not be given vectors");
                        true
                    }
                };
                if let Some(backfill) = backfill.upgrade().filter(|_| !is_whole) {
                    backfill.done.store(false, Ordering::Relaxed);
                }
            }
        }));
    }
}

/// What texts mean to a model.
fn meanings(embeddings: &Embeddings, texts: &[&str]) -> Result<Vec<Meaning>, EmbedError> {
    let vectors = embeddings.embed(texts, Purpose::Keep)?;
    let meaning = |vector: Vec<f32>| Meaning { model: embeddings.model().to_owned(), vector: quantized(&vector) };
    Ok(vectors.into_iter().map(meaning).collect())
}

/// Returns how many memories got a vector, and whether every one has one now.
async fn fill_in(store: &dyn Store, embeddings: &Arc<Embeddings>) -> Result<(usize, bool), MemoryError> {
    let mut filled = 0;
    let mut last: Option<MemoryId> = None;
    loop {
        let lacking = store.without_meaning(BATCH).await?;
        // A store that does not keep what it is given must not hold us for ever.
        if lacking.is_empty() || lacking.first().map(|(id, _)| id) == last.as_ref() {
            return Ok((filled, true));
        }
        last = lacking.first().map(|(id, _)| id.clone());
        let embeddings = embeddings.clone();
        let embed = move || {
            let texts: Vec<&str> = lacking.iter().map(|(_, text)| text.as_str()).collect();
            let meanings = meanings(&embeddings, &texts)?;
            Ok::<Vec<_>, EmbedError>(lacking.into_iter().map(|(id, _)| id).zip(meanings).collect())
        };
        match tokio::task::spawn_blocking(embed).await.expect("embedding does not panic") {
            Ok(meanings) => {
                filled += meanings.len();
                store.put_meanings(meanings).await?;
            }
            // It was told where it failed; what is missing is found missing the next time.
            Err(_) => return Ok((filled, false)),
        }
    }
}
