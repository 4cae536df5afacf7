//! `ctx backup` and `ctx restore`: the whole store as one file, and back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use super::tool::{finished, printed};
use super::with_json;
use crate::base::{bytes, thousands};
use crate::memory::MemoryError;
use crate::store::{BackupInfo, StoreError};
use crate::tools::{ErrorKind, Services, ToolError};

/// Returns the command line of `ctx backup`.
pub fn backup_command() -> Command {
    with_json(Command::new("backup"))
        .about("Copy memories, runs and originals to one file, checked, while others go on")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Where to; without it, beside the store, with the time in its name"),
        )
        .arg(of_user())
        .after_help(
            "The copy is one moment of the store. Its pages, the version of its schema and the rows of every table \
             are checked before it gets its name. Only you can read it. It holds what is purged later: purging \
             names it.",
        )
}

/// Returns the command line of `ctx restore`.
pub fn restore_command() -> Command {
    with_json(Command::new("restore"))
        .about("Put a backup in the place of the present store, of which a backup is kept first")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("What `ctx backup` or a migration made"),
        )
        .arg(of_user())
        .arg(
            Arg::new("replace-damaged")
                .long("replace-damaged")
                .action(ArgAction::SetTrue)
                .help("Replace a present store that is damaged; every other ctx of the project must have ended"),
        )
        .after_help(
            "Other processes may stay open: they go on with what was restored. What they stored since the backup is \
             in the backup of the present store, whose name is told. A backup that is damaged, or of a newer ctx, is \
             refused, and nothing is changed.",
        )
}

fn of_user() -> Arg {
    Arg::new("user").long("user").action(ArgAction::SetTrue).help("Your own memories instead of the project's")
}

/// Makes a backup.
pub async fn back_up(matches: &ArgMatches, services: &Services) -> ExitCode {
    let target = matches.get_one::<PathBuf>("file").map(PathBuf::as_path);
    let done = async {
        services.stores()?;
        let info = services.memories.back_up(matches.get_flag("user"), target).await.map_err(refusal)?;
        let text = if matches.get_flag("json") {
            as_json(&info).to_string()
        } else {
            format!("{}: {}, {}; checked", info.path.display(), bytes(info.bytes), content(&info))
        };
        printed(&text)
    };
    finished(done.await)
}

/// Puts a backup back.
pub async fn restore(matches: &ArgMatches, services: &Services) -> ExitCode {
    let done = async {
        services.stores()?;
        let from = matches.get_one::<PathBuf>("file").ok_or_else(|| ToolError::invalid("no backup is named"))?;
        let (of_user, replace) = (matches.get_flag("user"), matches.get_flag("replace-damaged"));
        let restored = services.memories.restore_backup(of_user, from, replace).await.map_err(refusal)?;
        let text = if matches.get_flag("json") {
            json!({ "restored": as_json(&restored.from), "kept": restored.kept }).to_string()
        } else {
            let kept = match &restored.kept {
                Some(kept) => format!("what was there before: {}", kept.display()),
                None => "there was nothing before".to_owned(),
            };
            format!("restored {}: {}\n{kept}", from.display(), content(&restored.from))
        };
        printed(&text)
    };
    finished(done.await)
}

fn content(info: &BackupInfo) -> String {
    let rows = |table| thousands(usize::try_from(info.rows_of(table)).unwrap_or(usize::MAX));
    format!(
        "{} memories with their history, {} runs, {} originals (schema version {})",
        rows("memories"),
        rows("runs"),
        rows("contents"),
        info.schema_version
    )
}

fn as_json(info: &BackupInfo) -> serde_json::Value {
    let rows: serde_json::Map<String, serde_json::Value> =
        info.rows.iter().map(|(name, rows)| (name.clone(), json!(rows))).collect();
    json!({ "path": info.path, "bytes": info.bytes, "schema_version": info.schema_version, "rows": rows })
}

/// A backup that is refused is nothing that the store's health could explain.
fn refusal(error: MemoryError) -> ToolError {
    match &error {
        MemoryError::Store(StoreError::Backup { .. }) => ToolError::new(ErrorKind::Refused, error.to_string()),
        MemoryError::Store(StoreError::TooNew { .. }) => ToolError::new(ErrorKind::Refused, error.to_string())
            .with_hint("nothing was changed; a newer ctx can restore it"),
        _ => error.into(),
    }
}
