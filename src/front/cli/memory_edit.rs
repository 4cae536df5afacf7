//! `ctx memory edit`: a new text for a memory, in the editor; the old one stays in history.

use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::memory::whole_id;
use super::tool::printed;
use super::tool::read_stdin;
use super::with_json;
use crate::exec;
use crate::memory::{Record, Update};
use crate::tools::{ErrorKind, Services, ToolError};

/// What is asked for an editor, in this order.
const EDITORS: [&str; 3] = ["CTX_EDITOR", "VISUAL", "EDITOR"];

/// Returns the command line of `ctx memory edit`.
pub fn command() -> Command {
    with_json(Command::new("edit"))
        .about("Change the text of a memory in $VISUAL or $EDITOR; the old one stays in history")
        .arg(Arg::new("id").value_name("ID").required(true).help("The memory: mem_..., or the end of its id"))
        .arg(
            Arg::new("text")
                .long("text")
                .value_name("TEXT")
                .help("The new text, without an editor; `-`: standard input"),
        )
}

/// Edits.
pub async fn run(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let named = matches.get_one::<String>("id").map_or("", String::as_str);
    let id = whole_id(services, named).await?;
    let memory = services.memories.versions(&id).await?.into_iter().find(|one| one.content.id == id);
    let before = memory.map(|memory| memory.content.text).unwrap_or_default();
    let text = match matches.get_one::<String>("text").map(String::as_str) {
        Some("-") => read_stdin(true)?.unwrap_or_default(),
        Some(text) => text.to_owned(),
        None => edited(services, &before).await?,
    };
    if text.trim() == before.trim() {
        return Err(ToolError::invalid(format!("the text of {id} is the same as before; nothing was changed")));
    }
    let updated = services.memories.update(&id, Update { text: Some(text), ..Update::default() }).await?;
    if matches.get_flag("json") {
        let mut shown = json!(Record::of(&updated.memory));
        shown["redacted"] = updated.redacted.iter().map(|one| one.kind).collect();
        return printed(&shown.to_string());
    }
    for one in &updated.redacted {
        let _ = writeln!(std::io::stderr(), "note: {} of kind {} replaced", one.count, one.kind);
    }
    printed(&format!("{} supersedes {id}", updated.memory.content.id))
}

/// The text after the editor has ended.
async fn edited(services: &Services, before: &str) -> Result<String, ToolError> {
    let environment = &services.config.environment;
    let editor = EDITORS.iter().find_map(|name| environment.value(name).filter(|value| !value.trim().is_empty()));
    let editor = editor.ok_or_else(|| {
        ToolError::invalid("neither $VISUAL nor $EDITOR names an editor").with_hint("give the text itself: --text")
    })?;
    let unusable = |error: std::io::Error| {
        ToolError::new(ErrorKind::Unavailable, format!("cannot use a file for the editor: {error}"))
    };
    let path = std::env::temp_dir().join(format!("ctx-memory-{}.md", std::process::id()));
    write_privately(&path, before).map_err(unusable)?;
    let ended = exec::edit(editor, &path).await;
    let text = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    ended.map_err(|error| ToolError::new(ErrorKind::Unavailable, error.to_string()).with_hint("or give --text"))?;
    text.map_err(unusable)
}

/// Writes a file that is new and that only its owner reads.
fn write_privately(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
