//! The output of grep and ripgrep: hits grouped by file.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::draft::{Compressor, Draft, Layout, Lines, Piece, runs};
use super::marks::Marks;
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
        let found: Vec<Option<Hit<'a>>> = all.iter().map(|span| hit(&text[span.clone()])).collect();
        if found.iter().flatten().count() * 2 < all.len() {
            return prose::draft(text, query);
        }
        let lines = || all.iter().map(|span| &text[span.clone()]);
        let answers = query.map(|query| query.relevance(lines()));
        let names = found.iter().map(|hit| hit.as_ref().and_then(|hit| defined_name(hit.text)).unwrap_or(""));
        let defines = query.map(|query| query.relevance(names));
        let mut hits: HashMap<&str, usize> = HashMap::new();
        found.iter().flatten().for_each(|hit| *hits.entry(hit.path).or_default() += 1);
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(all.len() + all.len() / 4);
        let mut path = "";
        let mut header = None;
        let mut place = 0;
        let mut seen: HashSet<&str> = HashSet::new();
        for (index, span) in all.iter().enumerate() {
            let line = &text[span.clone()];
            let Some(found) = &found[index] else {
                pieces.push(Piece::of(text, span.clone(), -1.0));
                continue;
            };
            if found.path != path {
                path = found.path;
                place = 0;
                header = Some(pieces.len());
                let start = span.start..span.start;
                let worth = if seen.insert(path) { 50.0 } else { 0.0 };
                let count = hits[path];
                let written = if count > 1 { format!("{path} ({count})\n") } else { format!("{path}\n") };
                pieces.push(Piece { text: Cow::Owned(written), ..Piece::of(text, start, worth) });
            }
            let answer = answers.as_ref().map_or(0.0, |answers| 10.0 * answers[index]);
            let defines = match &defines {
                Some(defines) => 80.0 * defines[index],
                None if defined_name(found.text).is_some() => 5.0,
                None => 0.0,
            };
            let worth = answer + defines + 1.0 / (place as f64 + 1.0) - line.len() as f64 / 2_000.0;
            place += 1;
            pieces.push(Piece {
                text: Cow::Borrowed(found.rest),
                needs: header,
                ..Piece::of(text, span.clone(), worth)
            });
        }
        Draft { pieces, layout: Box::new(Hits) }
    }
}

/// Writes hits under their files. Each file says how many it has, and each hit has the line of its
/// file, so a mark in each gap would tell nothing more: one mark at the end tells of all.
struct Hits;

impl Layout for Hits {
    fn marks_each_gap(&self) -> bool {
        false
    }

    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        if marks.marks_each_gap() {
            return Lines.write(pieces, kept, marks);
        }
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                pieces[run].iter().for_each(|piece| out.push_str(&piece.text));
            } else if !pieces[run.clone()].iter().all(|piece| piece.span.is_empty()) {
                marks.note(run);
            }
        }
        if let Some(told) = marks.summary() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&told);
            out.push('\n');
        }
        out
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
    hit_with(line, b':').or_else(|| hit_with(line, b'-'))
}

/// The hit that ends its path with this sign.
fn hit_with(line: &str, sign: u8) -> Option<Hit<'_>> {
    let bytes = line.as_bytes();
    // Whether what was read so far looks like a path: it has a dot or a slash, and no blank.
    let mut is_path = false;
    for (at, byte) in bytes.iter().enumerate() {
        match *byte {
            byte if byte == sign && is_path => {
                let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                if (1..=7).contains(&digits) && bytes.get(at + 1 + digits) == Some(&sign) {
                    let (path, rest) = (&line[..at], &line[at + 1..]);
                    return Some(Hit { path, rest, text: &rest[digits + 1..] });
                }
            }
            b'.' | b'/' => is_path = true,
            b' ' | b'\t'..=b'\r' => return None,
            // Blanks beyond ASCII have two bytes or more, of which this is the first.
            0xc2..=0xe3 if line[at..].starts_with(char::is_whitespace) => return None,
            _ => {}
        }
    }
    None
}

/// The sign after the number that a line begins with: `:` of a hit, `-` of its surroundings.
fn sign_of(line: &str) -> Option<char> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let sign = line[digits..].chars().next()?;
    ((1..=7).contains(&digits) && matches!(sign, ':' | '-')).then_some(sign)
}

/// Whether a line of source text defines something.
pub(super) fn defines_something(text: &str) -> bool {
    defined_name(text).is_some() || ["impl ", "impl<"].iter().any(|word| text.trim_start().starts_with(word))
}

/// The name that a line of source text defines.
fn defined_name(text: &str) -> Option<&str> {
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
        "union ",
        "record ",
        "#define ",
    ];
    const BEFORE: &[&str] = &[
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "export ",
        "default ",
        "async ",
        "unsafe ",
        "public ",
        "private ",
        "protected ",
        "static ",
        "abstract ",
        "declare ",
        "final ",
        "const ",
    ];
    let mut text = text.trim_start();
    loop {
        // "const fn x", but "const X".
        if let Some(rest) = WORDS.iter().find_map(|word| text.strip_prefix(word))
            && !WORDS.iter().any(|word| rest.starts_with(word))
        {
            let rest = rest.trim_start();
            // The receiver of a method in Go.
            let rest = match rest.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
                Some((_, after)) => after,
                None => rest,
            };
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            return (end > 0).then(|| &rest[..end]);
        }
        text = BEFORE.iter().find_map(|word| text.strip_prefix(word))?.trim_start();
    }
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

    #[test]
    fn definitions_say_what_they_define() {
        for (line, name) in [
            ("pub(crate) const fn limit(x: u8) {", Some("limit")),
            ("    const LIMIT: usize = 3;", Some("LIMIT")),
            ("export default async function run() {", Some("run")),
            ("func (s *Server) Close() error {", Some("Close")),
            ("class Cart(Base):", Some("Cart")),
            ("return limit(4)", None),
        ] {
            assert_eq!(defined_name(line), name, "{line}");
        }
    }

    #[test]
    fn every_file_and_the_definition_asked_for_are_named() {
        let uses: String =
            (0..40).map(|index| format!("src/a{}.rs:{index}:    let x = limit(y, {index});\n", index / 4)).collect();
        let text = format!("{uses}src/z.rs:7:fn limit(a: u32, b: u32) -> u32 {{\n");
        let request = crate::compress::Request {
            kind: Some(Kind::Search),
            query: Some("Where is limit defined?"),
            ..crate::compress::Request::new(&text, Some(130), crate::tokens::Measure::default())
        };
        let out = crate::compress::fit(&request).expect("fits").text;
        assert!(
            out.contains("7:fn limit(a") && out.contains("src/a0.rs (4)") && out.contains("src/a9.rs (4)"),
            "{out}"
        );
    }
}
