//! Where things are: the project, its data, and the user's folders.
//!
//! No git is started: the few files that tell a worktree from a repository are read directly.

use std::path::{Component, Path, PathBuf};

use super::sources::Sources;

/// The name of the settings file.
pub(super) const FILE_NAME: &str = "context-engine.yaml";

/// The places that do not depend on any setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub project_root: Option<PathBuf>,
    pub workspace: PathBuf,
    pub home: Option<PathBuf>,
    /// `None` where the environment names neither a home nor a data folder.
    pub user_data: Option<PathBuf>,
    pub user_file: Option<PathBuf>,
    pub programs: Vec<PathBuf>,
}

/// Returns the places that `sources` lead to.
pub(super) fn places(sources: &Sources) -> Places {
    let environment = &sources.environment;
    let home = environment.path("HOME");
    let user_folder = |variable: &str, below_home: &str| {
        let base = environment.path(variable).or_else(|| Some(home.as_ref()?.join(below_home)))?;
        Some(base.join("context-engine"))
    };
    let workspace = workspace(&sources.working_directory, home.as_deref());
    Places {
        project_root: workspace.as_deref().map(project_root),
        workspace: workspace.unwrap_or_else(|| sources.working_directory.clone()),
        user_data: user_folder("XDG_DATA_HOME", ".local/share"),
        user_file: user_folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join(FILE_NAME)),
        programs: std::env::split_paths(environment.value("PATH").unwrap_or_default())
            .filter(|folder| folder.is_absolute())
            .collect(),
        home,
    }
}

/// Returns the nearest folder from `start` upwards that is a project: one with `.claude/` or
/// `.git`.
///
/// `~/.claude` holds the user's own agents and does not make a project of the home folder, which
/// would swallow everything below it.
fn workspace(start: &Path, home: Option<&Path>) -> Option<PathBuf> {
    let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_owned()));
    start
        .ancestors()
        .find(|folder| {
            let is_home = home.as_deref() == Some(*folder);
            folder.join(".git").exists() || (!is_home && folder.join(".claude").is_dir())
        })
        .map(Path::to_owned)
}

/// Returns the root that a workspace shares with the other worktrees of its repository.
fn project_root(workspace: &Path) -> PathBuf {
    let Some(checkout) = workspace.ancestors().find(|folder| folder.join(".git").exists()) else {
        return workspace.to_owned();
    };
    let Some(main) = main_worktree(checkout) else { return workspace.to_owned() };
    // A project inside the repository (`packages/app/.claude`) is the same one in each worktree.
    let inside = workspace.strip_prefix(checkout).unwrap_or(Path::new(""));
    let same = main.join(inside);
    if same.join(".claude").is_dir() || inside.as_os_str().is_empty() { clean(&same) } else { main }
}

/// Returns the main worktree of a linked one, or `None` if `checkout` is none.
///
/// A worktree's `.git` is a file that names its folder in the repository, and that folder names the
/// `.git` file in turn. Both must agree: a `.git` file that came with an archive must not open the
/// memory of another project.
fn main_worktree(checkout: &Path) -> Option<PathBuf> {
    let git_file = checkout.join(".git");
    let git_folder = checkout.join(small_file(&git_file)?.strip_prefix("gitdir:")?.trim());
    let common = git_folder.join(small_file(&git_folder.join("commondir"))?.trim()).canonicalize().ok()?;
    let back = git_folder.join(small_file(&git_folder.join("gitdir"))?.trim()).canonicalize().ok()?;
    if back != git_file.canonicalize().ok()? {
        return None;
    }
    if let Some(configured) = configured_worktree(&common) {
        return Some(configured);
    }
    let parent = common.parent()?;
    if common.file_name().is_some_and(|name| name == ".git") {
        return Some(parent.to_owned());
    }
    // `project/.git` may point at the bare repository beside it.
    let points_here = small_file(&parent.join(".git"))
        .and_then(|text| parent.join(text.strip_prefix("gitdir:")?.trim()).canonicalize().ok())
        .is_some_and(|target| target == common);
    Some(if points_here { parent.to_owned() } else { common })
}

/// Returns what `core.worktree` says, which submodules have.
fn configured_worktree(common: &Path) -> Option<PathBuf> {
    let config = small_file(&common.join("config"))?;
    let value = config.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("worktree").then(|| value.trim().to_owned())
    })?;
    common.join(value).canonicalize().ok().filter(|folder| folder.is_dir())
}

fn small_file(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > 1 << 16 {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// Returns `path` against `base`, with a leading `~` as the home folder and without `.` and `..`.
pub(super) fn absolute(path: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    let path = match (path.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_owned(),
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => base.join(path),
    };
    clean(&path)
}

/// Returns whether `path` lies inside `root` when links are followed. What is not there yet counts as
/// where it would be made; a link that leads nowhere could be made to lead anywhere.
pub(super) fn lies_inside(path: &Path, root: &Path) -> bool {
    let Ok(root) = root.canonicalize() else { return false };
    let Some(there) = path.ancestors().find(|ancestor| ancestor.symlink_metadata().is_ok()) else { return false };
    there.canonicalize().is_ok_and(|there| there.starts_with(&root))
}

fn clean(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut clean, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(component),
        }
        clean
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_absolute() {
        for (path, expected) in [
            ("memory.db", "/base/memory.db"),
            ("../x/./memory.db", "/x/memory.db"),
            ("/a/b", "/a/b"),
            ("~", "/home/u"),
            ("~/m.db", "/home/u/m.db"),
            ("~other/m.db", "/base/~other/m.db"),
        ] {
            assert_eq!(absolute(path, Path::new("/base"), Some(Path::new("/home/u"))), Path::new(expected), "{path}");
        }
    }
}
