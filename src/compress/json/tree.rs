//! A nested document: leaves are kept or cut, and what is written is JSON again or an outline.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::rc::Rc;

use super::super::Query;
use super::super::draft::{Draft, Layout, Piece};
use super::super::log::{Seeded, tells_of_an_error};
use super::super::marks::{Cut, Marks};
use super::asked::{Asked, Mention, Step};
use super::outline::{self, Outline};
use super::scan::{Document, Node, Shape, without_blanks};
use crate::base::thousands;

/// A container that is no longer than this, in bytes, is one piece.
const SMALL: usize = 100;

/// A string longer than this, in bytes, is cut into pieces of this length.
const STRING_PART: usize = 320;

/// The most members whose names are told when they are cut.
const NAMED_MAX: usize = 3;

/// The document without blanks between its values.
pub(super) fn minified(text: &str, document: &Document) -> String {
    let roots = document.children(None).map(|root| without_blanks(&text[document.nodes[root].span()]));
    let mut out = roots.collect::<Vec<_>>().join("\n");
    if document.is_lines && text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// How a selection of leaves is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON again, for a program that reads it.
    Json,
    /// As an [`Outline`], for a reader.
    Outline,
}

/// What a piece is in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A whole value.
    Leaf,
    /// The brackets around other pieces.
    Container { is_object: bool },
    /// The beginning of a long string.
    Beginning,
    /// A further part of a long string; the last one ends with the quote.
    Continuation,
    /// The line above an outline.
    Title,
}

/// A document as pieces.
pub(super) struct Tree<'a> {
    pub(super) parts: Vec<Part>,
    /// For each piece the number of the first piece after it and all that it holds.
    next: Vec<u32>,
    /// The names of members, with quotes, as in the text.
    pub(super) keys: Vec<Option<&'a str>>,
    /// The places of elements in their lists.
    places: Vec<u32>,
    /// The values as in the text, as long as worths are found out; nothing for what holds others.
    values: Vec<&'a str>,
    is_lines: bool,
}

/// Cuts a document into leaves. It is let go of as soon as they are known.
pub(super) fn draft<'a>(text: &'a str, document: Rc<Document>, query: Option<&Query>, form: Form) -> Draft<'a> {
    let tree = Tree {
        parts: Vec::new(),
        next: Vec::new(),
        keys: Vec::new(),
        places: Vec::new(),
        values: Vec::new(),
        is_lines: document.is_lines,
    };
    let mut builder = Builder { text, document: &document, form, pieces: Vec::new(), tree };
    let mut needs = None;
    if form == Form::Outline {
        builder.push(Part::Title, 0..0, Cow::Borrowed(outline::TITLE), "", None, Place::default());
        builder.pieces[0].mandatory = true;
        needs = Some(0);
    }
    for (place, root) in document.children(None).enumerate() {
        let is_whole = form == Form::Outline && !document.is_lines;
        if is_whole && document.nodes[root].is_container() {
            builder.children(root, needs);
        } else {
            builder.node(root, needs, place);
        }
    }
    let Builder { mut pieces, mut tree, .. } = builder;
    drop(document);
    set_worth(&mut pieces, &tree, query);
    tree.values = Vec::new();
    match form {
        Form::Json => Draft { pieces, layout: Box::new(tree) },
        Form::Outline => Draft { pieces, layout: Box::new(Outline(tree)) },
    }
}

struct Builder<'a, 'd> {
    text: &'a str,
    document: &'d Document,
    form: Form,
    pieces: Vec<Piece<'a>>,
    tree: Tree<'a>,
}

/// What a piece is called, and what it says.
#[derive(Debug, Clone, Copy, Default)]
struct Place<'a> {
    key: Option<&'a str>,
    place: usize,
    value: &'a str,
}

impl<'a> Builder<'a, '_> {
    fn children(&mut self, index: usize, parent: Option<usize>) {
        let document = self.document;
        for (place, child) in document.children(Some(index)).enumerate() {
            self.node(child, parent, place);
        }
    }

    fn node(&mut self, index: usize, parent: Option<usize>, place: usize) {
        let node = &self.document.nodes[index];
        let value = &self.text[node.span()];
        let key = node.key().map(|key| &self.text[key]);
        let begin = node.key().map_or(node.span().start, |key| key.start);
        let is_container = node.is_container();
        let at = Place { key, place, value };
        if is_container && (value.len() > SMALL || parent.is_none()) {
            let is_object = node.shape == Shape::Object;
            let (text, close) = match (self.form, is_object) {
                (Form::Outline, _) => (format!("\n {}", name(&at)), ":"),
                (Form::Json, true) => (format!("{}{{", prefix(key)), "},"),
                (Form::Json, false) => (format!("{}[", prefix(key)), "],"),
            };
            let lines = self.lines_of(begin..node.span().start + 1);
            let at = Place { value: "", ..at };
            let number = self.push(Part::Container { is_object }, lines, Cow::Owned(text), close, parent, at);
            self.children(index, Some(number));
            self.tree.next[number] = short(self.pieces.len());
            self.pieces[number].end = self.lines_of(node.span()).end;
        } else if node.shape == Shape::Text && value.len() > 2 * STRING_PART {
            self.long_string(begin, &node.span(), parent, at);
        } else {
            let written = match self.form {
                Form::Outline => {
                    let value = outline::value(value, node.shape, key.is_none());
                    match key {
                        Some(key) => Cow::Owned(format!("{}={value}", outline::name(key))),
                        None => value,
                    }
                }
                Form::Json => self.member(node),
            };
            let close = if self.form == Form::Json { "," } else { " " };
            self.push(Part::Leaf, self.lines_of(begin..node.span().end), written, close, parent, at);
        }
    }

    /// A member or element without blanks.
    fn member(&self, node: &Node) -> Cow<'a, str> {
        let value = &self.text[node.span()];
        let is_plain = matches!(node.shape, Shape::Text | Shape::Plain);
        match node.key() {
            None if is_plain => Cow::Borrowed(value),
            Some(key) if is_plain && key.end + 1 == node.span().start => {
                Cow::Borrowed(&self.text[key.start..node.span().end])
            }
            key => {
                let value = if is_plain { Cow::Borrowed(value) } else { Cow::Owned(without_blanks(value)) };
                Cow::Owned(format!("{}{value}", prefix(key.map(|key| &self.text[key]))))
            }
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

    fn long_string(&mut self, begin: usize, span: &Range<usize>, parent: Option<usize>, at: Place<'a>) {
        let first = self.pieces.len();
        let string = &self.text[span.clone()];
        let cuts = string_cuts(string);
        let (head, quote, parts) = match self.form {
            Form::Json => (prefix(at.key), "\"", outline::pieces(&string[1..string.len() - 1], &cuts)),
            Form::Outline => {
                let (quote, parts) = outline::parts(&string[1..string.len() - 1], &cuts);
                (at.key.map_or(String::new(), |key| format!("{}=", outline::name(key))), quote, parts)
            }
        };
        let close = match (self.form, quote) {
            (Form::Json, _) => "…\",",
            (Form::Outline, "\"") => "…\" ",
            (Form::Outline, _) => "…\"\"\" ",
        };
        let last = parts.len() - 1;
        let ends = cuts.iter().map(|cut| span.start + 1 + cut).chain([span.end]);
        let mut start = span.start;
        for (number, (part, end)) in parts.into_iter().zip(ends).enumerate() {
            let value = &self.text[start..end];
            let tail = if number == last { quote } else { "" };
            if number == 0 {
                let text = Cow::Owned(format!("{head}{quote}{part}{tail}"));
                self.push(Part::Beginning, self.lines_of(begin..end), text, close, parent, Place { value, ..at });
            } else {
                let before = self.pieces.len() - 1;
                let text = if tail.is_empty() { part } else { Cow::Owned(format!("{part}{tail}")) };
                let at = Place { value, key: None, place: 0 };
                self.push(Part::Continuation, self.lines_of(start..end), text, "", Some(before), at);
            }
            start = end;
        }
        self.tree.next[first] = short(self.pieces.len());
    }

    fn push(
        &mut self,
        part: Part,
        span: Range<usize>,
        text: Cow<'a, str>,
        close: &'static str,
        needs: Option<usize>,
        at: Place<'a>,
    ) -> usize {
        let number = self.pieces.len();
        let end = span.end;
        self.pieces.push(Piece { span, end, text, close, worth: 0.0, mandatory: false, needs });
        self.tree.parts.push(part);
        self.tree.next.push(short(number + 1));
        self.tree.keys.push(at.key);
        self.tree.places.push(short(at.place));
        self.tree.values.push(at.value);
        number
    }
}

/// A number of pieces: there are no more of them than bytes of a document, which four bytes can count.
fn short(number: usize) -> u32 {
    u32::try_from(number).expect("a document is no longer than four bytes can count")
}

/// A name before its value, in JSON.
fn prefix(key: Option<&str>) -> String {
    key.map_or(String::new(), |key| format!("{key}:"))
}

/// What a container is called in an outline.
fn name<'a>(at: &Place<'a>) -> Cow<'a, str> {
    match at.key {
        Some(key) => Cow::Borrowed(outline::name(key)),
        None => Cow::Owned(format!("[{}]", at.place)),
    }
}

/// Where a long string is cut: never within an escape sequence or a surrogate pair.
///
/// The places are those in the string without its quotes.
fn string_cuts(string: &str) -> Vec<usize> {
    let bytes = string.as_bytes();
    let mut cuts = Vec::new();
    let mut last = 0;
    let mut at = 1;
    while at + 1 < bytes.len() {
        if at - last >= STRING_PART && string.is_char_boundary(at) {
            cuts.push(at - 1);
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

/// What the beginning of a query's answer is worth: a leaf at a path that it names, one with a name that
/// it names, and all that stands together with a value of it.
const AT_PATH: f64 = 50.0;
const NAMED: f64 = 15.0;
const TOGETHER: f64 = 25.0;

/// Says what each leaf is worth: new values before repeated ones, short before long, what answers
/// the query before everything.
fn set_worth(pieces: &mut [Piece<'_>], tree: &Tree<'_>, query: Option<&Query>) {
    let answers = query.map(|query| tree.answers(pieces, query));
    let mut seen: HashSet<&str> = HashSet::new();
    let mut paths: Vec<u64> = Vec::with_capacity(pieces.len());
    let mut per_path: HashMap<u64, usize, Seeded> = HashMap::default();
    let mut is_new_string = false;
    let mut parts = 0.0;
    for index in 0..pieces.len() {
        let above = pieces[index].needs.map_or(0, |parent| paths[parent]);
        paths.push(tree.keys[index].map_or(above, |key| {
            let mut hasher = DefaultHasher::new();
            (above, key).hash(&mut hasher);
            hasher.finish()
        }));
        let value = tree.values[index];
        let times = per_path.entry(paths[index]).or_default();
        *times += 1;
        let length = pieces[index].text.len() as f64;
        let mut worth = match tree.parts[index] {
            Part::Title | Part::Container { .. } => -1.0 - length / 200.0,
            Part::Continuation => {
                parts += 1.0;
                if is_new_string { 2.0 - f64::min(parts * 0.05, 1.7) } else { -length / 200.0 }
            }
            Part::Beginning => {
                is_new_string = seen.insert(value);
                parts = 0.0;
                if is_new_string { 4.0 - length / 200.0 } else { 0.1 - length / 200.0 }
            }
            Part::Leaf => {
                let is_link = value.starts_with("\"http://") || value.starts_with("\"https://");
                let dull = is_link || matches!(value, "null" | "true" | "false" | "\"\"" | "[]" | "{}");
                let base = if dull {
                    0.5 - length / 200.0
                } else if seen.insert(value) {
                    5.0 - (tokens(value) / COST).min(3.0) - ALIKE * (*times as f64 / MANY).ln().max(0.0)
                } else {
                    0.1
                };
                base + 1.0 / *times as f64 + if tells_of_an_error(value) { 2.0 } else { 0.0 }
            }
        };
        worth += answers.as_ref().map_or(0.0, |answers| answers[index]);
        pieces[index].worth = worth;
    }
}

/// A value that costs so many tokens is worth less by one.
const COST: f64 = 6.0;

/// How much less a value is worth when there were many at the same path: whole elements before a column
/// of all.
const ALIKE: f64 = 1.5;
const MANY: f64 = 16.0;

/// About how many tokens a value has: an id of random letters has many more than a sentence as long.
fn tokens(value: &str) -> f64 {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' | b' ' => 1,
        b'A'..=b'Z' => 2,
        128.. => 3,
        _ => 4,
    };
    let mut tokens = 0.0;
    let mut previous = 5;
    for byte in value.bytes() {
        let this = kind(byte);
        tokens += match this {
            0 => 0.34,
            1 => 0.12,
            2 => 0.4,
            3 => 0.3,
            _ => 0.5,
        };
        // A capital before small letters begins their word.
        tokens += if this == previous || (previous, this) == (2, 1) { 0.0 } else { 0.6 };
        previous = this;
    }
    tokens
}

/// How much of a name counts for a query, and of the names that lead to it.
const NAME_BYTES: usize = 64;
const PATH_BYTES: usize = 256;

impl Tree<'_> {
    /// The number of the first piece after this one and all that it holds.
    pub(super) fn next(&self, index: usize) -> usize {
        self.next[index] as usize
    }

    /// The place of an element in its list.
    pub(super) fn place(&self, index: usize) -> usize {
        self.places[index] as usize
    }

    /// For each piece, what it is worth to the reader of an answer.
    fn answers(&self, pieces: &[Piece<'_>], query: &Query) -> Vec<f64> {
        let passages = self.passages(pieces);
        let mut worths = query.relevance(passages.iter().map(String::as_str));
        drop(passages);
        let asked = Asked::of(query);
        let is_plain = |index: usize| matches!(self.parts[index], Part::Leaf | Part::Beginning);
        let mention = |value| {
            let is_within = query.names_something_in(value);
            asked.mentions(value).or(is_within.then_some(Mention::Sure))
        };
        let mentions: Vec<Option<Mention>> =
            (0..pieces.len()).map(|index| is_plain(index).then(|| mention(self.values[index])).flatten()).collect();
        let mut holders: HashMap<&str, usize> = HashMap::new();
        for index in (0..pieces.len()).filter(|index| mentions[*index].is_some()) {
            *holders.entry(self.values[index]).or_default() += 1;
        }
        // What stands together with a value that the query holds; the surer, the rarer the value is.
        let mut together = vec![0.0_f64; pieces.len()];
        for index in (0..pieces.len()).filter(|index| mentions[*index].is_some()) {
            let is_named = self.keys[index].is_some_and(|key| asked.names(key));
            let weight = match mentions[index] {
                Some(Mention::Sure) => TOGETHER,
                _ if is_named => TOGETHER,
                _ => TOGETHER / 25.0,
            };
            let weight = weight / (holders[self.values[index]] as f64).sqrt();
            if let Some(parent) = pieces[index].needs.filter(|parent| self.parts[*parent] != Part::Title) {
                together[parent] = together[parent].max(weight);
            }
            worths[index] += weight / 10.0;
        }
        for index in 0..pieces.len() {
            let above = pieces[index].needs.map_or(0.0, |parent| together[parent]);
            if matches!(self.parts[index], Part::Container { .. }) {
                together[index] = (together[index] + above).min(2.0 * TOGETHER);
                worths[index] = 0.0;
                continue;
            }
            let is_at_path = is_plain(index)
                && (mentions[index] == Some(Mention::Sure) || asked.is_path(|| self.upwards(pieces, index)));
            let is_named = is_plain(index) && self.keys[index].is_some_and(|key| asked.names(key));
            worths[index] = 10.0 * worths[index]
                + above
                + if is_at_path { AT_PATH } else { 0.0 }
                + if is_named { NAMED } else { 0.0 };
        }
        worths
    }

    /// The names and places that lead to a piece, the last one first.
    fn upwards<'s>(&'s self, pieces: &'s [Piece<'_>], index: usize) -> impl Iterator<Item = Step<'s>> {
        let mut next = Some(index);
        std::iter::from_fn(move || {
            let index = next?;
            next = pieces[index].needs;
            match self.keys[index] {
                _ if self.parts[index] == Part::Title => None,
                Some(_) => Some(Step::Name(self.key(index))),
                None => Some(Step::Place(self.place(index))),
            }
        })
    }

    /// For each piece, the names that lead to it, and what is written there. Of names and of all that
    /// lead to a piece only so much counts that a long one is not written again for each that it holds.
    fn passages(&self, pieces: &[Piece<'_>]) -> Vec<String> {
        let mut paths: Vec<Rc<str>> = Vec::with_capacity(pieces.len());
        for (index, piece) in pieces.iter().enumerate() {
            let above = piece.needs.map_or_else(|| Rc::from(""), |needed| paths[needed].clone());
            let is_named = self.keys[index].is_some() && self.parts[index] != Part::Title;
            paths.push(if is_named {
                let name = self.key(index);
                let above = &above[above.ceil_char_boundary(above.len().saturating_sub(PATH_BYTES))..];
                format!("{above}{} ", &name[..name.floor_char_boundary(NAME_BYTES)]).into()
            } else {
                above
            });
        }
        paths.iter().zip(&self.values).map(|(path, value)| format!("{path}{value}")).collect()
    }
}

impl Layout for Tree<'_> {
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

impl Tree<'_> {
    fn node(&self, index: usize, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        out.push_str(&kept.pieces[index].text);
        let inner = index + 1..self.next(index);
        match self.parts[index] {
            Part::Title | Part::Leaf | Part::Continuation => {}
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
        while at < self.next(index) {
            all_keys.insert(self.key(at));
            if kept.kept[at] {
                separate(&mut is_first, ",", out);
                self.node(at, kept, marks, out);
                at = self.next(at);
                continue;
            }
            let start = at;
            while at < self.next(index) && !kept.kept[at] {
                all_keys.insert(self.key(at));
                cut.push(self.key(at));
                at = self.next(at);
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
                at = self.next(at);
                continue;
            }
            let start = at;
            let mut count = 0;
            while at < range.end && !kept.kept[at] {
                count += 1;
                at = self.next(at);
            }
            let cut = marks.note(start..at);
            let told =
                if marks.is_full() { format!("…{}", items_cut(count, &cut, marks)) } else { format!("…{count}") };
            out.push_str(&quoted(&told));
        }
    }

    /// The name of a member, without quotes.
    fn key(&self, index: usize) -> &str {
        self.keys[index].map_or("", |key| &key[1..key.len() - 1])
    }
}

/// The words for a gap of so many items.
pub(super) fn items_cut(count: usize, cut: &Cut, marks: &Marks<'_>) -> String {
    let (from, to) = (cut.from_line, cut.to_line);
    let lines = if from == to { format!("line {from}") } else { format!("lines {from}-{to}") };
    let items = if count == 1 { "1 item".to_owned() } else { format!("{} items", thousands(count)) };
    format!("{items} cut, {lines}, {}", how_much(cut.tokens, marks))
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
