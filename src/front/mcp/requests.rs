//! The requests that are being worked on, under numbers of our own.
//!
//! Clients may use one id twice, or ids that `rmcp` cannot hold. Inside, every request has a
//! number that nobody else has; the client's id comes back on the way out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

/// The most requests that are worked on at once.
pub const RUNNING_MAX: usize = 256;

/// The requests that are being worked on.
pub struct Requests {
    open: Mutex<Open>,
    load: watch::Sender<Load>,
}

#[derive(Default)]
struct Open {
    last: i64,
    ids: HashMap<i64, Value>,
    initialize: Option<i64>,
}

/// How busy the connection is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many requests are being worked on.
    pub running: usize,
    /// Whether `initialize` is one of them.
    pub initializing: bool,
}

impl Requests {
    /// Returns no requests.
    pub fn new() -> Self {
        Self { open: Mutex::default(), load: watch::Sender::new(Load::default()) }
    }

    /// Returns a view of how busy the connection is.
    pub fn load(&self) -> watch::Receiver<Load> {
        self.load.subscribe()
    }

    /// Begins a request and returns its number.
    pub fn begin(&self, id: Value, is_initialize: bool) -> i64 {
        self.change(|open| {
            open.last += 1;
            open.ids.insert(open.last, id);
            if is_initialize {
                open.initialize = Some(open.last);
            }
            open.last
        })
    }

    /// Ends a request and returns the client's id; `None` when it was cancelled.
    pub fn end(&self, number: i64) -> Option<Value> {
        self.change(|open| {
            open.initialize = open.initialize.filter(|initialize| *initialize != number);
            open.ids.remove(&number)
        })
    }

    /// Takes back every request of that id, except `initialize`; nothing more is sent for them.
    pub fn cancel(&self, id: &Value) -> Vec<i64> {
        self.change(|open| {
            let numbers: Vec<i64> = open
                .ids
                .iter()
                .filter(|(number, open_id)| *open_id == id && open.initialize != Some(**number))
                .map(|(number, _)| *number)
                .collect();
            for number in &numbers {
                open.ids.remove(number);
            }
            numbers
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut open);
        let load = Load { running: open.ids.len(), initializing: open.initialize.is_some() };
        // Still under the lock, so that the last change is the one that is seen last.
        self.load.send_replace(load);
        result
    }
}
