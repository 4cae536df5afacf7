//! The hash of the pieces, shared with the build script: FNV-1a, which grows byte by byte, so that
//! one pass over a word gives the hashes of all its beginnings.

/// The places of the hash table: four for each piece.
pub const SLOTS: usize = 1 << 17;

/// What the hash of a piece that begins a word starts with.
pub const FIRST: u32 = 0x811c_9dc5;

/// What the hash of a piece within a word starts with.
pub const INNER: u32 = 0x4b1f_0a35;

/// Returns the hash after one more byte.
#[inline]
pub fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// Returns the first place to look for a hash.
#[inline]
pub fn slot(hash: u32) -> usize {
    (hash.wrapping_mul(0x9e37_79b1) >> 15) as usize
}
