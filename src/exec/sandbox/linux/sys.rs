//! The system calls for which no safe wrapper exists among our dependencies.
//!
//! Each function is a thin, safe wrapper: it takes owned or borrowed descriptors and C strings, and
//! turns the result into an `io::Result`.
#![expect(unsafe_code, reason = "these are the raw system calls of the sandbox; each says why it is sound")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libc::{c_int, c_long, c_ulong};

/// A path as the kernel wants it.
pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn descriptor(result: c_long) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(check(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor to us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// Closes every descriptor from `first` on. Owners of such descriptors must not be used afterwards.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: takes numbers only; called where nothing owned lies in the range any more.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) }).map(drop)
}

/// Marks every descriptor from `first` on to be closed at exec.
pub(super) fn close_from_at_exec(first: u32) -> io::Result<()> {
    // SAFETY: takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Which side of a [`clone_process`] this is.
pub(super) enum Side {
    Parent(i32),
    Child,
}

/// Forks, the child in the new namespaces that `flags` name.
pub(super) fn clone_process(flags: c_int) -> io::Result<Side> {
    let flags = c_ulong::try_from(flags | libc::SIGCHLD).map_err(io::Error::other)?;
    // SAFETY: without CLONE_VM and with a null stack this is fork(): the child has a copy of our
    // memory. The helper has one thread, so no lock is held by another one in the copy.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
    Ok(if pid == 0 { Side::Child } else { Side::Parent(i32::try_from(pid).map_err(io::Error::other)?) })
}

/// A descriptor that becomes readable when the process ends.
pub(super) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Opens a path below `folder` without following any symbolic link and without leaving it.
pub(super) fn open_beneath(folder: BorrowedFd<'_>, path: &Path, flags: c_int) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    // SAFETY: an all-zero open_how is valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::try_from(flags | libc::O_CLOEXEC).map_err(io::Error::other)?;
    how.resolve = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    // SAFETY: the path and the structure live until the call returns, and its size is passed.
    descriptor(unsafe {
        libc::syscall(libc::SYS_openat2, folder.as_raw_fd(), path.as_ptr(), &raw const how, size_of::<libc::open_how>())
    })
}

/// A private copy of the mount at a path, with everything mounted below it.
pub(super) fn copy_mount(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32;
    // SAFETY: the path lives until the call returns.
    descriptor(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// A private copy of the mount at an open path.
pub(super) fn copy_mount_at(at: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32 | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the empty path is a static C string.
    descriptor(unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), c"".as_ptr(), flags) })
}

/// Attaches a mount copy at an open path.
pub(super) fn attach(mount: BorrowedFd<'_>, at: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: the empty paths are static C strings.
    check(unsafe {
        libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), c"".as_ptr(), at.as_raw_fd(), c"".as_ptr(), flags)
    })
    .map(drop)
}

/// Sets attributes (`MOUNT_ATTR_*`) on a mount, and on all below it when `recursive`.
pub(super) fn set_mount_attributes(mount: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the structure lives until the call returns, and its size is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Switches the loopback interface of this network namespace on.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: takes numbers only.
    let socket =
        descriptor(c_long::from(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) }))?;
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the ifreq, which lives until the call returns.
    check(c_long::from(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })).map(drop)
}

/// `prctl` with numbers only.
pub(super) fn prctl(option: c_int, argument: c_ulong) -> io::Result<()> {
    // SAFETY: used only with options whose arguments are numbers; unused ones are zero.
    check(c_long::from(unsafe { libc::prctl(option, argument, 0, 0, 0) })).map(drop)
}

/// Gives up every capability for good, root included: ambient, inheritable, permitted, effective
/// and the bounding set, with securebits that keep user id 0 from regaining them at exec.
pub(super) fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`, whose sets have two words each.
    const VERSION: u32 = 0x2008_0522;
    #[repr(C)]
    struct Head {
        version: u32,
        pid: c_int,
    }
    // NOROOT, NO_SETUID_FIXUP, KEEP_CAPS_LOCKED, NO_CAP_AMBIENT_RAISE, and the locks of each.
    const SECUREBITS: c_ulong = 0b1110_1111;
    // Both need CAP_SETPCAP, which an ordinary user outside a namespace lacks; he has no capability
    // to lose either.
    let privileged = prctl(libc::PR_SET_SECUREBITS, SECUREBITS).is_ok();
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            Err(error) if privileged => return Err(error),
            _ => {}
        }
    }
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong)?;
    let head = Head { version: VERSION, pid: 0 };
    let sets = [0_u32; 6];
    // SAFETY: capset reads a head and, for this version, six words; both live until it returns.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const head, sets.as_ptr()) }).map(drop)
}

/// Installs a seccomp program on this thread.
pub(super) fn install_seccomp(program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until the call returns, and only reads it.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) }).map(drop)
}

/// Sets every signal to its default and unblocks all: what we ignore, the task must not inherit.
pub(super) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is a valid disposition; the few signals that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: both sets are initialised by sigemptyset before they are read.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ignores a signal.
pub(super) fn ignore_signal(signal: c_int) {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// A sealed file in memory that holds these bytes, positioned at its beginning.
pub(super) fn sealed_memory(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    // SAFETY: the name is a static C string.
    let raw = unsafe { libc::memfd_create(c"stdin".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    let mut file = std::fs::File::from(descriptor(c_long::from(raw))?);
    file.write_all(bytes)?;
    file.rewind()?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes a number.
    check(c_long::from(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }))?;
    Ok(file.into())
}

/// Makes `from` this descriptor number.
pub(super) fn put_at(from: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: only the standard streams' numbers are passed, which nothing in the helper owns.
    check(c_long::from(unsafe { libc::dup2(from.as_raw_fd(), number) })).map(drop)
}

/// A second descriptor, closed at exec, for one of the standard streams.
pub(super) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only; a closed one is refused.
    descriptor(c_long::from(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) }))
}

/// Takes a descriptor that the server left open for us out of its place; closed at exec.
pub(super) fn take(number: RawFd) -> io::Result<OwnedFd> {
    let taken = duplicate(number)?;
    // SAFETY: the number was inherited and belongs to nothing else in this process.
    check(c_long::from(unsafe { libc::close(number) }))?;
    Ok(taken)
}

/// The Landlock version of the kernel; 0 where there is none.
pub(super) fn landlock_version() -> i64 {
    // SAFETY: with LANDLOCK_CREATE_RULESET_VERSION the kernel reads nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    version.max(0)
}

/// Replaces this process by a program. Returns only when that fails.
pub(super) fn exec(program: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| {
        list.iter().map(|item| item.as_ptr()).chain([std::ptr::null()]).collect::<Vec<*const libc::c_char>>()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with a null pointer and point to C strings that outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process at once, without running anything of Rust's or C's.
pub(super) fn exit_now(code: c_int) -> ! {
    // SAFETY: never returns and touches nothing.
    unsafe { libc::_exit(code) }
}
