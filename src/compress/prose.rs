//! Prose: sentences under headings.

use std::ops::Range;

use super::draft::{Compressor, Draft, Piece};
use super::passages::Passages;
use super::rank::{smooth, words};
use super::{Kind, Query, lines};

/// A sentence longer than this, in bytes, is cut at a blank.
const SENTENCE_MAX: usize = 1_000;

/// Sentences and paragraphs.
pub(super) struct Prose;

impl Compressor for Prose {
    fn kind(&self) -> Kind {
        Kind::Prose
    }

    fn recognises(&self, _sample: &str) -> u8 {
        20
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        draft(text, query)
    }
}

/// Cuts `text` into sentences.
pub(super) fn draft<'a>(text: &'a str, query: Option<&Query>) -> Draft<'a> {
    let spans = sentences(text);
    let paragraphs = paragraphs(text, &spans);
    let worths = match query {
        Some(query) => answers(query, text, &spans, &paragraphs),
        None => salience(text, &spans, &paragraphs),
    };
    let mut heading = None;
    let mut pieces = Vec::with_capacity(spans.len());
    for (index, (span, worth)) in spans.into_iter().zip(worths).enumerate() {
        let is_heading = is_heading(&text[span.clone()]);
        let mut piece = Piece::of(text, span, worth);
        if is_heading {
            heading = Some(index);
        } else {
            piece.needs = heading;
        }
        pieces.push(piece);
    }
    Draft::of_lines(pieces)
}

/// How much of the best sentence's score the others of its paragraph get.
const PARAGRAPH: f64 = 0.3;

/// The number of the paragraph of each sentence; a heading is a paragraph.
fn paragraphs(text: &str, spans: &[Range<usize>]) -> Vec<usize> {
    let mut number = 0;
    let mut begins = false;
    spans
        .iter()
        .map(|span| {
            let sentence = &text[span.clone()];
            let is_heading = is_heading(sentence);
            number += usize::from(begins || is_heading);
            begins = is_heading || sentence.ends_with("\n\n") || sentence.ends_with("\n\r\n");
            number
        })
        .collect()
}

/// How well each sentence answers, with a lift for its neighbours and its paragraph.
fn answers(query: &Query, text: &str, spans: &[Range<usize>], paragraphs: &[usize]) -> Vec<f64> {
    let own = Passages::of(spans.iter().map(|span| &text[span.clone()])).answers(query);
    let mut best = vec![0.0_f64; paragraphs.last().map_or(0, |last| last + 1)];
    for (score, paragraph) in own.iter().zip(paragraphs) {
        best[*paragraph] = best[*paragraph].max(*score);
    }
    smooth(&own).iter().zip(paragraphs).map(|(score, paragraph)| score + PARAGRAPH * best[*paragraph]).collect()
}

/// Without a query: beginnings of the text and of its paragraphs, short sentences and those that name
/// numbers.
fn salience(text: &str, spans: &[Range<usize>], paragraphs: &[usize]) -> Vec<f64> {
    let mut place = 0;
    spans
        .iter()
        .enumerate()
        .map(|(index, span)| {
            let sentence = &text[span.clone()];
            place = if index > 0 && paragraphs[index] == paragraphs[index - 1] { place + 1 } else { 0 };
            let mut numbers = 0_u32;
            words(sentence, |word| numbers += u32::from(word.bytes().any(|byte| byte.is_ascii_digit())));
            let early = 0.2 / (1.0 + index as f64 / 8.0);
            let length = (sentence.len() as f64 / 4.0).max(1.0).ln();
            1.0 / (1.0 + f64::from(place)) + early - 0.1 * length + 0.1 * f64::from(numbers.min(3))
        })
        .collect()
}

fn is_heading(sentence: &str) -> bool {
    let hashes = sentence.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&hashes) && sentence[hashes..].starts_with(' ')
}

/// The spans of the sentences of `text`; the blanks and line ends after one belong to it.
pub(super) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    let lines: Vec<Range<usize>> = lines::spans(text).collect();
    for (number, span) in lines.iter().enumerate() {
        let line = &text[span.clone()];
        if line.trim().is_empty() {
            // Blank lines belong to what is before them.
            if start == span.start {
                extend_last(&mut spans, &mut start, span.end);
            } else {
                spans.push(start..span.end);
                start = span.end;
            }
            continue;
        }
        for end in sentence_ends(line) {
            spans.push(start..span.start + end);
            start = span.start + end;
        }
        let next = lines.get(number + 1).map(|next| &text[next.clone()]);
        if start < span.end && !continues(line, next) {
            spans.push(start..span.end);
            start = span.end;
        }
    }
    if start < text.len() {
        spans.push(start..text.len());
    }
    spans.into_iter().flat_map(|span| split_long(text, span)).collect()
}

fn extend_last(spans: &mut Vec<Range<usize>>, start: &mut usize, end: usize) {
    match spans.last_mut() {
        Some(last) => last.end = end,
        None => spans.push(*start..end),
    }
    *start = end;
}

/// Whether a sentence may go on in the next line: both look like running text.
fn continues(line: &str, next: Option<&str>) -> bool {
    let Some(next) = next else { return false };
    let begins_plain = |line: &str| line.chars().next().is_some_and(char::is_alphanumeric);
    line.len() > 50 && begins_plain(line) && begins_plain(next) && next.starts_with(|c: char| !c.is_ascii_digit())
}

/// Where sentences end within a line, after their blanks.
fn sentence_ends(line: &str) -> Vec<usize> {
    let may_end = |byte: &u8| matches!(byte, b'.' | b'!' | b'?' | 0x80..);
    let is_closing = |c: char| matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’');
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(found) = line.as_bytes()[at..].iter().position(may_end) {
        let index = at + found;
        let Some(character) = line[index..].chars().next() else { break };
        at = index + character.len_utf8();
        match character {
            '。' | '！' | '？' => ends.push(at),
            '.' | '!' | '?' | '…' => {
                let rest = line[at..].trim_start_matches(is_closing);
                at = line.len() - rest.len();
                let word = line[..index]
                    .rfind(char::is_whitespace)
                    .map_or(&line[..index], |blank| line[blank..index].trim_start_matches(char::is_whitespace));
                if character == '.' && is_abbreviation(word) {
                    continue;
                }
                let next = line.len() - rest.trim_start().len();
                if next > at {
                    ends.push(next);
                    at = next;
                }
            }
            _ => {}
        }
    }
    ends
}

/// Whether a full stop after `word` does not end a sentence: initials, "e.g.", titles.
fn is_abbreviation(word: &str) -> bool {
    word.chars().count() <= 1
        || (word.contains('.') && word.len() <= 4)
        || ["Mr", "Mrs", "Ms", "Dr", "St", "vs", "cf", "Fig", "No", "al", "approx"].contains(&word)
}

/// Cuts a span that is too long, at blanks where there are some.
pub(super) fn split_long(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = span.start;
    while span.end - start > SENTENCE_MAX {
        let limit = text.floor_char_boundary(start + SENTENCE_MAX);
        let end = text[start..limit].rfind([' ', '\t', '\n']).map_or(limit, |blank| start + blank + 1);
        parts.push(start..end);
        start = end;
    }
    parts.push(start..span.end);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn sentences_tile_the_text() {
        assert_eq!(split("One. Two, e.g. this! Three?\n\nFour"), ["One. ", "Two, e.g. this! ", "Three?\n\n", "Four"]);
        assert_eq!(split("一。二。"), ["一。", "二。"]);
        assert_eq!(split("\n\n# Head\ntext\n"), ["\n\n", "# Head\n", "text\n"]);
        let wrapped = "This sentence is long enough to be wrapped at the margin\nand goes on here. Then ends.\n";
        assert_eq!(split(wrapped).len(), 2);
        assert_eq!(split(""), Vec::<&str>::new());
        assert!(split(&"x".repeat(5_000)).len() > 4);
    }
}
