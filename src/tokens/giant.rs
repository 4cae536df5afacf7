//! Whether a pretoken fits, when it is far longer than what fits: answered from its beginning.
//!
//! A sequence of tokens is what a text is merged to exactly if each two neighbours stay apart when
//! they are merged on their own. Two things follow, and everything here rests on them. Whatever
//! begins the tokens of a text is what the text up to there is merged to. And two sequences that
//! share a token can be joined at it.

use super::count::Counter;
use super::layout::TOKEN_MAX;

/// The length in bytes from which a pretoken is worth the trouble.
pub(super) const GIANT: usize = 512;

/// Tokens that are merged again when more of the text is read; mostly the first of them stays.
const OVERLAP: usize = 4;

/// The bytes that are read more when what was read did not suffice.
const MORE: usize = 64;

/// The answer for a pretoken.
pub(super) enum Giant {
    /// It has this many tokens.
    Whole(usize),
    /// It has more tokens than there is room for. A beginning of it has tokens that end here; there
    /// are more of them than there is room for, too.
    Over(Vec<usize>),
}

/// Returns the number of tokens of the pretoken `text[start..end]` if there is room for so many.
///
/// The work is that of merging as much as there is room for.
pub(super) fn tokens(counter: &mut Counter, text: &str, start: usize, end: usize, room: usize) -> Giant {
    counter.suit_giant();
    let mut beginning = Beginning { text, start, end, ends: Vec::new() };
    let mut to = start.saturating_add(room.saturating_mul(2)).saturating_add(MORE).min(end);
    loop {
        beginning.read(counter, to);
        let known = beginning.ends.len();
        if to == end {
            return if known > room { Giant::Over(beginning.ends) } else { Giant::Whole(known) };
        }
        if known > room && beginning.least(counter) > room {
            return Giant::Over(beginning.ends);
        }
        // As much more as the rest of the room needs if it is filled as the first part was.
        let rest = room.saturating_sub(known).saturating_mul(to - start) / known;
        to = to.saturating_add(rest).saturating_add(MORE).min(end);
    }
}

/// The beginning of a pretoken that has been merged.
struct Beginning<'a> {
    text: &'a str,
    start: usize,
    end: usize,
    /// Where its tokens end.
    ends: Vec<usize>,
}

impl Beginning<'_> {
    /// Merges the text up to `to`, which is not before the end of what is merged already.
    fn read(&mut self, counter: &mut Counter, to: usize) {
        let (kept, more) = self.merged(counter, to);
        self.ends.truncate(kept);
        self.ends.extend(more);
    }

    /// The tokens up to `to`: how many of the known ones stay, and where the others end.
    fn merged(&self, counter: &mut Counter, to: usize) -> (usize, Vec<usize>) {
        let mut overlap = OVERLAP;
        loop {
            let kept = self.ends.len().saturating_sub(overlap);
            let from = if kept == 0 { self.start } else { self.ends[kept - 1] };
            let (more, _) = counter.token_ends(self.text, from, to);
            // With a token in common, the two sequences are one.
            if kept == 0 || more[0] == self.ends[kept] {
                return (kept, more);
            }
            overlap *= OVERLAP;
        }
    }

    /// Returns the fewest tokens that the whole pretoken may have, however it goes on.
    ///
    /// One of the whole's tokens is the first that ends at or after the place up to which is merged.
    /// It ends there, or begins before it and ends after it; up to its end the whole has as many
    /// tokens as that part of the text on its own.
    fn least(&self, counter: &mut Counter) -> usize {
        let merged = self.ends[self.ends.len() - 1];
        let first = merged.saturating_sub(TOKEN_MAX - 1).max(self.start);
        let reach = (first..merged).map(|at| counter.longest(self.text, at, self.end)).fold(merged, usize::max);
        let tokens = (merged + 1..=reach).map(|end| {
            let (kept, more) = self.merged(counter, end);
            kept + more.len()
        });
        tokens.fold(self.ends.len(), usize::min)
    }
}

#[cfg(test)]
mod tests {
    use super::super::count::{Family, Weights};
    use super::*;

    #[test]
    fn the_answer_from_a_beginning_is_that_of_the_whole() {
        // Few letters, so that tokens are long, many, and overlap in many ways.
        const PARTS: [&[&str]; 9] = [
            &["a", "b"],
            &["e", "r", "s", "t"],
            &["in", "g", "er", "the", "n", "es"],
            &[" ", "  ", "        ", "\t", "   \t"],
            &["\n", "\r\n", "\n\n\n\n"],
            &["=", "-", "*", "#", "=-"],
            &["中", "文", "字", "的", "国"],
            &["👍", "\u{200d}", "👨", "\u{fe0f}"],
            &["A", "B", "AAAA", "HTTP"],
        ];
        let mut state = 1_u32;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        let (mut over, mut early) = (0, 0);
        for family in [Family::Cl100k, Family::O200k] {
            let mut counter = Counter::new(family, Weights::ONE, 1 << 16);
            for _ in 0..if cfg!(debug_assertions) { 150 } else { 50_000 } {
                let parts = PARTS[next(PARTS.len())];
                let repeats = 1 + next(40);
                let text: String =
                    (0..1 + next(300)).map(|_| parts[next(parts.len())].repeat(1 + next(repeats))).collect();
                let text = &text[..text.floor_char_boundary(5_000)];
                let whole = counter.token_ends(text, 0, text.len()).0.len();
                for room in [next(8), next(whole), whole.saturating_sub(next(4)), whole + next(3)] {
                    match tokens(&mut counter, text, 0, text.len(), room) {
                        Giant::Whole(tokens) => assert!(tokens == whole && whole <= room, "{room} {text:?}"),
                        Giant::Over(ends) => {
                            assert!(whole > room && ends.len() > room, "{room} of {whole}: {text:?}");
                            over += 1;
                            early += usize::from(ends[ends.len() - 1] < text.len());
                            let cut = ends[next(ends.len())];
                            assert_eq!(
                                counter.token_ends(text, 0, cut).0,
                                ends[..=ends.partition_point(|end| *end < cut)]
                            );
                        }
                    }
                }
            }
        }
        assert!(early > over / 4, "{early} of {over} answers came early");
    }
}
