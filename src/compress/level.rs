//! The levels of compression, from nothing to the last resort.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The levels that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Levels {
    /// Whether [`Level::Whitespace`] may be used.
    pub whitespace: bool,
    /// Whether [`Level::Structure`] may be used.
    pub structure: bool,
    /// Whether [`Level::Summarize`] may be used.
    pub summarize: bool,
    /// Whether [`Level::Truncate`] may be used.
    pub truncate: bool,
}

/// The reason why a text names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown level {0:?}: expected whitespace, structure, summarize or truncate")]
pub struct UnknownLevel(pub String);

impl Levels {
    /// Every level.
    pub const ALL: Self = Self { whitespace: true, structure: true, summarize: true, truncate: true };

    /// The levels that lose nothing.
    pub const LOSSLESS: Self = Self { whitespace: true, structure: true, summarize: false, truncate: false };

    /// Truncating only, for when compression is switched off.
    pub const TRUNCATE: Self = Self { whitespace: false, structure: false, summarize: false, truncate: true };

    /// Returns the levels of these names.
    pub fn from_names<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownLevel> {
        let mut levels = Self { whitespace: false, structure: false, summarize: false, truncate: false };
        for name in names {
            match name.as_ref() {
                "whitespace" => levels.whitespace = true,
                "structure" => levels.structure = true,
                "summarize" => levels.summarize = true,
                "truncate" => levels.truncate = true,
                other => return Err(UnknownLevel(other.chars().take(80).collect())),
            }
        }
        Ok(levels)
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self::ALL
    }
}
