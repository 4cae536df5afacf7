//! The words under which a memory is found.
//!
//! Text becomes lower case without accents; runs of letters and digits are words, stemmed as
//! English. Names in code give their parts and the whole. Scripts without spaces give pairs of
//! characters. Stop words are indexed, so that a query of nothing else still finds something, but
//! they neither count as length nor match while a query has better words.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

use crate::base::Timestamp;

/// Longer words are known by their beginning.
const TERM_CHARACTERS_MAX: usize = 64;

/// Words that are in most questions and tell nothing: question words, auxiliaries, pronouns,
/// articles, prepositions, conjunctions.
static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "how what when where which who whom whose why \
     am are be been being is was were do did does doing had has have having will would \
     he her hers him his i it its me my our she their them they us we you your \
     a an the that these this those \
     and as at but by for from if in into of on or so than then there to with"
        .split_ascii_whitespace()
        .collect()
});

/// The terms of a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DocumentTerms {
    /// The terms in order, repeats included.
    pub(super) terms: Vec<String>,
    /// How many of them count as the memory's length.
    pub(super) length: u32,
}

/// Returns the terms of a memory: of its text, and of its actor and date where the text does not
/// name them itself.
pub(super) fn of_document(text: &str, actor: Option<&str>, occurred_at: Timestamp) -> DocumentTerms {
    let mut words = words(text);
    let known: HashSet<String> = words.iter().map(|word| word.term.clone()).collect();
    let date = occurred_at.strftime("%-d %B %Y").to_string();
    for context in [actor.unwrap_or_default(), &date] {
        words.extend(self::words(context).into_iter().filter(|word| !known.contains(&word.term)));
    }
    let length = words.iter().filter(|word| word.telling).count();
    DocumentTerms {
        terms: words.into_iter().map(|word| word.term).collect(),
        length: u32::try_from(length).unwrap_or(u32::MAX),
    }
}

/// Returns the terms of a query, each once: those that tell something, or all when none does.
pub(super) fn of_query(query: &str) -> Vec<String> {
    let words = words(query);
    let all_are_dull = words.iter().all(|word| !word.telling);
    let mut seen = HashSet::new();
    words
        .into_iter()
        .filter(|word| all_are_dull || word.telling)
        .map(|word| word.term)
        .filter(|term| seen.insert(term.clone()))
        .collect()
}

/// Returns the terms of a text that tell something, each once.
pub(super) fn telling(text: &str) -> BTreeSet<String> {
    words(text).into_iter().filter(|word| word.telling).map(|word| word.term).collect()
}

/// Whether a word, in lower case, is in most texts and tells nothing.
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.contains(word)
}

/// Returns the text as duplicates are recognised by: letters and digits, folded, single blanks.
pub(super) fn normalized(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric() && !is_mark(c));
    words.map(fold).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

struct Word {
    term: String,
    /// Whether it tells one memory from another: neither a stop word nor a single letter.
    telling: bool,
}

fn words(text: &str) -> Vec<Word> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut words = Vec::new();
    let unquoted = without_apostrophes(text);
    for chunk in unquoted.split(|c: char| !(c.is_alphanumeric() || c == '_' || is_mark(c))) {
        let parts = parts_of_name(chunk);
        if parts.len() > 1 {
            // The whole name as well, so that it is found as it is written, in whatever case.
            words.push(Word { term: shortened(&stemmer.stem(&fold(chunk))), telling: true });
        }
        for part in parts {
            push_word(&fold(part), &stemmer, &mut words);
        }
    }
    words
}

fn push_word(folded: &str, stemmer: &Stemmer, words: &mut Vec<Word>) {
    for run in runs_by_script(folded) {
        if run.chars().next().is_some_and(has_no_spaces) {
            push_pairs(run, words);
        } else if run.is_ascii() {
            let telling = run.len() > 1 && !STOP_WORDS.contains(run);
            words.push(Word { term: shortened(&stemmer.stem(run)), telling });
        } else {
            words.push(Word { term: shortened(run), telling: true });
        }
    }
}

/// Pushes every pair of neighbouring characters, or the only character.
fn push_pairs(run: &str, words: &mut Vec<Word>) {
    let characters: Vec<char> = run.chars().collect();
    if let [only] = characters[..] {
        words.push(Word { term: only.to_string(), telling: true });
    }
    words.extend(characters.windows(2).map(|pair| Word { term: pair.iter().collect(), telling: true }));
}

/// Splits where a script without spaces begins or ends.
fn runs_by_script(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, character) in text.char_indices() {
        let spaceless = has_no_spaces(character);
        if before.is_some_and(|before| before != spaceless) {
            runs.push(&text[start..at]);
            start = at;
        }
        before = Some(spaceless);
    }
    if start < text.len() {
        runs.push(&text[start..]);
    }
    runs
}

/// Splits a name at underscores and where a capital follows a small letter: `maxLineWidth`,
/// `HTTPServer`, `max_width`.
fn parts_of_name(chunk: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for piece in chunk.split('_').filter(|piece| !piece.is_empty()) {
        let characters: Vec<(usize, char)> = piece.char_indices().collect();
        let mut start = 0;
        for window in 1..characters.len() {
            let (at, this) = characters[window];
            let before = characters[window - 1].1;
            let next_is_small = characters.get(window + 1).is_some_and(|(_, next)| next.is_lowercase());
            if this.is_uppercase() && (before.is_lowercase() || (before.is_uppercase() && next_is_small)) {
                parts.push(&piece[start..at]);
                start = at;
            }
        }
        parts.push(&piece[start..]);
    }
    parts
}

/// Removes the English `'s` and other apostrophes within words: `Ann's` is about Ann, `don't` is one word.
fn without_apostrophes(text: &str) -> String {
    if !text.contains(['\'', '’']) {
        return text.to_owned();
    }
    text.replace('’', "'").replace("'s", "").replace("'S", "").replace('\'', "")
}

/// Returns a word in lower case, compatibility forms unified, accents removed.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // The accents of Latin, Greek and Cyrillic only: elsewhere such marks make other letters.
    let base = text.nfkd().filter(|c| !('\u{300}'..='\u{36f}').contains(c));
    // A compatibility form may come apart into blanks and signs as well.
    let letters = base.filter(|c| c.is_alphanumeric() || *c == '_' || is_mark(*c));
    letters.nfc().flat_map(char::to_lowercase).collect()
}

/// A combining mark belongs to the word it stands in.
fn is_mark(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

/// Whether the character's script is written without spaces between words.
fn has_no_spaces(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0eff}'      // Thai, Lao
        | '\u{1000}'..='\u{109f}'    // Myanmar
        | '\u{1780}'..='\u{17ff}'    // Khmer
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}'    // Hiragana, Katakana
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'    // Han
        | '\u{ac00}'..='\u{d7af}'    // Hangul: spaced, but words carry endings
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

fn shortened(term: &str) -> String {
    match term.char_indices().nth(TERM_CHARACTERS_MAX) {
        None => term.to_owned(),
        Some((end, _)) => term[..end].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.term).collect()
    }

    #[test]
    fn words_are_folded_stemmed_and_split() {
        for (text, terms) in [
            ("The runner's running, don't!", vec!["the", "runner", "run", "dont"]),
            ("Café ÜBER naïve", vec!["cafe", "uber", "naiv"]),
            ("maxLineWidth", vec!["maxlinewidth", "max", "line", "width"]),
            ("HTTPServer max_line", vec!["httpserver", "http", "server", "max_lin", "max", "line"]),
            ("src/main.rs:42", vec!["src", "main", "rs", "42"]),
            ("東京都の天気", vec!["東京", "京都", "都の", "の天", "天気"]),
            ("v2東", vec!["v2", "東"]),
            ("Привет МИР", vec!["привет", "мир"]),
            ("__", vec![]),
        ] {
            assert_eq!(document(text), terms, "{text}");
        }
        assert_eq!(document(&"é".repeat(99))[0].chars().count(), TERM_CHARACTERS_MAX);
    }

    #[test]
    fn a_query_drops_stop_words_unless_nothing_else_is_there() {
        assert_eq!(of_query("What did the runners do with a runner?"), ["runner"]);
        assert_eq!(of_query("Who are you?"), ["who", "are", "you"]);
        assert!(of_query(" ?! ").is_empty());
    }

    #[test]
    fn actor_and_date_are_added_once() {
        let at = "2023-05-08T12:00:00Z".parse().expect("a time");
        let terms = of_document("I met Ann", Some("Ann Lee"), at);
        assert_eq!(terms.terms, ["i", "met", "ann", "lee", "8", "may", "2023"]);
        assert_eq!(terms.length, 5, "neither i nor 8");
    }

    #[test]
    fn a_term_never_breaks_the_contract_of_the_store() {
        let nasty: String = (1..0x3000_u32).filter_map(char::from_u32).collect();
        for term in document(&nasty) {
            let fine = |c: char| !c.is_whitespace() && !c.is_control() && !c.is_ascii_uppercase();
            assert!(!term.is_empty() && term.chars().all(fine), "{term:?}");
        }
    }
}
