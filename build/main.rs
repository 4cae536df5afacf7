//! Writes the tables that `src/tokens/` and `src/embed/` read in place: vocabularies and character
//! classes. Also tells cargo how to link (`link`).
//!
//! The ranks come from `tiktoken-rs`, which carries them as assets, through its public interface;
//! so nothing of them is in this repository and nothing is downloaded. The character classes come
//! from `regex-syntax`, whose Unicode version is the reference's.

use std::path::Path;

mod classes;
mod link;
mod pieces;
mod vocab;

#[path = "../src/tokens/layout.rs"]
#[expect(dead_code, reason = "the reader's half of the layout is not used here")]
mod layout;

#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "cargo speaks to a build script through the environment and stdout"
)]
fn main() {
    let out = std::env::var_os("OUT_DIR").expect("cargo names the output folder");
    let out = Path::new(&out);
    classes::write(out);
    pieces::write(out, Path::new("assets/static-minilm-256/vocab.txt"));
    let o200k = std::thread::scope(|scope| {
        let cl100k = scope.spawn(|| {
            let engine = tiktoken_rs::cl100k_base().expect("the crate carries the ranks");
            vocab::write(out, "cl100k", &ranks(&engine, 100_256));
        });
        let engine = tiktoken_rs::o200k_base().expect("the crate carries the ranks");
        vocab::write(out, "o200k", &ranks(&engine, 199_998));
        cl100k.join()
    });
    o200k.expect("both vocabularies are written");
    link::tell(out);
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=assets/static-minilm-256/vocab.txt");
    println!("cargo::rerun-if-changed=src/tokens/layout.rs");
}

/// The bytes of each token, by rank.
fn ranks(engine: &tiktoken_rs::CoreBPE, tokens: u32) -> Vec<Vec<u8>> {
    (0..tokens).map(|rank| engine.decode_bytes(&[rank]).expect("ranks have no gaps")).collect()
}
