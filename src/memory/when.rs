//! The time that a query names: "last week", "in May 2023", "since 2024-03-01", "two days ago".
//!
//! English phrases only. A day begins at midnight UTC and a week on Monday, as ISO 8601 has it. What
//! a query names is a hint and not a filter: memories of that time rank higher, and no other is left
//! out. Pure: the present is an argument.

use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;
use jiff::{Span, ToSpan};

use crate::base::Timestamp;

/// Words before a time with which a month or a year alone is one.
const RELATIONS: [&str; 6] = ["before", "until", "till", "after", "since", "from"];

/// A stretch of time, in microseconds: from `from` on, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    from: i64,
    to: i64,
}

impl Window {
    /// Whether a time, in microseconds, lies within.
    pub(super) fn holds(&self, time: i64) -> bool {
        (self.from..self.to).contains(&time)
    }

    /// The time before another stretch begins.
    pub(super) fn before(time: Timestamp) -> Self {
        Self { from: i64::MIN, to: time.as_microsecond() }
    }

    /// The time from a moment on.
    pub(super) fn from(time: Timestamp) -> Self {
        Self { from: time.as_microsecond(), to: i64::MAX }
    }
}

/// Returns the first time that a query names, as seen from `now`.
pub(super) fn named(query: &str, now: Timestamp) -> Option<Window> {
    let lower = query.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .map(|word| word.trim_matches('-'))
        .filter(|word| !word.is_empty())
        .collect();
    let today = Offset::UTC.to_datetime(now).date();
    (0..words.len()).find_map(|at| {
        let follows = at > 0 && RELATIONS.contains(&words[at - 1]);
        let lone = || follows.then(|| lone(&words[at..], today)).flatten();
        let days = stretch(&words[at..], today).or_else(lone)?;
        let before = |back: usize| at.checked_sub(back).map(|at| words[at]);
        let relation = match (before(2), before(1)) {
            (Some(word), Some("the" | "in" | "on" | "of")) => Some(word),
            (_, word) => word,
        };
        match relation {
            Some("before" | "until" | "till") => window(None, Some(days.0)),
            Some("after") => window(Some(days.1), None),
            Some("since") => window(Some(days.0), None),
            _ => window(Some(days.0), Some(days.1)),
        }
    })
}

/// Returns the phrase of an event that a query tells a time by, "the release" of "before the
/// release", and whether the time before it is meant.
pub(super) fn event(query: &str) -> Option<(String, bool)> {
    let words: Vec<&str> = query.split_whitespace().collect();
    let at = words.iter().position(|word| matches!(word.to_lowercase().as_str(), "before" | "after" | "since"))?;
    let is_before = words[at].eq_ignore_ascii_case("before");
    let phrase: Vec<&str> = words[at + 1..].iter().take(6).copied().collect();
    let article = phrase.first()?.to_lowercase();
    // Without an article or owner it is more often a conjunction: "before we merged it".
    matches!(article.as_str(), "the" | "our" | "my" | "his" | "her" | "their" | "that")
        .then(|| (phrase[1..].join(" "), is_before))
        .filter(|(phrase, _)| !phrase.is_empty())
}

fn window(from: Option<Date>, to: Option<Date>) -> Option<Window> {
    let micros = |date: Date| Some(Offset::UTC.to_timestamp(date.into()).ok()?.as_microsecond());
    let edge = |date: Option<Date>, otherwise| date.map_or(Some(otherwise), micros);
    Some(Window { from: edge(from, i64::MIN)?, to: edge(to, i64::MAX)? })
}

/// The days that a phrase at the beginning of `words` names: the first one, and the one after the last.
fn stretch(words: &[&str], today: Date) -> Option<(Date, Date)> {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    match word(0) {
        "today" => day(today),
        "yesterday" => day(minus(today, 1.day())?),
        "last" | "previous" | "past" | "this" => relative(word(0), &words[1..], today),
        first => {
            if let Ok(date) = first.parse::<Date>() {
                return day(date);
            }
            absolute(words, today).or_else(|| ago(words, today))
        }
    }
}

/// "last week", "past three months", "this year", "last Monday", "last May".
fn relative(which: &str, rest: &[&str], today: Date) -> Option<(Date, Date)> {
    let word = |at: usize| rest.get(at).copied().unwrap_or("");
    if let Some(count) = number(word(0)) {
        let span = span(word(1), count)?;
        return Some((minus(today, span)?, today.tomorrow().ok()?));
    }
    let this = which == "this";
    // "The past week" reaches up to today, "last week" is the one before this.
    if which == "past"
        && let Some(span) = span(word(0), 1)
    {
        return Some((minus(today, span)?, today.tomorrow().ok()?));
    }
    if let Some(weekday) = weekday(word(0)) {
        return day(latest(today, weekday, this)?);
    }
    if let Some(month) = month(word(0)) {
        let year = i16::from(!this && month >= today.month());
        return whole_month(today.year() - year, month);
    }
    let back = i16::from(!this);
    match word(0).trim_end_matches('s') {
        "day" => day(minus(today, i64::from(back).days())?),
        "night" | "evening" => day(minus(today, i64::from(back).days())?),
        "week" => {
            let monday = minus(today, i64::from(today.weekday().to_monday_zero_offset()).days())?;
            let monday = minus(monday, i64::from(back).weeks())?;
            Some((monday, monday.checked_add(1.week()).ok()?))
        }
        "month" => {
            let first = minus(today.first_of_month(), i64::from(back).months())?;
            whole_month(first.year(), first.month())
        }
        "year" => whole_year(today.year() - back),
        _ => None,
    }
}

/// "8 May 2023", "May 8th, 2023", "May 2023", "in May", "in 2023".
fn absolute(words: &[&str], today: Date) -> Option<(Date, Date)> {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    if let (Some(of_month), Some(month)) = (ordinal(word(0)), month(word(1))) {
        let year = year(word(2)).or_else(|| latest_year(month, of_month, today))?;
        return day(Date::new(year, month, of_month).ok()?);
    }
    if let Some(named) = month(word(0)) {
        if let Some(year) = year(word(1)) {
            return whole_month(year, named);
        }
        if let Some(of_month) = ordinal(word(1)) {
            let year = year(word(2)).or_else(|| latest_year(named, of_month, today))?;
            return day(Date::new(year, named, of_month).ok()?);
        }
        return None;
    }
    match word(0) {
        "in" | "during" | "of" => lone(&words[1..], today),
        _ => None,
    }
}

/// A month or a year alone: the latest such month, unless a day or a year follows and says more.
fn lone(words: &[&str], today: Date) -> Option<(Date, Date)> {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    if let Some(year) = year(word(0)) {
        return whole_year(year);
    }
    let named = month(word(0)).filter(|_| ordinal(word(1)).is_none() && year(word(1)).is_none())?;
    whole_month(today.year() - i16::from(named > today.month()), named)
}

/// "two weeks ago", "a month ago".
fn ago(words: &[&str], today: Date) -> Option<(Date, Date)> {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    let count = number(word(0))?;
    if (word(0), word(1)) == ("couple", "of") {
        return ago(&[&["couple"], &words[2..]].concat(), today);
    }
    if word(2) != "ago" {
        return None;
    }
    let then = minus(today, span(word(1), count)?)?;
    // The longer ago, the less exact.
    match word(1).trim_end_matches('s') {
        "day" => day(then),
        "week" => Some((minus(then, 3.days())?, then.checked_add(4.days()).ok()?)),
        "month" => whole_month(then.year(), then.month()),
        _ => whole_year(then.year()),
    }
}

fn day(date: Date) -> Option<(Date, Date)> {
    Some((date, date.tomorrow().ok()?))
}

fn whole_month(year: i16, month: i8) -> Option<(Date, Date)> {
    let first = Date::new(year, month, 1).ok()?;
    Some((first, first.checked_add(1.month()).ok()?))
}

fn whole_year(year: i16) -> Option<(Date, Date)> {
    Some((Date::new(year, 1, 1).ok()?, Date::new(year + 1, 1, 1).ok()?))
}

fn minus(date: Date, span: Span) -> Option<Date> {
    date.checked_sub(span).ok()
}

/// The latest such weekday before today, or today's when `this` is allowed to be it.
fn latest(today: Date, weekday: Weekday, this: bool) -> Option<Date> {
    let back = i64::from(today.weekday().since(weekday));
    minus(today, (if back == 0 && !this { 7 } else { back }).days())
}

fn latest_year(month: i8, day: i8, today: Date) -> Option<i16> {
    let this_year = Date::new(today.year(), month, day).ok()?;
    Some(today.year() - i16::from(this_year > today))
}

fn span(unit: &str, count: i64) -> Option<Span> {
    match unit.trim_end_matches('s') {
        "day" => Span::new().try_days(count).ok(),
        "week" => Span::new().try_weeks(count).ok(),
        "month" => Span::new().try_months(count).ok(),
        "year" => Span::new().try_years(count).ok(),
        _ => None,
    }
}

fn number(word: &str) -> Option<i64> {
    const WORDS: [&str; 13] =
        ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    match word {
        "a" | "an" => Some(1),
        "couple" => Some(2),
        _ => WORDS
            .iter()
            .skip(1)
            .position(|name| *name == word)
            .map(|at| at as i64 + 1)
            .or_else(|| word.parse().ok().filter(|count| (1..1_000).contains(count))),
    }
}

fn ordinal(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[digits.len()..];
    let day = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
    matches!(suffix, "" | "st" | "nd" | "rd" | "th").then_some(day)
}

fn year(word: &str) -> Option<i16> {
    word.parse().ok().filter(|year| word.len() == 4 && (1900..2200).contains(year))
}

fn month(word: &str) -> Option<i8> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_named = |name: &&str| {
        **name == *word || (word.len() == 3 && name.starts_with(word)) || (word == "sept" && name.starts_with(word))
    };
    NAMES.iter().position(is_named).map(|at| at as i8 + 1)
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last day of the window that a query names, seen from Tuesday, 2026-11-24.
    fn days(query: &str) -> Option<(String, String)> {
        let now: Timestamp = "2026-11-24T15:00:00Z".parse().expect("a time");
        let window = named(query, now)?;
        let date = |micros: i64| {
            Timestamp::from_microsecond(micros).map_or("...".to_owned(), |time| time.strftime("%F").to_string())
        };
        Some((date(window.from), date(window.to)))
    }

    #[test]
    fn phrases_name_days() {
        for (query, from, to) in [
            ("what did we do yesterday?", "2026-11-23", "2026-11-24"),
            ("What changed last week", "2026-11-16", "2026-11-23"),
            ("this week's work", "2026-11-23", "2026-11-30"),
            ("bugs of the last three days", "2026-11-21", "2026-11-25"),
            ("who joined last month?", "2026-10-01", "2026-11-01"),
            ("what happened in May 2023?", "2023-05-01", "2023-06-01"),
            ("the trip in August", "2026-08-01", "2026-09-01"),
            ("the trip in December", "2025-12-01", "2026-01-01"),
            ("on 8 May 2023 we met", "2023-05-08", "2023-05-09"),
            ("on May 8th, 2023 we met", "2023-05-08", "2023-05-09"),
            ("release of 2024-02-29", "2024-02-29", "2024-03-01"),
            ("decisions in 2024", "2024-01-01", "2025-01-01"),
            ("two weeks ago", "2026-11-07", "2026-11-14"),
            ("what did I say last Friday", "2026-11-20", "2026-11-21"),
            ("since May 2023", "2023-05-01", "..."),
            ("before 2024-03-01", "...", "2024-03-01"),
            ("since May", "2026-05-01", "..."),
            ("decisions from 2023", "2023-01-01", "2024-01-01"),
            ("notes from last week", "2026-11-16", "2026-11-23"),
            ("what changed in the past week", "2026-11-17", "2026-11-25"),
            ("plans for this December", "2026-12-01", "2027-01-01"),
            ("last December's trip", "2025-12-01", "2026-01-01"),
            ("a couple of weeks ago", "2026-11-07", "2026-11-14"),
            ("what broke before 2024", "...", "2024-01-01"),
            ("after May 2023", "2023-06-01", "..."),
        ] {
            assert_eq!(days(query), Some((from.to_owned(), to.to_owned())), "{query}");
        }
    }

    #[test]
    fn other_words_name_nothing() {
        for query in
            ["", "may I ask", "the last one", "march on", "ago", "99999 weeks ago", "version 2023.1-rc", "1 of 12"]
        {
            assert_eq!(days(query), None, "{query}");
        }
    }

    #[test]
    fn an_event_is_told_by_its_phrase() {
        assert_eq!(event("what did we decide before the release of 2.0?"), Some(("release of 2.0?".to_owned(), true)));
        assert_eq!(event("bugs since our migration"), Some(("migration".to_owned(), false)));
        assert_eq!(event("do it before we merge"), None);
        assert_eq!(event("before"), None);
    }
}
