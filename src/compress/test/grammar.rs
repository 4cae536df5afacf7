//! What a line of test or compiler output is, and whose failure it belongs to.
//!
//! One reader for all runners: pytest, unittest, cargo, node's TAP and spec reports, go, jest, vitest,
//! mocha, ESLint, JUnit XML and compilers in general print different words, but each failure has a headline, a
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
    /// Within a traceback of Python, which ends with what was raised.
    traced: bool,
    /// A headline has been read that names a test, and nothing of what was wrong.
    named: bool,
    /// mocha has begun to tell of its failures.
    listed: bool,
    /// How far the first line of a message of go is indented; what is further in belongs to it.
    said_at: Option<usize>,
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
    /// The names of a test of mocha and of what it is in.
    Titles,
}

const NEAR: usize = 3;

impl Reader {
    /// Returns what the next line is; some lines are known by the line `after` them.
    pub(super) fn class(&mut self, line: &str, after: &str) -> Class {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            self.said_at = None;
            if matches!(self.block, Block::Error | Block::Warning | Block::Names) {
                self.block = Block::None;
            }
            self.frame = None;
            return Class::Noise;
        }
        let class = self.of(line, trimmed, after);
        if matches!(class, Class::Core | Class::Detail | Class::Trouble) {
            self.near = NEAR;
        } else if class == Class::Other && self.near > 0 {
            self.near -= 1;
            return Class::Near;
        }
        class
    }

    fn of(&mut self, line: &str, trimmed: &str, after: &str) -> Class {
        // Most lines of cargo, which are nothing else.
        if line.starts_with("test ") && trimmed.ends_with(" ... ok") {
            self.block = Block::None;
            self.messages = 0;
            return Class::Pass;
        }
        if is_summary(trimmed) {
            self.block = Block::None;
            self.listed |= trimmed.ends_with(" failing");
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
        if let Some(class) = self.headline(line, trimmed, after) {
            return class;
        }
        if let Some(class) = self.traceback(line, trimmed) {
            return class;
        }
        match self.block {
            Block::Warning => return Class::Warning,
            Block::Names if line.starts_with(' ') => return Class::Mention,
            Block::Captured => return Class::Other,
            Block::Error => return self.diagnostic(trimmed),
            _ => {}
        }
        if let Some(class) = self.frame(line, trimmed, after) {
            return class;
        }
        if let Some(indent) = self.said_at {
            if line.len() - line.trim_start().len() > indent {
                return Class::Core;
            }
            self.said_at = None;
        }
        if self.messages > 0 && !is_separator(trimmed) {
            self.messages -= 1;
            return Class::Core;
        }
        self.rest(line, trimmed)
    }

    fn begin(&mut self, messages: usize) -> Class {
        self.failures += 1;
        self.block = Block::None;
        self.placed = false;
        self.frame = None;
        self.messages = messages;
        self.traced = false;
        self.named = false;
        self.said_at = None;
        Class::Core
    }

    /// Begins a failure, unless the line before named the test that this is about.
    fn begin_or_go_on(&mut self, messages: usize) -> Class {
        if !std::mem::take(&mut self.named) {
            return self.begin(messages);
        }
        self.block = Block::None;
        self.messages = messages;
        Class::Core
    }

    /// A line of a traceback of Python that is not a frame: the last one says what was raised, whatever its name.
    fn traceback(&mut self, line: &str, trimmed: &str) -> Option<Class> {
        if trimmed.starts_with("Traceback (most recent call last)") {
            self.traced = !line.starts_with(' ');
            return Some(Class::Noise);
        }
        if trimmed.starts_with("The above exception was the direct") || trimmed.starts_with("During handling of the") {
            // What follows is told anew.
            self.told = usize::MAX;
            return Some(Class::Near);
        }
        if self.traced && !line.starts_with([' ', '\t', '[']) {
            self.traced = false;
            self.frame = None;
            return Some(if is_separator(trimmed) { Class::Noise } else { Class::Core });
        }
        None
    }

    /// A line that begins something.
    fn headline(&mut self, line: &str, trimmed: &str, after: &str) -> Option<Class> {
        let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
        let is_left = !line.starts_with([' ', '\t']);
        if is_left && starts(&["error: test failed", "error: doctest failed", "error: script failed"])
            || (starts(&["error: "]) && trimmed.ends_with(" failed:"))
        {
            self.block = Block::Names;
            return Some(Class::Told);
        }
        if is_left && starts(&["Error: "]) {
            return Some(self.begin_or_go_on(0));
        }
        if is_left && (starts(&["error[", "error: "]) || is_located(trimmed, "error") || is_undefined(trimmed)) {
            let class = self.begin(0);
            self.block = Block::Error;
            self.placed = is_located(trimmed, "error");
            return Some(class);
        }
        if is_left && (starts(&["warning: ", "warning["]) || is_located(trimmed, "warning")) {
            self.block = Block::Warning;
            return Some(Class::Warning);
        }
        // go and others that name the place and what is wrong there, on one line.
        if is_left && is_placed(trimmed) {
            return Some(match trimmed {
                _ if trimmed.contains(": note: ") || trimmed.contains(" required from ") && !is_here(trimmed) => {
                    Class::Other
                }
                _ if is_here(trimmed) => Class::Core,
                _ if is_library(trimmed) || trimmed.contains(": In ") => Class::Noise,
                _ => {
                    self.begin(0);
                    self.placed = true;
                    Class::Core
                }
            });
        }
        // ESLint: the path of a file, and its problems below it.
        if let Some(is_error) = problem(line) {
            return Some(if is_error { Class::Core } else { Class::Warning });
        }
        if is_left && problem(after).is_some() {
            return Some(self.begin(0));
        }
        // mocha: `1) cart`, and the names within it on lines of their own, up to a colon.
        if let Some((number, _)) = trimmed.split_once(") ")
            && !number.is_empty()
            && number.len() < 5
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !is_left
        {
            if !self.listed {
                return Some(Class::Mention);
            }
            let class = self.begin(usize::from(trimmed.ends_with(':')));
            self.block = if trimmed.ends_with(':') { Block::None } else { Block::Titles };
            return Some(class);
        }
        if self.block == Block::Titles {
            if trimmed.ends_with(':') {
                self.block = Block::None;
                self.messages = 1;
            }
            return Some(Class::Core);
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
            let said = trimmed[1..].trim();
            if said.trim_matches(['^', '~', ' ']).is_empty() {
                return Some(Class::Noise);
            }
            // The first says what, the others how.
            let is_new = self.told != self.failures || self.failures == 0 || is_raised(said);
            self.told = self.failures;
            return Some(if is_new { Class::Core } else { Class::Detail });
        }
        if trimmed.starts_with("> ") && line.starts_with('>') {
            return Some(Class::Detail);
        }
        // cargo test.
        if starts(&["---- "]) && trimmed.ends_with("----") {
            self.begin(0);
            self.named = true;
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
            self.named = false;
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
        // node names the place of a test above it.
        if starts(&["test at "]) && has_place(trimmed) {
            self.begin(0);
            self.named = true;
            self.placed = true;
            return Some(Class::Core);
        }
        if starts(&["✖ "]) && self.named {
            return Some(self.begin_or_go_on(1));
        }
        if starts(&["<failure", "<error"]) && self.named {
            return Some(self.begin_or_go_on(1));
        }
        if starts(&["--- FAIL", "✖ ", "✗ ", "● ", "<failure", "<error"]) || (is_left && starts(&["panic: "])) {
            let messages =
                usize::from(!starts(&["--- FAIL", "panic: "])) + usize::from(trimmed.starts_with("--- FAIL"));
            return Some(if starts(&["✖ failing tests"]) { Class::Noise } else { self.begin(messages) });
        }
        if trimmed.starts_with("FAIL ") && (trimmed.contains(" > ") || trimmed.contains(" [ ")) {
            return Some(self.begin(1));
        }
        if trimmed.starts_with("<testcase") {
            let told = |sign: &&str| after.trim_start().starts_with(*sign) || trimmed.contains(*sign);
            if !["<failure", "<error"].iter().any(told) {
                return Some(Class::Pass);
            }
            self.begin(0);
            self.named = true;
            return Some(Class::Core);
        }
        if trimmed.starts_with("<testsuite ") {
            let count = |name: &str| trimmed.split_once(name).map(|(_, rest)| rest.starts_with("0\""));
            let counts = [count(" failures=\""), count(" errors=\"")];
            let is_good = counts.contains(&Some(true)) && !counts.contains(&Some(false));
            return Some(if is_good { Class::Noise } else { Class::Summary });
        }
        if trimmed.starts_with("</") || trimmed.starts_with("<skipped") {
            return Some(Class::Noise);
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
    fn frame(&mut self, line: &str, trimmed: &str, after: &str) -> Option<Class> {
        let numbered = trimmed.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
        let is_frame = trimmed.starts_with("at ")
            || trimmed.starts_with("❯ ")
            || (trimmed.starts_with("File \"") && trimmed.contains(", line "))
            || (line.starts_with('\t') && trimmed.contains(".go:"));
        if numbered && line.starts_with("  ") && trimmed.contains("::") {
            return Some(Class::Noise);
        }
        // go writes the call above its place.
        if line.ends_with(')') && !line.starts_with([' ', '\t']) && after.starts_with('\t') && after.contains(".go:") {
            let is_told = self.placed || is_library(after) || is_library(trimmed);
            return Some(if is_told { Class::Noise } else { Class::Core });
        }
        // pytest writes `path:line: in name` in its short form.
        if let Some((place, _)) = trimmed.split_once(": in ")
            && place.contains(".py:")
        {
            let own = !is_library(trimmed);
            self.frame = Some(own);
            return Some(if own { Class::Core } else { Class::Noise });
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

    fn rest(&mut self, line: &str, trimmed: &str) -> Class {
        let starts = |signs: &[&str]| signs.iter().any(|sign| trimmed.starts_with(sign));
        if is_separator(trimmed)
            || (trimmed.starts_with("goroutine ") && trimmed.ends_with("]:"))
            || (trimmed.starts_with("panic: ") && line.starts_with('\t'))
            || matches!(
                trimmed,
                "FAIL" | "PASS" | "+ actual - expected" | "+ expected - actual" | "stderr:" | "stdout:"
            )
            || starts(&[
                "Traceback:",
                "stack backtrace:",
                "stack: ",
                "# Subtest",
                "Test executable failed",
                "Hint: make",
                "created by ",
                "panic({",
            ])
            || (has_place(trimmed) && is_library(trimmed))
        {
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
            // In Python the last place is where it happened; go's messages stand behind the place.
            let is_telling = trimmed.contains(".py:") || said_by_go(trimmed);
            if said_by_go(trimmed) {
                self.said_at = Some(line.len() - line.trim_start().len());
            }
            return if first || is_telling { Class::Core } else { Class::Frame };
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

/// `src/x.go:3:5: what is wrong`.
pub(super) fn is_placed(line: &str) -> bool {
    let line = line.strip_prefix("vet: ").unwrap_or(line);
    let Some((place, said)) = line.split_once(": ") else { return false };
    let mut parts = place.rsplitn(3, ':');
    let is_number =
        |part: Option<&str>| part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let numbers = is_number(parts.next()) && is_number(parts.next());
    numbers && !said.trim().is_empty() && parts.next().is_some_and(|path| path.contains('.') && !path.contains(' '))
}

/// Whether this is the place in one's own code that a template of C++ was asked for.
fn is_here(line: &str) -> bool {
    line.ends_with(" required from here")
}

/// What a linker has not found.
fn is_undefined(line: &str) -> bool {
    line.contains(": undefined reference to ") || line.contains(": multiple definition of ")
}

/// A problem as ESLint writes it below the path of a file: `  3:16  error  what  rule`; whether it is an error.
pub(super) fn problem(line: &str) -> Option<bool> {
    if !line.starts_with(' ') {
        return None;
    }
    let mut words = line.split_whitespace();
    let (row, column) = words.next()?.split_once(':')?;
    let numbers = [row, column].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    match words.next()? {
        "error" if numbers => Some(true),
        "warning" if numbers => Some(false),
        _ => None,
    }
}

/// Whether what pytest tells is what was raised.
fn is_raised(said: &str) -> bool {
    let name = said.split([':', ' ']).next().unwrap_or("");
    ["Error", "Exception"].iter().any(|end| name.ends_with(end))
        || (said[name.len()..].starts_with(": ") && name.contains('.') && !name.contains(['\'', '"', '/']))
}

/// `cart_test.go:17: want round`.
fn said_by_go(line: &str) -> bool {
    line.split_once(".go:").is_some_and(|(path, rest)| {
        !path.contains([' ', '/'])
            && rest.split_once(": ").is_some_and(|(line, _)| line.bytes().all(|b| b.is_ascii_digit()))
    })
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
        "/usr/lib/go",
        "/src/testing/",
        "/src/runtime/",
        "_testmain.go",
        "testing.tRunner(",
        "testing.(*",
        "/usr/include/",
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
