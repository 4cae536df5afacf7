//! HTML to text: headings, paragraphs, lists, tables and links, written as in Markdown.
//!
//! The tokenizer is our own: a few hundred lines that know where in the text everything stands, so that
//! what is cut can be named by its lines; a crate that builds a tree forgets the places and costs every
//! start more than it saves. Scripts, styles and what is hidden are not kept, navigation comes last. The
//! text that is written cannot be turned back into HTML; the original that was kept can be fetched.

use std::borrow::Cow;
use std::ops::Range;

use super::draft::{Compressor, Draft, Layout, Piece, runs};
use super::marks::Marks;
use super::{Kind, Query, prose};

/// The most levels of lists that are told apart.
const LISTS_MAX: usize = 8;

/// HTML.
pub(super) struct Html;

impl Compressor for Html {
    fn kind(&self) -> Kind {
        Kind::Html
    }

    fn recognises(&self, sample: &str) -> u8 {
        let trimmed = sample.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        let start = trimmed[..trimmed.floor_char_boundary(15)].to_ascii_lowercase();
        let closing = sample.matches("</").count();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            return 97;
        }
        // Other XML has no such names.
        const NAMES: &[&str] = &[
            "<div", "<p>", "<p ", "<span", "<a ", "<ul", "<li", "<table", "<tr", "<td", "<h1", "<h2", "<br", "<body",
            "<head>", "<article", "<section",
        ];
        let known = NAMES.iter().map(|name| sample.matches(name).count()).sum::<usize>();
        match start.starts_with('<') && !start.starts_with("<?xml") && closing > 3 {
            true if known * 2 > closing => 88,
            true if known > 0 => 60,
            _ => 0,
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let blocks = blocks(text);
        let mut units: Vec<Unit> = Vec::with_capacity(blocks.len());
        for block in blocks {
            unit(text, block, &mut units);
        }
        let passages = || units.iter().map(|unit| unit.text.as_str());
        let answers = query.map(|query| query.scores(passages()));
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(units.len());
        let mut silent = Vec::with_capacity(units.len());
        // The headings that what follows stands under, with their levels.
        let mut path: Vec<(u8, usize)> = Vec::new();
        let mut table = None;
        let mut lead = 0;
        for (index, unit) in units.iter().enumerate() {
            let mut needs = path.last().map(|(_, piece)| *piece);
            let place = 1.0 / (1.0 + index as f64 / 12.0);
            let base = match unit.part {
                Part::Title => 3.0,
                Part::Heading(level) => {
                    path.retain(|(other, _)| *other < level);
                    needs = path.last().map(|(_, piece)| *piece);
                    path.push((level, pieces.len()));
                    lead = 0;
                    1.2 - f64::from(level) * 0.1 + place
                }
                Part::Row { is_first } => {
                    if is_first {
                        table = Some(pieces.len());
                    } else {
                        needs = table.or(needs);
                    }
                    if is_first { 0.8 + place } else { 0.3 + place * 0.5 }
                }
                Part::Text => {
                    lead += 1;
                    0.3 + place + 0.5 / f64::from(lead)
                }
                Part::Item => 0.3 + place * 0.8,
                Part::Code => 0.5 + place * 0.5,
                Part::Navigation => 0.01 * place,
                Part::Hidden => f64::NEG_INFINITY,
            };
            if unit.part == Part::Hidden || unit.part == Part::Navigation {
                needs = None;
            }
            let mut worth = base;
            if let (Some(answers), Some(query), true) = (&answers, query, unit.part != Part::Hidden) {
                let named = if query.names_something_in(&unit.text) { 3.0 } else { 0.0 };
                let weight = if unit.part == Part::Navigation { 0.3 } else { 1.0 };
                worth = 0.05 * base + weight * (answers[index] + named);
            }
            silent.push(unit.part == Part::Hidden);
            pieces.push(Piece {
                text: Cow::Owned(unit.text.clone()),
                needs,
                ..Piece::of(text, unit.span.clone(), worth)
            });
        }
        Draft { pieces, layout: Box::new(Page { silent }) }
    }
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Title,
    Heading(u8),
    Text,
    Item,
    Row {
        is_first: bool,
    },
    Code,
    Navigation,
    /// Scripts, styles, comments, what is marked as hidden.
    Hidden,
}

/// A block of text with its place in the source.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    part: Part,
    span: Range<usize>,
    /// What stands before it: `## `, `- `.
    prefix: String,
    text: String,
    /// Where its characters come from: for some places in `text` the place in the source.
    places: Vec<(usize, usize)>,
}

/// A part of a block that is kept or cut as a whole.
struct Unit {
    part: Part,
    span: Range<usize>,
    text: String,
}

/// Cuts a block into its sentences.
fn unit(source: &str, block: Block, units: &mut Vec<Unit>) {
    let Block { part, span, prefix, text, places } = block;
    let end_of_block = match part {
        Part::Item | Part::Row { .. } | Part::Navigation | Part::Hidden => "\n",
        _ => "\n\n",
    };
    let whole = matches!(part, Part::Heading(_) | Part::Title | Part::Row { .. } | Part::Hidden | Part::Navigation);
    if part == Part::Hidden {
        units.push(Unit { part, span, text });
        return;
    }
    let spans = if whole {
        std::iter::once(0..text.len()).collect()
    } else if part == Part::Code {
        super::lines::spans(&text).collect()
    } else {
        prose::sentences(&text)
    };
    let place_of = |at: usize| {
        let index = places.partition_point(|(place, _)| *place <= at).max(1) - 1;
        let place = places.get(index).map_or(span.start, |(place, source)| source + (at - place));
        // Within what was written anew there are no places of the source.
        source.floor_char_boundary(place.min(span.end))
    };
    let count = spans.len();
    let mut start = span.start;
    for (index, inner) in spans.into_iter().enumerate() {
        let is_last = index + 1 == count;
        let end = if is_last { span.end } else { place_of(inner.end).max(start) };
        let mut written = String::new();
        if index == 0 {
            written.push_str(&prefix);
        }
        written.push_str(&text[inner]);
        if is_last {
            written.truncate(written.trim_end().len());
            written.push_str(end_of_block);
        }
        units.push(Unit { part, span: start..end, text: written });
        start = end;
    }
}

/// Reads the source, block by block.
fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader {
        text,
        blocks: Vec::new(),
        open: None,
        lists: Vec::new(),
        hidden: 0,
        hidden_from: 0,
        aside: 0,
        pre: 0,
        row: None,
        links: Vec::new(),
        title: false,
        heading: None,
        is_item: false,
        table_rows: 0,
    };
    let mut at = 0;
    while at < text.len() {
        let Some(next) = text[at..].find('<').map(|next| at + next) else { break };
        reader.text(at..next);
        at = reader.tag(next);
    }
    if at < text.len() {
        reader.text(at..text.len());
    }
    reader.end(text.len());
    reader.blocks
}

struct Reader<'a> {
    text: &'a str,
    blocks: Vec<Block>,
    /// The block that is being read.
    open: Option<Block>,
    /// The open lists: the number of the next item, where they are numbered.
    lists: Vec<Option<usize>>,
    /// How many elements are open within a hidden one, where that begins, and how many only navigate.
    hidden: usize,
    hidden_from: usize,
    aside: usize,
    pre: usize,
    /// Whether a cell was written in the open row.
    row: Option<usize>,
    /// The open links: their target and where their text begins.
    links: Vec<(String, usize)>,
    title: bool,
    heading: Option<u8>,
    is_item: bool,
    table_rows: usize,
}

impl Reader<'_> {
    fn part(&self) -> Part {
        if self.aside > 0 {
            Part::Navigation
        } else if self.title {
            Part::Title
        } else if let Some(level) = self.heading {
            Part::Heading(level)
        } else if self.row.is_some() {
            Part::Row { is_first: self.table_rows == 1 }
        } else if self.pre > 0 {
            Part::Code
        } else if self.is_item {
            Part::Item
        } else {
            Part::Text
        }
    }

    /// Adds a run of text to the open block.
    fn text(&mut self, span: Range<usize>) {
        let source = &self.text[span.clone()];
        if self.hidden > 0 || source.is_empty() || (self.open.is_none() && source.trim().is_empty()) {
            return;
        }
        if self.open.is_none() {
            self.begin(span.start);
        }
        let keeps_blanks = self.pre > 0;
        let Some(block) = &mut self.open else { return };
        let mut at = 0;
        while at < source.len() {
            let rest = &source[at..];
            let end = rest.find(|c: char| c == '&' || (!keeps_blanks && c.is_ascii_whitespace())).unwrap_or(rest.len());
            if end > 0 {
                block.places.push((block.text.len(), span.start + at));
                block.text.push_str(&rest[..end]);
                at += end;
                continue;
            }
            if rest.starts_with('&') {
                let (decoded, length) = entity(rest);
                block.places.push((block.text.len(), span.start + at));
                match decoded {
                    Some(c) => block.text.push(c),
                    None => block.text.push_str(&rest[..length]),
                }
                at += length;
                continue;
            }
            let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
            if !block.text.is_empty() && !block.text.ends_with([' ', '\n']) {
                block.places.push((block.text.len(), span.start + at));
                block.text.push(' ');
            }
            at += blanks;
        }
        block.span.end = span.end;
    }

    fn begin(&mut self, at: usize) {
        let part = self.part();
        let prefix = match part {
            Part::Heading(level) => format!("{} ", "#".repeat(usize::from(level))),
            Part::Title => "# ".to_owned(),
            Part::Item => {
                let indent = "  ".repeat(self.lists.len().clamp(1, LISTS_MAX) - 1);
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}- "),
                }
            }
            Part::Row { .. } => "| ".to_owned(),
            _ => String::new(),
        };
        // An item has one mark, however many blocks are in it.
        self.is_item = false;
        self.open = Some(Block { part, span: at..at, prefix, text: String::new(), places: Vec::new() });
    }

    /// Ends the open block before the byte `at`.
    fn end(&mut self, at: usize) {
        self.links.clear();
        if let Some(mut block) = self.open.take() {
            block.text.truncate(block.text.trim_end().len());
            if !block.text.trim().is_empty() {
                block.span.end = block.span.end.max(block.span.start).min(at.max(block.span.end));
                self.blocks.push(block);
            }
        }
    }

    /// Reads the tag or comment at `at`; returns where it ends.
    fn tag(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").map_or(self.text.len(), |end| at + end + 7);
            return end;
        }
        let is_name = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !is_name {
            self.text(at..at + 1);
            return at + 1;
        }
        let Some(end) = tag_end(rest).map(|end| at + end) else {
            // Broken off in a tag.
            self.text(at..self.text.len());
            return self.text.len();
        };
        let inner = &self.text[at + 1..end - 1];
        let is_closing = inner.starts_with('/');
        let name_part = inner.trim_start_matches('/');
        let length = name_part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name_part.len());
        let name = name_part[..length].to_ascii_lowercase();
        let attributes = &name_part[length..];
        if !is_closing
            && matches!(
                name.as_str(),
                "script" | "style" | "noscript" | "template" | "svg" | "iframe" | "object" | "canvas"
            )
            && !attributes.trim_end().ends_with('/')
        {
            return self.skip(&name, at, end);
        }
        if is_closing {
            self.closes(&name, at, end);
        } else {
            self.opens(&name, attributes, at, end);
        }
        end
    }

    /// Leaves out an element that is no text; it becomes a piece, so that what is cut is told.
    fn skip(&mut self, name: &str, at: usize, after_tag: usize) -> usize {
        let rest = &self.text.as_bytes()[after_tag..];
        let closing = format!("</{name}");
        let close = rest
            .windows(closing.len())
            .position(|window| window.eq_ignore_ascii_case(closing.as_bytes()))
            .map(|close| after_tag + close);
        let end = close.and_then(|close| Some(close + tag_end(&self.text[close..])?)).unwrap_or(self.text.len());
        if self.hidden == 0 {
            // Within a block it ends no word.
            if self.open.is_none() {
                self.hide(at..end);
            }
        }
        end
    }

    fn hide(&mut self, span: Range<usize>) {
        let text = self.text[span.clone()].to_owned();
        self.blocks.push(Block { part: Part::Hidden, span, prefix: String::new(), text, places: Vec::new() });
    }

    fn opens(&mut self, name: &str, attributes: &str, at: usize, end: usize) {
        let is_void = attributes.trim_end().ends_with('/')
            || matches!(
                name,
                "br" | "hr"
                    | "img"
                    | "input"
                    | "meta"
                    | "link"
                    | "wbr"
                    | "col"
                    | "source"
                    | "area"
                    | "base"
                    | "embed"
                    | "param"
                    | "track"
            );
        if self.hidden > 0 {
            self.hidden += usize::from(!is_void && name == "div");
            return;
        }
        match name {
            "br" => match &mut self.open {
                Some(block) if !block.text.is_empty() && self.row.is_none() => block.text.push('\n'),
                Some(block) => block.text.push(' '),
                None => {}
            },
            "img" => {
                if let Some(alt) = attribute(attributes, "alt").filter(|alt| !alt.trim().is_empty()) {
                    if self.open.is_none() {
                        self.begin(at);
                    }
                    if let Some(block) = &mut self.open {
                        block.places.push((block.text.len(), at));
                        block.text.push_str(&format!("![{alt}]"));
                        block.span.end = end;
                    }
                }
            }
            "a" => {
                let target = attribute(attributes, "href").unwrap_or_default();
                let from = self.open.as_ref().map_or(0, |block| block.text.len());
                self.links.push((target, from));
            }
            "title" => {
                self.end(at);
                self.title = true;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end(at);
                self.heading = Some(name.as_bytes()[1] - b'0');
            }
            "ul" | "menu" => {
                self.end(at);
                self.lists.push(None);
            }
            "ol" => {
                self.end(at);
                let start = attribute(attributes, "start").and_then(|start| start.parse().ok());
                self.lists.push(Some(start.unwrap_or(1)));
            }
            "li" | "dt" | "dd" | "option" => {
                self.end(at);
                self.is_item = true;
            }
            "table" => {
                self.end(at);
                self.table_rows = 0;
            }
            "tr" => {
                self.end(at);
                self.table_rows += 1;
                self.row = Some(0);
            }
            "td" | "th" => {
                if let Some(cells) = self.row {
                    if cells > 0 {
                        if self.open.is_none() {
                            self.begin(at);
                        }
                        if let Some(block) = &mut self.open {
                            block.text.truncate(block.text.trim_end_matches(' ').len());
                            block.text.push_str(" | ");
                        }
                    }
                    self.row = Some(cells + 1);
                }
            }
            "pre" | "textarea" => {
                self.end(at);
                self.pre += 1;
                self.begin(end);
                if let Some(block) = &mut self.open {
                    block.prefix = "```\n".to_owned();
                }
            }
            "nav" | "footer" | "aside" => {
                self.end(at);
                self.aside += 1;
            }
            "code" | "tt" | "kbd" if self.pre == 0 => self.sign('`', at),
            _ if is_block(name) => {
                if self.row.is_none() {
                    self.end(at);
                }
                if !is_void && name == "div" && is_hidden(attributes) {
                    self.hidden = 1;
                    self.hidden_from = at;
                }
            }
            _ => {}
        }
    }

    fn sign(&mut self, sign: char, at: usize) {
        if self.open.is_none() {
            self.begin(at);
        }
        if let Some(block) = &mut self.open {
            block.text.push(sign);
        }
    }

    fn closes(&mut self, name: &str, at: usize, end: usize) {
        if self.hidden > 0 {
            self.hidden -= usize::from(name == "div");
            if self.hidden == 0 && self.open.is_none() {
                self.hide(self.hidden_from..end);
            }
            return;
        }
        match name {
            "a" => {
                if let (Some((target, from)), Some(block)) = (self.links.pop(), &mut self.open) {
                    let from = from.min(block.text.len());
                    let label = block.text[from..].trim();
                    let is_told = !target.is_empty()
                        && !target.starts_with(['#'])
                        && !target.starts_with("javascript:")
                        && label != target;
                    if is_told && !label.is_empty() && self.aside == 0 && target.len() <= 300 {
                        let start = from + block.text[from..].len() - block.text[from..].trim_start().len();
                        let keep = block.text.trim_end().len();
                        block.text.truncate(keep);
                        // What comes after in `places` stays in order: nothing does yet.
                        block.text.insert(start, '[');
                        block.places.iter_mut().filter(|(place, _)| *place >= start).for_each(|(place, _)| *place += 1);
                        block.text.push_str(&format!("]({target})"));
                        block.span.end = block.span.end.max(end);
                    }
                }
            }
            "title" => {
                self.end(at);
                self.title = false;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end(at);
                self.heading = None;
            }
            "ul" | "ol" | "menu" => {
                self.end(at);
                self.lists.pop();
                self.is_item = false;
            }
            "li" | "dt" | "dd" | "option" => {
                self.end(at);
                self.is_item = false;
            }
            "tr" => {
                if let Some(block) = &mut self.open {
                    block.text.truncate(block.text.trim_end().len());
                    block.text.push_str(" |");
                    block.span.end = block.span.end.max(at);
                }
                self.end(at);
                self.row = None;
            }
            "table" => {
                self.end(at);
                self.row = None;
                self.table_rows = 0;
            }
            "pre" | "textarea" => {
                if let Some(block) = &mut self.open
                    && !block.prefix.is_empty()
                {
                    block.text.truncate(block.text.trim_end().len());
                    block.text.push_str("\n```");
                }
                self.end(at);
                self.pre = self.pre.saturating_sub(1);
            }
            "nav" | "footer" | "aside" => {
                self.end(at);
                self.aside = self.aside.saturating_sub(1);
            }
            "code" | "tt" | "kbd" if self.pre == 0 && self.open.is_some() => self.sign('`', at),
            _ if is_block(name) && self.row.is_none() => self.end(at),
            _ => {}
        }
    }
}

fn is_block(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "p",
        "div",
        "section",
        "article",
        "main",
        "header",
        "body",
        "html",
        "head",
        "blockquote",
        "figure",
        "figcaption",
        "form",
        "fieldset",
        "hr",
        "dl",
        "details",
        "summary",
        "address",
        "thead",
        "tbody",
        "tfoot",
        "caption",
        "button",
        "select",
        "label",
        "video",
        "audio",
    ];
    NAMES.contains(&name)
}

fn is_hidden(attributes: &str) -> bool {
    let lower = attributes.to_ascii_lowercase();
    lower.contains("display:none")
        || lower.contains("display: none")
        || lower.contains("aria-hidden=\"true\"")
        || lower.split_whitespace().any(|word| word == "hidden")
}

/// Where the tag that `text` begins with ends: after its `>`, which may not stand in quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            // A quote that is open beyond reason was none.
            (Some(_), b'<') if at > 4_096 => break,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        if quote.is_some() && at > 64 * 1024 {
            break;
        }
    }
    text.find('>').map(|end| end + 1)
}

/// The value of an attribute, with its entities read.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let lower = attributes.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].chars().next_back();
        let after = lower[at + name.len()..].trim_start();
        before.is_none_or(char::is_whitespace) && after.starts_with('=')
    })?;
    let value = attributes[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (decoded, length) = entity(&rest[at..]);
        match decoded {
            Some(c) => out.push(c),
            None => out.push_str(&rest[at..at + length]),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The character that the entity at the beginning of `text` stands for, and the entity's length; for
/// what is no entity the length of the `&` alone.
fn entity(text: &str) -> (Option<char>, usize) {
    const NAMED: &[(&str, char)] = &[
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("copy", '©'),
        ("reg", '®'),
        ("trade", '™'),
        ("hellip", '…'),
        ("mdash", '—'),
        ("ndash", '–'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("bull", '•'),
        ("middot", '·'),
        ("times", '×'),
        ("divide", '÷'),
        ("deg", '°'),
        ("plusmn", '±'),
        ("frac12", '½'),
        ("euro", '€'),
        ("pound", '£'),
        ("yen", '¥'),
        ("cent", '¢'),
        ("sect", '§'),
        ("para", '¶'),
        ("larr", '←'),
        ("rarr", '→'),
        ("uarr", '↑'),
        ("darr", '↓'),
        ("le", '≤'),
        ("ge", '≥'),
        ("ne", '≠'),
        ("infin", '∞'),
        ("agrave", 'à'),
        ("aacute", 'á'),
        ("acirc", 'â'),
        ("auml", 'ä'),
        ("aring", 'å'),
        ("aelig", 'æ'),
        ("ccedil", 'ç'),
        ("egrave", 'è'),
        ("eacute", 'é'),
        ("ecirc", 'ê'),
        ("euml", 'ë'),
        ("iacute", 'í'),
        ("ntilde", 'ñ'),
        ("oacute", 'ó'),
        ("ocirc", 'ô'),
        ("ouml", 'ö'),
        ("oslash", 'ø'),
        ("uacute", 'ú'),
        ("uuml", 'ü'),
        ("szlig", 'ß'),
        ("Auml", 'Ä'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("Eacute", 'É'),
        ("ensp", ' '),
        ("emsp", ' '),
        ("thinsp", ' '),
        ("zwnj", '\u{200c}'),
        ("zwj", '\u{200d}'),
        ("shy", '\u{ad}'),
    ];
    let head = &text[1..text.floor_char_boundary(12).max(1)];
    let Some(end) = head.find(';') else { return (None, 1) };
    let name = &head[..end];
    let found = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        }
        .and_then(char::from_u32)
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t')),
        None => NAMED.iter().find(|(other, _)| *other == name).map(|(_, c)| *c),
    };
    match found {
        Some(c) => (Some(c), end + 2),
        None => (None, 1),
    }
}

/// Writes blocks one after the other; what was hidden leaves no mark in its place.
struct Page {
    silent: Vec<bool>,
}

impl Layout for Page {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        let mut is_first = true;
        for run in runs(kept) {
            if kept[run.start] {
                pieces[run].iter().for_each(|piece| out.push_str(&piece.text));
                continue;
            }
            if self.silent[run.clone()].iter().all(|silent| *silent) {
                marks.note(run);
                continue;
            }
            let ends_line = pieces[run.end - 1].text.ends_with('\n');
            // The first mark that can be read says everything, whatever was cut in silence before it.
            let silent = if std::mem::take(&mut is_first) { std::mem::take(&mut marks.cuts) } else { Vec::new() };
            let words = marks.cut(run);
            marks.cuts.splice(0..0, silent);
            if !out.is_empty() && !out.ends_with(char::is_whitespace) {
                out.push(' ');
            }
            out.push_str(&words);
            out.push(if ends_line { '\n' } else { ' ' });
        }
        // Where nothing that can be read was cut, one mark tells of the scripts and styles.
        let is_silent = self.silent.iter().zip(kept).all(|(silent, kept)| *silent || *kept);
        if is_silent && let Some(told) = marks.summary() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&told);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut units = Vec::new();
        for block in blocks(text) {
            unit(text, block, &mut units);
        }
        let mut last = 0;
        for unit in &units {
            assert!(
                unit.span.start >= last && unit.span.start <= unit.span.end && unit.span.end <= text.len(),
                "{:?} of {text}",
                unit.span
            );
            last = unit.span.end;
        }
        units.iter().filter(|unit| unit.part != Part::Hidden).map(|unit| unit.text.as_str()).collect()
    }

    #[test]
    fn pages_become_text() {
        for (html, expected) in [
            ("<h2>A &amp; B</h2><p>One <b>bold</b>\n  word.</p>", "## A & B\n\nOne bold word.\n\n"),
            ("<ul><li>a<li>b<ul><li>c</ul></ul><ol><li>x</li><li>y</li></ol>", "- a\n- b\n  - c\n1. x\n2. y\n"),
            ("<table><tr><th>a<th>b</tr><tr><td>1</td><td>2 &lt; 3</td></tr></table>", "| a | b |\n| 1 | 2 < 3 |\n"),
            ("<p>See <a href=\"/x?a=1&amp;b=2\">the page</a>.</p>", "See [the page](/x?a=1&b=2).\n\n"),
            ("<pre>a  b\n  c &gt; d</pre>", "```\na  b\n  c > d\n```\n\n"),
            ("a &unknown; &#8364; &#x41;<br>b < c", "a &unknown; € A\nb < c\n\n"),
            ("<script>if (a < b) { \"</p>\" }</script><p>x</p><style>p{}</style>", "x\n\n"),
            ("<p title='a > b'>y</p><!-- <p>no</p> --><div hidden><p>no</p></div><p>z", "y\n\nz\n\n"),
            ("<img src=x alt=\"A cat\"><p class=", "![A cat]<p class=\n\n"),
        ] {
            assert_eq!(read(html), expected, "{html}");
        }
    }

    #[test]
    fn broken_pages_are_read_to_their_end() {
        for html in [
            "<",
            "<p",
            "</",
            "<!--",
            "<script>",
            "<a href=\"",
            "&",
            "&#x;",
            "<é>",
            "<p é='ü'>ä",
            "<pre>",
            "</a></ul></div>",
        ] {
            read(html);
        }
    }

    #[test]
    fn pages_are_told_from_other_xml() {
        assert!(Html.recognises("<!DOCTYPE html><html></html>") > 90);
        assert!(Html.recognises("\n<div><p>a</p><p>b</p><p>c</p></div>") > 80);
        assert_eq!(Html.recognises("<?xml version=\"1.0\"?><a><b>1</b><b>2</b><b>3</b><b>4</b></a>"), 0);
    }
}
