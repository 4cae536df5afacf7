//! Where definitions begin and end, as a parser sees them.
//!
//! Blocks tile the text. A block ends with a line wherever the code does, so that what is cut are
//! lines; where several things stand on one line, as in minified code, it ends with the code.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

use super::blocks::{Block, Role};
use super::grammar::Grammar;
use super::skeleton::Skeleton;

/// Deeper blocks are part of the body they stand in.
const DEPTH_MAX: usize = 12;

/// Longer texts are parsed in parts: the tree of one takes many times its memory.
const PART: usize = 512 * 1024;

/// A longer part, which could not be taken apart, is not parsed at all.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// How many steps a parser may take: so many at least, and one for so many bytes. Code needs one for eighty
/// bytes or more. Counted and not timed, so that the same text is always cut the same way.
const STEPS_MIN: usize = 200;
const BYTES_PER_STEP: usize = 20;

/// A body on one line that is shorter stays whole.
const ONE_LINE_BODY: usize = 100;

/// Of how many bytes one may be in no place that the grammar knows.
const BROKEN_SHARE: usize = 5;

/// Of how many bytes no more than one may be so for no other language, and for no other dialect, to be tried:
/// parsers take a hundred times as long over what they do not understand.
const FOREIGN_SHARE: usize = 20;
const DIALECT_SHARE: usize = 200;

/// Takes the part of a text at `range` apart between its outermost definitions, so that no part is much
/// longer than a parser is given.
pub(super) fn parts(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    while range.end - start > PART {
        let bytes = text.as_bytes();
        let begins = |at: usize| {
            let after = bytes[at + 1];
            // After a blank line, at the margin.
            bytes[at] == b'\n'
                && bytes[at - 1] == b'\n'
                && (after.is_ascii_alphabetic() || matches!(after, b'@' | b'#' | b'/' | b'_'))
        };
        let last = (start + BYTES_MAX).min(range.end) - 1;
        // Behind a brace at the margin where there is one: a blank line may be within a string.
        let ends = |at: usize| bytes[..at].ends_with(b"\n}\n") && begins(at);
        let near = start + PART / 2..(start + PART).min(last);
        let found = near.clone().find(|at| ends(*at)).or_else(|| (near.start..last).find(|at| begins(*at)));
        let Some(found) = found else { break };
        parts.push(start..found + 1);
        start = found + 1;
    }
    parts.push(start..range.end);
    parts
}

/// Cuts the part of a text at `range` into blocks, and says with which of the grammars; `None` when none of
/// them fits it.
pub(super) fn cut(text: &str, range: Range<usize>, grammars: &[Grammar]) -> Option<(Grammar, Vec<Block>)> {
    let source = &text[range.clone()];
    if source.len() > BYTES_MAX {
        return None;
    }
    let mut best: Option<(usize, Parsed, Grammar)> = None;
    for grammar in grammars {
        if let Some((least, _, known)) = &best {
            let share = if known.is_like(*grammar) { DIALECT_SHARE } else { FOREIGN_SHARE };
            if least * share <= source.len() {
                continue;
            }
        }
        let Some((broken, parsed)) = parsed(source, *grammar) else { continue };
        if best.as_ref().is_none_or(|(least, ..)| broken < *least) {
            best = Some((broken, parsed, *grammar));
        }
    }
    let (_, Parsed { tree, skeleton }, grammar) = best.filter(|(broken, ..)| broken * BROKEN_SHARE <= source.len())?;
    let mut cutter = Cutter { text: source, skeleton, grammar, blocks: Vec::new() };
    let children = cutter.children(tree.root_node(), 0..source.len());
    cutter.level(&children, 0..source.len(), None, 0, false);
    let mut blocks = cutter.blocks;
    for block in &mut blocks {
        for span in [&mut block.open, &mut block.close, &mut block.name] {
            *span = span.start + range.start..span.end + range.start;
        }
    }
    Some((grammar, blocks))
}

/// A tree, and what of the source was parsed where that was not the whole.
struct Parsed {
    tree: Tree,
    skeleton: Option<Skeleton>,
}

/// Parses the outline of a source, or the whole where there is none that the grammar knows; tells how many
/// bytes it could make nothing of.
fn parsed(source: &str, grammar: Grammar) -> Option<(usize, Parsed)> {
    if let Some(skeleton) = Skeleton::of(source, grammar)
        && let Some(tree) = parse(&skeleton.text, grammar)
    {
        let broken = broken_bytes(&tree);
        if broken * DIALECT_SHARE <= skeleton.text.len() {
            return Some((broken, Parsed { tree, skeleton: Some(skeleton) }));
        }
    }
    let tree = parse(source, grammar)?;
    Some((broken_bytes(&tree), Parsed { tree, skeleton: None }))
}

fn parse(source: &str, grammar: Grammar) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(&grammar.language()).ok()?;
    let mut steps = 0_usize;
    let steps_max = STEPS_MIN + source.len() / BYTES_PER_STEP;
    let mut limit = |_: &ParseState| {
        steps += 1;
        if steps > steps_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut limit);
    let bytes = source.as_bytes();
    parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
}

/// The bytes that the grammar could make nothing of.
fn broken_bytes(tree: &Tree) -> usize {
    let mut broken = 0;
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            broken += (node.end_byte() - node.start_byte()).max(1);
        } else if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return broken;
            }
        }
    }
}

/// What a node of the tree is for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A definition of definitions.
    Holder,
    /// A definition whose body does something.
    Function,
    /// A definition whose body is a list of fields or variants.
    Data,
    /// Lines between others that say when what they hold counts.
    Condition,
}

fn class(node: Node<'_>) -> Option<Class> {
    Some(match node.kind() {
        "impl_item"
        | "trait_item"
        | "mod_item"
        | "foreign_mod_item"
        | "class_definition"
        | "class_declaration"
        | "abstract_class_declaration"
        | "class"
        | "class_specifier"
        | "interface_declaration"
        | "internal_module"
        | "module"
        | "record_declaration"
        | "annotation_type_declaration"
        | "namespace_definition"
        | "linkage_specification"
        | "object" => Class::Holder,
        "function_item"
        | "function_signature_item"
        | "function_definition"
        | "function_declaration"
        | "generator_function_declaration"
        | "generator_function"
        | "function_expression"
        | "arrow_function"
        | "method_definition"
        | "method_declaration"
        | "constructor_declaration"
        | "compact_constructor_declaration"
        | "method_signature"
        | "abstract_method_signature"
        | "function_signature"
        | "func_literal"
        | "method_elem"
        | "static_initializer"
        | "class_static_block" => Class::Function,
        "struct_item"
        | "enum_item"
        | "union_item"
        | "type_item"
        | "enum_declaration"
        | "type_alias_declaration"
        | "struct_specifier"
        | "enum_specifier"
        | "union_specifier"
        | "struct_type"
        | "interface_type"
        | "macro_definition" => Class::Data,
        "preproc_ifdef" | "preproc_if" => Class::Condition,
        "if_statement" | "try_statement" | "with_statement" if node.language().name() == Some("python") => {
            Class::Condition
        }
        _ => return None,
    })
}

/// A definition within what is written around it.
struct Definition<'tree> {
    inner: Node<'tree>,
    class: Class,
}

/// Looks for a definition through what may be written around one: `export`, decorators, `const x =`.
fn definition(node: Node<'_>) -> Option<Definition<'_>> {
    let mut at = node;
    for _ in 0..8 {
        if let Some(class) = class(at) {
            return Some(Definition { inner: at, class });
        }
        at = match at.kind() {
            "export_statement" => at.child_by_field_name("declaration").or_else(|| at.child_by_field_name("value"))?,
            "decorated_definition" => at.child_by_field_name("definition")?,
            "variable_declarator" | "pair" | "public_field_definition" | "field_definition" => {
                at.child_by_field_name("value")?
            }
            "assignment_expression" => at.child_by_field_name("right")?,
            "type_spec" | "type_definition" => at.child_by_field_name("type")?,
            "call_expression" => at.child_by_field_name("arguments")?,
            "arguments" | "template_declaration" | "ambient_declaration" => last_named(at)?,
            "lexical_declaration"
            | "variable_declaration"
            | "type_declaration"
            | "expression_statement"
            | "return_statement"
            | "parenthesized_expression"
                if at.named_child_count() == 1 =>
            {
                at.named_child(0)?
            }
            _ => return None,
        };
    }
    None
}

fn last_named(node: Node<'_>) -> Option<Node<'_>> {
    u32::try_from(node.named_child_count().checked_sub(1)?).ok().and_then(|last| node.named_child(last))
}

impl<'tree> Definition<'tree> {
    /// The node that is the body, and the bytes of the text within its brackets.
    fn body(&self, cutter: &Cutter<'_>) -> Option<(Node<'tree>, Range<usize>)> {
        let is_indented = cutter.is_indented();
        let bytes = cutter.text.as_bytes();
        if self.class == Class::Condition && !is_indented {
            let inner = cutter.span(self.inner);
            let start = end_of_line(cutter.text, inner.start);
            let end = match self.inner.child_by_field_name("alternative") {
                Some(alternative) => cutter.span(alternative).start,
                None => inner.start + cutter.text[inner.clone()].rfind("#endif")?,
            };
            return (start < end).then_some((self.inner, start..end));
        }
        let body = if self.inner.kind() == "object" {
            self.inner
        } else if let Some(body) = self.inner.child_by_field_name("body") {
            body
        } else if let Some(body) = self.inner.child_by_field_name("consequence") {
            body
        } else {
            let mut cursor = self.inner.walk();
            self.inner.named_children(&mut cursor).find(|child| child.kind() == "field_declaration_list")?
        };
        let Range { start, end } = cutter.span(body);
        if cutter.skeleton.as_ref().is_some_and(|skeleton| skeleton.is_unclosed(body.end_byte())) {
            return (end > start && bytes[start] == b'{').then_some((body, start + 1..end));
        }
        if is_indented {
            return Some((body, start..end));
        }
        // Expressions, tuples and what has no brackets stay with the head.
        (end >= start + 2 && bytes[start] == b'{' && bytes[end - 1] == b'}').then_some((body, start + 1..end - 1))
    }
}

struct Cutter<'a> {
    /// The part of the text that is cut.
    text: &'a str,
    /// What of it was parsed, where that is not all.
    skeleton: Option<Skeleton>,
    grammar: Grammar,
    blocks: Vec<Block>,
}

impl Cutter<'_> {
    fn is_indented(&self) -> bool {
        self.grammar == Grammar::Python
    }

    /// Where a node stands.
    fn span(&self, node: Node<'_>) -> Range<usize> {
        let span = node.byte_range();
        self.skeleton.as_ref().map_or(span.clone(), |skeleton| skeleton.in_source(span))
    }

    /// The children of a node that lie within `range`.
    fn children<'tree>(&self, node: Node<'tree>, range: Range<usize>) -> Vec<Node<'tree>> {
        let mut cursor = node.walk();
        let is_within = |child: &Node<'_>| {
            let span = self.span(*child);
            span.start >= range.start && span.end <= range.end && !span.is_empty()
        };
        node.children(&mut cursor).filter(is_within).collect()
    }

    /// Cuts what lies in `range`, of which `nodes` are the parts. In the body of a function, what is
    /// not a definition is one block.
    fn level(&mut self, nodes: &[Node<'_>], range: Range<usize>, parent: Option<usize>, depth: usize, is_body: bool) {
        let mut at = range.start;
        let mut sibling = None;
        for (index, node) in nodes.iter().enumerate() {
            let span = self.span(*node);
            if span.end <= at {
                continue;
            }
            let (start, end) = self.whole_lines(span, at..range.end, nodes.get(index + 1));
            if start > at && !self.extend(sibling, at..start) {
                self.push_rest(at..start, parent, depth, is_body);
            }
            at = end;
            sibling = Some(self.blocks.len());
            let is_comment = node.kind().ends_with("comment");
            let is_text = index == 0 && parent.is_some() && self.is_docstring(*node);
            let found = definition(*node).filter(|_| depth < DEPTH_MAX);
            if is_comment {
                self.push(start..end, Role::Comment, parent, depth);
            } else if is_text {
                self.push(start..end, Role::Text, parent, depth);
            } else if let Some(found) = found.filter(|found| !is_body || self.is_worth_it(found)) {
                self.definition(*node, &found, start..end, parent, depth, is_body);
            } else {
                self.push_rest(start..end, parent, depth, is_body);
            }
        }
        if at < range.end && !self.extend(sibling, at..range.end) {
            self.push_rest(at..range.end, parent, depth, is_body);
        }
    }

    /// Within a body only definitions that have a name or several lines stand on their own, and conditions
    /// in which there are such.
    fn is_worth_it(&self, found: &Definition<'_>) -> bool {
        if found.class == Class::Condition {
            return self.is_indented() && self.holds_definition(found.inner);
        }
        found.inner.kind() != "object"
            && (found.inner.child_by_field_name("name").is_some() || self.text[self.span(found.inner)].contains('\n'))
    }

    /// Whether a function or class is defined in what a condition begins with, and little else follows.
    fn holds_definition(&self, condition: Node<'_>) -> bool {
        let body = condition.child_by_field_name("body").or_else(|| condition.child_by_field_name("consequence"));
        let Some(body) = body.filter(|body| self.span(condition).end - self.span(*body).end < ONE_LINE_BODY) else {
            return false;
        };
        let mut cursor = body.walk();
        body.named_children(&mut cursor).any(|child| match definition(child) {
            Some(found) if found.class == Class::Condition => self.holds_definition(found.inner),
            Some(found) => found.inner.child_by_field_name("name").is_some(),
            None => false,
        })
    }

    fn definition(
        &mut self,
        node: Node<'_>,
        found: &Definition<'_>,
        span: Range<usize>,
        parent: Option<usize>,
        depth: usize,
        is_body: bool,
    ) {
        let body = found.body(self).and_then(|(body, inner)| {
            let is_long = self.text[inner.clone()].contains('\n') || inner.len() > ONE_LINE_BODY;
            let inner = self.within(inner, span.clone());
            let source = &self.text[inner.clone()];
            // The body of a Python function that begins on its own line is one for us.
            let is_long = is_long || self.is_indented();
            let is_lines = !self.is_indented() || self.text[..inner.start].ends_with('\n');
            (is_long && is_lines && !source.trim().is_empty()).then_some((body, inner))
        });
        let Some((body, inner)) = body else {
            let role = match found.class {
                Class::Condition => Role::Loose,
                _ if found.inner.kind() == "object" => Role::Loose,
                _ if is_anonymous(node, found) => Role::Loose,
                _ => Role::Definition,
            };
            let number = self.push(span, role, parent, depth);
            self.name(number, found);
            return;
        };
        let number = self.push(span.start..inner.start, Role::Definition, parent, depth);
        self.blocks[number].close = inner.end..span.end;
        self.blocks[number].holds_blocks = matches!(found.class, Class::Holder | Class::Condition);
        self.blocks[number].is_data = found.class == Class::Data || found.inner.kind() == "object";
        self.blocks[number].is_declared = is_declaration(self.grammar, found.inner, body);
        self.name(number, found);
        match found.class {
            Class::Data => {
                self.push(inner, Role::Body, Some(number), depth + 1);
            }
            Class::Holder => {
                self.level(&self.children(body, inner.clone()), inner, Some(number), depth + 1, false);
            }
            Class::Condition => {
                self.level(&self.children(body, inner.clone()), inner, Some(number), depth + 1, is_body);
            }
            Class::Function => self.level(&self.children(body, inner.clone()), inner, Some(number), depth + 1, true),
        }
    }

    fn name(&mut self, number: usize, found: &Definition<'_>) {
        let node = ["name", "type", "declarator"].iter().find_map(|field| found.inner.child_by_field_name(field));
        if let Some(node) = node {
            self.blocks[number].name = self.span(node);
        }
    }

    /// A docstring, which says what its function is for.
    fn is_docstring(&self, node: Node<'_>) -> bool {
        self.is_indented()
            && node.kind() == "expression_statement"
            && node.named_child(0).is_some_and(|child| child.kind() == "string")
    }

    /// The lines of a node, as far as they are its own.
    fn whole_lines(&self, node: Range<usize>, room: Range<usize>, next: Option<&Node<'_>>) -> (usize, usize) {
        let before = &self.text[room.start..node.start.max(room.start)];
        let line = before.rfind('\n').map_or(room.start, |end| room.start + end + 1);
        let start =
            if self.text[line..node.start.max(line)].trim().is_empty() { line } else { node.start.max(room.start) };
        let mut end = node.end;
        if !self.text[..end].ends_with('\n') {
            let rest = &self.text[end..room.end];
            // Looked at only as far as it is punctuation: in minified code the line may be megabytes long,
            // and every node of it comes by here.
            let tail = rest
                .trim_start_matches([';', ':', ',', ')', ' ', '\t', '\r'])
                .trim_start_matches(|next: char| next != '\n' && next.is_whitespace());
            let own = rest.len() - tail.len() + usize::from(tail.starts_with('\n'));
            let is_own = tail.is_empty() || tail.starts_with('\n');
            if self.is_indented() {
                end = end_of_line(&self.text[..room.end], end);
            } else if is_own && !next.is_some_and(|next| next.is_named() && self.span(*next).start < end + own) {
                // What follows on the line is in other nodes otherwise.
                end += own;
            }
        }
        (start, end.min(room.end))
    }

    /// The bytes of `inner` up to the lines that its brackets stand on, if those end and begin there.
    fn within(&self, inner: Range<usize>, outer: Range<usize>) -> Range<usize> {
        let mut start = inner.start;
        let mut end = inner.end;
        if self.is_indented() {
            let before = &self.text[outer.start..start];
            let line = before.rfind('\n').map_or(outer.start, |at| outer.start + at + 1);
            if self.text[line..start].trim().is_empty() && line > outer.start {
                start = line;
            }
            end = end_of_line(self.text, end.max(start)).min(outer.end);
            if self.text[..inner.end].ends_with('\n') {
                end = inner.end;
            }
            return start..end.max(start);
        }
        let source = &self.text[inner.clone()];
        if let Some(at) = source.find('\n')
            && source[..at].trim().is_empty()
        {
            start += at + 1;
        }
        if let Some(at) = source.rfind('\n')
            && source[at..].trim().is_empty()
        {
            end = (inner.start + at + 1).max(start);
        }
        start..end.max(start)
    }

    /// Adds blank lines to what they follow, so that they go and stay with it.
    fn extend(&mut self, sibling: Option<usize>, blank: Range<usize>) -> bool {
        let Some(number) = sibling.filter(|_| self.text[blank.clone()].trim().is_empty()) else { return false };
        let last = self.blocks.len() - 1;
        let number = if self.blocks.get(number).is_some_and(|block| !block.close.is_empty()) { number } else { last };
        let block = &mut self.blocks[number];
        if block.role == Role::Comment || block.close.end != blank.start {
            return false;
        }
        if block.close.is_empty() {
            block.open.end = blank.end;
            block.close.start = blank.end;
        }
        block.close.end = blank.end;
        true
    }

    /// What no rule of ours is for.
    fn push_rest(&mut self, mut span: Range<usize>, parent: Option<usize>, depth: usize, is_body: bool) {
        let source = &self.text[span.clone()];
        let first = source.len() - source.trim_start().len();
        if is_body
            && first < source.len()
            && let Some(line) = source[..first].rfind('\n')
        {
            let blank = span.start..span.start + line + 1;
            span.start = blank.end;
            self.push(blank, Role::Blank, parent, depth);
        }
        let role = match &self.text[span.clone()] {
            blank if blank.trim().is_empty() => Role::Blank,
            _ if is_body => Role::Body,
            _ => Role::Loose,
        };
        self.push(span, role, parent, depth);
    }

    /// Adds a block, or makes the last one longer where that makes no difference.
    fn push(&mut self, open: Range<usize>, role: Role, parent: Option<usize>, depth: usize) -> usize {
        if let Some(last) = self.blocks.last_mut()
            && last.parent == parent
            && last.close.is_empty()
            && last.open.end == open.start
            && matches!(
                (last.role, role),
                (Role::Comment, Role::Comment) | (Role::Body, Role::Body | Role::Blank | Role::Comment)
            )
        {
            last.open.end = open.end;
            last.close = open.end..open.end;
            return self.blocks.len() - 1;
        }
        let close = open.end..open.end;
        self.blocks.push(Block {
            name: open.end..open.end,
            open,
            close,
            parent,
            role,
            depth,
            holds_blocks: false,
            is_data: false,
            is_known: false,
            is_declared: false,
            language: self.grammar.notation(),
        });
        self.blocks.len() - 1
    }
}

/// Whether it is a call with a function in it, and not the definition of one.
fn is_anonymous(node: Node<'_>, found: &Definition<'_>) -> bool {
    matches!(node.kind(), "expression_statement" | "return_statement")
        && found.inner.child_by_field_name("name").is_none()
}

/// Whether a function without its body is a declaration that its language has at this place. Not in a
/// trait, where it would say that there is no body.
fn is_declaration(grammar: Grammar, function: Node<'_>, body: Node<'_>) -> bool {
    let is_in = |depth: usize, kind: &str| {
        let holder = (0..depth).try_fold(function, |node, _| node.parent());
        holder.is_some_and(|holder| holder.kind() == kind)
    };
    match grammar {
        Grammar::Rust => function.kind() == "function_item" && !is_in(2, "trait_item"),
        Grammar::TypeScript | Grammar::Tsx => match function.kind() {
            "function_declaration" => true,
            // What a decorator stands before must have a body.
            "method_definition" => {
                is_in(1, "class_body") && function.prev_sibling().is_none_or(|before| before.kind() != "decorator")
            }
            _ => false,
        },
        Grammar::Go => matches!(function.kind(), "function_declaration" | "method_declaration"),
        Grammar::Java => function.kind() == "method_declaration" && !is_in(2, "interface_declaration"),
        Grammar::C | Grammar::Cpp => {
            function.kind() == "function_definition"
                && function.child_by_field_name("type").is_some()
                && body.prev_named_sibling().is_some_and(|before| before.kind().ends_with("declarator"))
        }
        Grammar::Python | Grammar::JavaScript => false,
    }
}

fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |found| at + found + 1)
}
