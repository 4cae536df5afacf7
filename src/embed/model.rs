//! The table of the model, read in place.
//!
//! The file is little endian: `SEM1`, the number of rows, the number of columns, an `f32` scale for
//! each row, then the rows as `i8`. A row times its scale is the vector of the piece with its number.

/// The numbers of an embedding.
pub const DIMENSIONS: usize = 256;

/// The name of the model; embeddings of different models are never to be compared.
pub const MODEL: &str = "static-minilm-256";

static TABLE: &[u8] = include_bytes!("../../assets/static-minilm-256/static-minilm-256.bin");

const HEAD: usize = 12;

pub(super) const ROWS: usize = 30_522;

// A file of another shape is not built in.
const _: () = assert!(TABLE.len() == HEAD + ROWS * (4 + DIMENSIONS));

/// Adds the vector of a piece to a sum.
#[inline]
pub(super) fn add(sum: &mut [f32; DIMENSIONS], piece: u16) {
    let piece = usize::from(piece);
    let scale = TABLE[HEAD + 4 * piece..].first_chunk().expect("every piece has a scale");
    let scale = f32::from_le_bytes(*scale);
    let row: &[u8; DIMENSIONS] =
        TABLE[HEAD + 4 * ROWS + DIMENSIONS * piece..].first_chunk().expect("every piece has a row");
    for (number, byte) in sum.iter_mut().zip(row) {
        *number += scale * f32::from(*byte as i8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_what_the_code_expects() {
        let number = |at: usize| u32::from_le_bytes(*TABLE[at..].first_chunk().expect("a head")) as usize;
        assert_eq!(&TABLE[..4], b"SEM1");
        assert_eq!((number(4), number(8)), (ROWS, DIMENSIONS));
    }
}
