//! The split of a text into pretokens, exactly as the encodings' regular expressions split it.
//!
//! Written by hand because a regular expression with look-ahead is slow, and panics on long runs of
//! white space. Each function returns the end of the pretoken that begins at a place; nothing looks
//! back, so the split from a pretoken's start on does not depend on what comes before.

use super::layout::class::{BLANK, CASELESS, LOWER, MARK, NEWLINE, NUMBER, OTHER, UPPER};

static BLOCKS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.blocks"));
static INDEX: &[u8; 0x1100] = include_bytes!(concat!(env!("OUT_DIR"), "/classes.index"));

/// Letters.
pub(super) const LETTER: u8 = UPPER | LOWER | CASELESS;
/// What a word may begin with in `o200k`.
const HEAD: u8 = UPPER | CASELESS | MARK;
/// What a word may end with in `o200k`.
const TAIL: u8 = LOWER | CASELESS | MARK;
/// White space.
pub(super) const SPACE: u8 = BLANK | NEWLINE;
/// What is neither space, letter nor number.
pub(super) const SIGN: u8 = OTHER | MARK;

/// The class of the character at `at` and its length in bytes; no class at the end.
#[inline]
pub(super) fn class(text: &[u8], at: usize) -> (u8, usize) {
    let Some(&first) = text.get(at) else { return (0, 0) };
    if first < 0x80 {
        return (BLOCKS[first as usize], 1);
    }
    let more = |offset: usize| text.get(at + offset).map_or(0, |byte| u32::from(byte & 0x3f));
    let first = u32::from(first);
    let (character, len) = if first < 0xe0 {
        ((first & 0x1f) << 6 | more(1), 2)
    } else if first < 0xf0 {
        ((first & 0x0f) << 12 | more(1) << 6 | more(2), 3)
    } else {
        ((first & 0x07) << 18 | more(1) << 12 | more(2) << 6 | more(3), 4)
    };
    let block = INDEX[(character >> 8) as usize];
    (BLOCKS[usize::from(block) << 8 | (character & 0xff) as usize], len)
}

/// The end of the run of characters of the classes `of` that begins at `at`.
#[inline]
pub(super) fn run(text: &[u8], mut at: usize, of: u8) -> usize {
    loop {
        let (found, len) = class(text, at);
        if found & of == 0 {
            return at;
        }
        at += len;
    }
}

/// Eight bytes of `text` from `at`, with zeros where the text has ended.
#[inline]
fn eight(text: &[u8], at: usize) -> u64 {
    if let Some(bytes) = text[at..].first_chunk::<8>() {
        return u64::from_le_bytes(*bytes);
    }
    let rest = &text[at..];
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(bytes)
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each byte that is not an ASCII lower-case letter.
#[inline]
fn not_lower(bytes: u64) -> u64 {
    let low = bytes & (ONES * 0x7f);
    let from_a = low + ONES * (0x80 - b'a' as u64);
    let after_z = low + ONES * (0x80 - b'z' as u64 - 1);
    !(from_a & !after_z & !bytes) & (ONES * 0x80)
}

/// The end of an ASCII word, perhaps after one space, where it is plain at a glance: all its letters
/// small but perhaps the first, or any where `cased` does not matter, and ASCII behind it.
#[inline]
fn plain_word(text: &[u8], at: usize, cased: bool) -> Option<usize> {
    let start = at + usize::from(text[at] == b' ');
    let bytes = eight(text, start);
    let mut others = not_lower(if cased { bytes } else { bytes | (ONES * 0x20) });
    let mut shortest = 8;
    if cased && (bytes as u8).is_ascii_uppercase() {
        others &= !0xff;
        shortest = 16;
    }
    // Eight times the number of letters, from the place of the first other byte.
    let bits = others.trailing_zeros() & !7;
    if bits < shortest || bits == 64 {
        return None;
    }
    let next = (bytes >> bits) as u8;
    (next < 0x80).then_some(start + (bits / 8) as usize)
}

/// Returns the end of the pretoken of `o200k_base` that begins at `at`, which is not the end.
#[inline]
pub(super) fn o200k(text: &[u8], at: usize) -> usize {
    if let Some(end) = plain_word(text, at, true) {
        return end + contraction(text, end);
    }
    let (first, len) = class(text, at);
    let word = match first {
        UPPER | LOWER | CASELESS => word(text, at).0,
        NUMBER => return number(text, at),
        // A word may begin with one character that is not a letter; a mark is also part of words.
        MARK => match word(text, at + len) {
            (Some(end), true) => Some(end),
            _ => word(text, at).0,
        },
        BLANK | OTHER => word(text, at + len).0,
        _ => None,
    };
    match word {
        Some(end) => end + contraction(text, end),
        None => signs(text, at, first).map_or_else(
            || space(text, at),
            |mut end| {
                while matches!(text.get(end), Some(b'\r' | b'\n' | b'/')) {
                    end += 1;
                }
                end
            },
        ),
    }
}

/// Returns the end of the pretoken of `cl100k_base` that begins at `at`, which is not the end.
#[inline]
pub(super) fn cl100k(text: &[u8], at: usize) -> usize {
    if let Some(end) = plain_word(text, at, false) {
        return end;
    }
    let (first, len) = class(text, at);
    match first {
        UPPER | LOWER | CASELESS => return run(text, at + len, LETTER),
        NUMBER => return number(text, at),
        BLANK | OTHER | MARK => {
            let contraction = contraction(text, at);
            if contraction > 0 {
                return at + contraction;
            }
            let end = run(text, at + len, LETTER);
            if end > at + len {
                return end;
            }
        }
        _ => {}
    }
    signs(text, at, first).map_or_else(
        || space(text, at),
        |mut end| {
            while matches!(text.get(end), Some(b'\r' | b'\n')) {
                end += 1;
            }
            end
        },
    )
}

/// The end of the word of `o200k` that begins at `at`, if one does, and whether it has a tail.
///
/// Heads, then at least one tail; or, where no tail follows, the heads up to the last that can also
/// be a tail; or, where there is none, the heads alone.
#[inline]
fn word(text: &[u8], at: usize) -> (Option<usize>, bool) {
    let mut end = at;
    let mut tail = None;
    loop {
        let (found, len) = class(text, end);
        if found & HEAD == 0 {
            if found & LOWER != 0 {
                return (Some(run(text, end + len, TAIL)), true);
            }
            return match tail {
                Some(tail) => (Some(tail), true),
                None => ((end > at).then_some(end), false),
            };
        }
        end += len;
        if found & TAIL != 0 {
            tail = Some(end);
        }
    }
}

/// The length of the English contraction at `at`, or zero.
#[inline]
pub(super) fn contraction(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'\'') {
        return 0;
    }
    let lower = |offset: usize| text.get(at + offset).map_or(0, u8::to_ascii_lowercase);
    match (lower(1), lower(2)) {
        (b's' | b'd' | b'm' | b't', _) => 2,
        (b'l', b'l') | (b'v' | b'r', b'e') => 3,
        // The long s, U+017F, is an s to a pattern that ignores case.
        (0xc5, 0xbf) => 3,
        _ => 0,
    }
}

fn number(text: &[u8], at: usize) -> usize {
    let mut end = at;
    for _ in 0..3 {
        let (found, len) = class(text, end);
        if found != NUMBER {
            break;
        }
        end += len;
    }
    end
}

/// The end of the run of signs, perhaps after one space, that begins at `at`.
#[inline]
fn signs(text: &[u8], at: usize, first: u8) -> Option<usize> {
    let start = if text[at] == b' ' { at + 1 } else { at };
    if start == at && first & SIGN == 0 {
        return None;
    }
    let end = run(text, start, SIGN);
    (end > start).then_some(end)
}

/// The end of the white space that begins at `at`: up to its last line break if it has one, else
/// without its last character if something follows that may take it along.
#[inline]
fn space(text: &[u8], at: usize) -> usize {
    let (mut end, mut last, mut newline) = (at, at, None);
    loop {
        let (found, len) = class(text, end);
        if found & SPACE == 0 {
            break;
        }
        last = end;
        end += len;
        if found == NEWLINE {
            newline = Some(end);
        }
    }
    match newline {
        Some(newline) => newline,
        None if end < text.len() && last > at => last,
        None => end,
    }
}

/// Returns whether a text may be taken apart at `at` in both encodings: the two parts have the
/// pretokens of the whole, whatever comes before the character before it and after the character
/// there. `at` is inside the text, on a character boundary.
pub(super) fn is_boundary(text: &str, at: usize) -> bool {
    let Some(last) = text[..at].chars().next_back() else { return true };
    let text = text.as_bytes();
    let (before, _) = class(text, at - last.len_utf8());
    let (after, _) = class(text, at);
    match (before, after) {
        // White space leaves its last character to what follows, and keeps it at the end of a text.
        (BLANK, _) | (NUMBER, NUMBER) => false,
        (NUMBER, _) | (_, NUMBER) => true,
        // Signs may take line breaks and slashes along; otherwise a line break ends its pretoken
        // unless more white space follows.
        (NEWLINE, _) => after & SPACE == 0 && text[at] != b'/',
        (_, BLANK) => true,
        (UPPER | LOWER | CASELESS, OTHER) => text[at] != b'\'',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Split = fn(&[u8], usize) -> usize;

    fn pieces(split: Split, text: &str) -> Vec<&str> {
        let (mut at, mut pieces) = (0, Vec::new());
        while at < text.len() {
            let end = split(text.as_bytes(), at);
            pieces.push(&text[at..end]);
            at = end;
        }
        pieces
    }

    #[track_caller]
    fn check(split: Split, expected: &[&str]) {
        assert_eq!(pieces(split, &expected.concat()), expected);
    }

    #[test]
    fn words_numbers_signs_and_space_are_split_as_the_patterns_say() {
        check(o200k, &["get", "User", "(x", "123", "4", ")", " {\n", "   ", " it's", ";\n/\n", " \n", "  "]);
        check(cl100k, &["getUser", "(x", "123", "4", ")", " {\n", "   ", " it", "'s", ";\n", "/\n", " \n", "  "]);
        // The first alternative gives back all after the last letter that can end a word.
        check(o200k, &["ʰ", "AB"]);
        check(o200k, &["ʰABc"]);
        // The long s is an s to a pattern that ignores case.
        check(o200k, &["it'ſ", "x"]);
        check(cl100k, &["it", "'ſ", "x"]);
    }

    #[test]
    fn a_text_may_be_taken_apart_at_a_sure_boundary() {
        const PARTS: [&str; 24] = [
            "a", "B", "ab", "ʰ", "中", "é", "\u{301}", "1", "٣", "'", "'s", "/", "!", "-", "👍", " ", "  ", "\t", "\n",
            "\r\n", "\u{a0}", "\u{2028}", "_", "'ll",
        ];
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            PARTS[(state >> 16) as usize % PARTS.len()]
        };
        let mut sure = 0;
        for _ in 0..20_000 {
            let text: String = (0..8).map(|_| next()).collect();
            for split in [o200k as Split, cl100k] {
                let whole = pieces(split, &text);
                for (at, _) in text.char_indices().filter(|(at, _)| is_boundary(&text, *at)) {
                    let (left, right) = text.split_at(at);
                    assert_eq!([pieces(split, left), pieces(split, right)].concat(), whole, "{at} of {text:?}");
                    sure += 1;
                }
            }
        }
        assert!(sure > 100_000, "the rule finds boundaries");
    }
}
