//! The vocabularies: tables that the build script wrote, used in place from read-only memory.
//!
//! Nothing is parsed or allocated before the first count; pages of the tables are read when they
//! are first touched.

use std::ops::Range;

use super::layout::{
    self, Group, HEAD, KEY_BITS, LONG, Long, NO_PLACE, PAIRS, RECORD, Rank, Record, SHORT_MAX, TAILS, THREES,
    TOKEN_MAX, TWOS,
};

/// The tokens of one encoding.
pub(super) struct Vocab {
    slots: &'static [[u8; 16]],
    pilots: &'static [[u8; 2]],
    records: &'static [u8],
    long_groups: &'static [[u8; 4]],
    long_list: &'static [[u8; 8]],
    long_bytes: &'static [u8],
    masks: &'static [[u8; 2]],
    filter: &'static [[u8; 8]],
    bytes: &'static [[u8; 4]],
    twos: &'static [u8; TWOS / 8],
    threes: &'static [u8; THREES / 8],
    pairs: &'static [u8; PAIRS / 8],
    tails: &'static [u8; TAILS / 8],
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
            records: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".records")),
            long_groups: table!(concat!($name, ".long_groups")),
            long_list: table!(concat!($name, ".long_list")),
            long_bytes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".long_bytes")),
            masks: table!(concat!($name, ".masks")),
            filter: table!(concat!($name, ".filter")),
            bytes: table!(concat!($name, ".bytes")),
            twos: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".twos")),
            threes: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".threes")),
            pairs: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".pairs")),
            tails: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".tails")),
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

/// What tokens a text may begin with.
pub(super) struct Candidates {
    /// The first bytes of the text.
    bytes: u128,
    /// A bit for each length of a short token.
    lengths: u32,
    /// The place in the list of the longest long token.
    long: u16,
    /// Whether none was taken yet.
    are_all: bool,
}

/// A token that a text begins with.
#[derive(Clone, Copy)]
pub(super) struct Token {
    rank: Rank,
    /// The place in the list of long tokens, [`NO_PLACE`], or [`REPEAT`].
    place: u16,
    len: u8,
    is_longest: bool,
}

/// The place of a token that was taken without a look at longer ones.
const REPEAT: u16 = NO_PLACE - 1;

impl Token {
    /// Returns the rank.
    #[inline]
    pub(super) fn rank(self) -> Rank {
        self.rank
    }

    /// Returns the number of bytes.
    #[inline]
    pub(super) fn len(self) -> usize {
        usize::from(self.len)
    }

    /// Returns whether no longer token begins at the same place.
    #[inline]
    pub(super) fn is_longest(self) -> bool {
        self.is_longest
    }

    /// Returns the token as one that was taken because the text repeats itself, without a look at longer
    /// ones.
    #[inline]
    pub(super) fn repeated(self) -> Self {
        Self { place: REPEAT, ..self }
    }

    /// Returns whether the token was [`repeated`](Self::repeated).
    #[inline]
    pub(super) fn is_repeat(self) -> bool {
        self.place == REPEAT
    }
}

/// Returns the number of bytes that two texts have in common at their beginning.
fn common(a: &[u8], b: &[u8]) -> usize {
    let words = |text| <[u8]>::as_chunks::<8>(text).0.iter().map(|word| u64::from_le_bytes(*word));
    let mut same = 0;
    for (a, b) in words(a).zip(words(b)) {
        if a != b {
            return same + (a ^ b).trailing_zeros() as usize / 8;
        }
        same += 8;
    }
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// Returns four bytes of `text` from `at`, little end first, with zeros where the text has ended.
#[inline]
fn word(text: &[u8], at: usize) -> u32 {
    if let Some(bytes) = text[at..].first_chunk::<4>() {
        return u32::from_le_bytes(*bytes);
    }
    text[at..].iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

impl Vocab {
    /// Returns the token whose bytes are `text[at..at + len]`.
    #[inline]
    pub(super) fn find(&self, text: &[u8], at: usize, len: usize) -> Option<Rank> {
        let bytes = load(text, at);
        match len {
            2 if !self.is_two(bytes as u32) => return None,
            3 if !self.may_be_three(bytes as u32) => return None,
            _ => {}
        }
        if len <= SHORT_MAX {
            self.find_short(bytes, len)
        } else if self.mask(bytes) & LONG != 0 {
            self.find_long(bytes, &text[at..at + len])
        } else {
            None
        }
    }

    /// Returns the short token that has this key, of which this is the hash.
    #[inline]
    pub(super) fn find_key(&self, key: u128, hash: u64) -> Option<Rank> {
        let pilot = u16::from_le_bytes(self.pilots[layout::bucket(hash, self.pilots.len())]);
        let slot = u128::from_le_bytes(self.slots[layout::slot(hash, pilot, self.slots.len())]);
        ((slot ^ key) << (128 - KEY_BITS) == 0).then_some((slot >> KEY_BITS) as Rank)
    }

    /// Returns the token whose bytes are the lowest `len` of `bytes`; quick where there is none.
    #[inline]
    fn find_short(&self, bytes: u128, len: usize) -> Option<Rank> {
        let key = layout::key(bytes, len);
        let hash = layout::hash_key(key);
        let (word, bits) = layout::filter_bits(hash, self.filter.len());
        if u64::from_le_bytes(self.filter[word]) & bits == bits { self.find_key(key, hash) } else { None }
    }

    /// Returns the token whose bytes are the lowest `len` of `bytes`; quick where there is one.
    #[inline]
    fn find_candidate(&self, bytes: u128, len: usize) -> Option<Rank> {
        if len > 4 {
            return self.find_short(bytes, len);
        }
        // Of so few bytes it is known by now that there is a token, almost always.
        let key = layout::key(bytes, len);
        self.find_key(key, layout::hash_key(key))
    }

    /// Returns the token that is `token`, which is long and begins with `bytes`.
    #[cold]
    fn find_long(&self, bytes: u128, token: &[u8]) -> Option<Rank> {
        if token.len() > TOKEN_MAX {
            return None;
        }
        let place = self.longest_long(bytes, token);
        if place == NO_PLACE {
            return None;
        }
        let long = self.long(place);
        (long.len() == token.len()).then(|| long.rank())
    }

    /// Returns the place of the longest of the long tokens that `text` begins with, as it does with
    /// `bytes`; [`NO_PLACE`] if there is none.
    #[cold]
    fn longest_long(&self, bytes: u128, text: &[u8]) -> u16 {
        let group = self.group(bytes);
        let text = &text[..text.len().min(TOKEN_MAX)];
        // All that the text begins with come before it in the order of bytes; the last one before it
        // is such a one or shares its beginning with the longest.
        let entry = |entry: &[u8; 8]| self.bytes_of(Long(u64::from_le_bytes(*entry)));
        let before = self.long_list[group.clone()].partition_point(|long| entry(long) <= text);
        if before == 0 {
            return NO_PLACE;
        }
        let mut place = (group.start + before - 1) as u16;
        let common = common(self.bytes_of(self.long(place)), text);
        while place != NO_PLACE && self.long(place).len() > common {
            place = self.shorter_long(place);
        }
        place
    }

    /// The long tokens with the same first bytes, in the order of their bytes.
    #[cold]
    fn group(&self, bytes: u128) -> Range<usize> {
        let head = bytes & ((1 << (8 * HEAD)) - 1);
        let last = self.long_groups.len() - 1;
        let mut at = layout::hash_key(head) as usize & last;
        loop {
            let group = u32::from_le_bytes(self.long_groups[at]);
            if group == 0 {
                return 0..0;
            }
            let range = Group(group).range();
            if load(self.long_bytes, self.long(range.start as u16).offset()) & ((1 << (8 * HEAD)) - 1) == head {
                return range;
            }
            at = (at + 1) & last;
        }
    }

    fn long(&self, place: u16) -> Long {
        Long(u64::from_le_bytes(self.long_list[usize::from(place)]))
    }

    /// The bytes of a long token.
    fn bytes_of(&self, long: Long) -> &'static [u8] {
        &self.long_bytes[long.offset()..][..long.len()]
    }

    /// The lengths from four on that tokens may have which begin with the first four of `bytes`.
    #[inline]
    fn mask(&self, bytes: u128) -> u16 {
        let (entry, tag) = layout::mask_of_4(bytes as u32, self.masks.len());
        layout::lengths(u16::from_le_bytes(self.masks[entry]), tag)
    }

    /// Returns whether the lowest two of `bytes` are a token.
    #[inline]
    pub(super) fn is_two(&self, bytes: u32) -> bool {
        layout::has_bit(self.twos, layout::two_bit(bytes))
    }

    /// Returns whether the lowest three of `bytes` may be a token.
    #[inline]
    fn may_be_three(&self, bytes: u32) -> bool {
        layout::has_bit(self.threes, layout::three_bit(bytes))
    }

    /// Returns what tokens `text[at..end]` may begin with.
    #[inline]
    pub(super) fn candidates(&self, text: &[u8], at: usize, end: usize) -> Candidates {
        let bytes = load(text, at);
        let room = end - at;
        let mask = if room >= 4 { self.mask(bytes) } else { 0 };
        let long =
            if mask & LONG != 0 && room > SHORT_MAX { self.longest_long(bytes, &text[at..end]) } else { NO_PLACE };
        let few = u32::from(self.is_two(bytes as u32)) << 2 | u32::from(self.may_be_three(bytes as u32)) << 3;
        let lengths = (u32::from(mask & (LONG - 1)) << 4 | few | 0b10) & ((2 << room.min(SHORT_MAX)) - 1);
        Candidates { bytes, lengths, long, are_all: true }
    }

    /// Returns what tokens the text may begin with that are shorter than this one, with which it
    /// begins and which has more than one byte.
    #[inline]
    pub(super) fn shorter(&self, text: &[u8], at: usize, token: Token) -> Candidates {
        let long = if token.place == NO_PLACE { NO_PLACE } else { self.shorter_long(token.place) };
        let rest = self.candidates(text, at, at + (token.len() - 1).min(SHORT_MAX));
        Candidates { long, are_all: false, ..rest }
    }

    /// Returns the place of the longest long token that the one at `place` begins with.
    #[inline]
    fn shorter_long(&self, place: u16) -> u16 {
        match self.long(place).back() {
            0 => NO_PLACE,
            back => place - back,
        }
    }

    /// Returns the longest of the candidates that is a token, and leaves the shorter ones.
    ///
    /// # Panics
    ///
    /// When there is none left, which does not happen before the token of one byte was returned.
    #[inline]
    pub(super) fn longest(&self, candidates: &mut Candidates) -> Token {
        let is_longest = candidates.are_all;
        candidates.are_all = false;
        let place = candidates.long;
        if place != NO_PLACE {
            let long = self.long(place);
            candidates.long = self.shorter_long(place);
            return Token { rank: long.rank(), place, len: long.len() as u8, is_longest };
        }
        loop {
            let len = candidates.lengths.ilog2();
            let rank = if len == 1 {
                Some(u32::from_le_bytes(self.bytes[candidates.bytes as usize & 0xff]))
            } else {
                candidates.lengths ^= 1 << len;
                self.find_candidate(candidates.bytes, len as usize)
            };
            if let Some(rank) = rank {
                return Token { rank, place: NO_PLACE, len: len as u8, is_longest };
            }
        }
    }

    /// Returns the first place within the pretoken `text[at..end]` where no token can hold its two
    /// sides together, so that both count for themselves; the end, where there is none.
    ///
    /// Only places are seen between two characters that are not ASCII, the second of three bytes or
    /// more. There it matters: Chinese is written without spaces, and few pairs are in tokens.
    #[inline]
    pub(super) fn part_end(&self, text: &[u8], at: usize, end: usize) -> usize {
        let mut left = 0;
        let mut at = at;
        while at < end {
            let len = layout::char_len(text[at]);
            let right = word(text, at) & (u32::MAX >> (32 - 8 * len));
            if len >= 3
                && left > 0x7f
                && !layout::has_bit(self.pairs, layout::pair_bit(left, right))
                && !layout::has_bit(self.tails, layout::tail_bit(text[at - 1], right))
            {
                return at;
            }
            left = right;
            at += len;
        }
        end
    }

    /// Returns what is known of a token beside its bytes.
    #[inline]
    fn record(&self, token: Rank) -> Record {
        let word = self.records[token as usize * RECORD..].first_chunk().expect("a token has a record");
        Record(u64::from_le_bytes(*word))
    }

    /// Returns whether `left` and `right`, which meet in `text` at `split`, stay two tokens.
    ///
    /// Both are taken apart in the reverse order of their merges; they stay two unless, at some
    /// moment of that history, the two parts at the split would have been merged first. Where `left`
    /// is the longest token at its place, nothing that begins with all of it is a token.
    #[inline]
    pub(super) fn stays_apart(
        &self,
        text: &[u8],
        split: usize,
        mut left: Rank,
        mut right: Rank,
        left_is_longest: bool,
    ) -> bool {
        let whole = if left_is_longest { left } else { Rank::MAX };
        let mut limit = Rank::MAX;
        loop {
            let (left_record, right_record) = (self.record(left), self.record(right));
            if left != whole {
                let (left_len, right_len) = (left_record.len(), right_record.len());
                let joined = self.find(text, split - left_len, left_len + right_len);
                if joined.is_some_and(|joined| joined < limit) {
                    return false;
                }
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
