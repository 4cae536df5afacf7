//! Finds the agent files: the project's, then the user's.
//!
//! A repository chooses the names and kinds of its files, so links are not followed, nothing
//! outside the agents folder is read, and size, depth and number have limits. Reaching one is a
//! problem that is listed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Agent, Problem, Scope, Severity, check, parse};
use crate::config::Paths;

/// The largest agent file, in bytes. A prompt must fit into one argument of a process (128 KiB).
pub const FILE_BYTES_MAX: u64 = 96 * 1024;
/// The most files of one folder.
const FILES_MAX: usize = 1000;
/// The deepest subfolder.
const DEPTH_MAX: usize = 8;

/// An agent file that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Whose it is.
    pub scope: Scope,
    /// The agent, where the file is usable.
    pub agent: Option<Agent>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// The file of the same name that is used instead of this one.
    pub shadowed_by: Option<PathBuf>,
}

impl Listed {
    /// Returns whether the agent can run.
    pub fn is_usable(&self) -> bool {
        self.agent.is_some() && self.problems.iter().all(|problem| problem.severity != Severity::Error)
    }
}

/// Where agents are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders(Vec<(Scope, PathBuf)>);

impl Folders {
    /// Returns the folders that hold `.claude/agents`, in the order in which they win.
    pub fn of(paths: &Paths) -> Self {
        let mut folders = vec![(Scope::Project, paths.workspace.clone())];
        // What git does not track is missing in a worktree; the main one has it.
        folders.extend(paths.project_root.iter().map(|root| (Scope::Project, root.clone())));
        folders.extend(paths.home.iter().map(|home| (Scope::User, home.clone())));
        let mut seen = BTreeSet::new();
        folders.retain(|(_, folder)| seen.insert(folder.clone()));
        Self(folders)
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The agents that can be called, one of each name.
    pub agents: Vec<Agent>,
    /// Every file, in the order in which they win.
    pub files: Vec<Listed>,
}

/// Finds every agent file of the project and the user; `runners` are the kinds there are.
pub fn discover(folders: &Folders, runners: &[&str]) -> Found {
    let mut found = Found::default();
    for (scope, base) in &folders.0 {
        for (path, content) in files(*scope, base) {
            let (agent, mut problems) = match content {
                Ok(text) => parse(&text, &path, *scope),
                Err(problem) => (None, vec![problem]),
            };
            problems.extend(agent.iter().flat_map(|agent| check(agent, runners)));
            let mut listed = Listed { path, scope: *scope, agent, problems, shadowed_by: None };
            if let (true, Some(agent)) = (listed.is_usable(), &listed.agent) {
                match found.agents.iter().find(|first| first.name == agent.name) {
                    None => found.agents.push(agent.clone()),
                    Some(first) => {
                        if first.path.starts_with(base.join(".claude/agents")) {
                            let message = format!("the name {} is taken", agent.name);
                            let problem = Problem::warning(agent.line("name"), message);
                            listed.problems.push(problem.hint(format!("{} is used", first.path.display())));
                        }
                        listed.shadowed_by = Some(first.path.clone());
                    }
                }
            }
            found.files.push(listed);
        }
    }
    found
}

/// Returns the agent files below `base`, sorted by path, each with its text or what is wrong.
fn files(scope: Scope, base: &Path) -> Vec<(PathBuf, Result<String, Problem>)> {
    let folder = base.join(".claude/agents");
    let Ok(inside) = folder.canonicalize() else { return Vec::new() };
    // A user may keep the folder elsewhere; a repository must not point at the user's files.
    let strayed = base.canonicalize().is_ok_and(|base| !inside.starts_with(base));
    if scope == Scope::Project && strayed {
        let problem = Problem::error(1, "a link that leaves the project is not followed");
        return vec![(folder, Err(problem))];
    }
    let mut found = Vec::new();
    walk(&folder, 0, &mut found);
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let read = found.into_iter().map(|(path, problem)| {
        let text = problem.map_or_else(|| read(&path, &inside), Err);
        (path, text)
    });
    read.collect()
}

/// Collects the Markdown files below a folder, and what stands in their place, with its problem.
fn walk(folder: &Path, depth: usize, found: &mut Vec<(PathBuf, Option<Problem>)>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            found.push((folder.to_owned(), Some(Problem::error(1, format!("cannot be read: {error}")))));
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if found.len() >= FILES_MAX {
            let problem =
                Problem::error(1, format!("more than {FILES_MAX} agent files; this one and others are left out"));
            found.push((path, Some(problem)));
            return;
        }
        let Ok(kind) = entry.file_type() else { continue };
        let is_markdown = path.extension().is_some_and(|extension| extension == "md");
        if kind.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, found);
            } else {
                found
                    .push((path, Some(Problem::error(1, format!("deeper than {DEPTH_MAX} folders, so not searched")))));
            }
            if found.len() > FILES_MAX {
                return;
            }
        } else if kind.is_symlink() {
            if is_markdown || path.is_dir() {
                let problem = Problem::error(1, "a link, and links are not followed");
                found.push((path, Some(problem.hint("put the file itself here"))));
            }
        } else if is_markdown {
            let problem = (!kind.is_file()).then(|| Problem::error(1, "not a file"));
            found.push((path, problem));
        }
    }
}

/// Reads one agent file that lies inside the folder.
fn read(path: &Path, inside: &Path) -> Result<String, Problem> {
    let cannot = |error: std::io::Error| Problem::error(1, format!("cannot be read: {error}"));
    if !path.canonicalize().map_err(cannot)?.starts_with(inside) {
        return Err(Problem::error(1, "leads outside the agents folder"));
    }
    let file = open(path).map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(Problem::error(1, "not a file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::error(1, format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        Problem::error(1 + before.iter().filter(|byte| **byte == b'\n').count(), "not UTF-8")
    })
}

/// Opens a file, not following a link that took its place, and not waiting for the writer of a pipe.
#[cfg(target_os = "linux")]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Opens a file that is no link.
#[cfg(not(target_os = "linux"))]
fn open(path: &Path) -> std::io::Result<File> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(std::io::Error::other("a link, and links are not followed"));
    }
    File::open(path)
}
