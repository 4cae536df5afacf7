//! A nested document: leaves are kept or cut, and what is written is JSON again.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::Query;
use super::super::draft::{Draft, Layout, Piece};
use super::super::log::tells_of_an_error;
use super::super::marks::Marks;
use super::scan::{Document, Shape, without_blanks};
use crate::base::thousands;

/// A container that is no longer than this, in bytes, is one piece.
const SMALL: usize = 100;

/// A string longer than this, in bytes, is cut into pieces of this length.
const STRING_PART: usize = 320;

/// The most members whose names are told when they are cut.
const NAMED_MAX: usize = 3;

/// The document without blanks between its values.
pub(super) fn minified(text: &str, document: &Document) -> String {
    let roots = document.children(None).map(|root| without_blanks(&text[document.nodes[root].span.clone()]));
    let mut out = roots.collect::<Vec<_>>().join("\n");
    if document.is_lines && text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// What a piece is in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A whole value.
    Leaf,
    /// The brackets around other pieces.
    Container { is_object: bool },
    /// The beginning of a long string.
    Beginning,
    /// A further part of a long string; the last one ends with the quote.
    Continuation,
}

/// A document as pieces.
struct Tree {
    parts: Vec<Part>,
    /// For each piece the number of the first piece after it and all that it holds.
    next: Vec<usize>,
    /// The names of members, with quotes, as in the text.
    keys: Vec<Option<String>>,
    is_lines: bool,
}

/// Cuts a document into leaves.
pub(super) fn draft<'a>(text: &'a str, document: &Document, query: Option<&Query>) -> Draft<'a> {
    let mut builder = Builder {
        text,
        document,
        pieces: Vec::new(),
        paths: Vec::new(),
        tree: Tree { parts: Vec::new(), next: Vec::new(), keys: Vec::new(), is_lines: document.is_lines },
    };
    for root in document.children(None) {
        builder.node(root, None, "");
    }
    let Builder { mut pieces, paths, tree, .. } = builder;
    set_worth(&mut pieces, &tree, &paths, query);
    Draft { pieces, layout: Box::new(tree) }
}

struct Builder<'a, 'd> {
    text: &'a str,
    document: &'d Document,
    pieces: Vec<Piece<'a>>,
    paths: Vec<String>,
    tree: Tree,
}

impl<'a> Builder<'a, '_> {
    fn node(&mut self, index: usize, parent: Option<usize>, path: &str) {
        let node = &self.document.nodes[index];
        let value = &self.text[node.span.clone()];
        let key = node.key.clone().map(|key| self.text[key].to_owned());
        let path = match &key {
            Some(key) => format!("{path}.{}", key.trim_matches('"')),
            None => path.to_owned(),
        };
        let prefix = key.as_ref().map_or(String::new(), |key| format!("{key}:"));
        let begin = node.key.as_ref().map_or(node.span.start, |key| key.start);
        let is_container = matches!(node.shape, Shape::Object | Shape::Array);
        if is_container && (value.len() > SMALL || parent.is_none()) {
            let is_object = node.shape == Shape::Object;
            let (open, close) = if is_object { ("{", "},") } else { ("[", "],") };
            let number = self.push(
                Part::Container { is_object },
                self.lines_of(begin..node.span.start + 1),
                format!("{prefix}{open}"),
                close,
                parent,
                key,
                path.clone(),
            );
            for child in self.document.children(Some(index)) {
                self.node(child, Some(number), &path);
            }
            self.tree.next[number] = self.pieces.len();
            self.pieces[number].end = self.lines_of(node.span.clone()).end;
        } else if node.shape == Shape::Text && value.len() > 2 * STRING_PART {
            self.long_string(begin, &node.span, &prefix, parent, key.as_ref(), &path);
        } else {
            let written = if is_container { without_blanks(value) } else { value.to_owned() };
            self.push(
                Part::Leaf,
                self.lines_of(begin..node.span.end),
                format!("{prefix}{written}"),
                ",",
                parent,
                key,
                path,
            );
        }
    }

    /// The span with the blanks around it, where it fills its lines but for a comma.
    fn lines_of(&self, span: Range<usize>) -> Range<usize> {
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r');
        let before = self.text[..span.start].trim_end_matches(is_blank);
        let start = if before.is_empty() || before.ends_with('\n') { before.len() } else { span.start };
        let rest = &self.text[span.end..];
        let after = rest.trim_start_matches(is_blank);
        let after = after.strip_prefix(',').unwrap_or(after).trim_start_matches(is_blank);
        let end = match after.strip_prefix('\n') {
            Some(after) => self.text.len() - after.len(),
            None if after.is_empty() => self.text.len(),
            None => span.end,
        };
        start..end
    }

    fn long_string(
        &mut self,
        begin: usize,
        span: &Range<usize>,
        prefix: &str,
        parent: Option<usize>,
        key: Option<&String>,
        path: &str,
    ) {
        let first = self.pieces.len();
        let mut start = span.start;
        for end in string_cuts(&self.text[span.clone()]).into_iter().map(|end| span.start + end).chain([span.end]) {
            let part = self.text[start..end].to_owned();
            if start == span.start {
                let text = format!("{prefix}{part}");
                self.push(
                    Part::Beginning,
                    self.lines_of(begin..end),
                    text,
                    "…\",",
                    parent,
                    key.cloned(),
                    path.to_owned(),
                );
            } else {
                let before = self.pieces.len() - 1;
                self.push(Part::Continuation, self.lines_of(start..end), part, "", Some(before), None, path.to_owned());
            }
            start = end;
        }
        self.tree.next[first] = self.pieces.len();
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one piece, in one place")]
    fn push(
        &mut self,
        part: Part,
        span: Range<usize>,
        text: String,
        close: &'static str,
        needs: Option<usize>,
        key: Option<String>,
        path: String,
    ) -> usize {
        let number = self.pieces.len();
        let end = span.end;
        self.pieces.push(Piece { span, end, text: Cow::Owned(text), close, worth: 0.0, mandatory: false, needs });
        self.tree.parts.push(part);
        self.tree.next.push(number + 1);
        self.tree.keys.push(key);
        self.paths.push(path);
        number
    }
}

/// Where a long string is cut: never within an escape sequence or a surrogate pair.
fn string_cuts(string: &str) -> Vec<usize> {
    let bytes = string.as_bytes();
    let mut cuts = Vec::new();
    let mut last = 0;
    let mut at = 1;
    while at + 1 < bytes.len() {
        if at - last >= STRING_PART && string.is_char_boundary(at) {
            cuts.push(at);
            last = at;
        }
        at += match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'u')) => {
                let is_high = matches!(bytes.get(at + 2), Some(b'd' | b'D'))
                    && matches!(bytes.get(at + 3), Some(b'8' | b'9' | b'a' | b'b' | b'A' | b'B'));
                if is_high { 12 } else { 6 }
            }
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    cuts
}

/// Says what each leaf is worth: new values before repeated ones, short before long, what answers
/// the query before everything.
fn set_worth(pieces: &mut [Piece<'_>], tree: &Tree, paths: &[String], query: Option<&Query>) {
    let passages: Vec<String> =
        pieces.iter().zip(paths).map(|(piece, path)| format!("{path} {}", piece.text)).collect();
    let answers = query.map(|query| query.relevance(passages.iter().map(String::as_str)));
    let mut seen: HashSet<String> = HashSet::new();
    let mut per_path: HashMap<&str, usize> = HashMap::new();
    for index in 0..pieces.len() {
        let written = pieces[index].text.to_string();
        let value = match &tree.keys[index] {
            Some(key) => &written[key.len() + 1..],
            None => &written,
        };
        let times = per_path.entry(paths[index].as_str()).or_default();
        *times += 1;
        let mut worth = match tree.parts[index] {
            Part::Container { .. } => -1.0,
            Part::Continuation => 0.5,
            Part::Beginning => 4.0,
            Part::Leaf => {
                let dull = matches!(value, "null" | "true" | "false" | "\"\"" | "[]" | "{}") || value.contains("://");
                let base = if dull {
                    0.5
                } else if seen.insert(value.to_owned()) {
                    5.0
                } else {
                    0.1
                };
                base + 1.0 / *times as f64 + if tells_of_an_error(value) { 2.0 } else { 0.0 }
            }
        };
        worth -= written.len() as f64 / 200.0;
        if let (Some(answers), Some(query)) = (&answers, query)
            && !matches!(tree.parts[index], Part::Container { .. })
        {
            let path = paths[index].trim_start_matches('.');
            let exact = query.is_about(path) || query.names_something_in(value);
            worth += 10.0 * answers[index] + if exact { 50.0 } else { 0.0 };
        }
        pieces[index].worth = worth;
    }
}

impl Layout for Tree {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        if self.is_lines {
            self.elements(0..pieces.len(), "\n", &Kept { pieces, kept }, marks, &mut out);
            out.push('\n');
        } else if kept.first() == Some(&true) {
            self.node(0, &Kept { pieces, kept }, marks, &mut out);
        } else if !pieces.is_empty() {
            out = quoted(&marks.cut(0..pieces.len()));
        }
        out
    }
}

struct Kept<'a> {
    pieces: &'a [Piece<'a>],
    kept: &'a [bool],
}

impl Tree {
    fn node(&self, index: usize, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        out.push_str(&kept.pieces[index].text);
        let inner = index + 1..self.next[index];
        match self.parts[index] {
            Part::Leaf | Part::Continuation => {}
            Part::Container { is_object: true } => {
                self.members(index, kept, marks, out);
                out.push('}');
            }
            Part::Container { is_object: false } => {
                self.elements(inner, ",", kept, marks, out);
                out.push(']');
            }
            Part::Beginning => {
                let there = kept.kept[inner.clone()].iter().take_while(|kept| **kept).count();
                kept.pieces[inner.start..inner.start + there].iter().for_each(|piece| out.push_str(&piece.text));
                if inner.start + there < inner.end {
                    let mark = marks.cut(inner.start + there..inner.end);
                    out.push_str(if marks.is_full() { &mark } else { "…" });
                    out.push('"');
                }
            }
        }
    }

    /// Writes the members of an object; one more member tells of those that were cut.
    fn members(&self, index: usize, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        let mut cut: Vec<&str> = Vec::new();
        let mut tokens = 0;
        let mut is_full = false;
        let mut all_keys: HashSet<&str> = HashSet::new();
        let mut at = index + 1;
        let mut is_first = true;
        while at < self.next[index] {
            all_keys.insert(self.key(at));
            if kept.kept[at] {
                separate(&mut is_first, ",", out);
                self.node(at, kept, marks, out);
                at = self.next[at];
                continue;
            }
            let start = at;
            while at < self.next[index] && !kept.kept[at] {
                all_keys.insert(self.key(at));
                cut.push(self.key(at));
                at = self.next[at];
            }
            tokens += marks.note(start..at).tokens;
            is_full |= marks.is_full();
        }
        if cut.is_empty() {
            return;
        }
        let mut name = "…".to_owned();
        while all_keys.contains(name.as_str()) {
            name.push('…');
        }
        separate(&mut is_first, ",", out);
        let which = (cut.len() <= NAMED_MAX && cut.iter().all(|key| key.len() <= 40)).then(|| cut.join(", "));
        let told = match (which, is_full) {
            (None, false) => cut.len().to_string(),
            (Some(which), false) => quoted(&which),
            (which, true) => {
                let which = which.unwrap_or_else(|| format!("{} members", thousands(cut.len())));
                quoted(&format!("{which} cut, {}", how_much(tokens, marks)))
            }
        };
        out.push_str(&format!("\"{name}\":{told}"));
    }

    /// Writes the elements of an array; one more element stands in each gap.
    fn elements(&self, range: Range<usize>, between: &str, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        let mut at = range.start;
        let mut is_first = true;
        while at < range.end {
            separate(&mut is_first, between, out);
            if kept.kept[at] {
                self.node(at, kept, marks, out);
                at = self.next[at];
                continue;
            }
            let start = at;
            let mut count = 0;
            while at < range.end && !kept.kept[at] {
                count += 1;
                at = self.next[at];
            }
            let cut = marks.note(start..at);
            let told = if marks.is_full() {
                let (from, to) = (cut.from_line, cut.to_line);
                let lines = if from == to { format!("line {from}") } else { format!("lines {from}-{to}") };
                format!("…{} items cut, {lines}, {}", thousands(count), how_much(cut.tokens, marks))
            } else {
                format!("…{count}")
            };
            out.push_str(&quoted(&told));
        }
    }

    /// The name of a member, without quotes.
    fn key(&self, index: usize) -> &str {
        self.keys[index].as_deref().map_or("", |key| &key[1..key.len() - 1])
    }
}

fn how_much(tokens: usize, marks: &Marks<'_>) -> String {
    let handle = marks.handle().map_or(String::new(), |handle| format!(", {handle}"));
    format!("{} tokens{handle}", thousands(tokens))
}

/// Keys come from valid JSON and are written as they are there, so they need no escapes.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn separate(is_first: &mut bool, between: &str, out: &mut String) {
    if !std::mem::take(is_first) {
        out.push_str(between);
    }
}
