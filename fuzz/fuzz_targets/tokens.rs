//! Any bytes as text: counted, cut and edited as in `bpe-openai`.
//!
//!     cargo +nightly fuzz run tokens

#![no_main]

#[path = "../../tests/it/checks.rs"]
#[expect(dead_code, reason = "the tests ask it of every character")]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check_bytes(bytes));
