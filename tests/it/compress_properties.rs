//! What must hold for every kind of text, whatever the text is.

use context_engine::base::{Handle, content_hash};
use context_engine::compress::original::{What, part};
use context_engine::compress::{COMPRESSORS, Fitted, Kind, Level, Levels, Request, expand, fit};
use context_engine::tokens::{Budget, Encoding, Measure};
use proptest::prelude::*;
use serde_json::Value;

const MEASURES: [Measure; 3] = [
    Measure::exact(Encoding::O200kBase),
    Measure::exact(Encoding::Cl100kBase),
    Measure::estimate(Encoding::O200kBase, 165),
];

const BUDGETS: [usize; 9] = [0, 1, 2, 5, 10, 20, 40, 100, 400];

fn handle(text: &str) -> Handle {
    Handle::of_hash(&content_hash(text.as_bytes()), 8)
}

fn fitted(text: &str, kind: Option<Kind>, max_tokens: usize, measure: Measure, query: Option<&str>) -> Fitted {
    let handle = handle(text);
    let request = Request { query, kind, handle: Some(&handle), ..Request::new(text, Some(max_tokens), measure) };
    fit(&request).expect("truncating always fits")
}

/// Everything that must hold for one text at one budget.
fn check(text: &str, kind: Kind, max_tokens: usize, measure: Measure, query: Option<&str>) {
    let first = fitted(text, Some(kind), max_tokens, measure, query);
    let told =
        format!("{kind:?} at {max_tokens} of {measure:?}, query {query:?}\n--- in\n{text}\n--- out\n{}", first.text);
    assert_eq!(measure.count(&first.text), first.tokens_after, "the count told is the count: {told}");
    assert!(first.tokens_after <= max_tokens, "over the budget: {told}");
    assert_eq!(measure.count(text), first.tokens_before, "{told}");
    assert_eq!(first, fitted(text, Some(kind), max_tokens, measure, query), "the same input, the same bytes: {told}");
    let second = fitted(&first.text, Some(kind), max_tokens, measure, query);
    assert_eq!(second.text, first.text, "a result fits as it is: {told}");
    if first.tokens_before <= max_tokens {
        assert_eq!((first.text.as_str(), first.level), (text, Level::None), "{told}");
    }
    let lossy = first.level >= Level::Summarize;
    assert!(lossy || first.cuts.is_empty(), "a lossless level cuts nothing: {told}");
    if lossy {
        assert!(!first.cuts.is_empty(), "what is cut is told: {told}");
    }
    let cut: usize = first.cuts.iter().map(|cut| cut.tokens).sum();
    assert!(cut <= first.tokens_before.max(measure.count(text.trim_end())) + first.cuts.len(), "{told}");
    let lines = text.split_inclusive('\n').count().max(1);
    let mut last = 0;
    for cut in &first.cuts {
        assert!(cut.from_line >= last && cut.from_line <= cut.to_line && cut.to_line <= lines, "{cut:?}: {told}");
        last = cut.from_line;
    }
}

fn any_kind() -> impl Strategy<Value = Kind> {
    (0..COMPRESSORS.len()).prop_map(|index| COMPRESSORS[index].kind())
}

fn any_measure() -> impl Strategy<Value = Measure> {
    (0..MEASURES.len()).prop_map(|index| MEASURES[index])
}

fn any_budget() -> impl Strategy<Value = usize> {
    prop_oneof![(0..BUDGETS.len()).prop_map(|index| BUDGETS[index]), 0..300_usize]
}

/// Lines of every kind thrown together, so that no compressor meets only what it expects.
fn any_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[ -~]{0,60}",
        "\\PC{0,30}",
        "(fn|def|class|impl) [a-z_]{1,8}(\\(\\))?[ ]?[{:]",
        "[ ]{0,8}[}\\]){(\\[]{1,3},?",
        "\"[a-z]{1,6}\": [0-9]{1,4},",
        "2026-0[1-9]-1[0-9] 12:00:0[0-9] (INFO|ERROR) request [0-9]{3,6} took [0-9]{1,3}ms",
        "test [a-z]{1,8} \\.\\.\\. (ok|FAILED)",
        "[a-z]{1,5}\\.rs:[0-9]{1,3}:  let [a-z]{1,6} = 1;",
        "[+@ -]{1,2}[a-z =]{0,30}",
        "(### )?[A-Z][a-z ,]{5,60}\\. [A-Z][a-z ]{5,60}[.!?]",
        "<[a-z]{1,6}>[a-z ]{0,20}</[a-z]{1,6}>",
        "[日本語中文😀👩‍👩‍👧é\u{1b}\\[31m ]{0,20}",
        Just("same line again and again".to_owned()),
        Just(String::new()),
    ];
    (prop::collection::vec((line, 1..4_usize), 0..40), "(\n|\r\n|\n\n)", any::<bool>()).prop_map(
        |(lines, end, ends)| {
            let lines: Vec<String> = lines.into_iter().flat_map(|(line, count)| vec![line; count]).collect();
            let text = lines.join(&end);
            if ends { text + &end } else { text }
        },
    )
}

/// Lines no two neighbours of which are equal, without codes and trailing blanks: nothing is changed
/// but by cutting.
fn any_plain_lines() -> impl Strategy<Value = String> {
    (any_text(), 0..3_usize).prop_map(|(text, code)| {
        let plain = text.replace(['\u{1b}', '\r'], "");
        let mut lines: Vec<String> = plain.lines().map(|line| line.trim_end().to_owned()).collect();
        for (index, line) in lines.iter_mut().enumerate().filter(|(index, _)| index % 2 == 0) {
            line.push_str(&format!("x{index}"));
        }
        if code > 0 {
            let block =
                |index: usize| format!("fn f{index}() -> u32 {{\n    let x{index} = 1;\n    x{index} + {index}\n}}\n");
            return (0..code * 4).map(block).collect::<String>();
        }
        lines.join("\n")
    })
}

/// Asserts that the text comes back when each mark is replaced by the lines it names.
fn check_marks(text: &str, kind: Kind, max_tokens: usize, query: Option<&str>) {
    let fitted = fitted(text, Some(kind), max_tokens, MEASURES[0], query);
    let is_partial = fitted.cuts.iter().any(|cut| cut.partial);
    // A log says how many lines are alike, JSON and HTML are written anew, and where only a few lines are
    // missing logs, test output, diffs, tables and conversations hint at it.
    const HINTING: &[Kind] =
        &[Kind::Log, Kind::Test, Kind::Json, Kind::Search, Kind::Diff, Kind::Dialog, Kind::Table, Kind::Html];
    if fitted.text.is_empty()
        || is_partial
        || HINTING.contains(&kind)
        || fitted.text.trim_end().ends_with('…')
        || fitted.text.contains("/*…*/")
        || fitted.text.contains("//…")
        // Heads whose body is a semicolon, as the first mark says.
        || fitted.text.contains("; body cut: ;")
    {
        return;
    }
    let mark =
        regex::Regex::new(r"\[(?:lines? |…)(\d+)(?:-(\d+))?(?: cut, [\d,]+ tokens, ctx:\w+)?\]").expect("a pattern");
    let lines: Vec<&str> = text.lines().collect();
    let mut named = Vec::new();
    let mut back: Vec<String> = Vec::new();
    for line in fitted.text.lines() {
        let Some(found) = mark.captures(line) else {
            back.push(line.to_owned());
            continue;
        };
        // The head of a definition stands before the mark for its body.
        let before = &line[..found.get(0).map_or(0, |whole| whole.start())];
        if let Some((head, _)) = before.split_once("/*").or_else(|| before.split_once(" ... "))
            && kind == Kind::Code
            && !head.trim().is_empty()
        {
            back.push(head.to_owned());
        }
        let from: usize = found[1].parse().expect("a number");
        let to: usize = found.get(2).map_or(from, |to| to.as_str().parse().expect("a number"));
        named.push((from, to));
        let what = What::Lines { from, to, skip_bytes: 0 };
        let all = Budget { tokens: usize::MAX, measure: MEASURES[0] };
        let got = part(text.as_bytes(), &what, all).expect("the lines are there");
        back.extend(got.text.lines().map(str::to_owned));
    }
    let cuts: Vec<(usize, usize)> = fitted.cuts.iter().map(|cut| (cut.from_line, cut.to_line)).collect();
    assert_eq!(named, cuts, "{kind:?} at {max_tokens}\n{text}\n---\n{}", fitted.text);
    let told = format!("{kind:?} at {max_tokens}\n--- in\n{text}\n--- out\n{}", fitted.text);
    assert_eq!(back, lines, "{told}");
}

fn any_query() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("which request failed?")), Just(Some("again 1234 fn")), Just(Some("?"))]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        "[a-z ]{0,12}|\\PC{0,12}|[\"\\\\|…\n]{0,6}".prop_map(Value::String),
        "[a-z\"\\\\😀\n]{900,1200}".prop_map(Value::String),
    ];
    let row = (any::<u8>(), "[a-z]{3,8}|[|5\"]{1,2}", any::<bool>()).prop_map(|(id, name, more)| {
        let mut row = serde_json::json!({"id": id, "name": name, "kind": "same"});
        if more {
            row["more"] = Value::Null;
        }
        row
    });
    let nested = leaf.prop_recursive(5, 60, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::Array),
            prop::collection::vec(("[a-z_]{1,8}|…|[\"\\\\é]", inner), 0..12)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop_oneof![3 => nested, 1 => prop::collection::vec(row, 0..40).prop_map(Value::Array)]
}

/// Asserts that what was made of JSON is JSON, or says that it is not.
fn check_json(text: &str, is_lines: bool, max_tokens: usize, query: Option<&str>) {
    check(text, Kind::Json, max_tokens, MEASURES[0], query);
    let out = fitted(text, Some(Kind::Json), max_tokens, MEASURES[0], query).text;
    let parses = if is_lines && serde_json::from_str::<Value>(&out).is_err() {
        out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
    } else {
        out.is_empty() || serde_json::from_str::<Value>(&out).is_ok()
    };
    assert!(parses || out.starts_with("[not JSON any more"), "at {max_tokens}\n--- in\n{text}\n--- out\n{out}");
}

/// Fits without a budget, and asserts that what is said to be reversible is.
fn check_lossless(text: &str, kind: Kind) -> Fitted {
    let request = Request { kind: Some(kind), ..Request::new(text, None, MEASURES[0]) };
    let fitted = fit(&request).expect("nothing has to fit");
    let told = format!("{kind:?}\n--- in\n{text}\n--- out\n{}", fitted.text);
    assert!(fitted.level <= Level::Structure && fitted.cuts.is_empty(), "nothing is cut: {told}");
    assert!(fitted.tokens_after <= fitted.tokens_before, "no longer than before: {told}");
    let back = expand(&fitted.text, kind, fitted.level);
    assert_eq!(back.as_deref() == Some(text), fitted.reversible, "{told}\n--- back\n{back:?}");
    fitted
}

/// Rows as a program writes them: one style of blanks, members in one order, some of them missing.
fn any_rows() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "-?[1-9][0-9]{0,30}(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
        "[ -~]{0,12}|\\PC{0,6}|[|~\"\\\\ 5=]{0,4}".prop_map(|text| Value::from(text).to_string()),
        prop_oneof![Just("null"), Just("true"), Just("[1, 2]"), Just("{\"|\":\"|\"}"), Just("\"\\u00e9\"")]
            .prop_map(str::to_owned),
    ];
    let row = prop::collection::vec((prop::option::weighted(0.9, value), any::<bool>()), 3);
    (prop::collection::vec(row, 4..20), 0..4_usize).prop_map(|(rows, style)| {
        let (head, open, colon, comma, close, between, tail) = [
            ("[", "", ":", ",", "", ",", "]"),
            ("[", "", ": ", ", ", "", ", ", "]\n"),
            ("[\n  ", "\n    ", ": ", ",\n    ", "\n  ", ",\n  ", "\n]"),
            ("", "", ": ", ",", "", "\n", "\n"),
        ][style];
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| {
                let members: Vec<String> = ["id", "a name", "kind"]
                    .iter()
                    .zip(row)
                    // The first member is always there, so that the order of the others is seen at once.
                    .enumerate()
                    .filter_map(|(place, (name, (value, same)))| {
                        let value = if same { Some("\"same\"".to_owned()) } else { value };
                        let value = if place == 0 { value.or(Some("0".to_owned())) } else { value };
                        Some(format!("\"{name}\"{colon}{}", value?))
                    })
                    .collect();
                format!("{{{open}{}{close}}}", members.join(comma))
            })
            .collect();
        format!("{head}{}{tail}", rows.join(between))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_keeps_its_promises(
        text in any_text(), kind in any_kind(), budget in any_budget(), measure in any_measure(), query in any_query(),
    ) {
        check(&text, kind, budget, measure, query);
    }

    #[test]
    fn any_unicode_is_met_without_panic(text in "\\PC{0,200}|[\\s\\S]{0,200}", kind in any_kind(), budget in 0..60_usize) {
        check(&text, kind, budget, MEASURES[0], None);
    }

    #[test]
    fn json_stays_json_or_says_that_it_is_not(
        value in any_json(), pretty in any::<bool>(), budget in any_budget(), query in any_query(),
    ) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        check_json(&text.expect("JSON"), false, budget, query);
    }

    #[test]
    fn json_lines_stay_json_lines(values in prop::collection::vec(any_json(), 2..12), budget in any_budget()) {
        let text: String = values.iter().map(|value| format!("{value}\n")).collect();
        check_json(&text, true, budget, None);
    }

    #[test]
    fn what_is_said_to_be_reversible_is(text in any_text(), kind in any_kind()) {
        check_lossless(&text, kind);
    }

    #[test]
    fn json_is_reversible_or_said_not_to_be(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        check_lossless(&text.expect("JSON"), Kind::Json);
    }

    #[test]
    fn rows_come_back_byte_for_byte(text in any_rows()) {
        // The members of the second and third column may come in an order that only later rows tell.
        let first = text.split('}').next().unwrap_or_default();
        let in_order = first.contains("a name") && first.contains("kind");
        let fitted = check_lossless(&text, Kind::Json);
        assert!(fitted.reversible || !in_order || !fitted.text.starts_with('['), "{text}\n---\n{}", fitted.text);
    }

    #[test]
    fn hits_come_back_byte_for_byte(
        hits in prop::collection::vec(("[a-c]{1,2}/[a-z]{1,3}\\.rs", 1..9_u32, 1..9999_u32, "[:-]", "[ -~]{0,20}[!-~]"), 1..30),
    ) {
        let text: String = hits
            .iter()
            .flat_map(|(path, count, line, sign, text)| {
                (0..*count).map(move |more| format!("{path}{sign}{}{sign}{text}\n", line + more))
            })
            .collect();
        assert!(check_lossless(&text, Kind::Search).reversible, "{text}");
    }

    #[test]
    fn marks_name_the_lines_that_are_missing(
        text in any_plain_lines(), kind in any_kind(), budget in any_budget(), query in any_query(),
    ) {
        check_marks(&text, kind, budget, query);
    }
}

#[test]
fn every_kind_holds_every_small_budget() {
    let giant = "x".repeat(3_000);
    let texts = [
        "",
        "\n\n\n\n\n\n\n\n",
        giant.as_str(),
        &"a line that is repeated\r\n".repeat(50),
        &"👩‍👩‍👧‍👦 日本語の文章です。".repeat(30),
        &"word ".repeat(500),
        &format!("[{}]", "{\"id\": 1, \"name\": \"x\"},".repeat(40).trim_end_matches(',')),
        &"fn run(value: u32) -> u32 {\n    let x = value + 1;\n    x * 2\n}\n\n".repeat(20),
    ];
    for compressor in COMPRESSORS {
        for text in texts {
            for budget in BUDGETS {
                check(text, compressor.kind(), budget, MEASURES[0], None);
            }
        }
    }
}

#[test]
fn levels_that_cannot_fit_say_what_is_needed() {
    let text = "Some words that are not repeated anywhere, in a sentence of their own. ".repeat(20);
    let request = Request { levels: Levels::LOSSLESS, ..Request::new(&text, Some(20), MEASURES[0]) };
    let error = fit(&request).expect_err("nothing can be left out");
    assert!(error.needed > 20 && error.needed <= MEASURES[0].count(&text), "{error}");
}
