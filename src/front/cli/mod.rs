//! The command line: every tool as a subcommand, made from the same list as the other fronts, and
//! the commands that start or look at the program itself.
//!
//! stdout is data, stderr is talk: results go to stdout, progress, remarks and errors to stderr.

mod backup;
mod confined;
mod demo;
mod dispatch;
mod flags;
mod help;
mod memory;
mod memory_brief;
mod memory_doctor;
mod memory_edit;
mod memory_list;
mod memory_tidy;
mod memory_transfer;
mod originals;
mod progress;
mod quick;
mod run;
mod sandbox;
mod savings;
mod settings;
mod tool;

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches, Command};

pub use dispatch::run;
pub use quick::quick;

use crate::tools::{self, TOOLS, Tool};

/// Returns the commands that serve a protocol, and what goes with every command.
///
/// A server starts with these alone: making the commands of the tools from their schemas would cost
/// it more than everything else that it does before it answers.
fn serving() -> Command {
    Command::new("ctx")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Context for AI coding assistants: delegate in a sandbox, remember and recall, compress to an exact budget",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .global(true)
                .help("Override a setting, for example --set context.max_tokens=8000"),
        )
        .arg(
            Arg::new("project")
                .long("project")
                .short('C')
                .value_name("FOLDER")
                .global(true)
                .help("Work as if started in this folder"),
        )
        .subcommand(Command::new("serve").about("Serve an assistant: MCP on stdin and stdout"))
        .subcommand(Command::new("rpc").about("Serve scripts: JSON-RPC 2.0, one message a line, on stdin and stdout"))
}

/// Returns the command line as far as these arguments, without the program, have a use for it.
///
/// Where the first word is a tool's command, the others stay away: making them all from their schemas
/// takes longer than most tools.
pub fn command_for(arguments: impl Iterator<Item = OsString>) -> Command {
    let mut words = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let first = words.next().unwrap_or_default();
    if ["serve", "rpc"].contains(&first.as_str()) {
        return serving();
    }
    let mut command = serving();
    match first.as_str() {
        "run" => return command.subcommand(run::command()),
        "originals" => return command.subcommand(originals::command()),
        "savings" => return command.subcommand(savings::command()),
        "backup" => return command.subcommand(backup::backup_command()),
        "restore" => return command.subcommand(backup::restore_command()),
        _ => {}
    }
    for tool in TOOLS.iter().filter(|tool| tool.command().name.split(' ').next() == Some(&first)) {
        command = with_tool(command, *tool);
    }
    match first.as_str() {
        "memory" => command = memory::with_commands(command),
        "remember" => command = memory_transfer::with_sources(command),
        _ => {}
    }
    if command.find_subcommand(&first).is_some() { command } else { self::command() }
}

/// Returns the whole command line.
pub fn command() -> Command {
    let mut command = serving();
    for tool in TOOLS {
        command = with_tool(command, *tool);
    }
    memory_transfer::with_sources(memory::with_commands(command))
        .subcommand(backup::backup_command())
        .subcommand(backup::restore_command())
        .subcommand(run::command())
        .subcommand(originals::command())
        .subcommand(savings::command())
        .subcommand(
            Command::new("call")
                .about("Call a tool by name with JSON input")
                .arg(Arg::new("tool").required(true).value_name("TOOL").help("Its name, such as memory_recall"))
                .arg(
                    Arg::new("input")
                        .value_name("JSON")
                        .default_value("{}")
                        .help("The input, @FILE with it, or `-` for standard input"),
                )
                .arg(
                    Arg::new("json")
                        .long("json")
                        .action(ArgAction::SetTrue)
                        .help("Accepted for symmetry: the result is JSON"),
                ),
        )
        .subcommand(
            Command::new("config")
                .about("Show or check the settings")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(with_json(
                    Command::new("show").about("Print every setting with its value and where it was set"),
                ))
                .subcommand(with_json(
                    Command::new("check").about("Say what is wrong with the settings; exit code 1 if anything is"),
                ))
                .subcommand(with_json(
                    Command::new("path").about("Print which settings files are looked for, and which exist"),
                )),
        )
        .subcommand(
            Command::new("sandbox")
                .about("Run a command in the sandbox, or see how strong it is here")
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(with_json(Command::new("probe").about("Say which boundary can be enforced on this system")))
                .subcommand(confined::with_arguments(Command::new("run").about(
                    "Run a command in the sandbox; exits with its code, 124 after a time-out, 125 when no boundary \
                     can be built, 126 or 127 when it cannot start",
                ))),
        )
        .subcommand(Command::new("demo").about("See the whole job once, on this very folder, in under a minute"))
}

/// Returns the tool that a parsed command line names, with its arguments.
fn tool_of(matches: &ArgMatches) -> Option<(&'static dyn Tool, &ArgMatches)> {
    TOOLS.iter().find_map(|tool| {
        let mut here = matches;
        for word in tool.command().name.split(' ') {
            let (name, inner) = here.subcommand()?;
            if name != word {
                return None;
            }
            here = inner;
        }
        Some((*tool, here))
    })
}

/// Adds a tool's command; a name of two words stands in a group named by the first.
fn with_tool(command: Command, tool: &dyn Tool) -> Command {
    match tool.command().name.split_once(' ') {
        None => command.subcommand(flags::command(tool, tool.command().name)),
        Some((group, name)) => {
            let inner = flags::command(tool, name);
            if command.find_subcommand(group).is_some() {
                command.mut_subcommand(group, |group| group.subcommand(inner))
            } else {
                let group = Command::new(group).about(format!("More about {group}")).subcommand_required(true);
                command.subcommand(group.arg_required_else_help(true).subcommand(inner))
            }
        }
    }
}

fn with_json(command: Command) -> Command {
    command.arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

/// Returns the tool named on the command line, in the manner of its MCP name or its subcommand.
fn named(name: &str) -> Option<&'static dyn Tool> {
    tools::find(name).or_else(|| TOOLS.iter().copied().find(|tool| tool.command().name == name))
}
