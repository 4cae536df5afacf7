//! The one integration test binary: a module per feature.

mod texts;
mod compress_properties;
mod tidy;
mod tokens;
