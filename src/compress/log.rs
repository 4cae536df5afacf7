//! Logs: lines that programs write over time.
//!
//! Lines are grouped by what is left when numbers, paths, quoted strings and every word with a
//! digit are masked. The first line of each group stands for it and says how many are alike; rare
//! groups and groups that tell of errors come first, and these also list what differs between
//! their members.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::draft::{Compressor, Draft, Piece};
use super::lines::spans;
use super::prose::split_long;
use super::{Kind, Query};

/// The most differing words that are listed for a group of errors.
const IDS_MAX: usize = 40;

/// How many of them are kept or left out together.
const IDS_A_PIECE: usize = 8;

/// Lines written by programs over time.
pub(super) struct Log;

impl Compressor for Log {
    fn kind(&self) -> Kind {
        Kind::Log
    }

    fn recognises(&self, sample: &str) -> u8 {
        let lines: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty()).take(200).collect();
        if lines.len() < 3 {
            return 0;
        }
        let logged = lines.iter().filter(|line| begins_with_time(line) || has_severity(line)).count();
        // Where most lines repeat the one before, folding them is what helps.
        let repeated = lines.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let repeats = if lines.len() >= 8 && repeated * 2 > lines.len() { 65 } else { 0 };
        ((logged * 95 / lines.len()).min(95) as u8).max(repeats)
    }

    fn folds_repeats(&self) -> bool {
        true
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let spans = folded_lines(text);
        let groups = Groups::of(text, &spans);
        let answers = query.map(|query| query.relevance(spans.iter().map(|(span, _)| &text[span.clone()])));
        let mut pieces = Vec::with_capacity(spans.len());
        for (index, (span, repeats)) in spans.iter().enumerate() {
            let line = &text[span.clone()];
            let group = &groups.all[groups.of_line[index]];
            let place = groups.place[index];
            let mut worth = if place == 0 {
                50.0 + group.alarm.worth() + 1.0 / group.count as f64 - line.len() as f64 / 1_600.0
            } else {
                1.0 / (place as f64 + 1.0)
            };
            if line.trim().is_empty() {
                worth = -1.0;
            }
            if let (Some(answers), Some(query)) = (&answers, query) {
                let named = if query.names_something_in(line) { 200.0 } else { 0.0 };
                worth += 60.0 * answers[index] + named;
            }
            let mut piece = Piece::of(text, span.clone(), worth);
            let note = if place == 0 { group.note(*repeats) } else { repeats_note(*repeats) };
            if !note.is_empty() {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                piece.text = Cow::Owned(format!("{}{note}{end}", first_line(line)));
            }
            let exemplar = pieces.len();
            pieces.extend(split_piece(text, piece));
            if place == 0 && line.ends_with('\n') {
                pieces.extend(id_pieces(text, span.end, &group.ids, exemplar));
            }
        }
        Draft::of_numbered_lines(pieces)
    }
}

/// What differs between the members of a group, a few a piece, so that one group with many ids does
/// not push out other groups.
fn id_pieces<'a>(text: &'a str, at: usize, ids: &[&'a str], exemplar: usize) -> Vec<Piece<'a>> {
    let piece = |(index, few): (usize, &[&str])| {
        let worth = 58.0 - 2.0 * index as f64;
        let written = Cow::Owned(format!("  also: {}\n", few.join(" ")));
        Piece { text: written, needs: Some(exemplar), ..Piece::of(text, at..at, worth) }
    };
    ids.chunks(IDS_A_PIECE).enumerate().map(piece).collect()
}

/// Cuts a piece of one overlong line at blanks.
pub(super) fn split_piece<'a>(text: &'a str, piece: Piece<'a>) -> Vec<Piece<'a>> {
    let parts = if matches!(piece.text, Cow::Borrowed(_)) { split_long(text, piece.span.clone()) } else { Vec::new() };
    if parts.len() < 2 {
        return vec![piece];
    }
    let worth = |index: usize| piece.worth - index as f64 * 1e-3;
    parts
        .into_iter()
        .enumerate()
        .map(|(index, span)| Piece { needs: piece.needs, ..Piece::of(text, span, worth(index)) })
        .collect()
}

/// The lines of a text; a run of equal lines is one span, with how often the line is there.
pub(super) fn folded_lines(text: &str) -> Vec<(Range<usize>, usize)> {
    let mut folded: Vec<(Range<usize>, usize)> = Vec::new();
    for span in spans(text) {
        let line = text[span.clone()].trim_end_matches('\n');
        if let Some((last, count)) = folded.last_mut()
            && !line.is_empty()
            && first_line(&text[last.clone()]) == line
        {
            last.end = span.end;
            *count += 1;
        } else {
            folded.push((span, 1));
        }
    }
    folded
}

pub(super) fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or("")
}

pub(super) fn repeats_note(repeats: usize) -> String {
    if repeats > 1 { format!(" [x{repeats}]") } else { String::new() }
}

struct Group<'a> {
    count: usize,
    alarm: Alarm,
    ids: Vec<&'a str>,
}

impl Group<'_> {
    /// What is said after the line that stands for the group.
    fn note(&self, repeats: usize) -> String {
        if self.count == repeats { repeats_note(repeats) } else { format!(" [x{} alike]", self.count) }
    }
}

struct Groups<'a> {
    all: Vec<Group<'a>>,
    of_line: Vec<usize>,
    /// How many lines of its group come before each line.
    place: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn of(text: &'a str, lines: &[(Range<usize>, usize)]) -> Self {
        let mut known: HashMap<u64, usize> = HashMap::new();
        let mut groups = Self { all: Vec::new(), of_line: Vec::new(), place: Vec::new() };
        let mut seen: Vec<usize> = Vec::new();
        let mut exemplars: Vec<&str> = Vec::new();
        for (span, repeats) in lines {
            let line = first_line(&text[span.clone()]);
            let index = *known.entry(template(line)).or_insert_with(|| {
                groups.all.push(Group { count: 0, alarm: Alarm::of(line), ids: Vec::new() });
                exemplars.push(line);
                seen.push(0);
                groups.all.len() - 1
            });
            let group = &mut groups.all[index];
            group.count += repeats;
            if group.alarm == Alarm::Error && seen[index] > 0 {
                note_ids(line, exemplars[index], &mut group.ids);
            }
            groups.of_line.push(index);
            groups.place.push(seen[index]);
            seen[index] += 1;
        }
        groups
    }
}

/// Notes the addresses, hexadecimal ids, paths and other words with letters and digits of a line that
/// the line which stands for its group does not have.
fn note_ids<'a>(line: &'a str, exemplar: &str, ids: &mut Vec<&'a str>) {
    if ids.len() >= IDS_MAX {
        return;
    }
    let words = line.split(|c: char| c.is_whitespace() || "=,;()[]{}<>\"'|".contains(c));
    for word in words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/')) {
        if ids.len() < IDS_MAX && is_id(word) && !exemplar.contains(word) && !ids.contains(&word) {
            ids.push(word);
        }
    }
}

fn is_id(word: &str) -> bool {
    if word.len() < 6 || word.len() > 200 || is_time(word) {
        return false;
    }
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let is_path = word.matches('/').count() >= 2 || (word.contains('/') && word.contains('.'));
    is_path || (has_digit && word.len() <= 64 && word.contains(|c: char| c.is_ascii_alphabetic() || "._:".contains(c)))
}

fn is_time(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let signs = word.bytes().filter(|byte| b":-.,/TZ+".contains(byte)).count();
    digits + signs == word.len() && digits >= 4 && (word.contains(':') || word.matches('-').count() == 2)
}

/// The hash of a line with its variable parts masked.
pub(super) fn template(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if matches!(first, '"' | '\'')
            && let Some(inner) = rest[1..].find(first)
        {
            0_u8.hash(&mut hasher);
            rest = &rest[inner + 2..];
            continue;
        }
        let is_sign = |c: char| c.is_whitespace() || "=,:;()[]{}<>\"'|".contains(c);
        let end = rest.find(is_sign).unwrap_or(rest.len());
        if end == 0 {
            // Runs of blanks differ where columns are aligned.
            let blank = first.is_whitespace();
            (if blank { ' ' } else { first }).hash(&mut hasher);
            rest = if blank { rest.trim_start() } else { &rest[first.len_utf8()..] };
            continue;
        }
        let word = &rest[..end];
        if word.bytes().any(|byte| byte.is_ascii_digit() || byte == b'/') || is_hex(word) {
            0_u8.hash(&mut hasher);
        } else {
            word.hash(&mut hasher);
        }
        rest = &rest[end..];
    }
    hasher.finish()
}

fn is_hex(word: &str) -> bool {
    word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How much a line alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Nothing is wrong.
    None,
    /// The program says that it is fine, in words of trouble.
    Mention,
    /// Something went wrong.
    Error,
}

impl Alarm {
    /// Returns how much a line alarms, by the severity it names, else by its words.
    pub(super) fn of(line: &str) -> Self {
        match (severity(line), tells_of_an_error(line)) {
            (Some(Severity::Bad), _) | (None, true) => Self::Error,
            (Some(Severity::Fine), true) => Self::Mention,
            _ => Self::None,
        }
    }

    fn worth(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Mention => 8.0,
            Self::Error => 10.0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Fine,
    Bad,
}

/// The severity that the head of a line names: a whole word in capitals or between signs, or a
/// single letter after the time and the process, as on Android.
fn severity(line: &str) -> Option<Severity> {
    let head = &line[..line.floor_char_boundary(120)];
    let mut numbers = 0;
    for word in head.split_whitespace().take(9) {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
        let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
        // "level=warn", "severity:error".
        let core = core.rsplit(['=', ':', '|', '[']).next().unwrap_or(core);
        let named = core.bytes().all(|byte| byte.is_ascii_uppercase()) || core.len() != word.len();
        match core {
            "E" | "W" | "F" if numbers >= 2 && word.len() <= 3 => return Some(Severity::Bad),
            "I" | "D" | "V" | "N" if numbers >= 2 && word.len() <= 3 => return Some(Severity::Fine),
            _ if named && !has_digit => match core.to_ascii_lowercase().as_str() {
                "error" | "err" | "fatal" | "warn" | "warning" | "severe" | "critical" | "crit" | "failure"
                | "alert" | "emerg" | "panic" => return Some(Severity::Bad),
                "info" | "debug" | "trace" | "notice" | "verbose" | "fine" => return Some(Severity::Fine),
                _ => {}
            },
            _ => {}
        }
        numbers += usize::from(has_digit);
    }
    None
}

/// Whether the words of a line tell that something went wrong.
pub(super) fn tells_of_an_error(line: &str) -> bool {
    const SIGNS: &[&str] = &[
        "error",
        "fail",
        "fatal",
        "panic",
        "exception",
        "critical",
        "traceback",
        "denied",
        "refused",
        "timeout",
        "timed out",
        "abort",
        "cannot",
        "unable",
        "invalid",
        "corrupt",
        "killed",
        "segfault",
        "unreachable",
        "unexpected",
        " lost",
        "warning",
        "not found",
        "reset by",
    ];
    let lower = line.to_ascii_lowercase();
    SIGNS.iter().any(|sign| lower.contains(sign))
        && !["0 errors", "0 failed", "no error", "without error"].iter().any(|fine| lower.contains(fine))
}

fn begins_with_time(line: &str) -> bool {
    let start = line.trim_start_matches(['[', '(', '"', '<']);
    let head = &start[..start.floor_char_boundary(32)];
    let digits = head.bytes().filter(u8::is_ascii_digit).count();
    let begins = head.starts_with(|c: char| c.is_ascii_digit());
    let clock = head
        .as_bytes()
        .windows(5)
        .any(|five| five[2] == b':' && [0, 1, 3, 4].iter().all(|index| five[*index].is_ascii_digit()));
    (clock && digits >= 4 && (begins || head.split_whitespace().next().is_some_and(|word| word.len() <= 4)))
        || (begins && digits >= 10)
}

fn has_severity(line: &str) -> bool {
    let head = &line[..line.floor_char_boundary(80)];
    head.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| matches!(word, "INFO" | "WARN" | "WARNING" | "ERROR" | "DEBUG" | "TRACE" | "FATAL" | "NOTICE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_values_are_alike() {
        for (one, other) in [
            ("12:00:01 request 17 from 10.0.0.1 took 5ms", "12:00:09 request 9 from 10.9.8.7 took 812ms"),
            ("open \"a b\" failed", "open \"other file\" failed"),
            ("read /var/log/x done", "read /etc/passwd done"),
        ] {
            assert_eq!(template(one), template(other), "{one} / {other}");
        }
        assert_ne!(template("started worker 1"), template("stopped worker 1"));
    }

    #[test]
    fn logs_are_recognised() {
        let log = "2026-01-02T10:00:00Z INFO started\n2026-01-02T10:00:01Z WARN slow\nJan  2 10:00:02 host sshd: x\n";
        assert!(Log.recognises(log) > 80);
        assert!(Log.recognises("Some prose.\nIn a few lines.\nWithout any time.\n") < 20);
    }

    #[test]
    fn a_group_of_errors_lists_what_differs() {
        let text = "10:00:00 error: peer 10.0.0.1 refused\n10:00:01 ok\n10:00:02 error: peer 10.0.0.2 refused\n";
        let draft = Log.draft(text, None);
        let written: Vec<&str> = draft.pieces.iter().map(|piece| &*piece.text).collect();
        assert_eq!(written[..2], ["10:00:00 error: peer 10.0.0.1 refused [x2 alike]\n", "  also: 10.0.0.2\n"]);
        assert!(draft.pieces.windows(2).all(|pair| pair[0].worth > pair[1].worth), "{written:?}");
    }

    #[test]
    fn a_line_alarms_by_its_severity_then_by_its_words() {
        for (line, alarm) in [
            ("2026-01-02 10:00:00 ERROR worker stopped", Alarm::Error),
            ("2026-01-02 10:00:00 INFO worker failed over", Alarm::Mention),
            ("2026-01-02 10:00:00 INFO worker started", Alarm::None),
            ("03-17 16:13:38.811  1702  2395 W Power: low", Alarm::Error),
            ("03-17 16:13:38.811  1702  2395 D Power: error free", Alarm::Mention),
            ("time=10:00 level=warn msg=\"slow\"", Alarm::Error),
            ("[error] no such file", Alarm::Error),
            ("Jan  2 10:00:02 host sshd: connection refused", Alarm::Error),
            ("Plan E is fine", Alarm::None),
        ] {
            assert_eq!(Alarm::of(line), alarm, "{line}");
        }
    }
}
