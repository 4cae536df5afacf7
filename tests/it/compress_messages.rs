//! Message arrays of chat models: JSON of the same shape, calls with their results, old output first.

use context_engine::compress::{Kind, Level, detect};
use context_engine::tokens::Encoding;
use serde_json::{Value, json};

use crate::compress_checks::{ENCODINGS, check};

const ENCODING: Encoding = Encoding::O200kBase;

fn build_log(turn: usize) -> String {
    (0..60)
        .map(|line| {
            if line == 41 && turn == 3 {
                "2026-03-01T10:03:41Z ERROR payment gateway refused card 4929: code 51\n".to_owned()
            } else {
                format!(
                    "2026-03-01T10:0{}:{line:02}Z INFO request {} served in {} ms\n",
                    turn % 10,
                    turn * 100 + line,
                    line * 3 % 17
                )
            }
        })
        .collect()
}

fn source(turn: usize) -> String {
    (0..6)
        .map(|n| format!("pub fn step_{turn}_{n}(cart: &Cart) -> u32 {{\n    let total = cart.total() + {n};\n    let rounded = total / {turn};\n    rounded * 3\n}}\n\n"))
        .collect()
}

fn openai(turns: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": "You are a careful engineer. Never touch the ledger."}),
        json!({"role": "user", "content": "Find out why the order of customer 77 failed."}),
    ];
    for turn in 1..=turns {
        let tool = if turn % 2 == 0 { "read_file" } else { "show_log" };
        messages.push(json!({"role": "assistant", "content": format!("Step {turn}: I look at part {turn}."), "tool_calls": [
            {"id": format!("call_{turn}"), "type": "function", "function": {"name": tool, "arguments": format!("{{\"part\": {turn}}}")}}
        ]}));
        let content = if turn % 2 == 0 { source(turn) } else { build_log(turn) };
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{turn}"), "content": content}));
    }
    messages.push(json!({"role": "assistant", "content": "The gateway refused the card."}));
    messages.push(json!({"role": "user", "content": "Which code did it give, and what shall we do now?"}));
    Value::Array(messages)
}

fn anthropic(turns: usize) -> Value {
    let mut messages = vec![
        json!({"role": "user", "content": [{"type": "text", "text": "Find out why the order of customer 77 failed."}]}),
    ];
    for turn in 1..=turns {
        messages.push(json!({"role": "assistant", "content": [
            {"type": "text", "text": format!("I look at part {turn}.")},
            {"type": "tool_use", "id": format!("toolu_{turn}"), "name": "show_log", "input": {"part": turn, "filter": "x".repeat(turn)}},
            {"type": "tool_use", "id": format!("toolu_b{turn}"), "name": "read_file", "input": {"path": "src/cart.rs"}},
        ]}));
        messages.push(json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": format!("toolu_{turn}"), "content": build_log(turn)},
            {"type": "tool_result", "tool_use_id": format!("toolu_b{turn}"), "content": [{"type": "text", "text": source(turn)}]},
        ]}));
    }
    messages.push(json!({"role": "assistant", "content": "The gateway refused the card."}));
    messages.push(json!({"role": "user", "content": "Which code did it give, and what shall we do now?"}));
    json!({"model": "a-model", "max_tokens": 1024, "system": "You are a careful engineer. Never touch the ledger.", "messages": messages})
}

/// The ids of calls and of results, in order.
fn ids(messages: &[Value]) -> (Vec<String>, Vec<String>) {
    let (mut calls, mut results) = (Vec::new(), Vec::new());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    for message in messages {
        calls.extend(message["tool_calls"].as_array().into_iter().flatten().filter_map(|call| text(&call["id"])));
        results.extend(text(&message["tool_call_id"]));
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("tool_use") => calls.extend(text(&block["id"])),
                Some("tool_result") => results.extend(text(&block["tool_use_id"])),
                _ => {}
            }
        }
    }
    (calls, results)
}

/// Whether two values are of the same shape: the same members, of the same types.
fn is_alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys()) && one.iter().all(|(key, value)| is_alike(value, &other[key]))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_alike(one, other))
        }
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

fn check_messages(document: &Value, query: Option<&str>, budget: usize, encoding: Encoding) -> Vec<Value> {
    let text = if budget.is_multiple_of(2) {
        document.to_string()
    } else {
        serde_json::to_string_pretty(document).expect("JSON")
    };
    assert_eq!(detect(&text).kind, Kind::Dialog);
    let fitted = check(&text, None, query, budget, encoding);
    let out: Value = serde_json::from_str(&fitted.text).unwrap_or_else(|error| panic!("{error}\n{}", fitted.text));
    let list = |document: &Value| document.as_array().or(document["messages"].as_array()).expect("a list").clone();
    assert_eq!(out.is_array(), document.is_array());
    let (before, after) = (list(document), list(&out));
    for message in &after {
        let is_mark = message["content"].as_str().is_some_and(|content| content.contains(" cut"));
        let role = message["role"].as_str().expect("a role");
        assert!(["system", "user", "assistant", "tool"].contains(&role));
        assert!(is_mark || before.iter().any(|other| is_alike(other, message)), "no message has this shape: {message}");
    }
    let (calls, results) = ids(&after);
    assert_eq!(calls, results, "every call has its result\n{}", fitted.text);
    after
}

#[test]
fn messages_keep_their_shape_and_what_rules_them() {
    for document in [openai(14), anthropic(8)] {
        for encoding in ENCODINGS {
            for budget in [200, 301, 600, 1_201, 3_000] {
                let after = check_messages(&document, None, budget, encoding);
                let last = after.last().expect("a message");
                assert_eq!(last["content"], "Which code did it give, and what shall we do now?", "at {budget}");
                if document.is_array() {
                    assert_eq!(after[0]["content"], "You are a careful engineer. Never touch the ledger.");
                }
            }
        }
    }
}

#[test]
fn the_system_member_and_the_others_stay() {
    let document = anthropic(8);
    let fitted = check(&document.to_string(), None, None, 400, ENCODING);
    let out: Value = serde_json::from_str(&fitted.text).expect("JSON");
    for name in ["model", "max_tokens", "system"] {
        assert_eq!(out[name], document[name]);
    }
    assert_eq!(fitted.level, Level::Summarize);
}

#[test]
fn old_results_are_shortened_before_turns_are_cut() {
    let document = openai(12);
    let tokens = check(&document.to_string(), None, None, 1_000_000, ENCODING).tokens_before;
    let after = check_messages(&document, None, tokens / 4 * 2, ENCODING);
    let before = document.as_array().expect("a list").len();
    let said = |messages: &[Value]| messages.iter().filter(|message| message["role"] == "assistant").count();
    assert_eq!(after.len(), before, "at half of the tokens every turn is there");
    assert_eq!(said(&after), said(document.as_array().expect("a list")));
    let length = |id: &str| {
        let result = after.iter().find(|message| message["tool_call_id"] == id).expect("the result");
        result["content"].as_str().expect("text").len()
    };
    assert!(length("call_11") > 2 * length("call_1"), "{} and {}", length("call_11"), length("call_1"));
    // A log is shortened as a log: its error stays although it is old.
    let log = after.iter().find(|message| message["tool_call_id"] == "call_3").expect("the log");
    assert!(log["content"].as_str().expect("text").contains("refused card 4929: code 51"), "{log}");
}

#[test]
fn a_query_brings_back_an_old_turn() {
    let mut document = openai(20);
    let list = document.as_array_mut().expect("a list");
    list.insert(2, json!({"role": "assistant", "content": "The retry limit lives in config/retry.toml and is seven."}));
    let without = check_messages(&document, None, 300, ENCODING);
    let with = check_messages(&document, Some("where is the retry limit kept?"), 300, ENCODING);
    let holds = |messages: &[Value]| {
        messages
            .iter()
            .any(|message| message["content"].as_str().is_some_and(|text| text.contains("config/retry.toml")))
    };
    assert!(holds(&with) && !holds(&without));
}

#[test]
fn long_prompts_and_data_are_met() {
    let rules: String = (0..200).map(|n| format!("Rule {n}: never do thing {n} without asking. ")).collect();
    let document = json!([
        {"role": "system", "content": rules},
        {"role": "user", "content": [
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo".repeat(400)}},
        ]},
    ]);
    for budget in [0, 5, 20, 80, 150, 400, 1_000] {
        let fitted = check(&document.to_string(), None, None, budget, ENCODING);
        let out: Option<Value> = serde_json::from_str(&fitted.text).ok();
        assert!(fitted.text.is_empty() || out.is_some_and(|out| out.is_array()), "{}", fitted.text);
        assert!(budget < 150 || fitted.text.contains("What is in this picture?"), "{}", fitted.text);
        assert!(budget < 400 || fitted.text.contains("Rule 0: never"), "{}", fitted.text);
    }
    // A half of a surrogate pair, which no string can hold.
    let text = format!(
        "[{{\"role\":\"user\",\"content\":\"{}\\ud800\"}},{{\"role\":\"user\",\"content\":\"b\"}}]",
        "a b ".repeat(400)
    );
    check(&text, Some(Kind::Json), None, 60, ENCODING);
}

#[test]
fn messages_a_line_each_stay_so() {
    let lines: String = openai(9).as_array().expect("a list").iter().map(|message| format!("{message}\n")).collect();
    let fitted = check(&lines, None, None, 500, ENCODING);
    assert_eq!(fitted.kind, Kind::Dialog);
    for line in fitted.text.lines() {
        let message: Value = serde_json::from_str(line).expect("JSON");
        assert!(message["role"].is_string(), "{line}");
    }
}

#[test]
fn items_of_responses_are_messages_too() {
    let mut items = vec![json!({"role": "user", "content": "Count the files."})];
    for turn in 0..10 {
        items.push(json!({"type": "function_call", "call_id": format!("fc_{turn}"), "name": "list", "arguments": format!("{{\"n\":{turn},\"pattern\":\"{}\"}}", "ab ".repeat(120))}));
        items.push(json!({"type": "function_call_output", "call_id": format!("fc_{turn}"), "output": build_log(turn)}));
    }
    items.push(json!({"role": "user", "content": "Well?"}));
    let text = json!({"model": "m", "input": items}).to_string();
    let fitted = check(&text, None, None, 700, ENCODING);
    let out: Value = serde_json::from_str(&fitted.text).expect("JSON");
    let items = out["input"].as_array().expect("a list");
    let ids = |kind: &str| {
        items.iter().filter(|item| item["type"] == kind).map(|item| item["call_id"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids("function_call"), ids("function_call_output"));
    assert!(!ids("function_call").is_empty());
    for item in items.iter().filter(|item| item["type"] == "function_call") {
        let arguments = item["arguments"].as_str().expect("text");
        serde_json::from_str::<Value>(arguments).unwrap_or_else(|error| panic!("{error}: {arguments}"));
    }
}
