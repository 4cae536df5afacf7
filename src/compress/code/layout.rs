//! Writing a selection of blocks so that it still parses.
//!
//! What is cut becomes a comment. Where a whole body is cut, the comment stands in its brackets:
//! `fn f() {/* […12-20] */}`, in Python after three dots: `def f(): ... # […12-20]`. A mark that has
//! closing brackets behind it stands for the lines it names, these brackets included.

use std::ops::Range;

use super::super::draft::{Draft, Layout, Piece};
use super::super::marks::Marks;
use super::blocks::{Block, Role};
use super::tight::TightLayout;

/// Writes blocks; what is cut becomes a comment.
pub(super) struct CodeLayout {
    pub(super) blocks: Vec<Block>,
    /// For each block the number of the first one after it and all that it holds.
    pub(super) next: Vec<usize>,
}

impl CodeLayout {
    pub(super) fn of(blocks: Vec<Block>) -> Self {
        let mut next: Vec<usize> = (1..=blocks.len()).collect();
        for index in (0..blocks.len()).rev() {
            if let Some(parent) = blocks[index].parent {
                next[parent] = next[parent].max(next[index]);
            }
        }
        Self { blocks, next }
    }

    /// Whether the close of a block may stand behind a mark.
    fn closes_inline(&self, piece: &Piece<'_>) -> bool {
        piece.close.trim_start().starts_with(['}', ')', ']'])
    }
}

impl Layout for CodeLayout {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut writer = Writer { layout: self, pieces, out: String::new(), open: Vec::new() };
        let mut at = 0;
        loop {
            while let Some(top) = writer.open.pop_if(|top| self.next[*top] <= at) {
                writer.close(top);
            }
            if at == pieces.len() {
                return writer.out;
            }
            if kept[at] {
                writer.out.push_str(&pieces[at].text);
                if self.next[at] > at + 1 || !pieces[at].close.is_empty() {
                    writer.open.push(at);
                }
                at += 1;
                continue;
            }
            let end = at + kept[at..].iter().take_while(|kept| !**kept).count();
            at = writer.gap(at..end, marks);
        }
    }

    fn wants_shorter_marks(&self, kept: &[bool]) -> bool {
        self.blocks.iter().zip(kept).any(|(block, kept)| block.role == Role::Definition && !block.is_known && !kept)
    }

    fn tighter<'a>(&'a self, pieces: &'a [Piece<'a>]) -> Option<Draft<'a>> {
        let (layout, pieces) = TightLayout::of(self, pieces);
        Some(Draft { pieces, layout: Box::new(layout) })
    }
}

struct Writer<'a> {
    layout: &'a CodeLayout,
    pieces: &'a [Piece<'a>],
    out: String,
    /// The kept blocks that have not been closed yet.
    open: Vec<usize>,
}

impl Writer<'_> {
    fn close(&mut self, top: usize) {
        let close = self.pieces[top].close;
        if close.is_empty() {
            return;
        }
        let is_own_line = self.pieces[top].text.ends_with('\n');
        if is_own_line {
            end_line(&mut self.out);
        }
        self.out.push_str(close);
    }

    /// Writes the mark for a gap; returns where the gap ends, which is earlier where something has
    /// to be closed within it.
    fn gap(&mut self, gap: Range<usize>, marks: &mut Marks<'_>) -> usize {
        let layout = self.layout;
        let opener = self.open.last().copied().filter(|top| top + 1 == gap.start);
        let language = layout.blocks[gap.start].language;
        let sign = if language.is_indented { ':' } else { '{' };
        // A mark behind the opening bracket stands for all that is in the brackets.
        let is_inline = opener.filter(|top| layout.next[*top] <= gap.end).is_some_and(|top| {
            self.pieces[top].text.trim_end().ends_with(sign)
                && (language.is_indented || layout.closes_inline(&self.pieces[top]))
        });
        let mut end = gap.end;
        let mut closes = String::new();
        let mut ends_at = None;
        let mut closes_line = false;
        while let Some(top) = self.open.last().copied()
            && (layout.next[top] < gap.end || (is_inline && layout.next[top] == gap.end && Some(top) == opener))
        {
            let piece = &self.pieces[top];
            if !piece.close.is_empty() {
                if !is_inline || !layout.closes_inline(piece) {
                    end = layout.next[top];
                    break;
                }
                closes.push_str(if closes.is_empty() { "" } else { " " });
                closes.push_str(piece.close.trim());
                ends_at = Some(piece.end);
                closes_line = piece.close.ends_with('\n');
            }
            self.open.pop();
        }
        let gap = gap.start..end;
        let mark = marks.cut_to(gap.clone(), ends_at.unwrap_or(0));
        let last = &self.pieces[gap.end - 1];
        let ends_line = match ends_at {
            Some(at) if at > last.end => closes_line,
            _ => last.text.ends_with('\n') || last.close.ends_with('\n') || gap.end == self.pieces.len(),
        };
        if is_inline {
            let length = self.out.trim_end().len();
            self.out.truncate(length);
            if language.is_indented {
                self.out.push_str(" ...");
                if !mark.is_empty() {
                    self.out.push_str(&format!("  # {mark}"));
                }
            } else {
                let mark = if mark.is_empty() { "…".to_owned() } else { format!(" {mark} ") };
                self.out.push_str(&format!("/*{mark}*/{closes}"));
            }
            self.out.push(if ends_line || language.is_indented { '\n' } else { ' ' });
            return gap.end;
        }
        let is_told = |index: &usize| !matches!(layout.blocks[*index].role, Role::Blank | Role::Comment);
        let statement = gap.clone().find(is_told);
        let first = statement.or_else(|| gap.clone().find(|index| layout.blocks[*index].role != Role::Blank));
        let indent = first.map_or("", |index| indent(&self.pieces[index].text));
        let is_bare = mark.is_empty();
        let mark = if is_bare { "…".to_owned() } else { mark };
        let begins_line = self.out.is_empty() || self.out.ends_with('\n');
        if language.is_indented {
            end_line(&mut self.out);
            let is_needed = statement.is_some_and(|index| {
                layout.blocks[index].parent.is_some_and(|parent| layout.blocks[parent].role != Role::File)
            });
            let dots = if is_needed { "... " } else { "" };
            if is_bare && !is_needed && self.out.ends_with('\n') {
                self.out.truncate(self.out.trim_end().len());
                self.out.push_str("  # …\n");
            } else {
                self.out.push_str(&format!("{indent}{dots}# {mark}\n"));
            }
        } else if is_bare && begins_line && ends_line && !self.out.is_empty() {
            // A line of its own would cost more than all that a bare mark says.
            self.out.truncate(self.out.trim_end().len());
            self.out.push_str(&format!(" {}…\n", language.line_comment));
        } else if begins_line && ends_line {
            self.out.push_str(&format!("{indent}{} {mark}\n", language.line_comment));
        } else {
            self.out.push_str(&format!("/* {mark} */{}", if ends_line { "\n" } else { " " }));
        }
        gap.end
    }
}

/// The blanks at the beginning of the first line that is not blank.
pub(super) fn indent(text: &str) -> &str {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    &first[..first.len() - first.trim_start().len()]
}

pub(super) fn end_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}
