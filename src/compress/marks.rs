//! The marks that stand where something was cut.
//!
//! The first mark of a text says everything: `[lines 120-340 cut, 2,114 tokens, ctx:ab12cd34]`. Where
//! there are so many gaps that such marks would eat the budget, the later ones only name the lines:
//! `[…400-410]`, or `[…]` for a part of one line. Where single lines are picked out of many, as in test
//! output, the line after a gap begins with its number instead: `…411 text`; in logs one mark before
//! everything else tells of all gaps. Every cut is in [`Marks::cuts`] either way.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draft::Piece;
use super::lines::LineIndex;
use crate::base::{Handle, thousands};

/// Lines that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// The first line, counted from 1.
    pub from_line: usize,
    /// The last line, included.
    pub to_line: usize,
    /// The tokens left out, counted piece by piece; all cuts together are no more than the text.
    pub tokens: usize,
    /// Whether a part of the first or of the last line is still there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// How much a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Every mark names lines, tokens and handle.
    Full,
    /// The first mark does; the others name the lines.
    FirstFull,
    /// No mark names more than the lines: for budgets that are smaller than a full mark.
    Brief,
    /// The first mark says everything, the others nothing but that something is cut: for kinds
    /// whose gaps are so many that lines would take the room of what they stand between.
    Bare,
}

/// Writes marks and keeps the list of what they stand for.
pub struct Marks<'a> {
    pub(super) pieces: &'a [Piece<'a>],
    pub(super) costs: &'a [usize],
    pub(super) lines: &'a LineIndex,
    pub(super) handle: Option<&'a Handle>,
    pub(super) style: Style,
    /// The tokens of the whole text, and the sum of all `costs`.
    pub(super) whole: (usize, usize),
    pub(super) cuts: Vec<Cut>,
}

impl Marks<'_> {
    /// Notes that the pieces of this range are left out; returns the words for their place.
    pub fn cut(&mut self, range: Range<usize>) -> String {
        self.cut_to(range, 0)
    }

    /// Notes that the pieces of this range are left out, and what follows them up to the byte
    /// `end`; returns the words for their place.
    pub fn cut_to(&mut self, range: Range<usize>, end: usize) -> String {
        let cut = self.note_to(range, end);
        self.words(&cut)
    }

    /// Returns the words for the cut noted last, which are none where a mark is to be bare.
    pub fn words(&self, cut: &Cut) -> String {
        match self.style {
            _ if self.is_full() => full(cut, self.handle),
            Style::Bare => String::new(),
            _ => brief(cut),
        }
    }

    /// Notes that the pieces of this range are left out, for a layout that marks them in a way of
    /// its own.
    pub fn note(&mut self, range: Range<usize>) -> Cut {
        self.note_to(range, 0)
    }

    fn note_to(&mut self, range: Range<usize>, at_least: usize) -> Cut {
        let sum: usize = self.costs[range.clone()].iter().sum();
        // Pieces counted one by one are rounded one by one; together they are no more than the whole.
        let (whole, all) = self.whole;
        let tokens = if all > whole { sum * whole / all } else { sum };
        let end = self.pieces[range.clone()].iter().map(|piece| piece.end).fold(at_least, usize::max);
        let span = self.pieces[range.start].span.start..end;
        let cut = self.lines.cut(span, tokens);
        self.cuts.push(cut.clone());
        cut
    }

    /// Whether the mark for the cut noted last is to say everything.
    pub fn is_full(&self) -> bool {
        match self.style {
            Style::Full => true,
            Style::FirstFull | Style::Bare => self.cuts.len() == 1,
            Style::Brief => false,
        }
    }

    /// Whether each gap is to have a mark that says everything.
    pub fn marks_each_gap(&self) -> bool {
        self.style == Style::Full
    }

    /// Whether marks say no more than how many lines there are.
    pub fn is_brief(&self) -> bool {
        self.style == Style::Brief
    }

    /// Returns one mark for everything noted so far, for a layout that only hints at its gaps.
    pub fn summary(&self) -> Option<String> {
        // Several gaps may lie on one line.
        let mut last = 0;
        let mut lines = 0;
        for cut in &self.cuts {
            lines += (cut.to_line + 1).saturating_sub(cut.from_line.max(last + 1));
            last = last.max(cut.to_line);
        }
        let tokens: usize = self.cuts.iter().map(|cut| cut.tokens).sum();
        if let Some(first) = self.cuts.first().filter(|_| !self.lines.is_numbered()) {
            let whole = Cut { tokens, ..first.clone() };
            return Some(if self.style == Style::Brief { brief(&whole) } else { full(&whole, self.handle) });
        }
        if let [first, _, ..] = self.cuts.as_slice()
            && lines == 1
        {
            let whole = Cut { tokens, partial: true, ..first.clone() };
            return Some(if self.style == Style::Brief { brief(&whole) } else { full(&whole, self.handle) });
        }
        let tokens = thousands(tokens);
        match (self.style, self.handle) {
            _ if self.cuts.is_empty() => None,
            (Style::Brief, _) => Some(format!("[{} lines cut]", thousands(lines))),
            (_, Some(handle)) => Some(format!("[{} lines cut, {tokens} tokens, {handle}]", thousands(lines))),
            (_, None) => Some(format!("[{} lines cut, {tokens} tokens]", thousands(lines))),
        }
    }

    /// Returns the handle under which the original can be fetched.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle
    }
}

/// Returns the marks that stand in a text, those of layouts with words of their own too: items and members of JSON,
/// messages, library frames, the legend of a log, comments in code, and numbers after gaps. An ellipsis
/// of the text's own at the end of a line is taken for one: rather too much than too little.
pub(super) fn marks_in(text: &str) -> impl Iterator<Item = &str> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        let what = r#"[\[…](?:part of )?(?:lines? \d+(?:-\d+)?|[0-9,]+ [a-z]+) cut(?:[,;] [^\]"\n]*)?\]?"#;
        let member = r#""…+":"(?:[^"\\]|\\.)*""#;
        let brief = r"\[…(?:\d+(?:-\d+)?)?(?:: [0-9,]+ library frames?)?\]";
        let signs = r#"/\*…\*/|//…|# …|…\d+|"…"|(?m:…$)"#;
        Regex::new(&format!("{member}|{what}|{brief}|{signs}")).expect("a pattern")
    });
    MARK.find_iter(text).map(|found| found.as_str())
}

/// Returns the mark that says everything.
pub(super) fn full(cut: &Cut, handle: Option<&Handle>) -> String {
    let part = if cut.partial { "part of " } else { "" };
    let lines = if cut.from_line == cut.to_line {
        format!("line {}", cut.from_line)
    } else {
        format!("lines {}-{}", cut.from_line, cut.to_line)
    };
    let tokens = thousands(cut.tokens);
    match handle {
        Some(handle) => format!("[{part}{lines} cut, {tokens} tokens, {handle}]"),
        None => format!("[{part}{lines} cut, {tokens} tokens]"),
    }
}

/// Returns the mark that names the lines.
pub(super) fn brief(cut: &Cut) -> String {
    match (cut.partial, cut.from_line == cut.to_line) {
        (true, true) => "[…]".to_owned(),
        (false, true) => format!("[…{}]", cut.from_line),
        (_, false) => format!("[…{}-{}]", cut.from_line, cut.to_line),
    }
}
