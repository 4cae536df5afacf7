//! Writes messages as JSON again, and notes the long strings in them.

use std::ops::Range;

use super::super::scan::Shape;
use super::reader::Reader;

/// A string longer than this, in bytes, is cut by its kind; a shorter one belongs to its message.
const SECTION_MIN: usize = 240;

/// A string without a blank that is longer than this, in bytes, is data: an image, a signature.
const WORD_MAX: usize = 400;

/// A member beside the messages that is longer than this, in bytes, may be cut as a whole.
const MEMBER_MAX: usize = 1_000;

/// Strings of these names say what a message is, and are never cut.
const KEPT_WHOLE: &[&str] = &[
    "\"id\"",
    "\"type\"",
    "\"role\"",
    "\"name\"",
    "\"call_id\"",
    "\"tool_call_id\"",
    "\"tool_use_id\"",
    "\"model\"",
    "\"signature\"",
    "\"media_type\"",
];

/// What a string is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// What somebody said.
    Said,
    /// What a tool was called with.
    Call,
    /// What a tool gave back.
    Result,
    /// Something beside the messages.
    Beside,
    /// The prompt that rules everything.
    System,
}

/// A part of what is written.
pub(super) enum Segment {
    Raw(String),
    Section(usize),
}

/// Writes the JSON of values, and notes the sections in them.
pub(super) struct Scribe<'a, 'd> {
    pub(super) reader: Reader<'a, 'd>,
    pub(super) sections: Vec<(Use, Range<usize>, bool)>,
}

impl Scribe<'_, '_> {
    pub(super) fn value(&mut self, node: usize, used: Use, out: &mut Vec<Segment>) {
        let Reader { text, document } = self.reader;
        let value = &document.nodes[node];
        match value.shape {
            Shape::Plain => raw(out, &text[value.span()]),
            Shape::Text => {
                let string = &text[value.span()];
                let key = value.key().map_or("", |key| &text[key]);
                if string.len() <= SECTION_MIN || KEPT_WHOLE.contains(&key) {
                    return raw(out, string);
                }
                let head = &string[..string.floor_char_boundary(WORD_MAX)];
                let is_data = string.len() > WORD_MAX && !head.contains([' ', '\\', ',', '{']);
                self.section(used, value.span(), is_data, out);
            }
            Shape::Array => {
                raw(out, "[");
                for (place, child) in document.children(Some(node)).enumerate() {
                    raw(out, if place > 0 { "," } else { "" });
                    let kind = self.reader.string(child, "type").unwrap_or("");
                    let used = match kind {
                        "tool_result" => Use::Result,
                        "tool_use" | "server_tool_use" | "function" => Use::Call,
                        _ => used,
                    };
                    self.value(child, used, out);
                }
                raw(out, "]");
            }
            Shape::Object => {
                raw(out, "{");
                for (place, child) in document.children(Some(node)).enumerate() {
                    raw(out, if place > 0 { "," } else { "" });
                    self.name(child, out);
                    let used = match self.reader.key(child) {
                        "arguments" | "tool_calls" | "function_call" => Use::Call,
                        _ => used,
                    };
                    self.value(child, used, out);
                }
                raw(out, "}");
            }
        }
    }

    pub(super) fn name(&self, node: usize, out: &mut Vec<Segment>) {
        if let Some(key) = self.reader.document.nodes[node].key() {
            raw(out, &self.reader.text[key]);
            raw(out, ":");
        }
    }

    pub(super) fn section(&mut self, used: Use, span: Range<usize>, is_whole: bool, out: &mut Vec<Segment>) {
        out.push(Segment::Section(self.sections.len()));
        self.sections.push((used, span, is_whole));
    }

    /// A member beside the messages: what stands before them, or after.
    pub(super) fn beside(&mut self, node: usize, out: &mut Vec<Segment>) {
        let value = &self.reader.document.nodes[node];
        self.name(node, out);
        match (value.shape, self.reader.key(node)) {
            (_, "system" | "instructions") => self.value(node, Use::System, out),
            (Shape::Array | Shape::Object, _) if value.span().len() > MEMBER_MAX => {
                self.section(Use::Beside, value.span(), true, out);
            }
            _ => self.value(node, Use::Beside, out),
        }
    }
}

pub(super) fn raw(out: &mut Vec<Segment>, text: &str) {
    match out.last_mut() {
        Some(Segment::Raw(last)) => last.push_str(text),
        _ => out.push(Segment::Raw(text.to_owned())),
    }
}
