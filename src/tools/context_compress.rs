//! `context_compress`: text, or files, within an exact number of tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, Input};
use super::{Call, Command, Effects, ErrorKind, Services, ToolError, TypedTool, cap};
use crate::base::{Handle, thousands};
use crate::compress::original::{self, OriginalError, ToKeep};
use crate::compress::{self, CannotFit, Kind, Level, Levels};
use crate::memory;
use crate::store::Removal;
use crate::tokens::{Encoding, Measure};

/// The tool.
pub struct ContextCompress;

/// What is to be compressed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    text: Option<String>,
    path: Option<String>,
    paths: Option<Vec<String>>,
    /// Absent: lossless only
    max_tokens: Option<usize>,
    /// What matters
    query: Option<String>,
    /// Default: detected
    kind: Option<Kind>,
    encoding: Option<Encoding>,
    model: Option<String>,
}

/// The text that fits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The text.
    pub text: String,
    /// The tokens of the original.
    pub tokens_before: usize,
    /// The tokens of `text`.
    pub tokens_after: usize,
    /// The kind of text.
    pub kind: Kind,
    /// How sure the detection was, from 0 to 100.
    pub confidence: u8,
    /// How far the text had to be changed.
    pub level: Level,
    /// Where the original is kept; null when `text` is the original.
    pub handle: Option<Handle>,
    /// What was cut, by lines of the original.
    pub cuts: Vec<Cut>,
    /// Whether `text` alone gives the original back, byte for byte; otherwise only `handle` does.
    pub reversible: bool,
    /// The encoding that was counted with.
    pub encoding: Encoding,
    /// Whether the counts are exact; otherwise they are estimates.
    pub exact: bool,
    /// Whether the original is not UTF-8: what is not is shown as U+FFFD, and kept as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
    /// Whether secrets were replaced in the original that is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// Lines that were cut.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Cut {
    /// The first line.
    from_line: usize,
    /// The last line.
    to_line: usize,
    /// Their tokens.
    tokens: usize,
    /// Where they can be fetched.
    handle: Option<Handle>,
}

impl TypedTool for ContextCompress {
    const NAME: &'static str = "context_compress";
    const ABOUT: &'static str = "Fit text or files into max_tokens exactly, keeping errors and what answers the query. Cut lines can be fetched by handle.";
    const EFFECTS: Effects = Effects { idempotent: true, ..Effects::ADDS };
    const COMMAND: Command =
        Command { name: "compress", positional: &["paths"], stdin: Some("text"), verbatim: true, ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let measure = call.services.measure(params.encoding, params.model.as_deref())?;
        let input = files::read_input(call, params.text, params.path, params.paths).await?;
        let wanted = Wanted { max_tokens: params.max_tokens, query: params.query, kind: params.kind, measure };
        // A lossless result without a budget may still be more than an assistant can take.
        let capped = call.capped && params.max_tokens.is_none();
        let cap = capped.then(|| cap::limit(call, None).saturating_sub(cap::OVERHEAD));
        compress(&call.services, input, wanted, cap).await
    }

    fn text(&self, output: &Output) -> String {
        output.text.clone()
    }

    fn remark(&self, output: &Output) -> Option<String> {
        let estimate = if output.exact { "" } else { " (estimated)" };
        let handle = output.handle.as_ref().map(|handle| format!("; original {handle}")).unwrap_or_default();
        let lossy = if output.lossy { "; not UTF-8: what is not is shown as U+FFFD" } else { "" };
        Some(format!(
            "{} -> {} tokens{estimate}, {} cuts{handle}{lossy}",
            thousands(output.tokens_before),
            thousands(output.tokens_after),
            output.cuts.len()
        ))
    }
}

/// What is wanted of a text.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The most tokens; `None`: as few as can be without losing anything.
    pub max_tokens: Option<usize>,
    /// What the reader wants to know.
    pub query: Option<String>,
    /// The kind of text; `None`: it is detected.
    pub kind: Option<Kind>,
    /// What tokens are measured with.
    pub measure: Measure,
}

/// Returns the input within its budget. Where it cannot stay as it is, the original is kept first,
/// without its secrets. `cap` is what the text may cost as JSON, where no budget was named.
pub async fn compress(
    services: &Services,
    input: Input,
    wanted: Wanted,
    cap: Option<usize>,
) -> Result<Output, ToolError> {
    let Wanted { max_tokens, query, kind, measure } = wanted;
    let levels = levels(services);
    let budget = services.default_measure();
    let lossy = std::str::from_utf8(&input.content).is_err();
    let job = Job { text: input.text().into_owned(), max_tokens, query, kind, measure };
    let (job, first) = job.fit(levels, None).await?;
    let known = first.as_ref().ok().map(|fitted| (fitted.kind, fitted.tokens_before));
    let is_within = |text: &str| cap.is_none_or(|cap| budget.fits(&Value::from(text).to_string(), cap));
    let fits = first.as_ref().is_ok_and(|fitted| is_within(&fitted.text)) || cap.is_none();
    match first {
        Ok(fitted) if fitted.level == Level::None && fits => {
            return Ok(Output { lossy, ..output(fitted, measure, None, false) });
        }
        Err(error) => return Err(too_small(&error)),
        Ok(_) => {}
    }
    services.stores()?;
    let store = services.store.as_ref();
    let new = ToKeep {
        content: input.content,
        source: input.source,
        kind: known.map(|(kind, _)| kind),
        tokens: known.map(|(_, tokens)| (tokens, measure.encoding())),
    };
    let kept = original::keep(store, new, services.clock.now(), Some(&memory::redacted)).await?;
    let mut job = Job { text: kept.text, ..job };
    if !fits {
        job.max_tokens = cap;
    }
    loop {
        let (again, fitted) = job.fit(levels, Some(kept.handle.clone())).await?;
        job = again;
        let fitted = fitted.map_err(|error| too_small(&error))?;
        match (job.max_tokens, cap) {
            // As JSON it is longer than as text.
            (Some(tokens), Some(cap)) if !is_within(&fitted.text) && tokens > cap / 4 => {
                job.max_tokens = Some(tokens - cap / 8);
            }
            _ => return Ok(Output { lossy, ..output(fitted, measure, Some(kept.handle), kept.redacted) }),
        }
    }
}

/// Returns the input within its budget and keeps nothing, for when nothing can be kept.
pub async fn compress_only(services: &Services, input: Input, wanted: Wanted) -> Result<Output, ToolError> {
    let Wanted { max_tokens, query, kind, measure } = wanted;
    let lossy = std::str::from_utf8(&input.content).is_err();
    let job = Job { text: memory::redacted(&input.text()).into_owned(), max_tokens, query, kind, measure };
    let (_, fitted) = job.fit(levels(services), None).await?;
    let fitted = fitted.map_err(|error| too_small(&error))?;
    Ok(Output { lossy, ..output(fitted, measure, None, false) })
}

struct Job {
    text: String,
    max_tokens: Option<usize>,
    query: Option<String>,
    kind: Option<Kind>,
    measure: Measure,
}

impl Job {
    /// Fits on the blocking pool, and gives the job back.
    async fn fit(
        self,
        levels: Levels,
        handle: Option<Handle>,
    ) -> Result<(Self, Result<compress::Fitted, CannotFit>), ToolError> {
        tokio::task::spawn_blocking(move || {
            let request = compress::Request {
                query: self.query.as_deref(),
                kind: self.kind,
                levels,
                handle: handle.as_ref(),
                ..compress::Request::new(&self.text, self.max_tokens, self.measure)
            };
            let fitted = compress::fit(&request);
            (self, fitted)
        })
        .await
        .map_err(|error| ToolError::new(ErrorKind::Internal, format!("compressing failed: {error}")))
    }
}

/// The levels that the settings allow.
pub fn levels(services: &Services) -> Levels {
    let compression = &services.config.context.compression;
    if compression.enabled { Levels::from_names(&compression.levels).unwrap_or(Levels::ALL) } else { Levels::TRUNCATE }
}

fn too_small(error: &CannotFit) -> ToolError {
    ToolError::new(ErrorKind::BudgetTooSmall, error.to_string())
        .with_hint(format!("allow at least {} tokens, or more levels in context.compression.levels", error.needed))
}

fn output(fitted: compress::Fitted, measure: Measure, handle: Option<Handle>, redacted: bool) -> Output {
    let cuts = fitted
        .cuts
        .iter()
        .map(|cut| Cut { from_line: cut.from_line, to_line: cut.to_line, tokens: cut.tokens, handle: handle.clone() })
        .collect();
    Output {
        text: fitted.text,
        tokens_before: fitted.tokens_before,
        tokens_after: fitted.tokens_after,
        kind: fitted.kind,
        confidence: fitted.confidence,
        level: fitted.level,
        cuts,
        reversible: fitted.reversible,
        handle,
        encoding: measure.encoding(),
        exact: measure.is_exact(),
        lossy: false,
        redacted,
    }
}

impl From<OriginalError> for ToolError {
    fn from(error: OriginalError) -> Self {
        let message = error.to_string();
        match error {
            OriginalError::Store(error) => error.into(),
            OriginalError::Unknown(_) => ToolError::new(ErrorKind::NotFound, message).with_hint(
                "handles belong to the project in which they were given; see memory.path in `ctx config show`",
            ),
            OriginalError::Removed { removed, .. } => {
                let again = "run again what made it, or read its source again";
                ToolError::new(ErrorKind::NotFound, message).with_hint(match removed.why {
                    Removal::Purged => again.to_owned(),
                    Removal::Expired => format!("{again}; context.originals.max_age_days says how long they are kept"),
                    Removal::Crowded => format!("{again}; context.originals.max_mib says how much is kept"),
                })
            }
            OriginalError::Failed(_) => ToolError::new(ErrorKind::Internal, message),
            OriginalError::TooLarge { .. }
            | OriginalError::NoSuchLine { .. }
            | OriginalError::NoSuchByte { .. }
            | OriginalError::Backwards { .. }
            | OriginalError::Pattern(_)
            | OriginalError::EmptyQuery(_) => ToolError::invalid(message),
        }
    }
}
