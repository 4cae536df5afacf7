//! Fitting text to a budget, and giving the original back.
//!
//! A [`Compressor`] knows one kind of text: it cuts it into [`Piece`]s, says what each is worth,
//! and knows how a selection of them is written down ([`Layout`]). The budget engine ([`fit()`])
//! alone chooses and counts, so no compressor can exceed a budget. Everything is pure and
//! synchronous, but for `original.rs`, which keeps originals in the store, and `savings.rs`, which
//! adds up there what is saved.
//!
//! To add a kind: a file beside this one, a line in [`COMPRESSORS`].

mod detect;
mod draft;
mod fit;
mod level;
mod marks;
mod select;
mod truncate;

mod clean;
mod lines;
mod passages;
mod rank;

pub mod cache;
pub mod original;
pub mod savings;

mod prose;

mod code;
mod dialog;
mod diff;
mod html;
mod json;
mod log;
mod markdown;
mod search;
mod stack;
mod table;
mod test;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use detect::{Detected, detect};
pub use draft::{Compressor, Draft, Known, Layout, Lines, Numbered, Piece};
pub use fit::{CannotFit, Fitted, Request, expand, fit};
pub use level::{Level, Levels, UnknownLevel};
pub use marks::{Cut, Marks};
pub use rank::Query;

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

impl Kind {
    /// Returns its word: the one that serde reads and writes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prose => "prose",
            Self::Markdown => "markdown",
            Self::Dialog => "dialog",
            Self::Code => "code",
            Self::Log => "log",
            Self::Test => "test",
            Self::Json => "json",
            Self::Diff => "diff",
            Self::Search => "search",
            Self::Table => "table",
            Self::Html => "html",
        }
    }

    /// Returns the kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        COMPRESSORS.iter().map(|compressor| compressor.kind()).find(|kind| kind.word() == word)
    }
}

/// Every compressor; where two are equally sure of a text, the first one gets it.
pub const COMPRESSORS: &[&dyn Compressor] = &[
    &json::Json,
    &diff::Diff,
    &html::Html,
    &search::Search,
    &test::Test,
    &log::Log,
    &code::Code,
    &table::Table,
    &dialog::Dialog,
    &markdown::Markdown,
    &prose::Prose,
];

/// Returns the compressor for a kind.
pub fn compressor(kind: Kind) -> &'static dyn Compressor {
    COMPRESSORS.iter().copied().find(|compressor| compressor.kind() == kind).expect("every kind is in the list")
}

/// Returns the compressor for a text of this kind: that of a narrower form where it knows one.
fn compressor_of(kind: Kind, text: &str, known: &Known) -> &'static dyn Compressor {
    match kind {
        Kind::Json | Kind::Dialog if json::Messages::is_in(text, known) => &json::Messages,
        Kind::Log if stack::Stack::is(text) => &stack::Stack,
        _ => compressor(kind),
    }
}
