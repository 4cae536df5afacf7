//! A small memory of how many tokens a pretoken has, for those that had to be merged.
//!
//! Each entry holds its pretoken whole, so a hit is exact. A newer pretoken takes an older one's place.

use super::layout::hash_key;
use super::vocab::load;

/// The most bytes of a pretoken that is kept.
const KEPT_MAX: usize = 30;

/// The most entries, of 32 bytes each.
const ENTRIES_MAX: usize = 1 << 14;

/// Bytes of text for which an entry is worth its initialisation.
const BYTES_PER_ENTRY: usize = 128;

/// The bytes of the pretoken, zeros, its length, and the number of its tokens.
type Entry = [u128; 2];

/// See the module.
pub(super) struct Cache {
    entries: Vec<Entry>,
}

/// Where a pretoken's entry is, and what it begins with.
pub(super) struct Place {
    index: usize,
    key: Entry,
}

/// The bits of an entry's second half that hold the number of tokens.
const COUNT_SHIFT: u32 = 120;

impl Cache {
    /// Returns a cache for texts of about `len` bytes; a short text gets none.
    pub(super) fn new(len: usize) -> Self {
        let entries = (len / BYTES_PER_ENTRY).checked_ilog2().map_or(0, |log| 1 << log);
        Self { entries: vec![[0; 2]; if entries < 16 { 0 } else { entries.min(ENTRIES_MAX) }] }
    }

    /// Returns the place of the pretoken `text[at..at + len]`, if it is one that is kept.
    #[inline]
    pub(super) fn place(&self, text: &[u8], at: usize, len: usize) -> Option<Place> {
        if len > KEPT_MAX || self.entries.is_empty() {
            return None;
        }
        let low = load(text, at);
        let key = if len < 16 {
            [low & ((1 << (8 * len)) - 1), (len as u128) << 112]
        } else {
            [low, load(text, at + 16) & ((1 << (8 * (len - 16))) - 1) | (len as u128) << 112]
        };
        let hash = hash_key(key[0] ^ key[1].rotate_left(41));
        Some(Place { index: hash as usize & (self.entries.len() - 1), key })
    }

    /// Returns the number of tokens of the pretoken whose place this is, if it is remembered.
    #[inline]
    pub(super) fn get(&self, place: &Place) -> Option<usize> {
        let entry = self.entries[place.index];
        let same = entry[0] == place.key[0] && (entry[1] ^ place.key[1]) << (128 - COUNT_SHIFT) == 0;
        same.then_some((entry[1] >> COUNT_SHIFT) as usize)
    }

    /// Remembers the number of tokens of the pretoken whose place this is.
    #[inline]
    pub(super) fn put(&mut self, place: Place, tokens: usize) {
        self.entries[place.index] = [place.key[0], place.key[1] | (tokens as u128) << COUNT_SHIFT];
    }
}
