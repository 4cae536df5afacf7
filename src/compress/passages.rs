//! How well passages of prose or talk answer a query, and how much each says that is new.
//!
//! Beside the words of the query, words near to them in meaning count (a *painting* for what was
//! *painted*), by the embedded model. Each distinct word of the text is looked up once, so a long
//! text costs hardly more than counting its words.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

use super::Query;
use super::rank::{B, K1, is_stop_word, stem, words};
use crate::embed::{self, Embedding};

/// Words whose cosine is lower have nothing to do with each other.
const NEAR: f64 = 0.5;

/// Terms of a query beyond so many count only as they are written.
const TERMS_MAX: usize = 32;

/// Passages as sequences of words.
pub(super) struct Passages<'t> {
    texts: Vec<&'t str>,
    /// The distinct words, in small letters.
    words: Vec<String>,
    /// The words of all passages, and where each passage ends in them.
    flow: Vec<u32>,
    ends: Vec<usize>,
}

/// What a word has to do with a query.
struct Bearing {
    /// The terms of the query that it stands for, and how well.
    stands_for: Vec<(usize, f64)>,
    /// How much it says, whatever the query.
    says: f64,
    /// Its cosine with each term.
    cosines: Vec<f64>,
}

impl<'t> Passages<'t> {
    pub(super) fn of(passages: impl Iterator<Item = &'t str>) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut all = Self { texts: Vec::new(), words: Vec::new(), flow: Vec::new(), ends: Vec::new() };
        let mut lower = String::new();
        for passage in passages {
            words(passage, |word| {
                lower.clear();
                lower.extend(word.chars().flat_map(char::to_lowercase));
                let number = match known.get(lower.as_str()) {
                    Some(number) => *number,
                    None => {
                        let number = u32::try_from(all.words.len()).expect("fewer words than bytes of a text");
                        known.insert(lower.clone(), number);
                        all.words.push(lower.clone());
                        number
                    }
                };
                all.flow.push(number);
            });
            all.texts.push(passage);
            all.ends.push(all.flow.len());
        }
        all
    }

    /// Returns the words of each passage.
    fn each(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let words = &self.flow[start..*end];
            start = *end;
            words
        })
    }

    /// Returns how well each passage answers the query by itself: BM25 over its terms and what is near
    /// to them, the best passage 1, and up to as much again for the meaning of the whole passage.
    pub(super) fn answers(&self, query: &Query) -> Vec<f64> {
        let terms: Vec<Embedding> = query.words().iter().take(TERMS_MAX).map(|word| embed::embed(word)).collect();
        let bearings = self.bearings(query, &terms);
        let bears = |word: &u32| &bearings[*word as usize];

        let count = query.words().len();
        let mut frequencies: Vec<Vec<(usize, f64)>> = Vec::with_capacity(self.texts.len());
        // In how many passages each term is; one that only holds what is near to it counts in part.
        let mut holding = vec![0.0; count];
        let mut nearest = vec![0.0_f64; count];
        for passage in self.each() {
            let mut found: Vec<(usize, f64)> = Vec::new();
            for (term, near) in passage.iter().flat_map(|word| &bears(word).stands_for) {
                match found.iter_mut().find(|(other, _)| other == term) {
                    Some((_, sum)) => *sum += near,
                    None => found.push((*term, *near)),
                }
                nearest[*term] = nearest[*term].max(*near);
            }
            found.iter().for_each(|(term, _)| holding[*term] += std::mem::take(&mut nearest[*term]));
            frequencies.push(found);
        }

        let population = self.texts.len() as f64;
        let average = (self.flow.len() as f64 / population.max(1.0)).max(1.0);
        let weights: Vec<f64> =
            holding.iter().map(|holding| (1.0 + (population - holding + 0.5) / (holding + 0.5)).ln()).collect();
        let strongest = weights.iter().copied().fold(1.0, f64::max);
        let lexical = frequencies.iter().zip(self.each()).zip(&self.texts).map(|((found, words), text)| {
            let dilution = K1 * (1.0 - B + B * words.len() as f64 / average);
            let terms = found.iter().map(|(term, count)| weights[*term] * count * (K1 + 1.0) / (count + dilution));
            terms.sum::<f64>() + if query.names_something_in(text) { 2.0 * strongest } else { 0.0 }
        });
        let mut scores: Vec<f64> = lexical.collect();
        let highest = scores.iter().copied().fold(0.0, f64::max);

        let length = direction_length(&terms, &weights);
        let agrees: Vec<f64> = bearings
            .iter()
            .map(|word| {
                word.says * word.cosines.iter().zip(&weights).map(|(cosine, weight)| cosine * weight).sum::<f64>()
            })
            .collect();
        for (score, passage) in scores.iter_mut().zip(self.each()) {
            let says: f64 = passage.iter().map(|word| bears(word).says).sum();
            let agrees: f64 = passage.iter().map(|word| agrees[*word as usize]).sum();
            let meaning = if says * length > 0.0 { agrees / (says * length) } else { 0.0 };
            *score = if highest > 0.0 { *score / highest } else { 0.0 } + meaning.max(0.0);
        }
        scores
    }

    /// Returns how much each passage says that was not said before: the weights of its words, each time
    /// a word comes again less of it.
    pub(super) fn news(&self) -> Vec<f64> {
        let weights: Vec<f64> = self
            .words
            .iter()
            .map(|word| if is_stop_word(word) { 0.0 } else { f64::from(embed::weigh(word).1) })
            .collect();
        let mut said = vec![0_u32; self.words.len()];
        let mut within = Vec::new();
        self.each()
            .map(|passage| {
                within.clear();
                within.extend_from_slice(passage);
                within.sort_unstable();
                within.dedup();
                let news = within.iter().map(|word| {
                    let word = *word as usize;
                    said[word] += 1;
                    weights[word] / f64::from(said[word]).sqrt()
                });
                news.sum()
            })
            .collect()
    }

    fn bearings(&self, query: &Query, terms: &[Embedding]) -> Vec<Bearing> {
        let stemmer = Stemmer::create(Algorithm::English);
        let is_plain: Vec<bool> = query.words().iter().map(|word| !has_digit(word)).collect();
        let bearing = |word: &String| {
            let (meaning, says) = embed::weigh(word);
            let cosines: Vec<f64> = terms.iter().map(|term| f64::from(meaning.cosine(term))).collect();
            let same = query.term(&stem(&stemmer, word));
            let mut stands_for: Vec<(usize, f64)> = same.map(|term| (term, 1.0)).into_iter().collect();
            // Any number is near to any other in meaning.
            if !has_digit(word) && !is_stop_word(word) {
                let near = cosines.iter().enumerate().filter(|(term, cosine)| **cosine >= NEAR && is_plain[*term]);
                stands_for.extend(near.filter(|(term, _)| Some(*term) != same).map(|(term, cosine)| (term, *cosine)));
            }
            Bearing { stands_for, says: f64::from(says), cosines }
        };
        self.words.iter().map(bearing).collect()
    }
}

/// The length of the direction in which a query's terms point together.
fn direction_length(terms: &[Embedding], weights: &[f64]) -> f64 {
    let weighted = |a: usize, b: usize| weights[a] * weights[b] * f64::from(terms[a].cosine(&terms[b]));
    let square: f64 =
        (0..terms.len()).flat_map(|a| (0..terms.len()).map(move |b| (a, b))).map(|(a, b)| weighted(a, b)).sum();
    square.max(0.0).sqrt()
}

fn has_digit(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Returns for each score the mean of those around it, near ones counting more: up to `reach` places
/// away, as if there were nothing beyond the ends.
pub(super) fn surroundings(scores: &[f64], reach: usize) -> Vec<f64> {
    let whole = ((reach + 1) * (reach + 1)) as f64;
    (0..scores.len())
        .map(|index| {
            let from = index.saturating_sub(reach);
            let near = scores[from..scores.len().min(index + reach + 1)].iter().enumerate();
            near.map(|(at, score)| (reach + 1 - index.abs_diff(from + at)) as f64 * score).sum::<f64>() / whole
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(query: &str, passages: &[&str]) -> usize {
        let query = Query::parse(query).expect("a query");
        let scores = Passages::of(passages.iter().copied()).answers(&query);
        (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).expect("a passage")
    }

    #[test]
    fn a_passage_answers_in_other_words() {
        let passages = ["The boat left at noon.", "Her physician gave her a new drug.", "The lamp is in the hall."];
        assert_eq!(best("Which medicine did the doctor prescribe?", &passages), 1);
        assert_eq!(best("when did the ships leave", &passages), 0);
    }

    #[test]
    fn numbers_are_not_taken_for_one_another() {
        let passages = ["They met in 2021 in Lyon.", "They met in 2022 in Lyon.", "They met in 2023 in Lyon."];
        assert_eq!(best("Where did they meet in 2022?", &passages), 1);
    }

    #[test]
    fn what_was_said_before_is_no_news() {
        let news = Passages::of(["The ferry sank.", "The ferry sank.", "And it is."].into_iter()).news();
        assert!(news[0] > news[1] && news[1] > news[2] && news[2] == 0.0, "{news:?}");
    }

    #[test]
    fn odd_queries_and_texts_are_scored() {
        for (query, text) in [("\u{1f600} ?", ""), ("日本語", "日本語です"), ("x1 y2", "x1"), ("the", "…")] {
            if let Some(query) = Query::parse(query) {
                assert!(Passages::of([text, ""].into_iter()).answers(&query).iter().all(|score| score.is_finite()));
            }
        }
    }

    #[test]
    fn surroundings_are_a_weighted_mean() {
        assert_eq!(surroundings(&[0.0, 9.0, 0.0, 0.0], 2), [2.0, 3.0, 2.0, 1.0]);
        assert_eq!(surroundings(&[], 3), [0.0; 0]);
    }
}
