//! A process that counts one file with one counter, for `tests/perf/tokens.py` to start and to weigh.
//!
//!     cold COUNTER FILE     COUNTER: nothing, ours, bpe-openai, tiktoken-rs, toktok-rs or tiktoken
//!
//! `nothing` reads the file and prints its length: what any process costs.
//!
//!     cold weigh PROGRAM ARGUMENT...
//!
//! runs a program and says on stderr what it took: milliseconds of processor time and KiB of memory at
//! the peak. Linux counts the memory of the process that starts another as the other's, so whoever
//! weighs has to be small itself, as Python with a vocabulary is not.

#![expect(clippy::disallowed_macros, clippy::print_stdout, clippy::print_stderr, reason = "its output is a number")]

use context_engine::tokens::Encoding;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn main() -> std::process::ExitCode {
    // Cargo adds `--bench` when it starts this; then there is nothing to do.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [weigh, program, arguments @ ..] = words.as_slice()
        && weigh == "weigh"
    {
        return self::weigh(program, arguments);
    }
    let [counter, file] = words.as_slice() else {
        eprintln!("error: name a counter and a file");
        return if words.is_empty() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::from(2) };
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: {file}: {error}");
            return std::process::ExitCode::FAILURE;
        }
    };
    let tokens = match counter.as_str() {
        "nothing" => text.len(),
        "ours" => Encoding::O200kBase.count(&text),
        "bpe-openai" => bpe_openai::o200k_base().count(&*text),
        "tiktoken-rs" => tiktoken_rs::o200k_base_singleton().count_ordinary(&text),
        "toktok-rs" => {
            let toktok = toktok::Tokenizer::builtin("o200k_base").expect("the encoding is built in");
            toktok.count(text.as_bytes())
        }
        "tiktoken" => tiktoken::get_encoding("o200k_base").expect("the encoding is built in").count(&text),
        _ => {
            eprintln!("error: no counter is called {counter:?}");
            return std::process::ExitCode::from(2);
        }
    };
    println!("{tokens}");
    std::process::ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "what is started is what is measured")]
fn weigh(program: &str, arguments: &[String]) -> std::process::ExitCode {
    let status = std::process::Command::new(program).args(arguments).status();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("Linux says what children used");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    eprintln!("{} {}", micros as f64 / 1000.0, usage.max_rss());
    match status {
        Ok(status) if status.success() => std::process::ExitCode::SUCCESS,
        other => {
            eprintln!("error: {program}: {other:?}");
            std::process::ExitCode::FAILURE
        }
    }
}
