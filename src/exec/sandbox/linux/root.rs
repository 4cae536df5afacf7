//! The private root of a task: few mounts, built by the init of the new namespaces.
//!
//! All sources are copied as detached mounts first, with their attributes already set; then an
//! empty tmpfs covers the old tree and everything is attached to it. So the order of mounting never
//! hides a source, and a task never sees a mount that is not yet read-only.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::fence::{DEVICES, ETC, SYSTEM};
use super::guard::{Guard, Kind};
use super::sys;
use super::task::{Failed, step};
use crate::exec::Policy;

const NO_DEVICES: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
/// The largest file of `/etc` that is copied instead of mounted.
const COPIED_BYTES_MAX: u64 = 1 << 20;
/// The most files and folders in a private folder.
const PRIVATE_INODES: u64 = 100_000;
/// The most bytes in a private folder.
const PRIVATE_BYTES: u64 = 1 << 30;

/// Something that is attached to the new root.
struct Piece {
    mount: OwnedFd,
    target: PathBuf,
    folder: bool,
}

/// The paths of a policy as they are on disk.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub readable: Vec<PathBuf>,
    pub writable: Vec<PathBuf>,
    pub hidden: Vec<PathBuf>,
    pub home: PathBuf,
}

impl Paths {
    /// Resolves links and leaves out what does not exist. Writable roots must exist.
    pub(super) fn of(policy: &Policy, program: &Path) -> io::Result<Self> {
        let real = |list: &[PathBuf]| list.iter().filter_map(|path| fs::canonicalize(path).ok()).collect::<Vec<_>>();
        let mut readable = real(&policy.readable);
        let writable = policy
            .writable
            .iter()
            .map(|path| {
                fs::canonicalize(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
            })
            .collect::<io::Result<Vec<_>>>()?;
        // A program that is seen anyway brings nothing from above the roots with it.
        if let Ok(program) = fs::canonicalize(program)
            && !readable.iter().chain(&writable).any(|root| program.starts_with(root))
        {
            readable.push(package_of(&program));
        }
        let home = policy.home.clone().unwrap_or_else(|| "/home/task".into());
        let home = fs::canonicalize(&home).unwrap_or(home);
        for root in readable.iter().chain(&writable) {
            if home.starts_with(root) {
                let text = format!("{} holds the home folder and cannot be given to a task", root.display());
                return Err(io::Error::other(text));
            }
        }
        for root in &writable {
            let system = SYSTEM.iter().any(|system| root.starts_with(system) || Path::new(system).starts_with(root));
            let others = ["/etc", "/proc", "/sys", "/dev", "/run", "/var", "/boot", "/home", "/tmp"];
            if (system && root.starts_with("/usr") && root.components().count() < 4)
                || others.iter().any(|other| root == Path::new(other))
            {
                return Err(io::Error::other(format!("{} cannot be given to a task to change", root.display())));
            }
        }
        let roots: Vec<&PathBuf> = readable.iter().chain(&writable).collect();
        let hidden = real(&policy.hidden).into_iter().flat_map(|path| around(path, &roots)).collect();
        Ok(Self { readable, writable, hidden, home })
    }
}

/// What is hidden of a path: itself, or, when roots lie in it (a tree that a task works in lies in the
/// folder of our data), everything in it but the ways to them.
fn around(path: PathBuf, roots: &[&PathBuf]) -> Vec<PathBuf> {
    if roots.iter().any(|root| **root == path) {
        return Vec::new();
    }
    if !roots.iter().any(|root| root.starts_with(&path)) {
        return vec![path];
    }
    let entries = fs::read_dir(&path).into_iter().flatten().flatten();
    entries.filter(|entry| !entry.path().is_symlink()).flat_map(|entry| around(entry.path(), roots)).collect()
}

/// What must be readable for a program to run: itself, or all packages beside it where it is part
/// of a `node_modules`.
fn package_of(program: &Path) -> PathBuf {
    let mut ancestors: Vec<&Path> = program.ancestors().collect();
    ancestors.reverse();
    let modules = ancestors.into_iter().find(|path| path.file_name().is_some_and(|name| name == "node_modules"));
    modules.unwrap_or(program).to_path_buf()
}

/// Replaces the root of this mount namespace by a private one.
pub(super) fn build(
    paths: &Paths,
    guards: &[Guard],
    home_files: &[(PathBuf, Vec<u8>)],
    memory_bytes: u64,
) -> Result<(), Failed> {
    let none: Option<&str> = None;
    step("private mounts", mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))?;

    let mut pieces = Vec::new();
    let mut links = Vec::new();
    for path in SYSTEM {
        match fs::read_link(path) {
            Ok(target) => links.push((PathBuf::from(path), target)),
            Err(_) if Path::new(path).is_dir() => pieces.push(step(path, read_only(Path::new(path)))?),
            Err(_) => {}
        }
    }
    let mut copies = Vec::new();
    for path in ETC.map(Path::new) {
        let Ok(metadata) = fs::metadata(path) else { continue };
        if metadata.is_dir() {
            pieces.push(step("/etc", read_only(path))?);
        } else if metadata.len() <= COPIED_BYTES_MAX && metadata.is_file() {
            copies.push((path.to_path_buf(), step("/etc", fs::read(path))?));
        }
    }
    copies.extend(users(&paths.home));
    for path in DEVICES.map(Path::new) {
        if fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_char_device()) {
            pieces.push(step("devices", piece(path, libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC))?);
        }
    }
    for path in &paths.readable {
        let seen = |root: &Path| path.starts_with(root);
        let is_new = !SYSTEM.iter().any(|root| seen(Path::new(root)))
            && !paths.writable.iter().any(|root| seen(root))
            && !paths.readable.iter().any(|root| root != path && seen(root));
        if is_new && !pieces.iter().any(|piece| piece.target == *path) {
            pieces.push(step(&path.display().to_string(), read_only(path))?);
        }
    }
    for path in &paths.writable {
        if !paths.writable.iter().any(|root| root != path && path.starts_with(root)) {
            pieces.retain(|piece| piece.target != *path);
            pieces.push(step(&path.display().to_string(), piece(path, NO_DEVICES))?);
        }
    }
    pieces.sort_by(|a, b| a.target.cmp(&b.target));

    // Any folder will do: it is covered only in this namespace, and for a moment.
    let root = Path::new(if Path::new("/tmp").is_dir() { "/tmp" } else { "/usr" });
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    step("root", mount(Some("tmpfs"), root, Some("tmpfs"), plain, Some("mode=755,size=16m,nr_inodes=20000")))?;
    let root_fd = step("root", fs::File::open(root))?;
    let within = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));

    let bytes = PRIVATE_BYTES.min(memory_bytes / 2);
    for (folder, mode) in [(Path::new("/tmp"), "1777"), (paths.home.as_path(), "700")] {
        let options = format!("mode={mode},size={bytes},nr_inodes={PRIVATE_INODES}");
        step("private folders", fs::create_dir_all(within(folder)))?;
        step("private folders", mount(Some("tmpfs"), &within(folder), Some("tmpfs"), plain, Some(options.as_str())))?;
    }
    step("/proc", fs::create_dir_all(within(Path::new("/proc"))))?;
    // Read-only as a whole: to user id 0 the kernel's settings would be open otherwise.
    let proc = plain | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    step("/proc", mount(Some("proc"), &within(Path::new("/proc")), Some("proc"), proc, none))?;

    for (path, content) in copies {
        let target = within(&path);
        if let Some(folder) = target.parent() {
            step("/etc", fs::create_dir_all(folder))?;
        }
        step("/etc", fs::write(target, content))?;
    }
    for folder in ["/dev", "/var", "/run"] {
        step("folders", fs::create_dir_all(within(Path::new(folder))))?;
    }
    links.extend(
        [
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
            ("/dev/shm", "/tmp"),
            ("/var/tmp", "/tmp"),
            ("/var/run", "/run"),
        ]
        .map(|(path, target)| (path.into(), target.into())),
    );
    for (path, target) in links {
        step("links", symlink(target, within(&path)))?;
    }
    step("home files", super::task::fill_home(&within(&paths.home), home_files))?;

    for Piece { mount, target, folder } in &pieces {
        let place = within(target);
        if *folder {
            step("mount points", fs::create_dir_all(&place))?;
        } else if !place.exists() {
            step("mount points", fs::create_dir_all(place.parent().unwrap_or(root)))?;
            step("mount points", fs::File::create(&place))?;
        }
        let at = step("mount points", open_at(&root_fd, target))?;
        step(&target.display().to_string(), sys::attach(mount.as_fd(), at.as_fd()))?;
    }
    for path in &paths.hidden {
        if let Ok(at) = open_at(&root_fd, path) {
            step("hidden paths", hide(&at))?;
        }
    }
    for guard in guards {
        step(&format!("guard {}", guard.path.display()), protect(&root_fd, guard))?;
    }

    step("read-only root", sys::set_mount_attributes(reopen(root)?.as_fd(), libc::MOUNT_ATTR_RDONLY, false))?;
    step("root", std::env::set_current_dir(root))?;
    step("root", nix::unistd::pivot_root(".", "."))?;
    step("old root", umount2(".", MntFlags::MNT_DETACH))?;
    step("root", std::env::set_current_dir("/"))
}

/// The root as it is now, the mount on top included.
fn reopen(root: &Path) -> Result<fs::File, Failed> {
    step("root", fs::File::open(root))
}

fn piece(path: &Path, attributes: u64) -> io::Result<Piece> {
    let mount = sys::copy_mount(path)?;
    sys::set_mount_attributes(mount.as_fd(), attributes, true)?;
    Ok(Piece { mount, target: path.to_path_buf(), folder: path.is_dir() })
}

fn read_only(path: &Path) -> io::Result<Piece> {
    piece(path, NO_DEVICES | libc::MOUNT_ATTR_RDONLY)
}

/// Opens a path of the task's view without following links, for somebody may be changing the
/// workspace at this moment.
fn open_at(root: &fs::File, path: &Path) -> io::Result<OwnedFd> {
    sys::open_beneath(root.as_fd(), path.strip_prefix("/").unwrap_or(path), libc::O_PATH | libc::O_NOFOLLOW)
}

/// Covers a path with nothing.
fn hide(at: &OwnedFd) -> nix::Result<()> {
    let folder = nix::sys::stat::fstat(at)?.st_mode & libc::S_IFMT == libc::S_IFDIR;
    let place = format!("/proc/self/fd/{}", at.as_raw_fd());
    let none: Option<&str> = None;
    if folder {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        mount(Some("tmpfs"), place.as_str(), Some("tmpfs"), flags, Some("mode=555,size=4k,nr_inodes=1"))
    } else {
        mount(Some("/dev/null"), place.as_str(), none, MsFlags::MS_BIND, none)
    }
}

/// Mounts a protected path upon itself: what is a mount point cannot be renamed or removed.
fn protect(root: &fs::File, guard: &Guard) -> io::Result<()> {
    let at = match open_at(root, &guard.path) {
        // It was there a moment ago, and whatever takes its place now is not protected.
        Err(error) if error.kind() == io::ErrorKind::NotFound && guard.optional => return Ok(()),
        other => other?,
    };
    let copy = sys::copy_mount_at(at.as_fd())?;
    let attributes = match guard.kind {
        Kind::ReadOnly => NO_DEVICES | libc::MOUNT_ATTR_RDONLY,
        Kind::Pinned => NO_DEVICES,
    };
    sys::set_mount_attributes(copy.as_fd(), attributes, true)?;
    sys::attach(copy.as_fd(), at.as_fd())
}

/// `/etc/passwd` and `/etc/group` with nobody in them but the task's user.
fn users(home: &Path) -> [(PathBuf, Vec<u8>); 2] {
    let (user, group) = (nix::unistd::getuid(), nix::unistd::getgid());
    let name = |file: &str, id: u32| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id.to_string()))?;
        Some(line.split(':').next()?.to_owned())
    };
    let user_name = name("/etc/passwd", user.as_raw()).unwrap_or_else(|| "task".into());
    let group_name = name("/etc/group", group.as_raw()).unwrap_or_else(|| "task".into());
    let mut passwd = format!("{user_name}:x:{user}:{group}::{}:/bin/sh\n", home.display());
    let mut groups = format!("{group_name}:x:{group}:\n");
    if !user.is_root() {
        passwd.insert_str(0, "root:x:0:0::/:/bin/sh\n");
        groups.insert_str(0, "root:x:0:\n");
    }
    passwd.push_str("nobody:x:65534:65534::/:/bin/false\n");
    groups.push_str("nogroup:x:65534:\n");
    [("/etc/passwd".into(), passwd.into_bytes()), ("/etc/group".into(), groups.into_bytes())]
}
