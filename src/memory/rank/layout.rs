//! Where the memories that pass a filter stand in their sessions.

use crate::store::{Matches, NONE};

/// The sessions of a source, over the places among its passing memories. A memory without a session
/// is one of its own.
pub(super) struct Layout {
    /// For each place, its session's number here.
    session: Vec<u32>,
    /// For each place, the places before and after it in its session.
    before: Vec<u32>,
    after: Vec<u32>,
    /// For each session, the sum of the lengths of its memories.
    pub(super) lengths: Vec<f32>,
}

impl Layout {
    pub(super) fn new(matches: &Matches) -> Self {
        let count = matches.passing.len();
        let mut layout = Self {
            session: Vec::with_capacity(count),
            before: vec![NONE; count],
            after: vec![NONE; count],
            lengths: Vec::new(),
        };
        // By the session's number in the index: its number here and its latest place.
        let mut known: Vec<(u32, u32)> = vec![(NONE, NONE); matches.index.sessions()];
        let mut unordered = false;
        for (place, number) in (0_u32..).zip(&matches.passing) {
            let entry = matches.index.entry(*number);
            let next = layout.lengths.len() as u32;
            let session = match known.get_mut(entry.session as usize) {
                None => next,
                Some((session, latest)) => {
                    if *session == NONE {
                        *session = next;
                    } else {
                        let before = matches.index.entry(matches.passing[*latest as usize]);
                        unordered |= before.order > entry.order;
                        layout.after[*latest as usize] = place;
                        layout.before[place as usize] = *latest;
                    }
                    *latest = place;
                    *session
                }
            };
            if session == next {
                layout.lengths.push(0.0);
            }
            layout.lengths[session as usize] += entry.length as f32;
            layout.session.push(session);
        }
        if unordered {
            layout.order(matches);
        }
        layout
    }

    /// Puts the memories of each session in their order: one that took another's place stands later
    /// among the passing ones than in its session.
    fn order(&mut self, matches: &Matches) {
        let mut members: Vec<u32> = (0..self.session.len() as u32).collect();
        let order = |place: &u32| matches.index.entry(matches.passing[*place as usize]).order;
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
