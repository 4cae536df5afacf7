//! Exactness at full size: what the tests do, with optimised code and so with everything.

use context_engine::tokens::Encoding;

use crate::checks;
use crate::peers;
use crate::texts::Random;

/// Random texts for each encoding.
const TEXTS: u64 = 1_000_000;

/// Characters that are not surrogates.
const CODE_POINTS: usize = 1_112_064;

/// Compares every code point in context and a million random texts with the reference. Panics, with
/// the text, at the first difference.
pub fn run() {
    std::thread::scope(|scope| {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            scope.spawn(move || {
                let reference = peers::reference(encoding);
                let mut points = 0;
                for c in '\0'..=char::MAX {
                    let text = checks::in_context(c);
                    assert_eq!(encoding.count(&text), reference.count(&*text), "{encoding}: {text:?}");
                    points += 1;
                }
                assert_eq!(points, CODE_POINTS);
                println!("{encoding}: all {points} code points in context count as in bpe-openai");
                let mut random = Random::new(2026);
                for _ in 0..TEXTS {
                    checks::check(encoding, reference, &random.text(), random.below(80));
                }
                println!("{encoding}: {TEXTS} random texts count, fit and are cut as in bpe-openai");
            });
        }
    });
}
