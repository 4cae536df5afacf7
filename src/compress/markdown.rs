//! Markdown documents: sections by their headings.
//!
//! Sentences, items, rows of tables and lines of code are pieces. Each needs the heading above it, and
//! that one the heading above, so that what is kept can be placed; a row needs the head of its table, and
//! a line of code its fence, which is always closed again.

use std::ops::Range;

use super::draft::{Compressor, Draft, Layout, Piece, write_gap};
use super::marks::Marks;
use super::{Kind, Query, lines, prose};

/// How much the best passage of a section lifts its others.
const SECTION: f64 = 0.25;

/// Prose under headings.
pub(super) struct Markdown;

impl Compressor for Markdown {
    fn kind(&self) -> Kind {
        Kind::Markdown
    }

    fn recognises(&self, sample: &str) -> u8 {
        let count = |is_one: &dyn Fn(&str) -> bool| sample.lines().filter(|line| is_one(line)).count();
        let headings = count(&|line| heading(line).is_some());
        let fences = count(&|line| line.starts_with("```")) / 2;
        let items = count(&|line| line.starts_with("- ") || line.starts_with("* ") || line.starts_with("1. "));
        let links = sample.matches("](").count();
        match headings * 2 + fences * 2 + items + links {
            0..3 => 0,
            3..6 => 45,
            _ if headings > 0 || fences > 0 => 70,
            _ => 50,
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let units = units(text);
        let passages = || units.iter().map(|unit| &text[unit.span.clone()]);
        let scores = query.map(|query| query.scores(passages()));
        let sections = scores.as_ref().map(|scores| sections(&units, scores));
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut holder = None;
        let mut lead = 0;
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(units.len());
        let mut next: Vec<usize> = (1..=units.len()).collect();
        for (index, unit) in units.iter().enumerate() {
            let mut needs = path.last().map(|(_, piece)| *piece);
            match unit.part {
                Part::Heading(level) => {
                    path.retain(|(other, _)| *other < level);
                    needs = path.last().map(|(_, piece)| *piece);
                    path.push((level, index));
                    lead = 0;
                }
                Part::Fence { .. } | Part::TableHead => holder = Some(index),
                Part::Code => {
                    needs = holder;
                    if let Some(fence) = holder {
                        next[fence] = index + 1;
                    }
                }
                Part::Row => needs = holder,
                Part::Text | Part::Item => {}
            }
            lead += usize::from(!matches!(unit.part, Part::Heading(_) | Part::Code | Part::Row));
            let plain = salience(text, unit, index, lead);
            let worth = match (&scores, &sections) {
                (Some(scores), Some(sections)) => {
                    let named = query.is_some_and(|query| query.names_something_in(&text[unit.span.clone()]));
                    scores[index] + SECTION * sections[index] + 0.02 * plain + if named { 0.5 } else { 0.0 }
                }
                _ => plain,
            };
            let mut piece = Piece { needs, ..Piece::of(text, unit.span.clone(), worth) };
            if let Part::Fence { close } = &unit.part {
                piece.close = &text[close.clone()];
                piece.end = close.end.max(piece.end);
            }
            pieces.push(piece);
        }
        Draft { pieces, layout: Box::new(Sections { next }) }
    }
}

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Heading(usize),
    Text,
    Item,
    /// The line that opens a block of code, with the line that closes it.
    Fence {
        close: Range<usize>,
    },
    Code,
    TableHead,
    Row,
}

struct Unit {
    part: Part,
    span: Range<usize>,
}

/// Cuts a document into units, which tile it but for the lines that close fences.
fn units(text: &str) -> Vec<Unit> {
    let lines: Vec<Range<usize>> = lines::spans(text).collect();
    let line = |index: usize| lines.get(index).map_or("", |span| text[span.clone()].trim_end());
    let mut units: Vec<Unit> = Vec::new();
    let mut prose_from = None;
    let mut at = 0;
    while at < lines.len() {
        let span = lines[at].clone();
        if let Some(end) = fence_end(&line, lines.len(), at) {
            flush(text, &mut prose_from, span.start, &mut units);
            let close = match end {
                Some(end) => lines[end].clone(),
                None => text.len()..text.len(),
            };
            units.push(Unit { part: Part::Fence { close }, span });
            let last = end.unwrap_or(lines.len());
            units.extend((at + 1..last).map(|inner| Unit { part: Part::Code, span: lines[inner].clone() }));
            at = last + 1;
        } else if is_row(line(at)) && is_rule(line(at + 1)) {
            flush(text, &mut prose_from, span.start, &mut units);
            units.push(Unit { part: Part::TableHead, span: span.start..lines[at + 1].end });
            at += 2;
            while at < lines.len() && is_row(line(at)) {
                units.push(Unit { part: Part::Row, span: lines[at].clone() });
                at += 1;
            }
        } else if let Some(level) = heading(line(at)).or_else(|| underlined(line(at), line(at + 1))) {
            flush(text, &mut prose_from, span.start, &mut units);
            let is_underlined = heading(line(at)).is_none();
            let mut end = at + usize::from(is_underlined);
            // Blank lines belong to what is before them.
            while end + 1 < lines.len() && line(end + 1).trim().is_empty() {
                end += 1;
            }
            units.push(Unit { part: Part::Heading(level), span: span.start..lines[end].end });
            at = end + 1;
        } else {
            prose_from.get_or_insert(span.start);
            at += 1;
        }
    }
    flush(text, &mut prose_from, text.len(), &mut units);
    units
}

/// Adds the sentences of what was no heading, table or code.
fn flush(text: &str, from: &mut Option<usize>, to: usize, units: &mut Vec<Unit>) {
    let Some(from) = from.take() else { return };
    for inner in prose::sentences(&text[from..to]) {
        let span = from + inner.start..from + inner.end;
        let is_item = is_item(&text[span.clone()]);
        units.push(Unit { part: if is_item { Part::Item } else { Part::Text }, span });
    }
}

fn heading(line: &str) -> Option<usize> {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    ((1..=6).contains(&hashes) && line[hashes..].starts_with(' ')).then_some(hashes)
}

/// A heading by the line under it.
fn underlined(line: &str, next: &str) -> Option<usize> {
    let is_title = line.starts_with(|c: char| c.is_alphanumeric()) && line.len() <= 120;
    let is_line = |sign: char| next.len() >= 3 && next.chars().all(|c| c == sign);
    match is_title {
        true if is_line('=') => Some(1),
        true if is_line('-') => Some(2),
        _ => None,
    }
}

fn is_item(text: &str) -> bool {
    let text = text.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.starts_with("- ")
        || text.starts_with("* ")
        || text.starts_with("+ ")
        || (digits > 0 && text[digits..].starts_with(". "))
}

/// If the line opens a block of code: the line that closes it, if there is one.
fn fence_end<'t>(line: &impl Fn(usize) -> &'t str, count: usize, at: usize) -> Option<Option<usize>> {
    let opening = line(at).trim_start();
    let indent = line(at).len() - opening.len();
    let sign = ["```", "~~~"].into_iter().find(|sign| opening.starts_with(sign))?;
    let length = opening.len() - opening.trim_start_matches(&sign[..1]).len();
    let info = &opening[length..];
    if indent > 8 || info.contains('`') {
        return None;
    }
    let closes = |index: &usize| {
        let inner = line(*index).trim_start();
        inner.starts_with(sign) && inner.len() >= length && inner.trim_matches(|c| sign.starts_with(c)).is_empty()
    };
    Some((at + 1..count).find(closes))
}

fn is_row(line: &str) -> bool {
    line.matches('|').count() >= 2 || (line.starts_with('|') && line.len() > 1)
}

/// The line under the head of a table.
fn is_rule(line: &str) -> bool {
    line.contains('-') && line.contains('|') && line.bytes().all(|byte| b"|-: \t".contains(&byte))
}

/// Without a query: titles, beginnings of the document and its sections, and what names numbers or names.
fn salience(text: &str, unit: &Unit, index: usize, lead: usize) -> f64 {
    let passage = &text[unit.span.clone()];
    let place = 1.0 / (1.0 + index as f64 / 16.0);
    let telling = passage.bytes().filter(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).count();
    let telling = 0.3 * (telling as f64 / 8.0).min(1.0);
    match &unit.part {
        Part::Heading(level) => 1.5 - 0.15 * *level as f64 + 0.3 * place,
        Part::Text if passage.trim().is_empty() => -1.0,
        Part::Text | Part::Item => 0.7 * place + 0.8 / lead.max(1) as f64 + telling,
        Part::Fence { .. } => 0.3 + 0.3 / lead.max(1) as f64,
        Part::TableHead => 0.6 + 0.3 / lead.max(1) as f64,
        Part::Code => 0.3 * place + 0.1,
        Part::Row => 0.3 * place + telling,
    }
}

/// For each unit the best score of its section.
fn sections(units: &[Unit], scores: &[f64]) -> Vec<f64> {
    let mut best = vec![0.0; units.len()];
    let mut start = 0;
    for end in 1..=units.len() {
        if end == units.len() || matches!(units[end].part, Part::Heading(_)) {
            let highest = scores[start..end].iter().copied().fold(0.0, f64::max);
            best[start..end].fill(highest);
            start = end;
        }
    }
    best
}

/// Writes units one after the other, and closes the fences that are kept.
struct Sections {
    /// For each piece the number of the first one that it does not hold.
    next: Vec<usize>,
}

impl Layout for Sections {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        let mut at = 0;
        let mut fence: Option<usize> = None;
        loop {
            if let Some(open) = fence.filter(|open| self.next[*open] <= at) {
                if !out.ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(pieces[open].close);
                fence = None;
            }
            if at == pieces.len() {
                return out;
            }
            if kept[at] {
                out.push_str(&pieces[at].text);
                if !pieces[at].close.is_empty() {
                    fence = Some(at);
                }
                at += 1;
                continue;
            }
            let mut end = at + kept[at..].iter().take_while(|kept| !**kept).count();
            if let Some(open) = fence {
                end = end.min(self.next[open]);
            }
            write_gap(pieces, at..end, marks, &mut out);
            at = end;
        }
    }
}
