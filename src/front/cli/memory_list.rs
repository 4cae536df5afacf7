//! `ctx memory list`, `show` and `stats`: what is remembered, for people and scripts.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::memory::{moment, whole_id};
use super::originals::age;
use super::tool::printed;
use super::with_json;
use crate::base::{Timestamp, bytes, thousands};
use crate::memory::{Record, Stats, suspicions};
use crate::store::{Memory, MemoryFilter, MemoryKind, Scope};
use crate::tools::{Services, ToolError};

/// How many memories are listed when nothing else is said.
const LISTED: &str = "50";
/// How many characters of a text a list shows.
const LINE_CHARACTERS_MAX: usize = 100;
/// How many sessions, actors and tags sums name.
const NAMED_MAX: usize = 10;

const KINDS: [MemoryKind; 6] = [
    MemoryKind::Fact,
    MemoryKind::Decision,
    MemoryKind::Preference,
    MemoryKind::Procedure,
    MemoryKind::Episode,
    MemoryKind::Note,
];
const SCOPES: [Scope; 4] = [Scope::Project, Scope::User, Scope::Session, Scope::Agent];

/// Returns the argument that names scopes.
pub fn scope_argument(help: &'static str) -> Arg {
    Arg::new("scope")
        .long("scope")
        .value_name("SCOPE")
        .action(ArgAction::Append)
        .value_delimiter(',')
        .value_parser(PossibleValuesParser::new(SCOPES.map(Scope::as_str)))
        .help(help)
}

/// Returns the scopes that were named.
pub fn scopes_of(matches: &ArgMatches) -> Vec<Scope> {
    matches.get_many::<String>("scope").into_iter().flatten().filter_map(|word| Scope::of_word(word)).collect()
}

/// Returns the command line of `ctx memory list`.
pub fn list_command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .default_value(default)
            .value_parser(value_parser!(u32).range(0..))
            .help(help)
    };
    with_json(Command::new("list"))
        .about("List memories, the newest first; `ctx recall` finds by what they say")
        .arg(scope_argument("Only these scopes"))
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(PossibleValuesParser::new(KINDS.map(MemoryKind::as_str)))
                .help("Only these kinds"),
        )
        .arg(text("tag", "TAG", "Only with all of these tags: a,b").action(ArgAction::Append).value_delimiter(','))
        .arg(text("actor", "NAME", "Only what this person or program said"))
        .arg(text("session", "ID", "Only from this session"))
        .arg(text("agent", "NAME", "Only what this agent remembered"))
        .arg(text("since", "TIME", "Only what happened from then on: 2026-01-31, or 7d for the last week"))
        .arg(text("until", "TIME", "Only what happened before then"))
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("History as well: superseded and expired"))
        .arg(number("limit", LISTED, "The most memories listed"))
        .arg(number("offset", "0", "Leave out this many at the beginning"))
}

/// Returns the command line of `ctx memory show`.
pub fn show_command() -> Command {
    with_json(Command::new("show"))
        .about("Show a memory with its provenance and every version of it")
        .arg(Arg::new("id").value_name("ID").required(true).help("The memory: mem_..., or the end of its id"))
}

/// Returns the command line of `ctx memory stats`.
pub fn stats_command() -> Command {
    with_json(Command::new("stats")).about("Add up what is remembered, by scope, kind, session and tag")
}

/// Lists memories.
pub async fn list(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let now = services.clock.now();
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let time = |name: &str| text(name).map(|time| moment(&time, name, now)).transpose();
    let many = |name: &str| matches.get_many::<String>(name).into_iter().flatten();
    let filter = MemoryFilter {
        scopes: scopes_of(matches),
        kinds: many("kind").filter_map(|word| MemoryKind::of_word(word)).collect(),
        tags: many("tag").cloned().collect(),
        actor: text("actor"),
        session_id: text("session"),
        agent: text("agent"),
        since: time("since")?,
        until: time("until")?,
        history: matches.get_flag("all"),
        anyone: true,
        ..MemoryFilter::default()
    };
    let number = |name: &str| matches.get_one::<u32>(name).map_or(0, |number| *number as usize);
    let (listed, more) = services.memories.list(&filter, number("limit"), number("offset")).await?;
    if matches.get_flag("json") {
        let records: Vec<Value> = listed.iter().map(as_json).collect();
        return printed(&json!({ "memories": records, "more": more }).to_string());
    }
    if std::io::stderr().is_terminal() || listed.is_empty() {
        let of = if more { ", and there are more: --limit, --offset" } else { "" };
        let _ = writeln!(std::io::stderr(), "{} memories{of}", thousands(listed.len()));
    }
    let rows: Vec<[String; 5]> = listed.iter().map(|memory| row(memory, now)).collect();
    let widths: [usize; 4] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let lines = rows.iter().map(|[id, scope, kind, age, text]| {
        let [a, b, c, d] = widths;
        format!("{id:<a$}  {scope:<b$}  {kind:<c$}  {age:>d$}  {text}").trim_end().to_owned()
    });
    printed(&lines.collect::<Vec<_>>().join("\n"))
}

/// Id, scope, kind, age and the beginning of the text, after what makes it not current.
fn row(memory: &Memory, now: Timestamp) -> [String; 5] {
    let content = &memory.content;
    let mut line = String::new();
    if memory.superseded_at.is_some() {
        line.push_str("(superseded) ");
    } else if content.expires_at.is_some_and(|end| end <= now) {
        line.push_str("(expired) ");
    }
    if content.pinned {
        line.push_str("(pinned) ");
    }
    if let Some(actor) = &content.actor {
        line.push_str(&one_line(actor));
        line.push_str(": ");
    }
    line.push_str(&one_line(&content.text));
    if let Some((end, _)) = line.char_indices().nth(LINE_CHARACTERS_MAX) {
        line.truncate(end);
        line.push('…');
    }
    [
        content.id.to_string(),
        content.scope.as_str().to_owned(),
        content.kind.as_str().to_owned(),
        age(content.occurred_at, now),
        line,
    ]
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).collect()
}

fn as_json(memory: &Memory) -> Value {
    let mut shown = json!(Record::of(memory));
    if let Some(at) = memory.forgotten_at {
        shown["forgotten_at"] = json!(at);
    }
    shown
}

/// Shows a memory and its versions.
pub async fn show(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let named = matches.get_one::<String>("id").map_or("", String::as_str);
    let id = whole_id(services, named).await?;
    let versions = services.memories.versions(&id).await?;
    let suspicious = |memory: &Memory| suspicions(&memory.content.text);
    let shown = versions.iter().find(|one| one.content.id == id).unwrap_or(&versions[0]);
    if matches.get_flag("json") {
        let mut value = as_json(shown);
        value["versions"] = versions.iter().map(as_json).collect();
        value["suspicious"] = json!(suspicious(shown));
        return printed(&value.to_string());
    }
    let mut parts = vec![details(shown, &suspicious(shown)), text_of(shown)];
    if versions.len() > 1 {
        let lines = versions.iter().map(|one| {
            let is_shown = if one.content.id == id { "*" } else { " " };
            format!("{is_shown} {} {}: {}", one.content.id, state(one), one_line(&one.content.text))
        });
        parts.push(format!("{} versions\n{}", versions.len(), lines.collect::<Vec<_>>().join("\n")));
    }
    printed(&parts.join("\n\n"))
}

fn state(memory: &Memory) -> String {
    match (memory.forgotten_at, memory.superseded_at) {
        (Some(at), _) => format!("of {}, forgotten on {at}", memory.content.created_at),
        (None, Some(at)) => format!("from {} to {at}", memory.content.created_at),
        (None, None) => format!("from {} on", memory.content.created_at),
    }
}

fn text_of(memory: &Memory) -> String {
    if memory.forgotten_at.is_some() { "(forgotten)".to_owned() } else { memory.content.text.clone() }
}

fn details(memory: &Memory, suspicious: &[&'static str]) -> String {
    let content = &memory.content;
    let order = content.session_id.as_ref().map(|session| format!("{session} (place {})", memory.order));
    let known = [
        ("id", Some(content.id.to_string())),
        ("kind", Some(content.kind.as_str().to_owned())),
        ("scope", Some(content.scope.as_str().to_owned())),
        ("agent", content.agent.clone()),
        ("actor", content.actor.clone()),
        ("session", order),
        ("happened", Some(content.occurred_at.to_string())),
        ("valid", Some(state(memory))),
        ("expires", content.expires_at.map(|at| at.to_string())),
        ("importance", Some(content.importance.to_string())),
        ("pinned", content.pinned.then(|| "yes".to_owned())),
        ("tags", (!content.tags.is_empty()).then(|| content.tags.join(", "))),
        ("topic", content.topic_key.clone()),
        ("source", content.source.clone()),
        ("metadata", (content.metadata != "{}").then(|| content.metadata.clone())),
        ("doubtful", (!suspicious.is_empty()).then(|| format!("it reads like an order: {}", suspicious.join(", ")))),
    ];
    let lines = known.into_iter().filter_map(|(name, value)| Some(format!("{name:<10} {}", one_line(&value?))));
    lines.collect::<Vec<_>>().join("\n")
}

/// Adds up.
pub async fn stats(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let stats = services.memories.stats().await?;
    if matches.get_flag("json") {
        let stores: Vec<Value> =
            stats.stores.iter().map(|(location, bytes)| json!({ "location": location, "bytes": bytes })).collect();
        return printed(
            &json!({
                "current": stats.current,
                "history": stats.history,
                "expired": stats.expired,
                "pinned": stats.pinned,
                "text_bytes": stats.text_bytes,
                "embeddings": stats.embeddings,
                "oldest": stats.oldest,
                "newest": stats.newest,
                "scopes": stats.scopes,
                "kinds": stats.kinds,
                "sessions": stats.sessions,
                "actors": stats.actors,
                "tags": stats.tags,
                "stores": stores,
            })
            .to_string(),
        );
    }
    printed(&told(&stats))
}

fn told(stats: &Stats) -> String {
    let number = |number: u64| thousands(usize::try_from(number).unwrap_or(usize::MAX));
    let sums = |sums: &BTreeMap<&str, usize>| {
        sums.iter().map(|(name, count)| format!("{} {name}", thousands(*count))).collect::<Vec<_>>().join(", ")
    };
    let most = |sums: &BTreeMap<String, usize>| {
        let mut sorted: Vec<(&String, &usize)> = sums.iter().collect();
        sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        let mut named: Vec<String> = sorted
            .iter()
            .take(NAMED_MAX)
            .map(|(name, count)| format!("{} {}", thousands(**count), one_line(name)))
            .collect();
        if sorted.len() > NAMED_MAX {
            named.push(format!("{} others", thousands(sorted.len() - NAMED_MAX)));
        }
        named.join(", ")
    };
    let mut state = format!("{} current, {} superseded", thousands(stats.current), thousands(stats.history));
    for (count, what) in [(stats.expired, "expired"), (stats.pinned, "pinned")] {
        if count > 0 {
            state.push_str(&format!(", {} {what}", thousands(count)));
        }
    }
    let times = stats.oldest.zip(stats.newest).map(|(oldest, newest)| format!("{oldest} to {newest}"));
    let lines = [
        ("memories", Some(state)),
        ("scopes", Some(sums(&stats.scopes))),
        ("kinds", Some(sums(&stats.kinds))),
        ("sessions", Some(most(&stats.sessions))),
        ("actors", Some(most(&stats.actors))),
        ("tags", Some(most(&stats.tags))),
        ("happened", times),
        ("text", Some(bytes(stats.text_bytes))),
        ("vectors", Some(number(stats.embeddings))),
    ];
    let mut lines: Vec<String> = lines
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:<9} {}", value.filter(|value| !value.is_empty())?)))
        .collect();
    lines.extend(stats.stores.iter().map(|(location, size)| format!("{:<9} {location} ({})", "store", bytes(*size))));
    lines.join("\n")
}
