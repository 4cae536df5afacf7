//! The committed schemas are those of the types. `UPDATE_SCHEMAS=1 cargo test schemas` writes them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use context_engine::tools::{self, TOOLS};
use context_engine::{agents, config};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// Every schema by its file name.
fn wanted() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for tool in TOOLS {
        let schemas = tools::schemas(*tool);
        all.insert(format!("{}.input.json", tool.name()), schemas.input.clone());
        all.insert(format!("{}.output.json", tool.name()), schemas.output.clone());
    }
    all.insert("settings.json".to_owned(), config::schema().to_value());
    all.insert("agent.json".to_owned(), agents::schema().to_value());
    all
}

fn text(schema: &Value) -> String {
    let mut schema = schema.clone();
    if let Value::Object(map) = &mut schema {
        map.shift_remove("$schema");
        let dialect = Value::String("https://json-schema.org/draft/2020-12/schema".to_owned());
        map.shift_insert(0, "$schema".to_owned(), dialect);
    }
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch of this very test")]
fn committed_schemas_are_fresh() {
    let wanted = wanted();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).expect("schemas/ can be made");
        for (name, schema) in &wanted {
            fs::write(folder().join(name), text(schema)).expect("a schema can be written");
        }
    }
    let mut stale = Vec::new();
    for (name, schema) in &wanted {
        if fs::read_to_string(folder().join(name)).ok().as_deref() != Some(text(schema).as_str()) {
            stale.push(name.clone());
        }
    }
    for entry in fs::read_dir(folder()).into_iter().flatten() {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if !wanted.contains_key(&name) {
            stale.push(format!("{name} (belongs to nothing)"));
        }
    }
    assert!(stale.is_empty(), "not fresh: {stale:?}; run UPDATE_SCHEMAS=1 cargo test schemas");
}

#[test]
fn every_schema_can_be_compiled_and_knows_no_odd_format() {
    for (name, schema) in wanted() {
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        let of_a_tool = name.contains(".input.") || name.contains(".output.");
        assert!(
            !of_a_tool || !schema.to_string().contains("\"format\""),
            "{name} has a format that clients warn about"
        );
    }
}

#[test]
fn every_field_of_an_output_is_described() {
    for tool in TOOLS {
        let output = &tools::schemas(*tool).output;
        let properties = output.get("properties").and_then(Value::as_object);
        for (field, schema) in properties.into_iter().flatten() {
            assert!(schema.get("description").is_some(), "{}: {field} has no description", tool.name());
        }
    }
}
