//! Watching over a task until nothing of it is left: its end, the clock, the caller, the limits.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::cgroup::Groups;
use super::sys;
use super::task::{Failed, step};
use super::tree;
use crate::exec::Ended;
use crate::exec::sandbox::order::Order;

/// How often the sums over the tree are looked at, at first and later.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(20);
const LOOK_EVERY_MAX: Duration = Duration::from_millis(100);
/// How many more threads than allowed a tree may have at a look; forks in flight are counted too.
const THREADS_SURPLUS: u64 = 16;

/// A task, or the init of its namespaces. Whatever is left of it is killed when dropped.
pub(super) struct Running {
    pid: i32,
    descriptor: OwnedFd,
    /// The process is the init of its own namespaces.
    is_init: bool,
    /// Where the init says how the task ended.
    status: Option<fs::File>,
    reaped: Option<WaitStatus>,
}

/// Why the tree is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    TimedOut,
    Cancelled,
    ServerGone,
    Limit(&'static str),
}

impl Running {
    pub(super) fn new(pid: i32, is_init: bool, status: Option<fs::File>) -> Result<Self, Failed> {
        let descriptor = match sys::pidfd_open(pid) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
                return Err(Failed { program: false, reason: format!("pidfd: {error}") });
            }
        };
        Ok(Self { pid, descriptor, is_init, status, reaped: None })
    }

    /// Waits until the program has started, or failed to.
    pub(super) fn once_started(self, mut errors: fs::File) -> Result<Self, Failed> {
        let mut text = String::new();
        step("start", errors.read_to_string(&mut text))?;
        match text.split_at_checked(1) {
            None => Ok(self),
            Some((kind, reason)) => Err(Failed { program: kind == "p", reason: reason.to_owned() }),
        }
    }

    /// Waits for the end and returns its reason. Nothing of the tree is left afterwards.
    pub(super) fn watch(mut self, order: &Order, server: &UnixStream, groups: &Groups) -> Result<Ended, Failed> {
        let limits = &order.policy.limits;
        let started = Instant::now();
        let mut look_every = LOOK_EVERY_MIN;
        let mut next_look = started + look_every;
        let mut cause: Option<(Cause, Instant)> = None;
        loop {
            let now = Instant::now();
            let until = match &cause {
                None => next_look.min(started + limits.wall),
                Some((_, asked)) => *asked + limits.grace,
            };
            let (has_ended, server_speaks) =
                self.wait(server, cause.is_none(), until.saturating_duration_since(now))?;
            if has_ended {
                break;
            }
            let now = Instant::now();
            if let Some((_, asked)) = &cause {
                if now >= *asked + limits.grace {
                    break;
                }
                continue;
            }
            let reason = if server_speaks {
                Some(listen(server))
            } else if now >= started + limits.wall {
                Some(Cause::TimedOut)
            } else if now >= next_look {
                look_every = (look_every * 2).min(LOOK_EVERY_MAX);
                let reason = self.look(order, groups);
                next_look = Instant::now() + look_every;
                reason
            } else {
                None
            };
            match reason {
                None => {}
                Some(reason @ (Cause::ServerGone | Cause::Limit(_))) => {
                    // No grace: nobody waits, or every moment makes it worse.
                    cause = Some((reason, now));
                    break;
                }
                Some(reason) => {
                    tree::signal(&self.tree(), Signal::SIGTERM);
                    cause = Some((reason, now));
                }
            }
        }
        let ended = self.finish()?;
        Ok(match cause {
            Some((Cause::TimedOut, _)) => Ended::TimedOut,
            Some((Cause::Cancelled | Cause::ServerGone, _)) => Ended::Cancelled,
            Some((Cause::Limit(name), _)) => Ended::Limit(name.to_owned()),
            None => match ended {
                Ended::Signalled(libc::SIGXFSZ) => Ended::Limit("file_bytes".to_owned()),
                Ended::Signalled(_) if groups.out_of_memory() => Ended::Limit("memory".to_owned()),
                other => other,
            },
        })
    }

    /// Waits for the end of the process or for the server.
    fn wait(&mut self, server: &UnixStream, listening: bool, most: Duration) -> Result<(bool, bool), Failed> {
        let mut polled = vec![PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        if listening {
            polled.push(PollFd::new(server.as_fd(), PollFlags::POLLIN));
        }
        // Rounded up, so that a wait of less than a millisecond does not spin.
        let milliseconds = most.as_micros().div_ceil(1000);
        let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return step("poll", Err(error)),
        }
        let ready = |at: usize| polled.get(at).and_then(PollFd::any).unwrap_or(false);
        let result = (ready(0), ready(1));
        self.reap_orphans();
        Ok(result)
    }

    /// The task's processes, without our own.
    fn tree(&self) -> Vec<i32> {
        if self.is_init { tree::descendants(self.pid) } else { tree::descendants(own_pid()) }
    }

    /// Compares what the tree uses with what it may use, where the kernel does not.
    fn look(&self, order: &Order, groups: &Groups) -> Option<Cause> {
        let limits = &order.policy.limits;
        if groups.limits_memory() && groups.limits_processes() {
            return None;
        }
        let pids = self.tree();
        let usage = tree::usage(&pids);
        if !groups.limits_processes() && usage.threads > limits.processes + THREADS_SURPLUS {
            return Some(Cause::Limit("processes"));
        }
        let over = !groups.limits_memory()
            && usage.memory_bytes > limits.memory_bytes
            && tree::proportional_bytes(&pids) > limits.memory_bytes;
        over.then_some(Cause::Limit("memory"))
    }

    /// Reaps what became our child because its parent died.
    fn reap_orphans(&mut self) {
        if self.is_init {
            return;
        }
        loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(status) if status.pid().is_some_and(|pid| pid.as_raw() == self.pid) => self.reaped = Some(status),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Ends whatever is left and returns how the task ended.
    fn finish(&mut self) -> Result<Ended, Failed> {
        self.kill_all();
        let mut code = [0; 4];
        if let Some(mut status) = self.status.take()
            && status.read_exact(&mut code).is_ok()
        {
            let code = i32::from_le_bytes(code);
            return Ok(if code >= 0 { Ended::Exited(code) } else { Ended::Signalled(-code) });
        }
        match self.reaped {
            // An init that said nothing was killed together with its task.
            Some(WaitStatus::Signaled(_, signal, _)) => Ok(Ended::Signalled(signal as i32)),
            Some(WaitStatus::Exited(_, code)) if !self.is_init => Ok(Ended::Exited(code)),
            other => Err(Failed { program: false, reason: format!("the task ended without a word: {other:?}") }),
        }
    }

    fn kill_all(&mut self) {
        if self.is_init {
            // The kernel ends all others of the namespace before the init can be reaped.
            if self.reaped.is_none() {
                let _gone = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
                self.reaped = waitpid(Pid::from_raw(self.pid), None).ok();
            }
            return;
        }
        // Stop first, then kill: what is stopped does not fork.
        loop {
            let pids = tree::descendants(own_pid());
            tree::signal(&pids, Signal::SIGSTOP);
            tree::signal(&pids, Signal::SIGKILL);
            loop {
                match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::StillAlive) => break,
                    Ok(status) if status.pid().is_some_and(|pid| pid.as_raw() == self.pid) => {
                        self.reaped = Some(status);
                    }
                    Ok(_) => {}
                    // No child is left, and so no descendant.
                    Err(_) => return,
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_all();
    }
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// What the server wants: a byte means "cancel", the end means that it is gone.
fn listen(mut server: &UnixStream) -> Cause {
    match server.read(&mut [0]) {
        Ok(1) => Cause::Cancelled,
        _ => Cause::ServerGone,
    }
}
