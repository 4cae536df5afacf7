//! The last steps inside the boundary: limits, capabilities, Landlock, seccomp, and the program.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, setrlimit};

use super::fence::Fence;
use super::seccomp::{self, Choice};
use super::sys;
use crate::exec::{Launch, Limits};

/// What the task is made of, all of it prepared before the fork.
pub(super) struct Task<'a> {
    pub launch: &'a Launch,
    pub limits: &'a Limits,
    /// The most processes of this user, other tasks' included, as RLIMIT_NPROC counts them.
    pub processes_of_user: u64,
    pub home: &'a Path,
    pub temporary: &'a Path,
    /// `None`: nothing is enforced but the limits.
    pub boundary: Option<(Fence, Choice)>,
    /// Whether TCP is left alone by Landlock.
    pub tcp: bool,
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Leave instead of starting the program.
    pub probe: bool,
    /// The group of processes that dies with its parent, where no namespace sees to it.
    pub dies_with_parent: bool,
}

/// A step that failed.
pub(super) struct Failed {
    /// The program itself could not be executed.
    pub program: bool,
    pub reason: String,
}

/// Names a step that failed.
pub(super) fn step<T, E: std::fmt::Display>(name: &str, result: Result<T, E>) -> Result<T, Failed> {
    result.map_err(|error| Failed { program: false, reason: format!("{name}: {error}") })
}

impl Task<'_> {
    /// Becomes the task. Returns only when that fails, or when this was a trial.
    pub(super) fn become_it(&self) -> Result<(), Failed> {
        if self.dies_with_parent {
            step("parent death signal", sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong))?;
        }
        step("session", nix::unistd::setsid())?;
        sys::reset_signals();
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        for (from, number) in [(&self.stdin, 0), (&self.stdout, 1), (&self.stderr, 2)] {
            step("standard streams", sys::put_at(from.as_fd(), number))?;
        }
        let folder = &self.launch.working_directory;
        std::env::set_current_dir(folder).map_err(|error| Failed {
            program: true,
            reason: format!("its working directory {} is not there for it: {error}", folder.display()),
        })?;
        let (program, arguments, environment) = step("arguments", self.vectors())?;
        step("limits", self.limit())?;
        step("no new privileges", sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1))?;
        if let Some((fence, choice)) = &self.boundary {
            step("capabilities", sys::drop_capabilities())?;
            step("landlock", fence.close(self.tcp))?;
            // The error pipe must survive until the program starts; everything else that is open
            // is closed at that moment.
            step("descriptors", sys::close_from_at_exec(3))?;
            step("seccomp", sys::install_seccomp(&seccomp::program(*choice)))?;
        } else {
            step("descriptors", sys::close_from_at_exec(3))?;
        }
        if self.probe {
            return Ok(());
        }
        let error = sys::exec(&program, &arguments, &environment);
        Err(Failed { program: true, reason: error.to_string() })
    }

    fn limit(&self) -> nix::Result<()> {
        let limits = self.limits;
        for (resource, most) in [
            (Resource::RLIMIT_CORE, 0),
            (Resource::RLIMIT_FSIZE, limits.file_bytes),
            (Resource::RLIMIT_NOFILE, limits.open_files),
            // Not RLIMIT_AS: node and others reserve far more address space than they use.
            (Resource::RLIMIT_DATA, limits.memory_bytes),
            (Resource::RLIMIT_NPROC, self.processes_of_user),
            (Resource::RLIMIT_MEMLOCK, 8 << 20),
            (Resource::RLIMIT_MSGQUEUE, 0),
        ] {
            let (_, hard) = nix::sys::resource::getrlimit(resource)?;
            let most = most.min(hard);
            setrlimit(resource, most, most)?;
        }
        Ok(())
    }

    /// Program, arguments and environment for exec.
    fn vectors(&self) -> io::Result<(CString, Vec<CString>, Vec<CString>)> {
        let program = sys::c_path(&self.launch.program)?;
        let mut arguments = vec![program.clone()];
        for argument in &self.launch.arguments {
            arguments.push(CString::new(argument.as_bytes())?);
        }
        let named = |name: &str| self.launch.environment.iter().any(|(key, _)| key == name);
        let mut environment = Vec::new();
        for (name, value) in &self.launch.environment {
            if name.is_empty() || name.contains('=') {
                return Err(io::Error::other(format!("`{name}` cannot be the name of a variable")));
            }
            if !["HOME", "TMPDIR"].contains(&name.as_str()) {
                environment.push(CString::new(format!("{name}={value}"))?);
            }
        }
        for (name, value) in [("HOME", self.home), ("TMPDIR", self.temporary)] {
            environment.push(CString::new([name.as_bytes(), b"=", value.as_os_str().as_bytes()].concat())?);
        }
        for (name, value) in [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")] {
            if !named(name) {
                environment.push(CString::new(format!("{name}={value}"))?);
            }
        }
        Ok((program, arguments, environment))
    }
}

/// The files of the private home folder.
pub(super) fn fill_home(home: &Path, files: &[(PathBuf, Vec<u8>)]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    for (path, content) in files {
        let ordinary = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !ordinary || path.as_os_str().is_empty() {
            return Err(io::Error::other(format!("{} does not lie below the home folder", path.display())));
        }
        let target = home.join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
        io::Write::write_all(&mut file, content)?;
    }
    Ok(())
}

/// Sends a failure through the error pipe; its closing at exec means success.
pub(super) fn tell(pipe: BorrowedFd<'_>, failed: &Failed) {
    let text = format!("{}{}", if failed.program { 'p' } else { 'b' }, failed.reason);
    // Nobody is left to hear of an error here.
    let _sent = nix::unistd::write(pipe, text.as_bytes());
}
