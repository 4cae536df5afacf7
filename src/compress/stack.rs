//! Stack traces outside tests: the chain of causes, their messages, and the frames of the user's own
//! code; frames of libraries are folded.
//!
//! Known are Python, Java and Kotlin, JavaScript, Rust, Go with its goroutines, and .NET. A trace among
//! the lines of a log is the log's business; this is for texts that are mostly traces.

use std::collections::HashMap;
use std::ops::Range;

use super::draft::{Compressor, Draft, Layout, Piece, runs, write_gap};
use super::log::{split_piece, tells_of_an_error, template};
use super::marks::Marks;
use super::{Kind, Query, lines};
use crate::base::thousands;

/// How much of a text is looked at, in bytes.
const SAMPLE: usize = 16 * 1024;

/// A text with fewer frames is no trace.
const FRAMES_MIN: usize = 3;

/// Traces of calls.
pub(super) struct Stack;

impl Stack {
    /// Returns whether `text` is mostly traces.
    pub(super) fn is(text: &str) -> bool {
        let sample = &text[..text.floor_char_boundary(SAMPLE)];
        share(sample) >= 45
    }
}

/// How much of a text are the lines of traces, in percent; 0 where there are only a few frames.
pub(super) fn share(sample: &str) -> usize {
    let mut reader = Reader::default();
    let (mut frames, mut traced, mut all) = (0, 0, 0);
    for line in sample.lines().filter(|line| !line.trim().is_empty()) {
        all += 1;
        let part = reader.read(line);
        frames += usize::from(matches!(part, Part::Frame { .. }));
        traced += usize::from(part != Part::Other);
    }
    if frames < FRAMES_MIN { 0 } else { traced * 100 / all }
}

impl Compressor for Stack {
    fn kind(&self) -> Kind {
        Kind::Log
    }

    fn recognises(&self, sample: &str) -> u8 {
        match share(sample) {
            45.. => 90,
            _ => 0,
        }
    }

    fn folds_repeats(&self) -> bool {
        true
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let lines: Vec<Range<usize>> = lines::spans(text).collect();
        let mut reader = Reader::default();
        let parts: Vec<Part> = lines.iter().map(|span| reader.read(text[span.clone()].trim_end())).collect();
        let traces = Traces::of(text, &lines, &parts);
        let answers = query.map(|query| query.relevance(lines.iter().map(|span| &text[span.clone()])));
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(lines.len());
        let mut folded = Vec::with_capacity(lines.len());
        let mut frame = None;
        for (index, span) in lines.iter().enumerate() {
            let line = &text[span.clone()];
            let mut worth = traces.worth(index, parts[index], line);
            if let (Some(answers), Some(query)) = (&answers, query) {
                let named = if query.names_something_in(line) { 40.0 } else { 0.0 };
                let answer = 30.0 * answers[index] + named;
                worth = if worth == f64::NEG_INFINITY && answer > 20.0 { answer } else { worth + answer };
            }
            let needs = match parts[index] {
                Part::Detail => frame,
                Part::Frame { .. } => {
                    frame = Some(pieces.len());
                    None
                }
                _ => {
                    frame = None;
                    None
                }
            };
            let is_frame = matches!(parts[index], Part::Frame { is_own: false });
            for piece in split_piece(text, Piece { needs, ..Piece::of(text, span.clone(), worth) }) {
                pieces.push(piece);
                folded.push(is_frame);
            }
        }
        Draft { pieces, layout: Box::new(Folded { is_library: folded }) }
    }
}

/// What a line is in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// An exception and its message, or where it goes on.
    Message,
    /// What says that a trace begins, or how one exception follows from another.
    Chain,
    /// A goroutine or thread.
    Thread,
    /// A call.
    Frame {
        /// Whether it is in the user's own code.
        is_own: bool,
    },
    /// A further line of a frame: source text, a place.
    Detail,
    /// `... 23 more`.
    More,
    /// Nothing of a trace.
    Other,
}

/// Reads line after line, and knows what went before.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: Option<Part>,
    /// Within a trace of Python, whose messages stand at the end.
    in_python: bool,
    /// Within the frames of Rust or Go, of which the second line tells the place.
    is_own_frame: bool,
}

impl Reader {
    /// Reads a line; returns whether it is a part of a trace.
    pub(super) fn is_traced(&mut self, line: &str) -> bool {
        self.read(line) != Part::Other
    }

    fn read(&mut self, line: &str) -> Part {
        let part = self.part(line);
        self.last = if line.trim().is_empty() { self.last } else { Some(part) };
        part
    }

    fn part(&mut self, line: &str) -> Part {
        let trimmed = line.trim();
        let is_indented = line.starts_with([' ', '\t']);
        if trimmed.is_empty() {
            return Part::Other;
        }
        if trimmed.starts_with("Traceback (most recent call last)")
            || trimmed == "+ Exception Group Traceback (most recent call last):"
        {
            self.in_python = true;
            return Part::Chain;
        }
        if is_link(trimmed) {
            return Part::Chain;
        }
        if is_cause(trimmed) {
            self.in_python = false;
            return Part::Message;
        }
        if let Some(is_own) = frame(line, trimmed) {
            self.is_own_frame = is_own;
            return Part::Frame { is_own };
        }
        if let Some(rest) = trimmed.strip_prefix("... ")
            && rest.ends_with(" more")
        {
            return Part::More;
        }
        if trimmed.starts_with("[Previous line repeated ") {
            return Part::More;
        }
        if trimmed.starts_with("goroutine ") && trimmed.ends_with("]:") || trimmed.starts_with("created by ") {
            return Part::Thread;
        }
        match self.last {
            Some(Part::Frame { .. } | Part::Detail) if self.in_python && is_indented => Part::Detail,
            Some(Part::Frame { .. } | Part::Thread) if is_place(line) => Part::Detail,
            Some(Part::Frame { .. } | Part::Detail | Part::More)
                if self.in_python && !is_indented && is_exception(trimmed) =>
            {
                self.in_python = false;
                Part::Message
            }
            // A panic's message stands under its place; a long message goes on.
            Some(Part::Message) if !is_indented && trimmed.starts_with("note: run with") => Part::Other,
            Some(Part::Message) if trimmed == "stack backtrace:" => Part::Chain,
            _ if trimmed == "stack backtrace:" => Part::Chain,
            _ if is_head(trimmed) => Part::Message,
            Some(Part::Message) if self.last_was_panic(trimmed) => Part::Message,
            _ => Part::Other,
        }
    }

    /// Whether this may be the message under `thread 'main' panicked at src/a.rs:1:2:`.
    fn last_was_panic(&self, trimmed: &str) -> bool {
        !trimmed.starts_with(|c: char| c.is_ascii_digit()) && trimmed.len() < 400
    }
}

/// What stands between two exceptions of a chain.
fn is_link(line: &str) -> bool {
    const LINKS: &[&str] = &[
        "During handling of the above exception",
        "The above exception was the direct cause",
        "--- End of inner exception stack trace",
        "--- End of stack trace from previous location",
        "[CIRCULAR REFERENCE",
    ];
    LINKS.iter().any(|link| line.starts_with(link))
}

/// An exception that is named as a cause of another.
fn is_cause(line: &str) -> bool {
    const CAUSES: &[&str] = &["Caused by: ", "Suppressed: ", "---> ", "[cause]: ", "Wrapped by: ", "Caused by:"];
    let line = line.trim_start_matches(['|', ' ', '(']);
    CAUSES.iter().any(|cause| line.starts_with(cause))
}

/// A line that begins a trace: an exception with its message, a panic.
fn is_head(line: &str) -> bool {
    const HEADS: &[&str] = &[
        "Exception in thread ",
        "Unhandled exception",
        "Unhandled Exception",
        "Uncaught ",
        "panic: ",
        "fatal error: ",
        "FATAL EXCEPTION",
        "[signal ",
    ];
    HEADS.iter().any(|head| line.starts_with(head))
        || (line.starts_with("thread '") && line.contains("' panicked at "))
        || (line.starts_with("thread '") && line.contains(") panicked at "))
        || is_exception(line)
}

/// `package.SomeError: message`, `TypeError: message`, `SomeException`.
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ', '(']).next().unwrap_or("");
    let simple = name.rsplit(['.', '$', '+']).next().unwrap_or("");
    let is_name = !name.is_empty()
        && name.len() <= 160
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._$+".contains(&byte));
    let names = ["Error", "Exception", "Interrupt", "Exit", "Warning", "Throwable", "Failure", "Iteration", "Fault"];
    let rest = &line[name.len()..];
    let ends =
        rest.is_empty() || rest.starts_with(": ") || rest == ":" || rest.starts_with(" [") || rest.starts_with(" (");
    is_name
        && ends
        && simple.starts_with(|c: char| c.is_ascii_uppercase())
        && names.iter().any(|end| simple.ends_with(end))
}

/// Whether a line is a call, and then whether it is in the user's own code.
fn frame(line: &str, trimmed: &str) -> Option<bool> {
    let trimmed = trimmed.trim_start_matches(['|', '+', ' ']);
    // Python.
    if let Some(rest) = trimmed.strip_prefix("File \"")
        && let Some((path, rest)) = rest.split_once('"')
        && rest.starts_with(", line ")
    {
        return Some(is_own_path(path));
    }
    // Java, Kotlin, JavaScript and .NET.
    if let Some(call) = trimmed.strip_prefix("at ")
        && line.starts_with([' ', '\t'])
    {
        return Some(is_own_call(call));
    }
    // Rust: the number of the frame; the next line tells the place.
    if let Some((number, name)) = trimmed.split_once(": ")
        && line.starts_with(' ')
        && !number.is_empty()
        && number.len() <= 4
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !name.contains(' ') | name.contains('<') | name.contains("0x")
    {
        return Some(is_own_symbol(name));
    }
    // Go: the call with its arguments; the next line tells the place.
    if !line.starts_with([' ', '\t'])
        && trimmed.ends_with(')')
        && let Some((name, _)) = trimmed.rsplit_once('(')
        && name.contains('.')
        && !name.contains(' ')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/*()[]-{}".contains(&byte) || byte >= 0x80)
    {
        return Some(is_own_go(name));
    }
    None
}

/// The place under a frame: `at src/main.rs:12:5`, `/app/main.go:12 +0x1d`.
fn is_place(line: &str) -> bool {
    let is_indented = line.starts_with([' ', '\t']);
    let trimmed = line.trim();
    let (path, _) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
    let has_line =
        path.rsplit(':').next().is_some_and(|line| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
    is_indented && ((has_line && path.contains('/')) || (trimmed.starts_with("at ") && trimmed.contains(':')))
}

fn is_own_path(path: &str) -> bool {
    const LIBRARIES: &[&str] = &[
        "site-packages",
        "dist-packages",
        "/lib/python",
        "\\lib\\",
        "<frozen ",
        "<string>",
        "node_modules",
        "node:",
        "internal/",
        "/rustc/",
        ".cargo/registry",
        "/usr/local/go/",
        "/pkg/mod/",
        "/usr/lib/",
        "/go/src/runtime",
        "webpack/",
        "<anonymous>",
        "/_/src/",
    ];
    !LIBRARIES.iter().any(|library| path.contains(library))
}

/// A call of Java, Kotlin, JavaScript or .NET, after `at `.
fn is_own_call(call: &str) -> bool {
    const PACKAGES: &[&str] = &[
        "java.",
        "javax.",
        "jakarta.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "akka.",
        "android.",
        "androidx.",
        "dalvik.",
        "com.android.",
        "com.google.",
        "com.zaxxer.",
        "com.fasterxml.",
        "com.mysql.",
        "com.amazonaws.",
        "org.springframework.",
        "org.apache.",
        "org.eclipse.",
        "org.hibernate.",
        "org.junit.",
        "org.postgresql.",
        "org.slf4j.",
        "org.gradle.",
        "org.jboss.",
        "org.mockito.",
        "io.netty.",
        "io.grpc.",
        "io.ktor.",
        "io.micrometer.",
        "io.reactivex.",
        "io.undertow.",
        "reactor.",
        "okhttp3.",
        "retrofit2.",
        "ch.qos.",
        "groovy.",
        "System.",
        "Microsoft.",
        "Newtonsoft.",
        "Npgsql.",
        "Xunit.",
        "NUnit.",
        "MediatR.",
    ];
    let call = call.strip_prefix("async ").unwrap_or(call);
    let call = call
        .split_once("//")
        .filter(|(module, _)| module.contains('@') || !module.contains(['(', '/', ' ']))
        .map_or(call, |(_, call)| call);
    let call = call.trim_start_matches("java.base/").trim_start_matches("app/");
    if PACKAGES.iter().any(|package| call.starts_with(package)) || call.contains("CGLIB$$") || call.contains("$Proxy") {
        return false;
    }
    let place = call.rsplit_once('(').map_or(call, |(_, place)| place);
    let place = call.split_once(" in ").map_or(place, |(_, place)| place);
    is_own_path(place) && !matches!(place, "native)" | "<anonymous>)" | "Native Method)" | "Unknown Source)")
}

fn is_own_symbol(name: &str) -> bool {
    const CRATES: &[&str] = &[
        "std::",
        "core::",
        "alloc::",
        "<alloc::",
        "<core::",
        "<std::",
        "rust_begin_unwind",
        "__rust",
        "_start",
        "__libc_start",
        "main",
        "tokio::",
        "<tokio::",
        "futures",
        "hyper::",
        "rayon",
        "test::",
        "backtrace::",
        "clone",
        "start_thread",
        "<unknown>",
        "_main",
        "lang_start",
    ];
    let name = name.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == 'x' || c == '-' || c == ' ');
    !name.is_empty() && !CRATES.iter().any(|library| name.starts_with(library))
}

fn is_own_go(name: &str) -> bool {
    const PACKAGES: &[&str] = &[
        "runtime.",
        "runtime/",
        "panic",
        "net/",
        "net.",
        "sync.",
        "testing.",
        "reflect.",
        "os.",
        "io.",
        "internal/",
        "syscall.",
        "time.",
        "bufio.",
        "encoding/",
        "context.",
        "database/",
        "html/",
        "golang.org/",
        "google.golang.org/",
        "go.uber.org/",
        "k8s.io/",
    ];
    !PACKAGES.iter().any(|package| name.starts_with(package))
}

/// What the traces of a text are worth, line by line.
struct Traces {
    /// For each line, how many frames lie between it and the message of its trace, counted in frames of
    /// its own sort.
    distance: Vec<usize>,
    /// For each line, how many traces just like its own come before.
    alike: Vec<usize>,
    /// The last message of each chain: the root.
    is_root: Vec<bool>,
}

impl Traces {
    fn of(text: &str, lines: &[Range<usize>], parts: &[Part]) -> Self {
        let count = lines.len();
        let mut traces = Self { distance: vec![0; count], alike: vec![0; count], is_root: vec![false; count] };
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let mut start = 0;
        while start < count {
            if parts[start] == Part::Other {
                start += 1;
                continue;
            }
            let mut end = start;
            while end < count && (parts[end] != Part::Other || is_gap(text, lines, parts, end)) {
                end += 1;
            }
            let hash = (start..end).fold(0_u64, |hash, index| {
                hash.rotate_left(5)
                    ^ template(text[lines[index].clone()].trim_end()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            });
            let before = seen.entry(hash).or_default();
            traces.alike[start..end].fill(*before);
            *before += 1;
            traces.one(start..end, parts);
            start = end;
        }
        traces
    }

    fn one(&mut self, range: Range<usize>, parts: &[Part]) {
        let is_python = parts[range.clone()].first() == Some(&Part::Chain)
            && parts[range.clone()].iter().rposition(|part| *part == Part::Message)
                > parts[range.clone()].iter().rposition(|part| matches!(part, Part::Frame { .. }));
        let mut count = |indices: &mut dyn Iterator<Item = usize>| {
            let mut frames = [0, 0];
            for index in indices {
                match parts[index] {
                    Part::Message | Part::Thread => frames = [0, 0],
                    Part::Frame { is_own } => {
                        self.distance[index] = frames[usize::from(is_own)];
                        frames[usize::from(is_own)] += 1;
                    }
                    _ => {}
                }
            }
        };
        if is_python {
            count(&mut range.clone().rev());
        } else {
            count(&mut range.clone());
        }
        let messages = || range.clone().filter(|index| parts[*index] == Part::Message);
        // Python tells the cause first, the others last.
        let root = if is_python { messages().next() } else { messages().next_back() };
        for index in root.into_iter().chain(messages().next()) {
            self.is_root[index] = true;
        }
    }

    fn worth(&self, index: usize, part: Part, line: &str) -> f64 {
        let near = 1.0 / (1.0 + self.distance[index] as f64);
        let again = 1.0 / (1.0 + self.alike[index] as f64);
        let worth = match part {
            Part::Message if self.is_root[index] => 110.0,
            Part::Message => 100.0,
            Part::Frame { is_own: true } => 60.0 + 20.0 * near,
            Part::Detail => 45.0 + 20.0 * near,
            Part::Thread => 50.0,
            Part::Chain => 48.0,
            // Where it was thrown, and who was asked first.
            Part::Frame { is_own: false } if self.distance[index] == 0 => 30.0,
            Part::Frame { is_own: false } | Part::More => return f64::NEG_INFINITY,
            Part::Other if line.trim().is_empty() => -1.0,
            Part::Other if tells_of_an_error(line) => 70.0,
            Part::Other => 5.0,
        };
        worth * again - line.len() as f64 / 2_000.0
    }
}

/// Whether a blank line stands within a trace: between its head and its goroutine, or before a link.
fn is_gap(text: &str, lines: &[Range<usize>], parts: &[Part], index: usize) -> bool {
    let is_blank = text[lines[index].clone()].trim().is_empty();
    let next = parts.get(index + 1).copied();
    let nearly = matches!(next, Some(Part::Chain)) && !text[lines[index + 1].clone()].starts_with("Traceback");
    let after_link = index > 0 && parts[index - 1] == Part::Chain && matches!(next, Some(Part::Chain));
    is_blank && (nearly || after_link)
}

/// Writes lines; where frames of libraries are missing it says how many.
struct Folded {
    is_library: Vec<bool>,
}

impl Layout for Folded {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                pieces[run].iter().for_each(|piece| out.push_str(&piece.text));
                continue;
            }
            let frames = self.is_library[run.clone()].iter().filter(|is| **is).count();
            let begins_line = out.is_empty() || out.ends_with('\n');
            if frames == 0 || !begins_line || !pieces[run.end - 1].text.ends_with('\n') {
                write_gap(pieces, run, marks, &mut out);
                continue;
            }
            let cut = marks.note(run.clone());
            let indent = indent(&pieces[run.start].text);
            let frames = format!("{} library frame{}", thousands(frames), if frames == 1 { "" } else { "s" });
            let words = if marks.is_full() {
                let words = marks.words(&cut);
                format!("{}, {frames}]", words.trim_end_matches(']'))
            } else {
                let (from, to) = (cut.from_line, cut.to_line);
                let lines = if from == to { from.to_string() } else { format!("{from}-{to}") };
                format!("[…{lines}: {frames}]")
            };
            out.push_str(indent);
            out.push_str(&words);
            out.push('\n');
        }
        out
    }

    fn short_mark(&self, line: usize) -> String {
        format!("    […{line}-{line}: 12 library frames]\n")
    }
}

fn indent(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
}
