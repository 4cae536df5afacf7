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

/// Bytes of a text that its length does not settle: a token has at most 128 bytes, so anything over
/// 128 kB is known not to fit without a look at it, and says nothing about a counter.
const UNSETTLED: usize = 100_000;

/// Prints what it takes to learn whether a text of any kind fits a thousand tokens.
pub fn fits() {
    println!("does a text fit {LIMIT} tokens of o200k_base? microseconds of processor time, medians of {ROUNDS};");
    println!("goals: under {MICROS_MAX}, at least 3 times faster than bpe-openai. Over 128 kB ours decides by the");
    println!("length alone (2 MB); what it costs to count is seen at 100 kB, and at a text that just fits");
    println!("{:16}{:>8}{:>10}{:>12}{:>8}", "", "text", "ours", "bpe-openai", "ratio");
    let encoding = Encoding::O200kBase;
    let reference = peers::reference(encoding);
    let words = Words::new();
    for (name, len) in [("100 kB", Some(UNSETTLED)), ("fitting", None), ("2 MB", Some(LEN))] {
        let mut ratios = Vec::new();
        for kind in &KINDS {
            let source = kind.text(&words, 31, 2 * LEN);
            let mut micros = [Vec::new(), Vec::new()];
            for round in 0..ROUNDS {
                // Another part each time, so that no cache has seen it.
                let rest = &source[source.floor_char_boundary(round * LEN / ROUNDS)..];
                let text = match len {
                    Some(len) => &rest[..rest.floor_char_boundary(len)],
                    None => encoding.prefix(rest, LIMIT),
                };
                let mut both = [None, None];
                for at in [round % 2, 1 - round % 2] {
                    // A copy, so that neither finds it in the processor's caches because of the other.
                    let text = text.to_owned();
                    let (fits, seconds) = if at == 0 {
                        timed(|| encoding.fits(&text, LIMIT))
                    } else {
                        let normal = reference.normalize(text.as_str());
                        timed(|| reference.count_till_limit(&normal, LIMIT).is_some())
                    };
                    micros[at].push(seconds * 1e6);
                    both[at] = Some(fits);
                }
                assert_eq!(both[0], both[1], "{}: ours and bpe-openai", kind.name);
            }
            let [ours, theirs] = micros.map(median);
            let ratio = theirs / ours;
            let verdicts = [verdict(-ours, -MICROS_MAX), verdict(ratio, 3.0)].join(" ");
            println!("{:16}{name:>8}{ours:10.1}{theirs:12.1}{ratio:8.1}   {verdicts}", kind.name);
            ratios.push(ratio);
        }
        let ratio = mean(ratios);
        println!("{name}: geometric mean {ratio:.1} times bpe-openai, {}", verdict(ratio, 3.0));
    }
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
