//! Settings: their layers, their resolution, and where each value came from.
//!
//! The only room that reads environment variables. [`load`] reads the layers (defaults, system,
//! user, project, `CTX_` environment, command line; later ones win) and resolves them into
//! [`Config`], which is all that travels further down. What is wrong with the settings is returned
//! beside the resolved ones, so that a server with a broken file stays up and says so.
//!
//! - defaults: `defaults.yaml`, part of the program
//! - system: `/etc/context-engine/context-engine.yaml`
//! - user: `$XDG_CONFIG_HOME/context-engine/context-engine.yaml`, or below `~/.config`
//! - project: `context-engine.yaml` in the project's root, then `.claude/context-engine.yaml`
//! - environment: `CTX_` and the key, `CTX_CONTEXT_MAX_TOKENS`; not expanded
//! - command line: `--set context.max_tokens=4000`; not expanded
//!
//! In files `${VAR}` and `${VAR:-default}` are expanded (`expand.rs`). A value of `null` means the
//! default. Relative paths start at the file they stand in. A project's files cannot set what would
//! widen the rights of tasks, and can keep data only inside the project: a repository is not trusted
//! with more.

mod expand;
mod keys;
mod layers;
mod locate;
mod problem;
mod read;
mod report;
mod resolve;
mod resolved;
mod sources;

pub use layers::{Settings, schema};
pub use problem::{Layer, Origin, Problem};
pub use report::{FileSeen, Shown, show};
pub use resolved::{
    CompressionConfig, Config, ContextConfig, DelegationConfig, EmbeddingConfig, MemoryConfig, MinimumStrength,
    OriginalsConfig, Paths, SandboxConfig, SecurityConfig,
};
pub use sources::{Environment, Sources};

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The settings with everything there is to say about them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings, resolved.
    pub config: Config,
    /// What is wrong with them; each problem names a value that was ignored.
    pub problems: Vec<Problem>,
    /// The files that were looked for, in the order of their layers.
    pub files: Vec<FileSeen>,
    values: BTreeMap<String, (serde_json::Value, Origin)>,
}

impl Loaded {
    /// Returns where the value of a key comes from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.values.get(key).map(|(_, origin)| origin)
    }
}

/// Returns whether nobody has set anything, so that every setting has its default: there is no
/// settings file, no variable and no flag. Takes a hundredth of the time of [`load`].
pub fn all_default(sources: &Sources) -> bool {
    let places = locate::places(sources);
    sources.flags.is_empty()
        && sources.environment.names_with_prefix("CTX_").next().is_none()
        && files(sources, &places).iter().all(|(_, file)| is_absent(file))
}

/// Whether there is no such file; one that cannot be reached may be there.
fn is_absent(file: &std::path::Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    file.symlink_metadata().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

/// The files that settings are looked for in, in the order of their layers.
fn files(sources: &Sources, places: &locate::Places) -> Vec<(Layer, PathBuf)> {
    let mut files = vec![(Layer::System, sources.system_file.clone())];
    files.extend(places.user_file.iter().map(|file| (Layer::User, file.clone())));
    if let Some(root) = &places.project_root {
        files.push((Layer::Project, root.join(locate::FILE_NAME)));
        files.push((Layer::Project, root.join(".claude").join(locate::FILE_NAME)));
    }
    files
}

/// Loads the settings that `sources` lead to. Never fails: what is broken is reported and ignored.
pub fn load(sources: &Sources) -> Loaded {
    let places = locate::places(sources);
    let keys = keys::keys();
    let mut reader = read::Reader::new(&keys, &sources.environment, &places);
    reader.defaults(include_str!("defaults.yaml"));
    let files = files(sources, &places);
    let files =
        files.into_iter().map(|(layer, path)| FileSeen { exists: reader.file(layer, &path), layer, path }).collect();
    reader.variables();
    reader.flags(&sources.flags);
    let mut values = reader.finish();
    let config = resolve::resolve(&mut values, &places, sources);
    Loaded { config, problems: values.problems, files, values: values.by_key }
}
