//! The one integration test binary: a module per feature.

mod agents;
mod compress_properties;
mod config;
mod garbage;
mod jsonrpc;
mod lifecycle;
mod mcp;
mod memory;
mod runners;
mod sandbox;
mod server;
mod store_contract;
mod store_file;
mod texts;
mod crash;
mod delegate;
mod schemas;
mod support;
mod tidy;
mod tokens;
mod tool_calls;
