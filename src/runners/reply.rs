//! What an agent answered, whichever program spoke for it.

use serde_json::Value;

use crate::exec::{Captured, Ended, Exit};

/// What an agent answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
    /// Why it failed, where it said so.
    pub error: Option<String>,
    /// The identifier of its session.
    pub session_id: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// What ended it, as far as the program tells.
    pub ended_by: EndedBy,
    /// Warnings it gave, as text.
    pub notes: Vec<String>,
}

/// What an agent used; `None` where the program does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Tokens read by the model, cached ones included.
    pub input_tokens: Option<u64>,
    /// Those of them that were read from a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written by the model.
    pub output_tokens: Option<u64>,
    /// Its cost in US dollars.
    pub cost_usd: Option<f64>,
    /// Its turns.
    pub turns: Option<u64>,
}

/// What ended an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EndedBy {
    /// It was done.
    Completed,
    /// Its limit on turns.
    TurnsLimit,
    /// Its limit on cost.
    CostLimit,
    /// An error that it reported.
    Error,
    /// The process ended before the agent told.
    #[default]
    Untold,
}

/// The most of a text that is taken over as an error or a note, in characters.
const NOTE_CHARACTERS_MAX: usize = 600;

/// Returns the reply of a process that wrote nothing we can read.
pub(super) fn unreadable(exit: &Exit, program: &str) -> Reply {
    let text = text(&exit.stdout);
    let error = match &exit.ended {
        Ended::Exited(code) if text.trim().is_empty() => format!("{program} ended with exit code {code} and no answer"),
        Ended::Exited(code) => format!("{program} ended with exit code {code} and an answer that is not its JSON"),
        Ended::Signalled(_) | Ended::TimedOut | Ended::Cancelled | Ended::Limit(_) => {
            format!("{program} was ended before it answered")
        }
    };
    Reply { text, is_error: true, error: Some(error), ..Reply::default() }
}

/// Returns the kept output as text.
pub(super) fn text(captured: &Captured) -> String {
    String::from_utf8_lossy(&captured.bytes).into_owned()
}

/// Returns the JSON objects among the lines of an output; other lines are skipped, such as the
/// marker where output was dropped.
pub(super) fn objects(text: &str) -> impl DoubleEndedIterator<Item = Value> {
    text.lines().filter(|line| line.starts_with('{')).filter_map(|line| serde_json::from_str(line).ok())
}

/// Returns the text of a field.
pub(super) fn string(value: &Value, field: &str) -> Option<String> {
    value.get(field)?.as_str().map(str::to_owned)
}

/// Returns the number of a field.
pub(super) fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field)?.as_u64()
}

/// Returns the beginning of a text that is to be a note.
pub(super) fn note(text: &str) -> String {
    text.chars().take(NOTE_CHARACTERS_MAX).collect()
}

/// Returns the sum of what there is.
pub(super) fn sum(parts: &[Option<u64>]) -> Option<u64> {
    let known = parts.iter().flatten();
    known.copied().reduce(u64::saturating_add)
}
