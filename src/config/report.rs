//! What `ctx config` shows: every setting with its origin, secrets masked.

use std::path::PathBuf;

use serde_json::Value;

use super::Loaded;
use super::problem::{Layer, Origin};

/// A setting as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its key.
    pub key: String,
    /// Its value as YAML, with secrets masked; empty when it has none.
    pub value: String,
    /// The same in its own type, as JSON; null when it has none.
    pub json: Value,
    /// Where the value comes from.
    pub origin: Origin,
    /// The environment variable that would set it.
    pub variable: String,
}

/// A settings file that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// Its layer.
    pub layer: Layer,
    /// The file.
    pub path: PathBuf,
    /// Whether it is there.
    pub exists: bool,
}

/// Returns every setting, in the order of the reference, with its value and origin.
pub fn show(loaded: &Loaded) -> Vec<Shown> {
    let keys = super::keys::keys();
    let shown = keys.into_iter().map(|key| {
        let (value, origin) = match loaded.values.get(&key.path) {
            Some((value, origin)) => (value, origin.clone()),
            None => (&Value::Null, Origin::Default),
        };
        let json = match (value, key.path.as_str()) {
            (Value::Null, "data_dir") => loaded.config.paths.data.display().to_string().into(),
            (Value::Null, "memory.path") => loaded.config.memory.location.clone().into(),
            (value, path) => masked(value, path),
        };
        Shown { value: written(&json), json, origin, variable: key.variable(), key: key.path }
    });
    shown.collect()
}

fn masked(value: &Value, path: &str) -> Value {
    match value {
        Value::String(text) => mask(path, text).into(),
        Value::Array(items) => items.iter().map(|item| masked(item, path)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.clone(),
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// Returns `text` without the secrets it seems to hold: the password of an address, or all of it
/// when the key says so.
pub(super) fn mask(path: &str, text: &str) -> String {
    const MASK: &str = "****";
    let secret_key = ["secret", "password", "token", "api_key"]
        .iter()
        .any(|word| path.rsplit('.').next().is_some_and(|last| last == *word || last.ends_with(&format!("_{word}"))));
    if secret_key {
        return MASK.to_owned();
    }
    let mut masked = text.to_owned();
    if let Some(at) = masked.find("://") {
        let authority = at + 3;
        let end = masked[authority..].find(['/', '?', '#']).map_or(masked.len(), |end| authority + end);
        if let Some(user_end) = masked[authority..end].rfind('@').map(|end| authority + end) {
            let from = masked[authority..user_end].find(':').map_or(authority, |colon| authority + colon + 1);
            masked.replace_range(from..user_end, MASK);
        }
    }
    let lower = masked.to_ascii_lowercase();
    if let Some(from) = lower.find("password=").map(|at| at + "password=".len()) {
        let end = lower[from..].find(['&', ' ']).map_or(masked.len(), |end| from + end);
        masked.replace_range(from..end, MASK);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (path, text, expected) in [
            ("memory.connection", "postgresql://u:p@ss@host/db", "postgresql://u:****@host/db"),
            ("memory.connection", "postgresql://host/db?password=x&a=b", "postgresql://host/db?password=****&a=b"),
            ("memory.connection", "host=h password=x dbname=d", "host=h password=**** dbname=d"),
            ("memory.cache.redis", "redis://token@host", "redis://****@host"),
            ("x.api_key", "abc", "****"),
            ("context.max_tokens", "4000", "4000"),
            ("memory.path", "/a/b:c@d", "/a/b:c@d"),
        ] {
            assert_eq!(mask(path, text), expected);
        }
    }
}
