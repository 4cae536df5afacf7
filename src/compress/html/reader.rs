//! From the tags and text of a page to its blocks, in one pass.

use std::ops::Range;

use super::syntax::{attribute, entity, tag_end};
use super::{Block, Part};

/// The most levels of lists that are told apart.
const LISTS_MAX: usize = 8;

/// Reads the source, block by block, and gives each to `sink`.
pub(super) fn blocks(text: &str, sink: impl FnMut(Block)) {
    let mut reader = Reader {
        text,
        sink,
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
    if reader.hidden > 0 {
        reader.hide(reader.hidden_from..text.len());
    }
}

struct Reader<'a, S> {
    text: &'a str,
    sink: S,
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

impl<S: FnMut(Block)> Reader<'_, S> {
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
            let end = plain_length(rest.as_bytes(), keeps_blanks);
            if end > 0 {
                block.note_place(span.start + at);
                block.text.push_str(&rest[..end]);
                at += end;
                continue;
            }
            if rest.starts_with('&') {
                let (decoded, length) = entity(rest);
                block.note_place(span.start + at);
                match decoded {
                    Some(c) => block.text.push(c),
                    None => block.text.push_str(&rest[..length]),
                }
                at += length;
                continue;
            }
            let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
            if !block.text.is_empty() && !block.text.ends_with([' ', '\n']) {
                block.note_place(span.start + at);
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
                (self.sink)(block);
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

    /// Leaves out an element that is no text; it becomes a piece, so that what is cut is told. Only code
    /// and drawings in the middle of a block leave no trace, as tags do: they end no word.
    fn skip(&mut self, name: &str, at: usize, after_tag: usize) -> usize {
        let rest = &self.text[after_tag..];
        let closes = |at: &usize| {
            let after = &rest.as_bytes()[at + 2..];
            after.get(..name.len()).is_some_and(|other| other.eq_ignore_ascii_case(name.as_bytes()))
        };
        let close = rest.match_indices("</").map(|(at, _)| at).find(closes).map(|close| after_tag + close);
        let end = close.and_then(|close| Some(close + tag_end(&self.text[close..])?)).unwrap_or(self.text.len());
        if self.hidden > 0 {
            return end;
        }
        if !matches!(name, "script" | "style" | "svg" | "canvas") {
            self.end(at);
        }
        if self.open.is_none() {
            self.hide(at..end);
        }
        end
    }

    fn hide(&mut self, span: Range<usize>) {
        let (prefix, text) = (String::new(), String::new());
        (self.sink)(Block { part: Part::Hidden, span, prefix, text, places: Vec::new() });
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
                        block.note_place(at);
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
                // In a cell it is shown: a row is one block.
                if !is_void && name == "div" && self.row.is_none() && is_hidden(attributes) {
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
            if self.hidden == 0 {
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
                        block.insert(start, '[');
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

/// How many bytes follow that are written as they are: up to `&`, and unless blanks are kept up to one that
/// is not a single space between words.
fn plain_length(bytes: &[u8], keeps_blanks: bool) -> usize {
    let stops = |at: usize| match bytes[at] {
        b'&' => true,
        _ if keeps_blanks => false,
        b' ' => at == 0 || bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace),
        byte => byte.is_ascii_whitespace(),
    };
    (0..bytes.len()).find(|at| stops(*at)).unwrap_or(bytes.len())
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
