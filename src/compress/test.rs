//! The output of test runners and compilers: what failed, where and why; passes only as a count.
//!
//! Lines are scored by what they look like in the output of pytest, unittest, cargo, node, jest, go
//! and compilers in general. Faithful where it is red, hard where it is green.

use std::borrow::Cow;

use super::draft::{Compressor, Draft, Piece};
use super::log::{first_line, folded_lines, repeats_note, split_piece};
use super::{Kind, Query};

/// How many lines after one that tells of a failure are thought to explain it.
const EXPLAINING: usize = 3;

/// The output of a test runner or a compiler.
pub(super) struct Test;

impl Compressor for Test {
    fn kind(&self) -> Kind {
        Kind::Test
    }

    fn recognises(&self, sample: &str) -> u8 {
        const CERTAIN: &[&str] = &[
            "test result: ",
            "test session starts",
            "\nFAILED (",
            "\n--- FAIL: ",
            "\n=== RUN ",
            "TAP version ",
            "\nTest Suites: ",
            "could not compile `",
            "<testsuite",
        ];
        const LIKELY: &[&str] =
            &["\nrunning ", "\nerror[E", "\nwarning: ", "\n   Compiling ", "\nok ", "\nnot ok ", "\nRan "];
        let count = |signs: &[&str]| signs.iter().filter(|sign| sample.contains(*sign)).count();
        let lines = sample.lines().filter(|line| !line.trim().is_empty()).take(400).count().max(1);
        let passes = sample.lines().take(400).filter(|line| is_pass(line)).count();
        match (count(CERTAIN), count(LIKELY)) {
            (1.., _) => 96,
            (0, 2..) => 80,
            (0, 1) if passes * 3 > lines => 75,
            _ if passes * 2 > lines && passes > 2 => 70,
            _ => 0,
        }
    }

    fn folds_repeats(&self) -> bool {
        true
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let lines = folded_lines(text);
        let answers = query.map(|query| query.relevance(lines.iter().map(|(span, _)| &text[span.clone()])));
        let mut explaining = 0;
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(lines.len());
        for (index, (span, repeats)) in lines.iter().enumerate() {
            let line = &text[span.clone()];
            let mut score = score(first_line(line));
            explaining = if score >= 5.0 { EXPLAINING } else { explaining };
            if explaining > 0 && score < 2.0 && !line.trim().is_empty() {
                score = score.max(2.0);
                explaining -= 1;
            }
            let named = answers.as_ref().map_or(0.0, |answers| 3.0 * answers[index]);
            let worth = score + named - line.len() as f64 / 3_000.0;
            let mut piece = Piece::of(text, span.clone(), worth);
            if *repeats > 1 {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                piece.text = Cow::Owned(format!("{}{}{end}", first_line(line), repeats_note(*repeats)));
            }
            pieces.extend(split_piece(text, piece));
        }
        Draft::of_lines(pieces)
    }
}

/// What a line is worth.
fn score(line: &str) -> f64 {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return 0.0;
    }
    let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
    if is_summary(trimmed) {
        return 9.0;
    }
    if is_pass(line) {
        return 0.02;
    }
    if starts(&["warning"]) || trimmed.contains(" warning: ") || trimmed.contains("Warning: ") {
        return 0.05;
    }
    let failing = starts(&[
        "E   ",
        "error[",
        "error:",
        "error ",
        "Error: ",
        "FAILED ",
        "FAIL ",
        "FAIL:",
        "ERROR ",
        "ERROR:",
        "--- FAIL",
        "not ok ",
        "panicked at",
        "assertion ",
        "AssertionError",
        "assert ",
        "--> ",
        "left:",
        "right:",
        "✗",
        "✖",
        "● ",
        "Expected",
        "Received",
        "expected:",
        "actual:",
        "thread '",
    ]) || trimmed.contains("panicked at")
        || trimmed.contains("AssertionError")
        || trimmed.ends_with("... FAILED")
        || trimmed.ends_with("... FAIL")
        || trimmed.ends_with("... ERROR")
        || (starts(&["---- "]) && trimmed.ends_with("----"))
        || (starts(&["____"]) && trimmed.ends_with("____"));
    if failing {
        return 8.0;
    }
    // Exceptions by name: `ValueError: bad`, `java.io.IOException: gone`.
    let head = trimmed.split([':', ' ']).next().unwrap_or("");
    if (head.ends_with("Error") || head.ends_with("Exception") || head.ends_with("Panic")) && trimmed.len() > head.len()
    {
        return 8.0;
    }
    if has_place(trimmed) {
        return 4.0;
    }
    let lower = trimmed.to_ascii_lowercase();
    if ["fail", "error", "panic", "exception", "abort", "timed out", "killed"].iter().any(|sign| lower.contains(sign)) {
        return 5.0;
    }
    if starts(&[
        "Compiling ",
        "Downloading ",
        "Downloaded ",
        "Checking ",
        "Fresh ",
        "Running ",
        "Finished ",
        "Doc-tests ",
    ]) {
        return 0.03;
    }
    0.3
}

/// `12 passed, 1 failed`, `test result: FAILED. ...`, `Ran 3 tests in 0.1s`, `# fail 2`, ...
fn is_summary(line: &str) -> bool {
    let line = line.trim_matches(['=', ' ']);
    let number = |word: &str| {
        line.split_once(word).is_some_and(|(before, _)| before.trim_end().ends_with(|c: char| c.is_ascii_digit()))
    };
    line.starts_with("test result: ")
        || line.starts_with("FAILED (")
        || line.starts_with("Tests: ")
        || line.starts_with("Test Suites: ")
        || (line.starts_with("Ran ") && line.contains(" test"))
        || ["# pass ", "# fail ", "# tests ", "ℹ pass ", "ℹ fail "].iter().any(|sign| line.starts_with(sign))
        || line.starts_with("error: could not compile")
        || line.starts_with("error: test failed")
        || ((number("passed") || number("failed")) && line.contains(" in "))
}

/// Whether a line only says that one test went well.
fn is_pass(line: &str) -> bool {
    let line = line.trim();
    (line.starts_with("test ") && (line.ends_with("... ok") || line.ends_with("... ignored")))
        || line.ends_with(" ... ok")
        || line.ends_with(" PASSED")
        || (line.contains(" PASSED ") && line.ends_with("%]"))
        || ["ok ", "✓ ", "✔ ", "√ ", "PASS ", "--- PASS", "=== RUN", "PASSED "]
            .iter()
            .any(|sign| line.starts_with(sign))
}

/// Whether a line names a place in a file: `src/x.rs:12`, `File "x.py", line 12`, `(x.js:3:1)`.
fn has_place(line: &str) -> bool {
    if line.starts_with("File \"") && line.contains(", line ") {
        return true;
    }
    let mut rest = line;
    while let Some(at) = rest.find(':') {
        let after = rest.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
        let word = rest[..at].rsplit(|c: char| c.is_whitespace() || "(\"'[".contains(c)).next().unwrap_or("");
        let extension = word.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_name =
            !extension.is_empty() && extension.len() <= 5 && extension.bytes().all(|b| b.is_ascii_alphabetic());
        if after && is_name {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_outranks_what_passed() {
        let ranks = [
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; finished in 0.01s",
            "thread 'a::b' panicked at src/x.rs:12:5:",
            "some failure was seen",
            "   0: core::panicking at ./src/x.rs:12:5",
            "Some words.",
            "warning: unused variable",
            "test a::c ... ok",
        ];
        let scores: Vec<f64> = ranks.iter().map(|line| score(line)).collect();
        for pair in scores.windows(2) {
            assert!(pair[0] >= pair[1], "{scores:?}");
        }
        assert!(score("tests/test_x.py::test_y PASSED   [ 50%]") < 0.1);
        assert_eq!(score("E       assert 1 == 2"), 8.0);
        assert_eq!(score("===== 1 failed, 3 passed in 0.12s ====="), 9.0);
    }

    #[test]
    fn runners_are_recognised() {
        assert!(Test.recognises("\nrunning 2 tests\ntest a ... ok\n\ntest result: ok. 2 passed\n") > 90);
        assert_eq!(Test.recognises("Ordinary words.\n"), 0);
    }
}
