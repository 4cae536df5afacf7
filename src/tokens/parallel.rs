//! Counting on several threads.
//!
//! A long text is taken apart where its pretokens begin whatever surrounds them, and what the parts
//! cost adds up to what the whole does. Where it cannot be taken apart, one thread counts it.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::count::Counter;
use super::pretokens;

/// The length from which a text is worth a second thread; a thread starts in the time that some ten
/// kilobytes take.
pub(super) const LEN_MIN: usize = 256 << 10;

/// The length of a part, so that threads that are slow or late leave the others more to do.
const PART: usize = 128 << 10;

/// The most threads.
const THREADS_MAX: usize = 8;

/// Returns what `text` costs. Each thread counts with a counter of its own.
pub(super) fn cost(counter: impl Fn(usize) -> Counter + Sync, text: &str) -> usize {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    cost_on(threads, counter, text)
}

fn cost_on(threads: usize, counter: impl Fn(usize) -> Counter + Sync, text: &str) -> usize {
    let parts = if threads > 1 && text.len() >= LEN_MIN { parts(text) } else { vec![text] };
    let threads = threads.min(parts.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut counter = counter(text.len() / threads.max(1));
        let mut total = 0;
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            total += counter.cost(part, usize::MAX).expect("nothing costs more than the most");
        }
        total
    };
    thread::scope(|scope| {
        // Without another thread, this one does it all.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let own = work();
        others.into_iter().map(|other| other.join().expect("counting does not panic")).sum::<usize>() + own
    })
}

/// The parts of `text`, of about [`PART`] bytes unless there is no boundary for longer.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(text.len() / PART + 1);
    let mut rest = text;
    while rest.len() > PART {
        let mut at = rest.ceil_char_boundary(PART);
        while at < rest.len() && !pretokens::is_boundary(rest, at) {
            at = rest.ceil_char_boundary(at + 1);
        }
        let part;
        (part, rest) = rest.split_at(at);
        parts.push(part);
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::{Encoding, Measure};
    use super::*;

    #[track_caller]
    fn check(text: &str, parts_min: usize) {
        assert_eq!(parts(text).concat(), text);
        assert!(parts(text).len() >= parts_min, "{} parts", parts(text).len());
        for encoding in Encoding::ALL {
            let measure = Measure::exact(encoding);
            let counter = |len| measure.counter(len);
            let alone = measure.count(text);
            for threads in [1, 2, 3, 8] {
                assert_eq!(cost_on(threads, counter, text), alone, "{threads} threads");
            }
        }
    }

    #[test]
    fn the_count_on_threads_is_the_count() {
        check("", 0);
        check(&"x".repeat(LEN_MIN), 1);
        check(&" ".repeat(LEN_MIN), 1);
        let mut state = 1_u32;
        let mixed: String = (0..LEN_MIN)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ["word ", " 1", "\n", "!", "'s", "中", "  "][(state >> 16) as usize % 7]
            })
            .collect();
        check(&mixed, mixed.len() / PART);
        check(&format!("{mixed}{}{mixed}", "ab".repeat(PART)), 2 * (mixed.len() / PART));
    }
}
