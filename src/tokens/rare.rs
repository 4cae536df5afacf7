//! The older encodings: `r50k_base`, `p50k_base` and `p50k_edit`.
//!
//! Their ranks come from `tiktoken-rs` when one of them is first used, and cost nothing before. Only
//! the ranks: its split panics on long white space, and its merge is quadratic, so texts are split
//! and merged here. A merge takes the pair of lowest rank from a heap, as the reference does in other
//! words, so it is exact for any vocabulary, and a pretoken of a megabyte takes about a second.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::OnceLock;

use super::count::Weights;
use super::layout::class::{BLANK, NEWLINE, NUMBER};
use super::pretokens::{LETTER, SIGN, SPACE, class, run};

/// A token's rank.
type Rank = u32;

/// The rank of what is no token.
const NONE: Rank = Rank::MAX;

/// The only rank below the highest that is a special token's.
const SPECIAL: Rank = 50_256;

/// The most bytes of a pretoken whose count is remembered.
const REMEMBERED_MAX: usize = 64;

/// The most pretokens that are remembered.
const MEMORY_MAX: usize = 1 << 13;

/// The vocabularies of the older encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rare {
    /// Of GPT-2 and GPT-3.
    R50k,
    /// The same and runs of spaces; `p50k_edit` differs in special tokens only.
    P50k,
}

impl Rare {
    /// The ranks, read at the first call.
    fn ranks(self) -> &'static HashMap<Box<[u8]>, Rank> {
        static R50K: OnceLock<HashMap<Box<[u8]>, Rank>> = OnceLock::new();
        static P50K: OnceLock<HashMap<Box<[u8]>, Rank>> = OnceLock::new();
        let (ranks, count) = match self {
            Self::R50k => (&R50K, 50_256),
            Self::P50k => (&P50K, 50_281),
        };
        ranks.get_or_init(|| {
            let engine = match self {
                Self::R50k => tiktoken_rs::r50k_base(),
                Self::P50k => tiktoken_rs::p50k_base(),
            };
            let engine = engine.expect("tiktoken-rs carries the ranks");
            let bytes = |rank| engine.decode_bytes(&[rank]).expect("ranks have no gaps").into_boxed_slice();
            (0..count).filter(|rank| *rank != SPECIAL).map(|rank| (bytes(rank), rank)).collect()
        })
    }
}

/// Counts the tokens of texts in one of the older encodings.
pub(super) struct RareCounter {
    ranks: &'static HashMap<Box<[u8]>, Rank>,
    weights: Weights,
    merge: Merge,
    /// The number of tokens of pretokens that had to be merged.
    memory: HashMap<Box<[u8]>, usize>,
}

impl RareCounter {
    /// Returns a counter; the first one of a vocabulary reads it.
    pub(super) fn new(vocabulary: Rare, weights: Weights) -> Self {
        Self { ranks: vocabulary.ranks(), weights, merge: Merge::default(), memory: HashMap::new() }
    }

    /// Returns what tokens cost.
    pub(super) fn weights(&self) -> Weights {
        self.weights
    }

    /// Returns the number of tokens of a pretoken.
    pub(super) fn tokens(&mut self, pretoken: &[u8]) -> usize {
        if self.ranks.contains_key(pretoken) {
            return 1;
        }
        if pretoken.len() > REMEMBERED_MAX {
            return self.merge.run(self.ranks, pretoken).count();
        }
        if let Some(tokens) = self.memory.get(pretoken) {
            return *tokens;
        }
        let tokens = self.merge.run(self.ranks, pretoken).count();
        if self.memory.len() >= MEMORY_MAX {
            self.memory.clear();
        }
        self.memory.insert(pretoken.into(), tokens);
        tokens
    }

    /// Returns where the tokens of the pretoken `text[start..end]` end.
    pub(super) fn token_ends(&mut self, text: &str, start: usize, end: usize) -> Vec<usize> {
        let pretoken = &text.as_bytes()[start..end];
        if self.ranks.contains_key(pretoken) {
            return vec![end];
        }
        self.merge.run(self.ranks, pretoken).map(|at| start + at).collect()
    }

    /// Returns what `text` costs, or `None` when that is more than `limit`.
    pub(super) fn cost(&mut self, text: &str, limit: usize) -> Option<usize> {
        let (mut at, mut total) = (0, 0);
        while at < text.len() {
            let end = end(text.as_bytes(), at);
            let pretoken = &text.as_bytes()[at..end];
            total += self.tokens(pretoken) * self.weights.of(pretoken);
            if total > limit {
                return None;
            }
            at = end;
        }
        Some(total)
    }
}

/// Returns the end of the pretoken that begins at `at`, which is not the end of the text.
///
/// The split of GPT-2: contractions in small letters; runs of letters, of numbers and of signs, each
/// perhaps after one space; white space without its last character if something follows.
pub(super) fn end(text: &[u8], at: usize) -> usize {
    match &text[at..] {
        [b'\'', b's' | b'd' | b'm' | b't', ..] => return at + 2,
        [b'\'', b'l', b'l', ..] | [b'\'', b'v' | b'r', b'e', ..] => return at + 3,
        _ => {}
    }
    let start = at + usize::from(text[at] == b' ');
    let (first, len) = class(text, start);
    for kind in [LETTER, NUMBER, SIGN] {
        if first & kind != 0 {
            return run(text, start + len, kind);
        }
    }
    let (mut end, mut last) = (at, at);
    loop {
        let (found, len) = class(text, end);
        if found & SPACE == 0 {
            return if found != 0 && last > at { last } else { end };
        }
        last = end;
        end += len;
    }
}

/// Returns whether a text may be taken apart at `at`, as `pretokens::is_boundary` does.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    let Some(last) = text[..at].chars().next_back() else { return true };
    let text = text.as_bytes();
    let (before, _) = class(text, at - last.len_utf8());
    let (after, _) = class(text, at);
    match (before, after) {
        (BLANK | NEWLINE, _) => false,
        (_, BLANK | NEWLINE) => true,
        _ if before & LETTER != 0 => after & LETTER == 0,
        (NUMBER, _) => after != NUMBER,
        // What follows an apostrophe may belong to it.
        _ => after & SIGN == 0 && last != '\'',
    }
}

/// The working memory of a merge.
#[derive(Default)]
struct Merge {
    parts: Vec<Part>,
    /// Pairs by rank, then by place; one whose rank is not the left part's any more is void.
    pairs: BinaryHeap<Reverse<(Rank, u32)>>,
}

/// A part of a pretoken, at the index that it begins at.
#[derive(Clone, Copy)]
struct Part {
    /// Where the part before it begins.
    previous: u32,
    /// Where it ends.
    end: u32,
    /// The rank of it and the next part together; [`NONE`] if they are no token or it is gone.
    pair: Rank,
}

impl Merge {
    /// Merges a pretoken and returns where its tokens end.
    fn run(&mut self, ranks: &HashMap<Box<[u8]>, Rank>, pretoken: &[u8]) -> impl Iterator<Item = usize> {
        let len = u32::try_from(pretoken.len()).expect("a pretoken is shorter than four gigabytes");
        let rank = |start: u32, end: u32| ranks.get(&pretoken[start as usize..end as usize]).copied().unwrap_or(NONE);
        self.parts.clear();
        self.pairs.clear();
        self.parts.extend((0..len).map(|at| Part { previous: at.saturating_sub(1), end: at + 1, pair: NONE }));
        for at in 0..len.saturating_sub(1) {
            self.pair(at, rank(at, at + 2));
        }
        while let Some(Reverse((lowest, at))) = self.pairs.pop() {
            let part = self.parts[at as usize];
            if part.pair != lowest {
                continue;
            }
            let gone = part.end;
            let end = self.parts[gone as usize].end;
            self.parts[gone as usize].pair = NONE;
            self.parts[at as usize].end = end;
            if end < len {
                self.parts[end as usize].previous = at;
                self.pair(at, rank(at, self.parts[end as usize].end));
            } else {
                self.parts[at as usize].pair = NONE;
            }
            if at > 0 {
                self.pair(part.previous, rank(part.previous, end));
            }
        }
        let mut at = 0;
        std::iter::from_fn(move || {
            at = self.parts.get(at as usize)?.end;
            Some(at as usize)
        })
    }

    /// Sets the rank of the part at `at` and the next one together.
    fn pair(&mut self, at: u32, rank: Rank) {
        self.parts[at as usize].pair = rank;
        if rank != NONE {
            self.pairs.push(Reverse((rank, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::TOKEN_MAX;
    use super::*;

    #[test]
    fn a_text_may_be_taken_apart_at_a_sure_boundary() {
        const PARTS: [&str; 20] = [
            "a", "B", "ʰ", "中", "\u{301}", "1", "٣", "'", "'s", "'ll", "re", "/", "!", "👍", " ", "  ", "\t", "\n",
            "\r\n", "\u{a0}",
        ];
        let pieces = |text: &str| {
            let (mut at, mut pieces) = (0, Vec::new());
            while at < text.len() {
                let end = end(text.as_bytes(), at);
                pieces.push(text[at..end].to_owned());
                at = end;
            }
            pieces
        };
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            PARTS[(state >> 16) as usize % PARTS.len()]
        };
        let mut sure = 0;
        for _ in 0..10_000 {
            let text: String = (0..8).map(|_| next()).collect();
            for (at, _) in text.char_indices().filter(|(at, _)| is_boundary(&text, *at)) {
                let (left, right) = text.split_at(at);
                assert_eq!([pieces(left), pieces(right)].concat(), pieces(&text), "{at} of {text:?}");
                sure += 1;
            }
        }
        assert!(sure > 20_000, "{sure}");
    }

    #[test]
    fn no_token_is_longer_than_the_bound_of_the_cuts() {
        for vocabulary in [Rare::R50k, Rare::P50k] {
            assert!(vocabulary.ranks().keys().all(|token| (1..=TOKEN_MAX).contains(&token.len())));
        }
        assert_eq!(Rare::P50k.ranks().len(), 50_280);
        assert!(Rare::R50k.ranks().iter().all(|(token, rank)| Rare::P50k.ranks()[token] == *rank));
    }
}
