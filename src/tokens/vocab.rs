//! The vocabularies: tables that the build script wrote, used in place from read-only memory.
//!
//! Nothing is parsed or allocated before the first count; pages of the tables are read when they
//! are first touched.

use super::layout::{self, KEY_BITS, LONG_LENGTHS, Rank, Record, SHORT_MAX, TOKEN_MAX};

/// The tokens of one encoding.
pub(super) struct Vocab {
    slots: &'static [[u8; 16]],
    pilots: &'static [[u8; 2]],
    records: &'static [[u8; 8]],
    long_slots: &'static [[u8; 8]],
    long_bytes: &'static [u8],
    masks_4: &'static [[u8; 2]],
    masks_8: &'static [[u8; 2]],
}

/// Aligns a table to cache lines, so that no slot straddles two.
#[repr(align(64))]
struct Aligned<T: ?Sized>(T);

macro_rules! table {
    ($name:expr) => {{
        static TABLE: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/", $name)));
        TABLE.0.as_chunks().0
    }};
}

macro_rules! vocab {
    ($name:literal) => {
        Vocab {
            slots: table!(concat!($name, ".slots")),
            pilots: table!(concat!($name, ".pilots")),
            records: table!(concat!($name, ".records")),
            long_slots: table!(concat!($name, ".long_slots")),
            long_bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".long_bytes")),
            masks_4: table!(concat!($name, ".masks_4")),
            masks_8: table!(concat!($name, ".masks_8")),
        }
    };
}

/// The vocabulary of `cl100k_base`.
pub(super) static CL100K: Vocab = vocab!("cl100k");

/// The vocabulary of `o200k_base`, which `o200k_harmony` shares for ordinary text.
pub(super) static O200K: Vocab = vocab!("o200k");

/// Returns 16 bytes of `text` from `at`, little end first, with zeros where the text has ended.
#[inline]
pub(super) fn load(text: &[u8], at: usize) -> u128 {
    if let Some(bytes) = text[at..].first_chunk::<16>() {
        return u128::from_le_bytes(*bytes);
    }
    let rest = &text[at..];
    let mut bytes = [0; 16];
    bytes[..rest.len()].copy_from_slice(rest);
    u128::from_le_bytes(bytes)
}

impl Vocab {
    /// Returns the token whose bytes are `text[at..at + len]`.
    #[inline]
    pub(super) fn find(&self, text: &[u8], at: usize, len: usize) -> Option<Rank> {
        if len <= SHORT_MAX { self.find_short(load(text, at), len) } else { self.find_long(&text[at..at + len]) }
    }

    /// Returns the token whose bytes are the lowest `len` of `bytes`.
    #[inline]
    fn find_short(&self, bytes: u128, len: usize) -> Option<Rank> {
        let key = layout::key(bytes, len);
        let hash = layout::hash_key(key);
        let pilot = u16::from_le_bytes(self.pilots[layout::bucket(hash, self.pilots.len())]);
        let slot = u128::from_le_bytes(self.slots[layout::slot(hash, pilot, self.slots.len())]);
        ((slot ^ key) << (128 - KEY_BITS) == 0).then_some((slot >> KEY_BITS) as Rank)
    }

    fn find_long(&self, bytes: &[u8]) -> Option<Rank> {
        if bytes.len() > TOKEN_MAX {
            return None;
        }
        let hash = layout::hash_bytes(bytes);
        let mut at = hash as usize % self.long_slots.len();
        loop {
            let slot = u64::from_le_bytes(self.long_slots[at]);
            if slot == u64::MAX {
                return None;
            }
            let (rank, offset) = layout::long_token(slot);
            if slot >> 40 == hash >> 40 && self.long_bytes[offset..].starts_with(bytes) && self.len(rank) == bytes.len()
            {
                return Some(rank);
            }
            at = (at + 1) % self.long_slots.len();
        }
    }

    /// Returns the longest token that `text[at..end]`, which is not empty, begins with.
    #[inline]
    pub(super) fn longest(&self, text: &[u8], at: usize, end: usize) -> Rank {
        let bytes = load(text, at);
        let room = end - at;
        if room >= 4 {
            let mut mask = u16::from_le_bytes(self.masks_4[layout::mask_of_4(bytes)]);
            if mask >= layout::mask_bit(8) {
                let longer = layout::mask_bit(8) - 1;
                mask &= u16::from_le_bytes(self.masks_8[layout::mask_of_8(bytes)]) | longer;
            }
            while mask > layout::mask_bit(SHORT_MAX) * 2 - 1 {
                let (bit, first, last) = LONG_LENGTHS[mask.leading_zeros() as usize];
                mask &= !bit;
                let found = (first..=last.min(room)).rev().find_map(|len| self.find_long(&text[at..at + len]));
                if let Some(token) = found {
                    return token;
                }
            }
            if room < SHORT_MAX {
                mask &= layout::mask_bit(room) * 2 - 1;
            }
            while mask != 0 {
                let bit = mask.ilog2();
                if let Some(token) = self.find_short(bytes, bit as usize + 4) {
                    return token;
                }
                mask ^= 1 << bit;
            }
        }
        (1..=room.min(3)).rev().find_map(|len| self.find_short(bytes, len)).expect("every byte is a token")
    }

    /// Returns what is known of a token beside its bytes.
    #[inline]
    pub(super) fn record(&self, token: Rank) -> Record {
        Record(u64::from_le_bytes(self.records[token as usize]))
    }

    /// Returns the number of bytes of a token.
    #[inline]
    pub(super) fn len(&self, token: Rank) -> usize {
        self.record(token).len()
    }

    /// Returns whether `left` and `right`, which meet in `text` at `split`, stay two tokens.
    ///
    /// Both are taken apart in the reverse order of their merges; they stay two unless, at some
    /// moment of that history, the two parts at the split would have been merged first.
    #[inline]
    pub(super) fn stays_apart(&self, text: &[u8], split: usize, mut left: Rank, mut right: Rank) -> bool {
        let mut limit = Rank::MAX;
        loop {
            let (left_record, right_record) = (self.record(left), self.record(right));
            let joined = self.find(text, split - left_record.len(), left_record.len() + right_record.len());
            if joined.is_some_and(|joined| joined < limit) {
                return false;
            }
            if left > right {
                limit = left;
                left = left_record.right();
                if left == limit {
                    limit = right + 1;
                    right = right_record.left();
                    if right + 1 == limit {
                        return true;
                    }
                }
            } else {
                limit = right + 1;
                right = right_record.left();
                if right + 1 == limit {
                    limit = left;
                    left = left_record.right();
                    if left == limit {
                        return true;
                    }
                }
            }
        }
    }
}
