//! Tables, HTML pages and Markdown documents: what stays, and in which form.

use context_engine::compress::{Fitted, Kind, detect};
use context_engine::tokens::Encoding;

use crate::compress_checks::{ENCODINGS, check, check_lossless};

fn orders(rows: usize) -> String {
    let mut text = "order,customer,state,total,note\r\n".to_owned();
    for n in 0..rows {
        let state = if n == 137 { "chargeback" } else { ["paid", "sent", "paid", "open"][n % 4] };
        let total = if n == 201 { "98211.40".to_owned() } else { format!("{}.{:02}", 20 + n * 7 % 60, n % 100) };
        let note = match n {
            55 => "\"left at the door,\r\nsays \"\"Ann\"\" (two lines)\"".to_owned(),
            _ => format!("\"parcel {}, shelf {}\"", n * 13 % 97, n % 9),
        };
        text += &format!("{},{},{state},{total},{note}\r\n", 1000 + n, ["Ann Lee", "Bob", "Cleo", "Dan"][n * 3 % 4]);
    }
    text
}

fn holds(fitted: &Fitted, parts: &[&str]) {
    for part in parts {
        assert!(fitted.text.contains(part), "{part:?} is missing in\n{}", fitted.text);
    }
}

#[test]
fn a_table_keeps_its_header_and_what_is_odd() {
    let text = orders(400);
    let detected = detect(&text);
    assert_eq!(detected.kind, Kind::Table);
    assert!(detected.confidence >= 70, "{detected:?}");
    for encoding in ENCODINGS {
        let fitted = check(&text, None, None, 500, encoding);
        holds(
            &fitted,
            &[
                "order,customer,state,total,note",
                "1137,",
                "chargeback",
                "1201,",
                "98211.40",
                "[whole table, 400 rows: ",
                "chargeback 1",
            ],
        );
        assert!(fitted.text.starts_with("order,customer"), "{}", fitted.text);
    }
    for budget in [0, 2, 9, 30, 60, 120, 2_000] {
        check(&text, None, None, budget, Encoding::O200kBase);
    }
}

#[test]
fn rows_are_whole() {
    let text = orders(400);
    for budget in [150, 400, 1_000, 3_000] {
        let fitted = check(&text, None, Some("order 1055 left at the door"), budget, Encoding::O200kBase);
        holds(&fitted, &["1055,", "\"left at the door,\nsays \"\"Ann\"\" (two lines)\""]);
        let known: Vec<String> = text.replace('\r', "").lines().map(str::to_owned).collect();
        for line in fitted.text.lines().filter(|line| !line.starts_with(['…', '['])) {
            assert!(known.iter().any(|row| row == line), "no whole row: {line:?}");
        }
    }
}

#[test]
fn tables_have_many_signs() {
    for (sign, quoted) in [("\t", "tab"), (";", "a \"b\"; c"), ("|", "bar")] {
        let rows: String = (0..120).map(|n| format!("{n}{sign}name {}{sign}{}{sign}x\n", n % 5, n * 17 % 40)).collect();
        let text = format!(
            "id{sign}name{sign}size{sign}by\n{rows}500{sign}\"{}\"{sign}7000{sign}y\n",
            quoted.replace('"', "\"\"")
        );
        assert_eq!(detect(&text).kind, Kind::Table, "{sign:?}");
        let fitted = check(&text, None, None, 200, Encoding::O200kBase);
        holds(&fitted, &[&format!("id{sign}name"), "7000"]);
    }
    // Without a header nothing is taken for one.
    let text: String = (0..200).map(|n| format!("{},{},{}\n", n, n * 7 % 11, n * 3)).collect();
    let fitted = check(&text, Some(Kind::Table), None, 120, Encoding::O200kBase);
    holds(&fitted, &["column 1 0..199"]);
}

fn page() -> String {
    let script = "window.analytics = window.analytics || []; if (a < b) { document.write(\"</p>\"); }\n".repeat(40);
    let rows: String = (0..12).map(|n| format!("<tr><td>plan {n}</td><td>{} &euro;</td></tr>\n", n * 9)).collect();
    let parts: String = (0..14)
        .map(|n| format!("<section>\n<h2>Chapter {n}: the {n}th &amp; best</h2>\n<p>In chapter {n} we describe how the machine number {n} is <b>cleaned</b>\n and stored. See <a href=\"/manual/{n}?a=1&amp;b=2\">the manual</a> for more &mdash; it is long.</p>\n<ul>\n<li>Use soap number {n}.</li>\n<li>Dry it for {} minutes.</li>\n</ul>\n</section>\n", n + 3))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html><head><title>The manual</title>\n<style>body {{ color: red; }}</style>\n<script>{script}</script></head>\n<body>\n<nav><ul><li><a href=\"/\">Home</a></li><li><a href=\"/shop\">Shop</a></li></ul></nav>\n<main><h1>Machines</h1>\n<p>All about machines.</p>\n{parts}<h2>Prices</h2>\n<table>\n<tr><th>plan</th><th>price</th></tr>\n{rows}</table>\n<pre><code>clean --machine 7\n  --soap 3 &gt; log</code></pre>\n</main>\n<footer>Imprint and cookies</footer>\n</body></html>\n"
    )
}

#[test]
fn a_page_becomes_text() {
    let text = page();
    let detected = detect(&text);
    assert_eq!((detected.kind, detected.confidence >= 90), (Kind::Html, true), "{detected:?}");
    let fitted = check(&text, None, None, 1_500, Encoding::O200kBase);
    holds(
        &fitted,
        &[
            "# The manual",
            "## Chapter 0: the 0th & best",
            "- Use soap number 0.",
            "[the manual](/manual/0?a=1&b=2)",
            "— it is long.",
            "| plan | price |",
            "| plan 3 | 27 € |",
            "clean --machine 7\n  --soap 3 > log",
        ],
    );
    for gone in ["<p>", "analytics", "color: red", "&amp;"] {
        assert!(!fitted.text.contains(gone), "{gone:?} is there in\n{}", fitted.text);
    }
    assert!(!fitted.cuts.is_empty(), "the scripts are cut, and that is told");
    for encoding in ENCODINGS {
        for budget in [0, 4, 15, 60, 200, 500] {
            check(&text, None, None, budget, encoding);
        }
    }
}

#[test]
fn a_page_answers_a_query_under_its_heading() {
    let fitted = check(&page(), None, Some("how is machine number 11 cleaned?"), 160, Encoding::O200kBase);
    holds(&fitted, &["## Chapter 11", "machine number 11 is cleaned"]);
    let fitted = check(&page(), None, Some("price of plan 7"), 120, Encoding::O200kBase);
    holds(&fitted, &["| plan | price |", "| plan 7 | 63 € |"]);
    // Navigation comes last.
    let fitted = check(&page(), None, None, 300, Encoding::O200kBase);
    assert!(!fitted.text.contains("Imprint") && !fitted.text.contains("Home"), "{}", fitted.text);
    // Without a budget nothing is lost.
    check_lossless(&page(), None);
}

fn guide() -> String {
    let parts: String = (0..12)
        .map(|n| {
            let steps: String = (0..5).map(|m| format!("### Step {n}.{m}\n\nIn step {n}.{m} the valve V{n}{m} is turned. Then it rests for a while, as the book says.\n\n")).collect();
            format!("## Part {n}\n\nPart {n} is about the pump P{n}. It is long and wide.\n\n{steps}")
        })
        .collect();
    format!(
        "# The guide\n\nThis guide explains the plant.\n\n{parts}## Code\n\nRun this:\n\n```rust\nfn main() {{\n    let pump = Pump::open(\"P7\");\n{}    pump.close();\n}}\n```\n\nThen look at the table.\n\n## Sizes\n\n| pump | litres |\n| --- | ---: |\n{}\nDone.\n",
        (0..40).map(|n| format!("    pump.turn({n}); // {n} degrees\n")).collect::<String>(),
        (0..30).map(|n| format!("| P{n} | {} |\n", n * 11)).collect::<String>()
    )
}

#[test]
fn paragraphs_keep_the_path_of_their_headings() {
    let text = guide();
    let detected = detect(&text);
    assert_eq!(detected.kind, Kind::Markdown, "{detected:?}");
    assert!(detected.confidence >= 60, "{detected:?}");
    for encoding in ENCODINGS {
        let fitted = check(&text, None, Some("when is valve V83 turned?"), 180, encoding);
        holds(&fitted, &["# The guide", "## Part 8\n", "### Step 8.3\n", "the valve V83 is turned."]);
    }
    let fitted = check(&text, None, Some("litres of P17"), 120, Encoding::O200kBase);
    holds(&fitted, &["## Sizes", "| pump | litres |\n| --- | ---: |\n", "| P17 | 187 |"]);
}

#[test]
fn fences_are_closed_and_say_what_is_cut_in_them() {
    let text = guide();
    for (query, budget) in [
        (Some("Pump::open P7"), 150),
        (Some("pump.turn 31 degrees"), 200),
        (Some("Pump::open P7"), 420),
        (None, 900),
        (None, 1_800),
    ] {
        let fitted = check(&text, None, query, budget, Encoding::O200kBase);
        let fences = fitted.text.lines().filter(|line| line.starts_with("```")).count();
        assert_eq!(fences % 2, 0, "{query:?} at {budget}\n{}", fitted.text);
        let code: Vec<&str> =
            fitted.text.lines().skip_while(|line| *line != "```rust").take_while(|line| *line != "```").collect();
        let turns = code.iter().filter(|line| line.contains("pump.turn")).count();
        let is_marked = code.iter().any(|line| line.starts_with('['));
        assert!(code.is_empty() || turns == 40 || is_marked, "{query:?} at {budget}\n{}", fitted.text);
    }
    for budget in [0, 3, 14, 50] {
        check(&text, None, None, budget, Encoding::Cl100kBase);
    }
}
