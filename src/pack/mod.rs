//! Assembling files, memories, diffs and text into one packet of an exact size.
//!
//! Three steps: [`load`] reads what the sources name (the only step that touches the disk),
//! [`keep_originals`] stores what may be cut, so that every cut carries a handle, and [`pack`]
//! divides the budget and fits each part. `pack` is pure: the same parts give the same bytes, in
//! the order they were given, so that a provider's prompt cache keeps the unchanged beginning.

mod allocate;
mod packet;
mod sources;

pub use packet::{PackError, Packed, PackedPart, Request, pack};
pub use sources::{Item, Loaded, Problem, Source, keep_originals, load, load_within};

use crate::base::Handle;
use crate::compress::Kind;

/// The priority of a part when nothing else is said; from 1 (spare) to 10 (vital).
pub const PRIORITY_DEFAULT: u8 = 5;

/// A part of a packet, read and ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it comes from, as the packet names it.
    pub label: String,
    /// The text.
    pub text: String,
    /// What it was read from, where that is not UTF-8.
    pub raw: Option<Vec<u8>>,
    /// From 1 to 10; a part of twice the priority gets twice the room.
    pub priority: u8,
    /// Whether it must be there uncut.
    pub mandatory: bool,
    /// Its kind; `None`: it is detected.
    pub kind: Option<Kind>,
    /// The handle of its original.
    pub handle: Option<Handle>,
}

impl Part {
    /// Returns a part of ordinary priority that may be cut.
    pub fn new(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            text: text.into(),
            raw: None,
            priority: PRIORITY_DEFAULT,
            mandatory: false,
            kind: None,
            handle: None,
        }
    }
}
