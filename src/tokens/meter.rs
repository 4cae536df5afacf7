//! What the other parts of this room count with: the engine, or the counter of an older encoding.

use super::Encoding;
use super::count::{Counter, Family, Pretoken, Weights};
use super::giant::{self, Giant};
use super::pretokens;
use super::rare::{self, Rare, RareCounter};

/// Counts the tokens of texts in one encoding, with the working memory for it.
pub(super) enum Meter {
    /// The engine.
    Engine(Counter),
    /// The counter of an older encoding.
    Rare(RareCounter),
}

impl Meter {
    /// Returns a meter for texts of about `len` bytes.
    pub(super) fn new(encoding: Encoding, weights: Weights, len: usize) -> Self {
        let rare = |vocabulary| Self::Rare(RareCounter::new(vocabulary, weights));
        let engine = |family| Self::Engine(Counter::new(family, weights, len));
        match encoding {
            Encoding::Cl100kBase => engine(Family::Cl100k),
            Encoding::O200kBase | Encoding::O200kHarmony => engine(Family::O200k),
            Encoding::P50kBase | Encoding::P50kEdit => rare(Rare::P50k),
            Encoding::R50kBase => rare(Rare::R50k),
        }
    }

    /// Returns the least that a token costs.
    pub(super) fn cheapest(&self) -> usize {
        match self {
            Self::Engine(counter) => counter.cheapest(),
            Self::Rare(counter) => counter.weights().cheapest(),
        }
    }

    /// Returns what a token of the pretoken `text[start..end]` costs.
    pub(super) fn weight(&self, text: &str, start: usize, end: usize) -> usize {
        match self {
            Self::Engine(counter) => counter.weight(text, start, end),
            Self::Rare(counter) => counter.weights().of(&text.as_bytes()[start..end]),
        }
    }

    /// Returns the end of the pretoken that begins at `at`, which is before the end.
    pub(super) fn end(&self, text: &str, at: usize) -> usize {
        match self {
            Self::Engine(counter) => counter.end(text, at),
            Self::Rare(_) => rare::end(text.as_bytes(), at),
        }
    }

    /// Returns the pretoken that begins at `at`, which is before the end.
    pub(super) fn pretoken(&mut self, text: &str, at: usize) -> Pretoken {
        match self {
            Self::Engine(counter) => counter.pretoken(text, at),
            Self::Rare(counter) => {
                let end = rare::end(text.as_bytes(), at);
                let pretoken = &text.as_bytes()[at..end];
                Pretoken { end, cost: counter.tokens(pretoken) * counter.weights().of(pretoken) }
            }
        }
    }

    /// Returns where the tokens of the pretoken `text[start..end]` end, and what each costs.
    pub(super) fn token_ends(&mut self, text: &str, start: usize, end: usize) -> (Vec<usize>, usize) {
        match self {
            Self::Engine(counter) => counter.token_ends(text, start, end),
            Self::Rare(counter) => {
                (counter.token_ends(text, start, end), counter.weights().of(&text.as_bytes()[start..end]))
            }
        }
    }

    /// Returns the number of tokens of the pretoken `text[start..end]` if there is room for so many.
    pub(super) fn giant(&mut self, text: &str, start: usize, end: usize, room: usize) -> Giant {
        match self {
            Self::Engine(counter) => giant::tokens(counter, text, start, end, room),
            // Not every token of these is what its bytes are merged to, so a beginning tells nothing.
            Self::Rare(counter) => {
                let ends = counter.token_ends(text, start, end);
                if ends.len() > room { Giant::Over(ends) } else { Giant::Whole(ends.len()) }
            }
        }
    }

    /// Returns what `text` costs, or `None` when that is more than `limit`.
    pub(super) fn cost(&mut self, text: &str, limit: usize) -> Option<usize> {
        match self {
            Self::Engine(counter) => counter.cost(text, limit),
            Self::Rare(counter) => counter.cost(text, limit),
        }
    }

    /// Returns whether a text may be taken apart at `at`: the two parts cost what the whole does,
    /// whatever comes before the character before it and after the character there. `at` is inside
    /// the text, on a character boundary.
    pub(super) fn is_boundary(&self, text: &str, at: usize) -> bool {
        match self {
            Self::Engine(_) => pretokens::is_boundary(text, at),
            Self::Rare(_) => rare::is_boundary(text, at),
        }
    }
}
