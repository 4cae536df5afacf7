//! A process that counts one file with one counter, for `tests/perf/tokens.py` to start and to weigh.
//!
//!     cold COUNTER FILE     COUNTER: nothing, ours, bpe-openai, tiktoken-rs, toktok-rs or tiktoken
//!
//! `nothing` reads the file and prints its length: what any process costs.

#![expect(clippy::disallowed_macros, clippy::print_stdout, clippy::print_stderr, reason = "its output is a number")]

use context_engine::tokens::Encoding;

fn main() -> std::process::ExitCode {
    // Cargo adds `--bench` when it starts this; then there is nothing to do.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
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
