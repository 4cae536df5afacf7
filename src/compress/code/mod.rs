//! Source code: definitions first, bodies elided.
//!
//! A first form without a parser: braces or indentation tell where definitions begin and end. What
//! is cut leaves a comment (and `...` in Python), so that the rest still parses. A text whose
//! brackets do not match is cut by lines.

mod blocks;
mod language;
mod layout;

use std::borrow::Cow;

use super::draft::{Compressor, Draft, Piece};
use super::{Kind, Query, lines};
use blocks::{Block, Role};
use language::Language;

/// Source code.
pub(super) struct Code;

impl Compressor for Code {
    fn kind(&self) -> Kind {
        Kind::Code
    }

    fn recognises(&self, sample: &str) -> u8 {
        language::looks_like_code(sample)
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let language = Language::of(text);
        let blocks = blocks::cut(text, language).unwrap_or_else(|| by_lines(text));
        let answers = query.map(|query| answers(text, &blocks, query));
        let pieces = blocks
            .iter()
            .enumerate()
            .map(|(index, block)| Piece {
                span: block.open.clone(),
                end: block.close.end,
                text: Cow::Borrowed(&text[block.open.clone()]),
                close: &text[block.close.clone()],
                worth: worth(text, block) + answers.as_ref().map_or(0.0, |answers| answers[index]),
                mandatory: false,
                needs: block.parent,
            })
            .collect();
        Draft { pieces, layout: Box::new(layout::CodeLayout::of(text, language, blocks)) }
    }

    fn only_mark(&self, text: &str, mark: &str) -> Option<String> {
        let comment = Language::of(text).line_comment;
        Some(format!("{comment} {mark}"))
    }
}

/// What a block is worth without a query: signatures, public and types first; then what stands
/// between definitions; small bodies before large ones; comments last.
fn worth(text: &str, block: &Block) -> f64 {
    let open = &text[block.open.clone()];
    let length = open.len() as f64;
    match block.role {
        Role::Definition => {
            let first = open.trim_start();
            let is_public = ["pub ", "export ", "public "].iter().any(|word| first.starts_with(word));
            10.0 + if is_public { 3.0 } else { 0.0 } + if block.holds_blocks { 2.0 } else { 0.0 }
                - block.depth as f64 * 0.2
                - length / 2_000.0
        }
        Role::Loose => 6.0 - length / 1_000.0,
        Role::Comment => 2.0 - length / 2_000.0,
        Role::Body => 1.0 - length / 4_000.0,
        Role::Blank => 0.0,
    }
}

/// With a query, whole definitions that answer it, and what they stand in, are worth most.
fn answers(text: &str, blocks: &[Block], query: &Query) -> Vec<f64> {
    // A definition is judged with its body and its comment, and its name once more.
    let passages: Vec<Cow<'_, str>> = blocks
        .iter()
        .enumerate()
        .map(|(index, block)| match block.role {
            Role::Definition if !block.holds_blocks => {
                let end = blocks
                    .get(index + 1)
                    .filter(|next| next.parent == Some(index))
                    .map_or(block.open.end, |body| body.open.end);
                let before = index.checked_sub(1).filter(|before| blocks[*before].role == Role::Comment);
                let start = before.map_or(block.open.start, |before| blocks[before].open.start);
                Cow::Owned(format!("{} {}", &text[start..end], &text[block.open.clone()]))
            }
            Role::Loose | Role::Definition => Cow::Borrowed(&text[block.open.clone()]),
            _ => Cow::Borrowed(""),
        })
        .collect();
    let scores = query.relevance(passages.iter().map(|passage| &**passage));
    (0..blocks.len())
        .map(|index| {
            let block = &blocks[index];
            let of = match block.role {
                Role::Body => block.parent.filter(|parent| !blocks[*parent].holds_blocks),
                // The comment above a definition goes with it.
                Role::Comment => blocks.get(index + 1).filter(|next| next.role == Role::Definition).map(|_| index + 1),
                _ => Some(index),
            };
            let score = of.map_or(0.0, |of| scores[of]);
            if score > 0.0 { 20.0 * score } else { 0.0 }
        })
        .collect()
}

/// A block a line, for text in which no definitions can be found.
fn by_lines(text: &str) -> Vec<Block> {
    lines::spans(text)
        .map(|span| Block {
            close: span.end..span.end,
            open: span,
            parent: None,
            role: Role::Loose,
            depth: 0,
            holds_blocks: false,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Request, fit};
    use crate::tokens::Measure;

    fn fitted(text: &str, query: Option<&str>, tokens: usize) -> String {
        let request = Request { kind: Some(Kind::Code), query, ..Request::new(text, Some(tokens), Measure::default()) };
        fit(&request).expect("fits").text
    }

    const RUST: &str = r#"//! A room.

use std::fmt;

/// Limits retries.
pub struct Limit {
    retries: u32, // } { no brackets
}

impl Limit {
    /// Returns whether one more try is allowed, given how many there were before it.
    pub fn allows(&self, before: u32) -> bool {
        let text = "{ not a bracket";
        let other = r"also { not";
        if before > self.retries {
            return false;
        }
        text.len() + other.len() > before as usize
    }

    fn log<'a>(&self, line: &'a str) -> char {
        let quote = '{';
        let mut length = line.len();
        while length > 10 {
            length -= self.retries as usize + 1;
        }
        quote
    }
}
"#;

    #[test]
    fn bodies_of_rust_are_elided_first() {
        let out = fitted(RUST, None, 130);
        assert!(out.contains("pub fn allows(&self, before: u32) -> bool {"), "{out}");
        assert!(out.contains("fn log<'a>(&self, line: &'a str) -> char {"), "{out}");
        assert_eq!(out.matches('{').count(), out.matches('}').count(), "{out}");
        assert!(out.contains("/* "), "{out}");
    }

    #[test]
    fn a_query_keeps_the_body_that_answers() {
        let out = fitted(RUST, Some("how is the line length logged"), 130);
        assert!(out.contains("let quote = '{';"), "{out}");
        assert!(!out.contains("let other"), "{out}");
    }

    #[test]
    fn bodies_of_python_are_elided_first() {
        let text = "import os\n\n\nclass Store:\n    \"\"\"Keeps\nthings.\n    \"\"\"\n\n    def get(self, key,\n            other=None):\n        value = self.items[key]\n        if value is None:\n            raise KeyError(key)\n        return value\n\n    def put(self, key, value):\n        self.items[key] = value\n        self.changed = True\n        self.flush(os.path.join(self.folder, key))\n\n\ndef main():\n    store = Store()\n    store.put('a', 1)\n    print(store.get('a'))\n";
        let out = fitted(text, None, 100);
        for signature in [
            "class Store:",
            "def get(self, key,\n            other=None):",
            "def put(self, key, value):",
            "def main():",
        ] {
            assert!(out.contains(signature), "{signature}\n{out}");
        }
        assert!(out.contains("        ... # "), "{out}");
    }
}
