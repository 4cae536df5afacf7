//! The Landlock rules: which files a task may reach, whatever else is visible to it.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};

/// The newest Landlock that is known here; an older kernel enforces what it can.
const NEWEST: ABI = ABI::V10;

/// What a task may reach.
#[derive(Debug, Default)]
pub(super) struct Fence {
    pub readable: Vec<PathBuf>,
    pub writable: Vec<PathBuf>,
    /// Devices that may be read and written.
    pub devices: Vec<PathBuf>,
}

/// Folders of the system that a task may read where it sees the host's root.
pub(super) const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Parts of `/etc` that ordinary programs need and that say nothing about the user. Folders among
/// them hold public data only: `/etc/ssl/private` for one is not below `/etc/ssl/certs`.
pub(super) const ETC: [&str; 36] = [
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/crypto-policies",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/default/locale",
    "/etc/os-release",
    "/etc/lsb-release",
    "/etc/debian_version",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/networks",
    "/etc/login.defs",
    "/etc/inputrc",
    "/etc/magic",
    "/etc/python3",
    "/etc/perl",
    "/etc/fonts",
    "/etc/java-17-openjdk",
    "/etc/java-21-openjdk",
];

/// What of the host's `/proc` tells of the machine, and of no process but the task's first: without
/// `/proc/self`, which is resolved when the task closes its fence, Node.js does not start. The
/// entries of its descendants stay closed, and so does what tells of the host's network and mounts.
const PROC: [&str; 23] = [
    "/proc/self/auxv",
    "/proc/self/cgroup",
    "/proc/self/cmdline",
    "/proc/self/comm",
    "/proc/self/environ",
    "/proc/self/fd",
    "/proc/self/limits",
    "/proc/self/maps",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu/online",
];

/// The devices that every program expects.
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

impl Fence {
    /// The system's own, where the host's root is seen.
    pub(super) fn around_host() -> Self {
        let readable = SYSTEM.iter().chain(&ETC).chain(&PROC).map(PathBuf::from).collect::<Vec<_>>();
        let mut fence = Self { readable, writable: Vec::new(), devices: DEVICES.iter().map(PathBuf::from).collect() };
        fence.readable.extend(["/etc/passwd", "/etc/group"].map(PathBuf::from));
        fence
    }

    /// Closes everything else for this thread and all its descendants.
    ///
    /// `tcp` leaves TCP alone: to the network namespace, or because the policy allows it.
    pub(super) fn close(&self, tcp: bool) -> Result<(), landlock::RulesetError> {
        let every = AccessFs::from_all(NEWEST);
        let read = AccessFs::from_read(NEWEST);
        let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(every)?;
        if !tcp {
            ruleset = ruleset.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
        }
        let mut ruleset = ruleset.scope(Scope::from_all(NEWEST))?.create()?;
        for path in &self.readable {
            ruleset = add(ruleset, path, read)?;
        }
        // No devices are made, and no unix socket of somebody else is reached.
        let write = every & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::ResolveUnix);
        for path in &self.writable {
            ruleset = add(ruleset, path, write)?;
        }
        for path in &self.devices {
            ruleset = add(ruleset, path, AccessFs::ReadFile | AccessFs::WriteFile)?;
        }
        ruleset.restrict_self()?;
        Ok(())
    }
}

/// Adds a rule; what does not exist needs none.
fn add(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(open) = PathFd::new(path) else { return Ok(ruleset) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    ruleset.add_rule(PathBeneath::new(open, access))
}
