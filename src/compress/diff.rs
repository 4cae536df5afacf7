//! Unified diffs and `git log -p`: changed lines first, under their files.
//!
//! Where little room is left, the words around the changes are what gives way: of a commit its short
//! hash and subject stay, of a file its `+++` line, of a hunk where it begins. Changed lines that are
//! missing are shown by a line of `…`, and one mark tells how much is missing and where it is kept;
//! lines that did not change are left out without a sign, as in a diff without surroundings.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::draft::{Compressor, Draft, Layout, Piece, runs, write_gap};
use super::marks::Marks;
use super::search::defines_something;
use super::{Kind, Query, lines, rank};

/// A unified diff or `git log -p`.
pub(super) struct Diff;

/// How much of a commit's hash is kept where the rest is cut.
const HASH: usize = "commit ".len() + 7;

/// What the line above a hunk or a file costs, in the worth of changed lines.
const HEADER: f64 = 0.6;

impl Compressor for Diff {
    fn kind(&self) -> Kind {
        Kind::Diff
    }

    fn recognises(&self, sample: &str) -> u8 {
        let hunks = sample.lines().filter(|line| line.starts_with("@@ -") && line.contains(" @@")).count();
        let files = sample.lines().filter(|line| line.starts_with("diff --git ") || line.starts_with("+++ ")).count();
        match (hunks, files) {
            (1.., 1..) => 98,
            (1.., 0) => 80,
            // The sample may end within the first message, or in a list of files.
            _ if sample.lines().next().is_some_and(is_commit) && sample.contains("\nAuthor: ") => 97,
            _ => 0,
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let rows = rows(text);
        let answers = query.map(|query| query.relevance(rows.iter().map(|row| &text[row.span.clone()])));
        let best = query.and_then(|query| best_commit(text, query));
        let mut builder = Builder { text, pieces: Vec::with_capacity(rows.len() + 64), roles: Vec::new() };
        let mut said: HashSet<&str> = HashSet::new();
        let (mut number, mut commit, mut file, mut hunk) = (0, None, None, None);
        let mut has_subject = false;
        let mut is_generated = false;
        for (index, row) in rows.iter().enumerate() {
            let line = &text[row.span.clone()];
            let mut extra = answers.as_ref().map_or(0.0, |answers| 3.0 * answers[index]);
            if row.role == Role::Commit {
                number += 1;
            }
            if best.is_some_and(|best| best == number) {
                extra += 20.0;
            }
            match row.role {
                Role::Commit => {
                    (file, hunk, is_generated, has_subject) = (None, None, false, false);
                    commit = Some(builder.split(row, HASH, None, (9.0 + extra, 0.3 + extra)));
                }
                Role::Message => {
                    let is_said = line.starts_with([' ', '\t']) && !line.trim().is_empty();
                    let worth = match (is_said, has_subject) {
                        (true, false) => 8.0,
                        (true, true) => 2.0,
                        (false, _) if line.trim().is_empty() => 0.0,
                        (false, _) => 1.0,
                    };
                    has_subject |= is_said;
                    builder.whole(row, commit, worth + extra);
                }
                Role::File => {
                    is_generated = is_generated_file(line);
                    (file, hunk) =
                        (Some(builder.whole(row, commit, if is_generated { 3.0 } else { 4.0 } + extra)), None);
                }
                Role::Header => {
                    // Before the line that stands for the file these need nothing: it is after them.
                    builder.whole(row, file.or(commit), 0.05 + extra);
                }
                Role::FileBegins => {
                    (file, hunk) = (None, None);
                    builder.whole(row, commit, 0.05 + extra);
                }
                Role::Hunk => {
                    let end = line[2..].find("@@").map_or(line.len(), |at| at + 4);
                    let worth = if is_generated { 0.0 } else { 0.5 };
                    hunk = Some(builder.split(row, end, file.or(commit), (worth + extra, worth / 2.0 + extra)));
                }
                Role::Changed => {
                    let mut worth = worth_of_change(line);
                    if !said.insert(line[1..].trim()) {
                        worth = worth.min(1.0);
                    }
                    if is_generated {
                        worth = 0.0;
                    }
                    builder.whole(row, hunk, worth + extra);
                }
                Role::Context => {
                    builder.whole(row, hunk, if is_generated { -0.1 } else { 0.1 } + extra);
                }
            }
        }
        builder.share_headers();
        builder.near_changes();
        let Builder { pieces, roles, .. } = builder;
        Draft { pieces, layout: Box::new(Hunks { text, roles }) }
    }
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Commit,
    /// The author, the date and the message.
    Message,
    /// The first line about a file, where another one names it better.
    FileBegins,
    /// The line that stands for the file.
    File,
    /// Any other line about a file.
    Header,
    Hunk,
    Changed,
    Context,
}

struct Row {
    span: Range<usize>,
    role: Role,
}

/// Says what each line is for.
fn rows(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    // The lines of the current hunk that are still to come, old and new; none when unknown.
    let mut left: Option<(usize, usize)> = None;
    let mut in_hunk = false;
    let mut header = 0..0;
    for span in lines::spans(text) {
        let line = &text[span.clone()];
        let index = rows.len();
        let is_inside = in_hunk && left.is_none_or(|(old, new)| old + new > 0);
        let is_body = match line.as_bytes().first() {
            Some(b'+' | b'-' | b' ' | b'\\' | b'\n' | b'\r') => is_inside,
            _ => false,
        };
        let role = if is_body && (left.is_some() || !is_file_line(line)) {
            if let Some((old, new)) = &mut left {
                let first = line.as_bytes()[0];
                *old = old.saturating_sub(usize::from(!matches!(first, b'+' | b'\\')));
                *new = new.saturating_sub(usize::from(!matches!(first, b'-' | b'\\')));
            }
            if line.starts_with(['+', '-']) { Role::Changed } else { Role::Context }
        } else if line.starts_with("@@") && line.len() > 3 {
            name_file(text, &mut rows, &mut header);
            in_hunk = true;
            left = hunk_size(line);
            Role::Hunk
        } else if in_hunk && line.starts_with('\\') {
            Role::Context
        } else if is_commit(line) {
            name_file(text, &mut rows, &mut header);
            in_hunk = false;
            header = 0..0;
            Role::Commit
        } else if line.starts_with("diff ") || (line.starts_with("--- ") && (in_hunk || header.is_empty())) {
            name_file(text, &mut rows, &mut header);
            in_hunk = false;
            header = index..index + 1;
            Role::FileBegins
        } else if !header.is_empty() && !in_hunk && !line.trim().is_empty() && !line.starts_with(' ') {
            header.end = index + 1;
            Role::Header
        } else {
            name_file(text, &mut rows, &mut header);
            in_hunk = false;
            Role::Message
        };
        rows.push(Row { span, role });
    }
    name_file(text, &mut rows, &mut header);
    rows
}

/// Chooses the line that stands for the file whose lines these are, once it is known where they end.
fn name_file(text: &str, rows: &mut [Row], header: &mut Range<usize>) {
    let names = header.clone().max_by_key(|index| {
        let line = &text[rows[*index].span.clone()];
        let worth = if line.starts_with("+++ ") && !line.starts_with("+++ /dev/null") {
            4
        } else if line.starts_with("--- ") && !line.starts_with("--- /dev/null") {
            3
        } else if line.starts_with("rename to ") || line.starts_with("Binary files ") {
            2
        } else {
            u8::from(line.starts_with("diff "))
        };
        (worth, std::cmp::Reverse(*index))
    });
    if let Some(index) = names {
        rows[index].role = Role::File;
    }
    *header = 0..0;
}

fn is_file_line(line: &str) -> bool {
    line.starts_with("--- ") || line.starts_with("+++ ")
}

/// The lines of the old and of the new text that a hunk says it has.
fn hunk_size(line: &str) -> Option<(usize, usize)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let size = |range: &str| range.split_once(',').map_or(Some(1), |(_, size)| size.parse().ok());
    Some((size(old)?, size(new)?))
}

/// Short lines that say something come first, definitions before them; a bracket alone says nothing.
fn worth_of_change(line: &str) -> f64 {
    let line = line.trim_end();
    let mut words = 0;
    rank::words(line, |_| words += 1);
    match words {
        0 => 0.2,
        1 => 0.8,
        _ => 6.0 + if defines_something(&line[1..]) { 0.8 } else { 0.0 } - line[1..].trim_start().len() as f64 / 60.0,
    }
}

struct Builder<'a> {
    text: &'a str,
    pieces: Vec<Piece<'a>>,
    roles: Vec<Role>,
}

impl<'a> Builder<'a> {
    fn whole(&mut self, row: &Row, needs: Option<usize>, worth: f64) -> usize {
        self.pieces.push(Piece { needs, ..Piece::of(self.text, row.span.clone(), worth) });
        self.roles.push(row.role);
        self.pieces.len() - 1
    }

    /// A line whose first `at` bytes can stand without the rest.
    fn split(&mut self, row: &Row, at: usize, needs: Option<usize>, worth: (f64, f64)) -> usize {
        let line = &self.text[row.span.clone()];
        let at = line.floor_char_boundary(at.min(line.len()));
        if line[at..].trim().is_empty() {
            return self.whole(row, needs, worth.0);
        }
        let middle = row.span.start + at;
        let first = self.pieces.len();
        let brief = brief(row.role, &line[..at]);
        self.pieces.push(Piece { needs, text: brief, ..Piece::of(self.text, row.span.start..middle, worth.0) });
        self.pieces.push(Piece { needs: Some(first), ..Piece::of(self.text, middle..row.span.end, worth.1) });
        self.roles.extend([row.role, row.role]);
        first
    }
}

impl Builder<'_> {
    /// Adds to the worth of each line that did not change, the more the nearer a changed line is.
    fn near_changes(&mut self) {
        let count = self.pieces.len();
        let mut distances = vec![usize::MAX; count];
        for order in [(0..count).collect::<Vec<_>>(), (0..count).rev().collect()] {
            let mut distance = usize::MAX;
            for index in order {
                distance = match self.roles[index] {
                    Role::Changed => 0,
                    Role::Context => distance.saturating_add(1),
                    _ => usize::MAX,
                };
                distances[index] = distances[index].min(distance);
            }
        }
        for (index, distance) in distances.into_iter().enumerate() {
            if self.roles[index] == Role::Context {
                self.pieces[index].worth += 0.1 / distance as f64;
            }
        }
    }

    /// Takes from the worth of each changed line its share of what stands above it: lines that come
    /// many to a hunk and file are had for less than a line alone.
    fn share_headers(&mut self) {
        let is_telling = |piece: &Piece<'_>| piece.worth > 1.0;
        let mut lines: HashMap<usize, usize> = HashMap::new();
        let above = |pieces: &[Piece<'_>], index: usize| {
            let hunk = pieces[index].needs;
            (hunk, hunk.and_then(|hunk| pieces[hunk].needs))
        };
        let changed: Vec<usize> = (0..self.pieces.len())
            .filter(|index| self.roles[*index] == Role::Changed && is_telling(&self.pieces[*index]))
            .collect();
        for index in &changed {
            let (hunk, file) = above(&self.pieces, *index);
            hunk.into_iter().chain(file).for_each(|header| *lines.entry(header).or_default() += 1);
        }
        for index in changed {
            let (hunk, file) = above(&self.pieces, index);
            for header in hunk.into_iter().chain(file) {
                self.pieces[index].worth -= HEADER / lines[&header] as f64;
            }
        }
    }
}

/// The beginning of a line as it is written where the rest is cut.
fn brief(role: Role, start: &str) -> Cow<'_, str> {
    let begins = |range: &str| range.split(',').next().unwrap_or_default().to_owned();
    let mut parts = start.split(' ');
    match (role, parts.next(), parts.next(), parts.next()) {
        (Role::Hunk, Some("@@"), Some(old), Some(new)) => Cow::Owned(format!("@@ {} {} @@", begins(old), begins(new))),
        _ => Cow::Borrowed(start),
    }
}

/// Writes what is left of a diff.
struct Hunks<'a> {
    text: &'a str,
    roles: Vec<Role>,
}

impl Layout for Hunks<'_> {
    fn marks_each_gap(&self) -> bool {
        false
    }

    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                for index in run.clone() {
                    let piece = &pieces[index];
                    // A line is only written in brief where its rest is cut.
                    out.push_str(if index + 1 < run.end { &self.text[piece.span.clone()] } else { &piece.text });
                }
            } else if marks.marks_each_gap() {
                write_gap(pieces, run, marks, &mut out);
            } else {
                marks.note(run.clone());
                self.write_hint(pieces, run, &mut out);
            }
        }
        if marks.marks_each_gap() {
            return out;
        }
        if let Some(told) = marks.summary() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&told);
            if self.text.ends_with('\n') {
                out.push('\n');
            }
        }
        out
    }
}

impl Hunks<'_> {
    /// Ends a line that is cut, and shows that something was said in the gap.
    fn write_hint(&self, pieces: &[Piece<'_>], gap: Range<usize>, out: &mut String) {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push_str(if self.roles[gap.start] == Role::Commit { "…\n" } else { "\n" });
        }
        let is_missed = |index: usize| {
            matches!(self.roles[index], Role::Changed | Role::Message)
                && self.text[pieces[index].span.clone()].contains(char::is_alphanumeric)
                // Of a message it is the words, not its author and date.
                && (self.roles[index] == Role::Changed || self.text[pieces[index].span.clone()].starts_with(' '))
        };
        if gap.into_iter().any(is_missed) {
            out.push_str("…\n");
        }
    }
}

fn is_commit(line: &str) -> bool {
    line.strip_prefix("commit ")
        .is_some_and(|hash| hash.len() >= 7 && hash.as_bytes()[..7].iter().all(u8::is_ascii_hexdigit))
}

fn is_generated_file(line: &str) -> bool {
    let line = line.trim_end();
    ["Cargo.lock", ".lock", "package-lock.json", "pnpm-lock.yaml", ".min.js", ".snap", "go.sum"]
        .iter()
        .any(|end| line.ends_with(end))
}

/// How much it counts for a commit that its message says the query word for word, against the best of those
/// that say it in other forms of the words.
const QUOTED: f64 = 0.5;

/// How many words of the query stand in a message behind the same word as in the query, of all its words:
/// of two messages of the same stems, the one that the query quotes is meant.
fn quoted(message: &str, query: &Query) -> f64 {
    let mut words: Vec<String> = Vec::new();
    rank::words(message, |word| words.push(word.to_lowercase()));
    let pairs: HashSet<(&str, &str)> = words.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let asked = query.all_words();
    let found = asked.windows(2).filter(|pair| pairs.contains(&(pair[0].as_str(), pair[1].as_str()))).count();
    found as f64 / asked.len() as f64
}

/// The number, from 1, of the commit whose message answers best; `None` where there is only one.
fn best_commit(text: &str, query: &Query) -> Option<usize> {
    let mut messages: Vec<String> = Vec::new();
    let mut in_message = false;
    for line in text.lines() {
        if is_commit(line) {
            messages.push(String::new());
            in_message = true;
        } else if line.starts_with("diff ") {
            in_message = false;
        }
        if let Some(message) = messages.last_mut()
            && (in_message || line.starts_with("+++ "))
        {
            message.push_str(line);
            message.push('\n');
        }
    }
    if messages.len() < 2 {
        return None;
    }
    let mut scores = query.relevance(messages.iter().map(String::as_str));
    if scores.iter().any(|score| *score > 0.0) {
        for (score, message) in scores.iter_mut().zip(&messages) {
            *score += QUOTED * quoted(message, query);
        }
    }
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)))?;
    (scores[best] > 0.0).then_some(best + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_lines_outrank_their_surroundings() {
        let text = "diff --git a/x.rs b/x.rs\nindex 1..2\n--- a/x.rs\n+++ b/x.rs\n@@ -1,3 +1,3 @@ fn x\n same\n-old line\n+new line\n";
        assert!(Diff.recognises(text) > 90);
        let draft = Diff.draft(text, None);
        let about = |start: &str| {
            let found = draft.pieces.iter().position(|piece| text[piece.span.clone()].starts_with(start));
            found.unwrap_or_else(|| panic!("no piece begins with {start:?}"))
        };
        let worth = |start: &str| draft.pieces[about(start)].worth;
        assert!(worth("+new") > worth("+++") && worth("+++") > worth(" same") && worth(" same") > worth("index"));
        assert_eq!(draft.pieces[about("+new")].needs, Some(about("@@")));
        assert_eq!(draft.pieces[about("@@")].needs, Some(about("+++")));
    }

    #[test]
    fn the_commit_that_is_quoted_is_meant() {
        let commit = |hash: char, subject: &str| {
            let hash = hash.to_string().repeat(40);
            format!(
                "commit {hash}\nAuthor: a <a@b>\n\n    {subject}\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{subject}\n"
            )
        };
        let text = commit('a', "Name the parts that must stay when one is cut")
            + &commit('b', "Name a part that must stay when one is cut")
            + &commit('c', "Sort the parts");
        for (subject, number) in [("Name the parts that must stay", 1), ("Name a part that must stay", 2)] {
            let query = Query::parse(&format!("What changed in the commit: {subject}")).expect("a query");
            assert_eq!(best_commit(&text, &query), Some(number), "{subject}");
        }
    }

    #[test]
    fn lines_belong_to_the_hunk_whose_size_says_so() {
        let text =
            "--- a.txt\n+++ b.txt\n@@ -1,2 +1 @@\n--- a rule\n kept\n--- c.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n";
        let roles: Vec<Role> = rows(text).iter().map(|row| row.role).collect();
        use Role::{Changed, Context, File, FileBegins, Header, Hunk};
        assert_eq!(roles, [FileBegins, File, Hunk, Changed, Context, File, Header, Hunk, Changed]);
    }
}
