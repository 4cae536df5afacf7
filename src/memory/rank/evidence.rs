//! What speaks for each memory, and how much that varies.

use std::sync::Arc;

use super::layout::Layout;
use crate::store::{Matches, Posting};

const K1: f32 = 0.9;
const B: f32 = 0.4;

/// What speaks for the memories of a source, by their places among the passing ones.
pub(super) struct Evidence {
    pub(super) words: Vec<f32>,
    pub(super) passage: Vec<f32>,
    /// By the layout's number of the session.
    pub(super) session: Vec<f32>,
    pub(super) coverage: Vec<f32>,
    /// Cosines; empty where meaning does not count.
    pub(super) meaning: Vec<f32>,
}

/// Scores every passing memory of every source against the query's terms, and its meaning.
pub(super) fn gather(sources: &[Matches], layouts: &[Arc<Layout>], meaning: &[f32]) -> Vec<Evidence> {
    let mut scorers: Vec<Scorer<'_>> =
        sources.iter().zip(layouts).map(|(matches, layout)| Scorer::new(matches, layout)).collect();
    let documents: usize = sources.iter().map(|matches| matches.passing.len()).sum();
    let sessions: usize = layouts.iter().map(|layout| layout.sessions.len()).sum();
    let length: f64 = layouts.iter().map(|layout| layout.length).sum();
    let passage_length: f64 = layouts.iter().map(|layout| layout.passage_length).sum();
    let mean = |sum: f64, count: usize| (sum / count.max(1) as f64).max(1e-9) as f32;
    let means = Means {
        words: mean(length, documents),
        passage: mean(passage_length, documents),
        session: mean(length, sessions),
    };
    let terms = sources.iter().map(|matches| matches.postings.len()).max().unwrap_or(0);
    let mut rarity_of_all = 0.0;
    for term in 0..terms {
        let lists: Vec<Lists> = scorers.iter_mut().map(|scorer| scorer.lists(term)).collect();
        let holders = |of: fn(&Lists) -> usize| lists.iter().map(of).sum();
        let rarities = Rarities {
            words: rarity(documents, holders(|lists| lists.own.len())),
            passage: rarity(documents, holders(|lists| lists.passage.len())),
            session: rarity(sessions, holders(|lists| lists.session.len())),
        };
        rarity_of_all += rarities.words;
        for (scorer, lists) in scorers.iter_mut().zip(&lists) {
            scorer.add(lists, &means, &rarities);
        }
    }
    scorers.into_iter().map(|scorer| scorer.finish(rarity_of_all, meaning)).collect()
}

/// The natural logarithm of a length, one added.
pub(super) fn length(length: u32) -> f32 {
    (length as f32 + 1.0).ln()
}

/// How much a term tells that stands in `holders` of `documents`: the inverse document frequency of
/// BM25, never negative.
fn rarity(documents: usize, holders: usize) -> f32 {
    let (documents, holders) = (documents as f64, holders as f64);
    (1.0 + (documents - holders + 0.5) / (holders + 0.5)).ln() as f32
}

/// What a term adds to the BM25 score of a document.
fn score(rarity: f32, frequency: f32, length: f32, mean: f32) -> f32 {
    let norm = K1 * (1.0 - B + B * length / mean);
    rarity * frequency * (K1 + 1.0) / (frequency + norm)
}

/// How long documents of each kind are on average.
struct Means {
    words: f32,
    passage: f32,
    session: f32,
}

/// How much a term tells in documents of each kind.
struct Rarities {
    words: f32,
    passage: f32,
    session: f32,
}

/// Where a term stands how often: places, or sessions.
struct Lists {
    own: Vec<(u32, f32)>,
    passage: Vec<(u32, f32)>,
    session: Vec<(u32, f32)>,
}

/// Adds up the evidence of one source, a term at a time.
struct Scorer<'a> {
    matches: &'a Matches,
    layout: &'a Layout,
    evidence: Evidence,
    /// Zero between uses; as long as there are places, or sessions.
    frequencies: Vec<f32>,
}

impl<'a> Scorer<'a> {
    fn new(matches: &'a Matches, layout: &'a Layout) -> Self {
        let count = matches.passing.len();
        Self {
            matches,
            layout,
            evidence: Evidence {
                words: vec![0.0; count],
                passage: vec![0.0; count],
                session: vec![0.0; layout.sessions.len()],
                coverage: vec![0.0; count],
                meaning: Vec::new(),
            },
            frequencies: vec![0.0; count],
        }
    }

    fn lists(&mut self, term: usize) -> Lists {
        let postings = self.matches.postings.get(term).map_or(&[][..], Vec::as_slice);
        let place = |posting: &Posting| Some((self.matches.passing.place(posting.number)?, posting.frequency as f32));
        let own: Vec<(u32, f32)> = postings.iter().filter_map(place).collect();
        let mut passage = Vec::with_capacity(own.len() * 3);
        let mut session = Vec::new();
        for (place, frequency) in &own {
            let at = *place as usize;
            let around = [self.layout.before(at), Some(at), self.layout.after(at)];
            for at in around.into_iter().flatten() {
                count(&mut self.frequencies, &mut passage, at as u32, *frequency);
            }
        }
        take(&mut self.frequencies, &mut passage);
        for (place, frequency) in &own {
            count(&mut self.frequencies, &mut session, self.layout.session(*place as usize) as u32, *frequency);
        }
        take(&mut self.frequencies, &mut session);
        Lists { own, passage, session }
    }

    fn add(&mut self, lists: &Lists, means: &Means, rarities: &Rarities) {
        let (evidence, layout) = (&mut self.evidence, self.layout);
        for (place, frequency) in &lists.own {
            let place = *place as usize;
            evidence.words[place] += score(rarities.words, *frequency, layout.lengths[place], means.words);
            evidence.coverage[place] += rarities.words;
        }
        for (place, frequency) in &lists.passage {
            let place = *place as usize;
            let length = layout.passage_lengths[place];
            evidence.passage[place] += score(rarities.passage, *frequency, length, means.passage);
        }
        for (session, frequency) in &lists.session {
            let session = *session as usize;
            let length = layout.sessions[session].length;
            evidence.session[session] += score(rarities.session, *frequency, length, means.session);
        }
    }

    fn finish(self, rarity_of_all: f32, meaning: &[f32]) -> Evidence {
        let mut evidence = self.evidence;
        if rarity_of_all > 0.0 {
            evidence.coverage.iter_mut().for_each(|covered| *covered /= rarity_of_all);
        }
        if !meaning.is_empty() {
            evidence.meaning = self.matches.index.meanings().cosines(&self.matches.passing, meaning);
        }
        evidence
    }
}

/// Adds to the sum of a place, and to the list of places at the first time.
fn count(frequencies: &mut [f32], list: &mut Vec<(u32, f32)>, at: u32, frequency: f32) {
    let sum = &mut frequencies[at as usize];
    if *sum == 0.0 {
        list.push((at, 0.0));
    }
    *sum += frequency;
}

/// Takes the sums of what a list names, and leaves zeros.
fn take(frequencies: &mut [f32], list: &mut [(u32, f32)]) {
    for (at, frequency) in list {
        *frequency = std::mem::take(&mut frequencies[*at as usize]);
    }
}

/// By how much each kind of evidence varies, as a standard deviation over all memories of all
/// sources. Where all are alike, as one alone is, nothing can be told apart and it is 1.
pub(super) struct Spread {
    pub(super) words: f32,
    pub(super) passage: f32,
    pub(super) session: f32,
    pub(super) meaning: f32,
    /// The mean of the cosines.
    pub(super) mean_meaning: f32,
    pub(super) length: f32,
}

impl Spread {
    pub(super) fn of(evidence: &[Evidence], layouts: &[Arc<Layout>]) -> Self {
        let over = |values: fn(&Evidence) -> &[f32]| {
            let of_all = evidence.iter().map(|evidence| Sums::of(values(evidence)));
            of_all.fold(Sums::default(), Sums::plus).deviation()
        };
        let meanings = evidence.iter().map(|evidence| Sums::of(&evidence.meaning));
        let meanings = meanings.fold(Sums::default(), Sums::plus);
        let mut sessions = Sums::default();
        for (evidence, layout) in evidence.iter().zip(layouts) {
            let sizes = layout.sessions.iter().map(|session| session.memories);
            evidence.session.iter().zip(sizes).for_each(|(score, size)| sessions.add(*score, size));
        }
        let lengths = layouts.iter().map(|layout| layout.log_lengths).fold(Sums::default(), Sums::plus);
        Self {
            words: over(|evidence| &evidence.words),
            passage: over(|evidence| &evidence.passage),
            session: sessions.deviation(),
            meaning: meanings.deviation(),
            mean_meaning: meanings.mean(),
            length: lengths.deviation(),
        }
    }
}

/// What a standard deviation is computed from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    pub(super) fn add(&mut self, value: f32, count: f32) {
        let (value, count) = (f64::from(value), f64::from(count));
        self.count += count;
        self.sum += value * count;
        self.squares += value * value * count;
    }

    /// The sums of many values; eight side by side, because each addition waits for the one before.
    fn of(values: &[f32]) -> Self {
        let (mut sums, mut squares) = ([0.0_f64; 8], [0.0_f64; 8]);
        let (eights, rest) = values.as_chunks::<8>();
        for values in eights {
            for lane in 0..8 {
                let value = f64::from(values[lane]);
                sums[lane] += value;
                squares[lane] += value * value;
            }
        }
        let sides = Self { count: 8.0 * eights.len() as f64, sum: sums.iter().sum(), squares: squares.iter().sum() };
        rest.iter().fold(sides, |mut sums, value| {
            sums.add(*value, 1.0);
            sums
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    fn mean(self) -> f32 {
        (self.sum / self.count.max(1.0)) as f32
    }

    fn deviation(self) -> f32 {
        let mean = self.sum / self.count.max(1.0);
        let variance = (self.squares / self.count.max(1.0) - mean * mean).max(0.0);
        let deviation = variance.sqrt() as f32;
        if deviation > 1e-6 { deviation } else { 1.0 }
    }
}
