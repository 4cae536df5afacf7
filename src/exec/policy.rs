//! The presets: what commands, agents and read-only tasks may do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Limits, Network, Policy};
use crate::config::{Config, MinimumStrength};

/// Toolchains below the user's home folder that tasks may read. Nothing here holds credentials:
/// `.cargo/credentials.toml` for one lies beside these.
const TOOLCHAINS: [&str; 12] = [
    ".cargo/bin",
    ".cargo/env",
    ".cargo/registry",
    ".cargo/git",
    ".rustup",
    ".nvm",
    ".pyenv",
    ".local/bin",
    ".bun/bin",
    ".deno/bin",
    ".volta",
    "go/pkg",
];

/// What is never shown, wherever it lies below something readable.
const SECRETS: [&str; 12] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".kube",
    ".docker",
    ".netrc",
    ".git-credentials",
    ".cargo/credentials.toml",
    ".npmrc",
];

/// Our own data below a project.
const OWN_DATA: &str = ".claude/data";

impl Policy {
    /// A command: changes the workspace, reads toolchains, has no network.
    pub fn command(workspace: PathBuf, home: Option<PathBuf>) -> Self {
        let mut readable: Vec<PathBuf> = Vec::new();
        let mut hidden = vec![workspace.join(OWN_DATA)];
        if let Some(home) = &home {
            readable.extend(toolchains(home));
            hidden.extend(SECRETS.iter().map(|path| home.join(path)));
        }
        readable.extend(repository_of_worktree(&workspace));
        Self {
            minimum: MinimumStrength::Landlock,
            readable,
            writable: vec![workspace],
            hidden,
            network: Network::None,
            home,
            limits: Limits::default(),
        }
    }

    /// The command line of an agent: as a command, with the host's network and more time.
    pub fn agent(workspace: PathBuf, home: Option<PathBuf>) -> Self {
        let policy = Self::command(workspace, home);
        Self {
            network: Network::Host,
            limits: Limits { wall: Duration::from_secs(30 * 60), ..policy.limits },
            ..policy
        }
    }

    /// As a command, but the workspace cannot be changed.
    pub fn readonly(workspace: PathBuf, home: Option<PathBuf>) -> Self {
        let mut policy = Self::command(workspace, home);
        policy.readable.append(&mut policy.writable);
        policy
    }
}

impl Policy {
    /// Puts the settings' own limits and folders in, and hides what we keep.
    pub fn apply(&mut self, config: &Config) {
        let settings = &config.sandbox;
        self.minimum = settings.minimum;
        self.readable.extend(settings.readable.iter().cloned());
        self.limits.memory_bytes = settings.memory_bytes;
        self.limits.processes = settings.processes;
        self.limits.output_bytes = settings.output_bytes;
        self.hide_data(config);
    }

    /// Hides our own data wherever the settings put it: the project's and the user's folders, and the
    /// files of memories kept elsewhere. A tree that the task works in, below the user's folder,
    /// stays seen.
    pub fn hide_data(&mut self, config: &Config) {
        let paths = &config.paths;
        self.hidden.extend([paths.data.clone(), paths.user_data.clone()]);
        for location in [&config.memory.location, &config.memory.user_location] {
            // SQLite keeps what is not yet in its file beside it.
            self.hidden.extend(["", "-wal", "-shm", "-journal"].map(|end| PathBuf::from(format!("{location}{end}"))));
        }
    }
}

/// Returns the toolchains below a home folder that every task may read.
pub fn toolchains(home: &Path) -> Vec<PathBuf> {
    TOOLCHAINS.iter().map(|path| home.join(path)).collect()
}

/// Where the repository of a git worktree lies: there `.git` is a file that names a folder in the
/// main repository, without which git does not work.
fn repository_of_worktree(workspace: &Path) -> Option<PathBuf> {
    let link = std::fs::read_to_string(workspace.join(".git")).ok()?;
    let folder = workspace.join(link.strip_prefix("gitdir:")?.trim());
    let common = std::fs::read_to_string(folder.join("commondir")).ok()?;
    let common = folder.join(common.trim()).canonicalize().ok()?;
    // The file is part of the workspace and may have been planted: only a repository qualifies,
    // and only one that knows this worktree.
    let known = std::fs::read_to_string(folder.join("gitdir")).ok()?;
    let same = Path::new(known.trim()).canonicalize().ok()? == workspace.join(".git").canonicalize().ok()?;
    (same && common.join("HEAD").is_file() && folder.canonicalize().ok()?.starts_with(&common)).then_some(common)
}
