//! The schemas of a tool: the full ones that inputs are checked against, and the short ones that
//! are listed, because every token of a list is paid for by every user.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

/// What a listed schema leaves out.
const NOISE: [&str; 9] =
    ["title", "default", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern"];

/// Returns the schema of `T` as it is read or as it is written: JSON Schema 2020-12, self-contained, without formats that clients
/// do not know (`uint`, `double`, ...) and warn about on their user's terminal.
pub fn full<T: JsonSchema>(contract: Contract) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
        settings.contract = contract;
    });
    let read = matches!(settings.contract, Contract::Deserialize);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    walk(&mut schema, &mut |map| {
        map.remove("format");
        // What is written may be null, and clients check it.
        if read {
            drop_null(map);
        }
    });
    schema
}

/// Marks a schema whose fields another tool lists already: inputs are checked against it, and
/// [`listed_input`] says only that it is an object.
pub fn listed_loosely(mut schema: Schema) -> Schema {
    schema.insert(LOOSE.to_owned(), Value::Bool(true));
    schema
}

/// The mark of [`listed_loosely`].
const LOOSE: &str = "x-listed-loosely";

/// Returns the short form of an input schema: without titles, defaults and obvious bounds.
pub fn listed_input(full: &Value) -> Value {
    let mut schema = full.clone();
    walk(&mut schema, &mut |map| {
        // Bounds are told by the message when they are broken; hardly any call breaks them.
        for noise in NOISE {
            if map.get(noise).is_some_and(|value| !value.is_object()) {
                map.remove(noise);
            }
        }
        // A hint for the caller is a fragment; the description of a type is a sentence.
        if map.get("description").and_then(Value::as_str).is_some_and(|text| text.ends_with('.')) {
            map.remove("description");
        }
        flatten_enum(map);
        if map.remove(LOOSE).is_some() {
            map.retain(|key, _| matches!(key.as_str(), "type" | "description"));
        }
        if map.get("additionalProperties") == Some(&json!(false)) {
            map.remove("additionalProperties");
        }
    });
    if let Some(map) = schema.as_object_mut() {
        map.remove("description");
        map.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

/// Returns the same schema with enums as plain lists, so that a message can name the accepted values.
pub fn flat(full: &Value) -> Value {
    let mut schema = full.clone();
    walk(&mut schema, &mut flatten_enum);
    schema
}

/// Returns what checks inputs by a schema of ours.
///
/// Schemas are written by schemars in the 2020-12 dialect, but with no keyword that draft 7 lacks or
/// reads otherwise, and the draft's own schema, which every schema is checked by, is a tenth as long.
pub fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .build(schema)
        .expect("the schema of Params is a JSON schema")
}

/// Returns the short form of an output schema: the names and types of the first level.
pub fn listed_output(full: &Value) -> Value {
    let mut properties = Map::new();
    if let Some(Value::Object(all)) = full.get("properties") {
        for (name, schema) in all {
            let kind = schema.get("type").cloned();
            properties.insert(name.clone(), kind.map_or_else(|| json!({}), |kind| json!({ "type": kind })));
        }
    }
    json!({ "type": "object", "properties": properties })
}

/// `"type": ["string", "null"]` says only that a field may be left out; so does its absence from
/// `required`, for fewer tokens. Values of `null` are dropped before the check.
fn drop_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = map.get_mut("anyOf") {
        options.retain(|option| option != &json!({ "type": "null" }));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            map.remove("anyOf");
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
}

/// Turns `oneOf` of described constants, which schemars writes for enums, into one `enum`.
fn flatten_enum(map: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = map.get("oneOf") else { return };
    let constants: Option<Vec<Value>> = options
        .iter()
        .map(|option| {
            option.get("const").cloned().map(|one| vec![one]).or_else(|| option.get("enum")?.as_array().cloned())
        })
        .collect::<Option<Vec<_>>>()
        .map(|lists| lists.into_iter().flatten().collect());
    if let Some(constants) = constants {
        // Gemini takes an `enum` only beside its type.
        map.remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
        map.insert("enum".to_owned(), Value::Array(constants));
    }
}

/// Calls `change` for every schema object below `value`, innermost first.
fn walk(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            for (key, child) in map.iter_mut() {
                // The keys below `properties` are names of fields, not words of the schema language.
                if key == "properties"
                    && let Value::Object(fields) = child
                {
                    fields.values_mut().for_each(|field| walk(field, change));
                } else if !matches!(key.as_str(), "default" | "enum" | "const" | "examples" | "required") {
                    walk(child, change);
                }
            }
            change(map);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        _ => {}
    }
}
