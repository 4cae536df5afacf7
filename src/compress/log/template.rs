//! What is left of a line when its values are masked, as a number that can be compared.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The hash of a line with its variable parts masked: numbers, paths, quoted strings, and of words
/// with digits everything but whole words. Lines that differ in nothing else have the same.
pub(in crate::compress) fn template(line: &str) -> u64 {
    let bytes = line.as_bytes();
    let mut hash = Mix::default();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if is_quote(byte)
            && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
            && let Some(end) = closing_quote(bytes, at)
        {
            hash.add(1);
            if let Some(verb) = verb(&bytes[at + 1..end]) {
                hash.word(verb);
            }
            at = end + 1;
        } else if byte.is_ascii_whitespace() {
            // Runs of blanks differ where columns are aligned.
            hash.add(2);
            while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
        } else if is_sign(byte) {
            hash.add(3 + u64::from(byte));
            at += 1;
        } else {
            let start = at;
            let mut has_digit = false;
            let mut is_path = false;
            let mut is_hex = true;
            while at < bytes.len() && !is_sign(bytes[at]) {
                has_digit |= bytes[at].is_ascii_digit();
                is_path |= bytes[at] == b'/';
                is_hex &= bytes[at].is_ascii_hexdigit();
                at += 1;
            }
            let word = &bytes[start..at];
            if is_path || (is_hex && word.len() >= 6) {
                hash.add(1);
            } else if has_digit {
                hash.words_of(word);
            } else {
                hash.word(word);
            }
        }
    }
    hash.0
}

/// The most words of a line of which one may be a value.
const WORDS_MAX: usize = 40;

/// For each word of a line, the hash of all the others; none for lines with so few words that the
/// others say nothing, or very many. `seed` is what else must be equal.
pub(super) fn without_a_word(line: &str, seed: u64) -> Vec<u64> {
    let words: Vec<u64> = line
        .as_bytes()
        .split(|byte| is_sign(*byte))
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX + 1)
        .enumerate()
        .map(|(at, word)| {
            let mut hash = Mix(at as u64);
            let is_value = word.iter().any(|byte| byte.is_ascii_digit() || *byte == b'/');
            hash.word(if is_value { b"" } else { word });
            hash.0
        })
        .collect();
    if !(3..=WORDS_MAX).contains(&words.len()) {
        return Vec::new();
    }
    let all = words.iter().fold(seed.wrapping_add(words.len() as u64), |all, word| all.wrapping_add(*word));
    words.iter().enumerate().map(|(at, word)| all.wrapping_sub(*word) ^ (at as u64) << 56).collect()
}

/// What ends a word of a line.
pub(super) fn is_sign(byte: u8) -> bool {
    SIGNS[byte as usize]
}

/// Looked up for every byte of a log.
const SIGNS: [bool; 256] = {
    let mut signs = [false; 256];
    let all = b" \t\n\x0C\r=,:;()[]{}<>\"'|";
    let mut at = 0;
    while at < all.len() {
        signs[all[at] as usize] = true;
        at += 1;
    }
    signs
};

fn is_quote(byte: u8) -> bool {
    byte == b'"' || byte == b'\''
}

/// A quoted string is not longer than this; what seems to be is an apostrophe.
const QUOTED_MAX: usize = 400;

fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let inner = &bytes[open + 1..bytes.len().min(open + 1 + QUOTED_MAX)];
    let end = open + 1 + inner.iter().position(|byte| *byte == bytes[open])?;
    bytes.get(end + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric()).then_some(end)
}

/// The method of a request: `"GET /index.html HTTP/1.1"`.
fn verb(quoted: &[u8]) -> Option<&[u8]> {
    let end = quoted.iter().position(|byte| !byte.is_ascii_uppercase())?;
    (quoted[end] == b' ' && (3..=8).contains(&end)).then_some(&quoted[..end])
}

/// Whether a part of a word with digits is a word itself, `session` in `session_4711`, and not a part
/// of an id: those seldom have vowels and small letters only.
fn is_plain(part: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let changes = part.windows(2).filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()).count();
    part.len() >= 3
        && part.iter().all(u8::is_ascii_alphabetic)
        && part.iter().any(is_vowel)
        && !part.iter().all(u8::is_ascii_hexdigit)
        && changes * 4 <= part.len()
}

/// A quick hash: what it is used for is grouping, and whoever makes two lines collide on purpose
/// gains one line less.
#[derive(Default)]
struct Mix(u64);

impl Mix {
    fn add(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// Adds the whole words within a word that has digits.
    fn words_of(&mut self, word: &[u8]) {
        // The name of a file or of a machine.
        let extension = word.iter().rposition(|byte| *byte == b'.').map_or(&word[..0], |dot| &word[dot + 1..]);
        if (2..=6).contains(&extension.len()) && extension.iter().all(u8::is_ascii_alphabetic) {
            self.add(1);
            return;
        }
        let mut was_value = false;
        for part in word.split(|byte| !byte.is_ascii_alphanumeric()) {
            if is_plain(part) {
                self.word(part);
                was_value = false;
            } else if !std::mem::replace(&mut was_value, true) {
                self.add(1);
            }
        }
    }

    fn word(&mut self, word: &[u8]) {
        let mut chunks = word.chunks_exact(8);
        for chunk in &mut chunks {
            self.add(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
        }
        let rest = chunks.remainder().iter().fold(word.len() as u64, |rest, byte| rest << 8 | u64::from(*byte));
        self.add(rest.wrapping_add(1 << 60));
    }
}

/// Hashes what is a hash of [`template`] already: with a seed that nobody knows, so that a text cannot
/// be written of which all hashes fall together.
#[derive(Clone, Copy)]
pub(in crate::compress) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher(self.0)
    }
}

/// One such hash.
pub(in crate::compress) struct SeededHasher(u64);

impl Hasher for SeededHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_differ_in_values_are_alike() {
        for (one, other) in [
            ("12:00:01 request 17 from 10.0.0.1 took 5ms", "12:00:09 request 9 from 10.9.8.7 took 812ms"),
            ("open \"a b\" failed", "open \"other file\" failed"),
            ("read /var/log/x done", "read /etc/passwd done"),
            ("got  deadbeef", "got cafebabe"),
            ("run 38101a0b-2096-abcd-96ea-a692162415ae of pod web-7d4b9c-xkzp", "run 1-2-3-4-5 of pod web-5fc8-qr2"),
            ("\"GET /a HTTP/1.1\" 200", "\"GET /b?c=1 HTTP/1.0\" 304"),
        ] {
            assert_eq!(template(one), template(other), "{one} / {other}");
        }
        for (one, other) in [
            ("started worker 1", "stopped worker 1"),
            ("it can't start and won't stop", "it can't run and won't stop"),
            ("abcdefghi", "abcdefghj"),
            ("at write_block.434", "at read_error.790"),
            ("\"GET /a HTTP/1.1\" 200", "\"POST /b HTTP/1.0\" 200"),
            ("ab", "ba"),
        ] {
            assert_ne!(template(one), template(other), "{one} / {other}");
        }
    }
}
