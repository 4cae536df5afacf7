//! Builds the services from the resolved settings; the only file that sees every room.

use std::sync::Arc;

use crate::base::SystemClock;
use crate::config::Loaded;
use crate::observe::Bus;
use crate::tools::Services;

/// Builds the services of this process. Nothing is opened or started yet.
pub fn build(loaded: Loaded) -> std::io::Result<Arc<Services>> {
    Ok(Arc::new(Services { config: loaded.config, clock: Arc::new(SystemClock), bus: Bus::default() }))
}
