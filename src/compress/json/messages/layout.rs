//! How the kept messages and the kept parts of their strings are written down.

use std::borrow::Cow;
use std::ops::Range;

use super::scribe::{Segment, Use};
use super::{escaped, told};
use crate::base::thousands;
use crate::compress::draft::{Layout, Piece};
use crate::compress::lines::LineIndex;
use crate::compress::marks::Marks;

/// A long string, or a member beside the messages.
pub(super) struct Section<'a> {
    pub(super) used: Use,
    /// The value in the document.
    pub(super) span: Range<usize>,
    /// Whether it is cut as a whole; otherwise it is a string that is cut by its kind.
    pub(super) is_whole: bool,
    /// Its pieces, by their numbers in the whole draft.
    pub(super) range: Range<usize>,
    /// Its own pieces: not escaped, with spans in the string.
    pub(super) pieces: Vec<Piece<'a>>,
    pub(super) layout: Option<Box<dyn Layout + 'a>>,
}

/// Messages that belong together.
pub(super) struct Group {
    pub(super) piece: usize,
    pub(super) end: usize,
    pub(super) messages: Vec<Vec<Segment>>,
}

pub(super) struct Conversation<'a> {
    pub(super) text: &'a str,
    pub(super) open: Vec<Segment>,
    pub(super) close: Vec<Segment>,
    pub(super) between: &'static str,
    pub(super) groups: Vec<Group>,
    pub(super) sections: Vec<Section<'a>>,
}

impl Layout for Conversation<'_> {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        let kept = Kept { pieces, kept };
        self.segments(&self.open, &kept, marks, &mut out);
        let mut is_first = true;
        let mut number = 0;
        while number < self.groups.len() {
            if !std::mem::take(&mut is_first) {
                out.push_str(self.between);
            }
            let group = &self.groups[number];
            if kept.kept[group.piece] {
                for (place, message) in group.messages.iter().enumerate() {
                    out.push_str(if place > 0 { self.between } else { "" });
                    self.segments(message, &kept, marks, &mut out);
                }
                number += 1;
                continue;
            }
            let gap = self.groups[number..].iter().take_while(|group| !kept.kept[group.piece]).count();
            let gap = &self.groups[number..number + gap];
            let count = gap.iter().map(|group| group.messages.len()).sum();
            let cut = marks.note(group.piece..gap[gap.len() - 1].end);
            let which = if count == 1 { "1 message".to_owned() } else { format!("{} messages", thousands(count)) };
            let words = if marks.is_full() {
                let (from, to) = (cut.from_line, cut.to_line);
                let lines = if from == to { format!("line {from}") } else { format!("lines {from}-{to}") };
                let part = if cut.partial { "part of " } else { "" };
                let handle = marks.handle().map_or(String::new(), |handle| format!(", {handle}"));
                format!("[{which} cut, {part}{lines}, {} tokens{handle}]", thousands(cut.tokens))
            } else {
                format!("[{which} cut]")
            };
            out.push_str(&told(&words));
            number += gap.len();
        }
        self.segments(&self.close, &kept, marks, &mut out);
        if self.between == "\n" {
            out.push('\n');
        }
        out
    }
}

struct Kept<'a> {
    pieces: &'a [Piece<'a>],
    kept: &'a [bool],
}

impl Conversation<'_> {
    fn segments(&self, segments: &[Segment], kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        for segment in segments {
            match segment {
                Segment::Raw(text) => out.push_str(text),
                Segment::Section(section) => self.section(&self.sections[*section], kept, marks, out),
            }
        }
    }

    fn section(&self, section: &Section<'_>, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        let range = section.range.clone();
        let chosen = &kept.kept[range.clone()];
        if chosen.iter().all(|kept| *kept) {
            if section.is_whole {
                out.push_str(&kept.pieces[range.start].text);
            } else {
                out.push_str(&self.text[section.span.clone()]);
            }
            return;
        }
        if !chosen.contains(&true) {
            let cut = marks.note(range);
            let words = match marks.words(&cut) {
                words if words.is_empty() => "[…]".to_owned(),
                words => words,
            };
            let first = self.text.as_bytes()[section.span.start];
            out.push_str(&match (first, section.used) {
                (b'[', _) => "[]".to_owned(),
                (b'{', _) => format!("{{\"…\":\"{words}\"}}"),
                (_, Use::Call) if is_json(&self.text[section.span.clone()]) => {
                    format!("\"{{\\\"…\\\":\\\"{words}\\\"}}\"")
                }
                _ => format!("\"{words}\""),
            });
            return;
        }
        let Some(layout) = &section.layout else { return };
        // Layouts that tell of all their gaps at the end must not tell of those before theirs.
        let is_told_once = layout.marks_once() || !layout.marks_each_gap();
        let before = if is_told_once { Vec::new() } else { std::mem::take(&mut marks.cuts) };
        // A string of JSON has no line feeds.
        let lines = LineIndex::within(marks.lines.number(section.span.start));
        let mut inner = Marks {
            pieces: &section.pieces,
            costs: &marks.costs[range],
            lines: &lines,
            handle: marks.handle,
            style: marks.style,
            whole: marks.whole,
            cuts: before,
        };
        let written = layout.write(&section.pieces, chosen, &mut inner);
        marks.cuts.append(&mut inner.cuts);
        out.push('"');
        out.push_str(&escaped(&Cow::Owned(written)));
        out.push('"');
    }
}

/// Whether a string holds an object.
fn is_json(string: &str) -> bool {
    string.trim_start_matches(['"', ' ']).starts_with('{')
}
