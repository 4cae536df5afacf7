//! `context_compress`: text, or files, within an exact number of tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, Input};
use super::{Call, Command, Effects, ErrorKind, Services, ToolError, TypedTool, cap};
use crate::base::{Handle, content_hash, thousands};
use crate::compress::cache::{Key, Made};
use crate::compress::original::{self, OriginalError, ToKeep};
use crate::compress::savings::Saving;
use crate::compress::{self, CannotFit, Detected, Kind, Level, Levels};
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
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_cuts: usize,
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
        let mut output = compress(Self::NAME, &call.services, input, wanted, cap).await?;
        if call.capped
            && let Some(asked) = params.max_tokens
        {
            // Of a large text there may be a hundred thousand, and there is room for some dozens.
            let room = cap::limit(call, Some(asked)).saturating_sub(output.tokens_after);
            let most = CUTS_LISTED.max(room / CUT_TOKENS);
            output.more_cuts = output.cuts.len().saturating_sub(most);
            output.cuts.truncate(most);
        }
        Ok(output)
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
            output.cuts.len() + output.more_cuts
        ))
    }
}

/// What a cut costs at least in a list of them, in tokens.
const CUT_TOKENS: usize = 12;
/// So many cuts are always listed, if there is room.
const CUTS_LISTED: usize = 64;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde hands it over")]
fn is_zero(count: &usize) -> bool {
    *count == 0
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
/// without its secrets. `cap` is what the text may cost as JSON, where no budget was named. What it
/// saves is put to the account of `tool`.
pub async fn compress(
    tool: &'static str,
    services: &Services,
    input: Input,
    wanted: Wanted,
    cap: Option<usize>,
) -> Result<Output, ToolError> {
    let measure = wanted.measure;
    let output = within(services, input, wanted, cap).await?;
    let Output { kind, tokens_before, tokens_after, text, .. } = &output;
    services.savings.add(&Saving::of(tool, *kind, *tokens_before, *tokens_after, text, measure));
    Ok(output)
}

/// The largest content that is hashed on the spot, in bytes.
const HASHED_AT_ONCE: usize = 256 << 10;

async fn within(services: &Services, input: Input, wanted: Wanted, cap: Option<usize>) -> Result<Output, ToolError> {
    let (input, hash) = hashed(input).await?;
    let Wanted { max_tokens, query, kind, measure } = wanted;
    let levels = levels(services);
    let Input { content, source } = input;
    let key = Key { content: hash.clone(), max_tokens, cap, measure, kind, query: query.clone(), levels };
    // A large text is not held twice: what is UTF-8 is the text already.
    let (text, bytes) = match String::from_utf8(content) {
        Ok(text) => (text, None),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(error.into_bytes())),
    };
    let lossy = bytes.is_some();
    if let Some(made) = services.results.get(&key) {
        // Only with its original, which may have been removed since: a handle never points at nothing.
        let kept = services.store.touch_original(&made.handle, services.clock.now()).await;
        if kept.unwrap_or(false) {
            services.metrics.compress_cache_hits.add(1);
            let Made { fitted, handle, redacted } = Made::clone(&made);
            return Ok(Output { lossy, ..output(fitted, measure, Some(handle), redacted) });
        }
    }
    let budget = services.default_measure();
    let is_within = |text: &str| cap.is_none_or(|cap| budget.fits(&Value::from(text).to_string(), cap));
    let job = Job { text, max_tokens, query, kind, measure, counted: None, detected: None };
    let (mut job, seen) = job.look(levels).await?;
    let (tokens, kind) = match &seen {
        Seen::Fitted(fitted) => (fitted.tokens_before, fitted.kind),
        Seen::Over { tokens, detected } => (*tokens, detected.kind),
    };
    let mut first = None;
    if let Seen::Fitted(fitted) = seen
        && is_within(&fitted.text)
    {
        if fitted.level == Level::None {
            return Ok(Output { lossy, ..output(fitted, measure, None, false) });
        }
        first = Some(fitted);
    }
    services.stores()?;
    let text = std::mem::take(&mut job.text);
    let content = bytes.unwrap_or_else(|| text.into_bytes());
    let tokens = Some((tokens, measure.encoding()));
    let new = ToKeep { content, hash: Some(hash), source, kind: Some(kind), tokens };
    let kept = original::keep(services.store.as_ref(), new, services.clock.now(), Some(&memory::redacted)).await?;
    let (handle, redacted) = (kept.handle, kept.redacted);
    let fitted = match first {
        // What loses nothing has no marks, and so no handle in it.
        Some(fitted) if !redacted => fitted,
        _ => {
            let max_tokens = job.max_tokens.or(if first.is_none() { cap } else { None });
            let counted = if redacted { None } else { tokens.map(|(tokens, _)| tokens) };
            let detected = job.detected.filter(|_| !redacted);
            let job = Job { text: kept.text, max_tokens, counted, detected, ..job };
            job.fit_until(levels, &handle, cap, is_within).await?
        }
    };
    services.metrics.compress_cache_misses.add(1);
    services.results.put(key, Made { fitted: fitted.clone(), handle: handle.clone(), redacted });
    Ok(Output { lossy, ..output(fitted, measure, Some(handle), redacted) })
}

/// Hashes the content; a large one on the blocking pool.
async fn hashed(input: Input) -> Result<(Input, String), ToolError> {
    if input.content.len() <= HASHED_AT_ONCE {
        let hash = content_hash(&input.content);
        return Ok((input, hash));
    }
    tokio::task::spawn_blocking(move || {
        let hash = content_hash(&input.content);
        (input, hash)
    })
    .await
    .map_err(failed)
}

/// Returns the input within its budget and keeps nothing, for when nothing can be kept.
pub async fn compress_only(services: &Services, input: Input, wanted: Wanted) -> Result<Output, ToolError> {
    let Wanted { max_tokens, query, kind, measure } = wanted;
    let lossy = std::str::from_utf8(&input.content).is_err();
    let job = Job {
        text: memory::redacted(&input.text()).into_owned(),
        max_tokens,
        query,
        kind,
        measure,
        counted: None,
        detected: None,
    };
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
    /// The tokens of the text, where they have been counted.
    counted: Option<usize>,
    /// The kind of the text, where that was found out.
    detected: Option<Detected>,
}

/// What a first look at a text finds, before anything is kept.
enum Seen {
    /// It fits, or may not lose anything.
    Fitted(compress::Fitted),
    /// It is over its budget, so its marks will need a handle.
    Over { tokens: usize, detected: Detected },
}

impl Job {
    /// Looks whether anything of the text must go.
    async fn look(self, levels: Levels) -> Result<(Self, Seen), ToolError> {
        let Some(max_tokens) = self.max_tokens else {
            let (job, fitted) = self.fit(levels, None).await?;
            return Ok((job, Seen::Fitted(fitted.map_err(|error| too_small(&error))?)));
        };
        let (job, over) = tokio::task::spawn_blocking(move || {
            let tokens = self.measure.count_parallel(&self.text);
            let detected = (tokens > max_tokens).then(|| match self.kind {
                Some(kind) => Detected { kind, confidence: 100 },
                None => compress::detect(&self.text),
            });
            let over = detected.map(|detected| Seen::Over { tokens, detected });
            (Self { counted: Some(tokens), detected, ..self }, over)
        })
        .await
        .map_err(failed)?;
        match over {
            Some(over) => Ok((job, over)),
            None => {
                let (job, fitted) = job.fit(levels, None).await?;
                Ok((job, Seen::Fitted(fitted.map_err(|error| too_small(&error))?)))
            }
        }
    }

    /// Fits with the handle in the marks; where no budget was named, with less and less until
    /// `is_within`.
    async fn fit_until(
        mut self,
        levels: Levels,
        handle: &Handle,
        cap: Option<usize>,
        is_within: impl Fn(&str) -> bool,
    ) -> Result<compress::Fitted, ToolError> {
        loop {
            let (again, fitted) = self.fit(levels, Some(handle.clone())).await?;
            self = again;
            let fitted = fitted.map_err(|error| too_small(&error))?;
            match (self.max_tokens, cap) {
                // As JSON it is longer than as text.
                (Some(tokens), Some(cap)) if !is_within(&fitted.text) && tokens > cap / 4 => {
                    self.max_tokens = Some(tokens - cap / 8);
                }
                _ => return Ok(fitted),
            }
        }
    }

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
                counted: self.counted,
                detected: self.detected,
                ..compress::Request::new(&self.text, self.max_tokens, self.measure)
            };
            let fitted = compress::fit(&request);
            (self, fitted)
        })
        .await
        .map_err(failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn failed(error: tokio::task::JoinError) -> ToolError {
    ToolError::new(ErrorKind::Internal, format!("compressing failed: {error}"))
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
        more_cuts: 0,
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
