//! The encodings, by name.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Measure;

/// A byte-pair encoding whose tokens are counted exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
// The list of tools, which every user pays for, has only this hint; inputs are checked against all names.
#[schemars(extend("x-listed-loosely" = true), description = "o200k_base, cl100k_base, o200k_harmony, ...")]
pub enum Encoding {
    /// GPT-4 and GPT-3.5.
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
    /// GPT-4o and later.
    #[default]
    #[serde(rename = "o200k_base")]
    O200kBase,
    /// The `gpt-oss` models: `o200k_base` with other special tokens, so ordinary text counts alike.
    #[serde(rename = "o200k_harmony")]
    O200kHarmony,
    /// Codex models and `text-davinci-002` and `-003`.
    #[serde(rename = "p50k_base")]
    P50kBase,
    /// The edit models: `p50k_base` with other special tokens, so ordinary text counts alike.
    #[serde(rename = "p50k_edit")]
    P50kEdit,
    /// GPT-2 and GPT-3.
    #[serde(rename = "r50k_base")]
    R50kBase,
}

/// The reason why a text names no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown encoding {0:?}: expected o200k_base, o200k_harmony, cl100k_base, p50k_base, p50k_edit or r50k_base")]
pub struct UnknownEncoding(pub String);

impl Encoding {
    /// Every encoding.
    pub const ALL: [Self; 6] =
        [Self::Cl100kBase, Self::O200kBase, Self::O200kHarmony, Self::P50kBase, Self::P50kEdit, Self::R50kBase];

    /// Returns the encoding's name as its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
            Self::P50kBase => "p50k_base",
            Self::P50kEdit => "p50k_edit",
            Self::R50kBase => "r50k_base",
        }
    }

    /// Returns the number of tokens in `text`. Text that looks like a special token is ordinary text.
    pub fn count(self, text: &str) -> usize {
        Measure::exact(self).count(text)
    }

    /// Returns whether `text` has at most `limit` tokens; stops as soon as it knows.
    pub fn fits(self, text: &str, limit: usize) -> bool {
        Measure::exact(self).fits(text, limit)
    }

    /// Returns the longest beginning of `text` of at most `limit` tokens that ends on a character
    /// boundary.
    pub fn prefix(self, text: &str, limit: usize) -> &str {
        Measure::exact(self).prefix(text, limit)
    }

    /// Returns the longest end of `text` of at most `limit` tokens that begins on a character
    /// boundary.
    pub fn suffix(self, text: &str, limit: usize) -> &str {
        Measure::exact(self).suffix(text, limit)
    }
}

impl std::str::FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Self, UnknownEncoding> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.name() == text)
            .ok_or_else(|| UnknownEncoding(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
