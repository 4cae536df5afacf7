//! What is kept of each kind of text, on small inputs of our own making; and originals in a store.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use context_engine::base::{Handle, Timestamp};
use context_engine::compress::original::{OriginalError, ToKeep, What, keep, retrieve};
use context_engine::compress::{Kind, Request, detect, fit};
use context_engine::store::{InMemoryStore, Purge, Store};
use context_engine::tokens::{Budget, Encoding, Measure};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compress").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first fixture of a kind.
pub fn fixture_of(kind: Kind) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compress").join(kind.word());
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let first = files.map(|file| file.expect("a file").path()).min().expect("a fixture of each kind");
    fs::read_to_string(first).expect("a text")
}

/// Fits a fixture, detected as `kind`, and asserts what must be in it.
fn check(name: &str, kind: Kind, query: Option<&str>, max_tokens: usize, kept: &[&str]) {
    let text = fixture(name);
    assert_eq!(detect(&text).kind, kind, "{name}");
    let request = Request { query, ..Request::new(&text, Some(max_tokens), Measure::default()) };
    let fitted = fit(&request).expect("fits");
    assert!(fitted.tokens_after <= max_tokens && 2 * fitted.tokens_before > 3 * max_tokens, "{name}: {fitted:?}");
    for part in kept {
        assert!(fitted.text.contains(part), "{name}: {part:?} is missing in\n{}", fitted.text);
    }
}

#[test]
fn what_matters_is_kept() {
    check(
        "log/requests.log",
        Kind::Log,
        None,
        200,
        &["INFO", "WARN queue", "ERROR worker 3 lost its lease on run_93af81"],
    );
    check("log/requests.log", Kind::Log, Some("what about 1042"), 200, &["request 1042 served"]);
    let failure = ["cart::tests::rounds_down", "panicked at src/cart.rs:141:9", "left: 100", "82 passed; 1 failed"];
    check("test/cargo.txt", Kind::Test, None, 220, &failure);
    check(
        "json/order.json",
        Kind::Json,
        Some("order.hold.reason"),
        150,
        &["\"reason\":\"card declined\"", "items cut, lines "],
    );
    check(
        "code/cart.rs",
        Kind::Code,
        None,
        250,
        &["pub struct Cart", "pub fn shelf_0(&self) -> u32 {", "fn shelf_5", "/* "],
    );
    check(
        "diff/change.diff",
        Kind::Diff,
        None,
        120,
        &["b/src/cart.rs", "-        total\n", "+        total.min(LIMIT)"],
    );
    check(
        "search/grep.txt",
        Kind::Search,
        Some("total"),
        250,
        &["src/cart.rs", "12:    pub fn total", "src/room_0/file_0.rs"],
    );
    check("markdown/guide.md", Kind::Markdown, Some("step 7"), 150, &["## Part 7", "First do step 7"]);
    check(
        "dialog/chat.txt",
        Kind::Dialog,
        Some("where is the key?"),
        120,
        &["Ann: The key is under the blue flowerpot."],
    );
    check("table/stock.csv", Kind::Table, Some("article 41"), 200, &["article,shelf,count,colour", "article 41,"]);
    check("html/page.html", Kind::Html, Some("article 31"), 200, &["article 31"]);
    check("prose/story.txt", Kind::Prose, Some("what did the flood do?"), 120, &["washed away by the great flood"]);
}

#[test]
fn repeats_and_histories_are_seen_for_what_they_are() {
    let text = "waiting for the lock\n".repeat(30_000);
    let fitted = fit(&Request::new(&text, None, Measure::default())).expect("fits");
    assert_eq!(fitted.text, "waiting for the lock [x30000]\n");
    let message = "    let x = call(one, two);\n".repeat(800);
    let history = format!("commit 0123456789abcdef0123\nAuthor: Ann <ann@example.org>\n\n{message}");
    assert_eq!(detect(&history).kind, Kind::Diff);
}

#[test]
fn lossless_forms_are_shorter_and_cut_nothing() {
    for name in ["search/grep.txt", "json/order.json"] {
        let text = fixture(name);
        let fitted = fit(&Request::new(&text, None, Measure::default())).expect("fits");
        assert!(fitted.tokens_after < fitted.tokens_before && fitted.cuts.is_empty(), "{name}: {fitted:?}");
    }
}

fn redact(text: &str) -> Cow<'_, str> {
    Cow::Owned(text.replace("hunter2", "[redacted]"))
}

#[tokio::test]
async fn an_original_is_kept_once_and_given_back() {
    let store = InMemoryStore::default();
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let new = |content: &[u8]| ToKeep { content: content.to_vec(), ..ToKeep::default() };
    let budget = Budget { tokens: 100, measure: Measure::default() };
    let content = b"first\r\nsecond \xff\nthird\n".to_vec();
    let source = Some("a file".to_owned());
    let kept = keep(&store, ToKeep { source, ..new(&content) }, now, None).await.expect("kept");
    let again = keep(&store, new(&content), now, None).await.expect("kept");
    assert_eq!(kept.handle, again.handle);
    let what = What::Lines { from: 1, to: 2, skip_bytes: 0 };
    let got = retrieve(&store, &kept.handle, &what, budget, now).await.expect("retrieved");
    assert_eq!(got.text, "first\r\nsecond \u{fffd}\n");

    let source = Some("curl -u me:hunter2".to_owned());
    let new = ToKeep {
        source,
        kind: Some(Kind::Log),
        tokens: Some((3, Encoding::default())),
        ..new(b"\n password hunter2\nx")
    };
    let kept = keep(&store, new, now, Some(&redact)).await.expect("kept");
    assert!(kept.redacted);
    let info = store.original_info(&kept.handle).await.expect("read").expect("known");
    assert_eq!(
        (info.first_line.as_deref(), info.source.as_deref()),
        (Some("password [redacted]"), Some("curl -u me:[redacted]"))
    );
    assert_eq!(
        (info.kind.as_deref(), info.tokens, info.encoding.as_deref()),
        (Some("log"), Some(3), Some("o200k_base"))
    );
    let got = retrieve(&store, &kept.handle, &What::All, budget, now).await.expect("retrieved");
    assert_eq!((got.text.as_str(), kept.text.as_str()), ("\n password [redacted]\nx", "\n password [redacted]\nx"));
    let which = Purge::These(vec![kept.handle.clone()]);
    store.purge_originals(which, now).await.expect("purged");
    let error = retrieve(&store, &kept.handle, &What::All, budget, now).await.expect_err("it is gone");
    assert!(error.to_string().ends_with("is not kept any more: it was purged on 2026-03-01"), "{error}");

    let unknown: Handle = "ctx:00000000".parse().expect("a handle");
    let error = retrieve(&store, &unknown, &What::All, budget, now).await.expect_err("nothing is kept under it");
    assert!(matches!(error, OriginalError::Unknown(_)), "{error}");
}
