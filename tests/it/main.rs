//! The one integration test binary: a module per feature.

mod agents;
mod compress_properties;
mod config;
mod store_contract;
mod texts;
mod sandbox;
mod tidy;
mod tokens;
