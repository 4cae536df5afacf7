//! Exact counts: the counter against an independent exact one, and against its own promises.

use context_engine::tokens::Encoding;

use crate::texts::Random;

/// The two ways that text is cut; `o200k_harmony` cuts ordinary text as `o200k_base` does.
fn references() -> [(Encoding, &'static bpe_openai::Tokenizer); 2] {
    [(Encoding::Cl100kBase, bpe_openai::cl100k_base()), (Encoding::O200kBase, bpe_openai::o200k_base())]
}

/// Asserts that the encoding counts `text` as the reference does.
fn check(encoding: Encoding, reference: &bpe_openai::Tokenizer, text: &str) {
    assert_eq!(encoding.count(text), reference.count(text), "{encoding}: {text:?}");
}

/// In a debug build, where everything is slow, the parts of the code space that hold no characters
/// are sampled.
fn code_points() -> impl Iterator<Item = char> {
    let all = !cfg!(debug_assertions);
    ('\0'..=char::MAX).filter(move |c| all || (*c as u32) < 0x3400 || *c as u32 % 64 == 0)
}

#[test]
fn every_code_point_in_context_counts_as_in_the_reference() {
    std::thread::scope(|scope| {
        for (encoding, reference) in references() {
            scope.spawn(move || {
                for c in code_points() {
                    let text = format!("a{c}b {c} A{c}B {c}b1{c}2'{c}\n{c}{c}!{c}c {c}\n'S{c}  {c}'ll");
                    check(encoding, reference, &text);
                }
            });
        }
    });
}

#[test]
fn random_texts_count_as_in_the_reference() {
    let rounds = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    std::thread::scope(|scope| {
        for (encoding, reference) in references() {
            scope.spawn(move || {
                let mut random = Random::new(7);
                for _ in 0..rounds {
                    check(encoding, reference, &random.text());
                }
            });
        }
    });
}
