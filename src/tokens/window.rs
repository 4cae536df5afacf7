//! The split of 64 bytes of ASCII at a time.
//!
//! The characters of a window are sorted into classes, one bit mask each, and the places where
//! pretokens begin are worked out for all of them at once with arithmetic on the masks: what the
//! patterns say of neighbours are shifts, what they say of runs are carries. It yields exactly what
//! the functions of `pretokens` do, which take over where a window holds anything else than ASCII or
//! where a pretoken does not end within it.

/// The bytes of a window.
pub(super) const WINDOW: usize = 64;

/// Which characters of a window are of which class; the lowest bit is the first character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Classes {
    /// Letters.
    letter: u64,
    /// Upper-case letters.
    upper: u64,
    /// Digits.
    digit: u64,
    /// The space.
    space: u64,
    /// White space of any kind.
    white: u64,
    /// Carriage returns and line feeds.
    newline: u64,
    /// The apostrophe.
    apostrophe: u64,
    /// The slash.
    slash: u64,
    /// What is not ASCII.
    foreign: u64,
}

/// Returns where pretokens of `o200k_base` begin in a window, given that one begins at its first
/// byte. A pretoken that may go on behind the window has no end in it.
#[inline]
pub(super) fn o200k(window: &[u8; WINDOW]) -> u64 {
    starts::<true>(window)
}

/// Returns where pretokens of `cl100k_base` begin in a window, as [`o200k`] does for its encoding.
#[inline]
pub(super) fn cl100k(window: &[u8; WINDOW]) -> u64 {
    starts::<false>(window)
}

#[inline]
fn starts<const O200K: bool>(window: &[u8; WINDOW]) -> u64 {
    let Classes { letter, upper, digit, space, white, newline, apostrophe, slash, foreign } = classes(window);
    let len = foreign.trailing_zeros();
    let known = low_bits(len);
    let sign = known & !(letter | digit | white);

    // Signs take the line breaks behind them along, in o200k also slashes among those.
    let mut taken = newline & (sign << 1);
    if taken != 0 {
        taken = if O200K { fill_up(taken, newline | slash) } else { fill_up_from_first(taken, newline) };
    }
    let sign = sign & !taken;
    let white = white & !taken;
    let newline = newline & !taken;
    let blank = white & !newline;

    // White space up to its last line break is one pretoken; of the blanks that are left, the last
    // is one of its own, or goes with what follows.
    let last_blank = blank & !(white >> 1);
    let mut indent = blank & (newline << 1);
    if blank.wrapping_add(indent) & !blank & newline != 0 {
        // Some of these blanks are followed by another line break.
        indent &= fill_down(last_blank, blank);
    }
    let mut starts = white & !(white << 1) | last_blank | indent;

    // A sign goes with the space before it; a sign alone goes with the word behind it.
    let first_sign = sign & !(sign << 1) & !(space << 1);
    let prefix = first_sign & !(sign >> 1);
    starts |= first_sign;
    let hump = if O200K { upper & ((letter & !upper) << 1) } else { 0 };
    starts |= letter & (!((letter | blank | prefix) << 1) | hump);

    // Numbers have at most three digits.
    let mut number = digit & !(digit << 1);
    let third = digit & (digit << 1) & (digit << 2);
    while number != 0 {
        starts |= number;
        number = (number << 3) & third;
    }

    // What lies behind white space at the end, or is a contraction there, is not known.
    let open = (white << ((64 - len) % 64)).leading_ones().min(len);
    let mut certain = if open == 0 { known } else { low_bits(len - open + 1) };
    let mut contractions = apostrophe & prefix & ((letter >> 1) | !(known >> 1));
    if O200K {
        contractions &= letter << 1;
    }
    let mut behind = 0;
    while contractions != 0 {
        let at = contractions.trailing_zeros();
        contractions &= contractions - 1;
        if at + 4 > len {
            certain &= low_bits(at);
            break;
        }
        let at = at as usize;
        let length = super::pretokens::contraction(window, at);
        if length == 0 || (O200K && at == behind) {
            continue;
        }
        behind = at + length;
        let own = u64::from(!O200K) << at;
        starts = starts & !(low_bits(length as u32) << at) | own | (letter & (1 << behind));
    }
    starts & certain
}

/// The `len` lowest bits.
#[inline]
fn low_bits(len: u32) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// What of `of` can be reached from `from`, which is part of it, by going up.
#[inline]
fn fill_up(mut from: u64, mut of: u64) -> u64 {
    for step in [1, 2, 4, 8, 16, 32] {
        from |= of & (from << step);
        of &= of << step;
    }
    from
}

/// As [`fill_up`], where `from` has only the first of each run.
#[inline]
fn fill_up_from_first(from: u64, of: u64) -> u64 {
    of & !of.wrapping_add(from)
}

/// What of `of` can be reached from `from`, which is part of it, by going down.
#[inline]
fn fill_down(mut from: u64, mut of: u64) -> u64 {
    for step in [1, 2, 4, 8, 16, 32] {
        from |= of & (from >> step);
        of &= of >> step;
    }
    from
}

/// The classes of the characters of a window.
#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "a function for a processor's feature")]
fn classes(window: &[u8; WINDOW]) -> Classes {
    // SAFETY: every x86-64 processor has SSE2.
    unsafe { sse2_classes(window) }
}

/// The classes of the characters of a window, sixteen bytes at a time.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn sse2_classes(window: &[u8; WINDOW]) -> Classes {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_slli_epi16,
    };
    let mut classes = Classes::default();
    for (part, bytes) in window.as_chunks::<16>().0.iter().enumerate() {
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| i64::from_le_bytes(*word));
        let bytes = _mm_set_epi64x(word(8), word(0));
        let mask = |of: __m128i| (_mm_movemask_epi8(of) as u64 & 0xffff) << (16 * part);
        let is = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8));
        let between = |bytes: __m128i, first: u8, last: u8| {
            let from = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(first as i8 - 1));
            _mm_and_si128(from, _mm_cmpgt_epi8(_mm_set1_epi8(last as i8 + 1), bytes))
        };
        let letter = between(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), b'a', b'z');
        let lower = mask(_mm_slli_epi16::<2>(bytes));
        let space = is(b' ');
        classes.letter |= mask(letter);
        classes.upper |= mask(letter) & !lower;
        classes.digit |= mask(between(bytes, b'0', b'9'));
        classes.space |= mask(space);
        classes.white |= mask(_mm_or_si128(space, between(bytes, b'\t', b'\r')));
        classes.newline |= mask(_mm_or_si128(is(b'\n'), is(b'\r')));
        classes.apostrophe |= mask(is(b'\''));
        classes.slash |= mask(is(b'/'));
        classes.foreign |= mask(bytes);
    }
    classes
}

/// The classes of the characters of a window.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn classes(window: &[u8; WINDOW]) -> Classes {
    portable_classes(window)
}

/// The classes of the characters of a window, eight bytes at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable_classes(window: &[u8; WINDOW]) -> Classes {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    let mut classes = Classes::default();
    for (part, bytes) in window.as_chunks::<8>().0.iter().enumerate() {
        let bytes = u64::from_le_bytes(*bytes);
        let (ascii, low) = (!bytes & HIGH, bytes & !HIGH);
        // The highest bit of each byte goes to the bit of its place.
        let mask = |high: u64| ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * part);
        let between = |low: u64, first: u8, last: u8| {
            let from = low + ONES * (0x80 - u64::from(first));
            let behind = low + ONES * (0x7f - u64::from(last));
            from & !behind & ascii
        };
        let is = |byte: u8| between(low, byte, byte);
        let letter = between(low | (ONES * 0x20), b'a', b'z');
        let space = is(b' ');
        classes.letter |= mask(letter);
        classes.upper |= mask(letter & !(low << 2));
        classes.digit |= mask(between(low, b'0', b'9'));
        classes.space |= mask(space);
        classes.white |= mask(space | between(low, b'\t', b'\r'));
        classes.newline |= mask(is(b'\n') | is(b'\r'));
        classes.apostrophe |= mask(is(b'\''));
        classes.slash |= mask(is(b'/'));
        classes.foreign |= mask(bytes & HIGH);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::super::pretokens;
    use super::*;

    const PARTS: [&str; 40] = [
        "a", "B", "ab", "Ab", "AB", "xY", "word", "1", "23", "4567", "'", "'s", "'S", "'ll", "'Re", "'t", "'x", "'v",
        "/", "//", "!", "-", "=>", "(", "_", " ", "  ", "    ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", "\x0b",
        "\x0c", "é", "\u{301}", "中", "ſ",
    ];

    /// Random bytes of text, made of what the patterns treat specially; mostly ASCII.
    fn window(state: &mut u64) -> [u8; WINDOW] {
        let mut next = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) as usize
        };
        // Few different parts make long runs and near repetitions.
        let few = [next(), next(), next(), next()];
        let among = if next() % 4 == 0 { PARTS.len() } else { PARTS.len() - 4 };
        let mut text = String::new();
        while text.len() < WINDOW {
            let any = if next() % 2 == 0 { next() } else { few[next() % 4] };
            text.push_str(PARTS[any % among]);
        }
        text.as_bytes()[..WINDOW].try_into().expect("the text is long enough")
    }

    #[test]
    fn both_ways_to_classify_agree() {
        let mut state = 1;
        for round in 0..20_000 {
            let mut bytes = window(&mut state);
            bytes[round % WINDOW] = (round / WINDOW) as u8;
            assert_eq!(classes(&bytes), portable_classes(&bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_window_is_split_as_its_text_is() {
        type Split = (fn(&[u8; WINDOW]) -> u64, fn(&[u8], usize) -> usize);
        let (mut state, mut found) = (2, 0);
        for _ in 0..100_000 {
            let bytes = window(&mut state);
            for (starts, split) in
                [(o200k as _, pretokens::o200k as _), (cl100k as _, pretokens::cl100k as _)] as [Split; 2]
            {
                let starts = starts(&bytes) & !1;
                // Whatever follows the window, what it says stays true.
                for tail in ["", "a", "A", "1", " ", "\n", "/", "!", "'", "\u{301}", "s a"] {
                    let text = [&bytes[..], tail.as_bytes()].concat();
                    let (mut at, mut expected) = (0, 0_u64);
                    while at < WINDOW {
                        expected |= 1 << at;
                        at = split(&text, at);
                    }
                    let last = 63 - (starts | 1).leading_zeros();
                    let expected = expected & !1 & low_bits(last + 1);
                    assert_eq!(starts, expected, "{:?} then {tail:?}", String::from_utf8_lossy(&bytes));
                }
                found += starts.count_ones();
            }
        }
        assert!(found > 1_000_000, "only {found} starts are found");
    }
}
