//! What needs less than a count: whether a text fits, and the count after an edit.

use context_engine::tokens::{Document, Encoding};

use crate::clock::{mean, median, timed, verdict};
use crate::corpus::{KINDS, Words};
use crate::peers;
use crate::texts::Random;

const LEN: usize = 2_000_000;
const LIMIT: usize = 1000;
const ROUNDS: usize = 31;

/// Microseconds that `fits` and an edit may take.
const MICROS_MAX: f64 = 100.0;

/// Prints what it takes to learn that a text of any kind does not fit a thousand tokens.
pub fn fits() {
    println!("does a text of 2 MB fit {LIMIT} tokens of o200k_base? microseconds of processor time,");
    println!("medians of {ROUNDS} texts; goals: under {MICROS_MAX}, at least 3 times faster than bpe-openai");
    println!("{:16}{:>10}{:>12}{:>8}", "", "ours", "bpe-openai", "ratio");
    let encoding = Encoding::O200kBase;
    let reference = peers::reference(encoding);
    let words = Words::new();
    let mut ratios = Vec::new();
    for kind in &KINDS {
        let text = kind.text(&words, 31, LEN);
        let mut micros = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            // Another part each time, so that no cache has seen it.
            let text = &text[text.floor_char_boundary(round * LEN / 2 / ROUNDS)..];
            let normal = reference.normalize(text);
            let (fits, seconds) = timed(|| encoding.fits(text, LIMIT));
            micros[0].push(seconds * 1e6);
            let (count, seconds) = timed(|| reference.count_till_limit(&normal, LIMIT));
            micros[1].push(seconds * 1e6);
            assert_eq!(fits, count.is_some(), "{}: ours and bpe-openai", kind.name);
        }
        let [ours, theirs] = micros.map(median);
        let ratio = theirs / ours;
        let verdicts = [verdict(-ours, -MICROS_MAX), verdict(ratio, 3.0)].join(" ");
        println!("{:16}{ours:10.1}{theirs:12.1}{ratio:8.1}   {verdicts}", kind.name);
        ratios.push(ratio);
    }
    let ratio = mean(ratios);
    println!("geometric mean: {ratio:.1} times bpe-openai, {}", verdict(ratio, 3.0));
}

/// Prints what an edit of a document of 2 MB costs, beside a count of the whole.
pub fn document() {
    println!("one edit of a document of 2 MB, microseconds of processor time, medians of {ROUNDS} edits;");
    println!("goals: under {MICROS_MAX}, under 1/100 of a count of the whole");
    println!("{:16}{:>10}{:>12}{:>8}", "", "an edit", "the whole", "ratio");
    let encoding = Encoding::O200kBase;
    let words = Words::new();
    let mut random = Random::new(17);
    for kind in &KINDS {
        let mut text = kind.text(&words, 41, LEN);
        let mut document = Document::new(encoding, &text);
        let mut micros = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            let start = text.floor_char_boundary(random.below(text.len()));
            let end = text.ceil_char_boundary((start + random.below(20)).min(text.len()));
            let new = ["x", "", " and", "\n", "fn main() {}\n", "中文"][random.below(6)];
            let (tokens, seconds) = timed(|| {
                document.edit(start..end, new).expect("the range lies in the text");
                document.tokens()
            });
            micros[0].push(seconds * 1e6);
            text.replace_range(start..end, new);
            let (expected, seconds) = timed(|| encoding.count(&text));
            micros[1].push(seconds * 1e6);
            assert_eq!(tokens, expected, "{}: the document and a count of its text", kind.name);
        }
        let [edit, whole] = micros.map(median);
        let verdicts = [verdict(-edit, -MICROS_MAX), verdict(whole / edit, 100.0)].join(" ");
        println!("{:16}{edit:10.1}{whole:12.1}{:8.0}   {verdicts}", kind.name, whole / edit);
    }
}
