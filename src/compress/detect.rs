//! What kind a text is, by a look at its beginning.

use super::{COMPRESSORS, Kind};

/// How much of a text is looked at, in bytes.
const SAMPLE: usize = 16 * 1024;

/// A kind and how sure we are of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// The kind.
    pub kind: Kind,
    /// From 0 to 100.
    pub confidence: u8,
}

/// Returns the kind of `text`; looks at a bounded part of it.
pub fn detect(text: &str) -> Detected {
    let sample = sample(text);
    let mut best = Detected { kind: Kind::Prose, confidence: 0 };
    for compressor in COMPRESSORS {
        let confidence = compressor.recognises(sample);
        if confidence > best.confidence {
            best = Detected { kind: compressor.kind(), confidence };
        }
    }
    best
}

/// The beginning of a text, up to the end of a line where there is one.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE {
        return text;
    }
    let sample = &text[..text.floor_char_boundary(SAMPLE)];
    sample.rfind('\n').map_or(sample, |end| &sample[..=end])
}
