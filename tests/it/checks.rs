//! What holds for any text, asked of our counter and of an independent exact one.
//!
//! The tests, the benchmark's exactness run and the fuzz target all ask the same, of other texts.

use context_engine::tokens::{Document, Encoding};

/// Returns a text that has a character beside letters, blanks, digits, quotes and line ends.
pub fn in_context(c: char) -> String {
    format!("a{c}b {c} A{c}B {c}b1{c}2'{c}\n{c}{c}!{c}c {c}\n'S{c}  {c}'ll")
}

/// Asserts that a text counts as in the reference, fits what it should, and is cut to at most
/// `limit` tokens, with nothing to spare.
pub fn check(encoding: Encoding, reference: &bpe_openai::Tokenizer, text: &str, limit: usize) {
    let tokens = reference.count(text);
    assert_eq!(encoding.count(text), tokens, "{encoding}: {text:?}");
    assert_eq!(encoding.fits(text, limit), tokens <= limit, "{encoding}: fits({limit}): {text:?}");

    let prefix = encoding.prefix(text, limit);
    let suffix = encoding.suffix(text, limit);
    assert!(text.starts_with(prefix) && text.ends_with(suffix), "{encoding}: not parts of {text:?}");
    for part in [prefix, suffix] {
        let count = reference.count(part);
        assert!(count <= limit, "{encoding}: {count} > {limit}: {part:?} of {text:?}");
        assert_eq!(part.len() == text.len(), tokens <= limit, "{encoding}: {limit}: {part:?} of {text:?}");
    }
}

/// Asserts that a document that is edited counts what its text counts in the reference.
pub fn check_edit(encoding: Encoding, reference: &bpe_openai::Tokenizer, text: &str, replacement: &str, at: usize) {
    let start = text.floor_char_boundary(at.min(text.len()));
    let end = text.ceil_char_boundary((start + replacement.len() / 2).min(text.len()));
    let mut document = Document::new(encoding, text);
    document.edit(start..end, replacement).expect("the range lies in the text");
    let edited = format!("{}{replacement}{}", &text[..start], &text[end..]);
    assert_eq!(document.text(), edited);
    assert_eq!(document.tokens(), reference.count(&*edited), "{encoding}: {start}..{end} of {text:?} edited");
}

/// Asserts all of it for bytes as a fuzzer gives them: the first two are a number, the rest is text.
pub fn check_bytes(bytes: &[u8]) {
    let [low, high, rest @ ..] = bytes else { return };
    let number = usize::from(u16::from_le_bytes([*low, *high]));
    let text = String::from_utf8_lossy(rest);
    for (encoding, reference) in
        [(Encoding::Cl100kBase, bpe_openai::cl100k_base()), (Encoding::O200kBase, bpe_openai::o200k_base())]
    {
        check(encoding, reference, &text, number % (text.len() + 2));
        let half = text.floor_char_boundary(text.len() / 2);
        check_edit(encoding, reference, &text, &text[..half], number);
    }
}
