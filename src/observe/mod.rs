//! Events, health, metrics and logging.
//!
//! Rooms above publish what happens to the [`Bus`]; whoever wants to see it subscribes. Nothing
//! here decides anything.

mod events;
mod health;
pub mod log;
mod metrics;

pub use events::{Bus, Event};
pub use health::{Check, Status, overall};
pub use metrics::{Counter, Metrics};
