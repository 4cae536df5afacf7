//! What mem0 gives out: `{"results": [...]}` of `get_all` and of its platform, or the list alone.

use serde_json::{Map, Value};

use super::{Item, SourceFile, json_reason, time_of};
use crate::memory::remember::Draft;
use crate::store::MemoryKind;

/// The names under which the list stands.
const LISTS: [&str; 2] = ["results", "memories"];
/// The names under which the text stands.
const TEXTS: [&str; 3] = ["memory", "text", "data"];
/// What is only of use to mem0 itself.
const INNER: [&str; 4] = ["hash", "score", "embedding", "text_lemmatized"];

/// Whether a text is such an export.
pub(super) fn is_export(text: &str) -> bool {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let list = value.as_ref().and_then(list);
    list.is_some_and(|list| list.iter().any(|one| TEXTS.iter().any(|name| one.get(name).is_some_and(Value::is_string))))
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| LISTS.iter().find_map(|name| value.get(name)?.as_array()))
}

/// Reads the export.
pub(super) fn items(file: &SourceFile) -> Vec<Item> {
    let value: Value = match serde_json::from_str(&file.text) {
        Ok(value) => value,
        Err(error) => {
            return vec![Item::problem(format!("{}:{}", file.name, error.line()), json_reason(&error))];
        }
    };
    let Some(list) = list(&value) else {
        let reason = "there is no list of memories: expected {\"results\": [...]} or [...]";
        return vec![Item::problem(file.name.clone(), reason)];
    };
    let read = |(entry, number): (&Value, usize)| {
        let place = format!("{}#{number}", file.name);
        match draft(entry, &file.name) {
            Ok(draft) => Item::draft(place, draft),
            Err(reason) => Item::problem(place, reason),
        }
    };
    list.iter().zip(1..).map(read).collect()
}

fn draft(entry: &Value, file: &str) -> Result<Draft, String> {
    let entry = entry.as_object().ok_or("expected an object")?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let memory = TEXTS.iter().find_map(|name| text(name)).ok_or("there is no text under \"memory\"")?;
    let time = |name: &str| match text(name) {
        Some(written) => time_of(&written).map(Some).ok_or_else(|| format!("{name}: {written:?} is not a time")),
        None => Ok(None),
    };
    let mut metadata = match entry.get("metadata") {
        Some(Value::Object(metadata)) => metadata.clone(),
        _ => Map::new(),
    };
    let told = ["memory", "text", "data", "metadata", "user_id", "agent_id", "run_id", "created_at", "expiration_date"];
    for (name, value) in entry {
        if !told.contains(&name.as_str()) && !INNER.contains(&name.as_str()) && !value.is_null() {
            let name = if name == "id" { "mem0_id" } else { name };
            metadata.insert(name.to_owned(), value.clone());
        }
    }
    let categories = entry.get("categories").or_else(|| metadata.get("category")).cloned().unwrap_or_default();
    let tags = match categories {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let source = text("id").map_or_else(|| file.to_owned(), |id| format!("mem0:{id}"));
    Ok(Draft {
        text: memory,
        kind: MemoryKind::Fact,
        actor: text("actor_id").or_else(|| text("user_id")).or_else(|| text("agent_id")),
        agent: text("agent_id"),
        session_id: text("run_id"),
        occurred_at: time("created_at")?,
        expires_at: time("expiration_date")?,
        tags,
        source: Some(source),
        metadata: Some(Value::Object(metadata).to_string()),
        ..Draft::default()
    })
}
