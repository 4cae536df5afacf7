//! The processes of a task, as `/proc` shows them: finding, signalling and measuring them.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The descendants of a process, without itself.
pub(super) fn descendants(of: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut open = vec![of];
    while let Some(parent) = open.pop() {
        for child in children(parent) {
            found.push(child);
            open.push(child);
        }
    }
    found
}

/// The children of every thread of a process.
fn children(of: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for thread in threads.flatten() {
        if let Ok(text) = fs::read_to_string(thread.path().join("children")) {
            children.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    children
}

/// Sends a signal to each.
pub(super) fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        // One that is gone is what we want anyway.
        let _gone = kill(Pid::from_raw(*pid), signal);
    }
}

/// What a tree uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub memory_bytes: u64,
    pub threads: u64,
}

/// Sums over processes. Memory is what is resident and not shared with files: pages that several
/// processes inherited from one parent are counted for each, so a sum near the limit is to be
/// checked with [`proportional_bytes`].
pub(super) fn usage(pids: &[i32]) -> Usage {
    let mut usage = Usage::default();
    for pid in pids {
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/statm")) {
            let mut fields = text.split_ascii_whitespace().filter_map(|field| field.parse::<u64>().ok()).skip(1);
            if let (Some(resident), Some(shared)) = (fields.next(), fields.next()) {
                usage.memory_bytes += resident.saturating_sub(shared) * page_bytes();
            }
        }
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some((_, rest)) = text.rsplit_once(')')
        {
            usage.threads += rest.split_ascii_whitespace().nth(17).and_then(|field| field.parse().ok()).unwrap_or(1);
        }
    }
    usage
}

/// Memory of processes where each shared page is divided among those who share it.
pub(super) fn proportional_bytes(pids: &[i32]) -> u64 {
    let of = |pid: &i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
    };
    pids.iter().map(|pid| of(pid).unwrap_or_else(|| usage(&[*pid]).memory_bytes)).sum()
}

/// The threads of all processes of a user, as RLIMIT_NPROC counts them.
pub(super) fn threads_of_user(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let pids: Vec<i32> = entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            (entry.metadata().ok()?.uid() == user).then_some(pid)
        })
        .collect();
    usage(&pids).threads
}

fn page_bytes() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_use_is_seen() {
        let own = usage(&[i32::try_from(std::process::id()).unwrap()]);
        assert!(own.memory_bytes > 100_000 && own.threads >= 1, "{own:?}");
        assert_eq!(usage(&[i32::MAX]), Usage::default());
    }
}
