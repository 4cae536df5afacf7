//! The counters that are compared, ours first.

use std::panic::{AssertUnwindSafe, catch_unwind};

use context_engine::tokens::Encoding;

/// A counter of tokens in one encoding.
pub struct Peer {
    /// What it is called in tables.
    pub name: &'static str,
    /// Whether its counts are those of the reference, for any text.
    pub exact: bool,
    /// The most bytes that it is given at once, because it takes too long for more.
    pub piece_max: usize,
    count: Box<dyn Fn(&str) -> usize>,
}

impl Peer {
    /// Returns the tokens of a text, or nothing when the counter panics.
    pub fn count(&self, text: &str) -> Option<usize> {
        let mut rest = text;
        let mut tokens = 0;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(self.piece_max));
            tokens += catch_unwind(AssertUnwindSafe(|| (self.count)(piece))).ok()?;
            rest = after;
        }
        Some(tokens)
    }
}

/// Returns ours and all others.
pub fn all(encoding: Encoding) -> Vec<Peer> {
    let (name, tiktoken_rs) = match encoding {
        Encoding::Cl100kBase => ("cl100k_base", tiktoken_rs::cl100k_base_singleton()),
        Encoding::O200kBase | Encoding::O200kHarmony => ("o200k_base", tiktoken_rs::o200k_base_singleton()),
        Encoding::P50kBase | Encoding::P50kEdit | Encoding::R50kBase => unreachable!("not compared"),
    };
    let goliajp = tiktoken::get_encoding(name).expect("the encoding is one of its features");
    let toktok = toktok::Tokenizer::builtin(name).expect("the encoding is built in");
    let mut peers = two(encoding);
    peers.push(Peer {
        name: "tiktoken-rs",
        exact: true,
        piece_max: usize::MAX,
        count: Box::new(|text| tiktoken_rs.count_ordinary(text)),
    });
    peers.push(Peer {
        name: "toktok-rs",
        exact: false,
        piece_max: usize::MAX,
        count: Box::new(move |text| toktok.count(text.as_bytes())),
    });
    peers.push(Peer {
        name: "tiktoken",
        exact: false,
        piece_max: usize::MAX,
        count: Box::new(|text| goliajp.count(text)),
    });
    peers
}

/// Returns ours and the fastest other that is exact for any text and panics on none.
pub fn two(encoding: Encoding) -> Vec<Peer> {
    let reference = reference(encoding);
    vec![
        Peer { name: "ours", exact: true, piece_max: usize::MAX, count: Box::new(move |text| encoding.count(text)) },
        Peer { name: "bpe-openai", exact: true, piece_max: usize::MAX, count: Box::new(|text| reference.count(text)) },
    ]
}

/// Returns the counter of `bpe-openai`, which tests take for the truth.
pub fn reference(encoding: Encoding) -> &'static bpe_openai::Tokenizer {
    match encoding {
        Encoding::Cl100kBase => bpe_openai::cl100k_base(),
        Encoding::O200kBase | Encoding::O200kHarmony => bpe_openai::o200k_base(),
        Encoding::P50kBase | Encoding::P50kEdit | Encoding::R50kBase => unreachable!("not compared"),
    }
}
