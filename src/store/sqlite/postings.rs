//! Which memories hold a term.
//!
//! Asking SQLite costs a row of its virtual table for every place at which a term stands, and for a
//! common term that is most of a recall. So the pages of the FTS5 index are read here as they lie in
//! its table `words_data`. They are documented at the head of `fts5_index.c` and are the same in every
//! version of SQLite, because any version may open the file. What is not as documented is asked of
//! SQLite instead, which also says so when the index is damaged.
//!
//! In short: an index is a list of segments, each sorted by term and cut into leaves. A leaf is
//! `offset of the first number, length of the content, content, offsets of the terms`. A term is
//! followed by `number, size, positions` of each memory that holds it, numbers as differences; this
//! list may go on over further leaves, on each of which the first number is whole. The newest segment
//! that has an entry for a memory is right; an entry without positions says that it is gone.

use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Posting;

/// The row of `words_data` that lists the segments.
const STRUCTURE_ROW: i64 = 10;
/// What a list of segments of the second kind begins with: of tables without content, which ours is not.
const SECOND_KIND: [u8; 4] = [0xff, 0, 0, 1];
/// The versions of the format that are read here: as it is, and after a secure delete.
const VERSIONS: [i64; 2] = [4, 5];
/// What a term begins with in the main index.
const MAIN: u8 = b'0';
/// The row of a leaf is the number of its segment, shifted by this, and the number of the leaf.
const SEGMENT_SHIFT: u32 = 37;
/// So many places are read of every term.
const SURELY_READ: usize = 1_000;
/// What a leaf begins with: the offset of its first number and the length of its content.
const HEAD: usize = 4;

/// Returns for each term which memories hold it how often, by number; nothing for a term that stands at
/// more than `most` places.
pub(super) fn of(connection: &Connection, terms: &[String], most: usize) -> rusqlite::Result<Vec<Vec<Posting>>> {
    let segments = segments(connection)?;
    let mut lists = Vec::with_capacity(terms.len());
    for term in terms {
        let direct = match &segments {
            Some(segments) => in_segments(connection, segments, term, most)?,
            None => None,
        };
        lists.push(match direct {
            Some(list) => list,
            None => by_asking(connection, term, most)?,
        });
    }
    Ok(lists)
}

/// The same for one term, as SQLite tells it.
fn by_asking(connection: &Connection, term: &str, most: usize) -> rusqlite::Result<Vec<Posting>> {
    let mut statement = connection.prepare_cached("SELECT doc FROM places WHERE term = ?")?;
    let mut list: Vec<Posting> = Vec::new();
    let mut rows = statement.query([term])?;
    let mut left = most;
    while let Some(row) = rows.next()? {
        if left == 0 {
            return Ok(Vec::new());
        }
        left -= 1;
        let number: u32 = row.get(0)?;
        match list.last_mut() {
            Some(last) if last.number == number => last.frequency += 1,
            _ => list.push(Posting { number, frequency: 1 }),
        }
    }
    Ok(list)
}

/// A sorted part of the index.
#[derive(Debug, Clone, Copy)]
struct Segment {
    number: i64,
    first_leaf: i64,
    last_leaf: i64,
}

impl Segment {
    fn row(&self, leaf: i64) -> i64 {
        (self.number << SEGMENT_SHIFT) + leaf
    }
}

/// Returns the segments, the oldest first; `None` where they are written in another way than is known
/// here.
fn segments(connection: &Connection) -> rusqlite::Result<Option<Vec<Segment>>> {
    let version: Option<i64> = connection
        .prepare_cached("SELECT v FROM words_config WHERE k = 'version'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    if !version.is_some_and(|version| VERSIONS.contains(&version)) {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT block FROM words_data WHERE id = ?")?
        .query_row([STRUCTURE_ROW], |row| Ok(read_structure(row.get_ref(0)?.as_blob()?)))
        .optional()
        .map(Option::flatten)
}

fn read_structure(block: &[u8]) -> Option<Vec<Segment>> {
    // The first four bytes count changes of the settings.
    let mut rest = block.get(4..)?;
    if rest.starts_with(&SECOND_KIND) {
        return None;
    }
    let mut next = || varint(&mut rest);
    let (levels, mut left, _writes) = (next()?, next()?, next()?);
    if levels < 0 {
        return None;
    }
    let mut by_level = Vec::new();
    for _ in 0..levels {
        let (_merging, count) = (next()?, next()?);
        left = left.checked_sub(count)?;
        let mut level = Vec::new();
        for _ in 0..count {
            let (number, first_leaf, last_leaf) = (next()?, next()?, next()?);
            // One whose leaves have all been merged already has none.
            if first_leaf > 0 {
                level.push(Segment { number, first_leaf, last_leaf });
            }
        }
        by_level.push(level);
    }
    // Within a level the oldest is first; the first level is the newest.
    (left == 0).then(|| by_level.into_iter().rev().flatten().collect())
}

/// Collects the memories that hold a term from all segments; `None` where one is not as expected.
fn in_segments(
    connection: &Connection,
    segments: &[Segment],
    term: &str,
    most: usize,
) -> rusqlite::Result<Option<Vec<Posting>>> {
    let key = [&[MAIN], term.as_bytes()].concat();
    let mut list =
        List { postings: Vec::new(), places: 0, places_max: most.saturating_mul(4).saturating_add(SURELY_READ) };
    for segment in segments {
        if read_segment(connection, segment, &key, &mut list)?.is_none() {
            return Ok(None);
        }
        if list.is_full() {
            return Ok(Some(Vec::new()));
        }
    }
    let postings = list.in_order();
    let places: usize = postings.iter().map(|posting| posting.frequency as usize).sum();
    Ok(Some(if places > most { Vec::new() } else { postings }))
}

/// Adds the entries of a term in a segment. Stops where it turns out to be far from rare.
fn read_segment(
    connection: &Connection,
    segment: &Segment,
    key: &[u8],
    list: &mut List,
) -> rusqlite::Result<Option<()>> {
    let leaf: Option<i64> = connection
        .prepare_cached("SELECT pgno >> 1 FROM words_idx WHERE segid = ? AND term <= ? ORDER BY term DESC LIMIT 1")?
        .query_row(params![segment.number, key], |row| row.get(0))
        .optional()?;
    let first = leaf.unwrap_or(0).max(segment.first_leaf);
    let mut leaves =
        connection.prepare_cached("SELECT id, block FROM words_data WHERE id BETWEEN ? AND ? ORDER BY id")?;
    let mut rows = leaves.query([segment.row(first), segment.row(segment.last_leaf)])?;
    let mut reader = Reader { key, number: 0, begun: None };
    for expected in segment.row(first)..=segment.row(segment.last_leaf) {
        let Some(row) = rows.next()? else { return Ok(None) };
        if row.get::<_, i64>(0)? != expected {
            return Ok(None);
        }
        let is_first = expected == segment.row(first);
        match reader.read(row.get_ref(1)?.as_blob()?, is_first, list) {
            Some(Next::Leaf) if !list.is_full() => {}
            Some(_) => return Ok(Some(())),
            None => return Ok(None),
        }
    }
    Ok(Some(()))
}

/// What is read so far, in the order of the segments.
struct List {
    postings: Vec<Posting>,
    places: usize,
    /// From so many on the term is not rare, however many of them are outdated.
    places_max: usize,
}

impl List {
    fn is_full(&self) -> bool {
        self.places > self.places_max
    }

    fn push(&mut self, number: u32, frequency: u32) {
        self.postings.push(Posting { number, frequency });
        self.places += frequency as usize;
    }

    /// The newest entry of every memory, by number, without those that say that it is gone.
    fn in_order(mut self) -> Vec<Posting> {
        if !self.postings.is_sorted_by(|one, next| one.number < next.number) {
            // Stable: of the same number the newest stays last.
            self.postings.sort_by_key(|posting| posting.number);
            self.postings.dedup_by(|later, kept| {
                let same = later.number == kept.number;
                if same {
                    *kept = *later;
                }
                same
            });
        }
        self.postings.retain(|posting| posting.frequency > 0);
        self.postings
    }
}

/// Where to look for the rest of the entries of a term.
enum Next {
    /// There is no more.
    End,
    /// On the next leaf.
    Leaf,
}

/// Reads the entries of one term, a leaf after the other.
struct Reader<'a> {
    key: &'a [u8],
    /// The memory of the latest entry.
    number: i64,
    /// An entry whose positions go on on the next leaf: how many there were, and how many bytes are left.
    begun: Option<(u32, usize)>,
}

impl Reader<'_> {
    /// Adds the entries of a leaf; `None` where it is not as documented.
    fn read(&mut self, leaf: &[u8], is_first: bool, list: &mut List) -> Option<Next> {
        let head = |at: usize| Some(usize::from(u16::from_be_bytes([*leaf.get(at)?, *leaf.get(at + 1)?])));
        let (first_number, end) = (head(0)?, head(2)?);
        if end < HEAD {
            return None;
        }
        let (content, terms) = (leaf.get(..end)?, leaf.get(end..)?);
        if is_first {
            return match find(content, terms, self.key)? {
                Some((start, end)) => self.entries(content, start, end, true, list),
                None => Some(Next::End),
            };
        }
        let first_term = if terms.is_empty() { None } else { Some(usize::try_from(varint(&mut { terms })?).ok()?) };
        let mut at = HEAD;
        if let Some((frequency, left)) = self.begun.take() {
            let here = left.min(end - HEAD);
            let frequency = frequency + positions(content.get(at..at + here)?);
            at += here;
            if here < left {
                self.begun = Some((frequency, left - here));
                return Some(Next::Leaf);
            }
            list.push(u32::try_from(self.number).ok()?, frequency);
        }
        match first_term {
            _ if first_number > 0 && first_number != at => None,
            _ if first_number > 0 => self.entries(content, at, first_term, true, list),
            None => Some(Next::Leaf),
            Some(_) => Some(Next::End),
        }
    }

    /// Adds the entries from `at` to `end`, which is where the next term begins; without it, they may go
    /// on on the next leaf.
    fn entries(
        &mut self,
        content: &[u8],
        at: usize,
        end: Option<usize>,
        mut whole: bool,
        list: &mut List,
    ) -> Option<Next> {
        let mut rest = content.get(at..end.unwrap_or(content.len()))?;
        while !rest.is_empty() {
            let number = varint(&mut rest)?;
            self.number = if whole { number } else { self.number.checked_add(number)? };
            whole = false;
            let size = usize::try_from(varint(&mut rest)? >> 1).ok()?;
            let (here, after) = rest.split_at(size.min(rest.len()));
            let frequency = positions(here);
            rest = after;
            if here.len() < size {
                self.begun = Some((frequency, size - here.len()));
                return if end.is_none() { Some(Next::Leaf) } else { None };
            }
            list.push(u32::try_from(self.number).ok()?, frequency);
        }
        Some(if end.is_none() { Next::Leaf } else { Next::End })
    }
}

/// Finds a term on a leaf: where its entries start, and where the next term begins, if one does.
/// `None` where the leaf is not as documented.
fn find(content: &[u8], mut terms: &[u8], key: &[u8]) -> Option<Option<(usize, Option<usize>)>> {
    let mut term: Vec<u8> = Vec::new();
    let mut at = 0;
    let mut is_first = true;
    while !terms.is_empty() {
        at += usize::try_from(varint(&mut terms)?).ok()?;
        let mut rest = content.get(at..)?;
        let kept = if is_first { 0 } else { usize::try_from(varint(&mut rest)?).ok()? };
        is_first = false;
        let new = usize::try_from(varint(&mut rest)?).ok()?;
        if kept > term.len() || new > rest.len() {
            return None;
        }
        term.truncate(kept);
        term.extend_from_slice(&rest[..new]);
        match term.as_slice().cmp(key) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                let next = if terms.is_empty() { None } else { Some(at + usize::try_from(varint(&mut terms)?).ok()?) };
                return Some(Some((content.len() - rest.len() + new, next)));
            }
            std::cmp::Ordering::Greater => return Some(None),
        }
    }
    Some(None)
}

/// How many positions are in a list, or in a part of one: each is a number whose last byte is small.
fn positions(bytes: &[u8]) -> u32 {
    bytes.iter().map(|byte| u32::from(*byte < 0x80)).sum()
}

/// Takes a number of SQLite from the front: seven bits in each byte but the ninth, the highest first.
fn varint(bytes: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for at in 0..9 {
        let byte = *bytes.get(at)?;
        if at == 8 {
            value = value << 8 | u64::from(byte);
        } else {
            value = value << 7 | u64::from(byte & 0x7f);
        }
        if at == 8 || byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value.cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::connect;
    use super::*;

    /// A made-up order of changes, the same each time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % below
        }
    }

    fn set(connection: &Connection, name: &str, value: i64) {
        connection.execute("INSERT INTO words (words, rank) VALUES (?, ?)", params![name, value]).expect("set");
    }

    fn text(dice: &mut Dice) -> String {
        let is_long = dice.roll(20) == 0;
        let words = 1 + dice.roll(if is_long { 900 } else { 12 });
        let word = |dice: &mut Dice| match dice.roll(4) {
            0 => "common".to_owned(),
            1 => format!("w{}", dice.roll(5)),
            2 => format!("often{}", dice.roll(40)),
            _ => format!("rare{}", dice.roll(2_000)),
        };
        (0..words).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
    }

    /// Whether what is read is what SQLite says, and was read and not asked for.
    fn check(connection: &Connection, terms: &[String]) {
        let segments = segments(connection).expect("asked").expect("known");
        for term in terms {
            let expected = by_asking(connection, term, usize::MAX).expect("asked");
            let found = in_segments(connection, &segments, term, usize::MAX).expect("read");
            assert_eq!(found.as_ref(), Some(&expected), "{term}");
            let places: usize = expected.iter().map(|posting| posting.frequency as usize).sum();
            for most in [places / 5, places.saturating_sub(1), places] {
                let expected = by_asking(connection, term, most).expect("asked");
                assert_eq!(of(connection, std::slice::from_ref(term), most).expect("read"), [expected]);
            }
        }
    }

    #[test]
    fn what_is_read_is_what_sqlite_says() {
        for (seed, page, merges) in [(1, 48, true), (2, 64, false), (3, 200, true), (4, 4050, true), (5, 4050, false)] {
            let connection = connect::empty().expect("a database");
            set(&connection, "pgsz", page);
            set(&connection, "automerge", if merges { 2 } else { 0 });
            set(&connection, "secure-delete", i64::from(seed % 2 == 1));
            let mut dice = Dice(seed);
            let mut kept: Vec<(i64, String)> = Vec::new();
            let mut next = 1;
            let mut terms: Vec<String> =
                ["common", "w0", "w3", "often7", "often39", "absent", "", "zzz", "a"].map(str::to_owned).into();
            terms.extend((0..12).map(|number| format!("rare{number}")));
            for _ in 0..60 {
                let transaction = connection.unchecked_transaction().expect("a transaction");
                for _ in 0..1 + dice.roll(25) {
                    let at = dice.roll(kept.len().max(1) as u64) as usize;
                    match dice.roll(10) {
                        0..=1 if !kept.is_empty() => {
                            let (number, text) = kept.swap_remove(at);
                            let gone = "INSERT INTO words (words, rowid, terms) VALUES ('delete', ?, ?)";
                            transaction.execute(gone, params![number, text]).expect("removed");
                            if dice.roll(2) == 0 {
                                // The same number once more, with another text.
                                let text = self::text(&mut dice);
                                let put = "INSERT INTO words (rowid, terms) VALUES (?, ?)";
                                transaction.execute(put, params![number, text]).expect("added");
                                kept.push((number, text));
                            }
                        }
                        _ => {
                            let text = text(&mut dice);
                            let put = "INSERT INTO words (rowid, terms) VALUES (?, ?)";
                            transaction.execute(put, params![next, text]).expect("added");
                            kept.push((next, text));
                            next += 1 + dice.roll(3) as i64 * dice.roll(200) as i64;
                        }
                    }
                }
                transaction.commit().expect("committed");
                if dice.roll(12) == 0 {
                    set(&connection, "merge", 30);
                }
                check(&connection, &terms);
            }
            connection.execute("INSERT INTO words (words) VALUES ('optimize')", []).expect("optimized");
            check(&connection, &terms);
            for (number, text) in kept {
                let gone = "INSERT INTO words (words, rowid, terms) VALUES ('delete', ?, ?)";
                connection.execute(gone, params![number, text]).expect("removed");
            }
            check(&connection, &terms);
        }
    }

    #[test]
    fn what_is_not_as_documented_is_asked_of_sqlite() {
        let connection = connect::empty().expect("a database");
        for number in 1..50 {
            connection.execute("INSERT INTO words (rowid, terms) VALUES (?, 'one two')", [number]).expect("added");
        }
        let terms = ["two".to_owned()];
        let expected = of(&connection, &terms, 100).expect("read");
        assert_eq!(expected[0].len(), 49);
        connection.execute("UPDATE words_config SET v = 6 WHERE k = 'version'", []).expect("changed");
        assert!(segments(&connection).expect("asked").is_none());
        connection.execute("UPDATE words_config SET v = 4 WHERE k = 'version'", []).expect("changed");
        for damage in [&[][..], &[0; 3], &[0xff; 40], &[0, 4, 0, 40, 0xff, 0xff]] {
            let mut list = List { postings: Vec::new(), places: 0, places_max: 1_000 };
            let mut reader = Reader { key: b"0two", number: 0, begun: None };
            for is_first in [true, false] {
                assert!(!matches!(reader.read(damage, is_first, &mut list), Some(Next::Leaf)), "{damage:?}");
            }
            assert!(list.postings.is_empty());
            assert!(read_structure(damage).is_none());
        }
    }
}
