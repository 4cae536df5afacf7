//! Any bytes as text of a kind that is detected: fitted, expanded and fetched again.
//!
//!     cargo +nightly fuzz run compress_detect

#![no_main]

#[path = "../../tests/it/compress_checks.rs"]
mod compress_checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The highest values of the first byte are no kind.
    let mut bytes = bytes.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first |= 0xf8;
    }
    compress_checks::check_bytes(&bytes, None);
});
