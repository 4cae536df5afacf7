//! Logs: lines that programs write over time.
//!
//! Lines are grouped by what is left when numbers, paths, quoted strings and every word with a
//! digit are masked. The first line of each group stands for it and says how many are alike; rare
//! groups and groups that tell of errors come first, and these also list what differs between
//! their members.

mod alarm;
mod groups;
mod head;
mod layout;
mod template;

use std::borrow::Cow;
use std::ops::Range;

use self::alarm::Alarm;
pub(super) use self::alarm::tells_of_an_error;
use self::groups::{Group, Groups};
use self::head::Heads;
use self::layout::{LogLines, Role};
pub(super) use self::template::{Seeded, template};
use super::draft::{Compressor, Draft, Piece};
use super::lines::spans;
use super::prose::split_long;
use super::{Kind, Query};

/// How many ids are kept or left out together.
const IDS_A_PIECE: usize = 8;

/// Lines written by programs over time.
pub(super) struct Log;

impl Compressor for Log {
    fn kind(&self) -> Kind {
        Kind::Log
    }

    fn recognises(&self, sample: &str) -> u8 {
        let lines: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty()).take(200).collect();
        if lines.len() < 3 {
            return 0;
        }
        let logged = lines.iter().filter(|line| begins_with_time(line) || has_severity(line)).count();
        // Where most lines repeat the one before, folding them is what helps.
        let repeated = lines.windows(2).filter(|pair| pair[0] == pair[1]).count();
        let repeats = if lines.len() >= 8 && repeated * 2 > lines.len() { 65 } else { 0 };
        ((logged * 95 / lines.len()).min(95) as u8).max(repeats)
    }

    fn folds_repeats(&self) -> bool {
        true
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let lines = folded_lines(text);
        let heads = Heads::of(lines.iter().map(|(span, _)| first_line(&text[span.clone()])));
        let groups = Groups::of(text, &lines, &heads);
        let answers = query.map(|query| query.relevance(lines.iter().map(|(span, _)| &text[span.clone()])));
        let mut drafted = Drafted {
            text,
            pieces: Vec::with_capacity(lines.len()),
            roles: Vec::with_capacity(lines.len()),
            rest: 0..0,
            end: 0,
        };
        for (index, (span, repeats)) in lines.iter().enumerate() {
            let line = &text[span.clone()];
            let group = &groups.all[groups.of_line[index] as usize];
            let mut answer = 0.0;
            if let (Some(answers), Some(query)) = (&answers, query) {
                let named = if query.names_something_in(line) { 200.0 } else { 0.0 };
                answer = 60.0 * answers[index] + named;
            }
            if line.trim().is_empty() {
                drafted.push(Piece::of(text, span.clone(), -1.0), Role::Part);
            } else if group.exemplar == index {
                drafted.exemplar(span, group, answer, &heads);
            } else {
                let worth = answer + 1.0 / (f64::from(groups.place[index]) + 2.0);
                drafted.line(span, 0, PART, worth, Role::Line(*repeats));
                drafted.rest(worth - 1e-3);
            }
        }
        let Drafted { pieces, roles, .. } = drafted;
        Draft { pieces, layout: Box::new(LogLines { text, heads, roles }) }
    }
}

/// The pieces so far and what they are.
struct Drafted<'a> {
    text: &'a str,
    pieces: Vec<Piece<'a>>,
    roles: Vec<Role>,
    /// What is still to come of the line that was begun last, and where the lines end that are equal
    /// to it.
    rest: Range<usize>,
    end: usize,
}

impl<'a> Drafted<'a> {
    fn push(&mut self, piece: Piece<'a>, role: Role) {
        self.pieces.push(piece);
        self.roles.push(role);
    }

    /// A line that stands for its group, the values in its head, and what differs in the others.
    fn exemplar(&mut self, span: &Range<usize>, group: &Group<'a>, answer: f64, heads: &Heads) {
        let line = first_line_with_end(&self.text[span.clone()]);
        let head = heads.head(line);
        let alarm = group.alarm.worth();
        // Among lines that alarm as much, short ones first: more of them have room. Rare ones may be longer.
        let most = if group.alarm == Alarm::Error { PART } else { BEGINNING };
        let length = (line.len() - head.end).min(most) as f64 / (1.0 + 0.5 / group.count as f64);
        let worth = 50.0 + alarm + 6.0 * 40.0 / (40.0 + length) + answer;
        let at = self.pieces.len();
        self.line(span, head.names, most, worth, Role::Message(group.count));
        let after = self.rest.start;
        if head.fields.iter().any(|field| !field.is_name) {
            let when = if answer > 0.0 { worth - 0.5 } else { 40.0 + alarm / 2.0 };
            let when = if at == 0 { worth.max(70.0) } else { when };
            let text = Cow::Borrowed(&line[..head.names]);
            let piece = Piece { text, needs: Some(at), ..Piece::of(self.text, after..after, when) };
            self.push(piece, Role::Values);
        }
        self.rest(if answer > 0.0 { worth - 0.5 } else { 47.0 + alarm / 5.0 });
        if !line.ends_with('\n') {
            return;
        }
        let new = |id: &&&str| !line.contains(**id);
        let ids: Vec<&str> = group.ids.iter().filter(new).copied().collect();
        let sources: Vec<&str> = group.sources.iter().filter(new).copied().collect();
        let written = |ids: &[&str]| Cow::Owned(format!("+ {}\n", ids.join(" ")));
        let ids = ids.chunks(IDS_A_PIECE).enumerate().map(|(index, few)| (written(few), id_worth(index)));
        let sources = sources.chunks(IDS_A_PIECE).map(|few| (written(few), 38.0));
        for (text, worth) in ids.chain(sources) {
            let piece = Piece { text, needs: Some(at), ..Piece::of(self.text, span.end..span.end, worth) };
            self.push(piece, Role::Ids);
        }
    }

    /// Begins a line, from its byte `from` on, with as much of it as one piece may have.
    fn line(&mut self, span: &Range<usize>, from: usize, most: usize, worth: f64, role: Role) {
        let line = first_line_with_end(&self.text[span.clone()]);
        let end = beginning(line, from + most);
        self.rest = span.start + end..span.start + line.len();
        self.end = span.end;
        let upto = if self.rest.is_empty() { span.end } else { self.rest.start };
        let piece = Piece { text: Cow::Borrowed(&line[from..end]), ..Piece::of(self.text, span.start..upto, worth) };
        self.push(piece, role);
    }

    /// Ends the line that was begun.
    fn rest(&mut self, worth: f64) {
        if self.rest.is_empty() {
            return;
        }
        let parts = split_long(self.text, self.rest.clone());
        let last = parts.len() - 1;
        let needs = self.roles.iter().rposition(|role| matches!(role, Role::Message(_) | Role::Line(_)));
        for (index, part) in parts.into_iter().enumerate() {
            let upto = if index == last { self.end } else { part.end };
            let worth = worth - index as f64 * 1e-3;
            let text = Cow::Borrowed(&self.text[part.clone()]);
            self.push(Piece { text, needs, ..Piece::of(self.text, part.start..upto, worth) }, Role::Part);
        }
    }
}

/// How many bytes of a line are one piece, and how many of one that stands for others and alarms
/// nobody: what comes after its beginning is worth less than other lines.
const PART: usize = 1_000;
const BEGINNING: usize = 240;

/// Where the beginning of a line ends that is to have about so many bytes.
fn beginning(line: &str, about: usize) -> usize {
    if line.len() <= about + about / 3 {
        return line.len();
    }
    let most = line.floor_char_boundary(about);
    line[..most].rfind(' ').filter(|blank| *blank > about / 2).map_or(most, |blank| blank + 1)
}

/// What the ids of a group are worth, a few after the other: the first are worth more than lines that
/// alarm nobody, many more than when it was.
fn id_worth(index: usize) -> f64 {
    match index {
        0..5 => 58.0 - 2.0 * index as f64,
        5..32 => 49.0 - 0.1 * index as f64,
        _ => 41.0,
    }
}

fn first_line_with_end(lines: &str) -> &str {
    lines.split_inclusive('\n').next().unwrap_or("")
}

/// Cuts a piece of one overlong line at blanks.
pub(super) fn split_piece<'a>(text: &'a str, piece: Piece<'a>) -> Vec<Piece<'a>> {
    let parts = if matches!(piece.text, Cow::Borrowed(_)) { split_long(text, piece.span.clone()) } else { Vec::new() };
    if parts.len() < 2 {
        return vec![piece];
    }
    let worth = |index: usize| piece.worth - index as f64 * 1e-3;
    parts
        .into_iter()
        .enumerate()
        .map(|(index, span)| Piece { needs: piece.needs, ..Piece::of(text, span, worth(index)) })
        .collect()
}

/// The lines of a text; a run of equal lines is one span, with how often the line is there.
pub(super) fn folded_lines(text: &str) -> Vec<(Range<usize>, usize)> {
    let mut folded: Vec<(Range<usize>, usize)> = Vec::new();
    for span in spans(text) {
        let line = text[span.clone()].trim_end_matches('\n');
        if let Some((last, count)) = folded.last_mut()
            && !line.is_empty()
            && first_line(&text[last.clone()]) == line
        {
            last.end = span.end;
            *count += 1;
        } else {
            folded.push((span, 1));
        }
    }
    folded
}

pub(super) fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or("")
}

pub(super) fn repeats_note(repeats: usize) -> String {
    if repeats > 1 { format!(" [x{repeats}]") } else { String::new() }
}

fn begins_with_time(line: &str) -> bool {
    let start = line.trim_start_matches(['[', '(', '"', '<']);
    let head = &start[..start.floor_char_boundary(32)];
    let digits = head.bytes().filter(u8::is_ascii_digit).count();
    let begins = head.starts_with(|c: char| c.is_ascii_digit());
    let clock = head
        .as_bytes()
        .windows(5)
        .any(|five| five[2] == b':' && [0, 1, 3, 4].iter().all(|index| five[*index].is_ascii_digit()));
    (clock && digits >= 4 && (begins || head.split_whitespace().next().is_some_and(|word| word.len() <= 4)))
        || (begins && digits >= 10)
}

fn has_severity(line: &str) -> bool {
    let head = &line[..line.floor_char_boundary(80)];
    head.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| matches!(word, "INFO" | "WARN" | "WARNING" | "ERROR" | "DEBUG" | "TRACE" | "FATAL" | "NOTICE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_recognised() {
        let log = "2026-01-02T10:00:00Z INFO started\n2026-01-02T10:00:01Z WARN slow\nJan  2 10:00:02 host sshd: x\n";
        assert!(Log.recognises(log) > 80);
        assert!(Log.recognises("Some prose.\nIn a few lines.\nWithout any time.\n") < 20);
    }

    #[test]
    fn a_group_of_errors_lists_what_differs() {
        let text = "10:00:00 error: peer 10.0.0.1 refused\n10:00:01 ok\n10:00:02 error: peer 10.0.0.2 refused\n";
        let draft = Log.draft(text, None);
        let written: Vec<&str> = draft.pieces.iter().map(|piece| &*piece.text).collect();
        assert_eq!(written[..2], ["10:00:00 error: peer 10.0.0.1 refused\n", "+ 10.0.0.2\n"]);
        assert!(draft.pieces.windows(2).all(|pair| pair[0].worth > pair[1].worth), "{written:?}");
    }
}
