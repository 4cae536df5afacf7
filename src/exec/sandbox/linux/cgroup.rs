//! Control groups, version 1 or 2, where we may write them: memory and processes of a whole tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exec::Limits;

/// The groups of a task. They are removed when dropped.
#[derive(Debug, Default)]
pub(super) struct Groups {
    memory: Option<Group>,
    processes: Option<Group>,
}

#[derive(Debug)]
struct Group {
    path: PathBuf,
    second_version: bool,
}

impl Groups {
    /// Makes the groups that can be made.
    pub(super) fn make(limits: &Limits) -> Self {
        if !nix::unistd::geteuid().is_root() {
            // Delegated groups of ordinary users are not used yet; the watcher is.
            return Self::default();
        }
        let Ok(own) = fs::read_to_string("/proc/self/cgroup") else { return Self::default() };
        let name = format!("ctx-{}", std::process::id());
        let memory = Group::make(&own, "memory", &name, |group| {
            if group.second_version {
                group.set("memory.max", limits.memory_bytes)?;
                let _without_swap = group.set("memory.swap.max", 0);
            } else {
                group.set("memory.limit_in_bytes", limits.memory_bytes)?;
                let _without_swap = group.set("memory.memsw.limit_in_bytes", limits.memory_bytes);
            }
            Ok(())
        });
        // Our own init counts as one.
        let processes = Group::make(&own, "pids", &name, |group| group.set("pids.max", limits.processes + 1));
        Self { memory, processes }
    }

    pub(super) fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    pub(super) fn limits_processes(&self) -> bool {
        self.processes.is_some()
    }

    /// Places a process, and so all its future descendants.
    pub(super) fn place(&self, pid: i32) -> io::Result<()> {
        let mut done: Option<&Path> = None;
        for group in [&self.memory, &self.processes].into_iter().flatten() {
            if done != Some(&group.path) {
                fs::write(group.path.join("cgroup.procs"), pid.to_string())?;
                done = Some(&group.path);
            }
        }
        Ok(())
    }

    /// Whether a process was killed because the memory was used up.
    pub(super) fn out_of_memory(&self) -> bool {
        self.memory.as_ref().is_some_and(|group| {
            let file = if group.second_version { "memory.events" } else { "memory.oom_control" };
            group.counter(file, "oom_kill") > 0
        })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in [&self.memory, &self.processes].into_iter().flatten() {
            // The kernel needs a moment after the last process; then the folder can be removed.
            for attempt in 0..100 {
                match fs::remove_dir(&group.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        std::thread::sleep(Duration::from_millis(attempt / 10 + 1));
                    }
                    _ => break,
                }
            }
        }
    }
}

impl Group {
    /// A new group for a controller, below our own, with its limits set.
    fn make(own: &str, controller: &str, name: &str, limit: impl Fn(&Self) -> io::Result<()>) -> Option<Self> {
        let group = own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
            if controllers.split(',').any(|one| one == controller) {
                let path = Path::new("/sys/fs/cgroup").join(controller).join(path).join(name);
                return Some(Self { path, second_version: false });
            }
            // In version 2 a group with processes cannot hand controllers down, so the new group
            // stands beside ours.
            let parent = Path::new("/sys/fs/cgroup").join(path).parent()?.to_path_buf();
            let handed_down = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
            (controllers.is_empty() && handed_down.split_ascii_whitespace().any(|one| one == controller))
                .then(|| Self { path: parent.join(name), second_version: true })
        })?;
        let fresh = match fs::create_dir(&group.path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => group.second_version,
            Err(_) => false,
        };
        if !fresh {
            return None;
        }
        match limit(&group) {
            Ok(()) => Some(group),
            Err(_) => {
                let _kept = fs::remove_dir(&group.path);
                None
            }
        }
    }

    fn set(&self, file: &str, value: u64) -> io::Result<()> {
        fs::write(self.path.join(file), value.to_string())
    }

    fn counter(&self, file: &str, name: &str) -> u64 {
        let text = fs::read_to_string(self.path.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    }
}
