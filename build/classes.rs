//! The character classes: a table of 256-character blocks, and which block a character is in.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use regex_syntax::hir::{Class, HirKind};

use crate::layout::class;

/// The checksum of the classes of Unicode 16.0, which the reference tokenizers use.
///
/// A `regex-syntax` with newer tables would silently change counts; the build stops instead.
const UNICODE_16: u64 = 0x71c3_5d70_025c_a232;

const KINDS: [(&str, u8); 7] = [
    (r"[\p{Lu}\p{Lt}]", class::UPPER),
    (r"\p{Ll}", class::LOWER),
    (r"[\p{Lm}\p{Lo}]", class::CASELESS),
    (r"\p{M}", class::MARK),
    (r"\p{N}", class::NUMBER),
    (r"[\s--[\r\n]]", class::BLANK),
    (r"[\r\n]", class::NEWLINE),
];

/// Writes `classes.blocks` and `classes.index`.
pub fn write(out: &Path) {
    let mut classes = vec![class::OTHER; 0x11_0000];
    for (pattern, bit) in KINDS {
        for (first, last) in ranges(pattern) {
            classes[first as usize..=last as usize].fill(bit);
        }
    }
    let checksum = classes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, class| (sum ^ u64::from(*class)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(
        checksum, UNICODE_16,
        "the character classes of regex-syntax are not those of Unicode 16.0 ({checksum:#x}): \
         pin the version of regex-syntax that has them"
    );

    let mut seen: HashMap<&[u8], u8> = HashMap::new();
    let mut blocks = Vec::new();
    let mut index = Vec::new();
    for block in classes.chunks(256) {
        let next = u8::try_from(seen.len()).expect("there are fewer than 256 different blocks");
        let number = *seen.entry(block).or_insert_with(|| {
            blocks.extend_from_slice(block);
            next
        });
        index.push(number);
    }
    fs::write(out.join("classes.blocks"), blocks).expect("the output folder is writable");
    fs::write(out.join("classes.index"), index).expect("the output folder is writable");
}

/// Returns the ranges of the characters that a pattern of one class matches.
pub fn ranges(pattern: &str) -> Vec<(u32, u32)> {
    let hir = regex_syntax::parse(pattern).expect("the pattern is one class");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start() as u32, range.end() as u32)).collect()
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect()
        }
        other => panic!("{pattern} is not a class: {other:?}"),
    }
}
