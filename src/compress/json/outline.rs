//! A nested document of which something is cut, as an outline: not JSON any more, which its first line says.
//!
//! A line for each object or list, indented below the one that holds it, with its plain members behind
//! it: `owner: login=ann id=12`. An element of a list that holds others is named by its place, `[3]`, a
//! plain one where others before it were cut: `[40]=red`. An object with
//! nothing but one other in it shares its line: `[0].payload.owner:`. Strings stand in quotes where they
//! could be misread, in three of them and as they are read, line feeds and all, where JSON would escape
//! them. `…` stands where members are cut.
//!
//! It says the same in fewer tokens than JSON, which needs quotes around each name and a bracket for each
//! end, and what is read is what was meant: a patch in a string is a patch here.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::{Shape, is_value, without_blanks};
use super::tree::{Part, Tree, items_cut};
use crate::compress::draft::{Layout, Piece};
use crate::compress::marks::Marks;

/// The first line.
pub(super) const TITLE: &str = "[not JSON any more: an outline, … where members are cut]\n";

/// Around a string that is written as it is read.
const RAW: &str = "\"\"\"";

/// A tree that is written as an outline. Its first piece is the title.
pub(super) struct Outline<'a>(pub(super) Tree<'a>);

/// Returns how a plain value, or a small one, is written. One without a name, as elements of a list are,
/// must not look as if it had one.
pub(super) fn value(json: &str, shape: Shape, is_nameless: bool) -> Cow<'_, str> {
    match shape {
        Shape::Plain => Cow::Borrowed(json),
        Shape::Object | Shape::Array => Cow::Owned(without_blanks(json)),
        Shape::Text => {
            let inner = &json[1..json.len() - 1];
            if inner.contains('\\') {
                return match raw(inner) {
                    Some(read) => Cow::Owned(format!("{RAW}{read}{RAW}")),
                    None => Cow::Borrowed(json),
                };
            }
            let is_bare = !inner.is_empty()
                && !inner.starts_with(['[', '{', '…', '='])
                && !inner.contains(char::is_whitespace)
                && !(is_nameless && (inner.contains('=') || inner.ends_with(':')))
                && !is_value(inner);
            Cow::Borrowed(if is_bare { inner } else { json })
        }
    }
}

/// The string as it is read, if it can stand between three quotes.
pub(super) fn raw(inner: &str) -> Option<String> {
    let read: String = serde_json::from_str(&format!("\"{inner}\"")).ok()?;
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    (read.chars().all(is_plain) && !read.contains(RAW) && !read.ends_with('"')).then_some(read)
}

/// Returns the parts of a long string between these places.
pub(super) fn pieces<'t>(inner: &'t str, cuts: &[usize]) -> Vec<Cow<'t, str>> {
    let ends = cuts.iter().copied().chain([inner.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(start, end)| Cow::Borrowed(&inner[start..end])).collect()
}

/// Returns what stands around a long string, and its parts as they are written.
pub(super) fn parts<'t>(inner: &'t str, cuts: &[usize]) -> (&'static str, Vec<Cow<'t, str>>) {
    let parts = pieces(inner, cuts);
    if !inner.contains('\\') || raw(inner).is_none() {
        return ("\"", parts);
    }
    let read = parts.iter().map(|part| serde_json::from_str(&format!("\"{part}\"")).map(Cow::Owned));
    match read.collect::<Result<Vec<_>, _>>() {
        Ok(read) => (RAW, read),
        Err(_) => ("\"", parts),
    }
}

/// Returns a name as it is written: without quotes where it is one word.
pub(super) fn name(key: &str) -> &str {
    let inner = &key[1..key.len() - 1];
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@' | '/');
    if !inner.is_empty() && inner.chars().all(is_word) { inner } else { key }
}

struct Kept<'a> {
    pieces: &'a [Piece<'a>],
    kept: &'a [bool],
}

impl Layout for Outline<'_> {
    fn marks_each_gap(&self) -> bool {
        false
    }

    fn write(&self, pieces: &[Piece<'_>], kept: &[bool], marks: &mut Marks<'_>) -> String {
        let mut out = pieces[0].text.to_string();
        let kept = Kept { pieces, kept };
        self.members(1..pieces.len(), 0, false, &kept, marks, &mut out);
        if !out.ends_with('\n') {
            out.push('\n');
        }
        // Plain members stand before the others, so gaps are not told in the order of the text.
        marks.cuts.sort_by_key(|cut| (cut.from_line, cut.to_line));
        if !marks.marks_each_gap()
            && let Some(told) = marks.summary()
        {
            out.push_str(&told);
            out.push('\n');
        }
        out
    }
}

impl Outline<'_> {
    /// Writes what a container holds: plain values behind it, then a line for each that holds others.
    ///
    /// One that holds nothing but another container shares its line, whatever is cut from it: `is_cut`
    /// says that something was from those above it on this line.
    fn members(
        &self,
        range: Range<usize>,
        depth: usize,
        is_cut: bool,
        kept: &Kept<'_>,
        marks: &mut Marks<'_>,
        out: &mut String,
    ) {
        let mut held = Vec::new();
        let mut gaps = Vec::new();
        let mut plain = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let start = at;
            if kept.kept[at] {
                let is_container = matches!(self.0.parts[at], Part::Container { .. });
                if is_container {
                    held.push(at);
                } else {
                    // An element behind a gap says which one it is.
                    let is_behind_gap = gaps.last().is_some_and(|(gap, _): &(Range<usize>, usize)| gap.end == at);
                    plain.push((at, is_behind_gap && self.0.keys[at].is_none()));
                }
                at = self.0.next(at);
            } else {
                let mut count = 0;
                while at < range.end && !kept.kept[at] {
                    at = self.0.next(at);
                    count += 1;
                }
                gaps.push((start..at, count));
            }
        }
        let is_shared =
            depth > 0 && plain.is_empty() && held.len() == 1 && (gaps.is_empty() || !marks.marks_each_gap());
        if depth > 0 && !is_shared {
            out.push(':');
        }
        for (index, says_place) in &plain {
            self.plain(*index, *says_place, kept, marks, out);
        }
        let mut is_cut = is_cut || !gaps.is_empty();
        for (gap, count) in gaps {
            let cut = marks.note(gap);
            if marks.marks_each_gap() {
                self.space(out);
                out.push_str(&format!("[{}]", items_cut(count, &cut, marks)));
                is_cut = false;
            }
        }
        if is_cut && !is_shared {
            self.space(out);
            out.push('…');
        }
        for index in held {
            let written = kept.pieces[index].text.trim_start();
            if !is_shared {
                self.new_line(depth, out);
            } else if !written.starts_with('[') {
                out.push('.');
            }
            out.push_str(written);
            let depth = if is_shared { depth } else { depth + 1 };
            self.members(index + 1..self.0.next(index), depth, is_cut && is_shared, kept, marks, out);
        }
    }

    fn new_line(&self, depth: usize, out: &mut String) {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out.extend(std::iter::repeat_n(' ', depth));
    }

    fn plain(&self, index: usize, says_place: bool, kept: &Kept<'_>, marks: &mut Marks<'_>, out: &mut String) {
        self.space(out);
        if says_place {
            out.push_str(&format!("[{}]=", self.0.place(index)));
        }
        out.push_str(&kept.pieces[index].text);
        if self.0.parts[index] == Part::Beginning {
            let inner = index + 1..self.0.next(index);
            let there = kept.kept[inner.clone()].iter().take_while(|kept| **kept).count();
            kept.pieces[inner.start..inner.start + there].iter().for_each(|piece| out.push_str(&piece.text));
            if inner.start + there < inner.end {
                let mark = marks.cut(inner.start + there..inner.end);
                out.push_str(if marks.is_full() { &mark } else { "…" });
                out.push_str(kept.pieces[index].close.trim_start_matches('…').trim_end());
            }
        }
    }

    fn space(&self, out: &mut String) {
        if !out.ends_with('\n') {
            out.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_does_not_look_like_a_member() {
        let written = |json, is_nameless| value(json, Shape::Text, is_nameless).into_owned();
        assert_eq!(written("\"PATH=/bin\"", true), "\"PATH=/bin\"");
        assert_eq!(written("\"end:\"", true), "\"end:\"");
        assert_eq!(written("\"PATH=/bin\"", false), "PATH=/bin");
        assert_eq!(written("\"red\"", true), "red");
    }
}
