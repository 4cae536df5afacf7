//! Logging to standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging to standard error. `filter` is a level or a list of `target=level`; one that
/// cannot be read falls back to `warn`. Only the first call has an effect.
///
/// `rmcp` warns of every mistake of a client and repeats every message at `info`, while some
/// clients show their user all of standard error; so it is heard only when it is named.
pub fn start(filter: &str, colour: bool) {
    let quiet = if filter.contains("rmcp") { filter.to_owned() } else { format!("{filter},rmcp=error") };
    let filter = EnvFilter::try_new(quiet).unwrap_or_else(|_| EnvFilter::new("warn,rmcp=error"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).try_init();
}
