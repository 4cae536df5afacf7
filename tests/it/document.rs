//! The count of an edited text against a count of the whole, and its text against a plain string.

use std::ops::Range;

use context_engine::tokens::{Document, Encoding, Measure, RangeError, for_model};
use proptest::prelude::*;

use crate::texts::Random;

fn measures() -> Vec<Measure> {
    let mut measures: Vec<Measure> = Encoding::ALL.into_iter().map(Measure::exact).collect();
    measures.push(for_model("claude-sonnet-4-5").expect("a model"));
    measures
}

/// A range of `text` on character boundaries, of up to `longest` bytes.
fn range(random: &mut Random, text: &str, longest: usize) -> Range<usize> {
    let start = text.floor_char_boundary(random.below(text.len() + 1));
    let end = text.ceil_char_boundary((start + random.below(longest + 1)).min(text.len()));
    start..end
}

/// Asserts that the document is the text and counts as it does.
#[track_caller]
fn check(document: &Document, text: &str) {
    assert_eq!(document.len(), text.len());
    assert_eq!(document.tokens(), document.measure().count(text), "{}: {} bytes", document.measure(), text.len());
}

/// Edits a document and a string alike, `edits` times.
fn check_edits(random: &mut Random, measure: Measure, mut text: String, edits: usize, part: fn(&mut Random) -> String) {
    let mut document = Document::new(measure, &text);
    check(&document, &text);
    for round in 0..edits {
        // Mostly a word is typed or removed; sometimes much goes or comes.
        let longest = [0, 3, 40, 3_000, 30_000][random.below(5)];
        let range = range(random, &text, longest);
        let replacement = match random.below(8) {
            0 => String::new(),
            1 => (0..random.below(200)).map(|_| part(random)).collect(),
            _ => part(random),
        };
        document.edit(range.clone(), &replacement).expect("a range of the text");
        text.replace_range(range, &replacement);
        check(&document, &text);
        if round % 16 == 0 {
            assert_eq!(document.text(), text);
            let range = self::range(random, &text, 10_000);
            assert_eq!(document.slice(range.clone()).expect("a range of the text"), text[range.clone()]);
            assert_eq!(document.tokens_of(range.clone()).expect("a range of the text"), measure.count(&text[range]));
        }
    }
    assert_eq!(document.text(), text);
    let len = document.len();
    document.edit(0..len, "").expect("a range of the text");
    assert!(document.is_empty() && document.tokens() == 0 && document.text().is_empty());
}

#[test]
fn after_every_edit_the_count_is_that_of_the_whole() {
    let (edits, seeds) = if cfg!(debug_assertions) { (400, 2) } else { (4_000, 8) };
    for measure in measures() {
        for seed in 0..seeds {
            let random = &mut Random::new(seed);
            let text = (0..random.below(600)).map(|_| random.text()).collect();
            check_edits(random, measure, text, edits, Random::text);
        }
    }
}

/// Chunks grow together and apart again where there is nowhere to cut.
#[test]
fn texts_without_boundaries_are_edited_exactly() {
    let edits = if cfg!(debug_assertions) { 60 } else { 1_000 };
    for measure in measures() {
        for (seed, part) in ["a", " ", "\n", "中", "'s", "!a", "\u{301}"].into_iter().enumerate() {
            let random = &mut Random::new(seed as u64);
            check_edits(random, measure, part.repeat(100_000 / part.len() / 10), edits, |random| {
                [" ", "\n", "a", "1", "/", "aaaaaaaa", "中中", "'"][random.below(8)].repeat(random.below(20))
            });
        }
    }
}

#[test]
fn a_pretoken_of_a_hundred_kilobytes_is_one_chunk_and_exact() {
    for measure in measures() {
        let mut text = "ab".repeat(50_000);
        let mut document = Document::new(measure, &text);
        for (range, replacement) in [(50_001..50_002, " "), (50_001..50_002, "x"), (0..0, "'"), (99_000..99_999, "\n")]
        {
            document.edit(range.clone(), replacement).unwrap();
            text.replace_range(range, replacement);
            check(&document, &text);
        }
    }
}

#[test]
fn a_range_that_is_none_is_refused_and_changes_nothing() {
    let mut document = Document::new(Encoding::O200kBase, "aé👍");
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let reversed = document.edit(3..1, "x");
    assert_eq!(reversed, Err(RangeError::Reversed { start: 3, end: 1 }));
    assert_eq!(document.edit(0..8, "x"), Err(RangeError::Beyond { start: 0, end: 8, len: 7 }));
    assert_eq!(document.edit(2..3, "x"), Err(RangeError::InsideCharacter { at: 2, start: 1 }));
    assert_eq!(document.slice(1..6), Err(RangeError::InsideCharacter { at: 6, start: 3 }));
    assert_eq!(document.tokens_of(8..9), Err(RangeError::Beyond { start: 8, end: 9, len: 7 }));
    assert_eq!(document.text(), "aé👍");
    let mut empty = Document::new(Encoding::O200kBase, "");
    assert_eq!(empty.edit(0..1, "x"), Err(RangeError::Beyond { start: 0, end: 1, len: 0 }));
    empty.edit(0..0, "x").unwrap();
    assert_eq!((empty.text().as_str(), empty.tokens()), ("x", 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_of_any_text(
        text in "(?s).{0,3000}",
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[ \n'a-z]{0,9}|(?s).{0,9}"), 1..12),
    ) {
        let mut text = text;
        let mut document = Document::new(Encoding::O200kBase, &text);
        for (from, to, replacement) in edits {
            let [from, to] = [from, to].map(|at| text.floor_char_boundary(at.index(text.len() + 1)));
            let range = from.min(to)..from.max(to);
            document.edit(range.clone(), &replacement).unwrap();
            text.replace_range(range, &replacement);
            prop_assert_eq!(document.tokens(), Encoding::O200kBase.count(&text));
        }
        prop_assert_eq!(document.text(), text);
    }
}
