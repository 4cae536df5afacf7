//! Any bytes as text of the kind `test`: fitted, expanded and fetched again.
//!
//!     cargo +nightly fuzz run compress_test

#![no_main]

#[path = "../../tests/it/compress_checks.rs"]
mod compress_checks;

use context_engine::compress::Kind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compress_checks::check_bytes(bytes, Some(Kind::Test)));
