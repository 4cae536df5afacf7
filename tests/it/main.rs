//! The one integration test binary: a module per feature.

mod agents;
mod budgets;
mod cli;
mod compress_kinds;
mod compress_properties;
mod config;
mod count_tokens;
mod crash;
mod delegate;
mod document;
mod garbage;
mod jsonrpc;
mod lifecycle;
mod mcp;
mod memory;
mod runners;
mod sandbox;
mod schemas;
mod server;
mod store_contract;
mod store_file;
mod support;
mod texts;
mod tidy;
mod tokens;
mod tool_calls;
