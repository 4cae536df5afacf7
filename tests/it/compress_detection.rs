//! What a text is taken for, with which confidence; and texts that are broken, giant or nothing.

use std::time::{Duration, Instant};

use context_engine::compress::{COMPRESSORS, Kind, Request, detect, fit};
use context_engine::tokens::{Encoding, Measure};

use crate::compress_checks::{check, check_lossless};

const ENCODING: Encoding = Encoding::O200kBase;

fn log(lines: usize) -> String {
    (0..lines)
        .map(|n| {
            let level = if n % 37 == 20 { "ERROR" } else { "INFO" };
            format!(
                "2026-03-01T10:{:02}:{:02}Z {level} shop.orders request {} served in {} ms\n",
                n / 60 % 60,
                n % 60,
                n * 7,
                n * 3 % 90
            )
        })
        .collect()
}

fn json() -> String {
    let items: Vec<String> = (0..40).map(|n| format!("    {{\n      \"id\": {n},\n      \"name\": \"article {n}\",\n      \"tags\": [\n        \"a\",\n        \"b\"\n      ]\n    }}")).collect();
    format!("{{\n  \"order\": 77,\n  \"items\": [\n{}\n  ]\n}}\n", items.join(",\n"))
}

fn java_trace() -> String {
    let frames: String =
        (0..30).map(|n| format!("\tat org.apache.catalina.core.Filter{n}.doFilter(Filter{n}.java:{n})\n")).collect();
    format!(
        "java.lang.IllegalStateException: order 77 has no customer\n\tat com.acme.Orders.place(Orders.java:41)\n{frames}Caused by: java.lang.NullPointerException: customer\n\t... 12 more\n"
    )
}

const RUST: &str = "use std::fmt;\n\n/// Limits retries.\npub struct Limit {\n    retries: u32,\n}\n\nimpl Limit {\n    pub fn allows(&self, before: u32) -> bool {\n        before < self.retries\n    }\n}\n\nfn main() {\n    let limit = Limit { retries: 3 };\n    println!(\"{}\", limit.allows(2));\n}\n";

#[test]
fn mixed_texts_are_what_most_of_them_is() {
    let in_log = format!("{}{}{}", log(40), json(), log(40));
    let traces = format!("{}{}{}{}{}", log(12), java_trace(), log(12), java_trace(), log(12));
    let fenced = format!(
        "# How to limit\n\nFirst read the **code** below, then change it. It is short.\n\n```rust\n{RUST}```\n\n## Why\n\nBecause retries cost money. See [the page](https://example.org).\n\n```json\n{}```\n\n- one\n- two\n",
        json().lines().take(30).map(|line| format!("{line}\n")).collect::<String>()
    );
    let banner = format!("Welcome to the shop.\nAll rights reserved by nobody at all.\n\n{}", log(900));
    for (name, text, kind) in [
        ("a document, then a log", format!("{}{}", json(), log(60)), Kind::Log),
        ("a log, then a document", format!("{}{}", log(60), json()), Kind::Log),
        ("a document in a log", in_log, Kind::Log),
        ("traces in a log", traces, Kind::Log),
        ("a trace", java_trace(), Kind::Log),
        ("code in Markdown", fenced, Kind::Markdown),
        ("a banner over a log", banner, Kind::Log),
        ("a document", json(), Kind::Json),
        ("a large document", format!("[{}]", vec![json(); 30].join(",")), Kind::Json),
        ("code", RUST.to_owned(), Kind::Code),
        ("a broken document", json()[..json().len() / 2].to_owned(), Kind::Json),
    ] {
        let detected = detect(&text);
        assert_eq!(detected.kind, kind, "{name}: {detected:?}");
        assert!(detected.confidence >= 40, "{name}: {detected:?}");
        for budget in [30, 200] {
            assert_eq!(
                check(&text, None, Some("order 77"), budget, ENCODING).confidence,
                detected.confidence,
                "{name}"
            );
        }
    }
    let [pure, mixed] = [log(60), format!("{}{}", json(), log(60))].map(|text| detect(&text).confidence);
    assert!(pure > mixed, "{pure} and {mixed}");
}

#[test]
fn messages_that_hold_code_and_logs_are_messages() {
    let turns: Vec<String> = (0..60)
        .map(|n| {
            let output = [RUST.repeat(3), log(30), json()][n % 3].clone();
            let call = serde_json::json!({ "id": format!("call_{n}"), "type": "function",
                "function": { "name": "run", "arguments": "{\"command\": \"cat\"}" } });
            [
                serde_json::json!({ "role": "user", "content": format!("What about part {n} of it?") }),
                serde_json::json!({ "role": "assistant", "content": "I look.", "tool_calls": [call] }),
                serde_json::json!({ "role": "tool", "tool_call_id": format!("call_{n}"), "content": output }),
            ]
            .map(|turn| turn.to_string())
            .join(",\n")
        })
        .collect();
    for from in 0..3 {
        let text = format!("[{}]", turns[from..].join(",\n"));
        assert_eq!(detect(&text).kind, Kind::Dialog, "from turn {from}: {:?}", detect(&text));
    }
    // A file in one string, and nothing of the kind.
    let file = serde_json::json!({ "path": "src/limit.rs", "content": RUST.repeat(90) }).to_string();
    assert_eq!(detect(&file).kind, Kind::Json);
    assert_eq!(detect(RUST).kind, Kind::Code);
}

#[test]
fn talk_with_times_is_no_log_and_a_log_with_names_no_talk() {
    let people = ["Ann", "Bob Lee", "Zoë"];
    let said = [
        "Did you see why the build failed again last night?",
        "Yes. It was the cache, and I have emptied it.",
        "Then let us meet on Monday, I have a plan for that.",
    ];
    for stamp in ["[2026-03-04 10:0{n}:31]", "[10:0{n}]", "(10:0{n} AM)"] {
        let talk: String = (0..40)
            .map(|n| {
                format!("{} {}: {}\n", stamp.replace("{n}", &(n % 10).to_string()), people[n % 3], said[n * 7 % 3])
            })
            .collect();
        assert_eq!(detect(&talk).kind, Kind::Dialog, "{stamp}: {:?}", detect(&talk));
    }
    for reported in
        ["Server: Player12 joined after 3 ms", "production.ERROR: job 12 failed", "vite: page reload src/a.ts"]
    {
        let log: String = (0..40)
            .map(|n| format!("[2026-03-04 10:0{}:31] {}\n", n % 10, reported.replace("12", &n.to_string())))
            .chain((0..9).map(|n| format!("[2026-03-04 11:00:0{n}] Scheduler: tick {n} of 9\n")))
            .collect();
        assert_eq!(detect(&log).kind, Kind::Log, "{reported}");
    }
}

#[test]
fn an_error_in_a_mixed_text_is_kept() {
    let text = format!("{}{}", json(), log(60));
    let fitted = check(&text, None, None, 300, ENCODING);
    assert!(fitted.text.contains("ERROR shop.orders request"), "{}", fitted.text);
}

#[test]
fn a_kind_that_is_asked_for_is_used() {
    for kind in COMPRESSORS.iter().map(|compressor| compressor.kind()) {
        let fitted = check(&log(60), Some(kind), None, 120, ENCODING);
        assert_eq!((fitted.kind, fitted.confidence), (kind, 100));
    }
}

#[test]
fn broken_texts_are_fitted() {
    let mut binary: Vec<u8> = (0..6_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    binary.extend_from_slice(b"\n\0\0\0tail");
    let mixed =
        [b"caf\xe9 \xff\xfe\n".as_slice(), "日本語の行\n".as_bytes(), b"\x00\x01\x02\n", "ünï\u{feff}\n".as_bytes()]
            .concat()
            .repeat(60);
    let truncated = json()[..json().len() * 2 / 3].to_owned();
    let one_line =
        serde_json::to_string(&serde_json::from_str::<serde_json::Value>(&json()).expect("JSON")).expect("JSON");
    let texts = [
        ("truncated JSON", truncated),
        ("truncated JSON in one line", one_line[..one_line.len() - 7].to_owned()),
        ("a line of JSON that is broken", format!("{{\"a\":1}}\n{{\"a\":\n{}", "{\"a\":3}\n".repeat(300))),
        ("binary", String::from_utf8_lossy(&binary).into_owned()),
        ("encodings mixed", String::from_utf8_lossy(&mixed).into_owned()),
        ("nothing", String::new()),
        ("blanks", " \t ".repeat(2_000)),
        ("blank lines", "\n".repeat(4_000)),
        ("blanks and ends", " \r\n\t\r\n".repeat(900)),
        ("NUL", "\0".repeat(3_000)),
        ("NUL in lines", "a\0b\n".repeat(900)),
        ("quotes", "\"".repeat(3_000)),
        ("brackets", "[{(<".repeat(900)),
        ("tags", "<p <a href='".repeat(400)),
        ("fences", "```\n~~~\n".repeat(300)),
        ("commas", ",,,,\n".repeat(500)),
        ("a table whose quote is open", format!("a,b,c\n1,\"2,3\n{}", "4,5,6\n".repeat(500))),
        ("a trace that is broken off", python_head().repeat(60)),
    ];
    for (name, text) in &texts {
        let detected = detect(text);
        assert!(detected.confidence <= 100, "{name}");
        for kind in COMPRESSORS.iter().map(|compressor| Some(compressor.kind())).chain([None]) {
            for budget in [0, 1, 7, 60] {
                check(text, kind, Some("tail a"), budget, ENCODING);
            }
            check_lossless(text, kind);
        }
    }
}

fn python_head() -> &'static str {
    "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f\n    g(x\n"
}

/// Fits a text of several megabytes once; returns how long that took.
fn timed(text: &str, kind: Option<Kind>) -> Duration {
    let started = Instant::now();
    let request = Request { kind, ..Request::new(text, Some(2_000), Measure::exact(ENCODING)) };
    let fitted = fit(&request).expect("fits");
    assert!(fitted.tokens_after <= 2_000, "{kind:?}: {}", fitted.tokens_after);
    assert!(!fitted.cuts.is_empty() || text.trim().is_empty(), "{kind:?}");
    started.elapsed()
}

/// Far more than a debug build takes, and far less than anything quadratic would.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_line_of_five_megabytes_takes_no_longer_than_many() {
    let script: String =
        (0..90_000).map(|n| format!("var a{n}=function(b,c){{return b.x{n}?c[{n}]:\"s{n}\"}};")).collect();
    let words = "word and another one ".repeat(250_000);
    let object = format!(
        "{{\"data\":[{}]}}",
        (0..200_000).map(|n| format!("{{\"id\":{n},\"v\":[1,2]}}")).collect::<Vec<_>>().join(",")
    );
    let solid = "x".repeat(5_000_000);
    for (name, text, kind) in [
        ("script", &script, Some(Kind::Code)),
        ("script", &script, None),
        ("words", &words, None),
        ("object", &object, None),
        ("solid", &solid, None),
    ] {
        let took = timed(text, kind);
        assert!(took < LONG, "{name} as {kind:?}: {took:?}");
    }
}

#[test]
fn a_million_lines_are_fitted() {
    let text: String = (0..1_000_000).map(|n| format!("{n} a\n")).collect();
    let took = timed(&text, None);
    assert!(took < LONG, "{took:?}");
    let took = timed(&"\n".repeat(1_000_000), None);
    assert!(took < LONG, "{took:?}");
}

#[test]
fn looking_at_a_large_text_takes_as_long_as_at_a_small_one() {
    let text = log(150_000);
    assert!(text.len() > 10_000_000);
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(detect(&text).kind, Kind::Log);
    }
    let large = started.elapsed();
    assert!(large < Duration::from_secs(10), "{large:?}");
}
