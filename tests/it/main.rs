//! The one integration test binary: a module per feature.

mod compress_properties;
mod config;
mod texts;
mod tidy;
mod tokens;
