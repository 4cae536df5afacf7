//! Choosing among pieces.
//!
//! Every piece is counted once. The most worthy are kept while their sum, with a reserve for the
//! marks, stays within the budget; then the whole is written down and counted. What is too much
//! goes, lowest worth first; what room is left is filled in a few rounds.

use super::draft::{Compressor, Draft, Known, runs};
use super::lines::LineIndex;
use super::marks::{self, Marks, Style};
use super::{Cut, Query};
use crate::base::Handle;
use crate::tokens::Measure;

/// A text, its lines, and what it has to fit into.
pub(super) struct Task<'a> {
    pub(super) text: &'a str,
    pub(super) lines: &'a LineIndex,
    pub(super) max_tokens: usize,
    pub(super) measure: Measure,
    pub(super) handle: Option<&'a Handle>,
    /// The tokens of the text, where they are known.
    pub(super) counted: Option<usize>,
}

impl Task<'_> {
    /// Returns the tokens of the text; counts them where they are not known.
    pub(super) fn tokens(&self) -> usize {
        self.counted.unwrap_or_else(|| self.measure.count(self.text))
    }
}

/// The tokens of a mark without words.
const BARE: usize = 3;
/// The tokens of one that is often nothing at all.
const TIGHT: usize = 1;

/// How many gaps a piece and those it needs may close.
const GAPS_CLOSED: usize = 8;
/// Where the full marks of all gaps would take one part in so many of the budget, they take too much, even if
/// some of the gaps turn out to need none.
const GAPS_FULL: usize = 6;
/// How often room that is left over is filled.
const FILLS: usize = 4;

/// Returns the most worthy pieces within the budget, their tokens and what was left out.
///
/// The error is the number of tokens that the least sensible selection needs.
pub(super) fn summarize(
    task: &Task<'_>,
    compressor: &dyn Compressor,
    known: &Known,
    query: Option<&Query>,
) -> Result<(String, usize, Vec<Cut>), usize> {
    let draft = compressor.draft_in(task.text, known, query);
    let len = task.text.len();
    let counts = task.measure.count_each(len, draft.pieces.iter().map(|piece| &*piece.text));
    let has_closes = draft.pieces.iter().any(|piece| !piece.close.is_empty());
    let closes = draft.pieces.iter().map(|piece| piece.close).filter(|_| has_closes);
    let closes = task.measure.count_each(0, closes);
    let mut order: Vec<usize> = (0..draft.pieces.len()).collect();
    order.sort_unstable_by(|a, b| draft.pieces[*b].worth.total_cmp(&draft.pieces[*a].worth).then(a.cmp(b)));
    let whole = Cut { from_line: task.lines.len(), to_line: task.lines.len(), tokens: 0, partial: false };
    let full = task.measure.count(&marks::full(&Cut { from_line: 1, tokens: 10_000, ..whole }, task.handle)) + 1;
    let brief = task.measure.count(&marks::brief(&Cut { from_line: 1, ..whole })) + 1;
    let short = task.measure.count(&draft.layout.short_mark(task.lines.len()));
    let chooser = Chooser {
        task,
        draft: &draft,
        counts: &counts,
        told: &counts,
        closes: &closes,
        order: &order,
        whole: (task.tokens(), counts.iter().sum()),
    };

    let mut needed = usize::MAX;
    for (style, first, further) in
        [(Style::Full, full, full), (Style::FirstFull, full, short), (Style::Brief, brief, short)]
    {
        if style == Style::Full && draft.layout.marks_once() {
            continue;
        }
        match chooser.choose(style, first, further) {
            // Marks that take more than a twelfth of the budget are made shorter.
            Ok(chosen)
                if style == Style::Full
                    && (chooser.marks_take_much(&chosen, full) || draft.layout.wants_shorter_marks(&chosen.kept)) => {}
            Ok(chosen) if style == Style::FirstFull && draft.layout.wants_shorter_marks(&chosen.kept) => {
                let tight = draft.layout.tighter(&draft.pieces);
                let bare = match &tight {
                    Some(tight) => tighter(&chooser, tight, full + 4),
                    None => chooser.choose(Style::Bare, full, BARE),
                };
                return Ok(bare.unwrap_or(chosen).told());
            }
            Ok(chosen) => return Ok(chosen.told()),
            Err(tokens) => needed = needed.min(tokens),
        }
    }
    Err(needed)
}

/// Chooses among the same pieces in a form that takes less room, with a first mark of so many tokens.
fn tighter(wide: &Chooser<'_>, draft: &Draft<'_>, first: usize) -> Result<Chosen, usize> {
    let measure = wide.task.measure;
    let counts = measure.count_each(0, draft.pieces.iter().map(|piece| &*piece.text));
    let closes = measure.count_each(0, draft.pieces.iter().map(|piece| piece.close));
    let mut order: Vec<usize> = (0..draft.pieces.len()).collect();
    order.sort_unstable_by(|a, b| draft.pieces[*b].worth.total_cmp(&draft.pieces[*a].worth).then(a.cmp(b)));
    let chooser = Chooser { draft, counts: &counts, closes: &closes, order: &order, ..*wide };
    chooser.choose(Style::Bare, first, TIGHT)
}

/// What a selection became.
struct Chosen {
    text: String,
    tokens: usize,
    cuts: Vec<Cut>,
    kept: Vec<bool>,
}

impl Chosen {
    fn told(self) -> (String, usize, Vec<Cut>) {
        (self.text, self.tokens, self.cuts)
    }
}

struct Chooser<'a> {
    task: &'a Task<'a>,
    draft: &'a Draft<'a>,
    counts: &'a [usize],
    /// What they cost in the text, for the marks.
    told: &'a [usize],
    /// What the ends of pieces cost; nothing where none has one.
    closes: &'a [usize],
    order: &'a [usize],
    whole: (usize, usize),
}

impl Chooser<'_> {
    fn choose(&self, style: Style, first: usize, further: usize) -> Result<Chosen, usize> {
        let max_tokens = self.task.max_tokens;
        let is_marked = style == Style::Full || self.draft.layout.marks_each_gap();
        let further = if is_marked { further } else { 0 };
        let mut selection =
            Selection { chooser: self, kept: vec![false; self.draft.pieces.len()], total: first, mark: further };
        for (index, piece) in self.draft.pieces.iter().enumerate() {
            if piece.mandatory {
                selection.keep(index, usize::MAX);
            }
        }
        let mandatory = selection.kept.iter().filter(|kept| **kept).count();
        let mut room = max_tokens;
        let mut best: Option<Chosen> = None;
        for _ in 0..=FILLS {
            let before = selection.kept.iter().filter(|kept| **kept).count();
            let wanted = self.order.iter().filter(|index| self.draft.pieces[**index].worth > f64::NEG_INFINITY);
            wanted.for_each(|index| selection.keep(*index, room));
            selection.fill_small_gaps();
            // With so many gaps nothing need be written to see that full marks will not do.
            if style == Style::Full && best.is_none() && selection.gaps() * first > max_tokens / GAPS_FULL {
                return Err(usize::MAX);
            }
            if best.is_some() && selection.kept.iter().filter(|kept| **kept).count() == before {
                break;
            }
            let Some(written) = self.shrink(&mut selection, style) else { break };
            let slack = max_tokens - written.tokens;
            if style == Style::Full && self.marks_take_much(&written, first) {
                return Ok(written);
            }
            if best.as_ref().is_none_or(|best| written.tokens > best.tokens) {
                best = Some(written);
            }
            if slack <= max_tokens / 64 {
                break;
            }
            room = selection.total + slack;
        }
        let kept = selection.kept.iter().filter(|kept| **kept).count();
        match best {
            Some(best) if kept > 0 => Ok(best),
            _ if mandatory > 0 => Err(selection.total),
            _ => Err(first + self.counts.iter().min().copied().unwrap_or(0)),
        }
    }

    /// Whether the marks, of so many tokens each, take too much of the budget.
    fn marks_take_much(&self, chosen: &Chosen, mark: usize) -> bool {
        chosen.cuts.len().saturating_sub(1) * mark > self.task.max_tokens / 12
    }

    /// Writes the selection down, leaving out more while it is over the budget.
    fn shrink(&self, selection: &mut Selection<'_>, style: Style) -> Option<Chosen> {
        loop {
            let (text, cuts) = self.write(&selection.kept, style);
            let tokens = self.task.measure.count(&text);
            if tokens <= self.task.max_tokens {
                return Some(Chosen { text, tokens, cuts, kept: selection.kept.clone() });
            }
            let aim = selection.total.saturating_sub(tokens - self.task.max_tokens);
            let mut dropped = false;
            for index in self.least_first(&selection.kept) {
                if dropped && selection.total <= aim {
                    break;
                }
                dropped |= selection.drop(index);
            }
            if !dropped {
                return None;
            }
        }
    }

    /// The kept pieces, the least worthy first. A piece is worth no less than what needs it: a heading
    /// does not go before the paragraph under it that answers.
    fn least_first(&self, kept: &[bool]) -> Vec<usize> {
        let pieces = &self.draft.pieces;
        let mut worths: Vec<f64> = pieces.iter().map(|piece| piece.worth).collect();
        for index in (0..pieces.len()).rev().filter(|index| kept[*index]) {
            if let Some(needed) = pieces[index].needs {
                worths[needed] = worths[needed].max(worths[index]);
            }
        }
        let mut order: Vec<usize> = (0..pieces.len()).filter(|index| kept[*index]).collect();
        order.sort_unstable_by(|a, b| worths[*a].total_cmp(&worths[*b]).then(b.cmp(a)));
        order
    }

    fn write(&self, kept: &[bool], style: Style) -> (String, Vec<Cut>) {
        let pieces = &self.draft.pieces;
        let Task { lines, handle, .. } = *self.task;
        let mut marks = Marks { pieces, costs: self.told, lines, handle, style, whole: self.whole, cuts: Vec::new() };
        let text = self.draft.layout.write(pieces, kept, &mut marks);
        (text, marks.cuts)
    }
}

/// Which pieces are kept, and what that is thought to cost.
struct Selection<'a> {
    chooser: &'a Chooser<'a>,
    kept: Vec<bool>,
    total: usize,
    mark: usize,
}

impl Selection<'_> {
    /// Keeps a piece and those it needs, if the total stays within `room`.
    fn keep(&mut self, index: usize, room: usize) {
        let before = self.total;
        let mut added = Vec::new();
        let mut next = Some(index);
        // Gaps that close give their marks back, a few of them: further over there is no way back, and of a
        // long chain of needs only as much is walked as there is room for.
        let most = room.saturating_add(GAPS_CLOSED * self.mark);
        while let Some(index) = next
            && !self.kept[index]
            && self.total <= most
        {
            self.add(index);
            added.push(index);
            next = self.chooser.draft.pieces[index].needs;
        }
        // The walk may have ended for want of room, or where nothing more is needed.
        if self.total > room {
            added.iter().for_each(|index| self.kept[*index] = false);
            self.total = before;
        }
    }

    fn add(&mut self, index: usize) {
        self.total += self.cost(index);
        match self.kept_neighbours(index) {
            0 => self.total += self.mark,
            1 => {}
            _ => self.total = self.total.saturating_sub(self.mark),
        }
        self.kept[index] = true;
    }

    /// Drops a kept piece that is not mandatory, and those that need it.
    fn drop(&mut self, index: usize) -> bool {
        let pieces = &self.chooser.draft.pieces;
        if !self.kept[index] || pieces[index].mandatory {
            return false;
        }
        let mut gone = vec![index];
        for (later, piece) in pieces.iter().enumerate().skip(index + 1) {
            match piece.needs {
                Some(needed) if gone.binary_search(&needed).is_ok() => {
                    if piece.mandatory {
                        return false;
                    }
                    gone.push(later);
                }
                _ if self.leaves_subtree(index, later) => break,
                _ => {}
            }
        }
        for index in gone {
            if self.kept[index] {
                self.kept[index] = false;
                self.total = self.total.saturating_sub(self.cost(index));
                match self.kept_neighbours(index) {
                    0 => self.total = self.total.saturating_sub(self.mark),
                    1 => {}
                    _ => self.total += self.mark,
                }
            }
        }
        true
    }

    /// Whether no piece from `later` on can need `index`: pieces that need one another are nested.
    fn leaves_subtree(&self, index: usize, later: usize) -> bool {
        self.chooser.draft.pieces[later].needs.is_none_or(|needed| needed < index)
    }

    /// How many gaps there are.
    fn gaps(&self) -> usize {
        let begins = |index: &usize| !self.kept[*index] && (*index == 0 || self.kept[index - 1]);
        (0..self.kept.len()).filter(begins).count()
    }

    /// Keeps what lies in gaps that are no larger than the mark that would stand there.
    fn fill_small_gaps(&mut self) {
        let gaps: Vec<_> = runs(&self.kept).filter(|run| !self.kept[run.start]).collect();
        for gap in gaps {
            let tokens: usize = gap.clone().map(|index| self.cost(index)).sum();
            let pieces = &self.chooser.draft.pieces;
            let complete = gap
                .clone()
                .all(|index| pieces[index].needs.is_none_or(|needed| self.kept[needed] || gap.contains(&needed)));
            let wanted = gap.clone().any(|index| pieces[index].worth > f64::NEG_INFINITY);
            if tokens <= self.mark && complete && wanted {
                gap.for_each(|index| self.add(index));
            }
        }
    }

    fn cost(&self, index: usize) -> usize {
        self.chooser.counts[index] + self.chooser.closes.get(index).copied().unwrap_or(0)
    }

    fn kept_neighbours(&self, index: usize) -> usize {
        let left = index > 0 && self.kept[index - 1];
        let right = self.kept.get(index + 1).copied().unwrap_or(false);
        usize::from(left) + usize::from(right)
    }
}
