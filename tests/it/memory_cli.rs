//! `ctx memory list|show|edit|stats|export|import` and `ctx remember --from-…`, with the real binary.
#![expect(clippy::disallowed_methods, reason = "these tests start the program itself, and git")]

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::cli::Place;

fn remember(place: &Place, text: &str, more: &[&str]) -> String {
    let ran = place.ctx(&[&["remember", text, "--json"], more].concat());
    ran.exits(0);
    ran.json()["stored"][0]["id"].as_str().expect("an id").to_owned()
}

#[test]
fn what_is_remembered_is_listed_shown_and_added_up() {
    let place = Place::new();
    assert_eq!(place.ctx(&["memory", "list"]).exits(0), "");
    assert!(!place.project().join(".claude/data").exists(), "a question makes no store");
    let old = remember(&place, "The API answers in XML", &["--kind", "fact", "--tags", "api", "--source", "spec.md:3"]);
    remember(&place, "Prefers tabs", &["--scope", "user", "--kind", "preference", "--occurred-at", "2020-01-01"]);
    remember(&place, "Only here", &["--scope", "session", "--session-id", "s1", "--actor", "Ann"]);
    let edited = place.ctx(&["memory", "edit", &old, "--text", "The API answers in JSON", "--json"]);
    edited.exits(0);
    let new = edited.json()["id"].as_str().expect("an id").to_owned();

    let listed = place.ctx(&["memory", "list"]);
    let lines: Vec<&str> = listed.exits(0).lines().collect();
    assert_eq!(lines.len(), 3, "{listed:?}");
    assert!(lines[2].contains("user") && lines[2].ends_with("Prefers tabs"), "the oldest is last: {lines:?}");
    let count = |more: &[&str]| {
        let ran = place.ctx(&[&["memory", "list", "--json"], more].concat());
        ran.exits(0);
        (ran.json()["memories"].as_array().map_or(0, Vec::len), ran.json()["more"] == true)
    };
    assert_eq!(count(&["--all"]), (4, false));
    assert_eq!(count(&["--kind", "fact,preference"]), (2, false));
    assert_eq!(count(&["--scope", "user"]), (1, false));
    assert_eq!(count(&["--tag", "api", "--all"]), (2, false));
    assert_eq!(count(&["--session", "s1", "--actor", "ann"]), (1, false));
    assert_eq!(count(&["--since", "1d"]), (2, false));
    assert_eq!(count(&["--until", "2021-01-01"]), (1, false));
    assert_eq!(count(&["--limit", "2"]), (2, true));
    assert_eq!(count(&["--limit", "2", "--offset", "2"]), (1, false));
    assert!(place.ctx(&["memory", "list", "--since", "soon"]).stderr.contains("--since is \"soon\""));

    let shown = place.ctx(&["memory", "show", &old]);
    let text = shown.exits(0);
    for part in ["spec.md:3", "The API answers in XML", "2 versions", &new, "valid      from"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = place.ctx(&["memory", "show", &new[new.len() - 6..], "--json"]).json();
    assert_eq!(
        (&shown["text"], &shown["supersedes"]),
        (&Value::from("The API answers in JSON"), &Value::from(old.as_str()))
    );
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(2));
    assert_ne!(place.ctx(&["memory", "show", "mem_0000000000000000"]).code, Some(0));

    let stats = place.ctx(&["memory", "stats", "--json"]).json();
    assert_eq!((&stats["current"], &stats["history"]), (&Value::from(3), &Value::from(1)));
    assert_eq!((&stats["scopes"]["user"], &stats["kinds"]["fact"]), (&Value::from(1), &Value::from(1)));
    assert_eq!((&stats["sessions"]["s1"], &stats["embeddings"]), (&Value::from(1), &Value::from(4)));
    assert!(place.ctx(&["memory", "stats"]).exits(0).contains("3 current, 1 superseded"));
}

#[test]
fn a_memory_is_edited_in_the_editor_and_only_when_something_changed() {
    let place = Place::new();
    let id = remember(&place, "The gate is open", &[]);
    assert!(place.ctx(&["memory", "edit", &id]).stderr.contains("$EDITOR"));
    place.file("editor", "#!/bin/sh\nsed -i \"s/open/$1/\" \"$2\"\n");
    let editor = place.project().join("editor");
    fs::set_permissions(&editor, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    let with_editor = |word: &str, id: &str| {
        let mut command = place.command(&["memory", "edit", id]);
        let output = command.env("EDITOR", format!("{} {word}", editor.display())).output().expect("ctx starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, said) = with_editor("open", &id);
    assert!(code != Some(0) && said.contains("nothing was changed"), "{said}");
    let (code, said) = with_editor("closed", &id);
    assert!(code == Some(0) && said.contains(&format!("supersedes {id}")), "{said}");
    assert!(place.ctx(&["memory", "list"]).exits(0).ends_with("The gate is closed\n"));
    assert_ne!(with_editor("x", &id).0, Some(0), "what was superseded cannot be edited");
}

#[test]
fn memories_go_from_one_project_to_another() {
    let (from, into) = (Place::new(), Place::new());
    let id = remember(&from, "Line one\n---\nid: x", &["--tags", "a", "--metadata", "{\"n\": 1}"]);
    remember(&from, "Mine", &["--scope", "user"]);
    from.ctx(&["memory", "edit", &id, "--text", "Another"]).exits(0);
    let lines = from.ctx(&["memory", "export"]);
    assert_eq!(lines.exits(0).lines().count(), 3);
    from.ctx(&["memory", "export", "out.jsonl"]).exits(0);
    let file = from.project().join("out.jsonl");
    assert_eq!(fs::read_to_string(&file).expect("a file"), lines.stdout);
    let path = file.to_str().expect("UTF-8");
    let tried = into.ctx(&["memory", "import", path, "--dry-run", "--json"]).json();
    assert_eq!((&tried["stored"], &tried["format"]), (&Value::from(3), &Value::from("jsonl")));
    assert_eq!(into.ctx(&["memory", "list"]).exits(0), "", "a dry run stores nothing");
    into.ctx(&["memory", "import", path]).exits(0);
    assert_eq!(into.ctx(&["memory", "export"]).stdout, lines.stdout);
    assert_eq!(into.ctx(&["memory", "import", path, "--json"]).json()["known"], 3);

    let folder = from.project().join("notes");
    let folder = folder.to_str().expect("UTF-8");
    from.ctx(&["memory", "export", "--format", "markdown", folder]).exits(0);
    let third = Place::new();
    third.ctx(&["memory", "import", folder]).exits(0);
    assert_eq!(third.ctx(&["memory", "export"]).stdout, lines.stdout);
    from.ctx(&["memory", "forget", &id]).exits(0);
    let again = from.ctx(&["memory", "export", folder, "--json"]).json();
    assert_eq!(again["stale"].as_array().map(Vec::len), Some(1), "{again}");

    // What is broken is told, and the rest is kept.
    let text = format!("{{nonsense\n{}", lines.stdout);
    let fourth = Place::new();
    let ran = fourth.ctx_with(&text, &["memory", "import", "-", "--from", "jsonl"]);
    assert!(ran.exits(1).contains("stored 3") && ran.stderr.contains("stdin:1: "), "{ran:?}");
    assert!(fourth.ctx_with("what?", &["memory", "import", "-"]).stderr.contains("--from"));
    fourth.file("CLAUDE.md", "# Notes\n\n- Always run the tests\n");
    assert!(fourth.ctx(&["memory", "import", "CLAUDE.md"]).exits(0).contains("stored 1"));
}

#[test]
fn decisions_are_read_from_commits_once_and_without_secrets() {
    let place = Place::new();
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(place.project())
            .env("GIT_AUTHOR_DATE", "2026-02-03T10:00:00+01:00")
            .output()
            .expect("git starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let ran = |more: &[&str]| place.ctx(&[&["remember", "--from-git", "--json"], more].concat());
    git(&["init", "-q"]);
    assert_eq!(ran(&[]).json()["stored"], 0, "no commits yet");
    let commit = |message: &str| git(&["commit", "-q", "--allow-empty", "-m", message]);
    commit(
        "store: use a write-ahead log\n\nReaders blocked the writer for seconds once the file had grown.\n\nCc: Bo <bo@example.org>",
    );
    commit("fix typo");
    git(&["tag", "v1"]);
    commit("Use TLS everywhere because DB_PASSWORD=correct-horse was seen on the wire");
    commit("v1.2.0");
    let tried = ran(&["--dry-run"]).json();
    assert_eq!((&tried["stored"], &tried["skipped"]["without a reason"]), (&Value::from(2), &Value::from(1)));
    assert_eq!(ran(&["--since", "v1"]).json()["stored"], 1);
    let all = ran(&[]).json();
    assert_eq!((&all["stored"], &all["known"]), (&Value::from(1), &Value::from(1)), "{all}");
    assert_eq!(ran(&["--max", "1"]).json()["known"], 0);
    assert!(ran(&["--since", "nowhere"]).stderr.contains("neither a commit nor a date"));
    assert_eq!(ran(&["--since", "2027-01-01"]).json()["known"], 0);

    let listed = place.ctx(&["memory", "list", "--kind", "decision", "--json"]).json();
    let memories = listed["memories"].as_array().expect("a list");
    let of = |part: &str| memories.iter().find(|one| one["text"].as_str().is_some_and(|text| text.contains(part)));
    let log = of("write-ahead").expect("a decision");
    assert_eq!(
        log["text"],
        "store: use a write-ahead log\n\nReaders blocked the writer for seconds once the file had grown."
    );
    assert_eq!((&log["actor"], &log["session_id"]), (&Value::from("Ann"), &Value::from("git 2026-02")));
    assert_eq!(log["occurred_at"], "2026-02-03T09:00:00Z");
    assert!(log["source"].as_str().is_some_and(|source| source.len() == 47 && source.starts_with("commit:")), "{log}");
    assert!(of("[redacted:password]").is_some() && of("correct-horse").is_none(), "{listed}");
}

#[test]
fn the_turns_of_a_transcript_are_remembered() {
    let place = Place::new();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/memory/claude-code.jsonl");
    let ran = place.ctx(&["remember", "--from-transcript", sample, "--tags", "old,session"]);
    assert!(ran.exits(1).contains("stored 4") && ran.stderr.contains("claude-code.jsonl:9"), "{ran:?}");
    place.file("chat.txt", "Ann: Ship it on Friday?\nBo: No, on Monday.\n");
    place.ctx(&["remember", "--from-transcript", "chat.txt", "--session-id", "planning"]).exits(0);
    let listed = place.ctx(&["memory", "list", "--session", "planning", "--json"]).json();
    assert_eq!(listed["memories"].as_array().map(Vec::len), Some(2));
    assert!(place.ctx(&["remember", "--from-transcript", "missing"]).stderr.contains("missing"));
    for arguments in [&["--max", "3"][..], &["--since", "v1"], &["--dry-run"]] {
        let ran = place.ctx(&[&["remember", "text"], arguments].concat());
        assert!(ran.code != Some(0) && ran.stderr.contains("--from-git"), "{ran:?}");
    }
    // The command still does what it did.
    assert!(place.ctx(&["remember", "plain"]).exits(0).contains("mem_"));
}
