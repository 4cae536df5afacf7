//! What kind a text is, by a look at parts of it.
//!
//! The beginning decides, unless what comes later says something else: the middle and the end of a long
//! text are looked at too. What is written in another text (JSON in a log, a stack trace, fenced code in
//! Markdown) is taken out before the rest is judged. All of it is bounded, so a large text takes as long
//! as a small one; only what may be the messages of a conversation is read to its end.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::clean::clean;
use super::json::Messages;
use super::{COMPRESSORS, Kind, Known, stack};

/// How much of the beginning of a text is looked at, in bytes.
const SAMPLE: usize = 16 * 1024;

/// How much of its middle and of its end.
const FURTHER: usize = 4 * 1024;

/// A text that is judged by what is left of it has at most this confidence.
const MIXED: u8 = 75;

/// A kind and how sure we are of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// The kind.
    pub kind: Kind,
    /// From 0 to 100.
    pub confidence: u8,
}

/// Returns the kind of `text`; looks at a bounded part of it.
pub fn detect(text: &str) -> Detected {
    detect_in(text, &Known::default())
}

/// Does the same with what is known of the text.
pub(super) fn detect_in(text: &str, known: &Known) -> Detected {
    let head = sample(text);
    let first = judge(head);
    if Messages::may_begin(head, first.kind) && Messages::is_in(text, known) {
        return Detected { kind: Kind::Dialog, confidence: 99 };
    }
    if text.len() == head.len() {
        return first;
    }
    // What these kinds are is said at their beginning, and at their end.
    let closes = text.trim_end().ends_with(['}', ']']);
    match first.kind {
        Kind::Json if first.confidence >= 90 && closes => return first,
        Kind::Html | Kind::Diff if first.confidence >= 70 => return first,
        _ => {}
    }
    let middle = text.ceil_char_boundary(text.len() / 2);
    let end = text.ceil_char_boundary(text.len() - FURTHER);
    let others = [middle, end].map(|at| {
        let window = &text[at..text.floor_char_boundary((at + FURTHER).min(text.len()))];
        judge(window.find('\n').map_or(window, |line| &window[line + 1..]))
    });
    // The beginning has the word of two.
    let word = |kind: Kind| {
        let of = |detected: &Detected| if detected.kind == kind { u32::from(detected.confidence) } else { 0 };
        2 * of(&first) + others.iter().map(of).sum::<u32>()
    };
    let best = others.iter().fold(first, |best, other| if word(other.kind) > word(best.kind) { *other } else { best });
    let agree = others.iter().filter(|other| other.kind == best.kind).count();
    let confidence = match (best.kind == first.kind, agree) {
        (true, 2) => first.confidence,
        (true, 1) => first.confidence - first.confidence / 8,
        (true, _) => first.confidence - first.confidence / 4,
        (false, _) => best.confidence.min(MIXED),
    };
    Detected { kind: best.kind, confidence }
}

/// Judges a part of a text.
fn judge(sample: &str) -> Detected {
    // Colours are no part of what a line says.
    let sample = &*if sample.contains('\u{1b}') { clean(sample) } else { Cow::Borrowed(sample) };
    let whole = best(sample);
    let parts = Parts::of(sample);
    let all = sample.len().max(1);
    let share = |part: usize| part * 100 / all;
    if share(parts.traced) >= 45 && !matches!(whole.kind, Kind::Test | Kind::Search | Kind::Diff) {
        return Detected { kind: Kind::Log, confidence: (45 + share(parts.traced) / 2).min(95) as u8 };
    }
    let is_sure = matches!(whole.kind, Kind::Test | Kind::Search | Kind::Diff | Kind::Html) && whole.confidence >= 70;
    if is_sure || (whole.kind == Kind::Json && whole.confidence >= 95) {
        return whole;
    }
    // Files that are shown in fences, with nothing but their names between them, are code.
    if (1..85).contains(&share(parts.fenced)) && whole.kind == Kind::Code {
        let without = best(&parts.rest);
        let headed =
            COMPRESSORS.iter().find(|one| one.kind() == Kind::Markdown).map_or(0, |one| one.recognises(sample));
        if without.kind != Kind::Code && headed >= 45 {
            return Detected { kind: Kind::Markdown, confidence: headed.min(MIXED) };
        }
    }
    let rest_lines = parts.rest.lines().filter(|line| !line.trim().is_empty()).take(3).count();
    if (parts.json > 0 || parts.traced > 0) && rest_lines == 3 && share(parts.rest.len()) >= 5 {
        let rest = best(&parts.rest);
        let line_by_line = matches!(rest.kind, Kind::Log | Kind::Test | Kind::Markdown | Kind::Dialog);
        if line_by_line && rest.confidence >= 40 && (rest.kind != whole.kind || rest.confidence > whole.confidence) {
            return Detected { kind: rest.kind, confidence: rest.confidence.min(MIXED) };
        }
    }
    whole
}

/// The kind of which a compressor is most sure.
fn best(sample: &str) -> Detected {
    let mut best = Detected { kind: Kind::Prose, confidence: 0 };
    for compressor in COMPRESSORS {
        let confidence = compressor.recognises(sample);
        if confidence > best.confidence {
            best = Detected { kind: compressor.kind(), confidence };
        }
    }
    best
}

/// What a text holds beside its own lines.
#[derive(Debug, Default)]
struct Parts {
    /// The bytes of JSON values that begin a line and fill several.
    json: usize,
    /// The bytes of the lines of stack traces.
    traced: usize,
    /// The bytes of fenced code.
    fenced: usize,
    /// Everything else.
    rest: String,
}

impl Parts {
    fn of(sample: &str) -> Self {
        let mut parts = Self::default();
        let mut at = 0;
        let mut tries = 0;
        let mut fence_ends = None;
        let trace = stack::share(sample) > 0;
        let mut reader = stack::Reader::default();
        while at < sample.len() {
            let rest = &sample[at..];
            let end = rest.find('\n').map_or(sample.len(), |end| at + end + 1);
            let line = &sample[at..end];
            if let Some(sign) = fence_ends {
                parts.fenced += line.len();
                if line.trim_end() == sign {
                    fence_ends = None;
                }
            } else if let Some(sign) = ["```", "~~~"].into_iter().find(|sign| line.starts_with(sign)) {
                parts.fenced += line.len();
                fence_ends = Some(sign);
            } else if line.starts_with(['{', '[']) && tries < 16 && line.trim_end().len() <= 2 {
                tries += 1;
                match json_length(rest) {
                    Some(length) => {
                        parts.json += length;
                        at += length;
                        continue;
                    }
                    None => parts.rest.push_str(line),
                }
            } else if trace && reader.is_traced(line.trim_end()) {
                parts.traced += line.len();
            } else {
                parts.rest.push_str(line);
            }
            at = end;
        }
        parts
    }
}

/// The length of the JSON value that `text` begins with, if it is one.
fn json_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let length = values.byte_offset();
    (length > 2).then_some(length)
}

/// The beginning of a text, up to the end of a line where there is one.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE {
        return text;
    }
    let sample = &text[..text.floor_char_boundary(SAMPLE)];
    sample.rfind('\n').map_or(sample, |end| &sample[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_embedded_is_taken_out() {
        let text = "10:00 start\n{\n  \"a\": [1, 2]\n}\n10:01 end\n```rust\nfn x() {}\n```\n";
        let parts = Parts::of(text);
        assert_eq!((parts.json, parts.fenced, parts.rest.as_str()), (17, 22, "10:00 start\n\n10:01 end\n"));
    }
}
