//! Runners: what is started for an agent, and how the programs' own output is read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use context_engine::agents::{self, Agent, Scope};
use context_engine::config::{self, Config, Environment, Sources};
use context_engine::exec::sandbox::{Report, Strength};
use context_engine::exec::{Captured, Ended, Exit, Network};
use context_engine::runners::{self, EndedBy, LaunchRequest, Prepared, Reply, Runner, RunnerError, Usage};
use tempfile::TempDir;

const SESSION: &str = "11111111-2222-4333-8444-555555555555";

fn agent(scope: Scope, front: &str) -> Agent {
    let text = format!("---\nname: helper\ndescription: Helps\n{front}---\nYou are \"helpful\".\nAlways.\n");
    let (agent, problems) = agents::parse(&text, Path::new("/p/.claude/agents/helper.md"), scope);
    assert_eq!(problems, []);
    agent.expect("an agent")
}

fn runner(kind: &str) -> &'static dyn Runner {
    runners::RUNNERS.iter().copied().find(|runner| runner.kind() == kind).expect("a runner")
}

fn launch(kind: &str, agent: &Agent, environment: &Environment) -> Result<Prepared, RunnerError> {
    let home_files = [(PathBuf::from(".codex/config.toml"), b"[model_providers.x]\nenv_key = \"X_KEY\"\n".to_vec())];
    runner(kind).launch(&LaunchRequest {
        agent,
        packet: "The task.",
        program: Path::new("/opt/bin/program"),
        working_directory: Path::new("/p"),
        session_id: SESSION,
        programs: &[PathBuf::from("/opt/bin"), PathBuf::from("/usr/bin")],
        environment,
        allowed: &[("ALLOWED".to_owned(), "yes".to_owned())],
        home_files: if kind == "codex" { &home_files } else { &[] },
    })
}

fn exit(ended: Ended, stdout: &[u8], stderr: &[u8]) -> Exit {
    let captured = |bytes: &[u8]| Captured { bytes: bytes.to_vec(), dropped: 0 };
    Exit {
        ended,
        stdout: captured(stdout),
        stderr: captured(stderr),
        wall: Duration::from_secs(1),
        touched: Vec::new(),
        sandbox: Report { strength: Strength::Full, gaps: Vec::new() },
    }
}

/// Reads a recorded output as the runner of a kind does.
fn recorded(kind: &str, name: &str, code: i32) -> Reply {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/runners").join(name);
    runner(kind).parse(&exit(Ended::Exited(code), &fs::read(file).expect("a fixture"), b""))
}

fn names(prepared: &Prepared) -> Vec<&str> {
    prepared.launch.environment.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_command_gets_the_packet_and_nothing_else() {
    let agent = agent(Scope::User, "runner: command\ncommand: [./run, '$(date)', --x]\nenv: [MINE]\n");
    let environment = Environment::from([("MINE", "1"), ("SECRET", "2"), ("HTTPS_PROXY", "p"), ("TZ", "UTC")]);
    let prepared = launch("command", &agent, &environment).expect("a launch");
    assert_eq!(prepared.launch.arguments, ["$(date)", "--x"]);
    assert_eq!(prepared.launch.stdin, b"The task.");
    assert_eq!(prepared.launch.program, Path::new("/opt/bin/program"));
    assert_eq!(prepared.network, Network::None);
    assert_eq!(names(&prepared), ["LANG", "PATH", "TERM", "NO_COLOR", "TZ", "MINE", "ALLOWED"]);
    assert!(prepared.launch.environment.contains(&("PATH".to_owned(), "/opt/bin:/usr/bin".to_owned())));
}

#[test]
fn a_projects_agent_gets_no_variable_that_the_user_did_not_allow() {
    let agent = agent(Scope::Project, "command: [x]\nenv: [ALLOWED, SECRET, UNSET]\n");
    let environment = Environment::from([("SECRET", "2"), ("ALLOWED", "yes")]);
    let error = launch("command", &agent, &environment).expect_err("refused").to_string();
    assert!(error.starts_with("agent helper asks for SECRET, which"), "{error}");
    let prepared = launch("command", &agent, &Environment::from([("ALLOWED", "yes")])).expect("a launch");
    assert!(names(&prepared).contains(&"ALLOWED"));
}

#[test]
fn claude_is_told_everything_by_flags_that_no_text_can_leave() {
    let front = "tools: Read, Bash(git log, git diff), --dangerously-skip-permissions\ndisallowedTools: [Write]\n\
                 model: sonnet\nmaxTurns: 3\neffort: low\npermissionMode: bypassPermissions\n\
                 mcpServers: {a: {}}\nhooks: {Stop: []}\n";
    let environment =
        Environment::from([("ANTHROPIC_API_KEY", "k"), ("OPENAI_API_KEY", "o"), ("SSL_CERT_FILE", "/c.pem")]);
    let prepared = launch("claude", &agent(Scope::Project, front), &environment).expect("a launch");
    insta::assert_snapshot!(prepared.launch.arguments.join("\n"), @r#"
    -p
    --output-format=json
    --strict-mcp-config
    --mcp-config={"mcpServers":{}}
    --setting-sources=user
    --settings={"sandbox":{"enabled":false},"disableAllHooks":true}
    --session-id=11111111-2222-4333-8444-555555555555
    --append-system-prompt=You are "helpful".
    Always.
    --model=sonnet
    --max-turns=3
    --effort=low
    --tools=Read,Bash,--dangerously-skip-permissions
    --allowedTools=Read,Bash(git log, git diff),--dangerously-skip-permissions
    --disallowedTools=Write
    "#);
    assert_eq!(prepared.launch.stdin, b"The task.");
    assert_eq!(prepared.network, Network::Host);
    assert_eq!(prepared.session_id.as_deref(), Some(SESSION));
    assert_eq!(prepared.readable, [Path::new("/c.pem")]);
    assert!(names(&prepared).contains(&"ANTHROPIC_API_KEY") && !names(&prepared).contains(&"OPENAI_API_KEY"));
    let plain = launch("claude", &agent(Scope::User, ""), &environment).expect("a launch");
    let allowed = "--allowedTools=Bash,Edit,Write,NotebookEdit,WebFetch,WebSearch";
    assert!(plain.launch.arguments.iter().any(|argument| argument == allowed));
    let plan = launch("claude", &agent(Scope::User, "permissionMode: plan\n"), &environment).expect("a launch");
    assert!(plan.launch.arguments.iter().all(|argument| !argument.starts_with("--allowedTools")));
}

#[test]
fn codex_is_told_by_its_settings_and_says_what_it_cannot_do() {
    let front = "model: sonnet\nmaxTurns: 3\ntools: Read\neffort: high\n";
    let environment = Environment::from([("OPENAI_API_KEY", "o"), ("ANTHROPIC_API_KEY", "k"), ("X_KEY", "x")]);
    let prepared = launch("codex", &agent(Scope::Project, front), &environment).expect("a launch");
    insta::assert_snapshot!(prepared.launch.arguments.join("\n"), @r#"
    exec
    --json
    --skip-git-repo-check
    --ephemeral
    --sandbox=danger-full-access
    -c
    developer_instructions="You are \"helpful\".\nAlways."
    -c
    model_reasoning_effort="high"
    -
    "#);
    insta::assert_snapshot!(prepared.notes.join("\n"), @r#"
    codex does not know the model sonnet, and uses its own
    codex has tools of its own: tools and disallowedTools are not enforced
    codex has no limit on turns: maxTurns is not enforced
    "#);
    assert_eq!(prepared.launch.stdin, b"The task.");
    let names = names(&prepared);
    assert!(names.contains(&"OPENAI_API_KEY") && names.contains(&"X_KEY") && !names.contains(&"ANTHROPIC_API_KEY"));
    assert_eq!(prepared.launch.home_files.len(), 1);
}

#[test]
fn an_agent_without_network_cannot_reach_a_model() {
    for kind in ["claude", "codex"] {
        let error = launch(kind, &agent(Scope::User, "network: none\n"), &Environment::default());
        assert!(matches!(error, Err(RunnerError::NetworkNeeded { runner, .. }) if runner == kind));
    }
    let front = "command: [x]\nnetwork: host\n";
    let prepared = launch("command", &agent(Scope::User, front), &Environment::default());
    assert_eq!(prepared.expect("a launch").network, Network::Host);
    let refused = launch("command", &agent(Scope::Project, front), &Environment::default());
    assert!(matches!(refused, Err(RunnerError::NetworkNotAllowed(_))), "{refused:?}");
}

#[test]
fn the_answers_of_claude_are_read() {
    let done = recorded("claude", "claude-done.json", 0);
    assert_eq!(done.text, "The tests pass.\n\nTwo files were read.");
    assert_eq!((done.is_error, done.error, done.ended_by), (false, None, EndedBy::Completed));
    assert_eq!(done.session_id.as_deref(), Some(SESSION));
    let usage = Usage {
        input_tokens: Some(1630),
        cached_tokens: Some(400),
        output_tokens: Some(17),
        cost_usd: Some(0.004_087_5),
        turns: Some(1),
    };
    assert_eq!(done.usage, usage);
    let tool = recorded("claude", "claude-tool.json", 0);
    assert_eq!((tool.usage.turns, tool.usage.output_tokens), (Some(2), Some(34)));

    let turns = recorded("claude", "claude-turns.json", 1);
    assert_eq!((turns.is_error, turns.ended_by), (true, EndedBy::TurnsLimit));
    assert_eq!(turns.error.as_deref(), Some("Reached maximum number of turns (1)"));
    assert_eq!(turns.usage.output_tokens, Some(17));

    let refused = recorded("claude", "claude-refused.json", 1);
    assert_eq!(refused.error.as_deref(), Some("API Error: 400 mock says no"));
    let stranger = recorded("claude", "claude-no-login.json", 1);
    assert_eq!((stranger.is_error, stranger.ended_by), (true, EndedBy::Error));
    assert!(stranger.error.expect("an error").contains("Not logged in"));
}

#[test]
fn the_answers_of_codex_are_read() {
    let done = recorded("codex", "codex-done.jsonl", 0);
    assert_eq!((done.text.as_str(), done.is_error, done.ended_by), ("The tests pass.", false, EndedBy::Completed));
    assert!(done.session_id.is_some());
    assert_eq!((done.usage.input_tokens, done.usage.cached_tokens), (Some(1500), Some(300)));
    assert_eq!((done.usage.output_tokens, done.usage.turns), (Some(40), Some(1)));
    assert!(done.notes[0].starts_with("Model metadata for `mock-model` not found"), "{:?}", done.notes);
    // The turn ended well, but not the process.
    assert!(recorded("codex", "codex-done.jsonl", 1).is_error);

    let refused = recorded("codex", "codex-refused.jsonl", 1);
    assert_eq!((refused.is_error, refused.ended_by), (true, EndedBy::Error));
    assert!(refused.error.expect("an error").contains("mock says no"));
}

#[test]
fn output_that_is_cut_or_strange_is_still_an_answer() {
    for kind in ["claude", "codex"] {
        for (stdout, ended) in [
            (&b""[..], Ended::TimedOut),
            (b"", Ended::Exited(0)),
            (b"{\"type\":\"result\",\"resu", Ended::Exited(0)),
            (b"[1,2]\nnull\n{}\n{\"type\":5}\n\xff\xfe", Ended::Exited(0)),
        ] {
            let reply = runner(kind).parse(&exit(ended, stdout, b""));
            assert!(reply.is_error && reply.error.is_some() && reply.ended_by == EndedBy::Untold, "{kind}: {reply:?}");
        }
        let odd = br#"{"type":"result","is_error":"yes","usage":[],"result":{"a":1},"errors":7,"num_turns":-1}"#;
        let _no_panic = runner(kind).parse(&exit(Ended::Exited(0), odd, b""));
    }
    // Noise before the answer, as wrappers print it, and fields of the future.
    let noisy = b"warning: x\n{\"type\":\"system\"}\n{\"type\":\"result\",\"result\":\"ok\",\"new\":[1]}\n";
    let reply = runner("claude").parse(&exit(Ended::Exited(0), noisy, b""));
    assert_eq!((reply.text.as_str(), reply.is_error), ("ok", false));
    // A codex that was cut after its first message.
    let cut =
        b"{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"half\"}}\n[... dropped ...]\n";
    let reply = runner("codex").parse(&exit(Ended::TimedOut, cut, b""));
    assert_eq!((reply.text.as_str(), reply.is_error), ("half", true));
}

#[test]
fn a_command_answers_with_its_output() {
    let reply = runner("command").parse(&exit(Ended::Exited(0), b"fine \xff\n", b"noise"));
    assert_eq!((reply.text.as_str(), reply.is_error, reply.error), ("fine \u{fffd}\n", false, None));
    let reply = runner("command").parse(&exit(Ended::Exited(3), b"part", b"it broke\n"));
    assert_eq!((reply.is_error, reply.error.as_deref()), (true, Some("it broke")));
    assert_eq!(reply.ended_by, EndedBy::Error);
}

/// A home folder with programs that do nothing.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: TempDir::new().expect("a folder") };
        fs::create_dir_all(machine.path("home/project/.git")).expect("a folder");
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder").join(path)
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(&file, text).expect("a file");
        file
    }

    #[cfg(unix)]
    fn program(&self, path: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.write(path, text);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("permissions");
        file
    }

    fn config(&self, variables: &[(&str, &str)], flags: &[&str]) -> Config {
        let home = self.path("home");
        let programs = format!("{0}/bin:{0}/other/bin", self.path("").display()).replace("//", "/");
        let mut all = vec![("HOME", home.to_str().expect("UTF-8")), ("PATH", &programs)];
        all.extend_from_slice(variables);
        config::load(&Sources {
            environment: all.into_iter().collect(),
            working_directory: self.path("home/project"),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            system_file: self.path("no.yaml"),
        })
        .config
    }
}

#[cfg(unix)]
#[test]
fn the_runner_is_the_agents_then_the_settings_then_what_is_installed() {
    let machine = Machine::new();
    let config = machine.config(&[], &[]);
    let kind = |agent: &Agent, config: &Config| runners::of(agent, config).map(Runner::kind);
    let plain = agent(Scope::User, "");
    assert!(matches!(kind(&plain, &config), Err(RunnerError::NoneInstalled(_))));
    machine.program("bin/codex", "");
    assert_eq!(kind(&plain, &config).expect("a runner"), "codex");
    machine.program("other/bin/claude", "");
    assert_eq!(kind(&plain, &config).expect("a runner"), "claude");
    assert_eq!(kind(&plain, &machine.config(&[], &["delegation.runner=codex"])).expect("a runner"), "codex");
    assert!(matches!(kind(&plain, &machine.config(&[], &["delegation.runner=x"])), Err(RunnerError::Unknown(_))));
    assert_eq!(kind(&agent(Scope::User, "runner: codex\n"), &config).expect("a runner"), "codex");
    assert_eq!(kind(&agent(Scope::User, "command: [x]\n"), &config).expect("a runner"), "command");
}

#[cfg(unix)]
#[test]
fn the_login_comes_along_and_the_rest_of_the_home_folder_does_not() {
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    machine.write("home/.claude/.credentials.json", "{\"a\":1}");
    machine.write("home/.claude/settings.json", "{\"hooks\":{}}");
    machine.write("home/.claude.json", "{\"mcpServers\":{\"x\":{}},\"oauthAccount\":{\"b\":2}}");
    // As npm installs it: a link to a script of another package's folder, run by node.
    let script = machine.program("opt/lib/node_modules/@x/claude/cli.js", "#!/usr/bin/env node\n");
    machine.program("opt/bin/node", "");
    fs::create_dir_all(machine.path("bin")).expect("a folder");
    symlink(&script, machine.path("bin/claude")).expect("a link");
    symlink(machine.path("opt/bin/node"), machine.path("bin/node")).expect("a link");
    let config = machine.config(&[], &[]);
    let agent = agent(Scope::User, "runner: claude\n");
    let prepared = runners::prepare(runner("claude"), &agent, "Task.", &config, &machine.path("home/project"));
    let prepared = prepared.expect("a launch");
    assert_eq!(prepared.launch.program, machine.path("bin/claude"));
    let files = [
        (PathBuf::from(".claude/.credentials.json"), b"{\"a\":1}".to_vec()),
        (PathBuf::from(".claude.json"), b"{\"oauthAccount\":{\"b\":2}}".to_vec()),
    ];
    assert_eq!(prepared.launch.home_files, files);
    for folder in ["bin", "opt", "opt/lib/node_modules"] {
        assert!(prepared.readable.contains(&machine.path(folder)), "{folder}: {:?}", prepared.readable);
    }
    // A moved folder.
    let moved = machine.write("moved/.credentials.json", "{\"c\":3}");
    let config =
        machine.config(&[("CLAUDE_CONFIG_DIR", moved.parent().expect("a parent").to_str().expect("UTF-8"))], &[]);
    let prepared = runners::prepare(runner("claude"), &agent, "Task.", &config, &machine.path("home/project"));
    let files = prepared.expect("a launch").launch.home_files;
    assert_eq!(files, [(PathBuf::from(".claude/.credentials.json"), b"{\"c\":3}".to_vec())]);
}

#[cfg(unix)]
#[test]
fn a_program_below_the_home_folder_does_not_open_it() {
    let machine = Machine::new();
    machine.program("home/.local/bin/tool", "");
    fs::create_dir_all(machine.path("home/.local/lib")).expect("a folder");
    machine.program("home/bin/other", "");
    fs::create_dir_all(machine.path("home/lib")).expect("a folder");
    let config = machine.config(&[], &[]);
    for (program, folder) in [("home/.local/bin/tool", "home/.local/bin"), ("home/bin/other", "home/bin")] {
        let command = format!("command: [{}]\n", machine.path(program).display());
        let agent = agent(Scope::User, &command);
        let prepared = runners::prepare(runner("command"), &agent, "", &config, &machine.path("home/project"));
        assert_eq!(prepared.expect("a launch").readable, [machine.path(folder)]);
    }
}

#[cfg(unix)]
#[test]
fn a_script_of_the_project_is_found_where_the_agent_works() {
    let machine = Machine::new();
    let script = machine.program("home/project/scripts/check", "#!/bin/sh\n");
    let config = machine.config(&[], &[]);
    let agent = agent(Scope::Project, "command: [scripts/check, --all]\n");
    let prepared = runners::prepare(runner("command"), &agent, "", &config, &machine.path("home/project"));
    let launch = prepared.expect("a launch").launch;
    assert_eq!((launch.program, launch.arguments), (script, vec!["--all".to_owned()]));
    let error = runners::prepare(runner("command"), &agent, "", &config, &machine.path("home"));
    assert!(matches!(error, Err(RunnerError::ProgramNotFound { .. })));
}

#[cfg(unix)]
#[test]
fn an_agent_of_the_project_opens_no_folder_elsewhere() {
    use std::os::unix::fs::symlink;
    let machine = Machine::new();
    let elsewhere = machine.program("elsewhere/run.sh", "#!/bin/sh\n");
    machine.program("elsewhere/bin/tool", "");
    fs::create_dir_all(machine.path("elsewhere/lib")).expect("a folder");
    machine.program("elsewhere/node_modules/x/cli.js", "");
    for folder in ["bin", "home/project/bin"] {
        fs::create_dir_all(machine.path(folder)).expect("a folder");
    }
    symlink(&elsewhere, machine.path("home/project/run")).expect("a link");
    symlink(machine.path("elsewhere"), machine.path("home/project/folder")).expect("a link");
    symlink(&elsewhere, machine.path("home/project/bin/planted")).expect("a link");
    // A folder of the project in PATH makes nothing of the project installed.
    let programs = ["bin", "home/project/bin"].map(|folder| machine.path(folder).display().to_string()).join(":");
    let config = machine.config(&[("PATH", &programs)], &[]);
    let prepare = |scope, program: &str, config: &Config| {
        let agent = agent(scope, &format!("command: [\"{program}\"]\n"));
        runners::prepare(runner("command"), &agent, "", config, &machine.path("home/project"))
    };
    let named = |path: &str| machine.path(path).display().to_string();
    for program in [
        &named("elsewhere/run.sh"),
        &named("elsewhere/bin/tool"),
        &named("elsewhere/node_modules/x/cli.js"),
        "run",
        "./run",
        "folder/run.sh",
        "../../elsewhere/run.sh",
        "planted",
    ] {
        let error = prepare(Scope::Project, program, &config).expect_err(program);
        let refused = matches!(error, RunnerError::ProgramNotAllowed { .. } | RunnerError::ProgramNotFound { .. });
        assert!(refused && (program == "run" || error.to_string().contains("sandbox.readable")), "{program}: {error}");
    }
    // The user's own agents may, and so may the user's settings.
    assert!(prepare(Scope::User, &named("elsewhere/run.sh"), &config).is_ok());
    let mut opened = config.clone();
    opened.sandbox.readable.push(machine.path("elsewhere"));
    assert!(prepare(Scope::Project, &named("elsewhere/run.sh"), &opened).is_ok());

    // A script of the project opens nothing, neither around it nor by its first line.
    machine.program("home/project/bin/script", &format!("#!{}\n", named("elsewhere/bin/tool")));
    fs::create_dir_all(machine.path("home/project/lib")).expect("a folder");
    assert_eq!(prepare(Scope::Project, "bin/script", &config).expect("a launch").readable, Vec::<PathBuf>::new());
    // What is installed brings its installation, not whatever lies beside the file that a link names.
    machine.program("opt/lib/node_modules/y/cli.js", "");
    symlink(machine.path("opt/lib/node_modules/y/cli.js"), machine.path("bin/installed")).expect("a link");
    symlink(&elsewhere, machine.path("bin/linked")).expect("a link");
    let readable = |program| prepare(Scope::Project, program, &config).expect("a launch").readable;
    assert_eq!(readable("installed"), [machine.path("bin"), machine.path("opt/lib/node_modules")]);
    assert_eq!(readable("linked"), [machine.path("bin")]);
}
