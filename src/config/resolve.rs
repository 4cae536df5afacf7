//! Makes the resolved settings of the values that the layers left.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::expand::is_variable_name;
use super::layers::{Backend, Level, Settings};
use super::locate::{Places, absolute, lies_inside};
use super::problem::{Layer, Origin, Problem};
use super::read::Values;
use super::resolved::{
    CompressionConfig, Config, ContextConfig, DelegationConfig, EmbeddingConfig, MemoryConfig, OriginalsConfig, Paths,
    SandboxConfig, SecurityConfig,
};
use super::sources::Sources;

/// Resolves `values`; adds what only shows now to their problems.
pub(super) fn resolve(values: &mut Values, places: &Places, sources: &Sources) -> Config {
    let settings = settings(values);
    let mut resolver = Resolver { values, places, sources, problems: Vec::new() };
    let user_data = resolver.user_data();
    let data = resolver.path("data_dir", settings.data_dir.as_deref()).unwrap_or_else(|| {
        places.project_root.as_ref().map_or_else(|| user_data.clone(), |root| root.join(".claude/data"))
    });
    let memory = settings.memory.unwrap_or_default();
    let location = resolver.location(&memory, &data);
    let user_location = user_data.join("memory.db");
    let embedding = resolver.embedding(settings.embedding.unwrap_or_default());
    resolver.metrics(settings.monitoring.and_then(|monitoring| monitoring.enabled));
    let context = settings.context.unwrap_or_default();
    let compression = context.compression.unwrap_or_default();
    let originals = context.originals.unwrap_or_default();
    let security = settings.security.unwrap_or_default();
    let delegation = settings.delegation.unwrap_or_default();
    let sandbox = settings.sandbox.unwrap_or_default();
    let config = Config {
        context: ContextConfig {
            max_tokens: has_default(context.max_tokens),
            encoding: has_default(context.encoding),
            max_output_tokens: has_default(context.max_output_tokens),
            compression: CompressionConfig {
                enabled: has_default(compression.enabled),
                levels: has_default(compression.levels).into_iter().map(Level::name).map(str::to_owned).collect(),
            },
            originals: OriginalsConfig {
                bytes_max: has_default(originals.max_mib) << 20,
                unused_days_max: has_default(originals.max_age_days),
            },
        },
        memory: MemoryConfig { location, user_location: text(&user_location) },
        embedding,
        security: SecurityConfig {
            strict: has_default(security.input_validation.and_then(|validation| validation.strict)),
            requests_per_minute: security.rate_limit.and_then(|limit| limit.requests_per_minute),
        },
        delegation: DelegationConfig {
            max_parallel: has_default(delegation.max_parallel),
            timeout: Duration::from_secs(has_default(delegation.timeout_seconds)),
            retries_max: has_default(delegation.retries_max),
            budget_tokens: has_default(delegation.budget_tokens),
            result_tokens: has_default(delegation.result_tokens),
            runner: delegation.runner,
            environment: resolver.environment(&has_default(delegation.environment)),
        },
        sandbox: SandboxConfig {
            minimum: has_default(sandbox.minimum),
            memory_bytes: has_default(sandbox.memory_mib) << 20,
            processes: has_default(sandbox.processes),
            output_bytes: has_default(sandbox.output_kib) << 10,
            readable: resolver.readable(&has_default(sandbox.readable)),
        },
        log: has_default(settings.log),
        environment: sources.environment.clone(),
        paths: Paths {
            working_directory: sources.working_directory.clone(),
            project_root: places.project_root.clone(),
            workspace: places.workspace.clone(),
            data,
            user_data,
            home: places.home.clone(),
            programs: places.programs.clone(),
        },
    };
    let problems = resolver.problems;
    values.problems.extend(problems);
    config
}

/// Returns the values as the types of `layers.rs`.
fn settings(values: &Values) -> Settings {
    let mut root = serde_json::Map::new();
    for (path, (value, _)) in &values.by_key {
        let mut names: Vec<&str> = path.split('.').collect();
        let last = names.pop().expect("a key has a name");
        let mut group = &mut root;
        for name in names {
            let inner = group.entry(name).or_insert_with(|| Value::Object(serde_json::Map::new()));
            group = inner.as_object_mut().expect("no key is the beginning of another");
        }
        group.insert(last.to_owned(), value.clone());
    }
    serde_json::from_value(Value::Object(root)).expect("every value has the form that its key's type gave it")
}

fn has_default<T>(value: Option<T>) -> T {
    value.expect("defaults.yaml has a value for every setting that needs one")
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

struct Resolver<'a> {
    values: &'a Values,
    places: &'a Places,
    sources: &'a Sources,
    problems: Vec<Problem>,
}

impl Resolver<'_> {
    fn origin(&self, key: &str) -> Origin {
        self.values.by_key.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    fn problem(&mut self, key: &str, message: String, hint: &str) {
        self.problems.push(Problem::new(self.origin(key), Some(key), message).hint(hint));
    }

    fn user_data(&mut self) -> PathBuf {
        if let Some(folder) = &self.places.user_data {
            return folder.clone();
        }
        let origin = Origin::Variable("HOME".to_owned());
        let message = "neither HOME nor XDG_DATA_HOME names a folder, so the working directory keeps the user's data";
        self.problems.push(Problem::new(origin, None, message));
        self.sources.working_directory.join(".context-engine")
    }

    /// Returns a path as its layer means it: relative to the file that it stands in, or to the
    /// working directory.
    fn path(&self, key: &str, path: Option<&str>) -> Option<PathBuf> {
        let path = path.filter(|path| !path.is_empty())?;
        let origin = self.origin(key);
        let base = match &origin {
            Origin::File { path, .. } => path.parent().unwrap_or(path),
            Origin::Default | Origin::Variable(_) | Origin::Flag(_) => &self.sources.working_directory,
        };
        Some(absolute(path, base, self.places.home.as_deref()))
    }

    /// Returns where the memories are kept. What cannot be used is a location that no store opens:
    /// memories that went elsewhere unnoticed would be missed later.
    fn location(&mut self, memory: &super::layers::Memory, data: &Path) -> String {
        self.unused(memory);
        if memory.backend == Some(Backend::Postgresql) {
            return "postgresql://".to_owned();
        }
        let path = self.path("memory.path", memory.path.as_deref());
        let location = path.clone().unwrap_or_else(|| data.join("memory.db"));
        // A repository can bring links along, too.
        if path.is_none()
            && matches!(self.origin("data_dir").layer(), Layer::Defaults | Layer::Project)
            && let Some(root) = &self.places.project_root
            && !lies_inside(&location, root)
        {
            let message = format!("{} leads outside the project by a link, which is not followed", location.display());
            self.problem("memory.path", message, "remove the link, or name its target in CTX_DATA_DIR");
            return format!("outside://{}", location.display());
        }
        text(&location)
    }

    fn unused(&mut self, memory: &super::layers::Memory) {
        if memory.backend == Some(Backend::Postgresql) {
            let message = "this build keeps memories in SQLite only, so nothing is remembered or recalled".to_owned();
            self.problem("memory.backend", message, "set it to sqlite");
        } else if memory.connection.as_deref().is_some_and(|connection| !connection.is_empty()) {
            let message = "is not used by the backend sqlite".to_owned();
            self.problem("memory.connection", message, "memory.path names the file");
        }
        let cache = memory.cache.as_ref();
        if cache.and_then(|cache| cache.redis.as_deref()).is_some_and(|redis| !redis.is_empty()) {
            let message = "this build has no Redis cache, and works without".to_owned();
            self.problem("memory.cache.redis", message, "remove it");
        }
    }

    /// Returns the model that is named. What cannot be one is told, and is the one within the program.
    fn embedding(&mut self, embedding: super::layers::Embedding) -> EmbeddingConfig {
        if !has_default(embedding.enabled) {
            return EmbeddingConfig::Off;
        }
        let set = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let folder = self.path("embedding.model_dir", embedding.model_dir.as_deref());
        let (url, model, api_key) = (set(embedding.url), set(embedding.model), set(embedding.api_key));
        match (folder, url) {
            (Some(_), Some(_)) => {
                let message = "embedding.model_dir is set as well, and there is one model".to_owned();
                self.problem("embedding.url", message, "remove one of the two");
                EmbeddingConfig::BuiltIn
            }
            (Some(folder), None) => EmbeddingConfig::Folder(folder),
            (None, Some(url)) => {
                if !url.starts_with("http://") && !url.starts_with("https://") {
                    let message = "is no address of a server: it begins with neither http:// nor https://".to_owned();
                    self.problem("embedding.url", message, "write it as http://localhost:11434/v1");
                    return EmbeddingConfig::BuiltIn;
                }
                let Some(model) = model else {
                    let message = "is needed beside embedding.url".to_owned();
                    self.problem("embedding.model", message, "name a model that the server has");
                    return EmbeddingConfig::BuiltIn;
                };
                EmbeddingConfig::Remote {
                    url,
                    model,
                    api_key,
                    timeout: Duration::from_secs(has_default(embedding.timeout_seconds)),
                    batch_max: has_default(embedding.batch_max),
                }
            }
            (None, None) => EmbeddingConfig::BuiltIn,
        }
    }

    fn metrics(&mut self, enabled: Option<bool>) {
        if enabled == Some(true) {
            let message = "this build serves no metrics".to_owned();
            self.problem("monitoring.enabled", message, "`ctx health` tells the state");
        }
    }

    fn environment(&mut self, names: &[String]) -> Vec<(String, String)> {
        for name in names.iter().filter(|name| !is_variable_name(name)) {
            self.problem("delegation.environment", format!("{name:?} cannot name a variable"), "list names only");
        }
        self.sources.environment.named(names.iter().map(String::as_str))
    }

    fn readable(&self, paths: &[String]) -> Vec<PathBuf> {
        paths.iter().filter_map(|path| self.path("sandbox.readable", Some(path))).collect()
    }
}
