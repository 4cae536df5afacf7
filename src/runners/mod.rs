//! How an agent of a kind is started. Turns agent and packet into a launch; starts nothing itself.
//!
//! Each kind is a [`Runner`] in the list [`RUNNERS`]: what to start, with which arguments, variables
//! and files, and how to read what came out. Both are pure. [`prepare`] gathers for them what is on
//! this machine: the program, the credentials of its user, the variables that were named.
//!
//! The packet goes through standard input and arguments are a vector, so neither a shell nor a limit
//! on arguments ever sees the task. The agent's prompt is an argument of its own, joined to its flag
//! by `=`, so that no text of an agent file can become a flag.

mod claude;
mod codex;
mod command;
mod environment;
mod home;
mod program;
mod reply;

pub use home::HomeFile;
pub use reply::{EndedBy, Reply, Usage};

use std::path::{Path, PathBuf};

use crate::agents::{Agent, Scope};
use crate::config::{Config, Environment};
use crate::exec::{Exit, Launch, Network};

/// Every kind of runner.
pub const RUNNERS: &[&dyn Runner] = &[&command::Command, &claude::Claude, &codex::Codex];

/// The kinds, for checking agent files.
pub const KINDS: &[&str] = &["command", "claude", "codex"];

/// A way of starting agents.
pub trait Runner: Send + Sync {
    /// Returns the name that agent files and settings use.
    fn kind(&self) -> &'static str;

    /// Returns the program that an agent needs, as a name to look up or as a path.
    fn program<'a>(&self, agent: &'a Agent) -> &'a str;

    /// Returns the files of the user's home folder that the program needs a copy of.
    fn home_files(&self) -> &'static [HomeFile] {
        &[]
    }

    /// Turns an agent and its packet into a launch.
    fn launch(&self, request: &LaunchRequest<'_>) -> Result<Prepared, RunnerError>;

    /// Reads what the process left.
    fn parse(&self, exit: &Exit) -> Reply;
}

impl std::fmt::Debug for dyn Runner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Runner({})", self.kind())
    }
}

/// What a launch is made of.
#[derive(Debug, Clone)]
pub struct LaunchRequest<'a> {
    /// The agent.
    pub agent: &'a Agent,
    /// What it reads.
    pub packet: &'a str,
    /// Its program, as an absolute path.
    pub program: &'a Path,
    /// Where it works.
    pub working_directory: &'a Path,
    /// The identifier of its session, a UUID, for programs that let us choose it.
    pub session_id: &'a str,
    /// The folders in which it finds programs.
    pub programs: &'a [PathBuf],
    /// The environment that named variables are taken from.
    pub environment: &'a Environment,
    /// The variables that the user lets every task see.
    pub allowed: &'a [(String, String)],
    /// Copies of the files of [`Runner::home_files`] that there are.
    pub home_files: &'a [(PathBuf, Vec<u8>)],
}

/// A launch, and what its policy must allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// What to start.
    pub launch: Launch,
    /// What of the network it needs.
    pub network: Network,
    /// What it must be able to read besides the system's folders.
    pub readable: Vec<PathBuf>,
    /// The identifier of its session, where we chose it.
    pub session_id: Option<String>,
    /// Wishes of the agent file that this kind cannot fulfil, as fragments.
    pub notes: Vec<String>,
}

/// The reason why an agent cannot be started. A hint says what to try.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// No kind of this name.
    #[error("there is no runner {0:?}: the runners are command, claude and codex")]
    Unknown(String),
    /// Nothing is said, and nothing is installed.
    #[error(
        "agent {0} names no runner and neither claude nor codex is installed; install one of them, or add \
         `runner: command` with a `command:`"
    )]
    NoneInstalled(crate::base::Name),
    /// A command agent without a command.
    #[error("agent {0} has the runner command and no command; add `command: [program, argument]`")]
    NoCommand(crate::base::Name),
    /// The program is not there.
    #[error("program {program:?} of agent {agent} was not found in PATH; install it, or name its whole path")]
    ProgramNotFound {
        /// The program as named.
        program: String,
        /// The agent.
        agent: crate::base::Name,
    },
    /// A project's agent asks for variables that the user did not allow.
    #[error(
        "agent {agent} asks for {}, which your settings do not give to agents of a project; list what you want it to \
         see in `delegation.environment` of your user settings", variables.join(", ")
    )]
    VariablesNotAllowed {
        /// The agent.
        agent: crate::base::Name,
        /// The variables.
        variables: Vec<String>,
    },
    /// A project's agent names a program that is neither the project's nor installed.
    #[error(
        "agent {agent} of the project names the program {}, which lies outside the project and is not installed; add \
         its folder to PATH or to `sandbox.readable` of your user settings, or make the agent one of your own",
        program.display()
    )]
    ProgramNotAllowed {
        /// The program.
        program: PathBuf,
        /// The agent.
        agent: crate::base::Name,
    },
    /// A project's agent asks for the network.
    #[error(
        "agent {0} of the project has `network: host`, which only your own agents may have; remove that line, or put a \
         copy of the agent into the folder of your own agents"
    )]
    NetworkNotAllowed(crate::base::Name),
    /// The agent wants no network, and its runner cannot work without.
    #[error("agent {agent} has `network: none`, but the runner {runner} must reach its model; remove that line")]
    NetworkNeeded {
        /// The agent.
        agent: crate::base::Name,
        /// The kind of runner.
        runner: &'static str,
    },
}

/// Returns the runner of an agent: what its file says, else what the settings say, else the first of
/// claude and codex that is installed.
pub fn of(agent: &Agent, config: &Config) -> Result<&'static dyn Runner, RunnerError> {
    let named = |kind: &str| RUNNERS.iter().copied().find(|runner| runner.kind() == kind);
    let unknown = |kind: &str| RunnerError::Unknown(kind.to_owned());
    if let Some(kind) = &agent.front.runner {
        return named(kind).ok_or_else(|| unknown(kind));
    }
    if !agent.front.command.is_empty() {
        return Ok(&command::Command);
    }
    if let Some(kind) = &config.delegation.runner {
        return named(kind).ok_or_else(|| unknown(kind));
    }
    let installed = |runner: &&dyn Runner| {
        runner.kind() != "command" && program::find(runner.program(agent), &config.paths.programs, None).is_some()
    };
    RUNNERS.iter().copied().find(installed).ok_or_else(|| RunnerError::NoneInstalled(agent.name.clone()))
}

/// Returns the kinds of agent CLI that are installed.
pub fn installed(config: &Config) -> Vec<&'static str> {
    let here = |name: &&str| program::find(name, &config.paths.programs, None).is_some();
    ["claude", "codex"].into_iter().filter(here).collect()
}

/// Makes the launch of an agent on this machine. Reads the program's place and the user's
/// credentials; starts nothing.
pub fn prepare(
    runner: &dyn Runner,
    agent: &Agent,
    packet: &str,
    config: &Config,
    working_directory: &Path,
) -> Result<Prepared, RunnerError> {
    let paths = &config.paths;
    let wanted = runner.program(agent);
    let found = program::find(wanted, &paths.programs, Some(working_directory))
        .ok_or_else(|| RunnerError::ProgramNotFound { program: wanted.to_owned(), agent: agent.name.clone() })?;
    let place = program::Place {
        folders: &paths.programs,
        home: paths.home.as_deref(),
        readable: &config.sandbox.readable,
        own: [working_directory, &paths.workspace],
        // What `claude` and `codex` are, no agent file says.
        strict: agent.scope == Scope::Project && runner.kind() == "command",
    };
    if !place.allows(&found) {
        return Err(RunnerError::ProgramNotAllowed { program: found, agent: agent.name.clone() });
    }
    let home_files = home::read(runner.home_files(), paths.home.as_deref(), &config.environment);
    let request = LaunchRequest {
        agent,
        packet,
        program: &found,
        working_directory,
        session_id: &session_id(),
        programs: &paths.programs,
        environment: &config.environment,
        allowed: &config.delegation.environment,
        home_files: &home_files,
    };
    let mut prepared = runner.launch(&request)?;
    prepared.readable.extend(place.readable(&found));
    Ok(prepared)
}

/// Returns a new random UUID (version 4).
fn session_id() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_list() {
        assert_eq!(RUNNERS.iter().map(|runner| runner.kind()).collect::<Vec<_>>(), KINDS);
    }

    #[test]
    fn session_ids_are_uuids() {
        let id = session_id();
        assert_eq!(id.len(), 36);
        assert_eq!((&id[14..15], &id[8..9]), ("4", "-"));
        assert_ne!(id, session_id());
    }
}
