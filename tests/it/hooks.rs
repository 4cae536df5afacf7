//! The hooks that the documentation offers, run as Claude Code runs them.
#![expect(clippy::disallowed_methods, reason = "these tests start the scripts themselves")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cli::Place;

/// Runs a script of `docs/hooks` on this input; `None`: it has nothing to say.
fn hook(place: &Place, name: &str, input: &Value) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hooks").join(name);
    let programs = Path::new(env!("CARGO_BIN_EXE_ctx")).parent().expect("a folder").display();
    let mut child = Command::new("sh")
        .arg(script)
        .current_dir(place.project())
        .env_clear()
        .envs([
            ("HOME", place.project().display().to_string()),
            ("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    child.stdin.take().expect("a pipe").write_all(input.to_string().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "a hook that fails must not stop the assistant");
    (!output.stdout.is_empty()).then(|| serde_json::from_slice(&output.stdout).expect("JSON"))
}

fn has_jq() -> bool {
    let there = Command::new("jq").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(there || std::env::var_os("CI").is_none(), "jq is not installed");
    there
}

#[test]
fn a_long_output_is_replaced_and_a_short_one_is_not() {
    if !has_jq() {
        eprintln!("NOT TESTED: jq is not installed");
        return;
    }
    let place = Place::new();
    let response = |stdout: &str| json!({ "tool_response": { "stdout": stdout, "stderr": "", "interrupted": false } });
    assert_eq!(hook(&place, "fit-output.sh", &response("short")), None);
    let long: String = (0..4000).map(|number| format!("line {number}\n")).collect();
    let said = hook(&place, "fit-output.sh", &response(&long)).expect("a replacement");
    let output = &said["hookSpecificOutput"]["updatedToolOutput"];
    let text = output["stdout"].as_str().expect("a text");
    assert!(text.len() < 10_000 && text.contains("ctx:") && output["interrupted"] == false, "{said}");

    place.file("whole.txt", &long);
    let path = place.project().join("whole.txt");
    let mut moved = response("line 0\nline 1\n");
    moved["tool_response"]["persistedOutputPath"] = json!(path);
    let said = hook(&place, "fit-output.sh", &moved).expect("a replacement");
    let output = &said["hookSpecificOutput"]["updatedToolOutput"];
    assert!(output["stdout"].as_str().is_some_and(|text| text.contains("-4000 cut")), "{said}");
    assert!(output.get("persistedOutputPath").is_none());
}

#[test]
fn only_plain_tests_and_builds_run_through_us() {
    if !has_jq() {
        eprintln!("NOT TESTED: jq is not installed");
        return;
    }
    let place = Place::new();
    let input = |command: &str| json!({ "tool_input": { "command": command, "description": "d" } });
    let said = hook(&place, "fit-tests.sh", &input("cargo test --test it name")).expect("a rewrite");
    let rewritten = &said["hookSpecificOutput"]["updatedInput"];
    assert!(rewritten["command"].as_str().is_some_and(|command| command.ends_with(" -- cargo test --test it name")));
    assert_eq!(rewritten["description"], "d");
    for command in [
        "ls",
        "cargo testing",
        "make; rm -rf x",
        "make && x",
        "make $(x)",
        "pytest 'a'",
        "make | x",
        "make\nrm -rf x",
        "make > x",
        "x make",
    ] {
        assert_eq!(hook(&place, "fit-tests.sh", &input(command)), None, "{command:?}");
    }
}
