//! The file of the official MCP memory server: a line of JSON for every entity with its
//! observations, and for every relation.
//!
//! An observation is a fact about its entity, and names it, because a memory has to be understood
//! alone. The file knows no times.

use serde::Deserialize;
use serde_json::json;

use super::{Item, SourceFile, json_reason};
use crate::memory::remember::Draft;
use crate::store::MemoryKind;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line {
    Entity {
        name: String,
        #[serde(rename = "entityType", default)]
        entity_type: String,
        #[serde(default)]
        observations: Vec<String>,
    },
    Relation {
        from: String,
        to: String,
        #[serde(rename = "relationType")]
        relation_type: String,
    },
}

/// Whether a line is of such a file.
pub(super) fn is_line(line: &str) -> bool {
    serde_json::from_str::<Line>(line).is_ok()
}

/// Reads the file.
pub(super) fn items(file: &SourceFile) -> Vec<Item> {
    let mut items = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        let place = format!("{}:{number}", file.name);
        match serde_json::from_str(line) {
            _ if line.trim().is_empty() => {}
            Err(error) => items.push(Item::problem(place, json_reason(&error))),
            Ok(line) => items.extend(drafts(line, &place).into_iter().map(|draft| Item::draft(place.clone(), draft))),
        }
    }
    items
}

fn drafts(line: Line, place: &str) -> Vec<Draft> {
    let fact = |text: String, tags: Vec<String>, metadata: serde_json::Value| Draft {
        text,
        kind: MemoryKind::Fact,
        tags,
        source: Some(place.to_owned()),
        metadata: Some(metadata.to_string()),
        ..Draft::default()
    };
    match line {
        Line::Entity { name, entity_type, observations } => {
            let of_entity = || json!({ "entity": name, "entity_type": entity_type });
            let tags = || vec![entity_type.clone()];
            if observations.is_empty() {
                let what = if entity_type.is_empty() { "an entity" } else { &entity_type };
                return vec![fact(format!("{name}: {what}"), tags(), of_entity())];
            }
            let about = |observation: String| {
                // What names its entity itself needs no prefix.
                let named = observation.to_lowercase().contains(&name.to_lowercase());
                if named { observation } else { format!("{name}: {observation}") }
            };
            observations.into_iter().map(|one| fact(about(one), tags(), of_entity())).collect()
        }
        Line::Relation { from, to, relation_type } => {
            let metadata = json!({ "from": from, "relation": relation_type, "to": to });
            vec![fact(
                format!("{from} {} {to}", relation_type.replace('_', " ")),
                vec!["relation".to_owned()],
                metadata,
            )]
        }
    }
}
