//! After the run: what Git would execute, and the task made or changed, is disarmed.
//!
//! Mounts protect the repository of the workspace during the run, where there are mounts. They
//! cannot protect repositories that the task makes or nested ones. So afterwards every repository
//! below the writable folders is looked at. The kernel sets the change time of a file and no task
//! can set it back, so what changed during the run is known without having looked before. Nothing is
//! lost: a hook is renamed, a configuration is reduced to harmless settings and kept beside under
//! another name.
//!
//! The user works in the same folders, and a change time does not tell who changed a file. So what
//! mounts protected is left alone: only the user can have changed it. And where there are no mounts
//! a repository that was there before the run is never changed; what changed in it is reported.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::guard::{Guard, Kind, POINTS};

/// What is added to the name of something disarmed.
const SUFFIX: &str = ".disarmed";
/// The most files and folders looked at.
const ENTRIES_MAX: usize = 200_000;
/// The kernel's file times lag behind its clock by a tick.
const TICK: Duration = Duration::from_millis(20);

/// Settings that execute nothing and lead nowhere else, in lower case; `*` stands for any name.
const HARMLESS: [&str; 22] = [
    "core.repositoryformatversion",
    "core.filemode",
    "core.bare",
    "core.logallrefupdates",
    "core.ignorecase",
    "core.symlinks",
    "core.precomposeunicode",
    "core.autocrlf",
    "core.eol",
    "extensions.objectformat",
    "extensions.refstorage",
    "user.name",
    "user.email",
    "init.defaultbranch",
    "remote.*.url",
    "remote.*.pushurl",
    "remote.*.fetch",
    "branch.*.remote",
    "branch.*.merge",
    "branch.*.rebase",
    "submodule.*.url",
    "submodule.*.active",
];

/// What was found after a run.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What was disarmed, and persistence points that changed and were left for the caller.
    pub touched: Vec<PathBuf>,
    /// The folders were too large to be looked through.
    pub incomplete: bool,
}

/// What is known about the run that is over.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    since: SystemTime,
    /// What mounts protected; `None` without mounts.
    guards: Option<&'a [Guard]>,
}

/// Looks through the writable folders for what changed since the run began; `guards` is what was
/// protected by mounts during the run, if there were mounts.
pub(super) fn disarm(writable: &[PathBuf], began: SystemTime, guards: Option<&[Guard]>) -> Found {
    let run = Run { since: began.checked_sub(TICK).unwrap_or(began), guards };
    let mut found = Found::default();
    let mut budget = ENTRIES_MAX;
    for root in writable {
        // Where there are mounts, nobody but the user can have changed these.
        for point in POINTS.iter().filter(|point| guards.is_none() && **point != ".git") {
            changed_below(&root.join(point), run.since, &mut budget, &mut found.touched);
        }
        let mut walk = walkdir::WalkDir::new(root).follow_links(false).into_iter();
        while let Some(entry) = walk.next() {
            if budget == 0 {
                found.incomplete = true;
                return found;
            }
            budget -= 1;
            let Ok(entry) = entry else { continue };
            if entry.path().ends_with(".claude/data") {
                walk.skip_current_dir();
            } else if entry.file_type().is_dir() && is_repository(entry.path()) {
                run.repository(entry.path(), &mut found.touched);
                if entry.file_name() == ".git" {
                    run.modules(&entry.path().join("modules"), &mut budget, &mut found.touched);
                    walk.skip_current_dir();
                }
            }
        }
    }
    found
}

/// Whether Git takes a folder for a repository, under whatever name.
fn is_repository(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == ".git")
        || (folder.join("HEAD").symlink_metadata().is_ok() && folder.join("objects").is_dir())
}

fn changed_since(path: &Path, since: SystemTime) -> bool {
    let Ok(metadata) = path.symlink_metadata() else { return false };
    let (Ok(seconds), Ok(nanoseconds)) = (u64::try_from(metadata.ctime()), u32::try_from(metadata.ctime_nsec())) else {
        return false;
    };
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds) >= since
}

/// Files at or below a persistence point that changed.
fn changed_below(point: &Path, since: SystemTime, budget: &mut usize, touched: &mut Vec<PathBuf>) {
    let mut walk = walkdir::WalkDir::new(point).follow_links(false).into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        *budget = budget.saturating_sub(1);
        if *budget == 0 {
            return;
        }
        if entry.path().ends_with(".claude/data") {
            walk.skip_current_dir();
        } else if !entry.file_type().is_dir() && changed_since(entry.path(), since) {
            touched.push(entry.into_path());
        }
    }
}

impl Run<'_> {
    /// The repositories of submodules.
    fn modules(self, folder: &Path, budget: &mut usize, touched: &mut Vec<PathBuf>) {
        if self.is_guarded(folder) {
            return;
        }
        for entry in walkdir::WalkDir::new(folder).follow_links(false).into_iter().flatten() {
            *budget = budget.saturating_sub(1);
            if *budget == 0 {
                return;
            }
            if entry.file_type().is_dir() && is_repository(entry.path()) {
                self.repository(entry.path(), touched);
            }
        }
    }

    fn repository(self, folder: &Path, touched: &mut Vec<PathBuf>) {
        let keep = !self.may_change(folder);
        let disarm = |path: &Path, touched: &mut Vec<PathBuf>| {
            if keep { touched.push(path.to_path_buf()) } else { set_aside(path, touched) }
        };
        for hook in self.new_hooks(&folder.join("hooks"), keep) {
            disarm(&hook, touched);
        }
        // Only a worktree's own folder, which is never called `.git`, has these two rightly.
        for path in ["commondir", "config.worktree"].map(|name| folder.join(name)) {
            if self.changed(&path) && !self.is_guarded(&path) && !folder.join("gitdir").exists() {
                disarm(&path, touched);
            }
        }
        let configuration = folder.join("config");
        if self.changed(&configuration) && !self.is_guarded(&configuration) {
            if keep {
                touched.push(configuration);
                return;
            }
            match reduce(&configuration) {
                Ok(true) => touched.push(configuration),
                Ok(false) => {}
                // What cannot be read or reduced must not be obeyed.
                Err(_) => set_aside(&configuration, touched),
            }
        }
    }

    fn new_hooks(self, hooks: &Path, keep: bool) -> Vec<PathBuf> {
        let replaced = self.changed(hooks);
        if self.is_guarded(hooks) {
            return Vec::new();
        }
        if hooks.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            return if replaced { vec![hooks.to_path_buf()] } else { Vec::new() };
        }
        let sleeps = |path: &Path| path.extension().is_some_and(|end| end == "sample" || end == "disarmed");
        let paths = fs::read_dir(hooks).into_iter().flatten().flatten().map(|entry| entry.path());
        // A replaced folder of hooks is as new as its hooks, which may be old files moved in. Without
        // mounts a hook beside a new one may be an old one of the user's.
        paths.filter(|path| !sleeps(path) && (self.changed(path) || (replaced && !keep))).collect()
    }

    fn changed(self, path: &Path) -> bool {
        changed_since(path, self.since)
    }

    fn is_guarded(self, path: &Path) -> bool {
        let protects = |guard: &Guard| guard.kind == Kind::ReadOnly && path.starts_with(&guard.path);
        self.guards.is_some_and(|guards| guards.iter().any(protects))
    }

    /// Whether a repository may be changed: mounts kept what the user changed apart from it, or it
    /// was made during the run. A file system that does not say so counts as "before".
    fn may_change(self, folder: &Path) -> bool {
        let made = || folder.symlink_metadata().and_then(|metadata| metadata.created());
        self.guards.is_some() || made().is_ok_and(|made| made >= self.since)
    }
}

fn set_aside(path: &Path, touched: &mut Vec<PathBuf>) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(SUFFIX);
    let _failed = fs::rename(path, aside);
    touched.push(path.to_path_buf());
}

/// Reduces a configuration to what is harmless; returns whether there was anything else.
fn reduce(path: &Path) -> io::Result<bool> {
    if !path.symlink_metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let text = fs::read_to_string(path)?;
    let Some(reduced) = harmless(&text) else { return Ok(false) };
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let new = beside(".reduced");
    fs::write(&new, reduced)?;
    fs::rename(path, beside(SUFFIX))?;
    fs::rename(new, path)?;
    Ok(true)
}

/// The harmless part of a configuration; `None` when that is all of it.
fn harmless(text: &str) -> Option<String> {
    let mut kept = String::new();
    let mut section = String::new();
    let mut dropped = false;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if bare.starts_with('[') {
            // Anything but a plain header on a line of its own is dropped, with what follows it.
            section = header(bare).unwrap_or_default();
            if section.is_empty() {
                dropped = true;
            } else {
                kept.push_str(bare);
                kept.push('\n');
            }
            continue;
        }
        let key = bare.split(['=', ' ', '\t']).next().unwrap_or_default().to_lowercase();
        let value = bare.split_once('=').map_or("", |(_, value)| value.trim());
        let known = HARMLESS.contains(&format!("{section}.{key}").as_str());
        if known && !bare.ends_with('\\') && !value.trim_start_matches('"').starts_with("ext::") {
            kept.push_str(&format!("\t{bare}\n"));
        } else {
            dropped = true;
        }
    }
    dropped.then_some(kept)
}

/// The section that a header names, in lower case, its subsection as `*`.
fn header(line: &str) -> Option<String> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    if let Some((section, rest)) = inner.split_once(' ') {
        let name = rest.trim().strip_prefix('"')?.strip_suffix('"')?;
        let plain = !name.contains(['"', ']', '[', '\\']);
        return (plain && is_name(section)).then(|| format!("{}.*", section.to_lowercase()));
    }
    is_name(inner).then(|| inner.to_lowercase())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_keeps_only_what_is_harmless() {
        let ordinary = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://x/y\n";
        assert_eq!(harmless(ordinary), None);
        let bad = "[core]\n\tbare = false\n\tfsmonitor = evil\n[alias]\n\tst = !evil\n[core] hooksPath=/tmp\n\
                   [remote \"o\"]\n\turl = ext::sh -c evil\n\tfetch = a\\\n\tuploadpack = evil\n";
        assert_eq!(harmless(bad).as_deref(), Some("[core]\n\tbare = false\n[alias]\n[remote \"o\"]\n"));
    }
}
