//! Several files in one text: where each begins, and what it is called.
//!
//! Known are the lines that programs put above files (`===== src/a.rs =====`, `==> a.py <==`,
//! `// File: a.go`, `<file path="a.ts">`) and fences that name a language.

use std::ops::Range;

use super::super::lines;
use super::grammar::Grammar;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The line that names it; empty for what stands before the first such line.
    pub(super) header: Range<usize>,
    /// What is in it.
    pub(super) body: Range<usize>,
    /// The line that ends it, for a fence.
    pub(super) footer: Range<usize>,
    /// Its path, or what the fence says.
    pub(super) name: &'a str,
    /// The language that its header names.
    pub(super) grammar: Option<Grammar>,
}

/// Cuts a text into its files; one part without a header where there are no headers. Parts tile
/// the text.
pub(super) fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![Part { header: 0..0, body: 0..0, footer: 0..0, name: "", grammar: None }];
    let mut is_fenced = false;
    for span in lines::spans(text) {
        let line = &text[span.clone()];
        let last = parts.last_mut().expect("there is always one");
        if is_fenced {
            if line.trim_end() == "```" {
                is_fenced = false;
                last.footer = span.clone();
                parts.push(plain(span.end));
            } else {
                last.body.end = span.end;
                last.footer = span.end..span.end;
            }
            continue;
        }
        let fence = line.trim_end().strip_prefix("```").filter(|name| Grammar::named(name).is_some());
        let header = fence.map(|name| (name, Grammar::named(name))).or_else(|| Some((path(line)?, None)));
        let Some((name, grammar)) = header else {
            last.body.end = span.end;
            last.footer = span.end..span.end;
            continue;
        };
        if last.header.is_empty() && last.body.is_empty() {
            parts.pop();
        }
        is_fenced = fence.is_some();
        let grammar = grammar.or_else(|| Grammar::of_path(name));
        let body = span.end..span.end;
        parts.push(Part { header: span, footer: body.clone(), body, name, grammar });
    }
    parts
}

fn plain<'a>(at: usize) -> Part<'a> {
    Part { header: at..at, body: at..at, footer: at..at, name: "", grammar: None }
}

/// The path that a line names, if it is there for nothing else.
fn path(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.len() > 300 {
        return None;
    }
    let framed = |start: &str, end: &str| line.strip_prefix(start)?.strip_suffix(end);
    let name = if let Some(inner) = framed("==> ", " <==") {
        inner
    } else if let Some(inner) = framed("<file path=\"", "\">") {
        inner
    } else if let Some(inner) = line.strip_prefix("===") {
        inner.trim_matches('=')
    } else if let Some(inner) = framed("--- ", " ---") {
        inner
    } else {
        let inner = line.trim_start_matches(['/', '#', '*', ' ']);
        inner
            .strip_prefix("File: ")
            .or_else(|| inner.strip_prefix("file: "))
            .or_else(|| inner.strip_prefix("FILE: "))?
    };
    let name = name.trim().trim_matches('`');
    let (_, ending) = name.rsplit(['/', '\\']).next()?.rsplit_once('.')?;
    let is_ending =
        (1..=8).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
    (is_ending && !name.contains(char::is_whitespace) && !name.contains(['(', ';', '"', '='])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_the_lines_above_them() {
        let text =
            "intro\n===== src/a.rs =====\nfn a() {}\n==> b/c.py <==\ndef b(): pass\n```go\nfunc c() {}\n```\nend\n";
        let parts = split(text);
        let found: Vec<_> = parts.iter().map(|part| (part.name, part.grammar, &text[part.body.clone()])).collect();
        assert_eq!(
            found,
            [
                ("", None, "intro\n"),
                ("src/a.rs", Some(Grammar::Rust), "fn a() {}\n"),
                ("b/c.py", Some(Grammar::Python), "def b(): pass\n"),
                ("go", Some(Grammar::Go), "func c() {}\n"),
                ("", None, "end\n"),
            ]
        );
        let tiled: String = parts
            .iter()
            .flat_map(|part| [&part.header, &part.body, &part.footer])
            .map(|span| &text[span.clone()])
            .collect();
        assert_eq!(tiled, text);
        for line in ["=== a b.rs ===", "--- a/src/x.rs", "// a.rs", "x === y.z", "=========", "File: none"] {
            assert_eq!(path(line), None, "{line}");
        }
    }
}
