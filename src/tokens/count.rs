//! Counting: pretokens, one probe each, and a merge for those that are not tokens themselves.

use std::sync::Mutex;

use super::cache::Cache;
use super::layout::{self, SHORT_MAX};
use super::merge::Merge;
use super::pretokens;
use super::vocab::{self, Vocab};
use super::window::{self, WINDOW};

/// The most pretokens that are looked up at once.
const BATCH: usize = 256;

/// The fewest bytes of a pretoken that is divided where it can be.
const PART_MIN: usize = 7;

/// What tokens cost, by the pretoken they are in.
///
/// Exact counts have weight one. An estimate weighs in hundredths of a token; because the weight
/// belongs to the pretoken and not to the text as a whole, the parts of a text cost what the text
/// does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Weights {
    /// For a token of a pretoken of ASCII characters.
    pub(super) ascii: u32,
    /// For a token of any other pretoken.
    pub(super) other: u32,
}

impl Weights {
    /// Every token counts as one.
    pub(super) const ONE: Self = Self { ascii: 1, other: 1 };

    /// Returns the least that a token costs.
    pub(super) fn cheapest(self) -> usize {
        self.ascii.min(self.other) as usize
    }

    /// Returns what a token of this pretoken costs.
    #[inline]
    pub(super) fn of(self, pretoken: &[u8]) -> usize {
        if self.ascii == self.other || pretoken.is_ascii() { self.ascii as usize } else { self.other as usize }
    }
}

/// Encodings that count ordinary text alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// `cl100k_base`.
    Cl100k,
    /// `o200k_base` and `o200k_harmony`.
    O200k,
}

/// Counts the tokens of texts in one encoding, with the working memory for it.
pub(super) struct Counter {
    family: Family,
    vocab: &'static Vocab,
    weights: Weights,
    work: Work,
}

/// The working memory of a counter. What it remembers is true of every text in its encoding.
#[derive(Default)]
struct Work {
    merge: Merge,
    cache: Cache,
}

/// Working memory that no counter uses at the moment, by encoding, so that what was learnt from one
/// text serves the next. As many counters at once as [`IDLE_MAX`] find some.
static IDLE: [Mutex<Vec<Work>>; 2] = [const { Mutex::new(Vec::new()) }; 2];

/// The most working memories that are kept for an encoding.
const IDLE_MAX: usize = 2;

/// One pretoken: where it ends, and what it costs.
pub(super) struct Pretoken {
    pub(super) end: usize,
    pub(super) cost: usize,
}

impl Counter {
    /// Returns a counter for texts of about `len` bytes.
    pub(super) fn new(family: Family, weights: Weights, len: usize) -> Self {
        let vocab = match family {
            Family::Cl100k => &vocab::CL100K,
            Family::O200k => &vocab::O200K,
        };
        // Another thread at the lock is no reason to wait: new memory will do.
        let idle = Self::idle(family).try_lock().ok().and_then(|mut idle| idle.pop());
        let mut work = idle.unwrap_or_default();
        work.merge.suit(len);
        work.cache.suit(len);
        Self { family, vocab, weights, work }
    }

    fn idle(family: Family) -> &'static Mutex<Vec<Work>> {
        &IDLE[usize::from(family == Family::Cl100k)]
    }

    /// Returns the least that a token costs.
    pub(super) fn cheapest(&self) -> usize {
        self.weights.cheapest()
    }

    /// Makes the working memory large enough for the merge of a pretoken of any length.
    pub(super) fn suit_giant(&mut self) {
        self.work.merge.suit(usize::MAX);
    }

    /// Returns what a token of the pretoken `text[start..end]` costs.
    pub(super) fn weight(&self, text: &str, start: usize, end: usize) -> usize {
        self.weights.of(&text.as_bytes()[start..end])
    }

    /// Returns where the longest token ends that begins at `at` and ends by `end`.
    pub(super) fn longest(&self, text: &str, at: usize, end: usize) -> usize {
        at + self.vocab.longest(&mut self.vocab.candidates(text.as_bytes(), at, end)).len()
    }

    /// Returns the end of the pretoken that begins at `at`, which is before the end.
    pub(super) fn end(&self, text: &str, at: usize) -> usize {
        match self.family {
            Family::Cl100k => pretokens::cl100k(text.as_bytes(), at),
            Family::O200k => pretokens::o200k(text.as_bytes(), at),
        }
    }

    /// Returns the pretoken that begins at `at`, which is before the end.
    pub(super) fn pretoken(&mut self, text: &str, at: usize) -> Pretoken {
        let text = text.as_bytes();
        let end = match self.family {
            Family::Cl100k => pretokens::cl100k(text, at),
            Family::O200k => pretokens::o200k(text, at),
        };
        Pretoken { end, cost: self.cost_of_batch(text, at, &[end]) }
    }

    /// The number of tokens of the pretoken `text[start..end]`, which, if it is short, is none itself.
    #[inline]
    fn tokens(&mut self, text: &[u8], start: usize, end: usize) -> usize {
        let len = end - start;
        if len > SHORT_MAX {
            return self.tokens_of_long(text, start, end);
        }
        if len == 3 {
            // One merge at most: of all three bytes there is no token.
            let pair = |at| self.vocab.is_two(u32::from_le_bytes([text[at], text[at + 1], 0, 0]));
            return if pair(start) || pair(start + 1) { 2 } else { 3 };
        }
        let key = layout::key(vocab::load(text, start), len);
        let hash = layout::hash_key(key);
        if let Some(tokens) = self.work.cache.short(key, hash) {
            return tokens;
        }
        let tokens = self.work.merge.run(self.vocab, text, start, end).len();
        self.work.cache.put_short(key, hash, tokens);
        tokens
    }

    fn tokens_of_long(&mut self, text: &[u8], start: usize, end: usize) -> usize {
        let place = self.work.cache.place(text, start, end - start);
        if let Some(place) = &place
            && let Some(tokens) = self.work.cache.long(place)
        {
            return tokens;
        }
        let tokens = match self.vocab.find(text, start, end - start) {
            Some(_) => 1,
            None => self.work.merge.run(self.vocab, text, start, end).len(),
        };
        if let Some(place) = &place {
            self.work.cache.put_long(place, tokens);
        }
        tokens
    }

    /// Returns where the tokens of the pretoken `text[start..end]` end, and what each costs.
    pub(super) fn token_ends(&mut self, text: &str, start: usize, end: usize) -> (Vec<usize>, usize) {
        let text = text.as_bytes();
        let weight = self.weights.of(&text[start..end]);
        if self.vocab.find(text, start, end - start).is_some() {
            return (vec![end], weight);
        }
        let mut at = start;
        let tokens = self.work.merge.run(self.vocab, text, start, end);
        let ends = tokens.iter().map(|token| {
            at += token.len();
            at
        });
        (ends.collect(), weight)
    }

    /// Returns what `text` costs, or `None` when that is more than `limit`.
    pub(super) fn cost(&mut self, text: &str, limit: usize) -> Option<usize> {
        // The loop is compiled for each split, so that the split is part of it.
        match self.family {
            Family::Cl100k => self.cost_with(pretokens::cl100k, window::cl100k, text, limit),
            Family::O200k => self.cost_with(pretokens::o200k, window::o200k, text, limit),
        }
    }

    #[inline]
    fn cost_with(
        &mut self,
        split: impl Fn(&[u8], usize) -> usize,
        starts: impl Fn(&[u8; WINDOW]) -> u64,
        text: &str,
        limit: usize,
    ) -> Option<usize> {
        let text = text.as_bytes();
        let mut ends = [0; BATCH];
        let (mut at, mut total) = (0, 0);
        // Where the pretoken ends that is being divided.
        let mut whole = 0;
        // The first batches are small, so that little is done when little fits.
        let mut most = WINDOW;
        while at < text.len() {
            let (mut count, mut end) = (0, at);
            while count + WINDOW <= most && end < text.len() {
                if end >= whole
                    && let Some(window) = text[end..].first_chunk()
                    && window[0] < 0x80
                {
                    // The first pretoken begins here; each further start is an end, too.
                    let mut starts = starts(window) & !1;
                    if starts != 0 {
                        let start = end;
                        while starts != 0 {
                            end = start + starts.trailing_zeros() as usize;
                            ends[count] = end;
                            count += 1;
                            starts &= starts - 1;
                        }
                        continue;
                    }
                }
                if end >= whole {
                    whole = split(text, end);
                }
                end = if whole - end < PART_MIN { whole } else { self.vocab.part_end(text, end, whole) };
                ends[count] = end;
                count += 1;
            }
            total += self.cost_of_batch(text, at, &ends[..count]);
            if total > limit {
                return None;
            }
            at = end;
            most = BATCH;
        }
        Some(total)
    }

    /// What the pretokens cost that follow each other from `start` on and end at `ends`.
    ///
    /// The vocabulary is asked for all of them without a branch in between, so that the processor
    /// waits for many answers at once; those that are no tokens are merged afterwards.
    #[inline]
    fn cost_of_batch(&mut self, text: &[u8], start: usize, ends: &[usize]) -> usize {
        let mut others = [0; BATCH];
        let mut count = 0;
        let mut at = start;
        for (index, &end) in ends.iter().enumerate() {
            let key = layout::key(vocab::load(text, at), end - at);
            let found = self.vocab.find_key(key, layout::hash_key(key)).is_some();
            others[count % BATCH] = index;
            count += usize::from(!found);
            at = end;
        }
        let start_of = |index: usize| if index == 0 { start } else { ends[index - 1] };
        let mut cost = 0;
        for &index in &others[..count] {
            let (start, end) = (start_of(index), ends[index]);
            cost += self.tokens(text, start, end) * self.weights.of(&text[start..end]);
        }
        if self.weights.ascii == self.weights.other {
            return cost + (ends.len() - count) * self.weights.ascii as usize;
        }
        let mut others = others[..count].iter().peekable();
        for index in 0..ends.len() {
            if others.next_if_eq(&&index).is_none() {
                cost += self.weights.of(&text[start_of(index)..ends[index]]);
            }
        }
        cost
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Ok(mut idle) = Self::idle(self.family).try_lock()
            && idle.len() < IDLE_MAX
        {
            self.work.merge.shrink();
            idle.push(std::mem::take(&mut self.work));
        }
    }
}
