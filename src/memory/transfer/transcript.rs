//! Sessions as they were said: transcripts of Claude Code, and chats of the form `Name: text`.
//!
//! A turn is an episode with its speaker and its session, in order. What tools gave out, what a
//! program put between the turns, and thoughts are left out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

use super::{Item, Problem, Report, SourceFile, json_reason, parts, time_of};
use crate::base::Timestamp;
use crate::memory::remember::Draft;
use crate::memory::{Memories, MemoryError};
use crate::store::{MemoryKind, Scope};

/// The fewest turns that make a chat.
const TURNS_MIN: usize = 2;

/// What goes with every turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TranscriptOptions {
    /// The session; that of the transcript when absent, or the name of its file.
    pub session_id: Option<String>,
    /// Who shares the turns.
    pub scope: Scope,
    /// Tags of each.
    pub tags: Vec<String>,
    /// Only tells what would be kept.
    pub dry_run: bool,
}

impl Memories {
    /// Remembers the turns of a transcript.
    pub async fn remember_transcript(
        &self,
        file: &SourceFile,
        options: &TranscriptOptions,
    ) -> Result<Report, MemoryError> {
        let mut read = if is_json_lines(&file.text) { of_claude_code(file) } else { of_chat(file) };
        if read.turns.is_empty() && read.problems.is_empty() {
            let reason = "no turns were found: expected a transcript of Claude Code (.jsonl), or lines `Name: text`";
            return Err(MemoryError::Unreadable { place: file.name.clone(), reason: reason.to_owned() });
        }
        let problems = std::mem::take(&mut read.problems);
        let items = read.turns.into_iter().flat_map(|turn| turn.items(file, options)).collect();
        let mut report = self.keep(items, options.dry_run).await?;
        report.problems.splice(0..0, problems);
        Ok(Report { skipped: read.skipped, ..report })
    }
}

#[derive(Default)]
struct Read {
    turns: Vec<Turn>,
    skipped: BTreeMap<&'static str, usize>,
    problems: Vec<Problem>,
}

/// Something that somebody said.
#[derive(Debug, Clone, PartialEq)]
struct Turn {
    line: usize,
    actor: String,
    session: Option<String>,
    at: Option<Timestamp>,
    text: String,
}

impl Turn {
    fn items(self, file: &SourceFile, options: &TranscriptOptions) -> Vec<Item> {
        let stem = file.name.rsplit_once('.').map_or(file.name.as_str(), |(stem, _)| stem);
        let session = options.session_id.clone().or(self.session).unwrap_or_else(|| stem.to_owned());
        let place = format!("{}:{}", file.name, self.line);
        let draft = |text: String| Draft {
            text,
            kind: MemoryKind::Episode,
            scope: options.scope,
            tags: options.tags.clone(),
            session_id: Some(session.clone()),
            actor: Some(self.actor.clone()),
            occurred_at: self.at,
            source: Some(place.clone()),
            ..Draft::default()
        };
        parts(&self.text).into_iter().map(|text| Item::draft(place.clone(), draft(text))).collect()
    }
}

fn is_json_lines(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.trim_start().starts_with('{'))
}

/// A line of a transcript of Claude Code, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    message: Option<Message>,
    timestamp: Option<String>,
    session_id: Option<String>,
    #[serde(default)]
    is_meta: bool,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_compact_summary: bool,
}

#[derive(Deserialize)]
struct Message {
    role: Option<String>,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type", default)]
    kind: String,
    text: Option<String>,
}

fn of_claude_code(file: &SourceFile) -> Read {
    let mut read = Read::default();
    for (line, number) in file.text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Line>(line) {
            Ok(line) => match turn_of(line, number) {
                Ok(turn) => read.turns.push(turn),
                Err(why) => *read.skipped.entry(why).or_default() += 1,
            },
            Err(error) => {
                let place = format!("{}:{number}", file.name);
                read.problems.push(Problem { place, reason: json_reason(&error) });
            }
        }
    }
    read
}

fn turn_of(line: Line, number: usize) -> Result<Turn, &'static str> {
    let Some(message) = line.message.filter(|_| ["user", "assistant"].contains(&line.kind.as_str())) else {
        return Err("not a turn");
    };
    if line.is_meta || line.is_compact_summary {
        return Err("written by the program");
    }
    if line.is_sidechain {
        return Err("of a sub-agent");
    }
    let text = match message.content {
        None => String::new(),
        Some(Content::Text(text)) => text,
        Some(Content::Blocks(blocks)) => {
            let texts: Vec<String> =
                blocks.into_iter().filter(|block| block.kind == "text").filter_map(|block| block.text).collect();
            if texts.is_empty() {
                return Err("tools and their results");
            }
            texts.join("\n\n")
        }
    };
    let text = WRITTEN_BY_PROGRAM.replace_all(&text, "").trim().to_owned();
    if text.is_empty() || text.starts_with("[Request interrupted") {
        return Err("written by the program");
    }
    Ok(Turn {
        line: number,
        actor: message.role.unwrap_or(line.kind),
        session: line.session_id,
        at: line.timestamp.as_deref().and_then(time_of),
        text,
    })
}

/// What Claude Code puts into a turn: reminders, and commands of its own with their output.
static WRITTEN_BY_PROGRAM: LazyLock<Regex> = LazyLock::new(|| {
    let tags = ["system-reminder", "command-name", "command-message", "command-args", "command-contents"];
    let more = ["local-command-stdout", "local-command-stderr", "local-command-caveat", "bash-input"];
    let output = ["bash-stdout", "bash-stderr", "ide_opened_file", "ide_selection"];
    let spans = tags.iter().chain(&more).chain(&output).map(|tag| format!("<{tag}>.*?</{tag}>"));
    Regex::new(&format!("(?s){}", spans.collect::<Vec<_>>().join("|"))).expect("the pattern is valid")
});

/// `Name: text`, perhaps after a time in brackets; a name is one to four words.
static SPOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:\[?(?P<time>\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?)\]?\s+(?:-\s+)?)?(?:\*\*|<)?(?P<name>\p{L}[\p{L}\p{N}._'-]*(?: [\p{L}\p{N}._'-]+){0,3})(?:>\s+|\*\*:\s*|:\*\*\s*|:(?:\s+|$))(?P<text>.*)$",
    )
    .expect("the pattern is valid")
});

fn of_chat(file: &SourceFile) -> Read {
    let mut read = Read::default();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let spoken: Vec<Option<Turn>> = file.text.lines().zip(1..).map(|(line, number)| turn_in(line, number)).collect();
    for turn in spoken.iter().flatten() {
        *counts.entry(turn.actor.clone()).or_default() += 1;
    }
    if counts.values().sum::<usize>() < TURNS_MIN {
        return read;
    }
    // Somebody who speaks once, between two lines of another's turn, is a word before a colon.
    let speaks = |turn: &Turn| turn.at.is_some() || counts[&turn.actor] > 1 || counts.len() <= 3;
    let mut preamble = 0;
    for (line, turn) in file.text.lines().zip(spoken) {
        match (turn.filter(speaks), read.turns.last_mut()) {
            (Some(turn), _) => read.turns.push(turn),
            (None, Some(last)) => {
                last.text.push('\n');
                last.text.push_str(line);
            }
            (None, None) => preamble += usize::from(!line.trim().is_empty()),
        }
    }
    read.turns.iter_mut().for_each(|turn| turn.text = turn.text.trim().to_owned());
    read.turns.retain(|turn| !turn.text.is_empty());
    if preamble > 0 {
        read.skipped.insert("before the first turn", preamble);
    }
    read
}

fn turn_in(line: &str, number: usize) -> Option<Turn> {
    let found = SPOKEN.captures(line)?;
    let at = found.name("time").and_then(|time| time_of(&time.as_str().replacen(' ', "T", 1)));
    let (actor, text) = (found["name"].to_owned(), found["text"].to_owned());
    Some(Turn { line: number, actor, session: None, at, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(text: &str) -> Vec<(String, String)> {
        let file = SourceFile { name: "chat.txt".to_owned(), text: text.to_owned() };
        of_chat(&file).turns.into_iter().map(|turn| (turn.actor, turn.text)).collect()
    }

    #[test]
    fn a_chat_is_read_by_its_speakers() {
        let turn = |actor: &str, text: &str| (actor.to_owned(), text.to_owned());
        assert_eq!(
            chat("Ann: Shall we?\nBo Ek: Yes.\nwith one thing\n\nhttps://example.org/x\nAnn: Fine"),
            [
                turn("Ann", "Shall we?"),
                turn("Bo Ek", "Yes.\nwith one thing\n\nhttps://example.org/x"),
                turn("Ann", "Fine")
            ]
        );
        assert_eq!(chat("[2026-03-01 10:00] Ann: a\n2026-03-01T10:01 Bo: b").len(), 2);
        assert_eq!(chat("**Ann:** a\n<Bo> b\n**Cy**: c").len(), 3);
        assert_eq!(chat("Just a text.\nNothing is said."), []);
        let list = "Ann: we need\nFlour: a lot\nAnn: and\nEggs: six\nBo: ok\nBo: now\nMilk: some";
        assert_eq!(chat(list).len(), 4, "words before a colon are no speakers");
    }
}
