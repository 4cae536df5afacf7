//! Counting on several threads.
//!
//! A long text is taken apart where its pretokens begin whatever surrounds them, and what the parts
//! cost adds up to what the whole does. Where it cannot be taken apart, one thread counts it.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::meter::Meter;

/// The length from which a text is worth a second thread. Measured on a busy machine with two cores:
/// nothing is gained at a quarter of a megabyte, 15 % at half of one, a third at two.
pub(super) const LEN_MIN: usize = 512 << 10;

/// The length of a part, so that threads that are slow or late leave the others more to do.
const PART: usize = 128 << 10;

/// The most threads.
const THREADS_MAX: usize = 8;

/// Returns what `text` costs. Each thread counts with a meter of its own.
pub(super) fn cost(meter: impl Fn(usize) -> Meter + Sync, text: &str) -> usize {
    // Linux tells how many processors there are by several files, which takes longer than a short text.
    let threads = if text.len() >= LEN_MIN { thread::available_parallelism().map_or(1, NonZero::get) } else { 1 };
    cost_on(threads.min(THREADS_MAX), meter, text)
}

fn cost_on(threads: usize, meter: impl Fn(usize) -> Meter + Sync, text: &str) -> usize {
    let parts = if threads > 1 && text.len() >= LEN_MIN { parts(&meter(0), text) } else { vec![text] };
    let threads = threads.min(parts.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut meter = meter(text.len() / threads.max(1));
        let mut total = 0;
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            total += meter.cost(part, usize::MAX).expect("nothing costs more than the most");
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
fn parts<'a>(meter: &Meter, text: &'a str) -> Vec<&'a str> {
    let mut parts = Vec::with_capacity(text.len() / PART + 1);
    let mut rest = text;
    while rest.len() > PART {
        let mut at = rest.ceil_char_boundary(PART);
        while at < rest.len() && !meter.is_boundary(rest, at) {
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
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase, Encoding::R50kBase] {
            let measure = Measure::exact(encoding);
            let meter = |len| measure.meter(len);
            let parts = parts(&meter(0), text);
            assert!(parts.len() >= parts_min && parts.concat() == text, "{} parts", parts.len());
            let alone = measure.count(text);
            for threads in [2, 8] {
                assert_eq!(cost_on(threads, meter, text), alone, "{threads} threads");
            }
        }
    }

    #[test]
    fn the_count_on_threads_is_the_count() {
        check("", 0);
        check(&"x".repeat(LEN_MIN), 1);
        check(&" ".repeat(LEN_MIN), 1);
        let mut state = 1_u32;
        let mixed: String = (0..LEN_MIN / 2)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ["word ", " 1", "\n", "!", "'s", "中", "  "][(state >> 16) as usize % 7]
            })
            .collect();
        check(&mixed, mixed.len() / PART);
        check(&format!("{mixed}{}{mixed}", "ab".repeat(PART)), 2 * (mixed.len() / PART));
    }
}
