//! Settings: their layers, their resolution, and where each value came from.
//!
//! The only room that reads environment variables. [`load`] reads the layers (defaults, system,
//! user, project, `CTX_` environment, command line; later ones win) and resolves them into
//! [`Config`], which is all that travels further down. What is wrong with the settings is returned
//! beside the resolved ones, so that a server with a broken file stays up and says so.

mod resolved;

pub use resolved::{
    CompressionConfig, Config, ContextConfig, DelegationConfig, MemoryConfig, MinimumStrength, Paths, SandboxConfig,
    SecurityConfig,
};
