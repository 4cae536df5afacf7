//! A driver of the real binary over its standard input and output.

#![expect(clippy::disallowed_methods, reason = "these tests start the program itself")]
#![expect(clippy::needless_pass_by_value, reason = "tests read better with `json!` in place")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, running in a folder and a home of its own. Dropping it ends it, and fails the test
/// if a message was left unread.
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    unread: VecDeque<Value>,
    folder: tempfile::TempDir,
    _home: tempfile::TempDir,
    id: i64,
}

impl Server {
    /// Starts `ctx` with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, "")
    }

    /// Starts `ctx` with these arguments and a settings file.
    pub fn start_with(arguments: &[&str], settings: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctx"));
        command.args(arguments);
        Self::run(command, settings)
    }

    /// Starts a command that in turn starts `ctx`, whose path is in `$CTX`.
    pub fn run(mut command: Command, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a project");
        std::fs::write(folder.path().join("context-engine.yaml"), settings).expect("settings");
        // A task is never given a folder that holds the home folder.
        let home = tempfile::tempdir().expect("a folder");
        let mut child = command
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("CTX", env!("CARGO_BIN_EXE_ctx"))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)).ok();
        });
        let input = child.stdin.take();
        Self { child, input, lines, unread: VecDeque::new(), folder, _home: home, id: 0 }
    }

    /// Starts `ctx serve` and completes the handshake of a version.
    pub fn mcp(version: &str) -> Self {
        let mut server = Self::start(&["serve"]);
        server.initialize(version, "test");
        server
    }

    /// Completes the handshake of MCP and returns the server's answer.
    pub fn initialize(&mut self, version: &str, client: &str) -> Value {
        let params = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": client, "version": "1" },
        });
        let answer = self.request("initialize", params);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer
    }

    /// The folder in which it runs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of its process.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a small number")
    }

    /// Writes bytes as they are. What a server that has left does not read is lost.
    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        if let Err(error) = input.write_all(bytes).and_then(|()| input.flush()) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
        }
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) {
        self.write(line.as_bytes());
        self.write(b"\n");
    }

    /// Writes a message.
    pub fn send(&mut self, message: &Value) {
        self.line(&message.to_string());
    }

    /// Sends a request and returns its answer.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        let id = json!(format!("request-{}", self.id));
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        self.answer(&id)
    }

    /// Calls a tool over MCP and returns its answer.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// Fails unless the server still does what it is asked.
    pub fn assert_alive(&mut self) {
        let answer = self.call("count_tokens", json!({ "text": "still here" }));
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }

    /// Returns the next message with this id, which comes before or after others.
    pub fn answer(&mut self, id: &Value) -> Value {
        self.find(
            |message| message.get("id") == Some(id) && message.get("method").is_none(),
            &format!("answer to {id}"),
        )
    }

    /// Returns the next notification of a method.
    pub fn notification(&mut self, method: &str) -> Value {
        self.find(|message| message["method"] == method, method)
    }

    /// Returns the next message.
    pub fn next(&mut self) -> Value {
        self.find(|_| true, "message")
    }

    fn find(&mut self, wanted: impl Fn(&Value) -> bool, what: &str) -> Value {
        if let Some(at) = self.unread.iter().position(&wanted) {
            return self.unread.remove(at).expect("it was found there");
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"));
                    if wanted(&message) {
                        return message;
                    }
                    self.unread.push_back(message);
                }
                Err(RecvTimeoutError::Timeout) => panic!("no {what}, but {:?}", self.unread),
                Err(RecvTimeoutError::Disconnected) => panic!("the output ended: no {what}, but {:?}", self.unread),
            }
        }
    }

    /// Ends its input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Waits until the output has ended, without ending the input.
    pub fn wait_for_end_of_output(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => self.unread.push_back(serde_json::from_str(&line).expect("JSON")),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => panic!("the output does not end"),
            }
        }
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status;
            }
            assert!(Instant::now() < until, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the input, waits for a clean exit and returns every message that was left.
    pub fn finish(mut self) -> Vec<Value> {
        self.close();
        self.wait_for_end_of_output();
        let status = self.wait();
        assert!(status.success(), "{status}");
        self.unread.drain(..).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let late: Vec<String> = self.lines.iter().collect();
            assert!(self.unread.is_empty() && late.is_empty(), "left unread: {:?} {late:?}", self.unread);
        }
    }
}

/// Runs `ctx` on a whole input and returns what it wrote, parsed, after a clean exit.
pub fn pipe(arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let mut server = Server::start(arguments);
    server.write(input);
    server.finish()
}
