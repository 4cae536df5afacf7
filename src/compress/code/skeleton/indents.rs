//! Skeletons of Python.

use super::{GAP_MIN, Gap};

/// A `def` or a `class` whose body is being read.
#[derive(Debug)]
struct Open {
    indent: usize,
    is_function: bool,
    /// Whether no statement of the body has been read.
    is_empty: bool,
    /// Where the first statement begins that is not what the function says of itself.
    from: Option<usize>,
    /// Where the last statement ends.
    until: usize,
    /// Whether something is defined in it.
    defines: bool,
}

/// What is left out of a source.
pub(super) fn gaps(source: &str) -> Vec<Gap> {
    let bytes = source.as_bytes();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let line = statement(bytes, at);
        at = line.next;
        if line.until == line.from {
            continue;
        }
        while open.last().is_some_and(|top| top.indent >= line.indent) {
            end(&mut open, &mut gaps);
        }
        let code = &bytes[line.from..line.until];
        let code_of_function = code.strip_prefix(b"async").map_or(code, <[u8]>::trim_ascii_start);
        let is_function = code_of_function.starts_with(b"def ");
        let defines = is_function || code.starts_with(b"class ") || code.starts_with(b"@");
        if let Some(top) = open.last_mut() {
            let is_text = top.is_empty && line.is_string;
            if !is_text && top.from.is_none() {
                top.from = Some(line.from);
            }
            top.is_empty = false;
            top.until = line.until;
            top.defines |= defines;
        }
        if defines && code.ends_with(b":") {
            open.push(Open {
                indent: line.indent,
                is_function,
                is_empty: true,
                from: None,
                until: line.until,
                defines: false,
            });
        }
    }
    while !open.is_empty() {
        end(&mut open, &mut gaps);
    }
    gaps
}

/// Ends the innermost definition.
fn end(open: &mut Vec<Open>, gaps: &mut Vec<Gap>) {
    let Some(last) = open.pop() else { return };
    if let Some(top) = open.last_mut() {
        top.until = top.until.max(last.until);
        top.defines |= last.defines;
    }
    if let Some(from) = last.from.filter(|from| last.is_function && !last.defines && last.until >= from + GAP_MIN) {
        gaps.push(Gap { from, until: last.until });
    }
}

/// A statement, on as many lines as it takes.
struct Statement {
    indent: usize,
    /// Where its code begins and ends; the same for a line without code.
    from: usize,
    until: usize,
    /// Where the line after it begins.
    next: usize,
    /// Whether it is nothing but a string.
    is_string: bool,
}

/// Reads the statement on the line that begins at `start`.
fn statement(bytes: &[u8], start: usize) -> Statement {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b'\n');
    let mut at = start;
    while at < bytes.len() && matches!(bytes[at], b' ' | b'\t' | b'\x0c') {
        at += 1;
    }
    let (indent, from) = (at - start, at);
    let mut until = from;
    let mut depth = 0_usize;
    let (mut strings, mut others) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' if depth == 0 => break,
            b'\n' | b' ' | b'\t' | b'\r' => at += 1,
            b'\\' => {
                at += 2 + usize::from(byte(at + 1) == b'\r');
                others += 1;
                until = at.min(bytes.len());
            }
            b'#' => at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end),
            b'"' | b'\'' => {
                // What stands before the quote belongs to it.
                at = string_end(bytes, at);
                strings += 1;
                until = at;
            }
            sign => {
                let is_prefix = sign.is_ascii_alphabetic() && others == 0 && matches!(byte(at + 1), b'"' | b'\'');
                match sign {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                others += usize::from(!is_prefix);
                at += 1;
                until = at;
            }
        }
    }
    Statement { indent, from, until, next: at + 1, is_string: strings == 1 && others == 0 }
}

/// The place behind the string that begins at `from`.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let quote = bytes[from];
    let is_long = bytes[from..].starts_with(&[quote; 3]);
    let mut at = from + if is_long { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' if !is_long => return at,
            byte if byte == quote && is_long && !bytes[at..].starts_with(&[quote; 3]) => at += 1,
            byte if byte == quote => return at + if is_long { 3 } else { 1 },
            _ => at += 1,
        }
    }
    bytes.len()
}
