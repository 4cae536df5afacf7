use std::io::Cursor;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn lines(bytes: &[u8], bytes_max: usize) -> Vec<Line> {
    let mut reader = io::BufReader::with_capacity(7, Cursor::new(bytes));
    std::iter::from_fn(|| read_line(&mut reader, bytes_max).expect("memory can be read")).collect()
}

fn whole(text: &str) -> Line {
    Line::Whole(text.as_bytes().to_vec())
}

fn id(line: &str) -> Value {
    parse(whole(line)).expect("not blank").expect_err("flawed").id
}

#[test]
fn lines_end_at_newlines_and_at_the_end() {
    assert_eq!(lines(b"a\n\nbc", 10), [whole("a"), whole(""), whole("bc")]);
    assert_eq!(lines(b"1234\n", 4), [whole("1234")]);
    assert_eq!(lines(b"1234", 4), [whole("1234")]);
    assert!(lines(b"", 4).is_empty());
}

#[test]
fn a_long_line_keeps_its_ends_and_the_next_line() {
    let long = format!("{}\nnext", "x".repeat(200_000));
    let found = lines(long.as_bytes(), 100);
    let [Line::TooLong { head, tail, bytes }, next] = found.as_slice() else {
        panic!("not a long line and another: {} lines", found.len());
    };
    assert_eq!((head.len(), tail.len(), *bytes), (101, TAIL_BYTES, 200_000));
    assert_eq!(*next, whole("next"));
    assert!(matches!(lines(b"12345", 4).as_slice(), [Line::TooLong { bytes: 5, .. }]));
}

#[test]
fn the_id_is_found_in_what_is_broken() {
    assert_eq!(id(r#"{"id":1,"method":"#), json!(1));
    assert_eq!(id(r#"{"id" : "a\"b" , "method":"#), json!("a\"b"));
    assert_eq!(id(r#"{"params":{"id":2},"id":3,"#), json!(3));
    assert_eq!(id(r#"{"params":{"id":2},"x":"\"id\":4","#), Value::Null);
    assert_eq!(id(r#"{"text":"an "unescaped" quote","id":5}"#), json!(5));
    assert_eq!(id(r#"{"text":"an "unescaped quote","id":5,"jsonrpc":"2.0"}"#), json!(5));
    assert_eq!(id(r#"{"text":"an "unescaped quote","params":{"id":5}}"#), Value::Null);
    assert_eq!(id(r#"{"params":{"id":5}"#), Value::Null);
    assert_eq!(id(r#"{"id":"#), Value::Null);
    assert_eq!(id(r#"{"id":1"#), Value::Null, "it may go on");
    assert_eq!(id(r#"[{"id":1},"#), Value::Null);
}

#[test]
fn only_lone_surrogates_are_mended() {
    for (text, expected) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\uDE00x""#, "\u{fffd}x"),
        (r#""\ud83d\ude00""#, "\u{1F600}"),
        (r#""\ud83d\ud83d\ude00\ude00""#, "\u{fffd}\u{1F600}\u{fffd}"),
        (r#""\\ud83d\\\ud83d""#, "\\ud83d\\\u{fffd}"),
    ] {
        assert_eq!(parse(whole(text)), Some(Ok(json!(expected))), "{text}");
    }
}

proptest! {
    /// No line is lost, and none is longer than allowed, whatever comes.
    #[test]
    fn every_line_is_read(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n')], 0..300), max in 1..20_usize) {
        let mut expected: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        if expected.last() == Some(&&b""[..]) {
            expected.pop();
        }
        let found = lines(&bytes, max);
        prop_assert_eq!(found.len(), expected.len());
        for (line, expected) in found.iter().zip(expected) {
            match line {
                Line::Whole(line) => prop_assert_eq!(line.as_slice(), expected),
                Line::TooLong { bytes, .. } => {
                    prop_assert!(expected.len() > max);
                    prop_assert_eq!(*bytes, expected.len() as u64);
                }
            }
        }
    }

    /// Nothing panics, and whatever is read is a message or a flaw with an id that can be sent.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(Err(flaw)) = parse(Line::Whole(bytes)) {
            prop_assert!(matches!(flaw.id, Value::Null | Value::String(_) | Value::Number(_)));
        }
    }

    /// A request that was cut or changed anywhere is answered under its id or under none, as long
    /// as the change was not within the id.
    #[test]
    fn a_damaged_request_keeps_its_id(at in 11..80_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let line = r#"{"id":4711,"jsonrpc":"2.0","method":"tools/call","params":{"name":"x","arguments":{"id":1}}}"#;
        let mut bytes = line.as_bytes().to_vec();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let id = match parse(Line::Whole(bytes)).expect("not blank") {
            Ok(value) => value["id"].clone(),
            Err(flaw) => flaw.id,
        };
        prop_assert_eq!(id, json!(4711));
    }

    /// A string that JavaScript could write is read as the text that its UTF-16 units stand for.
    #[test]
    fn escapes_are_read_as_utf16(units in prop::collection::vec(prop_oneof![any::<u16>(), 0xD7F0..0xE010_u16], 0..40)) {
        let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let expected = String::from_utf16_lossy(&units);
        prop_assert_eq!(parse(Line::Whole(format!("\"{escaped}\"").into_bytes())), Some(Ok(Value::from(expected))));
    }
}
