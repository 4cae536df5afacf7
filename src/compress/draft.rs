//! What a compressor gives: pieces with their worth, and a way to write a selection of them down.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use super::json::Document;
use super::marks::{Cut, Marks, brief};
use super::{Kind, Query};

/// Knows one kind of text.
pub trait Compressor: Send + Sync {
    /// Returns the kind.
    fn kind(&self) -> Kind;

    /// Returns how sure it is that `sample`, the beginning of a text, is of its kind, from 0 (it is
    /// not) to 100.
    fn recognises(&self, sample: &str) -> u8;

    /// Whether a run of equal lines may be written as one line with `[xN]`.
    fn folds_repeats(&self) -> bool {
        false
    }

    /// Returns `text` in another form that loses nothing, if this kind knows a shorter one.
    fn restructure(&self, _text: &str) -> Option<String> {
        None
    }

    /// Does [`restructure`](Self::restructure) with what is known of the text.
    fn restructure_in(&self, text: &str, _room: &Known) -> Option<String> {
        self.restructure(text)
    }

    /// Undoes [`restructure`](Self::restructure): returns the text that `form` was made from, or
    /// another one where that was written unevenly.
    fn expand(&self, _form: &str) -> Option<String> {
        None
    }

    /// Cuts `text` into pieces and says what each is worth; those that answer `query` are worth
    /// more.
    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a>;

    /// Cuts `text` into pieces like [`draft`](Self::draft), for a kind whose pieces need strings that do
    /// not stand in the text: it keeps them in `known`.
    fn draft_in<'a>(&self, text: &'a str, _room: &'a Known, query: Option<&Query>) -> Draft<'a> {
        self.draft(text, query)
    }

    /// Writes a text that holds nothing but `mark`, for a kind of which a mere beginning would be
    /// broken. `None`: a beginning followed by the mark will do.
    fn only_mark(&self, _text: &str, _mark: &str) -> Option<String> {
        None
    }
}

/// What has been found out about one text and is used more than once.
#[derive(Debug, Default)]
pub struct Known {
    /// `None`: not parsed, or not needed any more. A document takes several times its text.
    document: RefCell<Option<Option<Rc<Document>>>>,
    /// What a draft needs that does not stand in the text: strings without their escapes.
    pub(super) strings: OnceCell<Vec<Option<String>>>,
}

impl Known {
    /// Returns the values of `text`, which is the one that this is known of, if it is JSON.
    pub(super) fn document(&self, text: &str) -> Option<Rc<Document>> {
        self.document.borrow_mut().get_or_insert_with(|| Document::parse(text).map(Rc::new)).clone()
    }

    /// Returns the same for the last time: it is let go of with what is returned.
    pub(super) fn take_document(&self, text: &str) -> Option<Rc<Document>> {
        let document = self.document(text);
        self.document.take();
        document
    }
}

/// A part of a text that is kept or left out as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a> {
    /// The bytes of the text that it stands for. The spans of a draft are in order and apart.
    pub span: Range<usize>,
    /// Where it ends together with the pieces that need it and its `close`.
    pub end: usize,
    /// What is written when it is kept.
    pub text: Cow<'a, str>,
    /// What is written after the pieces that need this one, when it is kept: a closing bracket.
    pub close: &'a str,
    /// What it is worth: of two pieces the one with the higher worth is kept first. A compressor
    /// that wants worth per token takes the length into account itself. Minus infinity: it is not kept
    /// even where there is room.
    pub worth: f64,
    /// Whether the text makes no sense without it.
    pub mandatory: bool,
    /// An earlier piece without which this one makes no sense: its heading, file name, bracket.
    pub needs: Option<usize>,
}

impl<'a> Piece<'a> {
    /// Returns the piece that stands for `span` of `text` and is written as it is there.
    pub fn of(text: &'a str, span: Range<usize>, worth: f64) -> Self {
        let written = Cow::Borrowed(&text[span.clone()]);
        let end = span.end;
        Self { span, end, text: written, close: "", worth, mandatory: false, needs: None }
    }
}

/// A text cut into pieces.
pub struct Draft<'a> {
    /// The pieces, in the order of the text.
    pub pieces: Vec<Piece<'a>>,
    /// How a selection of them is written down.
    pub layout: Box<dyn Layout + 'a>,
}

impl<'a> Draft<'a> {
    /// Returns a draft whose selections are written as lines, with a mark for each gap.
    pub fn of_lines(pieces: Vec<Piece<'a>>) -> Self {
        Self { pieces, layout: Box::new(Lines) }
    }

    /// Returns a draft of whole lines of which few are kept: each line after a gap says its number.
    pub fn of_numbered_lines(pieces: Vec<Piece<'a>>) -> Self {
        Self { pieces, layout: Box::new(Numbered) }
    }
}

/// Writes selections of pieces down.
pub trait Layout {
    /// Whether a mark stands in every gap even where marks are made brief; otherwise a gap costs next
    /// to nothing and one mark tells of all.
    fn marks_each_gap(&self) -> bool {
        true
    }

    /// Writes the pieces that are `kept`; each gap between them is told to `marks`, which counts it
    /// and returns the words that must stand in its place. A kept piece's `needs` is kept.
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String;

    /// Returns what stands for a gap that is not marked in full, before the line of this number; the
    /// engine reserves room for it.
    fn short_mark(&self, line: usize) -> String {
        format!("{}\n", brief(&Cut { from_line: line, to_line: line, tokens: 0, partial: false }))
    }

    /// Whether one mark tells of all gaps, wherever they are.
    fn marks_once(&self) -> bool {
        false
    }

    /// Whether this selection lacks so much that a choice with marks of no words is better.
    fn wants_shorter_marks(&self, _kept: &[bool]) -> bool {
        false
    }

    /// Returns the same pieces in a form that takes less room, for such a choice.
    fn tighter<'a>(&'a self, _pieces: &'a [Piece<'a>]) -> Option<Draft<'a>> {
        None
    }
}

/// Writes pieces one after the other, with a mark for each gap.
#[derive(Debug, Clone, Copy)]
pub struct Lines;

impl Layout for Lines {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                pieces[run].iter().for_each(|piece| out.push_str(&piece.text));
                continue;
            }
            write_gap(pieces, run, marks, &mut out);
        }
        out
    }
}

/// A gap of fewer lines is not numbered.
const FEW_LINES: usize = 10;

/// Writes pieces one after the other; the line after a gap begins with its number, `…417 text`, so
/// that single lines picked out of many do not each pay for a mark on a line of its own. After a gap of
/// a few lines it begins with `…` only, and where only blank lines are missing with nothing: the
/// numbers around tell where it is.
#[derive(Debug, Clone, Copy)]
pub struct Numbered;

impl Layout for Numbered {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                pieces[run].iter().for_each(|piece| out.push_str(&piece.text));
                continue;
            }
            // Pieces that stand for no bytes were made by the compressor: nothing is missing without them.
            if pieces[run.clone()].iter().all(|piece| piece.span.is_empty()) {
                continue;
            }
            let begins_line = out.is_empty() || out.ends_with('\n');
            let ends_line = pieces[run.end - 1].text.ends_with('\n');
            let cut = marks.note(run.clone());
            if run.end < pieces.len() && begins_line && ends_line && !cut.partial && !marks.is_full() {
                let is_blank = pieces[run.clone()].iter().all(|piece| piece.text.trim().is_empty());
                match cut.to_line - cut.from_line + 1 {
                    _ if is_blank => {}
                    0..FEW_LINES => out.push('…'),
                    _ => out.push_str(&self.short_mark(cut.to_line + 1)),
                }
            } else {
                let words = marks.words(&cut);
                push_mark(&mut out, pieces, run, &words);
            }
        }
        out
    }

    fn short_mark(&self, line: usize) -> String {
        format!("…{line} ")
    }
}

/// Writes the mark for a gap between pieces that are written one after the other.
pub(super) fn write_gap(pieces: &[Piece<'_>], run: Range<usize>, marks: &mut Marks<'_>, out: &mut String) {
    let words = marks.cut(run.clone());
    push_mark(out, pieces, run, &words);
}

/// Writes the words for a gap, on a line of their own where the gap is one of whole lines.
fn push_mark(out: &mut String, pieces: &[Piece<'_>], gap: Range<usize>, words: &str) {
    let ends_line = gap.end == pieces.len() || pieces[gap.end - 1].text.ends_with('\n');
    let begins_line = out.is_empty() || out.ends_with('\n');
    if !begins_line && !out.ends_with(char::is_whitespace) {
        out.push(' ');
    }
    out.push_str(words);
    if gap.end < pieces.len() {
        out.push(if ends_line { '\n' } else { ' ' });
    } else if begins_line && pieces[gap.end - 1].text.ends_with('\n') {
        out.push('\n');
    }
}

/// Returns the maximal runs of equal values.
pub(super) fn runs(kept: &[bool]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let value = *kept.get(start)?;
        let length = kept[start..].iter().take_while(|other| **other == value).count();
        let run = start..start + length;
        start = run.end;
        Some(run)
    })
}
