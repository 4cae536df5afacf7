//! Kinds whose first form is simple: Markdown and HTML are cut like prose, tables by rows under
//! their header.

use super::draft::{Compressor, Draft, Piece};
use super::log::{split_piece, template};
use super::{Kind, Query, lines, prose};

/// Prose under headings.
pub(super) struct Markdown;

impl Compressor for Markdown {
    fn kind(&self) -> Kind {
        Kind::Markdown
    }

    fn recognises(&self, sample: &str) -> u8 {
        let count = |is_one: &dyn Fn(&str) -> bool| sample.lines().filter(|line| is_one(line)).count();
        let headings = count(&|line| line.starts_with('#') && line.trim_start_matches('#').starts_with(' '));
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
        prose::draft(text, query)
    }
}

/// HTML, cut like prose for now.
pub(super) struct Html;

impl Compressor for Html {
    fn kind(&self) -> Kind {
        Kind::Html
    }

    fn recognises(&self, sample: &str) -> u8 {
        let start = sample.trim_start().get(..15).unwrap_or("").to_ascii_lowercase();
        let closing = sample.matches("</").count();
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            97
        } else if start.starts_with('<') && closing > 3 {
            70
        } else {
            0
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        prose::draft(text, query)
    }
}

/// Comma- or tab-separated values.
pub(super) struct Table;

impl Compressor for Table {
    fn kind(&self) -> Kind {
        Kind::Table
    }

    fn recognises(&self, sample: &str) -> u8 {
        let filled: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty()).take(100).collect();
        if filled.len() < 3 {
            return 0;
        }
        let even = |sign: char, least: usize| {
            let count = filled[0].matches(sign).count();
            let alike = filled.iter().filter(|line| line.matches(sign).count() == count).count();
            count >= least && alike * 10 >= filled.len() * 9
        };
        if even('\t', 1) {
            85
        } else if even(',', 2) || even(';', 2) {
            72
        } else {
            0
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let rows: Vec<_> = lines::spans(text).collect();
        let answers = query.map(|query| query.relevance(rows.iter().map(|span| &text[span.clone()])));
        let mut seen = std::collections::HashMap::new();
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(rows.len());
        for (index, span) in rows.into_iter().enumerate() {
            let row = &text[span.clone()];
            let place = seen.entry(template(row)).or_insert(0_usize);
            let mut worth = if *place == 0 { 5.0 } else { 1.0 / (*place as f64 + 1.0) };
            *place += 1;
            if let (Some(answers), Some(query)) = (&answers, query) {
                worth += 20.0 * answers[index] + if query.names_something_in(row) { 50.0 } else { 0.0 };
            }
            let needs = (index > 0).then_some(0);
            pieces.extend(split_piece(text, Piece { needs, ..Piece::of(text, span, worth) }));
        }
        Draft::of_lines(pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        assert!(Table.recognises("a,b,c\n1,2,3\n4,5,6\n") > 70);
        assert_eq!(Table.recognises("One line.\nAnother, line.\nA third.\n"), 0);
        assert!(Markdown.recognises("# Title\n\nText.\n\n## More\n\n- a\n- b\n") > 60);
        assert!(Html.recognises("<!DOCTYPE html><html></html>") > 90);
    }
}
