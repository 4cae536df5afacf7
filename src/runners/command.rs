//! An agent that is a plain program: the packet on standard input, the answer on standard output.

use super::{EndedBy, LaunchRequest, Prepared, Reply, Runner, RunnerError, environment, reply};
use crate::agents::{Agent, Reach, Scope};
use crate::exec::{Ended, Exit, Launch, Network};

/// Starts the `command` of an agent file.
pub(super) struct Command;

impl Runner for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn program<'a>(&self, agent: &'a Agent) -> &'a str {
        agent.front.command.first().map_or("", String::as_str)
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<Prepared, RunnerError> {
        let front = &request.agent.front;
        if front.command.is_empty() {
            return Err(RunnerError::NoCommand(request.agent.name.clone()));
        }
        if front.network == Some(Reach::Host) && request.agent.scope == Scope::Project {
            return Err(RunnerError::NetworkNotAllowed(request.agent.name.clone()));
        }
        let network = if front.network == Some(Reach::Host) { Network::Host } else { Network::None };
        let named = if network == Network::Host { environment::NETWORK } else { &[] };
        let environment = environment::build(request, &[], named)?;
        Ok(Prepared {
            readable: environment::certificates(&environment),
            launch: Launch {
                program: request.program.to_owned(),
                arguments: front.command[1..].to_vec(),
                stdin: request.packet.as_bytes().to_vec(),
                environment,
                working_directory: request.working_directory.to_owned(),
                home_files: request.home_files.to_vec(),
            },
            network,
            session_id: None,
            notes: Vec::new(),
        })
    }

    fn parse(&self, exit: &Exit) -> Reply {
        let ended_by = match exit.ended {
            Ended::Exited(0) => EndedBy::Completed,
            Ended::Exited(_) => EndedBy::Error,
            Ended::Signalled(_) | Ended::TimedOut | Ended::Cancelled | Ended::Limit(_) => EndedBy::Untold,
        };
        let is_error = ended_by != EndedBy::Completed;
        let error = is_error.then(|| reply::text(&exit.stderr)).filter(|error| !error.trim().is_empty());
        Reply {
            text: reply::text(&exit.stdout),
            is_error,
            error: error.map(|error| reply::note(error.trim())),
            ended_by,
            ..Reply::default()
        }
    }
}
