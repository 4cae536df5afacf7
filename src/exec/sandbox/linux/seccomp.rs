//! The system calls that a task may not make, as one seccomp program.
//!
//! Everything that is not named here is allowed: the task runs ordinary compilers and test runners.
//! We write the few instructions ourselves, because one program then answers with several errors,
//! refuses the x32 table and foreign architectures, and compares half words.

use libc::sock_filter;

/// What depends on the policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Internet sockets may be made.
    pub internet: bool,
    /// Unix sockets may be made, because Landlock guards which are reached.
    pub unix: bool,
    /// The task is in namespaces of its own; otherwise more must be closed here.
    pub namespaces: bool,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: u32 = 0;

/// Whether this processor's system calls are known here.
pub(super) const KNOWN: bool = ARCHITECTURE != 0;

/// Offsets in `seccomp_data`; both supported architectures are little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

const fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn mask(bits: u32) -> sock_filter {
    statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits)
}

const fn answer(value: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

/// Jumps over so many instructions when equal, else over so many others.
const fn if_equal(value: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: then, jf: otherwise, k: value }
}

const fn if_at_least(value: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter { code: (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16, jt: then, jf: otherwise, k: value }
}

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// Mounts, roots, namespaces, tracing, keys, programs in the kernel, modules, clocks, and what has a
/// history of holes in the kernel.
const DENIED: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_setns,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_vhangup,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
];

#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[libc::c_long] = &[];

/// What would pass the border where the task shares the host's namespaces.
const DENIED_WITHOUT_NAMESPACES: &[libc::c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_inotify_add_watch,
    libc::SYS_fchownat,
    libc::SYS_fchown,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
];

/// Extended attributes, where the task sees the host's files. Programs that copy permissions go on
/// without them when told that the file system has none. The last two are setxattrat and
/// removexattrat.
const UNSUPPORTED_WITHOUT_NAMESPACES: &[libc::c_long] = &[
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    463,
    466,
];

#[cfg(target_arch = "x86_64")]
const DENIED_WITHOUT_NAMESPACES_HERE: &[libc::c_long] = &[libc::SYS_chown, libc::SYS_lchown];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_WITHOUT_NAMESPACES_HERE: &[libc::c_long] = &[];

/// Programs fall back from these when they do not exist. `clone3` hides its flags in memory, where
/// no filter can see them. 467 is open_tree_attr.
const ABSENT: &[libc::c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, 467];

/// Flags of new namespaces. CLONE_NEWTIME shares its bit with the exit signal in `clone` and is
/// therefore looked at in `unshare` only.
const NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u32;
const NEW_TIME: u32 = 0x80;

/// Requests that push characters into a terminal, and one that loads line disciplines.
const TERMINAL_REQUESTS: [u32; 3] = [0x5412, 0x541C, 0x5423];

/// The program for a choice.
pub(super) fn program(choice: Choice) -> Vec<sock_filter> {
    let mut code = vec![
        load(ARCH),
        if_equal(ARCHITECTURE, 1, 0),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
        // The x32 table: the same calls under other numbers.
        if_at_least(0x4000_0000, 0, 1),
        answer(errno(libc::ENOSYS)),
    ];
    let mut deny = |list: &[libc::c_long], with: i32| {
        for number in list {
            code.extend([if_equal(number_of(*number), 0, 1), answer(errno(with))]);
        }
    };
    deny(ABSENT, libc::ENOSYS);
    deny(DENIED, libc::EPERM);
    deny(DENIED_HERE, libc::EPERM);
    if !choice.namespaces {
        deny(DENIED_WITHOUT_NAMESPACES, libc::EPERM);
        deny(UNSUPPORTED_WITHOUT_NAMESPACES, libc::EOPNOTSUPP);
        deny(DENIED_WITHOUT_NAMESPACES_HERE, libc::EPERM);
    }

    let mut guarded = |number: libc::c_long, body: Vec<sock_filter>| {
        let length = u8::try_from(body.len()).expect("the bodies below are short");
        code.push(if_equal(number_of(number), 0, length));
        code.extend(body);
    };
    let allow = answer(libc::SECCOMP_RET_ALLOW);
    let refuse = answer(errno(libc::EPERM));
    for (number, bits) in [(libc::SYS_clone, NAMESPACES), (libc::SYS_unshare, NAMESPACES | NEW_TIME)] {
        guarded(number, vec![load(argument(0)), mask(bits), if_equal(0, 0, 1), allow, refuse]);
    }
    let [sti, linux, discipline] = TERMINAL_REQUESTS;
    guarded(
        libc::SYS_ioctl,
        vec![load(argument(1)), if_equal(sti, 3, 0), if_equal(linux, 2, 0), if_equal(discipline, 1, 0), allow, refuse],
    );
    // Asking for the personality, or setting the ordinary one.
    guarded(libc::SYS_personality, vec![load(argument(0)), if_equal(0, 2, 0), if_equal(u32::MAX, 1, 0), refuse, allow]);
    // The limits of others.
    guarded(libc::SYS_prlimit64, vec![load(argument(0)), if_equal(0, 0, 1), allow, refuse]);

    guarded(libc::SYS_socket, socket_rule(choice));
    // A pair of datagram sockets can be pointed at any other unix socket; the other types cannot.
    let unix = u8::from(choice.unix);
    guarded(
        libc::SYS_socketpair,
        vec![
            load(argument(0)),
            if_equal(libc::AF_UNIX as u32, 1, 0),
            refuse,
            load(argument(1)),
            mask(0xF),
            if_equal(libc::SOCK_STREAM as u32, 3, 0),
            if_equal(libc::SOCK_SEQPACKET as u32, 2, 0),
            if_equal(libc::SOCK_DGRAM as u32, unix, 0),
            refuse,
            allow,
        ],
    );
    code.push(allow);
    code
}

/// Which families and types of sockets there are.
fn socket_rule(choice: Choice) -> Vec<sock_filter> {
    let absent = answer(errno(libc::EAFNOSUPPORT));
    let mut rule = vec![load(argument(0))];
    let mut families = Vec::new();
    if choice.internet {
        families.extend([libc::AF_INET as u32, libc::AF_INET6 as u32]);
    }
    if choice.unix {
        families.push(libc::AF_UNIX as u32);
    }
    for (index, family) in families.iter().enumerate() {
        let to_type = u8::try_from(families.len() - index).expect("three families at most");
        rule.push(if_equal(*family, to_type, 0));
    }
    rule.push(absent);
    // Only streams, datagrams and sequenced packets: no raw sockets.
    rule.extend([
        load(argument(1)),
        mask(0xF),
        if_equal(libc::SOCK_STREAM as u32, 3, 0),
        if_equal(libc::SOCK_DGRAM as u32, 2, 0),
        if_equal(libc::SOCK_SEQPACKET as u32, 1, 0),
        answer(errno(libc::EPERM)),
        answer(libc::SECCOMP_RET_ALLOW),
    ]);
    rule
}

/// The number as the filter sees it.
fn number_of(number: libc::c_long) -> u32 {
    u32::try_from(number).expect("system call numbers are small")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a program as the kernel would.
    fn verdict(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend([0; 8]);
        arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
        let (mut at, mut a) = (0, 0_u32);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
            if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                let offset = step.k as usize;
                a = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap());
            } else if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K {
                a &= step.k;
            } else if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K {
                at += jump(a == step.k);
            } else if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K {
                at += jump(a >= step.k);
            } else {
                assert_eq!(code, libc::BPF_RET | libc::BPF_K);
                return step.k;
            }
        }
    }

    #[test]
    fn every_call_gets_the_answer_that_the_choice_means() {
        const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
        let number = number_of;
        for (internet, unix, namespaces) in (0..8).map(|bits| (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)) {
            let program = program(Choice { internet, unix, namespaces });
            let call = |n: libc::c_long, a: [u64; 6]| verdict(&program, ARCHITECTURE, number(n), a);
            let or = |allowed: bool, otherwise: u32| if allowed { ALLOW } else { otherwise };
            let none = [0; 6];
            assert_eq!(call(libc::SYS_read, none), ALLOW);
            assert_eq!(call(libc::SYS_execve, none), ALLOW);
            assert_eq!(call(libc::SYS_clone3, none), errno(libc::ENOSYS));
            assert_eq!(call(libc::SYS_ptrace, none), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_fanotify_mark, none), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_clone, [0x11, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_clone, [0x1000_0011, 0, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_unshare, [0x80, 0, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_unshare, [0x200, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_ioctl, [0, 0x5401, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_ioctl, [0, 0xFFFF_0000_0000_5412, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_ioctl, [0, 0x541C, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_personality, [0x4_0000, 0, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_prlimit64, [0, 7, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_prlimit64, [1, 7, 0, 0, 0, 0]), errno(libc::EPERM));
            assert_eq!(call(libc::SYS_shmget, none), or(namespaces, errno(libc::EPERM)));
            for family in 0..64 {
                let expected = match i32::try_from(family).unwrap() {
                    libc::AF_INET | libc::AF_INET6 => internet,
                    libc::AF_UNIX => unix,
                    _ => false,
                };
                let stream = [family, 1 | 0o2_000_000, 0, 0, 0, 0];
                assert_eq!(call(libc::SYS_socket, stream), or(expected, errno(libc::EAFNOSUPPORT)), "{family}");
                if expected {
                    assert_eq!(call(libc::SYS_socket, [family, 3, 0, 0, 0, 0]), errno(libc::EPERM));
                    assert_eq!(call(libc::SYS_socket, [family, 10, 0, 0, 0, 0]), errno(libc::EPERM));
                }
                let pair = or(family == 1, errno(libc::EPERM));
                assert_eq!(call(libc::SYS_socketpair, [family, 1, 0, 0, 0, 0]), pair);
            }
            assert_eq!(call(libc::SYS_socketpair, [1, 5, 0, 0, 0, 0]), ALLOW);
            assert_eq!(call(libc::SYS_socketpair, [1, 2, 0, 0, 0, 0]), or(unix, errno(libc::EPERM)));
            let x32 = verdict(&program, ARCHITECTURE, 0x4000_0000 | number(libc::SYS_read), none);
            assert_eq!(x32, errno(libc::ENOSYS));
            assert_eq!(verdict(&program, 0x4000_0003, 0, none), libc::SECCOMP_RET_KILL_PROCESS);
        }
    }
}
