//! YAML with line numbers: the reader behind settings, agent files and, later, workflow files.
//!
//! The tree keeps the place of every key and value, so that whoever gives the keys a meaning can
//! say where it found what. Scalars stay text until then: whether `5` is a number is for the reader
//! of the field to decide. Merge keys (`<<`) and tags are not interpreted.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 64;
/// The most nodes of a document, aliases expanded.
const NODES_MAX: usize = 50_000;

/// A place in a text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the value begins.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, a number, a truth value or nothing: [`Scalar`] tells.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written; keys are unique.
    Map(Vec<Entry>),
}

/// A key, where it stands, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub place: Place,
    /// The key.
    pub key: String,
    /// Its value.
    pub node: Node,
}

/// A single value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// Whether it was quoted or a block, and so is text whatever it looks like.
    pub quoted: bool,
}

/// What a plain scalar means in the core schema of YAML 1.2.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning<'a> {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// Anything else.
    Text(&'a str),
}

/// Something wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where.
    pub place: Place,
    /// What, as a fragment.
    pub message: String,
}

impl Scalar {
    /// Returns what the scalar means.
    pub fn meaning(&self) -> Meaning<'_> {
        if self.quoted {
            return Meaning::Text(&self.text);
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            text => number(text).unwrap_or(Meaning::Text(text)),
        }
    }
}

fn number(text: &str) -> Option<Meaning<'_>> {
    if let Ok(integer) = text.parse() {
        return Some(Meaning::Integer(integer));
    }
    // Rust would also read `inf` and `nan`, which YAML spells `.inf` and nobody needs.
    let looks_like_one = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E'));
    let number: f64 = text.parse().ok().filter(|_| looks_like_one)?;
    number.is_finite().then_some(Meaning::Number(number))
}

impl Node {
    /// Returns the entries if the value is a mapping.
    pub fn as_map(&self) -> Option<&[Entry]> {
        if let Value::Map(entries) = &self.value { Some(entries) } else { None }
    }

    /// Returns the elements if the value is a sequence.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Value::List(nodes) = &self.value { Some(nodes) } else { None }
    }

    /// Returns the scalar if the value is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        if let Value::Scalar(scalar) = &self.value { Some(scalar) } else { None }
    }

    /// Returns whether nothing was written.
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| scalar.meaning() == Meaning::Null)
    }

    /// Says what the value is, for messages: "a list", "a number".
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "nothing",
                Meaning::Bool(_) => "a truth value",
                Meaning::Integer(_) => "a whole number",
                Meaning::Number(_) => "a number",
                Meaning::Text(_) => "text",
            },
        }
    }
}

/// Reads the first document of `text`, whose first line counts as `first_line`.
///
/// Returns as much as could be read together with what is wrong: after a syntax error nothing,
/// with repeated keys the first of each. An empty document is null.
pub fn parse(text: &str, first_line: usize) -> (Option<Node>, Vec<Flaw>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { offset: first_line.saturating_sub(1), ..Builder::default() };
    let mut parser = Parser::new_from_str(text);
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd | Event::DocumentEnd, _))) => break,
            Some(Ok((event, span))) => {
                if let Err(flaw) = builder.take(event, span) {
                    builder.flaws.push(flaw);
                    return (None, builder.flaws);
                }
            }
            Some(Err(error)) => {
                let marker = error.marker();
                let place = builder.place(marker.line(), marker.col());
                builder.flaws.push(Flaw { place, message: format!("not valid YAML: {}", error.info()) });
                return (None, builder.flaws);
            }
        }
    }
    let nothing = || Node {
        place: Place { line: first_line.max(1), column: 1 },
        value: Value::Scalar(Scalar { text: String::new(), quoted: false }),
    };
    (Some(builder.root.take().unwrap_or_else(nothing)), builder.flaws)
}

/// A collection that is still open.
struct Open {
    place: Place,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// The entries so far, and the key that waits for its value; `None` inside it marks a key that
    /// is dropped together with its value.
    Map(Vec<Entry>, Option<(Place, Option<String>)>),
}

#[derive(Default)]
struct Builder {
    offset: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    nodes: usize,
    flaws: Vec<Flaw>,
}

impl Builder {
    fn place(&self, line: usize, column: usize) -> Place {
        Place { line: line.max(1) + self.offset, column: column + 1 }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        let place = self.place(span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let quoted = style != ScalarStyle::Plain;
                let value = Value::Scalar(Scalar { text: text.into_owned(), quoted });
                self.finish(Node { place, value }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.start(Open { place, anchor, kind: Kind::List(Vec::new()) }),
            Event::MappingStart(anchor, _) => self.start(Open { place, anchor, kind: Kind::Map(Vec::new(), None) }),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.kind {
                    Kind::List(nodes) => Value::List(nodes),
                    Kind::Map(entries, _) => Value::Map(entries),
                };
                let node = Node { place: open.place, value };
                let size = if open.anchor == 0 { 1 } else { size(&node) };
                self.finish(node, open.anchor, size)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(Flaw { place, message: "an alias inside the value it names".to_owned() });
                };
                self.nodes += size;
                self.finish(node, 0, size)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn start(&mut self, open: Open) -> Result<(), Flaw> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Flaw { place: open.place, message: format!("nested deeper than {DEPTH_MAX} levels") });
        }
        self.open.push(open);
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Flaw> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Flaw { place: node.place, message: format!("more than {NODES_MAX} values") });
        }
        if anchor != 0 {
            self.nodes += size;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        match &mut open.kind {
            Kind::List(nodes) => nodes.push(node),
            Kind::Map(entries, waiting) => match waiting.take() {
                Some((place, Some(key))) => entries.push(Entry { place, key, node }),
                Some((_, None)) => {}
                None => *waiting = Some((node.place, key(&node, entries, &mut self.flaws))),
            },
        }
        Ok(())
    }
}

/// Returns the text of a key, or `None` and a flaw where it cannot be one.
fn key(node: &Node, entries: &[Entry], flaws: &mut Vec<Flaw>) -> Option<String> {
    let Some(scalar) = node.as_scalar() else {
        flaws.push(Flaw { place: node.place, message: format!("{} cannot be a key", node.describe()) });
        return None;
    };
    if let Some(first) = entries.iter().find(|entry| entry.key == scalar.text) {
        let message = format!("{:?} stands twice; the one in line {} counts", scalar.text, first.place.line);
        flaws.push(Flaw { place: node.place, message });
        return None;
    }
    Some(scalar.text.clone())
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Scalar(_) => 0,
        Value::List(nodes) => nodes.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| 1 + size(&entry.node)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        parse(text, 1).1.iter().map(|f| format!("{}:{}: {}", f.place.line, f.place.column, f.message)).collect()
    }

    #[test]
    fn every_value_knows_its_place() {
        let (node, flaws) = parse("a: 1\nb:\n  - x\n  - {c: 'd'}\n", 10);
        assert_eq!(flaws, []);
        let node = node.expect("a document");
        let entries = node.as_map().expect("a mapping");
        assert_eq!((entries[0].place.line, entries[0].node.place.column), (10, 4));
        let list = entries[1].node.as_list().expect("a list");
        assert_eq!(list[0].place, Place { line: 12, column: 5 });
        let inner = &list[1].as_map().expect("a mapping")[0];
        assert_eq!(inner.node.as_scalar(), Some(&Scalar { text: "d".into(), quoted: true }));
    }

    #[test]
    fn plain_scalars_have_their_core_meaning() {
        for (text, meaning) in [
            ("5", Meaning::Integer(5)),
            ("-1.5e3", Meaning::Number(-1500.0)),
            ("true", Meaning::Bool(true)),
            ("yes", Meaning::Text("yes")),
            ("nan", Meaning::Text("nan")),
            ("~", Meaning::Null),
            ("1.2.3", Meaning::Text("1.2.3")),
        ] {
            assert_eq!(Scalar { text: text.into(), quoted: false }.meaning(), meaning, "{text}");
        }
        assert_eq!(Scalar { text: "5".into(), quoted: true }.meaning(), Meaning::Text("5"));
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        assert_eq!(messages("a: 1\nb: 2\na: 3\nb: 4\n").len(), 2);
        assert_eq!(messages("a: 1\na: 3\n"), ["2:1: \"a\" stands twice; the one in line 1 counts"]);
        assert_eq!(messages("? [x]\n: 1\n"), ["1:3: a list cannot be a key"]);
        assert!(messages("a: [1, 2\nb: 3\n")[0].contains("not valid YAML"));
        assert_eq!(messages(""), Vec::<String>::new());
    }

    #[test]
    fn hostile_documents_end_in_a_flaw() {
        assert!(messages(&"[".repeat(100))[0].contains("nested deeper"));
        assert!(messages(&"[".repeat(100_000))[0].contains("not valid YAML"));
        let deep: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(messages(&deep)[0].contains("nested deeper"));
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..20 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(messages(&laughs)[0].contains("more than 50000 values"));
        assert!(messages("a: &a [*a]")[0].contains("alias inside"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[ \\-:\\[\\]{}&*!|>'\"%@`#,?a-c0-9\n\t\u{e9}\u{1f600}\u{0}~.]{0,80}") {
            let _ = parse(&text, 1);
        }
    }
}
