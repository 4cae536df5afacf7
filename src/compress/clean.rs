//! The first lossless level: colour codes, trailing blanks, repeated lines and blocks of lines.

use std::borrow::Cow;
use std::collections::HashMap;

use super::lines;

/// A line is not repeated beyond this many bytes.
const EXPANDED_MAX: usize = 1 << 30;

/// Fewer lines that were there before are written again.
const BLOCK_MIN: usize = 3;

/// Fewer bytes that were there before are written again.
const BLOCK_BYTES_MIN: usize = 100;

/// How what was there before begins.
const SAME: &str = "[same as lines ";

/// The most bytes of its first line that are told.
const SAME_TOLD: usize = 32;

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

/// Returns `text` with each block of lines that was there before written as `[same as lines 10-40, how it
/// begins…]`. The lines are counted as in `text`. A text that already has such a line is left alone.
pub(super) fn fold_blocks(text: &str) -> Cow<'_, str> {
    let lines: Vec<&str> = text.split('\n').collect();
    if lines.len() < 2 * BLOCK_MIN || lines.iter().any(|line| line.starts_with(SAME)) {
        return Cow::Borrowed(text);
    }
    // Only lines that are there more than once can begin a block that was there before.
    let mut numbers: HashMap<&str, u32> = HashMap::with_capacity(lines.len());
    let mut times: Vec<u32> = Vec::new();
    let numbered: Vec<u32> = lines
        .iter()
        .map(|line| {
            let number = *numbers.entry(line).or_insert_with(|| {
                times.push(0);
                (times.len() - 1) as u32
            });
            times[number as usize] += 1;
            number
        })
        .collect();
    drop(numbers);
    let mut first: HashMap<[u32; BLOCK_MIN], usize> = HashMap::new();
    let mut out: Vec<Cow<'_, str>> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let key = numbered.get(at..at + BLOCK_MIN).and_then(|lines| <[u32; BLOCK_MIN]>::try_from(lines).ok());
        let key = key.filter(|key| key.iter().all(|number| times[*number as usize] > 1));
        // A run of equal lines is folded in another way.
        let Some(key) = key.filter(|key| key[0] != key[1] && !lines[at].trim().is_empty()) else {
            out.push(Cow::Borrowed(lines[at]));
            at += 1;
            continue;
        };
        let Some(before) = first.get(&key).copied() else {
            first.insert(key, at);
            out.push(Cow::Borrowed(lines[at]));
            at += 1;
            continue;
        };
        let most = (lines.len() - at).min(at - before);
        let mut length = (0..most).take_while(|more| numbered[before + more] == numbered[at + more]).count();
        // The end of a block is not blank.
        while length > 0 && lines[at + length - 1].trim().is_empty() {
            length -= 1;
        }
        let bytes: usize = lines[at..at + length].iter().map(|line| line.len() + 1).sum();
        if length < BLOCK_MIN || bytes < BLOCK_BYTES_MIN {
            out.push(Cow::Borrowed(lines[at]));
            at += 1;
            continue;
        }
        let told = lines[at].trim();
        let told = &told[..told.floor_char_boundary(SAME_TOLD)];
        out.push(Cow::Owned(format!("{SAME}{}-{}, {told}…]", before + 1, before + length)));
        at += length;
    }
    if out.len() == lines.len() { Cow::Borrowed(text) } else { Cow::Owned(out.join("\n")) }
}

/// Undoes [`fold_blocks`].
pub(super) fn unfold_blocks(text: &str) -> Option<String> {
    if !text.contains(SAME) {
        return Some(text.to_owned());
    }
    let mut lines: Vec<&str> = Vec::new();
    let mut size = 0;
    for line in text.split('\n') {
        let Some((from, to)) = line.strip_prefix(SAME).and_then(|rest| {
            let (from, rest) = rest.split_once('-')?;
            let to = &rest[..rest.find(',')?];
            Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))
        }) else {
            size += line.len() + 1;
            lines.push(line);
            continue;
        };
        if from == 0 || to < from || to > lines.len() {
            return None;
        }
        size += lines[from - 1..to].iter().map(|line| line.len() + 1).sum::<usize>();
        if size > EXPANDED_MAX {
            return None;
        }
        lines.extend_from_within(from - 1..to);
    }
    Some(lines.join("\n"))
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
    #[test]
    fn blocks_come_back() {
        let trace = "error: it failed for a reason\n  at one place in the code\n  at another place in the code\n  at a third place in the code\n";
        let text = format!("a\n{trace}b\n{trace}\n{trace}c\n");
        let folded = fold_blocks(&text);
        assert_eq!(
            folded,
            format!(
                "a\n{trace}b\n[same as lines 2-5, error: it failed for a reason…]\n\n[same as lines 2-5, error: it failed for a reason…]\nc\n"
            )
        );
        assert_eq!(unfold_blocks(&folded).as_deref(), Some(text.as_str()));
        for literal in ["[same as lines 1-2, x…]\n", "[same as lines 0-9, x", "[same as lines 5-2, x…]"] {
            assert_eq!(fold_blocks(literal), literal);
        }
        assert_eq!(unfold_blocks("a\n[same as lines 1-9, x…]"), None);
    }
}
