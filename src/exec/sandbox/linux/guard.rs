//! Persistence points: what the host would execute or obey later, and a task may not change.
//!
//! Where the task has a root of its own, each point is mounted upon itself, read-only. A point that
//! does not exist yet gets an empty folder as a placeholder, whatever it would be otherwise: git
//! does not see empty folders, and no program reads settings from one. Placeholders are shared
//! between runs by a lock, and the last run removes them.
//!
//! After the run, what Git would execute and the task made nevertheless (in a new or nested
//! repository, or where mounts were not possible) is disarmed: see `disarm`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};

/// Where programs look for settings and for things to execute, below a workspace.
pub(super) const POINTS: [&str; 11] = [
    ".claude",
    ".codex",
    ".gemini",
    ".cursor",
    ".vscode",
    ".idea",
    ".mcp.json",
    ".envrc",
    ".gitmodules",
    "context-engine.yaml",
    ".git",
];

/// Start files of shells. They count in a home folder only, which is never given to a task; a
/// workspace that has them may be the one that a home folder links to.
const SHELL_POINTS: [&str; 7] =
    [".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".zprofile"];

/// What of a repository is protected; `.git` itself stays writable, so that git works.
const OF_REPOSITORY: [&str; 4] = [".git/hooks", ".git/config", ".git/config.worktree", ".git/modules"];

/// How a point is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing in it changes.
    ReadOnly,
    /// It stays where it is; what is in it may change.
    Pinned,
}

/// A protected path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guard {
    pub path: PathBuf,
    pub kind: Kind,
    /// It may be gone when it is to be protected.
    pub optional: bool,
}

/// What protects the workspaces of a task.
#[derive(Debug, Default)]
pub(super) struct Guards {
    pub list: Vec<Guard>,
    placeholders: Vec<(PathBuf, Flock<fs::File>)>,
}

/// The modification time that marks an empty folder as a placeholder of ours, also after a crash.
const MARK: Duration = Duration::from_secs(86_400 + 42);

impl Guards {
    /// Finds the points below the writable roots and makes the missing ones.
    pub(super) fn prepare(writable: &[PathBuf]) -> io::Result<Self> {
        let mut guards = Self::default();
        for root in writable.iter().filter(|root| root.is_dir()) {
            for point in POINTS {
                again(|| guards.point(&root.join(point)))?;
            }
            for point in SHELL_POINTS.map(|point| root.join(point)) {
                if point.symlink_metadata().is_ok() {
                    again(|| guards.point(&point))?;
                }
            }
            if root.join(".git").symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                for point in OF_REPOSITORY {
                    again(|| guards.within_repository(&root.join(point)))?;
                }
            }
        }
        Ok(guards)
    }

    fn point(&mut self, path: &Path) -> io::Result<()> {
        let is_repository = path.file_name().is_some_and(|name| name == ".git");
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {
                self.push(path, Kind::ReadOnly);
                // What it points to matters as much, when the task may write there.
                if let Ok(target) = path.canonicalize() {
                    self.push(&target, Kind::ReadOnly);
                    self.list.last_mut().expect("just pushed").optional = true;
                }
            }
            Ok(metadata) if is_repository && metadata.is_dir() => self.push(path, Kind::Pinned),
            Ok(metadata) => {
                if metadata.is_dir() {
                    self.adopt(path)?;
                }
                self.push(path, Kind::ReadOnly);
            }
            // A repository may be made in the workspace; it is looked at afterwards.
            Err(_) if is_repository => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path)?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn within_repository(&mut self, path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Ok(metadata) => {
                if metadata.is_dir() {
                    self.adopt(path)?;
                }
                self.push(path, Kind::ReadOnly);
            }
            // An empty `config` folder would break git; without `config` there is no repository.
            Err(_) if path.ends_with("hooks") || path.ends_with("modules") => self.make(path)?,
            Err(_) => {}
        }
        Ok(())
    }

    fn push(&mut self, path: &Path, kind: Kind) {
        self.list.push(Guard { path: path.to_path_buf(), kind, optional: false });
    }

    /// Makes a placeholder and shares in it.
    fn make(&mut self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Then the task cannot make it either.
            Err(error)
                if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        fs::File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + MARK)?;
        self.adopt(path)?;
        self.push(path, Kind::ReadOnly);
        Ok(())
    }

    /// Shares in a folder that may be a placeholder: while anybody holds it, nobody removes it. An
    /// empty folder without the mark may be one that is just being made.
    fn adopt(&mut self, path: &Path) -> io::Result<()> {
        if !is_empty(path) {
            return Ok(());
        }
        let folder = fs::File::open(path)?;
        let held = Flock::lock(folder, FlockArg::LockSharedNonblock).map_err(|(_, error)| error)?;
        let still = path
            .symlink_metadata()
            .is_ok_and(|now| held.metadata().is_ok_and(|ours| (now.ino(), now.dev()) == (ours.ino(), ours.dev())));
        if still {
            self.placeholders.push((path.to_path_buf(), held));
            return Ok(());
        }
        // The last holder removed it between our look and our lock.
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Removes the placeholders that nobody else holds and nobody filled.
    pub(super) fn remove_placeholders(&mut self) {
        for (path, held) in self.placeholders.drain(..).rev() {
            // An exclusive lock in place of the shared one: refused while another run shares.
            if held.relock(FlockArg::LockExclusiveNonblock).is_ok() && is_placeholder(&path) {
                let _kept = fs::remove_dir(&path);
            }
        }
    }
}

/// Whether this is an empty folder with our mark.
fn is_placeholder(path: &Path) -> bool {
    let marked = path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.is_dir() && metadata.mtime() == MARK.as_secs().cast_signed());
    marked && is_empty(path)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Repeats a step that met a placeholder in the moment of its removal.
fn again(mut step: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..50 {
        match step() {
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::NotFound].contains(&error.kind()) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
    step()
}
