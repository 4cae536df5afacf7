//! The one integration test binary: a module per feature.

mod texts;
mod tidy;
mod tokens;
