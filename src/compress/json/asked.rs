//! What a query names in data: values as they stand there, and the columns or members that hold them.
//!
//! BM25 weighs words; here a value counts only as a whole. "the record with line id 148" names the
//! column `LineId` and the value 148, and not the value 1480.

use std::borrow::Cow;
use std::collections::HashSet;

use super::super::Query;
use super::super::rank::{is_stop_word, words};

/// A value of more words than this is left to BM25.
const PHRASE_WORDS: usize = 6;

/// A name of more words than this is not looked for.
const NAME_WORDS: usize = 4;

/// How surely a query names something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// A small number, a truth value or a word that stands in many queries.
    Weak,
    /// Anything else.
    Sure,
}

/// The words of a query as they may stand in data.
pub(super) struct Asked {
    /// Runs of words, in small letters.
    phrases: HashSet<String>,
    /// Runs of words without what stands between them, in small letters: `lineid`.
    names: HashSet<String>,
    /// Paths of names and places, the last one first: `0`, `commits` of `commits[0]`.
    paths: Vec<Vec<String>>,
}

impl Asked {
    pub(super) fn of(query: &Query) -> Self {
        let tokens: Vec<&str> = query.text().split_whitespace().map(bare).filter(|token| !token.is_empty()).collect();
        let mut phrases = HashSet::new();
        for start in 0..tokens.len() {
            for length in 1..=PHRASE_WORDS.min(tokens.len() - start) {
                phrases.insert(tokens[start..start + length].join(" ").to_lowercase());
            }
            let token = tokens[start];
            let parts =
                token.split(['=', ':', '#', '\'', '"']).chain(token.split_once([':', '=']).map(|(_, rest)| rest));
            phrases.extend(parts.map(bare).filter(|part| !part.is_empty()).map(str::to_lowercase));
        }
        let mut parts = Vec::new();
        words(query.text(), |word| parts.push(word.to_lowercase()));
        let mut names = HashSet::new();
        for start in 0..parts.len() {
            for length in 1..=NAME_WORDS.min(parts.len() - start) {
                names.insert(singular(&parts[start..start + length].concat()).to_owned());
            }
        }
        let is_path = |token: &&&str| token.contains(['.', '[', '/']) && !token.contains("://");
        let paths = tokens.iter().filter(is_path).map(|token| segments(token)).filter(|path| path.len() > 1).collect();
        Self { phrases, names, paths }
    }

    /// Returns how surely the query holds this value, which is written as in JSON.
    pub(super) fn mentions(&self, value: &str) -> Option<Mention> {
        if value.len() > 200 {
            return None;
        }
        let inner = match value.strip_prefix('"') {
            Some(_) if value.contains('\\') => Cow::Owned(serde_json::from_str::<String>(value).ok()?),
            Some(rest) => Cow::Borrowed(rest.strip_suffix('"').unwrap_or(rest)),
            None => Cow::Borrowed(value),
        };
        let lower = inner.to_lowercase();
        if lower.is_empty() || !self.phrases.contains(lower.as_str()) {
            return None;
        }
        let is_weak = lower.chars().count() < 3
            || is_stop_word(&lower)
            || matches!(lower.as_str(), "true" | "false" | "null" | "none" | "yes" | "no");
        Some(if is_weak { Mention::Weak } else { Mention::Sure })
    }

    /// Whether the query names a column or member of this name: `LineId`, `line_id` and "line ids" are one.
    pub(super) fn names(&self, name: &str) -> bool {
        let mut joined = String::new();
        words(name, |word| joined.extend(word.chars().flat_map(char::to_lowercase)));
        !joined.is_empty() && self.names.contains(singular(&joined))
    }

    /// Whether the query holds the path of names and places that `upwards` gives, the last one first, or
    /// the end of it. Where the path has a place and the query has none, any place will do.
    pub(super) fn is_path<'s, I: Iterator<Item = Step<'s>>>(&self, upwards: impl Fn() -> I) -> bool {
        self.paths.iter().any(|path| {
            let mut asked = path.iter().peekable();
            for step in upwards() {
                let Some(segment) = asked.peek() else { break };
                let is_there = match step {
                    Step::Name(name) => segment.eq_ignore_ascii_case(name),
                    Step::Place(place) => segment.parse() == Ok(place),
                };
                match (is_there, step) {
                    (true, _) => drop(asked.next()),
                    (false, Step::Place(_)) => {}
                    (false, Step::Name(_)) => return false,
                }
            }
            asked.peek().is_none()
        })
    }
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Name(&'a str),
    Place(usize),
}

/// The word without the signs of a sentence around it.
fn bare(token: &str) -> &str {
    let token = token.trim_matches(|c: char| "\"'`()[]{}<>,;!?“”‘’«»".contains(c)).trim_end_matches(['.', ':']);
    let token = token.strip_suffix("'s").or_else(|| token.strip_suffix("’s")).unwrap_or(token);
    token.trim_matches(|c: char| "\"'`,;!?".contains(c))
}

fn singular(name: &str) -> &str {
    match name.strip_suffix('s') {
        Some(rest) if rest.len() > 1 => rest,
        _ => name,
    }
}

/// The steps of a path as it is written in queries, the last one first.
fn segments(path: &str) -> Vec<String> {
    let steps = path.trim_start_matches('$').split(['.', '[', ']', '/', '"', '\'']);
    let mut steps: Vec<String> = steps.filter(|step| !step.is_empty()).map(str::to_owned).collect();
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::of(&Query::parse(query).expect("a query"))
    }

    #[test]
    fn values_are_mentioned_as_a_whole() {
        let asked = asked("Which order of \"Ann Lee\" (ann@lee.org) has id=148, or #77? It's Bob's.");
        for value in ["148", "\"148\"", "\"Ann Lee\"", "\"ann@lee.org\"", "\"bob\""] {
            assert_eq!(asked.mentions(value), Some(Mention::Sure), "{value}");
        }
        assert_eq!(asked.mentions("77"), Some(Mention::Weak));
        for value in ["1480", "\"Ann\\u0020Leeds\"", "\"\"", "null"] {
            assert_eq!(asked.mentions(value), None, "{value}");
        }
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let asked = asked("the line ids and user_name of createdAt");
        for name in ["LineId", "line_id", "LINE-ID".to_lowercase().as_str(), "userName", "created_at"] {
            assert!(asked.names(name), "{name}");
        }
        assert!(!asked.names("name_of_user") && !asked.names(""));
    }

    #[test]
    fn paths_may_leave_places_out() {
        use Step::{Name, Place};
        let path = [Name("id"), Place(2), Name("commits"), Name("payload"), Place(0)];
        let is_path = |query: &str| asked(query).is_path(|| path.into_iter());
        assert!(
            is_path("What is commits[2].id?") && is_path("payload.commits.id") && is_path("$[0].payload.commits[2].id")
        );
        assert!(!is_path("What is commits[1].id?") && !is_path("id.commits") && !is_path("x.payload.commits.id"));
    }
}
