//! The order in which memories answer a query: lexical evidence, structure, and meaning.
//!
//! | evidence | what it is |
//! | --- | --- |
//! | words | BM25 of the memory's own words |
//! | neighbours | BM25 of the two memories before and after it in the session: an answer follows its question |
//! | passage | BM25 of it and its direct neighbours read as one text, so that words add up across a reply |
//! | session | BM25 of the whole session |
//! | coverage | which share of the query's words, by how rare they are, it holds |
//! | meaning | the cosine of the embeddings of query and memory |
//! | form | longer memories tell more; one that asks answers less, one that follows a question more |
//! | actor | the query names one actor, and the memory is theirs |
//! | time | the query names a time, and the memory is of it |
//!
//! Each kind is divided by its spread over all memories that pass the filter and weighted by a
//! constant, so that kinds can be added and the weights hold for any store. Statistics are those of
//! the filtered memories only, over all stores together. The weights start from a fit to the
//! meetings of QMSum (MIT licence), whose script is `tests/perf/fusion.py`; those of session and
//! form, of which a single meeting says nothing or too little, were set by hand. Pure: no clock, no
//! store.

mod evidence;
mod layout;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::store::{Matches, NONE};
use evidence::{Evidence, Spread};
use layout::Layout;

use super::when::Window;

/// The weights of the scores, by words, of the memory itself and of those before and after it.
const OWN: f32 = 0.15;
const BEFORE: f32 = 0.13;
const AFTER: f32 = 0.07;
const TWO_BEFORE: f32 = 0.25;
const TWO_AFTER: f32 = 0.11;
const PASSAGE: f32 = 0.4;
const SESSION: f32 = 0.5;
pub(super) const COVERAGE: f32 = 2.0;
const MEANING: f32 = 0.35;
const LENGTH: f32 = 0.15;
const ASKS: f32 = -0.3;
const AFTER_QUESTION: f32 = 0.25;
/// What a memory gains when the query names its actor and no other one.
const ACTOR: f32 = 1.0;
/// What a memory gains when it is of the time that the query names.
const TIME: f32 = 1.0;
/// What the most important memory gains over the least important one.
const IMPORTANCE: f32 = 0.6;
/// The importance of a memory when nobody said otherwise.
const IMPORTANCE_USUAL: f32 = 0.5;
/// From this cosine on a memory is found for its meaning alone.
const MEANS_THE_SAME: f32 = 0.45;
/// The same for other models: all-MiniLM-L6-v2 gives 0.3 to 0.5 to what answers in other words.
const MEANS_THE_SAME_ELSEWHERE: f32 = 0.3;
/// As some of them give high cosines to everything, it must also stand out among the others, by so many
/// standard deviations; among fewer others than this nothing can.
const STANDS_OUT: f32 = 2.0;
const OTHERS_MIN: usize = 20;

/// One part of a score, for explanations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorePart {
    /// What it comes from; the table at the head of this module has the names.
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

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    /// The query as written, for the names in it.
    pub(super) text: &'a str,
    /// What it means: as many numbers as the memories' meanings have, of length one. Empty: meaning
    /// does not count.
    pub(super) meaning: &'a [f32],
    /// Whether the model is the one within the program, whose cosines are known.
    pub(super) is_built_in: bool,
    /// The time that it names.
    pub(super) time: Option<Window>,
}

/// Returns the best `count` memories of several sources, best first, and how many there were to
/// choose from. Left out are memories that share no word with the query, nor one of those around
/// them, and mean something else.
pub(super) fn rank(sources: &[Matches], question: &Question<'_>, count: usize) -> (Vec<Ranked>, usize) {
    let layout = |matches: &Matches| matches.passing.derived(|| Layout::new(&matches.index, &matches.passing));
    let layouts: Vec<Arc<Layout>> = sources.iter().map(layout).collect();
    let evidence = evidence::gather(sources, &layouts, question.meaning);
    let spread = Spread::of(&evidence, &layouts);
    let named = named_actor(sources, &layouts, question.text);
    let stands_out = spread.mean_meaning + STANDS_OUT * spread.meaning;
    let others: usize = sources.iter().map(|matches| matches.passing.len()).sum();
    let means_the_same = match (question.is_built_in, others < OTHERS_MIN) {
        (true, _) => MEANS_THE_SAME,
        (false, true) => MEANS_THE_SAME_ELSEWHERE,
        (false, false) => MEANS_THE_SAME_ELSEWHERE.max(stands_out),
    };

    let scorings: Vec<Scoring<'_>> = (0..sources.len())
        .map(|source| {
            let scoring = Scoring {
                matches: &sources[source],
                evidence: &evidence[source],
                layout: &layouts[source],
                spread: &spread,
                actor: named.as_ref().map_or(NONE, |named| named[source]),
                time: question.time.as_ref(),
                means_the_same,
                others_most: 0.0,
            };
            Scoring { others_most: scoring.others_most(), ..scoring }
        })
        .collect();

    let id = |one: &Found| {
        let matches = &sources[one.source as usize];
        matches.index.entry(matches.passing[one.place as usize]).id_order()
    };
    let best_first = |one: &Found, other: &Found| {
        other.score.partial_cmp(&one.score).unwrap_or(Ordering::Equal).then_with(|| id(one).cmp(&id(other)))
    };
    let mut best: Vec<Found> = Vec::new();
    let mut total = 0;
    // What it takes to be among the best of those that were looked at.
    let mut least = f32::NEG_INFINITY;
    for (source, scoring) in (0_u32..).zip(&scorings) {
        for place in 0..scoring.matches.passing.len() {
            let neighbours = scoring.neighbours(place);
            if !scoring.is_found(place, neighbours) {
                continue;
            }
            total += 1;
            // Nearly all are far from the best, and most of what a score is made of tells so.
            if scoring.of_query(place, neighbours) + scoring.others_most < least {
                continue;
            }
            let score = scoring.score(place);
            if score < least {
                continue;
            }
            best.push(Found { score, source, place: place as u32 });
            if best.len() >= 2 * count + ROOM {
                best.select_nth_unstable_by(count, best_first);
                best.truncate(count);
                least = best.iter().map(|one| one.score).fold(f32::INFINITY, f32::min);
            }
        }
    }
    best.sort_unstable_by(best_first);
    best.truncate(count);
    let explain = |one: Found| {
        let (source, place) = (one.source as usize, one.place as usize);
        let parts: Vec<ScorePart> = scorings[source]
            .parts(place)
            .into_iter()
            .map(|(name, value)| ScorePart { name, value: f64::from(value) })
            .collect();
        let score = parts.iter().map(|part| part.value).sum();
        Ranked { source, number: sources[source].passing[place], score, parts }
    };
    (best.into_iter().map(explain).collect(), total)
}

/// How many more than twice what is asked for are kept before the worst of them go.
const ROOM: usize = 64;

struct Found {
    score: f32,
    source: u32,
    place: u32,
}

/// All that the score of a memory of one source is made of.
struct Scoring<'a> {
    matches: &'a Matches,
    evidence: &'a Evidence,
    layout: &'a Layout,
    spread: &'a Spread,
    /// The number of the actor that the query names.
    actor: u32,
    time: Option<&'a Window>,
    means_the_same: f32,
    /// What the parts that are not in [`Scoring::of_query`] add at most.
    others_most: f32,
}

impl Scoring<'_> {
    /// Whether anything but chance connects a memory with the query.
    fn is_found(&self, place: usize, neighbours: f32) -> bool {
        self.evidence.passage[place] > 0.0
            || neighbours > 0.0
            || self.evidence.meaning.get(place).is_some_and(|cosine| *cosine >= self.means_the_same)
    }

    fn neighbours(&self, place: usize) -> f32 {
        let (before, after) = (self.layout.before(place), self.layout.after(place));
        let words = |place: Option<usize>| place.map_or(0.0, |place| self.evidence.words[place]);
        BEFORE * words(before)
            + AFTER * words(after)
            + TWO_BEFORE * words(before.and_then(|place| self.layout.before(place)))
            + TWO_AFTER * words(after.and_then(|place| self.layout.after(place)))
    }

    /// The parts of a score that say how near a memory is to the query, for which the memory itself is
    /// not looked at.
    fn of_query(&self, place: usize, neighbours: f32) -> f32 {
        let (evidence, spread) = (self.evidence, self.spread);
        let meaning = evidence.meaning.get(place).copied().unwrap_or_default();
        (OWN * evidence.words[place] + neighbours) / spread.words
            + PASSAGE * evidence.passage[place] / spread.passage
            + SESSION * evidence.session[self.layout.session(place)] / spread.session
            + COVERAGE * evidence.coverage[place]
            + MEANING * meaning / spread.meaning
    }

    fn others_most(&self) -> f32 {
        let flag = |holds: bool, weight: f32| if holds { weight } else { 0.0 };
        let rounding = 0.01;
        LENGTH * self.layout.log_length_most / self.spread.length
            + AFTER_QUESTION
            + flag(self.actor != NONE, ACTOR)
            + flag(self.time.is_some(), TIME)
            + IMPORTANCE * (1.0 - IMPORTANCE_USUAL)
            + rounding
    }

    fn score(&self, place: usize) -> f32 {
        self.parts(place).into_iter().map(|(_, value)| value).sum()
    }

    fn parts(&self, place: usize) -> [(&'static str, f32); 10] {
        let (evidence, spread) = (self.evidence, self.spread);
        let entry = self.matches.index.entry(self.matches.passing[place]);
        let follows_question = self.layout.before(place).is_some_and(|before| self.entry(before).asks);
        let flag = |holds: bool, weight: f32| if holds { weight } else { 0.0 };
        let meaning = evidence.meaning.get(place).copied().unwrap_or_default();
        [
            ("words", OWN * evidence.words[place] / spread.words),
            ("neighbours", self.neighbours(place) / spread.words),
            ("passage", PASSAGE * evidence.passage[place] / spread.passage),
            ("session", SESSION * evidence.session[self.layout.session(place)] / spread.session),
            ("coverage", COVERAGE * evidence.coverage[place]),
            ("meaning", MEANING * meaning / spread.meaning),
            (
                "form",
                LENGTH * evidence::length(entry.length) / spread.length
                    + flag(entry.asks, ASKS)
                    + flag(follows_question, AFTER_QUESTION),
            ),
            ("actor", flag(self.actor != NONE && self.actor == entry.actor, ACTOR)),
            ("time", flag(self.time.is_some_and(|window| window.holds(entry.occurred_at)), TIME)),
            ("importance", IMPORTANCE * (entry.importance - IMPORTANCE_USUAL)),
        ]
    }

    fn entry(&self, place: usize) -> &crate::store::Entry {
        self.matches.index.entry(self.matches.passing[place])
    }
}

/// The number of the one actor that the query names, in each source; `None` when it names none or
/// several.
fn named_actor(sources: &[Matches], layouts: &[Arc<Layout>], query: &str) -> Option<Vec<u32>> {
    let query = query.to_lowercase();
    let mut named: Option<(String, Vec<u32>)> = None;
    for (source, (matches, layout)) in sources.iter().zip(layouts).enumerate() {
        for actor in &layout.actors {
            let Some(name) = matches.index.actor(*actor) else { continue };
            if !names(&query, name) {
                continue;
            }
            let (known, numbers) = named.get_or_insert_with(|| (name.to_owned(), vec![NONE; sources.len()]));
            if known != name {
                return None;
            }
            numbers[source] = *actor;
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
