//! What a text means, as a vector: near texts have a high cosine.
//!
//! A static model of 256 numbers (all-MiniLM-L6-v2 distilled to one vector per WordPiece; `assets/` has its notice)
//! is read in place from the program: nothing is loaded, parsed or kept on the heap, so a server
//! that never embeds pays nothing for it. It knows words and not their order; it is a second signal
//! beside lexical ranking, not a replacement. Memories may be embedded with a stronger model instead
//! ([`Embeddings`]): one that the user has in a folder, or one behind a server.

mod embedder;
mod folder;
mod hash;
mod model;
mod remote;
mod wordpiece;

pub use embedder::{BuiltIn, EmbedError, Embedder, Embeddings, Purpose, quantized};
pub use folder::Folder;
pub use remote::{Endpoint, Remote};

pub use model::{DIMENSIONS, MODEL};

/// The direction of a text's meaning: a vector of length one, or of zeros for a text without words.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding([f32; DIMENSIONS]);

/// An embedding in a quarter of the room: each number times 127, rounded.
pub type Quantized = [i8; DIMENSIONS];

/// Returns the embedding of a text: the mean of the vectors of its pieces, of length one.
pub fn embed(text: &str) -> Embedding {
    weigh(text).0
}

/// Returns the embedding of a text, and how much the text says: the length of the sum of the vectors
/// of its pieces, which are short where a piece occurs everywhere.
pub fn weigh(text: &str) -> (Embedding, f32) {
    let mut sum = [0.0; DIMENSIONS];
    wordpiece::pieces(text, |piece| model::add(&mut sum, piece));
    let length = dot(&sum, &sum).sqrt();
    (Embedding::of_direction(sum), length)
}

impl Embedding {
    /// Returns the embedding that points where this vector does.
    pub fn of_direction(mut vector: [f32; DIMENSIONS]) -> Self {
        let length = dot(&vector, &vector).sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|number| *number /= length);
        }
        Self(vector)
    }

    /// Returns the numbers.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Returns the cosine of the angle between two embeddings: 1 for the same direction, 0 where
    /// either text has no words.
    pub fn cosine(&self, other: &Self) -> f32 {
        dot(&self.0, &other.0)
    }

    /// Returns the embedding with a byte for each number.
    pub fn to_quantized(&self) -> Quantized {
        self.0.map(|number| (number * 127.0).round() as i8)
    }
}

fn dot(a: &[f32; DIMENSIONS], b: &[f32; DIMENSIONS]) -> f32 {
    // Eight sums side by side, which the compiler keeps in one register.
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Golden {
        text: String,
        ids: Vec<u16>,
        first8: Vec<f32>,
    }

    #[test]
    fn texts_are_cut_and_embedded_as_by_the_reference() {
        let golden: Vec<Golden> =
            serde_json::from_str(include_str!("../../tests/fixtures/embed/golden.json")).expect("golden vectors");
        assert!(golden.len() >= 6);
        for Golden { text, ids, first8 } in golden {
            let mut found = Vec::new();
            wordpiece::pieces(&text, |piece| found.push(piece));
            let known: Vec<u16> = ids.into_iter().filter(|id| *id != 100).collect();
            assert_eq!(found, known, "{text}");
            for (ours, theirs) in embed(&text).as_slice().iter().zip(first8) {
                assert!((ours - theirs).abs() < 2e-5, "{text}: {ours} is not {theirs}");
            }
        }
    }

    #[test]
    fn near_meanings_are_near() {
        let car = embed("The car would not start this morning.");
        let near = car.cosine(&embed("My vehicle's engine is broken"));
        let far = car.cosine(&embed("Bake the bread for forty minutes"));
        assert!(near > far + 0.1, "{near} {far}");
        assert!((car.cosine(&car) - 1.0).abs() < 1e-5);
        assert_eq!(car.cosine(&embed("")), 0.0);
        let bytes = car.to_quantized();
        let back: f32 = bytes.iter().zip(car.as_slice()).map(|(byte, number)| f32::from(*byte) / 127.0 * number).sum();
        assert!(back > 0.99, "{back}");
    }

    #[test]
    fn any_text_can_be_embedded() {
        let every: String = (0..0x3_0000).filter_map(char::from_u32).collect();
        let long = "x".repeat(100_000);
        for text in [every.as_str(), &long, "\0\u{fffd}", "a\u{301}\u{302}", "##ing [UNK]"] {
            assert!(embed(text).as_slice().iter().all(|number| number.is_finite()));
        }
    }
}
