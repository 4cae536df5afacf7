//! The command line as a stranger meets it: the real binary, its exit codes, stdout and stderr.
#![expect(clippy::disallowed_methods, reason = "these tests start the program itself")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An empty project below a home folder of its own.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// Returns an empty project.
    pub fn new() -> Self {
        let place = Self { folder: TempDir::new().expect("a folder") };
        fs::create_dir_all(place.project().join(".claude/agents")).expect("a folder");
        place
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn agent(&self, name: &str, command: &str, more: &str) {
        let text = format!("---\ndescription: A test agent\nrunner: command\ncommand: {command}\n{more}---\nDo it.\n");
        self.file(&format!(".claude/agents/{name}.md"), &text);
    }

    /// Returns `ctx` with these arguments, to be started in the project with pipes.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctx"));
        command
            .args(arguments)
            .current_dir(self.project())
            .env_clear()
            .envs([("HOME", self.folder.path().to_str().expect("UTF-8")), ("PATH", "/usr/local/bin:/usr/bin:/bin")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs `ctx` as one who may read only what permissions allow; for the super-user, without the
    /// capabilities that go beyond.
    pub fn ctx_without_privileges(&self, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        if nix::unistd::geteuid().is_root() {
            let ctx = self.command(arguments);
            command = Command::new("setpriv");
            command
                .args(["--inh-caps=-all", "--bounding-set=-all", "--"])
                .arg(ctx.get_program())
                .args(ctx.get_args())
                .envs(ctx.get_envs().filter_map(|(name, value)| Some((name, value?))))
                .current_dir(self.project())
                .stdin(Stdio::null());
        }
        Ran::from(command.output().expect("ctx starts"))
    }

    /// Runs `ctx` with this standard input.
    pub fn ctx_with(&self, stdin: &str, arguments: &[&str]) -> Ran {
        let mut child = self.command(arguments).spawn().expect("ctx starts");
        // A command that does not read its input has gone by now, perhaps.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        Ran::from(child.wait_with_output().expect("ctx ends"))
    }

    /// Runs `ctx`.
    pub fn ctx(&self, arguments: &[&str]) -> Ran {
        self.ctx_with("", arguments)
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    /// Asserts the exit code and returns what was printed to stdout.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        &self.stdout
    }

    #[track_caller]
    /// What was printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

#[test]
fn every_command_says_once_what_is_wrong_with_the_settings() {
    let place = Place::new();
    place.file("context-engine.yaml", "memory: {bakend: sqlite}\n");
    for command in [&["recall", "x"][..], &["agents"], &["tokens", "--text", "a"], &["config", "show"]] {
        let ran = place.ctx(command);
        ran.exits(0);
        let warnings: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert!(matches!(warnings[..], [one] if one.contains("did you mean memory.backend?")), "{command:?} {ran:?}");
        assert!(!ran.stdout.contains("bakend"), "{ran:?}");
    }
    let check = place.ctx(&["config", "check"]);
    assert!(check.exits(1).contains("memory.bakend: unknown key") && check.stderr.is_empty(), "{check:?}");
}

#[test]
fn a_backend_that_is_not_there_is_not_replaced_by_another() {
    let place = Place::new();
    place.file("context-engine.yaml", "memory: {backend: postgresql, connection: 'postgresql://u:secret@h/d'}\n");
    let ran = place.ctx(&["remember", "The sky is blue"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("error: ") && ran.stderr.contains("memory.backend"), "{ran:?}");
    assert!(!ran.stderr.contains("secret"), "{ran:?}");
    assert!(!place.project().join(".claude/data").exists());
}

#[test]
fn work_that_failed_fails_the_command() {
    let place = Place::new();
    place.file("context-engine.yaml", "sandbox: {}\ndelegation: {retries_max: 0}\n");
    for (name, command, code) in
        [("good", "[\"true\"]", 0), ("bad", "[\"false\"]", 1), ("slow", "[sleep, \"60\"]", 124)]
    {
        place.agent(name, command, "");
        let ran = place.ctx(&["delegate", name, "go", "--timeout-seconds", "2", "--json"]);
        ran.exits(code);
        assert!(ran.json()["status"].is_string(), "{ran:?}");
        let steps = format!("[{{\"agent\": \"{name}\", \"task\": \"go\"}}]");
        place.ctx_with(&steps, &["workflow", "-", "--timeout-seconds", "2"]).exits(code);
    }
    let unknown = place.ctx(&["memory", "forget", "mem_0000000000000000"]);
    assert!(unknown.exits(1).contains("unknown mem_0000000000000000"), "{unknown:?}");
    let rejected = place.ctx_with(&"x ".repeat(200_000), &["remember"]);
    assert!(rejected.exits(1).starts_with("rejected"), "{rejected:?}");
}

#[test]
fn a_run_ends_with_its_command_and_the_command_says_so() {
    let place = Place::new();
    place.agent("slow", "[sleep, \"60\"]", "");
    let ran = place.ctx(&["call", "delegate_task", r#"{"agent": "slow", "task": "go", "wait_seconds": 1}"#]);
    ran.exits(1);
    assert!(ran.stderr.contains("was cancelled: it ends with the command"), "{ran:?}");
    let runs = place.ctx(&["runs", "--json"]).json();
    assert_eq!(runs["runs"][0]["status"], "cancelled", "{runs}");
    let ran = place.ctx(&["delegate", "slow", "go", "--wait-seconds", "1"]);
    assert!(ran.exits(2).is_empty() && ran.stderr.contains("unexpected argument"), "{ran:?}");
}

#[test]
fn what_is_missing_is_asked_for() {
    let place = Place::new();
    for (command, wanted) in [
        (&["delegate"][..], "<AGENT>"),
        (&["delegate", "a"], "<TASK>"),
        (&["workflow"], "<STEPS>"),
        (&["pack"], "<SOURCES>"),
        (&["retrieve"], "<HANDLE>"),
        (&["cancel"], "<RUN_ID>"),
        (&["run"], "<CMD>"),
        (&["originals", "show"], "<HANDLE>"),
        (&["originals", "purge"], "--older-than"),
        (&["originals", "purge", "--older-than", "soon"], "12h, 7d or 2w"),
        (&["originals", "purge", "ctx:?"], "not a handle"),
        (&["sandbox", "run", "--json", "--", "true"], "unexpected argument '--json'"),
        (&["run", "--max-tokens", "0", "--", "true"], "0 is not in 1.."),
        (&["run", "--kind", "poem", "--", "true"], "invalid value 'poem'"),
        (&["remember"], "ctx remember \"the text\""),
    ] {
        let ran = place.ctx(command);
        assert!(ran.exits(2).is_empty() && ran.stderr.contains(wanted), "{command:?} {ran:?}");
    }
}

#[test]
fn standard_input_stands_where_a_dash_does() {
    let place = Place::new();
    place.ctx_with("Tea is hot", &["remember", "-", "--tags", "drink,warm"]).exits(0);
    place.ctx_with("Ice is cold", &["remember"]).exits(0);
    let newest = place.ctx(&["recall", "--json"]).json();
    assert_eq!(newest["memories"].as_array().map(Vec::len), Some(2), "{newest}");
    let found = place.ctx_with("what is hot?", &["recall", "-", "--tags", "warm,drink", "--json"]).json();
    assert_eq!(found["memories"][0]["text"], "Tea is hot", "{found}");
    assert_eq!(place.ctx_with("a b\n", &["compress", "-"]).exits(0), "a b\n");
    assert_eq!(place.ctx_with("hello world", &["tokens", "-", "--json"]).json()["total"], 2);
    assert_eq!(place.ctx_with(r#"{"text": "hello"}"#, &["call", "tokens", "-"]).json()["total"], 1);
    assert_eq!(place.ctx(&["compress"]).exits(0), "");
    assert_eq!(place.ctx(&["tokens", "--json"]).json()["total"], 0);
}

#[test]
fn retrieving_what_is_not_there_fails_as_grep_does() {
    let place = Place::new();
    let text: String = (0..400).map(|number| format!("Line {number} tells of apples.\n")).collect();
    let fitted = place.ctx_with(&text, &["compress", "--max-tokens", "100", "--json"]).json();
    let handle = fitted["handle"].as_str().expect("a handle");
    for (option, pattern, found) in
        [("--regex", "Line 399 ", true), ("--regex", "pears", false), ("--query", "pears", false)]
    {
        for json in [&[][..], &["--json"]] {
            let ran = place.ctx(&[&["retrieve", handle, option, pattern], json].concat());
            ran.exits(i32::from(!found));
            assert_eq!(ran.stderr.contains("nothing matches"), !found && json.is_empty(), "{ran:?}");
        }
    }
}

#[test]
fn originals_are_listed_and_purged() {
    let place = Place::new();
    let none = place.ctx(&["originals"]);
    assert!(none.exits(0).is_empty() && none.stderr.contains("0 originals"), "{none:?}");
    let text = |what: &str| (0..400).map(|number| format!("Line {number} tells of {what}.\n")).collect::<String>();
    let mut handles = Vec::new();
    for what in ["apples", "pears", "plums"] {
        let fitted = place.ctx_with(&text(what), &["compress", "--max-tokens", "100", "--json"]).json();
        handles.push(fitted["handle"].as_str().expect("a handle").to_owned());
    }
    let listed = place.ctx(&["originals", "list"]);
    let lines: Vec<&str> = listed.exits(0).lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("Line 0 tells of")), "{listed:?}");
    let shown = place.ctx(&["originals", "--json"]).json();
    assert_eq!((&shown["count"], &shown["bytes_max"]), (&3.into(), &(512 << 20).into()), "{shown}");
    let pears = &shown["originals"].as_array().expect("a list").iter().find(|one| one["handle"] == handles[1].as_str());
    let pears = pears.expect("it is listed");
    assert_eq!((&pears["bytes"], &pears["encoding"]), (&text("pears").len().into(), &"o200k_base".into()), "{pears}");
    assert_eq!(pears["tokens"], place.ctx_with(&text("pears"), &["tokens", "--json"]).json()["total"]);
    let details = place.ctx(&["originals", "show", &handles[1]]);
    assert!(details.exits(0).contains("begins   Line 0 tells of pears."), "{details:?}");

    let trial = place.ctx(&["originals", "purge", "--all", "--dry-run"]);
    assert!(trial.exits(0).contains("would purge 3 originals"), "{trial:?}");
    assert!(place.ctx(&["originals", "purge", "--older-than", "1h"]).exits(0).contains("purged 0 originals"));
    let purged = place.ctx(&["originals", "purge", &handles[1], "ctx:00000000"]);
    assert!(purged.exits(1).starts_with("purged 1 originals") && purged.stdout.contains("not kept: ctx:00000000"));
    let gone = place.ctx(&["retrieve", &handles[1]]);
    assert!(gone.exits(3).is_empty() && gone.stderr.contains("it was purged on 2"), "{gone:?}");
    let unknown = place.ctx(&["retrieve", "ctx:00000000"]);
    assert!(unknown.exits(3).is_empty() && unknown.stderr.contains("it was never kept here"), "{unknown:?}");
    assert!(place.ctx(&["originals", "show", &handles[1]]).exits(0).contains("removed  purged on"));
    let all = place.ctx(&["originals", "purge", "--all", "--json"]);
    all.exits(0);
    assert_eq!(all.json()["purged"].as_array().map(Vec::len), Some(2), "{all:?}");
}

#[test]
fn every_option_says_what_it_is_for() {
    let place = Place::new();
    for command in [
        "delegate",
        "workflow",
        "runs",
        "cancel",
        "agents",
        "remember",
        "recall",
        "memory update",
        "memory forget",
        "memory list",
        "memory show",
        "memory edit",
        "memory stats",
        "memory export",
        "memory import",
        "compress",
        "retrieve",
        "pack",
        "tokens",
        "health",
        "run",
        "sandbox run",
        "originals",
        "originals list",
        "originals show",
        "originals purge",
        "savings",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let help = place.ctx(&arguments).exits(0).to_owned();
        let options = help.lines().skip_while(|line| !matches!(*line, "Arguments:" | "Options:"));
        for line in options.filter(|line| line.trim_start().starts_with(['-', '<', '['])) {
            let (_, told) = line.trim().split_once("  ").unwrap_or_default();
            let told_below = help.contains(&format!("{line}\n          "));
            assert!(told_below || !told.trim().is_empty(), "{command}: {line:?} has no help:\n{help}");
        }
    }
    assert!(place.ctx(&["pack", "--help"]).stdout.contains("\"files\""));
}

#[test]
fn settings_keep_their_types_as_json() {
    let place = Place::new();
    let shown = place.ctx(&["config", "show", "--json"]).json();
    let value = |key: &str| {
        let all = shown["settings"].as_array().expect("a list");
        all.iter().find(|one| one["key"] == key).expect("the setting")["value"].clone()
    };
    assert_eq!(value("context.max_tokens"), 4000);
    assert_eq!(value("context.compression.enabled"), true);
    assert!(value("context.compression.levels").is_array() && value("delegation.runner").is_null());
}

#[test]
fn what_follows_the_program_is_for_the_program() {
    let place = Place::new();
    let ran = place.ctx(&["sandbox", "run", "echo", "--json", "-n"]);
    assert_eq!(ran.exits(0), "--json -n\n");
    assert_eq!(place.ctx(&["sandbox", "run", "--", "echo", "--json"]).exits(0), "--json\n");
}
