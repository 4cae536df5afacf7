//! Writing a selection of blocks as short as can be, for budgets that do not hold every signature.
//!
//! A head whose body is cut is written on one line, a space for each level before it. Where a language
//! declares functions without a body, a semicolon stands for the one that is cut, and the first mark says
//! so; elsewhere the body is `{/*…*/}` or, in Python, `...`. What is missing between definitions leaves
//! `//…` at the end of the line before it, but for comments and attributes: those are only in the list of
//! cuts. A body that is kept stands as it was, with its head.

use std::borrow::Cow;
use std::ops::Range;

use super::super::draft::{Layout, Piece};
use super::super::marks::Marks;
use super::blocks::{Block, Role};
use super::language::Language;
use super::layout::{CodeLayout, end_line, indent};

/// What the first mark says of semicolons.
const LEGEND: &str = "; body cut: ;";

/// Writes blocks as short as can be.
pub(super) struct TightLayout<'a> {
    layout: &'a CodeLayout,
    /// The pieces as they stand in the text.
    wide: &'a [Piece<'a>],
    forms: Vec<Form>,
}

/// What the text of a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The head of what holds other blocks, or all of a block without any.
    Open,
    /// A head, and a sign for all that it holds.
    Whole,
    /// The same, and the sign is a semicolon.
    Declared,
}

impl<'a> TightLayout<'a> {
    /// Returns the layout and the pieces in it, for blocks and their pieces as they stand in the text.
    pub(super) fn of(layout: &'a CodeLayout, wide: &'a [Piece<'a>]) -> (Self, Vec<Piece<'a>>) {
        let mut forms = Vec::with_capacity(wide.len());
        let mut pieces = Vec::with_capacity(wide.len());
        for (index, (block, piece)) in layout.blocks.iter().zip(wide).enumerate() {
            let holds = layout.next[index] > index + 1;
            let (form, text, close) = tight(block, piece, holds);
            forms.push(form);
            let shorter = piece.text.len().saturating_sub(text.len()) as f64;
            let worth = match block.role {
                Role::Definition => piece.worth + (shorter / 60.0).min(3.0),
                // Without what it stands above, it would stand above something else.
                Role::Loose if is_attribute(piece) => f64::NEG_INFINITY,
                _ => piece.worth,
            };
            pieces.push(Piece { text, close, worth, ..piece.clone() });
        }
        (Self { layout, wide, forms }, pieces)
    }
}

/// Whether it is an attribute of what follows.
fn is_attribute(piece: &Piece<'_>) -> bool {
    piece.text.trim_start().starts_with("#[")
}

/// Returns what is written for a block, and after what it holds.
fn tight<'a>(block: &Block, piece: &'a Piece<'a>, holds: bool) -> (Form, Cow<'a, str>, &'a str) {
    let Block { language, depth, .. } = *block;
    let open: &'a str = &piece.text;
    if language.is_plain || matches!(block.role, Role::Body | Role::Text | Role::Comment | Role::File | Role::Blank) {
        return (Form::Open, Cow::Borrowed(open), piece.close);
    }
    if block.role == Role::Definition && holds && !block.holds_blocks {
        return match whole(block, open, piece.close) {
            Some((text, true)) => (Form::Declared, Cow::Owned(text), ""),
            Some((text, false)) => (Form::Whole, Cow::Owned(text), ""),
            None => (Form::Open, Cow::Borrowed(open), piece.close),
        };
    }
    let text = match joined(open, language).filter(|_| block.role == Role::Definition) {
        Some(line) => {
            Cow::Owned(format!("{}{line}{}", margin(open, block), if open.ends_with('\n') { "\n" } else { "" }))
        }
        None => Cow::Borrowed(moved(open, language, depth)),
    };
    (Form::Open, text, moved(piece.close, language, depth))
}

/// Returns a head with a sign for what it holds, and whether that is a semicolon. `None`: its end says
/// more than that it ends.
fn whole(block: &Block, open: &str, close: &str) -> Option<(String, bool)> {
    let head = open.trim_end();
    let close = close.trim();
    let line = joined(open, block.language);
    let is_joined = line.is_some();
    let line = line.unwrap_or_else(|| head.trim_start().to_owned());
    let margin = margin(open, block);
    if block.language.is_indented {
        return (close.is_empty() && head.ends_with(':')).then(|| (format!("{margin}{line} ...\n"), false));
    }
    let before = line.strip_suffix('{')?;
    if block.is_declared && is_joined && close == "}" {
        return Some((format!("{margin}{};\n", before.trim_end()), true));
    }
    let is_short = close.starts_with(['}', ')', ']']) && !close.contains('\n');
    is_short.then(|| (format!("{margin}{line}/*…*/{close}\n"), false))
}

/// The blanks before a head: one for each level, where blanks say nothing.
fn margin<'t>(open: &'t str, block: &Block) -> &'t str {
    let blanks = indent(open);
    if block.language.is_indented { blanks } else { &blanks[..blanks.len().min(block.depth)] }
}

/// Returns a line without most of the blanks before it and the blank lines after it.
fn moved(line: &str, language: Language, depth: usize) -> &str {
    let rest = line.trim_start_matches([' ', '\t']);
    let code = rest.trim_end();
    if language.is_indented || language.is_plain || code.contains('\n') || code.is_empty() {
        return line;
    }
    let start = line.len() - rest.len();
    let end = start + code.len();
    let end = line[end..].find('\n').map_or(line.len(), |at| end + at + 1);
    &line[start - start.min(depth)..end]
}

/// Returns a head on one line, without the blanks before it; `None` where the ends of its lines say
/// something: comments, strings over several lines, decorators.
fn joined(head: &str, language: Language) -> Option<String> {
    let head = head.trim();
    let mut out = String::with_capacity(head.len());
    let (mut depth, mut braces) = (0_usize, 0_usize);
    for (number, line) in head.lines().map(str::trim).enumerate() {
        let is_odd = |quote: char| line.matches(quote).count() % 2 == 1;
        let has_comment = if language.is_indented {
            line.contains('#')
        } else {
            line.contains("//") || line.contains("/*") || (line.starts_with('#') && !line.starts_with("#["))
        };
        if has_comment || is_odd('"') || is_odd('`') || (!language.is_rust && is_odd('\'')) || line.ends_with('\\') {
            return None;
        }
        if number > 0 && language.is_indented && depth == 0 {
            return None;
        }
        // Within braces the end of a line may be all that parts two members.
        if !language.is_rust && braces > 0 && !out.ends_with([',', ';', '{', '(', '[']) && !line.starts_with('}') {
            return None;
        }
        if !(out.is_empty() || line.is_empty() || out.ends_with(['(', '[', '<']) || line.starts_with([')', ']', '>'])) {
            out.push(' ');
        }
        out.push_str(line);
        for byte in line.bytes() {
            match byte {
                b'{' => braces += 1,
                b'}' => braces = braces.saturating_sub(1),
                _ => {}
            }
            match byte {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    Some(out)
}

impl Layout for TightLayout<'_> {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let next = &self.layout.next;
        let blocks = &self.layout.blocks;
        let mut writer =
            Writer { tight: self, pieces, kept, out: String::new(), open: Vec::new(), is_hinted: false, legend: None };
        let mut is_declared = false;
        let mut at = 0;
        loop {
            while let Some(top) = writer.open.pop_if(|top| next[top.index] <= at) {
                writer.close(&top);
            }
            if at == pieces.len() {
                break;
            }
            if !kept[at] {
                let end = writer.gap_end(at);
                writer.gap(at..end, None, marks);
                at = end;
                continue;
            }
            let holds = next[at] > at + 1;
            if blocks[at].role != Role::Definition || !holds {
                writer.out.push_str(&pieces[at].text);
                if holds || !pieces[at].close.is_empty() {
                    writer.open.push(Open { index: at, close: pieces[at].close, needs_dots: false, is_hinted: false });
                }
                at += 1;
                continue;
            }
            let is_kept = kept[at + 1..next[at]].contains(&true);
            if !is_kept && writer.head_alone(at) {
                is_declared |= self.forms[at] == Form::Declared;
                let end = writer.gap_end(at + 1);
                writer.gap(at + 1..end, Some(at), marks);
                at = end;
                continue;
            }
            writer.head(at);
            at += 1;
        }
        if let Some(place) = writer.legend.filter(|_| is_declared) {
            writer.out.insert_str(place, LEGEND);
        }
        writer.out
    }
}

/// A kept block that has not been closed yet.
struct Open<'a> {
    index: usize,
    close: &'a str,
    /// Whether nothing that is kept in it is a statement, in a language where there must be one.
    needs_dots: bool,
    /// Whether it has been said that something in it is missing.
    is_hinted: bool,
}

struct Writer<'a> {
    tight: &'a TightLayout<'a>,
    pieces: &'a [Piece<'a>],
    kept: &'a [bool],
    out: String,
    open: Vec<Open<'a>>,
    /// Whether it has been said that something is missing that stands in nothing else.
    is_hinted: bool,
    /// Where the first mark may say more.
    legend: Option<usize>,
}

impl Writer<'_> {
    fn block(&self, index: usize) -> &Block {
        &self.tight.layout.blocks[index]
    }

    fn close(&mut self, top: &Open<'_>) {
        if top.needs_dots {
            end_line(&mut self.out);
            let margin = indent(&self.tight.wide[top.index + 1].text).to_owned();
            self.out.push_str(&format!("{margin}...\n"));
        }
        if !top.close.is_empty() {
            if self.pieces[top.index].text.ends_with('\n') {
                end_line(&mut self.out);
            }
            self.out.push_str(top.close);
        }
    }

    /// Writes a block of which nothing is kept but its head, if that can be said on one line.
    fn head_alone(&mut self, at: usize) -> bool {
        let text = &self.pieces[at].text;
        if self.tight.forms[at] != Form::Open {
            self.out.push_str(text);
            return true;
        }
        let block = self.block(at);
        let (head, close) = (text.trim_end(), self.pieces[at].close.trim());
        let is_one = block.holds_blocks && !close.contains('\n');
        if block.language.is_indented && is_one && close.is_empty() && head.ends_with(':') {
            self.out.push_str(&format!("{head} ...\n"));
            return true;
        }
        if !block.language.is_indented && is_one && head.ends_with('{') && close.starts_with(['}', ')', ']']) {
            self.out.push_str(&format!("{head}/*…*/{close}\n"));
            return true;
        }
        false
    }

    /// Writes a head of which something in it is kept, or that must be closed on a line of its own.
    fn head(&mut self, at: usize) {
        let next = self.tight.layout.next[at];
        let is_statement =
            |index: usize| self.kept[index] && !matches!(self.block(index).role, Role::Comment | Role::Blank);
        let needs_dots = self.block(at).language.is_indented && !(at + 1..next).any(is_statement);
        let as_it_is = self.tight.forms[at] != Form::Open;
        let piece = if as_it_is { &self.tight.wide[at] } else { &self.pieces[at] };
        let body_is_kept = (at + 1..next).any(|index| {
            self.kept[index]
                && self.tight.layout.blocks[index].parent == Some(at)
                && self.block(index).role == Role::Body
        });
        let line = joined(&piece.text, self.block(at).language).filter(|_| as_it_is && !body_is_kept);
        match line {
            Some(line) => {
                let margin = margin(&piece.text, self.block(at));
                self.out.push_str(&format!("{margin}{line}\n"));
                let Block { language, depth, .. } = *self.block(at);
                let close = moved(piece.close, language, depth);
                self.open.push(Open { index: at, close, needs_dots, is_hinted: false });
                return;
            }
            None => self.out.push_str(&piece.text),
        }
        self.open.push(Open { index: at, close: piece.close, needs_dots, is_hinted: false });
    }

    /// Where the gap that begins at `at` ends: before what is kept, or where something must be closed.
    fn gap_end(&self, at: usize) -> usize {
        let closed = self.open.iter().rev().find(|top| !top.close.is_empty() || top.needs_dots);
        let most = closed.map_or(self.kept.len(), |top| self.tight.layout.next[top.index]);
        at + self.kept[at..most.max(at)].iter().take_while(|kept| !**kept).count()
    }

    /// Notes a gap, and marks it where it is the first or something is missing that nothing tells of yet;
    /// `head` is the block before it that stands there for all that it holds.
    fn gap(&mut self, gap: Range<usize>, head: Option<usize>, marks: &mut Marks<'_>) {
        if gap.is_empty() {
            return;
        }
        let mark = marks.cut_to(gap.clone(), head.map_or(0, |head| self.tight.wide[head].end));
        let told = head.map_or(gap.start, |head| self.tight.layout.next[head]);
        let is_missing = |index: usize| {
            let block = self.block(index);
            match block.role {
                Role::Blank | Role::Comment | Role::Text => false,
                Role::Loose => !is_attribute(&self.tight.wide[index]),
                _ => true,
            }
        };
        if mark.is_empty() {
            // Once for each block that parts are missing from.
            if !(told..gap.end).any(is_missing)
                || std::mem::replace(self.open.last_mut().map_or(&mut self.is_hinted, |top| &mut top.is_hinted), true)
            {
                return;
            }
        }
        let language = self.block(gap.start).language;
        let sign = language.line_comment;
        let begins_line = self.out.is_empty() || self.out.ends_with('\n');
        let last = &self.tight.wide[gap.end - 1];
        let ends_line = last.text.ends_with('\n') || last.close.ends_with('\n') || gap.end == self.kept.len();
        let words = if mark.is_empty() { "…" } else { &mark };
        let of_mark = |start: usize| (!mark.is_empty() && mark.ends_with(']')).then(|| start + mark.len() - 1);
        if !(begins_line && ends_line || language.is_indented || language.is_plain) {
            self.out.push_str("/* ");
            self.legend = self.legend.or(of_mark(self.out.len()));
            self.out.push_str(&format!("{words} */{}", if ends_line { "\n" } else { " " }));
            return;
        }
        end_line(&mut self.out);
        if self.out.is_empty() || (head.is_none() && !mark.is_empty()) {
            let first = indent(&self.tight.wide[gap.start].text).to_owned();
            self.out.push_str(&format!("{first}{sign} "));
        } else {
            self.out.truncate(self.out.trim_end().len());
            let last = self.out.rsplit('\n').next().unwrap_or("");
            if mark.is_empty() && last.contains(sign) && last.ends_with(['…', ']']) {
                self.out.push('\n');
                return;
            }
            let blank = if language.is_indented { "  " } else { " " };
            self.out.push_str(&format!("{blank}{sign}"));
            if !mark.is_empty() || language.is_indented || language.is_plain {
                self.out.push(' ');
            }
        }
        self.legend = self.legend.or(of_mark(self.out.len()));
        self.out.push_str(&format!("{words}\n"));
    }
}
