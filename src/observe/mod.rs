//! Events, health and logging.
//!
//! Rooms above publish what happens to the [`Bus`]; whoever wants to see it subscribes. Nothing
//! here decides anything.

mod events;
mod health;
pub mod log;

pub use events::{Bus, Event};
pub use health::{Check, Status, overall};
