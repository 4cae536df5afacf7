//! What is known about the other side of a connection.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::RequestContext;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::RunId;
use crate::front::limit::Bucket;
use crate::front::render::Shown;
use crate::tools::{Services, ToolError};

/// A connection.
pub struct Session {
    /// Names it: the session of memories that name none.
    pub id: String,
    /// Cancelled when the client goes away; every call is a child of it.
    pub calls: CancellationToken,
    era: Mutex<Era>,
    bucket: Mutex<Bucket>,
    started: Instant,
}

/// Which lifecycle the client follows. A client may probe with `server/discover` first and then
/// choose either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Era {
    /// It has not said yet.
    Open,
    /// `initialize` was asked for: with the version agreed on and the client's name.
    Legacy {
        /// The version agreed on.
        version: String,
        /// The client's name.
        client: String,
    },
    /// Every request says for itself.
    Modern,
}

impl Session {
    /// Returns a session of which nothing is known yet.
    pub fn new(services: &Arc<Services>) -> Self {
        let id = RunId::generate(services.clock.now());
        Self {
            id: id.as_str().replacen("run_", "ses_", 1),
            calls: CancellationToken::new(),
            era: Mutex::new(Era::Open),
            bucket: Mutex::new(Bucket::new(services.config.security.requests_per_minute)),
            started: Instant::now(),
        }
    }

    /// Returns the lifecycle of the client so far.
    pub fn era(&self) -> Era {
        self.era.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the lifecycle that the client has chosen.
    pub fn choose(&self, era: Era) {
        *self.era.lock().unwrap_or_else(PoisonError::into_inner) = era;
    }

    /// Counts a call against the rate limit.
    pub fn admit(&self) -> Result<(), ToolError> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.started.elapsed())
    }

    /// Returns which half of a result the client of this request shows.
    pub fn shown(&self, context: &RequestContext<RoleServer>) -> Shown {
        if let Some(version) = context.meta.protocol_version() {
            let client = context.meta.client_info().map(|info| info.name).unwrap_or_default();
            return Shown::by(version.as_str(), &client);
        }
        match self.era() {
            Era::Legacy { version, client } => Shown::by(&version, &client),
            Era::Open | Era::Modern => Shown::Structured,
        }
    }
}

/// Returns whether a version belongs to the lifecycle without `initialize`.
pub fn is_modern(version: &str) -> bool {
    version >= ProtocolVersion::V_2026_07_28.as_str()
}

/// Returns the version that `initialize` agrees on: the one asked for if it is known and has that
/// handshake, otherwise the newest that has.
pub fn agreed(requested: &str) -> ProtocolVersion {
    ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .find(|version| version.has_initialize() && version.as_str() == requested)
        .unwrap_or(&ProtocolVersion::V_2025_11_25)
        .clone()
}
