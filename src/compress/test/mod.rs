//! The output of test runners and compilers: what failed, where and why; passes only as a count.
//!
//! Every line is read by `grammar.rs`. The headline, message and place of a failure go together,
//! failure by failure, before any detail; tests that passed, library frames and separators are not kept even where there
//! is room.

mod grammar;
mod layout;
mod signs;

use std::borrow::Cow;
use std::collections::HashSet;

use self::grammar::{Class, Reader};
use self::layout::{Failures, plain};
use super::draft::{Compressor, Draft, Piece};
use super::log::{first_line, folded_lines, repeats_note, split_piece};
use super::{Kind, Query};

/// A line of more bytes may have to be split, and is written as it is.
const PLAIN_MAX: usize = 900;

/// The output of a test runner or a compiler.
pub(super) struct Test;

impl Compressor for Test {
    fn kind(&self) -> Kind {
        Kind::Test
    }

    fn recognises(&self, sample: &str) -> u8 {
        signs::certainty(sample)
    }

    fn folds_repeats(&self) -> bool {
        true
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let lines = split_xml(text, folded_lines(text));
        let read = read(text, &lines);
        let is_summed_up = read.iter().any(|(class, _)| *class == Class::Summary);
        let passes = read.iter().filter(|(class, _)| *class == Class::Pass).count();
        let mut is_counted = is_summed_up || passes < 2;
        let answers = query.map(|query| Answers::of(text, &lines, &read, query));
        let mut headline = None;
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(lines.len());
        for (index, (span, repeats)) in lines.iter().enumerate() {
            let line = &text[span.clone()];
            let (class, failure) = read[index];
            // What passed is a number, unless it is asked for; separators and frames in libraries say
            // nothing.
            let lift = answers.as_ref().map_or(0.0, |answers| answers.lift(index, class, failure));
            let is_asked = class == Class::Pass && query.is_some_and(|query| query.names_something_in(line));
            let worth = if class == Class::Noise || (class == Class::Pass && !is_asked) {
                f64::NEG_INFINITY
            } else if is_asked {
                7.0
            } else {
                worth(class, failure) + lift - line.len() as f64 / 3_000.0
            };
            if class == Class::Pass && !std::mem::replace(&mut is_counted, true) {
                let count = Cow::Owned(format!("[{passes} passed]\n"));
                pieces.push(Piece { text: count, ..Piece::of(text, span.start..span.start, 9.0) });
            }
            // What was wrong and where is nothing without what failed.
            match (class, headline) {
                (Class::Summary | Class::Pass | Class::Mention | Class::Told, _) => headline = None,
                (Class::Warning, _) if line.starts_with(char::is_alphanumeric) => headline = Some((pieces.len(), 0)),
                (Class::Core, Some((_, of))) if of == failure => {}
                (Class::Core, _) => headline = Some((pieces.len(), failure)),
                _ => {}
            }
            let mut piece = Piece::of(text, span.clone(), worth);
            piece.needs = headline.map(|(at, _)| at).filter(|at| *at < pieces.len());
            if *repeats > 1 {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                piece.text = Cow::Owned(format!("{}{}{end}", first_line(line), repeats_note(*repeats)));
            } else if span.len() < PLAIN_MAX {
                piece.text = plain(line, class);
            }
            pieces.extend(split_piece(text, piece));
        }
        Draft { pieces, layout: Box::new(Failures) }
    }
}

/// What each line is, and how many failures had begun by then.
fn read(text: &str, lines: &[(std::ops::Range<usize>, usize)]) -> Vec<(Class, usize)> {
    let mut reader = Reader::default();
    let line = |index: usize| lines.get(index).map_or("", |(span, _)| first_line(&text[span.clone()]));
    let mut read: Vec<(Class, usize)> =
        (0..lines.len()).map(|index| (reader.class(line(index), line(index + 1)), reader.failures)).collect();
    // Some runners tell of all failures again at their end.
    if let Some(again) = (0..lines.len()).rev().find(|index| tells_again(line(*index).trim())) {
        let later: HashSet<&str> = (again..lines.len()).map(|index| line(index).trim()).collect();
        for (index, (class, _)) in read[..again].iter_mut().enumerate() {
            if !matches!(class, Class::Pass | Class::Noise | Class::Summary) && later.contains(line(index).trim()) {
                *class = Class::Told;
            }
        }
    }
    // A failure of which every word has been told is told again.
    let mut seen: HashSet<&str> = HashSet::new();
    let mut start = 0;
    while start < read.len() {
        let failure = read[start].1;
        let end = start + read[start..].iter().take_while(|(_, other)| *other == failure).count();
        let core: Vec<usize> = (start..end).filter(|index| read[*index].0 == Class::Core).collect();
        if core.iter().all(|index| seen.contains(line(*index).trim())) {
            core.iter().for_each(|index| read[*index].0 = Class::Mention);
        }
        seen.extend(core.iter().map(|index| line(*index).trim()));
        start = end;
    }
    let mut names: HashSet<&str> = HashSet::new();
    (0..read.len()).filter(|index| read[*index].0 == Class::Core).for_each(|index| names.extend(names_in(line(index))));
    // The headline of a test of cargo is needed where what went wrong does not name it.
    for (index, (class, _)) in read.iter_mut().enumerate() {
        let line = line(index).trim();
        if *class == Class::Mention && line.starts_with("---- ") && names_in(line).any(|name| !names.contains(name)) {
            *class = Class::Core;
            names.extend(names_in(line));
        }
    }
    for (index, (class, _)) in read.iter_mut().enumerate() {
        if !matches!(class, Class::Mention | Class::Frame) {
            continue;
        }
        let mut named = names_in(line(index)).peekable();
        if named.peek().is_some() && named.all(|name| names.contains(name)) {
            *class = if *class == Class::Frame { Class::Noise } else { Class::Told };
        }
    }
    read
}

/// Whether all failures are told from this line on, whatever was told before.
fn tells_again(line: &str) -> bool {
    line == "✖ failing tests:"
        || line == "Summary of all failing tests"
        || (line.starts_with('⎯') && (line.contains("Failed Suites ") || line.contains("Failed Tests ")))
}

/// The names of tests and the places in a line.
fn names_in(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "'\"`()[]<>,".contains(c))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| word.len() > 3 && word.contains(['_', ':']))
        .map(|word| if word.contains(".py::") { word.rsplit("::").next().unwrap_or(word) } else { word })
}

/// How well the lines and the failures answer a query.
struct Answers {
    of_line: Vec<f64>,
    of_failure: Vec<f64>,
}

impl Answers {
    fn of(text: &str, lines: &[(std::ops::Range<usize>, usize)], read: &[(Class, usize)], query: &Query) -> Self {
        let of_line = query.relevance(lines.iter().map(|(span, _)| &text[span.clone()]));
        let mut of_failure = vec![0.0_f64; read.last().map_or(0, |(_, failures)| *failures) + 1];
        for (answer, (class, failure)) in of_line.iter().zip(read) {
            if matches!(class, Class::Core | Class::Detail) {
                of_failure[*failure] = of_failure[*failure].max(*answer);
            }
        }
        Self { of_line, of_failure }
    }

    /// What is added to the worth of a line. The lines of a failure are lifted together.
    fn lift(&self, index: usize, class: Class, failure: usize) -> f64 {
        match class {
            Class::Core | Class::Detail => self.of_failure[failure],
            _ => self.of_line[index],
        }
    }
}

/// What a line of a class is worth, in the failure of this number. A failure that is told in full is
/// worth more than the beginnings of two.
fn worth(class: Class, failure: usize) -> f64 {
    let order = 1.0 / (1.0 + failure as f64 * 0.1);
    match class {
        Class::Summary => 9.5,
        Class::Core => 8.0 + order,
        Class::Detail => 6.0 + order,
        Class::Trouble => 5.5,
        Class::Mention => 5.0,
        Class::Frame => 4.0,
        Class::Near => 2.0,
        Class::Told => 1.0,
        Class::Other => 0.3,
        Class::Warning => 0.05,
        Class::Noise | Class::Pass => 0.03,
    }
}

/// Reports in XML are often one line: cuts it before each element.
fn split_xml(text: &str, lines: Vec<(std::ops::Range<usize>, usize)>) -> Vec<(std::ops::Range<usize>, usize)> {
    let is_report = |line: &str| line.len() > 400 && line.contains("<testcase");
    let mut split = Vec::with_capacity(lines.len());
    for (span, repeats) in lines {
        let line = &text[span.clone()];
        if repeats > 1 || !is_report(line) {
            split.push((span, repeats));
            continue;
        }
        let mut start = span.start;
        for (at, _) in line.match_indices("><").map(|(at, sign)| (span.start + at + 1, sign)) {
            split.push((start..at, 1));
            start = at;
        }
        split.push((start..span.end, 1));
    }
    split
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
        || is_count(line)
        || ((number("passed") || number("failed")) && line.contains(" in "))
}

/// `200 passing (135ms)`, `5 failing`, `✖ 253 problems (148 errors, 105 warnings)`, `Tests  8 failed | 399 passed (408)`.
fn is_count(line: &str) -> bool {
    let line = line.strip_prefix("✖ ").unwrap_or(line);
    let mut words = line.split_whitespace();
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    match first {
        "Tests" | "Snapshots" => is_number(second) && line.contains(['(', '|']),
        "Test" => second == "Files",
        "Tests:" | "Snapshots:" => true,
        _ => is_number(first) && matches!(second, "passing" | "failing" | "pending" | "problems" | "problem"),
    }
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

    /// Fits `text` without a query and returns what is left.
    fn fitted(text: &str, max_tokens: usize) -> String {
        let request = crate::compress::Request {
            kind: Some(Kind::Test),
            ..crate::compress::Request::new(text, Some(max_tokens), crate::tokens::Measure::default())
        };
        crate::compress::fit(&request).expect("fits").text
    }

    fn check(text: &str, max_tokens: usize, kept: &[&str], gone: &[&str]) {
        let out = fitted(text, max_tokens);
        for part in kept {
            assert!(out.contains(part), "{part:?} is missing in\n{out}");
        }
        for part in gone {
            assert!(!out.contains(part), "{part:?} is in\n{out}");
        }
    }

    fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
        (0..count).map(|index| line(index) + "\n").collect()
    }

    #[test]
    fn each_runner_keeps_name_message_and_place() {
        let passes = lines(80, |index| format!("test kettle::boils_{index} ... ok"));
        let cargo = format!(
            "running 81 tests\n{passes}test kettle::whistles ... FAILED\n\nfailures:\n\n---- kettle::whistles stdout ----\n\
             thread 'kettle::whistles' (77) panicked at src/kettle.rs:41:9:\nthe kettle is silent\n\
             stack backtrace:\n   0: core::panicking::panic_fmt\n             at /rustc/abc/library/core/src/panicking.rs:80:14\n\n\
             failures:\n    kettle::whistles\n\ntest result: FAILED. 80 passed; 1 failed; 0 ignored\n"
        );
        check(
            &cargo,
            85,
            &["kettle::whistles", "src/kettle.rs:41:9", "the kettle is silent", "80 passed"],
            &["boils_3", "/rustc/"],
        );

        let passes = lines(80, |index| format!("tests/test_tea.py::test_pours_{index} PASSED   [ {index}%]"));
        let pytest = format!(
            "=== test session starts ===\n{passes}tests/test_tea.py::test_steeps FAILED   [ 99%]\n\n=== FAILURES ===\n\
             ______________ test_steeps ______________\n\n    def test_steeps():\n        cup = brew(3)\n\
             >       assert cup.minutes == 4\nE       assert 3 == 4\n\ntests/test_tea.py:88: AssertionError\n\
             === short test summary info ===\nFAILED tests/test_tea.py::test_steeps - assert 3 == 4\n=== 1 failed, 80 passed in 0.20s ===\n"
        );
        check(
            &pytest,
            120,
            &["test_steeps", "assert 3 == 4", "tests/test_tea.py:88", "1 failed, 80 passed"],
            &["test_pours_4"],
        );

        let passes = lines(80, |index| format!("=== RUN   TestCup{index}\n--- PASS: TestCup{index} (0.00s)"));
        let go = format!(
            "{passes}=== RUN   TestSaucer\n    saucer_test.go:17: want round, got square\n--- FAIL: TestSaucer (0.00s)\nFAIL\nFAIL\tteahouse/saucer\t0.004s\n"
        );
        check(&go, 100, &["--- FAIL: TestSaucer", "saucer_test.go:17: want round, got square"], &["TestCup5"]);

        let passes = lines(80, |index| format!("    ✓ pours cup {index} (1 ms)"));
        let jest = format!(
            "FAIL src/spoon.test.js\n  spoon\n{passes}    ✕ stirs (4 ms)\n\n  ● spoon › stirs\n\n    expect(received).toBe(expected)\n\n\
             \u{20}   Expected: \"left\"\n    Received: \"right\"\n\n      at Object.<anonymous> (src/spoon.test.js:12:5)\n\
             \u{20}     at run (node_modules/jest-circus/build/run.js:3:1)\n\nTests:       1 failed, 80 passed, 81 total\n"
        );
        check(
            &jest,
            110,
            &[
                "● spoon › stirs",
                "expect(received).toBe(expected)",
                "Received: \"right\"",
                "src/spoon.test.js:12:5",
                "1 failed, 80 passed",
            ],
            &["pours cup 9"],
        );

        let passes = lines(60, |index| {
            format!("# Subtest: sugar {index}\nok {index} - sugar {index}\n  ---\n  duration_ms: 0.1\n  ...")
        });
        let tap = format!(
            "TAP version 13\n{passes}# Subtest: milk\nnot ok 61 - milk\n  ---\n  duration_ms: 0.3\n  location: '/app/milk.test.js:9:1'\n  error: |-\n    milk is sour\n  stack: |-\n    TestContext.<anonymous> (/app/milk.test.js:11:3)\n  ...\n# tests 61\n# pass 60\n# fail 1\n"
        );
        check(&tap, 110, &["not ok 61 - milk", "milk is sour", "milk.test.js:11:3", "# fail 1"], &["sugar 7"]);

        let cases: String =
            (0..60).map(|index| format!("<testcase classname=\"Tea\" name=\"cup{index}\" time=\"0.1\" />")).collect();
        let junit = format!(
            "<?xml version=\"1.0\"?><testsuites><testsuite name=\"tea\" tests=\"61\" failures=\"1\">{cases}<testcase classname=\"Tea\" name=\"lid\" time=\"0.1\"><failure message=\"lid is lost\">Tea.java:33</failure></testcase></testsuite></testsuites>"
        );
        check(&junit, 120, &["name=\"lid\"", "lid is lost", "Tea.java:33", "failures=\"1\""], &["cup7\""]);
        // A suite without failures may have errors, and one without errors failures.
        for counts in ["failures=\"0\" errors=\"3\"", "errors=\"0\" failures=\"20\"", "failures=\"1\""] {
            let broken = format!(
                "<?xml version=\"1.0\"?>\n<testsuites>\n<testsuite name=\"tea\" tests=\"61\" {counts}>\n{cases}\n<testcase classname=\"Tea\" name=\"lid\">\n<error message=\"lid is lost\">Tea.java:33</error>\n</testcase>\n</testsuite>\n</testsuites>\n"
            );
            check(&broken, 130, &[counts, "lid is lost"], &["cup7\""]);
        }

        let warnings = lines(40, |index| {
            format!(
                "warning: unused variable: `spare_{index}`\n --> src/lib.rs:{index}:9\n  |\n{index} |     let spare_{index} = 1;\n  |         ^^^^^ help: prefix it\n"
            )
        });
        let check_output = format!(
            "{warnings}error[E0308]: mismatched types\n  --> src/pot.rs:7:5\n   |\n7  |     \"full\"\n   |     ^^^^^^ expected `u32`, found `&str`\n\nerror: could not compile `tea` (lib) due to 1 previous error; 40 warnings emitted\n"
        );
        check(
            &check_output,
            110,
            &["error[E0308]", "src/pot.rs:7:5", "expected `u32`, found `&str`", "40 warnings"],
            &["spare_5`"],
        );
    }

    #[test]
    fn failures_are_written_closely_and_never_by_halves() {
        let error = |index: usize| {
            format!(
                "error[E0425]: cannot find value `cup_{index}` in this scope\n  --> src/tea.rs:{index}:9\n   |\n\
                 {index} |     cup_{index}\n   |     ^^^^^ not found in this scope\n"
            )
        };
        let text = lines(20, |index| error(index + 10)) + "error: could not compile `tea` due to 20 previous errors\n";
        let out = fitted(&text, 300);
        let first = "error[E0425]: cannot find value `cup_10` in this scope --> src/tea.rs:10:9\n\
                     cannot find value `cup_11` in this scope --> src/tea.rs:11:9\n";
        assert!(out.contains(first) && out.starts_with("[95 lines cut") && out.contains("due to 20 previous"), "{out}");
        for (index, line) in out.lines().enumerate().filter(|(_, line)| line.contains("-->")) {
            assert!(line.contains("cannot find"), "line {index} tells a place without what is there: {out}");
        }
    }

    #[test]
    fn names_that_are_told_are_not_listed_again() {
        let text = lines(60, |index| format!("test kettle::boils_{index} ... ok"))
            + "test kettle::whistles ... FAILED\n\nfailures:\n\nthread 'kettle::whistles' (7) panicked at src/kettle.rs:41:9:\n\
               silent\nstack backtrace:\n   5: kettle::whistles\n             at ./src/kettle.rs:41:9\n\nfailures:\n    kettle::whistles\n\n\
               test result: FAILED. 60 passed; 1 failed\n";
        check(&text, 60, &["'kettle::whistles'", "silent", "60 passed"], &["at ./src", "    kettle::whistles"]);
    }

    #[test]
    fn passes_without_a_summary_are_counted() {
        let text = lines(60, |index| format!("test kettle::boils_{index} ... ok"))
            + "thread 'x' panicked at src/x.rs:1:2:\nlost\n";
        check(&text, 60, &["[60 passed]", "src/x.rs:1:2", "lost"], &["boils_9"]);
    }

    #[test]
    fn runners_are_recognised() {
        assert!(Test.recognises("\nrunning 2 tests\ntest a ... ok\n\ntest result: ok. 2 passed\n") > 90);
        assert_eq!(Test.recognises("Ordinary words.\n"), 0);
    }
}
