//! Notes for an assistant (`CLAUDE.md`, `AGENTS.md`): one memory for every list item and paragraph,
//! under the path of its headings.

use serde_json::json;

use super::outline::{Statement, statements};
use super::{Item, SourceFile, markdown};
use crate::memory::remember::Draft;
use crate::store::MemoryKind;

/// Words of somebody who wants something so.
const WISHES: &[&str] =
    &["always", "never", "prefer", "prefers", "avoid", "must", "should", "don't", "dont", "shall", "favor", "favour"];
/// Words of somebody who tells how something is done.
const DEEDS: &[&str] = &["run", "execute", "install", "build", "deploy", "start", "release", "test", "lint", "format"];

/// Reads the file.
pub(super) fn items(file: &SourceFile) -> Vec<Item> {
    let (body, first_line) = match markdown::split(&file.text) {
        Some(split) => (split.body, split.body_line),
        None => (file.text.as_str(), 1),
    };
    let found = statements(body, first_line);
    // One heading above all others is the title of the file, and tells nothing about a part of it.
    let title = found.first().and_then(|one| one.headings.first()).cloned();
    let is_title = title.is_some() && found.iter().all(|one| one.headings.first() == title.as_ref());
    found
        .into_iter()
        // `@path` takes in another file, which can be imported itself.
        .filter(|one| !one.text.starts_with('@') || one.text.contains(char::is_whitespace))
        .map(|one| {
            let place = format!("{}:{}", file.name, one.line);
            Item::draft(place.clone(), draft(one, place, is_title))
        })
        .collect()
}

fn draft(one: Statement, place: String, skip_title: bool) -> Draft {
    let path = one.headings[usize::from(skip_title && one.headings.len() > 1)..].join(" > ");
    let metadata = if path.is_empty() { json!({}) } else { json!({ "heading": path }) };
    let kind = kind_of(&one);
    let text = if path.is_empty() { one.text } else { format!("{path}: {}", one.text) };
    Draft { text, kind, source: Some(place), metadata: Some(metadata.to_string()), ..Draft::default() }
}

/// A wish is a preference; code, a step, or what begins with a deed is a procedure.
pub(super) fn kind_of(one: &Statement) -> MemoryKind {
    let lower = one.text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).peekable();
    let begins_with_deed = words.peek().is_some_and(|first| DEEDS.contains(first));
    let wishes =
        words.any(|word| WISHES.contains(&word)) || lower.contains("do not ") || lower.contains(" instead of ");
    if one.has_code || one.is_step || (begins_with_deed && one.text.contains('`')) {
        MemoryKind::Procedure
    } else if wishes {
        MemoryKind::Preference
    } else if begins_with_deed {
        MemoryKind::Procedure
    } else {
        MemoryKind::Note
    }
}
