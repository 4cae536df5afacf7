//! Checks an input against a tool's schema and says what is wrong so that a caller can mend it:
//! the JSON pointer, what was found, and what is accepted.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use super::error::ToolError;

/// How many problems are told at once.
const PROBLEMS_MAX: usize = 5;

/// Brings what clients write into the form that is meant: members that are `null` where the schema
/// knows the field are left out, and a whole number written as `1.0` is an integer.
pub fn normalize(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(map) => {
            let Some(Value::Object(known)) = schema.get("properties") else { return };
            map.retain(|name, member| !(member.is_null() && known.contains_key(name)));
            for (name, member) in map.iter_mut() {
                if let Some(schema) = known.get(name) {
                    normalize(member, schema);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| normalize(item, schema));
            }
        }
        Value::Number(number) if schema.get("type").is_some_and(|kind| kind == "integer") => {
            // Above 2^53 a number with a fraction no longer tells whole numbers apart.
            const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=EXACT_MAX).contains(number));
            if let (true, Some(whole)) = (number.is_f64(), whole) {
                *value = Value::from(whole as u64);
            }
        }
        _ => {}
    }
}

/// Removes fields that the schema does not know, for users whose settings do without strictness.
pub fn drop_unknown(input: &mut Value, schema: &Value) {
    if let (Value::Object(map), Some(Value::Object(known))) = (input, schema.get("properties")) {
        map.retain(|name, _| known.contains_key(name));
    }
}

/// Returns an error that names every problem, at most five, unless `input` satisfies the schema.
pub fn check(validator: &Validator, schema: &Value, input: &Value) -> Result<(), ToolError> {
    let mut problems: Vec<String> =
        validator.iter_errors(input).take(PROBLEMS_MAX + 1).map(|error| describe(&error, schema)).collect();
    if problems.is_empty() {
        return Ok(());
    }
    if problems.len() > PROBLEMS_MAX {
        problems[PROBLEMS_MAX] = "and more".to_owned();
    }
    Err(ToolError::invalid(problems.join("; ")).with_hint(accepted(schema)))
}

/// Returns one problem: pointer, what was found, what is accepted.
fn describe(error: &ValidationError<'_>, schema: &Value) -> String {
    let pointer = error.instance_path().to_string();
    let place = if pointer.is_empty() { "the input".to_owned() } else { pointer.clone() };
    let found = shown(error.instance());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known =
                property_names(schema, error.schema_path().to_string().trim_end_matches("/additionalProperties"));
            let named: Vec<String> =
                unexpected.iter().map(|name| format!("{pointer}/{}{}", escaped(name), nearest(name, &known))).collect();
            format!("{} is not a known field: expected one of {}", named.join(", "), known.join(", "))
        }
        ValidationErrorKind::Required { property } => {
            format!("{pointer}/{} is missing", property.as_str().map(escaped).unwrap_or_default())
        }
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(kind) => kind.to_string(),
                TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or "),
            };
            format!("{place} is {found}: expected {expected}")
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
            format!("{place} is {found}: expected one of {}", options.join(", "))
        }
        ValidationErrorKind::Minimum { limit } => format!("{place} is {found}: expected at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("{place} is {found}: expected at most {limit}"),
        ValidationErrorKind::MinLength { limit } => format!("{place} is {found}: expected {limit} characters or more"),
        ValidationErrorKind::MaxLength { limit } => format!("{place} is too long: expected at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("{place} has too few items: expected at least {limit}"),
        ValidationErrorKind::MaxItems { limit } => format!("{place} has too many items: expected at most {limit}"),
        ValidationErrorKind::Pattern { pattern } => format!("{place} is {found}: expected to match {pattern}"),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("{place} is {found}: it has none of the accepted forms")
        }
        _ => format!("{place}: {}", error.masked()),
    }
}

/// Returns the fields that the whole input accepts, for the hint.
fn accepted(schema: &Value) -> String {
    let Some(Value::Object(properties)) = schema.get("properties") else { return "send an object".to_owned() };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let fields: Vec<String> = properties
        .iter()
        .map(|(name, field)| {
            let kind = kind_of(field);
            if required.contains(&name.as_str()) {
                format!("{name}: {kind} (required)")
            } else {
                format!("{name}: {kind}")
            }
        })
        .collect();
    if fields.is_empty() { "send {}".to_owned() } else { format!("accepted fields: {}", fields.join(", ")) }
}

fn kind_of(field: &Value) -> String {
    if let Some(Value::Array(values)) = field.get("enum") {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join("|");
    }
    match field.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ => "any".to_owned(),
    }
}

fn property_names(schema: &Value, pointer: &str) -> Vec<String> {
    let place = schema.pointer(pointer).unwrap_or(schema);
    let names = place.get("properties").and_then(Value::as_object).map(Map::keys);
    names.into_iter().flatten().cloned().collect()
}

fn nearest(name: &str, known: &[String]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min()
        .map(|(_, candidate)| format!(" (did you mean {candidate}?)"))
        .unwrap_or_default()
}

/// Escapes a name for a JSON pointer (RFC 6901), shortened.
fn escaped(name: &str) -> String {
    let short: String = name.chars().take(60).collect();
    short.replace('~', "~0").replace('/', "~1")
}

/// Returns a value for a message, shortened: never the whole of what a caller sent.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) if text.chars().count() > 60 => {
            format!("{:?}...", text.chars().take(60).collect::<String>())
        }
        other => other.to_string(),
    }
}
