//! `ctx savings`: what compressing saved, with the median beside the sum.
//!
//! A sum alone flatters: a few huge logs make it. So every line has the median of its calls, calls
//! that saved nothing count, and what was fetched again is taken off.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::tool::{report, write_stdout};
use super::with_json;
use crate::base::thousands;
use crate::compress::savings::is_fetched;
use crate::front::render;
use crate::store::SavingRow;
use crate::tools::{ErrorKind, Services, ToolError};

/// Returns the command line of `ctx savings`.
pub fn command() -> Command {
    with_json(Command::new("savings"))
        .about("Tell what compressing saved: tokens before and after, by tool and kind, with the median")
        .after_help(
            "Every call counts, also one whose text fitted as it was. Tokens are those of the encoding that each call \
             counted with. `median` is the saving of the call in the middle, which says more of the next call than \
             the sum does. `marks` is what the marks in the results cost; it is part of `after`.",
        )
        .arg(
            Arg::new("days")
                .long("days")
                .value_name("N")
                .default_value("30")
                .value_parser(value_parser!(u32).range(1..=36_500))
                .help("Of the last N days, today included (UTC)"),
        )
}

/// Prints what was saved.
pub async fn run(matches: &ArgMatches, services: &Services) -> ExitCode {
    let days = matches.get_one::<u32>("days").copied().unwrap_or(30);
    match told(services, days, matches.get_flag("json")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(render::codes(error.kind).exit)
        }
    }
}

async fn told(services: &Services, days: u32, json: bool) -> Result<(), ToolError> {
    services.stores()?;
    let account = Account::of(&services.savings.of_days(days).await?);
    let text = if json { account.as_json(days).to_string() } else { account.as_text(days) };
    write_stdout(&text)
        .map_err(|error| ToolError::new(ErrorKind::Unavailable, format!("cannot write the result: {error}")))
}

/// What was saved, by tool and kind, and in all.
#[derive(Debug, Default)]
struct Account {
    lines: BTreeMap<(String, String), Line>,
    all: Line,
    fetched: Line,
}

/// The calls of a tool on a kind of text.
#[derive(Debug, Default)]
struct Line {
    calls: u64,
    before: u64,
    after: u64,
    marks: u64,
    /// How many calls saved so many percent.
    percents: BTreeMap<i32, u64>,
}

impl Account {
    fn of(rows: &[SavingRow]) -> Self {
        let mut account = Self::default();
        for row in rows {
            if is_fetched(row) {
                account.fetched.add(row);
            } else {
                account.lines.entry((row.tool.clone(), row.kind.clone())).or_default().add(row);
                account.all.add(row);
            }
        }
        account
    }

    /// The tokens saved, without those that were fetched again.
    fn net(&self) -> i64 {
        self.all.saved() - i64::try_from(self.fetched.after).unwrap_or(i64::MAX)
    }

    fn as_json(&self, days: u32) -> Value {
        let lines = self.lines.iter().map(|((tool, kind), line)| {
            let mut shown = json!({ "tool": tool, "kind": kind });
            line.fill(&mut shown);
            shown
        });
        let mut total = json!({});
        self.all.fill(&mut total);
        json!({
            "days": days,
            "lines": lines.collect::<Vec<_>>(),
            "total": total,
            "fetched": { "calls": self.fetched.calls, "tokens": self.fetched.after },
            "net_tokens_saved": self.net(),
        })
    }

    fn as_text(&self, days: u32) -> String {
        if self.all.calls == 0 {
            return format!("nothing was compressed in the last {days} days");
        }
        let head = ["tool", "kind", "calls", "before", "after", "marks", "saved", "median"].map(str::to_owned);
        let mut rows = vec![head];
        rows.extend(self.lines.iter().map(|((tool, kind), line)| line.row(tool, kind)));
        rows.push(self.all.row("all", ""));
        let mut text = table(&rows);
        text.push_str(&format!(
            "\n\nHalf of the {} calls saved {} % or less; {} saved less than 1 %.",
            count(self.all.calls),
            self.all.median(),
            count(self.all.percents.range(..=0).map(|(_, calls)| calls).sum()),
        ));
        if self.fetched.calls > 0 {
            text.push_str(&format!(
                "\n{} tokens were fetched again in {} calls, so {} were saved in the end.",
                count(self.fetched.after),
                count(self.fetched.calls),
                signed(self.net()),
            ));
        }
        text
    }
}

impl Line {
    fn add(&mut self, row: &SavingRow) {
        self.calls += row.calls;
        self.before += row.before;
        self.after += row.after;
        self.marks += row.marks;
        *self.percents.entry(row.percent).or_default() += row.calls;
    }

    fn saved(&self) -> i64 {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        number(self.before) - number(self.after)
    }

    /// How many percent of all tokens were saved, rounded down.
    fn percent(&self) -> i64 {
        if self.before == 0 { 0 } else { (100.0 * self.saved() as f64 / self.before as f64).floor() as i64 }
    }

    /// How many percent the call in the middle saved; of two in the middle, the one that saved less.
    fn median(&self) -> i32 {
        let middle = self.calls.saturating_sub(1) / 2;
        let mut seen = 0;
        let mut percents = self.percents.iter();
        percents
            .find(|(_, calls)| {
                seen += **calls;
                seen > middle
            })
            .map_or(0, |(percent, _)| *percent)
    }

    fn fill(&self, shown: &mut Value) {
        shown["calls"] = json!(self.calls);
        shown["tokens_before"] = json!(self.before);
        shown["tokens_after"] = json!(self.after);
        shown["tokens_marks"] = json!(self.marks);
        shown["tokens_saved"] = json!(self.saved());
        shown["percent"] = json!(self.percent());
        shown["median_percent"] = json!(self.median());
        shown["calls_below_1_percent"] = json!(self.percents.range(..=0).map(|(_, calls)| calls).sum::<u64>());
    }

    fn row(&self, tool: &str, kind: &str) -> [String; 8] {
        [
            tool.to_owned(),
            kind.to_owned(),
            count(self.calls),
            count(self.before),
            count(self.after),
            count(self.marks),
            format!("{} %", self.percent()),
            format!("{} %", self.median()),
        ]
    }
}

fn count(number: u64) -> String {
    thousands(usize::try_from(number).unwrap_or(usize::MAX))
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", count(number.unsigned_abs()))
}

fn table(rows: &[[String; 8]]) -> String {
    let widths: [usize; 8] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tool: &str, percent: i32, calls: u64, before: u64, after: u64) -> SavingRow {
        let (tool, kind) = (tool.to_owned(), if tool == "context_retrieve" { "fetched" } else { "log" }.to_owned());
        SavingRow { day: jiff::civil::date(2026, 3, 1), tool, kind, percent, calls, before, after, marks: calls }
    }

    #[test]
    fn the_median_is_that_of_calls_and_not_of_tokens() {
        let account = Account::of(&[
            row("run", 99, 1, 1_000_000, 10_000),
            row("run", 0, 3, 300, 300),
            row("run", 20, 1, 100, 80),
            row("context_compress", 50, 2, 200, 100),
            row("context_retrieve", 0, 2, 0, 5_000),
        ]);
        let run = &account.lines[&("run".to_owned(), "log".to_owned())];
        assert_eq!((run.calls, run.percent(), run.median()), (5, 98, 0));
        assert_eq!((account.all.calls, account.all.median()), (7, 20));
        assert_eq!(account.net(), 990_000 + 20 + 100 - 5_000);
        let text = account.as_text(7);
        assert!(text.contains("Half of the 7 calls saved 20 % or less; 3 saved less than 1 %."), "{text}");
        assert!(text.contains("5,000 tokens were fetched again in 2 calls, so 985,120 were saved"), "{text}");
        assert_eq!(account.as_json(7)["total"]["tokens_marks"], 7);
        assert_eq!(Account::default().as_text(7), "nothing was compressed in the last 7 days");
    }
}
