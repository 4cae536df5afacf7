//! Counting: pretokens, one probe each, and a merge for those that are not tokens themselves.

use super::merge::Merge;
use super::vocab::{self, Vocab};
use super::{Encoding, pretokens};

/// Counts the tokens of texts in one encoding, with the working memory for it.
pub(super) struct Counter {
    vocab: &'static Vocab,
    pretoken: fn(&[u8], usize) -> usize,
    merge: Merge,
}

impl Counter {
    /// Returns a counter for an encoding.
    pub(super) fn new(encoding: Encoding) -> Self {
        let (vocab, pretoken): (_, fn(&[u8], usize) -> usize) = match encoding {
            Encoding::Cl100kBase => (&vocab::CL100K, pretokens::cl100k),
            Encoding::O200kBase | Encoding::O200kHarmony => (&vocab::O200K, pretokens::o200k),
        };
        Self { vocab, pretoken, merge: Merge::default() }
    }

    /// Returns the end of the pretoken that begins at `at`, and how many tokens it has.
    #[inline]
    pub(super) fn next(&mut self, text: &str, at: usize) -> (usize, usize) {
        let text = text.as_bytes();
        let end = (self.pretoken)(text, at);
        if self.vocab.find(text, at, end - at).is_some() {
            return (end, 1);
        }
        (end, self.merge.run(self.vocab, text, at, end).len())
    }

    /// Returns the number of tokens in `text`, or `None` when there are more than `limit`.
    pub(super) fn count(&mut self, text: &str, limit: usize) -> Option<usize> {
        let (mut at, mut total) = (0, 0);
        while at < text.len() {
            let (end, tokens) = self.next(text, at);
            at = end;
            total += tokens;
            if total > limit {
                return None;
            }
        }
        Some(total)
    }
}
