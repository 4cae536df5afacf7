//! A tool's command line, made from the schema of its input, and the input made from a command
//! line. The rules: a field is `--its-name`; a yes-or-no field is a flag; a list may be given
//! several times; the fields of an object stand beside the others; anything deeper is JSON, or
//! `@FILE` with JSON in it. `-` in a place is standard input.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::help;
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
    /// Whether the input lacks something without it.
    required: bool,
    /// Whether its values are plain words, so that commas may stand between them.
    words: bool,
    help: String,
    values: Vec<String>,
}

/// Reads standard input; the argument tells whether a terminal is read, too.
pub type ReadStdin<'a> = &'a mut dyn FnMut(bool) -> Result<Option<String>, ToolError>;

/// Returns the command of `tool`, named `name`.
pub fn command(tool: &dyn Tool, name: &'static str) -> Command {
    let described = tool.command();
    let mut command = Command::new(name)
        .about(tool.about())
        .after_help(help::examples(tool.name()).unwrap_or_default())
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the structured result as JSON"));
    for field in fields(tool) {
        let mut argument = Arg::new(field.name.clone()).help(field.help.clone());
        let place = described.positional.iter().position(|positional| *positional == field.name);
        argument = match place {
            Some(place) => argument.index(place + 1).value_name(field.name.to_uppercase()),
            None => argument.long(field.name.replace('_', "-")).value_name(value_name(field.shape)),
        };
        argument = argument.required(field.required && place.is_some() && described.stdin != Some(&field.name));
        if field.words {
            argument = argument.value_delimiter(',');
        }
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

/// Returns the input that the command line of `tool` stands for. `stdin` is called where `-` stands,
/// and when the tool takes standard input and nothing was given in its place.
pub fn input(tool: &dyn Tool, matches: &ArgMatches, stdin: ReadStdin<'_>) -> Result<Value, ToolError> {
    let described = tool.command();
    let mut top = Map::new();
    let mut from_stdin = None;
    for field in fields(tool) {
        let positional = described.positional.contains(&field.name.as_str());
        let Some(mut value) = value(&field, matches, stdin)? else { continue };
        if positional && value == "-" {
            value = Value::String(stdin(true)?.unwrap_or_default());
        } else if positional
            && described.stdin.is_some()
            && let Some(items) = value.as_array_mut()
            && let Some(at) = items.iter().position(|item| item == "-")
        {
            items.remove(at);
            from_stdin = stdin(true)?;
            if items.is_empty() {
                continue;
            }
        }
        match &field.parent {
            None => top.insert(field.name, value),
            Some(parent) => {
                let inner = top.entry(parent.clone()).or_insert_with(|| json!({}));
                inner.as_object_mut().and_then(|inner| inner.insert(field.name, value))
            }
        };
    }
    if let Some(stdin_field) = described.stdin {
        let mut instead = described.positional.iter().copied().chain(described.wrap).chain([stdin_field, "path"]);
        if from_stdin.is_none() && !instead.any(|name| top.contains_key(name)) {
            from_stdin = stdin(false)?;
            let needed = schema_requires(&tools::schemas(tool).input, stdin_field);
            match &from_stdin {
                // `ctx recall` alone lists the newest.
                None if needed => from_stdin = Some(String::new()),
                Some(text) if described.wrap.is_some() && text.trim().is_empty() => return Err(nothing_given(tool)),
                None if described.wrap.is_some() => return Err(nothing_given(tool)),
                Some(_) | None => {}
            }
        }
        if let Some(text) = from_stdin {
            top.insert(stdin_field.to_owned(), Value::String(text));
        }
    }
    Ok(match described.wrap {
        Some(list) if !top.contains_key(list) && !top.is_empty() => json!({ list: [top] }),
        _ => Value::Object(top),
    })
}

fn nothing_given(tool: &dyn Tool) -> ToolError {
    let name = tool.command().name;
    ToolError::invalid(format!("ctx {name} was given nothing"))
        .with_hint(format!("ctx {name} \"the text\", or pipe the text into it; ctx {name} --help tells more"))
}

fn schema_requires(schema: &Value, name: &str) -> bool {
    schema.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
}

fn value(field: &Field, matches: &ArgMatches, stdin: ReadStdin<'_>) -> Result<Option<Value>, ToolError> {
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
            Some(text) => Some(read_json(name, text, stdin)?),
        },
    })
}

/// Reads JSON from an argument, from the file that an argument `@FILE` names, or from standard input
/// for `-`.
pub fn read_json(name: &str, text: &str, stdin: ReadStdin<'_>) -> Result<Value, ToolError> {
    let content = match text.strip_prefix('@') {
        None if text == "-" => stdin(true)?.unwrap_or_default(),
        None => text.to_owned(),
        Some(file) => std::fs::read_to_string(Path::new(file))
            .map_err(|error| ToolError::invalid(format!("cannot read {file} for {name}: {error}")))?,
    };
    serde_json::from_str(&content).map_err(|error| {
        ToolError::invalid(format!("{name} is not JSON: {error}"))
            .with_hint("quote the JSON, or give @FILE, or `-` for standard input")
    })
}

/// Returns the fields of a tool's input in the order of its type.
fn fields(tool: &dyn Tool) -> Vec<Field> {
    let schemas = tools::schemas(tool);
    let described = |name: &str, full: &Value| {
        let full = full.get("description").and_then(Value::as_str).and_then(|text| text.lines().next());
        help::of(tool.name(), name).or(full).unwrap_or_default().trim_end_matches('.').to_owned()
    };
    let mut all = Vec::new();
    for ((name, schema), (_, full)) in properties(&schemas.listed_input).zip(properties(&schemas.input)) {
        if tool.command().wrap == Some(name) {
            let pairs = properties(&schema["items"]).zip(properties(&full["items"]));
            all.extend(pairs.map(|((name, schema), (_, full))| field(name, None, schema, described(name, full))));
        }
        if schema.get("properties").is_some() {
            let pairs = properties(schema).zip(properties(full));
            all.extend(
                pairs.map(|((inner, schema), (_, full))| field(inner, Some(name), schema, described(inner, full))),
            );
        } else {
            let wrapped = tool.command().wrap == Some(name);
            let required = !wrapped && schema_requires(&schemas.input, name);
            all.push(Field { required, ..field(name, None, schema, described(name, full)) });
        }
    }
    // A run ends with the process that started it, so a command always waits for it.
    all.retain(|field| !(field.name == "wait_seconds" && tool.effects().open_world));
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

fn field(name: &str, parent: Option<&str>, schema: &Value, fallback: String) -> Field {
    let of_items = schema.pointer("/items/enum");
    let values = schema.get("enum").or(of_items).and_then(Value::as_array).into_iter().flatten();
    let values: Vec<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let shape = match schema.get("type").and_then(Value::as_str) {
        _ if !values.is_empty() && of_items.is_none() => Shape::Text,
        Some("string") => Shape::Text,
        Some("integer") => Shape::Integer,
        Some("number") => Shape::Number,
        Some("boolean") => Shape::Flag,
        Some("array") if schema.pointer("/items/type").and_then(Value::as_str) == Some("string") => Shape::Texts,
        Some("array") if schema.pointer("/items/enum").is_some() => Shape::Texts,
        _ => Shape::Json,
    };
    let words = shape == Shape::Texts && (of_items.is_some() || matches!(name, "tags" | "ids"));
    let help = schema.get("description").and_then(Value::as_str);
    let help = if fallback.is_empty() { help.unwrap_or_default().to_owned() } else { fallback };
    Field { name: name.to_owned(), parent: parent.map(str::to_owned), shape, required: false, words, help, values }
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
