//! Megabytes per second of processor time, by kind of text: of new text, and of the same text again.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use context_engine::tokens::Encoding;

use crate::clock::{mean, median, timed, verdict};
use crate::corpus::{KINDS, Kind, Words};
use crate::peers::{self, Peer};

/// Bytes of a text.
const LEN: usize = 2_000_000;

/// Texts of a kind that are counted after the one that warms up.
const ROUNDS: u64 = 5;

/// The most bytes that `tiktoken` is given at once of kinds of which it takes time that grows with
/// their square.
const PIECE_MAX: usize = 512;

/// The kinds that a mean is taken of, with the name of the group.
const GROUPS: [(&str, &[&str]); 4] =
    [("prose", &["prose"]), ("code", &["Rust", "Python", "TypeScript"]), ("JSON", &["JSON"]), ("logs", &["logs"])];

/// The kinds that have goals of their own.
const OTHERS: [&str; 6] = ["Chinese", "Japanese", "Korean", "mixed scripts", "base64", "whitespace"];

/// Which pass over a text.
#[derive(Clone, Copy)]
enum Pass {
    First,
    Warm,
}

/// The medians of a kind of text, by counter.
struct Row {
    kind: &'static str,
    first: Vec<f64>,
    warm: Vec<f64>,
}

impl Row {
    fn of(&self, pass: Pass) -> &[f64] {
        match pass {
            Pass::First => &self.first,
            Pass::Warm => &self.warm,
        }
    }
}

/// Prints the tables for some kinds, or for all when none is named.
pub fn run(kinds: &[&str]) {
    let (peers, rows) = measure(kinds);
    print(&peers, &rows);
}

/// Replaces the table in README.md.
pub fn update_readme() {
    let (peers, rows) = measure(&[]);
    print(&peers, &rows);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&file).expect("README.md is readable");
    let marks = ["<!-- made by `cargo bench --bench tokens -- readme` -->\n", "<!-- end -->"];
    let (before, rest) = text.split_once(marks[0]).expect("README.md has the mark where the table begins");
    let (_, after) = rest.split_once(marks[1]).expect("README.md has the mark where the table ends");
    let table = table(&peers, &rows);
    fs::write(&file, format!("{before}{}{table}{}{after}", marks[0], marks[1])).expect("README.md is writable");
    println!("\n{table}");
}

fn measure(kinds: &[&str]) -> (Vec<Peer>, Vec<Row>) {
    let words = Words::new();
    let mut peers = peers::all(Encoding::O200kBase);
    let chosen = KINDS.iter().filter(|kind| kinds.is_empty() || kinds.contains(&kind.name));
    let mut rows = Vec::new();
    for kind in chosen {
        let eastern = ["Chinese", "Japanese", "Korean", "mixed scripts"].contains(&kind.name);
        let last = peers.last_mut().expect("there are peers");
        last.piece_max = if eastern { PIECE_MAX } else { usize::MAX };
        print_variety(kind, &words);
        let warming = kind.text(&words, 1, LEN);
        for peer in &peers {
            peer.count(&warming);
        }
        let mut first = vec![Vec::new(); peers.len()];
        let mut warm = vec![Vec::new(); peers.len()];
        for round in 0..ROUNDS {
            let text = kind.text(&words, 2 + round, LEN);
            let mut counts = vec![None; peers.len()];
            let order = (0..peers.len()).map(|at| (at + round as usize) % peers.len());
            for at in order {
                let peer = &peers[at];
                let seconds;
                (counts[at], seconds) = timed(|| peer.count(&text));
                first[at].push(LEN as f64 / 1e6 / seconds);
                let (_, seconds) = timed(|| peer.count(&text));
                warm[at].push(LEN as f64 / 1e6 / seconds);
            }
            compare(kind.name, &peers, &counts);
        }
        let row = Row {
            kind: kind.name,
            first: first.into_iter().map(median).collect(),
            warm: warm.into_iter().map(median).collect(),
        };
        eprintln!("{} measured", row.kind);
        rows.push(row);
    }
    (peers, rows)
}

/// Prints how many different pretokens a text has and how many are tokens: what caches live on.
fn print_variety(kind: &Kind, words: &Words) {
    let text = kind.text(words, 1, LEN);
    let reference = peers::reference(Encoding::O200kBase);
    let mut seen = HashSet::new();
    let (mut all, mut whole) = (0, 0);
    for pretoken in reference.split(&text) {
        all += 1;
        whole += usize::from(reference.bpe.count(pretoken.as_bytes()) == 1);
        seen.insert(pretoken);
    }
    println!(
        "{:16}{all:8} pretokens in 2 MB, {:6} different ones, {:3} % are tokens",
        kind.name,
        seen.len(),
        100 * whole / all
    );
}

/// Prints who panicked or counted otherwise than ours; panics when one that is exact did.
fn compare(kind: &str, peers: &[Peer], counts: &[Option<usize>]) {
    for (peer, count) in peers.iter().zip(counts) {
        match count {
            None => println!("{kind}: {} panicked", peer.name),
            // Pieces of a text may have more tokens than the text.
            Some(_) if peer.piece_max < LEN => {}
            Some(_) if *count == counts[0] => {}
            Some(count) => {
                assert!(!peer.exact, "{kind}: {} counts {count}, ours {:?}", peer.name, counts[0]);
                println!("{kind}: {} counts {count}, ours {:?}", peer.name, counts[0]);
            }
        }
    }
}

fn print(peers: &[Peer], rows: &[Row]) {
    println!("MB per second of processor time, o200k_base, medians of {ROUNDS} texts of {} MB each.", LEN / 1_000_000);
    println!("tiktoken (goliajp) is given {PIECE_MAX} bytes at a time of Chinese, Japanese, Korean and mixed scripts.");
    for (pass, title) in [(Pass::First, "new text, after other text of its kind"), (Pass::Warm, "the same text again")]
    {
        println!("\n{title}");
        print!("{:16}", "");
        for peer in peers {
            print!("{:>12}", peer.name);
        }
        println!("   ratio to each");
        for row in rows {
            let figures = row.of(pass);
            print!("{:16}", row.kind);
            for figure in figures {
                print!("{figure:12.1}");
            }
            print!("  ");
            for figure in &figures[1..] {
                print!("{:6.1}", figures[0] / figure);
            }
            println!();
        }
        print_goals(peers, rows, pass);
    }
    println!();
    for kind in OTHERS {
        let Some(row) = rows.iter().find(|row| row.kind == kind) else { continue };
        for (name, goal) in [("tiktoken-rs", 3.0), ("bpe-openai", 2.0), ("toktok-rs", 1.0)] {
            let ratio = ratio(peers, row, name, Pass::First);
            println!("{kind:16} new text, {ratio:5.2} times {name:12} goal {goal:4} {}", verdict(ratio, goal));
        }
    }
}

fn print_goals(peers: &[Peer], rows: &[Row], pass: Pass) {
    let goals = match pass {
        Pass::First => [("tiktoken-rs", 8.0), ("bpe-openai", 6.0), ("toktok-rs", 1.5)],
        Pass::Warm => [("tiktoken-rs", 12.0), ("bpe-openai", 8.0), ("toktok-rs", 1.3)],
    };
    for (name, goal) in goals {
        if let Some(ratio) = overall(peers, rows, name, pass) {
            println!(
                "mean of prose, code, JSON, logs: {ratio:5.2} times {name:12} goal {goal:4} {}",
                verdict(ratio, goal)
            );
        }
    }
}

fn ratio(peers: &[Peer], row: &Row, name: &str, pass: Pass) -> f64 {
    let figures = row.of(pass);
    let at = peers.iter().position(|peer| peer.name == name).expect("a peer");
    figures[0] / figures[at]
}

/// Returns the geometric mean over the groups of how many times faster ours is.
fn overall(peers: &[Peer], rows: &[Row], name: &str, pass: Pass) -> Option<f64> {
    let mut means = Vec::new();
    for (_, kinds) in GROUPS {
        let of_group: Vec<&Row> = rows.iter().filter(|row| kinds.contains(&row.kind)).collect();
        if of_group.len() < kinds.len() {
            return None;
        }
        means.push(mean(of_group.into_iter().map(|row| ratio(peers, row, name, pass))));
    }
    Some(mean(means))
}

/// The figures in short, in Markdown.
fn table(peers: &[Peer], rows: &[Row]) -> String {
    let mut text = String::from("| MB/s, new text (again) |");
    for peer in peers {
        let name = if peer.name == "ours" { "**ctx**" } else { peer.name };
        let _ = write!(text, " {name} |");
    }
    let _ = write!(text, "\n|---|{}\n", "--:|".repeat(peers.len()));
    let groups = GROUPS.into_iter().chain([
        ("Chinese, Japanese, Korean", &["Chinese", "Japanese", "Korean"][..]),
        ("mixed scripts", &["mixed scripts"][..]),
    ]);
    for (name, kinds) in groups {
        let _ = write!(text, "| {name} |");
        let of_group: Vec<&Row> = rows.iter().filter(|row| kinds.contains(&row.kind)).collect();
        for at in 0..peers.len() {
            let [first, warm] = [Pass::First, Pass::Warm].map(|pass| mean(of_group.iter().map(|row| row.of(pass)[at])));
            let _ = write!(text, " {first:.0} ({warm:.0}) |");
        }
        text.push('\n');
    }
    text
}
