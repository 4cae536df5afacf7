//! Keeping originals, and giving back what was cut.
//!
//! An original is kept before an answer names its handle, so a printed handle can always be
//! fetched. What is kept is what is compressed: where a redactor changes the text, both are made of
//! the redacted one, and line numbers agree. Bytes that are not UTF-8 are kept as they are.
//!
//! The store bounds what is kept, by size and by age; a handle whose original is gone says why.

use std::borrow::Cow;
use std::ops::Range;

use super::lines::LineIndex;
use super::{Kind, Query};
use crate::base::{Handle, Timestamp, bytes};
use crate::store::{NewOriginal, Removal, Removed, Store, StoreError};
use crate::tokens::{Budget, Encoding};

/// The largest original that is kept, in bytes.
pub const ORIGINAL_MAX: usize = 64 * 1024 * 1024;

/// The largest compiled pattern, in bytes.
const PATTERN_MAX: usize = 1024 * 1024;

/// The most lines of a passage that a query finds.
const PASSAGE_LINES: usize = 8;

/// How much of a first line is kept for people, in characters.
const FIRST_LINE_MAX: usize = 100;

/// Takes secrets out of a text.
pub type Redact<'r> = &'r (dyn for<'t> Fn(&'t str) -> Cow<'t, str> + Send + Sync);

/// A text that is to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToKeep {
    /// The bytes.
    pub content: Vec<u8>,
    /// Their hash, where somebody has it already.
    pub hash: Option<String>,
    /// Where they come from, for people.
    pub source: Option<String>,
    /// What kind of text it is, where that is known.
    pub kind: Option<Kind>,
    /// Its tokens and what they were counted with, where somebody has counted them.
    pub tokens: Option<(usize, Encoding)>,
}

/// An original that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its handle.
    pub handle: Handle,
    /// What is to be compressed: the kept bytes as text.
    pub text: String,
    /// Whether secrets were taken out.
    pub redacted: bool,
}

/// What is wanted of an original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// All of it.
    All,
    /// Lines, byte for byte.
    Lines {
        /// The first line, from 1.
        from: usize,
        /// The last line, included.
        to: usize,
        /// The bytes of the first line that were fetched before.
        skip_bytes: usize,
    },
    /// The lines that a pattern matches, numbered, with lines around them.
    Regex {
        /// The pattern.
        pattern: String,
        /// The lines before and after each match.
        context: usize,
    },
    /// The passages that answer a question best, in the order of the text.
    Query(String),
}

/// A part of an original.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieved {
    /// The part.
    pub text: String,
    /// The same byte for byte, where a part by lines is not UTF-8.
    pub raw: Option<Vec<u8>>,
    /// Its tokens.
    pub tokens: usize,
    /// Its first line; 0 when there is none.
    pub from_line: usize,
    /// Its last line; 0 when there is none.
    pub to_line: usize,
    /// The lines of the whole original.
    pub lines: usize,
    /// The lines or passages found; as many as `text` has of them, or more.
    pub found: usize,
    /// Where to go on, when the budget did not hold everything that was wanted.
    pub more: Option<More>,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct More {
    /// The line.
    pub line: usize,
    /// The bytes of this line that were given already.
    pub skip_bytes: usize,
}

/// What can go wrong with an original.
#[derive(Debug, thiserror::Error)]
pub enum OriginalError {
    /// Nothing is kept under this handle.
    #[error("no original {0} in this project: it was never kept here, or its text was removed")]
    Unknown(Handle),
    /// What was kept under this handle is there no more.
    #[error("the original {handle} is not kept any more: {}", why(*removed))]
    Removed {
        /// The handle.
        handle: Handle,
        /// When and why it was removed.
        removed: Removed,
    },
    /// The content is too large to be kept.
    #[error("the text has {}, more than the {} that are kept", bytes(*size as u64), bytes(ORIGINAL_MAX as u64))]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The lines wanted are not there.
    #[error("no line {line}: the original has {lines} lines")]
    NoSuchLine {
        /// The line asked for.
        line: usize,
        /// The lines there are.
        lines: usize,
    },
    /// More of a line is to be skipped than it has.
    #[error("line {line} has {size} bytes, so {skip_bytes} cannot be skipped")]
    NoSuchByte {
        /// The line.
        line: usize,
        /// Its bytes.
        size: usize,
        /// The bytes to be skipped.
        skip_bytes: usize,
    },
    /// The range ends before it begins.
    #[error("the range {from}-{to} ends before it begins")]
    Backwards {
        /// Its first line.
        from: usize,
        /// Its last line.
        to: usize,
    },
    /// The pattern does not compile.
    #[error("not a regular expression: {0}")]
    Pattern(String),
    /// The query holds no word.
    #[error("the query {0:?} holds no word")]
    EmptyQuery(String),
    /// The search failed by a mistake in this program.
    #[error("the search failed: {0}")]
    Failed(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Says why an original is gone.
fn why(removed: Removed) -> String {
    let day = removed.at.strftime("%Y-%m-%d");
    match removed.why {
        Removal::Purged => format!("it was purged on {day}"),
        Removal::Expired => format!("nobody had used it for so long that it expired on {day}"),
        Removal::Crowded => format!("it made room for newer ones on {day}"),
    }
}

/// Keeps an original; the same content gets the same handle.
pub async fn keep(
    store: &dyn Store,
    new: ToKeep,
    now: Timestamp,
    redact: Option<Redact<'_>>,
) -> Result<Kept, OriginalError> {
    let ToKeep { content, hash, source, kind, tokens } = new;
    if content.len() > ORIGINAL_MAX {
        return Err(OriginalError::TooLarge { size: content.len() });
    }
    let (text, bytes) = match String::from_utf8(content) {
        Ok(text) => (text, None),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(error.into_bytes())),
    };
    let clean = match redact.map(|redact| redact(&text)) {
        Some(Cow::Owned(clean)) if clean != text => Some(clean),
        _ => None,
    };
    let redacted = clean.is_some();
    let (text, hash, bytes) = match clean {
        Some(clean) => (clean, None, None),
        None => (text, hash, bytes),
    };
    let content = bytes.unwrap_or_else(|| text.clone().into_bytes());
    let handle = store
        .put_original(NewOriginal {
            content,
            hash,
            kind: kind.map(|kind| kind.word().to_owned()),
            tokens: tokens.map(|(tokens, _)| tokens as u64),
            encoding: tokens.map(|(_, encoding)| encoding.name().to_owned()),
            first_line: first_line(&text),
            source: source.map(|source| redact.map_or(source.clone(), |redact| redact(&source).into_owned())),
            created_at: now,
        })
        .await?;
    Ok(Kept { handle, text, redacted })
}

/// The first line that says something, as far as a list has room for it.
fn first_line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().filter(|c| !c.is_control()).take(FIRST_LINE_MAX).collect())
}

/// Returns a part of a kept original, never over the budget.
pub async fn retrieve(
    store: &dyn Store,
    handle: &Handle,
    what: &What,
    budget: Budget,
    now: Timestamp,
) -> Result<Retrieved, OriginalError> {
    let Some(original) = store.original(handle).await? else {
        let removed = store.original_info(handle).await?.and_then(|info| info.removed);
        return Err(match removed {
            Some(removed) => OriginalError::Removed { handle: handle.clone(), removed },
            None => OriginalError::Unknown(handle.clone()),
        });
    };
    // What is fetched is used; that it cannot be noted is no reason not to give it.
    if let Err(error) = store.touch_original(handle, now).await {
        tracing::debug!(%error, %handle, "the use of an original could not be noted");
    }
    let what = what.clone();
    // Finding something in a large original takes seconds.
    let found = tokio::task::spawn_blocking(move || part(&original.content, &what, budget)).await;
    found.map_err(|error| OriginalError::Failed(error.to_string()))?
}

/// Returns a part of `content`, never over the budget.
pub fn part(content: &[u8], what: &What, budget: Budget) -> Result<Retrieved, OriginalError> {
    let lines = LineIndex::of(content);
    match what {
        What::All => Ok(range(content, &lines, 1..lines.len(), 0, budget)),
        What::Lines { from, to, skip_bytes } => {
            if *from == 0 || *from > lines.len() {
                return Err(OriginalError::NoSuchLine { line: *from, lines: lines.len() });
            }
            if to < from {
                return Err(OriginalError::Backwards { from: *from, to: *to });
            }
            let size = lines.span(*from, *from).len();
            if *skip_bytes > size {
                return Err(OriginalError::NoSuchByte { line: *from, size, skip_bytes: *skip_bytes });
            }
            Ok(range(content, &lines, *from..(*to).min(lines.len()), *skip_bytes, budget))
        }
        What::Regex { pattern, context } => matches(content, &lines, pattern, *context, budget),
        What::Query(query) => {
            let parsed = Query::parse(query).ok_or_else(|| OriginalError::EmptyQuery(query.clone()))?;
            Ok(passages(content, &lines, &parsed, budget))
        }
    }
}

/// The lines from `wanted.start` to `wanted.end`, both included: as many whole ones as fit, or a
/// beginning of the first.
fn range(content: &[u8], lines: &LineIndex, wanted: Range<usize>, skip_bytes: usize, budget: Budget) -> Retrieved {
    let span = lines.span(wanted.start, wanted.end);
    let start = span.start + skip_bytes;
    let found = wanted.end - wanted.start + 1;
    let whole = String::from_utf8_lossy(&content[start..span.end]);
    if budget.holds(&whole) {
        let tokens = budget.measure.count(&whole);
        return Retrieved {
            raw: raw(&content[start..span.end]),
            text: whole.into_owned(),
            tokens,
            from_line: wanted.start,
            to_line: wanted.end,
            lines: lines.len(),
            found,
            more: None,
        };
    }
    let mut to_line = lines.number(start + budget.measure.prefix(&whole, budget.tokens).len()).min(wanted.end);
    while to_line > wanted.start {
        to_line -= 1;
        let part = &content[start..lines.span(to_line, to_line).end];
        let text = String::from_utf8_lossy(part);
        if budget.holds(&text) {
            let tokens = budget.measure.count(&text);
            let more = Some(More { line: to_line + 1, skip_bytes: 0 });
            return Retrieved {
                raw: raw(part),
                text: text.into_owned(),
                tokens,
                from_line: wanted.start,
                to_line,
                lines: lines.len(),
                found,
                more,
            };
        }
    }
    beginning_of_line(content, lines, wanted.start, start, found, budget)
}

/// The bytes of a part that are not UTF-8.
fn raw(part: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(part).is_err().then(|| part.to_vec())
}

/// The beginning of a line that is too long for the budget.
fn beginning_of_line(
    content: &[u8],
    lines: &LineIndex,
    line: usize,
    start: usize,
    found: usize,
    budget: Budget,
) -> Retrieved {
    let span = lines.span(line, line);
    // Valid and invalid bytes are given apart, so that the bytes given are the bytes read.
    let chunk = content[start..span.end].utf8_chunks().next();
    let (text, read) = match chunk {
        Some(chunk) if chunk.valid().is_empty() && budget.holds("\u{fffd}") => ("\u{fffd}", chunk.invalid().len()),
        Some(chunk) => {
            let text = budget.measure.prefix(chunk.valid(), budget.tokens);
            (text, text.len())
        }
        None => ("", 0),
    };
    Retrieved {
        raw: raw(&content[start..start + read]),
        text: text.to_owned(),
        tokens: budget.measure.count(text),
        from_line: line,
        to_line: line,
        lines: lines.len(),
        found,
        more: Some(More { line, skip_bytes: start - span.start + read }),
    }
}

/// The lines that match, in the manner of `grep -n`: `12:match`, `13-context`, `--` between groups.
fn matches(
    content: &[u8],
    lines: &LineIndex,
    pattern: &str,
    context: usize,
    budget: Budget,
) -> Result<Retrieved, OriginalError> {
    let regex = regex::RegexBuilder::new(pattern)
        .size_limit(PATTERN_MAX)
        .dfa_size_limit(PATTERN_MAX)
        .build()
        .map_err(|error| OriginalError::Pattern(error.to_string()))?;
    let line_text = |number: usize| {
        let text = String::from_utf8_lossy(&content[lines.span(number, number)]).into_owned();
        text.trim_end_matches(['\n', '\r']).to_owned()
    };
    let hits: Vec<usize> = (1..=lines.len()).filter(|number| regex.is_match(&line_text(*number))).collect();
    let mut collector = Collector::new(budget, lines.len(), hits.len());
    for (index, hit) in hits.iter().enumerate() {
        let first = hit.saturating_sub(context).max(collector.to_line + 1).max(1);
        let next = hits.get(index + 1).map_or(usize::MAX, |next| next - 1);
        let last = hit.saturating_add(context).min(lines.len()).min(next);
        let mut block = String::new();
        if collector.to_line > 0 && first > collector.to_line + 1 {
            block.push_str("--\n");
        }
        for number in first..=last {
            let sign = if number == *hit { ':' } else { '-' };
            block.push_str(&format!("{number}{sign}{}\n", line_text(number)));
        }
        if !collector.add(&block, first, last) {
            collector.more = Some(More { line: *hit, skip_bytes: 0 });
            break;
        }
    }
    Ok(collector.finish())
}

/// The best passages, each under its line numbers.
fn passages(content: &[u8], lines: &LineIndex, query: &Query, budget: Budget) -> Retrieved {
    let passages = cut_into_passages(content, lines);
    let texts: Vec<Cow<'_, str>> = passages
        .iter()
        .map(|lines_of| String::from_utf8_lossy(&content[lines.span(lines_of.start, lines_of.end)]))
        .collect();
    let scores = query.scores(texts.iter().map(|text| &**text));
    let mut order: Vec<usize> = (0..passages.len()).filter(|index| scores[*index] > 0.0).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let block = |index: usize| {
        let Range { start, end } = passages[index];
        let text = texts[index].trim_end_matches('\n');
        format!("[lines {start}-{end}]\n{text}\n")
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut left = budget.tokens;
    for index in &order {
        let tokens = budget.measure.count(&block(*index));
        if tokens <= left {
            left -= tokens;
            chosen.push(*index);
        }
    }
    let text_of = |chosen: &[usize]| {
        let mut sorted = chosen.to_vec();
        sorted.sort_unstable();
        sorted.into_iter().map(block).collect::<String>()
    };
    let mut text = text_of(&chosen);
    while !budget.holds(&text) && chosen.pop().is_some() {
        text = text_of(&chosen);
    }
    let more = order.iter().find(|index| !chosen.contains(index));
    let more = more.map(|index| More { line: passages[*index].start, skip_bytes: 0 });
    Retrieved {
        tokens: budget.measure.count(&text),
        text,
        raw: None,
        from_line: chosen.iter().map(|index| passages[*index].start).min().unwrap_or(0),
        to_line: chosen.iter().map(|index| passages[*index].end).max().unwrap_or(0),
        lines: lines.len(),
        found: order.len(),
        more,
    }
}

/// First and last lines of passages: paragraphs, or a few lines of a long one.
fn cut_into_passages(content: &[u8], lines: &LineIndex) -> Vec<Range<usize>> {
    let mut passages = Vec::new();
    let mut start = None;
    for number in 1..=lines.len() {
        let blank = content[lines.span(number, number)].iter().all(u8::is_ascii_whitespace);
        if blank {
            passages.extend(start.take().map(|start| start..number - 1));
            continue;
        }
        let first = *start.get_or_insert(number);
        if number - first + 1 == PASSAGE_LINES {
            passages.push(first..number);
            start = None;
        }
    }
    passages.extend(start.map(|start| start..lines.len()));
    passages
}

/// Gathers blocks while they fit.
struct Collector {
    budget: Budget,
    text: String,
    tokens: usize,
    from_line: usize,
    to_line: usize,
    lines: usize,
    found: usize,
    more: Option<More>,
}

impl Collector {
    fn new(budget: Budget, lines: usize, found: usize) -> Self {
        Self { budget, text: String::new(), tokens: 0, from_line: 0, to_line: 0, lines, found, more: None }
    }

    fn add(&mut self, block: &str, from_line: usize, to_line: usize) -> bool {
        let tokens = self.tokens + self.budget.measure.count(block);
        if tokens > self.budget.tokens {
            return false;
        }
        self.tokens = tokens;
        self.text.push_str(block);
        if self.from_line == 0 {
            self.from_line = from_line;
        }
        self.to_line = to_line;
        true
    }

    fn finish(mut self) -> Retrieved {
        // Counted block by block; the whole has the last word.
        while !self.budget.holds(&self.text) {
            let end = self.text.trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1);
            self.text.truncate(end);
            self.more = self.more.or(Some(More { line: self.from_line, skip_bytes: 0 }));
        }
        Retrieved {
            tokens: self.budget.measure.count(&self.text),
            text: self.text,
            raw: None,
            from_line: self.from_line,
            to_line: self.to_line,
            lines: self.lines,
            found: self.found,
            more: self.more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Measure;

    fn budget(tokens: usize) -> Budget {
        Budget { tokens, measure: Measure::default() }
    }

    fn lines(from: usize, to: usize) -> What {
        What::Lines { from, to, skip_bytes: 0 }
    }

    #[test]
    fn lines_come_back_byte_for_byte() {
        let content = b"one\r\ntwo\t\nthree\n\xff four";
        let part = |from, to| part(content, &lines(from, to), budget(100)).expect("lines");
        assert_eq!((part(1, 2).text.as_str(), part(1, 2).raw), ("one\r\ntwo\t\n", None));
        assert_eq!(part(3, 99).text, "three\n\u{fffd} four");
        assert_eq!(part(3, 99).raw.as_deref(), Some(&b"three\n\xff four"[..]));
    }

    #[test]
    fn what_does_not_fit_can_be_fetched_bit_by_bit() {
        let content = format!("short\n{}\nlast line\n", "long ".repeat(50));
        let mut what = lines(1, 3);
        let mut all = String::new();
        for _ in 0..100 {
            let got = part(content.as_bytes(), &what, budget(7)).expect("a part");
            assert!(got.tokens <= 7 && !got.text.is_empty(), "{got:?}");
            all += &got.text;
            let Some(more) = got.more else { break };
            what = What::Lines { from: more.line, to: 3, skip_bytes: more.skip_bytes };
        }
        assert_eq!(all, content);
    }

    #[test]
    fn a_pattern_finds_numbered_lines_with_their_surroundings() {
        let content = b"a\nb\nerror: x\nd\ne\nf\ng\nerror: y\n";
        let what = What::Regex { pattern: "^error".to_owned(), context: 1 };
        let got = part(content, &what, budget(100)).expect("matches");
        assert_eq!(got.text, "2-b\n3:error: x\n4-d\n--\n7-g\n8:error: y\n");
        assert_eq!((got.from_line, got.to_line, got.found, got.more), (2, 8, 2, None));
        let got = part(content, &what, budget(14)).expect("matches");
        assert_eq!(got.more.map(|more| more.line), Some(8), "{got:?}");
        for pattern in ["(", "(a{1000}){1000}"] {
            let what = What::Regex { pattern: pattern.to_owned(), context: 0 };
            assert!(matches!(part(content, &what, budget(9)), Err(OriginalError::Pattern(_))));
        }
    }

    #[test]
    fn a_query_finds_the_best_passages() {
        let content = "The sky is blue.\n\nRetries are limited to three.\n\nGrass is green.\n";
        let got = part(content.as_bytes(), &What::Query("limit of retries".to_owned()), budget(20)).expect("passages");
        assert!(got.text.starts_with("[lines 3-3]\nRetries are limited to three.\n"), "{got:?}");
        assert!(got.tokens <= 20);
        assert!(part(b"x", &What::Query("??".to_owned()), budget(20)).is_err());
    }

    #[test]
    fn lines_that_are_not_there_are_named() {
        assert!(part(b"a\n", &lines(2, 3), budget(9)).is_err_and(|error| error.to_string().contains("no line 2")));
        assert!(part(b"a\n", &lines(0, 3), budget(9)).is_err());
        assert!(part(b"a\nb\n", &lines(2, 1), budget(9)).is_err());
        let skipped = |skip_bytes| part(b"abc\nd\n", &What::Lines { from: 1, to: 2, skip_bytes }, budget(9));
        assert_eq!(skipped(4).expect("the second line").text, "d\n");
        for skip_bytes in [5, usize::MAX] {
            let error = skipped(skip_bytes).expect_err("the line is shorter").to_string();
            assert!(error.starts_with("line 1 has 4 bytes"), "{error}");
        }
        assert_eq!(part(b"", &What::All, budget(0)).expect("nothing").text, "");
    }
}
