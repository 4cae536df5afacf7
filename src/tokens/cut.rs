//! Whether a text is within a limit, and the longest beginning and end of it that are.
//!
//! Nothing here looks at more of the text than fits, but for a few kilobytes. A cut is made between
//! tokens and backed off to a character boundary. Because a cut can change how the text beside it is
//! split, what remains there is counted again before it is returned; nothing returned is ever over
//! the limit. In a pretoken of ordinary length the places two tokens further on are tried first,
//! since what is left of a word may be spelled with fewer tokens.

use std::ops::Range;

use super::giant::{GIANT, Giant};
use super::layout::TOKEN_MAX;
use super::meter::Meter;

/// The most bytes of a pretoken in which every character boundary is tried.
const EXTEND_MAX: usize = 1024;

/// The bytes of text that are counted at once.
const STRIDE: Range<usize> = 128..4096;

/// The bytes in which a sure boundary is looked for.
const SEARCH: usize = 256;

/// Returns whether `text` costs at most `limit`.
pub(super) fn fits(meter: &mut Meter, text: &str, limit: usize) -> bool {
    // Every token costs something, and none is longer than so many bytes.
    if text.len().div_ceil(TOKEN_MAX) > limit / meter.cheapest() {
        return false;
    }
    let mut walk = Walk::new(text, limit);
    while let Some(step) = walk.step(meter) {
        if matches!(step, Step::Over { .. }) {
            return false;
        }
    }
    true
}

/// Returns the longest beginning of `text` that costs at most `limit`.
pub(super) fn prefix<'a>(meter: &mut Meter, text: &'a str, limit: usize) -> &'a str {
    // What is longer than the longest tokens does not fit, so the rest need not be looked at.
    let longest = (limit / meter.cheapest() + 2).saturating_mul(TOKEN_MAX);
    let text = if longest < text.len() { &text[..text.floor_char_boundary(longest)] } else { text };
    let mut walk = Walk::new(text, limit);
    while let Some(step) = walk.step(meter) {
        match step {
            Step::Within => {}
            // Where the pretokens of a stretch do not fit together, they are gone through one by one.
            Step::Over { pretoken: None, .. } => walk.bare = walk.stop,
            Step::Over { pretoken: Some(pretoken), ends } => {
                return &text[..prefix_end(meter, &walk, pretoken, ends)];
            }
        }
    }
    text
}

/// A walk along a text until its limit.
struct Walk<'a> {
    text: &'a str,
    limit: usize,
    /// Where the walk is, and what the text up to there costs.
    at: usize,
    total: usize,
    /// Where the stretch ends that did not fit.
    stop: usize,
    /// Up to here there is no sure boundary worth a stretch, so that pretokens are counted singly.
    bare: usize,
    /// A cut inside a pretoken leaves the split alone up to the pretoken before it, so counting
    /// again from the one before that is safe: the starts of the last three, and the cost up to each.
    recent: [(usize, usize); 3],
}

/// What a step along a text met.
enum Step {
    /// Something that fits.
    Within,
    /// Something that does not: a pretoken, or a stretch of several; and where the tokens of a
    /// beginning of the pretoken end, if that is known.
    Over { pretoken: Option<Range<usize>>, ends: Option<Vec<usize>> },
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, limit: usize) -> Self {
        Self { text, limit, at: 0, total: 0, stop: 0, bare: 0, recent: [(0, 0); 3] }
    }

    /// Goes on behind what fits; `None` at the end of the text.
    fn step(&mut self, meter: &mut Meter) -> Option<Step> {
        if self.at >= self.text.len() {
            return None;
        }
        let room = self.limit - self.total;
        if self.at >= self.bare {
            let stride = (2 * (room / meter.cheapest())).clamp(STRIDE.start, STRIDE.end);
            if let Some(stop) = boundary_after(meter, self.text, self.at + stride) {
                let Some(cost) = meter.cost(&self.text[self.at..stop], room) else {
                    self.stop = stop;
                    return Some(Step::Over { pretoken: None, ends: None });
                };
                self.at = stop;
                self.total += cost;
                self.recent = [(self.at, self.total); 3];
                return Some(Step::Within);
            }
            self.bare = self.at + stride;
        }
        self.recent = [self.recent[1], self.recent[2], (self.at, self.total)];
        let end = meter.end(self.text, self.at);
        let cost = if end - self.at > GIANT {
            let weight = meter.weight(self.text, self.at, end);
            match meter.giant(self.text, self.at, end, room / weight) {
                Giant::Whole(tokens) => tokens * weight,
                Giant::Over(ends) => return Some(Step::Over { pretoken: Some(self.at..end), ends: Some(ends) }),
            }
        } else {
            meter.pretoken(self.text, self.at).cost
        };
        if cost > room {
            return Some(Step::Over { pretoken: Some(self.at..end), ends: None });
        }
        self.at = end;
        self.total += cost;
        Some(Step::Within)
    }
}

/// The next place from `at` on where a text may be taken apart, if there is one near; its end is one.
fn boundary_after(meter: &Meter, text: &str, at: usize) -> Option<usize> {
    if at >= text.len() {
        return Some(text.len());
    }
    let mut at = text.ceil_char_boundary(at);
    let last = at + SEARCH;
    while at < text.len() {
        if at > last {
            return None;
        }
        if meter.is_boundary(text, at) {
            return Some(at);
        }
        at = text.ceil_char_boundary(at + 1);
    }
    Some(at)
}

/// The cut of a beginning in the pretoken that exceeds the limit.
fn prefix_end(meter: &mut Meter, walk: &Walk<'_>, pretoken: Range<usize>, ends: Option<Vec<usize>>) -> usize {
    let Walk { text, limit, total, recent: [(safe, spent), ..], .. } = *walk;
    let weight = meter.weight(text, pretoken.start, pretoken.end);
    let ends = ends.unwrap_or_else(|| meter.token_ends(text, pretoken.start, pretoken.end).0);
    let room = (limit - total) / weight;
    let cheapest = meter.cheapest();
    let end_of = |tokens: usize| match tokens {
        0 => pretoken.start,
        _ => text.floor_char_boundary(ends[tokens.min(ends.len()) - 1]),
    };
    let mut fits = |cut: usize| meter.cost(&text[safe..cut], limit - spent).is_some();
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
pub(super) fn suffix<'a>(meter: &mut Meter, text: &'a str, limit: usize) -> &'a str {
    let usual = (4 * (limit / meter.cheapest()).min(STRIDE.end)).clamp(STRIDE.start, STRIDE.end);
    let (mut end, mut total, mut stride) = (text.len(), 0, usual);
    while end > 0 {
        let start = boundary_before(meter, text, end.saturating_sub(stride));
        // Without a sure boundary the stretch begins anywhere. What is found in it counts as a text
        // of its own, so that does not matter if the cut is inside; if it is not, more is looked at.
        let sure = start.is_some();
        let start = start.unwrap_or_else(|| text.floor_char_boundary(end - stride));
        let tail = Tail::new(meter, text, start..end);
        if total + tail.costs[0] > limit {
            return &text[tail.start_within(meter, text, limit - total)..];
        }
        if sure {
            (end, total, stride) = (start, total + tail.costs[0], usual);
        } else {
            stride *= 4;
        }
    }
    text
}

/// The last place at or before `at` where a text may be taken apart, if there is one near; its
/// beginning is one.
fn boundary_before(meter: &Meter, text: &str, at: usize) -> Option<usize> {
    let mut at = text.floor_char_boundary(at);
    let last = at.saturating_sub(SEARCH);
    while at > 0 && !meter.is_boundary(text, at) {
        if at < last {
            return None;
        }
        at = text.floor_char_boundary(at - 1);
    }
    Some(at)
}

/// A stretch of text up to a sure boundary: its pretokens, and what each of them and all that follow
/// cost.
struct Tail {
    starts: Vec<usize>,
    costs: Vec<usize>,
}

impl Tail {
    fn new(meter: &mut Meter, text: &str, range: Range<usize>) -> Self {
        let text = &text[..range.end];
        let (mut starts, mut costs) = (Vec::new(), Vec::new());
        let mut at = range.start;
        while at < range.end {
            let pretoken = meter.pretoken(text, at);
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
    fn start_within(&self, meter: &mut Meter, text: &str, limit: usize) -> usize {
        let text = &text[..self.starts[self.starts.len() - 1]];
        // The first pretoken that fits whole with all that follow; the cut is in the one before it.
        let whole = self.costs.partition_point(|cost| *cost > limit);
        let (start, end) = (self.starts[whole - 1], self.starts[whole]);
        let (ends, weight) = meter.token_ends(text, start, end);
        let room = (limit - self.costs[whole]) / weight;
        let cheapest = meter.cheapest();
        let start_of = |tokens: usize| match ends.len().saturating_sub(tokens) {
            0 => start,
            before => text.ceil_char_boundary(ends[before - 1]),
        };
        let fits = |meter: &mut Meter, cut: usize| self.fits(meter, text, cut, limit);
        if end - start > EXTEND_MAX {
            return (0..=room).rev().map(start_of).find(|cut| fits(meter, *cut)).unwrap_or(end);
        }
        let mut cut = start_of((limit - self.costs[whole]) / cheapest + 2);
        while cut < end && !fits(meter, cut) {
            cut = text.ceil_char_boundary(cut + 1);
        }
        cut
    }

    /// Whether the text from `cut` costs at most `limit`. Counts until the split is again the known one.
    fn fits(&self, meter: &mut Meter, text: &str, cut: usize, limit: usize) -> bool {
        let (mut at, mut total) = (cut, 0);
        loop {
            if let Ok(known) = self.starts.binary_search(&at) {
                return total + self.costs[known] <= limit;
            }
            let pretoken = meter.pretoken(text, at);
            at = pretoken.end;
            total += pretoken.cost;
            if total > limit {
                return false;
            }
        }
    }
}
