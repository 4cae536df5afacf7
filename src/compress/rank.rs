//! How well passages answer a query, shared by every kind.
//!
//! BM25 over stems, with identifiers split into their words and each passage lifted a little by its
//! neighbours. Words of a query that look like identifiers (digits, dots, slashes) also count when
//! they occur as they are.

use std::collections::{HashMap, HashSet};

use rust_stemmers::{Algorithm, Stemmer};

/// BM25's saturation of repeated terms, and its normalisation of length.
pub(super) const K1: f64 = 1.2;
pub(super) const B: f64 = 0.75;

/// How much of its best neighbour's score a passage gets.
const NEIGHBOUR: f64 = 0.35;

/// Words that say nothing about what is asked, sorted.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "into", "is",
    "it", "its", "me", "my", "of", "on", "or", "our", "she", "should", "so", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "to", "was", "we", "were", "what", "when", "where", "which", "who",
    "whom", "whose", "why", "will", "with", "would", "you", "your",
];

/// What a reader wants to know.
#[derive(Debug, Clone)]
pub struct Query {
    /// As it was written.
    text: String,
    /// The stems, with their places in `words`.
    terms: HashMap<String, usize>,
    /// The first word of the query with each stem, in small letters.
    words: Vec<String>,
    /// Every word in its place, in small letters.
    all_words: Vec<String>,
    identifiers: Vec<String>,
}

impl Query {
    /// Returns the query of these words; `None` when they say nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut all_words = Vec::new();
        words(text, |word| all_words.push(word.to_lowercase()));
        let telling = all_words.iter().any(|word| !is_stop_word(word));
        let kept = all_words.iter().filter(|word| !telling || !is_stop_word(word));
        let (terms, words) = terms(&stemmer, kept.cloned());
        let identifiers: Vec<String> = text
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '/' | '_' | '-')))
            .filter(|word| word.len() >= 4 && word.contains(|c: char| c.is_ascii_digit() || "/_.:".contains(c)))
            .map(str::to_owned)
            .collect();
        (!terms.is_empty() || !identifiers.is_empty()).then(|| Self {
            text: text.to_owned(),
            terms,
            words,
            all_words,
            identifiers,
        })
    }

    /// Returns the query without the words at these places of [`all_words`](Self::all_words); as it is
    /// where nothing would be left.
    pub(super) fn without(&self, places: &HashSet<usize>) -> Self {
        let rest = self.all_words.iter().enumerate().filter(|(place, _)| !places.contains(place));
        let rest: Vec<String> = rest.map(|(_, word)| word.clone()).filter(|word| !is_stop_word(word)).collect();
        if rest.is_empty() {
            return self.clone();
        }
        let (terms, words) = terms(&Stemmer::create(Algorithm::English), rest);
        Self { terms, words, ..self.clone() }
    }

    /// Returns the query as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns every word in its place, in small letters.
    pub(super) fn all_words(&self) -> &[String] {
        &self.all_words
    }

    /// Returns the words that say something, in small letters, one for each stem.
    pub(super) fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the place in [`words`](Self::words) of the word that has this stem.
    pub(super) fn term(&self, stem: &str) -> Option<usize> {
        self.terms.get(stem).copied()
    }

    /// Whether `text` holds an identifier of the query as it is written there.
    pub fn names_something_in(&self, text: &str) -> bool {
        self.identifiers.iter().any(|identifier| text.contains(identifier.as_str()))
    }

    /// Whether one of the query's identifiers is this path of names joined by dots, or its end.
    pub fn is_about(&self, path: &str) -> bool {
        self.identifiers.iter().any(|identifier| {
            path.strip_suffix(identifier.trim_start_matches('.'))
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Returns how well each passage answers, the best of them 1, with a lift for the neighbours of
    /// good ones.
    pub fn scores<'t>(&self, passages: impl Iterator<Item = &'t str>) -> Vec<f64> {
        smooth(&self.relevance(passages))
    }

    /// Returns how well each passage answers by itself, the best of them 1.
    pub fn relevance<'t>(&self, passages: impl Iterator<Item = &'t str>) -> Vec<f64> {
        let mut scores = self.bm25(passages);
        let best = scores.iter().copied().fold(0.0, f64::max);
        if best > 0.0 {
            scores.iter_mut().for_each(|score| *score /= best);
        }
        scores
    }

    /// Returns the BM25 score of each passage.
    pub(super) fn bm25<'t>(&self, passages: impl Iterator<Item = &'t str>) -> Vec<f64> {
        self.hits(passages).bm25()
    }

    /// Finds the terms in each passage.
    pub(super) fn hits<'t>(&self, passages: impl Iterator<Item = &'t str>) -> Hits {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut known: HashMap<String, Option<usize>> = HashMap::new();
        let mut lengths = Vec::new();
        let mut hits: Vec<Vec<(usize, u32)>> = Vec::new();
        let mut holding = vec![0_usize; self.terms.len()];
        let mut named = Vec::new();
        let mut lower = String::new();
        // A stem begins as its word does, so most words are none of the terms at the first look.
        let mut begins = [false; 256];
        self.terms.keys().filter_map(|term| term.bytes().next()).for_each(|byte| begins[usize::from(byte)] = true);
        for passage in passages {
            let mut length = 0_usize;
            let mut found: Vec<(usize, u32)> = Vec::new();
            words(passage, |word| {
                length += 1;
                let first = word.as_bytes()[0].to_ascii_lowercase();
                if first.is_ascii() && !begins[usize::from(first)] {
                    return;
                }
                lower.clear();
                lower.extend(word.chars().flat_map(char::to_lowercase));
                let term = match known.get(lower.as_str()) {
                    Some(term) => *term,
                    None => {
                        let term = self.terms.get(&stem(&stemmer, &lower)).copied();
                        known.insert(lower.clone(), term);
                        term
                    }
                };
                if let Some(term) = term {
                    match found.iter_mut().find(|(other, _)| *other == term) {
                        Some((_, count)) => *count += 1,
                        None => found.push((term, 1)),
                    }
                }
            });
            found.iter().for_each(|(term, _)| holding[*term] += 1);
            named.push(self.names_something_in(passage));
            lengths.push(length as f64);
            hits.push(found);
        }
        let population = lengths.len() as f64;
        let weight = |holding: usize| {
            let holding = holding as f64;
            (1.0 + (population - holding + 0.5) / (holding + 0.5)).ln()
        };
        let weights = holding.into_iter().map(weight).collect();
        Hits { found: hits, lengths, named, weights }
    }
}

/// Which terms of a query are in each of many passages.
pub(super) struct Hits {
    /// For each passage the terms, by their numbers, and how often each occurs.
    found: Vec<Vec<(usize, u32)>>,
    lengths: Vec<f64>,
    /// Whether an identifier of the query occurs as it is.
    named: Vec<bool>,
    /// What each term tells: the rarer, the more.
    weights: Vec<f64>,
}

impl Hits {
    /// Returns the BM25 score of each passage.
    pub(super) fn bm25(&self) -> Vec<f64> {
        let average = (self.lengths.iter().sum::<f64>() / (self.lengths.len() as f64).max(1.0)).max(1.0);
        let strongest = self.weights.iter().copied().fold(1.0, f64::max);
        self.found
            .iter()
            .zip(&self.lengths)
            .zip(&self.named)
            .map(|((found, length), named)| {
                let words: f64 = found
                    .iter()
                    .map(|(term, count)| {
                        let count = f64::from(*count);
                        self.weights[*term] * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / average))
                    })
                    .sum();
                words + if *named { 2.0 * strongest } else { 0.0 }
            })
            .collect()
    }

    /// Returns how much of the query is in each passage or in the one of `others` at its place: the sum of
    /// the weights of the terms that are, however often.
    pub(super) fn coverage(&self, others: &Self) -> Vec<f64> {
        let mut sums = Vec::with_capacity(self.found.len());
        for (found, other) in self.found.iter().zip(&others.found) {
            let is_new = |term: &usize| found.iter().all(|(known, _)| known != term);
            let further = other.iter().map(|(term, _)| *term).filter(is_new);
            sums.push(found.iter().map(|(term, _)| *term).chain(further).map(|term| self.weights[term]).sum());
        }
        sums
    }
}

/// The stems of words, with the first word of each.
fn terms(stemmer: &Stemmer, all: impl IntoIterator<Item = String>) -> (HashMap<String, usize>, Vec<String>) {
    let mut terms = HashMap::new();
    let mut words = Vec::new();
    for word in all {
        terms.entry(stem(stemmer, &word)).or_insert_with(|| {
            words.push(word);
            words.len() - 1
        });
    }
    (terms, words)
}

/// Whether a word, in small letters, says nothing about what is asked.
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Lifts each score by the better of its neighbours.
pub(super) fn smooth(scores: &[f64]) -> Vec<f64> {
    let at = |index: Option<usize>| index.and_then(|index| scores.get(index)).copied().unwrap_or(0.0);
    (0..scores.len())
        .map(|index| scores[index] + NEIGHBOUR * at(index.checked_sub(1)).max(at(Some(index + 1))))
        .collect()
}

pub(super) fn stem(stemmer: &Stemmer, lower: &str) -> String {
    if lower.is_ascii() { stemmer.stem(lower).into_owned() } else { lower.to_owned() }
}

/// Calls `found` with each word of `text`: runs of letters and digits, split where an identifier
/// changes from small letters to capitals; characters of scripts without blanks one by one.
pub(super) fn words<'t>(text: &'t str, mut found: impl FnMut(&'t str)) {
    let mut start = None;
    let mut at = 0;
    let (mut was_small, mut was_ideograph) = (false, false);
    while let Some(byte) = text.as_bytes().get(at) {
        let mut length = 1;
        let (mut is_part, mut is_small, mut is_capital) =
            (byte.is_ascii_alphanumeric(), byte.is_ascii_lowercase(), byte.is_ascii_uppercase());
        let mut is_alone = false;
        if !byte.is_ascii()
            && let Some(letter) = text[at..].chars().next()
        {
            length = letter.len_utf8();
            (is_part, is_small, is_capital) = (letter.is_alphanumeric(), letter.is_lowercase(), letter.is_uppercase());
            is_alone = is_ideograph(letter);
        }
        let breaks = !is_part || is_alone || was_ideograph || (was_small && is_capital);
        if breaks && let Some(start) = start.take() {
            found(&text[start..at]);
        }
        if is_part && start.is_none() {
            start = Some(at);
        }
        (was_small, was_ideograph) = (is_small, is_alone);
        at += length;
    }
    if let Some(start) = start {
        found(&text[start..]);
    }
}

fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        words(text, |word| all.push(word));
        all
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn identifiers_are_split() {
        assert_eq!(split("parseHttpRequest(max_tokens)"), ["parse", "Http", "Request", "max", "tokens"]);
        assert_eq!(split("日本 x1"), ["日", "本", "x1"]);
    }

    #[test]
    fn a_stem_begins_as_its_word_does() {
        let stemmer = Stemmer::create(Algorithm::English);
        let odd = [
            "dying", "lying", "skies", "skis", "idly", "ugly", "yes", "yearly", "yyy", "is", "a", "ing", "eed", "sses",
        ];
        for word in odd.into_iter().chain(STOP_WORDS.iter().copied()) {
            assert_eq!(stem(&stemmer, word).chars().next(), word.chars().next(), "{word}");
        }
    }

    #[test]
    fn the_passage_that_answers_is_first() {
        let query = Query::parse("where are the retries limited?").expect("a query");
        let scores = query.scores(["Nothing here.", "Unrelated words.", "The limit of a retry is three."].into_iter());
        assert!(scores[2] > scores[1] && scores[1] > scores[0], "{scores:?}");
        assert!(Query::parse(" ?! ").is_none());
        assert!(Query::parse("what is it").is_some());
    }
}
