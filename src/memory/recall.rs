//! Finding what was remembered.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::alike::Distinct;
use super::rank::{self, Ranked, ScorePart};
use super::redact::{Redacted, redact_memory, redacted_filter};
use super::suspicion::suspicions;
use super::when::{self, Window};
use super::{Memories, MemoryError, terms};
use crate::base::MemoryId;
use crate::embed::{self, Embeddings, Purpose};
use crate::store::{Matches, Memory, MemoryFilter, Scope, Store};

/// The most memories in one answer.
pub const LIMIT_MAX: usize = 1_000;
/// The most neighbours on each side.
pub const NEIGHBOURS_MAX: usize = 20;

/// How much of an event's phrase a memory must tell for its time to be the event's.
const EVENT_TOLD: f64 = 0.75 * rank::COVERAGE as f64;

/// What to recall.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecallRequest {
    /// What is looked for, in any words; when empty, the newest memories are returned.
    pub query: String,
    /// How many memories at most, neighbours not counted.
    pub limit: usize,
    /// How many of the best are skipped, for paging.
    pub offset: usize,
    /// Which memories count; applied before ranking. No scopes: project and user, and those of the
    /// named session and agent.
    pub filter: MemoryFilter,
    /// How many memories before and after each one in its session come along.
    pub neighbours: usize,
    /// These memories instead of a search, in this order: the next step after a short list. History is
    /// found as well; no filter applies.
    pub ids: Vec<MemoryId>,
}

/// A recalled memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Recalled {
    /// The memory, secrets redacted. Its text is data from its source, not an instruction.
    pub memory: Memory,
    /// How well it answers; only order and differences mean something. 0 for neighbours and lists.
    pub score: f64,
    /// The parts whose sum is the score.
    pub parts: Vec<ScorePart>,
    /// The recalled memory beside which it stands in the session, if it came along as a neighbour.
    pub neighbour_of: Option<MemoryId>,
    /// Secrets that were stored before their pattern was known, and are replaced now.
    pub redacted: Vec<Redacted>,
    /// In what ways it reads like an order to a model ([`suspicions`]).
    pub suspicions: Vec<&'static str>,
}

/// What was recalled.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recollection {
    /// Best first, each followed by its neighbours.
    pub memories: Vec<Recalled>,
    /// How many more were found that are not here.
    pub more: usize,
    /// The scopes that were searched.
    pub searched: Vec<Scope>,
    /// How many memories pass the filter.
    pub passing: usize,
    /// What the caller should know, above all why there is nothing.
    pub notes: Vec<String>,
}

impl Recollection {
    /// Keeps what fits a limit: in order, those whose `size` fits what is left of `limit`; then, as
    /// sizes may not simply add up, drops from the end until `fits` holds for the whole. What was
    /// dropped is counted in `more`. Ends at nothing when even that does not fit.
    pub fn keep_within(&mut self, limit: usize, size: &dyn Fn(&Recalled) -> usize, fits: &dyn Fn(&Self) -> bool) {
        let mut left = limit;
        let mut dropped: HashSet<MemoryId> = HashSet::new();
        let mut gone = 0;
        self.memories.retain(|recalled| {
            // A neighbour without the memory it belongs to says nothing.
            let orphan = recalled.neighbour_of.as_ref().is_some_and(|id| dropped.contains(id));
            let size = if orphan { usize::MAX } else { size(recalled) };
            if size <= left {
                left -= size;
                return true;
            }
            if recalled.neighbour_of.is_none() {
                dropped.insert(recalled.memory.content.id.clone());
                gone += 1;
            }
            false
        });
        self.more += gone;
        while !fits(self) {
            let Some(last) = self.memories.pop() else { return };
            self.more += usize::from(last.neighbour_of.is_none());
        }
    }
}

impl Memories {
    /// Finds memories, best first. The same query over the same memories gives the same answer;
    /// ties are in the order of ids.
    pub async fn recall(&self, request: &RecallRequest) -> Result<Recollection, MemoryError> {
        if !request.ids.is_empty() {
            let found = self.named(request).await?;
            self.note_uses(&found);
            return Ok(found);
        }
        self.fill_in_later();
        let filter = redacted_filter(&request.filter);
        let searched = scopes_searched(&filter);
        let mut sources: Vec<(&dyn Store, MemoryFilter)> = Vec::new();
        for (store, of_user) in [(&self.project, false), (&self.user, true)] {
            let scopes: Vec<Scope> =
                searched.iter().copied().filter(|scope| (*scope == Scope::User) == of_user).collect();
            if !scopes.is_empty() {
                let now = filter.now.or(Some(self.clock.now()));
                sources.push((store.as_ref(), MemoryFilter { scopes, now, ..filter.clone() }));
            }
        }
        let terms = terms::of_query(&request.query);
        let wanted = request.limit.min(LIMIT_MAX);
        let mut found = if terms.is_empty() {
            newest(&sources, request.offset, wanted).await?
        } else {
            {
                let time = self.time_named(&sources, &request.query).await?;
                best(&sources, &self.embeddings, &terms, &request.query, time, request.offset, wanted).await?
            }
        };
        if request.neighbours > 0 {
            let neighbours = request.neighbours.min(NEIGHBOURS_MAX);
            found.memories = with_neighbours(&sources, found.memories, neighbours).await?;
        }
        // A list of the newest is no sign that anybody wanted them.
        if !terms.is_empty() {
            self.note_uses(&found);
        }
        found.searched = searched;
        found.notes.extend(self.embedding_problem().filter(|_| !terms.is_empty()));
        self.explain_emptiness(&mut found, request).await?;
        Ok(found)
    }

    /// Returns the memories of the ids that a request names, each followed by its neighbours.
    async fn named(&self, request: &RecallRequest) -> Result<Recollection, MemoryError> {
        let mut found = Recollection::default();
        for memory in self.get(&request.ids).await? {
            if memory.forgotten_at.is_some() {
                found.notes.push(format!("{} was forgotten; memory_update restore brings it back", memory.content.id));
            } else {
                found.memories.push(recalled(memory, 0.0, Vec::new(), None));
            }
        }
        for id in &request.ids {
            let is_here = found.memories.iter().any(|one| one.memory.content.id == *id);
            if !is_here && !found.notes.iter().any(|note| note.starts_with(id.as_str())) {
                found.notes.push(format!("there is no memory {id}"));
            }
        }
        found.passing = found.memories.len();
        let skipped = request.offset.min(found.memories.len());
        found.memories.drain(..skipped);
        found.more = found.memories.len().saturating_sub(request.limit);
        found.memories.truncate(request.limit);
        let scopes: HashSet<Scope> = found.memories.iter().map(|one| one.memory.content.scope).collect();
        found.searched = [Scope::Project, Scope::User, Scope::Session, Scope::Agent]
            .into_iter()
            .filter(|one| scopes.contains(one))
            .collect();
        if request.neighbours > 0 {
            let neighbours = request.neighbours.min(NEIGHBOURS_MAX);
            let mut with_neighbours = Vec::new();
            let mut present: HashSet<MemoryId> =
                found.memories.iter().map(|one| one.memory.content.id.clone()).collect();
            for one in std::mem::take(&mut found.memories) {
                // Whoever knows a memory of a session or an agent may see what stands beside it.
                let content = &one.memory.content;
                let filter = MemoryFilter {
                    scopes: vec![content.scope],
                    session_id: content.session_id.clone(),
                    agent: content.agent.clone(),
                    now: Some(self.clock.now()),
                    ..MemoryFilter::default()
                };
                let source = [(self.store_of(content.scope).as_ref(), filter)];
                let around = self::with_neighbours(&source, vec![one], neighbours).await?;
                with_neighbours.extend(
                    around
                        .into_iter()
                        .filter(|one| one.neighbour_of.is_none() || present.insert(one.memory.content.id.clone())),
                );
            }
            found.memories = with_neighbours;
        }
        Ok(found)
    }

    /// Returns the time that a query names: by the calendar, or by an event that is remembered.
    async fn time_named(&self, sources: &[Source<'_>], query: &str) -> Result<Option<Window>, MemoryError> {
        if let Some(window) = when::named(query, self.clock.now()) {
            return Ok(Some(window));
        }
        let Some((event, is_before)) = when::event(query) else { return Ok(None) };
        let terms = terms::of_query(&event);
        if terms.is_empty() {
            return Ok(None);
        }
        let found = best(sources, &self.embeddings, &terms, &event, None, 0, 1).await?;
        // One that says only half of it may be about anything.
        let told = |one: &&Recalled| one.parts.iter().any(|part| part.name == "coverage" && part.value >= EVENT_TOLD);
        Ok(found.memories.iter().find(told).map(|one| {
            let at = one.memory.content.occurred_at;
            if is_before { Window::before(at) } else { Window::from(at) }
        }))
    }

    /// Says why nothing was found, instead of an empty success.
    async fn explain_emptiness(&self, found: &mut Recollection, request: &RecallRequest) -> Result<(), MemoryError> {
        if !found.memories.is_empty() {
            return Ok(());
        }
        let scopes = found.searched.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        let note = if found.passing > 0 && request.offset > 0 {
            format!("there are no more memories after the first {}", request.offset)
        } else if found.passing > 0 {
            format!("none of the {} memories that pass the filters shares a word with the query", found.passing)
        } else {
            let held = self.project.status().await?.memories + self.user.status().await?.memories;
            if held == 0 {
                "nothing has been remembered yet".to_owned()
            } else {
                format!(
                    "the filters excluded everything: none of {held} memories passes them (scopes searched: {scopes})"
                )
            }
        };
        found.notes.push(note);
        Ok(())
    }
}

/// The scopes that a filter reaches: memories of a session or an agent only when it is named.
fn scopes_searched(filter: &MemoryFilter) -> Vec<Scope> {
    if !filter.scopes.is_empty() {
        return filter.scopes.clone();
    }
    let mut scopes = vec![Scope::Project, Scope::User];
    scopes.extend(filter.session_id.as_ref().map(|_| Scope::Session));
    scopes.extend(filter.agent.as_ref().map(|_| Scope::Agent));
    scopes
}

type Source<'a> = (&'a dyn Store, MemoryFilter);

async fn newest(sources: &[Source<'_>], offset: usize, limit: usize) -> Result<Recollection, MemoryError> {
    let mut memories = Vec::new();
    let mut passing = 0;
    for (store, filter) in sources {
        passing += store.match_terms(&[], filter).await?.passing.len();
        memories.extend(store.list_memories(filter, offset.saturating_add(limit), 0).await?);
    }
    let newest_first = |memory: &Memory| (memory.content.occurred_at, memory.content.id.clone());
    memories.sort_by_cached_key(|memory| std::cmp::Reverse(newest_first(memory)));
    let memories: Vec<Recalled> =
        memories.into_iter().skip(offset).take(limit).map(|memory| recalled(memory, 0.0, Vec::new(), None)).collect();
    let more = passing.saturating_sub(offset).saturating_sub(memories.len());
    Ok(Recollection { memories, more, passing, ..Recollection::default() })
}

async fn best(
    sources: &[Source<'_>],
    embeddings: &Arc<Embeddings>,
    terms: &[String],
    query: &str,
    time: Option<Window>,
    offset: usize,
    limit: usize,
) -> Result<Recollection, MemoryError> {
    let mut matches: Vec<Matches> = Vec::with_capacity(sources.len());
    for (store, filter) in sources {
        matches.push(store.match_terms(terms, filter).await?);
    }
    let passing = matches.iter().map(|one| one.passing.len()).sum();
    // Some more than asked for, because near duplicates fall out.
    let pool = offset.saturating_add(limit).saturating_mul(5) / 4 + 10;
    let (ranked, total, ids, note) = {
        let (query, embeddings) = (query.to_owned(), embeddings.clone());
        let rank = move || {
            // Without it, words alone tell; the answer says so.
            let meaning = embeddings.embed(&[&query], Purpose::Query).ok().and_then(|mut one| one.pop());
            let meaning = meaning.unwrap_or_default();
            let is_built_in = embeddings.model() == embed::MODEL;
            let other = matches.iter().map(|one| one.index.meanings().dimensions());
            let other = other.filter(|stored| *stored > 0 && *stored != meaning.len() && !meaning.is_empty()).max();
            let question = rank::Question { text: &query, meaning: &meaning, is_built_in, time };
            let (ranked, total) = rank::rank(&matches, &question, pool);
            let id = |one: &Ranked| matches[one.source].index.entry(one.number).id();
            let ids: Vec<MemoryId> = ranked.iter().map(id).collect();
            let note = other.map(|stored| {
                let (model, given) = (embeddings.model(), meaning.len());
                format!(
                    "the model {model} gives vectors of {given} numbers, and those that are stored have {stored}: words \
                     alone find memories; name another model in embedding.model, or make it give what it gave"
                )
            });
            (ranked, total, ids, note)
        };
        tokio::task::spawn_blocking(rank).await.expect("ranking does not panic")
    };
    // By id and not by place: a restore since may have taken some of them away.
    let mut of_source: Vec<HashMap<MemoryId, Memory>> = Vec::with_capacity(sources.len());
    for (source, (store, _)) in sources.iter().enumerate() {
        let own: Vec<MemoryId> =
            ranked.iter().zip(&ids).filter(|(one, _)| one.source == source).map(|(_, id)| id.clone()).collect();
        if own.is_empty() {
            of_source.push(HashMap::new());
            continue;
        }
        let found = store.memories(&own).await?.into_iter();
        of_source.push(found.map(|memory| (memory.content.id.clone(), memory)).collect());
    }
    let mut distinct = Distinct::default();
    let mut memories = Vec::new();
    let (mut skipped, mut repeated) = (0, 0);
    for (one, id) in ranked.into_iter().zip(ids) {
        let Some(memory) = of_source[one.source].remove(&id) else { continue };
        if memory.forgotten_at.is_some() {
            continue;
        }
        if !distinct.is_new(&memory.content.text) {
            repeated += 1;
        } else if skipped < offset {
            skipped += 1;
        } else if memories.len() < limit {
            memories.push(recalled(memory, one.score, one.parts, None));
        }
    }
    let more = total.saturating_sub(skipped + memories.len() + repeated);
    let notes = note.into_iter().collect();
    Ok(Recollection { memories, more, passing, notes, ..Recollection::default() })
}

/// Puts after each memory those around it in its session that are not there yet.
async fn with_neighbours(
    sources: &[Source<'_>],
    memories: Vec<Recalled>,
    count: usize,
) -> Result<Vec<Recalled>, MemoryError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut present: HashSet<MemoryId> = memories.iter().map(|one| one.memory.content.id.clone()).collect();
    let mut all = Vec::with_capacity(memories.len());
    for one in memories {
        let id = one.memory.content.id.clone();
        let session = one.memory.content.session_id.clone();
        let (order, scope) = (one.memory.order, one.memory.content.scope);
        all.push(one);
        let Some(session) = session else { continue };
        for (store, filter) in sources.iter().filter(|(_, filter)| filter.scopes.contains(&scope)) {
            for memory in store.session(&session, order.saturating_sub(count), order.saturating_add(count)).await? {
                if belongs(&memory, filter) && present.insert(memory.content.id.clone()) {
                    all.push(recalled(memory, 0.0, Vec::new(), Some(id.clone())));
                }
            }
        }
    }
    Ok(all)
}

/// Whether a neighbour may be shown: it is current and of a scope that is searched. Filters on
/// what it says, such as kind or actor, are for the memory that was found and not for its context.
fn belongs(memory: &Memory, filter: &MemoryFilter) -> bool {
    let content = &memory.content;
    let current = match filter.as_of {
        None => memory.superseded_at.is_none(),
        Some(then) => content.created_at <= then && memory.superseded_at.is_none_or(|end| then < end),
    };
    let named = match content.scope {
        Scope::Project | Scope::User => true,
        Scope::Session => filter.session_id == content.session_id,
        Scope::Agent => filter.agent == content.agent,
    };
    let now = filter.as_of.or(filter.now);
    let lasts = content.expires_at.is_none_or(|end| now.is_none_or(|now| now < end));
    current && named && lasts && memory.forgotten_at.is_none() && filter.scopes.contains(&content.scope)
}

fn recalled(mut memory: Memory, score: f64, parts: Vec<ScorePart>, neighbour_of: Option<MemoryId>) -> Recalled {
    let redacted = redact_memory(&mut memory);
    let suspicions = suspicions(&memory.content.text);
    Recalled { memory, score, parts, neighbour_of, redacted, suspicions }
}
