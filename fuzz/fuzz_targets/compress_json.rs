//! Any bytes as text of the kind `json`, and the messages of a conversation with a model: fitted, expanded and fetched again.
//!
//!     cargo +nightly fuzz run compress_json

#![no_main]

#[path = "../../tests/it/compress_checks.rs"]
mod compress_checks;

use context_engine::compress::Kind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| compress_checks::check_bytes(bytes, Some(Kind::Json)));
