//! `ctx run`: real commands in the sandbox, their codes, and what is printed of their output.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::Place;
use crate::support::eventually;

/// A script that prints many lines to both streams, the telling one last, and ends with 3.
const LONG: &str = "i=0; while [ $i -lt 900 ]; do echo \"line $i of the output\"; echo \"note $i\" >&2; \
                    i=$((i+1)); done; echo 'error: the last word'; exit 3";

fn long_output() -> String {
    let lines: String = (0..900).map(|number| format!("line {number} of the output\nnote {number}\n")).collect();
    lines + "error: the last word\n"
}

fn tokens(text: &str) -> usize {
    context_engine::tokens::Encoding::default().count(text)
}

/// The handle that a text names.
fn handle(text: &str) -> String {
    let at = text.find("ctx:").unwrap_or_else(|| panic!("no handle in {text}"));
    text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect()
}

#[test]
fn what_fits_is_printed_as_it_was_written() {
    let place = Place::new();
    let ran = place.ctx(&["run", "--", "sh", "-c", "echo out; echo err >&2; printf end; exit 7"]);
    assert_eq!(ran.exits(7), "out\nerr\nend");
    assert_eq!(ran.stderr, "");
    assert!(!place.project().join(".claude/data").exists(), "what fits is not kept");
    let output = place.command(&["run", "--", "printf", "\\377\\001x"]).output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"\xff\x01x"[..]));
    assert_eq!(place.ctx_with("piped in\n", &["run", "--", "cat"]).exits(0), "piped in\n");
    assert_eq!(place.ctx(&["run", "echo", "--json", "-n"]).exits(0), "--json -n\n");
}

#[test]
fn what_does_not_fit_is_cut_to_its_budget_and_kept_whole() {
    let place = Place::new();
    let ran = place.ctx(&["run", "--max-tokens", "200", "--query", "last word", "--", "sh", "-c", LONG]);
    let printed = ran.exits(3);
    assert!(tokens(printed) <= 200 && printed.contains("error: the last word"), "{ran:?}");
    let handle = handle(printed);
    assert!(ran.stderr.contains(&format!("-> {} tokens", tokens(printed))), "{ran:?}");
    assert!(ran.stderr.contains(&format!("ctx retrieve {handle}")), "{ran:?}");
    assert_eq!(place.ctx(&["retrieve", &handle]).exits(0), long_output());

    let again = place.ctx(&["run", "--max-tokens", "200", "--query", "last word", "--json", "--", "sh", "-c", LONG]);
    let shown = again.json();
    again.exits(3);
    assert_eq!(shown["text"], printed, "the same output gives the same bytes");
    assert_eq!((&shown["exit_code"], &shown["ended"], &shown["handle"]), (&3.into(), &"exited".into(), &handle.into()));
    assert_eq!(shown["tokens_before"], tokens(&long_output()));
    assert_eq!(shown["tokens_after"], tokens(printed));
    assert!(shown["cuts"].as_array().is_some_and(|cuts| !cuts.is_empty()) && shown["sandbox"]["strength"].is_string());
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let place = Place::new();
    place.file("text", "no program");
    for (arguments, code, said) in [
        (&["--timeout", "1", "--", "sh", "-c", "echo begun; sleep 60"][..], 124, "time limit"),
        (&["--", "sh", "-c", "echo begun; kill -9 $$"], 137, "signal 9"),
        (&["--", "sh", "-c", "echo begun; kill -15 $$"], 143, "signal 15"),
    ] {
        let ran = place.ctx(&[&["run"], arguments].concat());
        assert_eq!(ran.exits(code), "begun\n", "{arguments:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
    for (arguments, code) in [
        (&["--", "nosuch"][..], 127),
        (&["--", "./text"], 126),
        (&["--model", "no-such-model", "--", "true"], 125),
        (&["--policy", "readonly", "--", "sh", "-c", "echo x > text"], 2),
    ] {
        let ran = place.ctx(&[&["run"], arguments].concat());
        assert!(ran.code == Some(code) && !(ran.stderr.is_empty() && ran.stdout.is_empty()), "{arguments:?} {ran:?}");
    }
    assert_eq!(std::fs::read_to_string(place.project().join("text")).expect("it is there"), "no program");
}

/// Starts a command that says that it has begun, and waits for that.
fn started(place: &Place, script: &str) -> Child {
    let child = place.command(&["run", "--", "sh", "-c", script]).stdin(Stdio::null()).spawn().expect("it starts");
    let mark = place.project().join("begun");
    eventually("the command has begun", || mark.exists());
    child
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a process id")), signal).expect("it is there");
}

#[test]
fn a_signal_ends_the_command_and_what_it_said_is_printed() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let place = Place::new();
        let child = started(&place, "echo said; touch begun; sleep 61; touch ended");
        send(&child, signal);
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(code), &b"said\n"[..]), "{signal}");
        assert!(!place.project().join("ended").exists());
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_command() {
    let place = Place::new();
    let mut child = started(&place, "trap '' INT TERM; touch begun; while :; do sleep 1; touch alive; done");
    send(&child, Signal::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    send(&child, Signal::SIGINT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let alive = place.project().join("alive");
    eventually("the command is gone as well", || {
        let _ = std::fs::remove_file(&alive);
        std::thread::sleep(std::time::Duration::from_millis(1500));
        !alive.exists()
    });
}

#[test]
fn a_reader_that_goes_away_does_not_change_the_code() {
    let place = Place::new();
    let script = format!("i=0; while [ $i -lt 200000 ]; do echo \"{}\"; i=$((i+1)); done; exit 5", "x".repeat(40));
    let mut child =
        place.command(&["run", "--max-tokens", "100000000", "--", "sh", "-c", &script]).spawn().expect("it starts");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("read");
    assert_eq!((child.wait().expect("it ends").code(), first.trim().len(), said.as_str()), (Some(5), 40, ""));
}

#[test]
fn a_store_that_fails_does_not_take_the_output_with_it() {
    let place = Place::new();
    place.file("blocked", "a file where a folder should be");
    let path = format!("memory.path={}", place.project().join("blocked/memory.db").display());
    let ran = place.ctx(&["run", "--set", &path, "--max-tokens", "100", "--", "sh", "-c", LONG]);
    let printed = ran.exits(3);
    assert!(tokens(printed) <= 100 && printed.contains("line 1 of") && !printed.contains("ctx:"), "{ran:?}");
    assert!(ran.stderr.contains("could not be kept") && ran.stderr.contains("blocked"), "{ran:?}");
}
