//! Notes which episodes are recalled, so that tidying leaves those alone that somebody uses.
//!
//! Only what may fade is noted: unpinned episodes, each once a day. Recalling must not wait for it,
//! so notes are written together, a second later and when the process ends; a process that is killed
//! loses that second.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Memories;
use super::recall::Recollection;
use crate::base::{MemoryId, Timestamp};
use crate::store::{MemoryKind, Scope, Store};

/// How long notes wait to be written with others.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// How long a note is as good as a new one.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How many notes are remembered to spare writing them again.
const REMEMBERED_MAX: usize = 10_000;

/// The notes of this process.
#[derive(Default)]
pub(super) struct Uses {
    /// What was noted lately.
    noted: Mutex<HashMap<MemoryId, Timestamp>>,
    /// What waits to be written; with it, whether it is the user's own.
    waiting: Mutex<BTreeMap<(bool, MemoryId), Timestamp>>,
    is_waiting: AtomicBool,
    writers: TaskTracker,
    stop: CancellationToken,
}

impl Memories {
    /// Notes what was recalled. Must be called inside a runtime.
    pub(super) fn note_uses(&self, found: &Recollection) {
        let now = self.clock.now();
        let may_fade = found.memories.iter().filter(|one| {
            let content = &one.memory.content;
            one.neighbour_of.is_none() && content.kind == MemoryKind::Episode && !content.pinned
        });
        let is_new = {
            let mut noted = self.uses.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let mut waiting = self.uses.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            for one in may_fade {
                let content = &one.memory.content;
                if noted.get(&content.id).is_some_and(|at| now.duration_since(*at) < GOOD_FOR) {
                    continue;
                }
                if noted.len() >= REMEMBERED_MAX {
                    noted.clear();
                }
                noted.insert(content.id.clone(), now);
                waiting.insert((content.scope == Scope::User, content.id.clone()), now);
            }
            !waiting.is_empty()
        };
        if is_new && !self.uses.is_waiting.swap(true, Ordering::AcqRel) {
            let (uses, stores) = (self.uses.clone(), [self.project.clone(), self.user.clone()]);
            self.uses.writers.spawn(async move {
                tokio::select! {
                    () = uses.stop.cancelled() => {}
                    () = tokio::time::sleep(WRITE_AFTER) => {}
                }
                uses.is_waiting.store(false, Ordering::Release);
                uses.write(&stores).await;
            });
        }
    }

    /// Writes what waits.
    pub(super) async fn write_uses(&self) {
        self.uses.write(&[self.project.clone(), self.user.clone()]).await;
    }

    /// Writes what waits, and waits until it is written.
    pub async fn shut_down(&self) {
        self.uses.stop.cancel();
        self.uses.writers.close();
        self.uses.writers.wait().await;
        self.write_uses().await;
    }
}

impl Uses {
    async fn write(&self, stores: &[Arc<dyn Store>; 2]) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let (mut project, mut user) = (Vec::new(), Vec::new());
        for ((of_user, id), at) in waiting {
            if of_user { &mut user } else { &mut project }.push((id, at));
        }
        for (store, uses) in stores.iter().zip([project, user]) {
            if uses.is_empty() {
                continue;
            }
            if let Err(error) = store.note_uses(uses).await {
                tracing::debug!(%error, "what was recalled could not be noted");
            }
        }
    }
}
