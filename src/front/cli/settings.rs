//! `ctx config`: what is set, where, and what is wrong with it.

use std::process::ExitCode;

use anyhow::Result;
use clap::ArgMatches;
use serde_json::json;

use super::tool::write_stdout;
use crate::config::{self, Loaded};

/// Runs `show`, `check` or `path`.
pub fn run(matches: &ArgMatches, loaded: &Loaded) -> Result<ExitCode> {
    match matches.subcommand() {
        Some(("check", inner)) => check(loaded, inner.get_flag("json")),
        Some(("path", inner)) => path(loaded, inner.get_flag("json")),
        Some((_, inner)) => show(loaded, inner.get_flag("json")),
        None => show(loaded, false),
    }
}

fn show(loaded: &Loaded, json: bool) -> Result<ExitCode> {
    let shown = config::show(loaded);
    let text = if json {
        let values =
            shown.iter().map(|one| json!({ "key": one.key, "value": one.json, "origin": one.origin.to_string() }));
        json!({ "settings": values.collect::<Vec<_>>() }).to_string()
    } else {
        let width = |of: fn(&config::Shown) -> &str| shown.iter().map(|one| of(one).chars().count()).max().unwrap_or(0);
        let (keys, values) = (width(|one| &one.key), width(|one| &one.value).min(48));
        let lines = shown.iter().map(|one| format!("{:<keys$}  {:<values$}  {}", one.key, one.value, one.origin));
        lines.collect::<Vec<_>>().join("\n")
    };
    write_stdout(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn check(loaded: &Loaded, json: bool) -> Result<ExitCode> {
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    let text = match (json, problems.is_empty()) {
        (true, _) => json!({ "problems": problems }).to_string(),
        (false, true) => "the settings are fine".to_owned(),
        (false, false) => problems.join("\n"),
    };
    write_stdout(&text)?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn path(loaded: &Loaded, json: bool) -> Result<ExitCode> {
    let text = if json {
        let files = loaded
            .files
            .iter()
            .map(|file| json!({ "layer": file.layer.name(), "path": file.path, "exists": file.exists }));
        json!({ "files": files.collect::<Vec<_>>(), "data": loaded.config.paths.data }).to_string()
    } else {
        let files = loaded.files.iter().map(|file| {
            let mark = if file.exists { "read" } else { "none" };
            format!("{mark}  {:<8} {}", file.layer.name(), file.path.display())
        });
        let data = format!("data           {}", loaded.config.paths.data.display());
        files.chain([data]).collect::<Vec<_>>().join("\n")
    };
    write_stdout(&text)?;
    Ok(ExitCode::SUCCESS)
}
