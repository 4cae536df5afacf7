//! Notes of basic-memory: Markdown with front matter, in which `- [category] text #tag (context)` is
//! an observation and `- relation [[Target]]` a relation.
//!
//! Both become facts that name the note they stand in; the prose of a note becomes notes.

use serde_json::json;

use super::outline::{Statement, statements};
use super::{Item, SourceFile, markdown, time_of};
use crate::base::{Timestamp, yaml};
use crate::memory::remember::Draft;
use crate::store::MemoryKind;

/// What the front matter says.
#[derive(Default)]
struct Note {
    title: String,
    permalink: Option<String>,
    tags: Vec<String>,
    created: Option<Timestamp>,
}

/// Reads a note.
pub(super) fn items(file: &SourceFile) -> Vec<Item> {
    let split = markdown::split(&file.text);
    let (front, body, first_line) = match &split {
        Some(split) => (split.front, split.body, split.body_line),
        None => ("", file.text.as_str(), 1),
    };
    let stem = file.name.rsplit(['/', '\\']).next().unwrap_or(&file.name);
    let mut note = Note { title: stem.trim_end_matches(".md").to_owned(), ..Note::default() };
    let (node, flaws) = yaml::parse(front, 2);
    let mut items: Vec<Item> = flaws
        .into_iter()
        .map(|flaw| Item::problem(format!("{}:{}", file.name, flaw.place.line), flaw.message))
        .collect();
    for entry in node.iter().filter_map(yaml::Node::as_map).flatten() {
        let text = entry.node.as_scalar().map(|scalar| scalar.text.clone()).filter(|text| !text.is_empty());
        match (entry.key.as_str(), text) {
            ("title", Some(title)) => note.title = title,
            ("permalink", permalink) => note.permalink = permalink,
            ("tags", _) => note.tags = tags_of(&entry.node),
            ("created" | "created_at" | "date", Some(time)) => note.created = time_of(&time),
            _ => {}
        }
    }
    for one in statements(body, first_line) {
        let place = format!("{}:{}", file.name, one.line);
        let draft = note.draft(&one, &place);
        items.push(Item::draft(place, draft));
    }
    items
}

/// The tags of the front matter: a list, or words with commas between them.
fn tags_of(node: &yaml::Node) -> Vec<String> {
    let listed = markdown::strings(node).unwrap_or_default();
    let tags = listed.iter().flat_map(|tag| tag.split(',')).map(|tag| tag.trim().trim_start_matches('#').to_owned());
    tags.filter(|tag| !tag.is_empty()).collect()
}

impl Note {
    fn draft(&self, one: &Statement, place: &str) -> Draft {
        let mut draft = Draft {
            kind: MemoryKind::Note,
            tags: self.tags.clone(),
            occurred_at: self.created,
            source: Some(place.to_owned()),
            ..Draft::default()
        };
        let mut metadata = json!({ "note": self.title });
        if let Some(permalink) = &self.permalink {
            metadata["permalink"] = json!(permalink);
        }
        if let Some(found) = observation(one) {
            draft.text = format!("{}: {}", self.title, found.content);
            draft.kind = kind_of(found.category);
            draft.tags.extend(found.category.map(str::to_owned));
            draft.tags.extend(found.tags);
            metadata["category"] = json!(found.category);
            metadata["context"] = json!(found.context);
        } else if let Some((relation, target)) = relation(one) {
            draft.text = format!("{} {} {target}", self.title, relation.replace('_', " "));
            draft.kind = MemoryKind::Fact;
            draft.tags.push("relation".to_owned());
            metadata["relation"] = json!(relation);
            metadata["to"] = json!(target);
        } else {
            let below = one.headings.iter().filter(|heading| **heading != self.title);
            let path: Vec<&str> = std::iter::once(self.title.as_str()).chain(below.map(String::as_str)).collect();
            draft.text = format!("{}: {}", path.join(" > "), one.text);
        }
        if let Some(map) = metadata.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        draft.metadata = Some(metadata.to_string());
        draft
    }
}

struct Observation<'a> {
    category: Option<&'a str>,
    content: String,
    tags: Vec<String>,
    context: Option<String>,
}

/// `[category] text #tag (context)`; a list item with a tag and no category is one as well.
fn observation(one: &Statement) -> Option<Observation<'_>> {
    if !one.is_item || one.text.starts_with("[[") {
        return None;
    }
    let bracketed = one.text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (category, rest) = match bracketed {
        Some((inside, after)) if after.starts_with(char::is_whitespace) && is_category(inside) => {
            (Some(inside.trim()).filter(|inside| !inside.is_empty()), after.trim())
        }
        _ => (None, one.text.as_str()),
    };
    let tags: Vec<String> = rest
        .split_whitespace()
        .filter(|word| word.len() > 1 && word.starts_with('#'))
        .flat_map(|word| word.split('#'))
        .map(|tag| tag.trim_end_matches([',', '.', ';', ')']).to_owned())
        .filter(|tag| !tag.is_empty())
        .collect();
    if category.is_none() && tags.is_empty() {
        return None;
    }
    let (content, context) = match rest.strip_suffix(')').and_then(|inner| inner.rsplit_once(" (")) {
        Some((content, context)) => (content.trim(), Some(context.trim().to_owned())),
        None => (rest, None),
    };
    let content: Vec<&str> = content.split(' ').collect();
    // Tags at the end only say what it is about; within the sentence they are words of it.
    let end = content.iter().rposition(|word| !word.starts_with('#')).map_or(0, |last| last + 1);
    let content = content[..end].join(" ").trim().to_owned();
    (!content.is_empty()).then_some(Observation { category, content, tags, context })
}

/// Whether what stands in brackets names a category, and is neither a task's box nor a time.
fn is_category(inside: &str) -> bool {
    let inside = inside.trim();
    let is_box = matches!(inside, "x" | "X") || inside.len() == 1 && !inside.chars().all(char::is_alphanumeric);
    let is_time =
        !inside.is_empty() && inside.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | ',' | ' ' | '-'));
    !is_box && !is_time && !inside.contains(['[', '(', ')'])
}

/// `relation [[Target]]`; a relation of several words stands in quotes.
fn relation(one: &Statement) -> Option<(&str, &str)> {
    let (before, rest) = one.text.split_once("[[").filter(|_| one.is_item)?;
    let (target, after) = rest.split_once("]]")?;
    let before = before.trim();
    let quoted = ['"', '\''].iter().find_map(|sign| before.strip_prefix(*sign)?.strip_suffix(*sign));
    let relation = quoted.unwrap_or(before);
    let after = after.trim();
    let is_explicit = (quoted.is_some() || !relation.contains(char::is_whitespace))
        && (after.is_empty() || after.starts_with('(') && after.ends_with(')'));
    let relation = if relation.is_empty() { "relates_to" } else { relation };
    (is_explicit && !target.trim().is_empty()).then_some((relation, target.trim()))
}

fn kind_of(category: Option<&str>) -> MemoryKind {
    match category.unwrap_or_default().to_lowercase().as_str() {
        "decision" | "decided" => MemoryKind::Decision,
        "preference" | "like" | "dislike" | "opinion" => MemoryKind::Preference,
        "method" | "technique" | "procedure" | "step" | "howto" | "how-to" | "process" | "tip" => MemoryKind::Procedure,
        "event" | "meeting" | "episode" => MemoryKind::Episode,
        "idea" | "question" | "todo" | "note" | "thought" => MemoryKind::Note,
        _ => MemoryKind::Fact,
    }
}
