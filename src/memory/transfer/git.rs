//! Decisions from the messages of commits: those that tell why something was done.
//!
//! Merges, releases and what a program committed say nothing that a person decided; a subject alone
//! says what was done, which the history itself tells better. What is left is kept with its commit,
//! its author and its month.

use std::path::PathBuf;
use std::time::Duration;

use super::{Item, Report, keep_text};
use crate::base::Timestamp;
use crate::exec;
use crate::memory::remember::Draft;
use crate::memory::{Memories, MemoryError};
use crate::store::MemoryKind;

/// How long git may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The fewest words of a body that can tell a reason.
const BODY_WORDS_MIN: usize = 8;
/// What separates the fields of a commit.
const FIELD: char = '\u{1f}';

/// Where commits are read, and which.
#[derive(Debug, Clone)]
pub struct GitRequest {
    /// The program.
    pub git: PathBuf,
    /// A folder of the repository.
    pub folder: PathBuf,
    /// Only what is new since this commit, or since this date.
    pub since: Option<String>,
    /// The most commits read, the newest of them.
    pub max: usize,
    /// Further tags of each memory.
    pub tags: Vec<String>,
    /// Only tells what would be kept.
    pub dry_run: bool,
}

impl Memories {
    /// Remembers what the messages of commits tell of decisions.
    pub async fn remember_commits(&self, request: &GitRequest) -> Result<Report, MemoryError> {
        let log = log_of(request).await?;
        let mut skipped = std::collections::BTreeMap::new();
        let mut items = Vec::new();
        // Git lists the newest first; a session is told in order.
        let commits: Vec<Commit<'_>> = log.split('\0').filter_map(Commit::read).collect();
        for commit in commits.iter().rev() {
            match commit.decision(&request.tags) {
                Ok(draft) => items.push(Item::draft(format!("commit {}", commit.hash), draft)),
                Err(why) => *skipped.entry(why).or_default() += 1,
            }
        }
        let report = self.keep(items, request.dry_run).await?;
        Ok(Report { skipped, ..report })
    }
}

async fn log_of(request: &GitRequest) -> Result<String, MemoryError> {
    let format = format!("--format=%H{FIELD}%an{FIELD}%ae{FIELD}%aI{FIELD}%B");
    let max = format!("--max-count={}", request.max);
    let mut arguments = vec!["log", "-z", "--no-merges", "--no-show-signature", "--no-color", &max, &format];
    let (range, date);
    match &request.since {
        None => {}
        Some(since) if is_commit(request, since).await? => {
            range = format!("{since}..HEAD");
            arguments.extend(["--end-of-options", &range]);
        }
        // Git takes any word for a date, and a wrong one for now.
        Some(since) if since.contains(|c: char| c.is_ascii_digit()) || since.contains("ago") => {
            date = format!("--since={since}");
            arguments.push(&date);
        }
        Some(since) => {
            let reason = "it is neither a commit nor a date; write a tag, a hash or 2026-01-31".to_owned();
            return Err(MemoryError::Unreadable { place: format!("--since {since}"), reason });
        }
    }
    arguments.push("--");
    let output = run(request, &arguments).await?;
    if !output.success() {
        let reason = output.stderr.lines().next().unwrap_or("git failed").to_owned();
        // A repository before its first commit has nothing to tell.
        if reason.contains("does not have any commits yet") {
            return Ok(String::new());
        }
        return Err(MemoryError::Unreadable { place: request.folder.display().to_string(), reason });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn is_commit(request: &GitRequest, name: &str) -> Result<bool, MemoryError> {
    let named = format!("{name}^{{commit}}");
    Ok(run(request, &["rev-parse", "--verify", "--quiet", "--end-of-options", &named]).await?.success())
}

async fn run(request: &GitRequest, arguments: &[&str]) -> Result<exec::ToolOutput, MemoryError> {
    exec::tool(&request.git, arguments, &request.folder, TIMEOUT).await.map_err(|error| MemoryError::Unreadable {
        place: request.folder.display().to_string(),
        reason: error.to_string(),
    })
}

/// A commit, as git prints it.
#[derive(Debug, Clone, Copy)]
struct Commit<'a> {
    hash: &'a str,
    author: &'a str,
    mail: &'a str,
    /// When it was written, with the author's offset.
    date: &'a str,
    message: &'a str,
}

impl<'a> Commit<'a> {
    fn read(entry: &'a str) -> Option<Self> {
        let mut fields = entry.trim_start().splitn(5, FIELD);
        let mut next = || fields.next();
        Some(Self { hash: next()?, author: next()?, mail: next()?, date: next()?, message: next()? })
    }

    /// The decision that it tells of, or why it tells of none.
    fn decision(&self, tags: &[String]) -> Result<Draft, &'static str> {
        if self.is_of_program() {
            return Err("by a program");
        }
        let (subject, body) = self.message.trim().split_once('\n').unwrap_or((self.message.trim(), ""));
        let subject = subject.trim();
        if is_release(subject) {
            return Err("a release or a new version");
        }
        if subject.starts_with("Merge ") || subject.starts_with("fixup! ") || subject.starts_with("squash! ") {
            return Err("a merge or a fixup");
        }
        let body = without_trailers(body);
        if body.split_whitespace().count() < BODY_WORDS_MIN && !tells_why(subject) && !tells_why(&body) {
            return Err("without a reason");
        }
        let text = if body.is_empty() { subject.to_owned() } else { format!("{subject}\n\n{body}") };
        let at: Option<Timestamp> = self.date.parse().ok();
        let month = self.date.get(..7).unwrap_or("unknown");
        let area = area(subject).map(str::to_owned);
        Ok(Draft {
            text: keep_text(&text),
            kind: MemoryKind::Decision,
            tags: std::iter::once("commit".to_owned()).chain(area).chain(tags.iter().cloned()).collect(),
            session_id: Some(format!("git {month}")),
            actor: Some(self.author.to_owned()).filter(|name| !name.trim().is_empty()),
            occurred_at: at,
            source: Some(format!("commit:{}", self.hash)),
            ..Draft::default()
        })
    }

    fn is_of_program(&self) -> bool {
        let (name, mail) = (self.author.to_lowercase(), self.mail.to_lowercase());
        let known = ["dependabot", "renovate", "github-actions", "greenkeeper", "semantic-release", "pre-commit-ci"];
        name.contains("[bot]")
            || mail.contains("[bot]")
            || name.ends_with("-bot")
            || name.ends_with(" bot")
            || known.iter().any(|bot| name.contains(bot))
    }
}

/// Whether a subject only names a version.
fn is_release(subject: &str) -> bool {
    let lower = subject.to_lowercase();
    let (kind, rest) = lower.split_once(": ").unwrap_or(("", &lower));
    let is_version = |word: &str| {
        let word = word.trim_start_matches('v');
        word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let first = rest.split_whitespace().next().unwrap_or_default();
    kind.starts_with("chore(release)")
        || kind == "release"
        || is_version(first)
        || first == "bump"
        || (["release", "prepare", "version", "cut"].contains(&first) && rest.split_whitespace().any(is_version))
        || (first == "update" && rest.split_whitespace().any(is_version) && rest.contains(" to "))
}

/// Whether a text gives a reason.
fn tells_why(text: &str) -> bool {
    let lower = format!(" {} ", text.to_lowercase());
    [" because ", " since ", " so that ", " instead of ", " rather than ", " due to ", " in order to ", " to avoid "]
        .iter()
        .any(|word| lower.contains(word))
}

/// The body without what tools write below it: signatures, numbers of changes, and the sentence that
/// only names what is reverted.
fn without_trailers(body: &str) -> String {
    let mut lines: Vec<&str> = body.lines().map(str::trim_end).collect();
    let is_trailer = |line: &str| {
        let Some((name, _)) = line.split_once(": ") else { return line.is_empty() };
        let name = name.to_ascii_lowercase();
        name.ends_with("-by") || ["change-id", "cc", "git-svn-id", "pr-url", "link"].contains(&name.as_str())
    };
    while lines.last().is_some_and(|line| is_trailer(line)) {
        lines.pop();
    }
    lines.retain(|line| !line.starts_with("This reverts commit "));
    lines.join("\n").trim().to_owned()
}

/// The part of the project that a subject names: `store` in `store: keep …` and in `fix(store): keep …`.
fn area(subject: &str) -> Option<&str> {
    let (head, _) = subject.split_once(": ")?;
    let named = head.split_once('(').and_then(|(_, rest)| rest.trim_end_matches('!').strip_suffix(')'));
    let area = named.unwrap_or(head).trim_end_matches('!');
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    (!area.is_empty() && area.len() <= 40 && area.chars().all(is_word)).then_some(area)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit<'a>(author: &'a str, message: &'a str) -> Commit<'a> {
        Commit { hash: "0123abc", author, mail: "a@example.org", date: "2026-03-05T10:00:00+01:00", message }
    }

    #[test]
    fn only_what_a_person_decided_for_a_reason_is_kept() {
        let body = "\n\nReaders blocked the writer for seconds when the log grew.";
        for (author, subject, body, expected) in [
            ("Ann", "store: use a write-ahead log", body, None),
            ("Ann", "Drop the cache because it was never hit", "", None),
            ("Ann", "store: fix typo", "", Some("without a reason")),
            (
                "Ann",
                "store: fix typo",
                "\n\nSigned-off-by: Ann Example With A Long Name <a@example.org>",
                Some("without a reason"),
            ),
            ("dependabot[bot]", "Bump serde", body, Some("by a program")),
            ("renovate-bot", "Update deps", body, Some("by a program")),
            ("Ann", "v1.2.3", body, Some("a release or a new version")),
            ("Ann", "chore(release): 1.2.3", body, Some("a release or a new version")),
            ("Ann", "Bump serde from 1.0.1 to 1.0.2", body, Some("a release or a new version")),
            ("Ann", "Merge branch 'x'", body, Some("a merge or a fixup")),
            (
                "Ann",
                "Revert \"x\"",
                "\n\nThis reverts commit 0123456789abcdef of last week, on main.",
                Some("without a reason"),
            ),
        ] {
            let message = format!("{subject}{body}");
            assert_eq!(commit(author, &message).decision(&[]).err(), expected, "{message}");
        }
    }

    #[test]
    fn a_decision_knows_its_commit_author_month_and_area() {
        let message =
            "fix(store): use a log\n\nReaders blocked the writer for seconds when it grew.\n\nCc: Bo <b@example.org>";
        let draft = commit("Ann", message).decision(&["x".to_owned()]).expect("a decision");
        assert_eq!(draft.text, "fix(store): use a log\n\nReaders blocked the writer for seconds when it grew.");
        assert_eq!(draft.tags, ["commit", "store", "x"]);
        assert_eq!((draft.session_id.as_deref(), draft.actor.as_deref()), (Some("git 2026-03"), Some("Ann")));
        assert_eq!(draft.source.as_deref(), Some("commit:0123abc"));
        assert_eq!(draft.occurred_at, "2026-03-05T09:00:00Z".parse().ok());
    }
}
