//! Counting: pretokens, one probe each, and a merge for those that are not tokens themselves.

use super::merge::Merge;
use super::vocab::{self, Vocab};
use super::{Encoding, pretokens};

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

    #[inline]
    fn of(self, pretoken: &[u8]) -> usize {
        if self.ascii == self.other || pretoken.is_ascii() { self.ascii as usize } else { self.other as usize }
    }
}

/// Counts the tokens of texts in one encoding, with the working memory for it.
pub(super) struct Counter {
    vocab: &'static Vocab,
    pretoken: fn(&[u8], usize) -> usize,
    weights: Weights,
    merge: Merge,
}

/// One pretoken: where it ends, and what it costs.
pub(super) struct Pretoken {
    pub(super) end: usize,
    pub(super) cost: usize,
}

impl Counter {
    /// Returns a counter for an encoding.
    pub(super) fn new(encoding: Encoding, weights: Weights) -> Self {
        let (vocab, pretoken): (_, fn(&[u8], usize) -> usize) = match encoding {
            Encoding::Cl100kBase => (&vocab::CL100K, pretokens::cl100k),
            Encoding::O200kBase | Encoding::O200kHarmony => (&vocab::O200K, pretokens::o200k),
        };
        Self { vocab, pretoken, weights, merge: Merge::default() }
    }

    /// Returns the least that a token costs.
    pub(super) fn cheapest(&self) -> usize {
        self.weights.ascii.min(self.weights.other) as usize
    }

    /// Returns the pretoken that begins at `at`, which is before the end.
    #[inline]
    pub(super) fn pretoken(&mut self, text: &str, at: usize) -> Pretoken {
        let text = text.as_bytes();
        let end = (self.pretoken)(text, at);
        let tokens = match self.vocab.find(text, at, end - at) {
            Some(_) => 1,
            None => self.merge.run(self.vocab, text, at, end).len(),
        };
        Pretoken { end, cost: tokens * self.weights.of(&text[at..end]) }
    }

    /// Returns where the tokens of the pretoken `text[start..end]` end, and what each costs.
    pub(super) fn token_ends(&mut self, text: &str, start: usize, end: usize) -> (Vec<usize>, usize) {
        let text = text.as_bytes();
        let weight = self.weights.of(&text[start..end]);
        if self.vocab.find(text, start, end - start).is_some() {
            return (vec![end], weight);
        }
        let mut at = start;
        let tokens = self.merge.run(self.vocab, text, start, end);
        let ends = tokens.iter().map(|token| {
            at += self.vocab.len(*token);
            at
        });
        (ends.collect(), weight)
    }

    /// Returns what `text` costs, or `None` when that is more than `limit`.
    pub(super) fn cost(&mut self, text: &str, limit: usize) -> Option<usize> {
        let (mut at, mut total) = (0, 0);
        while at < text.len() {
            let pretoken = self.pretoken(text, at);
            at = pretoken.end;
            total += pretoken.cost;
            if total > limit {
                return None;
            }
        }
        Some(total)
    }
}
