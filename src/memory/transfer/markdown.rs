//! A memory as a Markdown file: its fields as YAML between two lines `---`, then its text.
//!
//! Every value of the front matter is one line, so that no text can be taken for its end, and the
//! text below it is exactly what stands between the blank line after it and the last line end.

use std::fmt::Write;

use super::record::{Importance, Metadata, Record};
use crate::base::{MemoryId, Timestamp, yaml};
use crate::store::{MemoryKind, Scope};

/// How many characters of a text its file name has.
const SLUG_CHARACTERS_MAX: usize = 40;

/// Returns the name of the file of a memory: its id, so that names order as ids do, and its first
/// words.
pub(super) fn file_name(record: &Record) -> String {
    let mut slug = String::new();
    for character in record.text.chars().take(4 * SLUG_CHARACTERS_MAX) {
        if slug.len() >= SLUG_CHARACTERS_MAX {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { format!("{}.md", record.id) } else { format!("{}-{slug}.md", record.id) }
}

/// Returns the id of a memory in the name of its file.
pub(super) fn id_in_name(name: &str) -> Option<MemoryId> {
    let stem = name.strip_suffix(".md")?;
    let (id, rest) = stem.split_at_checked(20)?;
    (rest.is_empty() || rest.starts_with('-')).then(|| id.parse().ok()).flatten()
}

/// Returns the file of a memory.
pub(super) fn written(record: &Record) -> String {
    let mut file = String::from("---\n");
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(file, "{name}: {value}");
        }
    };
    let time = |time: Timestamp| time.to_string();
    field("id", Some(record.id.to_string()));
    field("kind", Some(record.kind.as_str().to_owned()));
    field("scope", Some(record.scope.as_str().to_owned()));
    field("agent", record.agent.as_deref().map(quoted));
    let tags = || format!("[{}]", record.tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>().join(", "));
    field("tags", (!record.tags.is_empty()).then(tags));
    field("session_id", record.session_id.as_deref().map(quoted));
    field("order", (record.order != 0).then(|| record.order.to_string()));
    field("actor", record.actor.as_deref().map(quoted));
    field("occurred_at", Some(time(record.occurred_at)));
    field("created_at", Some(time(record.created_at)));
    field("importance", Some(record.importance.0.to_string()));
    field("pinned", record.pinned.then(|| "true".to_owned()));
    field("expires_at", record.expires_at.map(time));
    field("source", record.source.as_deref().map(quoted));
    field("metadata", (record.metadata != Metadata::default()).then(|| quoted(&record.metadata.0)));
    field("topic_key", record.topic_key.as_deref().map(quoted));
    field("supersedes", record.supersedes.as_ref().map(ToString::to_string));
    field("superseded_by", record.superseded_by.as_ref().map(ToString::to_string));
    field("superseded_at", record.superseded_at.map(time));
    file.push_str("---\n\n");
    file.push_str(&record.text);
    file.push('\n');
    file
}

/// Front matter, as text and with the line it begins in, and what stands below it.
pub(super) struct Split<'a> {
    /// What stands between the two lines `---`.
    pub(super) front: &'a str,
    /// What stands below.
    pub(super) body: &'a str,
    /// The line in which the body begins, from 1.
    pub(super) body_line: usize,
}

/// Splits a file into front matter and body; `None` where it has no front matter.
pub(super) fn split(file: &str) -> Option<Split<'_>> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let first = file.split_inclusive('\n').next()?;
    if first.trim_end() != "---" {
        return None;
    }
    let mut at = first.len();
    for (line, text) in file[at..].split_inclusive('\n').enumerate() {
        if text.trim_end() == "---" {
            return Some(Split { front: &file[first.len()..at], body: &file[at + text.len()..], body_line: line + 3 });
        }
        at += text.len();
    }
    None
}

/// Reads the file of a memory; the error is a line and what is wrong in it.
pub(super) fn read(file: &str) -> Result<Record, (usize, String)> {
    let split = split(file).ok_or((1, "no front matter between two lines ---".to_owned()))?;
    let (node, flaws) = yaml::parse(split.front, 2);
    if let Some(flaw) = flaws.into_iter().next() {
        return Err((flaw.place.line, flaw.message));
    }
    let node = node.ok_or((2, "no front matter".to_owned()))?;
    let entries = node.as_map().ok_or((2, "the front matter is not a mapping".to_owned()))?;
    // An editor or a checkout may have changed every line end of the file.
    let changed = split.front.contains("\r\n") && !split.front.replace("\r\n", "").contains('\n');
    let body = if changed { split.body.replace("\r\n", "\n") } else { split.body.to_owned() };
    let body = body.strip_prefix('\n').unwrap_or(&body);
    let text = body.strip_suffix('\n').unwrap_or(body).to_owned();

    let mut fields = Fields::default();
    for entry in entries {
        fields
            .take(&entry.key, &entry.node)
            .map_err(|reason| (entry.place.line, format!("{}: {reason}", entry.key)))?;
    }
    let id = fields.id.ok_or((2, "there is no id".to_owned()))?;
    let occurred_at = fields.occurred_at.or(fields.created_at).ok_or((2, "there is no occurred_at".to_owned()))?;
    Ok(Record {
        id,
        text,
        kind: fields.kind,
        scope: fields.scope,
        agent: fields.agent,
        tags: fields.tags,
        session_id: fields.session_id,
        order: fields.order,
        actor: fields.actor,
        occurred_at,
        created_at: fields.created_at.unwrap_or(occurred_at),
        importance: Importance(fields.importance.unwrap_or(0.5)),
        pinned: fields.pinned,
        expires_at: fields.expires_at,
        source: fields.source,
        metadata: fields.metadata.map(Metadata).unwrap_or_default(),
        topic_key: fields.topic_key,
        supersedes: fields.supersedes,
        superseded_by: fields.superseded_by,
        superseded_at: fields.superseded_at,
    })
}

/// The fields of a front matter as far as they have been read.
#[derive(Default)]
struct Fields {
    id: Option<MemoryId>,
    kind: MemoryKind,
    scope: Scope,
    agent: Option<String>,
    tags: Vec<String>,
    session_id: Option<String>,
    order: i64,
    actor: Option<String>,
    occurred_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    importance: Option<f64>,
    pinned: bool,
    expires_at: Option<Timestamp>,
    source: Option<String>,
    metadata: Option<String>,
    topic_key: Option<String>,
    supersedes: Option<MemoryId>,
    superseded_by: Option<MemoryId>,
    superseded_at: Option<Timestamp>,
}

impl Fields {
    fn take(&mut self, key: &str, node: &yaml::Node) -> Result<(), String> {
        if key == "tags" {
            self.tags = strings(node).ok_or("expected a list of words")?;
            return Ok(());
        }
        let scalar = node.as_scalar().ok_or_else(|| format!("expected one value, found {}", node.describe()))?;
        let text = scalar.text.as_str();
        if node.is_null() {
            return Ok(());
        }
        let owned = || Some(text.to_owned());
        match key {
            "id" => self.id = Some(parsed(text)?),
            "kind" => self.kind = MemoryKind::of_word(text).ok_or_else(|| format!("there is no kind {text:?}"))?,
            "scope" => self.scope = Scope::of_word(text).ok_or_else(|| format!("there is no scope {text:?}"))?,
            "agent" => self.agent = owned(),
            "session_id" => self.session_id = owned(),
            "order" => self.order = parsed(text)?,
            "actor" => self.actor = owned(),
            "occurred_at" => self.occurred_at = Some(parsed(text)?),
            "created_at" => self.created_at = Some(parsed(text)?),
            "importance" => self.importance = Some(parsed(text)?),
            "pinned" => self.pinned = parsed(text)?,
            "expires_at" => self.expires_at = Some(parsed(text)?),
            "source" => self.source = owned(),
            "metadata" => self.metadata = owned(),
            "topic_key" => self.topic_key = owned(),
            "supersedes" => self.supersedes = Some(parsed(text)?),
            "superseded_by" => self.superseded_by = Some(parsed(text)?),
            "superseded_at" => self.superseded_at = Some(parsed(text)?),
            _ => return Err("there is no such field".to_owned()),
        }
        Ok(())
    }
}

/// The words of a list, or the one word that stands in its place.
pub(super) fn strings(node: &yaml::Node) -> Option<Vec<String>> {
    match node.as_list() {
        Some(nodes) => nodes.iter().map(|node| Some(node.as_scalar()?.text.clone())).collect(),
        None => Some(vec![node.as_scalar()?.text.clone()].into_iter().filter(|text| !text.is_empty()).collect()),
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A text as a YAML scalar of one line: in single quotes where nothing needs an escape.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| !c.is_control() && !is_special(c);
    if text.chars().all(is_plain) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if is_plain(character) => quoted.push(character),
            _ => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(character));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// What YAML takes for a line end, or does not allow as it is.
fn is_special(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || u32::from(character) & 0xfffe == 0xfffe
}
