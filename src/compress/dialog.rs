//! Conversations: chats, interviews, meetings. What somebody said at once is one turn.
//!
//! A turn answers together with those around it: the question before it, the topic of the minutes. So
//! with a query each turn gets a part of what its neighbours and its surroundings score, and turns of
//! a speaker whom the query names come first. Without a query those turns come first that tell
//! something new, above all of what happened when and to whom.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use rust_stemmers::{Algorithm, Stemmer};

use super::draft::{Compressor, Draft, Piece};
use super::passages::{Passages, surroundings};
use super::rank::{stem, words};
use super::{Kind, Query, lines, prose};

/// A turn of more bytes is cut into sentences.
const LONG: usize = 600;

/// How many turns before and after a turn are its surroundings.
const REACH: usize = 12;

/// How much of the better neighbour's score a turn gets, how much of its surroundings', and what it
/// gets for a speaker whom the query names; a perfect answer has 1 to 2.
const NEIGHBOUR: f64 = 0.35;
const SURROUNDINGS: f64 = 2.0;
const NAMED: f64 = 0.5;

/// How much less a sentence of a long turn is worth for answering worse than the best of that turn.
const WITHIN: f64 = 1.0;

/// Without a query, what the first and the last turn get, their neighbours half of it; a turn that tells
/// as much as the others has about a third of 1.
const ENDS: f64 = 1.0;

/// How much sooner a short turn is taken that tells as much for its length.
const BREVITY: f64 = 0.3;

/// How many turns before the next session are its farewell.
const FAREWELL: usize = 3;

/// Words for who speaks, for who is spoken to, and common verbs of the past that do not end in "ed".
const OWN: &[&str] = &["i", "me", "my", "our", "we"];
const OTHER: &[&str] = &["you", "your"];
const PAST: &[&str] = &[
    "ate", "became", "began", "bought", "brought", "built", "came", "did", "found", "gave", "got", "had", "held",
    "kept", "left", "lost", "made", "met", "paid", "ran", "said", "saw", "sent", "sold", "spent", "spoke", "started",
    "taught", "told", "took", "was", "went", "were", "won", "wrote",
];

/// Parts in a conversation with a program, which are not names of anybody.
const ROLES: &[&str] = &["ai", "assistant", "bot", "developer", "function", "human", "model", "system", "tool", "user"];

/// Words by which people say when something was.
const TIMES: &[&str] = &[
    "ago",
    "april",
    "august",
    "day",
    "days",
    "december",
    "evening",
    "february",
    "friday",
    "january",
    "july",
    "june",
    "last",
    "march",
    "monday",
    "month",
    "months",
    "morning",
    "next",
    "november",
    "october",
    "recently",
    "saturday",
    "september",
    "since",
    "spring",
    "summer",
    "sunday",
    "thursday",
    "today",
    "tomorrow",
    "tonight",
    "tuesday",
    "wednesday",
    "week",
    "weekend",
    "weeks",
    "winter",
    "year",
    "years",
    "yesterday",
];

/// Those of them that mean nothing without the day on which they were said.
const RELATIVE: &[&str] = &["ago", "last", "next", "recently", "today", "tomorrow", "tonight", "yesterday"];

/// The most lines of one heading: a chain of all lines would be walked for each of them.
const HEADINGS_MAX: usize = 8;

/// Turns of a conversation.
pub(super) struct Dialog;

impl Compressor for Dialog {
    fn kind(&self) -> Kind {
        Kind::Dialog
    }

    fn recognises(&self, sample: &str) -> u8 {
        let filled: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty()).take(200).collect();
        let labels: Vec<(&str, Label)> =
            filled.iter().filter_map(|line| Label::of(line).map(|label| (*line, label))).collect();
        let mut speakers: Vec<&str> = labels.iter().map(|(line, label)| &line[label.name.clone()]).collect();
        let turns = speakers.len();
        let talks = labels.iter().filter(|(line, label)| is_talk(line, label)).count();
        speakers.sort_unstable();
        speakers.dedup();
        // The same few names again and again.
        if turns >= 4 && turns * 2 >= filled.len() && speakers.len() >= 2 && speakers.len() * 2 <= turns {
            // With the time before each turn it looks like a log, in which programs report and people do not talk.
            if talks * 10 >= filled.len() * 6 { 96 } else { 82 }
        } else {
            0
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let parts = parts(text);
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(parts.len());
        // The pieces that have a worth of their own, with the number of their turn.
        let mut said: Vec<(usize, usize)> = Vec::new();
        let mut speakers: Vec<Option<&str>> = Vec::new();
        // How many turns there are before each heading.
        let mut breaks: Vec<usize> = Vec::new();
        let mut heading = None;
        let mut headings = 0;
        let mut heads: Vec<usize> = Vec::new();
        let asks_when = query.is_some_and(asks_when);
        for Part { span, what } in parts {
            match what {
                What::Heading => {
                    let needs = heading.filter(|_| (1..HEADINGS_MAX).contains(&headings));
                    heading = Some(pieces.len());
                    headings = needs.map_or(1, |_| headings + 1);
                    breaks.push(speakers.len());
                    heads.push(pieces.len());
                    pieces.push(Piece { needs, ..Piece::of(text, span, BELOW_ALL) });
                }
                What::Turn(label) => {
                    headings = 0;
                    // "Last week" says nothing without its date; most else does.
                    let heading = heading.filter(|_| asks_when || count(&text[span.clone()], RELATIVE) > 0);
                    let turn = speakers.len();
                    speakers.push(label.as_ref().map(|label| &text[span.start..][label.name.clone()]));
                    if span.len() <= LONG {
                        said.push((pieces.len(), turn));
                        pieces.push(Piece { needs: heading, ..Piece::of(text, span, 0.0) });
                        continue;
                    }
                    let mut needs = heading;
                    let mut start = span.start;
                    if let Some(label) = label {
                        start += label.length;
                        needs = Some(pieces.len());
                        pieces.push(Piece { needs: heading, ..Piece::of(text, span.start..start, BELOW_ALL) });
                    }
                    for sentence in prose::sentences(&text[start..span.end]) {
                        said.push((pieces.len(), turn));
                        let sentence = start + sentence.start..start + sentence.end;
                        pieces.push(Piece { needs, ..Piece::of(text, sentence, 0.0) });
                    }
                }
            }
        }

        let bare: Vec<&str> = said.iter().map(|(piece, _)| words_of(&text[pieces[*piece].span.clone()])).collect();
        let turns: Vec<usize> = said.iter().map(|(_, turn)| *turn).collect();
        let worths = match query {
            Some(query) => answers(query, &bare, &turns, &speakers),
            None => salience(&bare, &turns, speakers.len(), &breaks),
        };
        for ((piece, _), worth) in said.into_iter().zip(worths) {
            pieces[piece].worth = worth;
        }
        if query.is_none() {
            share_headings(&mut pieces, &heads);
        }
        Draft::of_numbered_lines(pieces)
    }
}

/// What is kept only where something needs it, or where there is room for everything.
const BELOW_ALL: f64 = -1.0;

/// How well each sentence or turn answers, in its place.
fn answers(query: &Query, said: &[&str], turns: &[usize], speakers: &[Option<&str>]) -> Vec<f64> {
    let (named, places) = named(query, speakers.iter().flatten().copied().collect());
    // Whoever asks about Ann wants what Ann said, not where she was addressed.
    let query = query.without(&places);

    let own = Passages::of(said.iter().copied()).answers(&query);
    let mut best = vec![0.0_f64; speakers.len()];
    for (score, turn) in own.iter().zip(turns) {
        best[*turn] = best[*turn].max(*score);
    }
    let around = surroundings(&best, REACH);
    let at = |turn: Option<usize>| turn.and_then(|turn| best.get(turn)).copied().unwrap_or(0.0);
    let lift = |(turn, speaker): (usize, &Option<&str>)| {
        best[turn]
            + NEIGHBOUR * at(turn.checked_sub(1)).max(at(Some(turn + 1)))
            + SURROUNDINGS * around[turn]
            + if speaker.is_some_and(|name| named.contains(name)) { NAMED } else { 0.0 }
    };
    let lifted: Vec<f64> = speakers.iter().enumerate().map(lift).collect();
    own.iter().zip(turns).map(|(score, turn)| lifted[*turn] - WITHIN * (best[*turn] - score)).collect()
}

/// The speakers whom a query names, and the places of their names among its words.
///
/// `Project Manager` is named in full or not at all, as long as anybody is; otherwise a part of a name
/// will do.
fn named<'t>(query: &Query, speakers: HashSet<&'t str>) -> (HashSet<&'t str>, HashSet<usize>) {
    let stemmer = Stemmer::create(Algorithm::English);
    let asked: Vec<String> = query.all_words().iter().map(|word| stem(&stemmer, word)).collect();
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for speaker in speakers {
        let mut name = Vec::new();
        words(speaker, |word| name.push(stem(&stemmer, &word.to_lowercase())));
        if !name.is_empty() && !name.iter().all(|word| ROLES.contains(&word.as_str())) {
            names.push((speaker, name));
        }
    }
    // Long names first: the user interface is not the user.
    names.sort_by(|(a, one), (b, other)| other.len().cmp(&one.len()).then(a.cmp(b)));
    let mut named = HashSet::new();
    let mut places = HashSet::new();
    for (speaker, name) in &names {
        for start in 0..(asked.len() + 1).saturating_sub(name.len()) {
            let place = start..start + name.len();
            if asked[place.clone()] == name[..] && !place.clone().any(|place| places.contains(&place)) {
                named.insert(*speaker);
                places.extend(place);
            }
        }
    }
    if named.is_empty() {
        for (speaker, name) in &names {
            for (place, word) in asked.iter().enumerate() {
                if word.len() > 1 && !ROLES.contains(&word.as_str()) && name.contains(word) {
                    named.insert(*speaker);
                    places.insert(place);
                }
            }
        }
    }
    (named, places)
}

/// How much each sentence or turn tells, for its length; there are `breaks` between sessions before
/// these turns.
///
/// Whoever is asked later what was said is asked what the speakers did, had and planned: "I moved here in
/// May" rather than "You must be so proud!". And sessions end with wishes and farewells.
fn salience(said: &[&str], turns: &[usize], turns_count: usize, breaks: &[usize]) -> Vec<f64> {
    let news = Passages::of(said.iter().copied()).news();
    // About four bytes are a token, and a line costs a few whatever it says.
    let rates: Vec<f64> = news.iter().zip(said).map(|(news, said)| news / (said.len() as f64 / 4.0 + 4.0)).collect();
    let mean = (rates.iter().sum::<f64>() / rates.len().max(1) as f64).max(f64::MIN_POSITIVE);
    let mut is_farewell = vec![false; turns_count];
    breaks.iter().for_each(|end| is_farewell[end.saturating_sub(FAREWELL)..*end].fill(true));
    rates
        .iter()
        .zip(said)
        .zip(turns)
        .map(|((rate, said), turn)| {
            let telling = Telling::of(said);
            let farewell = if is_farewell[*turn] { 0.4 } else { 1.0 };
            // What it is about is said first, and where it stands last.
            let place = ENDS / (1 + turn) as f64 + ENDS / (turns_count - turn) as f64;
            let short = (said.len() as f64 / 4.0 + 4.0).powf(-BREVITY);
            rate / mean * short * telling.weight() * farewell + place
        })
        .collect()
}

/// Lowers the worths of turns that need one of these headings by what it costs: the best of them together with it are
/// worth what they have in all, token by token, so that a heading for a single turn is seldom paid.
fn share_headings(pieces: &mut [Piece<'_>], headings: &[usize]) {
    let tokens = |piece: &Piece<'_>| piece.text.len() as f64 / 4.0 + 4.0;
    let ends = headings.iter().skip(1).copied().chain([pieces.len()]);
    for (start, end) in headings.iter().copied().zip(ends) {
        let mut dated: Vec<usize> = (start..end).filter(|index| pieces[*index].needs == Some(start)).collect();
        dated.sort_by(|a, b| pieces[*b].worth.total_cmp(&pieces[*a].worth).then(a.cmp(b)));
        let (mut sum, mut cost, mut best) = (0.0, tokens(&pieces[start]), 0.0_f64);
        for index in &dated {
            sum += pieces[*index].worth * tokens(&pieces[*index]);
            cost += tokens(&pieces[*index]);
            best = best.max(sum / cost);
        }
        dated.iter().for_each(|index| pieces[*index].worth = pieces[*index].worth.min(best));
    }
}

/// What in the words of a turn says that it tells a fact about who speaks.
#[derive(Default)]
struct Telling {
    /// Words for the speaker, for whoever listens, for times, figures, and verbs of the past.
    own: u32,
    other: u32,
    times: u32,
    figures: u32,
    past: u32,
    is_question: bool,
}

impl Telling {
    fn of(said: &str) -> Self {
        let mut telling = Self { is_question: said.trim_end().ends_with('?'), ..Self::default() };
        words(said, |word| {
            let word = word.to_ascii_lowercase();
            let is_in = |list: &[&str]| u32::from(list.binary_search(&word.as_str()).is_ok());
            telling.own += is_in(OWN);
            telling.other += is_in(OTHER);
            telling.times += is_in(TIMES);
            telling.figures += u32::from(word.bytes().any(|byte| byte.is_ascii_digit()));
            telling.past += is_in(PAST).max(u32::from(word.len() > 4 && word.ends_with("ed")));
        });
        telling
    }

    /// How much more than others a turn with these words is asked about, token by token. The weights
    /// are those of a regression over conversations, rounded.
    fn weight(&self) -> f64 {
        let up_to = |count: u32, most: u32| f64::from(count.min(most));
        let sum = 0.17 * up_to(self.own, 3) - 0.24 * up_to(self.other, 3)
            + 0.5 * up_to(self.times, 2)
            + 0.37 * up_to(self.figures, 2)
            + 0.13 * up_to(self.past, 3);
        sum.exp() * if self.is_question { 0.6 } else { 1.0 }
    }
}

/// How many words of a text are in a sorted list.
fn count(text: &str, list: &[&str]) -> u32 {
    let mut count = 0;
    words(text, |word| count += u32::from(list.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()));
    count
}

/// Whether a query asks for a time.
fn asks_when(query: &Query) -> bool {
    query
        .all_words()
        .iter()
        .any(|word| ["when", "date", "dates", "time", "long", "day", "week", "month", "year"].contains(&word.as_str()))
}

/// What was said in a turn, without its label.
fn words_of(turn: &str) -> &str {
    Label::of(turn.split('\n').next().unwrap_or("")).map_or(turn, |label| &turn[label.length..])
}

/// A part of a conversation.
struct Part {
    span: Range<usize>,
    what: What,
}

enum What {
    /// Says to what session, day or topic the turns after it belong.
    Heading,
    /// What was said; without a label where nobody is named.
    Turn(Option<Label>),
}

/// Cuts a conversation into its parts, which tile it.
fn parts(text: &str) -> Vec<Part> {
    let spans: Vec<Range<usize>> = lines::spans(text).collect();
    let mut labels: Vec<Option<Label>> = spans.iter().map(|span| Label::of(&text[span.clone()])).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let name = |line: usize, label: &Label| &text[spans[line].start..][label.name.clone()];
    for (line, label) in labels.iter().enumerate() {
        if let Some(label) = label {
            *counts.entry(name(line, label)).or_default() += 1;
        }
    }
    // Where turns go over many lines, `Steps: ...` within one is not somebody's name.
    let labelled = counts.values().sum::<usize>();
    let filled = spans.iter().filter(|span| !text[(*span).clone()].trim().is_empty()).count();
    if labelled * 5 < filled * 4 && counts.values().any(|count| *count > 1) {
        for line in 0..spans.len() {
            if labels[line].as_ref().is_some_and(|label| counts[name(line, label)] == 1) {
                labels[line] = None;
            }
        }
    }

    let mut parts: Vec<Part> = Vec::new();
    let mut is_open = false;
    for (span, label) in spans.into_iter().zip(labels) {
        let line = &text[span.clone()];
        let is_blank = line.trim().is_empty();
        match parts.last_mut() {
            // Blank lines belong to what is before them.
            Some(last) if is_blank => last.span.end = span.end,
            Some(last) if label.is_none() && is_open && !is_heading(line) => last.span.end = span.end,
            _ => {
                let is_label = label.is_some();
                let what = if !is_label && is_heading(line) { What::Heading } else { What::Turn(label) };
                is_open = is_label;
                parts.push(Part { span, what });
            }
        }
    }
    parts
}

/// Whether a line that nobody says stands above turns: a Markdown heading, a rule, a date.
fn is_heading(line: &str) -> bool {
    let line = line.trim();
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
        return true;
    }
    let is_rule = ["---", "===", "***", "___", "───", "━━━"].iter().any(|rule| line.starts_with(rule));
    let mut has_year = false;
    words(line, |word| {
        has_year |=
            word.len() == 4 && (word.starts_with("19") || word.starts_with("20")) && word.parse::<u32>().is_ok();
    });
    is_rule
        || (line.len() <= 60
            && has_year
            && !line.ends_with(['.', '!', '?'])
            && (count(line, TIMES) > 0 || starts_with_digit(line)))
}

fn starts_with_digit(line: &str) -> bool {
    line.trim_start_matches(['[', '(']).starts_with(|c: char| c.is_ascii_digit())
}

/// What stands at the beginning of a turn to say whose it is.
#[derive(Debug, Clone, PartialEq)]
struct Label {
    name: Range<usize>,
    /// Where it ends, the blanks after it included.
    length: usize,
}

impl Label {
    /// Finds `Name: `, `[10:20] Name: `, `Name (10:20): `, `**Name:** `, `<name> ` or `Name:` alone.
    fn of(line: &str) -> Option<Self> {
        let line = line.trim_end_matches(['\n', '\r']);
        if let Some(rest) = line.strip_prefix('<') {
            let end = rest.find('>')?;
            let is_said = rest[end + 1..].starts_with(' ') && !rest[end + 1..].trim().is_empty();
            return (is_said && is_name(&rest[..end])).then_some(Self { name: 1..end + 1, length: end + 3 });
        }
        let head = &line[..line.floor_char_boundary(80)];
        head.match_indices(':').find_map(|(colon, _)| {
            let after = line[colon + 1..].trim_start_matches("**");
            let length = line.len() - after.len();
            if !after.is_empty() && !after.starts_with([' ', '\t']) {
                return None;
            }
            let mut before = head[..colon].trim_end_matches('*').trim_end();
            // A time after the name.
            if before.ends_with([')', ']'])
                && let Some(open) = before.rfind(['(', '['])
                && !before[..open].trim().is_empty()
            {
                before = before[..open].trim_end().trim_end_matches('*');
            }
            // A time or place before it.
            let start = before.rfind([']', ')', '|', '>']).map_or(0, |at| at + 1);
            let name = before[start..].trim_start().trim_start_matches('*');
            let start = before.len() - name.len();
            let blanks = after.len() - after.trim_start_matches([' ', '\t']).len();
            is_name(name).then_some(Self { name: start..before.len(), length: length + blanks })
        })
    }
}

/// Whether somebody with the name of a person says a sentence.
fn is_talk(line: &str, label: &Label) -> bool {
    let name = &line[label.name.clone()];
    let said = &line[label.length.min(line.len())..];
    let is_person = name.split_whitespace().all(|part| {
        part.starts_with(char::is_uppercase) && part.chars().skip(1).any(char::is_lowercase) && !part.contains('.')
    });
    let words = said.split_whitespace().count();
    let plain = |word: &&str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation() || "…’“”–—".contains(c));
        !word.is_empty() && word.chars().all(|c| c.is_alphabetic() || "'’-".contains(c))
    };
    let begins = said.trim_start().starts_with(|c: char| c.is_uppercase());
    let ends = said.trim_end().trim_end_matches(['"', '\'', ')', '”']).ends_with(['.', '!', '?', '…']);
    is_person && words > 0 && (begins || ends) && said.split_whitespace().filter(plain).count() * 10 >= words * 8
}

fn is_name(name: &str) -> bool {
    (1..=3).contains(&name.split_whitespace().count())
        && name.chars().all(|c| c.is_alphanumeric() || " .-_'".contains(c))
        && name.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_words_are_sorted() {
        for list in [TIMES, RELATIVE, OWN, OTHER, PAST, ROLES] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn what_somebody_did_tells_more_than_praise_and_questions() {
        let weight = |said| Telling::of(said).weight();
        assert!(weight("I moved to Lyon in 2019 with my brother.") > weight("You must be proud of your garden."));
        assert!(weight("You must be proud of your garden.") > weight("You must be proud of your garden?"));
        assert!(weight("We went there last week.") > weight("We go there."));
    }

    #[test]
    fn a_heading_for_one_turn_lowers_it_more_than_for_three() {
        let line = "Ann: I went to the harbour last week with my brother.\n";
        let heading = "## Session 1 (10:20 am on 4 May, 2023)\n";
        let best = |times: usize| {
            let text = format!("{heading}{}", line.repeat(times));
            let mut pieces = vec![Piece::of(&text, 0..heading.len(), BELOW_ALL)];
            for turn in 0..times {
                let start = heading.len() + turn * line.len();
                pieces.push(Piece { needs: Some(0), ..Piece::of(&text, start..start + line.len(), 1.0) });
            }
            share_headings(&mut pieces, &[0]);
            assert_eq!(pieces[0].worth, BELOW_ALL);
            pieces[1].worth
        };
        assert!(best(1) < best(3) && best(3) < 1.0);
    }

    #[test]
    fn labels_are_found() {
        for (line, name, said) in [
            ("Ann: Hi there.", "Ann", "Hi there."),
            ("[10:20] Ann Lee: yes", "Ann Lee", "yes"),
            ("Ann Lee (10:20): yes", "Ann Lee", "yes"),
            ("2024-05-01 10:20:33 | ann_2: yes", "ann_2", "yes"),
            ("**Ann:** yes", "Ann", "yes"),
            ("**Ann**: yes", "Ann", "yes"),
            ("<ann> yes: no", "ann", "yes: no"),
            ("User:", "User", ""),
            ("Zoë:  o", "Zoë", "o"),
        ] {
            let label = Label::of(line).unwrap_or_else(|| panic!("a label in {line:?}"));
            assert_eq!((&line[label.name], &line[label.length..]), (name, said), "{line}");
        }
        for line in ["http://x", "no label", "10:20", "it is a long sentence: with a colon", "<div>", "", ": x"] {
            assert_eq!(Label::of(line), None, "{line}");
        }
    }

    fn kinds(text: &str) -> Vec<(&str, &str)> {
        let what = |part: &Part| match &part.what {
            What::Heading => "heading",
            What::Turn(Some(_)) => "turn",
            What::Turn(None) => "line",
        };
        parts(text).iter().map(|part| (what(part), &text[part.span.clone()])).collect()
    }

    #[test]
    fn turns_go_on_until_the_next() {
        let text = "## Monday\nAnn: Do this.\nSteps: one\n\n- two\nmore\nand more\nBob: Yes.\nThursday, 3 May 2024\nAnn: Well.\nBob: So.\n";
        let expected = [
            ("heading", "## Monday\n"),
            ("turn", "Ann: Do this.\nSteps: one\n\n- two\nmore\nand more\n"),
            ("turn", "Bob: Yes.\n"),
            ("heading", "Thursday, 3 May 2024\n"),
            ("turn", "Ann: Well.\n"),
            ("turn", "Bob: So.\n"),
        ];
        assert_eq!(kinds(text), expected);
        assert_eq!(kinds("one\ntwo\n"), [("line", "one\n"), ("line", "two\n")]);
    }

    #[test]
    fn conversations_are_recognised() {
        let dialog = "Ann: Hi there.\nBob: Hello! How are you?\nAnn: Fine.\nBob: Good to hear.\n";
        assert!(Dialog.recognises(dialog) > 80);
        assert_eq!(Dialog.recognises("One line.\nAnother: line.\nA third.\n"), 0);
        assert!(TIMES.is_sorted() && RELATIVE.is_sorted());
    }

    fn best<'a>(text: &'a str, query: Option<&str>) -> &'a str {
        let query = query.and_then(Query::parse);
        let draft = Dialog.draft(text, query.as_ref());
        let best = draft.pieces.iter().max_by(|a, b| a.worth.total_cmp(&b.worth)).expect("a piece");
        &text[best.span.clone()]
    }

    #[test]
    fn whoever_is_named_is_heard() {
        let text = "Ann: I keep bees, Bob.\nBob: I keep hens, Ann.\nAnn: How odd.\nBob: Not at all.\n";
        assert_eq!(best(text, Some("What does Ann keep?")), "Ann: I keep bees, Bob.\n");
        assert_eq!(best(text, Some("What does Bob keep?")), "Bob: I keep hens, Ann.\n");
    }

    #[test]
    fn names_are_taken_whole() {
        let speakers = || ["Project Manager", "Industrial Designer", "Professor E", "user"].into_iter().collect();
        let named = |query: &str| {
            let (named, places) = named(&Query::parse(query).expect("a query"), speakers());
            let mut both = (Vec::from_iter(named), Vec::from_iter(places));
            both.0.sort_unstable();
            both.1.sort_unstable();
            both
        };
        let manager = vec!["Project Manager"];
        assert_eq!(named("why did the project manager like the industrial look?"), (manager.clone(), vec![3, 4]));
        assert_eq!(named("Did Industrial Design agree?"), (vec!["Industrial Designer"], vec![1, 2]));
        assert_eq!(named("what did the professor say to users"), (vec!["Professor E"], vec![3]));
        assert_eq!(named("who knows"), (vec![], vec![]));
    }

    #[test]
    fn what_happened_is_told_before_pleasantries() {
        let text = "Ann: Hello!\nBob: Hello, how are you?\nAnn: Oh, fine, fine, thank you so much for asking!\n\
                    Bob: I moved to Lisbon last week.\nAnn: Wow, is that so?\nBob: Yes.\nAnn: Well then.\nBob: Bye!\n";
        assert_eq!(best(text, None), "Bob: I moved to Lisbon last week.\n");
    }
}
