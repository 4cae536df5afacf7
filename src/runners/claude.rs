//! Claude Code, without a terminal: `claude -p`.
//!
//! Children start with no MCP servers, no hooks and no settings of the project. Claude Code's own
//! sandbox is off, because user namespaces do not nest inside ours. Without a terminal nobody can
//! be asked, so a tool that is not allowed beforehand is denied: an agent has the tools its file
//! names, or may edit files and run commands, which our boundary holds.

use serde_json::Value;

use super::{EndedBy, HomeFile, LaunchRequest, Prepared, Reply, Runner, RunnerError, Usage, environment, reply};
use crate::agents::{Agent, FrontMatter, Reach};
use crate::exec::{Exit, Launch, Network};

/// What an agent may use that names no tools; reading is always allowed.
const TOOLS: &[&str] = &["Bash", "Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch"];

/// The variables that carry the user's access and choice of models.
const VARIABLES: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_MAX_RETRIES",
    "CLOUD_ML_REGION",
    "AWS_REGION",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// What holds in every child.
const FIXED: &[(&str, &str)] = &[("DISABLE_AUTOUPDATER", "1"), ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")];

const SETTINGS: &str = r#"{"sandbox":{"enabled":false},"disableAllHooks":true}"#;

/// The parts of `~/.claude.json` that a login needs; the rest is a history of projects and servers.
const ACCOUNT: &[&str] = &["hasCompletedOnboarding", "oauthAccount", "userID", "customApiKeyResponses"];

/// Starts Claude Code.
pub(super) struct Claude;

impl Runner for Claude {
    fn kind(&self) -> &'static str {
        "claude"
    }

    fn program<'a>(&self, _agent: &'a Agent) -> &'a str {
        "claude"
    }

    fn home_files(&self) -> &'static [HomeFile] {
        &[
            HomeFile {
                variable: "CLAUDE_CONFIG_DIR",
                name: ".credentials.json",
                target: ".claude/.credentials.json",
                keep: |text| Some(text.to_owned()),
            },
            HomeFile { variable: "CLAUDE_CONFIG_DIR", name: ".claude.json", target: ".claude.json", keep: account },
        ]
    }

    fn launch(&self, request: &LaunchRequest<'_>) -> Result<Prepared, RunnerError> {
        let agent = request.agent;
        if agent.front.network == Some(Reach::None) {
            return Err(RunnerError::NetworkNeeded { agent: agent.name.clone(), runner: self.kind() });
        }
        let named: Vec<&str> = VARIABLES.iter().chain(environment::NETWORK).copied().collect();
        let environment = environment::build(request, FIXED, &named)?;
        Ok(Prepared {
            readable: environment::certificates(&environment),
            launch: Launch {
                program: request.program.to_owned(),
                arguments: arguments(agent, request.session_id),
                stdin: request.packet.as_bytes().to_vec(),
                environment,
                working_directory: request.working_directory.to_owned(),
                home_files: request.home_files.to_vec(),
            },
            network: Network::Host,
            session_id: Some(request.session_id.to_owned()),
            notes: Vec::new(),
        })
    }

    fn parse(&self, exit: &Exit) -> Reply {
        let output = reply::text(&exit.stdout);
        // One object on one line; the last one counts, whatever was printed before it.
        let result =
            reply::objects(&output).rev().find(|value| reply::string(value, "type").as_deref() == Some("result"));
        result.map_or_else(|| reply::unreadable(exit, "claude"), |result| read(&result))
    }
}

fn arguments(agent: &Agent, session_id: &str) -> Vec<String> {
    let front = &agent.front;
    let mut arguments: Vec<String> = ["-p", "--output-format=json", "--strict-mcp-config"].map(str::to_owned).to_vec();
    let mut add = |flag: &str, value: &str| arguments.push(format!("--{flag}={value}"));
    add("mcp-config", r#"{"mcpServers":{}}"#);
    add("setting-sources", "user");
    add("settings", SETTINGS);
    add("session-id", session_id);
    if !agent.prompt.is_empty() {
        add("append-system-prompt", &agent.prompt);
    }
    if let Some(model) = front.model.as_deref().filter(|model| *model != "inherit") {
        add("model", model);
    }
    if let Some(turns) = front.max_turns {
        add("max-turns", &turns.to_string());
    }
    if let Some(effort) = &front.effort {
        add("effort", effort);
    }
    if front.permission_mode.as_deref() == Some("plan") {
        add("permission-mode", "plan");
    }
    if let Some(tools) = &front.tools {
        add("tools", &available(tools).join(","));
    }
    let allowed = allowed(front);
    if !allowed.is_empty() {
        add("allowedTools", &allowed.join(","));
    }
    if !front.disallowed_tools.is_empty() {
        add("disallowedTools", &front.disallowed_tools.join(","));
    }
    arguments
}

/// Returns the built-in tools that a list names, without their patterns.
fn available(tools: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for tool in tools {
        let name = tool.split('(').next().unwrap_or(tool).trim();
        // Tools of MCP servers are not built in, and there are no servers.
        if !name.starts_with("mcp__") && name != "*" && !names.contains(&name) {
            names.push(name);
        }
    }
    if tools.iter().any(|tool| tool.trim() == "*") { vec!["default"] } else { names }
}

/// Returns the tools that are used without asking.
fn allowed(front: &FrontMatter) -> Vec<&str> {
    match &front.tools {
        Some(tools) if tools.iter().all(|tool| tool.trim() != "*") => tools.iter().map(String::as_str).collect(),
        _ if front.permission_mode.as_deref() == Some("plan") => Vec::new(),
        _ => TOOLS.to_vec(),
    }
}

fn read(result: &Value) -> Reply {
    let subtype = reply::string(result, "subtype").unwrap_or_default();
    let failed = result.get("is_error").and_then(Value::as_bool).unwrap_or(false) || subtype.starts_with("error");
    let errors: Vec<&str> =
        result.get("errors").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let text = reply::string(result, "result").unwrap_or_default();
    let error = failed.then(|| if errors.is_empty() { reply::note(&text) } else { reply::note(&errors.join("; ")) });
    let usage = result.get("usage").unwrap_or(&Value::Null);
    let cached = reply::number(usage, "cache_read_input_tokens");
    let denied = result.get("permission_denials").and_then(Value::as_array).map_or(0, Vec::len);
    Reply {
        is_error: failed,
        error: error.filter(|error| !error.is_empty()).or_else(|| failed.then(|| subtype.clone())),
        session_id: reply::string(result, "session_id"),
        usage: Usage {
            input_tokens: reply::sum(&[
                reply::number(usage, "input_tokens"),
                reply::number(usage, "cache_creation_input_tokens"),
                cached,
            ]),
            cached_tokens: cached,
            output_tokens: reply::number(usage, "output_tokens"),
            cost_usd: result.get("total_cost_usd").and_then(Value::as_f64),
            turns: reply::number(result, "num_turns"),
        },
        ended_by: match subtype.as_str() {
            "error_max_turns" => EndedBy::TurnsLimit,
            "error_max_budget_usd" => EndedBy::CostLimit,
            _ if failed => EndedBy::Error,
            _ => EndedBy::Completed,
        },
        notes: if denied == 0 { Vec::new() } else { vec![format!("{denied} tool calls were denied")] },
        text,
    }
}

/// Returns what a login needs of `~/.claude.json`.
fn account(text: &str) -> Option<String> {
    let Value::Object(mut all) = serde_json::from_str(text).ok()? else { return None };
    all.retain(|name, _| ACCOUNT.contains(&name.as_str()));
    (!all.is_empty()).then(|| Value::Object(all).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_projects_stay_at_home() {
        let text = r#"{"mcpServers": {"a": {}}, "projects": {"/p": {}}, "oauthAccount": {"id": 1}, "userID": "u"}"#;
        assert_eq!(account(text).as_deref(), Some(r#"{"oauthAccount":{"id":1},"userID":"u"}"#));
        assert_eq!(account(r#"{"projects": {}}"#), None);
        assert_eq!(account("nonsense"), None);
    }

    #[test]
    fn patterns_do_not_name_tools() {
        let tools = ["Bash(git log, git diff)", "Bash(ls)", "Read", "mcp__x__y"].map(str::to_owned);
        assert_eq!(available(&tools), ["Bash", "Read"]);
        assert_eq!(available(&["*".to_owned()]), ["default"]);
    }
}
