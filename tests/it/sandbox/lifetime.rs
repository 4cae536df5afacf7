//! Nothing outlives its run, whatever ends it; and output never takes more than its share.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use context_engine::exec::sandbox::Strength;
use context_engine::exec::{Ended, Executor, Exit, Policy, Stream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::scenario::PYTHON;
use super::{helper, launch, run, sh, strengths};

/// Leaves a process behind: in a session of its own, its parent gone, the output still open.
const DETACH: &str = "import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('started', 'w').close()
        os.execv('/bin/sleep', ['sleep', sys.argv[1]])
    os._exit(0)
os.wait()
while not os.path.exists('started'): time.sleep(0.01)
";

/// A number of seconds that no other process sleeps.
fn mark() -> String {
    format!("3{}.{}", std::process::id(), tempfile::tempdir().unwrap().path().as_os_str().len() + rand())
}

fn rand() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Whether a process with this argument runs on the host.
fn runs(mark: &str) -> bool {
    let has_it = |entry: fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(mark.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().any(has_it)
}

/// Waits for something to become true.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn policy(folder: &Path) -> Policy {
    Policy::command(folder.to_path_buf(), None)
}

#[test]
fn a_detached_process_survives_without_a_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let mark = mark();
    let status = Command::new(PYTHON).args(["-c", DETACH, &mark]).current_dir(folder.path()).status().unwrap();
    assert!(status.success() && runs(&mark));
    Command::new("pkill").args(["-f", &format!("^sleep {mark}$")]).status().unwrap();
}

#[tokio::test]
async fn detached_processes_end_with_the_command() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mark = mark();
        let exit = run(strength, launch(PYTHON, &["-c", DETACH, &mark], folder.path()), &policy(folder.path())).await;
        assert_eq!(exit.ended, Ended::Exited(0), "{exit:?}");
        assert!(folder.path().join("started").exists() && !runs(&mark), "{strength:?}");
    }
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_ended_with_its_tree() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mark = mark();
        let mut policy = policy(folder.path());
        (policy.limits.wall, policy.limits.grace) = (Duration::from_millis(1500), Duration::from_millis(300));
        let script = format!("{DETACH}\nimport signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)");
        let exit = run(strength, launch(PYTHON, &["-c", &script, &mark], folder.path()), &policy).await;
        assert_eq!(exit.ended, Ended::TimedOut, "{exit:?}");
        assert!(folder.path().join("started").exists() && !runs(&mark), "{strength:?}");
    }
}

#[tokio::test]
async fn a_command_is_asked_before_it_is_killed() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let script = "trap 'echo asked; exit 3' TERM; touch ready; while :; do sleep 0.05; done";
        let executor = Executor::at_most(helper(), strength);
        let policy = policy(folder.path());
        let running = executor.run(launch("/bin/sh", &["-c", script], folder.path()), &policy, cancel.clone(), None);
        let ready = folder.path().join("ready");
        let asking = async {
            until("it is ready", || ready.exists()).await;
            cancel.cancel();
        };
        let (exit, ()) = tokio::join!(running, asking);
        let exit = exit.unwrap();
        assert_eq!((exit.ended, exit.stdout.bytes.as_slice()), (Ended::Cancelled, &b"asked\n"[..]), "{strength:?}");
    }
}

#[tokio::test]
async fn cancelling_ends_the_whole_tree() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mark = mark();
        let cancel = CancellationToken::new();
        let script = format!("{DETACH}\nopen('ready', 'w'); time.sleep(60)");
        let executor = Executor::at_most(helper(), strength);
        let policy = policy(folder.path());
        let running =
            executor.run(launch(PYTHON, &["-c", &script, &mark], folder.path()), &policy, cancel.clone(), None);
        let ready = folder.path().join("ready");
        let asking = async {
            until("it is ready", || ready.exists()).await;
            assert!(runs(&mark));
            cancel.cancel();
        };
        let (exit, ()) = tokio::join!(running, asking);
        assert_eq!(exit.unwrap().ended, Ended::Cancelled);
        assert!(!runs(&mark), "{strength:?}");
    }
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_ends() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mark = mark();
        let script = format!("{DETACH}\nopen('ready', 'w'); time.sleep(60)");
        let executor = Executor::at_most(helper(), strength);
        let policy = policy(folder.path());
        let ready = folder.path().join("ready");
        tokio::select! {
            _ = executor.run(launch(PYTHON, &["-c", &script, &mark], folder.path()), &policy, CancellationToken::new(), None) => {
                panic!("it sleeps");
            }
            () = until("it is ready", || ready.exists()) => {}
        }
        until("everything has ended", || !runs(&mark)).await;
        until("placeholders are gone", || !folder.path().join(".vscode").exists()).await;
    }
}

/// What the killed server runs; see the next test.
#[tokio::test]
async fn the_server_of_the_next_test() {
    let Some(order) = std::env::var_os("CTX_TEST_SERVER") else { return };
    let order = order.into_string().unwrap();
    let [strength, mark, folder] = order.split(' ').collect::<Vec<_>>().try_into().expect("three words");
    let strength = if strength == "Full" { Strength::Full } else { Strength::Landlock };
    let folder = Path::new(folder);
    let script = format!("{DETACH}\nopen('ready', 'w'); time.sleep(60)");
    run(strength, launch(PYTHON, &["-c", &script, mark], folder), &policy(folder)).await;
}

#[tokio::test]
async fn killing_the_server_ends_its_tasks() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mark = mark();
        let mut server = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sandbox::lifetime::the_server_of_the_next_test"])
            .env("CTX_TEST_SERVER", format!("{strength:?} {mark} {}", folder.path().display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("it is ready", || folder.path().join("ready").exists()).await;
        assert!(runs(&mark));
        server.kill().unwrap();
        server.wait().unwrap();
        until("everything has ended", || !runs(&mark)).await;
        until("placeholders are gone", || !folder.path().join(".vscode").exists()).await;
    }
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let ended = |exit: Exit| exit.ended;
        assert_eq!(ended(sh(strength, folder.path(), "exit 255").await), Ended::Exited(255));
        assert_eq!(ended(sh(strength, folder.path(), "kill -SEGV $$").await), Ended::Signalled(11));
        assert_eq!(ended(sh(strength, folder.path(), "kill -KILL $$").await), Ended::Signalled(9));
        let mut policy = policy(folder.path());
        policy.limits.file_bytes = 1 << 20;
        let exit =
            run(strength, launch("/bin/sh", &["-c", "exec head -c 2000000 /dev/zero > f"], folder.path()), &policy)
                .await;
        assert_eq!(exit.ended, Ended::Limit("file_bytes".into()));
    }
}

#[tokio::test]
async fn the_limit_that_ended_a_command_is_named() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mut policy = policy(folder.path());
        policy.limits.memory_bytes = 200 << 20;
        // Each child stays below the limit; their sum does not.
        let script = "import os, time
for _ in range(5):
    if os.fork() == 0:
        x = bytearray(b'x') * (70 << 20)
        time.sleep(20)
        os._exit(0)
for _ in range(5):
    if os.wait()[1] == 9: os.kill(os.getpid(), 9)";
        let exit = run(strength, launch(PYTHON, &["-c", script], folder.path()), &policy).await;
        assert_eq!(exit.ended, Ended::Limit("memory".into()), "{strength:?} {exit:?}");
    }
}

#[tokio::test]
async fn a_flood_of_output_is_drained_and_counted() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mut policy = policy(folder.path());
        policy.limits.output_bytes = 100_000;
        let script = "echo first; head -c 50000000 /dev/zero; echo; echo last; head -c 3000000 /dev/urandom >&2";
        let exit = run(strength, launch("/bin/sh", &["-c", script], folder.path()), &policy).await;
        assert_eq!(exit.ended, Ended::Exited(0));
        let text = String::from_utf8_lossy(&exit.stdout.bytes);
        assert!(text.starts_with("first\n") && text.ends_with("\nlast\n"), "{} bytes", text.len());
        assert_eq!(exit.stdout.dropped, 50_000_012 - 100_000);
        assert!(text.contains(&format!("\n[... {} bytes dropped ...]\n", exit.stdout.dropped)));
        assert_eq!(exit.stderr.dropped, 2_900_000);
        assert!(exit.stdout.bytes.len() < 100_100 && exit.stderr.bytes.len() < 100_100);
    }
}

#[tokio::test]
async fn output_is_handed_on_as_it_comes() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut receiver) = mpsc::channel(4);
        let executor = Executor::at_most(helper(), strength);
        let policy = policy(folder.path());
        let script = "echo one; while [ ! -e go ]; do sleep 0.01; done; echo two >&2";
        let go = folder.path().join("go");
        let running = executor.run(
            launch("/bin/sh", &["-c", script], folder.path()),
            &policy,
            CancellationToken::new(),
            Some(sender),
        );
        let reading = async {
            let first = receiver.recv().await.unwrap();
            assert_eq!((first.stream, first.bytes.as_slice()), (Stream::Stdout, &b"one\n"[..]));
            fs::write(&go, "").unwrap();
            let second = receiver.recv().await.unwrap();
            assert_eq!((second.stream, second.bytes.as_slice()), (Stream::Stderr, &b"two\n"[..]));
            assert!(receiver.recv().await.is_none());
        };
        let (exit, ()) = tokio::join!(running, reading);
        assert_eq!(exit.unwrap().stdout.bytes, b"one\n");
    }
}

#[tokio::test]
async fn many_runs_at_once_leave_nothing_behind() {
    let left = || {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap().lines().count();
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        (mounts, descriptors)
    };
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let executor = Executor::at_most(helper(), strength);
        let policy = policy(folder.path());
        let one = || executor.run(launch("/bin/true", &[], folder.path()), &policy, CancellationToken::new(), None);
        let _first = one().await.unwrap();
        for exit in futures::future::join_all((0..32).map(|_| one())).await {
            assert_eq!(exit.unwrap().ended, Ended::Exited(0));
        }
        for _ in 0..20 {
            assert_eq!(one().await.unwrap().ended, Ended::Exited(0));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "placeholders are left");
        let own = format!("ctx-task-{}", std::process::id());
        assert!(
            !fs::read_dir("/tmp").unwrap().flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&own))
        );
        assert!(left().0 < 200);
    }
}
