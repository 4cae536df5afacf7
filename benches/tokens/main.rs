//! How fast tokens are counted, beside other counters, in one run on one machine.
//!
//!     cargo bench --bench tokens                     all of it
//!     cargo bench --bench tokens -- PART...          speed, pathological, fits, document, exact, readme
//!     cargo bench --bench tokens -- speed Rust JSON  some kinds of text
//!
//! Figures are processor time of the whole process, so whoever starts threads pays for them, and a
//! busy machine changes little. Counters take turns, in rounds, and the median round counts; ratios
//! are what to read. A goal that is missed is printed as SHORT and does not fail; a wrong count does.

#![expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark is for its output"
)]

mod clock;
mod corpus;
mod exact;
mod hard;
mod parts;
mod peers;
mod speed;

#[path = "../../tests/it/checks.rs"]
#[expect(dead_code, reason = "edits are checked by the fuzz target and by the tests")]
mod checks;

#[path = "../../tests/it/texts.rs"]
mod texts;

const PARTS: [&str; 6] = ["speed", "pathological", "fits", "document", "exact", "readme"];

fn main() -> std::process::ExitCode {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let (mut parts, kinds): (Vec<&str>, Vec<&str>) =
        words.iter().map(String::as_str).partition(|word| PARTS.contains(word));
    if let Some(unknown) = kinds.iter().find(|word| corpus::KINDS.iter().all(|kind| kind.name != **word)) {
        let known: Vec<&str> = corpus::KINDS.iter().map(|kind| kind.name).collect();
        eprintln!("error: no part or kind of text is called {unknown:?}; parts are {PARTS:?}, kinds are {known:?}");
        return std::process::ExitCode::from(2);
    }
    if parts.is_empty() {
        parts = if kinds.is_empty() { PARTS[..5].to_vec() } else { vec!["speed"] };
    }
    for part in parts {
        match part {
            "speed" => speed::run(&kinds),
            "pathological" => hard::run(),
            "fits" => parts::fits(),
            "document" => parts::document(),
            "exact" => exact::run(),
            _ => speed::update_readme(),
        }
        println!();
    }
    std::process::ExitCode::SUCCESS
}
