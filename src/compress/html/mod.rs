//! HTML to text: headings, paragraphs, lists, tables and links, written as in Markdown.
//!
//! The tokenizer is our own: a few hundred lines that know where in the text everything stands, so that
//! what is cut can be named by its lines; a crate that builds a tree forgets the places and costs every
//! start more than it saves. Scripts, styles and what is hidden are not kept and told as cut, navigation
//! comes last; tags and comments leave no trace. The text that is written cannot be turned back into
//! HTML; the original that was kept can be fetched.

mod reader;
mod syntax;

use std::borrow::Cow;
use std::ops::Range;

use reader::blocks;

use super::draft::{Compressor, Draft, Layout, Piece, runs};
use super::marks::Marks;
use super::{Kind, Query, prose};

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
        if !start.starts_with('<') || start.starts_with("<?xml") || closing <= 3 {
            return 0;
        }
        match NAMES.iter().map(|name| sample.matches(name).count()).sum::<usize>() {
            known if known * 2 > closing => 88,
            0 => 0,
            _ => 60,
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let units = units(text);
        let passages = || units.iter().map(|unit| &*unit.text);
        let answers = query.map(|query| query.scores(passages()));
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(units.len());
        let mut silent = Vec::with_capacity(units.len());
        // The headings that what follows stands under, with their levels.
        let mut path: Vec<(u8, usize)> = Vec::new();
        let mut table = None;
        let mut lead = 0;
        for (index, unit) in units.into_iter().enumerate() {
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
            pieces.push(Piece { text: unit.text, needs, ..Piece::of(text, unit.span, worth) });
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
    /// Where its characters come from: for some places in `text` the place in the source. Up to the next
    /// one both go on side by side.
    places: Vec<(usize, usize)>,
}

impl Block {
    /// Notes that what is written next comes from this place.
    fn note_place(&mut self, source: usize) {
        let at = self.text.len();
        let follows = |(place, last): &(usize, usize)| at >= *place && source == last + (at - place);
        if !self.places.last().is_some_and(follows) {
            self.places.push((at, source));
        }
    }

    /// Writes a sign before the byte `at`, which comes from no place.
    fn insert(&mut self, at: usize, sign: char) {
        self.text.insert(at, sign);
        let index = self.places.partition_point(|(place, _)| *place < at);
        if self.places.get(index).is_none_or(|(place, _)| *place > at)
            && let Some((place, source)) = index.checked_sub(1).map(|before| self.places[before])
        {
            self.places.insert(index, (at, source + (at - place)));
        }
        self.places[index..].iter_mut().for_each(|(place, _)| *place += sign.len_utf8());
    }
}

/// A part of a block that is kept or cut as a whole.
struct Unit<'a> {
    part: Part,
    span: Range<usize>,
    text: Cow<'a, str>,
}

/// Cuts a page into the parts of its blocks. No more than one block is held beside them.
fn units(source: &str) -> Vec<Unit<'_>> {
    let mut units = Vec::new();
    blocks(source, |block| unit(source, block, &mut units));
    units
}

/// Cuts a block into its sentences.
fn unit<'a>(source: &'a str, block: Block, units: &mut Vec<Unit<'a>>) {
    let Block { part, span, prefix, text, places } = block;
    let end_of_block = match part {
        Part::Item | Part::Row { .. } | Part::Navigation | Part::Hidden => "\n",
        _ => "\n\n",
    };
    let whole = matches!(part, Part::Heading(_) | Part::Title | Part::Row { .. } | Part::Hidden | Part::Navigation);
    if part == Part::Hidden {
        units.push(Unit { part, text: Cow::Borrowed(&source[span.clone()]), span });
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
        // Most sentences stand in the source as they are written.
        let from = place_of(inner.start);
        let as_it_is = source.get(from..from + inner.len()).filter(|there| *there == &text[inner.clone()]);
        if let Some(there) = as_it_is.filter(|_| index > 0 && !is_last) {
            units.push(Unit { part, span: start..end, text: Cow::Borrowed(there) });
            start = end;
            continue;
        }
        let mut written = String::new();
        if index == 0 {
            written.push_str(&prefix);
        }
        written.push_str(&text[inner]);
        if is_last {
            written.truncate(written.trim_end().len());
            written.push_str(end_of_block);
        }
        units.push(Unit { part, span: start..end, text: Cow::Owned(written) });
        start = end;
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
        let units = units(text);
        let mut last = 0;
        for unit in &units {
            assert!(
                unit.span.start >= last && unit.span.start <= unit.span.end && unit.span.end <= text.len(),
                "{:?} of {text}",
                unit.span
            );
            last = unit.span.end;
        }
        units.iter().filter(|unit| unit.part != Part::Hidden).map(|unit| &*unit.text).collect()
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
            ("<p>a <noscript>off</noscript> b</p>", "a\n\nb\n\n"),
            ("<table><tr><td>a<div hidden>b</div></td></tr></table>", "| ab |\n"),
            ("<img src=x alt=\"A cat\"><p class=", "![A cat]<p class=\n\n"),
        ] {
            assert_eq!(read(html), expected, "{html}");
        }
    }

    #[test]
    fn what_is_hidden_is_a_piece_of_its_own() {
        for (html, hidden) in [
            ("<p>a</p><div hidden>secret</div><p>b</p>", "<div hidden>secret</div>"),
            ("<p>a<div style=\"display:none\">secret</div>b", "<div style=\"display:none\">secret</div>"),
            ("<p>a</p><div hidden>secret<p>", "<div hidden>secret<p>"),
            ("<p>a <noscript>secret</noscript> b</p>", "<noscript>secret</noscript>"),
            ("<p>a</p><script>secret()</script>", "<script>secret()</script>"),
        ] {
            let units = units(html);
            let found: Vec<&str> =
                units.iter().filter(|unit| unit.part == Part::Hidden).map(|unit| &*unit.text).collect();
            assert_eq!(found, [hidden], "{html}");
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
