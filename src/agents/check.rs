//! What an agent file says, held against what there is: every problem at once.

use super::{Agent, Problem, Scope};

const PERMISSION_MODES: [&str; 5] = ["default", "acceptEdits", "dontAsk", "bypassPermissions", "plan"];

/// Returns what is wrong with an agent whose file could be read; `runners` are the kinds there are.
pub fn check(agent: &Agent, runners: &[&str]) -> Vec<Problem> {
    let front = &agent.front;
    let mut problems = Vec::new();
    let mut add = |problem: Problem| problems.push(problem);
    if front.description.trim().is_empty() {
        let problem = Problem::warning(agent.line("description"), "no description");
        add(problem.hint("say when to use the agent"));
    }
    match front.runner.as_deref() {
        Some(runner) if !runners.contains(&runner) => {
            let message = format!("runner: expected one of {}, found {runner:?}", runners.join(", "));
            add(Problem::error(agent.line("runner"), message));
        }
        Some("command") if front.command.is_empty() => {
            let problem = Problem::error(agent.line("runner"), "the runner command needs a command");
            add(problem.hint("add `command: [program, argument]`"));
        }
        Some(runner) if runner != "command" && !front.command.is_empty() => {
            let problem = Problem::warning(agent.line("command"), format!("the runner {runner} does not use command"));
            add(problem.hint("set `runner: command`, or remove it"));
        }
        Some(_) | None => {}
    }
    if front.command.iter().any(|argument| argument.contains('\0')) {
        add(Problem::error(agent.line("command"), "command: an argument holds a NUL character"));
    }
    if let Some(mode) = &front.permission_mode {
        let line = agent.line("permissionMode");
        if !PERMISSION_MODES.contains(&mode.as_str()) {
            let expected = PERMISSION_MODES.join(", ");
            add(Problem::warning(line, format!("permissionMode: expected one of {expected}, found {mode:?}")));
        } else if mode == "bypassPermissions" {
            add(Problem::warning(line, "permissionMode: the sandbox holds whatever stands here"));
        }
    }
    for (field, value) in [("hooks", &front.hooks), ("mcpServers", &front.mcp_servers)] {
        if value.is_some() {
            add(Problem::warning(agent.line(field), format!("{field}: unused, a task starts with none")));
        }
    }
    if let Some(isolation) = &front.isolation
        && !["worktree", "copy", "workspace"].contains(&isolation.as_str())
    {
        let message = format!("isolation: expected worktree, copy or workspace, found {isolation:?}");
        add(Problem::error(agent.line("isolation"), message));
    }
    for name in front.env.iter().filter(|name| !is_variable_name(name)) {
        let problem = Problem::error(agent.line("env"), format!("env: {name:?} cannot name a variable"));
        add(problem.hint("list names only, without values"));
    }
    if agent.scope == Scope::Project && !front.env.is_empty() {
        let problem = Problem::warning(agent.line("env"), "env: a project's agents get only what the user allows");
        add(problem.hint("list the names in `delegation.environment` of your user settings"));
    }
    problems
}

fn is_variable_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|first| !first.is_ascii_digit())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
