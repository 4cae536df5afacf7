//! Reads the text of an agent file. Pure, and tolerant of what people write.

use std::path::Path;

use super::{Agent, FrontMatter, Problem, Reach, Scope};
use crate::base::Name;
use crate::base::yaml::{self, Entry, Meaning, Node, Value};

/// Reads an agent file; returns the agent where it is usable, and everything that is wrong.
pub fn parse(text: &str, path: &Path, scope: Scope) -> (Option<Agent>, Vec<Problem>) {
    let mut problems = Vec::new();
    let agent = agent(text, path, scope, &mut problems);
    problems.sort_by_key(|problem| (problem.severity, problem.line));
    (agent, problems)
}

fn agent(text: &str, path: &Path, scope: Scope, problems: &mut Vec<Problem>) -> Option<Agent> {
    let Some((front, body)) = split(text) else {
        let problem =
            Problem::error(1, "no front matter: the file must begin with `---` and a second `---` must end it");
        problems.push(problem.hint("add `name:` and `description:` between two lines of `---`"));
        return None;
    };
    let node = front_matter(front, problems)?;
    let Some(entries) = node.as_map() else {
        problems.push(Problem::error(node.place.line, format!("expected fields, found {}", node.describe())));
        return None;
    };
    let mut fields = Fields { entries, known: Vec::new(), problems };
    let front = FrontMatter {
        name: fields.text("name"),
        description: fields.text("description").unwrap_or_default(),
        tools: fields.list("tools"),
        disallowed_tools: fields.list("disallowedTools").unwrap_or_default(),
        model: fields.text("model"),
        permission_mode: fields.text("permissionMode"),
        max_turns: fields.number("maxTurns", u32::MAX.into()).and_then(|number| u32::try_from(number).ok()),
        skills: fields.list("skills").unwrap_or_default(),
        mcp_servers: fields.json("mcpServers"),
        hooks: fields.json("hooks"),
        memory: fields.text("memory"),
        background: fields.truth("background"),
        effort: fields.text("effort"),
        isolation: fields.text("isolation"),
        initial_prompt: fields.text("initialPrompt"),
        color: fields.text("color"),
        runner: fields.text("runner"),
        command: fields.arguments("command"),
        timeout_seconds: fields.number("timeout_seconds", 604_800),
        budget_tokens: fields.tokens("budget_tokens"),
        result_tokens: fields.tokens("result_tokens"),
        network: fields.reach("network"),
        env: fields.list("env").unwrap_or_default(),
    };
    let known = fields.known;
    let unknown = entries.iter().filter(|entry| !known.contains(&entry.key.as_str()));
    let unknown: Vec<&Entry> = unknown.collect();
    for entry in &unknown {
        if let Some(near) = meant(&entry.key, &known) {
            let problem = Problem::warning(entry.place.line, format!("{}: unknown field", entry.key));
            problems.push(problem.hint(format!("did you mean {near}?")));
        }
    }
    let unknown: Vec<_> = unknown.into_iter().map(|entry| (entry.key.clone(), json(&entry.node).to_string())).collect();
    let lines: Vec<_> = entries.iter().map(|entry| (entry.key.clone(), entry.place.line)).collect();
    let line_of = |field: &str| lines.iter().find(|(name, _)| name == field).map_or(1, |(_, line)| *line);
    let name = front.name.clone().or_else(|| Some(path.file_stem()?.to_str()?.to_owned())).unwrap_or_default();
    let name = match name.parse::<Name>() {
        Ok(name) => name,
        Err(error) => {
            let hint = if front.name.is_some() { "rename the agent" } else { "rename the file, or add `name:`" };
            problems.push(Problem::error(line_of("name"), error.to_string()).hint(hint));
            return None;
        }
    };
    Some(Agent { name, path: path.to_owned(), scope, front, prompt: body.trim().to_owned(), unknown, lines })
}

/// Fields of other assistants that only look like a slip.
const FOREIGN: [&str; 1] = ["mode"];

/// Returns the field that an unknown one was most likely meant to be, if any is close.
fn meant(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let plain = |key: &str| key.replace(['_', '-'], "").to_lowercase();
    let key = plain(key);
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&key, &plain(name)), *name))
        .filter(|(distance, name)| *distance <= if name.len() > 5 { 2 } else { 1 })
        .min();
    near.filter(|_| !FOREIGN.contains(&key.as_str())).map(|(_, name)| name)
}

/// Returns the front matter and the body.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let start = text.find('\n')? + 1;
    if text[..start].trim_end() != "---" {
        return None;
    }
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&text[start..at], &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// Reads the front matter, as YAML or as what people take for YAML.
///
/// Many an agent file says `description: Use when: ...`, which YAML refuses and Claude Code
/// accepts. Such values are put in quotes and read again.
fn front_matter(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let (node, flaws) = yaml::parse(text, 2);
    if let Some(node) = node {
        problems.extend(flaws.into_iter().map(|flaw| Problem::warning(flaw.place.line, flaw.message)));
        return Some(node);
    }
    let (quoted, first) = quote_values(text);
    let (node, _) = yaml::parse(&quoted, 2);
    if let (Some(node), Some(line)) = (node, first) {
        let problem = Problem::warning(line + 2, "not valid YAML; the value was read as it stands");
        problems.push(problem.hint("put it in quotes"));
        return Some(node);
    }
    problems.extend(flaws.into_iter().map(|flaw| Problem::error(flaw.place.line, flaw.message)));
    None
}

/// Returns the text with every plain value that holds `: ` or ` #` in quotes, and the index of the
/// first such line.
fn quote_values(text: &str) -> (String, Option<usize>) {
    let mut first = None;
    let lines = text.lines().enumerate().map(|(index, line)| {
        let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
        let value = value.trim();
        let plain = !value.starts_with(['"', '\'', '[', '{', '|', '>', '&', '*', '!']);
        let is_key =
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !(is_key && plain && (value.contains(": ") || value.contains(" #") || value.ends_with(':'))) {
            return line.to_owned();
        }
        first.get_or_insert(index);
        format!("{key}: '{}'", value.replace('\'', "''"))
    });
    let quoted = lines.collect::<Vec<_>>().join("\n");
    (quoted, first)
}

/// Takes the fields out of the front matter one by one, and notes what is wrong with them.
struct Fields<'a> {
    entries: &'a [Entry],
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    fn node(&mut self, name: &'static str) -> Option<&'a Node> {
        self.known.push(name);
        let entry = self.entries.iter().find(|entry| entry.key == name)?;
        (!entry.node.is_null()).then_some(&entry.node)
    }

    fn wrong(&mut self, name: &str, node: &Node, expected: &str) {
        let message = format!("{name}: expected {expected}, found {}", node.describe());
        self.problems.push(Problem::error(node.place.line, message));
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        let node = self.node(name)?;
        // `name: 5` is meant as the text it is.
        let text = node.as_scalar().map(|scalar| scalar.text.clone());
        if text.is_none() {
            self.wrong(name, node, "text");
        }
        text
    }

    fn truth(&mut self, name: &'static str) -> Option<bool> {
        let node = self.node(name)?;
        match node.as_scalar().map(yaml::Scalar::meaning) {
            Some(Meaning::Bool(value)) => Some(value),
            _ => {
                self.wrong(name, node, "true or false");
                None
            }
        }
    }

    fn number(&mut self, name: &'static str, max: u64) -> Option<u64> {
        let node = self.node(name)?;
        let number = match node.as_scalar().map(yaml::Scalar::meaning) {
            Some(Meaning::Integer(value)) => u64::try_from(value).ok().filter(|value| (1..=max).contains(value)),
            _ => None,
        };
        if number.is_none() {
            let found = node.as_scalar().map_or(node.describe(), |scalar| &scalar.text);
            let message = format!("{name}: expected a whole number from 1 to {max}, found {found}");
            self.problems.push(Problem::error(node.place.line, message));
        }
        number
    }

    fn tokens(&mut self, name: &'static str) -> Option<usize> {
        self.number(name, 100_000_000).and_then(|number| usize::try_from(number).ok())
    }

    /// Reads `Read, Bash(git log, git diff)` or a list of texts.
    fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        let node = self.node(name)?;
        match &node.value {
            Value::Scalar(scalar) => Some(split_list(&scalar.text)),
            Value::List(_) => Some(self.texts(name, node)),
            Value::Map(_) => {
                self.wrong(name, node, "a list, or text with commas");
                None
            }
        }
    }

    /// Reads a list of texts, or a single one.
    fn arguments(&mut self, name: &'static str) -> Vec<String> {
        let Some(node) = self.node(name) else { return Vec::new() };
        match &node.value {
            Value::List(_) => self.texts(name, node),
            Value::Scalar(scalar) if !scalar.text.contains(char::is_whitespace) => vec![scalar.text.clone()],
            Value::Scalar(_) | Value::Map(_) => {
                let message = format!("{name}: expected a list of the program and its arguments");
                self.problems
                    .push(Problem::error(node.place.line, message).hint("no shell splits it: `[cargo, test]`"));
                Vec::new()
            }
        }
    }

    fn texts(&mut self, name: &str, node: &Node) -> Vec<String> {
        let mut texts = Vec::new();
        for item in node.as_list().unwrap_or_default() {
            match item.as_scalar() {
                Some(scalar) => texts.push(scalar.text.clone()),
                None => self.wrong(name, item, "text"),
            }
        }
        texts
    }

    fn reach(&mut self, name: &'static str) -> Option<Reach> {
        let text = self.text(name)?;
        match text.as_str() {
            "none" => Some(Reach::None),
            "host" => Some(Reach::Host),
            _ => {
                let line = self.node(name).map_or(1, |node| node.place.line);
                self.problems.push(Problem::error(line, format!("{name}: expected none or host, found {text:?}")));
                None
            }
        }
    }

    fn json(&mut self, name: &'static str) -> Option<String> {
        self.node(name).map(|node| json(node).to_string())
    }
}

/// Splits at the commas that stand outside parentheses.
fn split_list(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let items = text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    items.map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(json).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), json(&entry.node))).collect(),
        Value::Scalar(scalar) => match scalar.meaning() {
            Meaning::Null => serde_json::Value::Null,
            Meaning::Bool(value) => value.into(),
            Meaning::Integer(value) => value.into(),
            Meaning::Number(value) => value.into(),
            Meaning::Text(text) => text.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(front: &str) -> (Option<Agent>, Vec<String>) {
        let text = format!("---\n{front}\n---\nBody.\n");
        let (agent, problems) = parse(&text, Path::new("/p/reviewer.md"), Scope::Project);
        (agent, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_fields_are_read() {
        let (agent, problems) = read(
            "name: code-reviewer\ndescription: Reviews code\ntools: Read, Grep, Bash(git log, git diff)\n\
             disallowedTools: [Write]\nmodel: sonnet\npermissionMode: plan\nmaxTurns: 5\nskills: a\n\
             mcpServers: {x: {command: y}}\nhooks: {Stop: [1, true, ~]}\nmemory: project\nbackground: true\n\
             effort: high\nisolation: worktree\ninitialPrompt: Go\ncolor: red\nrunner: command\n\
             command: [cargo, test, -q]\ntimeout_seconds: 60\nbudget_tokens: 100\nresult_tokens: 50\n\
             network: host\nenv: [A, B]\nfuture: {a: [1.5, text]}\nversion: 2",
        );
        assert_eq!(problems, [""; 0]);
        let agent = agent.expect("an agent");
        assert_eq!(agent.name.as_str(), "code-reviewer");
        assert_eq!(agent.prompt, "Body.");
        assert_eq!(agent.line("model"), 6);
        let front = agent.front;
        let tools = front.tools.expect("tools");
        assert_eq!(tools, ["Read", "Grep", "Bash(git log, git diff)"]);
        assert_eq!((front.max_turns, front.background, front.network), (Some(5), Some(true), Some(Reach::Host)));
        assert_eq!(front.command, ["cargo", "test", "-q"]);
        assert_eq!(front.hooks.as_deref(), Some(r#"{"Stop":[1,true,null]}"#));
        assert_eq!(front.mcp_servers.as_deref(), Some(r#"{"x":{"command":"y"}}"#));
        let unknown =
            [("future".to_owned(), r#"{"a":[1.5,"text"]}"#.to_owned()), ("version".to_owned(), "2".to_owned())];
        assert_eq!(agent.unknown, unknown);
    }

    #[test]
    fn the_file_names_an_agent_that_names_itself_not() {
        let (agent, problems) = read("description: Reviews");
        assert_eq!(problems, [""; 0]);
        assert_eq!(agent.expect("an agent").name.as_str(), "reviewer");
        let (agent, problems) = read("name: ../../etc/passwd\ndescription: x");
        assert_eq!(agent, None);
        assert!(problems[0].starts_with("line 2: \"../../etc/passwd\" is not a name"), "{problems:?}");
    }

    #[test]
    fn wrong_fields_are_all_named() {
        let (agent, problems) = read(
            "description: [a]\ntools: {a: b}\nmaxTurns: many\nbackground: 3\nnetwork: all\ncommand: cargo test\n\
             timeout_seconds: 0\nenv: [[A]]",
        );
        assert!(agent.is_some());
        assert_eq!(
            problems,
            [
                "line 2: description: expected text, found a list",
                "line 3: tools: expected a list, or text with commas, found a mapping",
                "line 4: maxTurns: expected a whole number from 1 to 4294967295, found many",
                "line 5: background: expected true or false, found a whole number",
                "line 6: network: expected none or host, found \"all\"",
                "line 7: command: expected a list of the program and its arguments; no shell splits it: `[cargo, test]`",
                "line 8: timeout_seconds: expected a whole number from 1 to 604800, found 0",
                "line 9: env: expected text, found a list",
            ]
        );
    }

    #[test]
    fn colons_in_plain_values_are_forgiven() {
        let (agent, problems) =
            read("name: helper\ndescription: Use when: it's late. Example: user: \"hi\" # not a comment\nmodel: opus");
        assert_eq!(problems, ["line 3: not valid YAML; the value was read as it stands; put it in quotes"]);
        let front = agent.expect("an agent").front;
        assert_eq!(front.description, "Use when: it's late. Example: user: \"hi\" # not a comment");
        assert_eq!(front.model.as_deref(), Some("opus"));
    }

    #[test]
    fn broken_files_say_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let (agent, problems) = parse(text, Path::new("/p/a.md"), Scope::User);
            assert_eq!(agent, None, "{text:?}");
            assert!(problems[0].to_string().contains(expected), "{text:?}: {problems:?}");
        };
        check("", "no front matter");
        check("# Title\n", "no front matter");
        check("---\nname: a\n", "no front matter");
        check("---\n[1\n---\n", "not valid YAML");
        check("---\n- a\n---\n", "expected fields, found a list");
    }

    #[test]
    fn windows_line_ends_and_marks_are_fine() {
        let text = "\u{feff}---\r\nname: a\r\ndescription: b\r\n---\r\nBody\r\n";
        let (agent, problems) = parse(text, Path::new("/p/x.md"), Scope::User);
        assert_eq!(problems, []);
        assert_eq!(agent.expect("an agent").name.as_str(), "a");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[ \\-:\\[\\]{}'\"a-d0-9(),#\n\r\u{e9}]{0,80}") {
            let _ = parse(&format!("---\n{text}\n---\n"), Path::new("/p/x.md"), Scope::User);
        }
    }
}
