//! Builds the services from the resolved settings; the only file that sees every room.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{Clock, SystemClock};
use crate::compress::cache::Cache;
use crate::compress::savings::Savings;
use crate::config::{Config, EmbeddingConfig, Loaded};
use crate::delegate::{Delegator, Parts};
use crate::embed::{Embeddings, Endpoint, Folder, Remote};
use crate::exec::Executor;
use crate::memory::Memories;
use crate::observe::{Bus, Metrics};
use crate::store::{self, InMemoryStore, OriginalLimits, Store};
use crate::tools::{ErrorKind, Services, ToolError};

/// What the services stand on that is not a setting.
pub struct Wiring {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The project's store.
    pub store: Arc<dyn Store>,
    /// The store of memories that follow the user.
    pub user_store: Arc<dyn Store>,
    /// The model that tells what memories mean.
    pub embeddings: Arc<Embeddings>,
    /// The `ctx` binary, which is started again to build the sandbox.
    pub helper: PathBuf,
}

/// Builds the services of this process. Nothing is opened or started yet, so a handshake can be
/// answered at once. Settings that name a store which does not exist leave the services up: every
/// tool that needs the store says what is wrong.
pub fn build(loaded: Loaded) -> std::io::Result<Arc<Services>> {
    let memory = &loaded.config.memory;
    let originals = loaded.config.context.originals;
    let limits = OriginalLimits { bytes_max: originals.bytes_max, unused_days_max: originals.unused_days_max };
    let embeddings = embeddings(&loaded.config.embedding);
    let open = |location: &str| store::open_with(location, limits, &embeddings);
    let opened = open(&memory.location).and_then(|store| Ok((store, open(&memory.user_location)?)));
    let (stores, broken) = match opened {
        Ok(stores) => (stores, None),
        Err(error) => {
            let error = ToolError::new(ErrorKind::Unavailable, error.to_string()).with_hint(
                "correct memory.backend, memory.connection or memory.path; `ctx config show` says where each was set",
            );
            let nowhere = || Arc::new(InMemoryStore::default()) as Arc<dyn Store>;
            ((nowhere(), nowhere()), Some(error))
        }
    };
    let problems = loaded.problems.iter().map(ToString::to_string).collect();
    let wiring = Wiring {
        clock: Arc::new(SystemClock),
        store: stores.0,
        user_store: stores.1,
        embeddings,
        helper: std::env::current_exe()?,
    };
    Ok(assemble(loaded.config, problems, broken, wiring))
}

/// Returns the model that the settings name. Nothing is read or asked yet.
pub fn embeddings(config: &EmbeddingConfig) -> Arc<Embeddings> {
    Arc::new(match config.clone() {
        EmbeddingConfig::Off => Embeddings::off(),
        EmbeddingConfig::BuiltIn => Embeddings::default(),
        EmbeddingConfig::Folder(folder) => Embeddings::new(Box::new(Folder::new(folder))),
        EmbeddingConfig::Remote { url, model, api_key, timeout, batch_max } => {
            Embeddings::new(Box::new(Remote::new(Endpoint { url, model, api_key, timeout, batch_max })))
        }
    })
}

/// Wires the services over parts that are given.
pub fn wire(config: Config, problems: Vec<String>, wiring: Wiring) -> Arc<Services> {
    assemble(config, problems, None, wiring)
}

fn assemble(config: Config, problems: Vec<String>, broken: Option<ToolError>, wiring: Wiring) -> Arc<Services> {
    let Wiring { clock, store, user_store, embeddings, helper } = wiring;
    let config = Arc::new(config);
    let bus = Bus::default();
    let executor = Arc::new(Executor::new(helper));
    let memories = Memories::new(Arc::clone(&store), user_store, Arc::clone(&clock)).with(embeddings);
    let savings = Savings::new(Arc::clone(&store), Arc::clone(&clock));
    let delegator = Delegator::new(Parts {
        store: Arc::clone(&store),
        savings: savings.clone(),
        memories: memories.clone(),
        executor: Arc::clone(&executor),
        bus: bus.clone(),
        clock: Arc::clone(&clock),
        config: Arc::clone(&config),
    });
    let (results, metrics) = (Cache::default(), Metrics::default());
    Arc::new(Services {
        config,
        problems,
        broken,
        clock,
        bus,
        metrics,
        store,
        savings,
        results,
        memories,
        executor,
        delegator,
    })
}
