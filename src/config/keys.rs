//! The list of settings, read from the schema of the types in `layers.rs`.
//!
//! A setting's environment variable is `CTX_` and its key in capitals with `_` for the dots:
//! `context.max_tokens` is `CTX_CONTEXT_MAX_TOKENS`. [`ALIASES`] are further names.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::layers::Settings;

/// Variables that set a key besides its own; where several are set, the first of these wins, and
/// the key's own variable before them all.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("CTX_MAX_OUTPUT_TOKENS", "context.max_output_tokens"),
    // The limit of Claude Code: what is longer it would refuse or put into a file.
    ("MAX_MCP_OUTPUT_TOKENS", "context.max_output_tokens"),
];

/// Variables of ours that are no settings: what a task is told about itself. A server inside a task
/// meets them too.
pub(super) const TOLD: &[&str] = &["CTX_RUN", "CTX_STEP", "CTX_ATTEMPT"];

/// A setting that can be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// Its path with dots.
    pub path: String,
    /// What may be written.
    pub form: Form,
    /// Whether a project's file must not set it, because a repository would widen its own rights.
    pub trusted: bool,
    /// Whether a project's file may only name a place inside the project, because a repository
    /// would reach for the user's other files.
    pub inside: bool,
}

impl Key {
    /// Returns the name of its environment variable.
    pub fn variable(&self) -> String {
        format!("CTX_{}", self.path.replace('.', "_").to_uppercase())
    }
}

/// What may be written for a setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// `true` or `false`.
    Bool,
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// Any text.
    Text,
    /// One of these words.
    Word(Vec<String>),
    /// A list of such values.
    List(Box<Form>),
}

impl Form {
    /// Says what is expected, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Integer(min, i64::MAX) => format!("a whole number of at least {min}"),
            Self::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Self::Text => "text".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::List(form) => match form.as_ref() {
                Self::Text => "a list of texts".to_owned(),
                form => format!("a list of {}", form.describe().trim_start_matches("one of ")),
            },
        }
    }
}

/// Returns every setting, in the order of the types.
pub(super) fn keys() -> Vec<Key> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Settings>();
    let mut keys = Vec::new();
    collect(schema.as_value(), "", &mut keys);
    keys
}

fn collect(schema: &Value, path: &str, keys: &mut Vec<Key>) {
    let properties = alternatives(schema).iter().find_map(|schema| schema.get("properties")?.as_object());
    if let Some(properties) = properties {
        for (name, schema) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(schema, &path, keys);
        }
    } else {
        let marked = |mark: &str| schema.get(mark) == Some(&Value::Bool(true));
        let (trusted, inside) = (marked("x-trusted"), marked("x-inside"));
        keys.push(Key { path: path.to_owned(), form: form(schema), trusted, inside });
    }
}

/// Returns the schema and what it offers as alternatives, such as the type beside `null`.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let others = ["anyOf", "oneOf"].iter().filter_map(|name| schema.get(name)?.as_array()).flatten();
    std::iter::once(schema).chain(others).collect()
}

fn form(schema: &Value) -> Form {
    let alternatives = alternatives(schema);
    let words: Vec<String> = alternatives
        .iter()
        .flat_map(|schema| {
            std::iter::once(*schema).chain(schema.get("oneOf").and_then(Value::as_array).into_iter().flatten())
        })
        .flat_map(|schema| {
            let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
            listed.chain(schema.get("const")).filter_map(Value::as_str)
        })
        .fold(Vec::new(), |mut words, word| {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
            words
        });
    if !words.is_empty() {
        return Form::Word(words);
    }
    for schema in alternatives {
        let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
        match type_name(schema) {
            Some("boolean") => return Form::Bool,
            Some("integer") => {
                return Form::Integer(bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(i64::MAX));
            }
            Some("array") => return Form::List(Box::new(schema.get("items").map_or(Form::Text, form))),
            Some("string") => return Form::Text,
            _ => {}
        }
    }
    unreachable!("every setting is a truth value, a whole number, text, a word or a list of them");
}

fn type_name(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

/// Returns the candidate that `text` was most likely meant to be, if any is close.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&text, &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> Key {
        keys().into_iter().find(|key| key.path == path).expect("a setting")
    }

    #[test]
    fn forms_come_from_the_types() {
        assert_eq!(find("context.max_tokens").form, Form::Integer(1, 100_000_000));
        assert_eq!(find("monitoring.metrics_port").form, Form::Integer(1, 65_535));
        assert_eq!(find("memory.backend").form, Form::Word(vec!["sqlite".into(), "postgresql".into()]));
        assert_eq!(find("delegation.environment").form, Form::List(Box::new(Form::Text)));
        assert_eq!(find("security.input_validation.strict").form, Form::Bool);
        let levels = ["whitespace", "structure", "summarize", "truncate"].map(str::to_owned).to_vec();
        assert_eq!(find("context.compression.levels").form, Form::List(Box::new(Form::Word(levels))));
        assert_eq!(find("sandbox.minimum").form.describe(), "one of full, landlock, unprotected");
        assert!(find("sandbox.minimum").trusted && !find("memory.path").trusted);
        assert!(find("memory.path").inside && find("data_dir").inside && !find("log").inside);
    }

    #[test]
    fn no_two_settings_share_a_variable() {
        let mut names: Vec<String> = keys().iter().map(Key::variable).collect();
        names.extend(ALIASES.iter().map(|(name, _)| (*name).to_owned()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_slip_finds_the_nearest_word() {
        assert_eq!(nearest("max_token", ["max_tokens", "encoding"]), Some("max_tokens"));
        assert_eq!(nearest("zzz", ["max_tokens", "encoding"]), None);
    }
}
