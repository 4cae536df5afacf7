//! Groups of lines that say the same of different values.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::alarm::Alarm;
use super::first_line;
use super::head::{Field, Head, Heads, is_time};
use super::template::{Seeded, template, without_a_word};

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
    /// Whether they differ in words too.
    is_of_many: bool,
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
        let line = |number: usize| first_line(&text[lines[number].0.clone()]);
        let mut known: HashMap<u64, u32, Seeded> = HashMap::default();
        // The first line of each wording, and the wording of each line.
        let mut firsts: Vec<usize> = Vec::new();
        let mut wordings: Vec<u32> = Vec::with_capacity(lines.len());
        for number in 0..lines.len() {
            let line = line(number);
            let wording = *known.entry(wording(line, &heads.head(line))).or_insert_with(|| {
                firsts.push(number);
                (firsts.len() - 1) as u32
            });
            wordings.push(wording);
        }
        let alike = siblings(firsts.iter().map(|number| line(*number)), heads);
        let mut group_of: Vec<Option<u32>> = vec![None; firsts.len()];
        let mut groups = Self { all: Vec::new(), of_line: wordings, place: Vec::with_capacity(lines.len()) };
        let mut seen: Vec<u32> = Vec::new();
        for number in 0..lines.len() {
            let wording = groups.of_line[number] as usize;
            let first = alike[wording] as usize;
            let line = line(number);
            let index = *group_of[first].get_or_insert_with(|| {
                groups.all.push(Group::beginning_with(number, line));
                seen.push(0);
                (groups.all.len() - 1) as u32
            });
            let group = &mut groups.all[index as usize];
            group.is_of_many |= first != wording;
            group.count += lines[number].1;
            if line.len() < group.shortest {
                group.shortest = line.len();
                if first_line(&text[lines[group.exemplar].0.clone()]).len() * 10 > line.len() * MUCH_LONGER {
                    group.exemplar = number;
                }
            }
            if group.alarm == Alarm::Error {
                group.note_ids(line, &heads.head(line));
            }
            groups.of_line[number] = index;
            groups.place.push(seen[index as usize]);
            seen[index as usize] += 1;
        }
        groups
    }
}

/// The hash of a line's wording: its message and the names in its head, with all values masked.
fn wording(line: &str, head: &Head<'_>) -> u64 {
    names(head) ^ template(&line[head.end..])
}

fn names(head: &Head<'_>) -> u64 {
    let named = head.fields.iter().filter(|field| field.is_name);
    named.fold(0, |hash: u64, field| hash.rotate_left(7).wrapping_mul(31) ^ template(field.text))
}

/// Wordings of which so many differ in one word only are one: that word is a value.
const SIBLINGS: u32 = 8;

/// With more wordings than this no siblings are looked for.
const WORDINGS_MAX: usize = 100_000;

/// For each wording, given by a line, the number of the first one that is alike but for one word in
/// which many differ; its own where there are none.
fn siblings<'t>(wordings: impl ExactSizeIterator<Item = &'t str>, heads: &Heads) -> Vec<u32> {
    let count = wordings.len();
    let own = 0..count as u32;
    if count < SIBLINGS as usize || count > WORDINGS_MAX {
        return own.collect();
    }
    let without = |line: &str| {
        let head = heads.head(line);
        without_a_word(&line[head.end..], names(&head))
    };
    // All hashes one after the other, and where those of each wording end.
    let mut hashes: Vec<u64> = Vec::new();
    let mut ends: Vec<usize> = Vec::with_capacity(count);
    let mut known: HashMap<u64, (u32, u32), Seeded> = HashMap::default();
    for (number, line) in wordings.enumerate() {
        for hash in without(line) {
            known.entry(hash).or_insert((number as u32, 0)).1 += 1;
            hashes.push(hash);
        }
        ends.push(hashes.len());
    }
    let mut start = 0;
    own.zip(ends)
        .map(|(own, end)| {
            let hashes = &hashes[std::mem::replace(&mut start, end)..end];
            let most = hashes.iter().map(|hash| known[hash]).max_by_key(|(_, count)| *count);
            most.filter(|(_, count)| *count >= SIBLINGS).map_or(own, |(first, _)| first)
        })
        .collect()
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
            is_of_many: false,
            shortest: line.len(),
        }
    }

    /// Notes the addresses, hexadecimal ids, paths and other words with letters and digits of a
    /// line that no line of the group before it has.
    fn note_ids(&mut self, line: &'a str, head: &Head<'a>) {
        if self.known.len() >= IDS_MAX {
            return;
        }
        let differs = |word: &&str| is_id(word) || (self.is_of_many && word.len() > 2);
        for id in words(&line[head.end..]).filter(differs).collect::<Vec<_>>() {
            if self.known.insert(id) {
                self.ids.push(id);
            }
        }
        let values = |field: &Field<'a>| (!field.is_name && !is_time(field.text)).then_some(field.text);
        for id in head.fields.iter().filter_map(values).flat_map(words).filter(|word| is_id(word)) {
            if id.bytes().any(|byte| byte.is_ascii_alphabetic()) && self.known.insert(id) {
                self.sources.push(id);
            }
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "=,;()[]{}<>\"'|".contains(c))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/'))
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
    let is_number = digits == word.len() && digits >= 7 && !is_time(word);
    let is_mixed =
        word.contains(|c: char| c.is_ascii_alphabetic() || "_:".contains(c)) || word.matches('.').count() > 2;
    is_number || (digits > 0 && word.len() <= 64 && is_mixed && !is_time(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Vec<(usize, Vec<&str>)> {
        let lines: Vec<_> = super::super::folded_lines(text);
        let heads = Heads::of(lines.iter().map(|(span, _)| first_line(&text[span.clone()])));
        Groups::of(text, &lines, &heads).all.into_iter().map(|group| (group.count, group.ids)).collect()
    }

    #[test]
    fn a_word_in_which_many_lines_differ_is_a_value() {
        let names = ["tea", "milk", "sugar", "lemon", "honey", "cream", "mint", "ginger"];
        let lines = |count: usize| -> String {
            names[..count].iter().map(|name| format!("12:00:01 ERROR cannot serve {name} to anyone\n")).collect()
        };
        assert_eq!(groups(&lines(7)).len(), 7);
        let all = lines(8);
        let found = groups(&all);
        assert_eq!((found.len(), found[0].0), (1, 8), "{found:?}");
        assert!(names[1..].iter().all(|name| found[0].1.contains(name)), "what the first line lacks: {found:?}");
    }

    #[test]
    fn ids_are_words_that_name_one_thing() {
        for word in ["10.0.0.1:5070", "10.0.0.1", "0x1f2e3d", "/var/log/x", "blk_3886504906", "de9231d", "38865049"] {
            assert!(is_id(word), "{word}");
        }
        for word in ["10:00:01", "2026-01-02", "1117869876", "0.24", "123456", "finished", "1.25.3"] {
            assert!(!is_id(word), "{word}");
        }
    }
}
