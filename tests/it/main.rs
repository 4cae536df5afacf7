//! The one integration test binary: a module per feature.

mod agents;
mod compress_properties;
mod config;
mod memory;
mod sandbox;
mod store_contract;
mod texts;
mod tidy;
mod tokens;
