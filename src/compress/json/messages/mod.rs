//! Message arrays of chat models: `{role, content}` with tool calls and tool results.
//!
//! The document stays JSON of the same shape, so that it can be sent to a model again. A call and its
//! results are one group, kept or cut together. Long strings (what was said, what a tool gave back)
//! are *sections*: each is cut by the compressor of its own kind, and what is left stands in its string.
//! The system prompt and the last turn of the user come first, then the task and recent turns, then
//! older ones; what tools gave back is shortened first, the older the sooner. A message of the role
//! `user` tells of messages that were cut.
//!
//! Known are the shapes of OpenAI (`tool_calls`, role `tool`; `function_call` and
//! `function_call_output` items) and of Anthropic (`tool_use` and `tool_result` blocks), as an array, as
//! a member `messages` or `input` of a request, and as a line a message.

mod layout;
mod reader;
mod scribe;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use layout::{Conversation, Group, Section};
use reader::{Found, Reader};
use scribe::{Scribe, Segment, Use, raw};

use super::scan::{Document, without_blanks};
use super::tree;
use crate::compress::draft::{Compressor, Draft, Known, Piece};
use crate::compress::{Kind, Query, compressor, detect};

/// What the system prompt and the last turn of the user are worth at least; they are never cut as a whole.
const RULES: f64 = 900.0;

/// The messages of a conversation with a model.
pub(in crate::compress) struct Messages;

impl Messages {
    /// Returns whether `text`, of which something may be `known`, is an array of messages.
    pub(in crate::compress) fn is_in(text: &str, known: &Known) -> bool {
        looks_like(text) && known.document(text).is_some_and(|document| Found::of(text, &document).is_some())
    }

    /// Returns whether `text` is an array of messages.
    fn is(text: &str) -> bool {
        Self::is_in(text, &Known::default())
    }

    /// Returns whether `head`, the beginning of a text of this kind, may be that of messages: roles that
    /// such messages have, and nothing before them that a list of other things would have.
    pub(in crate::compress) fn may_begin(head: &str, kind: Kind) -> bool {
        let roles = ["\"user\"", "\"assistant\"", "\"system\"", "\"developer\"", "\"model\""];
        let holds = |name: &str| head.contains(name);
        kind == Kind::Json
            && looks_like(head)
            && holds("\"role\"")
            && holds("\"content\"")
            && roles.into_iter().any(holds)
    }
}

/// A quick look before anything is parsed.
fn looks_like(text: &str) -> bool {
    let start = text.trim_start();
    let head = &start[..start.floor_char_boundary(64 * 1024)];
    start.starts_with(['[', '{']) && (head.contains("\"role\"") || head.contains("\"messages\""))
}

impl Compressor for Messages {
    fn kind(&self) -> Kind {
        Kind::Dialog
    }

    fn recognises(&self, sample: &str) -> u8 {
        if Self::is(sample) { 99 } else { 0 }
    }

    fn restructure(&self, text: &str) -> Option<String> {
        self.restructure_in(text, &Known::default())
    }

    fn restructure_in(&self, text: &str, known: &Known) -> Option<String> {
        known.document(text).map(|document| tree::minified(text, &document))
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        super::Json.draft(text, query)
    }

    fn draft_in<'a>(&self, text: &'a str, known: &'a Known, query: Option<&Query>) -> Draft<'a> {
        let Some(document) = known.take_document(text) else { return self.draft(text, query) };
        let Some(found) = Found::of(text, &document) else { return self.draft(text, query) };
        draft(text, &document, &found, known, query)
    }

    fn only_mark(&self, text: &str, mark: &str) -> Option<String> {
        let message = told(mark);
        let start = text.trim_start();
        if start.starts_with('[') {
            return Some(format!("[{message}]"));
        }
        let document = Document::parse(text)?;
        match Found::of(text, &document)?.list {
            Some(list) => Some(format!("{{{}:[{message}]}}", &text[document.nodes[list].key()?])),
            None => Some(message),
        }
    }
}

/// A message that says that something was cut.
fn told(words: &str) -> String {
    format!("{{\"role\":\"user\",\"content\":\"{words}\"}}")
}

fn draft<'a>(text: &'a str, document: &Document, found: &Found, known: &'a Known, query: Option<&Query>) -> Draft<'a> {
    let reader = Reader { text, document };
    let mut scribe = Scribe { reader, sections: Vec::new() };
    let (mut open, mut close, between) = match found.list {
        None => (Vec::new(), Vec::new(), "\n"),
        Some(0) => (vec![Segment::Raw("[".to_owned())], vec![Segment::Raw("]".to_owned())], ","),
        Some(_) => (vec![Segment::Raw("{".to_owned())], vec![Segment::Raw("]".to_owned())], ","),
    };
    if let Some(list) = found.list.filter(|list| *list > 0) {
        let mut comma = "";
        for member in document.children(Some(0)).take_while(|member| *member < list) {
            raw(&mut open, comma);
            scribe.beside(member, &mut open);
            comma = ",";
        }
        raw(&mut open, comma);
        scribe.name(list, &mut open);
        raw(&mut open, "[");
    }
    let spans = groups(reader, &found.messages);
    let mut firsts: Vec<Range<usize>> = Vec::with_capacity(spans.len() + 2);
    firsts.push(0..scribe.sections.len());
    let mut groups: Vec<Group> = Vec::with_capacity(spans.len());
    for span in &spans {
        let first = scribe.sections.len();
        let messages = found.messages[span.clone()].iter().map(|message| {
            let used = match (reader.role(*message), reader.string(*message, "type")) {
                (Some("tool" | "function"), _) | (_, Some("function_call_output")) => Use::Result,
                (_, Some("function_call")) => Use::Call,
                (Some("system" | "developer"), _) => Use::System,
                _ => Use::Said,
            };
            let mut written = Vec::new();
            scribe.value(*message, used, &mut written);
            written
        });
        groups.push(Group { piece: 0, end: 0, messages: messages.collect() });
        firsts.push(first..scribe.sections.len());
    }
    let first = scribe.sections.len();
    if let Some(list) = found.list.filter(|list| *list > 0) {
        for member in document.children(Some(0)).filter(|member| *member > list) {
            raw(&mut close, ",");
            scribe.beside(member, &mut close);
        }
        raw(&mut close, "}");
    }
    firsts.push(first..scribe.sections.len());

    let strings = known
        .strings
        .get_or_init(|| scribe.sections.iter().map(|(_, span, is_whole)| unescaped(text, span, *is_whole)).collect());
    let worths = Worths::of(reader, found, &spans, &groups, &scribe.sections, strings, query);
    let mut builder = Builder { text, query, pieces: Vec::new(), sections: Vec::new() };
    builder.root(&open, &close);
    let mut at = firsts.iter();
    let mut next = || at.next().cloned().unwrap_or_default();
    for section in next() {
        builder.section(&scribe.sections[section], &strings[section], 0, &worths, None, section);
    }
    for (number, group) in groups.iter_mut().enumerate() {
        let span = &spans[number];
        let nodes = &document.nodes;
        let source = nodes[found.messages[span.start]].span().start..nodes[found.messages[span.end - 1]].span().end;
        group.piece = builder.group(group, whole_lines(text, source), worths.groups[number]);
        for section in next() {
            builder.section(&scribe.sections[section], &strings[section], group.piece, &worths, Some(number), section);
        }
        group.end = builder.pieces.len();
    }
    for section in next() {
        builder.section(&scribe.sections[section], &strings[section], 0, &worths, None, section);
    }
    let Builder { pieces, sections, .. } = builder;
    Draft { pieces, layout: Box::new(Conversation { text, open, close, between, groups, sections }) }
}

/// The string without its escapes; empty when it has none, or is kept or cut as it is.
fn unescaped(text: &str, span: &Range<usize>, is_whole: bool) -> Option<String> {
    let string = &text[span.clone()];
    if is_whole || !string.contains('\\') {
        return None;
    }
    serde_json::from_str::<String>(string).ok()
}

/// The messages that belong together: a call, its results and what lies between.
fn groups(reader: Reader<'_, '_>, messages: &[usize]) -> Vec<Range<usize>> {
    let mut caller: HashMap<&str, usize> = HashMap::new();
    // For each message the first one that it must not be parted from.
    let mut begins: Vec<usize> = (0..messages.len()).collect();
    for (place, message) in messages.iter().enumerate() {
        for id in reader.answers(*message) {
            if let Some(call) = caller.get(id) {
                begins[place] = begins[place].min(*call);
            }
        }
        for id in reader.calls(*message) {
            caller.insert(id, place);
        }
    }
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (place, begin) in begins.into_iter().enumerate() {
        while groups.last().is_some_and(|last| last.start > begin) {
            groups.pop();
        }
        match groups.last_mut() {
            Some(last) if last.end > begin => last.end = place + 1,
            _ => groups.push(begin..place + 1),
        }
    }
    groups
}

/// What groups and sections are worth.
struct Worths {
    groups: Vec<f64>,
    /// By the number of the section: what its best piece is worth, and how much more that is than the rest.
    sections: Vec<(f64, f64)>,
}

impl Worths {
    fn of(
        reader: Reader<'_, '_>,
        found: &Found,
        spans: &[Range<usize>],
        groups: &[Group],
        sections: &[(Use, Range<usize>, bool)],
        strings: &[Option<String>],
        query: Option<&Query>,
    ) -> Self {
        let text = |section: usize| {
            let (_, span, _) = &sections[section];
            strings[section].as_deref().unwrap_or(&reader.text[span.clone()])
        };
        let inline: Vec<String> =
            groups.iter().map(|group| group.messages.iter().flatten().map(words).collect()).collect();
        let passages = || (0..sections.len()).map(text).chain(inline.iter().map(String::as_str));
        let named = |passage: &str| query.is_some_and(|query| query.names_something_in(passage));
        let answers: Vec<f64> = match query {
            Some(query) => {
                let scores = query.relevance(passages());
                scores
                    .iter()
                    .zip(passages())
                    .map(|(score, passage)| 60.0 * score + if named(passage) { 60.0 } else { 0.0 })
                    .collect()
            }
            None => vec![0.0; sections.len() + groups.len()],
        };
        let messages = |span: &Range<usize>| &found.messages[span.clone()];
        let is_asked = |span: &&Range<usize>| messages(span).iter().any(|message| reader.is_asked(*message));
        let last_asked = spans.iter().rposition(|span| is_asked(&span));
        let first_asked = spans.iter().position(|span| is_asked(&span));
        let mut worths = Self { groups: Vec::with_capacity(spans.len()), sections: Vec::new() };
        for (number, span) in spans.iter().enumerate() {
            let recency = 40.0 / (1.0 + (spans.len() - 1 - number) as f64 / 6.0);
            let is_system =
                messages(span).iter().any(|message| matches!(reader.role(*message), Some("system" | "developer")));
            let base = if Some(number) == last_asked {
                RULES + 100.0
            } else if is_system {
                RULES
            } else if Some(number) == first_asked {
                150.0
            } else {
                60.0 + recency
            };
            worths.groups.push(base + answers[sections.len() + number]);
            for message in &groups[number].messages {
                for segment in message {
                    let Segment::Section(section) = segment else { continue };
                    let (base, best) = match sections[*section].0 {
                        Use::Call | Use::Result if base >= 150.0 => (20.0 + recency, 40.0),
                        Use::Call => (25.0 + recency, 40.0),
                        Use::Result => (20.0 + recency, 40.0),
                        Use::Said | Use::System | Use::Beside => (base, 30.0),
                    };
                    worths.sections.resize(worths.sections.len().max(*section + 1), (0.0, 0.0));
                    worths.sections[*section] = (base + answers[*section], best);
                }
            }
        }
        worths.sections.resize(sections.len(), (0.0, 0.0));
        for (section, worth) in worths.sections.iter_mut().enumerate().filter(|(_, worth)| worth.1 == 0.0) {
            let base = if sections[section].0 == Use::System { RULES } else { 30.0 };
            *worth = (base + answers[section], 30.0);
        }
        worths
    }
}

fn words(segment: &Segment) -> &str {
    match segment {
        Segment::Raw(text) => text,
        Segment::Section(_) => " ",
    }
}

struct Builder<'a, 'q> {
    text: &'a str,
    query: Option<&'q Query>,
    pieces: Vec<Piece<'a>>,
    sections: Vec<Section<'a>>,
}

impl<'a> Builder<'a, '_> {
    fn root(&mut self, open: &[Segment], close: &[Segment]) {
        let written: String = open.iter().chain(close).map(words).collect();
        self.pieces.push(Piece { text: Cow::Owned(written), mandatory: true, ..Piece::of(self.text, 0..0, 2_000.0) });
    }

    fn group(&mut self, group: &Group, source: Range<usize>, worth: f64) -> usize {
        let written: String = group.messages.iter().flatten().map(words).collect();
        let span = source.start..source.start;
        let text = Cow::Owned(written + ",");
        let mandatory = worth >= RULES;
        self.pieces.push(Piece {
            text,
            needs: Some(0),
            end: source.end,
            mandatory,
            ..Piece::of(self.text, span, worth)
        });
        self.pieces.len() - 1
    }

    fn section(
        &mut self,
        (used, span, is_whole): &(Use, Range<usize>, bool),
        string: &'a Option<String>,
        parent: usize,
        worths: &Worths,
        group: Option<usize>,
        number: usize,
    ) {
        let (base, best) = worths.sections[number];
        let first = self.pieces.len();
        let source = &self.text[span.clone()];
        // A string with a lone half of a surrogate pair cannot be read, only kept or cut.
        let is_whole = *is_whole || (string.is_none() && source.contains('\\'));
        if is_whole {
            let worth = if group.is_none() { base } else { base - 30.0 };
            let written = Cow::Owned(without_blanks(source));
            self.pieces.push(Piece { text: written, needs: Some(parent), ..Piece::of(self.text, span.clone(), worth) });
            let range = first..first + 1;
            let (span, used) = (span.clone(), *used);
            self.sections.push(Section { used, span, is_whole, range, pieces: Vec::new(), layout: None });
            return;
        }
        let inner: &'a str = match string {
            Some(string) => string,
            None => &source[1..source.len() - 1],
        };
        let Draft { pieces, layout } = nested(inner, *used, self.query);
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by(|a, b| pieces[*b].worth.total_cmp(&pieces[*a].worth).then(a.cmp(b)));
        let mut place = vec![0; pieces.len()];
        order.iter().enumerate().for_each(|(rank, index)| place[*index] = rank);
        let mandatory = pieces.iter().position(|piece| piece.mandatory);
        for (index, piece) in pieces.iter().enumerate() {
            let worth = if piece.worth == f64::NEG_INFINITY {
                f64::NEG_INFINITY
            } else {
                base + best / (1.0 + place[index] as f64 / 4.0) - (place[index] as f64 * 1e-4).min(1.0)
            };
            let needs = piece.needs.or(mandatory.filter(|needed| *needed < index));
            // The first piece stands for the whole string; which parts of it are cut is the layout's matter.
            let span = if index == 0 { span.clone() } else { span.end..span.end };
            self.pieces.push(Piece {
                end: span.end,
                span,
                text: escaped(&piece.text),
                close: piece.close,
                worth,
                mandatory: false,
                needs: Some(needs.map_or(parent, |needed| first + needed)),
            });
        }
        let range = first..self.pieces.len();
        self.sections.push(Section { used: *used, span: span.clone(), is_whole, range, pieces, layout: Some(layout) });
    }
}

/// The draft of what stands in a string, by its kind.
fn nested<'a>(inner: &'a str, used: Use, query: Option<&Query>) -> Draft<'a> {
    // What a tool is called with must still be read by it.
    if used == Use::Call
        && let Some(document) = Document::parse(inner).filter(|document| !document.is_lines)
    {
        return tree::draft(inner, Rc::new(document), query, tree::Form::Json);
    }
    compressor(detect(inner).kind).draft(inner, query)
}

/// The text as it is written within quotes.
fn escaped<'t>(text: &Cow<'t, str>) -> Cow<'t, str> {
    if !text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return text.clone();
    }
    let quoted = serde_json::to_string(text).expect("a string can be written as JSON");
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// The span with the blanks and the comma around it, where it fills its lines.
fn whole_lines(text: &str, span: Range<usize>) -> Range<usize> {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r');
    let before = text[..span.start].trim_end_matches(is_blank);
    let start = if before.is_empty() || before.ends_with('\n') { before.len() } else { span.start };
    let rest = text[span.end..].trim_start_matches(is_blank);
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(is_blank);
    match rest.strip_prefix('\n') {
        Some(after) => start..text.len() - after.len(),
        None => start..span.end,
    }
}

/// Returns the ids of calls without a result and of results without a call, for tests.
#[cfg(test)]
fn orphans(text: &str) -> Vec<String> {
    let document = Document::parse(text).expect("valid");
    let found = Found::of(text, &document).expect("messages");
    let reader = Reader { text, document: &document };
    use std::collections::HashSet;
    let calls: HashSet<&str> = found.messages.iter().flat_map(|message| reader.calls(*message)).collect();
    let answers: HashSet<&str> = found.messages.iter().flat_map(|message| reader.answers(*message)).collect();
    calls.symmetric_difference(&answers).map(|id| (*id).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Request, fit};
    use crate::tokens::Measure;

    #[test]
    fn calls_and_their_results_stay_together() {
        let turn = |index: usize| {
            format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"c{index}","type":"function","function":{{"name":"read","arguments":"{{\"path\":\"src/{index}.rs\"}}"}}}}]}},{{"role":"tool","tool_call_id":"c{index}","content":"{}"}}"#,
                format!("line {index} of the file\\n").repeat(30)
            )
        };
        let turns: Vec<String> = (0..12).map(turn).collect();
        let text = format!(
            r#"[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"Read them."}},{},{{"role":"user","content":"And now?"}}]"#,
            turns.join(",")
        );
        for budget in [60, 120, 250, 500, 900] {
            let fitted = fit(&Request::new(&text, Some(budget), Measure::default())).expect("fits");
            assert_eq!(fitted.kind, Kind::Dialog);
            assert!(fitted.tokens_after <= budget);
            assert!(fitted.text.contains("And now?") && fitted.text.contains("Be brief."), "{}", fitted.text);
            assert_eq!(orphans(&fitted.text), Vec::<String>::new(), "{}", fitted.text);
        }
    }

    #[test]
    fn other_arrays_are_no_messages() {
        assert!(!Messages::is(r#"[{"role":"admin","content":"x"}]"#));
        assert!(!Messages::is(r#"[{"role":"user","name":"ann"}]"#));
        assert!(!Messages::is(r#"{"messages":[]}"#));
        assert!(Messages::is(r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#));
        assert!(Messages::is("{\"role\":\"user\",\"content\":\"x\"}\n{\"role\":\"assistant\",\"content\":\"y\"}\n"));
    }
}
