//! Fitting text to a budget, and giving the original back.
//!
//! A [`Compressor`] knows one kind of text: it cuts it into [`Piece`]s, says what each is worth,
//! and can write any selection of them down. The budget engine ([`fit`]) alone chooses and counts,
//! so no compressor can exceed a budget. Pure and synchronous, but for `original.rs`, which keeps
//! originals in the store.

use std::borrow::Cow;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Sentences and paragraphs.
    Prose,
    /// Prose under headings.
    Markdown,
    /// Turns of a conversation.
    Dialog,
    /// Source code.
    Code,
    /// Lines written by programs over time.
    Log,
    /// The output of a test runner or a compiler.
    Test,
    /// JSON or JSON Lines.
    Json,
    /// A unified diff or `git log -p`.
    Diff,
    /// The output of grep or ripgrep.
    Search,
    /// Comma- or tab-separated values.
    Table,
    /// HTML.
    Html,
}

/// How far a text had to be changed, from nothing to the last resort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Returned byte for byte.
    None,
    /// Lossless: colour codes, trailing blanks, repeated lines.
    Whitespace,
    /// Lossless: written in another form.
    Structure,
    /// Parts were left out, by worth.
    Summarize,
    /// Cut at the end, marked.
    Truncate,
}

/// A part of a text that is kept or left out as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a> {
    /// The bytes of the original that it stands for.
    pub span: Range<usize>,
    /// What is written when it is kept.
    pub text: Cow<'a, str>,
    /// What it is worth; pieces of higher worth per token are kept first.
    pub worth: f64,
    /// Whether the text makes no sense without it.
    pub mandatory: bool,
}

/// Knows one kind of text.
pub trait Compressor: Send + Sync {
    /// Returns the kind.
    fn kind(&self) -> Kind;

    /// Returns how sure it is that `text` is of its kind, from 0 (it is not) to 100. Looks at a
    /// bounded part of the text.
    fn recognises(&self, text: &str) -> u8;

    /// Cuts `text` into pieces in the order of the original; those that answer `query` are worth
    /// more.
    fn pieces<'a>(&self, text: &'a str, query: Option<&str>) -> Vec<Piece<'a>>;
}
