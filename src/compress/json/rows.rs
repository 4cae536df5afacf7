//! An array of alike objects as a table: a header, then one line a row.
//!
//! The first line says that this is not JSON any more and how it is to be read, so that it can be
//! turned back ([`expand`]): a cell is a string as it is written in JSON, without its quotes, or JSON
//! where a string could be taken for something else; an empty cell is the one above, `~` a member that
//! is not there. A column whose name has quotes holds nothing but strings, so that `"12"` is `12`
//! there, and `name=value` is a column of which every row has the same value. Between cells stands `|`, or
//! a tab, which no JSON string holds, where a value has a `|` in it.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::Query;
use super::super::draft::{Draft, Layout, Piece, runs, write_gap};
use super::super::log::{Seeded, tells_of_an_error, template};
use super::super::marks::Marks;
use super::asked::{Asked, Mention};
use super::scan::{Document, Shape, is_value, without_blanks};

/// Fewer rows than this stay JSON.
const ROWS_MIN: usize = 4;

/// More columns than this stay JSON.
const COLUMNS_MAX: usize = 64;

/// A longer array or object in a cell is no cell any more.
const NESTED_MAX: usize = 200;

/// A value that no more rows than this have is rare.
const RARE: usize = 2;

/// What a row is worth whose value the query holds under a column that it names.
const NAMED: f64 = 2_000.0;

/// How the first line begins.
const TITLE: &str = "[not JSON any more: ";

/// How the first line tells of tabs.
const TABS: &str = ", tabs between cells";

/// How the first line tells what stood between the values.
const WRITTEN: &str = "; written as ";

/// A member that is not there.
const ABSENT: &str = "~";

/// The value of a member in a row, as it is written in the text.
type Cells<'a> = Vec<Option<&'a str>>;

/// A document of alike objects.
pub(super) struct Rows<'a> {
    columns: Vec<Column<'a>>,
    /// Each row's cells, with the end of the row in the text.
    rows: Vec<(Cells<'a>, usize)>,
    glue: [&'a str; 7],
    /// What stands between cells.
    separator: char,
}

struct Column<'a> {
    /// The name with its quotes.
    name: &'a str,
    /// The value that every row has.
    constant: Option<&'a str>,
    /// Whether every value is a string.
    is_text: bool,
}

/// What stands between the values of compact JSON: before the rows, after `{`, after a name, between
/// members, before `}`, between rows, after the rows.
const COMPACT: [&str; 7] = ["[", "", ":", ",", "", ",", "]"];

/// The whole document as a table, if it is rows.
pub(super) fn table(text: &str, document: &Document) -> Option<String> {
    let rows = Rows::of(text, document)?;
    let mut out = rows.header(rows.glue != COMPACT);
    let mut above = None;
    for (cells, _) in &rows.rows {
        rows.write_line(cells, above, &mut out);
        above = Some(cells);
    }
    Some(out)
}

/// Undoes [`table`]: the text that it was made from, if that was written evenly.
pub(super) fn expand(table: &str) -> Option<String> {
    let (title, rest) = table.strip_prefix(TITLE)?.split_once('\n')?;
    let (form, written) = title.rfind(WRITTEN).map_or((title, None), |at| (&title[..at], Some(&title[at..])));
    let separator = if form.contains(TABS) { '\t' } else { '|' };
    let written: Option<[String; 7]> = match written {
        Some(glue) => Some(serde_json::from_str(glue[WRITTEN.len()..].strip_suffix(']')?).ok()?),
        None => None,
    };
    let [head, open, colon, comma, close, between, tail] = match &written {
        Some(glue) => glue.each_ref().map(String::as_str),
        None => COMPACT,
    };
    let (names, lines) = rest.split_once('\n')?;
    // The name with quotes, the value that every row has, whether all are strings.
    let columns: Vec<(String, Option<&str>, bool)> = names
        .split(separator)
        .map(|name| match (name.split_once('='), name.strip_prefix('"')) {
            (Some((name, value)), _) => (format!("\"{name}\""), Some(value), false),
            (None, Some(_)) => (name.to_owned(), None, true),
            (None, None) => (format!("\"{name}\""), None, false),
        })
        .collect();
    let mut above: Vec<Option<Cow<'_, str>>> = vec![None; columns.len()];
    let mut out = head.to_owned();
    let mut is_first = true;
    for line in lines.strip_suffix('\n')?.split('\n') {
        let mut cells = line.split(separator);
        if !std::mem::take(&mut is_first) {
            out.push_str(between);
        }
        out.push('{');
        out.push_str(open);
        let mut is_first = true;
        for ((name, constant, is_text), above) in columns.iter().zip(&mut above) {
            if let Some(constant) = constant {
                *above = Some(Cow::Borrowed(*constant));
            } else {
                match cells.next()? {
                    "" => {}
                    ABSENT => *above = None,
                    cell => *above = Some(read(cell, *is_text)),
                }
            }
            if let Some(value) = above {
                if !std::mem::take(&mut is_first) {
                    out.push_str(comma);
                }
                out.push_str(name);
                out.push_str(colon);
                out.push_str(value);
            }
        }
        if cells.next().is_some() {
            return None;
        }
        out.push_str(close);
        out.push('}');
    }
    out.push_str(tail);
    Some(out)
}

/// The rows of a text as pieces.
pub(super) fn draft<'a>(text: &'a str, rows: Rows<'a>, query: Option<&Query>) -> Draft<'a> {
    let lines: Vec<String> = rows.rows.iter().map(|(cells, _)| rows.line(cells)).collect();
    let templates: Vec<u64> = rows.rows.iter().map(|(cells, _)| template(&words_of(cells))).collect();
    let mut sizes: HashMap<u64, usize, Seeded> = HashMap::default();
    templates.iter().for_each(|template| *sizes.entry(*template).or_default() += 1);
    let rare = rows.rarest_values();
    let answers = query.map(|query| rows.answers(query, &lines));

    let start = document_start(text);
    let header = Cow::Owned(rows.header(false));
    let mut pieces = vec![Piece { text: header, mandatory: true, ..Piece::of(text, 0..start, 0.0) }];
    let mut seen: HashMap<u64, usize, Seeded> = HashMap::default();
    let mut begin = start;
    let last = rows.rows.len() - 1;
    for (index, ((_, end), line)) in rows.rows.iter().zip(lines).enumerate() {
        let size = sizes[&templates[index]];
        let place = seen.entry(templates[index]).or_default();
        let mut worth = if *place == 0 { 10.0 / size as f64 + 10.0 } else { 1.0 / (*place as f64 + 1.0) };
        worth += if size <= 6 { 5.0 } else { 0.0 } + if tells_of_an_error(&line) { 3.0 } else { 0.0 };
        worth += if rare[index] <= RARE { 8.0 / rare[index] as f64 } else { 0.0 } - line.len() as f64 / 60.0;
        worth += answers.as_ref().map_or(0.0, |answers| answers[index]);
        *place += 1;
        let end = if index == last { text.len() } else { *end };
        pieces.push(Piece { text: Cow::Owned(line), ..Piece::of(text, begin..end, worth) });
        begin = end;
    }
    Draft { pieces, layout: Box::new(rows) }
}

impl Layout for Rows<'_> {
    fn marks_each_gap(&self) -> bool {
        false
    }

    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = String::new();
        let mut above = None;
        for run in runs(kept) {
            if kept[run.start] {
                for index in run {
                    match index.checked_sub(1) {
                        None => out.push_str(&pieces[index].text),
                        Some(row) => {
                            let cells = &self.rows[row].0;
                            self.write_line(cells, above, &mut out);
                            above = Some(cells);
                        }
                    }
                }
            } else if marks.marks_each_gap() {
                write_gap(pieces, run, marks, &mut out);
            } else {
                out.push_str(&format!("…{}\n", run.len()));
                marks.note(run);
            }
        }
        if !marks.marks_each_gap()
            && let Some(told) = marks.summary()
        {
            out.push_str(&told);
            out.push('\n');
        }
        out
    }
}

/// Where the first row begins: after the bracket and the line it stands on.
fn document_start(text: &str) -> usize {
    let bracket = text.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    if text[bracket..].starts_with('[') {
        let blanks = text[bracket + 1..].bytes().take_while(u8::is_ascii_whitespace).count();
        let rest = &text[bracket + 1..bracket + 1 + blanks];
        bracket + 1 + rest.find('\n').map_or(0, |line| line + 1)
    } else {
        0
    }
}

/// What groups alike rows: the cells that are words.
fn words_of(cells: &[Option<&str>]) -> String {
    let words: Vec<&str> = cells.iter().flatten().copied().filter(|cell| cell.starts_with('"')).collect();
    words.iter().map(|word| word.trim_matches('"')).collect::<Vec<_>>().join(" | ")
}

impl<'a> Rows<'a> {
    /// Returns the rows of a document, if it is rows.
    pub(super) fn of(text: &'a str, document: &Document) -> Option<Self> {
        let roots = if document.is_lines {
            document.children(None).collect::<Vec<_>>()
        } else if document.nodes.first()?.shape == Shape::Array {
            document.children(Some(0)).collect()
        } else {
            return None;
        };
        if roots.len() < ROWS_MIN {
            return None;
        }
        let glue = glue(text, document, &roots)?;
        let mut names: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut rows: Vec<(Cells<'a>, usize)> = Vec::with_capacity(roots.len());
        let mut filled = 0;
        for root in roots {
            let node = &document.nodes[root];
            if node.shape != Shape::Object {
                return None;
            }
            let mut cells: Cells<'a> = vec![None; names.len()];
            for member in document.children(Some(root)) {
                let member = &document.nodes[member];
                let name = text.get(member.key()?)?;
                let value = &text[member.span()];
                let is_nested = member.is_container();
                if name.len() == 2
                    || name[1..name.len() - 1].contains(['\\', '='])
                    || (is_nested && value.len() > NESTED_MAX && without_blanks(value).len() > NESTED_MAX)
                {
                    return None;
                }
                let place = *places.entry(name).or_insert_with(|| {
                    names.push(name);
                    names.len() - 1
                });
                if place >= COLUMNS_MAX {
                    return None;
                }
                cells.resize(names.len().max(cells.len()), None);
                // A name that is there twice cannot be written down.
                if cells[place].replace(value).is_some() {
                    return None;
                }
                filled += 1;
            }
            rows.push((cells, row_end(text, node.span().end)));
        }
        rows.iter_mut().for_each(|(cells, _)| cells.resize(names.len(), None));
        // Mostly empty cells are a sign that these are not rows of one table.
        if names.is_empty() || filled * 10 < rows.len() * names.len() * 6 {
            return None;
        }
        let mut columns: Vec<Column<'_>> = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let mut values = rows.iter().map(|(cells, _)| cells[place]);
                let first = rows[0].0[place];
                let is_text = values.clone().flatten().all(|value| value.starts_with('"'));
                Column { name, constant: first.filter(|_| values.all(|value| value == first)), is_text }
            })
            .collect();
        if columns.iter().all(|column| column.constant.is_some()) {
            columns.iter_mut().for_each(|column| column.constant = None);
        }
        let holds_bar = |value: &str| value.contains('|');
        let has_bars = names.iter().any(|name| holds_bar(name))
            || rows.iter().any(|(cells, _)| cells.iter().flatten().any(|value| holds_bar(value)));
        Some(Self { columns, rows, glue, separator: if has_bars { '\t' } else { '|' } })
    }

    /// For each row, how many rows have the rarest of its values, in columns whose values recur.
    fn rarest_values(&self) -> Vec<usize> {
        let mut rarest = vec![usize::MAX; self.rows.len()];
        for place in (0..self.columns.len()).filter(|place| self.columns[*place].constant.is_none()) {
            let mut counts: HashMap<Option<&str>, usize> = HashMap::new();
            self.rows.iter().for_each(|(cells, _)| *counts.entry(cells[place]).or_default() += 1);
            if counts.len() * 2 <= self.rows.len() {
                for (rarest, (cells, _)) in rarest.iter_mut().zip(&self.rows) {
                    *rarest = (*rarest).min(counts[&cells[place]]);
                }
            }
        }
        rarest
    }

    /// For each row, what it is worth to the reader of an answer.
    ///
    /// A value that the query holds, under a column that it names, is what it asks for, however long the
    /// row is; under another column it is the surer the fewer rows have it.
    fn answers(&self, query: &Query, lines: &[String]) -> Vec<f64> {
        let mut worths = query.relevance(lines.iter().map(String::as_str));
        for (worth, line) in worths.iter_mut().zip(lines) {
            *worth = *worth * 40.0 + if query.names_something_in(line) { 100.0 } else { 0.0 };
        }
        let asked = Asked::of(query);
        for (place, column) in self.columns.iter().enumerate().filter(|(_, column)| column.constant.is_none()) {
            let mut holders: HashMap<&str, (f64, Vec<usize>)> = HashMap::new();
            for (row, (cells, _)) in self.rows.iter().enumerate() {
                let Some(value) = cells[place] else { continue };
                let (weight, rows) =
                    holders.entry(value).or_insert_with(|| (weight(&asked, column.name, value), Vec::new()));
                if *weight > 0.0 {
                    rows.push(row);
                }
            }
            for (weight, rows) in holders.values() {
                rows.iter().for_each(|row| worths[*row] += weight / (rows.len() as f64).sqrt());
            }
        }
        worths
    }

    fn header(&self, says_glue: bool) -> String {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let name = &column.name[1..column.name.len() - 1];
                match column.constant {
                    Some(value) => format!("{name}={}", on_a_line(value)),
                    None if column.is_text => column.name.to_owned(),
                    None => name.to_owned(),
                }
            })
            .collect();
        let glue = match serde_json::to_string(&self.glue) {
            Ok(glue) if says_glue => format!("{WRITTEN}{glue}"),
            _ => String::new(),
        };
        let tabs = if self.separator == '\t' { TABS } else { "" };
        format!(
            "{TITLE}{} rows as a table{tabs}; an empty cell is the one above, {ABSENT} is no member{glue}]\n{}\n",
            self.rows.len(),
            names.join(self.separator.encode_utf8(&mut [0; 4]))
        )
    }

    fn line(&self, cells: &[Option<&str>]) -> String {
        let mut out = String::new();
        self.write_line(cells, None, &mut out);
        out
    }

    /// Writes a row below another one.
    fn write_line(&self, cells: &[Option<&str>], above: Option<&Cells<'_>>, out: &mut String) {
        let mut is_first = true;
        for (place, column) in self.columns.iter().enumerate().filter(|(_, column)| column.constant.is_none()) {
            if !std::mem::take(&mut is_first) {
                out.push(self.separator);
            }
            match cells[place] {
                value if above.is_some_and(|above| above[place] == value) => {}
                None => out.push_str(ABSENT),
                Some(value) => out.push_str(&written(value, column.is_text)),
            }
        }
        out.push('\n');
    }
}

/// What it is worth that a query holds this value of this column, or one within it.
fn weight(asked: &Asked, name: &str, value: &str) -> f64 {
    if value.starts_with(['{', '[']) {
        let Some(document) = Document::parse(value) else { return 0.0 };
        let within = document.nodes.iter().filter(|node| matches!(node.shape, Shape::Text | Shape::Plain));
        let weights = within.map(|node| {
            let name = node.key().map_or(name, |key| &value[key]);
            weight(asked, name, &value[node.span()])
        });
        return weights.fold(0.0, f64::max);
    }
    match asked.mentions(value) {
        None => 0.0,
        Some(_) if asked.names(name) => NAMED,
        Some(Mention::Sure) => NAMED / 4.0,
        Some(Mention::Weak) => NAMED / 100.0,
    }
}

/// What stands between the values, by the first two rows.
fn glue<'a>(text: &'a str, document: &Document, roots: &[usize]) -> Option<[&'a str; 7]> {
    let [first, second] = [roots.first()?, roots.get(1)?].map(|root| &document.nodes[*root]);
    let last = &document.nodes[*roots.last()?];
    let members: Vec<_> = document.children(Some(roots[0])).map(|member| &document.nodes[member]).collect();
    let key = members.first()?.key()?;
    let comma = match members.get(1) {
        Some(member) => &text[members[0].span().end..member.key()?.start],
        None => ",",
    };
    Some([
        &text[..first.span().start],
        &text[first.span().start + 1..key.start],
        &text[key.end..members[0].span().start],
        comma,
        &text[members.last()?.span().end..first.span().end - 1],
        &text[first.span().end..second.span().start],
        &text[last.span().end..],
    ])
}

/// The end of a row with its comma and, when only that follows, its line.
fn row_end(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let comma = rest.find(|c: char| !c.is_whitespace()).filter(|at| rest[*at..].starts_with(','));
    let end = comma.map_or(end, |at| end + at + 1);
    let rest = &text[end..];
    match rest.find(|c: char| c != ' ' && c != '\t' && c != '\r') {
        Some(at) if rest[at..].starts_with('\n') => end + at + 1,
        _ => end,
    }
}

/// A cell: a string without its quotes where that cannot be misread.
fn written(value: &str, is_text: bool) -> Cow<'_, str> {
    let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match bare {
        Some(inner) if inner != ABSENT && !inner.is_empty() && !is_json(inner, is_text) => Cow::Borrowed(inner),
        _ => on_a_line(value),
    }
}

/// The value on one line and in one cell: objects and lists may stand on several, with tabs before them.
fn on_a_line(value: &str) -> Cow<'_, str> {
    if value.contains(['\n', '\t']) { Cow::Owned(without_blanks(value)) } else { Cow::Borrowed(value) }
}

/// Undoes [`written`].
fn read(cell: &str, is_text: bool) -> Cow<'_, str> {
    match is_json(cell, is_text) {
        false => Cow::Owned(format!("\"{cell}\"")),
        true => Cow::Borrowed(cell),
    }
}

/// Whether a cell is JSON, not a string without its quotes.
fn is_json(cell: &str, is_text: bool) -> bool {
    cell.starts_with('"') || (!is_text && (cell.starts_with(['{', '[', ' ']) || cell.ends_with(' ') || is_value(cell)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Option<String> {
        table(text, &Document::parse(text).expect("valid"))
    }

    #[test]
    fn rows_become_a_table_that_can_be_read_back() {
        let text = r#"[{"id":1,"name":"a","on":true,"v":"1"},{"id":2,"name":"b|c","on":true},{"id":3,"name":"","on":true},{"id":3,"name":"\u00e9","on":true,"v":"~"}]"#;
        let table = rows(text).expect("rows");
        assert_eq!(
            table,
            "[not JSON any more: 4 rows as a table, tabs between cells; an empty cell is the one above, ~ is no member]\n\
             id\t\"name\"\ton=true\t\"v\"\n1\ta\t1\n2\tb|c\t~\n3\t\"\"\t\n\t\\u00e9\t\"~\"\n"
        );
        assert_eq!(expand(&table).as_deref(), Some(text));
        assert_eq!(rows("[1,2,3,4]"), None);
        let lines =
            "{\"a\": 1, \"b\": [2]}\n{\"a\": 1e400}\n{\"a\": 12345678901234567890}\n{\"a\": \"1\", \"b\": null}\n";
        assert_eq!(expand(&rows(lines).expect("rows")).as_deref(), Some(lines));
    }

    #[test]
    fn a_tab_between_values_of_a_cell_ends_no_cell() {
        let text = "[{\"a\":\"x|y\",\"b\":{\"c\":\t1}},{\"a\":\"z\",\"b\":{\"c\":\t2}},{\"a\":\"w\",\"b\":{\"c\":\t3}},{\"a\":\"v\",\"b\":{\"c\":\t4}}]";
        if let Some(table) = rows(text) {
            let cells = |line: &str| line.matches('\t').count();
            let lines: Vec<&str> = table.lines().filter(|line| line.contains("{\"c\":")).collect();
            assert_eq!(lines.len(), 4, "{table}");
            assert!(lines.iter().all(|line| cells(line) == cells(lines[0]) && cells(line) <= 1), "{table}");
        } else {
            panic!("no table");
        }
    }

    #[test]
    fn rows_on_lines_keep_their_lines() {
        let text = "[\n  {\"a\": 1},\n  {\"a\": 2},\n  {\"a\": 3},\n  {\"a\": 4}\n]\n";
        let rows = Rows::of(text, &Document::parse(text).expect("valid")).expect("rows");
        let draft = draft(text, rows, None);
        let spans: Vec<&str> = draft.pieces.iter().map(|piece| &text[piece.span.clone()]).collect();
        assert_eq!(spans, ["[\n", "  {\"a\": 1},\n", "  {\"a\": 2},\n", "  {\"a\": 3},\n", "  {\"a\": 4}\n]\n"]);
    }
}
