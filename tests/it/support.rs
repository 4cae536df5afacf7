//! A throw-away project with services of its own, so that the next test is cheap to write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use context_engine::app;
use context_engine::base::SystemClock;
use context_engine::config::{self, Config, Environment, Sources};
use context_engine::store::InMemoryStore;
use context_engine::tools::{self, Answer, Call, ErrorKind, Progress, Services, ToolError};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A project folder below a temporary one, with the services that work on it.
pub struct Project {
    /// The project's root.
    pub root: PathBuf,
    /// The services, over stores in memory.
    pub services: Arc<Services>,
    _scratch: tempfile::TempDir,
}

impl Project {
    /// Returns an empty project.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// Returns an empty project with these settings (`key=value`).
    pub fn with(flags: &[&str]) -> Self {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let root = scratch.path().canonicalize().expect("it exists").join("project");
        fs::create_dir_all(root.join(".claude").join("agents")).expect("the project can be made");
        let config = config(&root, flags);
        let wiring = app::Wiring {
            clock: Arc::new(SystemClock),
            store: Arc::new(InMemoryStore::default()),
            user_store: Arc::new(InMemoryStore::default()),
            embeddings: app::embeddings(&config.embedding),
            helper: PathBuf::from(env!("CARGO_BIN_EXE_ctx")),
        };
        Self { services: app::wire(config, Vec::new(), wiring), root, _scratch: scratch }
    }

    /// Writes a file below the project's root.
    pub fn file(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        fs::write(path, content).expect("the file can be written");
    }

    /// Adds an agent that runs a command; `more` is further front matter, a line each.
    pub fn command_agent(&self, name: &str, command: &[&str], more: &[&str]) {
        let command = serde_json::to_string(command).expect("a list of texts");
        let more = more.iter().map(|line| format!("{line}\n")).collect::<String>();
        let text = format!(
            "---\nname: {name}\ndescription: A test agent.\nrunner: command\ncommand: {command}\n{more}---\nDo it.\n"
        );
        self.file(&format!(".claude/agents/{name}.md"), &text);
    }

    /// Returns a call as a front would make it.
    pub fn call_of(&self, cancel: CancellationToken) -> Call {
        Call {
            services: Arc::clone(&self.services),
            cancel,
            progress: Progress::default(),
            session_id: "test".to_owned(),
            capped: false,
        }
    }

    /// Calls a tool.
    pub async fn try_call(&self, tool: &str, input: Value) -> Result<Answer, ToolError> {
        tools::call(&self.call_of(CancellationToken::new()), tool, input).await
    }

    /// Calls a tool that must succeed, checks its result against the tool's schema, and returns it.
    pub async fn call(&self, tool: &str, input: Value) -> Value {
        let answer = self.try_call(tool, input.clone()).await;
        let answer = answer.unwrap_or_else(|error| panic!("{tool} {input}: {error} {:?}", error.hint));
        let schemas = tools::schemas(tools::find(tool).expect("a tool"));
        for schema in [&schemas.output, &schemas.listed_output] {
            let validator = jsonschema::validator_for(schema).expect("a schema");
            let problems: Vec<String> = validator
                .iter_errors(&answer.structured)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(problems.is_empty(), "{tool} breaks its output schema: {problems:?}");
        }
        answer.structured
    }

    /// Calls a tool that must fail, and returns the error.
    pub async fn refusal(&self, tool: &str, input: Value, kind: ErrorKind) -> ToolError {
        match self.try_call(tool, input.clone()).await {
            Ok(answer) => panic!("{tool} {input} should fail: {}", answer.structured),
            Err(error) => {
                assert_eq!(error.kind, kind, "{error}");
                error
            }
        }
    }
}

/// Returns the settings of a project, from the defaults and these pairs, and from nothing of this
/// machine but the folders in which programs are found.
fn config(root: &Path, flags: &[&str]) -> Config {
    let home = root.parent().expect("a parent").join("home");
    fs::create_dir_all(&home).expect("a home folder");
    let environment =
        Environment::from([("HOME", home.to_str().expect("Unicode")), ("PATH", "/usr/local/bin:/usr/bin:/bin")]);
    let loaded = config::load(&Sources {
        environment,
        working_directory: root.to_owned(),
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
        system_file: root.join("there-is-none.yaml"),
    });
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.config
}

/// Runs a test's future with a thread pool of its own.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Waits until `condition` holds, at most half a minute.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1500 {
        if condition() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never came true that {what}");
}
