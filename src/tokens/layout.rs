//! The layout of the vocabulary tables, shared by the build script that writes them and the
//! counter that reads them in place.
//!
//! A token of at most [`SHORT_MAX`] bytes lies whole in one 16-byte slot together with its rank, so
//! that one cache line answers both "is this a token" and "which". The slot is found by a perfect
//! hash: a bucket holds a pilot, chosen at build time so that no two tokens share a slot. Longer
//! tokens are few; those that begin with the same [`HEAD`] bytes are a group in the order of their
//! bytes, found by a table with linear probing. Each says which one before it is the longest that it
//! begins with.

/// The most bytes of a token that lies in a slot.
pub const SHORT_MAX: usize = 13;

/// The most bytes of any token of the encodings.
pub const TOKEN_MAX: usize = 128;

/// The bytes by which long tokens are found; every long token has as many.
pub const HEAD: usize = SHORT_MAX + 1;

/// Bits of a slot that hold the bytes of a token and, above them, their number.
pub const KEY_BITS: u32 = 108;

/// The rank that no token has.
pub const NO_TOKEN: u32 = (1 << 18) - 1;

/// The place in the list of long tokens that none has.
pub const NO_PLACE: u16 = u16::MAX;

/// A token's rank, at most 18 bits.
pub type Rank = u32;

/// Returns the key of a short token: its bytes with zeros above them, and their number on top.
///
/// A longer text has a key, too, which no token has.
#[inline]
pub fn key(bytes: u128, len: usize) -> u128 {
    let (mask, len) = MASK_AND_LEN[len.min(SHORT_MAX + 1)];
    (bytes & mask) | len
}

/// What of 16 bytes belongs to a token by its length, and what its key has above them.
static MASK_AND_LEN: [(u128, u128); SHORT_MAX + 2] = {
    let mut table = [(0, 0); SHORT_MAX + 2];
    let mut len = 0;
    while len < table.len() {
        table[len] = (if len <= SHORT_MAX { (1 << (8 * len)) - 1 } else { 0 }, (len as u128) << 104);
        len += 1;
    }
    table
};

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

/// Returns the entry, of `entries`, of the length masks for a text that begins with these four bytes,
/// and the tag of the text: never zero, five bits at the place where a mask has none.
#[inline]
pub fn mask_of_4(bytes: u32, entries: usize) -> (usize, u16) {
    let hash = bytes.wrapping_mul(0x9e37_79b1);
    let entry = (u64::from(hash) * entries as u64) >> 32;
    (entry as usize, ((hash >> 5 & 31) as u16).max(1) << TAG_SHIFT)
}

/// Returns the lengths that a mask has for a text with this tag. A mask that several texts share has no tag.
#[inline]
pub fn lengths(mask: u16, tag: u16) -> u16 {
    let own = mask & TAG;
    if own == 0 || own == tag { mask & !TAG } else { 0 }
}

/// Returns the word, of `words`, and the bits in it that are set in the filter for a key with this
/// hash.
///
/// The filter is Bloom's, with all bits of a key in one word so that one memory access answers.
#[inline]
pub fn filter_bits(hash: u64, words: usize) -> (usize, u64) {
    let word = ((hash >> 32) * words as u64) >> 32;
    (word as usize, 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63))
}

/// Returns the bit of a length mask for tokens of `len` bytes, which is at least four.
///
/// Each short length has a bit of its own; the longer ones share one.
#[inline]
pub fn mask_bit(len: usize) -> u16 {
    if len <= SHORT_MAX { 1 << (len - 4) } else { LONG }
}

/// The bit of a length mask for long tokens.
pub const LONG: u16 = 1 << (HEAD - 4);

/// The bits of a length mask that hold a tag.
pub const TAG: u16 = u16::MAX << TAG_SHIFT;

/// The place of the tag in a length mask, above the lengths.
const TAG_SHIFT: u32 = HEAD as u32 - 3;

/// Bits of the table of tokens of two bytes: one for each two bytes.
pub const TWOS: usize = 1 << 16;

/// Returns the bit of the table of tokens of two bytes for the lowest two of `bytes`, little end first.
#[inline]
pub fn two_bit(bytes: u32) -> usize {
    bytes as usize % TWOS
}

/// Bits of the table of tokens of three bytes.
pub const THREES: usize = 1 << 17;

/// Returns the bit of the table of tokens of three bytes for the lowest three of `bytes`, little end
/// first. Other bytes may have the same bit.
#[inline]
pub fn three_bit(bytes: u32) -> usize {
    ((bytes << 8).wrapping_mul(0x9e37_79b1) >> 15) as usize
}

/// Bits of the table of pairs of characters.
pub const PAIRS: usize = 1 << 18;

/// Bits of the table of characters after a byte.
pub const TAILS: usize = 1 << 15;

/// Returns the number of bytes of the character that begins with this byte, as UTF-8 has it.
#[inline]
pub fn char_len(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

/// Returns the bit of the table of pairs for two characters, each as its bytes, little end first.
#[inline]
pub fn pair_bit(left: u32, right: u32) -> usize {
    let pair = u64::from(left) | u64::from(right) << 32;
    ((pair ^ pair >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 46) as usize % PAIRS
}

/// Returns the bit of the table of tails for the last byte of a character and the next character.
#[inline]
pub fn tail_bit(left: u8, right: u32) -> usize {
    ((u64::from(left) | u64::from(right) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize % TAILS
}

/// Returns whether the bit is set in a table of bits.
#[inline]
pub fn has_bit(table: &[u8], bit: usize) -> bool {
    table[bit / 8] >> (bit % 8) & 1 == 1
}

/// A token that lies outside the slots: its rank, its length, where its bytes lie, and how far before it
/// in the list the longest other one is that it begins with.
#[derive(Clone, Copy)]
pub struct Long(pub u64);

impl Long {
    /// Packs a long token whose bytes begin at `offset`; `back` is zero when it begins with no other.
    pub fn new(rank: Rank, len: usize, offset: usize, back: usize) -> Self {
        Self(u64::from(rank) | (len as u64) << 18 | (offset as u64) << 26 | (back as u64) << 56)
    }

    /// Returns the token's rank.
    #[inline]
    pub fn rank(self) -> Rank {
        self.0 as Rank & NO_TOKEN
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.0 >> 18) as usize & 0xff
    }

    /// Returns where in the long tokens' bytes its own begin.
    #[inline]
    pub fn offset(self) -> usize {
        (self.0 >> 26) as usize & 0x3fff_ffff
    }

    /// Returns how far before this one in the list the longest token is that it begins with, zero
    /// when it begins with none.
    #[inline]
    pub fn back(self) -> u16 {
        (self.0 >> 56) as u16
    }
}

/// A group of long tokens: where it begins in their list, and how many it has, at least one.
#[derive(Clone, Copy)]
pub struct Group(pub u32);

impl Group {
    /// Packs a group.
    pub fn new(start: usize, count: usize) -> Self {
        Self((start as u32) << 8 | count as u32)
    }

    /// Returns the places of the group in the list of long tokens.
    #[inline]
    pub fn range(self) -> std::ops::Range<usize> {
        let start = (self.0 >> 8) as usize;
        start..start + (self.0 & 0xff) as usize
    }
}

/// Bytes of a record.
pub const RECORD: usize = 6;

/// What is known of a token beside its bytes and its rank, in 44 bits.
#[derive(Clone, Copy)]
pub struct Record(pub u64);

impl Record {
    /// Packs a record.
    pub fn new(left: Rank, right: Rank, len: usize) -> Self {
        Self(u64::from(left) | u64::from(right) << 18 | (len as u64) << 36)
    }

    /// Returns the left one of the two tokens that this one is merged from; a byte is its own.
    #[inline]
    pub fn left(self) -> Rank {
        self.0 as Rank & NO_TOKEN
    }

    /// Returns the right one of the two tokens that this one is merged from; a byte is its own.
    #[inline]
    pub fn right(self) -> Rank {
        (self.0 >> 18) as Rank & NO_TOKEN
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.0 >> 36) as usize & 0xff
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
