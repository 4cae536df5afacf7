//! What holds for any text of any kind that is fitted, asked by the tests and by the fuzz targets.

use context_engine::base::{Handle, content_hash};
use context_engine::compress::original::{What, part};
use context_engine::compress::{COMPRESSORS, Fitted, Kind, Level, Request, expand, fit};
use context_engine::tokens::{Budget, Encoding, Measure};
use serde_json::Value;

/// The encodings that are asked for, each with an independent counter of its own.
pub const ENCODINGS: [Encoding; 2] = [Encoding::O200kBase, Encoding::Cl100kBase];

fn count(encoding: Encoding, text: &str) -> usize {
    match encoding {
        Encoding::Cl100kBase => bpe_openai::cl100k_base().count(text),
        _ => bpe_openai::o200k_base().count(text),
    }
}

fn fitted(text: &str, kind: Option<Kind>, query: Option<&str>, max_tokens: usize, encoding: Encoding) -> Fitted {
    let handle = Handle::of_hash(&content_hash(text.as_bytes()), 8);
    let request = Request {
        kind,
        query,
        handle: Some(&handle),
        ..Request::new(text, Some(max_tokens), Measure::exact(encoding))
    };
    fit(&request).expect("truncating always fits")
}

/// Fits a text and asserts that the budget holds in the caller's encoding, that the same input gives the
/// same bytes, that a result fits as it is, and that what was cut is named and can be fetched.
pub fn check(text: &str, kind: Option<Kind>, query: Option<&str>, max_tokens: usize, encoding: Encoding) -> Fitted {
    let first = fitted(text, kind, query, max_tokens, encoding);
    let told = || {
        let shown = |text: &str| text.chars().take(4_000).collect::<String>();
        format!(
            "{kind:?} at {max_tokens} of {encoding}, query {query:?}\n--- in\n{}\n--- out\n{}",
            shown(text),
            shown(&first.text)
        )
    };
    let tokens = count(encoding, &first.text);
    assert!(tokens <= max_tokens, "{tokens} tokens: {}", told());
    assert_eq!(tokens, first.tokens_after, "{}", told());
    assert_eq!(first, fitted(text, kind, query, max_tokens, encoding), "not the same again: {}", told());
    let again = fitted(&first.text, kind, query, max_tokens, encoding);
    assert_eq!(again.text, first.text, "a result fits as it is: {}", told());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let all = Budget { tokens: usize::MAX, measure: Measure::exact(encoding) };
    let mut last = 0;
    for cut in &first.cuts {
        assert!(cut.from_line >= last && cut.from_line <= cut.to_line, "{cut:?}: {}", told());
        last = cut.from_line;
    }
    // Fetching indexes the whole text each time, so that a few must do.
    for cut in first.cuts.iter().step_by(first.cuts.len() / 8 + 1) {
        let what = What::Lines { from: cut.from_line, to: cut.to_line, skip_bytes: 0 };
        let got = part(text.as_bytes(), &what, all).expect("the lines are there");
        let expected: String = lines.iter().take(cut.to_line).skip(cut.from_line - 1).copied().collect();
        assert_eq!(got.text, expected, "{cut:?}: {}", told());
    }
    if first.level == Level::Summarize {
        assert!(!first.cuts.is_empty(), "{}", told());
        let is_marked = first.text.contains("ctx:") || first.text.contains('…') || first.text.contains(" cut");
        assert!(max_tokens < 100 || is_marked, "no mark tells of what is cut: {}", told());
    }
    if serde_json::from_str::<Value>(text).is_ok() && matches!(first.kind, Kind::Json | Kind::Dialog) {
        let is_json = first.text.is_empty() || serde_json::from_str::<Value>(&first.text).is_ok();
        assert!(is_json || first.text.starts_with("[not JSON any more") || first.kind == Kind::Dialog, "{}", told());
    }
    first
}

/// Fits a text without a budget, and asserts that nothing is lost where that is said.
pub fn check_lossless(text: &str, kind: Option<Kind>) -> Fitted {
    let request = Request { kind, ..Request::new(text, None, Measure::default()) };
    let fitted = fit(&request).expect("nothing has to fit");
    assert!(fitted.tokens_after <= fitted.tokens_before && fitted.cuts.is_empty(), "{fitted:?}");
    let back = expand(&fitted.text, fitted.kind, fitted.level);
    assert_eq!(
        back.as_deref() == Some(text),
        fitted.reversible,
        "{:?}\n--- in\n{text}\n--- out\n{}",
        fitted.kind,
        fitted.text
    );
    fitted
}

/// Asserts all of it for bytes as a fuzzer gives them: the first three choose kind, encoding, query and
/// budget, the rest is text.
pub fn check_bytes(bytes: &[u8], kind: Option<Kind>) {
    let [choice, low, high, rest @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(rest);
    let kind = kind.or_else(|| Some(COMPRESSORS.get(usize::from(choice >> 3))?.kind()));
    let encoding = ENCODINGS[usize::from(choice & 1)];
    let query =
        [None, Some("why did the order fail?"), Some("src/cart.rs 1042"), Some("?")][usize::from(choice >> 1 & 3)];
    let budget = usize::from(u16::from_le_bytes([*low, *high])) % (text.len() / 2 + 8);
    check(&text, kind, query, budget, encoding);
    check_lossless(&text, kind);
}
