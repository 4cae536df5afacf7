//! The heads of a log's lines: time, host, process, severity and whatever else stands in columns
//! before the message.
//!
//! No format is known by name. A column belongs to the head where most lines of different wording
//! have the same sort of thing in it; a column of words only where a time, a severity, something in
//! brackets or a word with a colon follows in the next columns. So the message of a line is never taken
//! for its head, at worst a part of the head for the message.

use std::collections::HashSet;
use std::ops::Range;

use super::template::template;

/// The most columns of a head, and the most bytes.
const COLUMNS_MAX: usize = 14;
const BYTES_MAX: usize = 400;

/// How many lines are looked at to learn what the columns are, and how many different ones are
/// needed.
const SAMPLES: usize = 1_000;
const DIFFERENT_MIN: usize = 3;

/// How many columns after a column of words something must stand that is no word.
const WORDS_MAX: usize = 4;

/// What a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// A date, a time of day, seconds since 1970.
    Time,
    /// Another word with a digit.
    Value,
    /// A lone sign: `-`.
    Sign,
    Severity,
    /// Something in brackets.
    Bracket,
    /// A word with a colon: `sshd[17]:`.
    Tag,
    /// Ends at a bar.
    Barred,
    Word,
}

/// What is in a column of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Only(Sort),
    /// Times, other values and signs.
    Values,
    Any,
}

/// What the heads of a log's lines look like.
#[derive(Debug, Default)]
pub(super) struct Heads {
    columns: Vec<Column>,
}

/// A part of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    /// Where it is in the line.
    pub(super) span: Range<usize>,
    /// Whether it tells who wrote the line or how bad it is, rather than when.
    pub(super) is_name: bool,
}

/// The head of one line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) fields: Vec<Field<'a>>,
    /// Where the message begins.
    pub(super) end: usize,
    /// Where the names begin that stand right before the message.
    pub(super) names: usize,
}

impl Heads {
    /// Learns the columns from lines all over the log.
    pub(super) fn of<'a>(lines: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let step = lines.len().div_ceil(SAMPLES).max(1);
        let mut seen = HashSet::new();
        // One line of each wording, so that a line which is repeated a thousand times is no column.
        let samples: Vec<Vec<(Sort, Range<usize>)>> = lines
            .step_by(step)
            .filter(|line| !line.trim().is_empty() && seen.insert(template(line)))
            .map(|line| fields(line).collect())
            .collect();
        if samples.len() < DIFFERENT_MIN {
            return Self::default();
        }
        let mut known: Vec<Column> = Vec::new();
        // Lines that have all columns so far.
        let mut fitting: Vec<&Vec<(Sort, Range<usize>)>> = samples.iter().collect();
        let mut head = 0;
        while known.len() < COLUMNS_MAX && known.len() - head <= WORDS_MAX {
            let at = known.len();
            let column = column(&fitting.iter().map(|fields| fields.get(at).map(|(sort, _)| *sort)), fitting.len());
            // What does not fit has a head of its own, or none.
            fitting.retain(|fields| fields.get(at).is_some_and(|(sort, _)| column.takes(*sort)));
            known.push(column);
            let is_plain = column == Column::Any || column == Column::Only(Sort::Word);
            let follows_words = at > head;
            let is_strong = !is_plain && !matches!(column, Column::Values | Column::Only(Sort::Value));
            if is_strong || (!is_plain && !follows_words) {
                head = known.len();
            }
            if fitting.len() * 2 < samples.len() {
                break;
            }
        }
        known.truncate(head);
        Self { columns: known }
    }

    /// Reads the head of a line.
    pub(super) fn head<'a>(&self, line: &'a str) -> Head<'a> {
        let mut head = Head::default();
        let mut last = 0;
        for (column, (sort, span)) in self.columns.iter().zip(fields(line)) {
            if !column.takes(sort) {
                break;
            }
            let text = &line[span.clone()];
            // In a column of this and that, such as hosts, some of which have numbers, nothing is a name.
            let is_name = !matches!(column, Column::Any | Column::Only(Sort::Sign))
                && match sort {
                    Sort::Severity | Sort::Tag | Sort::Word => true,
                    Sort::Time | Sort::Value | Sort::Sign => false,
                    Sort::Bracket | Sort::Barred => !text.bytes().any(|byte| byte.is_ascii_digit()),
                };
            head.fields.push(Field { text, span, is_name });
            // A column of any words is one of the head only with what follows it.
            if *column != Column::Any && *column != Column::Only(Sort::Word) {
                last = head.fields.len();
            }
        }
        head.fields.truncate(last);
        head.end = head.fields.last().map_or(0, |field| message(line, field.span.end));
        let names = head.fields.iter().rev().take_while(|field| field.is_name).last();
        head.names = names.map_or(head.end, |field| field.span.start);
        head
    }
}

impl Column {
    fn takes(self, sort: Sort) -> bool {
        match self {
            // A sign stands where there is nothing to say.
            Self::Only(Sort::Sign) => true,
            Self::Only(own) => own == sort,
            Self::Values => matches!(sort, Sort::Time | Sort::Value | Sort::Sign),
            Self::Any => true,
        }
    }
}

/// What most of the fields in a column are.
fn column(sorts: &(impl Iterator<Item = Option<Sort>> + Clone), count: usize) -> Column {
    let most = |is_one: &dyn Fn(Sort) -> bool| {
        sorts.clone().filter(|sort| sort.is_some_and(is_one)).count() * 20 >= count * 17
    };
    for sort in
        [Sort::Time, Sort::Value, Sort::Sign, Sort::Severity, Sort::Bracket, Sort::Tag, Sort::Barred, Sort::Word]
    {
        if most(&|other| other == sort) {
            return Column::Only(sort);
        }
    }
    if most(&|sort| matches!(sort, Sort::Time | Sort::Value | Sort::Sign)) { Column::Values } else { Column::Any }
}

/// Where the message begins that follows a head which ends at `end`.
fn message(line: &str, end: usize) -> usize {
    line.len() - line[end..].trim_start_matches(is_between).len()
}

fn is_between(character: char) -> bool {
    character.is_whitespace() || character == '|'
}

/// The fields at the beginning of a line.
fn fields(line: &str) -> impl Iterator<Item = (Sort, Range<usize>)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = message(line, at);
        if start >= line.len() || start > BYTES_MAX {
            return None;
        }
        let bytes = line.as_bytes();
        let bracketed = closing(bytes, start);
        let mut end = bracketed.map_or(start, |end| end + 1);
        while end < bytes.len() && !bytes[end].is_ascii_whitespace() && bytes[end] != b'|' {
            end += 1;
        }
        // A field that ends within a character of several bytes does not: none of those is a blank.
        at = end;
        if end - start > BYTES_MAX {
            return None;
        }
        let text = &line[start..end];
        let sort = if bytes.get(end) == Some(&b'|') && bracketed.is_none() && sort(text) == Sort::Word {
            Sort::Barred
        } else if bracketed == Some(end - 1) || bracketed.is_some_and(|close| close + 2 == end) {
            if is_severity(text) { Sort::Severity } else { Sort::Bracket }
        } else {
            sort(text)
        };
        Some((sort, start..end))
    })
}

/// Where the bracket that opens at `open` is closed, not far from there.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let close = match bytes[open] {
        b'[' => b']',
        b'(' => b')',
        b'<' => b'>',
        _ => return None,
    };
    let mut depth = 0;
    for (at, byte) in bytes.iter().enumerate().skip(open).take(BYTES_MAX) {
        if *byte == bytes[open] {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

fn sort(text: &str) -> Sort {
    // `time=12:00`, `level=info`.
    let value = match text.split_once('=') {
        Some((name, value)) if name.bytes().all(|byte| byte.is_ascii_alphabetic()) => value,
        _ => text,
    };
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    if is_time(value) {
        Sort::Time
    } else if is_severity(value) {
        Sort::Severity
    } else if text.len() > 1 && text.ends_with(':') {
        Sort::Tag
    } else if has_digit {
        Sort::Value
    } else if !value.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte >= 128) {
        Sort::Sign
    } else {
        Sort::Word
    }
}

/// Whether a word is a part of a date or a time.
pub(super) fn is_time(word: &str) -> bool {
    const NAMES: &[&str] = &[
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon", "Tue", "Wed", "Thu",
        "Fri", "Sat", "Sun",
    ];
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if word.len() == 3 && NAMES.contains(&word) {
        return true;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let signs = word.bytes().filter(|byte| b":-.,/TZ+_".contains(byte)).count();
    let is_epoch = digits == word.len() && matches!(digits, 10 | 13) && word.starts_with('1');
    is_epoch
        || (digits + signs == word.len()
            && digits >= 4
            && word.matches('.').count() < 3
            && (word.contains(':')
                || word.matches('-').count() == 2
                || word.matches('/').count() == 2
                || word.matches('.').count() == 2
                || (signs == 1 && digits == 4 && word.contains(['-', '.', '/']))))
}

/// Whether a word, maybe in brackets, names how bad something is.
fn is_severity(word: &str) -> bool {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
    if core.len() == 1 {
        return "EWIFDVNTC".contains(core) && word.len() <= 3;
    }
    let names = [
        "error",
        "err",
        "fatal",
        "warn",
        "warning",
        "severe",
        "critical",
        "crit",
        "failure",
        "alert",
        "emerg",
        "panic",
        "info",
        "debug",
        "trace",
        "notice",
        "verbose",
        "fine",
        "finer",
        "finest",
        "config",
        "information",
    ];
    core.len() >= 3
        && core.len() + 4 >= word.len()
        && !word.ends_with(':')
        && names.iter().any(|name| core.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the last line's head, its values, and its message.
    fn split(log: &str) -> (String, String, String) {
        let lines: Vec<&str> = log.lines().collect();
        let line = lines[lines.len() - 1];
        let head = Heads::of(lines.iter().copied()).head(line);
        let join = |is_name: bool| {
            let texts: Vec<&str> =
                head.fields.iter().filter(|field| field.is_name == is_name).map(|field| field.text).collect();
            texts.join(" ")
        };
        (join(true), join(false), line[head.end..].to_owned())
    }

    #[test]
    fn heads_of_many_formats_are_found() {
        let messages =
            ["started with 3 workers", "Component gone: disk 7", "request from 10.0.0.1 denied", "x=1 y=2", "bye"];
        for (head, names, values) in [
            ("2026-01-02T10:00:01Z INFO web::server:", "INFO web::server:", "2026-01-02T10:00:01Z"),
            ("Jan  2 10:00:01 host-1 sshd[24]:", "sshd[24]:", "Jan 2 10:00:01 host-1"),
            ("Jan  2 10:00:01 combo kernel:", "combo kernel:", "Jan 2 10:00:01"),
            ("01-02 10:00:01.811  1702  2395 D PowerManager:", "D PowerManager:", "01-02 10:00:01.811 1702 2395"),
            ("[Sun Jan 04 10:00:01 2026] [notice]", "[notice]", "[Sun Jan 04 10:00:01 2026]"),
            ("20260102-10:00:01:606|Step_LSC|30002312|", "Step_LSC", "20260102-10:00:01:606 30002312"),
            ("1702 node-7 unix.hw state.change 1077804742 1", "unix.hw state.change", "1702 node-7 1077804742 1"),
            ("2026-01-02 10:00:01,123 - main.part - WARNING -", "main.part WARNING", "2026-01-02 10:00:01,123 - - -"),
            ("10:00:01.123 [main] INFO  c.e.Start -", "[main] INFO c.e.Start", "10:00:01.123 -"),
            ("[10.30 16:49:06]", "", "[10.30 16:49:06]"),
            ("", "", ""),
        ] {
            let log: String =
                messages.iter().map(|message| format!("{head} {message}\n").trim_start().to_owned()).collect();
            let (found, dated, message) = split(&log);
            assert_eq!((found.as_str(), dated.as_str(), message.as_str()), (names, values, "bye"), "{head}");
        }
    }

    #[test]
    fn a_message_that_is_repeated_is_no_head() {
        let log: String = (0..50).map(|index| format!("10:00:{index:02} request {index} took {index}ms\n")).collect();
        let log = log + "10:01:00 worker 7 started\n10:01:01 stopping now\n10:01:02 request 9 took 9ms\n";
        assert_eq!(split(&log), (String::new(), "10:01:02".to_owned(), "request 9 took 9ms".to_owned()));
        let traced = "10:01:02 gone\n10:01:03 here: 1\n10:01:05 a b\n    at x.y(Z.java:7)\n";
        assert_eq!(split(traced).2, "    at x.y(Z.java:7)");
        let labelled: String =
            (0..9).map(|index| format!("- 10:00:0{index} INFO {} x\n", "xyz".repeat(index + 1))).collect();
        assert_eq!(split(&(labelled + "LOST 10:01:00 ERROR gone\n")).2, "gone");
        assert!(is_time("10:00:01,123") && is_time("2026-01-02") && !is_time("10.0.0.1:5070") && !is_time("10.0.0.1"));
    }
}
