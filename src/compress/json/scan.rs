//! Where the values of a JSON text begin and end.

use std::ops::Range;

use serde::de::IgnoredAny;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    Text,
    /// A number, a truth value or null.
    Plain,
}

/// A value in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) shape: Shape,
    /// Its name with quotes, in an object.
    pub(super) key: Option<Range<usize>>,
    /// The value itself.
    pub(super) span: Range<usize>,
    /// The number of the first node after it and all it holds.
    pub(super) next: usize,
}

/// A valid JSON text, or several of them on a line each. Nodes stand before what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) nodes: Vec<Node>,
    /// Whether each line is a text of its own.
    pub(super) is_lines: bool,
}

impl Document {
    /// Returns the document; `None` when the text is neither JSON nor JSON Lines.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The validity of the whole is serde_json's business, the places of its parts are ours.
        let is_valid = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
        let mut scanner = Scanner { text, at: 0, nodes: Vec::new() };
        if is_valid(text) {
            scanner.value(None);
            return Some(Self { nodes: scanner.nodes, is_lines: false });
        }
        let filled = || text.lines().filter(|line| !line.trim().is_empty());
        if filled().take(2).count() < 2 || !filled().all(is_valid) {
            return None;
        }
        for line in super::super::lines::spans(text) {
            if !text[line.clone()].trim().is_empty() {
                scanner.at = line.start;
                scanner.value(None);
            }
        }
        Some(Self { nodes: scanner.nodes, is_lines: true })
    }

    /// The numbers of the nodes directly in `nodes[parent]`; of the roots without one.
    pub(super) fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let (mut at, end) = match parent {
            Some(parent) if matches!(self.nodes[parent].shape, Shape::Object | Shape::Array) => {
                (parent + 1, self.nodes[parent].next)
            }
            Some(parent) => (parent, parent),
            None => (0, self.nodes.len()),
        };
        std::iter::from_fn(move || {
            let index = at;
            (index < end).then(|| {
                at = self.nodes[index].next;
                index
            })
        })
    }
}

/// Walks a text that is known to be valid.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    nodes: Vec<Node>,
}

impl Scanner<'_> {
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
            self.at += 1;
        }
    }

    /// Recurses as deep as the text is nested, which serde_json has limited to 128.
    fn value(&mut self, key: Option<Range<usize>>) {
        self.skip_blanks();
        let start = self.at;
        let index = self.nodes.len();
        let shape = match self.byte() {
            b'{' => Shape::Object,
            b'[' => Shape::Array,
            b'"' => Shape::Text,
            _ => Shape::Plain,
        };
        self.nodes.push(Node { shape, key, span: start..start, next: 0 });
        match shape {
            Shape::Object | Shape::Array => {
                self.at += 1;
                loop {
                    self.skip_blanks();
                    if matches!(self.byte(), b'}' | b']' | 0) {
                        self.at = (self.at + 1).min(self.text.len());
                        break;
                    }
                    let key = (shape == Shape::Object).then(|| self.string());
                    self.value(key);
                }
            }
            Shape::Text => {
                self.string();
            }
            Shape::Plain => {
                while !matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']' | 0) {
                    self.at += 1;
                }
            }
        }
        self.nodes[index].span.end = self.at;
        self.nodes[index].next = self.nodes.len();
    }

    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while !matches!(self.byte(), b'"' | 0) {
            self.at += if self.byte() == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        start..self.at
    }
}

/// Returns `json`, a valid text, without the blanks between its values.
pub(super) fn without_blanks(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_are() {
        let text = " {\"a\\\"\" : [1, {\"b\": null}], \"c\": \"x\"} ";
        let document = Document::parse(text).expect("valid");
        let spans: Vec<&str> = document.nodes.iter().map(|node| &text[node.span.clone()]).collect();
        assert_eq!(spans[1..], ["[1, {\"b\": null}]", "1", "{\"b\": null}", "null", "\"x\""]);
        assert_eq!(document.children(Some(0)).collect::<Vec<_>>(), [1, 5]);
        assert_eq!(without_blanks(text), "{\"a\\\"\":[1,{\"b\":null}],\"c\":\"x\"}");
    }

    #[test]
    fn lines_are_documents() {
        let document = Document::parse("{\"a\":1}\n\n[2]\n").expect("valid");
        assert!(document.is_lines);
        assert_eq!(document.children(None).count(), 2);
        assert_eq!(Document::parse("{\"a\":1}\n{"), None);
        assert_eq!(Document::parse("words"), None);
        assert_eq!(Document::parse(&"[".repeat(100_000)), None);
    }
}
