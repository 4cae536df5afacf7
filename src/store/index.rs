//! The small part of every memory that filtering and ranking need, kept in memory.
//!
//! Filters and ranking read it instead of the database, so a filter is one piece of Rust for every
//! adapter, and statistics over a whole scope need no scan of the file. The adapter keeps it in
//! step with what it stores; texts and metadata stay where they are.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::MemoryFilter;
use super::records::{Memory, MemoryKind, Scope};
use super::selection::{Recent, Selection};
use crate::base::{MemoryId, Timestamp};

/// The number that stands for no session, no actor, no agent.
pub const NONE: u32 = u32::MAX;

/// A time later than every time, for what has no end.
const NEVER: i64 = i64::MAX;

/// One memory, without its text.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The sixteen characters of its id; they order as the ids do.
    id: [u8; 16],
    scope: Scope,
    kind: MemoryKind,
    agent: u32,
    tags: u32,
    created_at: i64,
    superseded_at: i64,
    expires_at: i64,
    forgotten: bool,
    /// Its session, as a number of this index; [`NONE`] without one.
    pub session: u32,
    /// Its actor, as a number of this index; [`NONE`] without one.
    pub actor: u32,
    /// Its place in its session.
    pub order: i64,
    /// When it happened, in microseconds.
    pub occurred_at: i64,
    /// Its length in ranking.
    pub length: u32,
    /// From 0 to 1.
    pub importance: f32,
    /// Whether it asks something: what follows it is likelier to tell.
    pub asks: bool,
}

impl Entry {
    /// Returns the memory's id.
    pub fn id(&self) -> MemoryId {
        let digits = std::str::from_utf8(&self.id).expect("an id is ASCII");
        format!("mem_{digits}").parse().expect("it was an id")
    }

    /// Returns what the ids are compared by.
    pub fn id_order(&self) -> [u8; 16] {
        self.id
    }
}

/// What the index takes of a memory, as a store reads it. Times are microseconds.
pub(super) struct Brief<'a> {
    /// A whole id: `mem_` and sixteen characters.
    pub(super) id: &'a str,
    pub(super) scope: Scope,
    pub(super) kind: MemoryKind,
    pub(super) agent: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) actor: Option<&'a str>,
    pub(super) created_at: i64,
    pub(super) superseded_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    pub(super) forgotten: bool,
    pub(super) order: i64,
    pub(super) occurred_at: i64,
    pub(super) length: u32,
    pub(super) importance: f32,
    pub(super) asks: bool,
}

/// Every memory of a store, without the texts.
///
/// What it holds lies in parts, so that a copy of the index, made because a recall still reads it,
/// shares all but the parts that change.
#[derive(Debug, Clone, Default)]
pub struct Index {
    /// By the number the store gave, [`BLOCK`] in each.
    entries: Vec<Arc<Vec<Option<Entry>>>>,
    sessions: Arc<Names>,
    actors: Arc<Names>,
    agents: Arc<Names>,
    /// Sets of tags, sorted and joined.
    tags: Arc<Names>,
    meanings: Meanings,
    /// What passed the filter of a recent query.
    recent: Recent,
}

/// How often a memory holds a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// The memory's number in the index.
    pub number: u32,
    /// How often.
    pub frequency: u32,
}

/// What ranking needs to know about a query.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    /// The memories.
    pub index: Arc<Index>,
    /// Those that pass the filter.
    pub passing: Arc<Selection>,
    /// For each term asked: the memories that pass the filter and hold it, by number.
    pub postings: Vec<Vec<Posting>>,
}

/// The memories that hold rare terms.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// The memories.
    pub index: Arc<Index>,
    /// For each term asked: the memories that pass the filter and hold it, by number; none for a term
    /// that is not rare.
    pub postings: Vec<Vec<Posting>>,
}

impl Index {
    /// Takes in a memory as it is now under the number that the store gave it, and the vector of what
    /// it means, if there is one.
    pub(super) fn put(&mut self, number: u32, memory: &Memory, meaning: Option<&[i8]>) {
        let content = &memory.content;
        let brief = Brief {
            id: content.id.as_str(),
            scope: content.scope,
            kind: content.kind,
            agent: content.agent.as_deref(),
            session: content.session_id.as_deref(),
            actor: content.actor.as_deref(),
            created_at: content.created_at.as_microsecond(),
            superseded_at: memory.superseded_at.map(Timestamp::as_microsecond),
            expires_at: content.expires_at.map(Timestamp::as_microsecond),
            forgotten: memory.forgotten_at.is_some(),
            order: memory.order,
            occurred_at: content.occurred_at.as_microsecond(),
            length: content.length,
            importance: content.importance as f32,
            asks: content.asks,
        };
        self.put_brief(number, &brief, content.tags.clone(), meaning);
    }

    /// The same for a memory of which only this much was read.
    pub(super) fn put_brief(&mut self, place: u32, brief: &Brief<'_>, mut tags: Vec<String>, meaning: Option<&[i8]>) {
        self.recent.clear();
        tags.sort();
        let tags = (!tags.is_empty()).then(|| tags.join(SEPARATOR));
        let entry = Entry {
            id: brief.id.as_bytes()[4..].try_into().expect("an id has sixteen characters"),
            scope: brief.scope,
            kind: brief.kind,
            agent: number(&mut self.agents, brief.agent),
            tags: number(&mut self.tags, tags.as_deref()),
            created_at: brief.created_at,
            superseded_at: brief.superseded_at.unwrap_or(NEVER),
            expires_at: brief.expires_at.unwrap_or(NEVER),
            forgotten: brief.forgotten,
            session: number(&mut self.sessions, brief.session),
            actor: number(&mut self.actors, brief.actor.map(str::to_lowercase).as_deref()),
            order: brief.order,
            occurred_at: brief.occurred_at,
            length: brief.length,
            importance: brief.importance,
            asks: brief.asks,
        };
        let (block, at) = (place as usize / BLOCK, place as usize % BLOCK);
        while self.entries.len() <= block {
            self.entries.push(Arc::new(vec![None; BLOCK]));
        }
        Arc::make_mut(&mut self.entries[block])[at] = Some(entry);
        if brief.forgotten {
            self.meanings.put(place, &[]);
        } else if let Some(vector) = meaning {
            self.meanings.put(place, vector);
        }
    }

    /// Returns what the memories mean.
    pub fn meanings(&self) -> &Meanings {
        &self.meanings
    }

    /// Returns how many sessions there are; their numbers are less.
    pub fn sessions(&self) -> usize {
        self.sessions.names.len()
    }

    /// Returns the memory of this number, which must have come from this index.
    pub fn entry(&self, number: u32) -> &Entry {
        let number = number as usize;
        self.entries[number / BLOCK][number % BLOCK].as_ref().expect("the number came from this index")
    }

    fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let all = self.entries.iter().flat_map(|block| block.iter());
        (0..).zip(all).filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }

    /// Returns the name of an actor, in lower case.
    pub fn actor(&self, actor: u32) -> Option<&str> {
        self.actors.name(actor)
    }

    /// Returns the id of a session.
    pub fn session(&self, session: u32) -> Option<&str> {
        self.sessions.name(session)
    }

    /// Returns the memories that pass the filter. The answer is kept for the next query with the same
    /// filter, until a memory is put in or expires.
    pub fn passing(&self, filter: &MemoryFilter) -> Arc<Selection> {
        if let Some(selection) = self.recent.get(filter) {
            return selection;
        }
        let resolved = Resolved::new(self, filter);
        let mut numbers = Vec::new();
        let mut lasts_until = NEVER;
        for (number, entry) in self.entries() {
            if resolved.admits(entry) {
                numbers.push(number);
                if entry.expires_at > resolved.now {
                    lasts_until = lasts_until.min(entry.expires_at);
                }
            }
        }
        let selection = Arc::new(Selection::new(numbers));
        self.recent.keep(filter, resolved.now..lasts_until, &selection);
        selection
    }

    /// Returns up to `limit` numbers of memories that pass the filter, newest first.
    pub(super) fn newest(&self, filter: &MemoryFilter, limit: usize, offset: usize) -> Vec<u32> {
        let mut numbers = self.passing(filter).to_vec();
        let newest_first = |number: &u32| {
            let entry = self.entry(*number);
            std::cmp::Reverse((entry.occurred_at, entry.id))
        };
        numbers.sort_by_key(newest_first);
        numbers.into_iter().skip(offset).take(limit).collect()
    }

    /// Returns the current, unforgotten memories.
    pub(super) fn current(&self) -> usize {
        self.entries().filter(|(_, entry)| !entry.forgotten && entry.superseded_at == NEVER).count()
    }

    /// Puts together what ranking needs, of `postings` only what passes the filter.
    pub(super) fn matches(self: Arc<Self>, filter: &MemoryFilter, mut postings: Vec<Vec<Posting>>) -> Matches {
        let passing = self.passing(filter);
        for list in &mut postings {
            list.retain(|posting| passing.place(posting.number).is_some());
        }
        Matches { index: self, passing, postings }
    }

    /// The same for rare terms, of whose holders each is looked at instead of every memory.
    pub(super) fn holders(self: Arc<Self>, filter: &MemoryFilter, mut postings: Vec<Vec<Posting>>) -> Holders {
        let resolved = Resolved::new(&self, filter);
        for list in &mut postings {
            list.retain(|posting| {
                let number = posting.number as usize;
                let entry = self.entries.get(number / BLOCK).and_then(|block| block[number % BLOCK].as_ref());
                entry.is_some_and(|entry| resolved.admits(entry))
            });
        }
        Holders { index: self, postings }
    }
}

/// The directions in which the meanings of memories point, side by side, by number.
///
/// A vector is kept in bytes, each number times 127. They lie in blocks, as all of the index.
#[derive(Debug, Clone, Default)]
pub struct Meanings {
    dimensions: usize,
    blocks: Vec<Option<Arc<Vec<i8>>>>,
}

/// How many memories' entries or vectors a block holds.
const BLOCK: usize = 1_024;

/// What the numbers of a vector of length one are multiplied by where they are compared with many:
/// sums of whole numbers are the same on every processor, and quick.
const STEPS: f32 = 32_767.0;

impl Meanings {
    /// Keeps the vector of a memory; an empty one takes away what was kept. One of another length
    /// than the others is of another model, and is not kept.
    fn put(&mut self, number: u32, vector: &[i8]) {
        if self.dimensions == 0 {
            self.dimensions = vector.len();
        }
        let (block, at) = (number as usize / BLOCK, number as usize % BLOCK * self.dimensions);
        if vector.is_empty() {
            if let Some(Some(block)) = self.blocks.get_mut(block) {
                Arc::make_mut(block)[at..at + self.dimensions].fill(0);
            }
            return;
        }
        if vector.len() != self.dimensions {
            return;
        }
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, None);
        }
        let zeros = || Arc::new(vec![0; BLOCK * self.dimensions]);
        let block = Arc::make_mut(self.blocks[block].get_or_insert_with(zeros));
        block[at..at + self.dimensions].copy_from_slice(vector);
    }

    /// Returns how many numbers a vector has; 0 where there is none.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the cosine between a memory's meaning and a vector of length one: 0 where either is
    /// not known.
    pub fn cosine(&self, number: u32, vector: &[f32]) -> f32 {
        self.cosines(&[number], vector)[0]
    }

    /// Returns the cosines between the meanings of memories and a vector of length one: 0 where either
    /// is not known.
    pub fn cosines(&self, numbers: &[u32], vector: &[f32]) -> Vec<f32> {
        if vector.len() != self.dimensions {
            return vec![0.0; numbers.len()];
        }
        let steps: Vec<i16> = vector.iter().map(|number| (number * STEPS).round() as i16).collect();
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return with_avx2(self, numbers, &steps);
        }
        self.scan(numbers, &steps)
    }

    // Plain loops, here and in `dot`: what they call of an iterator may be compiled for any processor.
    #[inline(always)]
    fn scan(&self, numbers: &[u32], steps: &[i16]) -> Vec<f32> {
        let mut cosines = vec![0.0; numbers.len()];
        for (cosine, number) in cosines.iter_mut().zip(numbers) {
            let (block, at) = (*number as usize / BLOCK, *number as usize % BLOCK * self.dimensions);
            if let Some(Some(block)) = self.blocks.get(block) {
                *cosine = dot(&block[at..at + self.dimensions], steps) as f32 / (127.0 * STEPS);
            }
        }
        cosines
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "a function for a processor's feature")]
fn with_avx2(meanings: &Meanings, numbers: &[u32], steps: &[i16]) -> Vec<f32> {
    #[target_feature(enable = "avx2")]
    fn scan(meanings: &Meanings, numbers: &[u32], steps: &[i16]) -> Vec<f32> {
        meanings.scan(numbers, steps)
    }
    assert!(is_x86_feature_detected!("avx2"));
    // SAFETY: the processor has the feature, as was just asserted.
    unsafe { scan(meanings, numbers, steps) }
}

/// The sum stays far below the limit: by their lengths it is at most 127 times [`STEPS`].
#[inline(always)]
fn dot(bytes: &[i8], steps: &[i16]) -> i32 {
    let mut sum = 0;
    for (byte, step) in bytes.iter().zip(steps) {
        sum += i32::from(*byte) * i32::from(*step);
    }
    sum
}

/// What stands between the tags of a set; no tag has it.
const SEPARATOR: &str = "\u{1f}";

/// Texts that are kept once and known by a number.
#[derive(Debug, Clone, Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

/// Returns the number of a name, which gets one if it has none.
fn number(names: &mut Arc<Names>, name: Option<&str>) -> u32 {
    let Some(name) = name else { return NONE };
    if let Some(number) = names.numbers.get(name) {
        return *number;
    }
    let names = Arc::make_mut(names);
    let number = u32::try_from(names.names.len()).expect("fewer than four thousand million names");
    let name: Arc<str> = name.into();
    names.names.push(name.clone());
    names.numbers.insert(name, number);
    number
}

impl Names {
    fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(AsRef::as_ref)
    }
}

/// A filter in the numbers of an index.
struct Resolved<'a> {
    filter: &'a MemoryFilter,
    /// `Some(None)`: asked for, and no memory has it.
    session: Option<Option<u32>>,
    actor: Option<Option<u32>>,
    agent: Option<Option<u32>>,
    /// For each set of tags whether it has all that are asked for.
    tag_sets: Vec<bool>,
    since: i64,
    until: i64,
    as_of: Option<i64>,
    now: i64,
}

impl<'a> Resolved<'a> {
    fn new(index: &Index, filter: &'a MemoryFilter) -> Self {
        let number =
            |names: &Names, name: &Option<String>| name.as_deref().map(|name| names.numbers.get(name).copied());
        let has_all = |set: &Arc<str>| filter.tags.iter().all(|tag| set.split(SEPARATOR).any(|other| other == tag));
        let micros = |time: Option<Timestamp>, otherwise| time.map_or(otherwise, Timestamp::as_microsecond);
        let as_of = filter.as_of.map(Timestamp::as_microsecond);
        Self {
            filter,
            session: number(&index.sessions, &filter.session_id),
            actor: number(&index.actors, &filter.actor.as_deref().map(str::to_lowercase)),
            agent: number(&index.agents, &filter.agent),
            tag_sets: if filter.tags.is_empty() { Vec::new() } else { index.tags.names.iter().map(has_all).collect() },
            since: micros(filter.since, i64::MIN),
            until: micros(filter.until, NEVER),
            as_of,
            now: as_of.unwrap_or_else(|| micros(filter.now, i64::MIN)),
        }
    }

    fn admits(&self, entry: &Entry) -> bool {
        let filter = self.filter;
        let same = |asked: Option<Option<u32>>, has: u32| asked.is_none_or(|asked| asked == Some(has));
        let current = match self.as_of {
            None if filter.history => true,
            None => entry.superseded_at == NEVER,
            Some(then) => entry.created_at <= then && then < entry.superseded_at,
        };
        let named = match entry.scope {
            Scope::Project | Scope::User => true,
            Scope::Session => filter.anyone || self.session.is_some(),
            Scope::Agent => filter.anyone || self.agent.is_some(),
        };
        current
            && named
            && !entry.forgotten
            && (entry.expires_at > self.now || (filter.history && filter.as_of.is_none()))
            && (filter.scopes.is_empty() || filter.scopes.contains(&entry.scope))
            && (filter.kinds.is_empty() || filter.kinds.contains(&entry.kind))
            && same(self.session, entry.session)
            && same(self.actor, entry.actor)
            && same(self.agent, entry.agent)
            && entry.occurred_at >= self.since
            && (entry.occurred_at < self.until || self.until == NEVER)
            && (filter.tags.is_empty() || self.tag_sets.get(entry.tags as usize).copied().unwrap_or(false))
    }
}
