//! Small things that every room needs: identifiers, names, time, byte and number formats, YAML
//! with line numbers.
//!
//! Nothing here knows what the product does. A type in this room is valid by construction, so the
//! rooms above never check it again.

mod allocator;
mod clock;
mod format;
mod ids;
mod name;
mod read;
pub mod yaml;

pub use allocator::give_back_large;
pub use clock::{Clock, FixedClock, SystemClock};
pub use format::{bytes, thousands};
pub use ids::{Handle, InvalidId, MemoryId, RunId, content_hash};
pub use name::{InvalidName, Name};
pub use read::{ReadError, read_file};

/// A point in time, to the nanosecond, in UTC.
pub use jiff::Timestamp;
