//! Plain JSON-RPC 2.0 over standard input and output: the examples of its specification, with the
//! methods that we have, and what scripts rely on.

use serde_json::{Value, json};

use crate::server::{Server, pipe};

/// Pipes one line into `ctx rpc` and returns all that comes back, without the details in `data`.
fn exchange(line: &str) -> Vec<Value> {
    let mut answers = pipe(&["rpc"], line.as_bytes());
    answers.iter_mut().for_each(strip);
    answers
}

fn strip(answer: &mut Value) {
    match answer {
        Value::Array(answers) => answers.iter_mut().for_each(strip),
        answer => {
            if let Some(error) = answer.get_mut("error").and_then(Value::as_object_mut) {
                error.remove("data");
            }
            if let Some(total) = answer.pointer("/result/total").cloned() {
                answer["result"] = json!({ "total": total });
            }
        }
    }
}

fn total(id: &Value, total: i64) -> Value {
    json!({ "jsonrpc": "2.0", "result": { "total": total }, "id": id })
}

fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "error": { "code": code, "message": message }, "id": id })
}

#[test]
fn a_call_with_positional_parameters() {
    let mut server = Server::start(&["rpc"]);
    std::fs::write(server.folder().join("a.txt"), "one two").expect("written");
    let answer = server.request("count_tokens", json!([["a.txt"]]));
    assert_eq!(answer["result"]["items"], json!([{ "path": "a.txt", "tokens": 2, "exact": true }]));
    let answer = server.request("count_tokens", json!([["a.txt"], 1, 2]));
    assert_eq!(answer["error"]["code"], -32602);
}

#[test]
fn a_call_with_named_parameters() {
    for line in [
        r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "one two", "encoding": "cl100k_base"}, "id": 3}"#,
        r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"encoding": "cl100k_base", "text": "one two"}, "id": 3}"#,
    ] {
        assert_eq!(exchange(line), [total(&json!(3), 2)]);
    }
}

#[test]
fn a_notification_gets_nothing() {
    assert!(exchange(r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "x"}}"#).is_empty());
    assert!(exchange(r#"{"jsonrpc": "2.0", "method": "foobar"}"#).is_empty());
}

#[test]
fn an_unknown_method() {
    let answer = exchange(r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#);
    assert_eq!(answer, [error(&json!("1"), -32601, "Method not found")]);
}

#[test]
fn invalid_json() {
    let answer = exchange(r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#);
    assert_eq!(answer, [error(&Value::Null, -32700, "Parse error")]);
}

#[test]
fn an_invalid_request() {
    let answer = exchange(r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#);
    assert_eq!(answer, [error(&Value::Null, -32600, "Invalid Request")]);
}

#[test]
fn a_batch_of_invalid_json() {
    let line = r#"[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]"#;
    assert_eq!(exchange(line), [error(&Value::Null, -32700, "Parse error")]);
}

#[test]
fn an_empty_batch() {
    assert_eq!(exchange("[]"), [error(&Value::Null, -32600, "Invalid Request")]);
}

#[test]
fn batches_of_invalid_requests() {
    let invalid = error(&Value::Null, -32600, "Invalid Request");
    assert_eq!(exchange("[1]"), [json!([invalid])]);
    assert_eq!(exchange("[1,2,3]"), [json!([invalid, invalid, invalid])]);
}

#[test]
fn a_mixed_batch() {
    let line = concat!(
        r#"[{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "one two"}, "id": "1"},"#,
        r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "x"}},"#,
        r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "one"}, "id": "2"},"#,
        r#"{"foo": "boo"},"#,
        r#"{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},"#,
        r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": ""}, "id": "9"}]"#,
    );
    let answers = exchange(line);
    let [Value::Array(answers)] = answers.as_slice() else { panic!("not one batch: {answers:?}") };
    // The specification leaves the order open.
    assert_eq!(answers.len(), 5);
    for expected in [
        total(&json!("1"), 2),
        total(&json!("2"), 1),
        error(&Value::Null, -32600, "Invalid Request"),
        error(&json!("5"), -32601, "Method not found"),
        total(&json!("9"), 0),
    ] {
        assert!(answers.contains(&expected), "{expected} is not in {answers:?}");
    }
}

#[test]
fn a_batch_of_notifications_gets_nothing() {
    let line = concat!(
        r#"[{"jsonrpc": "2.0", "method": "count_tokens", "params": {"text": "x"}},"#,
        r#"{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]"#,
    );
    assert!(exchange(line).is_empty());
}

#[test]
fn every_line_of_a_script_is_answered_before_the_end() {
    let input: String = (0..200)
        .map(|id| {
            format!("{}\n", json!({ "jsonrpc": "2.0", "method": "count_tokens", "params": { "text": "x" }, "id": id }))
        })
        .collect();
    let mut ids: Vec<i64> =
        pipe(&["rpc"], input.as_bytes()).iter().filter_map(|answer| answer["id"].as_i64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<_>>());
}

#[test]
fn any_id_comes_back_as_it_was() {
    for id in [json!(0), json!(-7), json!(1.5), json!(u64::MAX), json!(""), json!("é"), Value::Null] {
        let line = json!({ "jsonrpc": "2.0", "method": "foobar", "id": id }).to_string();
        assert_eq!(exchange(&line), [error(&id, -32601, "Method not found")]);
    }
}

#[test]
fn errors_say_their_kind_and_what_to_try() {
    let line = r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"txt": "x"}, "id": 1}"#;
    let answers = pipe(&["rpc"], line.as_bytes());
    let error = &answers[0]["error"];
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32602), &json!("invalid_input")));
    assert!(error["message"].as_str().expect("text").contains("/txt"), "{error}");
    assert!(error["data"]["hint"].as_str().expect("text").contains("accepted fields"), "{error}");
    let line = r#"{"jsonrpc": "2.0", "method": "count_tokens", "params": {"paths": ["no-such-file"]}, "id": 1}"#;
    let answers = pipe(&["rpc"], line.as_bytes());
    assert_eq!(answers[0]["error"]["data"]["kind"], "not_found", "{answers:?}");
}

#[test]
fn lines_are_worked_on_at_the_same_time() {
    let mut server = Server::start(&["rpc"]);
    let large = "word ".repeat(1 << 20);
    server.send(&json!({ "jsonrpc": "2.0", "method": "count_tokens", "params": { "text": large }, "id": "slow" }));
    assert_eq!(server.request("count_tokens", json!({ "text": "x" }))["result"]["total"], 1);
    assert!(server.answer(&json!("slow")).get("result").is_some());
}

#[test]
fn too_large_a_batch_is_refused() {
    let call = json!({ "jsonrpc": "2.0", "method": "foobar", "id": 1 });
    let answers = exchange(&Value::from(vec![call; 1001]).to_string());
    assert_eq!(answers, [error(&Value::Null, -32600, "Invalid Request")]);
}
