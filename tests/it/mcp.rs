//! MCP over standard input and output, both eras, with the real binary.

use serde_json::{Value, json};

use crate::server::{Server, pipe};

/// The metadata that every request of the newer lifecycle carries.
fn modern(version: &str) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    })
}

#[test]
fn initialize_agrees_on_every_legacy_version() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut server = Server::start(&["serve"]);
        let answer = server.initialize(version, "test");
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["result"]["serverInfo"]["name"], "context-engine");
        assert_eq!(answer["result"]["capabilities"], json!({ "prompts": {}, "tools": {} }));
        server.assert_alive();
    }
}

#[test]
fn initialize_offers_its_newest_version_for_an_unknown_one() {
    for version in ["1999-01-01", "2026-07-28", "tomorrow"] {
        let mut server = Server::start(&["serve"]);
        assert_eq!(server.initialize(version, "test")["result"]["protocolVersion"], "2025-11-25", "{version}");
    }
}

#[test]
fn the_newer_lifecycle_needs_no_handshake() {
    let mut server = Server::start(&["serve"]);
    let meta = modern("2026-07-28");
    let discovered = server.request("server/discover", json!({ "_meta": meta }));
    let result = &discovered["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].as_u64() > Some(0), "{result}");
    assert!(result["supportedVersions"].as_array().expect("a list").contains(&json!("2026-07-28")));
    let list = server.request("tools/list", json!({ "_meta": meta }));
    let result = &list["result"];
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")));
    assert!(result["ttlMs"].is_u64(), "{result}");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "context-engine");
    let arguments = json!({ "text": "one two" });
    let answer = server.request("tools/call", json!({ "name": "count_tokens", "arguments": arguments, "_meta": meta }));
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["structuredContent"]["total"], 2);
}

#[test]
fn legacy_results_have_nothing_of_the_newer_lifecycle() {
    let mut server = Server::mcp("2025-11-25");
    let result = server.request("tools/list", json!({}))["result"].clone();
    let members: Vec<&String> = result.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["tools"]);
    let result = server.call("count_tokens", json!({ "text": "x" }))["result"].clone();
    assert!(result.get("resultType").is_none() && result.get("_meta").is_none(), "{result}");
}

#[test]
fn a_client_may_probe_and_then_fall_back() {
    let mut server = Server::start(&["serve"]);
    let probe = server.request("server/discover", json!({ "_meta": modern("2026-07-28") }));
    assert!(probe.get("result").is_some(), "{probe}");
    assert_eq!(server.initialize("2025-06-18", "test")["result"]["protocolVersion"], "2025-06-18");
    server.assert_alive();
}

#[test]
fn an_unsupported_version_is_named_with_the_supported_ones() {
    let mut server = Server::start(&["serve"]);
    let answer = server.request("tools/list", json!({ "_meta": modern("2099-01-01") }));
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"]["requested"], "2099-01-01");
    assert!(answer["error"]["data"]["supported"].as_array().expect("a list").contains(&json!("2026-07-28")));
}

#[test]
fn the_newer_lifecycle_wants_its_metadata_on_every_request() {
    let mut server = Server::start(&["serve"]);
    assert!(server.request("tools/list", json!({ "_meta": modern("2026-07-28") })).get("result").is_some());
    assert_eq!(server.request("tools/list", json!({}))["error"]["code"], -32602);
    let version_only = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
    assert_eq!(server.request("tools/list", version_only)["error"]["code"], -32602);
    assert_eq!(server.request("ping", json!({ "_meta": modern("2026-07-28") }))["error"]["code"], -32601);
}

#[test]
fn requests_before_initialize_are_answered() {
    let mut server = Server::start(&["serve"]);
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    server.send(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    assert_eq!(server.request("ping", json!({}))["result"], json!({}));
    assert!(server.request("tools/list", json!({})).get("result").is_some());
}

#[test]
fn the_end_of_input_before_initialize_is_a_clean_exit() {
    assert!(pipe(&["serve"], b"").is_empty());
}

#[test]
fn a_final_line_needs_no_newline() {
    let answers = pipe(&["serve"], br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
    assert_eq!(answers, [json!({ "jsonrpc": "2.0", "id": 7, "result": {} })]);
}

#[test]
fn a_script_may_send_everything_at_once() {
    let mut input = String::new();
    input += r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    input += "\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
    input +=
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"count_tokens","arguments":{"text":"x"}}}"#;
    let answers = pipe(&["serve"], input.as_bytes());
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0]["id"], 1);
    // The first message had already been understood: its version knows no structured content.
    assert_eq!((&answers[1]["id"], answers[1]["result"].get("structuredContent")), (&json!(2), None));
}

#[test]
fn every_tool_is_listed_with_what_a_client_needs() {
    let mut server = Server::mcp("2025-11-25");
    let list = server.request("tools/list", json!({}));
    let tools = list["result"]["tools"].as_array().expect("a list");
    let names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    let expected: Vec<&str> = context_engine::tools::TOOLS.iter().map(|tool| tool.name()).collect();
    assert_eq!(names, expected);
    for tool in tools {
        assert!(tool["description"].as_str().is_some_and(|text| !text.is_empty()), "{tool}");
        assert_eq!((&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]), (&json!("object"), &json!("object")));
        assert!(tool["annotations"].is_object(), "{tool}");
        assert!(!tool.to_string().contains("\"uint"), "clients warn about formats that they do not know: {tool}");
    }
}

#[test]
fn the_list_costs_at_most_three_thousand_tokens() {
    let mut server = Server::mcp("2025-11-25");
    let list = server.request("tools/list", json!({}))["result"].to_string();
    let tokens = bpe_openai::o200k_base().count(list.as_str());
    assert!(tokens <= 3000, "tools/list has {tokens} tokens");
}

#[test]
fn clients_that_show_only_text_get_all_of_it_there() {
    for (version, client) in [("2024-11-05", "any"), ("2025-03-26", "any"), ("2025-06-18", "gemini-cli-mcp-client")] {
        let mut server = Server::start(&["serve"]);
        server.initialize(version, client);
        let list = server.request("tools/list", json!({}));
        assert!(list["result"]["tools"][0].get("outputSchema").is_none(), "{client}");
        let paths: Vec<String> = (0..300).map(|number| format!("file-{number}.txt")).collect();
        for path in &paths {
            std::fs::write(server.folder().join(path), "one two three").expect("written");
        }
        let result = server.call("count_tokens", json!({ "paths": paths }))["result"].clone();
        assert!(result.get("structuredContent").is_none(), "{client}");
        assert!(result["content"][0]["text"].as_str().expect("text").contains("file-299.txt"));
    }
}

#[test]
fn a_large_payload_is_in_the_structured_half_only() {
    let mut server = Server::mcp("2025-11-25");
    let paths: Vec<String> = (0..300).map(|number| format!("file-{number}.txt")).collect();
    for path in &paths {
        std::fs::write(server.folder().join(path), "one two three").expect("written");
    }
    let result = server.call("count_tokens", json!({ "paths": paths }))["result"].clone();
    assert_eq!(result["structuredContent"]["items"].as_array().map(Vec::len), Some(300));
    let text = result["content"][0]["text"].as_str().expect("text");
    assert!(text.len() < 1000 && text.contains("structuredContent"), "{text}");
}

#[test]
fn what_a_model_can_mend_is_a_result() {
    let mut server = Server::mcp("2025-11-25");
    let result = server.call("count_tokens", json!({ "txt": "x" }))["result"].clone();
    assert_eq!(result["isError"], true);
    assert!(result.get("structuredContent").is_none(), "it would break the output schema: {result}");
    insta::assert_snapshot!(result["content"][0]["text"].as_str().expect("text"), @r#"
    /txt (did you mean text?) is not a known field: expected one of text, paths, encoding, model, top
    Hint: accepted fields: text: string, paths: array, encoding: "cl100k_base"|"o200k_base"|"o200k_harmony"|"p50k_base"|"p50k_edit"|"r50k_base", model: string, top: integer
    "#);
}

#[test]
fn what_a_client_got_wrong_is_an_error_of_the_protocol() {
    let mut server = Server::mcp("2025-11-25");
    for (method, params, code) in [
        ("tools/call", json!({ "name": "no_such_tool" }), -32602),
        ("tools/call", json!({ "name": 5 }), -32602),
        ("tools/call", json!({}), -32602),
        ("tools/call", json!({ "name": "count_tokens", "arguments": "text" }), -32602),
        ("tools/call", json!({ "name": "count_tokens", "arguments": [1] }), -32602),
        ("tools/list", json!({ "cursor": "page-2" }), -32602),
        ("tools/list", json!({ "cursor": 2 }), -32602),
        ("initialize", json!({}), -32602),
        ("prompts/list", json!({ "cursor": "page-2" }), -32602),
        ("prompts/get", json!({ "name": "x" }), -32602),
        ("prompts/get", json!({ "name": 5 }), -32602),
        ("prompts/get", json!({ "name": "project-memory", "arguments": { "max_tokens": "none" } }), -32602),
        ("prompts/get", json!({ "name": "project-memory", "arguments": { "limit": "5" } }), -32602),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "a", "value": "b" } }),
            -32601,
        ),
        ("logging/setLevel", json!({ "level": "info" }), -32601),
        ("tasks/get", json!({ "taskId": "x" }), -32601),
        ("subscriptions/listen", json!({ "notifications": {} }), -32601),
        ("no/such/method", json!({}), -32601),
    ] {
        let answer = server.request(method, params.clone());
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
    }
    server.assert_alive();
}

#[test]
fn a_long_method_name_is_not_repeated() {
    let mut server = Server::mcp("2025-11-25");
    let answer = server.request(&"m".repeat(1 << 20), json!({}));
    assert_eq!(answer["error"]["code"], -32601);
    assert!(answer.to_string().len() < 400, "{} bytes", answer.to_string().len());
    let answer = server.call(&"t".repeat(1 << 20), json!({}));
    assert!(answer.to_string().len() < 2000, "{} bytes", answer.to_string().len());
}

#[test]
fn notifications_and_answers_that_mean_nothing_are_ignored() {
    let mut server = Server::mcp("2025-11-25");
    for message in [
        json!({ "jsonrpc": "2.0", "method": "notifications/no_such_thing", "params": { "a": [1] } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "never-sent" } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {} }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": "x" } }),
        json!({ "jsonrpc": "2.0", "id": 99, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 99, "error": { "code": 1, "message": "x" } }),
    ] {
        server.send(&message);
    }
    server.assert_alive();
}

#[test]
fn cancelling_an_answered_request_does_nothing() {
    let mut server = Server::mcp("2025-11-25");
    server.send(&json!({ "jsonrpc": "2.0", "id": 5, "method": "ping" }));
    server.answer(&json!(5));
    server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 5 } }));
    server.assert_alive();
}

#[test]
fn any_id_comes_back_as_it_was() {
    let mut server = Server::mcp("2025-11-25");
    for id in [
        json!(0),
        json!(-7),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("é\u{1F600}"),
        json!("1"),
        json!("x".repeat(5000)),
    ] {
        server.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }));
        assert_eq!(server.next()["id"], id);
    }
}

#[test]
fn two_requests_with_one_id_are_both_answered() {
    let mut server = Server::mcp("2025-11-25");
    let mut lines = String::new();
    for text in ["one", "one two"] {
        let params = json!({ "name": "count_tokens", "arguments": { "text": text } });
        lines += &format!("{}\n", json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
    }
    server.write(lines.as_bytes());
    let mut totals: Vec<i64> = (0..2)
        .map(|_| server.answer(&json!(1))["result"]["structuredContent"]["total"].as_i64().expect("a number"))
        .collect();
    totals.sort_unstable();
    assert_eq!(totals, [1, 2]);
}

#[test]
fn a_thousand_pipelined_requests_are_answered_once_each() {
    let mut server = Server::mcp("2025-11-25");
    let lines: String =
        (0..1000).map(|id| format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" }))).collect();
    server.write(lines.as_bytes());
    for id in 0..1000 {
        assert!(server.answer(&json!(id)).get("result").is_some());
    }
}

#[test]
fn the_rate_limit_says_when_to_try_again() {
    let settings = "security: { rate_limit: { requests_per_minute: 2 } }";
    let mut server = Server::start_with(&["serve"], settings);
    server.initialize("2025-11-25", "test");
    server.assert_alive();
    server.assert_alive();
    let result = server.call("count_tokens", json!({ "text": "x" }))["result"].clone();
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("more than 2 requests a minute") && text.contains("try again in"), "{text}");
    assert!(server.request("tools/list", json!({})).get("result").is_some(), "only calls are counted");
}

#[test]
fn the_same_list_is_given_twice() {
    let mut server = Server::mcp("2025-11-25");
    let first = server.request("tools/list", json!({}))["result"].clone();
    assert_eq!(server.request("tools/list", json!({}))["result"], first);
}

#[test]
fn batches_are_answered_as_batches_where_the_version_has_them() {
    let mut server = Server::mcp("2025-03-26");
    let params = json!({ "name": "count_tokens", "arguments": { "text": "x" } });
    server.send(&json!([
        { "jsonrpc": "2.0", "id": 1, "method": "ping" },
        { "jsonrpc": "2.0", "method": "notifications/no_such_thing" },
        { "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params },
        { "jsonrpc": "2.0", "id": 3 },
    ]));
    let answer = server.next();
    let answers = answer.as_array().expect("one array");
    assert_eq!(answers.len(), 3);
    for (id, member) in [(1, "result"), (2, "result"), (3, "error")] {
        let found = answers.iter().find(|answer| answer["id"] == id).expect("answered");
        assert!(found.get(member).is_some(), "{found}");
    }
    server.send(&json!([{ "jsonrpc": "2.0", "method": "notifications/no_such_thing" }]));
    server.send(&json!([7]));
    assert_eq!(server.next()[0]["error"]["code"], -32600);
    server.assert_alive();
}

#[test]
fn batches_are_refused_elsewhere() {
    let mut server = Server::mcp("2025-11-25");
    server.send(&json!([{ "jsonrpc": "2.0", "id": 1, "method": "ping" }]));
    let answer = server.next();
    assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32600), &Value::Null));
    server.assert_alive();
}
