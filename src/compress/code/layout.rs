//! Writing a selection of blocks so that it still parses.

use std::ops::Range;

use super::super::draft::{Layout, Piece};
use super::super::marks::Marks;
use super::blocks::{Block, Role};
use super::language::Language;

/// Writes blocks; what is cut becomes a comment, in Python with a `...` before it.
pub(super) struct CodeLayout {
    blocks: Vec<Meta>,
    language: Language,
}

struct Meta {
    /// The blanks at the beginning of its first line that is not blank.
    indent: String,
    /// The number of the first block after it and all that it holds.
    next: usize,
    is_body: bool,
    is_blank: bool,
}

impl CodeLayout {
    pub(super) fn of(text: &str, language: Language, blocks: Vec<Block>) -> Self {
        let mut next: Vec<usize> = (1..=blocks.len()).collect();
        for index in (0..blocks.len()).rev() {
            if let Some(parent) = blocks[index].parent {
                next[parent] = next[parent].max(next[index]);
            }
        }
        let blocks = blocks
            .into_iter()
            .zip(next)
            .map(|(block, next)| {
                let open = &text[block.open.clone()];
                let first = open.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
                let indent = first[..first.len() - first.trim_start().len()].to_owned();
                Meta { indent, next, is_body: block.role == Role::Body, is_blank: block.role == Role::Blank }
            })
            .collect();
        Self { blocks, language }
    }

    fn level(&self, range: Range<usize>, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>, out: &mut String) {
        let mut at = range.start;
        while at < range.end {
            if kept[at] {
                let next = self.blocks[at].next;
                out.push_str(&pieces[at].text);
                self.level(at + 1..next, pieces, kept, marks, out);
                if !pieces[at].close.is_empty() {
                    end_line(out);
                    out.push_str(pieces[at].close);
                }
                at = next;
                continue;
            }
            let start = at;
            while at < range.end && !kept[at] {
                at = self.blocks[at].next;
            }
            self.mark(start..at, marks, out);
        }
    }

    fn mark(&self, cut: Range<usize>, marks: &mut Marks<'_>, out: &mut String) {
        let mark = marks.cut(cut.clone());
        let first = cut.clone().find(|index| !self.blocks[*index].is_blank).unwrap_or(cut.start);
        let indent = &self.blocks[first].indent;
        end_line(out);
        if self.language.is_indented {
            out.push_str(&format!("{indent}... # {mark}\n"));
        } else if self.blocks[first].is_body {
            out.push_str(&format!("{indent}/* {mark} */\n"));
        } else {
            out.push_str(&format!("{indent}{} {mark}\n", self.language.line_comment));
        }
    }
}

impl Layout for CodeLayout {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        self.level(0..pieces.len(), pieces, kept, marks, &mut out);
        out
    }
}

fn end_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}
