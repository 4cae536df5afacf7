//! Texts of a megabyte that have made counters panic or crawl.

use std::fmt::Write as _;

use context_engine::tokens::Encoding;

use crate::clock::{median, timed, verdict};
use crate::peers;
use crate::texts::Random;

const LEN: usize = 1 << 20;
const ROUNDS: usize = 3;

/// MB per second that any text should be counted with.
const SPEED_GOAL: f64 = 8.0;

/// How much longer sixteen times the text may take.
const GROWTH_GOAL: f64 = 20.0;

/// Characters from a range, at random.
fn any(len: usize, first: u32, count: usize) -> String {
    let mut random = Random::new(5);
    let mut text = String::with_capacity(len + 4);
    while text.len() < len {
        text.extend(char::from_u32(first + random.below(count) as u32));
    }
    text
}

fn repeated(len: usize, part: &str) -> String {
    part.repeat(len / part.len() + 1)
}

/// Rows of 20 to 200 blanks, each closed by a tab: one pretoken, made of long tokens.
fn rows(len: usize) -> String {
    let mut random = Random::new(13);
    let mut text = String::new();
    while text.len() < len {
        text.extend(std::iter::repeat_n(' ', 20 + random.below(181)));
        text.push('\t');
    }
    text
}

/// Returns texts of about `len` bytes.
fn texts(len: usize) -> Vec<(&'static str, String)> {
    let mut random = Random::new(9);
    let digits: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let base64 = (0..len).map(|_| digits[random.below(64)]).collect();
    let mut crowd = String::new();
    while crowd.len() < len {
        let _ = write!(crowd, "👩{}\u{200d}👨\u{200d}👧", ["🏻", "🏽", "🏿", ""][random.below(4)]);
    }
    vec![
        ("spaces", repeated(len, " ")),
        ("newlines", repeated(len, "\n")),
        ("spaces, newlines, tabs", any(len, 9, 2).replace('\t', " \t ")),
        ("one letter", repeated(len, "a")),
        ("one capital", repeated(len, "A")),
        ("ab", repeated(len, "ab")),
        ("random letters", any(len, 0x61, 26)),
        ("random capitals", any(len, 0x41, 26)),
        ("random a and b", any(len, 0x61, 2)),
        ("random signs", any(len, 0x21, 15)),
        ("random ASCII", any(len, 0x20, 95)),
        ("digits", repeated(len, "7")),
        ("random digits", any(len, 0x30, 10)),
        ("slashes", repeated(len, "/")),
        ("dashes", repeated(len, "-")),
        ("quotes", repeated(len, "'")),
        ("base64 in one line", base64),
        ("one Chinese character", repeated(len, "中")),
        ("random Chinese", any(len, 0x4e00, 0x5200)),
        ("random Korean", any(len, 0xac00, 11_172)),
        ("random Cyrillic", any(len, 0x430, 32)),
        ("random emoji", any(len, 0x1f300, 700)),
        ("families", crowd),
        ("combining marks", repeated(len, "\u{301}")),
        ("random marks", any(len, 0x300, 112)),
        ("random characters", any(len, 1, 0xd7ff)),
        ("NUL", repeated(len, "\0")),
        ("caseless, then capitals", format!("ʰ{}", repeated(len, "A"))),
        ("caseless and capitals", repeated(len, "ʰA")),
        ("82 spaces and a tab", repeated(len, &format!("{}\t", " ".repeat(82)))),
        ("rows of blanks and tabs", rows(len)),
        ("special tokens", repeated(len, "<|endoftext|>")),
    ]
}

/// Prints the speed of ours and of `bpe-openai` on each, and how ours grows with the length.
pub fn run() {
    for encoding in [Encoding::O200kBase, Encoding::Cl100kBase] {
        let peers = peers::two(encoding);
        println!("{encoding}, 1 MiB: MB per second of processor time; goals: {SPEED_GOAL} and 1 times bpe-openai;");
        println!("the time for 16 MiB over that for 1 MiB, goal {GROWTH_GOAL}");
        println!("{:26}{:>10}{:>12}{:>8}{:>10}", "", "ours", "bpe-openai", "ratio", "16 MiB");
        for ((name, text), (_, long)) in texts(LEN).into_iter().zip(texts(16 * LEN)) {
            let mut seconds = vec![Vec::new(); 2];
            for round in 0..ROUNDS {
                let mut counts = [None; 2];
                for at in [round % 2, 1 - round % 2] {
                    let (tokens, time) = timed(|| peers[at].count(&text));
                    seconds[at].push(time);
                    counts[at] = tokens;
                }
                assert_eq!(counts[0], counts[1], "{encoding}: {name}: ours and bpe-openai");
            }
            let [ours, theirs] = [0, 1].map(|at| median(seconds[at].clone()));
            let (tokens, long_time) = timed(|| peers[0].count(&long));
            assert!(tokens.is_some(), "{encoding}: {name}: 16 MiB are counted");
            let speed = text.len() as f64 / 1e6 / ours;
            let growth = long_time / ours;
            let verdicts = [verdict(speed, SPEED_GOAL), verdict(theirs / ours, 1.0), verdict(-growth, -GROWTH_GOAL)];
            println!(
                "{name:26}{speed:10.1}{:12.1}{:8.1}{growth:10.1}   {}",
                text.len() as f64 / 1e6 / theirs,
                theirs / ours,
                if verdicts == ["ok"; 3] { "ok".to_owned() } else { verdicts.join(" ") }
            );
        }
        println!();
    }
}
