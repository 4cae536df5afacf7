//! JSON: the row or member that a query asks for, values as they are read, and documents that are broken,
//! deep, or one giant string.

use context_engine::compress::{Fitted, Kind, Request, fit};
use context_engine::tokens::{Encoding, Measure};
use serde_json::{Value, json};

use crate::compress_checks::check;

const ENCODING: Encoding = Encoding::O200kBase;

fn fitted(text: &str, query: Option<&str>, max_tokens: usize) -> Fitted {
    let request =
        Request { kind: Some(Kind::Json), query, ..Request::new(text, Some(max_tokens), Measure::exact(ENCODING)) };
    let fitted = fit(&request).expect("fits");
    assert!(fitted.tokens_after <= max_tokens);
    fitted
}

/// Rows of a shop, in which many values of one column look like those of another.
fn orders(count: u64) -> Vec<Value> {
    let random = |seed: u64| seed.wrapping_mul(6_364_136_223_846_793_005).rotate_left(29) ^ seed;
    (0..count)
        .map(|index| {
            json!({
                "orderId": format!("ord_{:08x}", random(index) as u32),
                "customer_email": format!("{}.{}@example.org", ["ann", "bob", "cho"][index as usize % 3], index * 7),
                "lineNo": index + 1,
                "quantity": index % 50,
                "status": (["paid", "sent", "returned"][index as usize % 3]),
                "ship-to": {"city": (["Oslo", "Lima", "Pune"][index as usize % 3]), "zip": format!("{:05}", index * 13)},
                "note": format!("Left at door {} by courier {}, code {:x}", index, index % 9, random(index * 3 + 1)),
            })
        })
        .collect()
}

#[test]
fn the_row_that_a_query_asks_for_is_there() {
    let rows = orders(250);
    let forms: [(String, &str); 3] = [
        (serde_json::to_string(&rows).expect("JSON"), "compact"),
        (serde_json::to_string_pretty(&rows).expect("JSON"), "pretty"),
        (rows.iter().map(|row| format!("{row}\n")).collect(), "lines"),
    ];
    check(&forms[0].0, Some(Kind::Json), Some("lineNo 47"), 500, ENCODING);
    // Each question is asked of each row in one of the forms, and in each form of some row.
    let mut asked = 0;
    for index in [0_usize, 47, 148, 249] {
        let row = &rows[index];
        let [order, email, zip] = [&row["orderId"], &row["customer_email"], &row["ship-to"]["zip"]]
            .map(|value| value.as_str().expect("a string"));
        let line = &row["lineNo"];
        for query in [
            format!("What is the note of the record with lineNo {line}?"),
            format!("note where line_no={line}"),
            format!("Which note belongs to line no. {line}, please?"),
            format!("What happened to {order}?"),
            format!("What is the status of order id \"{order}\"?"),
            email.to_owned(),
            format!("Who took the order of customer email {email}?"),
            format!("Show me the order that went to zip {zip}."),
        ] {
            let (text, form) = &forms[asked % forms.len()];
            asked += 1;
            let out = fitted(text, Some(&query), 500).text;
            let note = row["note"].as_str().expect("a string");
            assert!(out.contains(note), "{form}, {query}: no {note} in\n{out}");
        }
    }
}

#[test]
fn a_long_row_that_answers_is_kept_whole() {
    let mut rows = orders(200);
    let told: String = (0..150).map(|word| format!("word{word} ")).collect();
    rows[120]["note"] = told.clone().into();
    let text = serde_json::to_string(&rows).expect("JSON");
    let out = fitted(&text, Some("What is the note of lineNo 121?"), 700).text;
    assert!(out.contains(&told), "{out}");
}

#[test]
fn rare_rows_come_before_others() {
    let mut rows = orders(400);
    rows[333]["status"] = "chargeback".into();
    let text = serde_json::to_string(&rows).expect("JSON");
    let out = fitted(&text, None, 600).text;
    assert!(out.contains("chargeback"), "{out}");
}

#[test]
fn bars_in_values_are_no_borders() {
    let rows: Vec<Value> = (0..60).map(|index| json!({"id": index, "path|s": format!("a|b{index}|~")})).collect();
    let text = serde_json::to_string(&rows).expect("JSON");
    let out = fitted(&text, Some("id 31"), 200).text;
    assert!(out.contains("\ta|b31|~\n"), "{out}");
}

fn events() -> Value {
    let event = |index: usize| {
        json!({
            "event": format!("push.{index}"),
            "payload": {
                "before": format!("{:040x}", index * 7919),
                "after": format!("{:040x}", index * 104_729),
                "commits": (0..3).map(|commit| json!({
                    "id": format!("{:08x}", index * 1000 + commit * 17 + 3),
                    "message": format!("Change {commit} of \"push\" {index}\n\nSee C:\\temp\\{index}"),
                    "author": {"name": format!("Author {}", index * 3 + commit), "email": null, "url": "https://example.org/a"},
                })).collect::<Vec<_>>(),
                "created_at": 1_700_000_000 + index * 61,
            },
        })
    };
    Value::Array((1..60).map(event).collect())
}

#[test]
fn the_member_that_a_query_asks_for_is_there() {
    let events = events();
    let text = serde_json::to_string_pretty(&events).expect("JSON");
    for index in [0, 13, 37, 58] {
        let event = &events[index];
        let name = event["event"].as_str().expect("a string");
        for (what, value) in [
            ("after", &event["payload"]["after"]),
            ("before", &event["payload"]["before"]),
            ("payload.created_at", &event["payload"]["created_at"]),
            ("createdAt", &event["payload"]["created_at"]),
            ("commits[2].id", &event["payload"]["commits"][2]["id"]),
            ("commits[1].author.name", &event["payload"]["commits"][1]["author"]["name"]),
        ] {
            let query = format!("What is {what} in the {name} event?");
            let out = fitted(&text, Some(&query), 400).text;
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            assert!(out.contains(&value), "{query}: no {value} in\n{out}");
        }
    }
}

#[test]
fn an_outline_says_that_it_is_no_json_and_writes_strings_as_they_are_read() {
    let text = serde_json::to_string_pretty(&events()).expect("JSON");
    let fitted = fitted(&text, Some("commits of push.20"), 500);
    assert!(fitted.text.starts_with("[not JSON any more: an outline"), "{}", fitted.text);
    assert!(fitted.text.contains("\"push\" 20\n\nSee C:\\temp\\20\"\"\""), "{}", fitted.text);
    assert!(!fitted.text.contains("\\n") && fitted.text.contains('…'), "{}", fitted.text);
}

#[test]
fn broken_documents_are_cut_as_text() {
    let whole = serde_json::to_string_pretty(&events()).expect("JSON");
    let rows: String = orders(200).iter().map(|row| format!("{row}\n")).collect();
    for text in [whole.as_str(), rows.as_str()] {
        for part in [7, 3, 2] {
            let broken = &text[..text.len() / part * (part - 1) - 5];
            for kind in [None, Some(Kind::Json)] {
                for budget in [0, 1, 10, 60, 800] {
                    check(broken, kind, None, budget, ENCODING);
                }
            }
        }
    }
}

#[test]
fn mixed_encodings_are_text_all_the_same() {
    let mut bytes = serde_json::to_vec(&events()).expect("JSON");
    for at in (50..bytes.len()).step_by(997) {
        bytes[at] = [0xff, 0xc3, 0x80, 0x00][at % 4];
    }
    let latin = String::from_utf8_lossy(&bytes).into_owned();
    let marked = format!("\u{feff}{}", serde_json::to_string(&events()).expect("JSON"));
    let surrogates = format!("[{}]", vec![r#"{"a":"\ud83d\ude00 \ud800 é \u0000","b":"日本語 \/"}"#; 90].join(","));
    for text in [latin, marked, surrogates] {
        for budget in [0, 5, 40, 300] {
            check(&text, None, None, budget, ENCODING);
            check(&text, Some(Kind::Json), Some("日本語"), budget, ENCODING);
        }
    }
}

#[test]
fn deep_documents_do_not_overflow_the_stack() {
    for text in [
        "[".repeat(100_000),
        format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)),
        format!("{}\"x\"{}", "[{\"a\":".repeat(60), "}]".repeat(60)),
    ] {
        for budget in [1, 30, 200] {
            check(&text, Some(Kind::Json), None, budget, ENCODING);
        }
        check(&text, None, Some("a"), 50, ENCODING);
    }
}

#[test]
fn one_giant_string_is_cut_within() {
    let words: String = (0..60_000).map(|word| format!("word{word} \\\"q\\\"\\n")).collect();
    let text = format!("{{\"id\":7,\"body\":\"{words}\",\"last\":\"end\"}}");
    let request = Request { kind: Some(Kind::Json), ..Request::new(&text, Some(500), Measure::exact(ENCODING)) };
    let out = fit(&request).expect("fits");
    assert!(out.tokens_after <= 500 && out.tokens_after > 300, "{}", out.tokens_after);
    assert!(
        out.text.contains("id=7") && out.text.contains("last=end") && out.text.contains("word0 \"q\"\n"),
        "{}",
        out.text
    );
}
