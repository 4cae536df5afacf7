//! A text that is edited, with a count that is exact after every edit.
//!
//! The text lies in chunks of about a kilobyte that meet where a pretoken begins whatever surrounds
//! it, so the counts of the chunks add up to the count of the whole, and an edit recounts the chunks
//! it touches. Chunks lie in groups that know their sums, so that finding, inserting and removing a
//! chunk costs little in texts of any size.
//!
//! Where a text has no such place for long, as in a megabyte of letters, the chunk is as long as
//! that; then an edit there costs a count of the chunk.

use std::fmt;
use std::ops::Range;

use super::Measure;
use super::meter::Meter;

/// Bytes below which a chunk joins a neighbour.
const CHUNK_MIN: usize = 512;

/// Bytes after which a chunk ends at the next sure boundary.
const CHUNK_USUAL: usize = 1024;

/// Bytes above which a chunk is split, if it can be.
const CHUNK_MAX: usize = 2048;

/// Chunks below which a group joins the next.
const GROUP_MIN: usize = 16;

/// Chunks above which a group is split.
const GROUP_MAX: usize = 128;

/// The least text that the memory of the meter is made for, because a document grows.
const METER_LEN_MIN: usize = 64 << 10;

/// A text that is edited and counted.
///
/// ```
/// use context_engine::tokens::{Document, Encoding};
///
/// let mut document = Document::new(Encoding::O200kBase, "one two three");
/// document.edit(4..7, "2")?;
/// assert_eq!(document.text(), "one 2 three");
/// assert_eq!(document.tokens(), Encoding::O200kBase.count("one 2 three"));
/// # Ok::<(), context_engine::tokens::RangeError>(())
/// ```
pub struct Document {
    measure: Measure,
    meter: Meter,
    /// None is empty, nor is a chunk.
    groups: Vec<Group>,
    len: usize,
    cost: usize,
}

/// Neighbouring chunks, and their sums.
struct Group {
    chunks: Vec<Chunk>,
    len: usize,
    cost: usize,
}

/// A stretch of text between two sure boundaries.
struct Chunk {
    text: String,
    cost: usize,
}

/// The place of a chunk: its group, its index there, and the byte that it begins at.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    index: usize,
    start: usize,
}

/// The reason why a range is not one of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// The end comes before the start.
    #[error("the range {start}..{end} ends before it begins")]
    Reversed {
        /// The range's start.
        start: usize,
        /// The range's end.
        end: usize,
    },
    /// The range reaches beyond the text.
    #[error("the range {start}..{end} reaches beyond the text, which has {len} bytes")]
    Beyond {
        /// The range's start.
        start: usize,
        /// The range's end.
        end: usize,
        /// The length of the text.
        len: usize,
    },
    /// A character would be cut in two.
    #[error("byte {at} is inside a character, which begins at byte {start}: offsets count bytes of UTF-8")]
    InsideCharacter {
        /// The offset.
        at: usize,
        /// Where the character begins.
        start: usize,
    },
}

impl Document {
    /// Returns a document of `text`, counted with an encoding or another measure.
    pub fn new(measure: impl Into<Measure>, text: &str) -> Self {
        let measure = measure.into();
        let meter = measure.meter(text.len().max(METER_LEN_MIN));
        let mut document = Self { measure, meter, groups: Vec::new(), len: 0, cost: 0 };
        let chunks = document.split(text);
        (document.len, document.cost) = sums(&chunks);
        document.groups = grouped(chunks);
        document
    }

    /// Replaces the bytes of `range` by `replacement`. Both ends lie on character boundaries.
    pub fn edit(&mut self, range: Range<usize>, replacement: &str) -> Result<(), RangeError> {
        self.check(&range)?;
        let (Some(mut first), Some(mut last)) = (self.at(range.start), self.ending_at(&range)) else {
            let chunks = self.split(replacement);
            (self.len, self.cost) = sums(&chunks);
            self.groups = grouped(chunks);
            return Ok(());
        };
        let kept = &self.chunk(first).text[..range.start - first.start];
        let rest = &self.chunk(last).text[range.end - last.start..];
        let mut text = String::with_capacity(kept.len() + replacement.len() + rest.len());
        text.push_str(kept);
        text.push_str(replacement);
        text.push_str(rest);

        if let Some(before) = self.before(first)
            && self.joins(before, &text, self.after(last))
        {
            text.insert_str(0, &self.chunk(before).text);
            first = before;
        }
        if let Some(after) = self.after(last)
            && !text.is_empty()
            && (!self.meet(&text, &self.chunk(after).text) || self.absorbs(&text, after))
        {
            text.push_str(&self.chunk(after).text);
            last = after;
        }
        let chunks = self.split(&text);
        self.replace(first, last, chunks);
        Ok(())
    }

    /// Returns the number of tokens of the text.
    pub fn tokens(&self) -> usize {
        self.cost.div_ceil(self.measure.unit())
    }

    /// Returns the number of tokens that a part of the text has as a text of its own.
    pub fn tokens_of(&self, range: Range<usize>) -> Result<usize, RangeError> {
        self.check(&range)?;
        // Only what is left of a chunk at the two ends is counted; the others are known.
        let mut meter = self.measure.meter(range.len().min(2 * CHUNK_MAX));
        let (mut start, mut cost) = (0, 0);
        for group in &self.groups {
            let end = start + group.len;
            if range.start <= start && end <= range.end {
                cost += group.cost;
            } else if start < range.end && range.start < end {
                let mut start = start;
                for chunk in &group.chunks {
                    let part = part(&range, start, chunk);
                    cost += if part.len() == chunk.text.len() {
                        chunk.cost
                    } else {
                        meter.cost(part, usize::MAX).expect("nothing costs more than the most")
                    };
                    start += chunk.text.len();
                }
            }
            start = end;
        }
        Ok(cost.div_ceil(self.measure.unit()))
    }

    /// Returns what tokens are counted with.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Returns the number of bytes of the text.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.len);
        text.extend(self.pieces());
        text
    }

    /// Returns the text in pieces, which saves a copy of the whole.
    pub fn pieces(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|group| &group.chunks).map(|chunk| chunk.text.as_str())
    }

    /// Returns a part of the text.
    pub fn slice(&self, range: Range<usize>) -> Result<String, RangeError> {
        self.check(&range)?;
        let mut text = String::with_capacity(range.len());
        let mut start = 0;
        for group in &self.groups {
            let end = start + group.len;
            if start < range.end && range.start < end {
                let mut start = start;
                for chunk in &group.chunks {
                    text.push_str(part(&range, start, chunk));
                    start += chunk.text.len();
                }
            }
            start = end;
        }
        Ok(text)
    }

    fn check(&self, range: &Range<usize>) -> Result<(), RangeError> {
        let Range { start, end } = *range;
        if start > end {
            return Err(RangeError::Reversed { start, end });
        }
        if end > self.len {
            return Err(RangeError::Beyond { start, end, len: self.len });
        }
        for at in [start, end] {
            let Some(place) = self.at(at) else { continue };
            let before = self.chunk(place).text.floor_char_boundary(at - place.start);
            if before != at - place.start {
                return Err(RangeError::InsideCharacter { at, start: place.start + before });
            }
        }
        Ok(())
    }

    /// The chunk that the byte at `at` is in; the last one at the end of the text.
    fn at(&self, at: usize) -> Option<Place> {
        let mut start = 0;
        for (group, entry) in self.groups.iter().enumerate() {
            if at < start + entry.len || group + 1 == self.groups.len() {
                for (index, chunk) in entry.chunks.iter().enumerate() {
                    if at < start + chunk.text.len() || index + 1 == entry.chunks.len() {
                        return Some(Place { group, index, start });
                    }
                    start += chunk.text.len();
                }
            }
            start += entry.len;
        }
        None
    }

    /// The chunk that the last byte of `range` is in; that of its start if it is empty.
    fn ending_at(&self, range: &Range<usize>) -> Option<Place> {
        self.at(if range.is_empty() { range.end } else { range.end - 1 })
    }

    fn chunk(&self, place: Place) -> &Chunk {
        &self.groups[place.group].chunks[place.index]
    }

    fn before(&self, place: Place) -> Option<Place> {
        let (group, index) = match place.index {
            0 => {
                let group = place.group.checked_sub(1)?;
                (group, self.groups[group].chunks.len() - 1)
            }
            index => (place.group, index - 1),
        };
        let start = place.start - self.groups[group].chunks[index].text.len();
        Some(Place { group, index, start })
    }

    fn after(&self, place: Place) -> Option<Place> {
        let start = place.start + self.chunk(place).text.len();
        if place.index + 1 < self.groups[place.group].chunks.len() {
            return Some(Place { index: place.index + 1, start, ..place });
        }
        (place.group + 1 < self.groups.len()).then_some(Place { group: place.group + 1, index: 0, start })
    }

    /// Whether the chunk at `before` must or should be one with `text`, which comes between it and
    /// the chunk `after`.
    fn joins(&self, before: Place, text: &str, after: Option<Place>) -> bool {
        let chunk = self.chunk(before);
        if text.is_empty() {
            return after.is_some_and(|after| !self.meet(&chunk.text, &self.chunk(after).text));
        }
        !self.meet(&chunk.text, text) || (after.is_none() && self.absorbs(text, before))
    }

    /// Whether two texts, neither of which is empty, meet where the whole may be taken apart.
    fn meet(&self, left: &str, right: &str) -> bool {
        let (Some(left), Some(right)) = (left.chars().next_back(), right.chars().next()) else { return true };
        let mut both = [0; 8];
        let at = left.encode_utf8(&mut both).len();
        let end = at + right.encode_utf8(&mut both[at..]).len();
        let both = std::str::from_utf8(&both[..end]).expect("two characters");
        self.meter.is_boundary(both, at)
    }

    /// Whether `text` is so short that it joins its neighbour, which is not too long for that.
    fn absorbs(&self, text: &str, neighbour: Place) -> bool {
        text.len() < CHUNK_MIN && self.chunk(neighbour).text.len() <= CHUNK_MAX
    }

    /// Splits `text` into chunks and counts them.
    fn split(&mut self, mut text: &str) -> Vec<Chunk> {
        let mut chunks = Vec::with_capacity(text.len() / CHUNK_USUAL + 1);
        while !text.is_empty() {
            let end = if text.len() <= CHUNK_MAX { text.len() } else { chunk_end(&self.meter, text) };
            let (chunk, rest) = text.split_at(end);
            let cost = self.meter.cost(chunk, usize::MAX).expect("nothing costs more than the most");
            chunks.push(Chunk { text: chunk.to_owned(), cost });
            text = rest;
        }
        chunks
    }

    /// Puts `chunks` in the place of the chunks from `first` to `last`.
    fn replace(&mut self, first: Place, last: Place, chunks: Vec<Chunk>) {
        let mut groups = first.group..last.group + 1;
        let (len, cost) = self.sums_of(groups.clone());
        let tail = self.groups[last.group].chunks.split_off(last.index + 1);
        let mut all = std::mem::take(&mut self.groups[first.group].chunks);
        all.truncate(first.index);
        all.extend(chunks);
        all.extend(tail);
        let (mut new_len, mut new_cost) = sums(&all);
        if all.len() < GROUP_MIN
            && let Some(next) = self.groups.get_mut(groups.end)
        {
            // It is in the sums of both sides or of neither.
            (new_len, new_cost) = (new_len + next.len, new_cost + next.cost);
            let (next_len, next_cost) = (next.len, next.cost);
            all.append(&mut next.chunks);
            groups.end += 1;
            self.len -= next_len;
            self.cost -= next_cost;
        }
        self.len = self.len - len + new_len;
        self.cost = self.cost - cost + new_cost;
        self.groups.splice(groups, grouped(all));
    }

    fn sums_of(&self, groups: Range<usize>) -> (usize, usize) {
        self.groups[groups].iter().fold((0, 0), |(len, cost), group| (len + group.len, cost + group.cost))
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Document")
            .field("measure", &self.measure)
            .field("len", &self.len)
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}

/// The part of a chunk, which begins at `start`, that lies in `range`.
fn part<'a>(range: &Range<usize>, start: usize, chunk: &'a Chunk) -> &'a str {
    let within = |at: usize| at.saturating_sub(start).min(chunk.text.len());
    &chunk.text[within(range.start)..within(range.end)]
}

fn sums(chunks: &[Chunk]) -> (usize, usize) {
    chunks.iter().fold((0, 0), |(len, cost), chunk| (len + chunk.text.len(), cost + chunk.cost))
}

/// Groups of at most [`GROUP_MAX`] chunks, of about the same size, so that none is short.
fn grouped(chunks: Vec<Chunk>) -> Vec<Group> {
    if chunks.is_empty() {
        return Vec::new();
    }
    // After a split each has room to grow.
    let count = if chunks.len() <= GROUP_MAX { 1 } else { chunks.len().div_ceil(GROUP_MAX / 2) };
    let each = chunks.len().div_ceil(count);
    let mut groups = Vec::with_capacity(count);
    let mut chunks = chunks.into_iter();
    loop {
        let chunks: Vec<Chunk> = chunks.by_ref().take(each).collect();
        if chunks.is_empty() {
            return groups;
        }
        let (len, cost) = sums(&chunks);
        groups.push(Group { chunks, len, cost });
    }
}

/// Where the first chunk of a text ends that is too long for one.
fn chunk_end(meter: &Meter, text: &str) -> usize {
    let mut at = text.floor_char_boundary(CHUNK_USUAL);
    while at < text.len() && !meter.is_boundary(text, at) {
        at = text.ceil_char_boundary(at + 1);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::super::Encoding;
    use super::*;

    /// Asserts what the types leave open: sums, sizes, sure boundaries, and the cost of each chunk.
    fn check(document: &Document) {
        let mut previous: Option<&str> = None;
        for group in &document.groups {
            assert!((1..=GROUP_MAX).contains(&group.chunks.len()));
            assert_eq!((group.len, group.cost), sums(&group.chunks));
            for Chunk { text, cost } in &group.chunks {
                assert_eq!(document.measure.count(text), *cost, "{text:?}");
                assert!(previous.is_none_or(|previous| document.meet(previous, text)), "{previous:?} {text:?}");
                previous = Some(text);
            }
        }
        assert_eq!(document.sums_of(0..document.groups.len()), (document.len, document.cost));
    }

    #[test]
    fn chunks_and_groups_keep_their_promises() {
        let mut state = 1_u32;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        let mut document = Document::new(Encoding::O200kBase, "");
        let mut most_groups = 0;
        for round in 0..if cfg!(debug_assertions) { 300 } else { 3_000 } {
            // It grows for some time, then shrinks.
            let [longest, most] = if round % 100 < 70 { [20, 3_000] } else { [20_000, 20] };
            let replacement: String =
                (0..next(most)).map(|_| ["word", " ", "1", "\n", "!", "'s", "中", "  "][next(8)]).collect();
            let text = document.text();
            let start = text.floor_char_boundary(next(text.len() + 1));
            let end = text.ceil_char_boundary((start + next(longest)).min(text.len()));
            document.edit(start..end, &replacement).unwrap();
            check(&document);
            most_groups = most_groups.max(document.groups.len());
        }
        assert!(most_groups > 2, "{most_groups}");
    }
}
