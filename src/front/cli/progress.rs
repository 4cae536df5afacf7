//! Progress on a terminal: one line on standard error that rewrites itself, and goes away.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::tools::{Progress, Update};

/// How often the line is rewritten at most.
const REWRITE_EVERY: Duration = Duration::from_millis(80);

/// The line.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shown: bool,
    latest: Option<Instant>,
}

impl Line {
    /// Returns where a tool reports its progress: nowhere, unless standard error is a terminal.
    pub fn progress(&self) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress::default();
        }
        let line = self.clone();
        Progress::to(move |update| line.show(&update))
    }

    /// Removes the line.
    pub fn clear(&self) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
            state.shown = false;
        }
    }

    fn show(&self, update: &Update) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.latest.is_some_and(|latest| latest.elapsed() < REWRITE_EVERY) {
            return;
        }
        state.latest = Some(Instant::now());
        state.shown = true;
        let done = match update.total {
            Some(total) if total > 0.0 => format!("{:>3.0} %  ", 100.0 * update.done / total),
            _ => String::new(),
        };
        let message: String = update.message.chars().filter(|c| !c.is_control()).take(100).collect();
        let _ = write!(std::io::stderr(), "\r\x1b[2K{done}{message}");
        let _ = std::io::stderr().flush();
    }
}
