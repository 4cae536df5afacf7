//! What is kept of what was read.

use std::collections::HashSet;

use super::{Found, Item, Problem, Report};
use crate::base::MemoryId;
use crate::memory::redact::{self, Redacted};
use crate::memory::{Memories, MemoryError, remember};
use crate::store::{AddedStatus, Memory, NewMemory, Put, Scope, Store};

/// How many memories are written in one transaction.
const BATCH: usize = 1_000;

/// What was read, checked and with secrets replaced.
enum Ready {
    Record(Memory),
    New(NewMemory),
}

impl Memories {
    /// Keeps what was read, as far as it is not there yet.
    pub(super) async fn keep(&self, items: Vec<Item>, dry_run: bool) -> Result<Report, MemoryError> {
        let now = self.clock.now();
        let prepare = move || {
            let mut report = Report { dry_run, ..Report::default() };
            let (mut records, mut news) = (Vec::new(), Vec::new());
            for Item { place, found } in items {
                let ready = found.and_then(|found| match found {
                    Found::Record(record) => {
                        record.into_memory().map(|(memory, redacted)| (Ready::Record(memory), redacted))
                    }
                    Found::Draft(draft) => {
                        remember::prepared(*draft, now).map(|(new, redacted)| (Ready::New(new), redacted))
                    }
                });
                match ready {
                    Ok((ready, redacted)) => {
                        report.redacted(redacted);
                        match ready {
                            Ready::Record(memory) => records.push(memory),
                            Ready::New(new) => news.push((place, new)),
                        }
                    }
                    Err(reason) => report.problems.push(Problem { place, reason }),
                }
            }
            // Ids of one moment are in random order; what was read keeps its own.
            let mut ids: Vec<MemoryId> = news.iter().map(|(_, new)| new.id.clone()).collect();
            ids.sort();
            news.iter_mut().zip(ids).for_each(|((_, new), id)| new.id = id);
            (report, records, news)
        };
        let (mut report, records, news) = tokio::task::spawn_blocking(prepare).await.expect("preparing does not panic");
        for of_user in [false, true] {
            let store = self.store_of(if of_user { Scope::User } else { Scope::Project }).as_ref();
            let is_here = |new: &NewMemory| (new.scope == Scope::User) == of_user;
            let records = records.iter().filter(|memory| is_here(&memory.content)).cloned().collect();
            self.put_records(store, records, &mut report).await?;
            let news = news.iter().filter(|(_, new)| is_here(new)).cloned().collect();
            self.add_new(store, news, &mut report).await?;
        }
        report.note = self.embedding_problem();
        Ok(report)
    }
}

impl Report {
    fn redacted(&mut self, mut redacted: Vec<Redacted>) {
        redact::merge(&mut self.redacted, &mut redacted);
    }
}

impl Memories {
    /// Adds what has no id of its own yet, unless its content is known.
    async fn add_new(
        &self,
        store: &dyn Store,
        news: Vec<(String, NewMemory)>,
        report: &mut Report,
    ) -> Result<(), MemoryError> {
        let mut seen = HashSet::new();
        for batch in news.chunks(BATCH) {
            let contents: Vec<NewMemory> = batch.iter().map(|(_, new)| new.clone()).collect();
            let alike = store.alike(&contents).await?;
            let mut fresh = Vec::new();
            for ((place, new), alike) in batch.iter().zip(alike) {
                if alike.same.is_some() || !seen.insert(new.digest.clone()) {
                    report.known += 1;
                } else {
                    fresh.push((place.clone(), new.clone()));
                }
            }
            if report.dry_run {
                report.stored += fresh.len();
                continue;
            }
            if fresh.is_empty() {
                continue;
            }
            let (places, news): (Vec<String>, Vec<NewMemory>) = fresh.into_iter().unzip();
            for (added, place) in store.add_memories(self.with_meanings(news).await).await?.into_iter().zip(places) {
                match added.status {
                    AddedStatus::Stored => report.stored += 1,
                    AddedStatus::Duplicate => report.known += 1,
                    AddedStatus::Superseded(_) => {
                        report.stored += 1;
                        report.superseded += 1;
                    }
                    AddedStatus::UnknownSuperseded(old) => {
                        let reason = format!("supersedes: there is no current memory {old}");
                        report.problems.push(Problem { place, reason });
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts memories of an export in, with ids and history.
    ///
    /// A current one whose content is current already under another id is not put in. Of two of the same
    /// topic the later one is current. Neither counts among the memories of the export itself, which is
    /// put in as it was.
    async fn put_records(
        &self,
        store: &dyn Store,
        records: Vec<Memory>,
        report: &mut Report,
    ) -> Result<(), MemoryError> {
        let exported: HashSet<MemoryId> = records.iter().map(|memory| memory.content.id.clone()).collect();
        // Whoever was replaced by one of these needs it there, also where its words are known.
        let successors: HashSet<MemoryId> = records.iter().filter_map(|memory| memory.superseded_by.clone()).collect();
        let mut puts = Vec::with_capacity(records.len());
        for batch in records.chunks(BATCH) {
            let ids: Vec<MemoryId> = batch.iter().map(|memory| memory.content.id.clone()).collect();
            let known: HashSet<MemoryId> =
                store.memories(&ids).await?.into_iter().map(|memory| memory.content.id).collect();
            let mut fresh: Vec<Memory> = Vec::new();
            for memory in batch {
                if known.contains(&memory.content.id) {
                    report.known += 1;
                } else {
                    fresh.push(memory.clone());
                }
            }
            let contents: Vec<NewMemory> = fresh.iter().map(|memory| memory.content.clone()).collect();
            for (mut memory, alike) in fresh.into_iter().zip(store.alike(&contents).await?) {
                let is_current = |memory: &Memory| memory.superseded_at.is_none() && memory.forgotten_at.is_none();
                let foreign = |other: Option<Memory>| other.filter(|one| !exported.contains(&one.content.id));
                let mut replaces = None;
                if is_current(&memory) {
                    let same = foreign(alike.same).filter(is_current);
                    let is_alone = memory.content.supersedes.is_none() && !successors.contains(&memory.content.id);
                    if same.is_some() && is_alone {
                        report.known += 1;
                        continue;
                    }
                    let topic = foreign(alike.topic);
                    let is_later = |other: &Memory| other.content.created_at >= memory.content.created_at;
                    match (same, topic) {
                        (Some(other), _) => become_history(&mut memory, &other),
                        (None, Some(other)) if is_later(&other) => become_history(&mut memory, &other),
                        (None, Some(other)) => replaces = Some(other.content.id),
                        (None, None) => {}
                    }
                }
                report.superseded += usize::from(replaces.is_some());
                puts.push(Put { memory, replaces });
            }
        }
        if report.dry_run {
            let mut seen = HashSet::new();
            let fresh = puts.iter().filter(|put| seen.insert(&put.memory.content.id)).count();
            report.stored += fresh;
            report.known += puts.len() - fresh;
            return Ok(());
        }
        for batch in puts.chunks(BATCH) {
            let contents = batch.iter().map(|put| put.memory.content.clone()).collect();
            let mut batch = batch.to_vec();
            for (put, content) in batch.iter_mut().zip(self.with_meanings(contents).await) {
                put.memory.content = content;
            }
            for is_new in store.put_memories(batch).await? {
                report.stored += usize::from(is_new);
                report.known += usize::from(!is_new);
            }
        }
        Ok(())
    }
}

/// Lets a memory be followed by one that is here already.
fn become_history(memory: &mut Memory, next: &Memory) {
    memory.superseded_by = Some(next.content.id.clone());
    memory.superseded_at = Some(next.content.created_at.max(memory.content.created_at));
}
