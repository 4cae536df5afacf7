//! Skeletons of languages with braces.

use std::ops::Range;

use super::super::grammar::Grammar;
use super::{GAP_MIN, Gap, Plan};

/// How far a list of template parameters is followed.
const TEMPLATE_MAX: usize = 2_000;

/// What the languages with braces differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rust,
    /// TypeScript and JavaScript.
    Script,
    Java,
    Go,
    /// C and C++.
    C,
}

/// What the first telling word of a statement says of the braces that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Nothing yet.
    Open,
    /// They hold definitions.
    Holder,
    /// They do so if they follow at once.
    Extern,
    /// They hold none that count: of a function, a type, or a statement that does something.
    Leaf,
    /// They belong to a condition or a loop: no definition in them is looked for.
    Control,
}

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    head: Head,
    /// Whether it begins a definition.
    defines: bool,
}

/// A bracket that is open.
#[derive(Debug, Clone, Copy)]
struct Frame {
    bracket: u8,
    /// Where what may be left out begins: after the bracket and the comments behind it.
    from: usize,
    /// How many gaps there were before it.
    gaps: usize,
    /// How many conditions of a preprocessor it stands in.
    conditions: usize,
    /// Whether it may be left out if nothing is defined in it.
    is_leaf: bool,
    /// Whether it is so, or stands in one that is.
    is_within: bool,
    /// Whether nothing within it counts.
    is_control: bool,
    /// Whether something may be defined in it.
    defines: bool,
    /// Whether a statement ends with it.
    ends_statement: bool,
    /// Whether it is the body of an arrow function, or within a template string.
    is_arrow: bool,
    is_template: bool,
    /// What the statement in it, so far, says.
    head: Head,
    /// Where an arrow stands that may be that of a function on several lines.
    arrow: Option<usize>,
}

/// Returns how a source becomes a skeleton; `None` where its brackets do not match.
pub(super) fn plan(source: &str, grammar: Grammar) -> Option<Plan> {
    let family = match grammar {
        Grammar::Rust => Family::Rust,
        Grammar::TypeScript | Grammar::Tsx | Grammar::JavaScript => Family::Script,
        Grammar::Java => Family::Java,
        Grammar::Go => Family::Go,
        Grammar::C | Grammar::Cpp => Family::C,
        Grammar::Python => return None,
    };
    let top = Frame {
        bracket: 0,
        from: 0,
        gaps: 0,
        conditions: 0,
        is_leaf: false,
        is_within: false,
        is_control: false,
        defines: false,
        ends_statement: false,
        is_arrow: false,
        is_template: false,
        head: Head::Open,
        arrow: None,
    };
    let scanner = Scanner {
        bytes: source.as_bytes(),
        family,
        at: 0,
        top,
        open: Vec::new(),
        gaps: Vec::new(),
        branches: Vec::new(),
        is_fresh: false,
        last: 0,
        word: 0..0,
        names_type: false,
    };
    scanner.run()
}

impl Frame {
    /// Whether nothing in it counts, if it ends within so many conditions.
    fn is_gap(&self, conditions: usize) -> bool {
        self.is_leaf && self.conditions == conditions && (!self.defines || self.is_control)
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    family: Family,
    at: usize,
    /// The innermost open bracket, and those around it.
    top: Frame,
    open: Vec<Frame>,
    gaps: Vec<Gap>,
    /// The conditions of a preprocessor that are open, with the number of the branch.
    branches: Vec<u32>,
    /// Whether there was no code since the last opening brace.
    is_fresh: bool,
    /// The last byte of code.
    last: u8,
    /// The last word, where it is the last of the code.
    word: Range<usize>,
    /// Whether a word of C was read that begins a type, which ends in braces if it is defined here.
    names_type: bool,
}

/// What a byte begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    /// A sign that says nothing.
    Sign,
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Sign; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        classes[byte] = match value {
            b' ' | b'\t' | b'\r' | b'\n' => Class::Blank,
            b'_' | b'$' | 128.. => Class::Word,
            _ if value.is_ascii_alphanumeric() => Class::Word,
            b'"' | b'\'' | b'`' | b'/' | b'#' | b'{' | b'}' | b'(' | b')' | b'[' | b']' | b';' | b',' | b'>' | b'*'
            | b'=' => Class::Other,
            _ => Class::Sign,
        };
        byte += 1;
    }
    classes
};

impl Scanner<'_> {
    fn run(mut self) -> Option<Plan> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match CLASSES[usize::from(byte)] {
                Class::Blank => {
                    self.at += 1;
                    continue;
                }
                Class::Word => {
                    self.read_word();
                    continue;
                }
                Class::Sign => self.sign(byte),
                Class::Other => self.other(byte)?,
            }
        }
        self.branches.is_empty().then(|| self.end())
    }

    /// Ends what is open at the end of the source.
    fn end(mut self) -> Plan {
        let mut closers = String::new();
        self.settle_arrow();
        while let Some(parent) = self.open.pop() {
            let frame = std::mem::replace(&mut self.top, parent);
            if frame.is_gap(self.branches.len()) {
                self.gaps.truncate(frame.gaps);
                self.gaps.push(Gap { from: frame.from, until: self.bytes.len() });
                closers.clear();
            }
            self.top.defines |= frame.defines && !frame.is_control;
            closers.push_str(match frame.bracket {
                b'(' => ")",
                b'[' => "]",
                _ if frame.is_template => "}`",
                _ => "}",
            });
        }
        Plan { gaps: self.gaps, closers }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn sign(&mut self, byte: u8) {
        self.is_fresh = false;
        self.last = byte;
        self.at += 1;
    }

    fn other(&mut self, byte: u8) -> Option<()> {
        match byte {
            b'/' if self.byte(self.at + 1) == b'/' => {
                self.line_comment();
                return Some(());
            }
            b'/' if self.byte(self.at + 1) == b'*' => {
                self.comment();
                return Some(());
            }
            b'/' if self.family == Family::Script && self.begins_regex() => {
                self.is_fresh = false;
                self.regex();
                return Some(());
            }
            b'#' if self.family == Family::C && self.begins_line() => {
                self.directive();
                return Some(());
            }
            b'"' => self.text(),
            b'\'' => self.quote(),
            b'`' if self.family == Family::Script => {
                self.at += 1;
                self.template();
            }
            b'`' if self.family == Family::Go => {
                self.at = self.find(self.at + 1, b'`').map_or(self.bytes.len(), |end| end + 1);
                self.last = b'"';
            }
            b'{' => self.open_brace(),
            b'(' | b'[' => self.push(byte, false, false),
            b')' | b'}' | b']' => self.close(byte)?,
            b';' => {
                self.settle_arrow();
                self.top.head = Head::Open;
                self.names_type = false;
                self.sign(byte);
            }
            b',' => {
                self.settle_arrow();
                self.names_type = false;
                self.sign(byte);
            }
            b'>' if self.family == Family::Script && self.last == b'=' && self.byte(self.at - 1) == b'=' => {
                self.sign(byte);
                self.top.arrow.get_or_insert(self.at);
                return Some(());
            }
            b'*' | b'=' => {
                self.names_type = false;
                self.sign(byte);
            }
            _ => self.sign(byte),
        }
        self.is_fresh = byte == b'{' && !self.is_other_branch();
        Some(())
    }

    fn find(&self, from: usize, byte: u8) -> Option<usize> {
        self.bytes.get(from..)?.iter().position(|other| *other == byte).map(|found| from + found)
    }

    fn begins_line(&self) -> bool {
        let before = self.bytes[..self.at].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        before.is_none_or(|byte| *byte == b'\n')
    }

    fn line_comment(&mut self) {
        self.at = self.find(self.at, b'\n').map_or(self.bytes.len(), |end| end + 1);
        if self.is_fresh {
            self.top.from = self.at;
        }
    }

    fn comment(&mut self) {
        let mut depth = 0_usize;
        let mut at = self.at;
        let end = loop {
            let Some(slash) = self.find(at, b'/') else { break self.bytes.len() };
            if depth > 0 && slash > at && self.bytes[slash - 1] == b'*' {
                depth -= 1;
                if depth == 0 {
                    break slash + 1;
                }
            } else if self.byte(slash + 1) == b'*' && (depth == 0 || self.family == Family::Rust) {
                // Those of Rust nest.
                depth += 1;
                at = slash + 2;
                continue;
            }
            at = slash + 1;
        };
        self.at = end;
        if self.is_fresh {
            self.top.from = self.at;
        }
    }

    /// A string in `"`.
    fn text(&mut self) {
        self.last = b'"';
        if self.family == Family::Java && self.bytes[self.at..].starts_with(b"\"\"\"") {
            self.at += 3;
            while let Some(end) = self.find(self.at, b'"') {
                let is_escaped = self.bytes[end - 1] == b'\\';
                if !is_escaped && self.bytes[end..].starts_with(b"\"\"\"") {
                    self.at = end + 3;
                    return;
                }
                self.at = end + 1;
            }
            self.at = self.bytes.len();
            return;
        }
        self.at = self.string_end(self.at, b'"', self.family == Family::Rust);
    }

    /// The place behind a string that begins at `from`; behind its quote, where it does not end.
    fn string_end(&self, from: usize, quote: u8, has_lines: bool) -> usize {
        let mut at = from + 1;
        loop {
            match self.byte(at) {
                b'\\' => at += 2,
                b'\n' if !has_lines => return from + 1,
                byte if byte == quote => return at + 1,
                0 if at >= self.bytes.len() => return from + 1,
                _ => at += 1,
            }
        }
    }

    /// A string or a character in `'`, or a lifetime.
    fn quote(&mut self) {
        self.last = b'\'';
        if self.family != Family::Rust {
            self.at = self.string_end(self.at, b'\'', false);
            return;
        }
        let rest = &self.bytes[self.at + 1..];
        let end = match rest {
            [b'\\', _, tail @ ..] => tail.iter().take(10).position(|byte| *byte == b'\'').map(|end| end + 2),
            _ => rest.iter().take(5).position(|byte| *byte == b'\''),
        };
        let is_character = end.is_some_and(|end| {
            rest[0] == b'\\' || std::str::from_utf8(&rest[..end]).is_ok_and(|inner| inner.chars().count() == 1)
        });
        self.at += end.filter(|_| is_character).map_or(1, |end| end + 2);
    }

    /// A template string, or what is left of it, up to its end or to code in it.
    fn template(&mut self) {
        self.last = b'"';
        loop {
            match self.byte(self.at) {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    return;
                }
                b'$' if self.byte(self.at + 1) == b'{' => {
                    self.at += 1;
                    self.push(b'{', false, false);
                    self.top.is_template = true;
                    return;
                }
                0 if self.at >= self.bytes.len() => return,
                _ => self.at += 1,
            }
        }
    }

    fn begins_regex(&self) -> bool {
        match self.last {
            0 | b'(' | b',' | b'=' | b':' | b'[' | b'!' | b'&' | b'|' | b'?' | b'{' | b';' | b'+' | b'-' | b'%'
            | b'~' | b'^' => true,
            b'>' => self.ends_arrow(),
            b'a' => matches!(
                &self.bytes[self.word.clone()],
                b"return" | b"typeof" | b"case" | b"in" | b"of" | b"void" | b"throw" | b"else" | b"do" | b"await"
            ),
            _ => false,
        }
    }

    fn ends_arrow(&self) -> bool {
        self.bytes[..self.at].trim_ascii_end().ends_with(b"=>")
    }

    fn regex(&mut self) {
        self.last = b'"';
        let mut in_class = false;
        let mut at = self.at + 1;
        loop {
            match self.byte(at) {
                b'\\' => at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    self.at = at + 1;
                    return;
                }
                b'\n' => break,
                0 if at >= self.bytes.len() => break,
                _ => {}
            }
            at += 1;
        }
        self.at += 1;
    }

    /// A line for the preprocessor of C.
    fn directive(&mut self) {
        let mut at = self.at + 1;
        while matches!(self.byte(at), b' ' | b'\t') {
            at += 1;
        }
        let length = self.bytes[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        match &self.bytes[at..at + length] {
            b"if" | b"ifdef" | b"ifndef" => self.branches.push(0),
            b"else" | b"elif" | b"elifdef" | b"elifndef" => {
                if let Some(branch) = self.branches.last_mut() {
                    *branch += 1;
                }
            }
            b"endif" => {
                self.branches.pop();
            }
            _ => {}
        }
        loop {
            match self.byte(at) {
                b'\\' => at += 1 + usize::from(self.byte(at + 1) == b'\r'),
                b'\n' => break,
                b'"' => {
                    at = self.string_end(at, b'"', false);
                    continue;
                }
                b'/' if self.byte(at + 1) == b'*' => {
                    self.at = at;
                    self.comment();
                    at = self.at;
                    continue;
                }
                0 if at >= self.bytes.len() => break,
                _ => {}
            }
            at += 1;
        }
        self.at = at.min(self.bytes.len());
        self.is_fresh = false;
        self.last = 0;
        self.names_type = false;
    }

    /// Whether brackets do not count: in all branches of a condition but the first.
    fn is_other_branch(&self) -> bool {
        self.branches.iter().any(|branch| *branch > 0)
    }

    fn open_brace(&mut self) {
        let is_arrow = self.last == b'>' && self.family == Family::Script && self.ends_arrow();
        let is_object = self.family == Family::Script
            && !is_arrow
            && (matches!(self.last, b'=' | b'(' | b',' | b':' | b'[' | b'?' | b'&' | b'|')
                || self.last == b'a' && matches!(&self.bytes[self.word.clone()], b"default" | b"return"));
        let is_type = self.family == Family::Script && self.last == b'<';
        let holds = match self.top.head {
            Head::Holder => true,
            Head::Extern => self.last != b')',
            Head::Leaf | Head::Control => false,
            Head::Open => is_object,
        };
        let is_leaf = self.top.is_within || !holds || (is_object && self.top.head == Head::Leaf);
        if self.names_type {
            self.top.defines = true;
            self.names_type = false;
        }
        if is_arrow {
            self.top.arrow = None;
        }
        let is_control = self.top.head == Head::Control && !is_object && !is_type && !is_arrow;
        self.push(b'{', is_leaf, is_control);
        self.top.is_arrow = is_arrow;
        self.top.ends_statement = !is_object && !is_type;
    }

    fn push(&mut self, bracket: u8, is_leaf: bool, is_control: bool) {
        if bracket != b'{' {
            self.names_type = false;
        }
        self.at += 1;
        self.last = bracket;
        if self.is_other_branch() {
            return;
        }
        let frame = Frame {
            bracket,
            from: self.at,
            gaps: self.gaps.len(),
            conditions: self.branches.len(),
            is_leaf,
            is_within: is_leaf || self.top.is_within,
            is_control,
            defines: false,
            ends_statement: false,
            is_arrow: false,
            is_template: false,
            head: Head::Open,
            arrow: None,
        };
        self.open.push(std::mem::replace(&mut self.top, frame));
    }

    fn close(&mut self, byte: u8) -> Option<()> {
        self.settle_arrow();
        self.names_type = false;
        self.last = byte;
        if self.is_other_branch() {
            self.at += 1;
            return Some(());
        }
        let frame = self.top;
        if !matches!((frame.bracket, byte), (b'(', b')') | (b'[', b']') | (b'{', b'}')) {
            return None;
        }
        self.top = self.open.pop()?;
        if frame.is_gap(self.branches.len()) {
            if self.at >= frame.from + GAP_MIN {
                self.gaps.truncate(frame.gaps);
                self.gaps.push(Gap { from: frame.from, until: self.at });
            }
        } else if frame.defines {
            self.top.defines |= !frame.is_control;
        }
        if frame.is_arrow && self.bytes[frame.from..self.at].contains(&b'\n') {
            self.top.defines = true;
        }
        self.at += 1;
        if frame.ends_statement {
            self.top.head = Head::Open;
        }
        if frame.is_template {
            self.template();
        }
        Some(())
    }

    /// Notes a function behind an arrow that had no braces, if it was on several lines.
    fn settle_arrow(&mut self) {
        if let Some(from) = self.top.arrow.take()
            && self.bytes[from..self.at].contains(&b'\n')
        {
            self.top.defines = true;
        }
    }

    fn read_word(&mut self) {
        let start = self.at;
        let first = self.bytes[start];
        let mut at = start + 1;
        while at < self.bytes.len() && CLASSES[usize::from(self.bytes[at])] == Class::Word {
            at += 1;
        }
        // Digits in groups: `1'000`.
        if self.family == Family::C && first.is_ascii_digit() {
            while self.byte(at) == b'\'' && self.byte(at + 1).is_ascii_alphanumeric() {
                at += 2;
                while self.byte(at).is_ascii_alphanumeric() {
                    at += 1;
                }
            }
        }
        self.at = at;
        let is_member = self.last == b'.';
        self.is_fresh = false;
        self.last = b'a';
        let previous = std::mem::replace(&mut self.word, start..at);
        let length = at - start;
        if self.family == Family::Rust && matches!(self.byte(at), b'"' | b'#') && length <= 2 {
            self.raw_text();
        } else if self.family == Family::C && self.byte(at) == b'"' && first_of_raw(&self.bytes[start..at]) {
            self.raw_text_of_cpp();
        } else if (2..=11).contains(&length) && first.is_ascii_lowercase() && !is_member {
            self.telling_word(previous);
        }
    }

    fn raw_text(&mut self) {
        if !matches!(&self.bytes[self.word.clone()], b"r" | b"br" | b"cr") {
            return;
        }
        let hashes = self.bytes[self.at..].iter().take_while(|byte| **byte == b'#').count();
        if self.byte(self.at + hashes) != b'"' {
            return;
        }
        self.last = b'"';
        let mut at = self.at + hashes + 1;
        while let Some(end) = self.find(at, b'"') {
            at = end + 1;
            if self.bytes[at..].iter().take(hashes).filter(|byte| **byte == b'#').count() == hashes {
                self.at = at + hashes;
                return;
            }
        }
        self.at = self.bytes.len();
    }

    fn raw_text_of_cpp(&mut self) {
        let rest = &self.bytes[self.at + 1..];
        let Some(length) = rest.iter().take(17).position(|byte| *byte == b'(') else { return };
        let mut end = vec![b')'];
        end.extend_from_slice(&rest[..length]);
        end.push(b'"');
        self.last = b'"';
        let found = rest[length..].windows(end.len()).position(|other| other == end);
        self.at = found.map_or(self.bytes.len(), |found| self.at + 1 + length + found + end.len());
    }

    fn telling_word(&mut self, previous: Range<usize>) {
        let source = &self.bytes[self.word.clone()];
        let word = match self.family {
            Family::Rust => rust(source),
            Family::Script => {
                // Lines end statements there, so these begin one.
                if matches!(source, b"const" | b"let" | b"var" | b"import" | b"export") {
                    self.top.head = Head::Open;
                    return;
                }
                if source == b"type" && &self.bytes[previous] == b"import" {
                    return;
                }
                script(source)
            }
            Family::Java => java(source),
            Family::Go => go(source),
            Family::C => {
                match source {
                    b"struct" | b"union" | b"enum" | b"class" => self.names_type = true,
                    b"template" => {
                        self.skip_template();
                        return;
                    }
                    _ => {}
                }
                c(source)
            }
        };
        let Some(word) = word else { return };
        if is_contextual(self.family, source) && !self.is_before_name() {
            return;
        }
        self.top.defines |= word.defines;
        let overrides = match self.family {
            Family::Rust => self.top.head == Head::Extern && source == b"fn",
            Family::Script => word.head == Head::Holder,
            _ => false,
        };
        if self.top.head == Head::Open || overrides {
            self.top.head = word.head;
        }
    }

    /// Whether a name follows on the same line.
    fn is_before_name(&self) -> bool {
        let rest = &self.bytes[self.at..];
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let next = rest.get(blanks).copied().unwrap_or(0);
        blanks > 0 && (CLASSES[usize::from(next)] == Class::Word || matches!(next, b'"' | b'\''))
    }

    /// Skips the parameters of a template, in which `class` says nothing.
    fn skip_template(&mut self) {
        let mut depth = 0_usize;
        for (index, byte) in self.bytes[self.at..].iter().enumerate().take(TEMPLATE_MAX) {
            match byte {
                b'<' => depth += 1,
                b'>' if depth <= 1 => {
                    self.at += index + 1;
                    return;
                }
                b'>' => depth -= 1,
                b'{' | b'}' | b';' | b'"' | b'\'' | b'/' | b'#' => return,
                byte if depth == 0 && !byte.is_ascii_whitespace() => return,
                _ => {}
            }
        }
    }
}

fn first_of_raw(word: &[u8]) -> bool {
    matches!(word, b"R" | b"LR" | b"uR" | b"UR" | b"u8R")
}

/// Whether a word is one only where a name follows it.
fn is_contextual(family: Family, word: &[u8]) -> bool {
    match family {
        Family::Script => matches!(word, b"type" | b"interface" | b"namespace" | b"module" | b"enum"),
        Family::Java => word == b"record",
        _ => false,
    }
}

const HOLDER: Option<Word> = Some(Word { head: Head::Holder, defines: true });
const DEFINES: Option<Word> = Some(Word { head: Head::Leaf, defines: true });
const LEAF: Option<Word> = Some(Word { head: Head::Leaf, defines: false });
const CONTROL: Option<Word> = Some(Word { head: Head::Control, defines: false });

fn rust(word: &[u8]) -> Option<Word> {
    match word {
        b"impl" | b"trait" | b"mod" => HOLDER,
        b"extern" => Some(Word { head: Head::Extern, defines: true }),
        b"fn" | b"struct" | b"enum" | b"type" | b"macro_rules" => DEFINES,
        b"let" => LEAF,
        b"if" | b"else" | b"for" | b"while" | b"loop" | b"match" => CONTROL,
        _ => None,
    }
}

fn script(word: &[u8]) -> Option<Word> {
    match word {
        b"class" | b"interface" | b"namespace" | b"module" => HOLDER,
        b"function" | b"enum" | b"type" => DEFINES,
        b"if" | b"else" | b"for" | b"while" | b"do" | b"switch" | b"try" | b"catch" | b"finally" => CONTROL,
        _ => None,
    }
}

fn java(word: &[u8]) -> Option<Word> {
    match word {
        b"class" | b"interface" | b"record" => HOLDER,
        b"enum" => DEFINES,
        b"if" | b"else" | b"for" | b"while" | b"do" | b"switch" | b"try" | b"catch" | b"finally" => CONTROL,
        _ => None,
    }
}

fn go(word: &[u8]) -> Option<Word> {
    match word {
        b"func" | b"struct" | b"interface" | b"type" => DEFINES,
        b"if" | b"else" | b"for" | b"switch" | b"select" => CONTROL,
        _ => None,
    }
}

fn c(word: &[u8]) -> Option<Word> {
    match word {
        b"class" | b"namespace" => Some(Word { head: Head::Holder, defines: false }),
        b"extern" => Some(Word { head: Head::Extern, defines: false }),
        b"struct" | b"union" | b"enum" | b"using" => LEAF,
        b"if" | b"else" | b"for" | b"while" | b"do" | b"switch" | b"try" | b"catch" => CONTROL,
        _ => None,
    }
}
