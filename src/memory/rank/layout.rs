//! Where the memories that pass a filter stand in their sessions, and how long they are.

use super::evidence::{self, Sums};
use crate::store::{Index, NONE};

/// What ranking needs of the memories that pass a filter and is the same for every query. A memory
/// without a session is one of its own.
pub(super) struct Layout {
    /// For each place among the passing memories, its session's number here.
    session: Vec<u32>,
    /// For each place, the places before and after it in its session.
    before: Vec<u32>,
    after: Vec<u32>,
    /// For each place, the length of the memory, and of it and its direct neighbours together.
    pub(super) lengths: Vec<f32>,
    pub(super) passage_lengths: Vec<f32>,
    pub(super) sessions: Vec<Session>,
    /// The sums of the lengths of memories and of passages.
    pub(super) length: f64,
    pub(super) passage_length: f64,
    /// Of the natural logarithms of the lengths.
    pub(super) log_lengths: Sums,
    /// The greatest of those.
    pub(super) log_length_most: f32,
    /// Those to whom the memories belong.
    pub(super) actors: Vec<u32>,
}

/// A session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Session {
    /// The sum of the lengths of its memories.
    pub(super) length: f32,
    /// How many they are.
    pub(super) memories: f32,
}

impl Layout {
    /// Returns the layout of these memories, whose numbers ascend.
    pub(super) fn new(index: &Index, passing: &[u32]) -> Self {
        let count = passing.len();
        let mut layout = Self {
            session: Vec::with_capacity(count),
            before: vec![NONE; count],
            after: vec![NONE; count],
            lengths: Vec::with_capacity(count),
            passage_lengths: Vec::new(),
            sessions: Vec::new(),
            length: 0.0,
            passage_length: 0.0,
            log_lengths: Sums::default(),
            log_length_most: 0.0,
            actors: Vec::new(),
        };
        // By the session's number in the index: its number here and its latest place.
        let mut known: Vec<(u32, u32)> = vec![(NONE, NONE); index.sessions()];
        let mut seen: Vec<bool> = Vec::new();
        let mut unordered = false;
        for (place, number) in (0_u32..).zip(passing) {
            let entry = index.entry(*number);
            let next = layout.sessions.len() as u32;
            let session = match known.get_mut(entry.session as usize) {
                None => next,
                Some((session, latest)) => {
                    if *session == NONE {
                        *session = next;
                    } else {
                        let before = index.entry(passing[*latest as usize]);
                        unordered |= before.order > entry.order;
                        layout.after[*latest as usize] = place;
                        layout.before[place as usize] = *latest;
                    }
                    *latest = place;
                    *session
                }
            };
            if session == next {
                layout.sessions.push(Session::default());
            }
            let length = entry.length as f32;
            let own = &mut layout.sessions[session as usize];
            own.length += length;
            own.memories += 1.0;
            layout.session.push(session);
            layout.lengths.push(length);
            let log_length = evidence::length(entry.length);
            layout.log_lengths.add(log_length, 1.0);
            layout.log_length_most = layout.log_length_most.max(log_length);
            layout.note_actor(entry.actor, &mut seen);
        }
        if unordered {
            layout.order(index, passing);
        }
        let around = |place: Option<usize>| place.map_or(0.0, |place| layout.lengths[place]);
        let passage = |place| layout.lengths[place] + around(layout.before(place)) + around(layout.after(place));
        layout.passage_lengths = (0..count).map(passage).collect();
        layout.length = layout.lengths.iter().map(|length| f64::from(*length)).sum();
        layout.passage_length = layout.passage_lengths.iter().map(|length| f64::from(*length)).sum();
        layout
    }

    fn note_actor(&mut self, actor: u32, seen: &mut Vec<bool>) {
        let at = actor as usize;
        if actor == NONE || seen.get(at).copied().unwrap_or(false) {
            return;
        }
        if seen.len() <= at {
            seen.resize(at + 1, false);
        }
        seen[at] = true;
        self.actors.push(actor);
    }

    /// Puts the memories of each session in their order: one that took another's place stands later
    /// among the passing ones than in its session.
    fn order(&mut self, index: &Index, passing: &[u32]) {
        let mut members: Vec<u32> = (0..self.session.len() as u32).collect();
        let order = |place: &u32| index.entry(passing[*place as usize]).order;
        members.sort_by_key(|place| (self.session[*place as usize], order(place), *place));
        self.before.fill(NONE);
        self.after.fill(NONE);
        for pair in members.windows(2) {
            if self.session[pair[0] as usize] == self.session[pair[1] as usize] {
                self.after[pair[0] as usize] = pair[1];
                self.before[pair[1] as usize] = pair[0];
            }
        }
    }

    pub(super) fn session(&self, place: usize) -> usize {
        self.session[place] as usize
    }

    pub(super) fn before(&self, place: usize) -> Option<usize> {
        Some(self.before[place]).filter(|place| *place != NONE).map(|place| place as usize)
    }

    pub(super) fn after(&self, place: usize) -> Option<usize> {
        Some(self.after[place]).filter(|place| *place != NONE).map(|place| place as usize)
    }
}
