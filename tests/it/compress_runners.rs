//! Real runs of test runners and compilers, shortened by some of their passes and warnings: each failure keeps
//! its name, what was wrong and where.

use std::fs;
use std::path::Path;

use context_engine::compress::{Kind, detect};
use context_engine::tokens::Encoding;

use crate::compress_checks::{ENCODINGS, check};

/// What a run told, and in how much of its tokens all of it has room.
struct Run {
    file: &'static str,
    percent: usize,
    /// Name, message and place of each failure.
    failures: &'static [[&'static str; 3]],
}

/// Of the run that pytest reports at length, and in short tracebacks.
const PYTEST: &[[&str; 3]] = &[
    ["test_rounds_to_cents", "0.3", "test_cart.py:14"],
    ["test_orders_are_equal", "'b-2'", "test_cart.py:19"],
    ["test_deeply", "Invoice 8", "test_cart.py:24"],
    ["test_guests_have_a_label", "KeyError: 'customer'", "cart.py:10"],
    ["test_reserving_what_is_not_there", "no stock of a-1", "cart.py:17"],
    ["test_parses[x-0]", "invalid literal", "test_cart.py:38"],
    ["test_parses[4-5]", "4 == 5", "test_cart.py:38"],
    ["test_with_a_store", "store is closed", "test_cart.py:43"],
    ["test_never_answers", "Timeout", "test_cart.py:52"],
    ["test_raises", "DID NOT RAISE", "test_cart.py:56"],
    ["tests/test_broken.py", "No module named 'shop.gone'", "test_broken.py:1"],
    ["tests/test_syntax.py", "SyntaxError", "line 1"],
];

const RUNS: &[Run] = &[
    Run {
        file: "jest.txt",
        percent: 10,
        failures: &[
            ["cart › totals › rounds to cents", "0.30000000000000004", "cart.test.js:155"],
            ["cart › totals › gives objects", "b-2", "cart.test.js:158"],
            ["copes with guests", "Cannot read properties of undefined", "cart.js:5"],
            ["never answers", "Exceeded timeout of 200 ms", "cart.test.js:168"],
            ["matches the invoice", "Total: 41", "cart.test.js:172"],
            ["rejects with a cause", "store is closed", "cart.test.js:175"],
            ["parses {}", "no id in {}", "cart.js:9"],
            ["parses {\"id\": 0}", "no id in", "cart.js:9"],
            ["broken.test.js", "Unexpected token", "(5:12)"],
            ["missing.test.js", "Cannot find module", "missing.test.js:1"],
        ],
    },
    Run {
        file: "vitest.txt",
        percent: 25,
        failures: &[
            ["rounds to cents", "0.30000000000000004", "cart.test.mjs:156"],
            ["gives objects", "b-2", "cart.test.mjs:159"],
            ["never answers", "timed out in 200ms", "cart.test.mjs:169"],
            ["matches the invoice", "Total: 41", "cart.test.mjs:173"],
            ["rejects with a cause", "store is closed", "cart.test.mjs:176"],
            ["broken.test.mjs", "Unexpected token", "broken.test.mjs:6"],
            ["missing.test.mjs", "Cannot find module", "missing.test.mjs"],
        ],
    },
    Run {
        file: "mocha.txt",
        percent: 50,
        failures: &[
            ["rounds to cents", "0.30000000000000004", "cart.js:205"],
            ["compares orders", "deep-equal", "cart.js:208"],
            ["copes with guests", "Cannot read properties of undefined", "cart.js:214"],
            ["never answers", "Timeout of 100ms", "cart.js"],
            ["opens the store", "store is closed", "cart.js:219"],
        ],
    },
    Run {
        file: "node_spec.txt",
        percent: 25,
        failures: &[
            ["rounds to cents", "0.30000000000000004", "cart.test.js:156"],
            ["compares orders", "'c'", "cart.test.js:159"],
            ["copes with guests", "Cannot read properties of undefined", "cart.test.js:165"],
            ["never answers", "timed out after 100ms", "cart.test.js:167"],
            ["inner two", "shelf 9 is out of range", "cart.test.js:173"],
            ["reads a bad id", "order-x", "parse.test.js:154"],
            ["broken.test.js", "SyntaxError", "broken.test.js:1"],
        ],
    },
    Run { file: "pytest.txt", percent: 50, failures: PYTEST },
    Run { file: "pytest_short.txt", percent: 50, failures: PYTEST },
    Run {
        file: "unittest.txt",
        percent: 25,
        failures: &[
            ["test_rounds", "0.30000000000000004", "line 607"],
            ["test_lists", "the lists differ", "line 610"],
            ["test_guest", "KeyError: 'customer'", "line 10"],
            ["n=1", "False is not true", "line 618"],
            ["n=3", "False is not true", "line 618"],
            ["test_reserve", "no stock of a-1", "line 17"],
            ["BrokenSetUp", "store is closed", "line 627"],
        ],
    },
    Run {
        file: "cargo_test.txt",
        percent: 50,
        failures: &[
            ["rounds_to_cents", "three at three is not ten", "lib.rs:618"],
            ["long_values_differ", "left: [0, 1", "lib.rs:624"],
            ["indexes_out_of_bounds", "index out of bounds", "lib.rs:632"],
            ["panics_when_empty", "another reason", "lib.rs:643"],
            ["does_not_panic", "did not panic", "does_not_panic"],
            ["gives_an_error", "store is closed", "gives_an_error"],
            ["parse (line 5)", "left: 7", "lib.rs:6"],
        ],
    },
    Run {
        file: "cargo_check.txt",
        percent: 25,
        failures: &[
            ["E0425", "missing_name", "main.rs:53"],
            ["E0046", "name", "main.rs:"],
            ["E0560", "paid", "main.rs:"],
            ["E0308", "expected `u32`, found `usize`", "main.rs:43"],
            ["E0106", "lifetime", "main.rs:48"],
            ["E0061", "argument", "main.rs:"],
            ["E0599", "customer", "main.rs:"],
        ],
    },
    Run {
        file: "go.txt",
        percent: 25,
        failures: &[
            ["TestRounds", "Total() = 3, want 4", "cart_test.go:"],
            ["TestTable/one_item", "want 1", "cart_test.go:"],
            ["TestTable/two", "want 3", "cart_test.go:"],
            ["TestGuestLabel", "nil pointer dereference", "cart.go:14"],
            ["TestNeverAnswers", "test timed out after 3s", "s_test.go:9"],
            ["broken", "cannot use n", "broken/b.go:6"],
            ["broken", "undefined: missing", "broken/b.go:9"],
            ["broken", "imported and not used", "broken/b.go:3"],
        ],
    },
    Run {
        file: "tsc.txt",
        percent: 25,
        failures: &[
            ["src/m0.ts", "undefinedName0", "m0.ts:6:"],
            ["src/m1.ts", "undefinedName1", "m1.ts:6:"],
            ["src/m2.ts", "undefinedName2", "m2.ts:6:"],
            ["src/m3.ts", "undefinedName3", "m3.ts:6:"],
            ["src/m4.ts", "undefinedName4", "m4.ts:6:"],
            ["src/m5.ts", "undefinedName5", "m5.ts:6:"],
            ["src/m0.ts", "./gone0", "m0.ts:8:"],
            ["src/m1.ts", "./gone1", "m1.ts:8:"],
            ["src/m2.ts", "./gone2", "m2.ts:8:"],
            ["src/m3.ts", "./gone3", "m3.ts:8:"],
            ["src/m4.ts", "./gone4", "m4.ts:8:"],
            ["src/m5.ts", "./gone5", "m5.ts:8:"],
            ["src/m0.ts", "'number' is not assignable to type 'string'", "m0.ts:3:"],
            ["src/m1.ts", "'number' is not assignable to type 'string'", "m1.ts:3:"],
            ["src/m2.ts", "'number' is not assignable to type 'string'", "m2.ts:3:"],
            ["src/m3.ts", "'number' is not assignable to type 'string'", "m3.ts:3:"],
            ["src/m4.ts", "'number' is not assignable to type 'string'", "m4.ts:3:"],
            ["src/m5.ts", "'number' is not assignable to type 'string'", "m5.ts:3:"],
        ],
    },
    Run {
        file: "javac.txt",
        percent: 10,
        failures: &[
            ["Bad.java:13", "incompatible types", "error"],
            ["Bad.java:14", "missing", "cannot find symbol"],
            ["Bad.java:15", "Absent", "cannot find symbol"],
        ],
    },
    Run {
        file: "junit.xml",
        percent: 50,
        failures: &[
            ["test_rounds_to_cents", "0.3", "test_cart.py:14"],
            ["test_orders_are_equal", "'b-2'", "test_cart.py:19"],
            ["test_deeply", "Invoice 8", "test_cart.py:24"],
            ["test_guests_have_a_label", "KeyError: 'customer'", "cart.py:10"],
            ["test_reserving_what_is_not_there", "no stock of a-1", "cart.py:17"],
            ["test_parses[x-0]", "invalid literal", "test_cart.py:38"],
            ["test_parses[4-5]", "4 == 5", "test_cart.py:38"],
            ["test_with_a_store", "store is closed", "test_cart.py:43"],
            ["test_never_answers", "Timeout", "test_cart.py:52"],
            ["test_raises", "DID NOT RAISE", "test_cart.py:56"],
            ["tests/test_broken.py", "No module named 'shop.gone'", "test_broken.py:1"],
            ["tests/test_syntax.py", "SyntaxError", "line 1"],
        ],
    },
    Run {
        file: "make.txt",
        percent: 25,
        failures: &[
            ["cart.c:34", "no member named ‘count’", "error"],
            ["cart.c:35", "expected ‘;’", "error"],
            ["cart.c:38", "missing", "error"],
            ["cart.c:39", "too many arguments", "error"],
            ["undefined reference to `gone'", "link", "ld returned"],
            ["tmpl.cc:11", "conversion", "error"],
            ["tmpl.cc:12", "cannot convert", "error"],
            ["Makefile", "Error 1", "cart"],
        ],
    },
];

fn run(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compress/test");
    fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn every_failure_keeps_name_message_and_place() {
    for Run { file, percent, failures } in RUNS {
        let text = run(file);
        for encoding in ENCODINGS {
            let budget = encoding.count(&text) * percent / 100;
            let fitted = check(&text, None, None, budget, encoding);
            for part in failures.iter().flatten() {
                assert!(fitted.text.contains(part), "{file} at {percent} %: {part:?} is missing in\n{}", fitted.text);
            }
        }
    }
}

#[test]
fn runs_are_known_for_what_they_are() {
    for Run { file, .. } in RUNS.iter().chain([&Run { file: "eslint.txt", percent: 50, failures: &[] }]) {
        let text = run(file);
        let detected = detect(&text);
        assert_eq!(detected.kind, Kind::Test, "{file}: {detected:?}");
        assert!(detected.confidence >= 70, "{file}: {detected:?}");
        // Colours change nothing.
        let coloured: String = text.lines().map(|line| format!("\u{1b}[31m{line}\u{1b}[39m\n")).collect();
        assert_eq!(detect(&coloured).kind, Kind::Test, "{file} in colours");
    }
}

#[test]
fn text_about_tests_is_no_run() {
    let guide = "# How to test\n\nRun the tests first. They should pass, all of them, every time.\n\n```\nrunning 2 tests\ntest a ... ok\ntest result: ok. 2 passed; 0 failed\n```\n\n## When one fails\n\nRead its message, then the place. An error: that is what you want to see early.\n";
    assert_eq!(detect(guide).kind, Kind::Markdown);
    let hits: String = (1..40).map(|n| format!("src/a{n}.rs:{n}:    return error(\"failed: {n}\");\n")).collect();
    assert_eq!(detect(&hits).kind, Kind::Search);
}

#[test]
fn passes_are_counted_and_not_listed() {
    for (file, sign, count) in [
        ("jest.txt", "✓", "8 failed"),
        ("vitest.txt", "✓", "failed"),
        ("mocha.txt", "✔", "200 passing"),
        ("node_spec.txt", "✔", "ℹ pass "),
        ("cargo_test.txt", "... ok", "300 passed; 7 failed"),
        ("go.txt", "--- PASS", "FAIL\texample.com/shop"),
        ("unittest.txt", "... ok", "Ran 205 tests"),
    ] {
        let text = run(file);
        let encoding = Encoding::O200kBase;
        let fitted = check(&text, None, None, encoding.count(&text) / 4, encoding);
        assert!(!fitted.text.contains(sign), "{file} lists what passed:\n{}", fitted.text);
        assert!(fitted.text.contains(count), "{file}: {count:?} is missing in\n{}", fitted.text);
    }
}
