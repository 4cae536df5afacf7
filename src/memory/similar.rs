//! What is there already when something is remembered: near duplicates, and what it contradicts.
//!
//! Only told, never acted on: whether "port 80" and "port 81" are two facts or one that changed is
//! for the caller to say. Where many memories arrive at once, as from an import, nothing is looked
//! for; `tidy` finds near duplicates later.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::remember::{Outcome, Remembered};
use super::{Memories, MemoryError, redact};
use crate::base::MemoryId;
use crate::store::{MemoryFilter, NewMemory, Scope, Store};

/// Of so many memories at once, similar ones are looked for.
const AT_ONCE_MAX: usize = 32;
/// How many similar ones are named.
const NAMED_MAX: usize = 3;
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
        let meaning = new.meaning.as_ref()?;
        let filter = MemoryFilter {
            scopes: vec![new.scope],
            // What another said is not a duplicate.
            actor: new.actor.clone(),
            session_id: (new.scope == Scope::Session || new.actor.is_some()).then(|| new.session_id.clone()).flatten(),
            agent: (new.scope == Scope::Agent).then(|| new.agent.clone()).flatten(),
            now: Some(new.created_at),
            ..MemoryFilter::default()
        };
        let vector = meaning.vector.iter().map(|number| f32::from(*number) / 127.0).collect();
        Some(Self { words: own, vector, filter })
    }
}

impl Memories {
    /// Tells for each memory that was stored what is there that is similar, and what it replaced.
    pub(super) async fn tell_what_is_there(
        &self,
        store: &dyn Store,
        sought: &[Option<Sought>],
        results: Vec<&mut Remembered>,
    ) -> Result<(), MemoryError> {
        debug_assert_eq!(sought.len(), results.len());
        for (sought, result) in sought.iter().zip(results) {
            let replaced = match &result.outcome {
                Outcome::Stored => None,
                Outcome::SupersededOther(old) => Some(old.clone()),
                Outcome::Duplicate | Outcome::Rejected(_) => continue,
            };
            if let Some(old) = replaced {
                result.before = store.memories(&[old]).await?.pop().map(|old| beginning(&old.content.text));
            }
            if let (Some(sought), Some(own)) = (sought, result.id.clone()) {
                result.similar = similar(store, sought, &own).await?;
            }
        }
        Ok(())
    }
}

/// The ids of current memories that are similar, the nearest first.
async fn similar(store: &dyn Store, sought: &Sought, own: &MemoryId) -> Result<Vec<MemoryId>, MemoryError> {
    let words: Vec<String> = sought.words.iter().cloned().collect();
    let matches = store.match_terms(&words, &sought.filter).await?;
    let mut shared: HashMap<u32, usize> = HashMap::new();
    for list in &matches.postings {
        let numbers: HashSet<u32> = list.iter().map(|posting| posting.number).collect();
        numbers.into_iter().for_each(|number| *shared.entry(number).or_default() += 1);
    }
    let mut near: Vec<(f64, MemoryId)> = Vec::new();
    for (number, shared) in shared {
        let entry = matches.index.entry(number);
        // Its length counts repeats, month and year as well, so the share is rather too small.
        let length = entry.length.saturating_sub(2) as usize;
        let union = (words.len() + length).saturating_sub(shared).max(words.len());
        let share = shared as f64 / union as f64;
        let cosine = matches.index.meanings().cosine(number, &sought.vector);
        if share >= SHARED || share >= SHARED_AND_NEAR && cosine >= NEAR {
            let id = entry.id();
            if id != *own {
                near.push((share + f64::from(cosine), id));
            }
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
