//! The layout of the vocabulary tables, shared by the build script that writes them and the
//! counter that reads them in place.
//!
//! A token of at most [`SHORT_MAX`] bytes lies whole in one 16-byte slot together with its rank, so
//! that one cache line answers both "is this a token" and "which". The slot is found by a perfect
//! hash: a bucket holds a pilot, chosen at build time so that no two tokens share a slot. Longer
//! tokens are few; they have a table with linear probing and their bytes in a blob.

/// The most bytes of a token that lies in a slot.
pub const SHORT_MAX: usize = 13;

/// The most bytes of any token of the encodings.
pub const TOKEN_MAX: usize = 128;

/// Bits of a slot that hold the bytes of a token and, above them, their number.
pub const KEY_BITS: u32 = 108;

/// The rank that stands for "no token".
pub const NO_TOKEN: u32 = (1 << 18) - 1;

/// Entries of each table of length masks.
pub const MASKS: usize = 1 << 16;

/// A token's rank, at most 18 bits.
pub type Rank = u32;

/// Returns the key of a short token: its bytes with zeros above them, and their number on top.
#[inline]
pub fn key(bytes: u128, len: usize) -> u128 {
    (bytes & ((1 << (8 * len)) - 1)) | (len as u128) << 104
}

/// Returns the hash of two words: the halves of their product, folded.
#[inline]
pub fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Returns the hash of a short token's key.
#[inline]
pub fn hash_key(key: u128) -> u64 {
    fold(key as u64 ^ 0x9e37_79b9_7f4a_7c15, (key >> 64) as u64 ^ 0xd1b5_4a32_d192_ed03)
}

/// Returns the hash of a token of any length.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let seed = 0x2545_f491_4f6c_dd1d ^ bytes.len() as u64;
    let hash = words
        .iter()
        .fold(seed, |hash, word| fold(hash ^ u64::from_le_bytes(*word), 0x9e37_79b9_7f4a_7c15).wrapping_add(hash));
    fold(hash ^ u64::from_le_bytes(last), 0xd1b5_4a32_d192_ed03)
}

/// Returns the bucket, of `buckets`, that a hash belongs to.
#[inline]
pub fn bucket(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

/// Returns the slot, of `slots`, that a hash has under its bucket's pilot.
#[inline]
pub fn slot(hash: u64, pilot: u16, slots: usize) -> usize {
    let mixed = (hash as u32 ^ u32::from(pilot).wrapping_mul(0x85eb_ca6b)).wrapping_mul(0x9e37_79b1);
    ((u64::from(mixed) * slots as u64) >> 32) as usize
}

/// Returns the entry of the length masks for a text that begins with these four bytes.
#[inline]
pub fn mask_of_4(bytes: u128) -> usize {
    ((bytes as u32).wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// Returns the entry of the length masks for a text that begins with these eight bytes.
#[inline]
pub fn mask_of_8(bytes: u128) -> usize {
    ((bytes as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// Returns the bit of a length mask for tokens of `len` bytes, which is at least four.
///
/// Each short length has a bit of its own; the lengths above share the rest.
#[inline]
pub fn mask_bit(len: usize) -> u16 {
    match len {
        ..=SHORT_MAX => 1 << (len - 4),
        14..=15 => 1 << 10,
        16..=19 => 1 << 11,
        20..=31 => 1 << 12,
        32..=63 => 1 << 13,
        64..=95 => 1 << 14,
        _ => 1 << 15,
    }
}

/// The lengths that a bit above the short ones stands for, longest first.
pub const LONG_LENGTHS: [(u16, usize, usize); 6] = [
    (1 << 15, 96, TOKEN_MAX),
    (1 << 14, 64, 95),
    (1 << 13, 32, 63),
    (1 << 12, 20, 31),
    (1 << 11, 16, 19),
    (1 << 10, 14, 15),
];

/// Returns the slot of a long token: its rank, where its bytes begin, and part of its hash.
#[inline]
pub fn long_slot(hash: u64, rank: Rank, offset: usize) -> u64 {
    u64::from(rank) | (offset as u64) << 18 | hash >> 40 << 40
}

/// Returns the rank in a slot of a long token, and where its bytes begin.
#[inline]
pub fn long_token(slot: u64) -> (Rank, usize) {
    (slot as u32 & NO_TOKEN, (slot >> 18) as usize & ((1 << 22) - 1))
}

/// What is known of a token beside its bytes, in one word.
#[derive(Clone, Copy)]
pub struct Record(pub u64);

impl Record {
    /// Packs a record.
    pub fn new(left: Rank, right: Rank, prefix: Rank, len: usize) -> Self {
        Self(u64::from(left) | u64::from(right) << 18 | u64::from(prefix) << 36 | (len as u64) << 54)
    }

    /// Returns the left one of the two tokens that this one is merged from; a byte is its own.
    #[inline]
    pub fn left(self) -> Rank {
        self.0 as u32 & NO_TOKEN
    }

    /// Returns the right one of the two tokens that this one is merged from; a byte is its own.
    #[inline]
    pub fn right(self) -> Rank {
        (self.0 >> 18) as u32 & NO_TOKEN
    }

    /// Returns the longest token that is a proper prefix of this one.
    #[inline]
    pub fn prefix(self) -> Option<Rank> {
        let prefix = (self.0 >> 36) as u32 & NO_TOKEN;
        (prefix != NO_TOKEN).then_some(prefix)
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.0 >> 54) as usize
    }
}

/// The classes of characters that the pretokenizers tell apart, a bit each.
pub mod class {
    /// Upper-case and title-case letters.
    pub const UPPER: u8 = 1;
    /// Lower-case letters.
    pub const LOWER: u8 = 2;
    /// Letters without case.
    pub const CASELESS: u8 = 4;
    /// Marks.
    pub const MARK: u8 = 8;
    /// Numbers.
    pub const NUMBER: u8 = 16;
    /// White space other than carriage return and line feed.
    pub const BLANK: u8 = 32;
    /// Carriage return and line feed.
    pub const NEWLINE: u8 = 64;
    /// Everything else.
    pub const OTHER: u8 = 128;
}
