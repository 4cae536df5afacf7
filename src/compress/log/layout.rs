//! How the kept lines of a log are written down.
//!
//! A line after a gap begins with its number, any other one with a blank. The head of a line is
//! written only as far as it differs from what was written last, and the values in it, such as the
//! time, only where there is room. What stands before everything else tells how to read that.

use super::super::draft::{Layout, Piece, runs};
use super::super::marks::Marks;
use super::first_line;
use super::head::Heads;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A line that stands for so many; of its head only the names are a part.
    Message(usize),
    /// The values in the head of the line before.
    Values,
    /// A line with all of its head, and how often it is there.
    Line(usize),
    /// What differs in the lines for which the one before stands.
    Ids,
    /// A further part of a long line.
    Part,
}

/// The sign before how many lines are alike, and the one where a part of a line is missing.
const TIMES: char = '×';
const CUT: char = '…';

/// Writes lines with their numbers and the changes of their heads.
pub(super) struct LogLines<'a> {
    pub(super) text: &'a str,
    pub(super) heads: Heads,
    pub(super) roles: Vec<Role>,
}

impl Layout for LogLines<'_> {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut writer =
            Writer { log: self, out: String::new(), names: Vec::new(), values: Vec::new(), shortened: None };
        let mut after_gap = true;
        for run in runs(kept) {
            if kept[run.start] {
                for index in run {
                    if matches!(self.roles[index], Role::Message(_) | Role::Line(_)) {
                        let is_told = std::mem::take(&mut after_gap) && marks.lines.is_numbered();
                        let number = is_told.then(|| marks.lines.number(pieces[index].span.start));
                        writer.line(pieces, kept, index, number);
                    } else if self.roles[index] != Role::Values {
                        writer.out.push_str(&pieces[index].text);
                    }
                }
            // Pieces that stand for no bytes were made by the compressor: nothing is missing without them.
            } else if pieces[run.clone()].iter().any(|piece| !piece.span.is_empty()) {
                marks.note(run.clone());
                let goes_on = self.roles.get(run.end) == Some(&Role::Part);
                writer.gap(goes_on && !pieces[run.end].text.trim().is_empty());
                after_gap |= pieces[run].iter().any(|piece| !piece.text.trim().is_empty());
            }
        }
        if marks.cuts.is_empty()
            && let Some(index) = writer.shortened
        {
            marks.note(index..index + 1);
        }
        let Some(told) = marks.summary() else { return writer.out };
        let legend = if marks.is_brief() { String::new() } else { writer.legend() };
        format!("{}{legend}]\n{}", told.trim_end_matches(']'), writer.out)
    }

    fn short_mark(&self, line: usize) -> String {
        format!("{line}×9 ")
    }

    fn marks_once(&self) -> bool {
        true
    }
}

struct Writer<'a> {
    log: &'a LogLines<'a>,
    out: String,
    /// The fields of heads that were written last, column by column.
    names: Vec<&'a str>,
    values: Vec<&'a str>,
    /// A line of whose head not everything is written.
    shortened: Option<usize>,
}

impl Writer<'_> {
    fn line(&mut self, pieces: &[Piece<'_>], kept: &[bool], index: usize, number: Option<usize>) {
        let piece = &pieces[index];
        let (count, is_full) = match self.log.roles[index] {
            Role::Message(count) => (count, self.log.roles.get(index + 1) != Some(&Role::Values) || kept[index + 1]),
            Role::Line(count) => (count, true),
            _ => (1, true),
        };
        if !is_full {
            self.shortened.get_or_insert(index);
        }
        if let Some(number) = number {
            self.out.push_str(&number.to_string());
        } else if count > 1 {
            self.out.push(' ');
        }
        if count > 1 {
            self.out.push_str(&format!("{TIMES}{count}"));
        }
        self.out.push(' ');
        self.head_and_message(piece, matches!(self.log.roles[index], Role::Message(_)), is_full);
    }

    fn head_and_message(&mut self, piece: &Piece<'_>, has_names_only: bool, is_full: bool) {
        let line = first_line(&self.log.text[piece.span.clone()]);
        let head = self.log.heads.head(line);
        self.names.resize(self.names.len().max(head.fields.len()), "");
        self.values.resize(self.names.len(), "");
        let mut written = 0;
        let start = self.out.len();
        for (column, field) in head.fields.iter().enumerate() {
            let last = if field.is_name { &mut self.names[column] } else { &mut self.values[column] };
            let is_new = match (is_full, field.is_name) {
                (true, _) => *last != field.text,
                (false, true) => !same_but_for_digits(last, field.text),
                (false, false) => false,
            };
            if is_new {
                *last = field.text;
                written += 1;
                self.out.push_str(field.text);
                self.out.push(' ');
            }
        }
        if written > 0 && written == head.fields.len() {
            // With the blanks and bars between them.
            self.out.truncate(start);
            self.out.push_str(&line[..head.end]);
        }
        let from = if has_names_only { head.end - head.names } else { head.end };
        self.out.push_str(&piece.text[from..]);
    }

    /// Writes a mark if something is missing within a line, which may go on after it.
    fn gap(&mut self, goes_on: bool) {
        let is_within = !self.out.is_empty() && !self.out.ends_with('\n');
        if is_within || goes_on {
            self.out.push(CUT);
        }
        if is_within && !goes_on {
            self.out.push('\n');
        }
    }

    /// Explains what stands in the text.
    fn legend(&self) -> String {
        let mut told = String::from("; N text: line N");
        for (is_there, words) in [
            (self.out.contains(TIMES), "; N×M: M alike"),
            (self.out.contains("\n+ "), "; +: values in those"),
            (self.out.contains(CUT), "; …: cut"),
            (self.shortened.is_some(), "; heads only as they change"),
        ] {
            told.push_str(if is_there { words } else { "" });
        }
        told
    }
}

fn same_but_for_digits(one: &str, other: &str) -> bool {
    let others = |text: &'_ str| text.bytes().filter(|byte| !byte.is_ascii_digit()).collect::<Vec<u8>>();
    one == other || (one.len().abs_diff(other.len()) < 8 && others(one) == others(other))
}
