//! Comma-, semicolon-, tab- and bar-separated values, with quotes as in RFC 4180.
//!
//! A row is a record, which may have several lines, and is kept or cut whole. The header is always
//! there; rows with what is rare or extreme in their columns come before rows like all others, and a
//! last line tells of the columns of the whole table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::draft::{Compressor, Draft, Layout, Piece, runs, write_gap};
use super::log::{Seeded, tells_of_an_error, template};
use super::marks::Marks;
use super::{Kind, Query};
use crate::base::thousands;

/// More columns than this are not looked at one by one.
const COLUMNS_MAX: usize = 64;

/// The most columns that are told of.
const COLUMNS_TOLD: usize = 24;

/// A column with at most this many values is told value by value.
const VALUES_TOLD: usize = 6;

/// A value that no more rows than this have is rare.
const RARE: usize = 2;

/// A header stands in one of so many first rows.
const TITLES_MAX: usize = 5;

/// A quoted cell with more lines is no cell: the quote is only a sign.
const CELL_LINES_MAX: usize = 200;

/// About how many bytes a row has at least.
const ROW_BYTES: usize = 48;

/// Separated values.
pub(super) struct Table;

impl Compressor for Table {
    fn kind(&self) -> Kind {
        Kind::Table
    }

    fn recognises(&self, sample: &str) -> u8 {
        match separator(sample) {
            Some(b'\t') => 85,
            Some(_) => 72,
            None => 0,
        }
    }

    fn draft<'a>(&self, text: &'a str, query: Option<&Query>) -> Draft<'a> {
        let sample = &text[..text.floor_char_boundary(16 * 1024)];
        let separator = separator(sample).unwrap_or(b',');
        let records = records(text, separator);
        // Cells are read anew whenever they are needed: kept, they would be several times the text.
        let row = |span: &Range<usize>| cells(&text[span.clone()], separator);
        let width = width(records.iter().map(|span| row(span).count()));
        // What stands above the header is a title or a comment.
        let titles = records.iter().take(TITLES_MAX);
        let header = titles.clone().position(|span| row(span).count() == width);
        let header = header.filter(|at| is_header(row(&records[*at])));
        let body = header.map_or(0, |header| header + 1);
        let is_telling: Vec<bool> = records.iter().map(|span| tells_of_an_error(&text[span.clone()])).collect();
        let errors = is_telling[body..].iter().filter(|tells| **tells).count();
        let columns = Columns::of(records[body..].iter().map(row), width.min(COLUMNS_MAX));
        let answers = query.map(|query| query.relevance(records.iter().map(|span| &text[span.clone()])));
        let mut alike: HashMap<u64, u32, Seeded> = HashMap::default();
        let count = records.len();
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(count + 1);
        for (index, span) in records.into_iter().enumerate() {
            let row = &text[span.clone()];
            if index < body {
                pieces.push(Piece { needs: index.checked_sub(1), ..Piece::of(text, span, 1_000.0) });
                continue;
            }
            let place = alike.entry(template(row)).or_insert(0);
            let first = if *place == 0 { 3.0 } else { 1.0 / (f64::from(*place) + 1.0) };
            *place += 1;
            let surprise = columns.surprise(index - body, cells(row, separator), width);
            let mut worth = first + surprise - row.len() as f64 / 400.0;
            if index == body || index + 1 == count {
                worth += 2.0;
            }
            if is_telling[index] && errors * 10 < count {
                worth += 3.0;
            }
            if row.trim().is_empty() {
                worth = -1.0;
            }
            if let (Some(answers), Some(query)) = (&answers, query) {
                worth += 60.0 * answers[index] + if query.names_something_in(row) { 150.0 } else { 0.0 };
            }
            let needs = body.checked_sub(1);
            pieces.push(Piece { needs, ..Piece::of(text, span, worth) });
        }
        let names: Vec<&str> = match header {
            Some(_) => {
                let first = &text[pieces[body - 1].span.clone()];
                cells(first, separator).map(bare).collect()
            }
            None => Vec::new(),
        };
        let described = columns.described(&names, count - body);
        let worth = 900.0;
        let end = text.len();
        let end_of = |piece: &Piece<'_>| piece.text.ends_with('\n');
        let line = if pieces.last().is_none_or(end_of) { described } else { format!("\n{described}") };
        pieces.push(Piece { text: Cow::Owned(line), needs: body.checked_sub(1), ..Piece::of(text, end..end, worth) });
        Draft { pieces, layout: Box::new(Rows) }
    }
}

/// The sign between the cells of `sample`, if it is a table.
fn separator(sample: &str) -> Option<u8> {
    [(b'\t', 1), (b',', 2), (b';', 2), (b'|', 2)].into_iter().find_map(|(sign, least)| {
        // So many have as few rows and columns as a table may have.
        if sample.bytes().filter(|byte| *byte == sign).count() < 3 * least {
            return None;
        }
        let rows: Vec<usize> = records(sample, sign)
            .into_iter()
            .filter(|span| !sample[span.clone()].trim().is_empty())
            .take(120)
            .map(|span| cells(&sample[span], sign).count())
            .collect();
        let width = *rows.iter().max_by_key(|width| rows.iter().filter(|other| other == width).count())?;
        let alike = rows.iter().filter(|other| **other == width).count();
        let is_table = rows.len() >= 3 && width > least && alike * 10 >= rows.len() * 9;
        // Sentences have commas too, but blanks after all of them.
        let signs = sample.matches(char::from(sign)).count();
        let spaced = sample.matches(&format!("{} ", char::from(sign))).count();
        let is_markdown = sign == b'|' && sample.lines().any(|line| line.starts_with('|') && line.contains("---"));
        (is_table && (spaced * 10 < signs * 9 || alike == rows.len() && width > 3) && !is_markdown).then_some(sign)
    })
}

/// The spans of the records: lines, but for line feeds within quotes.
fn records(text: &str, separator: u8) -> Vec<Range<usize>> {
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    let mut records = Vec::with_capacity(text.len() / ROW_BYTES);
    let mut start = 0;
    while start < text.len() {
        let first = line_end(start);
        let (mut end, mut lines) = (first, 1);
        let mut open = is_open(&text[start..end], false, separator);
        while open && end < text.len() && lines <= CELL_LINES_MAX {
            let next = line_end(end);
            open = is_open(&text[end..next], true, separator);
            (end, lines) = (next, lines + 1);
        }
        // A quote that is never closed is only a sign.
        let end = if open { first } else { end };
        records.push(start..end);
        start = end;
    }
    records
}

/// Whether a quoted cell is open at the end of a line.
fn is_open(line: &str, is_open: bool, separator: u8) -> bool {
    if !line.contains('"') {
        return is_open;
    }
    let mut open = is_open;
    let mut begins = !is_open;
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if open {
            if byte == b'"' {
                if bytes.get(at + 1) == Some(&b'"') {
                    at += 1;
                } else {
                    open = false;
                }
            }
        } else {
            open = byte == b'"' && begins;
            begins = byte == separator;
        }
        at += 1;
    }
    open
}

/// The cells of a record, with their quotes.
fn cells(record: &str, separator: u8) -> impl Iterator<Item = &str> + Clone {
    let mut rest = Some(record.trim_end_matches(['\n', '\r']));
    std::iter::from_fn(move || {
        let cell = rest.take()?;
        let bytes = cell.as_bytes();
        let mut open = false;
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' if open || at == 0 => open = !open,
                // A doubled quote, which the arm above took for the end.
                b'"' if bytes[at - 1] == b'"' => open = true,
                _ if *byte == separator && !open => {
                    rest = Some(&cell[at + 1..]);
                    return Some(&cell[..at]);
                }
                _ => {}
            }
        }
        Some(cell)
    })
}

/// A cell without its quotes.
fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

/// How many cells most rows have, of which `counts` are told.
fn width(counts: impl Iterator<Item = usize>) -> usize {
    let mut rows: HashMap<usize, usize> = HashMap::new();
    counts.take(1_000).for_each(|count| *rows.entry(count).or_default() += 1);
    rows.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(1, |(width, _)| width)
}

/// Whether a row names columns: words that are all there and differ, over something else.
fn is_header<'t>(row: impl Iterator<Item = &'t str>) -> bool {
    let row: Vec<&str> = row.map(bare).collect();
    let mut sorted = row.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let empty = row.iter().filter(|cell| cell.is_empty()).count();
    let numbers = row.iter().filter(|cell| number(cell).is_some()).count();
    numbers == 0 && empty <= 1 && sorted.len() == row.len() && row.iter().all(|cell| cell.len() <= 80)
}

fn number(cell: &str) -> Option<f64> {
    let cell = bare(cell);
    let digits = cell.trim_start_matches(['$', '€', '£', '+']).trim_end_matches('%');
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') || digits.len() > 40 {
        return None;
    }
    let parsed = if digits.contains(',') { digits.replace(',', "").parse() } else { digits.parse() };
    parsed.ok().filter(|number: &f64| number.is_finite())
}

/// What is known of a column.
#[derive(Default)]
struct Column<'a> {
    filled: usize,
    numbers: usize,
    /// The smallest and the largest number with their rows.
    least: Option<(f64, usize)>,
    most: Option<(f64, usize)>,
    sum: f64,
    squares: f64,
    is_number: bool,
    mean: f64,
    deviation: f64,
    /// How many rows have a value, while these are few.
    values: HashMap<&'a str, usize>,
    is_various: bool,
}

impl Column<'_> {
    /// Finds out what takes all its values.
    fn sum_up(&mut self) {
        let numbers = self.numbers.max(1) as f64;
        self.is_number = self.numbers * 10 >= self.filled * 9 && self.numbers > 0;
        self.mean = self.sum / numbers;
        self.deviation = (self.squares / numbers - self.mean.powi(2)).max(0.0).sqrt();
    }
}

struct Columns<'a> {
    all: Vec<Column<'a>>,
    rows: usize,
}

impl<'a> Columns<'a> {
    fn of<R: Iterator<Item = &'a str>>(rows: impl ExactSizeIterator<Item = R>, width: usize) -> Self {
        let mut all: Vec<Column<'a>> = (0..width).map(|_| Column::default()).collect();
        let count = rows.len();
        // With more values than this a column does not group its rows.
        let values_max = (count / 4).clamp(8, 1_000);
        for (index, row) in rows.enumerate() {
            for (column, cell) in all.iter_mut().zip(row) {
                let cell = bare(cell);
                if cell.is_empty() {
                    continue;
                }
                column.filled += 1;
                if let Some(number) = number(cell) {
                    column.numbers += 1;
                    column.sum += number;
                    column.squares += number * number;
                    if column.least.is_none_or(|(least, _)| number < least) {
                        column.least = Some((number, index));
                    }
                    if column.most.is_none_or(|(most, _)| number > most) {
                        column.most = Some((number, index));
                    }
                }
                if !column.is_various {
                    *column.values.entry(cell).or_default() += 1;
                    column.is_various = column.values.len() > values_max;
                }
            }
        }
        for column in &mut all {
            column.sum_up();
        }
        Self { all, rows: count }
    }

    /// How far a row is from the others.
    fn surprise<'t>(&self, index: usize, row: impl Iterator<Item = &'t str>, width: usize) -> f64 {
        let mut surprise = 0.0;
        let mut count = 0;
        let mut columns = self.all.iter();
        for cell in row {
            count += 1;
            let Some(column) = columns.next() else { continue };
            let cell = bare(cell);
            if cell.is_empty() {
                surprise += if column.filled * 10 > self.rows * 9 { 4.0 } else { 0.0 };
                continue;
            }
            if !column.is_number {
                if !column.is_various
                    && let Some(count) = column.values.get(cell).filter(|count| **count <= RARE)
                {
                    surprise += 8.0 / *count as f64;
                }
                continue;
            }
            let is_at = |extreme: Option<(f64, usize)>| extreme.is_some_and(|(_, row)| row == index);
            let Some(number) = number(cell) else {
                surprise += 8.0;
                continue;
            };
            // A column that only counts its rows has no extremes.
            let Column { mean, deviation, .. } = *column;
            let off = if deviation > 0.0 { (number - mean).abs() / deviation } else { 0.0 };
            surprise += if off > 4.0 { off.min(12.0) } else { 0.0 };
            surprise += if (is_at(column.least) || is_at(column.most)) && off > 1.8 { 4.0 } else { 0.0 };
        }
        surprise + if count == width { 0.0 } else { 8.0 }
    }

    /// One line on what the whole table holds.
    fn described(&self, names: &[&str], rows: usize) -> String {
        let told: Vec<String> = self
            .all
            .iter()
            .enumerate()
            .take(COLUMNS_TOLD)
            .map(|(place, column)| {
                let name = names.get(place).filter(|name| !name.is_empty());
                let name = name.map_or_else(|| format!("column {}", place + 1), |name| short(name).into_owned());
                format!("{name} {}", self.told(column))
            })
            .collect();
        let more = self.all.len().saturating_sub(COLUMNS_TOLD);
        let more = if more > 0 { format!("; {more} more columns") } else { String::new() };
        format!("[whole table, {} rows: {}{more}]\n", thousands(rows), told.join("; "))
    }

    fn told(&self, column: &Column<'_>) -> String {
        let empty = match self.rows - column.filled.min(self.rows) {
            0 => String::new(),
            empty => format!(", {} empty", thousands(empty)),
        };
        if let (true, Some((least, _)), Some((most, _))) = (column.is_number, column.least, column.most) {
            let mean = if least < most { format!(", mean {}", plain(column.mean)) } else { String::new() };
            return format!("{}..{}{mean}{empty}", plain(least), plain(most));
        }
        if column.is_various {
            return format!("over {} values{empty}", thousands(column.values.len() - 1));
        }
        let mut values: Vec<(&str, usize)> = column.values.iter().map(|(value, count)| (*value, *count)).collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let more = values.len().saturating_sub(VALUES_TOLD);
        if more > VALUES_TOLD {
            return format!("{} values{empty}", values.len());
        }
        let told: Vec<String> =
            values.iter().take(VALUES_TOLD).map(|(value, count)| format!("{} {count}", short(value))).collect();
        let more = if more > 0 { format!(", {more} more") } else { String::new() };
        format!("{}{more}{empty}", told.join(", "))
    }
}

/// A value without line feeds, of at most a few words.
fn short(value: &str) -> Cow<'_, str> {
    let end = value.floor_char_boundary(32);
    let head = &value[..end];
    if end == value.len() && !head.contains(['\n', '\r']) {
        return Cow::Borrowed(head);
    }
    Cow::Owned(format!("{}…", head.replace(['\n', '\r'], " ")))
}

fn plain(number: f64) -> String {
    let rounded = (number * 100.0).round() / 100.0;
    if rounded.abs() < 1e15 { rounded.to_string() } else { format!("{number:e}") }
}

/// Writes rows; a line `…12` stands for as many rows, and a last one tells of all.
struct Rows;

impl Layout for Rows {
    fn marks_each_gap(&self) -> bool {
        false
    }

    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        for run in runs(kept) {
            if kept[run.start] {
                for piece in &pieces[run] {
                    // The line on the columns stands on a line of its own, whatever is before it.
                    let is_told = piece.span.is_empty() && out.ends_with('\n');
                    out.push_str(if is_told { piece.text.trim_start_matches('\n') } else { &piece.text });
                }
                continue;
            }
            let rows = pieces[run.clone()].iter().filter(|piece| !piece.span.is_empty()).count();
            if rows == 0 {
                continue;
            }
            if marks.marks_each_gap() {
                write_gap(pieces, run, marks, &mut out);
                if !out.ends_with('\n') {
                    out.push('\n');
                }
            } else {
                out.push_str(&format!("…{rows}\n"));
                marks.note(run);
            }
        }
        if !marks.marks_each_gap()
            && let Some(told) = marks.summary()
        {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&told);
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_have_line_feeds_in_quotes() {
        let text = "id,note\n1,\"two\nlines, \"\"quoted\"\"\"\n2,plain\n3,5\" pipe\n";
        let found: Vec<&str> = records(text, b',').into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["id,note\n", "1,\"two\nlines, \"\"quoted\"\"\"\n", "2,plain\n", "3,5\" pipe\n"]);
        let found: Vec<&str> = cells("1,\"a,\"\"b\"\"\",,x\r\n", b',').collect();
        assert_eq!(found, ["1", "\"a,\"\"b\"\"\"", "", "x"]);
        // A quote that nothing closes ends with its line.
        assert_eq!(records("a,\"b\nc,d\n", b',').len(), 2);
    }

    #[test]
    fn tables_are_told_from_sentences() {
        assert_eq!(separator("a,b,c\n1,2,3\n4,5,6\n"), Some(b','));
        assert_eq!(separator("a\tb\n1\t2\n4\t5\n"), Some(b'\t'));
        assert_eq!(separator("a;b;c\n1,5;2;3\n4;5,25;6\n"), Some(b';'));
        assert_eq!(separator("One line.\nAnother, line.\nA third.\n"), None);
    }

    #[test]
    fn columns_are_described() {
        let rows = [["1", "ok", ""], ["2.5", "ok", "x"], ["-3", "bad", "y"]];
        let columns = Columns::of(rows.into_iter().map(IntoIterator::into_iter), 3);
        assert_eq!(
            columns.described(&["size", "state", "by"], 3),
            "[whole table, 3 rows: size -3..2.5, mean 0.17; state ok 2, bad 1; by x 1, y 1, 1 empty]\n"
        );
        assert_eq!(
            [number("$1,200.50"), number("-4%"), number("1.2.3"), number("nan")],
            [Some(1200.5), Some(-4.0), None, None]
        );
    }
}
