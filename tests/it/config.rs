//! Settings: layers, origins, problems and the place of the data.

use std::fs;
use std::path::{Path, PathBuf};

use context_engine::config::{self, Environment, Layer, Loaded, MinimumStrength, Origin, Sources};
use tempfile::TempDir;

/// A machine of its own: a home folder, a system file, and a project below the home folder.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: TempDir::new().expect("a folder") };
        machine.make("home/project/.git");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder").join(path)
    }

    fn make(&self, path: &str) -> PathBuf {
        let folder = self.path(path);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(&file, text).expect("a file");
        file
    }

    fn load_in(&self, folder: &str, variables: &[(&str, &str)], flags: &[&str]) -> Loaded {
        let home = self.path("home");
        let mut all = vec![("HOME", home.to_str().expect("UTF-8")), ("PATH", "/usr/bin:relative:/bin")];
        all.extend_from_slice(variables);
        config::load(&Sources {
            environment: all.into_iter().collect(),
            working_directory: self.make(folder),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            system_file: self.path("etc/context-engine.yaml"),
        })
    }

    fn load(&self) -> Loaded {
        self.load_in("home/project", &[], &[])
    }

    /// Loads a project file; returns the problems, without the folder of the machine.
    fn problems(&self, text: &str, variables: &[(&str, &str)]) -> Vec<String> {
        self.write("home/project/context-engine.yaml", text);
        self.texts(&self.load_in("home/project", variables, &[]))
    }

    fn texts(&self, loaded: &Loaded) -> Vec<String> {
        let folder = format!("{}/", self.path("").display()).replace("//", "/");
        loaded.problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
    }
}

#[test]
fn defaults_hold_without_any_file() {
    let machine = Machine::new();
    let loaded = machine.load();
    assert_eq!(machine.texts(&loaded), [""; 0]);
    let config = &loaded.config;
    assert_eq!(config.context.max_tokens, 4000);
    assert_eq!(config.context.max_output_tokens, 20_000);
    assert_eq!(config.context.encoding, "o200k_base");
    assert_eq!(config.context.compression.levels, ["whitespace", "structure", "summarize", "truncate"]);
    assert_eq!(config.delegation.timeout.as_secs(), 600);
    assert_eq!(config.security.requests_per_minute, None);
    assert_eq!(config.sandbox.minimum, MinimumStrength::Landlock);
    assert_eq!(config.sandbox.memory_bytes, 4 << 30);
    assert_eq!(config.paths.programs, [Path::new("/usr/bin"), Path::new("/bin")]);
    assert!(loaded.files.iter().all(|file| !file.exists));
}

#[test]
fn every_setting_has_a_default_and_no_default_is_left_over() {
    let loaded = Machine::new().load();
    for shown in config::show(&loaded) {
        assert_eq!(loaded.origin(&shown.key), Some(&Origin::Default), "{}", shown.key);
    }
}

#[test]
fn later_layers_win_and_values_remember_theirs() {
    let machine = Machine::new();
    machine.write("etc/context-engine.yaml", "context: {max_tokens: 1, encoding: a, max_output_tokens: 1001}\n");
    machine.write("home/.config/context-engine/context-engine.yaml", "context:\n  max_tokens: 2\n  encoding: b\n");
    machine.write("home/project/context-engine.yaml", "context:\n  max_tokens: 3\n");
    let inner = machine.write("home/project/.claude/context-engine.yaml", "# mine\ncontext:\n  max_tokens: 4\n");
    let loaded = machine.load();
    assert_eq!(machine.texts(&loaded), [""; 0]);
    let context = &loaded.config.context;
    assert_eq!((context.max_tokens, context.encoding.as_str(), context.max_output_tokens), (4, "b", 1001));
    let origin = Origin::File { layer: Layer::Project, path: inner, line: 3, column: 15 };
    assert_eq!(loaded.origin("context.max_tokens"), Some(&origin));
    assert_eq!(loaded.origin("context.encoding").map(Origin::layer), Some(Layer::User));
    assert_eq!(loaded.files.iter().filter(|file| file.exists).count(), 4);

    let variables = [("CTX_CONTEXT_MAX_TOKENS", "5"), ("CTX_DELEGATION_ENVIRONMENT", "A, B"), ("A", "x")];
    let loaded = machine.load_in("home/project", &variables, &[]);
    assert_eq!(loaded.config.context.max_tokens, 5);
    assert_eq!(loaded.config.delegation.environment, [("A".to_owned(), "x".to_owned())]);
    let flags = ["context.max_tokens=6", "context.compression.levels=[truncate]", "context.max_tokens=7"];
    let loaded = machine.load_in("home/project", &variables, &flags);
    assert_eq!(loaded.config.context.max_tokens, 7);
    assert_eq!(loaded.config.context.compression.levels, ["truncate"]);
    assert_eq!(loaded.origin("context.max_tokens"), Some(&Origin::Flag("context.max_tokens=7".to_owned())));
}

#[test]
fn the_limits_that_clients_set_are_honoured() {
    let machine = Machine::new();
    let limit =
        |variables: &[(&str, &str)]| machine.load_in("home/project", variables, &[]).config.context.max_output_tokens;
    let (client, ours, own) = ("MAX_MCP_OUTPUT_TOKENS", "CTX_MAX_OUTPUT_TOKENS", "CTX_CONTEXT_MAX_OUTPUT_TOKENS");
    assert_eq!(limit(&[(client, "5000")]), 5000);
    assert_eq!(limit(&[(client, "5000"), (ours, "6000")]), 6000);
    assert_eq!(limit(&[(client, "5000"), (ours, "6000"), (own, "7000")]), 7000);
    assert_eq!(limit(&[(client, ""), (ours, "")]), 20_000);
}

#[test]
fn null_is_the_default_and_an_empty_section_is_nothing() {
    let machine = Machine::new();
    machine.write(
        "etc/context-engine.yaml",
        "context: {max_tokens: 9}\nsecurity: {rate_limit: {requests_per_minute: 5}}\n",
    );
    let text = "context:\n  max_tokens: null\nmemory:\nsecurity: {rate_limit: {requests_per_minute: ~}}\n";
    assert_eq!(machine.problems(text, &[]), [""; 0]);
    let config = machine.load().config;
    assert_eq!(config.context.max_tokens, 4000);
    assert_eq!(config.security.requests_per_minute, None);
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let machine = Machine::new();
    let text = "\
context:
  max_token: 5
  max_tokens: many
  encoding: [a]
  compression: { enabled: yes, levels: [whitespace, squeeze, sumarize] }
max_output_tokens: 3
memory: 7
delegation: { max_parallel: 0, retries_max: -1, timeout_seconds: 1.5, runner: 5 }
sandbox:
  minimum: unprotected
zzzzz: 1
delegation: 2
";
    insta::assert_snapshot!(machine.problems(text, &[]).join("\n"), @r#"
    home/project/context-engine.yaml:12:1: "delegation" stands twice; the one in line 8 counts
    home/project/context-engine.yaml:2:3: context.max_token: unknown key; did you mean context.max_tokens?
    home/project/context-engine.yaml:3:15: context.max_tokens: expected a whole number from 1 to 100000000, found "many"
    home/project/context-engine.yaml:4:13: context.encoding: expected text, found a list
    home/project/context-engine.yaml:5:27: context.compression.enabled: expected true or false, found "yes"
    home/project/context-engine.yaml:5:53: context.compression.levels: expected one of whitespace, structure, summarize, truncate, found "squeeze"
    home/project/context-engine.yaml:5:62: context.compression.levels: expected one of whitespace, structure, summarize, truncate, found "sumarize" (did you mean summarize?)
    home/project/context-engine.yaml:6:1: max_output_tokens: unknown key; did you mean context.max_output_tokens?
    home/project/context-engine.yaml:7:9: memory: expected keys with values, found a whole number
    home/project/context-engine.yaml:8:29: delegation.max_parallel: expected a whole number from 1 to 1024, found 0
    home/project/context-engine.yaml:8:45: delegation.retries_max: expected a whole number from 0 to 100, found -1
    home/project/context-engine.yaml:8:66: delegation.timeout_seconds: expected a whole number from 1 to 604800, found 1.5
    home/project/context-engine.yaml:8:79: delegation.runner: expected text, found 5 (put it in quotes)
    home/project/context-engine.yaml:10:12: sandbox.minimum: a project's settings cannot set this; it would let a repository widen its own rights; set it in your user settings
    home/project/context-engine.yaml:11:1: zzzzz: unknown key; `ctx config show` lists the settings
    "#);
}

#[test]
fn a_broken_layer_leaves_the_others_in_place() {
    let machine = Machine::new();
    machine.write("home/.config/context-engine/context-engine.yaml", "context: {max_tokens: 5}\n");
    let project = machine.write("home/project/context-engine.yaml", "context: {max_tokens: 6\nmemory: ]\n");
    let loaded = machine.load();
    assert_eq!(loaded.config.context.max_tokens, 5);
    assert!(machine.texts(&loaded)[0].starts_with("home/project/context-engine.yaml:2:"), "{:?}", loaded.problems);
    fs::write(&project, b"a: 1\nb: \xff\n").expect("a file");
    assert_eq!(machine.texts(&machine.load()), ["home/project/context-engine.yaml: is not UTF-8 in line 2"]);
    fs::remove_file(&project).expect("removed");
    machine.make("home/project/context-engine.yaml");
    assert_eq!(machine.texts(&machine.load()), ["home/project/context-engine.yaml: is not a file"]);
}

#[test]
fn variables_are_expanded_in_files() {
    let machine = Machine::new();
    let text = "\
context:
  max_tokens: ${TOKENS}
  encoding: \"${ENCODING:-cl100k_base}\"
  max_output_tokens: \"${LIMIT:-300}\"
memory:
  path: ${FOLDER}/m.db
log: $${LOG}
";
    machine.write("home/project/context-engine.yaml", text);
    let loaded = machine.load_in("home/project", &[("TOKENS", "12"), ("FOLDER", "data")], &[]);
    assert_eq!(machine.texts(&loaded), [""; 0]);
    let config = &loaded.config;
    assert_eq!((config.context.max_tokens, config.context.max_output_tokens), (12, 300));
    assert_eq!(config.context.encoding, "cl100k_base");
    assert_eq!(Path::new(&config.memory.location), machine.path("home/project/data/m.db"));
    assert_eq!(config.log, "${LOG}");
    insta::assert_snapshot!(machine.texts(&machine.load()).join("\n"), @r#"
    home/project/context-engine.yaml:2:15: context.max_tokens: the environment variable TOKENS is not set (write ${TOKENS:-default} to do without it)
    home/project/context-engine.yaml:6:9: memory.path: the environment variable FOLDER is not set (write ${FOLDER:-default} to do without it)
    "#);
}

#[test]
fn the_documented_example_is_accepted_and_what_is_missing_here_is_said() {
    let machine = Machine::new();
    let text = "\
context:
  max_tokens: 4000
  encoding: o200k_base
  compression: { enabled: true, levels: [whitespace, structure, summarize, truncate] }
memory:
  backend: postgresql            # default: sqlite
  connection: ${DATABASE_URL}
  cache: { ttl: 3600, max_size: 1000, redis: ${REDIS_URL} }   # redis is optional
monitoring: { enabled: true, metrics_port: 9090 }
security:
  rate_limit: { requests_per_minute: 60 }
  input_validation: { strict: true }
delegation: { max_parallel: 8, timeout_seconds: 600, retries_max: 3 }
";
    let variables = [("DATABASE_URL", "postgresql://me:hidden@host/db"), ("REDIS_URL", "redis://cache")];
    insta::assert_snapshot!(machine.problems(text, &variables).join("\n"), @r#"
    home/project/context-engine.yaml:6:12: memory.backend: this build keeps memories in SQLite only, so nothing is remembered or recalled; set it to sqlite
    home/project/context-engine.yaml:8:46: memory.cache.redis: this build has no Redis cache, and works without; remove it
    home/project/context-engine.yaml:9:24: monitoring.enabled: this build serves no metrics; `ctx health` tells the state
    "#);
    let loaded = machine.load_in("home/project", &variables, &[]);
    assert_eq!(loaded.config.security.requests_per_minute, Some(60));
    // Memories never go to another place than the one that was asked for.
    assert!(context_engine::store::open(&loaded.config.memory.location).is_err());
    let shown = config::show(&loaded);
    let connection = shown.iter().find(|shown| shown.key == "memory.connection").expect("shown");
    assert_eq!(connection.value, "postgresql://me:****@host/db");
    assert!(connection.origin.to_string().ends_with("context-engine.yaml:7:15"), "{}", connection.origin);
}

#[test]
fn slips_in_variables_and_flags_are_reported() {
    let machine = Machine::new();
    // A server inside a task is told about its run, which is no setting.
    let variables =
        [("CTX_RUN", "r"), ("CTX_CONTEXT_MAX_TOKEN", "5"), ("CTX_QQ", "1"), ("CTX_DELEGATION_MAX_PARALLEL", "lots")];
    let flags = ["context.max_token=3", "context", "delegation.retries_max=101", "sandbox.minimum=ful"];
    insta::assert_snapshot!(machine.texts(&machine.load_in("home/project", &variables, &flags)).join("\n"), @r#"
    environment variable CTX_DELEGATION_MAX_PARALLEL: delegation.max_parallel: expected a whole number from 1 to 1024, found "lots"
    environment variable CTX_CONTEXT_MAX_TOKEN: no setting has this variable; did you mean CTX_CONTEXT_MAX_TOKENS?
    environment variable CTX_QQ: no setting has this variable; `ctx config show` lists the settings
    --set context.max_token=3: context.max_token: unknown key; did you mean context.max_tokens?
    --set context: expected key.path=value
    --set delegation.retries_max=101: delegation.retries_max: expected a whole number from 0 to 100, found 101
    --set sandbox.minimum=ful: sandbox.minimum: expected one of full, landlock, unprotected, found "ful" (did you mean full?)
    "#);
}

#[test]
fn a_repository_cannot_widen_the_rights_of_its_tasks() {
    let machine = Machine::new();
    let text = "sandbox:\n  minimum: unprotected\n  readable: [/root]\ndelegation: {environment: [SECRET]}\n";
    assert_eq!(machine.problems(text, &[("SECRET", "x")]).len(), 3);
    let config = machine.load_in("home/project", &[("SECRET", "x")], &[]).config;
    assert_eq!(config.sandbox.minimum, MinimumStrength::Landlock);
    assert_eq!((config.sandbox.readable.len(), config.delegation.environment.len()), (0, 0));
    // The user may.
    machine.write("home/.config/context-engine/context-engine.yaml", text);
    let config = machine.load_in("home/project", &[("SECRET", "x")], &[]).config;
    assert_eq!(config.sandbox.minimum, MinimumStrength::Unprotected);
    assert_eq!(config.sandbox.readable, [Path::new("/root")]);
    assert_eq!(config.delegation.environment, [("SECRET".to_owned(), "x".to_owned())]);
}

#[test]
#[cfg(unix)]
fn a_repository_keeps_data_only_inside_itself() {
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    machine.write("home/.config/context-engine/context-engine.yaml", "memory: {path: ~/mine.db}\n");
    machine.write("home/other/memory.db", "");
    symlink(machine.path("home/other"), machine.path("home/project/link")).expect("a link");
    symlink(machine.path("home/nowhere"), machine.path("home/project/dangling")).expect("a link");
    for path in ["~/other/memory.db", "../other/memory.db", "/etc/x.db", "link/memory.db", "dangling", "link/new/x.db"]
    {
        let problems = machine.problems(&format!("memory: {{path: {path}}}\ndata_dir: {path}\n"), &[]);
        assert_eq!(problems.len(), 2, "{path}: {problems:?}");
        assert!(problems[0].contains("only name a place inside the project"), "{problems:?}");
        let config = machine.load().config;
        // What the user says holds.
        assert_eq!(Path::new(&config.memory.location), machine.path("home/mine.db"), "{path}");
        assert_eq!(config.paths.data, machine.path("home/project/.claude/data"), "{path}");
    }
}

#[test]
#[cfg(unix)]
fn a_link_does_not_lead_the_memory_out_of_its_project() {
    let machine = Machine::new();
    machine.write("home/other/memory.db", "");
    machine.make("home/project/.claude");
    std::os::unix::fs::symlink(machine.path("home/other"), machine.path("home/project/.claude/data")).expect("a link");
    let loaded = machine.load();
    assert!(machine.texts(&loaded)[0].contains("leads outside the project by a link"), "{:?}", loaded.problems);
    assert!(context_engine::store::open(&loaded.config.memory.location).is_err());
    let other = machine.path("home/other");
    let loaded = machine.load_in("home/project", &[("CTX_DATA_DIR", other.to_str().expect("UTF-8"))], &[]);
    assert_eq!(machine.texts(&loaded), [""; 0]);
    assert_eq!(Path::new(&loaded.config.memory.location), other.join("memory.db"));
}

#[test]
fn data_lives_in_the_nearest_project() {
    let machine = Machine::new();
    let config = machine.load_in("home/project/a/b", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/project")));
    assert_eq!(config.paths.workspace, machine.path("home/project"));
    assert_eq!(config.paths.data, machine.path("home/project/.claude/data"));
    assert_eq!(Path::new(&config.memory.location), machine.path("home/project/.claude/data/memory.db"));
    machine.make("home/project/a/.claude");
    let config = machine.load_in("home/project/a/b", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/project/a")));
}

#[test]
fn the_home_folder_is_no_project_because_of_its_claude_folder() {
    let machine = Machine::new();
    machine.make("home/.claude");
    let config = machine.load_in("home/elsewhere", &[], &[]).config;
    assert_eq!(config.paths.project_root, None);
    assert_eq!(config.paths.workspace, machine.path("home/elsewhere"));
    assert_eq!(config.paths.data, machine.path("home/.local/share/context-engine"));
    assert_eq!(config.memory.location, config.memory.user_location);
    let data = machine.path("xdg");
    let config = machine.load_in("home/elsewhere", &[("XDG_DATA_HOME", data.to_str().expect("UTF-8"))], &[]).config;
    assert_eq!(config.paths.data, machine.path("xdg/context-engine"));
    machine.make("home/.git");
    assert_eq!(machine.load_in("home/elsewhere", &[], &[]).config.paths.project_root, Some(machine.path("home")));
}

#[test]
fn settings_move_the_data() {
    let machine = Machine::new();
    let text = "data_dir: data\nmemory: {path: ~/project/./x/../m.db}\n";
    assert_eq!(machine.problems(text, &[]), [""; 0]);
    let config = machine.load_in("home/project/a", &[], &[]).config;
    assert_eq!(config.paths.data, machine.path("home/project/data"));
    assert_eq!(Path::new(&config.memory.location), machine.path("home/project/m.db"));
    let variables = [("CTX_DATA_DIR", "kit"), ("CTX_MEMORY_PATH", "kit/x.db")];
    let config = machine.load_in("home/project/a", &variables, &[]).config;
    assert_eq!(config.paths.data, machine.path("home/project/a/kit"));
    assert_eq!(Path::new(&config.memory.location), machine.path("home/project/a/kit/x.db"));
}

#[test]
fn worktrees_share_the_memory_of_their_repository() {
    let machine = Machine::new();
    let git_folder = machine.make("home/project/.git/worktrees/feature");
    let git_file = machine.write("home/feature/.git", &format!("gitdir: {}\n", git_folder.display()));
    machine.write("home/project/.git/worktrees/feature/commondir", "../..\n");
    let back = "home/project/.git/worktrees/feature/gitdir";
    machine.write(back, &format!("{}\n", git_file.display()));
    let config = machine.load_in("home/feature/src", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/project")));
    assert_eq!(config.paths.workspace, machine.path("home/feature"));
    assert_eq!(config.paths.data, machine.path("home/project/.claude/data"));
    // The repository does not know this worktree: someone else's memory stays closed.
    machine.write(back, "/somewhere/else/.git\n");
    let config = machine.load_in("home/feature/src", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/feature")));
    // With relative links, as newer versions of git write them.
    machine.write("home/feature/.git", "gitdir: ../project/.git/worktrees/feature\n");
    machine.write(back, "../../../../feature/.git\n");
    let config = machine.load_in("home/feature/src", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/project")));
}

#[test]
fn a_submodule_is_a_project_of_its_own() {
    let machine = Machine::new();
    machine.make("home/project/.git/modules/part");
    machine.write("home/project/part/.git", "gitdir: ../.git/modules/part\n");
    let config = machine.load_in("home/project/part", &[], &[]).config;
    assert_eq!(config.paths.project_root, Some(machine.path("home/project/part")));
}

#[test]
fn the_environment_shows_no_values() {
    let environment = Environment::from([("API_KEY", "hidden")]);
    assert!(!format!("{environment:?}").contains("hidden"));
    assert_eq!(environment.named(["B", "API_KEY"]), [("API_KEY".to_owned(), "hidden".to_owned())]);
}
