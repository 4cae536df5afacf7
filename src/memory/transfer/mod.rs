//! Taking memories out and in: own exports, the formats of other memory servers, notes for
//! assistants, commit messages and transcripts of sessions.
//!
//! Reading a format is a pure function from text to [`Item`]s, each with the place it comes from; a
//! bad one is a problem with its place and takes no other with it. What is kept of them is decided
//! in one place (`keep.rs`): ids and digests that are known, in history and among the forgotten as
//! well, are left alone, so that importing twice changes nothing.

mod basic_memory;
mod claude_md;
mod export;
mod files;
mod git;
mod keep;
mod markdown;
mod mem0;
mod outline;
mod record;
mod server_memory;
mod transcript;

use std::collections::BTreeMap;

pub use export::Exported;
pub use files::{Problem, SourceFile, read_source};
pub use git::GitRequest;
pub use record::{Importance, Metadata, Record};
pub use transcript::TranscriptOptions;

use super::redact::Redacted;
use super::remember::Draft;
use super::{Memories, MemoryError};

/// What memories are imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Own export: a memory a line.
    JsonLines,
    /// Own export: a folder with a Markdown file for each memory.
    Markdown,
    /// The file of the official MCP memory server: entities with observations, and relations.
    ServerMemory,
    /// What mem0 gives out as all memories: `{"results": [...]}`, or the list alone.
    Mem0,
    /// Notes of basic-memory: observations and relations in Markdown.
    BasicMemory,
    /// Notes for an assistant: `CLAUDE.md`, `AGENTS.md` and their like.
    ClaudeMd,
}

impl Format {
    /// Every format, in the order in which help names them.
    pub const ALL: [Self; 6] =
        [Self::JsonLines, Self::Markdown, Self::ServerMemory, Self::Mem0, Self::BasicMemory, Self::ClaudeMd];

    /// Returns its word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Markdown => "markdown",
            Self::ServerMemory => "server-memory",
            Self::Mem0 => "mem0",
            Self::BasicMemory => "basic-memory",
            Self::ClaudeMd => "claude-md",
        }
    }

    /// Returns the format that a word stands for.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }

    /// Returns the format that files look like.
    pub fn detect(files: &[SourceFile]) -> Option<Self> {
        let votes = files.iter().take(64).filter_map(Self::of_file);
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for format in votes {
            let place = Self::ALL.iter().position(|one| *one == format).unwrap_or_default();
            *counts.entry(place).or_default() += 1;
        }
        let best = counts.into_iter().max_by_key(|(place, count)| (*count, std::cmp::Reverse(*place)));
        best.map(|(place, _)| Self::ALL[place])
    }

    fn of_file(file: &SourceFile) -> Option<Self> {
        if file.name.to_ascii_lowercase().ends_with(".md") {
            return Some(match markdown::split(&file.text) {
                Some(split) if split.front.lines().any(|line| line.starts_with("id: mem_")) => Self::Markdown,
                Some(split) if split.front.lines().any(|line| line.starts_with("permalink:")) => Self::BasicMemory,
                _ => Self::ClaudeMd,
            });
        }
        // The first lines tell, whichever of them is damaged.
        for line in file.text.lines().filter(|line| !line.trim().is_empty()).take(20) {
            if server_memory::is_line(line) {
                return Some(Self::ServerMemory);
            }
            if line.trim_start().starts_with("{\"id\":\"mem_") || serde_json::from_str::<Record>(line).is_ok() {
                return Some(Self::JsonLines);
            }
        }
        mem0::is_export(&file.text).then_some(Self::Mem0)
    }

    /// Reads files of this format.
    fn items(self, files: &[SourceFile]) -> Vec<Item> {
        let read = match self {
            Self::JsonLines => json_lines,
            Self::Markdown => markdown_file,
            Self::ServerMemory => server_memory::items,
            Self::Mem0 => mem0::items,
            Self::BasicMemory => basic_memory::items,
            Self::ClaudeMd => claude_md::items,
        };
        files.iter().flat_map(read).collect()
    }
}

/// Something that was read, and the place where it stood.
#[derive(Debug, PartialEq)]
struct Item {
    place: String,
    found: Result<Found, String>,
}

/// What was read.
#[derive(Debug, PartialEq)]
enum Found {
    /// A memory of an own export, with its id and its history.
    Record(Box<Record>),
    /// Something else to be remembered.
    Draft(Box<Draft>),
}

impl Item {
    fn draft(place: String, draft: Draft) -> Self {
        Self { place, found: Ok(Found::Draft(Box::new(draft))) }
    }

    fn problem(place: String, reason: impl Into<String>) -> Self {
        Self { place, found: Err(reason.into()) }
    }
}

/// What became of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many memories are new.
    pub stored: usize,
    /// How many are there already: their ids, or the same content, in history as well.
    pub known: usize,
    /// How many of the new ones took the place of a current memory of the same topic.
    pub superseded: usize,
    /// How many were left out, and why.
    pub skipped: BTreeMap<&'static str, usize>,
    /// What could not be read or kept.
    pub problems: Vec<Problem>,
    /// The secrets that were replaced.
    pub redacted: Vec<Redacted>,
    /// Why words alone find them at present, if that is so.
    pub note: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

impl Memories {
    /// Imports files of a format; with `dry_run` it only tells what would become of them.
    pub async fn import(&self, files: Vec<SourceFile>, format: Format, dry_run: bool) -> Result<Report, MemoryError> {
        let items = tokio::task::spawn_blocking(move || format.items(&files)).await.expect("reading does not panic");
        self.keep(items, dry_run).await
    }
}

/// The lines of an own export.
fn json_lines(file: &SourceFile) -> Vec<Item> {
    let lines = file.text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(line, number)| {
            let found = serde_json::from_str(line.trim_start_matches('\u{feff}'))
                .map(|record| Found::Record(Box::new(record)))
                .map_err(|error| json_reason(&error));
            Item { place: format!("{}:{number}", file.name), found }
        })
        .collect()
}

/// A file of an own export to a folder.
fn markdown_file(file: &SourceFile) -> Vec<Item> {
    let item = match markdown::read(&file.text) {
        Ok(record) => Item { place: file.name.clone(), found: Ok(Found::Record(Box::new(record))) },
        Err((line, reason)) => Item::problem(format!("{}:{line}", file.name), reason),
    };
    vec![item]
}

/// What is wrong with a line of JSON, without the line number, which would always be 1.
fn json_reason(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    let end = reason.rfind(" at line ").unwrap_or(reason.len());
    if error.column() > 0 { format!("{} (column {})", &reason[..end], error.column()) } else { reason }
}

/// A time as other programs write it: with an offset, without one (UTC), or a date alone.
fn time_of(text: &str) -> Option<crate::base::Timestamp> {
    use jiff::civil::{Date, DateTime};
    use jiff::tz::TimeZone;
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
        .or_else(|| TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok())
}

/// The longest text that is made of one turn or one commit, in bytes.
const PART_BYTES_MAX: usize = 48 * 1024;

/// Returns a text in parts that can each be kept, cut at line ends where there are any.
fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > PART_BYTES_MAX {
        let most = &rest[..rest.floor_char_boundary(PART_BYTES_MAX)];
        let end = most.rfind('\n').filter(|end| *end > PART_BYTES_MAX / 2).unwrap_or(most.len());
        parts.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    parts.push(rest.to_owned());
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Returns a text, or its beginning with a sign where it is too long to be kept.
fn keep_text(text: &str) -> String {
    let mut parts = parts(text).into_iter();
    let first = parts.next().unwrap_or_default();
    if parts.next().is_some() { format!("{first}\n[…]") } else { first }
}
