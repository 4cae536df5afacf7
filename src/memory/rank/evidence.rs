//! What speaks for each memory, and how much that varies.

use super::layout::Layout;
use crate::store::Matches;

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
    /// The natural logarithms of the lengths, and how many memories each session has, are needed
    /// for their spread only.
    lengths: Sums,
    sessions: Sums,
}

/// Scores every passing memory of every source against the query's terms, and its meaning.
pub(super) fn gather(sources: &[Matches], layouts: &[Layout], meaning: &[f32]) -> Vec<Evidence> {
    let mut scorers: Vec<Scorer<'_>> =
        sources.iter().zip(layouts).map(|(matches, layout)| Scorer::new(matches, layout)).collect();
    let documents: usize = sources.iter().map(|matches| matches.passing.len()).sum();
    let mean = |sum: f64, count: usize| (sum / count.max(1) as f64).max(1e-9) as f32;
    let means = Means {
        documents,
        sessions: layouts.iter().map(|layout| layout.lengths.len()).sum(),
        words: mean(scorers.iter().map(|scorer| scorer.length).sum(), documents),
        passage: mean(scorers.iter().map(|scorer| scorer.passage_length).sum(), documents),
        session: mean(
            scorers.iter().map(|scorer| scorer.length).sum(),
            layouts.iter().map(|layout| layout.lengths.len()).sum(),
        ),
    };
    let terms = sources.iter().map(|matches| matches.postings.len()).max().unwrap_or(0);
    let mut rarity_of_all = 0.0;
    for term in 0..terms {
        let lists: Vec<Lists> = scorers.iter_mut().map(|scorer| scorer.lists(term)).collect();
        let holders = |of: fn(&Lists) -> usize| lists.iter().map(of).sum();
        let rarity = rarity(documents, holders(|lists| lists.own.len()));
        rarity_of_all += rarity;
        let rarity_in_passages = self::rarity(documents, holders(|lists| lists.passage.len()));
        let rarity_in_sessions = self::rarity(means.sessions, holders(|lists| lists.session.len()));
        for (scorer, lists) in scorers.iter_mut().zip(&lists) {
            scorer.add(lists, &means, rarity, rarity_in_passages, rarity_in_sessions);
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

/// How many documents of each kind there are, and how long they are on average.
struct Means {
    documents: usize,
    sessions: usize,
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
    /// The sums of the lengths of memories and of passages.
    length: f64,
    passage_length: f64,
    passage_lengths: Vec<f32>,
    /// Zero between uses; as long as there are places, or sessions.
    frequencies: Vec<f32>,
}

impl<'a> Scorer<'a> {
    fn new(matches: &'a Matches, layout: &'a Layout) -> Self {
        let count = matches.passing.len();
        let own = |place: usize| matches.index.entry(matches.passing[place]).length as f32;
        let around = |place: Option<usize>| place.map_or(0.0, own);
        let passage_lengths: Vec<f32> =
            (0..count).map(|place| own(place) + around(layout.before(place)) + around(layout.after(place))).collect();
        let mut lengths = Sums::default();
        matches.passing.iter().for_each(|number| lengths.add(length(matches.index.entry(*number).length), 1.0));
        Self {
            matches,
            layout,
            evidence: Evidence {
                words: vec![0.0; count],
                passage: vec![0.0; count],
                session: vec![0.0; layout.lengths.len()],
                coverage: vec![0.0; count],
                meaning: Vec::new(),
                lengths,
                sessions: Sums::default(),
            },
            length: layout.lengths.iter().map(|length| f64::from(*length)).sum(),
            passage_length: passage_lengths.iter().map(|length| f64::from(*length)).sum(),
            passage_lengths,
            frequencies: vec![0.0; count],
        }
    }

    fn lists(&mut self, term: usize) -> Lists {
        let postings = self.matches.postings.get(term).map_or(&[][..], Vec::as_slice);
        let own: Vec<(u32, f32)> = places(self.matches, postings).collect();
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

    fn add(&mut self, lists: &Lists, means: &Means, rarity: f32, in_passages: f32, in_sessions: f32) {
        debug_assert!(means.documents >= self.matches.passing.len());
        for (place, frequency) in &lists.own {
            let place = *place as usize;
            let length = self.matches.index.entry(self.matches.passing[place]).length as f32;
            self.evidence.words[place] += score(rarity, *frequency, length, means.words);
            self.evidence.coverage[place] += rarity;
        }
        for (place, frequency) in &lists.passage {
            let length = self.passage_lengths[*place as usize];
            self.evidence.passage[*place as usize] += score(in_passages, *frequency, length, means.passage);
        }
        for (session, frequency) in &lists.session {
            let length = self.layout.lengths[*session as usize];
            self.evidence.session[*session as usize] += score(in_sessions, *frequency, length, means.session);
        }
    }

    fn finish(self, rarity_of_all: f32, meaning: &[f32]) -> Evidence {
        let mut evidence = self.evidence;
        if rarity_of_all > 0.0 {
            evidence.coverage.iter_mut().for_each(|covered| *covered /= rarity_of_all);
        }
        if !meaning.is_empty() {
            let cosine = |number: &u32| self.matches.index.meanings().cosine(*number, meaning);
            evidence.meaning = self.matches.passing.iter().map(cosine).collect();
        }
        let mut sizes = vec![0.0_f32; evidence.session.len()];
        (0..self.matches.passing.len()).for_each(|place| sizes[self.layout.session(place)] += 1.0);
        evidence.session.iter().zip(&sizes).for_each(|(score, size)| evidence.sessions.add(*score, *size));
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

/// The places of postings among the passing memories; both are in the order of numbers.
fn places<'a>(matches: &'a Matches, postings: &'a [crate::store::Posting]) -> impl Iterator<Item = (u32, f32)> + 'a {
    let mut from = 0;
    postings.iter().map(move |posting| {
        // Nearly always the passing memories are all there are up to here, or not many fewer.
        let rest = &matches.passing[from..];
        let mut step = 1;
        while rest.get(step).is_some_and(|number| *number < posting.number) {
            step *= 2;
        }
        let (low, high) = (step / 2, rest.len().min(step + 1));
        from += low + rest[low..high].partition_point(|number| *number < posting.number);
        (from as u32, posting.frequency as f32)
    })
}

/// By how much each kind of evidence varies, as a standard deviation over all memories of all
/// sources. Where all are alike, as one alone is, nothing can be told apart and it is 1.
pub(super) struct Spread {
    pub(super) words: f32,
    pub(super) passage: f32,
    pub(super) session: f32,
    pub(super) meaning: f32,
    pub(super) length: f32,
}

impl Spread {
    pub(super) fn of(evidence: &[Evidence]) -> Self {
        let over = |values: fn(&Evidence) -> &[f32]| {
            let mut sums = Sums::default();
            evidence.iter().flat_map(values).for_each(|value| sums.add(*value, 1.0));
            sums.deviation()
        };
        let together =
            |sums: fn(&Evidence) -> Sums| evidence.iter().map(sums).fold(Sums::default(), Sums::plus).deviation();
        Self {
            words: over(|evidence| &evidence.words),
            passage: over(|evidence| &evidence.passage),
            session: together(|evidence| evidence.sessions),
            meaning: over(|evidence| &evidence.meaning),
            length: together(|evidence| evidence.lengths),
        }
    }
}

/// What a standard deviation is computed from.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn add(&mut self, value: f32, count: f32) {
        let (value, count) = (f64::from(value), f64::from(count));
        self.count += count;
        self.sum += value * count;
        self.squares += value * value * count;
    }

    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, sum: self.sum + other.sum, squares: self.squares + other.squares }
    }

    fn deviation(self) -> f32 {
        let mean = self.sum / self.count.max(1.0);
        let variance = (self.squares / self.count.max(1.0) - mean * mean).max(0.0);
        let deviation = variance.sqrt() as f32;
        if deviation > 1e-6 { deviation } else { 1.0 }
    }
}
