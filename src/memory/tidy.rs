//! Decay and consolidation, as steps that are told beforehand and can be taken back.
//!
//! Nothing here happens by itself. A tidying is a pure plan over what is stored at one moment; it is
//! known by that moment, which stands in every memory that it changed, so that it can be undone
//! without a record of its own. Nothing is deleted: what says the same as another is superseded by
//! it, and what is over is forgotten with a tombstone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::doctor::PAGE;
use super::forget::with_versions;
use super::{Memories, MemoryError, alike, redact};
use crate::base::{MemoryId, Timestamp};
use crate::store::{Change, Memory, MemoryKind, Scope, Store};

/// How much of a text names it.
const PREVIEW_CHARACTERS: usize = 80;

/// What is to be tidied.
#[derive(Debug, Clone, PartialEq)]
pub struct TidyRules {
    /// Episodes older than so many days go, unless somebody recalled them in that time or something
    /// else speaks for them.
    pub episode_days: u32,
    /// Episodes of more importance than this stay; one that nobody weighed has 0.5.
    pub importance_max: f64,
}

impl Default for TidyRules {
    fn default() -> Self {
        Self { episode_days: 180, importance_max: 0.5 }
    }
}

impl TidyRules {
    /// The time since when an episode must have happened, or have been recalled, to stay.
    fn fresh_since(&self, now: Timestamp) -> Timestamp {
        let age = SignedDuration::from_hours(24 * i64::from(self.episode_days));
        now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    }
}

/// Why a memory is put away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It expired then.
    Expired(Timestamp),
    /// This one says nearly the same, and is the better version.
    SaysTheSame(MemoryId),
    /// An episode of so many days ago that was neither pinned nor weighed as important, and that
    /// nobody recalled in the time that the rules give.
    Faded(i64),
}

/// A memory that is put away, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidied {
    /// Its id.
    pub id: MemoryId,
    /// The beginning of its text.
    pub preview: String,
    /// Why.
    pub reason: Reason,
}

/// A tidying, done or planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidying {
    /// The moment by which it is known; `None`: nothing was changed.
    pub at: Option<Timestamp>,
    /// What was put away, or would be, in the order of ids.
    pub tidied: Vec<Tidied>,
    /// How many current memories were looked at.
    pub looked_at: usize,
}

/// What is to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// All of a tidying.
    Run(Timestamp),
    /// One memory.
    One(MemoryId),
}

impl Memories {
    /// Puts away what is over or says the same as another; with `dry_run`, only tells what it would.
    /// The same memories at the same time give the same plan.
    pub async fn tidy(&self, rules: &TidyRules, dry_run: bool) -> Result<Tidying, MemoryError> {
        self.write_uses().await;
        // As stores keep it, so that it is found again there.
        let now = Timestamp::from_microsecond(self.clock.now().as_microsecond()).expect("it was a time");
        let mut tidying = Tidying { at: None, tidied: Vec::new(), looked_at: 0 };
        for store in [&self.project, &self.user] {
            let current = current(store.as_ref()).await?;
            tidying.looked_at += current.len();
            let rules = rules.clone();
            let used: BTreeSet<MemoryId> = store.used_since(rules.fresh_since(now)).await?.into_iter().collect();
            let plan = move || plan(&current, &used, &rules, now);
            let plan = tokio::task::spawn_blocking(plan).await.expect("planning does not panic");
            if dry_run || plan.is_empty() {
                tidying.tidied.extend(plan);
                continue;
            }
            let merged = |one: &Tidied| match &one.reason {
                Reason::SaysTheSame(best) => Some((one.id.clone(), best.clone())),
                Reason::Expired(_) | Reason::Faded(_) => None,
            };
            let pairs: Vec<_> = plan.iter().filter_map(merged).collect();
            let over: Vec<MemoryId> =
                plan.iter().filter(|one| merged(one).is_none()).map(|one| one.id.clone()).collect();
            // Somebody may have changed one of them in the meantime: only what was done is told.
            let mut done: BTreeSet<MemoryId> = BTreeSet::new();
            if !pairs.is_empty() {
                done.extend(store.merge_memories(pairs, now).await?);
            }
            if !over.is_empty() {
                // As when somebody forgets them: no earlier wording stays behind.
                let over = with_versions(store.as_ref(), store.memories(&over).await?, false).await?;
                let over = over.into_iter().filter(|memory| memory.forgotten_at.is_none());
                let over: Vec<MemoryId> = over.map(|memory| memory.content.id).collect();
                done.extend(store.forget(&over, false, now).await?.into_iter().map(|one| one.id));
            }
            tidying.at = Some(now);
            tidying.tidied.extend(plan.into_iter().filter(|one| done.contains(&one.id)));
        }
        tidying.tidied.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(tidying)
    }

    /// Takes back a tidying, or what it did to one memory; returns the memories that are current
    /// again.
    pub async fn undo_tidying(&self, undo: &Undo) -> Result<Vec<MemoryId>, MemoryError> {
        let mut back = Vec::new();
        for store in [&self.project, &self.user] {
            let all = everything(store.as_ref()).await?;
            let created: BTreeMap<&MemoryId, Timestamp> =
                all.iter().map(|memory| (&memory.content.id, memory.content.created_at)).collect();
            // A memory that replaced another came at that moment; a better version was there before.
            let was_merged = |memory: &Memory| {
                let best = memory.superseded_by.as_ref().and_then(|id| created.get(id));
                memory.superseded_at.is_some_and(|at| best.is_some_and(|best| *best < at))
            };
            // The earlier wordings that went with the one that is wanted.
            let mut with_it: BTreeSet<MemoryId> = BTreeSet::new();
            if let Undo::One(wanted) = undo
                && let Some(one) = all.iter().find(|memory| memory.content.id == *wanted)
                && may_have_tidied(one)
            {
                let versions = with_versions(store.as_ref(), vec![one.clone()], false).await?;
                let together = versions.into_iter().filter(|version| version.forgotten_at == one.forgotten_at);
                with_it.extend(together.map(|version| version.content.id));
            }
            for memory in &all {
                let id = &memory.content.id;
                let (merged, forgotten) = match undo {
                    Undo::Run(at) => (memory.superseded_at == Some(*at), memory.forgotten_at == Some(*at)),
                    Undo::One(wanted) => (id == wanted, with_it.contains(id)),
                };
                let mut is_back = false;
                if merged
                    && was_merged(memory)
                    && let Some(at) = memory.superseded_at
                {
                    is_back |= !store.unmerge_memories(vec![id.clone()], at).await?.is_empty();
                }
                if forgotten {
                    let restore = Change { restore: true, ..Change::default() };
                    is_back |= store.change_memory(id, restore).await?.is_some();
                }
                // An earlier wording is history again, and not current.
                if is_back && (memory.superseded_at.is_none() || merged) {
                    back.push(id.clone());
                }
            }
        }
        back.sort();
        Ok(back)
    }
}

/// Whether a memory was forgotten for a reason that tidying has, and not because somebody wished it.
fn may_have_tidied(memory: &Memory) -> bool {
    let content = &memory.content;
    memory.forgotten_at.is_some_and(|at| {
        content.expires_at.is_some_and(|end| end <= at) || (content.kind == MemoryKind::Episode && !content.pinned)
    })
}

async fn current(store: &dyn Store) -> Result<Vec<Memory>, MemoryError> {
    let mut all = everything(store).await?;
    all.retain(|memory| memory.superseded_at.is_none() && memory.forgotten_at.is_none());
    Ok(all)
}

async fn everything(store: &dyn Store) -> Result<Vec<Memory>, MemoryError> {
    let mut all: Vec<Memory> = Vec::new();
    loop {
        let page = store.stored_memories(all.last().map(|memory| &memory.content.id), PAGE).await?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// What there is to tidy among memories that are current.
fn plan(memories: &[Memory], used: &BTreeSet<MemoryId>, rules: &TidyRules, now: Timestamp) -> Vec<Tidied> {
    let mut reasons: BTreeMap<&MemoryId, Reason> = BTreeMap::new();
    let mut lasting: BTreeMap<Group<'_>, Vec<&Memory>> = BTreeMap::new();
    for memory in memories {
        let content = &memory.content;
        let age_days = now.duration_since(content.occurred_at).as_hours() / 24;
        if let Some(end) = content.expires_at.filter(|end| *end <= now) {
            reasons.insert(&content.id, Reason::Expired(end));
        } else if content.kind == MemoryKind::Episode
            && !content.pinned
            && content.importance <= rules.importance_max
            && content.occurred_at < rules.fresh_since(now)
            && !used.contains(&content.id)
        {
            reasons.insert(&content.id, Reason::Faded(age_days));
        } else {
            lasting.entry(Group::of(memory)).or_default().push(memory);
        }
    }
    for mut group in lasting.into_values() {
        // The best first: what is alike is superseded by it.
        group.sort_by(|one, other| better(other).partial_cmp(&better(one)).expect("an importance is a number"));
        let texts: Vec<&str> = group.iter().map(|memory| memory.content.text.as_str()).collect();
        for alike in alike::groups(&texts) {
            let best = group[alike[0]];
            for place in &alike[1..] {
                let memory = group[*place];
                // Whoever pinned two wants both.
                if !memory.content.pinned {
                    reasons.insert(&memory.content.id, Reason::SaysTheSame(best.content.id.clone()));
                }
            }
        }
    }
    let preview = |memory: &Memory| {
        let text = redact(&memory.content.text).0;
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(PREVIEW_CHARACTERS).collect()
    };
    let tidied = |memory: &Memory| {
        let reason = reasons.get(&memory.content.id)?.clone();
        Some(Tidied { id: memory.content.id.clone(), preview: preview(memory), reason })
    };
    memories.iter().filter_map(tidied).collect()
}

/// What must be the same for two memories to stand for each other: who shares them, who said it and
/// where, the topic, the kind, and how long it holds. Two people may both say yes, and what lasts is not
/// replaced by what ends tomorrow.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    scope: &'a str,
    agent: Option<&'a str>,
    session: Option<&'a str>,
    actor: Option<String>,
    topic: Option<&'a str>,
    kind: &'a str,
    expires_at: Option<Timestamp>,
}

impl<'a> Group<'a> {
    fn of(memory: &'a Memory) -> Self {
        let content = &memory.content;
        let of_session = content.scope == Scope::Session || content.actor.is_some();
        Self {
            scope: content.scope.as_str(),
            agent: content.agent.as_deref(),
            session: of_session.then_some(content.session_id.as_deref()).flatten(),
            actor: content.actor.as_deref().map(str::to_lowercase),
            topic: content.topic_key.as_deref(),
            kind: content.kind.as_str(),
            expires_at: content.expires_at,
        }
    }
}

/// What makes a version the better one, in this order: pinned, important, says more, newer.
fn better(memory: &Memory) -> (bool, f64, usize, Timestamp, &MemoryId) {
    let content = &memory.content;
    (content.pinned, content.importance, content.text.len(), content.occurred_at, &content.id)
}
