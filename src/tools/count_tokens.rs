//! `count_tokens`: how many tokens texts and files have.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        let folder = call.services.config.paths.working_directory.clone();
        let count = move || count_all(&folder, params.text, params.paths.unwrap_or_default(), measure);
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
        lines.join("\n")
    }
}

fn count_all(
    folder: &Path,
    text: Option<String>,
    paths: Vec<String>,
    measure: Measure,
) -> Result<Vec<Item>, ToolError> {
    let mut items = Vec::new();
    if let Some(text) = text {
        items.push(Item { path: "-".to_owned(), tokens: measure.count(&text) });
    }
    for path in paths {
        let file: PathBuf = folder.join(&path);
        let failed =
            |error: std::io::Error| ToolError::new(ErrorKind::NotFound, format!("cannot read {path}: {error}"));
        let size = std::fs::metadata(&file).map_err(failed)?.len();
        if size > FILE_BYTES_MAX {
            return Err(ToolError::invalid(format!("{path} has {size} bytes: expected at most {FILE_BYTES_MAX}")));
        }
        let bytes = std::fs::read(&file).map_err(failed)?;
        items.push(Item { tokens: measure.count(&String::from_utf8_lossy(&bytes)), path });
    }
    Ok(items)
}
