//! Codex, without a terminal: `codex exec`.
//!
//! Codex's own sandbox is off, because user namespaces do not nest inside ours. Of the user's
//! `config.toml` only the choice of model and its provider come along: no MCP servers, hooks or
//! notifiers.

use serde_json::Value;

use super::{EndedBy, HomeFile, LaunchRequest, Prepared, Reply, Runner, RunnerError, Usage, environment, reply};
use crate::agents::{Agent, Reach};
use crate::exec::{Ended, Exit, Launch, Network};

/// The variables that carry the user's access.
const VARIABLES: &[&str] =
    &["OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORGANIZATION", "OPENAI_PROJECT"];

/// The keys of `config.toml` that come along.
const KEYS: &[&str] = &[
    "model",
    "model_provider",
    "model_reasoning_effort",
    "model_reasoning_summary",
    "model_verbosity",
    "model_context_window",
    "preferred_auth_method",
    "chatgpt_base_url",
];

const CONFIG: &str = ".codex/config.toml";

/// Starts Codex.
pub(super) struct Codex;

impl Runner for Codex {
    fn kind(&self) -> &'static str {
        "codex"
    }

    fn program<'a>(&self, _agent: &'a Agent) -> &'a str {
        "codex"
    }

    fn home_files(&self) -> &'static [HomeFile] {
        &[
            HomeFile {
                variable: "CODEX_HOME",
                name: "auth.json",
                target: ".codex/auth.json",
                keep: |text| Some(text.to_owned()),
            },
            HomeFile { variable: "CODEX_HOME", name: "config.toml", target: CONFIG, keep: models },
        ]
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<Prepared, RunnerError> {
        let agent = request.agent;
        if agent.front.network == Some(Reach::None) {
            return Err(RunnerError::NetworkNeeded { agent: agent.name.clone(), runner: self.kind() });
        }
        let config = request.home_files.iter().find(|(path, _)| path.as_os_str() == CONFIG);
        let config = config.map(|(_, content)| String::from_utf8_lossy(content)).unwrap_or_default();
        let keys = provider_variables(&config);
        let named: Vec<&str> = VARIABLES.iter().chain(environment::NETWORK).copied().chain(keys).collect();
        let environment = environment::build(request, &[], &named)?;
        let (arguments, notes) = arguments(agent);
        Ok(Prepared {
            readable: environment::certificates(&environment),
            launch: Launch {
                program: request.program.to_owned(),
                arguments,
                stdin: request.packet.as_bytes().to_vec(),
                environment,
                working_directory: request.working_directory.to_owned(),
                home_files: request.home_files.to_vec(),
            },
            network: Network::Host,
            session_id: None,
            notes,
        })
    }

    fn parse(&self, exit: &Exit) -> Reply {
        let output = reply::text(&exit.stdout);
        let reply = read(reply::objects(&output));
        let Some(mut reply) = reply else { return reply::unreadable(exit, "codex") };
        // The turn and the process must both have ended well.
        if exit.ended != Ended::Exited(0) {
            reply.is_error = true;
        }
        reply
    }
}

/// Returns the arguments, and what the agent file asks for in vain.
fn arguments(agent: &Agent) -> (Vec<String>, Vec<String>) {
    let front = &agent.front;
    let fixed = ["exec", "--json", "--skip-git-repo-check", "--ephemeral", "--sandbox=danger-full-access"];
    let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
    let mut notes = Vec::new();
    if let Some(model) = front.model.as_deref().filter(|model| *model != "inherit") {
        if is_model_of_claude(model) {
            notes.push(format!("codex does not know the model {model}, and uses its own"));
        } else {
            arguments.push(format!("--model={model}"));
        }
    }
    let mut set = |key: &str, value: &str| arguments.extend(["-c".to_owned(), format!("{key}={}", toml(value))]);
    if !agent.prompt.is_empty() {
        set("developer_instructions", &agent.prompt);
    }
    if let Some(effort) = &front.effort {
        set("model_reasoning_effort", effort);
    }
    arguments.push("-".to_owned());
    if front.tools.is_some() || !front.disallowed_tools.is_empty() {
        notes.push("codex has tools of its own: tools and disallowedTools are not enforced".to_owned());
    }
    if front.max_turns.is_some() {
        notes.push("codex has no limit on turns: maxTurns is not enforced".to_owned());
    }
    (arguments, notes)
}

fn is_model_of_claude(model: &str) -> bool {
    ["sonnet", "opus", "haiku", "fable"].contains(&model) || model.starts_with("claude-")
}

/// Reads the events; `None` when there are none.
fn read(events: impl Iterator<Item = Value>) -> Option<Reply> {
    let mut reply = Reply { is_error: true, ..Reply::default() };
    let mut turns = 0;
    let mut seen = false;
    for event in events {
        let Some(kind) = reply::string(&event, "type") else { continue };
        seen = true;
        match kind.as_str() {
            "thread.started" => reply.session_id = reply::string(&event, "thread_id"),
            "turn.started" => turns += 1,
            "item.completed" => item(&event, &mut reply),
            "turn.completed" => {
                let usage = event.get("usage").unwrap_or(&Value::Null);
                let add = |before: Option<u64>, field: &str| reply::sum(&[before, reply::number(usage, field)]);
                reply.usage.input_tokens = add(reply.usage.input_tokens, "input_tokens");
                reply.usage.cached_tokens = add(reply.usage.cached_tokens, "cached_input_tokens");
                reply.usage.output_tokens = add(reply.usage.output_tokens, "output_tokens");
                (reply.is_error, reply.error, reply.ended_by) = (false, None, EndedBy::Completed);
            }
            "turn.failed" => {
                let message = event.get("error").and_then(|error| reply::string(error, "message"));
                (reply.is_error, reply.ended_by) = (true, EndedBy::Error);
                reply.error = message.map(|message| reply::note(&message)).or(reply.error.take());
            }
            // Of a request that is tried again, or of the turn that fails next.
            "error" => reply.error = reply::string(&event, "message").map(|message| reply::note(&message)),
            _ => {}
        }
    }
    reply.usage = Usage { turns: (turns > 0).then_some(turns), ..reply.usage };
    seen.then_some(reply)
}

fn item(event: &Value, reply: &mut Reply) {
    let Some(item) = event.get("item") else { return };
    match reply::string(item, "type").as_deref() {
        // Each message says more than the one before; the last is the answer.
        Some("agent_message") => reply.text = reply::string(item, "text").unwrap_or_default(),
        // A mere warning, such as a model that it has no description of.
        Some("error") => reply.notes.extend(reply::string(item, "message").map(|message| reply::note(&message))),
        _ => {}
    }
}

/// Returns the variables that hold the keys of model providers.
fn provider_variables(config: &str) -> Vec<&str> {
    let values = config.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "env_key").then(|| value.trim().trim_matches(['"', '\'']))
    });
    values.filter(|name| !name.is_empty()).collect()
}

/// Returns the part of `config.toml` that says which model answers, and where.
///
/// Whatever is not known to be harmless is left out, line by line; so a form of TOML that is not
/// foreseen here can lose a setting, but brings none along.
fn models(text: &str) -> Option<String> {
    let mut kept = String::new();
    let mut section_kept = false;
    let mut top = true;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            top = false;
            section_kept = trimmed.starts_with("[model_providers.");
        }
        let key = trimmed.split('=').next().unwrap_or_default().trim();
        if (top && KEYS.contains(&key)) || (section_kept && !trimmed.is_empty()) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// Returns a text as a basic string of TOML.
fn toml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            character if character.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_comes_along() {
        let config = "model = \"m\"\nnotify = [\"sh\"]\nmcp_servers.a.command = \"x\"\n\n[model_providers.mock]\n\
                      base_url = \"u\"\nenv_key = \"MOCK_KEY\"\n\n[mcp_servers.b]\ncommand = \"x\"\nmodel = \"y\"\n";
        let kept = models(config).expect("something");
        assert_eq!(kept, "model = \"m\"\n[model_providers.mock]\nbase_url = \"u\"\nenv_key = \"MOCK_KEY\"\n");
        assert_eq!(provider_variables(&kept), ["MOCK_KEY"]);
        assert_eq!(models("[mcp_servers.b]\ncommand = \"x\"\n"), None);
    }

    #[test]
    fn texts_are_quoted() {
        assert_eq!(toml("a\"b\\c\n\u{7f}\u{e9}"), "\"a\\\"b\\\\c\\n\\u007f\u{e9}\"");
    }
}
