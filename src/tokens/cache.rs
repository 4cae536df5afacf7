//! A small memory of how many tokens a pretoken has.
//!
//! It saves merges, from one text to the next, and is as large as the texts that were counted need.
//! Each entry holds its pretoken whole, so a hit is exact. A newer pretoken takes an older one's place.

use super::layout::{KEY_BITS, SHORT_MAX, hash_key};
use super::vocab::load;

/// The most bytes of a pretoken that is kept.
const KEPT_MAX: usize = 30;

/// The most bytes of a pretoken that is kept because it repeats its first sixteen, as long rows of
/// blanks, line breaks and dashes do: those and the length say all.
const REPEATED_MAX: usize = 255;

/// The most entries for short pretokens, of 16 bytes each.
const SHORT_ENTRIES_MAX: usize = 1 << 15;

/// The most entries for longer pretokens, of 32 bytes each.
const LONG_ENTRIES_MAX: usize = 1 << 13;

/// The bit from which on the number of tokens lies in the second half of a longer pretoken's entry.
const COUNT_SHIFT: u32 = 120;

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    /// Keys as in the vocabulary, and above them the number of tokens.
    short: Vec<u128>,
    /// The bytes, zeros, their number, and the number of tokens.
    long: Vec<[u128; 2]>,
}

/// Where a pretoken of more than [`SHORT_MAX`] bytes is kept, and what the entry begins with.
pub(super) struct Place {
    index: usize,
    key: [u128; 2],
}

impl Cache {
    /// Makes the cache large enough for texts of about `len` bytes; forgets all when it grows.
    pub(super) fn suit(&mut self, len: usize) {
        let entries = |per: usize, max: usize| (len / per).max(1).next_power_of_two().min(max);
        let (short, long) = (entries(4, SHORT_ENTRIES_MAX), entries(32, LONG_ENTRIES_MAX));
        if self.short.len() < short {
            self.short = vec![0; short];
        }
        if self.long.len() < long {
            self.long = vec![[0; 2]; long];
        }
    }

    /// Returns the number of tokens of the short pretoken with this key and hash, if it is known.
    #[inline]
    pub(super) fn short(&self, key: u128, hash: u64) -> Option<usize> {
        let entry = self.short[hash as usize & (self.short.len() - 1)];
        ((entry ^ key) << (128 - KEY_BITS) == 0).then_some((entry >> KEY_BITS) as usize)
    }

    /// Remembers the number of tokens of the short pretoken with this key and hash.
    #[inline]
    pub(super) fn put_short(&mut self, key: u128, hash: u64, tokens: usize) {
        let index = hash as usize & (self.short.len() - 1);
        self.short[index] = key | (tokens as u128) << KEY_BITS;
    }

    /// Returns the place of the pretoken `text[at..at + len]`, if it is of the longer ones that are kept.
    #[inline]
    pub(super) fn place(&self, text: &[u8], at: usize, len: usize) -> Option<Place> {
        if len <= SHORT_MAX || len > REPEATED_MAX {
            return None;
        }
        let mut key = [load(text, at), (len as u128) << 112];
        if len < 16 {
            key[0] &= (1 << (8 * len)) - 1;
        } else if len <= KEPT_MAX {
            key[1] |= load(text, at + 16) & ((1 << (8 * (len - 16))) - 1);
        } else if text[at..at + len - 16] != text[at + 16..at + len] {
            return None;
        }
        let hash = hash_key(key[0] ^ key[1].rotate_left(41));
        Some(Place { index: hash as usize & (self.long.len() - 1), key })
    }

    /// Returns the number of tokens of the pretoken whose place this is, if it is known.
    #[inline]
    pub(super) fn long(&self, place: &Place) -> Option<usize> {
        let entry = self.long[place.index];
        let same = entry[0] == place.key[0] && (entry[1] ^ place.key[1]) << (128 - COUNT_SHIFT) == 0;
        same.then_some((entry[1] >> COUNT_SHIFT) as usize)
    }

    /// Remembers the number of tokens of the pretoken whose place this is.
    #[inline]
    pub(super) fn put_long(&mut self, place: &Place, tokens: usize) {
        self.long[place.index] = [place.key[0], place.key[1] | (tokens as u128) << COUNT_SHIFT];
    }
}
