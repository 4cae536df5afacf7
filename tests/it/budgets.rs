//! A budget is a promise: over every tool and every kind of text, no result exceeds what was asked
//! for, counted anew by an independent counter.

use std::fs;
use std::path::Path;

use context_engine::tools::{self, Call, ErrorKind, Progress};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Project, run};

/// Counts as a peer does, not as we do.
fn count(text: &str) -> u64 {
    bpe_openai::o200k_base().count(text) as u64
}

/// Calls a tool as an assistant's call comes in.
async fn capped(project: &Project, tool: &str, input: Value) -> Result<Value, ErrorKind> {
    let call = Call { capped: true, ..project.call_of(CancellationToken::new()) };
    let call = Call { progress: Progress::default(), ..call };
    tools::call(&call, tool, input).await.map(|answer| answer.structured).map_err(|error| error.kind)
}

/// Texts of every kind, with the kind where a folder of fixtures names it.
fn texts() -> Vec<(Option<String>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compress");
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(&folder).sort_by_file_name() {
        let entry = entry.expect("fixtures can be read");
        if entry.file_type().is_file() {
            let kind = entry.path().parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
            all.push((kind, String::from_utf8_lossy(&fs::read(entry.path()).expect("a fixture")).into_owned()));
        }
    }
    assert!(all.len() >= 11, "a fixture for every kind");
    all.push((None, "🦀 中文 e\u{301} ".repeat(400)));
    all.push((None, "x".repeat(20_000)));
    all
}

#[test]
fn a_long_list_of_cuts_gives_way_and_not_the_text() {
    let project = Project::new();
    let line = |n: usize| format!("The {} of {} went to {n}.\n\n", ["cat", "dog", "river"][n % 3], n * 7919 % 1000);
    let text: String = (0..12_000).map(line).collect();
    run(async {
        let asked = json!({ "text": text, "max_tokens": 24_000, "kind": "prose", "query": "river" });
        let fitted = capped(&project, "context_compress", asked).await.expect("any text fits any budget");
        let text = fitted["text"].as_str().expect("a text");
        assert_eq!(fitted["tokens_after"].as_u64(), Some(count(text)), "the text is the one that was fitted");
        assert!(!text.contains("context_retrieve"), "{}", &text[text.len() - 200..]);
        assert!(fitted["more_cuts"].as_u64() > Some(100), "{}", fitted["more_cuts"]);
    });
}

#[test]
fn no_compressed_packed_or_retrieved_text_exceeds_its_budget() {
    let project = Project::new();
    let texts = texts();
    let kinds = ["prose", "markdown", "dialog", "code", "log", "test", "json", "diff", "search", "table", "html"];
    let input = (0..texts.len(), 0..kinds.len() + 2, 0_u64..4000, 0..40_usize, any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 120, failure_persistence: None, ..Config::default() });
    let result = runner.run(&input, |(text, kind, max_tokens, skip, has_query)| {
        run(async {
            let (own_kind, text) = &texts[text];
            let text: String = text.chars().skip(skip).collect();
            let mut asked = json!({ "text": text, "max_tokens": max_tokens });
            // Its own kind, a wrong one, or none.
            match (kinds.get(kind), own_kind) {
                (Some(kind), _) => asked["kind"] = json!(kind),
                (None, Some(own)) if kinds.contains(&own.as_str()) => asked["kind"] = json!(own),
                (None, _) => {}
            }
            if has_query {
                asked["query"] = json!("error in the total of the cart");
            }
            let fitted = capped(&project, "context_compress", asked).await.expect("any text fits any budget");
            let tokens = count(fitted["text"].as_str().expect("a text"));
            prop_assert!(tokens <= max_tokens, "{tokens} of {max_tokens}: {fitted}");
            prop_assert_eq!(fitted["tokens_after"].as_u64(), Some(tokens));
            if let Some(handle) = fitted["handle"].as_str() {
                for what in
                    [json!({}), json!({ "lines": "2-" }), json!({ "query": "total" }), json!({ "regex": "[a-z]+" })]
                {
                    let mut asked = what;
                    asked["handle"] = json!(handle);
                    asked["max_tokens"] = json!(max_tokens.max(1));
                    if let Ok(part) = capped(&project, "context_retrieve", asked.clone()).await {
                        let tokens = count(part["text"].as_str().expect("a text"));
                        prop_assert!(tokens <= max_tokens.max(1), "{asked}: {tokens}");
                    }
                }
            }
            let sources = json!([{ "text": text, "priority": 3 }, { "text": "a short one" }]);
            match capped(&project, "context_pack", json!({ "sources": sources, "max_tokens": max_tokens.max(1) })).await
            {
                Ok(packed) => {
                    let tokens = count(packed["text"].as_str().expect("a text"));
                    prop_assert!(tokens <= max_tokens.max(1), "packed {tokens} of {max_tokens}");
                }
                Err(kind) => prop_assert_eq!(kind, ErrorKind::BudgetTooSmall),
            }
            Ok(())
        })
    });
    result.expect("no budget is broken");
}

#[test]
fn no_recall_exceeds_its_budget() {
    let project = Project::new();
    run(async {
        let memories: Vec<Value> = (0..200)
            .map(|n| json!({ "text": format!("tree {n}: {}", "leaf and \"root\"\n".repeat(n % 23)), "metadata": { "n": n } }))
            .collect();
        project.call("memory_store", json!({ "memories": memories })).await;
        for max_tokens in [1, 10, 40, 70, 120, 300, 1000, 5000, 15_000] {
            let asked = json!({ "query": "tree root", "limit": 100, "max_tokens": max_tokens, "explain": true, "neighbours": 1 });
            match capped(&project, "memory_recall", asked).await {
                Ok(found) => {
                    assert!(count(&found.to_string()) <= max_tokens, "{max_tokens}: {}", count(&found.to_string()));
                }
                Err(kind) => assert_eq!((kind, max_tokens < 70), (ErrorKind::BudgetTooSmall, true), "{max_tokens}"),
            }
        }
    });
}

#[test]
fn no_result_for_an_assistant_exceeds_the_cap_of_the_settings() {
    const CAP: u64 = 1000;
    let project = Project::with(&["context.max_output_tokens=1000"]);
    run(async {
        project.command_agent("chatty", &["seq", "20000"], &[]);
        for number in 0..60 {
            project.command_agent(&format!("agent-{number}"), &["cat"], &[&format!("color: {}", "blue".repeat(9))]);
        }
        let memories: Vec<Value> =
            (0..400).map(|n| json!({ "text": format!("fact number {n} about trees") })).collect();
        let steps: Vec<Value> = (0..8).map(|_| json!({ "agent": "chatty", "task": "Count.", "context": {} })).collect();
        let many = "a line of a text that goes on\n".repeat(3000);
        for n in 0..150 {
            project.file(&format!("files/a-rather-long-name-of-a-file-{n}.txt"), "text");
        }
        let paths: Vec<String> = (0..150)
            .map(|n| project.root.join(format!("files/a-rather-long-name-of-a-file-{n}.txt")).display().to_string())
            .collect();
        let mut last_run = json!(null);
        for (tool, input) in [
            ("delegate_task", json!({ "agent": "chatty", "task": "Count." })),
            ("run_workflow", json!({ "steps": steps, "mode": "parallel" })),
            ("get_run", json!({ "run_id": "the last" })),
            ("get_run", json!({ "limit": 100 })),
            ("list_agents", json!({})),
            ("memory_store", json!({ "memories": memories })),
            ("memory_recall", json!({ "query": "trees", "limit": 400 })),
            ("memory_forget", json!({ "filter": { "scope": "project" }, "dry_run": true })),
            ("context_compress", json!({ "text": many })),
            ("count_tokens", json!({ "paths": paths })),
            ("server_health", json!({})),
        ] {
            let mut input = input;
            if input["run_id"] == "the last" {
                input["run_id"] = last_run.clone();
            }
            let result = capped(&project, tool, input).await;
            let result = result.unwrap_or_else(|kind| panic!("{tool}: {kind:?}"));
            if tool == "run_workflow" {
                last_run = result["run_id"].clone();
            }
            let tokens = count(&result.to_string());
            assert!(tokens <= CAP, "{tool}: {tokens} tokens");
        }
    });
}

#[test]
fn a_wrong_filter_or_context_is_told_with_its_pointer() {
    let project = Project::new();
    run(async {
        let input = json!({ "filter": { "scop": "project" } });
        let error = project.refusal("memory_forget", input, ErrorKind::InvalidInput).await;
        assert!(error.message.contains("/filter/scop (did you mean scope?)"), "{error}");
        let input = json!({ "steps": [{ "agent": "a", "task": "b", "context": { "files": "src" } }] });
        let error = project.refusal("run_workflow", input, ErrorKind::InvalidInput).await;
        assert!(error.message.contains("/steps/0/context/files is \"src\": expected array"), "{error}");
        let found = project.call("memory_recall", json!({ "query": "x", "limit": 3.0 })).await;
        assert_eq!(found["memories"], json!([]));
    });
}
