//! What was acknowledged survives `kill -9`, and servers that share a project lose nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A `ctx rpc` process in a project of its own home; killed with SIGKILL when dropped.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(root: &Path) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the test starts the real binary")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctx"));
        command
            .arg("rpc")
            .current_dir(root)
            .env_clear()
            .env("HOME", root.parent().expect("a parent"))
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().expect("ctx starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdin, stdout }
    }

    fn send(&mut self, id: usize, method: &str, params: &Value) {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        // A server that was killed may be gone already.
        let _ = writeln!(self.stdin, "{request}");
    }

    /// Returns the next answer; `None` once the server is gone.
    fn receive(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            Ok(length) if length > 0 && line.ends_with('\n') => {
                Some(serde_json::from_str(&line).expect("an answer is JSON"))
            }
            _ => None,
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.send(0, method, params);
        let answer = self.receive().expect("an answer");
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn project(scratch: &tempfile::TempDir) -> std::path::PathBuf {
    let root = scratch.path().canonicalize().expect("it exists").join("project");
    std::fs::create_dir_all(root.join(".claude").join("agents")).expect("the project can be made");
    root
}

fn stored_ids(answer: &Value) -> Vec<String> {
    let stored = answer["result"]["stored"].as_array().unwrap_or_else(|| panic!("{answer}"));
    stored.iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

/// Returns which of these memories a new server knows.
fn known(root: &Path, ids: &BTreeSet<String>) -> usize {
    let mut server = Server::start(root);
    let all: Vec<&String> = ids.iter().collect();
    let counts = all.chunks(500).map(|chunk| {
        let forgotten = server.ask("memory_forget", &json!({ "ids": chunk, "dry_run": true }));
        forgotten["forgotten"].as_array().expect("a list").len()
    });
    counts.sum()
}

#[test]
fn kill_9_loses_no_acknowledged_memory() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let mut acknowledged = BTreeSet::new();
    for round in 0..20 {
        let mut server = Server::start(&root);
        for number in 0..400 {
            server.send(
                number,
                "memory_store",
                &json!({ "memories": [{ "text": format!("round {round} number {number}") }] }),
            );
        }
        for _ in 0..(20 + round * 15) {
            let answer = server.receive().expect("an answer before the kill");
            acknowledged.extend(stored_ids(&answer));
        }
        server.child.kill().expect("the server was alive");
        // What was written to the pipe before the kill was acknowledged too.
        while let Some(answer) = server.receive() {
            acknowledged.extend(stored_ids(&answer));
        }
    }
    assert!(acknowledged.len() > 3000, "{} memories were acknowledged", acknowledged.len());
    assert_eq!(known(&root, &acknowledged), acknowledged.len());
}

#[test]
fn kill_9_loses_no_acknowledged_run() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let agent = "---\nname: sleepy\ndescription: Sleeps.\nrunner: command\ncommand: [sleep, \"600\"]\n---\n";
    std::fs::write(root.join(".claude/agents/sleepy.md"), agent).expect("an agent");
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        let mut server = Server::start(&root);
        let run = server.ask("delegate_task", &json!({ "agent": "sleepy", "task": "Sleep.", "wait_seconds": 0 }));
        acknowledged.push(run["run_id"].clone());
        server.child.kill().expect("the server was alive");
    }
    let mut server = Server::start(&root);
    for id in acknowledged {
        let seen = server.ask("get_run", &json!({ "run_id": id }));
        assert_eq!(seen["runs"][0]["run_id"], id, "{seen}");
    }
}

#[test]
fn two_servers_write_ten_thousand_memories_to_one_project_and_lose_none() {
    const EACH: usize = 5000;
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let writers: Vec<_> = ["left", "right"]
        .into_iter()
        .map(|name| {
            let root = root.clone();
            std::thread::spawn(move || {
                let mut server = Server::start(&root);
                let mut ids = BTreeSet::new();
                for chunk in 0..EACH / 100 {
                    for number in 0..100 {
                        let text = format!("{name} writes memory {}", chunk * 100 + number);
                        server.send(number, "memory_store", &json!({ "memories": [{ "text": text }] }));
                    }
                    for _ in 0..100 {
                        ids.extend(stored_ids(&server.receive().expect("an answer")));
                    }
                }
                ids
            })
        })
        .collect();
    let ids: BTreeSet<String> =
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer ends well")).collect();
    assert_eq!(ids.len(), 2 * EACH);
    assert_eq!(known(&root, &ids), 2 * EACH);
}

#[test]
fn a_killed_server_takes_its_tasks_along() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let marker = format!("{}.75", 4000 + std::process::id() % 1000);
    let agent =
        format!("---\nname: sleepy\ndescription: Sleeps.\nrunner: command\ncommand: [sleep, \"{marker}\"]\n---\n");
    std::fs::write(root.join(".claude/agents/sleepy.md"), agent).expect("an agent");
    let is_running = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .any(|line| line.split(|byte| *byte == 0).any(|argument| argument == marker.as_bytes()))
    };
    let mut server = Server::start(&root);
    server.ask("delegate_task", &json!({ "agent": "sleepy", "task": "Sleep.", "wait_seconds": 0 }));
    crate::support::eventually("the sleeper runs", is_running);
    server.child.kill().expect("the server was alive");
    std::thread::sleep(Duration::from_millis(100));
    crate::support::eventually("no sleeper is left", || !is_running());
}

#[test]
fn a_run_of_a_killed_server_is_seen_to_be_interrupted_at_once() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let agent = "---\nname: sleepy\ndescription: Sleeps.\nrunner: command\ncommand: [sleep, \"600\"]\n---\n";
    std::fs::write(root.join(".claude/agents/sleepy.md"), agent).expect("an agent");
    let mut server = Server::start(&root);
    let run = server.ask("delegate_task", &json!({ "agent": "sleepy", "task": "Sleep.", "wait_seconds": 0 }));
    server.child.kill().expect("the server was alive");
    server.child.wait().expect("it is reaped");
    let seen = Server::start(&root).ask("get_run", &json!({ "run_id": run["run_id"] }));
    assert_eq!(seen["runs"][0]["status"], "interrupted", "{seen}");
}

#[test]
fn a_server_that_leaves_writes_down_the_end_of_its_runs() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let root = project(&scratch);
    let agent = "---\nname: sleepy\ndescription: Sleeps.\nrunner: command\ncommand: [sleep, \"600\"]\n---\n";
    std::fs::write(root.join(".claude/agents/sleepy.md"), agent).expect("an agent");
    let mut server = Server::start(&root);
    let run = server.ask("delegate_task", &json!({ "agent": "sleepy", "task": "Sleep.", "wait_seconds": 0 }));
    let Server { child, stdin, stdout: _stdout } = &mut server;
    // Closing standard input is how a client says goodbye.
    let stdin = std::mem::replace(stdin, null_stdin());
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    let seen = Server::start(&root).ask("get_run", &json!({ "run_id": run["run_id"] }));
    assert_eq!(seen["runs"][0]["status"], "cancelled", "{seen}");
}

/// Standard input of a process that is over, to take the place of one that is to be closed.
fn null_stdin() -> ChildStdin {
    #[expect(clippy::disallowed_methods, reason = "the test needs a pipe to nowhere")]
    let mut over = Command::new("true").stdin(Stdio::piped()).spawn().expect("true runs");
    let stdin = over.stdin.take().expect("a pipe");
    let _ = over.wait();
    stdin
}
