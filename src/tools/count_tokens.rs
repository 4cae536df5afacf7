//! `count_tokens`: how many tokens texts and files have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::Reach;
use super::{Call, Command, Effects, ErrorKind, ToolError, TypedTool};
use crate::base::thousands;
use crate::tokens::{Encoding, Measure};

/// The most bytes of one file that are read.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The tool.
pub struct CountTokens;

/// What is to be counted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Text to count.
    text: Option<String>,
    /// Files to count.
    paths: Option<Vec<String>>,
    /// Default: of the settings.
    encoding: Option<Encoding>,
    /// Model name instead; Claude and Gemini are estimates.
    model: Option<String>,
}

/// The counts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The sum.
    total: usize,
    /// What was counted with.
    encoding: Encoding,
    /// Whether the counts are exact; otherwise they are estimates.
    exact: bool,
    /// The factor of an estimate over the encoding's exact count.
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    /// The count of each text and file, in the order given.
    items: Vec<Item>,
}

/// The count of one text or file.
#[derive(Debug, Serialize, JsonSchema)]
struct Item {
    /// The file as given; `-` for the text.
    path: String,
    /// Its tokens.
    tokens: usize,
    /// Whether the count is exact; otherwise it is an estimate.
    exact: bool,
    /// How far below an estimate the true count may be, in hundredths of the estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    margin_percent: Option<u32>,
    /// Whether the file is not UTF-8: what is not counts as U+FFFD.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lossy: bool,
}

impl TypedTool for CountTokens {
    const NAME: &'static str = "count_tokens";
    const ABOUT: &'static str =
        "Count tokens of text or files: exact for OpenAI encodings, labelled estimates for others.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command =
        Command { name: "tokens", positional: &["paths"], stdin: Some("text"), ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        if params.text.is_none() && params.paths.as_ref().is_none_or(Vec::is_empty) {
            return Err(ToolError::invalid("there is nothing to count").with_hint("send text or paths"));
        }
        let measure = call.services.measure(params.encoding, params.model.as_deref())?;
        let reach = Reach::of(call);
        let count = move || count_all(&reach, params.text, params.paths.unwrap_or_default(), measure);
        let items = tokio::task::spawn_blocking(count)
            .await
            .map_err(|error| ToolError::new(ErrorKind::Internal, format!("counting failed: {error}")))??;
        Ok(Output {
            total: items.iter().map(|item| item.tokens).sum(),
            encoding: measure.encoding(),
            exact: measure.is_exact(),
            factor: measure.factor_percent().map(|percent| f64::from(percent) / 100.0),
            items,
        })
    }

    fn text(&self, output: &Output) -> String {
        let kind = if output.exact { "" } else { " (estimate)" };
        let mut lines: Vec<String> =
            output.items.iter().map(|item| format!("{:>12}  {}", thousands(item.tokens), item.path)).collect();
        if lines.len() != 1 {
            lines.push(format!("{:>12}  total", thousands(output.total)));
        }
        lines.push(format!("{:>12}  {}{kind}", "", output.encoding));
        let lossy = output.items.iter().filter(|item| item.lossy);
        lines.extend(lossy.map(|item| format!("{} is not UTF-8; what is not counts as U+FFFD", item.path)));
        lines.join("\n")
    }
}

fn count_all(
    reach: &Reach,
    text: Option<String>,
    paths: Vec<String>,
    measure: Measure,
) -> Result<Vec<Item>, ToolError> {
    let item = |path: String, text: &str, lossy: bool| Item {
        path,
        tokens: measure.count_parallel(text),
        exact: measure.is_exact(),
        margin_percent: measure.margin_percent(),
        lossy,
    };
    let mut items: Vec<Item> = text.map(|text| item("-".to_owned(), &text, false)).into_iter().collect();
    for path in paths {
        let content = reach.read(&path, FILE_BYTES_MAX)?;
        items.push(match String::from_utf8(content) {
            Ok(text) => item(path, &text, false),
            Err(error) => item(path, &String::from_utf8_lossy(error.as_bytes()), true),
        });
    }
    Ok(items)
}
