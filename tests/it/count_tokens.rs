//! `ctx tokens` and `count_tokens` on real files: what is counted, in which order, and what is said
//! about the rest.

use std::fs;

use context_engine::tokens::{Encoding, TextKind, for_model};
use context_engine::tools::ErrorKind;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::server::Server;
use crate::support::{Project, run};

/// The paths of the items, in their order.
fn paths(counted: &Value) -> Vec<&str> {
    let items = counted["items"].as_array().expect("a list");
    items.iter().map(|item| item["path"].as_str().expect("a path")).collect()
}

/// A text of as many tokens.
fn words(count: usize) -> String {
    " word".repeat(count)
}

#[test]
fn a_folder_is_counted_without_what_is_ignored_hidden_or_binary() {
    let place = Place::new();
    place.file(".gitignore", "target/\n*.tmp\n");
    place.file("src/.ignore", "generated.rs\n");
    place.file("src/large.rs", &words(30));
    place.file("src/b.rs", &words(10));
    place.file("src/a.rs", &words(10));
    place.file("src/generated.rs", &words(99));
    place.file("src/deep/er/small.rs", &words(2));
    place.file("src/scratch.tmp", &words(99));
    place.file("src/.hidden.rs", &words(99));
    place.file("src/image.png", "\u{89}PNG\0\0");
    place.file("target/debug.rs", &words(5));
    place.file(".git/config", &words(99));
    let counted = place.ctx(&["tokens", "src", "--json"]).json();
    assert_eq!(paths(&counted), ["src/large.rs", "src/a.rs", "src/b.rs", "src/deep/er/small.rs"]);
    assert_eq!(
        (&counted["total"], &counted["files"], &counted["skipped"]),
        (&json!(52), &json!(4), &json!(1)),
        "{counted}"
    );
    assert_eq!(counted["items"][0], json!({ "path": "src/large.rs", "tokens": 30, "exact": true }));
    for all in [".", "./", "./src/.."] {
        let counted = place.ctx(&["tokens", all, "--json"]).json();
        assert_eq!(counted["total"], 52, "{all}: {counted}");
    }
    // What is named itself is counted, whatever rules there are.
    let named = place.ctx(&["tokens", "target", "src/.hidden.rs", "src/image.png", "--json"]).json();
    assert_eq!(paths(&named), ["src/.hidden.rs", "target/debug.rs", "src/image.png"], "{named}");
    assert!(named.get("skipped").is_none(), "{named}");
}

#[test]
fn globs_are_expanded_and_files_counted_once() {
    let place = Place::new();
    place.file("docs/a.md", &words(3));
    place.file("docs/sub/b.md", &words(2));
    place.file("docs/sub/c.txt", &words(9));
    place.file("top.md", &words(1));
    place.file(".github/ci.yml", &words(4));
    place.file("pages/[id].ts", &words(7));
    for (names, expected) in [
        (&["docs/**/*.md"][..], &["docs/a.md", "docs/sub/b.md"][..]),
        (&["docs/*.md"], &["docs/a.md"]),
        (&["./*.md"], &["top.md"]),
        (&["**/*.{md,txt}"], &["docs/sub/c.txt", "docs/a.md", "docs/sub/b.md", "top.md"]),
        (&["docs", "docs/a.md", "docs/*.md", "./docs/a.md"], &["docs/sub/c.txt", "docs/a.md", "docs/sub/b.md"]),
        (&[".github/*.yml"], &[".github/ci.yml"]),
        (&[".*/*.yml"], &[".github/ci.yml"]),
        (&["pages/[id].ts"], &["pages/[id].ts"]),
    ] {
        let arguments: Vec<&str> = ["tokens", "--json"].into_iter().chain(names.iter().copied()).collect();
        let counted = place.ctx(&arguments).json();
        assert_eq!(paths(&counted), expected, "{names:?}");
    }
    let absolute = place.project().join("docs/*.md").display().to_string();
    assert_eq!(place.ctx(&["tokens", "--json", &absolute]).json()["total"], 3);
    for (name, reason) in [("docs/*.rs", "matches no file"), ("none/*.rs", "no folder none"), ("docs/[.md", "a glob")] {
        let ran = place.ctx(&["tokens", name]);
        assert!(ran.code != Some(0) && ran.stderr.contains(reason) && ran.stdout.is_empty(), "{name}: {ran:?}");
    }
}

#[test]
fn top_shows_the_largest_and_sums_up_the_others() {
    let place = Place::new();
    for number in 1..=20 {
        place.file(&format!("f/{number:02}.txt"), &words(number * 100));
    }
    let counted = place.ctx(&["tokens", "f", "--top", "2", "--json"]).json();
    assert_eq!(paths(&counted), ["f/20.txt", "f/19.txt"]);
    assert_eq!(
        (&counted["total"], &counted["files"], &counted["more"], &counted["more_tokens"]),
        (&json!(21_000), &json!(20), &json!(18), &json!(17_100))
    );
    insta::assert_snapshot!(place.ctx(&["tokens", "f", "--top", "2"]).exits(0), @r"
     2,000    9.5 %  f/20.txt
     1,900    9.0 %  f/19.txt
    17,100   81.4 %  and 18 more files
    21,000           total of 20 files
                     o200k_base, exact
    ");
    assert_eq!(place.ctx(&["tokens", "f", "--top", "0", "--json"]).json()["more_tokens"], 21_000);
    assert_eq!(paths(&place.ctx(&["tokens", "f", "--json"]).json()).len(), 20);
}

#[test]
fn standard_input_and_files_are_counted_together() {
    let place = Place::new();
    place.file("a.txt", &words(5));
    assert_eq!(place.ctx_with(&words(3), &["tokens"]).exits(0), "3  (text)\n   o200k_base, exact\n");
    let counted = place.ctx_with(&words(3), &["tokens", "-", "a.txt", "--json"]).json();
    assert_eq!(
        counted,
        json!({ "total": 8, "encoding": "o200k_base", "exact": true, "files": 2, "items": [
            { "path": "a.txt", "tokens": 5, "exact": true }, { "path": "-", "tokens": 3, "exact": true },
        ] })
    );
}

#[test]
fn what_cannot_be_counted_is_told_and_the_rest_is_counted() {
    let place = Place::new();
    place.file("good.txt", &words(4));
    fs::write(place.project().join("latin.txt"), b"caf\xe9 au lait").expect("written");
    fs::create_dir(place.project().join("empty")).expect("a folder");
    let ran = place.ctx(&["tokens", "good.txt", "none.txt", "latin.txt", "empty"]);
    let table = ran.exits(1);
    assert!(table.contains("total of 2 files") && table.contains("latin.txt is not UTF-8"), "{table}");
    assert!(table.trim_end().ends_with("not counted: cannot read none.txt: No such file or directory (os error 2)"));
    let ran = place.ctx(&["tokens", "--json", "good.txt", "none.txt"]);
    ran.exits(1);
    assert_eq!(ran.json()["problems"][0]["path"], "none.txt");
    assert_eq!(ran.json()["total"], 4);
    assert_eq!(place.ctx(&["tokens", "empty", "--json"]).json()["files"], 0);
    assert!(place.ctx(&["tokens", "empty"]).exits(0).contains("total of 0 files"));
    let ran = place.ctx(&["tokens", "none.txt", "neither.txt"]);
    assert!(ran.exits(3).is_empty() && ran.stderr.contains("none.txt") && ran.stderr.contains("neither.txt"));
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_and_names_cannot_command_a_terminal() {
    let place = Place::new();
    place.file("src/a.rs", &words(2));
    std::os::unix::fs::symlink(place.project(), place.project().join("src/loop")).expect("a link");
    std::os::unix::fs::symlink(place.project().join("src/a.rs"), place.project().join("src/b.rs")).expect("a link");
    place.file("src/\u{1b}[31m.rs", &words(1));
    let counted = place.ctx(&["tokens", "src", "--json"]).json();
    assert_eq!(counted["total"], 3, "{counted}");
    let table = place.ctx(&["tokens", "src"]).stdout;
    assert!(!table.contains('\u{1b}') && table.contains("\\u{1b}[31m.rs"), "{table}");
    assert_eq!(place.ctx(&["tokens", "src/b.rs", "--json"]).json()["total"], 2);
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_or_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.file("src/a.txt", &words(2));
    place.file("src/locked.txt", &words(2));
    place.file("src/closed/b.txt", &words(2));
    let lock = |path: &str, mode: u32| {
        fs::set_permissions(place.project().join(path), fs::Permissions::from_mode(mode)).expect("permissions");
    };
    lock("src/locked.txt", 0);
    lock("src/closed", 0);
    let ran = place.ctx_without_privileges(&["tokens", "src", "--json"]);
    lock("src/closed", 0o700);
    ran.exits(1);
    let counted = ran.json();
    let problems: Vec<&str> =
        counted["problems"].as_array().expect("a list").iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!((problems, &counted["total"]), (vec!["src/closed", "src/locked.txt"], &json!(2)), "{counted}");
}

#[test]
fn long_names_do_not_make_long_errors() {
    let place = Place::new();
    let name = "no such file, ".repeat(90);
    let ran = place.ctx(&["tokens", &name, &format!("{name}b"), &format!("{name}c")]);
    assert!(ran.code == Some(3) && ran.stderr.len() < 2500 && ran.stderr.contains("no such"), "{ran:?}");
}

#[test]
fn a_file_counts_once_however_it_is_named() {
    let place = Place::new();
    place.file("src/a.rs", &words(2));
    let whole = place.project().join("src/a.rs");
    let names = ["tokens", "src/a.rs", "./src/a.rs", whole.to_str().expect("UTF-8"), "src", "src/*.rs", "--json"];
    let counted = place.ctx(&names).json();
    assert_eq!((paths(&counted), &counted["total"]), (vec!["src/a.rs"], &json!(2)), "{counted}");
}

#[test]
fn many_files_are_counted_alike_each_time() {
    let place = Place::new();
    let mut total = 0;
    for number in 0..300 {
        let count = number * 37 % 50;
        total += count;
        place.file(&format!("f/{number}.txt"), &words(count));
    }
    let first = place.ctx(&["tokens", "f", "--json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&first).expect("JSON")["total"], total);
    for _ in 0..3 {
        assert_eq!(place.ctx(&["tokens", "f", "--json"]).stdout, first);
    }
}

#[test]
fn an_estimate_says_of_what_kind_and_how_far_it_can_be_trusted() {
    let place = Place::new();
    place.file("a.rs", &words(1000));
    place.file("b.log", &words(1000));
    place.file("c.txt", &words(1000));
    place.file("d.json", &words(1000));
    place.file("e.txt", &"这是一个关于令牌的句子。".repeat(50));
    let chinese = Encoding::O200kBase.count(&"这是一个关于令牌的句子。".repeat(50));
    for (model, expected) in [
        ("claude-sonnet-4-5", [("rust", 1280), ("json", 1240), ("prose", 1160), ("log", 1120)]),
        ("claude-opus-4-7", [("rust", 1650), ("prose", 1540), ("json", 1500), ("log", 1350)]),
    ] {
        let counted = place.ctx(&["tokens", "--model", model, "--json", "."]).json();
        assert_eq!(counted["exact"], false);
        let items = counted["items"].as_array().expect("a list");
        let told: Vec<(&str, u64)> = items
            .iter()
            .filter(|item| item["path"] != "e.txt")
            .map(|item| (item["kind"].as_str().expect("a kind"), item["tokens"].as_u64().expect("a number")))
            .collect();
        assert_eq!(told, expected, "{counted}");
        for item in items {
            let number = |name: &str| item[name].as_u64().expect("a number");
            let (low, tokens, high) = (number("low"), number("tokens"), number("high"));
            assert!(low < tokens && tokens < high && number("margin_percent") >= 8, "{item}");
            let margin = tokens * number("margin_percent") / 100 + 1;
            assert!(tokens - low <= margin && high - tokens <= margin, "{item}");
        }
        let last = items.iter().find(|item| item["path"] == "e.txt").expect("an item");
        assert_eq!(last["kind"], "chinese");
        let factor = if model == "claude-opus-4-7" { 152 } else { 136 };
        assert_eq!(last["tokens"], (chinese * factor).div_ceil(100));
        let sum = |name: &str| items.iter().map(|item| item[name].as_u64().expect("a number")).sum::<u64>();
        assert_eq!((sum("low"), sum("high")), (counted["low"].as_u64().unwrap(), counted["high"].as_u64().unwrap()));
    }
    let gemini = place.ctx(&["tokens", "--model", "gemini-2.5-pro", "--json", "a.rs"]).json();
    assert_eq!((&gemini["items"][0]["tokens"], &gemini["items"][0]["margin_percent"]), (&json!(1300), &json!(35)));
    let table = place.ctx(&["tokens", "--model", "claude-opus-4-7", "a.rs"]).stdout;
    assert_eq!(table, "1,650  rust  a.rs\n             estimate over o200k_base: 1,518 to 1,782\n");
    let exact = place.ctx(&["tokens", "--model", "gpt-4", "--json", "a.rs"]).json();
    assert_eq!((&exact["encoding"], &exact["exact"]), (&json!("cl100k_base"), &json!(true)));
}

/// A budget must hold for any text, so it is kept by a figure that no kind exceeds.
#[test]
fn the_count_of_a_budget_is_safe_for_every_kind() {
    let text = words(1000);
    let kinds = [TextKind::Prose, TextKind::Markdown, TextKind::Rust, TextKind::Python, TextKind::Typescript];
    let more = [TextKind::Code, TextKind::Json, TextKind::Log];
    for model in ["claude-sonnet-4-5", "claude-opus-4-7"] {
        let measure = for_model(model).unwrap();
        for kind in kinds.into_iter().chain(more) {
            assert!(measure.count_of_kind(&text, kind).tokens <= measure.count(&text), "{model} {kind:?}");
        }
    }
}

#[test]
fn an_assistant_sees_a_part_and_never_leaves_the_workspace() {
    let mut server = Server::mcp("2025-11-25");
    for number in 0..400 {
        let path = server.folder().join(format!("many/a-rather-long-name-of-a-file-{number:03}.txt"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, words(2)).expect("written");
    }
    let counted = server.call("count_tokens", json!({ "paths": ["many"] }))["result"]["structuredContent"].clone();
    assert_eq!((paths(&counted).len(), &counted["total"], &counted["more"]), (50, &json!(800), &json!(350)));
    let counted = server.call("count_tokens", json!({ "paths": ["many/*.txt"], "top": 3 }));
    assert_eq!(counted["result"]["structuredContent"]["more_tokens"], 794);
    for outside in ["/etc", "/etc/*.conf", "../*", "many/../../*"] {
        let refused = server.call("count_tokens", json!({ "paths": ["many", outside] }))["result"].clone();
        let text = refused["content"][0]["text"].as_str().expect("text");
        assert!(refused["isError"] == true && text.contains("outside the workspace"), "{outside}: {refused}");
    }
}

#[test]
fn a_result_that_has_no_room_shows_fewer_and_still_adds_up() {
    let project = Project::with(&["context.max_output_tokens=1000"]);
    for number in 0..200 {
        project.file(&format!("f/a-rather-long-name-of-a-file-{number:03}.txt"), &words(2));
    }
    run(async {
        let mut call = project.call_of(tokio_util::sync::CancellationToken::new());
        call.capped = true;
        let input = json!({ "paths": ["f"], "top": 150 });
        let counted = context_engine::tools::call(&call, "count_tokens", input).await.expect("counts").structured;
        let shown = paths(&counted).len();
        assert!((5..150).contains(&shown), "{counted}");
        assert_eq!((&counted["more"], &counted["more_tokens"]), (&json!(200 - shown), &json!(2 * (200 - shown))));
        assert!(Encoding::O200kBase.count(&counted.to_string()) <= 1000);
        let error = project.refusal("count_tokens", json!({ "paths": [] }), ErrorKind::InvalidInput).await;
        assert!(error.message.contains("nothing to count"));
    });
}

#[test]
fn long_work_reports_how_far_it_has_come() {
    let mut server = Server::mcp("2025-11-25");
    // As much as takes two seconds; what a second counts depends on the build and the machine.
    let text: String = (0..40_000_u64).map(|n| format!("{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let began = std::time::Instant::now();
    Encoding::O200kBase.count(&text);
    let copies = (3000 / began.elapsed().as_millis().max(1)).clamp(4, 400);
    for number in 0..copies * 2 {
        fs::write(server.folder().join(format!("{number}.txt")), text.replace('a', &number.to_string()))
            .expect("written");
    }
    let meta = json!({ "progressToken": "mine" });
    let arguments = json!({ "paths": ["*.txt"] });
    let answer = server.request("tools/call", json!({ "name": "count_tokens", "arguments": arguments, "_meta": meta }));
    assert_eq!(answer["result"]["structuredContent"]["files"], json!(copies as u64 * 2));
    let reported = server.finish();
    assert!(!reported.is_empty() && reported.len() < 200, "{} reports", reported.len());
    for message in &reported {
        let progress = &message["params"];
        assert_eq!(
            (&message["method"], &progress["progressToken"]),
            (&json!("notifications/progress"), &json!("mine"))
        );
    }
    let last = &reported[reported.len() - 1]["params"];
    assert!(last["message"].as_str().is_some_and(|message| message.contains("files counted")), "{last}");
    assert!(last["progress"].as_f64() <= last["total"].as_f64(), "{last}");
}

/// A few plain files are counted before commands and settings are made; `-C .` takes the ordinary way.
#[test]
fn the_short_way_answers_as_the_ordinary_one_does() {
    let place = Place::new();
    place.file("a.rs", "fn main() {}\n");
    place.file("b.md", &words(20));
    place.file("c.bin", "\0\u{1}\u{2}");
    fs::write(place.project().join("d.txt"), b"caf\xe9").unwrap();
    for arguments in [
        &["a.rs"] as &[&str],
        &["b.md", "a.rs", "a.rs"],
        &["--json", "a.rs", "c.bin", "d.txt"],
        &["a.rs", "b.md", "d.txt", "--top", "1"],
        &["--encoding=cl100k_base", "a.rs", "--json"],
        &["--encoding", "r50k_base", "a.rs"],
        &["--model", "claude-opus-4-7", "b.md", "a.rs"],
        &["--encoding", "no_such", "a.rs"],
        &["--model", "gpt-4", "--encoding", "o200k_base", "a.rs"],
        &["a.rs", "missing.rs"],
        &["--top", "x", "a.rs"],
        &["--top", "18446744073709551615", "a.rs"],
        &["--top=0", "a.rs", "b.md"],
        &["--model", "-x/gpt-4o", "a.rs"],
        &["--model", "--claude-3", "a.rs"],
        &["--json", "--json", "a.rs"],
        &["--", "a.rs"],
    ] {
        let short = place.ctx(&[&["tokens"], arguments].concat());
        let ordinary = place.ctx(&[&["-C", ".", "tokens"], arguments].concat());
        assert_eq!(
            (short.code, &short.stdout, &short.stderr),
            (ordinary.code, &ordinary.stdout, &ordinary.stderr),
            "{arguments:?}"
        );
    }
    // A setting is heard.
    place.file("context-engine.yaml", "context: { encoding: cl100k_base }\n");
    assert_eq!(place.ctx(&["tokens", "a.rs", "--json"]).json()["encoding"], "cl100k_base");
}
