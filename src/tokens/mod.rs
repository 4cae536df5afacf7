//! Encodings, exact counts, exact cuts.
//!
//! The only room where an encoding has a name. Everything is synchronous and pure. [`Measure`] is
//! what other rooms hold: an encoding, or a model's estimate over one.

mod encoding;
mod measure;
mod models;

pub use encoding::{Encoding, UnknownEncoding};
pub use measure::{Budget, Measure};
pub use models::{UnknownModel, for_model};
