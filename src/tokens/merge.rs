//! The tokens of one pretoken, in time linear in its length.
//!
//! Takes the longest token, then the next, as long as each pair of neighbours is one that the
//! reference's merge would leave apart; where it is not, tries a shorter token, or takes the last
//! one back. A place that was taken back is never tried again, which is what makes it linear: the
//! tokens of a text that ends there would have been found the first time. The method is that of the
//! `bpe` crate; what is found is exactly what merging pairs by rank would give.

use super::layout::{Rank, TOKEN_MAX};
use super::vocab::{Token, Vocab};

/// The most pairs of tokens that are remembered, at eight bytes each.
const PAIRS_MAX: usize = 1 << 14;

/// The fewest: rows of blanks need many, however short the text is.
const PAIRS_MIN: usize = 1 << 10;

/// Bytes of text for which a remembered pair is worth its initialisation.
const BYTES_PER_PAIR: usize = 64;

/// The bytes by which a text must go on repeating itself for its tokens to be repeated unseen; more
/// than any token has, so that no token reaches behind the repetition.
const REPEAT_MIN: usize = 4 * TOKEN_MAX;

/// Tokens for which room is kept from one text to the next.
const KEPT_MAX: usize = 1 << 10;

/// The working memory of a merge, reused from one pretoken to the next.
#[derive(Default)]
pub(super) struct Merge {
    tokens: Vec<Token>,
    /// Pairs of tokens that were asked about, each in a place of its own, and the answer below.
    pairs: Vec<u64>,
    /// A bit per byte of the pretoken: whether a token may still end there.
    open: Vec<u64>,
    /// How often a token was tried, for the test that this grows with the text and not faster.
    #[cfg(test)]
    tried: usize,
}

impl Merge {
    /// Makes the working memory large enough for texts of about `len` bytes.
    pub(super) fn suit(&mut self, len: usize) {
        let pairs = (len / BYTES_PER_PAIR).checked_ilog2().map_or(1, |log| 1 << log).clamp(PAIRS_MIN, PAIRS_MAX);
        if self.pairs.len() < pairs {
            self.pairs = vec![0; pairs];
        }
    }

    /// Gives back the memory that only a giant pretoken needed.
    pub(super) fn shrink(&mut self) {
        self.tokens.clear();
        self.tokens.shrink_to(KEPT_MAX);
        self.open.clear();
        self.open.shrink_to(KEPT_MAX);
    }

    /// Returns the tokens of the pretoken `text[start..end]`, which is not empty.
    pub(super) fn run(&mut self, vocab: &Vocab, text: &[u8], start: usize, end: usize) -> &[Token] {
        self.tokens.clear();
        self.open.clear();
        self.open.resize((end - start) / 64 + 1, u64::MAX);
        let mut at = start;
        let mut candidates = vocab.candidates(text, at, end);
        let mut token = vocab.longest(&mut candidates);
        // The longest token at this place while it and all that were tried after it are ones that the
        // token before does not stay apart from.
        let mut barred = Some(token.rank());
        loop {
            #[cfg(test)]
            {
                self.tried += 1;
            }
            let stop = at + token.len();
            let pair = match self.tokens.last() {
                Some(&last) => self.pair(vocab, text, at, last, token),
                None => Pair::Apart,
            };
            if pair == Pair::Apart {
                if self.is_open(stop - start) {
                    self.tokens.push(token);
                    at = stop;
                    if at == end {
                        return &self.tokens;
                    }
                    at = self.repeat(text, at, end);
                    candidates = vocab.candidates(text, at, end);
                    token = vocab.longest(&mut candidates);
                    barred = Some(token.rank());
                    continue;
                }
                barred = None;
            }
            if token.len() > 1 && pair != Pair::Dead {
                token = vocab.longest(&mut candidates);
                continue;
            }
            if let (Some(longest), Some(last)) = (barred, self.tokens.last()) {
                self.remember(last.rank(), longest, Pair::Dead);
            }
            // The token that was taken back was tried already: a shorter one is next, or after a
            // repetition the longest one.
            barred = None;
            let last = loop {
                self.open[(at - start) / 64] &= !(1 << ((at - start) % 64));
                let last = self.tokens.pop().expect("some sequence of tokens spells the pretoken");
                at -= last.len();
                if last.is_repeat() || last.len() > 1 {
                    break last;
                }
            };
            candidates = if last.is_repeat() { vocab.candidates(text, at, end) } else { vocab.shorter(text, at, last) };
            token = vocab.longest(&mut candidates);
        }
    }

    /// Where the text goes on from `at` with many repetitions of the last token, which was there twice,
    /// takes as many of them as leave the tokens behind them alone. Returns the place behind them.
    ///
    /// Two of them stay apart, so a row of them does, too. Should what follows not go with them after
    /// all, they are taken back one by one as any others.
    #[inline]
    fn repeat(&mut self, text: &[u8], at: usize, end: usize) -> usize {
        let [.., first, second] = self.tokens[..] else { return at };
        if end - at < 2 * REPEAT_MIN || first.rank() != second.rank() {
            return at;
        }
        let same = |at: usize, len: usize| text[at..at + len] == text[at - second.len()..][..len];
        let mut to = at;
        while end - to >= REPEAT_MIN && same(to, REPEAT_MIN) {
            to += REPEAT_MIN;
        }
        let count = (to - at).saturating_sub(REPEAT_MIN) / second.len();
        self.tokens.extend(std::iter::repeat_n(second.repeated(), count));
        at + count * second.len()
    }

    /// What becomes of two tokens that meet at `split`; asks the vocabulary what it does not remember.
    #[inline]
    fn pair(&mut self, vocab: &Vocab, text: &[u8], split: usize, left: Token, right: Token) -> Pair {
        let known = self.pairs[self.place(left.rank(), right.rank())] ^ key(left.rank(), right.rank());
        match known {
            1 => Pair::Apart,
            2 => Pair::Joined,
            3 if right.is_longest() => Pair::Dead,
            3 => Pair::Joined,
            _ => {
                let apart = vocab.stays_apart(text, split, left.rank(), right.rank(), left.is_longest());
                let pair = if apart { Pair::Apart } else { Pair::Joined };
                self.remember(left.rank(), right.rank(), pair);
                pair
            }
        }
    }

    fn remember(&mut self, left: Rank, right: Rank, pair: Pair) {
        let place = self.place(left, right);
        self.pairs[place] = key(left, right) | pair as u64;
    }

    fn place(&self, left: Rank, right: Rank) -> usize {
        (key(left, right).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (self.pairs.len() - 1)
    }

    fn is_open(&self, offset: usize) -> bool {
        self.open[offset / 64] >> (offset % 64) & 1 == 1
    }
}

/// What becomes of two tokens that follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pair {
    /// They stay two.
    Apart = 1,
    /// Merging would cut them otherwise.
    Joined = 2,
    /// That, and the same goes for every shorter token with which the right one begins: should the right
    /// one be the longest at its place, the left one is wrong.
    Dead = 3,
}

/// A pair of tokens, with room for what is known of it in the lowest two bits.
#[inline]
fn key(left: Rank, right: Rank) -> u64 {
    (u64::from(left) << 18 | u64::from(right)) << 2
}

#[cfg(test)]
mod tests {
    use super::super::vocab::{CL100K, O200K};
    use super::*;

    /// Asserts that a pretoken four times as long takes about four times the work.
    #[track_caller]
    fn check(name: &str, text: &str) {
        for vocab in [&CL100K, &O200K] {
            let tried = |text: &str| {
                let mut merge = Merge::default();
                merge.suit(text.len());
                merge.run(vocab, text.as_bytes(), 0, text.len());
                merge.tried
            };
            let (once, more) = (tried(text), tried(&text.repeat(4)));
            assert!(once <= 20 * text.len(), "{name}: {once} tries for {} bytes", text.len());
            assert!(more <= 5 * once + 1000, "{name}: {once} tries, then {more}");
        }
    }

    #[test]
    fn work_grows_with_the_length_of_the_pretoken() {
        let mut state = 1_u32;
        let letters: String = (0..1 << 14)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (state >> 24) as u8 % 26)
            })
            .collect();
        check("random letters", &letters);
        let rows = letters.bytes().map(|byte| " ".repeat(20 + usize::from(byte - b'a') * 7) + "\t");
        check("rows of blanks and tabs", &rows.take(1 << 7).collect::<String>());
        check("equal rows of blanks and tabs", &(" ".repeat(82) + "\t").repeat(1 << 7));
        for part in [" ", "a", "ab", "/", "=-", "\0", "\u{301}", "\u{4e2d}\u{6587}", "👨‍👩‍👧‍👦"] {
            check(part, &part.repeat((1 << 14) / part.len()));
        }
    }
}
