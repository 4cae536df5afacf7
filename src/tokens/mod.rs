//! Encodings, exact counts, exact cuts.
//!
//! The only room where an encoding has a name. Everything is synchronous and pure. [`Measure`] is
//! what other rooms hold: an encoding, or a model's estimate over one.
//!
//! A text is split into pretokens (`window` where it is ASCII, else `pretokens`); a pretoken that is
//! itself a token is found with one probe of the vocabulary (`vocab`, laid out by `build/` as `layout`
//! says); any other is merged in time linear in its length (`merge`). Any text can be counted: nothing
//! recurses, nothing panics.

mod encoding;
mod kinds;
mod measure;
mod models;

mod count;
mod cut;
mod document;
mod giant;
mod parallel;

mod meter;
mod rare;

mod cache;
mod merge;
mod pretokens;
mod vocab;
mod window;

#[expect(dead_code, reason = "the build script uses the writer's half")]
mod layout;

pub use document::{Document, RangeError};
pub use encoding::{Encoding, UnknownEncoding};
pub use kinds::TextKind;
pub use measure::{Bounds, Budget, Counted, Measure};
pub use models::{UnknownModel, for_model};
