//! `count_tokens`: how many tokens texts and files have.
//!
//! Names become files (`find`), files become counts (`count`), counts become a table (`table`).

mod count;
mod find;
mod table;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::count::{Count, Outcome, count_files, count_text};
use self::find::{Failure, find};
use self::watch::Watch;
use super::files::Reach;
use super::{Answer, Call, Command, Effects, ErrorKind, ToolError, TypedTool, cap};
use crate::tokens::{Encoding, Measure, TextKind};

/// How many files an assistant sees unless it asks for more, or names more.
const TOP_DEFAULT: usize = 50;
/// How long counting goes on before anything is said about it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often something is said then.
const REPORT_EVERY: Duration = Duration::from_millis(250);
/// How many reasons an error tells when nothing could be counted.
const REASONS_MAX: usize = 5;

/// The tool.
pub struct CountTokens;

/// What is to be counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Text to count.
    text: Option<String>,
    /// Files, folders, globs
    paths: Option<Vec<String>>,
    /// Default: of the settings.
    encoding: Option<Encoding>,
    /// Model name instead; Claude and Gemini are estimates.
    model: Option<String>,
    /// Show the largest N.
    top: Option<usize>,
}

/// The counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The sum over all, shown or not.
    total: usize,
    /// What was counted with.
    encoding: Encoding,
    /// Whether the counts are exact; otherwise they are estimates.
    exact: bool,
    /// What an estimated sum is hardly below.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<usize>,
    /// What an estimated sum is hardly above.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<usize>,
    /// How many texts and files were counted.
    files: usize,
    /// The count of each text and file, the largest first.
    items: Vec<Item>,
    /// How many of them are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    /// The tokens of those.
    #[serde(skip_serializing_if = "is_zero")]
    more_tokens: usize,
    /// How many files of folders and globs were left out because they are binary.
    #[serde(skip_serializing_if = "is_zero")]
    skipped: usize,
    /// What could not be counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
}

/// The count of one text or file.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// The file; `-` for the text.
    path: String,
    /// Its tokens.
    tokens: usize,
    /// Whether the count is exact; otherwise it is an estimate.
    exact: bool,
    /// The kind of text that an estimate is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<TextKind>,
    /// What the true count is hardly below.
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<usize>,
    /// What the true count is hardly above.
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<usize>,
    /// How far the true count may be from an estimate, in hundredths of the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_percent: Option<u32>,
    /// Whether the file is not UTF-8: what is not counts as U+FFFD.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lossy: bool,
}

/// Something that could not be counted.
#[derive(Debug, Serialize, JsonSchema)]
struct Problem {
    /// The file, folder or glob.
    path: String,
    /// Why.
    reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl TypedTool for CountTokens {
    const NAME: &'static str = "count_tokens";
    const ABOUT: &'static str = "Count tokens of text or files: exact for OpenAI encodings, estimates for others.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command =
        Command { name: "tokens", positional: &["paths"], stdin: Some("text"), ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let paths = params.paths.unwrap_or_default();
        if params.text.is_none() && paths.is_empty() {
            return Err(ToolError::invalid("there is nothing to count").with_hint("send text or paths"));
        }
        let measure = call.services.measure(params.encoding, params.model.as_deref())?;
        // Whoever names many files wants to see them.
        let top = params.top.or_else(|| call.capped.then(|| TOP_DEFAULT.max(paths.len() + 1)));
        let reach = Reach::of(call);
        let watch = Arc::new(Watch::new(call.cancel.clone()));
        let watched = Arc::clone(&watch);
        let counting =
            tokio::task::spawn_blocking(move || count_all(&reach, params.text.as_deref(), &paths, measure, &watched));
        let tally = reporting(call, &watch, counting).await?;
        let mut output = Output::of(tally, measure);
        output.show(top.unwrap_or(usize::MAX));
        if call.capped {
            output.fit(call.services.default_measure(), cap::limit(call, None));
        }
        Ok(output)
    }

    fn text(&self, output: &Output) -> String {
        table::table(output)
    }

    fn failure(&self, output: &Output) -> Option<u8> {
        (!output.problems.is_empty()).then_some(1)
    }
}

/// Returns what the tool answers a user's own command for a few files in `folder`, at once and without
/// the services.
pub fn count_at_once(
    folder: PathBuf,
    paths: &[String],
    measure: Measure,
    top: Option<usize>,
) -> Result<Answer, ToolError> {
    let watch = Watch::new(CancellationToken::new());
    let tally = count_all(&Reach::of_user(folder), None, paths, measure, &watch)?;
    let mut output = Output::of(tally, measure);
    output.show(top.unwrap_or(usize::MAX));
    Answer::of(&CountTokens, &output)
}

/// Waits for the counts, and says how far they are when it takes long.
async fn reporting(
    call: &Call,
    watch: &Watch,
    mut counting: tokio::task::JoinHandle<Result<Tally, ToolError>>,
) -> Result<Tally, ToolError> {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + PATIENCE, REPORT_EVERY);
    loop {
        tokio::select! {
            counted = &mut counting => {
                return counted
                    .map_err(|error| ToolError::new(ErrorKind::Internal, format!("counting failed: {error}")))?;
            }
            _ = ticks.tick() => watch.report(&call.progress),
        }
    }
}

/// Everything that was counted, and what was not.
#[derive(Default)]
struct Tally {
    items: Vec<Item>,
    skipped: usize,
    failures: Vec<Failure>,
}

fn count_all(
    reach: &Reach,
    text: Option<&str>,
    paths: &[String],
    measure: Measure,
    watch: &Watch,
) -> Result<Tally, ToolError> {
    let mut files = find(reach, paths, watch)?;
    // The largest first, so that no thread is left with it at the end.
    files.found.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    let mut tally = Tally { failures: files.failures, ..Tally::default() };
    tally.items.extend(text.map(|text| Item::of("-".to_owned(), &count_text(measure, None, text, false, true))));
    let outcomes = count_files(reach, &files.found, measure, watch)?;
    for (file, outcome) in files.found.into_iter().zip(outcomes) {
        match outcome {
            Outcome::Counted(count) => tally.items.push(Item::of(file.name, &count)),
            Outcome::Binary => tally.skipped += 1,
            Outcome::Failed(error) if error.kind == ErrorKind::Refused && file.named => return Err(error),
            Outcome::Failed(error) => tally.failures.push(Failure { name: file.name, error }),
        }
    }
    if tally.items.is_empty() && tally.skipped == 0 {
        none_counted(&mut tally.failures)?;
    }
    Ok(tally)
}

/// Returns the error of a call of which nothing could be counted.
fn none_counted(failures: &mut Vec<Failure>) -> Result<(), ToolError> {
    if failures.is_empty() {
        return Ok(());
    }
    let more = failures.len().saturating_sub(REASONS_MAX);
    let reasons: Vec<&str> = failures.iter().take(REASONS_MAX).map(|failure| failure.error.message.as_str()).collect();
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    let message = format!("{}{more}", reasons.join("; "));
    let first = failures.swap_remove(0).error;
    Err(ToolError { hint: first.hint, ..ToolError::new(first.kind, message) })
}

impl Item {
    fn of(path: String, count: &Count) -> Self {
        let Count { counted, kind, lossy } = count;
        Self {
            path,
            tokens: counted.tokens,
            exact: counted.bounds.is_none(),
            kind: *kind,
            low: counted.bounds.map(|bounds| bounds.low),
            high: counted.bounds.map(|bounds| bounds.high),
            margin_percent: counted.bounds.map(|bounds| bounds.margin_percent),
            lossy: *lossy,
        }
    }
}

impl Output {
    fn of(tally: Tally, measure: Measure) -> Self {
        let Tally { mut items, skipped, mut failures } = tally;
        items.sort_by(|a, b| b.tokens.cmp(&a.tokens).then_with(|| a.path.cmp(&b.path)));
        failures.sort_by(|a, b| a.name.cmp(&b.name));
        let sum = |part: fn(&Item) -> Option<usize>| {
            (!measure.is_exact()).then(|| items.iter().filter_map(part).sum::<usize>())
        };
        Self {
            total: items.iter().map(|item| item.tokens).sum(),
            encoding: measure.encoding(),
            exact: measure.is_exact(),
            low: sum(|item| item.low),
            high: sum(|item| item.high),
            files: items.len(),
            items,
            more: 0,
            more_tokens: 0,
            skipped,
            problems: failures
                .into_iter()
                .map(|failure| Problem { path: failure.name, reason: failure.error.message })
                .collect(),
        }
    }

    /// Shows the `top` largest, and sums up the others.
    fn show(&mut self, top: usize) {
        if top < self.items.len() {
            self.more += self.items.len() - top;
            self.more_tokens += self.items.drain(top..).map(|item| item.tokens).sum::<usize>();
        }
    }

    /// Shows as many as a result of `limit` tokens has room for.
    fn fit(&mut self, measure: Measure, limit: usize) {
        let fits = |output: &Self| {
            serde_json::to_string(output).is_ok_and(|json| measure.fits(&json, limit))
                && measure.fits(&table::table(output), limit)
        };
        while self.items.len() > 1 && !fits(self) {
            self.show(self.items.len() * 7 / 8);
        }
    }
}
