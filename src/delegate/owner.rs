//! Which process owns a run, so that another one on the same machine sees at once that it has died.

/// Returns what identifies this process: the machine since its start, the process namespace, the
/// process and when it started. Empty parts where the system does not tell.
pub fn this_process() -> String {
    let pid = std::process::id();
    format!("{} {pid} {}", place(), started(pid).unwrap_or_default())
}

/// Returns whether the process of that name is certainly gone. One of another machine or another
/// namespace cannot be seen, so it is never called gone: its lease tells.
pub fn is_gone(owner: &str) -> bool {
    let mut parts = owner.rsplitn(3, ' ');
    let (Some(start), Some(pid), Some(owners_place)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let Ok(pid) = pid.parse::<u32>() else { return false };
    if start.is_empty() || owners_place.trim().is_empty() || owners_place != place() {
        return false;
    }
    started(pid).is_none_or(|now| now != start)
}

/// The machine since its start, and the namespace in which process numbers mean something.
fn place() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", boot.trim(), namespace.display())
}

/// When a process started, in ticks since the start of the machine: field 22 of `/proc/PID/stat`,
/// proc_pid_stat(5). A zombie has ended.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it do not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    fields.nth(18).filter(|_| !matches!(state, "Z" | "X")).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_with_its_number_before_it_is_gone() {
        let ours = this_process();
        assert!(!is_gone(&ours), "{ours}");
        let (rest, _) = ours.rsplit_once(' ').expect("three parts");
        assert!(is_gone(&format!("{rest} 1")));
        assert!(!is_gone("elsewhere pid:[1] 1 1"), "another machine cannot be seen");
        assert!(!is_gone("anything"));
    }
}
