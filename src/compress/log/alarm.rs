//! How much a line alarms: by the severity it names, else by its words.

/// How much a line alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::compress) enum Alarm {
    /// Nothing is wrong.
    None,
    /// The program says that it is fine, in words of trouble.
    Mention,
    /// Something went wrong.
    Error,
}

impl Alarm {
    /// Returns how much a line alarms, by the severity it names, else by its words.
    pub(in crate::compress) fn of(line: &str) -> Self {
        match (severity(line), tells_of_an_error(line)) {
            (Some(Severity::Bad), _) | (None, true) => Self::Error,
            (Some(Severity::Fine), true) => Self::Mention,
            _ => Self::None,
        }
    }

    pub(super) fn worth(self) -> f64 {
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

/// Words that tell of something wrong, alone or as the end of a name such as `NullPointerException`
/// or `login_failed`.
const SIGNS: &[&str] = &[
    "abort",
    "aborted",
    "aborting",
    "assertion",
    "cannot",
    "corrupt",
    "corrupted",
    "corruption",
    "critical",
    "denied",
    "deny",
    "err",
    "error",
    "errors",
    "exception",
    "exceptions",
    "fail",
    "failed",
    "failing",
    "fails",
    "failure",
    "failures",
    "fatal",
    "forbidden",
    "invalid",
    "killed",
    "lost",
    "oom",
    "panic",
    "panicked",
    "refused",
    "rejected",
    "segfault",
    "timeout",
    "timeouts",
    "traceback",
    "unable",
    "unauthorized",
    "unexpected",
    "unreachable",
    "warn",
    "warning",
    "warnings",
];

/// Whether one of [`SIGNS`] has the ends and the length of a word: hardly any other word does, and a
/// text has very many.
fn may_be_a_sign(word: &[u8]) -> bool {
    const fn place(word: &[u8]) -> usize {
        let (first, last) = (word[0].to_ascii_lowercase(), word[word.len() - 1].to_ascii_lowercase());
        (first as usize * 37 + last as usize * 11 + word.len()) % 1024
    }
    const PLACES: [bool; 1024] = {
        let mut places = [false; 1024];
        let mut at = 0;
        while at < SIGNS.len() {
            places[place(SIGNS[at].as_bytes())] = true;
            at += 1;
        }
        places
    };
    !word.is_empty() && PLACES[place(word)]
}

/// Several words that do.
const PHRASES: &[&str] =
    &["timed out", "not found", "reset by", "not permitted", "not allowed", "could not", "couldn't", "can't"];

/// Whether one of [`PHRASES`] ends with two such bytes: seldom enough for comparing it then.
fn may_end_a_phrase(last: [u8; 2]) -> bool {
    const fn place(last: [u8; 2]) -> usize {
        (last[0].to_ascii_lowercase() as usize * 37 + last[1].to_ascii_lowercase() as usize) % 256
    }
    const PLACES: [bool; 256] = {
        let mut places = [false; 256];
        let mut at = 0;
        while at < PHRASES.len() {
            let phrase = PHRASES[at].as_bytes();
            places[place([phrase[phrase.len() - 2], phrase[phrase.len() - 1]])] = true;
            at += 1;
        }
        places
    };
    PLACES[place(last)]
}

/// Whether the words of a line tell that something went wrong.
pub(in crate::compress) fn tells_of_an_error(line: &str) -> bool {
    let mut at = 0;
    let mut is_none = false;
    while at < line.len() {
        let word = Word::at(line, at);
        let rest = &line[word.end..];
        // What ended the word belongs to none.
        at = word.end + rest.chars().next().map_or(0, char::len_utf8);
        let name = &line[word.start..word.end];
        // The words in a path are names of files.
        if name.is_empty() || word.slashes > 1 {
            continue;
        }
        if word.telling_parts(line).any(is_sign) && !is_none && !is_nothing(rest) {
            return true;
        }
        is_none = matches!(name, "0" | "no" | "No" | "without");
    }
    let bytes = line.as_bytes();
    bytes.windows(2).enumerate().any(|(at, pair)| {
        let ends_here = |phrase: &&str| {
            let start = (at + 2).checked_sub(phrase.len());
            start.is_some_and(|start| bytes[start..at + 2].eq_ignore_ascii_case(phrase.as_bytes()))
        };
        may_end_a_phrase([pair[0], pair[1]]) && PHRASES.iter().any(ends_here)
    })
}

/// Whether a word is one of [`SIGNS`], in capitals or not.
fn is_sign(word: &str) -> bool {
    may_be_a_sign(word.as_bytes()) && SIGNS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// A run of letters, digits, `_` and `/`, and what its bytes say.
struct Word {
    start: usize,
    end: usize,
    slashes: usize,
    /// Where its last part begins: after `_`, `/`, or where small letters end and a capital stands.
    last: usize,
    /// Where its first `_` is.
    first_end: Option<usize>,
    has_small: bool,
}

impl Word {
    /// Reads the word that begins at `start`, which may be empty.
    fn at(line: &str, start: usize) -> Self {
        let bytes = line.as_bytes();
        let mut word = Self { start, end: start, slashes: 0, last: start, first_end: None, has_small: false };
        let mut was_small = false;
        while let Some(byte) = bytes.get(word.end) {
            let mut length = 1;
            let mut is_small = false;
            match byte {
                b'a'..=b'z' => is_small = true,
                b'A'..=b'Z' if was_small => word.last = word.end,
                b'A'..=b'Z' | b'0'..=b'9' => {}
                b'_' | b'/' => {
                    word.last = word.end + 1;
                    word.slashes += usize::from(*byte == b'/');
                    if *byte == b'_' {
                        word.first_end.get_or_insert(word.end);
                    }
                }
                0..128 => break,
                _ => match line[word.end..].chars().next() {
                    Some(letter) if letter.is_alphanumeric() => length = letter.len_utf8(),
                    _ => break,
                },
            }
            word.has_small |= is_small;
            was_small = is_small;
            word.end += length;
        }
        word
    }

    /// The parts of a name that tell what it names: the last word of it, and the first of one in capitals,
    /// as in `ERR_TIMED_OUT`.
    fn telling_parts<'t>(&self, line: &'t str) -> impl Iterator<Item = &'t str> {
        let first = (!self.has_small).then(|| &line[self.start..self.first_end.unwrap_or(self.end)]);
        std::iter::once(&line[self.last..self.end]).chain(first)
    }
}

/// Whether a count of nothing follows: `errors=0`, `failed: 0`.
fn is_nothing(rest: &str) -> bool {
    let count = rest.trim_start_matches([' ', '=', ':', '"']);
    count.len() < rest.len()
        && count.len() + 4 > rest.len()
        && count.strip_prefix('0').is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("java.lang.NullPointerException: here", Alarm::Error),
            ("connect: ERR_NAME_NOT_RESOLVED", Alarm::Error),
            ("login_failed user=7", Alarm::Error),
            ("done, errors=0 failed: 0, 0 warnings, no error", Alarm::None),
            ("error: 0x80004005", Alarm::Error),
            ("copied /var/log/error/AuthFail.xml to /tmp/fail", Alarm::None),
            ("set onErrorCallback of error_handler", Alarm::None),
        ] {
            assert_eq!(Alarm::of(line), alarm, "{line}");
        }
    }
}
