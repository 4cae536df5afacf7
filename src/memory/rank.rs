//! The order in which memories answer a query: BM25 with the structure of sessions on top.
//!
//! The evidence for a memory is the BM25 score of its own words, a share of its neighbours' in the
//! session (an answer follows its question), and the BM25 score of its whole session. The sum is
//! put on a common scale by its spread over all memories that pass the filter, so that further
//! evidence (the actor named in the query, importance; later embeddings) can be added with fixed
//! weights. Statistics are those of the filtered memories only, over all stores together.
//! Pure: no clock, no store.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::store::{Matches, NONE};

const K1: f64 = 0.9;
const B: f64 = 0.4;
/// The share of the score of the memory before, and of the one after, in the same session.
const BEFORE: f64 = 0.4;
const AFTER: f64 = 0.1;
/// The weight of the score of the whole session.
const SESSION: f64 = 1.0;
/// What a memory gains when the query names its actor and no other one.
const ACTOR: f64 = 0.6;
/// What the most important memory gains over the least important one.
const IMPORTANCE: f64 = 0.4;
/// The importance of a memory when nobody said otherwise.
const IMPORTANCE_USUAL: f64 = 0.5;

/// One part of a score, for explanations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorePart {
    /// What it comes from: `words`, `neighbours`, `session`, `actor and importance`.
    pub name: &'static str,
    /// How much it adds.
    pub value: f64,
}

/// A memory and its score.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranked {
    /// Which of the sources has it.
    pub(super) source: usize,
    /// Its number in that source's index.
    pub(super) number: u32,
    /// The score; only the order and the differences mean something.
    pub(super) score: f64,
    /// Its parts; their sum is the score.
    pub(super) parts: Vec<ScorePart>,
}

/// Returns the best `count` memories of several sources, best first, and how many there were to
/// choose from. Memories without a matching word of their own or of a neighbour are left out.
pub(super) fn rank(sources: &[Matches], query: &str, count: usize) -> (Vec<Ranked>, usize) {
    let evidence: Vec<Evidence> = {
        let words = Statistics::of_memories(sources);
        let sessions: Vec<Sessions> = sources.iter().map(Sessions::new).collect();
        let session_statistics = Statistics::of_sessions(&sessions);
        sources
            .iter()
            .zip(&sessions)
            .map(|(matches, sessions)| Evidence::new(matches, sessions, &words, &session_statistics))
            .collect()
    };
    let scale = Scale::of(&evidence);
    let named = named_actor(sources, query);

    let mut found = Vec::new();
    for (source, (matches, evidence)) in sources.iter().zip(&evidence).enumerate() {
        let actor = named.as_ref().map(|named| named[source]);
        for (place, number) in matches.passing.iter().enumerate() {
            if evidence.words[place] + evidence.neighbours[place] > 0.0 {
                let entry = matches.index.entry(*number);
                let bonus = if actor.is_some_and(|actor| actor == entry.actor && actor != NONE) { ACTOR } else { 0.0 };
                let importance = IMPORTANCE * (f64::from(entry.importance) - IMPORTANCE_USUAL);
                let score = scale.apply(evidence.sum(place)) + bonus + importance;
                found.push((score, entry.id_order(), source, place));
            }
        }
    }
    let total = found.len();
    let best_first = |one: &Found, other: &Found| {
        other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal).then_with(|| one.1.cmp(&other.1))
    };
    if count < found.len() {
        found.select_nth_unstable_by(count, best_first);
        found.truncate(count);
    }
    found.sort_unstable_by(best_first);
    let explain = |(score, _, source, place): Found| {
        let number = sources[source].passing[place];
        Ranked { source, number, score, parts: parts(&evidence[source], place, &scale, score) }
    };
    (found.into_iter().map(explain).collect(), total)
}

type Found = (f64, [u8; 16], usize, usize);

/// How often each term stands in how many documents, and how long those are.
struct Statistics {
    inverse_frequency: Vec<f64>,
    length_mean: f64,
}

impl Statistics {
    fn new(documents: usize, length: f64, frequencies: &[usize]) -> Self {
        let inverse = |holders: &usize| {
            let (all, holders) = (documents as f64, *holders as f64);
            (1.0 + (all - holders + 0.5) / (holders + 0.5)).ln()
        };
        Self {
            inverse_frequency: frequencies.iter().map(inverse).collect(),
            length_mean: (length / documents.max(1) as f64).max(1e-9),
        }
    }

    fn of_memories(sources: &[Matches]) -> Self {
        let terms = sources.iter().map(|matches| matches.postings.len()).max().unwrap_or(0);
        let mut frequencies = vec![0; terms];
        let (mut documents, mut length) = (0, 0.0);
        for matches in sources {
            documents += matches.passing.len();
            length += matches.passing.iter().map(|number| f64::from(matches.index.entry(*number).length)).sum::<f64>();
            for (frequency, postings) in frequencies.iter_mut().zip(&matches.postings) {
                *frequency += postings.len();
            }
        }
        Self::new(documents, length, &frequencies)
    }

    fn of_sessions(sources: &[Sessions]) -> Self {
        let terms = sources.iter().map(|sessions| sessions.frequencies.len()).max().unwrap_or(0);
        let mut frequencies = vec![0; terms];
        let (mut documents, mut length) = (0, 0.0);
        for sessions in sources {
            documents += sessions.lengths.len();
            length += sessions.lengths.iter().sum::<f64>();
            for (frequency, by_session) in frequencies.iter_mut().zip(&sessions.frequencies) {
                *frequency += by_session.len();
            }
        }
        Self::new(documents, length, &frequencies)
    }

    /// What one term adds to the score of a document.
    fn score(&self, term: usize, frequency: f64, length: f64) -> f64 {
        let norm = K1 * (1.0 - B + B * length / self.length_mean);
        self.inverse_frequency[term] * frequency * (K1 + 1.0) / (frequency + norm)
    }
}

/// The sessions of a source as documents. A memory without a session is one of its own.
struct Sessions {
    /// For each place among the passing memories, its session's place in `lengths`.
    of_place: Vec<u32>,
    lengths: Vec<f64>,
    /// For each term, how often each session holds it.
    frequencies: Vec<HashMap<u32, f64>>,
    /// For each place, the places before and after it in its session.
    before: Vec<u32>,
    after: Vec<u32>,
}

impl Sessions {
    fn new(matches: &Matches) -> Self {
        let count = matches.passing.len();
        let mut sessions = Self {
            of_place: Vec::with_capacity(count),
            lengths: Vec::new(),
            frequencies: Vec::with_capacity(matches.postings.len()),
            before: vec![NONE; count],
            after: vec![NONE; count],
        };
        let mut known: HashMap<u32, u32> = HashMap::new();
        let mut members: Vec<Vec<u32>> = Vec::new();
        let mut latest = (NONE, 0);
        for (place, number) in (0_u32..).zip(&matches.passing) {
            let entry = matches.index.entry(*number);
            let next = sessions.lengths.len() as u32;
            let session = if entry.session == NONE {
                next
            } else if latest.0 == entry.session {
                // Memories of a session mostly come in a row.
                latest.1
            } else {
                *known.entry(entry.session).or_insert(next)
            };
            latest = (entry.session, session);
            if session == next {
                sessions.lengths.push(0.0);
                members.push(Vec::new());
            }
            sessions.lengths[session as usize] += f64::from(entry.length);
            sessions.of_place.push(session);
            members[session as usize].push(place);
        }
        for mut places in members {
            let order = |place: &u32| matches.index.entry(matches.passing[*place as usize]).order;
            if !places.is_sorted_by_key(order) {
                places.sort_by_key(order);
            }
            for pair in places.windows(2) {
                sessions.after[pair[0] as usize] = pair[1];
                sessions.before[pair[1] as usize] = pair[0];
            }
        }
        for postings in &matches.postings {
            let mut frequencies = HashMap::new();
            for (place, frequency) in places(matches, postings) {
                *frequencies.entry(sessions.of_place[place]).or_insert(0.0) += frequency;
            }
            sessions.frequencies.push(frequencies);
        }
        sessions
    }
}

/// The places of postings among the passing memories; both are in the order of numbers.
fn places<'a>(matches: &'a Matches, postings: &'a [crate::store::Posting]) -> impl Iterator<Item = (usize, f64)> + 'a {
    let mut from = 0;
    postings.iter().map(move |posting| {
        let rest = &matches.passing[from..];
        // Galloping would be finer; a step from the last place is short in a common term's list.
        from += rest.partition_point(|number| *number < posting.number);
        (from, f64::from(posting.frequency))
    })
}

/// What speaks for each memory of a source, by its place among the passing ones.
struct Evidence {
    words: Vec<f64>,
    neighbours: Vec<f64>,
    session: Vec<f64>,
}

impl Evidence {
    fn new(matches: &Matches, sessions: &Sessions, words: &Statistics, session_words: &Statistics) -> Self {
        let count = matches.passing.len();
        let mut own = vec![0.0; count];
        for (term, postings) in matches.postings.iter().enumerate() {
            for (place, frequency) in places(matches, postings) {
                let length = f64::from(matches.index.entry(matches.passing[place]).length);
                own[place] += words.score(term, frequency, length);
            }
        }
        let at = |place: u32| if place == NONE { 0.0 } else { own[place as usize] };
        let neighbours =
            sessions.before.iter().zip(&sessions.after).map(|(b, a)| BEFORE * at(*b) + AFTER * at(*a)).collect();
        let mut by_session = vec![0.0; sessions.lengths.len()];
        for (term, frequencies) in sessions.frequencies.iter().enumerate() {
            for (session, frequency) in frequencies {
                let length = sessions.lengths[*session as usize];
                by_session[*session as usize] += SESSION * session_words.score(term, *frequency, length);
            }
        }
        let session = sessions.of_place.iter().map(|session| by_session[*session as usize]).collect();
        Self { words: own, neighbours, session }
    }

    fn sum(&self, place: usize) -> f64 {
        self.words[place] + self.neighbours[place] + self.session[place]
    }
}

/// Puts sums of evidence on a common scale.
struct Scale {
    spread: f64,
}

impl Scale {
    fn of(evidence: &[Evidence]) -> Self {
        let sums = || evidence.iter().flat_map(|one| (0..one.words.len()).map(|place| one.sum(place)));
        let count = sums().count().max(1) as f64;
        let mean = sums().sum::<f64>() / count;
        let variance = sums().map(|sum| (sum - mean) * (sum - mean)).sum::<f64>() / count;
        Self { spread: variance.sqrt() }
    }

    fn apply(&self, sum: f64) -> f64 {
        // Where all are alike, as one alone is, there is no spread to measure with.
        if self.spread > 1e-9 { sum / self.spread } else { sum }
    }
}

fn parts(evidence: &Evidence, place: usize, scale: &Scale, score: f64) -> Vec<ScorePart> {
    let factor = scale.apply(1.0);
    let mut parts = vec![
        ScorePart { name: "words", value: evidence.words[place] * factor },
        ScorePart { name: "neighbours", value: evidence.neighbours[place] * factor },
        ScorePart { name: "session", value: evidence.session[place] * factor },
    ];
    let rest = score - parts.iter().map(|part| part.value).sum::<f64>();
    parts.push(ScorePart { name: "actor and importance", value: rest });
    parts
}

/// The number of the one actor that the query names, in each source; `None` when it names none or
/// several.
fn named_actor(sources: &[Matches], query: &str) -> Option<Vec<u32>> {
    let query = query.to_lowercase();
    let mut named: Option<(String, Vec<u32>)> = None;
    for (source, matches) in sources.iter().enumerate() {
        let mut seen = vec![];
        for number in &matches.passing {
            let actor = matches.index.entry(*number).actor;
            if seen.get(actor as usize).copied().unwrap_or(actor == NONE) {
                continue;
            }
            if seen.len() <= actor as usize {
                seen.resize(actor as usize + 1, false);
            }
            seen[actor as usize] = true;
            let Some(name) = matches.index.actor(actor) else { continue };
            if !names(&query, name) {
                continue;
            }
            let (known, numbers) = named.get_or_insert_with(|| (name.to_owned(), vec![NONE; sources.len()]));
            if known != name {
                return None;
            }
            numbers[source] = actor;
        }
    }
    named.map(|(_, numbers)| numbers)
}

/// Whether a name stands in the query as whole words.
fn names(query: &str, name: &str) -> bool {
    !name.is_empty()
        && query.match_indices(name).any(|(at, _)| {
            let starts = query[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric());
            let ends = query[at + name.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric());
            starts && ends
        })
}
