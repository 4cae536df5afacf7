//! `context_retrieve`: gives back what was cut, byte for byte.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Call, Command, Effects, ToolError, TypedTool, cap};
use crate::base::Handle;
use crate::compress::original::{self, What};
use crate::compress::savings::Saving;
use crate::tokens::Budget;

/// How many lines around each match are given.
const REGEX_CONTEXT: usize = 2;

/// What is said instead of an empty text.
const NOTHING: &str = "nothing matches";

/// The tool.
pub struct ContextRetrieve;

/// What is wanted of which original.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    handle: Handle,
    /// Such as 120-340
    lines: Option<String>,
    #[schemars(range(min = 1))]
    from_line: Option<usize>,
    #[schemars(range(min = 1))]
    to_line: Option<usize>,
    regex: Option<String>,
    query: Option<String>,
    #[schemars(range(min = 1))]
    max_tokens: Option<usize>,
    /// To go on within a long line
    skip_bytes: Option<usize>,
}

/// The part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The part; for lines, byte for byte.
    text: String,
    /// Its tokens.
    tokens: usize,
    /// Its first line; 0 when there is none.
    from_line: usize,
    /// Its last line; 0 when there is none.
    to_line: usize,
    /// The lines of the whole original.
    lines: usize,
    /// The lines or passages that were found; 0 when nothing matches.
    found: usize,
    /// Whether the part is not UTF-8: what is not is shown as U+FFFD, and `ctx retrieve` writes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lossy: bool,
    #[serde(skip)]
    raw: Option<Vec<u8>>,
    /// Where to go on, when not everything fits: `lines` of the next call.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_lines: Option<String>,
    /// `skip_bytes` of the next call.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_skip_bytes: Option<usize>,
}

impl TypedTool for ContextRetrieve {
    const NAME: &'static str = "context_retrieve";
    const ABOUT: &'static str = "Fetch cut or stored text by handle: lines, regex matches, or passages for a query.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command =
        Command { name: "retrieve", positional: &["handle", "lines"], verbatim: true, ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        call.services.stores()?;
        let by_line = params.from_line.is_some() || params.to_line.is_some();
        let given = [params.lines.is_some(), by_line, params.regex.is_some(), params.query.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(ToolError::invalid("/lines, /from_line with /to_line, /regex and /query exclude each other")
                .with_hint("send one of them"));
        }
        let skip_bytes = params.skip_bytes.unwrap_or(0);
        let mut end = None;
        let lines = match params.lines {
            Some(lines) => Some(range(&lines)?),
            None => by_line.then(|| (params.from_line.unwrap_or(1), params.to_line.unwrap_or(usize::MAX))),
        };
        let what = match (lines, params.regex, params.query) {
            (Some((from, to)), ..) => {
                end = Some(to);
                What::Lines { from, to, skip_bytes }
            }
            (_, Some(pattern), _) => What::Regex { pattern, context: REGEX_CONTEXT },
            (_, _, Some(query)) => What::Query(query),
            (None, None, None) => What::All,
        };
        let limit = cap::limit(call, None).saturating_sub(cap::OVERHEAD);
        let tokens = params.max_tokens.unwrap_or(if call.capped { limit } else { usize::MAX });
        let mut budget = Budget { tokens, measure: call.services.default_measure() };
        let found = loop {
            let store = call.services.store.as_ref();
            let now = call.services.clock.now();
            let found = original::retrieve(store, &params.handle, &what, budget, now).await?;
            // As JSON it is longer than as text.
            let fits = params.max_tokens.is_some() || !call.capped || {
                budget.measure.fits(&Value::from(found.text.as_str()).to_string(), limit)
            };
            if fits || budget.tokens <= limit / 4 {
                break found;
            }
            budget.tokens -= limit / 8;
        };
        call.services.savings.add(&Saving::fetched(Self::NAME, found.tokens));
        let end = end.unwrap_or(found.lines).min(found.lines);
        Ok(Output {
            next_lines: found.more.map(|more| format!("{}-{}", more.line, end.max(more.line))),
            next_skip_bytes: found.more.map(|more| more.skip_bytes).filter(|bytes| *bytes > 0),
            text: found.text,
            lossy: found.raw.is_some(),
            raw: found.raw,
            tokens: found.tokens,
            from_line: found.from_line,
            to_line: found.to_line,
            lines: found.lines,
            found: found.found,
        })
    }

    fn text(&self, output: &Output) -> String {
        if output.found == 0 { NOTHING.to_owned() } else { output.text.clone() }
    }

    fn bytes(&self, output: &Output) -> Option<Vec<u8>> {
        if output.found == 0 { Some(Vec::new()) } else { output.raw.clone() }
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        (output.found == 0).then_some(1)
    }

    fn remark(&self, output: &Output) -> Option<String> {
        if output.found == 0 {
            return Some(NOTHING.to_owned());
        }
        let lossy = output.lossy.then(|| "this part is not UTF-8; as text, what is not is U+FFFD".to_owned());
        let next = output.next_lines.as_ref().map(|lines| format!("there is more: go on with lines {lines}"));
        let said: Vec<String> = lossy.into_iter().chain(next).collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }
}

/// Reads `120-340`, `120-` or `120`.
fn range(text: &str) -> Result<(usize, usize), ToolError> {
    let wrong = || {
        let shown: String = text.chars().take(40).collect();
        ToolError::invalid(format!("/lines is {shown:?}: expected a range of lines from 1"))
            .with_hint("write 120-340, 120- or 120")
    };
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|line| *line > 0).ok_or_else(wrong);
    match text.split_once('-') {
        None => number(text).map(|line| (line, line)),
        Some((from, to)) if to.trim().is_empty() => Ok((number(from)?, usize::MAX)),
        Some((from, to)) => Ok((number(from)?, number(to)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        assert_eq!(range("120-340").ok(), Some((120, 340)));
        assert_eq!(range(" 7 ").ok(), Some((7, 7)));
        assert_eq!(range("9-").ok(), Some((9, usize::MAX)));
        for text in ["", "0", "0-3", "-3", "a-b", "1-2-3"] {
            assert!(range(text).is_err(), "{text:?}");
        }
    }
}
