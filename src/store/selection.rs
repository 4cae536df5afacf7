//! The memories that pass a filter.
//!
//! Finding them means looking at every memory, and so does what ranking derives from them; most
//! queries have the filter of the one before. So both are kept until they are no longer true.

use std::any::Any;
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::filter::MemoryFilter;
use crate::base::Timestamp;

/// No place.
const NOWHERE: u32 = u32::MAX;

/// The numbers of the memories that pass a filter, ascending.
#[derive(Debug, Default)]
pub struct Selection {
    numbers: Vec<u32>,
    /// For each number of the index, its place among those that pass.
    places: Vec<u32>,
    derived: OnceLock<Arc<dyn Any + Send + Sync>>,
}

impl Selection {
    /// Returns the selection of these numbers, which ascend.
    pub fn new(numbers: Vec<u32>) -> Self {
        let mut places = vec![NOWHERE; numbers.last().map_or(0, |last| *last as usize + 1)];
        (0..).zip(&numbers).for_each(|(place, number)| places[*number as usize] = place);
        Self { numbers, places, derived: OnceLock::new() }
    }

    /// Returns the place of a memory among those that pass.
    pub fn place(&self, number: u32) -> Option<u32> {
        self.places.get(number as usize).copied().filter(|place| *place != NOWHERE)
    }

    /// Returns what `derive` makes, or what it made for an earlier query over this selection: it must
    /// depend on nothing else than the memories that are selected. There is room for the first type
    /// that is asked for; any other is made each time.
    pub fn derived<T: Any + Send + Sync>(&self, derive: impl Fn() -> T) -> Arc<T> {
        let kept = self.derived.get_or_init(|| Arc::new(derive())).clone();
        kept.downcast().unwrap_or_else(|_| Arc::new(derive()))
    }
}

impl Deref for Selection {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.numbers
    }
}

/// What passed the filter of the latest query, for as long as that is so.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    filter: MemoryFilter,
    /// The microseconds in which nothing expires.
    holds: Range<i64>,
    selection: Arc<Selection>,
}

impl Recent {
    /// Returns what passes the filter, if that is known.
    pub(super) fn get(&self, filter: &MemoryFilter) -> Option<Arc<Selection>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref()?;
        let now = filter.as_of.or(filter.now).map_or(i64::MIN, Timestamp::as_microsecond);
        let same = kept.holds.contains(&now) && kept.filter == without_now(filter);
        same.then(|| kept.selection.clone())
    }

    /// Keeps what passes the filter at these times.
    pub(super) fn keep(&self, filter: &MemoryFilter, holds: Range<i64>, selection: &Arc<Selection>) {
        let kept = Kept { filter: without_now(filter), holds, selection: selection.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    /// Forgets it, because the memories are no longer the same.
    pub(super) fn clear(&mut self) {
        *self.0.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A copy is made to be changed, so it begins with nothing.
impl Clone for Recent {
    fn clone(&self) -> Self {
        Self::default()
    }
}

fn without_now(filter: &MemoryFilter) -> MemoryFilter {
    MemoryFilter { now: None, ..filter.clone() }
}
