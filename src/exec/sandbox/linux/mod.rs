//! The helper process on Linux: builds the boundary, starts the task, watches over it, tidies up.
//!
//! With namespaces there are three processes: this helper outside; the init of the namespaces, which
//! builds the private root, starts the task and reaps ([`init`]); and the task. When init ends, the
//! kernel ends everything inside. Without namespaces the helper is the parent of the task and adopts
//! whatever the task leaves behind, so that nothing escapes the final sweep.

mod cgroup;
mod disarm;
mod fence;
mod guard;
mod init;
mod root;
mod seccomp;
mod sys;
mod task;
mod tree;
mod watch;

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use cgroup::Groups;
use fence::Fence;
use guard::Guards;
use root::Paths;
use seccomp::Choice;
use task::{Failed, Task, step};

use super::init::STDIN_AT_3;
use super::order::{Order, Verdict};
use super::{Report, Strength};
use crate::exec::Network;

/// Runs the helper to its end and returns its exit code.
pub(super) fn helper() -> i32 {
    // Whatever the server had open without marking it is none of our business, but for a standard
    // input that it hands on.
    let hands_on = std::env::args_os().nth(2).is_some_and(|argument| argument == STDIN_AT_3);
    if sys::close_from(if hands_on { 4 } else { 3 }).is_err() {
        return 71;
    }
    let given = if hands_on { sys::take(3).ok() } else { None };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE, libc::SIGTTOU] {
        sys::ignore_signal(signal);
    }
    let Ok(standard) = sys::duplicate(0) else { return 71 };
    let mut server = UnixStream::from(standard);
    // Descriptor 0 is the task's from now on; the socket has its own.
    let Ok(nothing) = fs::File::open("/dev/null") else { return 71 };
    if sys::put_at(nothing.as_fd(), 0).is_err() {
        return 71;
    }
    // A server that is gone before its order is complete wants nothing.
    let Ok(order) = Order::read(&mut server) else { return 72 };
    let verdict = obey(&order, &server, given).unwrap_or_else(|failed| {
        if failed.program {
            Verdict::Program { reason: failed.reason }
        } else {
            Verdict::Boundary { reason: failed.reason }
        }
    });
    let told = serde_json::to_vec(&verdict).map(|text| server.write_all(&text));
    i32::from(!matches!(told, Ok(Ok(()))))
}

fn obey(order: &Order, server: &UnixStream, given: Option<OwnedFd>) -> Result<Verdict, Failed> {
    let (started, began) = (Instant::now(), SystemTime::now());
    let streams = (step("streams", keep_stream(1))?, step("streams", keep_stream(2))?);
    let stdin = match given {
        Some(given) => given,
        None => step("stdin", task_stdin(&order.launch.stdin))?,
    };
    let mut paths = step("policy", Paths::of(&order.policy, &order.launch.program))?;
    if paths.home.components().count() < 2 {
        paths.home = "/home/task".into();
    }
    let full = order.strength == Strength::Full;
    if order.strength >= Strength::Landlock {
        if sys::landlock_version() == 0 {
            return Err(Failed { program: false, reason: "the kernel has no Landlock".into() });
        }
        if !seccomp::KNOWN {
            return Err(Failed { program: false, reason: "no system call filter for this processor".into() });
        }
    }
    let mut guards = if full { step("guards", Guards::prepare(&paths.writable))? } else { Guards::default() };
    let groups = Groups::make(&order.policy.limits);
    let private =
        if full { None } else { Some(step("private folders", Private::make(&order.launch.home_files, &paths))?) };

    let outcome = {
        let (home, temporary) = match &private {
            Some(private) => (private.home(), private.temporary()),
            None => (paths.home.clone(), PathBuf::from("/tmp")),
        };
        let task = Task {
            launch: &order.launch,
            limits: &order.policy.limits,
            processes_of_user: processes_of_user(order, full),
            home: &home,
            temporary: &temporary,
            boundary: boundary(order, &paths, &home, &temporary),
            tcp: full || order.policy.network == Network::Host,
            stdin,
            stdout: streams.0,
            stderr: streams.1,
            probe: order.probe,
            dies_with_parent: !full,
        };
        if full {
            init::start(&task, order, &paths, &guards.list, &groups)
        } else {
            init::start_without_namespaces(&task, &groups)
        }
    };
    let ended = outcome.and_then(|running| running.watch(order, server, &groups));
    let wall = started.elapsed();
    guards.remove_placeholders();
    let found = disarm::disarm(&paths.writable, began, full.then_some(guards.list.as_slice()));
    let mut report = report(order, &groups);
    if found.incomplete {
        report.gaps.push("the writable folders are too large to look through for new hooks".to_owned());
    }
    drop(groups);
    drop(private);
    Ok(Verdict::Ended {
        ended: ended?,
        wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
        report,
        touched: found.touched,
    })
}

/// Takes a standard stream out of its place, where nothing of ours may write.
fn keep_stream(number: i32) -> std::io::Result<OwnedFd> {
    let kept = sys::duplicate(number)?;
    let nothing = fs::OpenOptions::new().write(true).open("/dev/null")?;
    sys::put_at(nothing.as_fd(), number)?;
    Ok(kept)
}

/// What the task reads: a file in memory, so that nobody has to feed it.
fn task_stdin(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    if bytes.is_empty() { Ok(fs::File::open("/dev/null")?.into()) } else { sys::sealed_memory(bytes) }
}

/// RLIMIT_NPROC counts all processes of the user in the namespace, and ignores the real root.
fn processes_of_user(order: &Order, full: bool) -> u64 {
    let limit = order.policy.limits.processes;
    let user = nix::unistd::getuid();
    limit.saturating_add(if full || user.is_root() { 1 } else { tree::threads_of_user(user.as_raw()) })
}

fn boundary(order: &Order, paths: &Paths, home: &Path, temporary: &Path) -> Option<(Fence, Choice)> {
    let unix = sys::landlock_version() >= 9;
    let mut writable = paths.writable.clone();
    writable.extend([home.to_path_buf(), temporary.to_path_buf()]);
    match order.strength {
        Strength::Unprotected => None,
        Strength::Landlock => {
            let mut fence = Fence::around_host();
            fence.readable.extend(paths.readable.iter().cloned());
            fence.writable = writable;
            let internet = order.policy.network == Network::Host;
            Some((fence, Choice { internet, unix, namespaces: false }))
        }
        Strength::Full => {
            // Everything in the private root may be read: it holds nothing else.
            let fence = Fence {
                readable: vec!["/".into()],
                writable,
                devices: fence::DEVICES.iter().map(PathBuf::from).collect(),
            };
            Some((fence, Choice { internet: true, unix, namespaces: true }))
        }
    }
}

/// What held, and what did not.
fn report(order: &Order, groups: &Groups) -> Report {
    let mut gaps: Vec<&str> = Vec::new();
    let version = sys::landlock_version();
    match order.strength {
        Strength::Unprotected => gaps.push("nothing but resource limits is enforced"),
        Strength::Landlock => gaps.extend([
            "names, modes and times of files outside can be seen, and those of the user's own changed",
            "paths below an allowed folder are not protected: hidden ones (our own data) can be read, and persistence points \
             (hooks, settings of editors and agents) changed, which is reported afterwards",
            "temporary space is limited per file only",
            "host name, users and processes are the host's",
            "no loopback of its own, no unix sockets, little of /proc/self and for the first process only, no file watching",
        ]),
        Strength::Full => {
            if version < 9 {
                gaps.push("no unix sockets at all, because this kernel cannot tell whose they are");
            }
        }
    }
    if order.strength == Strength::Landlock {
        if version < 6 {
            gaps.push("signals reach other processes of the user (needs Landlock 6)");
        }
        if version < 3 {
            gaps.push("files outside can be truncated (needs Landlock 3)");
        }
    }
    if order.policy.network == Network::Host {
        gaps.push("the network is the host's");
    }
    if !groups.limits_memory() {
        gaps.push("memory of the whole tree is watched, not limited by the kernel");
    }
    if !groups.limits_processes() && (order.strength != Strength::Full || nix::unistd::getuid().is_root()) {
        gaps.push("the number of processes is watched, not limited by the kernel");
    }
    gaps.push("disk use in writable folders is limited per file only");
    Report { strength: order.strength, gaps: gaps.into_iter().map(str::to_owned).collect() }
}

/// Private folders for a task that sees the host's root. Removed when dropped.
#[derive(Debug)]
struct Private(PathBuf);

impl Private {
    fn make(home_files: &[(PathBuf, Vec<u8>)], paths: &Paths) -> std::io::Result<Self> {
        let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("ctx-task-XXXXXX"))?;
        let private = Self(folder);
        fs::create_dir(private.home())?;
        fs::create_dir(private.temporary())?;
        task::fill_home(&private.home(), home_files)?;
        // Toolchains are looked for below HOME.
        for path in &paths.readable {
            if let Ok(relative) = path.strip_prefix(&paths.home) {
                let link = private.home().join(relative);
                if let Some(folder) = link.parent() {
                    fs::create_dir_all(folder)?;
                }
                if link.symlink_metadata().is_err() {
                    std::os::unix::fs::symlink(path, link)?;
                }
            }
        }
        Ok(private)
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    fn temporary(&self) -> PathBuf {
        self.0.join("tmp")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.0).is_err() {
            // A task may have taken permissions from its own folders.
            for entry in walkdir::WalkDir::new(&self.0).into_iter().flatten() {
                use std::os::unix::fs::PermissionsExt;
                if entry.file_type().is_dir() {
                    let _kept = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
                }
            }
            let _kept = fs::remove_dir_all(&self.0);
        }
    }
}
