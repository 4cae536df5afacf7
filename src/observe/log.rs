//! Logging to standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. `filter` is a level or a list of `target=level`; one that
/// cannot be read falls back to `warn`. Only the first call has an effect.
pub fn start(filter: &str, colour: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).try_init();
}
