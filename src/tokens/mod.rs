//! Encodings, exact counts, exact cuts.
//!
//! The only room where an encoding has a name. Everything is synchronous and pure. [`Measure`] is
//! what other rooms hold: an encoding, or a model's estimate over one.

mod count;
mod encoding;
#[expect(dead_code, reason = "the build script uses the writer's half")]
mod layout;
mod measure;
mod merge;
mod models;
mod pretokens;
mod vocab;

pub use encoding::{Encoding, UnknownEncoding};
pub use measure::{Budget, Measure};
pub use models::{UnknownModel, for_model};
