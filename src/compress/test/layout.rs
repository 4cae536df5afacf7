//! How the kept lines of test output are written down: with one mark for all gaps, and line
//! numbers where many lines are missing.

use std::borrow::Cow;

use super::super::draft::{Layout, Piece, runs};
use super::super::marks::Marks;
use super::grammar::Class;

/// After a gap of fewer lines no number is written.
const FEW_LINES: usize = 10;

/// Writes what is kept of each failure closely together.
pub(super) struct Failures;

impl Layout for Failures {
    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        let mut code = "";
        // The first line that is written has its number, unless it is one of the first of all.
        let mut missing = 0;
        for run in runs(kept) {
            if !kept[run.start] {
                // Pieces that stand for no bytes were made by the compressor: nothing is missing without them.
                if pieces[run.clone()].iter().any(|piece| !piece.span.is_empty()) {
                    let cut = marks.note(run);
                    missing += cut.to_line + 1 - cut.from_line;
                    if !out.is_empty() && !out.ends_with('\n') {
                        out.push_str(" …\n");
                    }
                }
                continue;
            }
            for piece in &pieces[run] {
                let text = without_code(&piece.text, &mut code);
                let is_far = std::mem::take(&mut missing) >= FEW_LINES && marks.lines.is_numbered();
                if is_far && out.ends_with(['\n', ' ']) | out.is_empty() {
                    out.push_str(&format!("…{} ", marks.lines.number(piece.span.start)));
                } else if text.starts_with("--> ") && out.ends_with('\n') {
                    out.pop();
                    out.push(' ');
                }
                out.push_str(text);
            }
        }
        match marks.summary() {
            Some(told) => format!("{told}\n{out}"),
            None => out,
        }
    }

    /// Most gaps have none.
    fn short_mark(&self, _line: usize) -> String {
        String::new()
    }

    fn marks_once(&self) -> bool {
        true
    }
}

/// Returns the headline of a diagnostic without its code, `error[E0425]: `, where that is the code of
/// the one before.
fn without_code<'a>(line: &'a str, code: &mut &'a str) -> &'a str {
    let Some(end) = line.find("]: ").filter(|_| line.starts_with("error[")) else {
        return line;
    };
    let (head, message) = line.split_at(end + 3);
    if std::mem::replace(code, head) == head { message } else { line }
}

/// Returns a line of this class without blanks at its beginning and without what is drawn around
/// it.
pub(super) fn plain(line: &str, class: Class) -> Cow<'_, str> {
    let trimmed = line.trim_start();
    if let Some(said) = trimmed.strip_prefix("E   ") {
        return Cow::Owned(format!("E {}", said.trim_start()));
    }
    if !matches!(class, Class::Core | Class::Summary | Class::Mention | Class::Told) {
        return Cow::Borrowed(line);
    }
    let drawn = trimmed.bytes().take_while(|byte| matches!(byte, b'_' | b'=')).count();
    if drawn >= 3 {
        let sign = &trimmed[..2];
        let title = trimmed.trim_matches(['_', '=', ' ', '\n']);
        let end = if line.ends_with('\n') { "\n" } else { "" };
        return Cow::Owned(format!("{sign} {title}{end}"));
    }
    Cow::Borrowed(trimmed)
}
