//! `ctx memory export` and `import`, and `ctx remember --from-git` and `--from-transcript`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use super::memory_list::{scope_argument, scopes_of};
use super::tool::printed;
use super::tool::{read_stdin, write_stdout};
use super::with_json;
use crate::base::thousands;
use crate::exec;
use crate::memory::{Exported, Format, GitRequest, Problem, Report, SourceFile, TranscriptOptions, read_source};
use crate::store::Scope;
use crate::tools::{ErrorKind, Services, ToolError};

/// How many problems are told one by one.
const PROBLEMS_MAX: usize = 50;

fn dry_run() -> Arg {
    Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue).help("Only say what would be kept")
}

/// Returns the command line of `ctx memory export`.
pub fn export_command() -> Command {
    with_json(Command::new("export"))
        .about("Write every memory down, history included, so that `ctx memory import` gives the same ones back")
        .arg(
            Arg::new("target")
                .value_name("FILE|DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Where to; standard output when absent or `-`"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(["jsonl", "markdown"]))
                .help("A line of JSON for each memory in one file, or a Markdown file for each in a folder"),
        )
        .arg(scope_argument("Only these scopes"))
        .after_help("What was forgotten is left out. Without --format, a folder gets Markdown, all else JSON Lines.")
}

/// Returns the command line of `ctx memory import`.
pub fn import_command() -> Command {
    with_json(Command::new("import"))
        .about("Read memories from an export, from other memory servers and from notes; twice is as good as once")
        .arg(
            Arg::new("source")
                .value_name("PATH")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A file, a folder of Markdown files, or `-` for standard input"),
        )
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("FORMAT")
                .value_parser(PossibleValuesParser::new(Format::ALL.map(Format::as_str)))
                .help("What it is; found out when absent"),
        )
        .arg(dry_run())
        .after_help(
            "What cannot be read is told with its place, takes nothing else with it, and makes the exit code 1. \
             What is known already, in history and among what was forgotten as well, is left as it is.",
        )
}

/// Adds to `ctx remember` where else memories come from.
pub fn with_sources(command: Command) -> Command {
    let number = value_parser!(u32).range(1..);
    command.mut_subcommand("remember", |remember| {
        remember
            .arg(
                Arg::new("from-git")
                    .long("from-git")
                    .action(ArgAction::SetTrue)
                    .conflicts_with_all(["from-transcript", "text", "memories"])
                    .help("Remember the decisions that commit messages tell, with their reasons"),
            )
            .arg(
                Arg::new("since")
                    .long("since")
                    .value_name("REF|DATE")
                    .help("Only commits after this one, or since this date"),
            )
            .arg(
                Arg::new("max")
                    .long("max")
                    .value_name("N")
                    .value_parser(number)
                    .default_value("1000")
                    .help("The most commits read, the newest of them"),
            )
            .arg(
                Arg::new("from-transcript")
                    .long("from-transcript")
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .conflicts_with_all(["text", "memories"])
                    .help("Remember the turns of a session: a transcript of Claude Code, or lines `Name: text`"),
            )
            .arg(dry_run())
    })
}

/// Whether `ctx remember` is to read from somewhere else, or was given an option of that.
pub fn is_about_source(matches: &ArgMatches) -> bool {
    ["from-git", "from-transcript", "since", "max", "dry-run"].iter().any(|name| is_given(matches, name))
}

fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

/// Runs `ctx remember --from-git` or `--from-transcript`.
pub async fn remember(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    // Clap takes a flag that was not given for one that is there and false.
    let from_git = matches.get_flag("from-git");
    if let Some(name) = ["since", "max"].into_iter().find(|name| !from_git && is_given(matches, name)) {
        return Err(ToolError::invalid(format!("--{name} goes with --from-git")));
    }
    if !from_git && !matches.contains_id("from-transcript") {
        return Err(ToolError::invalid("--dry-run goes with --from-git or --from-transcript"));
    }
    services.stores()?;
    let tags: Vec<String> = matches.get_many::<String>("tags").into_iter().flatten().cloned().collect();
    let dry_run = matches.get_flag("dry-run");
    let here = &services.config.paths.working_directory;
    let report = match matches.get_one::<PathBuf>("from-transcript") {
        Some(path) => {
            let (files, _) = read_source(&here.join(path))?;
            let [file] = &files[..] else {
                return Err(ToolError::invalid(format!("{} is a folder, not a transcript", path.display())));
            };
            let scope = matches.get_one::<String>("scope").and_then(|word| Scope::of_word(word)).unwrap_or_default();
            let session_id = matches.get_one::<String>("session_id").cloned();
            let options = TranscriptOptions { session_id, scope, tags, dry_run };
            services.memories.remember_transcript(file, &options).await?
        }
        None => {
            let git = exec::find_program("git", &services.config.paths.programs)
                .ok_or_else(|| ToolError::new(ErrorKind::NotFound, "the program git was not found"))?;
            let since = matches.get_one::<String>("since").cloned();
            let max = matches.get_one::<u32>("max").map_or(usize::MAX, |max| *max as usize);
            let request = GitRequest { git, folder: here.clone(), since, max, tags, dry_run };
            services.memories.remember_commits(&request).await?
        }
    };
    told(&report, matches.get_flag("json"), None)
}

/// Exports.
pub async fn export(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let scopes = scopes_of(matches);
    let target = matches.get_one::<PathBuf>("target").filter(|path| path.as_os_str() != "-");
    let target = target.map(|path| services.config.paths.working_directory.join(path));
    let named = matches.get_one::<String>("format").map(String::as_str);
    let json = matches.get_flag("json");
    let Some(target) = target else {
        if named == Some("markdown") {
            return Err(
                ToolError::invalid("Markdown files need a folder").with_hint("ctx memory export --format markdown DIR")
            );
        }
        let mut lines = Vec::new();
        let exported = services.memories.export_lines(&scopes, &mut lines).await?;
        let text = String::from_utf8(lines).map_err(|_| ToolError::new(ErrorKind::Internal, "JSON is UTF-8"))?;
        let _ = writeln!(std::io::stderr(), "{}", summary(&exported));
        return write_stdout(&text).map(|()| ExitCode::SUCCESS).map_err(|error| unwritable(Path::new("-"), &error));
    };
    let is_folder = named.map_or_else(|| target.is_dir(), |format| format == "markdown");
    let exported = if is_folder {
        services.memories.export_folder(&scopes, &target).await?
    } else {
        to_file(services, &scopes, &target).await?
    };
    if json {
        let stale: Vec<String> = exported.stale.iter().map(|path| path.display().to_string()).collect();
        return printed(
            &json!({
                "target": target.display().to_string(),
                "memories": exported.memories,
                "history": exported.history,
                "stale": stale,
            })
            .to_string(),
        );
    }
    let mut lines = vec![format!("{} to {}", summary(&exported), target.display())];
    lines.extend(exported.stale.iter().map(|path| format!("not exported any more: {}; delete it", path.display())));
    printed(&lines.join("\n"))
}

/// Writes a file as a whole or not at all.
async fn to_file(services: &Services, scopes: &[Scope], target: &Path) -> Result<Exported, ToolError> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = target.with_file_name(name);
    let unwritable = |error: std::io::Error| unwritable(target, &error);
    let mut out = std::io::BufWriter::new(fs::File::create(&part).map_err(unwritable)?);
    let written = services.memories.export_lines(scopes, &mut out).await;
    let moved = out
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .and_then(|file| file.sync_all())
        .and_then(|()| if written.is_ok() { fs::rename(&part, target) } else { Ok(()) });
    if written.is_err() || moved.is_err() {
        let _ = fs::remove_file(&part);
    }
    moved.map_err(unwritable)?;
    Ok(written?)
}

fn unwritable(path: &Path, error: &std::io::Error) -> ToolError {
    ToolError::new(ErrorKind::Unavailable, format!("cannot write {}: {error}", path.display()))
}

fn summary(exported: &Exported) -> String {
    let history = if exported.history > 0 {
        format!(" ({} of them history)", thousands(exported.history))
    } else {
        String::new()
    };
    format!("exported {} memories{history}", thousands(exported.memories))
}

/// Imports.
pub async fn import(matches: &ArgMatches, services: &Services) -> Result<ExitCode, ToolError> {
    let missing = || ToolError::invalid("nothing was named to be imported");
    let source = matches.get_one::<PathBuf>("source").ok_or_else(missing)?;
    let (files, unread) = if source.as_os_str() == "-" {
        let text = read_stdin(true)?.unwrap_or_default();
        (vec![SourceFile { name: "stdin".to_owned(), text }], Vec::new())
    } else {
        read_source(&services.config.paths.working_directory.join(source))?
    };
    let named = matches.get_one::<String>("from").and_then(|word| Format::of_word(word));
    let format = named.or_else(|| Format::detect(&files)).ok_or_else(|| {
        let formats = Format::ALL.map(Format::as_str).join(", ");
        ToolError::invalid(format!("cannot tell what {} is", source.display()))
            .with_hint(format!("say it: --from with one of {formats}"))
    })?;
    let mut report = services.memories.import(files, format, matches.get_flag("dry-run")).await?;
    report.problems.splice(0..0, unread);
    told(&report, matches.get_flag("json"), Some(format))
}

/// Prints what became of it; what could not be read goes to stderr.
fn told(report: &Report, as_json: bool, format: Option<Format>) -> Result<ExitCode, ToolError> {
    let code = if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if as_json {
        let problem = |one: &Problem| json!({ "place": one.place, "reason": one.reason });
        let redacted: serde_json::Map<_, _> =
            report.redacted.iter().map(|one| (one.kind.to_owned(), json!(one.count))).collect();
        let mut value = json!({
            "stored": report.stored,
            "known": report.known,
            "superseded": report.superseded,
            "skipped": report.skipped,
            "redacted": redacted,
            "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
            "dry_run": report.dry_run,
        });
        if let Some(note) = &report.note {
            value["note"] = json!(note);
        }
        if let Some(format) = format {
            value["format"] = json!(format.as_str());
        }
        printed(&value.to_string())?;
        return Ok(code);
    }
    for Problem { place, reason } in report.problems.iter().take(PROBLEMS_MAX) {
        let _ = writeln!(std::io::stderr(), "{place}: {reason}");
    }
    if let Some(more) = report.problems.len().checked_sub(PROBLEMS_MAX).filter(|more| *more > 0) {
        let _ = writeln!(std::io::stderr(), "and {} problems more; --json tells all", thousands(more));
    }
    let verb = if report.dry_run { "would store" } else { "stored" };
    let mut line = format!("{verb} {}, {} known already", thousands(report.stored), thousands(report.known));
    if report.superseded > 0 {
        line.push_str(&format!(", {} took the place of another", thousands(report.superseded)));
    }
    if !report.problems.is_empty() {
        line.push_str(&format!(", {} could not be kept", thousands(report.problems.len())));
    }
    if let Some(format) = format {
        line.push_str(&format!(" (from {})", format.as_str()));
    }
    let mut lines = vec![line];
    lines.extend(report.skipped.iter().map(|(why, count)| format!("left out {} {why}", thousands(*count))));
    lines.extend(report.redacted.iter().map(|one| format!("redacted {} {}", thousands(one.count), one.kind)));
    lines.extend(report.note.clone());
    printed(&lines.join("\n"))?;
    Ok(code)
}
