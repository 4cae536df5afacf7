//! Processor time, medians and means.

use std::hint::black_box;

use nix::time::{ClockId, clock_gettime};

/// Returns the processor time of this process so far, of all its threads, in seconds.
fn now() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("Linux has this clock");
    time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9
}

/// Returns what a function returns and the seconds of processor time that it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = now();
    let result = black_box(work());
    (result, now() - before)
}

/// Returns the median.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Returns the geometric mean.
pub fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, count), value| (sum + value.ln(), count + 1));
    (sum / f64::from(count)).exp()
}

/// Returns a verdict on a figure that should be at least `goal`.
pub fn verdict(figure: f64, goal: f64) -> &'static str {
    if figure >= goal { "ok" } else { "SHORT" }
}
