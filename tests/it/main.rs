//! The one integration test binary: a module per feature.

mod compress_properties;
mod texts;
mod config;
mod tidy;
mod tokens;
