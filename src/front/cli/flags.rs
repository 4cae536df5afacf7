//! A tool's command line, made from the schema of its input, and the input made from a command
//! line. The rules: a field is `--its-name`; a yes-or-no field is a flag; a list may be given
//! several times; the fields of an object stand beside the others; anything deeper is JSON, or
//! `@FILE` with JSON in it.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::tools::{self, Tool, ToolError};

/// How a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Integer,
    Number,
    Flag,
    Texts,
    Json,
}

/// A field of a tool's input, and where it stands in it.
struct Field {
    name: String,
    parent: Option<String>,
    shape: Shape,
    help: String,
    values: Vec<String>,
}

/// Returns the command of `tool`, named `name`.
pub fn command(tool: &dyn Tool, name: &'static str) -> Command {
    let described = tool.command();
    let mut command = Command::new(name)
        .about(tool.about())
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the structured result as JSON"));
    for field in fields(tool) {
        let mut argument = Arg::new(field.name.clone()).help(field.help.clone());
        let place = described.positional.iter().position(|positional| *positional == field.name);
        argument = match place {
            Some(place) => argument.index(place + 1).value_name(field.name.to_uppercase()),
            None => argument.long(field.name.replace('_', "-")).value_name(value_name(field.shape)),
        };
        argument = match field.shape {
            Shape::Flag => argument.action(ArgAction::SetTrue).num_args(0),
            Shape::Integer => argument.value_parser(value_parser!(i64)).allow_negative_numbers(true),
            Shape::Number => argument.value_parser(value_parser!(f64)).allow_negative_numbers(true),
            Shape::Texts if place.is_some() => argument.action(ArgAction::Append).num_args(0..),
            Shape::Texts => argument.action(ArgAction::Append),
            Shape::Text | Shape::Json => argument,
        };
        if !field.values.is_empty() {
            argument = argument.value_parser(PossibleValuesParser::new(field.values.clone()));
        }
        command = command.arg(argument);
    }
    command
}

/// Returns the input that the command line of `tool` stands for. `stdin` is called when the tool
/// takes standard input and nothing was given in its place.
pub fn input(
    tool: &dyn Tool,
    matches: &ArgMatches,
    stdin: impl FnOnce() -> Result<Option<String>, ToolError>,
) -> Result<Value, ToolError> {
    let described = tool.command();
    let mut top = Map::new();
    for field in fields(tool) {
        let Some(value) = value(&field, matches)? else { continue };
        match &field.parent {
            None => top.insert(field.name, value),
            Some(parent) => {
                let inner = top.entry(parent.clone()).or_insert_with(|| json!({}));
                inner.as_object_mut().and_then(|inner| inner.insert(field.name, value))
            }
        };
    }
    if let Some(stdin_field) = described.stdin {
        let given = top.contains_key(stdin_field) || described.positional.iter().any(|name| top.contains_key(*name));
        if !given && let Some(text) = stdin()? {
            top.insert(stdin_field.to_owned(), Value::String(text));
        }
    }
    Ok(match described.wrap {
        Some(list) if !top.contains_key(list) && !top.is_empty() => json!({ list: [top] }),
        _ => Value::Object(top),
    })
}

fn value(field: &Field, matches: &ArgMatches) -> Result<Option<Value>, ToolError> {
    let name = field.name.as_str();
    Ok(match field.shape {
        Shape::Flag => matches.get_flag(name).then_some(Value::Bool(true)),
        Shape::Integer => matches.get_one::<i64>(name).map(|number| json!(number)),
        Shape::Number => matches.get_one::<f64>(name).map(|number| json!(number)),
        Shape::Text => matches.get_one::<String>(name).map(|text| json!(text)),
        Shape::Texts => {
            matches.get_many::<String>(name).map(|texts| texts.cloned().map(Value::String).collect::<Vec<_>>().into())
        }
        Shape::Json => match matches.get_one::<String>(name) {
            None => None,
            Some(text) => Some(read_json(name, text)?),
        },
    })
}

/// Reads JSON from an argument, or from the file that an argument `@FILE` names.
pub fn read_json(name: &str, text: &str) -> Result<Value, ToolError> {
    let content = match text.strip_prefix('@') {
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(Path::new(file))
            .map_err(|error| ToolError::invalid(format!("cannot read {file} for {name}: {error}")))?,
    };
    serde_json::from_str(&content).map_err(|error| {
        ToolError::invalid(format!("{name} is not JSON: {error}")).with_hint("quote the JSON, or give @FILE")
    })
}

/// Returns the fields of a tool's input in the order of its type.
fn fields(tool: &dyn Tool) -> Vec<Field> {
    let schema = &tools::schemas(tool).listed_input;
    let mut all = Vec::new();
    for (name, schema) in properties(schema) {
        if tool.command().wrap == Some(name) {
            let item = schema.get("items").unwrap_or(&Value::Null);
            all.extend(properties(item).map(|(name, schema)| field(name, None, schema)));
        }
        if schema.get("properties").is_some() {
            all.extend(properties(schema).map(|(inner, schema)| field(inner, Some(name), schema)));
        } else {
            all.push(field(name, None, schema));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|field| seen.insert(field.name.clone()));
    all
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

fn field(name: &str, parent: Option<&str>, schema: &Value) -> Field {
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let values: Vec<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let shape = match schema.get("type").and_then(Value::as_str) {
        _ if !values.is_empty() => Shape::Text,
        Some("string") => Shape::Text,
        Some("integer") => Shape::Integer,
        Some("number") => Shape::Number,
        Some("boolean") => Shape::Flag,
        Some("array") if schema.pointer("/items/type").and_then(Value::as_str) == Some("string") => Shape::Texts,
        Some("array") if schema.pointer("/items/enum").is_some() => Shape::Texts,
        _ => Shape::Json,
    };
    let help = schema.get("description").and_then(Value::as_str).unwrap_or_default().trim_end_matches('.').to_owned();
    Field { name: name.to_owned(), parent: parent.map(str::to_owned), shape, help, values }
}

fn value_name(shape: Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Texts => "TEXT",
        Shape::Integer => "N",
        Shape::Number => "NUMBER",
        Shape::Flag => "",
        Shape::Json => "JSON",
    }
}
