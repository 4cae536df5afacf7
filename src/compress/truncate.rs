//! The last resort: the beginning of the text and a mark.

use super::Cut;
use super::draft::Compressor;
use super::marks::{brief, full};
use super::select::Task;

/// The mark for budgets in which no other has room.
const ELLIPSIS: &str = "…";

/// Returns the longest beginning of the text that fits with the best mark that fits, and its
/// tokens; for a budget of nothing, nothing.
pub(super) fn truncate(task: &Task<'_>, compressor: &dyn Compressor) -> (String, usize, Vec<Cut>) {
    let everything = task.lines.cut(0..task.text.len(), task.tokens());
    if compressor.only_mark(task.text, ELLIPSIS).is_some() {
        return only_mark(task, compressor, everything);
    }
    let reserve = task.measure.count(&full(&everything, task.handle)) + 2;
    let room_for = |mark: usize| task.max_tokens.checked_sub(mark).filter(|room| *room >= 4);
    let attempt = match (room_for(reserve), room_for(6)) {
        (Some(room), _) => beginning(task, room, true),
        (None, Some(room)) => beginning(task, room, false),
        (None, None) => None,
    };
    attempt.unwrap_or_else(|| {
        let prefix = task.max_tokens.checked_sub(1).map(|room| task.measure.prefix(task.text, room)).unwrap_or("");
        for text in [format!("{prefix}{ELLIPSIS}"), ELLIPSIS.to_owned()] {
            let tokens = task.measure.count(&text);
            if tokens <= task.max_tokens {
                let kept = if text == ELLIPSIS { 0 } else { prefix.len() };
                return (text, tokens, vec![rest(task, kept)]);
            }
        }
        (String::new(), 0, vec![everything])
    })
}

/// A beginning of at most `room` tokens, and a mark; whole lines where there is one.
fn beginning(task: &Task<'_>, mut room: usize, is_full: bool) -> Option<(String, usize, Vec<Cut>)> {
    loop {
        let prefix = task.measure.prefix(task.text, room);
        let prefix = prefix.rfind('\n').map_or(prefix, |end| &prefix[..=end]);
        let cut = rest(task, prefix.len());
        let mark = if is_full { full(&cut, task.handle) } else { brief(&cut) };
        let text = format!("{prefix}{mark}");
        let tokens = task.measure.count(&text);
        if tokens <= task.max_tokens {
            return Some((text, tokens, vec![cut]));
        }
        room = room.checked_sub(tokens - task.max_tokens)?;
    }
}

fn rest(task: &Task<'_>, from: usize) -> Cut {
    let rest = &task.text[from..];
    task.lines.cut(from..task.text.len(), task.measure.count(rest))
}

/// The most telling of the texts that hold nothing but a mark.
fn only_mark(task: &Task<'_>, compressor: &dyn Compressor, everything: Cut) -> (String, usize, Vec<Cut>) {
    let words = [full(&everything, task.handle), brief(&everything), ELLIPSIS.to_owned()];
    for mark in words {
        let Some(text) = compressor.only_mark(task.text, &mark) else { continue };
        let tokens = task.measure.count(&text);
        if tokens <= task.max_tokens {
            return (text, tokens, vec![everything]);
        }
    }
    (String::new(), 0, vec![everything])
}
