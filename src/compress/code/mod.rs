//! Source code: definitions first, bodies elided.
//!
//! A text is cut into its files ([`files`]), the outline of each ([`skeleton`]) is parsed ([`parse`],
//! with the languages of [`grammar`]), and it is cut at its definitions. What is cut leaves a comment
//! (and `...` in Python), so that the rest still parses. Other languages, giant files and files too
//! broken to parse are cut by brackets or indentation ([`blocks`]), and by lines where those do not
//! match either.
//! What answers a query is judged in [`answers`].

mod answers;
mod blocks;
mod files;
mod grammar;
mod language;
mod layout;
mod parse;
mod skeleton;
mod tight;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::draft::{Compressor, Draft, Piece};
use super::{Kind, Query, lines};
use blocks::{Block, Role};
use grammar::Grammar;
use language::Language;

/// Source code.
pub(super) struct Code;

impl Compressor for Code {
    fn kind(&self) -> Kind {
        Kind::Code
    }

    fn recognises(&self, sample: &str) -> u8 {
        language::looks_like_code(sample)
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let files = cut(text);
        let answers = query.map(|query| answers::of(text, &files, query));
        let mut blocks: Vec<Block> = files.into_iter().flat_map(|file| file.blocks).collect();
        let shares = shares(&blocks);
        let mut alike: HashMap<&str, usize> = HashMap::new();
        for block in blocks.iter_mut().filter(|block| block.role == Role::Definition && !block.holds_blocks) {
            let count = alike.entry(text[block.open.clone()].trim()).or_default();
            *count += 1;
            block.is_known = *count > 1;
        }
        let pieces = blocks
            .iter()
            .enumerate()
            .map(|(index, block)| Piece {
                span: block.open.clone(),
                end: block.close.end,
                text: Cow::Borrowed(&text[block.open.clone()]),
                close: &text[block.close.clone()],
                worth: worth(text, block, &alike, shares[index])
                    + answers.as_ref().map_or(0.0, |answers| answers[index]),
                mandatory: false,
                needs: block.parent,
            })
            .collect();
        Draft { pieces, layout: Box::new(layout::CodeLayout::of(blocks)) }
    }

    fn only_mark(&self, text: &str, mark: &str) -> Option<String> {
        let notation = Grammar::guesses(text).first().map_or_else(|| Language::of(text), |grammar| grammar.notation());
        Some(format!("{} {mark}", notation.line_comment))
    }
}

/// A file of a text; the blocks' parents are numbers in the whole text.
struct File<'a> {
    name: &'a str,
    /// The number of its first block in the whole text.
    first: usize,
    blocks: Vec<Block>,
}

/// Cuts a text into files and these into blocks.
fn cut(text: &str) -> Vec<File<'_>> {
    let mut files = Vec::new();
    let mut count = 0;
    for part in files::split(text) {
        let body = body(text, &part);
        let has_header = !part.header.is_empty();
        let first = count + usize::from(has_header);
        let mut blocks = Vec::with_capacity(body.len() + 1);
        if has_header {
            let language = body.first().map_or(language::BRACES, |block| block.language);
            blocks.push(Block { close: part.footer, role: Role::File, ..plain(part.header, language) });
        }
        blocks.extend(body.into_iter().map(|block| {
            let parent = block.parent.map(|parent| parent + first).or(has_header.then_some(count));
            Block { parent, ..block }
        }));
        files.push(File { name: part.name, first: count, blocks });
        count += files.last().map_or(0, |file| file.blocks.len());
    }
    files
}

/// Cuts what stands in a file, a part of it after the other where it is long.
fn body(text: &str, part: &files::Part<'_>) -> Vec<Block> {
    let known = if part.grammar.is_none() { Language::named(part.name) } else { None };
    let mut blocks: Vec<Block> = Vec::new();
    // What one part is written in, the next one is most likely, too: its beginning says less.
    let mut last: Option<Grammar> = None;
    for range in parse::parts(text, part.body.clone()) {
        let grammars = match part.grammar {
            Some(grammar) => grammar.relatives(),
            None if known.is_some() => Vec::new(),
            None => {
                let guesses = Grammar::guesses(&text[range.clone()]).into_iter();
                last.into_iter().chain(guesses.filter(|guess| Some(*guess) != last)).collect()
            }
        };
        let cut = parse::cut(text, range.clone(), &grammars);
        last = cut.as_ref().map(|(grammar, _)| *grammar).or(last);
        let first = blocks.len();
        let cut = cut.map_or_else(|| unparsed(text, range, known), |(_, blocks)| blocks);
        blocks
            .extend(cut.into_iter().map(|block| Block { parent: block.parent.map(|parent| parent + first), ..block }));
    }
    blocks
}

/// Cuts what cannot be parsed, by brackets, by indentation or by lines.
fn unparsed(text: &str, range: Range<usize>, known: Option<Language>) -> Vec<Block> {
    let source = &text[range.clone()];
    let language = known.unwrap_or_else(|| Language::of(source));
    let blocks = if language.is_plain { None } else { blocks::cut(source, language) };
    let mut blocks = blocks.map_or_else(|| by_lines(source, language), |blocks| statements(source, blocks));
    for block in &mut blocks {
        for span in [&mut block.open, &mut block.close, &mut block.name] {
            *span = span.start + range.start..span.end + range.start;
        }
    }
    blocks
}

/// Lines longer than this are cut into statements.
const LONG_LINE: usize = 4_000;
/// How many bytes of a long line stay together, at least, and into how many pieces it is cut at most.
const STATEMENT: usize = 200;
const STATEMENTS_MAX: usize = 20_000;

/// Cuts blocks of long lines, as in minified code, where statements end.
fn statements(source: &str, blocks: Vec<Block>) -> Vec<Block> {
    let is_long =
        |block: &Block| block.close.is_empty() && source[block.open.clone()].lines().any(|line| line.len() > LONG_LINE);
    if !blocks.iter().any(is_long) {
        return blocks;
    }
    let least = STATEMENT.max(source.len() / STATEMENTS_MAX);
    let mut numbers = Vec::with_capacity(blocks.len());
    let mut cut: Vec<Block> = Vec::new();
    for block in blocks {
        numbers.push(cut.len());
        let block = Block { parent: block.parent.map(|parent| numbers[parent]), ..block };
        if !is_long(&block) {
            cut.push(block);
            continue;
        }
        let mut start = block.open.start;
        for (at, byte) in source.as_bytes()[block.open.clone()].iter().enumerate() {
            let end = block.open.start + at + 1;
            let length = end - start;
            let ends = match byte {
                b'\n' => true,
                b';' | b'}' => length >= least,
                b',' | b' ' => length >= least * 4,
                _ => length >= least * 16 && source.is_char_boundary(end),
            };
            if ends || end == block.open.end {
                cut.push(Block { open: start..end, close: end..end, name: end..end, ..block.clone() });
                start = end;
            }
        }
    }
    cut
}

fn plain(open: Range<usize>, language: Language) -> Block {
    let close = open.end..open.end;
    let name = close.clone();
    Block {
        open,
        close,
        parent: None,
        role: Role::Loose,
        depth: 0,
        holds_blocks: false,
        is_data: false,
        is_known: false,
        is_declared: false,
        name,
        language,
    }
}

/// A block a line, for text in which no definitions can be found but by how lines begin.
fn by_lines(text: &str, language: Language) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // The indentation of the definition that the line stands in.
    let mut within: Option<usize> = None;
    for span in lines::spans(text) {
        let line = &text[span.clone()];
        let indent = line.len() - line.trim_start().len();
        let mut block = plain(span, language);
        if line.trim().is_empty() {
            block.role = Role::Blank;
        } else if !language.is_plain {
            // Brackets that do not match: nothing is known of its lines.
        } else if line.trim_start().starts_with(language.line_comment) {
            block.role = Role::Comment;
        } else if language::begins_definition(line) {
            block.role = Role::Definition;
            within = Some(indent);
        } else if within.is_some_and(|definition| indent > definition) {
            block.role = Role::Body;
        } else {
            within = None;
        }
        block.depth = usize::from(block.role == Role::Body);
        blocks.push(block);
    }
    statements(text, blocks)
}

/// For each block, how much of what it stands in must be written for its sake, in bytes: a method that
/// is alone in its `impl` needs all of its head, one of twenty a twentieth.
fn shares(blocks: &[Block]) -> Vec<f64> {
    let mut children = vec![0_usize; blocks.len()];
    for block in blocks.iter().filter(|block| block.role == Role::Definition) {
        if let Some(parent) = block.parent {
            children[parent] += 1;
        }
    }
    let mut shares = vec![0.0; blocks.len()];
    for (index, block) in blocks.iter().enumerate() {
        if let Some(parent) = block.parent.filter(|parent| blocks[*parent].role == Role::Definition) {
            let whole = blocks[parent].open.len() as f64 + shares[parent];
            shares[index] = whole / children[parent].max(1) as f64;
        }
    }
    shares
}

/// How definitions of definitions begin that define nothing themselves.
const IS_FOR_OTHERS: &[&str] = &["impl", "if ", "try:", "with ", "#if"];

/// What a block is worth without a query: signatures, public and types first, short ones before long
/// ones; then what stands between definitions; then comments; small bodies before large ones.
fn worth(text: &str, block: &Block, alike: &HashMap<&str, usize>, share: f64) -> f64 {
    let open = &text[block.open.clone()];
    let length = open.len() as f64;
    match block.role {
        Role::File => 20.0,
        Role::Definition => {
            let first = open.trim();
            let is_public = ["pub ", "export ", "public "].iter().any(|word| first.starts_with(word));
            let alike = alike.get(first).map_or(1.0, |count| *count as f64);
            10.0 + alike.log2() * 0.5
                + if is_public { 0.5 } else { 0.0 }
                + match (block.is_data, block.holds_blocks) {
                    // An `impl` and a condition are kept for the sake of what is in them.
                    (false, true) if IS_FOR_OTHERS.iter().any(|word| first.starts_with(word)) => -3.0,
                    (false, false) => 0.0,
                    _ => 0.5,
                }
                - ((length + share) / 60.0).min(5.0)
                // The first of many methods with the same name and types tells most, the others little.
                - if block.is_known { 4.0 } else { 0.0 }
        }
        Role::Loose => 3.0 - length / 1_000.0,
        Role::Comment | Role::Text => 2.0 - length / 2_000.0,
        Role::Body => 1.0 - length / 4_000.0,
        Role::Blank => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::{Request, fit};
    use crate::tokens::Measure;

    fn fitted(text: &str, query: Option<&str>, tokens: usize) -> String {
        let request = Request { kind: Some(Kind::Code), query, ..Request::new(text, Some(tokens), Measure::default()) };
        fit(&request).expect("fits").text
    }

    const RUST: &str = r#"//! A room.

use std::fmt;

/// Limits retries.
pub struct Limit {
    retries: u32, // } { no brackets
}

impl Limit {
    /// Returns whether one more try is allowed, given how many there were before it.
    pub fn allows(&self, before: u32) -> bool {
        let text = "{ not a bracket";
        let other = r"also { not";
        if before > self.retries {
            return false;
        }
        text.len() + other.len() > before as usize
    }

    fn log<'a>(&self, line: &'a str) -> char {
        let quote = '{';
        let mut length = line.len();
        while length > 10 {
            length -= self.retries as usize + 1;
        }
        quote
    }
}
"#;

    #[test]
    fn bodies_of_rust_are_elided_first() {
        let out = fitted(RUST, None, 130);
        assert!(out.contains("pub fn allows(&self, before: u32) -> bool {"), "{out}");
        assert!(out.contains("fn log<'a>(&self, line: &'a str) -> char {"), "{out}");
        assert_eq!(out.matches('{').count(), out.matches('}').count(), "{out}");
        assert!(out.contains("/* "), "{out}");
    }

    #[test]
    fn a_query_keeps_the_body_that_answers() {
        let out = fitted(RUST, Some("how is the line length logged"), 130);
        assert!(out.contains("let quote = '{';"), "{out}");
        assert!(!out.contains("let other"), "{out}");
    }

    #[test]
    fn the_beginning_of_a_file_is_cut_like_a_whole_one() {
        let mut text = String::from("package a;\n\npublic class Orders {\n");
        for name in ["first", "second", "third", "fourth"] {
            text.push_str(&format!("    public int {name}(int one) {{\n"));
            text.push_str("        if (one > 2) {\n            return call(one, one);\n        }\n".repeat(6).as_str());
            text.push_str("        return one;\n    }\n\n");
        }
        text.push_str(
            "    public int fifth(int one) {\n        if (one > 2) {\n            return call(one\n// more\n",
        );
        let out = fitted(&text, None, 200);
        for name in ["first", "second", "third", "fourth", "fifth"] {
            assert!(out.contains(&format!("public int {name}(int one) {{")), "{name}\n{out}");
        }
    }

    #[test]
    fn bodies_of_python_are_elided_first() {
        let text = "import os\n\n\nclass Store:\n    \"\"\"Keeps\nthings.\n    \"\"\"\n\n    def get(self, key,\n            other=None):\n        value = self.items[key]\n        if value is None:\n            raise KeyError(key)\n        return value\n\n    def put(self, key, value):\n        self.items[key] = value\n        self.changed = True\n        self.flush(os.path.join(self.folder, key))\n\n\ndef main():\n    store = Store()\n    store.put('a', 1)\n    print(store.get('a'))\n";
        let out = fitted(text, None, 100);
        for signature in [
            "class Store:",
            "def get(self, key,\n            other=None):",
            "def put(self, key, value):",
            "def main():",
        ] {
            assert!(out.contains(signature), "{signature}\n{out}");
        }
        assert!(out.contains("def put(self, key, value): ...  # "), "{out}");
    }
}
