//! Texts that no kind is made for, taken for each kind: none takes long, none goes over its budget, and
//! none ends the program, asked as a library, on the command line or over MCP.
//!
//! A debug build asks with small texts; `cargo test --release --test it compress_hostile` with five megabytes.

use std::time::{Duration, Instant};

use context_engine::compress::{COMPRESSORS, Kind, Request, fit};
use context_engine::tokens::{Encoding, Measure};
use serde_json::json;

use crate::server::Server;

const SIZE: usize = if cfg!(debug_assertions) { 40_000 } else { 5_000_000 };

/// Something quadratic takes minutes for such a text.
const LONG: Duration = Duration::from_secs(20);

/// What is repeated, after a beginning that is there once.
const PATTERNS: &[(&str, &str)] = &[
    ("", "x"),
    ("", "\0"),
    ("", "\n"),
    ("", "\""),
    ("", "`"),
    ("", "}"),
    ("", ",,,,"),
    ("", "a\tb\n"),
    ("", "# a\n"),
    ("", "*_["),
    ("", "\u{fffd}\u{feff}"),
    ("", "\u{1b}[31ma\u{1b}"),
    ("", "fn f() {"),
    ("", "```\n~~~\n"),
    ("", "a.rs:1:x "),
    ("", "{\"id\":17,\"v\":[1,2,{\"a\":\"b\"}]},"),
    ("[", "{\"id\":17,\"v\":[1,2,{\"a\":\"b\"}]},"),
    ("", "<p <a href='"),
    ("<html><!--", "a -- b "),
    ("<html><body>", "<table><tr><td>a"),
    ("a,b,c\n1,\"2,3\n", "4,5,6\n"),
    ("", "@@ -1 +1 @@\n-a\n+b\n"),
    ("", "  at a.b(C.java:1)\n"),
    ("", "--- FAIL: a (0.0s)\n    a_test.go:1: x\n"),
    ("", "---- a stdout ----\n"),
    ("", "<testcase name=\"a\"><failure message=\"x\">y</failure></testcase>"),
    ("", "Ann: hello there\nBob: and you?\n"),
];

fn kinds() -> impl Iterator<Item = Option<Kind>> {
    COMPRESSORS.iter().map(|compressor| Some(compressor.kind())).chain([None])
}

#[test]
fn no_pattern_takes_long_as_any_kind() {
    for (begin, pattern) in PATTERNS {
        let text = format!("{begin}{}", pattern.repeat(SIZE / pattern.len()));
        for kind in kinds() {
            fits_soon(&text, kind, None, pattern);
        }
    }
}

#[test]
fn no_pattern_takes_long_with_a_query() {
    for (begin, pattern) in PATTERNS {
        let text = format!("{begin}{}", pattern.repeat(SIZE / pattern.len()));
        fits_soon(&text, None, Some("a b17"), pattern);
    }
}

#[test]
fn one_string_and_one_name_of_json_cost_what_their_length_does() {
    let leaves: String = (0..SIZE / 50).map(|number| format!("\"k{number}\":\"b{number}\",")).collect();
    let name = "name ".repeat(SIZE / 5);
    for text in [
        format!("{{\"a\":\"{}\"}}", "a word or two; ".repeat(SIZE / 15)),
        format!("{{\"{name}\":{{{}}}}}", leaves.trim_end_matches(',')),
    ] {
        for query in [None, Some("a b17")] {
            fits_soon(&text, None, query, "JSON");
        }
    }
}

/// Checks that a text is fitted to 500 tokens in fair time, whatever it is taken for.
fn fits_soon(text: &str, kind: Option<Kind>, query: Option<&str>, what: &str) {
    let started = Instant::now();
    let encoding = Encoding::O200kBase;
    let request = Request { kind, query, ..Request::new(text, Some(500), Measure::exact(encoding)) };
    let fitted = fit(&request).expect("truncating always fits");
    let took = started.elapsed();
    assert_eq!(fitted.tokens_after, encoding.count(&fitted.text), "{what:?} as {kind:?}");
    assert!(fitted.tokens_after <= 500, "{what:?} as {kind:?}: {} tokens", fitted.tokens_after);
    assert!(took < LONG, "{what:?} as {kind:?} took {took:?}");
}

#[test]
fn files_in_no_or_another_encoding_are_answered() {
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let files: [(&str, Vec<u8>); 5] = [
        ("utf16.csv", utf16(&format!("\u{feff}id,name\r\n{}", "1,Zoë\r\n".repeat(400)))),
        ("latin1.txt", b"caf\xe9 \xfcber\n".repeat(400)),
        ("binary.bin", (0..6_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("cut.json", format!("{{\"a\": [{}", "{\"b\": \"c\"}, ".repeat(300)).into_bytes()),
        ("cut.xml", format!("<testsuites><testsuite>{}<testc", "<testcase name=\"a\"/>".repeat(200)).into_bytes()),
    ];
    let mut server = Server::mcp("2025-11-25");
    for (name, bytes) in &files {
        std::fs::write(server.folder().join(name), bytes).expect("written");
        for kind in kinds() {
            let mut arguments = json!({ "path": name, "max_tokens": 120 });
            if let Some(kind) = kind {
                arguments["kind"] = json!(kind.word());
            }
            let answer = server.call("context_compress", arguments);
            let result = &answer["result"];
            // A file that is not text may be refused, with words.
            if result["isError"] == true {
                assert!(
                    !result["content"][0]["text"].as_str().unwrap_or("").is_empty(),
                    "{name} as {kind:?}: {answer}"
                );
                continue;
            }
            let tokens = result["structuredContent"]["tokens_after"].as_u64().expect("a count");
            assert!(tokens <= 120, "{name} as {kind:?}: {answer}");
        }
        server.assert_alive();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts the program itself")]
fn the_command_line_answers_for_bytes_of_any_sort() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().expect("a folder");
    for kind in kinds().flatten() {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ctx"))
            .args(["compress", "--json", "--max-tokens", "60", "--kind", kind.word()])
            .current_dir(folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let bytes = b"\xff\xfea\0b\0 caf\xe9 {\"a\": [<p>\n".repeat(60);
        child.stdin.take().expect("piped").write_all(&bytes).expect("read");
        let output = child.wait_with_output().expect("ended");
        assert!(output.status.success(), "{kind:?}: {}", output.status);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(answer["tokens_after"].as_u64().expect("a count") <= 60, "{kind:?}: {answer}");
    }
}
