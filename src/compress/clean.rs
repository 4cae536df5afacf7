//! The first lossless level: colour codes, trailing blanks, runs of equal lines.

use std::borrow::Cow;

use super::lines;

/// A line is not repeated beyond this many bytes.
const EXPANDED_MAX: usize = 1 << 30;

/// Returns `text` without terminal codes and without blanks at the ends of lines. The number of
/// lines stays the same, so a line number in the result is one in the original.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for span in lines::spans(text) {
        let line = &text[span.clone()];
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (body, "\n"),
            None => (line, ""),
        };
        let plain = without_codes(body);
        let trimmed = plain.trim_end_matches([' ', '\t', '\r']);
        if trimmed.len() != body.len() {
            out.push_str(&text[copied..span.start]);
            out.push_str(trimmed);
            out.push_str(end);
            copied = span.end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Removes terminal control sequences: `ESC [ ... letter`, `ESC ] ... BEL` and two-character ones.
fn without_codes(line: &str) -> Cow<'_, str> {
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.as_bytes().first() {
            Some(b'[') => match after[1..].find(|c: char| !matches!(c, '\u{20}'..='\u{3f}')) {
                Some(end) if matches!(after.as_bytes()[1 + end], 0x40..=0x7e) => &after[end + 2..],
                _ => after,
            },
            Some(b']') => match after.find(['\u{7}', '\u{1b}']) {
                Some(end) if after.as_bytes()[end] == 7 => &after[end + 1..],
                Some(end) => after[end + 1..].strip_prefix('\\').unwrap_or(&after[end..]),
                None => after,
            },
            _ => after,
        };
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns `text` with each run of equal lines written as one, followed by ` [xN]`, and a run of
/// blank lines as one blank line. A text that already has a line ending so is left alone, because
/// the two could not be told apart.
pub(super) fn fold_repeats(text: &str) -> Cow<'_, str> {
    if text.split('\n').any(|line| repeats(line).is_some()) {
        return Cow::Borrowed(text);
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out = Vec::with_capacity(lines.len());
    let mut index = 0;
    while index < lines.len() {
        let line = lines[index];
        let count = lines[index..].iter().take_while(|other| **other == line).count();
        // A short line repeated twice would grow.
        if count < 2 || line.trim().is_empty() || line.len() * (count - 1) < 8 {
            out.extend(lines[index..index + count].iter().map(|line| Cow::Borrowed(*line)));
        } else {
            out.push(Cow::Owned(format!("{line} [x{count}]")));
        }
        index += count;
    }
    if out.len() == lines.len() { Cow::Borrowed(text) } else { Cow::Owned(out.join("\n")) }
}

/// The line and how often it stands for itself, if it ends in ` [xN]`.
fn repeats(line: &str) -> Option<(&str, usize)> {
    let (line, count) = line.trim_end().strip_suffix(']')?.rsplit_once(" [x")?;
    Some((line, count.parse().ok()?))
}

/// Undoes [`fold_repeats`].
pub(super) fn unfold_repeats(text: &str) -> String {
    let unfolded: Vec<String> = text
        .split('\n')
        .map(|line| match repeats(line) {
            // No text that was folded is longer than memory, whatever a line claims.
            Some((line, count)) if count.saturating_mul(line.len() + 1) <= EXPANDED_MAX => vec![line; count].join("\n"),
            Some(_) => (*line).to_owned(),
            None => line.to_owned(),
        })
        .collect();
    unfolded.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_trailing_blanks_go() {
        for (text, expected) in [
            ("plain\ntext", "plain\ntext"),
            ("\u{1b}[1;31merror\u{1b}[0m: x  \r\nnext\t", "error: x\nnext"),
            ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}", "link"),
            ("half \u{1b}[", "half ["),
            ("\u{1b}[é", "[é"),
            ("  \n\n", "\n\n"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn folding_can_be_undone() {
        let text = "start\nwaiting for lock\nwaiting for lock\nwaiting for lock\n\n\nend\n";
        assert_eq!(fold_repeats(text), "start\nwaiting for lock [x3]\n\n\nend\n");
        assert_eq!(unfold_repeats(&fold_repeats(text)), text);
        let literal = "already there [x3]\nwaiting for lock\nwaiting for lock\n";
        assert_eq!(fold_repeats(literal), literal);
    }
}
