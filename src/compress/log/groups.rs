//! Groups of lines that say the same of different values.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::alarm::Alarm;
use super::first_line;
use super::head::{Field, Head, Heads, is_time};
use super::template::template;

/// The most differing words that are listed for a group of errors.
const IDS_MAX: usize = 2_000;

/// A line stands for its group if the first one is longer than this many tenths of it.
const MUCH_LONGER: usize = 14;

/// Lines that are alike.
pub(super) struct Group<'a> {
    /// How many there are.
    pub(super) count: usize,
    /// How much they alarm.
    pub(super) alarm: Alarm,
    /// The line that stands for them.
    pub(super) exemplar: usize,
    /// What differs between those that alarm, in their messages and in their heads.
    pub(super) ids: Vec<&'a str>,
    pub(super) sources: Vec<&'a str>,
    known: HashSet<&'a str>,
    shortest: usize,
}

/// All groups of a log.
pub(super) struct Groups<'a> {
    pub(super) all: Vec<Group<'a>>,
    pub(super) of_line: Vec<u32>,
    /// How many lines of its group come before each line.
    pub(super) place: Vec<u32>,
}

impl<'a> Groups<'a> {
    /// Groups lines, given with how often each is repeated.
    pub(super) fn of(text: &'a str, lines: &[(Range<usize>, usize)], heads: &Heads) -> Self {
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut groups = Self { all: Vec::new(), of_line: Vec::new(), place: Vec::new() };
        let mut seen: Vec<u32> = Vec::new();
        for (number, (span, repeats)) in lines.iter().enumerate() {
            let line = first_line(&text[span.clone()]);
            let head = heads.head(line);
            let index = *known.entry(wording(line, &head)).or_insert_with(|| {
                groups.all.push(Group::beginning_with(number, line));
                seen.push(0);
                (groups.all.len() - 1) as u32
            });
            let group = &mut groups.all[index as usize];
            group.count += repeats;
            if line.len() < group.shortest {
                group.shortest = line.len();
                if text[lines[group.exemplar].0.clone()].trim_end().len() * 10 > line.len() * MUCH_LONGER {
                    group.exemplar = number;
                }
            }
            if group.alarm == Alarm::Error {
                group.note_ids(line, &head);
            }
            groups.of_line.push(index);
            groups.place.push(seen[index as usize]);
            seen[index as usize] += 1;
        }
        groups
    }
}

/// The hash of a line's wording: its message and the names in its head, with all values masked.
fn wording(line: &str, head: &Head<'_>) -> u64 {
    let message = template(&line[head.end..]);
    let named = head.fields.iter().filter(|field| field.is_name);
    named.fold(message, |hash, field| hash.rotate_left(7).wrapping_mul(31) ^ template(field.text))
}

impl<'a> Group<'a> {
    fn beginning_with(number: usize, line: &str) -> Self {
        Self {
            count: 0,
            alarm: Alarm::of(line),
            exemplar: number,
            ids: Vec::new(),
            sources: Vec::new(),
            known: HashSet::new(),
            shortest: line.len(),
        }
    }

    /// Notes the addresses, hexadecimal ids, paths and other words with letters and digits of a
    /// line that no line of the group before it has.
    fn note_ids(&mut self, line: &'a str, head: &Head<'a>) {
        if self.known.len() >= IDS_MAX {
            return;
        }
        for id in ids(&line[head.end..]) {
            if self.known.insert(id) {
                self.ids.push(id);
            }
        }
        let values = |field: &Field<'a>| (!field.is_name && !is_time(field.text)).then_some(field.text);
        for id in head.fields.iter().filter_map(values).flat_map(ids) {
            if id.bytes().any(|byte| byte.is_ascii_alphabetic()) && self.known.insert(id) {
                self.sources.push(id);
            }
        }
    }
}

fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "=,;()[]{}<>\"'|".contains(c))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/'))
        .filter(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    if word.len() < 6 || word.len() > 200 {
        return false;
    }
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_path = word.matches('/').count() >= 2 || (word.contains('/') && word.contains('.'));
    if is_path {
        return word.bytes().any(|byte| byte.is_ascii_alphabetic()) && !is_time(word);
    }
    // A long number is an id, a broken one is a measure.
    let is_number = digits == word.len() && digits >= 7;
    let is_mixed =
        word.contains(|c: char| c.is_ascii_alphabetic() || "_:".contains(c)) || word.matches('.').count() > 2;
    is_number || (digits > 0 && word.len() <= 64 && is_mixed && !is_time(word))
}
