//! The output of grep and ripgrep: hits grouped by file.

use std::borrow::Cow;
use std::collections::HashSet;

use super::draft::{Compressor, Draft, Piece};
use super::{Kind, Query, lines, prose};

/// The output of grep or ripgrep.
pub(super) struct Search;

impl Compressor for Search {
    fn kind(&self) -> Kind {
        Kind::Search
    }

    fn recognises(&self, sample: &str) -> u8 {
        let filled: Vec<&str> =
            sample.lines().filter(|line| !line.trim().is_empty() && *line != "--").take(300).collect();
        let hits = filled.iter().filter(|line| hit(line).is_some()).count();
        if filled.len() >= 3 && hits * 10 >= filled.len() * 8 { 93 } else { 0 }
    }

    /// Writes each path once, above its hits.
    fn restructure(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut path = "";
        for line in text.split_inclusive('\n') {
            // A line that is no hit could be taken for a path.
            let found = hit(line)?;
            if found.path != path {
                path = found.path;
                out.push_str(path);
                out.push('\n');
            }
            out.push_str(found.rest);
        }
        Some(out)
    }

    fn expand(&self, form: &str) -> Option<String> {
        let mut out = String::with_capacity(form.len() * 2);
        let mut path = None;
        for line in form.split_inclusive('\n') {
            match (sign_of(line), path) {
                (Some(sign), Some(path)) => {
                    out.push_str(path);
                    out.push(sign);
                    out.push_str(line);
                }
                (Some(_), None) => return None,
                (None, _) => path = Some(line.strip_suffix('\n')?),
            }
        }
        Some(out)
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let all: Vec<_> = lines::spans(text).collect();
        if all.iter().filter(|span| hit(&text[(*span).clone()]).is_some()).count() * 2 < all.len() {
            return prose::draft(text, query);
        }
        let answers = query.map(|query| query.relevance(all.iter().map(|span| &text[span.clone()])));
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(all.len() + all.len() / 4);
        let mut path = "";
        let mut header = None;
        let mut place = 0;
        let mut seen: HashSet<&str> = HashSet::new();
        for (index, span) in all.into_iter().enumerate() {
            let line = &text[span.clone()];
            let Some(found) = hit(line) else {
                pieces.push(Piece::of(text, span, -1.0));
                continue;
            };
            if found.path != path {
                path = found.path;
                place = 0;
                header = Some(pieces.len());
                let start = span.start..span.start;
                pieces.push(Piece { text: Cow::Owned(format!("{path}\n")), ..Piece::of(text, start, 0.0) });
            }
            let first = if place == 0 && seen.insert(path) { 50.0 } else { 0.0 };
            let defines = defines_something(found.text);
            let answer = answers.as_ref().map_or(0.0, |answers| answers[index]);
            let worth = first + 1.0 / (place as f64 + 1.0) - line.len() as f64 / 2_000.0
                + if defines { 5.0 + 75.0 * answer } else { 10.0 * answer };
            place += 1;
            pieces.push(Piece { text: Cow::Borrowed(found.rest), needs: header, ..Piece::of(text, span, worth) });
        }
        Draft::of_lines(pieces)
    }
}

/// A line of `path:12:text`, `path:12:5:text` or, for surroundings, `path-12-text`.
struct Hit<'a> {
    path: &'a str,
    /// Everything after the path: `12:text`.
    rest: &'a str,
    text: &'a str,
}

fn hit(line: &str) -> Option<Hit<'_>> {
    [':', '-'].into_iter().find_map(|sign| {
        line.match_indices(sign).find_map(|(at, _)| {
            let (path, rest) = (&line[..at], &line[at + 1..]);
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let is_path = !path.is_empty() && path.contains(['.', '/']) && !path.contains(char::is_whitespace);
            let is_hit = is_path && (1..=7).contains(&digits) && rest[digits..].starts_with(sign);
            is_hit.then(|| Hit { path, rest, text: &rest[digits + 1..] })
        })
    })
}

/// The sign after the number that a line begins with: `:` of a hit, `-` of its surroundings.
fn sign_of(line: &str) -> Option<char> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let sign = line[digits..].chars().next()?;
    ((1..=7).contains(&digits) && matches!(sign, ':' | '-')).then_some(sign)
}

/// Whether a line of source text defines what it names.
pub(super) fn defines_something(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "fn ",
        "def ",
        "class ",
        "struct ",
        "enum ",
        "trait ",
        "interface ",
        "type ",
        "function ",
        "func ",
        "const ",
        "static ",
        "macro_rules! ",
        "mod ",
        "impl ",
        "impl<",
    ];
    const BEFORE: &[&str] =
        &["pub ", "pub(crate) ", "pub(super) ", "export ", "default ", "async ", "unsafe ", "public ", "private "];
    let mut text = text.trim_start();
    while let Some(rest) = BEFORE.iter().find_map(|word| text.strip_prefix(word)) {
        text = rest.trim_start();
    }
    WORDS.iter().any(|word| text.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_grouped_by_file() {
        let text = "src/a.rs:1:use x;\nsrc/a.rs:12:5:fn x() {}\nsrc/b-c.rs-3-let y;\n";
        assert_eq!(
            Search.restructure(text).as_deref(),
            Some("src/a.rs\n1:use x;\n12:5:fn x() {}\nsrc/b-c.rs\n3-let y;\n")
        );
        assert_eq!(Search.restructure("src/a.rs:1:x\nother\n"), None);
        let form = Search.restructure(text).expect("hits");
        assert_eq!(Search.expand(&form).as_deref(), Some(text));
        assert!(Search.recognises(text) > 90);
        assert_eq!(Search.recognises("10:20:30 INFO a\n10:20:31 INFO b\n10:20:32 INFO c\n"), 0);
    }
}
