//! Context Engine: gives AI coding assistants the context they need.
//!
//! The rooms stand here from top to bottom. A room uses only rooms below it; `tests/it/tidy.rs`
//! holds the same list and reads every file, so the order is a test. `ARCHITECTURE.md` is the map.

pub mod front;

pub mod app;

pub mod tools;

pub mod delegate;

pub mod runners;

pub mod agents;

pub mod pack;

pub mod memory;

pub mod compress;

pub mod store;

pub mod exec;

pub mod tokens;

pub mod embed;

pub mod observe;

pub mod config;

pub mod base;
