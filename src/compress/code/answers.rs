//! Which definitions answer a query.
//!
//! A definition is judged as a whole: by its words, by its name and where it stands, by how much of the
//! query is in it at all, by what its signature means, by who calls it, and by the rest of its file. What it does is worth
//! more than the comment above it: the comment helps to find it, and is kept when the other answers are.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::super::Query;
use super::super::rank::{is_stop_word, words};
use super::File;
use super::blocks::{Block, Role};
use crate::embed::{self, Embedding};

/// How much its path and name count for a definition, against its words.
const NAME: f64 = 1.5;
/// How much it counts which part of the query is in it at all.
const COVERED: f64 = 0.5;
/// How much the meaning of its signature counts, where that is the query's.
const MEANING: f64 = 5.0;
/// What a good answer calls is worth at least so much of it, and where it answers too, so much of that more;
/// and of how many answers this is true.
const CALLED: f64 = 0.7;
const CALLED_TOO: f64 = 0.2;
const CALLERS: usize = 30;
/// How much the best definitions of its file count for another.
const SIBLINGS: f64 = 0.5;
/// How many these are.
const BEST: usize = 3;
/// What is no function counts for so much of one.
const NO_FUNCTION: f64 = 0.7;
/// What is a test counts for so much, unless tests are asked for.
const TEST: f64 = 0.6;
/// What the comment and the attributes above a definition are worth, against the definition.
const ABOVE: f64 = 0.4;
/// What the head of a definition is worth alone. Its body brings it along, so this counts where there is
/// no room for the body.
const HEAD: f64 = 0.85;
/// What the best answer is worth more than anything without a query.
const ANSWER: f64 = 100.0;

/// Returns for each block of these files what it is worth as an answer: whole definitions and what they
/// stand in.
pub(super) fn of(text: &str, files: &[File<'_>], query: &Query) -> Vec<f64> {
    let units: Vec<Unit> = files.iter().enumerate().flat_map(|(index, file)| units(text, file, index)).collect();
    let scores = scores(text, files, &units, query);
    let highest = scores.iter().copied().fold(0.0, f64::max);
    let mut answers = vec![0.0; files.iter().map(|file| file.blocks.len()).sum()];
    if highest > 0.0 {
        for (unit, score) in units.iter().zip(&scores) {
            let worth = ANSWER * score / highest;
            answers[unit.blocks.clone()].fill(worth);
            answers[unit.blocks.start..unit.definition].fill(worth * ABOVE);
            answers[unit.texts.clone()].fill(worth * ABOVE);
            if unit.texts.end < unit.blocks.end {
                answers[unit.definition] = worth * HEAD;
            }
        }
    }
    answers
}

fn scores(text: &str, files: &[File<'_>], units: &[Unit<'_>], query: &Query) -> Vec<f64> {
    let places: Vec<String> = units
        .iter()
        .map(|unit| {
            let holder = unit.holder.map_or("", |holder| &text[holder.name.clone()]);
            format!("{} {holder} {}", files[unit.file].name, &text[unit.name.clone()])
        })
        .collect();
    let bodies = query.hits(units.iter().map(|unit| &text[unit.span.clone()]));
    let places = query.hits(places.iter().map(String::as_str));
    let covered = bodies.coverage(&places);
    let asked = meaning(&query.words().join(" "));
    let mut scores: Vec<f64> = bodies.bm25();
    for (index, (score, place)) in scores.iter_mut().zip(places.bm25()).enumerate() {
        *score += NAME * place + COVERED * covered[index];
        if *score > 0.0 {
            let near = meaning(&text[units[index].head.clone()]).cosine(&asked);
            *score += MEANING * f64::from(near).max(0.0);
        }
    }
    let called = called(text, units, &scores);
    for (score, called) in scores.iter_mut().zip(called) {
        *score = score.max(called) + CALLED_TOO * called;
    }
    let mut best = vec![[0.0_f64; BEST]; files.len()];
    for (unit, score) in units.iter().zip(&scores) {
        let best = &mut best[unit.file];
        if *score > best[BEST - 1] {
            best[BEST - 1] = *score;
            best.sort_by(|a, b| b.total_cmp(a));
        }
    }
    let wants_tests = query.words().iter().any(|word| word.starts_with("test"));
    for (unit, score) in units.iter().zip(&mut scores) {
        *score += SIBLINGS * best[unit.file].iter().sum::<f64>() / BEST as f64;
        if !unit.is_function {
            *score *= NO_FUNCTION;
        }
        if !wants_tests && unit.is_test(text, files[unit.file].name) {
            *score *= TEST;
        }
    }
    scores
}

/// Returns for each unit what it is worth for the sake of the best of those that call it: a share of that
/// one's score, the less the more functions have the name that is called. Where one of the same file has it,
/// that is meant.
fn called(text: &str, units: &[Unit<'_>], scores: &[f64]) -> Vec<f64> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, unit) in units.iter().enumerate().filter(|(_, unit)| unit.is_function) {
        by_name.entry(&text[unit.name.clone()]).or_default().push(index);
    }
    let mut best: Vec<usize> = (0..units.len()).filter(|index| scores[*index] > 0.0).collect();
    best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    best.truncate(CALLERS);
    let mut given = vec![0.0_f64; units.len()];
    for caller in best {
        let unit = &units[caller];
        let names: HashSet<&str> = calls(&text[unit.head.end..unit.span.end.max(unit.head.end)]).collect();
        for name in names {
            let Some(all) = by_name.get(name) else { continue };
            let is_near = |other: &usize| units[*other].file == unit.file;
            let has_near = all.iter().any(|other| *other != caller && is_near(other));
            let meant: Vec<usize> =
                all.iter().copied().filter(|other| *other != caller && (!has_near || is_near(other))).collect();
            for callee in &meant {
                given[*callee] = given[*callee].max(CALLED * scores[caller] / meant.len() as f64);
            }
        }
    }
    given
}

/// The names of what is called in a body: those before an opening parenthesis.
fn calls(body: &str) -> impl Iterator<Item = &str> {
    body.match_indices('(').map(|(at, _)| {
        let before = &body[..at];
        let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        &before[name.len()..]
    })
}

/// The meaning of a text of identifiers.
fn meaning(text: &str) -> Embedding {
    let mut plain = String::new();
    words(text, |word| {
        let start = plain.len();
        plain.extend(word.chars().flat_map(char::to_lowercase));
        if is_stop_word(&plain[start..]) {
            plain.truncate(start);
        } else {
            plain.push(' ');
        }
    });
    embed::embed(&plain)
}

/// What is judged as a whole: a definition with its body and the comment above it.
struct Unit<'a> {
    file: usize,
    /// The blocks, by their number in the whole text.
    blocks: Range<usize>,
    /// The first of them that is not a comment or an attribute above.
    definition: usize,
    /// The blocks in it that are its docstring.
    texts: Range<usize>,
    span: Range<usize>,
    /// The head of the definition.
    head: Range<usize>,
    name: Range<usize>,
    /// What it stands in.
    holder: Option<&'a Block>,
    is_function: bool,
}

impl Unit<'_> {
    /// Whether it is a test, by its name, its attributes or where it stands.
    fn is_test(&self, text: &str, path: &str) -> bool {
        let is_of_tests = |name: &str| {
            let name = name.trim_start_matches('_').to_ascii_lowercase();
            name == "test" || name == "tests" || name.starts_with("test_") || name.starts_with("tests_")
        };
        is_of_tests(&text[self.name.clone()])
            || self.holder.is_some_and(|holder| is_of_tests(&text[holder.name.clone()]))
            || path.split(['/', '\\', '.']).any(|part| is_of_tests(part) || part == "spec" || part.ends_with("_test"))
            || {
                let above = &text[self.span.start..self.head.start];
                above.contains("#[test]") || above.contains("::test]") || above.contains("#[cfg(test)]")
            }
    }
}

fn units<'a>(text: &str, file: &'a File<'_>, number: usize) -> Vec<Unit<'a>> {
    let blocks = &file.blocks;
    let first = file.first;
    let is_attribute = |block: &Block| block.role == Role::Loose && text[block.open.clone()].trim().starts_with("#[");
    let mut units = Vec::new();
    let mut at = 0;
    let mut above = None;
    while at < blocks.len() {
        let block = &blocks[at];
        let mut end = at + 1;
        match block.role {
            Role::Comment => {
                above.get_or_insert(at);
                at += 1;
                continue;
            }
            Role::Loose if is_attribute(block) => {
                above.get_or_insert(at);
                at += 1;
                continue;
            }
            Role::Definition if !block.holds_blocks => {
                end += blocks[at + 1..].iter().take_while(|other| other.depth > block.depth).count();
            }
            Role::Blank | Role::File => {
                above = None;
                at += 1;
                continue;
            }
            _ => {}
        }
        let start = above.take().unwrap_or(at);
        let last = &blocks[end - 1];
        let span = blocks[start].open.start..last.close.end.max(block.close.end);
        let texts = blocks[at + 1..end].iter().take_while(|other| other.role == Role::Text).count();
        units.push(Unit {
            file: number,
            blocks: first + start..first + end,
            definition: first + at,
            texts: first + at + 1..first + at + 1 + texts,
            span,
            head: block.open.clone(),
            name: block.name.clone(),
            holder: block.parent.and_then(|parent| blocks.get(parent.checked_sub(first)?)),
            is_function: block.role == Role::Definition && !block.holds_blocks && !block.is_data,
        });
        at = end;
    }
    units
}
