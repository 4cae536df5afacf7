//! Which measure a model's name stands for.

use super::measure::{Estimate, Ratio};
use super::{Encoding, Measure, TextKind};

/// The reason why a text names no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown model {0:?}: expected an OpenAI model (gpt-5, gpt-4.1, gpt-4o, gpt-4, gpt-3.5-turbo, gpt-oss, o1, o3, \
     o4-mini, codex-mini, text-embedding-3-small, ...) for exact counts, or one whose name begins with claude, gemini, \
     gemma, llama, mistral, qwen, deepseek or grok for an estimate; or give an encoding instead: cl100k_base, \
     o200k_base, o200k_harmony, p50k_base, p50k_edit or r50k_base"
)]
pub struct UnknownModel(pub String);

const CL100K: Measure = Measure::exact(Encoding::Cl100kBase);
const O200K: Measure = Measure::exact(Encoding::O200kBase);
const HARMONY: Measure = Measure::exact(Encoding::O200kHarmony);
const P50K: Measure = Measure::exact(Encoding::P50kBase);
const P50K_EDIT: Measure = Measure::exact(Encoding::P50kEdit);
/// Also GPT-2's, which differs in special tokens only.
const R50K: Measure = Measure::exact(Encoding::R50kBase);

/// The Claude models up to Opus 4.6, of which a reconstruction of the tokenizer was measured: 1.12
/// to 1.28 tokens for one of `o200k_base` in English, code, JSON and logs, up to 1.49 in other
/// scripts.
const CLAUDE: Measure = measured(130, 150, 21, Family::Claude);

/// The Claude models after Opus 4.6, measured in the same way: 1.28 to 1.65.
const CLAUDE_NEWER: Measure = measured(165, 165, 23, Family::ClaudeNewer);

/// Gemini and Gemma share a vocabulary that spells each digit with a token of its own. Not measured;
/// the margin is wide.
const GEMINI: Measure = estimate(Encoding::O200kBase, 130, 130, 35);

/// Llama 3 and 4 extend the vocabulary of `cl100k_base`, so they need hardly more tokens than it and
/// far fewer outside English. Not measured.
const LLAMA: Measure = estimate(Encoding::Cl100kBase, 110, 110, 50);

/// Models with vocabularies of 128,000 tokens and more. Not measured; the margin is wide.
const OPEN_WEIGHTS: Measure = estimate(Encoding::O200kBase, 140, 150, 45);

/// Names and what they stand for. A name matches the first entry that it begins with, if a
/// separator or nothing follows.
const MODELS: &[(&str, Measure)] = &[
    ("gpt-oss", HARMONY),
    ("gpt-5", O200K),
    ("gpt-4.1", O200K),
    ("gpt-4.5", O200K),
    ("gpt-4o", O200K),
    ("chatgpt-4o", O200K),
    ("o1", O200K),
    ("o3", O200K),
    ("o4", O200K),
    ("codex", O200K),
    ("gpt-4", CL100K),
    ("gpt-3.5", CL100K),
    ("gpt-35", CL100K),
    ("davinci-002", CL100K),
    ("babbage-002", CL100K),
    ("text-embedding-ada-002", CL100K),
    ("text-embedding-3", CL100K),
    ("text-davinci-edit", P50K_EDIT),
    ("code-davinci-edit", P50K_EDIT),
    ("text-davinci-001", R50K),
    ("text-davinci", P50K),
    ("code-davinci", P50K),
    ("code-cushman", P50K),
    ("davinci-codex", P50K),
    ("cushman-codex", P50K),
    ("text-curie", R50K),
    ("text-babbage", R50K),
    ("text-ada", R50K),
    ("davinci", R50K),
    ("curie", R50K),
    ("babbage", R50K),
    ("ada", R50K),
    ("text-similarity", R50K),
    ("text-search", R50K),
    ("code-search", R50K),
    ("gpt2", R50K),
    ("gpt-2", R50K),
    ("gemini", GEMINI),
    ("gemma", GEMINI),
    ("codegemma", GEMINI),
    ("llama", LLAMA),
    ("codellama", OPEN_WEIGHTS),
    ("mistral", OPEN_WEIGHTS),
    ("mixtral", OPEN_WEIGHTS),
    ("codestral", OPEN_WEIGHTS),
    ("devstral", OPEN_WEIGHTS),
    ("magistral", OPEN_WEIGHTS),
    ("ministral", OPEN_WEIGHTS),
    ("qwen", OPEN_WEIGHTS),
    ("qwq", OPEN_WEIGHTS),
    ("deepseek", OPEN_WEIGHTS),
    ("grok", OPEN_WEIGHTS),
    ("kimi", OPEN_WEIGHTS),
    ("glm", OPEN_WEIGHTS),
    ("phi", OPEN_WEIGHTS),
    ("command", OPEN_WEIGHTS),
];

const fn estimate(encoding: Encoding, ascii_percent: u32, other_percent: u32, margin_percent: u32) -> Measure {
    Measure::of_model(encoding, Estimate { ascii_percent, other_percent, margin_percent, family: None })
}

/// An estimate over `o200k_base` of a model for which the ratio was measured by kind of text.
const fn measured(ascii_percent: u32, other_percent: u32, margin_percent: u32, family: Family) -> Measure {
    let estimate = Estimate { ascii_percent, other_percent, margin_percent, family: Some(family) };
    Measure::of_model(Encoding::O200kBase, estimate)
}

/// Models of which estimates were measured by kind of text, over `o200k_base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Family {
    /// The Claude models up to Opus 4.6.
    Claude,
    /// The Claude models after it.
    ClaudeNewer,
}

impl Family {
    /// Returns what was measured for a kind of text; for a kind of several bodies of text (code of
    /// any language, any script), the least and the most of them.
    pub(super) fn ratio(self, kind: TextKind) -> Ratio {
        let (older, newer) = match kind {
            TextKind::Prose => ((116, 116), (154, 154)),
            TextKind::Markdown => ((120, 120), (159, 159)),
            TextKind::Rust => ((128, 128), (165, 165)),
            TextKind::Python => ((116, 116), (149, 149)),
            TextKind::Typescript => ((124, 124), (162, 162)),
            TextKind::Code => ((116, 128), (149, 165)),
            TextKind::Json => ((121, 124), (140, 150)),
            TextKind::Log => ((112, 112), (135, 135)),
            TextKind::Chinese => ((136, 136), (152, 152)),
            TextKind::Japanese => ((119, 119), (128, 128)),
            TextKind::Mixed => ((119, 149), (128, 155)),
        };
        let (least, most) = match self {
            Self::Claude => older,
            Self::ClaudeNewer => newer,
        };
        Ratio { least, most }
    }
}

/// Returns the measure for a model's name: exact for OpenAI's, an estimate for the others known.
///
/// A provider before the name (`anthropic/`, `ft:`) does not matter.
pub fn for_model(name: &str) -> Result<Measure, UnknownModel> {
    let lower = name.trim().to_ascii_lowercase();
    let model = lower.rsplit('/').next().unwrap_or(&lower);
    let model = model.strip_prefix("ft:").unwrap_or(model);
    // Bedrock and Vertex write the maker with a dot: us.anthropic.claude-...
    let model = model.find("claude").map_or(model, |at| &model[at..]);
    if model.starts_with("claude") {
        return Ok(claude(model));
    }
    MODELS
        .iter()
        .find(|(prefix, measure)| {
            model.strip_prefix(prefix).is_some_and(|rest| match rest.as_bytes() {
                [b'a'..=b'z', ..] => false,
                // A digit more is another model, and so is gpt-4 with a version that is not listed.
                [b'0'..=b'9', ..] => !measure.is_exact(),
                [b'.', b'0'..=b'9', ..] => *prefix != "gpt-4",
                _ => true,
            })
        })
        .map(|(_, measure)| *measure)
        .ok_or_else(|| UnknownModel(name.chars().take(80).collect()))
}

/// The generation of a Claude model by the version in its name, such as `claude-opus-4-6-20260101`
/// or `claude-3.5-sonnet`; a name without a version is taken for the newest.
fn claude(model: &str) -> Measure {
    let mut numbers = model
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|part| part.strip_prefix('v').unwrap_or(part).parse::<u32>().ok());
    // Anything longer than a version part is a date.
    let version = |number: Option<u32>| number.filter(|number| *number < 100);
    match version(numbers.next()) {
        Some(major) if (major, version(numbers.next()).unwrap_or(0)) <= (4, 6) => CLAUDE,
        _ => CLAUDE_NEWER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Measure) {
        assert_eq!(for_model(name), Ok(expected), "{name}");
    }

    #[test]
    fn openai_names_are_exact() {
        for name in [
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "GPT-5.2-codex",
            "o1",
            "o3-mini",
            "o4-mini",
            "openai/gpt-4.1",
            "codex-mini-latest",
            "ft:gpt-4o:org:name:id",
        ] {
            check(name, O200K);
        }
        for name in
            ["gpt-4", "gpt-4-0314", "gpt-4-turbo", "gpt-3.5-turbo-16k", "gpt-35-turbo", "text-embedding-3-small"]
        {
            check(name, CL100K);
        }
        check("gpt-oss-120b", HARMONY);
    }

    /// The names and prefixes that tiktoken 0.14 lists for these encodings.
    #[test]
    fn openai_names_map_as_in_tiktoken() {
        for (names, expected) in [
            ("o1 o1-x o3 o3-x o4-mini o4-mini-x gpt-5 gpt-5-x gpt-4.5-x gpt-4.1 gpt-4.1-x gpt-4o gpt-4o-x", O200K),
            ("chatgpt-4o-x ft:gpt-4o", O200K),
            ("gpt-oss-x", HARMONY),
            ("gpt-4 gpt-4-x gpt-3.5-turbo gpt-3.5-turbo-x gpt-3.5 gpt-35-turbo gpt-35-turbo-x", CL100K),
            ("davinci-002 babbage-002 text-embedding-ada-002 text-embedding-3-small text-embedding-3-large", CL100K),
            ("ft:gpt-4 ft:gpt-3.5-turbo ft:davinci-002 ft:babbage-002", CL100K),
            ("text-davinci-003 text-davinci-002 code-davinci-002 code-davinci-001 code-cushman-002", P50K),
            ("code-cushman-001 davinci-codex cushman-codex", P50K),
            ("text-davinci-edit-001 code-davinci-edit-001", P50K_EDIT),
            ("text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada", R50K),
            ("text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001", R50K),
            ("text-similarity-ada-001 text-search-davinci-doc-001 text-search-curie-doc-001", R50K),
            ("text-search-babbage-doc-001 text-search-ada-doc-001 code-search-babbage-code-001", R50K),
            ("code-search-ada-code-001 gpt2 gpt-2", R50K),
        ] {
            names.split(' ').for_each(|name| check(name, expected));
        }
    }

    #[test]
    fn claude_names_have_two_generations() {
        for name in [
            "claude-3-5-sonnet-20241022",
            "claude-3-opus",
            "claude-2.1",
            "anthropic.claude-v2:1",
            "claude-sonnet-4-20250514",
            "claude-opus-4-6",
            "claude-opus-4.1",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ] {
            check(name, CLAUDE);
        }
        for name in ["claude-opus-4-7", "claude-5-sonnet", "claude", "claude-opus", "anthropic/claude-sonnet-5"] {
            check(name, CLAUDE_NEWER);
        }
    }

    #[test]
    fn other_families_are_estimates_with_a_margin() {
        for name in ["gemini-2.5-pro", "meta-llama/Llama-3.3-70B", "mistral-large", "Qwen/Qwen3-Coder", "deepseek-chat"]
        {
            let measure = for_model(name).unwrap();
            assert!(!measure.is_exact() && measure.margin_percent().unwrap() > 0, "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_what_is_accepted() {
        for name in [
            "",
            "gpt",
            "gpt-6",
            "o17",
            "office",
            "clau",
            "llamaindex",
            "gpt-45",
            "gpt-4.9",
            "gpt-55",
            "ada2",
            "adaptive",
            "text-davincix",
        ] {
            let message = for_model(name).unwrap_err().to_string();
            for accepted in ["gpt-4o", "claude", "gemini", "o200k_base"] {
                assert!(message.contains(accepted), "{name}: {message}");
            }
        }
    }
}
