//! BERT's WordPiece, lower-cased: text becomes words without accents, words become the longest
//! pieces of the vocabulary from left to right.
//!
//! After `BertNormalizer`, `BertPreTokenizer` and `WordPiece` of Hugging Face's tokenizers, without
//! the special tokens; a word that cannot be made of pieces gives none.

use unicode_normalization::UnicodeNormalization;

use super::hash;

/// A word of more characters is not taken apart.
pub(super) const WORD_CHARACTERS_MAX: usize = 100;

/// No piece is longer, in bytes.
const PIECE_BYTES_MAX: usize = 24;

macro_rules! table {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/pieces.", $name))
    };
}

static SLOTS: &[u8] = table!("slots");
static OFFSETS: &[u8] = table!("offsets");
static BYTES: &[u8] = table!("bytes");
static MARKS: &[u8] = table!("marks");
static PUNCTUATION: &[u8] = table!("punctuation");
static OTHERS: &[u8] = table!("others");

/// Calls `found` with the number of each piece of `text`.
pub(super) fn pieces(text: &str, mut found: impl FnMut(u16)) {
    let mut numbers = Vec::new();
    words(text, |word| {
        numbers.clear();
        split(word, &mut numbers);
        numbers.iter().for_each(|number| found(*number));
    });
}

/// Calls `found` with each word of `text`, in small letters without accents; a sign is a word.
#[inline]
pub(super) fn words(text: &str, mut found: impl FnMut(&str)) {
    let mut word = String::new();
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            found(word);
            word.clear();
        }
    };
    let mut take = |character: char, word: &mut String| {
        if character.is_whitespace() {
            end(word);
        } else if is_punctuation(character) || is_ideograph(character) {
            end(word);
            word.push(character);
            end(word);
        } else {
            word.push(character);
        }
    };
    // Runs of ASCII, which need no tables; between them what has to be taken apart first.
    for run in text.as_bytes().chunk_by(|a, b| a.is_ascii() == b.is_ascii()) {
        let run = std::str::from_utf8(run).unwrap_or_default();
        if run.is_ascii() {
            for byte in run.bytes() {
                match byte {
                    b'\t' | b'\n' | b'\r' | 32.. if byte != 0x7f => {
                        take(char::from(byte.to_ascii_lowercase()), &mut word);
                    }
                    _ => {}
                }
            }
            continue;
        }
        let clean = run.chars().filter(|c| *c != '\u{fffd}' && !is_in(OTHERS, *c));
        for character in clean.nfd().filter(|c| !is_in(MARKS, *c)) {
            character.to_lowercase().for_each(|small| take(small, &mut word));
        }
    }
    end(&mut word);
}

/// Pushes the pieces of a word, or nothing when some part of it is no piece.
fn split(word: &str, numbers: &mut Vec<u16>) {
    if word.len() > WORD_CHARACTERS_MAX && word.chars().count() > WORD_CHARACTERS_MAX {
        return;
    }
    let bytes = word.as_bytes();
    let mut start = 0;
    while start < bytes.len() {
        let inner = start > 0;
        let mut hash = if inner { hash::INNER } else { hash::FIRST };
        let mut longest = None;
        for (index, byte) in bytes[start..].iter().enumerate().take(PIECE_BYTES_MAX) {
            hash = hash::step(hash, *byte);
            let end = start + index + 1;
            if let Some(number) = find(&bytes[start..end], inner, hash) {
                longest = Some((end, number));
            }
        }
        let Some((end, number)) = longest else {
            numbers.clear();
            return;
        };
        numbers.push(number);
        start = end;
    }
}

/// Returns the number of a piece.
#[inline]
fn find(body: &[u8], inner: bool, hash: u32) -> Option<u16> {
    let mut slot = hash::slot(hash);
    loop {
        let number = u16::from_le_bytes([SLOTS[2 * slot], SLOTS[2 * slot + 1]]).checked_sub(1)?;
        let piece = piece(usize::from(number));
        if (if inner { piece.strip_prefix(b"##") } else { Some(piece) }) == Some(body) {
            return Some(number);
        }
        slot = (slot + 1) % hash::SLOTS;
    }
}

fn piece(number: usize) -> &'static [u8] {
    let offset = |at: usize| u32::from_le_bytes(*OFFSETS[4 * at..].first_chunk().expect("an offset")) as usize;
    &BYTES[offset(number)..offset(number + 1)]
}

fn is_punctuation(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_punctuation() } else { is_in(PUNCTUATION, character) }
}

/// Whether one of the sorted ranges of a table holds the character.
fn is_in(table: &[u8], character: char) -> bool {
    let ranges = table.as_chunks::<8>().0;
    let ends = |range: &[u8; 8]| {
        let [a, b, c, d, e, f, g, h] = *range;
        (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
    };
    let at = ranges.partition_point(|range| ends(range).1 < character as u32);
    ranges.get(at).is_some_and(|range| ends(range).0 <= character as u32)
}

/// The blocks that BERT takes one character at a time.
fn is_ideograph(character: char) -> bool {
    matches!(character,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_found_and_none_is_too_long() {
        for number in 0..u16::try_from(super::super::model::ROWS).expect("few") {
            let piece = piece(usize::from(number));
            let inner = piece.starts_with(b"##");
            let body = piece.strip_prefix(b"##").unwrap_or(piece);
            let seed = if inner { hash::INNER } else { hash::FIRST };
            let hash = body.iter().fold(seed, |hash, byte| hash::step(hash, *byte));
            assert_eq!(find(body, inner, hash), Some(number), "{}", String::from_utf8_lossy(piece));
            assert!(body.len() <= PIECE_BYTES_MAX);
        }
    }
}
