//! Fitted results that were made before, for the same content with the same wishes.
//!
//! Fitting is deterministic, so a result that is given again has the same bytes. Only results that
//! took work are here, those whose original is kept; whoever takes one makes sure that the original
//! still is. The cache ends with its process, so no entry is of another version of this program.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Fitted, Kind, Levels};
use crate::base::Handle;
use crate::tokens::Measure;

/// The most bytes that results take together.
const BYTES_MAX: usize = 16 << 20;
/// A result that takes more than one part in this many of the room is not worth it.
const LARGE: usize = 4;
/// What an entry costs beside its text, about.
const ENTRY_BYTES: usize = 256;

/// What a result was made of; equal keys mean equal results.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The hash of the whole content.
    pub content: String,
    /// The budget.
    pub max_tokens: Option<usize>,
    /// What the text may cost as JSON, where no budget is named.
    pub cap: Option<usize>,
    /// What tokens are measured with.
    pub measure: Measure,
    /// The kind that was asked for.
    pub kind: Option<Kind>,
    /// What the reader wants to know.
    pub query: Option<String>,
    /// The levels that may be used.
    pub levels: Levels,
}

/// A result that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The text and what became of it.
    pub fitted: Fitted,
    /// Where the original is kept.
    pub handle: Handle,
    /// Whether secrets were taken out.
    pub redacted: bool,
}

/// Keeps results until newer ones need the room; the one whose use is longest ago goes first.
#[derive(Debug)]
pub struct Cache {
    state: Mutex<State>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Arc<Key>, Entry>,
    /// By use, the one whose use is longest ago first.
    order: BTreeMap<u64, Arc<Key>>,
    uses: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    made: Arc<Made>,
    bytes: usize,
    used: u64,
}

impl Cache {
    /// Returns an empty cache for this many bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), bytes_max }
    }

    /// Returns the result of this key.
    pub fn get(&self, key: &Key) -> Option<Arc<Made>> {
        let mut state = self.state();
        let state = &mut *state;
        let entry = state.entries.get_mut(key)?;
        state.uses += 1;
        let key = state.order.remove(&entry.used)?;
        entry.used = state.uses;
        state.order.insert(entry.used, key);
        Some(Arc::clone(&entry.made))
    }

    /// Keeps a result.
    pub fn put(&self, key: Key, made: Made) {
        let bytes = size(&key, &made);
        if bytes > self.bytes_max / LARGE {
            return;
        }
        let mut state = self.state();
        state.remove(&key);
        while state.bytes + bytes > self.bytes_max
            && let Some((_, oldest)) = state.order.first_key_value()
        {
            let oldest = Arc::clone(oldest);
            state.remove(&oldest);
        }
        state.uses += 1;
        let (key, used) = (Arc::new(key), state.uses);
        state.bytes += bytes;
        state.order.insert(used, Arc::clone(&key));
        state.entries.insert(key, Entry { made: Arc::new(made), bytes, used });
    }

    /// No method leaves the state half changed, so a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl State {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

fn size(key: &Key, made: &Made) -> usize {
    let cuts = made.fitted.cuts.len() * size_of::<super::Cut>();
    ENTRY_BYTES + key.query.as_ref().map_or(0, String::len) + made.fitted.text.len() + cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Level;

    fn key(content: &str) -> Key {
        Key {
            content: content.to_owned(),
            max_tokens: Some(10),
            cap: None,
            measure: Measure::default(),
            kind: None,
            query: None,
            levels: Levels::ALL,
        }
    }

    fn made(text: &str) -> Made {
        let fitted = Fitted {
            text: text.to_owned(),
            tokens_before: 100,
            tokens_after: 10,
            kind: Kind::Prose,
            confidence: 50,
            level: Level::Summarize,
            cuts: Vec::new(),
            reversible: false,
        };
        Made { fitted, handle: "ctx:00000000".parse().expect("a handle"), redacted: false }
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let entry = ENTRY_BYTES + 100;
        let cache = Cache::new(5 * entry);
        let text = |index: usize| format!("{index:0>100}");
        let there = |index: usize| cache.get(&key(&index.to_string())).map(|made| made.fitted.text.clone());
        for index in 0..5 {
            cache.put(key(&index.to_string()), made(&text(index)));
        }
        assert_eq!(there(0), Some(text(0)), "and is used now");
        cache.put(key("5"), made(&text(5)));
        assert_eq!((there(1), there(0)), (None, Some(text(0))));
        assert_eq!(cache.state().bytes, 5 * entry);
        cache.put(key("5"), made("shorter"));
        assert_eq!((there(5).as_deref(), cache.state().bytes), (Some("shorter"), 5 * entry - 93));
        cache.put(key("6"), made(&"x".repeat(2 * entry)));
        assert_eq!((there(6), cache.state().entries.len()), (None, 5), "too large to be worth it");
        assert_eq!(cache.state().order.len(), 5);
    }

    #[test]
    fn another_wish_is_another_result() {
        let cache = Cache::default();
        cache.put(key("a"), made("a"));
        let others = [
            key("b"),
            Key { max_tokens: None, ..key("a") },
            Key { cap: Some(10), ..key("a") },
            Key { measure: Measure::exact(crate::tokens::Encoding::Cl100kBase), ..key("a") },
            Key { kind: Some(Kind::Log), ..key("a") },
            Key { query: Some("why".to_owned()), ..key("a") },
            Key { levels: Levels::TRUNCATE, ..key("a") },
        ];
        assert!(cache.get(&key("a")).is_some() && others.iter().all(|other| cache.get(other).is_none()));
    }
}
