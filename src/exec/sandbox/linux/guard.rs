//! Persistence points: what the host would execute or obey later, and a task may not change.
//!
//! Where the task has a root of its own, each point is mounted upon itself, read-only. A point that
//! does not exist yet gets a placeholder: the name of a socket that nobody serves, whatever it would
//! be otherwise. Git does not see sockets, nobody can read settings from one, and unlike a folder
//! (3 ms on ext4) it costs nothing to remove. Runs share the placeholders of a workspace by a lock
//! on it, and the last run removes them.
//!
//! The user sees the placeholders in the workspace as long as a run goes on. There is no way around
//! them without privileges: only what exists can be covered by a mount, and Landlock allows names
//! but forbids none. When the helper itself is killed they stay, and the next run in the workspace
//! removes them with its own.
//!
//! After the run, what Git would execute and the task made nevertheless (in a new or nested
//! repository) is disarmed: see `disarm`.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, mknod, utimensat};
use nix::sys::time::TimeSpec;

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
    shares: Vec<Share>,
}

/// Our share in the placeholders of a workspace.
#[derive(Debug)]
struct Share {
    workspace: Flock<fs::File>,
    placeholders: Vec<PathBuf>,
}

/// The modification time that marks a placeholder as ours, also after a crash.
const MARK: Duration = Duration::from_secs(86_400 + 42);

impl Guards {
    /// Finds the points below the writable roots and makes the missing ones.
    pub(super) fn prepare(writable: &[PathBuf]) -> io::Result<Self> {
        let mut guards = Self::default();
        for root in writable.iter().filter(|root| root.is_dir()) {
            guards.shares.extend(share(root)?);
            for point in POINTS {
                guards.point(&root.join(point))?;
            }
            for point in SHELL_POINTS.map(|point| root.join(point)) {
                if point.symlink_metadata().is_ok() {
                    guards.point(&point)?;
                }
            }
            if root.join(".git").symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                for point in OF_REPOSITORY {
                    guards.within_repository(&root.join(point))?;
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
            Ok(_) => self.keep(path),
            // A repository may be made in the workspace; it is looked at afterwards.
            Err(_) if is_repository => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path)?,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn within_repository(&mut self, path: &Path) -> io::Result<()> {
        match path.symlink_metadata() {
            Ok(_) => self.keep(path),
            // A `config` that cannot be read would break git; without `config` there is no repository.
            Err(_) if path.ends_with("hooks") || path.ends_with("modules") => self.make(path)?,
            Err(_) => {}
        }
        Ok(())
    }

    fn push(&mut self, path: &Path, kind: Kind) {
        self.list.push(Guard { path: path.to_path_buf(), kind, optional: false });
    }

    /// Protects what is there, which may be a placeholder of another run.
    fn keep(&mut self, path: &Path) {
        if let Some(share) = self.shares.last_mut().filter(|_| may_be_placeholder(path)) {
            share.placeholders.push(path.to_path_buf());
        }
        self.push(path, Kind::ReadOnly);
    }

    /// Makes a placeholder.
    fn make(&mut self, path: &Path) -> io::Result<()> {
        // Our own data may have to be made below `.claude` at any moment, so that one is a folder.
        let made = if path.file_name().is_some_and(|name| name == ".claude") {
            fs::create_dir(path)
        } else {
            mknod(path, SFlag::S_IFSOCK, Mode::from_bits_truncate(0o444), 0).map_err(io::Error::from)
        };
        match made {
            Ok(()) => {
                let mark = TimeSpec::from_duration(MARK);
                utimensat(nix::fcntl::AT_FDCWD, path, &mark, &mark, UtimensatFlags::NoFollowSymlink)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // Then the task cannot make it either.
            Err(error)
                if [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        self.keep(path);
        Ok(())
    }

    /// Removes the placeholders of the workspaces that no other run is in.
    pub(super) fn remove_placeholders(&mut self) {
        for share in self.shares.drain(..) {
            // An exclusive lock in place of the shared one: refused while another run shares.
            if share.workspace.relock(FlockArg::LockExclusiveNonblock).is_err() {
                continue;
            }
            for path in share.placeholders.iter().rev().filter(|path| is_placeholder(path)) {
                let _kept = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
            }
        }
    }
}

/// Takes a share in a workspace. The last run holds it alone for the moment in which it removes the
/// placeholders; whoever holds it alone for longer is not one of ours, and then nothing is removed.
fn share(root: &Path) -> io::Result<Option<Share>> {
    for _ in 0..200 {
        match Flock::lock(fs::File::open(root)?, FlockArg::LockSharedNonblock) {
            Ok(workspace) => return Ok(Some(Share { workspace, placeholders: Vec::new() })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => std::thread::sleep(Duration::from_millis(1)),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// Whether this is a placeholder.
fn is_placeholder(path: &Path) -> bool {
    let marked = path.symlink_metadata().is_ok_and(|metadata| metadata.mtime() == MARK.as_secs().cast_signed());
    marked && may_be_placeholder(path)
}

/// Whether this is a socket or an empty folder: a placeholder, or one that is just being made and
/// has no mark yet.
fn may_be_placeholder(path: &Path) -> bool {
    let Ok(metadata) = path.symlink_metadata() else { return false };
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    metadata.file_type().is_socket() || (metadata.is_dir() && empty())
}
