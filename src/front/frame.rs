//! Lines of JSON from a stream that nobody vouches for: bounded reading, repair, and the id of a
//! request that cannot be read.
//!
//! Every front that speaks JSON over lines reads through here, so that a caller always gets an
//! answer that it can match: serde alone drops what it cannot parse, and a client whose request
//! vanished waits until its own time-out. Nothing here knows what a method is.

use std::io::{self, BufRead, Read as _};

use serde_json::{Map, Value};

/// The most bytes of a line.
pub const LINE_BYTES_MAX: usize = 64 << 20;
/// The most values of a message: one takes up to a hundred bytes of memory, but two of the line.
const VALUES_MAX: usize = 2_000_000;
/// How much of the beginning of a longer line is searched for its id.
const HEAD_BYTES: usize = 64 << 10;
/// How much of the end of a line is searched for its id.
const TAIL_BYTES: usize = 512;
/// The longest id that is looked for in a text that cannot be read.
const ID_BYTES_MAX: usize = 1024;

/// A line of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A whole line, without its newline.
    Whole(Vec<u8>),
    /// A line above the limit, of which only both ends were kept.
    TooLong {
        /// Its beginning.
        head: Vec<u8>,
        /// Its end.
        tail: Vec<u8>,
        /// Its length.
        bytes: u64,
    },
}

impl Line {
    /// Returns how many bytes of it are kept.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::TooLong { head, tail, .. } => head.len() + tail.len(),
        }
    }
}

/// Reads the next line of at most `bytes_max` bytes; the last one needs no newline. `None` at the
/// end of the stream. A longer line is skipped in bounded memory.
pub fn read_line(reader: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    if reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(Line::Whole(line)));
    }
    if line.len() <= bytes_max {
        return Ok(Some(Line::Whole(line)));
    }
    let mut bytes = line.len() as u64;
    let mut tail = line[line.len().saturating_sub(TAIL_BYTES)..].to_vec();
    line.truncate(HEAD_BYTES);
    line.shrink_to_fit();
    loop {
        let mut more = Vec::new();
        let count = reader.by_ref().take(HEAD_BYTES as u64).read_until(b'\n', &mut more)?;
        let ended = count == 0 || more.last() == Some(&b'\n');
        if more.last() == Some(&b'\n') {
            more.pop();
        }
        bytes += more.len() as u64;
        tail.extend_from_slice(&more);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        if ended {
            return Ok(Some(Line::TooLong { head: line, tail, bytes }));
        }
    }
}

/// The reason why a line is not a message, and whose message it was if that could be found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Flaw {
    /// The code of JSON-RPC.
    pub code: i32,
    /// What is wrong.
    pub detail: String,
    /// The id to answer with; null where there is none.
    pub id: Value,
}

/// The line is not JSON.
pub const PARSE_ERROR: i32 = -32700;
/// The JSON is not a request.
pub const INVALID_REQUEST: i32 = -32600;
/// The method's parameters are wrong.
pub const INVALID_PARAMS: i32 = -32602;

impl Flaw {
    /// Returns a flaw of a value that was JSON.
    pub fn invalid(detail: impl Into<String>, id: Value) -> Self {
        Self { code: INVALID_REQUEST, detail: detail.into(), id }
    }
}

/// Reads the JSON of a line; `None` for a blank one.
///
/// Half an emoji (a lone surrogate escape, which JavaScript writes when it cuts text) is legal
/// JSON that no Rust string can hold: it becomes U+FFFD, as every decoder would make of it. Bytes
/// that are not UTF-8 are not JSON at all and are refused, because guessing their encoding would
/// change what is remembered without a trace.
pub fn parse(line: Line) -> Option<Result<Value, Flaw>> {
    let mut bytes = match line {
        Line::Whole(bytes) => bytes,
        Line::TooLong { head, tail, bytes } => {
            let id = id_of_head(&head).0.or_else(|| id_of_tail(&tail)).unwrap_or(Value::Null);
            let detail = format!("the line has {bytes} bytes: expected at most {LINE_BYTES_MAX}");
            return Some(Err(Flaw::invalid(detail, id)));
        }
    };
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    if values(&bytes) > VALUES_MAX {
        let id = recovered_id(&bytes);
        return Some(Err(Flaw::invalid(format!("the message has more than {VALUES_MAX} values"), id)));
    }
    let error = match serde_json::from_slice(&bytes) {
        Ok(value) => return Some(Ok(value)),
        Err(error) => error,
    };
    let error = if std::str::from_utf8(&bytes).is_ok() && mend_surrogates(&mut bytes) {
        match serde_json::from_slice(&bytes) {
            Ok(value) => return Some(Ok(value)),
            Err(error) => error,
        }
    } else {
        error
    };
    let id = recovered_id(&bytes);
    let reason = error.to_string();
    Some(Err(if let Err(error) = std::str::from_utf8(&bytes) {
        let detail = format!("the line is not UTF-8 at byte {}", error.valid_up_to());
        Flaw { code: PARSE_ERROR, detail, id }
    } else if reason.starts_with("recursion limit") {
        Flaw::invalid("the message is nested deeper than 127 levels", id)
    } else if reason.starts_with("number out of range") {
        Flaw::invalid(format!("{reason}: expected at most 1.8e308"), id)
    } else {
        Flaw { code: PARSE_ERROR, detail: reason, id }
    }))
}

/// A message in the shape of JSON-RPC 2.0.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// To answer with: a string, a number or null.
        id: Value,
        /// What to do.
        method: String,
        /// With what: an array or an object.
        params: Option<Value>,
    },
    /// Wants no answer.
    Notification {
        /// What happened.
        method: String,
        /// To what.
        params: Option<Value>,
    },
    /// Answers a request of ours.
    Response,
}

/// Returns the message that a value is.
pub fn classify(value: Value) -> Result<Message, Flaw> {
    let Value::Object(mut map) = value else {
        return Err(Flaw::invalid(format!("the message is {}: expected an object", kind(&value)), Value::Null));
    };
    let id = map.remove("id");
    if let Some(id @ (Value::Bool(_) | Value::Array(_) | Value::Object(_))) = &id {
        let detail = format!("/id is {}: expected a string or a number", kind(id));
        return Err(Flaw::invalid(detail, Value::Null));
    }
    let known = id.clone().unwrap_or(Value::Null);
    if map.get("jsonrpc") != Some(&Value::from("2.0")) {
        return Err(Flaw::invalid("/jsonrpc: expected \"2.0\"", known));
    }
    if !map.contains_key("method") && (map.contains_key("result") || map.contains_key("error")) {
        return Ok(Message::Response);
    }
    let method = match map.remove("method") {
        Some(Value::String(method)) => method,
        Some(other) => return Err(Flaw::invalid(format!("/method is {}: expected a string", kind(&other)), known)),
        None => return Err(Flaw::invalid("/method is missing", known)),
    };
    let params = match params_of(&mut map) {
        Ok(params) => params,
        Err(detail) => return Err(Flaw::invalid(detail, known)),
    };
    Ok(match id {
        Some(id) => Message::Request { id, method, params },
        None => Message::Notification { method, params },
    })
}

fn params_of(map: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    match map.remove("params") {
        None | Some(Value::Null) => Ok(None),
        Some(params @ (Value::Array(_) | Value::Object(_))) => Ok(Some(params)),
        Some(other) => Err(format!("/params is {}: expected an object or an array", kind(&other))),
    }
}

/// Returns what kind of value it is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Replaces escapes of lone surrogates by that of U+FFFD, which is as long. Returns whether there
/// were any.
fn mend_surrogates(bytes: &mut [u8]) -> bool {
    let mut mended = false;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        let Some(unit) = escaped_unit(bytes, at) else {
            // Another escape: the byte after the backslash belongs to it.
            at = (at + 2).min(bytes.len());
            continue;
        };
        let pair = (0xD800..0xDC00).contains(&unit)
            && escaped_unit(bytes, at + 6).is_some_and(|second| (0xDC00..0xE000).contains(&second));
        if pair {
            at += 12;
        } else {
            if (0xD800..0xE000).contains(&unit) {
                bytes[at + 2..at + 6].copy_from_slice(b"fffd");
                mended = true;
            }
            at += 6;
        }
    }
    mended
}

/// Returns the UTF-16 unit of the `\uXXXX` at `at`.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

/// Returns how many values the text may hold, by its commas outside of strings; 0 for one that is
/// too short to hold many.
fn values(bytes: &[u8]) -> usize {
    if bytes.len() < 2 * VALUES_MAX {
        return 0;
    }
    let mut count = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at).unwrap_or(bytes.len()),
            b',' => {
                count += 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
    count
}

/// Returns the id that can be found in a text that cannot be read; null if there is none.
///
/// The end is asked only where the beginning leads into a string that does not end, because a
/// quote was left unescaped; otherwise the depth is known, and there is no id at the outermost one.
fn recovered_id(bytes: &[u8]) -> Value {
    match id_of_head(bytes) {
        (Some(id), _) => id,
        (None, Reached::String) => id_of_tail(bytes).unwrap_or(Value::Null),
        (None, Reached::End) => Value::Null,
    }
}

/// How far a text could be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    End,
    String,
}

/// Returns the value of the outermost object's member `id`, as far as it can be followed from the
/// beginning. The text may be broken or cut anywhere.
fn id_of_head(bytes: &[u8]) -> (Option<Value>, Reached) {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let Some(end) = string_end(bytes, at) else { return (None, Reached::String) };
                if depth == 1
                    && &bytes[at..end] == b"\"id\""
                    && let Some((id, _)) = value_after_colon(&bytes[end..])
                {
                    return (Some(id), Reached::End);
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    (None, Reached::End)
}

/// Returns the member `id` where it is the last one of the outermost object, or the last but
/// `jsonrpc`: several clients write it there.
fn id_of_tail(bytes: &[u8]) -> Option<Value> {
    let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    let at = tail.windows(4).rposition(|window| window == b"\"id\"")?;
    let (id, rest) = value_after_colon(&tail[at + 4..])?;
    let rest: Vec<u8> = rest.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    (rest == b"}" || rest == b",\"jsonrpc\":\"2.0\"}").then_some(id)
}

/// Returns the string or number after a colon, and what follows it.
fn value_after_colon(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let bytes = bytes.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let end = if bytes.first() == Some(&b'"') {
        string_end(bytes, 0)?
    } else {
        bytes.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))?
    };
    let id: Value = serde_json::from_slice(&bytes[..end]).ok()?;
    (end <= ID_BYTES_MAX && matches!(id, Value::String(_) | Value::Number(_))).then_some((id, &bytes[end..]))
}

/// Returns where the string that begins at `at` ends.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match bytes.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

#[cfg(test)]
mod tests;
