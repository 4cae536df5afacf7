//! Where definitions begin and end, by brackets or by indentation.

use std::ops::Range;

use super::super::lines;
use super::language::Language;

/// Deeper blocks are part of the body they stand in.
const DEPTH_MAX: usize = 12;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The head of a definition, up to where its body begins.
    Definition,
    /// What a definition does.
    Body,
    /// A comment on lines of its own.
    Comment,
    /// A statement that is a comment: a docstring.
    Text,
    /// The line above a file that names it.
    File,
    /// Blank lines.
    Blank,
    /// Anything else: imports, fields, statements.
    Loose,
}

/// A part of the text; blocks tile it in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// What is written before the blocks in it.
    pub(super) open: Range<usize>,
    /// What is written after the blocks in it; empty for most.
    pub(super) close: Range<usize>,
    /// The definition it stands in.
    pub(super) parent: Option<usize>,
    pub(super) role: Role,
    pub(super) depth: usize,
    /// Whether it is a definition of definitions: a class, an `impl`, a module.
    pub(super) holds_blocks: bool,
    /// Whether it is a definition whose body are fields or variants.
    pub(super) is_data: bool,
    /// Whether the text has a definition of the same words before it.
    pub(super) is_known: bool,
    /// Whether its head and a semicolon are a declaration, and cannot be taken for anything else.
    pub(super) is_declared: bool,
    /// The name of what is defined; empty when it is not known.
    pub(super) name: Range<usize>,
    pub(super) language: Language,
}

/// A line with what the scanner found in it.
#[derive(Debug, Clone)]
struct Line {
    span: Range<usize>,
    /// Open brackets of any kind before the line and after it.
    before: usize,
    after: usize,
    /// The lowest number of open brackets within the line.
    lowest: usize,
    /// Whether it begins within a string or a comment that began on an earlier line.
    is_continued: bool,
    /// Whether there is nothing but a comment on it.
    is_comment: bool,
    /// Whether it ends within a string or comment.
    is_open: bool,
    /// The last byte that is neither blank nor comment.
    last: u8,
    indent: usize,
}

impl Line {
    fn is_blank(&self, text: &str) -> bool {
        !self.is_continued && text[self.span.clone()].trim().is_empty()
    }
}

/// Cuts a text into blocks; `None` when its brackets do not match.
pub(super) fn cut(text: &str, language: Language) -> Option<Vec<Block>> {
    let lines = scan(text, language)?;
    let mut cutter = Cutter { text, lines: &lines, blocks: Vec::new(), language };
    cutter.level(0..lines.len(), None, 0);
    Some(cutter.blocks)
}

struct Cutter<'a> {
    text: &'a str,
    lines: &'a [Line],
    blocks: Vec<Block>,
    language: Language,
}

impl Cutter<'_> {
    /// Cuts the lines of one level.
    fn level(&mut self, range: Range<usize>, parent: Option<usize>, depth: usize) {
        let mut at = range.start;
        while at < range.end {
            let line = &self.lines[at];
            if line.is_blank(self.text) {
                at = self.run(at, range.end, |cutter, line| line.is_blank(cutter.text), Role::Blank, parent, depth);
            } else if line.is_comment {
                at = self.run(at, range.end, |_, line| line.is_comment, Role::Comment, parent, depth);
            } else {
                at = self.statement(at, range.end, parent, depth);
            }
        }
    }

    /// One block of all lines from `at` on that are alike.
    fn run(
        &mut self,
        at: usize,
        end: usize,
        is_alike: impl Fn(&Self, &Line) -> bool,
        role: Role,
        parent: Option<usize>,
        depth: usize,
    ) -> usize {
        let mut next = at + 1;
        while next < end && is_alike(self, &self.lines[next]) {
            next += 1;
        }
        self.push(at..next, role, parent, depth);
        next
    }

    /// A definition with what it holds, or any other statement.
    fn statement(&mut self, at: usize, end: usize, parent: Option<usize>, depth: usize) -> usize {
        let head = self.head_end(at, end);
        let is_definition = self.is_definition(at..head);
        let body =
            if self.language.is_indented { self.indented_body(at, head, end) } else { self.braced_body(at, head, end) };
        let Some(body) = body.filter(|body| body.len() > 1 && depth < DEPTH_MAX && is_definition) else {
            let next = self.statement_end(at, head, end);
            let role = if is_definition { Role::Definition } else { Role::Loose };
            self.push(at..next, role, parent, depth);
            return next;
        };
        let number = self.push(at..head, Role::Definition, parent, depth);
        let holds_blocks = self.is_container(at..head);
        self.blocks[number].holds_blocks = holds_blocks;
        if holds_blocks {
            self.level(body.clone(), Some(number), depth + 1);
        } else {
            self.push(body.clone(), Role::Body, Some(number), depth + 1);
        }
        if self.language.is_indented {
            return body.end;
        }
        self.blocks[number].close = self.lines[body.end].span.clone();
        body.end + 1
    }

    /// The line after the one on which the head of a statement ends: at its opening brace, or
    /// where it is complete.
    fn head_end(&self, at: usize, end: usize) -> usize {
        let base = self.lines[at].before;
        for next in at..end {
            let line = &self.lines[next];
            let opens_body = !self.language.is_indented && line.last == b'{' && line.after == base + 1;
            if !line.is_open && (opens_body || (line.after <= base && self.is_complete(next, end))) {
                return next + 1;
            }
        }
        end
    }

    /// The line after the last one of a statement that stays whole.
    fn statement_end(&self, at: usize, head: usize, end: usize) -> usize {
        let base = self.lines[at].before;
        if !self.language.is_indented {
            let is_last = |next: &usize| {
                let line = &self.lines[*next];
                line.after <= base && !line.is_open && self.is_complete(*next, end)
            };
            return (head - 1..end).find(is_last).map_or(end, |last| last + 1);
        }
        let mut next = self.indented_body(at, head, end).map_or(head, |body| body.end);
        // `else` and its like go with what they follow.
        while let Some(line) = (next..end).find(|line| !self.lines[*line].is_blank(self.text)) {
            let first = self.text[self.lines[line].span.clone()].trim_start();
            let goes_on = ["else", "elif ", "except", "finally"].iter().any(|word| first.starts_with(word));
            if !goes_on || self.lines[line].indent != self.lines[at].indent {
                break;
            }
            let head = self.head_end(line, end);
            next = self.indented_body(line, head, end).map_or(head, |body| body.end);
        }
        next
    }

    /// Whether a statement whose brackets are closed can end with this line.
    fn is_complete(&self, at: usize, end: usize) -> bool {
        let next = (at + 1..end).find(|next| !self.lines[*next].is_blank(self.text));
        let Some(next) = next else { return true };
        let source = |line: usize| self.text[self.lines[line].span.clone()].trim_start();
        if source(at).starts_with('@') || source(at).starts_with("#[") {
            return false;
        }
        if self.language.is_rust {
            return matches!(self.lines[at].last, b';' | b'}') || source(at).starts_with("#![");
        }
        self.language.is_indented || !source(next).starts_with(['{', '.', '?', ':', '&', '|', '=', '+'])
    }

    fn braced_body(&self, at: usize, head: usize, end: usize) -> Option<Range<usize>> {
        let base = self.lines[at].before;
        let last = &self.lines[head - 1];
        if last.last != b'{' || last.after != base + 1 {
            return None;
        }
        let close = (head..end).find(|next| self.lines[*next].lowest <= base)?;
        // `} else {` goes on: not a definition that ends here.
        let ends = self.lines[close].after == base && !self.lines[close].is_continued;
        ends.then_some(head..close)
    }

    fn indented_body(&self, at: usize, head: usize, end: usize) -> Option<Range<usize>> {
        let indent = self.lines[at].indent;
        if self.lines[head - 1].last != b':' {
            return None;
        }
        let mut body_end = head;
        for next in head..end {
            let line = &self.lines[next];
            if line.is_continued
                || line.before > self.lines[at].before
                || (line.indent > indent && !line.is_blank(self.text))
            {
                body_end = next + 1;
            } else if !line.is_blank(self.text) && !line.is_comment {
                break;
            }
        }
        (body_end > head).then_some(head..body_end)
    }
    /// The first line of a head that is no attribute, without words that say little.
    fn head(&self, head: Range<usize>) -> &str {
        let first = head.clone().find(|line| {
            let text = self.text[self.lines[*line].span.clone()].trim_start();
            !text.starts_with("#[") && !text.starts_with('@')
        });
        let start = self.lines[first.unwrap_or(head.start)].span.start;
        let mut text = self.text[start..self.lines[head.end - 1].span.end].trim();
        const MODIFIERS: &[&str] = &[
            "pub ",
            "pub(crate) ",
            "pub(super) ",
            "export ",
            "default ",
            "async ",
            "unsafe ",
            "const ",
            "static ",
            "public ",
            "private ",
            "protected ",
            "final ",
            "abstract ",
            "override ",
            "readonly ",
            "virtual ",
            "inline ",
            "extern \"C\" ",
            "declare ",
        ];
        while let Some(rest) = MODIFIERS.iter().find_map(|word| text.strip_prefix(word)) {
            // `const x = {` is not a modified definition, `const fn` is; both are handled by what follows.
            text = rest.trim_start();
        }
        text
    }

    fn is_container(&self, head: Range<usize>) -> bool {
        const WORDS: &[&str] = &["impl ", "impl<", "trait ", "mod ", "class ", "interface ", "namespace ", "extern "];
        let head = self.head(head);
        WORDS.iter().any(|word| head.starts_with(word))
    }

    fn is_definition(&self, head: Range<usize>) -> bool {
        if self.is_container(head.clone()) {
            return true;
        }
        let head = self.head(head);
        const WORDS: &[&str] = &["fn ", "def ", "function ", "function* ", "func ", "get ", "set "];
        if WORDS.iter().any(|word| head.starts_with(word)) {
            return true;
        }
        if self.language.is_indented
            || [
                "if ", "if(", "for ", "for(", "while ", "while(", "switch ", "switch(", "match ", "catch", "else",
                "do ", "try", "return ",
            ]
            .iter()
            .any(|word| head.starts_with(word))
        {
            return false;
        }
        // `name(arguments) {`, `Type name(arguments) {`, `const name = (arguments) => {`.
        let head = head.trim_end_matches('{').trim_end();
        head.ends_with("=>")
            || (head.contains('(') && (head.ends_with(')') || head.contains(") ")) && !head.contains(" = new "))
    }

    fn push(&mut self, lines: Range<usize>, role: Role, parent: Option<usize>, depth: usize) -> usize {
        let open = self.lines[lines.start].span.start..self.lines[lines.end - 1].span.end;
        let close = open.end..open.end;
        let (name, language) = (close.clone(), self.language);
        self.blocks.push(Block {
            open,
            close,
            parent,
            role,
            depth,
            holds_blocks: false,
            is_data: false,
            is_known: false,
            is_declared: false,
            name,
            language,
        });
        self.blocks.len() - 1
    }
}

/// What the scanner is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// A comment in `/* */`, nested so deep.
    Comment(usize),
    /// A string that ends with this byte.
    Text(u8),
    /// A string that ends with three of this byte.
    LongText(u8),
    /// A raw string that ends with a quote and so many `#`.
    RawText(usize),
}

/// Finds brackets outside strings and comments; `None` when they do not match.
fn scan(text: &str, language: Language) -> Option<Vec<Line>> {
    let bytes = text.as_bytes();
    let mut state = State::Code;
    let mut open: Vec<u8> = Vec::new();
    let mut found = Vec::new();
    for span in lines::spans(text) {
        let is_continued = !matches!(state, State::Code | State::LineComment);
        if state == State::LineComment {
            state = State::Code;
        }
        let in_comment = matches!(state, State::Comment(_));
        let source = &bytes[span.clone()];
        let indent = source.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let before = open.len();
        let mut line = Line {
            span: span.clone(),
            before,
            after: 0,
            lowest: before,
            is_continued,
            is_comment: false,
            is_open: false,
            last: 0,
            indent,
        };
        let mut has_code = is_continued && !in_comment;
        let mut has_comment = in_comment;
        let mut at = 0;
        while at < source.len() {
            let rest = &source[at..];
            let byte = rest[0];
            let (next, length) = match state {
                State::Code => {
                    let (next, length) = enter(rest, source, at, language);
                    has_comment |= matches!(next, State::LineComment | State::Comment(_));
                    if next == State::Code && !byte.is_ascii_whitespace() {
                        has_code = true;
                        line.last = byte;
                        match byte {
                            b'(' | b'[' | b'{' => open.push(byte),
                            b')' | b']' | b'}' => {
                                let opened = open.pop()?;
                                if !matches!((opened, byte), (b'(', b')') | (b'[', b']') | (b'{', b'}')) {
                                    return None;
                                }
                                line.lowest = line.lowest.min(open.len());
                            }
                            _ => {}
                        }
                    } else if !matches!(next, State::Code | State::LineComment | State::Comment(_)) {
                        has_code = true;
                        line.last = byte;
                    }
                    (next, length)
                }
                inside => leave(inside, rest, language),
            };
            state = next;
            at += length;
        }
        // A string in plain quotes ends with its line, where the language does not say otherwise.
        if let State::Text(quote) = state
            && (language.is_indented || (!language.is_rust && quote != b'`'))
            && !source.ends_with(b"\\\n")
        {
            state = State::Code;
        }
        line.after = open.len();
        line.is_comment = has_comment && !has_code;
        line.is_open = !matches!(state, State::Code | State::LineComment);
        found.push(line);
    }
    (open.is_empty() && matches!(state, State::Code | State::LineComment)).then_some(found)
}

/// What begins at `rest`, and how many bytes its beginning has.
fn enter(rest: &[u8], line: &[u8], at: usize, language: Language) -> (State, usize) {
    let starts = |sign: &[u8]| rest.starts_with(sign);
    if starts(language.line_comment.as_bytes()) {
        return (State::LineComment, rest.len());
    }
    if !language.is_indented && starts(b"/*") {
        return (State::Comment(1), 2);
    }
    if language.is_indented && (starts(b"\"\"\"") || starts(b"'''")) {
        return (State::LongText(rest[0]), 3);
    }
    match rest[0] {
        b'"' => (State::Text(b'"'), 1),
        b'`' if language.has_templates => (State::Text(b'`'), 1),
        b'\'' if !language.is_rust => (State::Text(b'\''), 1),
        // A character, unless it is a lifetime.
        b'\'' => match rest {
            [_, b'\\', _, tail @ ..] => {
                let end = tail.iter().take(10).position(|byte| *byte == b'\'').map_or(0, |end| end + 1);
                (State::Code, 3 + end)
            }
            _ => {
                let end = rest[1..].iter().take(5).position(|byte| *byte == b'\'');
                let is_character = end.is_some_and(|end| {
                    std::str::from_utf8(&rest[1..=end]).is_ok_and(|inner| inner.chars().count() == 1)
                });
                (State::Code, end.filter(|_| is_character).map_or(1, |end| end + 2))
            }
        },
        b'r' if language.is_rust => {
            let is_word =
                at > 0 && (line[at - 1].is_ascii_alphanumeric() && line[at - 1] != b'b' || line[at - 1] == b'_');
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            if !is_word && rest.get(1 + hashes) == Some(&b'"') {
                (State::RawText(hashes), 2 + hashes)
            } else {
                (State::Code, 1)
            }
        }
        _ => (State::Code, 1),
    }
}

/// What `inside` becomes at `rest`, and how many bytes were read.
fn leave(inside: State, rest: &[u8], language: Language) -> (State, usize) {
    match inside {
        State::Comment(depth) if rest.starts_with(b"*/") => {
            (if depth == 1 { State::Code } else { State::Comment(depth - 1) }, 2)
        }
        State::Comment(depth) if language.is_rust && rest.starts_with(b"/*") => (State::Comment(depth + 1), 2),
        State::Text(_) | State::LongText(_) if rest[0] == b'\\' => (inside, rest.len().min(2)),
        State::Text(quote) if rest[0] == quote => (State::Code, 1),
        State::LongText(quote) if rest.starts_with(&[quote; 3]) => (State::Code, 3),
        State::RawText(hashes)
            if rest[0] == b'"' && rest[1..].iter().take_while(|byte| **byte == b'#').count() >= hashes =>
        {
            (State::Code, 1 + hashes)
        }
        _ => (inside, 1),
    }
}
