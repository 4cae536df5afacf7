//! Lines of a text and their numbers.

use std::ops::Range;

use super::marks::Cut;

/// Where the lines of a text begin. A line ends after its line feed; after the last line feed
/// there is no further line.
#[derive(Debug, Clone)]
pub(super) struct LineIndex {
    starts: Vec<usize>,
    end: usize,
    /// The line of another text that this one is a part of.
    part_of: Option<usize>,
}

impl LineIndex {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut starts = vec![0];
        starts.extend(text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1));
        if starts.len() > 1 && starts.last() == Some(&text.len()) {
            starts.pop();
        }
        Self { starts, end: text.len(), part_of: None }
    }

    /// The index of a text that stands within one line of another, such as in a string of JSON: everything
    /// in it is a part of that line.
    pub(super) fn within(line: usize) -> Self {
        Self { starts: vec![0], end: 0, part_of: Some(line) }
    }

    /// Whether the lines have numbers of their own.
    pub(super) fn is_numbered(&self) -> bool {
        self.part_of.is_none()
    }

    /// The number of lines; 1 for an empty text.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The number, from 1, of the line that holds the byte at `offset`.
    pub(super) fn number(&self, offset: usize) -> usize {
        self.part_of.unwrap_or_else(|| self.starts.partition_point(|start| *start <= offset).max(1))
    }

    /// The bytes of the lines `from` to `to`, counted from 1, both included.
    pub(super) fn span(&self, from: usize, to: usize) -> Range<usize> {
        let start = self.starts.get(from.max(1) - 1).copied().unwrap_or(self.end);
        let end = self.starts.get(to).copied().unwrap_or(self.end);
        start..end.max(start)
    }

    /// What is missing when the bytes of `span` are left out.
    pub(super) fn cut(&self, span: Range<usize>, tokens: usize) -> Cut {
        let from_line = self.number(span.start);
        let to_line = self.number(span.end.max(span.start + 1) - 1);
        let partial = self.part_of.is_some() || self.span(from_line, to_line) != span;
        Cut { from_line, to_line, tokens, partial }
    }
}

/// Returns the spans of the lines of `text`, line feeds included.
pub(super) fn spans(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let span = start..start + line.len();
        start = span.end;
        span
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_from_one() {
        let index = LineIndex::of(b"a\nbb\n\nc");
        assert_eq!(index.len(), 4);
        assert_eq!([0, 1, 2, 5, 6].map(|offset| index.number(offset)), [1, 1, 2, 3, 4]);
        assert_eq!(index.span(2, 3), 2..6);
        assert_eq!(index.span(9, 9), 7..7);
        assert!(!index.cut(2..6, 1).partial);
        assert!(index.cut(2..4, 1).partial);
        assert_eq!(LineIndex::of(b"a\n").len(), 1);
        assert_eq!(LineIndex::of(b"").len(), 1);
        let part = LineIndex::within(7);
        assert_eq!((part.number(900), part.cut(3..90, 1).partial, part.is_numbered()), (7, true, false));
    }
}
