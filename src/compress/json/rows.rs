//! An array of flat objects as a table: a header, then one line a row.
//!
//! The first line says that this is not JSON any more and how it is to be read, so that it can be
//! turned back: a cell is a string as it is, or JSON where a string could be taken for something
//! else; an empty cell is a member that is not there.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::super::Query;
use super::super::draft::{Draft, Piece};
use super::super::log::{tells_of_an_error, template};
use super::scan::{Document, Shape};

/// Fewer rows than this stay JSON.
const ROWS_MIN: usize = 4;

/// More columns than this stay JSON.
const COLUMNS_MAX: usize = 64;

struct Rows<'a> {
    /// The names of the columns that differ between rows.
    columns: Vec<&'a str>,
    /// Members that are the same in every row, as written in the text.
    constants: Vec<(&'a str, &'a str)>,
    /// Each row's cells, with the end of the row in the text.
    rows: Vec<(Vec<Option<&'a str>>, usize)>,
}

/// The whole document as a table, if it is rows.
pub(super) fn table(text: &str, document: &Document) -> Option<String> {
    let rows = Rows::of(text, document)?;
    let lines: String = rows.rows.iter().map(|(cells, _)| line(cells)).collect();
    Some(rows.header() + &lines)
}

/// The document's rows as pieces, if it is rows.
pub(super) fn draft<'a>(text: &'a str, document: &Document, query: Option<&Query>) -> Option<Draft<'a>> {
    let rows = Rows::of(text, document)?;
    let lines: Vec<String> = rows.rows.iter().map(|(cells, _)| line(cells)).collect();
    let templates: Vec<u64> = rows.rows.iter().map(|(cells, _)| template(&words_of(cells))).collect();
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    templates.iter().for_each(|template| *sizes.entry(*template).or_default() += 1);
    let answers = query.map(|query| query.relevance(lines.iter().map(String::as_str)));

    let start = rows.rows.first().map_or(0, |_| document_start(text));
    let mut pieces = vec![Piece {
        span: 0..start,
        end: start,
        text: Cow::Owned(rows.header()),
        close: "",
        worth: 0.0,
        mandatory: true,
        needs: None,
    }];
    let mut seen: HashMap<u64, usize> = HashMap::new();
    let mut begin = start;
    let last = rows.rows.len() - 1;
    for (index, ((_, end), line)) in rows.rows.iter().zip(lines).enumerate() {
        let size = sizes[&templates[index]];
        let place = seen.entry(templates[index]).or_default();
        let mut worth = if *place == 0 { 10.0 / size as f64 + 10.0 } else { 1.0 / (*place as f64 + 1.0) };
        worth += if size <= 6 { 5.0 } else { 0.0 } + if tells_of_an_error(&line) { 3.0 } else { 0.0 };
        if let (Some(answers), Some(query)) = (&answers, query) {
            worth += 40.0 * answers[index] + if query.names_something_in(&line) { 100.0 } else { 0.0 };
        }
        *place += 1;
        let end = if index == last { text.len() } else { *end };
        pieces.push(Piece {
            span: begin..end,
            end,
            text: Cow::Owned(line),
            close: "",
            worth,
            mandatory: false,
            needs: None,
        });
        begin = end;
    }
    Some(Draft::of_lines(pieces))
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
    fn of(text: &'a str, document: &Document) -> Option<Self> {
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
        let mut columns: Vec<&str> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut rows: Vec<(Vec<Option<&str>>, usize)> = Vec::with_capacity(roots.len());
        let mut filled = 0;
        for root in roots {
            let node = &document.nodes[root];
            if node.shape != Shape::Object {
                return None;
            }
            let mut cells: Vec<Option<&str>> = vec![None; columns.len()];
            for member in document.children(Some(root)) {
                let member = &document.nodes[member];
                let name = text.get(member.key.clone()?)?;
                if matches!(member.shape, Shape::Object | Shape::Array) || name.contains(['|', '\\']) {
                    return None;
                }
                let place = *places.entry(name).or_insert_with(|| {
                    columns.push(name);
                    columns.len() - 1
                });
                if place >= COLUMNS_MAX {
                    return None;
                }
                cells.resize(columns.len().max(cells.len()), None);
                // A name that is there twice cannot be written down.
                if cells[place].replace(&text[member.span.clone()]).is_some() {
                    return None;
                }
                filled += 1;
            }
            rows.push((cells, row_end(text, node.span.end)));
        }
        rows.iter_mut().for_each(|(cells, _)| cells.resize(columns.len(), None));
        // Mostly empty cells are a sign that these are not rows of one table.
        if columns.is_empty() || filled * 10 < rows.len() * columns.len() * 6 {
            return None;
        }
        Some(Self::hoist(&columns, rows))
    }

    /// Takes out the columns that hold the same value in every row.
    fn hoist(columns: &[&'a str], mut rows: Vec<(Vec<Option<&'a str>>, usize)>) -> Self {
        let first = rows[0].0.clone();
        let constant: HashSet<usize> = (0..columns.len())
            .filter(|column| first[*column].is_some() && rows.iter().all(|(cells, _)| cells[*column] == first[*column]))
            .collect();
        let constant = if constant.len() == columns.len() { HashSet::new() } else { constant };
        let constants: Vec<(&str, &str)> = (0..columns.len())
            .filter(|column| constant.contains(column))
            .filter_map(|column| Some((columns[column], first[column]?)))
            .collect();
        let keep = |column: &usize| !constant.contains(column);
        for (cells, _) in &mut rows {
            *cells = (0..cells.len()).filter(keep).map(|column| cells[column]).collect();
        }
        let columns = (0..columns.len()).filter(keep).map(|column| columns[column]).collect();
        Self { columns, constants, rows }
    }

    fn header(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|name| name.trim_matches('"')).collect();
        let constants: Vec<String> = self.constants.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let every =
            if constants.is_empty() { String::new() } else { format!("; every row has {{{}}}", constants.join(",")) };
        format!(
            "[not JSON any more: {} rows as a table{every}; cells that could be misread are JSON]\n{}\n",
            self.rows.len(),
            names.join("|")
        )
    }
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

fn line(cells: &[Option<&str>]) -> String {
    let cells: Vec<Cow<'_, str>> = cells.iter().map(|cell| cell.map_or(Cow::Borrowed(""), written)).collect();
    cells.join("|") + "\n"
}

/// A cell: a string without its quotes where that cannot be misread.
fn written(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    let misread = inner.is_empty()
        || inner.contains(['|', '\\', '\n'])
        || inner.starts_with(['"', '{', '[', ' '])
        || inner.ends_with(' ')
        || serde_json::from_str::<serde::de::IgnoredAny>(inner).is_ok();
    if misread { Cow::Owned(value.replace('|', "\\u007c")) } else { Cow::Borrowed(inner) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Option<String> {
        table(text, &Document::parse(text).expect("valid"))
    }

    #[test]
    fn rows_become_a_table_that_can_be_read_back() {
        let text = r#"[{"id":1,"name":"a","on":true,"v":"1"},{"id":2,"name":"b|c","on":true},{"id":3,"name":"","on":true},{"id":4,"name":null,"on":true}]"#;
        assert_eq!(
            rows(text).expect("rows"),
            "[not JSON any more: 4 rows as a table; every row has {\"on\":true}; cells that could be misread are JSON]\n\
             id|name|v\n1|a|\"1\"\n2|\"b\\u007cc\"|\n3|\"\"|\n4|null|\n"
        );
        assert_eq!(rows("[1,2,3,4]"), None);
        assert_eq!(rows(r#"[{"a":{}},{"a":1},{"a":1},{"a":1}]"#), None);
    }

    #[test]
    fn rows_on_lines_keep_their_lines() {
        let text = "[\n  {\"a\": 1},\n  {\"a\": 2},\n  {\"a\": 3},\n  {\"a\": 4}\n]\n";
        let draft = draft(text, &Document::parse(text).expect("valid"), None).expect("rows");
        let spans: Vec<&str> = draft.pieces.iter().map(|piece| &text[piece.span.clone()]).collect();
        assert_eq!(spans, ["[\n", "  {\"a\": 1},\n", "  {\"a\": 2},\n", "  {\"a\": 3},\n", "  {\"a\": 4}\n]\n"]);
    }
}
