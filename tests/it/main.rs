//! The one integration test binary: a module per feature.

mod agents;
mod compress_properties;
mod config;
mod memory;
mod sandbox;
mod store_contract;
mod texts;
mod garbage;
mod jsonrpc;
mod lifecycle;
mod mcp;
mod server;
mod tidy;
mod tokens;
