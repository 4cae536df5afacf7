//! JSON and JSON Lines.
//!
//! A document that fits without its blanks stays JSON. Of a nested one of which something must be cut,
//! leaves are pieces, and those that are kept are written as an outline, where nothing is escaped. Rows,
//! that is, an array of flat objects, become a table. Both say in their first line that they are not JSON
//! any more. What a tool is called with stays JSON, whose cuts are told by a member `"…"` or an element
//! `"…12"`. The messages of a conversation
//! with a model have a form of their own ([`Messages`]).

mod asked;
mod messages;
mod outline;
mod rows;
mod scan;
mod tree;

use std::rc::Rc;

use super::draft::{Compressor, Draft, Known};
use super::log::Log;
use super::{Kind, Query, prose};

pub(super) use messages::Messages;
pub(super) use scan::Document;

/// JSON or JSON Lines.
pub(super) struct Json;

impl Compressor for Json {
    fn kind(&self) -> Kind {
        Kind::Json
    }

    fn recognises(&self, sample: &str) -> u8 {
        let trimmed = sample.trim();
        if !trimmed.starts_with(['{', '[']) {
            return 0;
        }
        if Document::parse(sample).is_some() {
            return 99;
        }
        // The sample may end before the document does.
        let mut lines = trimmed.lines();
        let first = lines.next().unwrap_or("");
        let is_line = lines.next().is_some() && Document::parse(first).is_some() && first.len() > 2;
        let quotes = trimmed.matches("\":").count() + trimmed.matches("\" :").count();
        if is_line {
            95
        } else if quotes * 200 > trimmed.len() || (quotes > 0 && is_beginning(trimmed)) {
            90
        } else {
            0
        }
    }

    fn restructure(&self, text: &str) -> Option<String> {
        self.restructure_in(text, &Known::default())
    }

    fn restructure_in(&self, text: &str, known: &Known) -> Option<String> {
        let document = known.document(text)?;
        rows::table(text, &document).or_else(|| Some(tree::minified(text, &document)))
    }

    fn expand(&self, form: &str) -> Option<String> {
        rows::expand(form)
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        draft(text, Document::parse(text).map(Rc::new), query)
    }

    fn draft_in<'a>(&self, text: &'a str, known: &'a Known, query: Option<&Query>) -> Draft<'a> {
        draft(text, known.take_document(text), query)
    }

    fn only_mark(&self, text: &str, mark: &str) -> Option<String> {
        Document::parse(text).map(|_| format!("\"{mark}\""))
    }
}

/// Whether nothing is wrong with a text of JSON but that it ends too early: strings in it may be as long as
/// they like, and hold code.
fn is_beginning(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

fn draft<'a>(text: &'a str, document: Option<Rc<Document>>, query: Option<&Query>) -> Draft<'a> {
    let Some(document) = document else {
        // Cut off, or not all of it JSON: its lines are alike as those of a log are.
        let is_lines = text.lines().take(4).count() == 4;
        return if is_lines { Log.draft(text, query) } else { prose::draft(text, query) };
    };
    match rows::Rows::of(text, &document) {
        Some(rows) => {
            drop(document);
            rows::draft(text, rows, query)
        }
        None => tree::draft(text, document, query, tree::Form::Outline),
    }
}
