//! What no client should send: each gets a correct answer, under its id where that can be found
//! out, and the next request still works.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::server::Server;

/// Sends a line to both protocols and returns the code and the id of the error of each.
fn errors(line: &[u8]) -> Vec<(i64, Value)> {
    ["serve", "rpc"]
        .into_iter()
        .map(|front| {
            let mut server = Server::start(&[front]);
            server.write(line);
            server.write(b"\n");
            let answer = server.next();
            assert_still_works(&mut server, front);
            (answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {answer}")), answer["id"].clone())
        })
        .collect()
}

fn assert_still_works(server: &mut Server, front: &str) {
    if front == "serve" {
        server.assert_alive();
    } else {
        let answer = server.request("count_tokens", json!({ "text": "x" }));
        assert_eq!(answer["result"]["total"], 1, "{answer}");
    }
}

/// Both protocols answer a line with this code and id.
fn check(line: impl AsRef<[u8]>, code: i64, id: &Value) {
    let line = line.as_ref();
    let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
    assert_eq!(errors(line), [(code, id.clone()), (code, id.clone())], "{shown}");
}

#[test]
fn broken_json_is_answered_under_its_id() {
    check(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"#, -32700, &json!(7));
    check(r#"{"jsonrpc":"2.0","id":"seven" "method":"x"}"#, -32700, &json!("seven"));
    check(r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#, -32700, &Value::Null);
    check(r#"{"method":"x","params":{"id":1},,"jsonrpc":"2.0","id":8}"#, -32700, &json!(8));
    check(r#"{"method":"x","params":{"id":1}"#, -32700, &Value::Null);
    check("hello", -32700, &Value::Null);
    check("Content-Length: 12", -32700, &Value::Null);
}

#[test]
fn bytes_that_are_not_utf8_are_answered_under_their_id() {
    check(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\",\"params\":{\"text\":\"caf\xe9\"}}", -32700, &json!(7));
    check(b"\xff\xfe\x00\x01", -32700, &Value::Null);
}

#[test]
fn half_an_emoji_is_mended() {
    let mut server = Server::mcp("2025-11-25");
    for (id, text) in [(1, r"cut \ud83d"), (2, r"\ude00 cut"), (3, r"\ud83d\ud83d\ude00"), (4, r"\\ud83d \uD83D\n")] {
        let call = r#"{"name":"count_tokens","arguments":{"text":""#;
        server.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{call}{text}"}}}}}}"#));
        assert_eq!(server.answer(&json!(id))["result"]["isError"], false, "{text}");
    }
    let mut server = Server::start(&["rpc"]);
    server.line(r#"{"jsonrpc":"2.0","id":1,"method":"count_tokens","params":{"text":"\ud83d"}}"#);
    assert!(server.answer(&json!(1)).get("result").is_some());
}

#[test]
fn a_line_above_the_limit_is_skipped_and_answered_under_its_id() {
    let text = "x".repeat((64 << 20) + 1);
    check(
        format!(r#"{{"jsonrpc":"2.0","id":"big","method":"x","params":{{"text":"{text}"}}}}"#),
        -32600,
        &json!("big"),
    );
    // Some clients write the id last.
    check(format!(r#"{{"method":"x","params":{{"id":1,"text":"{text}"}},"jsonrpc":"2.0","id":9}}"#), -32600, &json!(9));
    check(&text, -32600, &Value::Null);
}

#[test]
fn a_line_of_almost_the_limit_is_read() {
    let mut server = Server::start(&["rpc"]);
    let text = "x".repeat((64 << 20) - 200);
    server.line(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"no_such_method","params":{{"text":"{text}"}}}}"#));
    assert_eq!(server.next()["error"]["code"], -32601);
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    for depth in [200, 1_000, 1_000_000] {
        let line =
            format!(r#"{{"jsonrpc":"2.0","id":3,"method":"x","params":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        check(line, -32600, &json!(3));
    }
    check("[".repeat(1_000_000), -32600, &Value::Null);
    check(r#"{"a":"#.repeat(1_000_000), -32600, &Value::Null);
}

#[test]
fn numbers_that_no_double_holds_are_refused() {
    check(r#"{"jsonrpc":"2.0","id":4,"method":"x","params":{"limit":1e400}}"#, -32600, &json!(4));
}

#[test]
fn a_message_of_a_million_small_values_is_refused() {
    let values = "0,".repeat(5_000_000);
    check(format!(r#"{{"jsonrpc":"2.0","id":4,"method":"x","params":[{values}0]}}"#), -32600, &json!(4));
}

#[test]
fn json_that_is_no_request_is_refused_under_its_id() {
    for (line, id) in [
        (r#"{"jsonrpc":"1.0","id":5,"method":"x"}"#, json!(5)),
        (r#"{"id":5,"method":"x"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":null}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":["x"]}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"x","params":"y"}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":5,"method":"x","params":7}"#, json!(5)),
        (r#"{"jsonrpc":"2.0","id":{"a":1},"method":"x"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":[5],"method":"x"}"#, Value::Null),
        (r#"{"jsonrpc":"2.0","id":true,"method":"x"}"#, Value::Null),
        ("{}", Value::Null),
        ("null", Value::Null),
        ("17", Value::Null),
        (r#""text""#, Value::Null),
        ("[]", Value::Null),
    ] {
        check(line, -32600, &id);
    }
}

#[test]
fn blank_lines_carriage_returns_and_a_byte_order_mark_are_harmless() {
    for front in ["serve", "rpc"] {
        let mut server = Server::start(&[front]);
        server.write(b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}\r\n\n  \r\n\t\n");
        assert_eq!(server.next()["error"]["code"], -32601);
        assert_still_works(&mut server, front);
    }
}

#[test]
fn the_end_of_input_in_the_middle_of_a_message_is_answered() {
    for front in ["serve", "rpc"] {
        let answers = crate::server::pipe(&[front], br#"{"jsonrpc":"2.0","id":6,"method":"tools/li"#);
        assert_eq!(answers.len(), 1);
        assert_eq!((&answers[0]["error"]["code"], &answers[0]["id"]), (&json!(-32700), &json!(6)));
    }
}

/// Any JSON value, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A request, as good or bad as it comes: real names, shuffled members, values of any kind.
fn some_request() -> impl Strategy<Value = Value> {
    let methods = prop::sample::select(vec![
        "initialize",
        "server/discover",
        "tools/list",
        "tools/call",
        "ping",
        "prompts/list",
        "resources/read",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "count_tokens",
        "x",
    ]);
    let name = prop::sample::select(context_engine::tools::TOOLS.iter().map(|tool| tool.name()).collect::<Vec<_>>());
    let members = prop::sample::subsequence(vec!["jsonrpc", "id", "method", "params"], 0..=4);
    (members, methods, name, any_json(), any_json(), any_json()).prop_map(
        |(members, method, name, id, arguments, extra)| {
            let mut message = serde_json::Map::new();
            for member in members {
                let value = match member {
                    "jsonrpc" => json!("2.0"),
                    "id" => id.clone(),
                    "method" => json!(method),
                    _ if extra.is_null() => json!({ "name": name, "arguments": arguments, "requestId": id }),
                    _ => extra.clone(),
                };
                message.insert(member.to_owned(), value);
            }
            Value::Object(message)
        },
    )
}

/// Bytes of a line: random, or a request, whole or with some of its bytes changed or cut.
fn some_line() -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (some_request(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any::<bool>())
            .prop_map(|(request, changes, cut)| {
                let mut bytes = request.to_string().into_bytes();
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    if cut {
                        bytes.truncate(at.max(1));
                    } else {
                        bytes[at] = byte;
                    }
                }
                bytes
            });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), changed].prop_map(|mut bytes| {
        bytes.retain(|byte| *byte != b'\n');
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is sent, every answer is a well-formed message, and the next request works.
    #[test]
    fn a_server_survives_anything(lines in prop::collection::vec(some_line(), 1..40)) {
        for front in ["serve", "rpc"] {
            let mut server = Server::start(&[front]);
            for line in &lines {
                server.write(line);
                server.write(b"\n");
            }
            let last = json!({ "jsonrpc": "2.0", "id": "the-last", "method": "no_such_method" });
            server.send(&last);
            let answer = server.answer(&json!("the-last"));
            prop_assert!(answer["error"]["code"].is_i64(), "{}", answer);
            for message in server.finish() {
                let answers = message.as_array().cloned().unwrap_or_else(|| vec![message]);
                for answer in answers {
                    prop_assert_eq!(&answer["jsonrpc"], "2.0");
                    let kinds = ["result", "error", "method"].map(|member| answer.get(member).is_some());
                    prop_assert_eq!(kinds.iter().filter(|there| **there).count(), 1, "{}", answer);
                }
            }
        }
    }
}
