//! A store that ends with the process: for tests, and for trying things without leaving a trace.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::civil::Date;
use tokio::sync::mpsc;

use super::index::{Index, Posting};
use super::{
    Added, AddedStatus, Alike, Change, Created, Event, Finding, Forgotten, Holders, Matches, Meaning, Memory,
    MemoryFilter, NewMemory, NewOriginal, Original, OriginalInfo, OriginalLimits, Purge, Purged, Put, Removal, Removed,
    Run, RunFilter, RunState, SavingRow, Scope, Step, Store, StoreError, StoreStatus,
};
use crate::base::{Handle, MemoryId, RunId, Timestamp, content_hash};

/// Keeps everything in memory.
#[derive(Default)]
pub struct InMemoryStore(Mutex<State>, OriginalLimits);

#[derive(Default)]
struct State {
    /// By number; a forgotten one keeps its text here unless it was purged.
    memories: Vec<Memory>,
    numbers: HashMap<MemoryId, u32>,
    index: Arc<Index>,
    /// By number.
    meanings: HashMap<u32, Meaning>,
    /// When memories were last recalled.
    uses: BTreeMap<MemoryId, Timestamp>,
    /// Every term's memories, by number.
    postings: HashMap<String, Vec<Posting>>,
    /// By hash; the content goes when one is removed.
    originals: BTreeMap<String, (OriginalInfo, Option<Vec<u8>>)>,
    savings: BTreeMap<(Date, String, String, i32), SavingRow>,
    runs: Vec<Run>,
    steps: Vec<Step>,
    events: Vec<Event>,
}

impl InMemoryStore {
    /// Returns an empty store with these limits to its originals.
    pub fn within(limits: OriginalLimits) -> Self {
        Self(Mutex::default(), limits)
    }

    /// No method leaves the state half changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for InMemoryStore {
    async fn add_memories(&self, memories: Vec<NewMemory>) -> Result<Vec<Added>, StoreError> {
        let mut state = self.state();
        Ok(memories.into_iter().map(|new| state.add(new)).collect())
    }

    async fn memories(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.numbers.get(id)).map(|number| state.shown(*number)).collect())
    }

    async fn ids_ending(&self, end: &str) -> Result<Vec<MemoryId>, StoreError> {
        let state = self.state();
        let mut found: Vec<MemoryId> = state.numbers.keys().filter(|id| id.as_str().ends_with(end)).cloned().collect();
        found.sort();
        Ok(found)
    }

    async fn replaced_by(&self, ids: &[MemoryId]) -> Result<Vec<Memory>, StoreError> {
        let state = self.state();
        let is_replaced =
            |number: &u32| state.memories[*number as usize].superseded_by.as_ref().is_some_and(|by| ids.contains(by));
        let numbers = 0..u32::try_from(state.memories.len()).unwrap_or(u32::MAX);
        Ok(numbers.filter(is_replaced).map(|number| state.shown(number)).collect())
    }

    async fn list_memories(
        &self,
        filter: &MemoryFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Vec<Memory>, StoreError> {
        let state = self.state();
        Ok(state.index.newest(filter, limit, offset).into_iter().map(|number| state.shown(number)).collect())
    }

    async fn memories_after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Memory)>, StoreError> {
        let state = self.state();
        let kept = (0..).zip(&state.memories).filter(|(_, memory)| memory.forgotten_at.is_none());
        let later = kept.filter(|(number, _): &(i64, &Memory)| *number >= after);
        Ok(later.take(limit).map(|(number, memory)| (number + 1, memory.clone())).collect())
    }

    async fn all_memories(&self, page: usize, pages: mpsc::Sender<Vec<Memory>>) -> Result<(), StoreError> {
        let all: Vec<Memory> =
            self.state().memories.iter().filter(|memory| memory.forgotten_at.is_none()).cloned().collect();
        for page in all.chunks(page.max(1)) {
            if pages.send(page.to_vec()).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn alike(&self, memories: &[NewMemory]) -> Result<Vec<Alike>, StoreError> {
        let state = self.state();
        Ok(memories.iter().map(|new| state.alike(new)).collect())
    }

    async fn put_memories(&self, memories: Vec<Put>) -> Result<Vec<bool>, StoreError> {
        let mut state = self.state();
        Ok(memories.into_iter().map(|put| state.put(put)).collect())
    }

    async fn match_terms(&self, terms: &[String], filter: &MemoryFilter) -> Result<Matches, StoreError> {
        let state = self.state();
        let postings = terms.iter().map(|term| state.postings.get(term).cloned().unwrap_or_default()).collect();
        Ok(state.index.clone().matches(filter, postings))
    }

    async fn match_rare_terms(
        &self,
        terms: &[String],
        most: usize,
        filter: &MemoryFilter,
    ) -> Result<Holders, StoreError> {
        let state = self.state();
        let places = |list: &&Vec<Posting>| list.iter().map(|posting| posting.frequency as usize).sum::<usize>();
        let rare = |term| state.postings.get(term).filter(|list| places(list) <= most).cloned().unwrap_or_default();
        let postings = terms.iter().map(rare).collect();
        Ok(state.index.clone().holders(filter, postings))
    }

    async fn session(&self, session_id: &str, from: i64, to: i64) -> Result<Vec<Memory>, StoreError> {
        let state = self.state();
        let mut found: Vec<Memory> = (0..)
            .zip(&state.memories)
            .filter(|(_, memory)| memory.content.session_id.as_deref() == Some(session_id))
            .filter(|(_, memory)| (from..=to).contains(&memory.order))
            .map(|(number, _)| state.shown(number))
            .collect();
        found.sort_by_key(|memory| memory.order);
        Ok(found)
    }

    async fn supersede(&self, old: &MemoryId, new: NewMemory) -> Result<Option<Memory>, StoreError> {
        let mut state = self.state();
        let Some(replaced) = state.current(old).cloned() else { return Ok(None) };
        let order = if replaced.content.session_id == new.session_id {
            replaced.order
        } else {
            state.next_order(new.session_id.as_deref())
        };
        let number = state.insert(new, Some(old.clone()), order);
        state.mark_superseded(old, number);
        Ok(Some(state.shown(number)))
    }

    async fn change_memory(&self, id: &MemoryId, change: Change) -> Result<Option<Memory>, StoreError> {
        let mut state = self.state();
        let Some(number) = state.numbers.get(id).copied() else { return Ok(None) };
        let memory = &mut state.memories[number as usize];
        if memory.forgotten_at.is_some() && memory.content.text.is_empty() {
            return Ok(None);
        }
        let content = &mut memory.content;
        content.tags = change.tags.unwrap_or(std::mem::take(&mut content.tags));
        content.metadata = change.metadata.unwrap_or(std::mem::take(&mut content.metadata));
        content.importance = change.importance.unwrap_or(content.importance);
        content.pinned = change.pinned.unwrap_or(content.pinned);
        content.expires_at = change.expires_at.unwrap_or(content.expires_at);
        if change.restore && memory.forgotten_at.take().is_some() {
            state.index_terms(number);
        }
        state.reindex(number);
        Ok(Some(state.shown(number)))
    }

    async fn forget(&self, ids: &[MemoryId], purge: bool, at: Timestamp) -> Result<Vec<Forgotten>, StoreError> {
        let mut state = self.state();
        let mut forgotten = Vec::new();
        for id in ids {
            let Some(number) = state.numbers.get(id).copied() else { continue };
            let memory = &mut state.memories[number as usize];
            let already = memory.forgotten_at.is_some();
            if already && !purge {
                continue;
            }
            memory.forgotten_at.get_or_insert(at);
            if purge {
                let content = &mut memory.content;
                (content.text, content.digest) = (String::new(), String::new());
                (content.source, content.topic_key) = (None, None);
                (content.actor, content.session_id, content.agent) = (None, None, None);
                content.tags.clear();
                content.terms.clear();
                content.length = 0;
                content.metadata = "{}".to_owned();
                state.meanings.remove(&number);
                state.uses.remove(id);
            }
            for list in state.postings.values_mut() {
                list.retain(|posting| posting.number != number);
            }
            state.reindex(number);
            forgotten.push(Forgotten { id: id.clone(), purged: purge });
        }
        Ok(forgotten)
    }

    async fn put_original(&self, original: NewOriginal) -> Result<Handle, StoreError> {
        let mut state = self.state();
        let hash = original.hash.unwrap_or_else(|| content_hash(&original.content));
        let now = original.created_at;
        let known = state.originals.get_mut(&hash);
        if let Some((info, Some(_))) = known {
            info.used_at = info.used_at.max(now);
            info.kind = info.kind.take().or(original.kind);
            info.tokens = info.tokens.or(original.tokens);
            info.encoding = info.encoding.take().or(original.encoding);
            return Ok(info.handle.clone());
        }
        let handle = match known {
            Some((info, _)) => info.handle.clone(),
            None => {
                let shared = state.originals.keys().map(|other| super::digits_shared(&hash, other)).max();
                Handle::of_hash(&hash, shared.map_or(0, |digits| digits + 1))
            }
        };
        let info = OriginalInfo {
            handle: handle.clone(),
            bytes: original.content.len() as u64,
            kind: original.kind,
            tokens: original.tokens,
            encoding: original.encoding,
            first_line: original.first_line,
            source: original.source,
            created_at: now,
            used_at: now,
            removed: None,
        };
        state.originals.insert(hash, (info, Some(original.content)));
        state.keep_within(&self.1, &handle, now);
        Ok(handle)
    }

    async fn original(&self, handle: &Handle) -> Result<Option<Original>, StoreError> {
        let state = self.state();
        let found = state.originals.values().find(|(info, _)| info.handle == *handle);
        Ok(found.and_then(|(info, content)| {
            Some(Original {
                handle: handle.clone(),
                content: content.clone()?,
                source: info.source.clone(),
                created_at: info.created_at,
            })
        }))
    }

    async fn original_info(&self, handle: &Handle) -> Result<Option<OriginalInfo>, StoreError> {
        let state = self.state();
        Ok(state.originals.values().map(|(info, _)| info).find(|info| info.handle == *handle).cloned())
    }

    async fn originals(&self, limit: usize) -> Result<Vec<OriginalInfo>, StoreError> {
        let mut kept = self.state().kept();
        kept.sort_by(|one, other| other.used_at.cmp(&one.used_at).then_with(|| one.handle.cmp(&other.handle)));
        kept.truncate(limit);
        Ok(kept)
    }

    async fn touch_original(&self, handle: &Handle, at: Timestamp) -> Result<bool, StoreError> {
        let mut state = self.state();
        let found = state.originals.values_mut().find(|(info, content)| info.handle == *handle && content.is_some());
        let Some((info, _)) = found else { return Ok(false) };
        if super::is_worth_noting(info.used_at, at) {
            info.used_at = at;
        }
        Ok(true)
    }

    async fn purge_originals(&self, which: Purge, at: Timestamp) -> Result<Purged, StoreError> {
        let mut state = self.state();
        let chosen = |info: &OriginalInfo| match &which {
            Purge::All => true,
            Purge::UnusedSince(time) => info.used_at < *time,
            Purge::These(handles) => handles.contains(&info.handle),
        };
        let mut originals = state.kept();
        originals.retain(chosen);
        for original in &originals {
            state.remove(&original.handle, Removal::Purged, at);
        }
        Ok(Purged { originals, traceless: true })
    }

    async fn add_savings(&self, rows: Vec<SavingRow>) -> Result<(), StoreError> {
        let mut state = self.state();
        for row in rows {
            let key = (row.day, row.tool.clone(), row.kind.clone(), row.percent);
            let none = SavingRow { calls: 0, before: 0, after: 0, marks: 0, ..row.clone() };
            let sum = state.savings.entry(key).or_insert(none);
            sum.calls += row.calls;
            sum.before += row.before;
            sum.after += row.after;
            sum.marks += row.marks;
        }
        Ok(())
    }

    async fn savings(&self, since: Date) -> Result<Vec<SavingRow>, StoreError> {
        Ok(self.state().savings.values().filter(|row| row.day >= since).cloned().collect())
    }

    async fn create_run(&self, run: Run, steps: Vec<Step>) -> Result<Created, StoreError> {
        let mut state = self.state();
        let same = |other: &&Run| other.idempotency_key.is_some() && other.idempotency_key == run.idempotency_key;
        if let Some(existing) = state.runs.iter().find(same) {
            return Ok(Created::Existing(Box::new(existing.clone())));
        }
        state.runs.push(run);
        state.steps.extend(steps);
        Ok(Created::New)
    }

    async fn save_run(&self, run: &Run) -> Result<(), StoreError> {
        let mut state = self.state();
        let may_write = |known: &Run| {
            known.id == run.id
                && known.owner == run.owner
                && (known.state != RunState::Interrupted || run.state.is_final())
        };
        if let Some(known) = state.runs.iter_mut().find(|known| may_write(known)) {
            let lease_until = known.lease_until.max(run.lease_until);
            let cancel_requested_at = known.cancel_requested_at.or(run.cancel_requested_at);
            *known = Run { lease_until, cancel_requested_at, ..run.clone() };
        }
        Ok(())
    }

    async fn save_step(&self, step: &Step) -> Result<(), StoreError> {
        let mut state = self.state();
        let is_interrupted = |run: &Run| run.id == step.run && run.state == RunState::Interrupted;
        if !step.state.is_final() && state.runs.iter().any(is_interrupted) {
            return Ok(());
        }
        match state.steps.iter_mut().find(|known| known.run == step.run && known.name == step.name) {
            Some(known) => known.clone_from(step),
            None => state.steps.push(step.clone()),
        }
        Ok(())
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        Ok(self.state().runs.iter().find(|run| run.id == *id).cloned())
    }

    async fn steps(&self, run: &RunId) -> Result<Vec<Step>, StoreError> {
        let mut steps: Vec<Step> = self.state().steps.iter().filter(|step| step.run == *run).cloned().collect();
        steps.sort_by_key(|step| step.position);
        Ok(steps)
    }

    async fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Run>, StoreError> {
        let state = self.state();
        let of_agent =
            |run: &Run, agent: &str| state.steps.iter().any(|step| step.run == run.id && step.agent.as_str() == agent);
        let passes = |run: &&Run| {
            (filter.states.is_empty() || filter.states.contains(&run.state))
                && filter.agent.as_deref().is_none_or(|agent| of_agent(run, agent))
                && (filter.parent.is_none() || filter.parent == run.parent)
        };
        let mut runs: Vec<Run> = state.runs.iter().filter(passes).cloned().collect();
        runs.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        runs.truncate(limit);
        Ok(runs)
    }

    async fn renew_lease(&self, run: &RunId, owner: &str, until: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(run) = state.runs.iter_mut().find(|known| known.id == *run && known.owner == owner) {
            run.lease_until = run.lease_until.max(until);
        }
        Ok(())
    }

    async fn interrupt_abandoned(&self, now: Timestamp, gone: &[String]) -> Result<Vec<RunId>, StoreError> {
        let mut state = self.state();
        let mut ids = Vec::new();
        let is_abandoned = |run: &Run| !run.state.is_final() && (run.lease_until < now || gone.contains(&run.owner));
        for run in state.runs.iter_mut().filter(|run| is_abandoned(run)) {
            (run.state, run.finished_at) = (RunState::Interrupted, Some(now));
            run.error = Some(super::interrupted_reason().to_owned());
            ids.push(run.id.clone());
        }
        for step in state.steps.iter_mut().filter(|step| !step.state.is_final() && ids.contains(&step.run)) {
            (step.state, step.finished_at) = (RunState::Interrupted, Some(now));
            step.error = Some(super::interrupted_reason().to_owned());
        }
        ids.sort();
        Ok(ids)
    }

    async fn request_cancel(&self, run: &RunId, at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(run) = state.runs.iter_mut().find(|known| known.id == *run) {
            run.cancel_requested_at.get_or_insert(at);
        }
        Ok(())
    }

    async fn add_event(&self, event: Event) -> Result<(), StoreError> {
        let mut state = self.state();
        let number = state.events.len() as i64 + 1;
        state.events.push(Event { number, ..event });
        Ok(())
    }

    async fn events(&self, run: &RunId, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let state = self.state();
        let later = state.events.iter().filter(|event| event.run == *run && event.number > after);
        Ok(later.take(limit).cloned().collect())
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        let state = self.state();
        Ok(StoreStatus {
            backend: "in_memory",
            schema_version: 0,
            memories: state.index.current() as u64,
            embeddings: state.meanings.len() as u64,
            originals: state.kept().len() as u64,
            originals_bytes: state.kept().iter().map(|info| info.bytes).sum(),
            runs: state.runs.len() as u64,
            bytes: 0,
            location: "memory:".to_owned(),
        })
    }

    async fn examine(&self, _mend: bool) -> Result<Vec<Finding>, StoreError> {
        Ok(Vec::new())
    }

    async fn without_meaning(&self, limit: usize) -> Result<Vec<(MemoryId, String)>, StoreError> {
        let state = self.state();
        let lacking = (0..)
            .zip(&state.memories)
            .filter(|(number, memory)| !memory.content.text.is_empty() && !state.meanings.contains_key(number));
        Ok(lacking.take(limit).map(|(_, memory)| (memory.content.id.clone(), memory.content.text.clone())).collect())
    }

    async fn put_meanings(&self, meanings: Vec<(MemoryId, Meaning)>) -> Result<(), StoreError> {
        let mut state = self.state();
        for (id, meaning) in meanings {
            if let Some(number) = state.numbers.get(&id).copied()
                && !state.memories[number as usize].content.text.is_empty()
            {
                state.meanings.insert(number, meaning);
                state.reindex(number);
            }
        }
        Ok(())
    }

    async fn stored_memories(&self, after: Option<&MemoryId>, limit: usize) -> Result<Vec<Memory>, StoreError> {
        let state = self.state();
        let is_wanted =
            |memory: &&Memory| !memory.content.text.is_empty() && after.is_none_or(|after| memory.content.id > *after);
        let mut found: Vec<Memory> = state.memories.iter().filter(is_wanted).cloned().collect();
        found.sort_by(|one, other| one.content.id.cmp(&other.content.id));
        found.truncate(limit);
        Ok(found)
    }

    async fn rewrite_memories(&self, memories: Vec<NewMemory>) -> Result<bool, StoreError> {
        let mut state = self.state();
        for mut new in memories {
            let Some(number) = state.numbers.get(&new.id).copied() else { continue };
            for list in state.postings.values_mut() {
                list.retain(|posting| posting.number != number);
            }
            match new.meaning.take() {
                Some(meaning) => drop(state.meanings.insert(number, meaning)),
                None => drop(state.meanings.remove(&number)),
            }
            let memory = &mut state.memories[number as usize];
            new.supersedes.clone_from(&memory.content.supersedes);
            memory.content = new;
            if memory.forgotten_at.is_none() {
                state.index_terms(number);
            }
            state.reindex(number);
        }
        Ok(true)
    }

    async fn merge_memories(
        &self,
        pairs: Vec<(MemoryId, MemoryId)>,
        at: Timestamp,
    ) -> Result<Vec<MemoryId>, StoreError> {
        let mut state = self.state();
        let mut merged = Vec::new();
        for (old, into) in pairs {
            if old == into || state.current(&old).is_none() || state.current(&into).is_none() {
                continue;
            }
            let number = state.numbers[&old];
            let memory = &mut state.memories[number as usize];
            (memory.superseded_by, memory.superseded_at) = (Some(into), Some(at));
            state.reindex(number);
            merged.push(old);
        }
        Ok(merged)
    }

    async fn note_uses(&self, uses: Vec<(MemoryId, Timestamp)>) -> Result<(), StoreError> {
        let mut state = self.state();
        for (id, at) in uses {
            if state.numbers.contains_key(&id) {
                let noted = state.uses.entry(id).or_insert(at);
                *noted = at.max(*noted);
            }
        }
        Ok(())
    }

    async fn used_since(&self, since: Timestamp) -> Result<Vec<MemoryId>, StoreError> {
        Ok(self.state().uses.iter().filter(|(_, at)| **at >= since).map(|(id, _)| id.clone()).collect())
    }

    async fn unmerge_memories(&self, ids: Vec<MemoryId>, at: Timestamp) -> Result<Vec<MemoryId>, StoreError> {
        let mut state = self.state();
        let mut current = Vec::new();
        for id in ids {
            let Some(number) = state.numbers.get(&id).copied() else { continue };
            let memory = &mut state.memories[number as usize];
            if memory.superseded_at == Some(at) {
                (memory.superseded_by, memory.superseded_at) = (None, None);
                state.reindex(number);
                current.push(id);
            }
        }
        Ok(current)
    }
}

impl State {
    /// What is known of the kept originals, the one whose use is longest ago first.
    fn kept(&self) -> Vec<OriginalInfo> {
        let kept = self.originals.values().filter(|(_, content)| content.is_some());
        let mut kept: Vec<OriginalInfo> = kept.map(|(info, _)| info.clone()).collect();
        kept.sort_by_key(|info| info.used_at);
        kept
    }

    fn remove(&mut self, handle: &Handle, why: Removal, at: Timestamp) {
        let found = self.originals.values_mut().find(|(info, _)| info.handle == *handle);
        if let Some((info, content)) = found {
            *content = None;
            (info.first_line, info.source, info.removed) = (None, None, Some(Removed { at, why }));
        }
    }

    fn keep_within(&mut self, limits: &OriginalLimits, but: &Handle, now: Timestamp) {
        let kept = self.kept();
        let mut bytes: u64 = kept.iter().map(|info| info.bytes).sum();
        for info in kept.iter().filter(|info| info.handle != *but) {
            let why = if info.used_at < limits.unused_since(now) {
                Removal::Expired
            } else if bytes > limits.bytes_max {
                Removal::Crowded
            } else {
                continue;
            };
            bytes -= info.bytes;
            self.remove(&info.handle, why, now);
        }
        let is_known =
            |info: &OriginalInfo| info.removed.is_none_or(|removed| removed.at >= OriginalLimits::forgotten_since(now));
        self.originals.retain(|_, (info, _)| is_known(info));
    }

    fn add(&mut self, new: NewMemory) -> Added {
        let is_current = |memory: &&Memory| memory.superseded_at.is_none() && memory.forgotten_at.is_none();
        let lasts = |memory: &&Memory| memory.content.expires_at.is_none_or(|end| end > new.created_at);
        let same = |memory: &&Memory| memory.content.digest == new.digest;
        if let Some(known) = self.memories.iter().find(|memory| same(memory) && is_current(memory) && lasts(memory)) {
            return Added { id: known.content.id.clone(), status: AddedStatus::Duplicate };
        }
        let old = match &new.supersedes {
            None => self.same_topic(&new),
            Some(named) if self.current(named).is_some() => Some(named.clone()),
            Some(named) => return Added { status: AddedStatus::UnknownSuperseded(named.clone()), id: new.id },
        };
        let order = self.next_order(new.session_id.as_deref());
        let id = new.id.clone();
        let number = self.insert(new, old.clone(), order);
        let status = match old {
            None => AddedStatus::Stored,
            Some(old) => {
                self.mark_superseded(&old, number);
                AddedStatus::Superseded(old)
            }
        };
        Added { id, status }
    }

    fn current(&self, id: &MemoryId) -> Option<&Memory> {
        let memory = &self.memories[*self.numbers.get(id)? as usize];
        (memory.superseded_at.is_none() && memory.forgotten_at.is_none()).then_some(memory)
    }

    fn same_topic(&self, new: &NewMemory) -> Option<MemoryId> {
        new.topic_key.as_ref()?;
        let same = |memory: &&Memory| {
            let other = &memory.content;
            other.topic_key == new.topic_key
                && other.scope == new.scope
                && (new.scope != Scope::Session || other.session_id == new.session_id)
                && (new.scope != Scope::Agent || other.agent == new.agent)
                && self.current(&other.id).is_some()
        };
        self.memories.iter().rev().find(same).map(|memory| memory.content.id.clone())
    }

    fn next_order(&self, session: Option<&str>) -> i64 {
        let Some(session) = session else { return 0 };
        let orders = self.memories.iter().filter(|memory| memory.content.session_id.as_deref() == Some(session));
        orders.map(|memory| memory.order + 1).max().unwrap_or(0)
    }

    fn insert(&mut self, mut new: NewMemory, old: Option<MemoryId>, order: i64) -> u32 {
        let number = u32::try_from(self.memories.len()).expect("fewer than four thousand million memories");
        new.supersedes = old;
        if let Some(meaning) = new.meaning.take() {
            self.meanings.insert(number, meaning);
        }
        self.numbers.insert(new.id.clone(), number);
        self.memories.push(Memory {
            content: new,
            order,
            superseded_by: None,
            superseded_at: None,
            forgotten_at: None,
        });
        self.index_terms(number);
        self.reindex(number);
        number
    }

    fn alike(&self, new: &NewMemory) -> Alike {
        let same = (0..)
            .zip(&self.memories)
            .filter(|(_, memory)| memory.content.digest == new.digest && !memory.content.digest.is_empty());
        let best = same.max_by_key(|(number, memory)| (self.current(&memory.content.id).is_some(), *number));
        let topic = self.same_topic(new).map(|id| self.shown(self.numbers[&id]));
        Alike { same: best.map(|(number, _)| self.shown(number)), topic }
    }

    fn put(&mut self, put: Put) -> bool {
        let Put { memory, replaces } = put;
        if self.numbers.contains_key(&memory.content.id) {
            return false;
        }
        let old = memory.content.supersedes.clone();
        let number = self.insert(memory.content, old, memory.order);
        let kept = &mut self.memories[number as usize];
        (kept.superseded_by, kept.superseded_at) = (memory.superseded_by, memory.superseded_at);
        self.reindex(number);
        if let Some(old) = replaces.filter(|old| self.current(old).is_some()) {
            self.mark_superseded(&old, number);
        }
        true
    }

    fn mark_superseded(&mut self, old: &MemoryId, by: u32) {
        let new = &self.memories[by as usize].content;
        let (by, at) = (new.id.clone(), new.created_at);
        let number = self.numbers[old];
        let memory = &mut self.memories[number as usize];
        (memory.superseded_by, memory.superseded_at) = (Some(by), Some(at));
        self.reindex(number);
    }

    fn index_terms(&mut self, number: u32) {
        for term in &self.memories[number as usize].content.terms {
            let list = self.postings.entry(term.clone()).or_default();
            let place = list.partition_point(|posting| posting.number < number);
            match list.get_mut(place) {
                Some(posting) if posting.number == number => posting.frequency += 1,
                _ => list.insert(place, Posting { number, frequency: 1 }),
            }
        }
    }

    fn reindex(&mut self, number: u32) {
        let memory = &self.memories[number as usize];
        let meaning = self.meanings.get(&number).map(|meaning| meaning.vector.as_slice());
        Arc::make_mut(&mut self.index).put(number, memory, meaning);
    }

    /// The memory as others see it: what was forgotten has no text.
    fn shown(&self, number: u32) -> Memory {
        let mut memory = self.memories[number as usize].clone();
        if memory.forgotten_at.is_some() {
            let content = &mut memory.content;
            (content.text, content.source, content.metadata) = (String::new(), None, "{}".to_owned());
            content.terms.clear();
        }
        memory
    }
}
