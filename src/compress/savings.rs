//! What compressing saves, counted call by call: also the calls that saved nothing, what the marks
//! cost, and what was fetched again later.
//!
//! Counting must not slow down what it counts. So calls are added up in memory and written together,
//! at most about a second later and when the process ends; a process that is killed loses that second.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Kind;
use super::marks::marks_in;
use crate::base::{Clock, Timestamp};
use crate::store::{SavingRow, Store};
use crate::tokens::Measure;

/// How long sums wait to be written with others.
const WRITE_AFTER: Duration = Duration::from_secs(1);
/// The kind of what is made of many texts.
const PACKET: &str = "packet";
/// The kind of what is fetched again, whatever it is.
const FETCHED: &str = "fetched";

/// What one call saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saving {
    /// The tool.
    pub tool: &'static str,
    /// The kind of text.
    pub kind: &'static str,
    /// The tokens before.
    pub before: usize,
    /// The tokens after, marks included.
    pub after: usize,
    /// The tokens of the marks.
    pub marks: usize,
}

impl Saving {
    /// Returns what a call of `tool` saved that made `text` of a text of `before` tokens.
    pub fn of(tool: &'static str, kind: Kind, before: usize, after: usize, text: &str, measure: Measure) -> Self {
        Self { kind: kind.word(), ..Self::of_parts(tool, before, after, text, measure) }
    }

    /// Returns what a call saved that put many texts of `before` tokens together into one.
    pub fn of_parts(tool: &'static str, before: usize, after: usize, text: &str, measure: Measure) -> Self {
        let marks = if before == after { 0 } else { measure.count_each(0, marks_in(text)).into_iter().sum() };
        Self { tool, kind: PACKET, before, after, marks }
    }

    /// Returns the call that fetched so many tokens of what had been cut: they were not saved.
    pub fn fetched(tool: &'static str, tokens: usize) -> Self {
        Self { tool, kind: FETCHED, before: 0, after: tokens, marks: 0 }
    }

    /// Returns how many whole percent were saved; negative when it became more.
    fn percent(&self) -> i32 {
        if self.before == 0 {
            return 0;
        }
        let (before, after) = (self.before as f64, self.after as f64);
        // Rounded down, so that nothing is said to have been saved that was not.
        (100.0 * (before - after) / before).floor().clamp(-100.0, 100.0) as i32
    }
}

/// Whether a sum is of calls that fetched what had been cut.
pub fn is_fetched(row: &SavingRow) -> bool {
    row.kind == FETCHED
}

/// Adds up what is saved.
#[derive(Clone)]
pub struct Savings(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    sums: Mutex<BTreeMap<Key, Sum>>,
    is_waiting: AtomicBool,
    writers: TaskTracker,
    stop: CancellationToken,
}

/// Day, tool, kind and percent.
type Key = (Date, &'static str, &'static str, i32);

#[derive(Default, Clone, Copy)]
struct Sum {
    calls: u64,
    before: u64,
    after: u64,
    marks: u64,
}

impl Savings {
    /// Returns the accounts that are kept in `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            sums: Mutex::default(),
            is_waiting: AtomicBool::new(false),
            writers: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Adds a call. Must be called inside a runtime.
    pub fn add(&self, saving: &Saving) {
        let key = (day(self.0.clock.now()), saving.tool, saving.kind, saving.percent());
        {
            let mut sums = self.0.sums.lock().unwrap_or_else(PoisonError::into_inner);
            let sum = sums.entry(key).or_default();
            sum.calls += 1;
            sum.before += saving.before as u64;
            sum.after += saving.after as u64;
            sum.marks += saving.marks as u64;
        }
        if !self.0.is_waiting.swap(true, Ordering::AcqRel) {
            let savings = self.clone();
            self.0.writers.spawn(async move {
                tokio::select! {
                    () = savings.0.stop.cancelled() => {}
                    () = tokio::time::sleep(WRITE_AFTER) => {}
                }
                savings.0.is_waiting.store(false, Ordering::Release);
                savings.write().await;
            });
        }
    }

    /// Returns the sums of the last `days` days, today included.
    pub async fn of_days(&self, days: u32) -> Result<Vec<SavingRow>, crate::store::StoreError> {
        self.write().await;
        let today = day(self.0.clock.now());
        let since = today.saturating_sub(jiff::Span::new().days(i64::from(days.saturating_sub(1))));
        self.0.store.savings(since).await
    }

    /// Writes what waits, and waits until it is written.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        self.0.writers.close();
        self.0.writers.wait().await;
        self.write().await;
    }

    async fn write(&self) {
        let sums = std::mem::take(&mut *self.0.sums.lock().unwrap_or_else(PoisonError::into_inner));
        if sums.is_empty() {
            return;
        }
        let rows = sums.into_iter().map(|((day, tool, kind, percent), sum)| SavingRow {
            day,
            tool: tool.to_owned(),
            kind: kind.to_owned(),
            percent,
            calls: sum.calls,
            before: sum.before,
            after: sum.after,
            marks: sum.marks,
        });
        if let Err(error) = self.0.store.add_savings(rows.collect()).await {
            tracing::debug!(%error, "what was saved could not be written down");
        }
    }
}

fn day(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_are_rounded_down_and_may_be_negative() {
        for (before, after, percent) in [
            (0, 0, 0),
            (100, 100, 0),
            (100, 1, 99),
            (1000, 1, 99),
            (100, 0, 100),
            (1000, 995, 0),
            (100, 101, -1),
            (1, 9, -100),
        ] {
            let saving = Saving { tool: "t", kind: "log", before, after, marks: 0 };
            assert_eq!(saving.percent(), percent, "{before} {after}");
        }
    }

    #[test]
    fn the_marks_of_a_text_are_counted_when_something_was_cut() {
        let measure = Measure::default();
        let mark = "[lines 3-90 cut, 1,204 tokens, ctx:ab12cd34]";
        let text = format!("one\ntwo\n{mark}\nlast […95-97] end\n…99 more\n");
        let saving = Saving::of("t", Kind::Prose, 1000, measure.count(&text), &text, measure);
        let wanted = measure.count(mark) + measure.count("[…95-97]") + measure.count("…99");
        assert_eq!(saving.marks, wanted);
        assert_eq!(Saving::of("t", Kind::Prose, 9, 9, &text, measure).marks, 0, "a text that speaks of marks");
    }
}
