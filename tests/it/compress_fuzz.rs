//! Seeded fuzz over every kind: realistic texts, broken in many ways, keep every promise.

use std::fs;
use std::path::Path;

use context_engine::compress::COMPRESSORS;

use crate::compress_checks::check_bytes;
use crate::texts::Random;

const SIGNS: &[&str] = &[
    "\n",
    "\r\n",
    "\t",
    " ",
    "\0",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    "</",
    "<!--",
    "-->",
    "&",
    "&#",
    ";",
    ",",
    ",\"",
    "|",
    "```",
    "~~~",
    "#",
    "# ",
    "- ",
    "…",
    "…12 ",
    "[same as lines 1-3, x…]",
    " [x9]",
    "[lines 1-2 cut, 3 tokens, ctx:00000000]",
    "  at a.b(C.java:1)\n",
    "Caused by: ",
    "Traceback (most recent call last):\n",
    "  File \"/a.py\", line 1, in f\n",
    "goroutine 1 [running]:\n",
    "@@ -1 +1 @@\n",
    "diff --git a/x b/x\n",
    "test a ... FAILED\n",
    "ERROR ",
    "2026-03-01T10:00:00Z ",
    "Ann: ",
    "fn f() {",
    "def f():\n",
    "日本",
    "é",
    "👨‍👩‍👧",
    "\u{1b}[31m",
    "\u{feff}",
    "\u{fffd}",
    "0",
    "1e999",
    "null",
    "a/b.rs:1:x\n",
    "{\"role\":\"user\",\"content\":\"x\"}",
    "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":\"",
    "{\"a\":1}\n",
    "<table><tr><td>",
    "<script>",
    "<pre>",
    "<a href=x>",
];

/// Realistic beginnings: the fixtures of every kind, and messages and a trace.
fn seeds() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compress");
    let mut seeds: Vec<String> = walkdir::WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .map(|entry| entry.expect("fixtures can be read"))
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| fs::read_to_string(entry.path()).expect("a fixture"))
        .collect();
    let said = "what was said, and more of it. ".repeat(12);
    seeds.push(format!(
        r#"{{"system":"{said}","messages":[{{"role":"user","content":"{said}"}},{{"role":"assistant","content":[{{"type":"text","text":"x"}},{{"type":"tool_use","id":"t1","name":"n","input":{{"a":"{said}"}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t1","content":"{said}\n{said}"}}]}},{{"role":"assistant","content":"{said}"}},{{"role":"user","content":"and?"}}]}}"#
    ));
    seeds.push("Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in f\n    g(x)\nKeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\n".repeat(4));
    seeds.push("java.lang.IllegalStateException: no order\n\tat com.acme.A.b(A.java:1)\n\tat java.base/java.lang.Thread.run(Thread.java:1)\nCaused by: java.lang.Error: x\n\t... 3 more\n".repeat(3));
    seeds
}

fn mutated(seeds: &[String], random: &mut Random) -> String {
    let seed = &seeds[random.below(seeds.len())];
    let boundary = |text: &str, at: usize| text.floor_char_boundary(at);
    let from = boundary(seed, random.below(seed.len()));
    let mut text = match random.below(4) {
        0 => seed[from..boundary(seed, (from + 1_500).min(seed.len()))].to_owned(),
        _ => seed[..boundary(seed, seed.len().min(1_500))].to_owned(),
    };
    for _ in 0..random.below(7) {
        let at = boundary(&text, random.below(text.len() + 1));
        let end = boundary(&text, (at + random.below(60)).min(text.len()));
        match random.below(6) {
            0 => text.truncate(at),
            1 => text.replace_range(at..end, ""),
            2 => text.insert_str(at, &random.text()),
            3 => {
                let part = text[at..end].repeat(1 + random.below(9));
                text.insert_str(at, &part);
            }
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let start = boundary(other, random.below(other.len()));
                text.insert_str(at, &other[start..boundary(other, (start + 300).min(other.len()))]);
            }
            _ => text.insert_str(at, SIGNS[random.below(SIGNS.len())]),
        }
    }
    text
}

#[test]
fn every_kind_keeps_its_promises_on_broken_texts() {
    let seeds = seeds();
    let kinds: Vec<_> = COMPRESSORS.iter().map(|compressor| Some(compressor.kind())).chain([None]).collect();
    let mut random = Random::new(20_260_301);
    for case in 0..60 {
        let text = mutated(&seeds, &mut random);
        for kind in &kinds {
            // A kind that is not asked for is chosen by the first byte, or detected.
            let mut bytes = vec![random.below(256) as u8, random.below(256) as u8, random.below(2) as u8];
            bytes.extend_from_slice(text.as_bytes());
            let result = std::panic::catch_unwind(|| check_bytes(&bytes, *kind));
            assert!(result.is_ok(), "case {case}, {kind:?}, first bytes {:?}:\n{text}", &bytes[..3]);
        }
    }
}
