//! Unified diffs and `git log -p`: changed lines first, under their files.

use super::draft::{Compressor, Draft, Piece};
use super::search::defines_something;
use super::{Kind, Query, lines};

/// A unified diff or `git log -p`.
pub(super) struct Diff;

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
        let all: Vec<_> = lines::spans(text).collect();
        let answers = query.map(|query| query.relevance(all.iter().map(|span| &text[span.clone()])));
        let best = query.and_then(|query| best_commit(text, query));
        let mut commit = 0;
        let mut file = None;
        let mut hunk = None;
        let mut is_generated = false;
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(all.len());
        for (index, span) in all.into_iter().enumerate() {
            let line = &text[span.clone()];
            let (mut worth, needs) = if is_commit(line) {
                commit += 1;
                (file, hunk, is_generated) = (None, None, false);
                (9.0, None)
            } else if line.starts_with("diff ") || (file.is_none() && line.starts_with("--- ")) {
                is_generated = is_generated_file(line);
                (file, hunk) = (Some(index), None);
                (4.0, None)
            } else if line.starts_with("@@") {
                hunk = Some(index);
                (0.5, file)
            } else if hunk.is_none() && file.is_some() {
                (0.0, file)
            } else if hunk.is_some() && line.starts_with(['+', '-']) {
                let defines = if defines_something(&line[1..]) { 2.0 } else { 0.0 };
                let is_blank = line[1..].trim().is_empty();
                (if is_blank { 0.2 } else { 6.0 + defines - line.len() as f64 / 60.0 }, hunk)
            } else if hunk.is_some() {
                (0.1, hunk)
            } else {
                // A commit's message.
                (if line.trim().is_empty() { 0.0 } else { 5.0 }, None)
            };
            if is_generated && needs.is_some() {
                worth = worth.min(0.0);
            }
            if let Some(answers) = &answers {
                worth += 3.0 * answers[index];
            }
            if best.is_some_and(|best| best == commit) {
                worth += 20.0;
            }
            pieces.push(Piece { needs, ..Piece::of(text, span, worth) });
        }
        Draft::of_lines(pieces)
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
    let scores = query.relevance(messages.iter().map(String::as_str));
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
        let worths: Vec<f64> = draft.pieces.iter().map(|piece| piece.worth).collect();
        assert!(worths[7] > worths[0] && worths[0] > worths[5] && worths[5] > worths[1], "{worths:?}");
        assert_eq!(draft.pieces[7].needs, Some(4));
    }
}
