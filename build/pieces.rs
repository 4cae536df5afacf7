//! The tables of the embedded model's WordPiece vocabulary and of the characters it treats apart.
//!
//! The pieces lie one after the other with their offsets; an open hash table of `u16` gives, for the
//! hash of a piece, its number plus one. `src/embed/wordpiece.rs` reads them in place and shares the
//! hash.

use std::fs;
use std::path::Path;

use crate::classes::ranges;

#[path = "../src/embed/hash.rs"]
mod hash;

/// Writes the tables of the vocabulary in this file, one piece a line.
pub fn write(out: &Path, vocabulary: &Path) {
    let text = fs::read_to_string(vocabulary).expect("the vocabulary is in assets/");
    let pieces: Vec<&str> = text.lines().collect();
    let mut slots = vec![0_u16; hash::SLOTS];
    let mut offsets = vec![0_u32];
    let mut bytes = Vec::new();
    for (number, piece) in (1..).zip(&pieces) {
        let seed = if piece.starts_with("##") { hash::INNER } else { hash::FIRST };
        let body = if seed == hash::INNER { &piece[2..] } else { piece };
        let mut slot = hash::slot(body.bytes().fold(seed, hash::step));
        while slots[slot] != 0 {
            slot = (slot + 1) % hash::SLOTS;
        }
        slots[slot] = number;
        bytes.extend_from_slice(piece.as_bytes());
        offsets.push(u32::try_from(bytes.len()).expect("a small vocabulary"));
    }
    let save = |table: &str, bytes: Vec<u8>| {
        fs::write(out.join(format!("pieces.{table}")), bytes).expect("the output folder is writable");
    };
    save("slots", slots.iter().flat_map(|slot| slot.to_le_bytes()).collect());
    save("offsets", offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect());
    save("bytes", bytes);
    for (name, pattern) in [("marks", r"\p{Mn}"), ("punctuation", r"\p{P}"), ("others", r"[\p{C}--[\t\r\n]]")] {
        let ends = ranges(pattern).into_iter().flat_map(|(first, last)| [first, last]);
        save(name, ends.flat_map(u32::to_le_bytes).collect());
    }
}
