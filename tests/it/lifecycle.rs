//! How servers begin, wait and leave.

#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "these tests start the program itself")]

use std::fs;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::server::Server;

/// Starts an agent that sleeps, and returns the arguments of a call that waits for it.
fn waiting(server: &mut Server) -> Value {
    waiting_by(server, |server, task| server.call("delegate_task", task))
}

/// The same, for a server that is asked in another way.
fn waiting_by(server: &mut Server, ask: impl FnOnce(&mut Server, Value) -> Value) -> Value {
    let folder = server.folder().join(".claude/agents");
    fs::create_dir_all(&folder).expect("a folder");
    let agent = "---\nname: sleeper\ndescription: Sleeps.\nrunner: command\ncommand: [sleep, \"600\"]\n---\nSleep.\n";
    fs::write(folder.join("sleeper.md"), agent).expect("an agent");
    let task = json!({ "agent": "sleeper", "task": "Sleep.", "wait_seconds": 0, "idempotency_key": "sleeper" });
    let answer = ask(server, task).to_string();
    let id = answer.find("run_0").and_then(|start| answer.get(start..start + 20)).expect("a run");
    json!({ "run_id": id, "wait_seconds": 45 })
}

/// A call that runs until it is cancelled.
fn endless(server: &mut Server, id: &Value, meta: &Value) {
    let arguments = waiting(server);
    let params = json!({ "name": "get_run", "arguments": arguments, "_meta": meta });
    server.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
}

fn cancel(server: &mut Server, id: &Value) {
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
}

#[test]
fn a_cancelled_call_is_not_answered() {
    let mut server = Server::mcp("2025-11-25");
    endless(&mut server, &json!(1), &json!({}));
    cancel(&mut server, &json!(1));
    server.assert_alive();
    assert!(server.finish().is_empty(), "nothing more is sent for the id");
}

#[test]
fn a_cancel_ends_every_call_of_its_id_and_no_other() {
    let mut server = Server::mcp("2025-11-25");
    endless(&mut server, &json!(1), &json!({}));
    endless(&mut server, &json!(1), &json!({}));
    endless(&mut server, &json!("1"), &json!({}));
    cancel(&mut server, &json!(1));
    server.close();
    let answer = server.answer(&json!("1"));
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(server.finish().is_empty());
}

#[test]
fn a_batch_does_not_wait_for_what_was_cancelled() {
    let mut server = Server::mcp("2025-03-26");
    let params = json!({ "name": "get_run", "arguments": waiting(&mut server) });
    server.send(&json!([
        { "jsonrpc": "2.0", "id": 1, "method": "ping" },
        { "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params },
    ]));
    server.assert_alive();
    cancel(&mut server, &json!(2));
    assert_eq!(server.next(), json!([{ "jsonrpc": "2.0", "id": 1, "result": {} }]));
}

#[test]
fn more_requests_than_can_run_are_refused_and_can_be_cancelled() {
    let mut server = Server::mcp("2025-11-25");
    let params = json!({ "name": "get_run", "arguments": waiting(&mut server) });
    for id in 0..257 {
        server.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
    }
    assert_eq!(server.answer(&json!(256))["error"]["code"], -32000);
    cancel(&mut server, &json!(0));
    server.request("ping", json!({}));
    for id in 1..256 {
        cancel(&mut server, &json!(id));
    }
    server.request("ping", json!({}));
}

#[test]
fn a_call_shows_that_it_is_alive() {
    let mut server = Server::mcp("2025-11-25");
    endless(&mut server, &json!(1), &json!({ "progressToken": "token" }));
    let beat = server.notification("notifications/progress");
    assert_eq!(beat["params"]["progressToken"], "token");
    let next = server.notification("notifications/progress");
    assert!(next["params"]["progress"].as_f64() > beat["params"]["progress"].as_f64(), "{beat} {next}");
    cancel(&mut server, &json!(1));
    server.assert_alive();
}

#[test]
fn the_end_of_input_cancels_what_runs() {
    let mut server = Server::mcp("2025-11-25");
    endless(&mut server, &json!(1), &json!({}));
    let left = server.finish();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["result"]["isError"], true, "{left:?}");
}

#[test]
fn signals_end_a_server_cleanly() {
    for front in ["serve", "rpc"] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            let mut server = Server::start(&[front]);
            // It has answered, so its handlers stand.
            server.request("ping", json!({}));
            kill(Pid::from_raw(server.pid()), signal).expect("it runs");
            server.wait_for_end_of_output();
            assert_eq!(server.wait().code(), Some(0), "{front} {signal}");
        }
    }
}

#[test]
fn a_signal_cancels_what_runs() {
    let mut server = Server::start(&["rpc"]);
    let params = waiting_by(&mut server, |server, task| server.request("delegate_task", task));
    server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "get_run", "params": params }));
    server.request("ping", json!({}));
    kill(Pid::from_raw(server.pid()), Signal::SIGTERM).expect("it runs");
    let answer = server.answer(&json!(1));
    assert_eq!(answer["error"]["data"]["kind"], "cancelled", "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_server_leaves_when_its_parent_dies() {
    for front in ["serve", "rpc"] {
        let mut shell = Command::new("/bin/sh");
        // The server's input stays open: this test holds it, as a sibling of a dead client might.
        shell.args(["-c", &format!("exec 3<&0; \"$CTX\" {front} <&3 & wait")]);
        let mut server = Server::run(shell, "");
        server.request("ping", json!({}));
        kill(Pid::from_raw(server.pid()), Signal::SIGKILL).expect("the shell runs");
        server.wait_for_end_of_output();
    }
}

#[test]
fn a_server_leaves_when_nobody_reads() {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "\"$CTX\" serve | head -n 1"]);
    let mut server = Server::run(shell, "");
    server.request("ping", json!({}));
    server.send(&json!({ "jsonrpc": "2.0", "id": 2, "method": "ping" }));
    server.wait_for_end_of_output();
    assert!(server.wait().success());
}

#[test]
fn only_the_protocol_has_standard_output() {
    let mut server = Server::mcp("2025-11-25");
    let link = |number: u32| fs::read_link(format!("/proc/{}/fd/{number}", server.pid())).expect("a descriptor");
    assert_eq!(link(1), link(2), "what anything else prints goes to standard error");
    assert_eq!(link(0), std::path::Path::new("/dev/null"));
    for entry in fs::read_dir(format!("/proc/{}/fdinfo", server.pid())).expect("descriptors") {
        let entry = entry.expect("an entry");
        let number: u32 = entry.file_name().to_string_lossy().parse().expect("a number");
        let info = fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim).unwrap_or_default();
        let closes = u32::from_str_radix(flags, 8).expect("octal") & 0o2_000_000 != 0;
        // What this test has itself, it got from whoever started it, and so did the server.
        let ours = fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|ours| ours == link(number));
        assert!(number <= 2 || closes || ours, "descriptor {number} is inherited by children");
    }
    server.assert_alive();
}
