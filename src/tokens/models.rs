//! Which measure a model's name stands for.

use super::{Encoding, Measure};

/// The reason why a text names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown model {0:?}: expected an OpenAI, Claude or Gemini model name; or give an encoding instead")]
pub struct UnknownModel(pub String);

/// Returns the measure for a model's name: exact for OpenAI's, an estimate for Claude and Gemini.
pub fn for_model(name: &str) -> Result<Measure, UnknownModel> {
    let model = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| model.starts_with(prefix));
    if starts(&["gpt-oss"]) {
        Ok(Measure::exact(Encoding::O200kHarmony))
    } else if starts(&["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-4o", "o1", "o3", "o4", "codex"]) {
        Ok(Measure::exact(Encoding::O200kBase))
    } else if starts(&["gpt-4", "gpt-3.5", "text-embedding-3", "text-embedding-ada-002"]) {
        Ok(Measure::exact(Encoding::Cl100kBase))
    } else if starts(&["claude"]) {
        Ok(Measure::estimate(Encoding::O200kBase, 165))
    } else if starts(&["gemini"]) {
        Ok(Measure::estimate(Encoding::O200kBase, 130))
    } else {
        Err(UnknownModel(name.chars().take(80).collect()))
    }
}
