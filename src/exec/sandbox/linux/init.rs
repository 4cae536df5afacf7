//! Starting the task: with namespaces through an init of its own, without them directly.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::cgroup::Groups;
use super::guard::Guard;
use super::root::{self, Paths};
use super::sys::{self, Side};
use super::task::{Failed, Task, step, tell};
use super::watch::Running;
use crate::exec::Network;
use crate::exec::sandbox::order::Order;

/// A pipe whose ends are closed at exec.
fn pipe() -> Result<(fs::File, fs::File), Failed> {
    let (read, write) = step("pipe", nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC))?;
    Ok((fs::File::from(read), fs::File::from(write)))
}

/// Starts the task as a child of this process.
pub(super) fn start_without_namespaces(task: &Task<'_>, groups: &Groups) -> Result<Running, Failed> {
    // What the task leaves behind becomes our child, so that it is found and ended.
    step("subreaper", sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
    let (gate, mut open_gate) = pipe()?;
    let (errors, tell_errors) = pipe()?;
    match step("fork", sys::clone_process(0))? {
        Side::Child => {
            drop(open_gate);
            pass(gate);
            if let Err(failed) = task.become_it() {
                tell(tell_errors.as_fd(), &failed);
                sys::exit_now(127);
            }
            sys::exit_now(0)
        }
        Side::Parent(pid) => {
            drop((gate, tell_errors));
            let placed = groups.place(pid);
            let opened = open_gate.write_all(b"g");
            let running = Running::new(pid, false, None)?;
            step("cgroup", placed)?;
            step("gate", opened)?;
            running.once_started(errors)
        }
    }
}

/// Starts the init of new namespaces, which starts the task.
pub(super) fn start(
    task: &Task<'_>,
    order: &Order,
    paths: &Paths,
    guards: &[Guard],
    groups: &Groups,
) -> Result<Running, Failed> {
    let mut namespaces =
        libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if order.policy.network == Network::None {
        namespaces |= libc::CLONE_NEWNET;
    }
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    if user.is_root() {
        step("groups", nix::unistd::setgroups(&[]))?;
    }
    let (gate, mut open_gate) = pipe()?;
    let (errors, tell_errors) = pipe()?;
    let (status, tell_status) = pipe()?;
    match step("namespaces", sys::clone_process(namespaces))? {
        Side::Child => {
            drop((open_gate, errors, status));
            pass(gate);
            let result = be_init(task, order, paths, guards, tell_errors.as_fd(), tell_status);
            if let Err(failed) = result {
                tell(tell_errors.as_fd(), &failed);
            }
            sys::exit_now(127)
        }
        Side::Parent(pid) => {
            drop((gate, tell_errors, tell_status));
            let running = Running::new(pid, true, Some(status))?;
            step("cgroup", groups.place(pid))?;
            let map = |file: &str, text: String| {
                step(
                    file,
                    fs::OpenOptions::new()
                        .write(true)
                        .open(format!("/proc/{pid}/{file}"))
                        .and_then(|mut file| file.write_all(text.as_bytes())),
                )
            };
            map("uid_map", format!("{user} {user} 1\n"))?;
            map("setgroups", "deny".to_owned())?;
            map("gid_map", format!("{group} {group} 1\n"))?;
            step("gate", open_gate.write_all(b"g"))?;
            running.once_started(errors)
        }
    }
}

/// Waits until the parent has placed and mapped this process, or ends with it.
fn pass(mut gate: fs::File) {
    if gate.read_exact(&mut [0]).is_err() {
        sys::exit_now(127);
    }
}

/// The init: builds the root, starts the task, reaps, and ends when the task does.
fn be_init(
    task: &Task<'_>,
    order: &Order,
    paths: &Paths,
    guards: &[Guard],
    errors: std::os::fd::BorrowedFd<'_>,
    status: fs::File,
) -> Result<(), Failed> {
    step("parent death signal", sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong))?;
    step("cgroup namespace", nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP))?;
    step("host name", nix::unistd::sethostname("sandbox"))?;
    if order.policy.network == Network::None {
        step("loopback", sys::loopback_up())?;
    }
    root::build(paths, guards, &order.launch.home_files, order.policy.limits.memory_bytes)?;
    // From here on nobody inside can look into this process, whose memory holds the order.
    step("dumpable", sys::prctl(libc::PR_SET_DUMPABLE, 0))?;
    let child = match step("fork", sys::clone_process(0))? {
        Side::Child => {
            if let Err(failed) = task.become_it() {
                tell(errors, &failed);
                sys::exit_now(127);
            }
            sys::exit_now(0)
        }
        Side::Parent(pid) => pid,
    };
    // The output and everything else belongs to the task alone.
    let status = step("status", keep_only(status))?;
    loop {
        match waitpid(Pid::from_raw(-1), None) {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == child => report(status, code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == child => report(status, -(signal as i32)),
            Err(nix::errno::Errno::ECHILD) => sys::exit_now(127),
            _ => {}
        }
    }
}

/// Closes every descriptor but one.
fn keep_only(status: fs::File) -> std::io::Result<OwnedFd> {
    sys::put_at(status.as_fd(), 0)?;
    std::mem::forget(status);
    sys::close_from(1)?;
    std::io::stdin().as_fd().try_clone_to_owned()
}

/// Says how the task ended (the exit code, or the negative signal) and ends the namespace.
fn report(status: OwnedFd, code: i32) -> ! {
    let _told = fs::File::from(status).write_all(&code.to_le_bytes());
    sys::exit_now(0)
}
