//! Where the values of a JSON text begin and end.

use std::ops::Range;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compress) enum Shape {
    Object,
    Array,
    Text,
    /// A number, a truth value or null.
    Plain,
}

/// A value in the text. There may be one for every few bytes, so places are kept in four bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::compress) struct Node {
    pub(super) shape: Shape,
    key_start: u32,
    /// 0 where there is no name: one has quotes at least.
    key_length: u32,
    start: u32,
    end: u32,
    next: u32,
}

impl Node {
    /// The value itself.
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Its name with quotes, in an object.
    pub(super) fn key(&self) -> Option<Range<usize>> {
        let start = self.key_start as usize;
        (self.key_length > 0).then(|| start..start + self.key_length as usize)
    }

    /// The number of the first node after it and all it holds.
    pub(super) fn next(&self) -> usize {
        self.next as usize
    }

    /// Whether it holds others.
    pub(super) fn is_container(&self) -> bool {
        matches!(self.shape, Shape::Object | Shape::Array)
    }
}

/// A valid JSON text, or several of them on a line each. Nodes stand before what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::compress) struct Document {
    pub(super) nodes: Vec<Node>,
    /// Whether each line is a text of its own.
    pub(super) is_lines: bool,
}

impl Document {
    /// Returns the document; `None` when the text is neither JSON nor JSON Lines, is nested deeper
    /// than [`DEPTH_MAX`] or longer than four bytes can count. One walk over the text finds all out.
    pub(in crate::compress) fn parse(text: &str) -> Option<Self> {
        u32::try_from(text.len()).ok()?;
        let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, nodes: Vec::new() };
        scanner.value()?;
        scanner.skip_blanks();
        if scanner.at == text.len() {
            return Some(Self { nodes: scanner.nodes, is_lines: false });
        }
        // A line that is a text is the value that the whole begins with; so on with the others.
        let mut root = 0;
        loop {
            let span = scanner.nodes[root].span();
            let rest = &text[span.end..];
            let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
            if text[span].contains('\n') || !line.bytes().all(is_blank) {
                return None;
            }
            scanner.skip_blanks();
            if scanner.at == text.len() {
                return Some(Self { nodes: scanner.nodes, is_lines: true });
            }
            root = scanner.nodes.len();
            scanner.value()?;
        }
    }

    /// The numbers of the nodes directly in `nodes[parent]`; of the roots without one.
    pub(super) fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let (mut at, end) = match parent {
            Some(parent) if self.nodes[parent].is_container() => (parent + 1, self.nodes[parent].next()),
            Some(parent) => (parent, parent),
            None => (0, self.nodes.len()),
        };
        std::iter::from_fn(move || {
            let index = at;
            (index < end).then(|| {
                at = self.nodes[index].next();
                index
            })
        })
    }
}

/// Values that are nested deeper are not looked at: what works on a document may call itself for each level.
const DEPTH_MAX: usize = 128;

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Walks a text and finds out whether it is valid.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl Scanner<'_> {
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn skip_blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| is_blank(*byte)) {
            self.at += 1;
        }
    }

    /// Walks over a value and all that it holds, without calling itself.
    fn value(&mut self) -> Option<()> {
        let mut open: Vec<usize> = Vec::new();
        loop {
            self.skip_blanks();
            let key = match open.last() {
                Some(parent) if self.nodes[*parent].shape == Shape::Object => {
                    let key = self.string()?;
                    self.skip_blanks();
                    self.take(b':')?;
                    self.skip_blanks();
                    key
                }
                _ => 0..0,
            };
            let start = self.at as u32;
            let index = self.nodes.len();
            let shape = match self.byte() {
                b'{' => Shape::Object,
                b'[' => Shape::Array,
                b'"' => Shape::Text,
                _ => Shape::Plain,
            };
            let (key_start, key_length) = (key.start as u32, key.len() as u32);
            self.nodes.push(Node { shape, key_start, key_length, start, end: start, next: 0 });
            match shape {
                Shape::Object | Shape::Array => {
                    self.at += 1;
                    self.skip_blanks();
                    open.push(index);
                    if open.len() > DEPTH_MAX {
                        return None;
                    }
                    if !matches!(self.byte(), b'}' | b']') {
                        continue;
                    }
                }
                Shape::Text => {
                    self.string()?;
                    self.end(index);
                }
                Shape::Plain => {
                    self.plain()?;
                    self.end(index);
                }
            }
            // The ends of what ends here.
            loop {
                let Some(parent) = open.last().copied() else { return Some(()) };
                self.skip_blanks();
                let close = if self.nodes[parent].shape == Shape::Object { b'}' } else { b']' };
                match self.byte() {
                    b',' if self.nodes.len() > parent + 1 => {
                        self.at += 1;
                        break;
                    }
                    byte if byte == close => {
                        self.at += 1;
                        self.end(parent);
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn end(&mut self, index: usize) {
        self.nodes[index].end = self.at as u32;
        self.nodes[index].next = self.nodes.len() as u32;
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.byte() == byte).then(|| self.at += 1)
    }

    /// A number, a truth value or null.
    fn plain(&mut self) -> Option<()> {
        for word in ["true", "false", "null"] {
            if self.bytes[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Some(());
            }
        }
        if self.byte() == b'-' {
            self.at += 1;
        }
        match self.byte() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            self.at += plain_bytes(&self.bytes[self.at..]);
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            match byte {
                b'"' => return Some(start..self.at),
                b'\\' => {
                    let escape = *self.bytes.get(self.at)?;
                    self.at += 1;
                    match escape {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            let digits = self.bytes.get(self.at..self.at + 4)?;
                            if !digits.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 4;
                        }
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => {}
            }
        }
    }
}

/// How many bytes of a string follow that are neither its end nor escaped, eight at a time; or fewer.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The highest bit of each byte that is zero; what is above the first of them may be wrong.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(Ok(chunk)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let word = u64::from_le_bytes(chunk);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = quotes | escapes | controls;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at
}

/// Returns `json`, a valid text, without the blanks between its values.
pub(super) fn without_blanks(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut out = String::with_capacity(json.len());
    // What is copied begins at `start`; between blanks, which are one byte each.
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = string_end(bytes, at + 1),
            byte if is_blank(byte) => {
                out.push_str(&json[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    out.push_str(&json[start..]);
    out
}

/// Whether a text is one value of JSON. Most that are not say so with their first byte.
pub(super) fn is_value(text: &str) -> bool {
    let is_parsed = || serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    match text.as_bytes().first() {
        Some(b't' | b'f' | b'n') => matches!(text.trim_end_matches([' ', '\t', '\n', '\r']), "true" | "false" | "null"),
        Some(b'-' | b'0'..=b'9' | b'"' | b'[' | b'{' | b' ' | b'\t' | b'\n' | b'\r') => is_parsed(),
        _ => false,
    }
}

/// The end of a string of which `at` is within, after its quote.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += plain_bytes(&bytes[at.min(bytes.len())..]);
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_are() {
        let text = " {\"a\\\"\" : [1, {\"b\": null}], \"c\": \"x\"} ";
        let document = Document::parse(text).expect("valid");
        let spans: Vec<&str> = document.nodes.iter().map(|node| &text[node.span()]).collect();
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
        assert_eq!(Document::parse("{\"a\":1} {\"a\":2}\n3"), None);
        assert_eq!(Document::parse("[1,\n2]\n[3]"), None);
    }

    #[test]
    fn what_is_valid_is_what_serde_json_says() {
        let is_valid = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let texts = [
            "",
            " ",
            "1",
            "-0.5e+10",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "tru",
            "true",
            "nul",
            "null",
            "null \t\r\n",
            "true\u{c}",
            "falsely",
            "\"",
            "\"a\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u00e9\"",
            "\"\\ud800\"",
            "\"a\nb\"",
            "[",
            "]",
            "[]",
            "[,]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "{}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}",
            "{\"a\":1]",
            "[1}",
            "{\"a\" : [ ] , \"b\" : { } }",
            "[[],{}]",
            "[]]",
            "\u{feff}1",
            "1 2",
            "{,\"a\":1}",
            "[{},]",
        ];
        for text in texts {
            let is_one = Document::parse(text).is_some_and(|document| !document.is_lines);
            assert_eq!((is_one, is_value(text)), (is_valid(text), is_valid(text)), "{text}");
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Document::parse(&deep(DEPTH_MAX)).is_some() && Document::parse(&deep(DEPTH_MAX + 1)).is_none());
    }
}
