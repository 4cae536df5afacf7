//! `ctx memory brief`: what an assistant should know when a session begins.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;

use super::tool::printed;
use super::with_json;
use crate::tokens::Budget;
use crate::tools::{Services, ToolError};

/// Returns the command line of `ctx memory brief`.
pub fn command() -> Command {
    with_json(Command::new("brief"))
        .about("Print what matters most of all that is remembered, for the beginning of a session")
        .arg(
            Arg::new("max-tokens")
                .long("max-tokens")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Most tokens of what is printed (default: context.max_tokens)"),
        )
        .after_help(
            "Pinned memories come first, then preferences, decisions, procedures and facts by importance and \
             freshness, then the latest episodes. Where nothing is remembered, nothing is printed. Made for a hook \
             that runs when a session starts.",
        )
}

/// Prints it.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let asked = matches.get_one::<u32>("max-tokens").map(|&tokens| tokens as usize);
    let tokens = asked.unwrap_or(services.config.context.max_tokens);
    let brief = services.memories.brief(Budget { tokens, measure: services.default_measure() }).await?;
    if matches.get_flag("json") {
        let shown = json!({
            "text": brief.text,
            "tokens": brief.tokens,
            "memories": brief.memories,
            "more": brief.more,
            "suspicious": brief.suspicious,
        });
        return printed(&shown.to_string());
    }
    printed(&brief.text)
}
