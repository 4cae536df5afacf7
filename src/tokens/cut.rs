//! The longest beginning and the longest end of a text within a limit.
//!
//! A cut is made between tokens and backed off to a character boundary. Because a cut can change how
//! the text beside it is split, what remains there is counted again before it is returned; nothing
//! returned is ever over the limit. In a pretoken of ordinary length the places two tokens further on
//! are tried first, since what is left of a word may be spelled with fewer tokens.

use super::count::Counter;
use super::pretokens;

/// The most bytes of a pretoken in which every character boundary is tried.
const EXTEND_MAX: usize = 1024;

/// The bytes that the search for an end steps back by.
const STRIDE: usize = 4096;

/// Returns the longest beginning of `text` that costs at most `limit`.
pub(super) fn prefix<'a>(counter: &mut Counter, text: &'a str, limit: usize) -> &'a str {
    // A cut inside a pretoken leaves the split alone up to the pretoken before it, so counting
    // again from the one before that is safe.
    let mut recent = [(0, 0); 3];
    let (mut at, mut total) = (0, 0);
    while at < text.len() {
        let pretoken = counter.pretoken(text, at);
        recent = [recent[1], recent[2], (at, total)];
        if total + pretoken.cost > limit {
            return &text[..prefix_end(counter, text, limit, at..pretoken.end, total, recent[0])];
        }
        at = pretoken.end;
        total += pretoken.cost;
    }
    text
}

/// The cut of a beginning in the pretoken that exceeds the limit, with `total` spent before it.
fn prefix_end(
    counter: &mut Counter,
    text: &str,
    limit: usize,
    pretoken: std::ops::Range<usize>,
    total: usize,
    (safe, spent): (usize, usize),
) -> usize {
    let (ends, weight) = counter.token_ends(text, pretoken.start, pretoken.end);
    let room = (limit - total) / weight;
    let cheapest = counter.cheapest();
    let end_of = |tokens: usize| match tokens {
        0 => pretoken.start,
        _ => text.floor_char_boundary(ends[tokens.min(ends.len()) - 1]),
    };
    let mut fits = |cut: usize| counter.cost(&text[safe..cut], limit - spent).is_some();
    if pretoken.len() > EXTEND_MAX {
        return (0..=room).rev().map(end_of).find(|cut| fits(*cut)).unwrap_or(safe);
    }
    let mut cut = end_of((limit - total) / cheapest + 2);
    while cut > safe && !fits(cut) {
        cut = text.floor_char_boundary(cut - 1);
    }
    cut
}

/// Returns the longest end of `text` that costs at most `limit`.
pub(super) fn suffix<'a>(counter: &mut Counter, text: &'a str, limit: usize) -> &'a str {
    let (mut end, mut total) = (text.len(), 0);
    while end > 0 {
        let start = boundary_before(text, end.saturating_sub(STRIDE));
        let tail = Tail::new(counter, text, start..end);
        if total + tail.costs[0] > limit {
            return &text[tail.start_within(counter, text, limit - total)..];
        }
        end = start;
        total += tail.costs[0];
    }
    text
}

/// The last place at or before `at` where a pretoken begins whatever comes before and after.
fn boundary_before(text: &str, at: usize) -> usize {
    let mut at = text.floor_char_boundary(at);
    while at > 0 && !pretokens::is_boundary(text, at) {
        at = text.floor_char_boundary(at - 1);
    }
    at
}

/// A stretch of text between two sure boundaries: its pretokens, and what each of them and all that
/// follow cost.
struct Tail {
    starts: Vec<usize>,
    costs: Vec<usize>,
}

impl Tail {
    fn new(counter: &mut Counter, text: &str, range: std::ops::Range<usize>) -> Self {
        let text = &text[..range.end];
        let (mut starts, mut costs) = (Vec::new(), Vec::new());
        let mut at = range.start;
        while at < range.end {
            let pretoken = counter.pretoken(text, at);
            starts.push(at);
            costs.push(pretoken.cost);
            at = pretoken.end;
        }
        starts.push(range.end);
        costs.push(0);
        for index in (0..starts.len() - 1).rev() {
            costs[index] += costs[index + 1];
        }
        Self { starts, costs }
    }

    /// The earliest start in this stretch, of which not everything fits, within `limit`.
    fn start_within(&self, counter: &mut Counter, text: &str, limit: usize) -> usize {
        let text = &text[..self.starts[self.starts.len() - 1]];
        // The first pretoken that fits whole with all that follow; the cut is in the one before it.
        let whole = self.costs.partition_point(|cost| *cost > limit);
        let (start, end) = (self.starts[whole - 1], self.starts[whole]);
        let (ends, weight) = counter.token_ends(text, start, end);
        let room = (limit - self.costs[whole]) / weight;
        let cheapest = counter.cheapest();
        let start_of = |tokens: usize| match ends.len().saturating_sub(tokens) {
            0 => start,
            before => text.ceil_char_boundary(ends[before - 1]),
        };
        let fits = |counter: &mut Counter, cut: usize| self.fits(counter, text, cut, limit);
        if end - start > EXTEND_MAX {
            return (0..=room).rev().map(start_of).find(|cut| fits(counter, *cut)).unwrap_or(end);
        }
        let mut cut = start_of((limit - self.costs[whole]) / cheapest + 2);
        while cut < end && !fits(counter, cut) {
            cut = text.ceil_char_boundary(cut + 1);
        }
        cut
    }

    /// Whether the text from `cut` costs at most `limit`. Counts until the split is again the known one.
    fn fits(&self, counter: &mut Counter, text: &str, cut: usize, limit: usize) -> bool {
        let (mut at, mut total) = (cut, 0);
        loop {
            if let Ok(known) = self.starts.binary_search(&at) {
                return total + self.costs[known] <= limit;
            }
            let pretoken = counter.pretoken(text, at);
            at = pretoken.end;
            total += pretoken.cost;
            if total > limit {
                return false;
            }
        }
    }
}
