//! The requests that are being worked on, under numbers of our own.
//!
//! Clients may use one id twice, or ids that `rmcp` cannot hold. Inside, every request has a
//! number that nobody else has; the client's id comes back on the way out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::front::stdio::Held;

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
    requests: HashMap<i64, Request>,
    initialize: Option<i64>,
}

/// A request.
pub struct Request {
    /// The client's id.
    pub id: Value,
    /// The batch in which it came.
    pub batch: Option<Arc<Batch>>,
    /// The room that its text takes until it is answered.
    pub held: Option<Arc<Held>>,
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
    pub fn begin(&self, request: Request, is_initialize: bool) -> i64 {
        self.change(|open| {
            open.last += 1;
            open.requests.insert(open.last, request);
            if is_initialize {
                open.initialize = Some(open.last);
            }
            open.last
        })
    }

    /// Ends a request; `None` when it was cancelled.
    pub fn end(&self, number: i64) -> Option<Request> {
        self.change(|open| {
            open.initialize = open.initialize.filter(|initialize| *initialize != number);
            open.requests.remove(&number)
        })
    }

    /// Takes back every request of that id, except `initialize`; nothing more is sent for them.
    pub fn cancel(&self, id: &Value) -> Vec<(i64, Request)> {
        self.change(|open| {
            let initialize = open.initialize;
            open.requests.extract_if(|number, request| request.id == *id && initialize != Some(*number)).collect()
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut open);
        let load = Load { running: open.requests.len(), initializing: open.initialize.is_some() };
        // Still under the lock, so that the last change is the one that is seen last.
        self.load.send_replace(load);
        result
    }
}

/// Requests that came in one array and are answered in one.
#[derive(Default)]
pub struct Batch(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    missing: usize,
    there: Vec<Value>,
}

impl Batch {
    /// Waits for one more answer.
    pub fn expect(&self) {
        self.change(|answers| answers.missing += 1);
    }

    /// Adds an answer that nobody waited for.
    pub fn add(&self, answer: Value) {
        self.change(|answers| answers.there.push(answer));
    }

    /// Adds an answer that was waited for, or none if it was cancelled. Returns all of them once
    /// none is missing.
    pub fn settle(&self, answer: Option<Value>) -> Option<Value> {
        self.change(|answers| {
            answers.missing = answers.missing.saturating_sub(1);
            answers.there.extend(answer);
        });
        self.complete()
    }

    /// Returns all answers if none is missing and there are any.
    pub fn complete(&self) -> Option<Value> {
        self.change(|answers| {
            (answers.missing == 0 && !answers.there.is_empty()).then(|| std::mem::take(&mut answers.there).into())
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Answers) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
