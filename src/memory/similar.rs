//! What is there already when something is remembered: near duplicates, and what it contradicts.
//!
//! Only told, never acted on: whether "port 80" and "port 81" are two facts or one that changed is
//! for the caller to say. Where many memories arrive at once, as from an import, nothing is looked
//! for; `tidy` finds near duplicates later.

use std::collections::{BTreeSet, HashMap};

use super::remember::{Outcome, Remembered};
use super::{Memories, MemoryError, redact};
use crate::base::MemoryId;
use crate::store::{MemoryFilter, NewMemory, Scope, Store};

/// Of so many memories at once, similar ones are looked for.
const AT_ONCE_MAX: usize = 32;
/// How many similar ones are named.
const NAMED_MAX: usize = 3;
/// How many words of a text candidates are looked for with.
const PROBES_MAX: usize = 6;
/// A word that stands at more places tells nothing, and is not looked for.
const PLACES_MAX: usize = 1_000;
/// How many candidates are compared whole.
const CANDIDATES_MAX: usize = 12;
/// Texts of fewer different words are too short to be near anything.
const WORDS_MIN: usize = 4;
/// The share of common words from which two texts are similar.
const SHARED: f64 = 0.6;
/// The share that is enough where their meanings are near as well.
const SHARED_AND_NEAR: f64 = 0.35;
/// How near meanings must be for that: the cosine.
const NEAR: f32 = 0.85;
/// How much of what was replaced is told, in characters.
const BEFORE_CHARACTERS: usize = 120;

/// What is looked for of a memory that is being remembered.
pub(super) struct Sought {
    words: BTreeSet<String>,
    vector: Vec<f32>,
    filter: MemoryFilter,
}

/// Returns what is looked for of each memory; nothing where there are too many.
pub(super) fn sought(news: &[NewMemory]) -> Vec<Option<Sought>> {
    let few = news.len() <= AT_ONCE_MAX;
    news.iter().map(|new| if few { Sought::of(new) } else { None }).collect()
}

impl Sought {
    fn of(new: &NewMemory) -> Option<Self> {
        // The words of the text alone: those of its actor and date come last and are not its own.
        let own = super::terms::telling(&new.text);
        if own.len() < WORDS_MIN {
            return None;
        }
        let filter = MemoryFilter {
            scopes: vec![new.scope],
            // What another said is not a duplicate.
            actor: new.actor.clone(),
            session_id: (new.scope == Scope::Session || new.actor.is_some()).then(|| new.session_id.clone()).flatten(),
            agent: (new.scope == Scope::Agent).then(|| new.agent.clone()).flatten(),
            now: Some(new.created_at),
            ..MemoryFilter::default()
        };
        // Without one, words alone tell.
        let vector = new.meaning.iter().flat_map(|meaning| &meaning.vector).map(|number| f32::from(*number) / 127.0);
        let vector = vector.collect();
        Some(Self { words: own, vector, filter })
    }
}

impl Memories {
    /// Tells for each memory that was stored what is there that is similar, and what it replaced.
    ///
    /// The memories are stored by now: a look-up that fails leaves them without this, and is logged.
    pub(super) async fn tell_what_is_there(
        &self,
        store: &dyn Store,
        sought: &[Option<Sought>],
        results: Vec<&mut Remembered>,
    ) {
        debug_assert_eq!(sought.len(), results.len());
        for (sought, result) in sought.iter().zip(results) {
            let replaced = match &result.outcome {
                Outcome::Stored => None,
                Outcome::SupersededOther(old) => Some(old.clone()),
                Outcome::Duplicate | Outcome::Rejected(_) => continue,
            };
            if let Some(old) = replaced {
                match store.memories(&[old]).await {
                    Ok(mut found) => result.before = found.pop().map(|old| beginning(&old.content.text)),
                    Err(error) => tracing::warn!(%error, "what a memory replaced could not be read"),
                }
            }
            if let (Some(sought), Some(own)) = (sought, result.id.clone()) {
                match similar(store, sought, &own).await {
                    Ok(similar) => result.similar = similar,
                    Err(error) => tracing::warn!(%error, "similar memories could not be looked for"),
                }
            }
        }
    }
}

/// The ids of current memories that are similar, the nearest first.
///
/// Candidates are those that share the longest words, which are the rarest as a rule, without those that
/// stand everywhere: so looking costs no more in a large store. Their texts are then compared whole.
async fn similar(store: &dyn Store, sought: &Sought, own: &MemoryId) -> Result<Vec<MemoryId>, MemoryError> {
    let mut probes: Vec<String> = sought.words.iter().cloned().collect();
    probes.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    probes.truncate(PROBES_MAX);
    let matches = store.match_rare_terms(&probes, PLACES_MAX, &sought.filter).await?;
    let probes = matches.postings.iter().filter(|list| !list.is_empty()).count();
    let mut shared: HashMap<u32, usize> = HashMap::new();
    for list in &matches.postings {
        list.iter().for_each(|posting| *shared.entry(posting.number).or_default() += 1);
    }
    let enough = |shared: usize| 2 * shared >= probes;
    let mut candidates: Vec<(usize, f32, MemoryId)> = shared
        .into_iter()
        .filter(|(_, shared)| enough(*shared))
        .map(|(number, shared)| {
            (shared, matches.index.meanings().cosine(number, &sought.vector), matches.index.entry(number).id())
        })
        .filter(|(.., id)| id != own)
        .collect();
    candidates.sort_by(|one, other| {
        let nearer = other.0.cmp(&one.0).then_with(|| other.1.total_cmp(&one.1));
        nearer.then_with(|| one.2.cmp(&other.2))
    });
    candidates.truncate(CANDIDATES_MAX);
    let ids: Vec<MemoryId> = candidates.iter().map(|(.., id)| id.clone()).collect();
    let texts = store.memories(&ids).await?;
    let mut near: Vec<(f64, MemoryId)> = Vec::new();
    for memory in texts {
        let id = memory.content.id;
        let cosine = candidates.iter().find(|one| one.2 == id).map_or(0.0, |one| one.1);
        let words = super::terms::telling(&memory.content.text);
        let common = words.intersection(&sought.words).count();
        let share = common as f64 / (words.len() + sought.words.len() - common).max(1) as f64;
        if share >= SHARED || share >= SHARED_AND_NEAR && cosine >= NEAR {
            near.push((share + f64::from(cosine), id));
        }
    }
    near.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    Ok(near.into_iter().take(NAMED_MAX).map(|(_, id)| id).collect())
}

fn beginning(text: &str) -> String {
    let line = redact(text).0.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(BEFORE_CHARACTERS) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
