//! The budget engine: one text in, at most so many tokens out.
//!
//! Each level is tried only when the one before does not fit. Whatever a compressor does, the text
//! that is returned has been counted as a whole, in the caller's measure.

use std::borrow::Cow;

use super::clean::{clean, fold_blocks, fold_repeats, unfold_blocks, unfold_repeats};
use super::detect::{Detected, detect_in};
use super::draft::{Compressor, Known};
use super::lines::LineIndex;
use super::select::{Task, summarize};
use super::truncate::truncate;
use super::{Cut, Kind, Level, Levels, Query, compressor_of};
use crate::base::Handle;
use crate::tokens::Measure;

/// What is to be fitted, and to what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The text.
    pub text: &'a str,
    /// The most tokens; `None`: as few as can be without losing anything.
    pub max_tokens: Option<usize>,
    /// What tokens are measured with.
    pub measure: Measure,
    /// What the reader wants to know.
    pub query: Option<&'a str>,
    /// The kind of text; `None`: it is detected.
    pub kind: Option<Kind>,
    /// The levels that may be used.
    pub levels: Levels,
    /// The handle under which the original has been kept, for the marks.
    pub handle: Option<&'a Handle>,
    /// The tokens of the text, where they have been counted with `measure` before.
    pub counted: Option<usize>,
    /// What [`detect()`](super::detect()) says of the text, where it was asked before.
    pub detected: Option<Detected>,
}

impl<'a> Request<'a> {
    /// Returns a request with every level, no query and no handle.
    pub fn new(text: &'a str, max_tokens: Option<usize>, measure: Measure) -> Self {
        Self {
            text,
            max_tokens,
            measure,
            query: None,
            kind: None,
            levels: Levels::ALL,
            handle: None,
            counted: None,
            detected: None,
        }
    }
}

/// A text that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// The tokens of the original.
    pub tokens_before: usize,
    /// The tokens of `text`, marks included.
    pub tokens_after: usize,
    /// The kind that was asked for or detected.
    pub kind: Kind,
    /// How sure the detection was, from 0 to 100; 100 for a kind that was asked for.
    pub confidence: u8,
    /// How far the text had to be changed.
    pub level: Level,
    /// What was left out, in the order of the text.
    pub cuts: Vec<Cut>,
    /// Whether [`expand`] makes the original of `text` again, byte for byte.
    pub reversible: bool,
}

/// The allowed levels cannot make the text fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parts that must stay need {needed} tokens, more than the {max_tokens} allowed")]
pub struct CannotFit {
    /// The tokens that what must stay needs.
    pub needed: usize,
    /// The tokens that were allowed.
    pub max_tokens: usize,
}

/// Returns the text within its budget: byte for byte where it fits, else changed as little as the
/// allowed levels can.
pub fn fit(request: &Request<'_>) -> Result<Fitted, CannotFit> {
    let Request { text, measure, levels, .. } = *request;
    let known = Known::default();
    let tokens_before = request.counted.unwrap_or_else(|| measure.count(text));
    let detected = match (request.kind, request.detected) {
        (Some(kind), _) => Detected { kind, confidence: 100 },
        (None, Some(detected)) => detected,
        (None, None) => detect_in(text, &known),
    };
    let compressor = compressor_of(detected.kind, text, &known);
    let original = text;
    let fitted = |text: String, tokens_after: usize, level: Level, cuts: Vec<Cut>| Fitted {
        // Tried, not supposed: a form that does not carry everything is not said to.
        reversible: level == Level::None || expand(&text, detected.kind, level).as_deref() == Some(original),
        text,
        tokens_before,
        tokens_after,
        kind: detected.kind,
        confidence: detected.confidence,
        level,
        cuts,
    };

    let as_is = (Cow::Borrowed(text), tokens_before, Level::None);
    let Some(max_tokens) = request.max_tokens else {
        let (view, known) = seen(text, levels, known);
        let (text, tokens, level) = lossless(text, &view, levels, compressor, &known)
            .map(|(form, level)| (measure.count(&form), form, level))
            .map(|(tokens, form, level)| (Cow::Owned(form), tokens, level))
            .fold(as_is, |best, next| if next.1 < best.1 { next } else { best });
        return Ok(fitted(text.into_owned(), tokens, level, Vec::new()));
    };
    if tokens_before <= max_tokens {
        return Ok(fitted(text.to_owned(), tokens_before, Level::None, Vec::new()));
    }
    let (view, known) = seen(text, levels, known);
    // Whether one fits is known long before it is counted.
    if let Some((form, level)) =
        lossless(text, &view, levels, compressor, &known).find(|(form, _)| measure.fits(form, max_tokens))
    {
        let tokens = measure.count(&form);
        return Ok(fitted(form, tokens, level, Vec::new()));
    }

    let lines = LineIndex::of(view.as_bytes());
    let counted = matches!(view, Cow::Borrowed(_)).then_some(tokens_before);
    let task = Task { text: &view, lines: &lines, max_tokens, measure, handle: request.handle, counted };
    let mut needed = None;
    if levels.summarize {
        let query = request.query.and_then(Query::parse);
        match summarize(&task, compressor, &known, query.as_ref()) {
            Ok((text, tokens, cuts)) => {
                // What is written anew for a budget may say less of how it was written before, so that
                // everything has room after all.
                let level = if cuts.is_empty() { Level::Structure } else { Level::Summarize };
                return Ok(fitted(text, tokens, level, cuts));
            }
            Err(mandatory) => needed = Some(mandatory),
        }
    }
    if levels.truncate {
        let (text, tokens, cuts) = truncate(&task, compressor);
        return Ok(fitted(text, tokens, Level::Truncate, cuts));
    }
    let shortest = || {
        let forms = lossless(text, &view, levels, compressor, &known);
        forms.map(|(form, _)| measure.count(&form)).fold(tokens_before, usize::min)
    };
    Err(CannotFit { needed: needed.unwrap_or_else(shortest), max_tokens })
}

/// Returns the text that `form` was made from at a lossless level.
///
/// This is the original, byte for byte, where [`Fitted::reversible`] says so; otherwise something in
/// the original, such as colour codes, is only in the original that was kept. `None`: `form` was not
/// made at `level`, or that level cuts.
pub fn expand(form: &str, kind: Kind, level: Level) -> Option<String> {
    match level {
        Level::None => Some(form.to_owned()),
        Level::Whitespace => unfold_blocks(&unfold_repeats(form)),
        Level::Structure => compressor_of(kind, form, &Known::default()).expand(form),
        Level::Summarize | Level::Truncate => None,
    }
}

/// Returns the text without what says nothing, if the levels allow that, and what is known of it: as much
/// as of the text, where it is still the same.
fn seen(text: &str, levels: Levels, known: Known) -> (Cow<'_, str>, Known) {
    match if levels.whitespace { clean(text) } else { Cow::Borrowed(text) } {
        Cow::Borrowed(same) => (Cow::Borrowed(same), known),
        Cow::Owned(other) => (Cow::Owned(other), Known::default()),
    }
}

/// The lossless forms of a text that the levels allow, in the order of the levels; each is made when it
/// is asked for. `view` is the text as it is without codes and blanks, if the levels allow that.
fn lossless<'a>(
    text: &'a str,
    view: &'a str,
    levels: Levels,
    compressor: &'a dyn Compressor,
    known: &'a Known,
) -> impl Iterator<Item = (String, Level)> + 'a {
    let folded = move || {
        let blocks = if compressor.folds_repeats() { fold_blocks(view) } else { Cow::Borrowed(view) };
        let folded = if compressor.folds_repeats() { fold_repeats(&blocks) } else { Cow::Borrowed(&*blocks) };
        (*folded != *text).then(|| (folded.into_owned(), Level::Whitespace))
    };
    let other = move || Some((compressor.restructure_in(view, known)?, Level::Structure));
    let folded = levels.whitespace.then_some(folded).into_iter().filter_map(|make| make());
    folded.chain(levels.structure.then_some(other).into_iter().filter_map(|make| make()))
}
