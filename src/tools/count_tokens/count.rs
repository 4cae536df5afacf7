//! Counting files, several at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::find::Found;
use super::watch::Watch;
use crate::tokens::{Counted, Measure, TextKind};
use crate::tools::ToolError;
use crate::tools::files::Reach;

/// The most bytes of one file that are read.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Only one file of more bytes than this is in memory at a time.
const LARGE_BYTES: u64 = 8 << 20;
/// From this many bytes on, all files together, threads pay.
const SHARED_BYTES_MIN: u64 = 256 << 10;
/// From this many files on, threads pay: opening a file costs as much as counting a page.
const SHARED_FILES_MIN: usize = 64;
/// The most threads.
const THREADS_MAX: usize = 8;
/// Where a zero byte tells that a file is not text.
const BINARY_PROBE_BYTES: usize = 8 << 10;

/// What came of a file.
pub enum Outcome {
    /// Its count.
    Counted(Count),
    /// It was not named itself, and is binary.
    Binary,
    /// It could not be read.
    Failed(ToolError),
}

/// The count of a text.
pub struct Count {
    /// How many tokens.
    pub counted: Counted,
    /// What it was taken for, where that matters.
    pub kind: Option<TextKind>,
    /// Whether something in it is not UTF-8 and was counted as U+FFFD.
    pub lossy: bool,
}

/// Counts a text; `name` helps to tell its kind.
///
/// A text that is counted `alone`, while no other is, may take several threads.
pub fn count_text(measure: Measure, name: Option<&str>, text: &str, lossy: bool, alone: bool) -> Count {
    if measure.is_exact() {
        let tokens = if alone { measure.count_parallel(text) } else { measure.count(text) };
        let counted = Counted { tokens, bounds: None };
        return Count { counted, kind: None, lossy };
    }
    let kind = TextKind::of(name, text);
    Count { counted: measure.count_of_kind(text, kind), kind: Some(kind), lossy }
}

/// Counts the files; the outcomes are in the order of `files`, which should begin with the largest.
pub fn count_files(reach: &Reach, files: &[Found], measure: Measure, watch: &Watch) -> Result<Vec<Outcome>, ToolError> {
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let pays = files.len() > 1 && (bytes >= SHARED_BYTES_MIN || files.len() >= SHARED_FILES_MIN);
    // Linux tells how many there are by several files, so it is asked only where it matters.
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if pays { processors().min(THREADS_MAX).min(files.len()) } else { 1 };
    let alone = threads == 1;
    let work = Work { reach, files, measure, watch, alone, next: AtomicUsize::new(0), large: Mutex::new(()) };
    let mut outcomes = if threads == 1 {
        work.take()?
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work.take())).collect();
            let mut all = Vec::with_capacity(files.len());
            for worker in workers {
                all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, ToolError>(all)
        })?
    };
    outcomes.sort_unstable_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Files that several threads take from, one at a time.
struct Work<'a> {
    reach: &'a Reach,
    files: &'a [Found],
    measure: Measure,
    watch: &'a Watch,
    alone: bool,
    next: AtomicUsize,
    large: Mutex<()>,
}

impl Work<'_> {
    /// Counts files until none is left.
    fn take(&self) -> Result<Vec<(usize, Outcome)>, ToolError> {
        let mut outcomes = Vec::new();
        loop {
            let index = self.next.fetch_add(1, Relaxed);
            let Some(file) = self.files.get(index) else { return Ok(outcomes) };
            self.watch.goes_on()?;
            outcomes.push((index, self.count(file)));
            self.watch.done(file.bytes);
        }
    }

    fn count(&self, file: &Found) -> Outcome {
        let _one_at_a_time =
            (file.bytes > LARGE_BYTES).then(|| self.large.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let content = match self.reach.read_at(&file.name, &file.path, FILE_BYTES_MAX) {
            Ok(content) => content,
            Err(error) => return Outcome::Failed(error),
        };
        if !file.named && content[..content.len().min(BINARY_PROBE_BYTES)].contains(&0) {
            return Outcome::Binary;
        }
        let name = Some(file.name.as_str());
        Outcome::Counted(match String::from_utf8(content) {
            Ok(text) => count_text(self.measure, name, &text, false, self.alone),
            Err(error) => count_text(self.measure, name, &String::from_utf8_lossy(error.as_bytes()), true, self.alone),
        })
    }
}
