//! Where an agent works: in the workspace, or in a tree of its own that is compared with what it
//! was and then removed. Only the difference comes back: no hooks, no settings, no ignored files.
//!
//! Both kinds of tree keep their git data outside the tree, where the agent cannot write: what it
//! changes there is only ever read as content.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::request::Isolation;
use crate::exec::{self, ToolOutput};

/// How long one git command may take.
const GIT_TIMEOUT: Duration = Duration::from_secs(120);
/// The most bytes of a copy.
const COPY_BYTES_MAX: u64 = 4 << 30;
/// The most files of a copy.
const COPY_FILES_MAX: usize = 200_000;

/// Where an agent works.
#[derive(Debug)]
pub struct Tree {
    /// The folder.
    pub path: PathBuf,
    apart: Option<Apart>,
}

/// What is needed to compare a tree with what it was, and to remove it.
#[derive(Debug)]
struct Apart {
    git: PathBuf,
    /// The folder that holds the tree and its git data; removed at the end.
    folder: PathBuf,
    /// The git data to compare with.
    data: PathBuf,
    /// The repository that lists the tree as one of its worktrees.
    listed_in: Option<PathBuf>,
}

/// The reason why a tree could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("{doing}: {reason}")]
pub struct TreeError {
    doing: String,
    reason: String,
}

impl TreeError {
    fn new(doing: impl Into<String>, reason: &dyn std::fmt::Display) -> Self {
        Self { doing: doing.into(), reason: reason.to_string() }
    }
}

/// Makes the tree that an attempt works in. `key` names the attempt; `folder` is where trees are kept.
pub async fn prepare(
    isolation: Isolation,
    workspace: &Path,
    folder: &Path,
    key: &str,
    programs: &[PathBuf],
) -> Result<Tree, TreeError> {
    if isolation == Isolation::Workspace {
        return Ok(Tree { path: workspace.to_owned(), apart: None });
    }
    let git = exec::find_program("git", programs)
        .ok_or_else(|| TreeError::new("cannot make a tree apart", &"git is not installed"))?;
    let folder = folder.join(key);
    let path = folder.join("tree");
    std::fs::create_dir_all(&folder)
        .map_err(|error| TreeError::new(format!("cannot make {}", folder.display()), &error))?;
    let data = folder.join("git");
    let mut tree = Tree { path: path.clone(), apart: None };
    let apart = Apart { git, folder, data, listed_in: None };
    let made = match isolation {
        Isolation::Worktree => worktree(&apart, workspace, &path).await,
        _ => copy(&apart, workspace, &path).await,
    };
    let listed_in = (isolation == Isolation::Worktree).then(|| workspace.to_owned());
    tree.apart = Some(Apart { listed_in, ..apart });
    match made {
        Ok(()) => Ok(tree),
        Err(error) => {
            tree.remove().await;
            Err(error)
        }
    }
}

/// Returns the attempts whose trees are in `folder`, by their keys: those that a process left behind
/// when it died are among them.
pub fn left_behind(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Removes the tree of an attempt that nobody works in any more.
pub async fn sweep(folder: &Path, key: &str, workspace: &Path, programs: &[PathBuf]) {
    let tree = folder.join(key);
    let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&tree)).await;
    if let (Ok(Ok(())), Some(git)) = (removed, exec::find_program("git", programs)) {
        let _ = exec::tool(&git, &["worktree", "prune"], workspace, GIT_TIMEOUT).await;
    }
}

impl Tree {
    /// Returns what was changed since the tree was made, as a patch; `None` in the workspace itself
    /// or when nothing was.
    pub async fn diff(&self) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(apart) = &self.apart else { return Ok(None) };
        let tree = self.path.clone();
        // A repository that the agent made or cloned is content like any other: its files come
        // back, its hooks and settings do not.
        tokio::task::spawn_blocking(move || remove_nested_repositories(&tree))
            .await
            .map_err(|error| TreeError::new("cannot look for nested repositories", &error))?
            .map_err(|error| TreeError::new("cannot look for nested repositories", &error))?;
        apart.run(&self.path, &["add", "--all", "--intent-to-add", "--", "."]).await?;
        let patch = apart
            .run(&self.path, &["diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--", "."])
            .await?;
        Ok(if patch.stdout.is_empty() { None } else { Some(patch.stdout) })
    }

    /// Removes the tree; the workspace itself is left alone.
    pub async fn remove(self) {
        let Some(apart) = self.apart else { return };
        let folder = apart.folder.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&folder)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(folder = %apart.folder.display(), "cannot remove a tree");
        }
        if let Some(repository) = &apart.listed_in {
            let _ = exec::tool(&apart.git, &["worktree", "prune"], repository, GIT_TIMEOUT).await;
        }
    }
}

impl Apart {
    /// Runs git on the tree with the git data kept apart.
    async fn run(&self, tree: &Path, arguments: &[&str]) -> Result<ToolOutput, TreeError> {
        let data = format!("--git-dir={}", self.data.display());
        let work = format!("--work-tree={}", tree.display());
        let mut all =
            vec![data.as_str(), work.as_str(), "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"];
        all.extend_from_slice(arguments);
        git(&self.git, &all, tree).await
    }
}

async fn git(program: &Path, arguments: &[&str], folder: &Path) -> Result<ToolOutput, TreeError> {
    let doing = || format!("git {}", arguments.iter().find(|argument| !argument.starts_with('-')).unwrap_or(&""));
    let output =
        exec::tool(program, arguments, folder, GIT_TIMEOUT).await.map_err(|error| TreeError::new(doing(), &error))?;
    if output.success() {
        Ok(output)
    } else {
        Err(TreeError::new(doing(), &output.stderr.trim().chars().take(500).collect::<String>()))
    }
}

/// Checks the last commit out into a worktree of the repository, whose git data the agent may read
/// but not write; the comparison uses an index of its own.
async fn worktree(apart: &Apart, workspace: &Path, path: &Path) -> Result<(), TreeError> {
    let shown = path.display().to_string();
    git(&apart.git, &["worktree", "add", "--detach", "--quiet", &shown, "HEAD"], workspace).await?;
    snapshot(apart, path).await
}

/// Copies what is not ignored.
async fn copy(apart: &Apart, workspace: &Path, path: &Path) -> Result<(), TreeError> {
    let (from, to) = (workspace.to_owned(), path.to_owned());
    tokio::task::spawn_blocking(move || copy_tree(&from, &to))
        .await
        .map_err(|error| TreeError::new("cannot copy the workspace", &error))?
        .map_err(|error| TreeError::new("cannot copy the workspace", &error))?;
    snapshot(apart, path).await
}

/// Removes the git data of every repository below the root of the tree.
fn remove_nested_repositories(tree: &Path) -> std::io::Result<()> {
    let mut walk = walkdir::WalkDir::new(tree).min_depth(1).follow_links(false).into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(std::io::Error::other)?;
        if entry.file_name() != ".git" || entry.depth() < 2 {
            continue;
        }
        if entry.file_type().is_dir() {
            walk.skip_current_dir();
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Records the tree as it is now in git data of its own.
async fn snapshot(apart: &Apart, path: &Path) -> Result<(), TreeError> {
    let data = apart.data.display().to_string();
    git(&apart.git, &["init", "--quiet", "--bare", &data], &apart.folder).await?;
    apart.run(path, &["config", "core.bare", "false"]).await?;
    let exclude = apart.data.join("info").join("exclude");
    std::fs::write(&exclude, "/.git\n").map_err(|error| TreeError::new("cannot write the exclusions", &error))?;
    apart.run(path, &["add", "--all", "--", "."]).await?;
    let identity =
        ["-c", "user.name=context-engine", "-c", "user.email=context-engine@localhost", "-c", "commit.gpgSign=false"];
    let mut commit = identity.to_vec();
    commit.extend(["commit", "--quiet", "--allow-empty", "--no-verify", "--message", "before"]);
    apart.run(path, &commit).await?;
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    let (mut files, mut bytes) = (0, 0);
    let walk = ignore::WalkBuilder::new(from).hidden(false).follow_links(false).require_git(false).build();
    for entry in walk {
        let entry = entry.map_err(std::io::Error::other)?;
        let Ok(relative) = entry.path().strip_prefix(from) else { continue };
        if relative.as_os_str().is_empty() || relative.starts_with(".git") || relative.starts_with(".claude/data") {
            continue;
        }
        let target = to.join(relative);
        let Some(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            bytes += std::fs::copy(entry.path(), &target)?;
            files += 1;
            if files > COPY_FILES_MAX || bytes > COPY_BYTES_MAX {
                let most = format!("{COPY_FILES_MAX} files or {}", crate::base::bytes(COPY_BYTES_MAX));
                return Err(std::io::Error::other(format!("it has more than {most}; ignore some, or use a worktree")));
            }
        }
    }
    Ok(())
}

/// Returns the uncommitted changes of the workspace as a patch; empty when there are none.
pub async fn uncommitted(workspace: &Path, programs: &[PathBuf]) -> Result<String, TreeError> {
    let program = exec::find_program("git", programs)
        .ok_or_else(|| TreeError::new("cannot read the uncommitted changes", &"git is not installed"))?;
    let arguments = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--", "."];
    let patch = git(&program, &arguments, workspace).await?;
    Ok(String::from_utf8_lossy(&patch.stdout).into_owned())
}
