//! `ctx memory tidy`: decay and consolidation, told beforehand and taken back.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::tool::printed;
use super::with_json;
use crate::base::{MemoryId, Timestamp, thousands};
use crate::memory::{Reason, Tidied, TidyRules, Tidying, Undo};
use crate::tools::{ErrorKind, Services, ToolError};

/// How a tidying is named: by its moment.
const PREFIX: &str = "tidy_";

/// Returns the command line of `ctx memory tidy`.
pub fn command() -> Command {
    let rules = TidyRules::default();
    with_json(Command::new("tidy"))
        .about("Put away what expired, says the same as another, or faded; everything can be taken back")
        .arg(Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only say what would be done"))
        .arg(
            Arg::new("days")
                .long("days")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..=36_500))
                .default_value(rules.episode_days.to_string())
                .help("Episodes fade N days after they happened or were recalled"),
        )
        .arg(
            Arg::new("importance")
                .long("importance")
                .value_name("X")
                .value_parser(importance)
                .default_value(rules.importance_max.to_string())
                .help("Episodes of more importance than this, from 0 to 1, never fade"),
        )
        .arg(
            Arg::new("undo")
                .long("undo")
                .value_name("RUN|ID")
                .value_parser(undo)
                .conflicts_with_all(["dry-run", "days", "importance"])
                .help("Take back a tidying, tidy_..., or what it did to one memory, mem_..."),
        )
        .after_help(
            "Memories that expired are forgotten. Of memories that say nearly the same, of the same scope, session \
             and speaker, the best stays current (pinned, then important, then the longer, then the newer) and \
             supersedes the others, which stay in history. Episodes that are old, unpinned, not recalled lately \
             and of no more than usual importance are forgotten. Forgetting leaves the text in the file until it is purged.",
        )
}

/// Tidies, or takes a tidying back.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    services.stores()?;
    let json = matches.get_flag("json");
    if let Some(undo) = matches.get_one::<Undo>("undo") {
        let back = services.memories.undo_tidying(undo).await?;
        if back.is_empty() {
            return Err(ToolError::new(ErrorKind::NotFound, "there is nothing to take back")
                .with_hint("name the run that `ctx memory tidy` told, or the id of a memory that it put away"));
        }
        let text = if json {
            json!({ "back": back }).to_string()
        } else {
            back.iter().map(|id| format!("back {id}")).collect::<Vec<_>>().join("\n")
        };
        return printed(&text);
    }
    let rules = TidyRules {
        episode_days: matches.get_one("days").copied().unwrap_or(TidyRules::default().episode_days),
        importance_max: matches.get_one("importance").copied().unwrap_or(TidyRules::default().importance_max),
    };
    let dry_run = matches.get_flag("dry-run");
    let tidying = services.memories.tidy(&rules, dry_run).await?;
    printed(&if json { as_json(&tidying, dry_run).to_string() } else { told(&tidying) })
}

fn told(tidying: &Tidying) -> String {
    let looked_at = thousands(tidying.looked_at);
    if tidying.tidied.is_empty() {
        return format!("{looked_at} current memories, nothing to tidy");
    }
    let verb = |reason: &Reason| match (tidying.at, reason) {
        (Some(_), Reason::SaysTheSame(_)) => "superseded",
        (Some(_), _) => "forgot",
        (None, Reason::SaysTheSame(_)) => "would supersede",
        (None, _) => "would forget",
    };
    let line = |one: &Tidied| format!("{} {} ({}): {}", verb(&one.reason), one.id, why(&one.reason), one.preview);
    let mut lines: Vec<String> = tidying.tidied.iter().map(line).collect();
    lines.push(match tidying.at {
        Some(at) => format!(
            "{} of {looked_at} current memories; to take it back: ctx memory tidy --undo {}",
            thousands(tidying.tidied.len()),
            name(at)
        ),
        None => format!("{} of {looked_at} current memories; nothing was changed", thousands(tidying.tidied.len())),
    });
    lines.join("\n")
}

fn as_json(tidying: &Tidying, dry_run: bool) -> Value {
    let tidied = tidying.tidied.iter().map(|one| {
        let mut shown = json!({ "id": one.id, "preview": one.preview, "why": why(&one.reason) });
        match &one.reason {
            Reason::Expired(_) => shown["reason"] = json!("expired"),
            Reason::Faded(_) => shown["reason"] = json!("faded"),
            Reason::SaysTheSame(best) => {
                shown["reason"] = json!("says_the_same");
                shown["superseded_by"] = json!(best);
            }
        }
        shown
    });
    json!({
        "run": tidying.at.map(name),
        "dry_run": dry_run,
        "looked_at": tidying.looked_at,
        "tidied": tidied.collect::<Vec<_>>(),
    })
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::Expired(at) => format!("expired {}", at.strftime("%F")),
        Reason::SaysTheSame(best) => format!("says the same as {best}"),
        Reason::Faded(days) => {
            format!(
                "an episode of {} days ago, not pinned and not recalled lately",
                thousands(usize::try_from(*days).unwrap_or(0))
            )
        }
    }
}

fn name(at: Timestamp) -> String {
    format!("{PREFIX}{}", at.as_microsecond())
}

fn undo(text: &str) -> Result<Undo, String> {
    if let Some(micros) = text.strip_prefix(PREFIX) {
        let at = micros.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
        return at.map(Undo::Run).ok_or_else(|| "a tidying is tidy_ and a number".to_owned());
    }
    text.parse::<MemoryId>().map(Undo::One).map_err(|error| error.to_string())
}

fn importance(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("expected a number from 0 to 1".to_owned()) }
}
