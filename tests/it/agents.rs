//! Agent files: which are found, which wins, and what is wrong with the others.

use std::fs;
use std::path::{Path, PathBuf};

use context_engine::agents::{self, Folders, Found, Scope};
use context_engine::config::{self, Paths, Sources};
use tempfile::TempDir;

const RUNNERS: [&str; 3] = ["command", "claude", "codex"];

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new().expect("a folder") };
        fs::create_dir_all(files.path("home/project/.git")).expect("a folder");
        files
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder").join(path)
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.path(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(&file, text).expect("a file");
        file
    }

    fn agent(&self, path: &str, name: &str, more: &str) -> PathBuf {
        self.write(path, &format!("---\nname: {name}\ndescription: Does {name}\n{more}---\nYou are {name}.\n"))
    }

    fn paths(&self) -> Paths {
        let home = self.path("home");
        let sources = Sources {
            environment: [("HOME", home.to_str().expect("UTF-8"))].into_iter().collect(),
            working_directory: self.path("home/project"),
            flags: Vec::new(),
            system_file: self.path("no.yaml"),
        };
        config::load(&sources).config.paths
    }

    fn discover(&self) -> Found {
        agents::discover(&Folders::of(&self.paths()), &RUNNERS)
    }

    /// Discovers, and returns what is wrong with the file at `path`.
    fn problems(&self, path: &str) -> Vec<String> {
        let path = self.path(path);
        let listed = self.discover().files;
        let listed = listed.iter().find(|listed| listed.path == path).expect("the file is listed");
        listed.problems.iter().map(ToString::to_string).collect()
    }
}

/// Returns the files of the agents that can be called.
fn callable(found: &Found) -> Vec<&Path> {
    found.agents.iter().map(|agent| agent.path.as_path()).collect()
}

#[test]
fn the_project_wins_over_the_user() {
    let files = Files::new();
    let project = files.agent("home/project/.claude/agents/reviewer.md", "reviewer", "");
    let user = files.agent("home/.claude/agents/reviewer.md", "reviewer", "");
    let nested = files.agent("home/.claude/agents/team/deep/planner.md", "planner", "");
    let found = files.discover();
    assert_eq!(callable(&found), [&*project, &*nested]);
    let listed = found.files;
    let found: Vec<(&Path, Scope)> = listed.iter().map(|listed| (listed.path.as_path(), listed.scope)).collect();
    assert_eq!(found, [(&*project, Scope::Project), (&*user, Scope::User), (&*nested, Scope::User)]);
    assert_eq!(listed[1].shadowed_by, Some(project));
    assert!(listed.iter().all(|listed| listed.problems.is_empty() && listed.is_usable()));
}

#[test]
fn a_broken_agent_of_the_project_does_not_hide_the_users() {
    let files = Files::new();
    files.agent("home/project/.claude/agents/reviewer.md", "reviewer", "runner: docker\n");
    let user = files.agent("home/.claude/agents/reviewer.md", "reviewer", "");
    assert_eq!(callable(&files.discover()), [&*user]);
}

#[test]
fn two_agents_of_one_name_are_a_problem() {
    let files = Files::new();
    let first = files.agent("home/project/.claude/agents/a.md", "same", "");
    files.agent("home/project/.claude/agents/b.md", "same", "");
    let expected = format!("line 2: the name same is taken; {} is used", first.display());
    assert_eq!(files.problems("home/project/.claude/agents/b.md"), [expected]);
}

#[test]
fn a_worktree_sees_the_agents_that_git_does_not_track() {
    let files = Files::new();
    let agent = files.agent("home/project/.claude/agents/helper.md", "helper", "");
    let mut paths = files.paths();
    paths.workspace = files.path("home/worktree");
    fs::create_dir_all(&paths.workspace).expect("a folder");
    assert_eq!(callable(&agents::discover(&Folders::of(&paths), &RUNNERS)), [&*agent]);
    let own = files.agent("home/worktree/.claude/agents/helper.md", "helper", "");
    assert_eq!(callable(&agents::discover(&Folders::of(&paths), &RUNNERS)), [&*own]);
}

#[test]
fn a_broken_file_is_listed_and_hides_no_other() {
    let files = Files::new();
    files.write("home/project/.claude/agents/broken.md", "---\nname: [\n---\n");
    files.write("home/project/.claude/agents/notes.txt", "not an agent");
    fs::write(files.path("home/project/.claude/agents/bytes.md"), b"---\nname: a\n\xff\n---\n").expect("a file");
    let large = format!("---\nname: large\n---\n{}", "x".repeat(100_000));
    files.write("home/project/.claude/agents/large.md", &large);
    files.agent("home/project/.claude/agents/whole.md", "whole", "");
    let listed = files.discover().files;
    assert_eq!(listed.len(), 4);
    assert_eq!(listed.iter().filter(|listed| listed.is_usable()).count(), 1);
    assert!(files.problems("home/project/.claude/agents/broken.md")[0].contains("not valid YAML"));
    assert_eq!(files.problems("home/project/.claude/agents/bytes.md"), ["line 3: not UTF-8"]);
    assert_eq!(files.problems("home/project/.claude/agents/large.md"), ["line 1: larger than 98304 bytes"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let files = Files::new();
    let more = "runner: docker\npermissionMode: bypassPermissions\nhooks: {Stop: []}\nmcpServers: {a: {}}\n\
                isolation: cloud\nenv: [A=b, HOME]\n";
    files.agent("home/project/.claude/agents/odd.md", "odd", more);
    insta::assert_snapshot!(files.problems("home/project/.claude/agents/odd.md").join("\n"), @r#"
    line 4: runner: expected one of command, claude, codex, found "docker"
    line 5: permissionMode: the sandbox holds whatever stands here
    line 6: hooks: unused, a task starts with none
    line 7: mcpServers: unused, a task starts with none
    line 8: isolation: expected worktree, copy or workspace, found "cloud"
    line 9: env: "A=b" cannot name a variable; list names only, without values
    line 9: env: a project's agents get only what the user allows; list the names in `delegation.environment` of your user settings
    "#);
    files.agent("home/project/.claude/agents/bare.md", "bare", "runner: command\n");
    assert_eq!(
        files.problems("home/project/.claude/agents/bare.md"),
        ["line 4: the runner command needs a command; add `command: [program, argument]`"]
    );
}

#[cfg(unix)]
#[test]
fn links_give_nothing_away() {
    use std::os::unix::fs::symlink;
    let files = Files::new();
    let secret = files.agent("home/secret.md", "secret", "");
    fs::create_dir_all(files.path("home/private")).expect("a folder");
    files.agent("home/private/hidden.md", "hidden", "");
    let whole = files.agent("home/project/.claude/agents/whole.md", "whole", "");
    symlink(&secret, files.path("home/project/.claude/agents/link.md")).expect("a link");
    symlink(files.path("home/private"), files.path("home/project/.claude/agents/folder")).expect("a link");
    assert_eq!(callable(&files.discover()), [&*whole]);
    let expected = "line 1: a link, and links are not followed; put the file itself here";
    assert_eq!(files.problems("home/project/.claude/agents/link.md"), [expected]);
    assert_eq!(files.problems("home/project/.claude/agents/folder"), [expected]);
}

#[cfg(unix)]
#[test]
fn a_project_folder_that_is_a_link_stays_inside_the_project() {
    use std::os::unix::fs::symlink;
    let files = Files::new();
    files.agent("home/private/hidden.md", "hidden", "");
    fs::create_dir_all(files.path("home/project/.claude")).expect("a folder");
    symlink(files.path("home/private"), files.path("home/project/.claude/agents")).expect("a link");
    assert_eq!(
        files.problems("home/project/.claude/agents"),
        ["line 1: a link that leaves the project is not followed"]
    );
    // A user may keep the agents with other dotfiles.
    fs::create_dir_all(files.path("home/.claude")).expect("a folder");
    symlink(files.path("home/private"), files.path("home/.claude/agents")).expect("a link");
    assert_eq!(callable(&files.discover()), [files.path("home/.claude/agents/hidden.md")]);
}
