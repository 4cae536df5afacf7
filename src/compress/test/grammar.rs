//! What a line of test or compiler output is, and whose failure it belongs to.
//!
//! One reader for all runners: pytest, unittest, cargo, node's TAP and spec reports, go, jest, vitest,
//! JUnit XML and compilers in general print different words, but each failure has a headline, a
//! message and a place, and what stands between them is detail.

use super::{has_place, is_pass, is_summary};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// It sums up the whole run.
    Summary,
    /// It begins a failure, or says what or where it was.
    Core,
    /// The source line at which it happened, values that were compared.
    Detail,
    /// It names a failure that is told elsewhere at length.
    Mention,
    /// It names a failure that is told, and nothing else.
    Told,
    /// A further place on the way, in the user's own code.
    Frame,
    /// It tells of trouble in words of its own.
    Trouble,
    /// It stands near a failure.
    Near,
    /// Anything else.
    Other,
    /// A warning, or a part of one.
    Warning,
    /// A step of a build, a separator, a frame in a library.
    Noise,
    /// One test that went well.
    Pass,
}

/// Reads lines in their order.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// How many failures have begun.
    pub(super) failures: usize,
    block: Block,
    /// How many of the next lines are the message.
    messages: usize,
    /// The failure of which pytest has said what it was.
    told: usize,
    /// How many of the next lines are near a failure.
    near: usize,
    /// Whether the place of the failure has been seen.
    placed: bool,
    /// Whether the line before was a frame in the user's code, or in a library.
    frame: Option<bool>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Block {
    #[default]
    None,
    /// A diagnostic of a compiler, up to a blank line.
    Error,
    Warning,
    /// What pytest captured, the YAML of a test that passed.
    Captured,
    PassYaml,
    /// The list of names at the end of `cargo test`.
    Names,
}

const NEAR: usize = 3;

impl Reader {
    /// Returns what the next line is.
    pub(super) fn class(&mut self, line: &str) -> Class {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            if matches!(self.block, Block::Error | Block::Warning | Block::Names) {
                self.block = Block::None;
            }
            self.frame = None;
            return Class::Noise;
        }
        let class = self.of(line, trimmed);
        if matches!(class, Class::Core | Class::Detail | Class::Trouble) {
            self.near = NEAR;
        } else if class == Class::Other && self.near > 0 {
            self.near -= 1;
            return Class::Near;
        }
        class
    }

    fn of(&mut self, line: &str, trimmed: &str) -> Class {
        if is_summary(trimmed) {
            self.block = Block::None;
            return Class::Summary;
        }
        if let Some((dots, _)) = trimmed.split_once('[').filter(|(_, rest)| rest.ends_with("%]"))
            && dots.trim_end().bytes().all(|byte| b".sxXFE".contains(&byte))
        {
            return if dots.contains(['F', 'E']) { Class::Noise } else { Class::Pass };
        }
        if self.block == Block::PassYaml {
            if trimmed == "..." {
                self.block = Block::None;
            }
            if line.starts_with(' ') {
                return Class::Pass;
            }
        }
        if is_pass(line) {
            self.block = if is_tap(trimmed) { Block::PassYaml } else { Block::None };
            self.messages = 0;
            return Class::Pass;
        }
        if let Some(class) = self.headline(line, trimmed) {
            return class;
        }
        match self.block {
            Block::Warning => return Class::Warning,
            Block::Names if line.starts_with(' ') => return Class::Mention,
            Block::Captured => return Class::Other,
            Block::Error => return self.diagnostic(trimmed),
            _ => {}
        }
        if let Some(class) = self.frame(line, trimmed) {
            return class;
        }
        if self.messages > 0 && !is_separator(trimmed) {
            self.messages -= 1;
            return Class::Core;
        }
        self.rest(trimmed)
    }

    fn begin(&mut self, messages: usize) -> Class {
        self.failures += 1;
        self.block = Block::None;
        self.placed = false;
        self.frame = None;
        self.messages = messages;
        Class::Core
    }

    /// A line that begins something.
    fn headline(&mut self, line: &str, trimmed: &str) -> Option<Class> {
        let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
        let is_left = !line.starts_with([' ', '\t']);
        if is_left && (starts(&["error[", "error: ", "Error: "]) || is_located(trimmed, "error")) {
            let class = self.begin(0);
            self.block = Block::Error;
            self.placed = is_located(trimmed, "error");
            return Some(class);
        }
        if is_left && (starts(&["warning: ", "warning["]) || is_located(trimmed, "warning")) {
            self.block = Block::Warning;
            return Some(Class::Warning);
        }
        // pytest and unittest.
        if trimmed.starts_with("___") && trimmed.ends_with("___") && trimmed.contains(|c: char| c.is_alphanumeric()) {
            return Some(self.begin(0));
        }
        if is_left && starts(&["FAIL: ", "ERROR: "]) {
            return Some(self.begin(0));
        }
        if trimmed.starts_with("---") && trimmed.ends_with("---") && trimmed.contains("Captured ") {
            self.block = Block::Captured;
            return Some(Class::Noise);
        }
        if trimmed.starts_with("E   ") {
            // The first says what, the others how.
            let class = if self.told == self.failures && self.failures > 0 { Class::Detail } else { Class::Core };
            self.told = self.failures;
            return Some(class);
        }
        if trimmed.starts_with("> ") && line.starts_with('>') {
            return Some(Class::Detail);
        }
        // cargo test.
        if starts(&["---- "]) && trimmed.ends_with("----") {
            self.begin(0);
            return Some(Class::Mention);
        }
        if trimmed.starts_with("===") && trimmed.ends_with("===") {
            return Some(Class::Noise);
        }
        if trimmed == "failures:" {
            self.block = Block::Names;
            return Some(Class::Noise);
        }
        if trimmed.contains("panicked at ") {
            if self.failures == 0 || self.placed {
                self.begin(0);
            }
            self.block = Block::None;
            self.placed = true;
            self.messages = 1;
            return Some(Class::Core);
        }
        // TAP, node, go, jest, vitest, JUnit.
        if trimmed.starts_with("not ok ") {
            return Some(self.begin(0));
        }
        if starts(&["error: ", "message: ", "error: |-"]) && self.failures > 0 {
            self.messages = if trimmed.ends_with("|-") || trimmed.ends_with('|') { 1 } else { 0 };
            return Some(Class::Core);
        }
        if starts(&["--- FAIL", "✖ ", "✗ ", "● ", "<failure", "<error"]) || (is_left && starts(&["panic: "])) {
            let messages =
                usize::from(!starts(&["--- FAIL", "panic: "])) + usize::from(trimmed.starts_with("--- FAIL"));
            return Some(if starts(&["✖ failing tests"]) { Class::Noise } else { self.begin(messages) });
        }
        if trimmed.starts_with("FAIL ") && trimmed.contains(" > ") {
            return Some(self.begin(1));
        }
        if trimmed.starts_with("<testcase") {
            return Some(if trimmed.ends_with("/>") { Class::Pass } else { Class::Detail });
        }
        if trimmed.starts_with("<testsuite ") {
            return Some(Class::Summary);
        }
        let ends = [" ... FAILED", " ... FAIL", " ... ERROR", " FAILED"].iter().any(|sign| trimmed.ends_with(sign));
        if ends || starts(&["FAILED ", "ERROR ", "FAIL ", "FAIL\t", "× "]) || is_pytest_result(trimmed) {
            self.block = Block::None;
            return Some(Class::Mention);
        }
        None
    }

    /// A line within a diagnostic of a compiler.
    fn diagnostic(&mut self, trimmed: &str) -> Class {
        if trimmed.starts_with("--> ") || trimmed.starts_with("at ") {
            let first = !std::mem::replace(&mut self.placed, true);
            return if first { Class::Core } else { Class::Frame };
        }
        let after_gutter = trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let Some(source) = after_gutter.strip_prefix('|') else {
            return if trimmed.starts_with(['=', '|', ':']) || trimmed == "..." { Class::Other } else { Class::Near };
        };
        let source = source.trim();
        if source.trim_matches(|c: char| "^-|_~ ".contains(c)).is_empty() {
            return Class::Noise;
        }
        Class::Detail
    }

    /// A line of a stack trace.
    fn frame(&mut self, line: &str, trimmed: &str) -> Option<Class> {
        let numbered = trimmed.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
        let is_frame = trimmed.starts_with("at ")
            || trimmed.starts_with("❯ ")
            || (trimmed.starts_with("File \"") && trimmed.contains(", line "))
            || (line.starts_with('\t') && trimmed.contains(".go:"));
        if numbered && line.starts_with("  ") && trimmed.contains("::") {
            return Some(Class::Noise);
        }
        if is_frame {
            let own = !is_library(trimmed) && has_place(trimmed);
            self.frame = Some(own);
            if !own {
                return Some(Class::Noise);
            }
            // In Python the last place is where it happened, everywhere else the first.
            let first = !std::mem::replace(&mut self.placed, true);
            return Some(if first || trimmed.starts_with("File \"") { Class::Core } else { Class::Frame });
        }
        match self.frame.take() {
            // The source line below a frame.
            Some(own) if line.starts_with("    ") => Some(if own { Class::Near } else { Class::Noise }),
            _ => None,
        }
    }

    fn rest(&mut self, trimmed: &str) -> Class {
        let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
        if is_separator(trimmed) || starts(&["Traceback (", "stack backtrace:", "stack: ", "# Subtest"]) {
            return Class::Noise;
        }
        let head = trimmed.split([':', ' ', '[']).next().unwrap_or("");
        let is_exception = ["Error", "Exception", "Panic", "Failure"].iter().any(|end| head.ends_with(end));
        if is_exception && trimmed.len() > head.len() {
            if self.failures == 0 {
                self.begin(0);
            }
            return Class::Core;
        }
        if has_place(trimmed) && self.failures > 0 {
            let first = !std::mem::replace(&mut self.placed, true);
            return if first { Class::Core } else { Class::Frame };
        }
        if starts(&["left:", "right:", "Expected", "Received", "expected:", "actual:", "assert", "- ", "+ "])
            || trimmed.contains(" !== ")
        {
            return Class::Detail;
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
            "Updating ",
            "Locking ",
            "Blocking ",
            "duration_ms",
            "type: ",
            "failureType",
        ]) {
            return Class::Noise;
        }
        if trimmed.contains("warning: ") || trimmed.contains("Warning: ") {
            return Class::Warning;
        }
        let lower = trimmed.to_ascii_lowercase();
        if ["fail", "error", "panic", "exception", "abort", "timed out", "killed"].iter().any(|s| lower.contains(s)) {
            return Class::Trouble;
        }
        if has_place(trimmed) { Class::Frame } else { Class::Other }
    }
}

fn is_tap(line: &str) -> bool {
    line.strip_prefix("ok ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `src/x.c:3:5: error: ...`, `src/x.ts(3,5): error TS1: ...`.
fn is_located(line: &str, word: &str) -> bool {
    let Some(at) = line.find(word) else { return false };
    let before = line[..at].trim_end();
    before.ends_with(':') && before.contains(|c: char| c.is_ascii_digit()) && before.contains('.') && at < 200
}

/// `tests/test_x.py::test_y FAILED   [ 50%]`.
fn is_pytest_result(line: &str) -> bool {
    line.contains("::") && line.ends_with("%]") && (line.contains(" FAILED ") || line.contains(" ERROR "))
}

fn is_separator(line: &str) -> bool {
    line.len() >= 3 && line.bytes().all(|byte| b"=-_*~.".contains(&byte))
}

/// Whether a frame is in code that nobody here wrote.
pub(in crate::compress) fn is_library(frame: &str) -> bool {
    const SIGNS: &[&str] = &[
        "/rustc/",
        "/.cargo/registry/",
        "/.rustup/",
        "node:",
        "node_modules/",
        "site-packages/",
        "dist-packages/",
        "/lib/python",
        "<frozen ",
        "/usr/local/go/src/",
        "/pkg/mod/",
        "at java.",
        "at javax.",
        "at jdk.",
        "at sun.",
        "at org.junit.",
        "at kotlin.",
        "at scala.",
        "at org.springframework.",
        "at org.apache.",
        "(native)",
        "internal/",
    ];
    SIGNS.iter().any(|sign| frame.contains(sign))
}
