//! The tokens of one pretoken, in time linear in its length.
//!
//! Takes the longest token, then the next, as long as each pair of neighbours is one that the
//! reference's merge would leave apart; where it is not, tries a shorter token, or takes the last
//! one back. A place that was taken back is never tried again, which is what makes it linear: the
//! tokens of a text that ends there would have been found the first time. The method is that of the
//! `bpe` crate; what is found is exactly what merging pairs by rank would give.

use super::layout::Rank;
use super::vocab::Vocab;

/// The working memory of a merge, reused from one pretoken to the next.
#[derive(Default)]
pub(super) struct Merge {
    tokens: Vec<Token>,
    /// A bit per byte of the pretoken: whether a token may still end there.
    open: Vec<u64>,
}

/// A token of a pretoken.
#[derive(Clone, Copy)]
pub(super) struct Token {
    rank: Rank,
    /// Whether no longer token begins at the same place.
    is_longest: bool,
}

impl Token {
    /// Returns the token's rank.
    pub(super) fn rank(self) -> Rank {
        self.rank
    }
}

impl Merge {
    /// Returns the tokens of the pretoken `text[start..end]`, which is not empty.
    pub(super) fn run(&mut self, vocab: &Vocab, text: &[u8], start: usize, end: usize) -> &[Token] {
        self.tokens.clear();
        self.open.clear();
        self.open.resize((end - start) / 64 + 1, u64::MAX);
        let mut at = start;
        let mut token = Token { rank: vocab.longest(text, at, end), is_longest: true };
        loop {
            let len = vocab.len(token.rank);
            let stop = at + len;
            let fits = self.is_open(stop - start)
                && self
                    .tokens
                    .last()
                    .is_none_or(|last| vocab.stays_apart(text, at, last.rank, token.rank, last.is_longest));
            if fits {
                self.tokens.push(token);
                at = stop;
                if at == end {
                    return &self.tokens;
                }
                token = Token { rank: vocab.longest(text, at, end), is_longest: true };
            } else if len > 1 {
                token = Token { rank: vocab.longest(text, at, stop - 1), is_longest: false };
            } else {
                self.open[(at - start) / 64] &= !(1 << ((at - start) % 64));
                token = self.tokens.pop().expect("some sequence of tokens spells the pretoken");
                at -= vocab.len(token.rank);
            }
        }
    }

    fn is_open(&self, offset: usize) -> bool {
        self.open[offset / 64] >> (offset % 64) & 1 == 1
    }
}
