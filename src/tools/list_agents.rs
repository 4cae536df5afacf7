//! `list_agents`: the agents that can be delegated to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, Command, Effects, ErrorKind, ToolError, TypedTool};
use crate::agents::{self, Listed};
use crate::runners;

/// How many characters of a description are shown.
const DESCRIPTION_CHARACTERS_MAX: usize = 300;
/// How many agents are listed.
const AGENTS_MAX: usize = 100;

/// The tool.
pub struct ListAgents;

/// Which agents.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Part of name or description
    filter: Option<String>,
}

/// The agents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The agents that can be used, by name.
    agents: Vec<AgentOutput>,
    /// Files that hold no usable agent, and why.
    problems: Vec<String>,
    /// How many more agents there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// Whether there are agents at all.
    #[serde(skip)]
    has_agents: bool,
}

/// An agent.
#[derive(Debug, Serialize, JsonSchema)]
struct AgentOutput {
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// Its file.
    path: String,
    /// How it is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    runner: Option<String>,
    /// What is wrong with its file, though it can be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl TypedTool for ListAgents {
    const NAME: &'static str = "list_agents";
    const ABOUT: &'static str = "Agents for delegate_task, and what is wrong with their files.";
    const EFFECTS: Effects = Effects::READS;
    const COMMAND: Command = Command { name: "agents", positional: &["filter"], ..Command::DEFAULT };
    type Params = Params;
    type Output = Output;

    async fn run(&self, call: &Call, params: Params) -> Result<Output, ToolError> {
        let folders = agents::Folders::of(&call.services.config.paths);
        let found = tokio::task::spawn_blocking(move || agents::discover(&folders, runners::KINDS))
            .await
            .map_err(|error| ToolError::new(ErrorKind::Internal, format!("reading agents failed: {error}")))?;
        let wanted = params.filter.unwrap_or_default().to_lowercase();
        let (usable, broken): (Vec<&Listed>, Vec<&Listed>) =
            found.files.iter().partition(|file| file.is_usable() && file.shadowed_by.is_none());
        let mut agents: Vec<AgentOutput> = usable.into_iter().filter_map(shown).collect();
        let all = agents.len();
        agents.retain(|agent| format!("{} {}", agent.name, agent.description).to_lowercase().contains(&wanted));
        let more = agents.len().saturating_sub(AGENTS_MAX);
        agents.truncate(AGENTS_MAX);
        let mut problems: Vec<String> = broken.into_iter().flat_map(told).collect();
        problems.truncate(AGENTS_MAX);
        Ok(Output { agents, problems, more: (more > 0).then_some(more), has_agents: all > 0 })
    }

    fn text(&self, output: &Output) -> String {
        let mut lines = Vec::new();
        for agent in &output.agents {
            lines.push(format!("{}: {}", agent.name, agent.description));
            lines.extend(agent.problems.iter().map(|problem| format!("  {problem}")));
        }
        if output.agents.is_empty() {
            let none =
                if output.has_agents { "no agent matches" } else { "no agents: add one as .claude/agents/NAME.md" };
            lines.push(none.to_owned());
        }
        lines.extend(output.more.map(|more| format!("({more} more; narrow the filter)")));
        lines.extend(output.problems.iter().cloned());
        lines.join("\n")
    }
}

fn shown(file: &Listed) -> Option<AgentOutput> {
    let agent = file.agent.as_ref()?;
    let description: String = agent.front.description.chars().take(DESCRIPTION_CHARACTERS_MAX).collect();
    Some(AgentOutput {
        name: agent.name.to_string(),
        description,
        path: file.path.display().to_string(),
        runner: agent.front.runner.clone(),
        problems: file.problems.iter().map(ToString::to_string).collect(),
    })
}

/// Why a file holds no usable agent.
fn told(file: &Listed) -> Vec<String> {
    let path = file.path.display();
    match &file.shadowed_by {
        Some(other) => vec![format!("{path}: not used, {} has the same name", other.display())],
        None => file.problems.iter().map(|problem| format!("{path}: {problem}")).collect(),
    }
}
