//! What else is on the machine while a task runs: the user who works in the same folders, our own
//! data, a pipe that is handed on, the command line that asks.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use context_engine::config::{self, Config, Sources};
use context_engine::exec::sandbox::Strength;
use context_engine::exec::{Ended, Executor, Exit, Policy, Streams};
use tokio_util::sync::CancellationToken;

use super::{helper, launch, run, strengths};

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git").args(arguments).current_dir(folder).status().expect("git is installed");
    assert!(done.success());
}

/// Runs a script that waits for the user, who meanwhile does something in the workspace.
async fn meanwhile(strength: Strength, folder: &Path, script: &str, user: impl FnOnce()) -> Exit {
    let script = format!("touch ready; while [ ! -e go ]; do sleep 0.01; done; {script}");
    let policy = Policy::command(folder.to_path_buf(), None);
    let executor = Executor::at_most(helper(), strength);
    let launch = launch("/bin/sh", &["-c", &script], folder);
    let running = executor.run(launch, &policy, CancellationToken::new(), None);
    let working = async {
        while !folder.join("ready").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        user();
        fs::write(folder.join("go"), "").unwrap();
    };
    tokio::join!(running, working).0.unwrap()
}

#[tokio::test]
async fn what_the_user_changes_during_a_run_stays() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        git(folder.path(), &["init", "-q"]);
        fs::create_dir_all(at(".vscode")).unwrap();
        fs::create_dir_all(at(".git/hooks")).unwrap();
        fs::write(at(".git/hooks/pre-push"), "old").unwrap();
        // File times are coarse: what is as new as the run counts as made in it.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let exit = meanwhile(strength, folder.path(), "true", || {
            git(folder.path(), &["config", "credential.helper", "store"]);
            fs::write(at(".git/hooks/pre-commit"), "new").unwrap();
            fs::write(at(".vscode/settings.json"), "{}").unwrap();
        })
        .await;
        assert_eq!(exit.ended, Ended::Exited(0), "{exit:?}");
        assert!(fs::read_to_string(at(".git/config")).unwrap().contains("helper = store"), "{strength:?}");
        assert!(!at(".git/config.disarmed").exists(), "{strength:?}");
        assert_eq!(fs::read_to_string(at(".git/hooks/pre-commit")).unwrap(), "new", "{strength:?}");
        assert_eq!(fs::read_to_string(at(".git/hooks/pre-push")).unwrap(), "old", "{strength:?}");
        let mut touched = exit.touched;
        touched.sort();
        let changed = [".git/config", ".git/hooks/pre-commit", ".vscode/settings.json"].map(at);
        // Where mounts keep the task from them, they are the user's; without, nobody can tell.
        assert_eq!(touched, if strength == Strength::Full { Vec::new() } else { changed.to_vec() }, "{strength:?}");
    }
}

#[tokio::test]
async fn a_repository_that_the_task_made_is_disarmed() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let script = "git init -q new && echo evil > new/.git/hooks/pre-commit && git -C new config alias.x '!evil'";
        let exit = super::sh(strength, folder.path(), script).await;
        assert_eq!(exit.ended, Ended::Exited(0), "{exit:?}");
        let at = |path: &str| folder.path().join("new/.git").join(path);
        assert!(at("hooks/pre-commit.disarmed").exists() && !at("hooks/pre-commit").exists(), "{strength:?}");
        assert!(!fs::read_to_string(at("config")).unwrap().contains("evil"), "{strength:?}");
        assert_eq!(exit.touched.len(), 2, "{exit:?}");
    }
}

#[tokio::test]
async fn placeholders_vanish_however_a_run_ends() {
    if !strengths().await.contains(&Strength::Full) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let placeholder = folder.path().join(".vscode");
    let executor = Executor::at_most(helper(), Strength::Full);
    let mut policy = Policy::command(folder.path().to_path_buf(), None);
    policy.limits.grace = Duration::from_millis(100);
    let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();

    policy.limits.wall = Duration::from_millis(300);
    let sleep = launch("/bin/sleep", &["60"], folder.path());
    let exit = executor.run(sleep.clone(), &policy, CancellationToken::new(), None).await.unwrap();
    assert_eq!((exit.ended, names()), (Ended::TimedOut, Vec::new()));

    policy.limits.wall = Duration::from_secs(60);
    let cancel = CancellationToken::new();
    let cancelling = async {
        while !placeholder.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let (exit, ()) = tokio::join!(executor.run(sleep.clone(), &policy, cancel.clone(), None), cancelling);
    assert_eq!((exit.unwrap().ended, names()), (Ended::Cancelled, Vec::new()));

    // A helper that is killed leaves them to the next run.
    let killing = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if let Some(helper) = helper_of(folder.path()) {
                nix::sys::signal::kill(helper, nix::sys::signal::Signal::SIGKILL).unwrap();
                return;
            }
        }
    };
    let (died, ()) = tokio::join!(executor.run(sleep, &policy, CancellationToken::new(), None), killing);
    assert!(died.is_err() && placeholder.symlink_metadata().is_ok(), "{died:?}");
    let exit = super::sh(Strength::Full, folder.path(), "true").await;
    assert_eq!((exit.ended, names()), (Ended::Exited(0), Vec::new()));
}

/// The helper whose task has started in a folder: the parent of the parent of the task.
fn helper_of(folder: &Path) -> Option<nix::unistd::Pid> {
    let parent = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let task = processes.filter_map(|name| name.into_string().ok()).find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let here = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
        here && line.starts_with(b"/bin/sleep")
    })?;
    parent(&parent(&task)?)?.parse().ok().map(nix::unistd::Pid::from_raw)
}

fn config(folder: &Path, flags: &[&str]) -> Config {
    let home = folder.join("home");
    config::load(&Sources {
        environment: [("HOME", home.to_str().unwrap()), ("PATH", "/usr/bin:/bin")].into_iter().collect(),
        working_directory: folder.join("project"),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        system_file: folder.join("no.yaml"),
    })
    .config
}

#[tokio::test]
async fn our_data_is_hidden_wherever_it_is() {
    for strength in strengths().await.into_iter().filter(|strength| *strength == Strength::Full) {
        let folder = tempfile::tempdir().unwrap();
        let folder_path = folder.path().canonicalize().unwrap();
        let workspace = folder_path.join("project");
        fs::create_dir_all(workspace.join(".git")).unwrap();
        let flags = [
            format!("data_dir={}", workspace.join("kept/data").display()),
            format!("memory.path={}", workspace.join("notes.db").display()),
        ];
        let mut config = config(&folder_path, &flags.each_ref().map(String::as_str));
        config.paths.user_data = workspace.join("user");
        for file in ["kept/data/runs.db", "notes.db", "notes.db-wal", "user/memory.db", "user/trees/a/git/HEAD"] {
            let file = workspace.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "secret").unwrap();
        }
        let tree = workspace.join("user/trees/a/tree");
        fs::create_dir_all(&tree).unwrap();
        fs::write(tree.join("work"), "work").unwrap();
        let see = async |roots: &[&PathBuf]| {
            let mut policy = Policy::command(roots[0].clone(), config.paths.home.clone());
            policy.readable.extend(roots.iter().skip(1).map(|&root| root.clone()));
            policy.apply(&config);
            let script = format!("cat $(find {} -type f 2> /dev/null) /dev/null", workspace.display());
            let exit = run(strength, launch("/bin/sh", &["-c", &script], roots[0]), &policy).await;
            String::from_utf8(exit.stdout.bytes).unwrap()
        };
        assert_eq!(see(&[&workspace]).await, "", "the tree is hidden too when nobody works in it");
        assert_eq!(see(&[&tree]).await, "work");
        assert_eq!(see(&[&tree, &workspace]).await, "work", "the way to the tree stays open, and nothing beside it");
        assert_eq!(fs::read_to_string(workspace.join("notes.db")).unwrap(), "secret");
    }
}

#[tokio::test]
async fn a_pipe_of_ours_is_read_as_it_comes() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let (read, mut write) = std::io::pipe().unwrap();
        let policy = Policy::command(folder.path().to_path_buf(), None);
        let executor = Executor::at_most(helper(), strength);
        let script = "read a; echo $a; touch first; cat; ls /proc/self/fd > /dev/null";
        let launch = launch("/bin/sh", &["-c", script], folder.path());
        let streams = Streams { stdin: Some(read.into()), ..Streams::default() };
        let running = executor.run_with(launch, &policy, CancellationToken::new(), streams);
        let first = folder.path().join("first");
        let writing = async {
            write.write_all(b"one\n").unwrap();
            while !first.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            write.write_all(b"two\nthree").unwrap();
            drop(write);
        };
        let (exit, ()) = tokio::join!(running, writing);
        assert_eq!(exit.unwrap().stdout.bytes, b"one\ntwo\nthree", "{strength:?}");
    }
}

#[tokio::test]
async fn joined_streams_keep_the_order_of_writing() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let script = "i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; cat /missing";
        let policy = Policy::command(folder.path().to_path_buf(), None);
        let streams = Streams { joined: true, ..Streams::default() };
        let exit = Executor::at_most(helper(), strength)
            .run_with(launch("/bin/sh", &["-c", script], folder.path()), &policy, CancellationToken::new(), streams)
            .await
            .unwrap();
        let said = String::from_utf8(exit.stdout.bytes).unwrap();
        let wanted: String = (0..200).map(|number| format!("out {number}\nerr {number}\n")).collect();
        assert!(said.starts_with(&wanted) && said.contains("/missing"), "{strength:?} {said}");
        assert_eq!((exit.ended, exit.stderr.bytes.len()), (Ended::Exited(1), 0), "{strength:?}");
    }
}

#[tokio::test]
async fn the_first_process_sees_itself() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let script = "import os
for name in ('maps', 'stat', 'status', 'cgroup', 'cmdline', 'environ'): open('/proc/self/' + name, 'rb').read()
print(sorted(os.listdir('/proc/self/fd'))[:3])";
        let launch = launch(super::scenario::PYTHON, &["-c", script], folder.path());
        let exit = run(strength, launch, &Policy::command(folder.path().to_path_buf(), None)).await;
        assert_eq!(exit.stdout.bytes, b"['0', '1', '2']\n", "{strength:?} {exit:?}");
    }
}

#[tokio::test]
async fn node_starts_where_there_is_one() {
    let folders = ["/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    let Some(node) = context_engine::exec::find_program("node", &folders) else {
        eprintln!("NOT TESTED: node is not installed");
        assert!(std::env::var_os("CI").is_none(), "node is not installed");
        return;
    };
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let launch = launch(node.to_str().unwrap(), &["-e", "console.log(6 * 7)"], folder.path());
        let exit = run(strength, launch, &Policy::command(folder.path().to_path_buf(), None)).await;
        assert_eq!(exit.stdout.bytes, b"42\n", "{strength:?} {exit:?}");
    }
}

#[tokio::test]
async fn limits_without_end_are_limits() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mut policy = Policy::command(folder.path().to_path_buf(), None);
        (policy.limits.wall, policy.limits.grace) = (Duration::MAX, Duration::MAX);
        let most = u64::MAX;
        (policy.limits.memory_bytes, policy.limits.processes, policy.limits.output_bytes) = (most, most, most);
        (policy.limits.file_bytes, policy.limits.open_files) = (most, most);
        let exit = run(strength, launch("/bin/echo", &["hello"], folder.path()), &policy).await;
        assert_eq!((exit.ended, exit.stdout.bytes.as_slice()), (Ended::Exited(0), &b"hello\n"[..]), "{strength:?}");
    }
}

#[tokio::test]
async fn the_command_line_says_how_it_went_as_shells_do() {
    let _there = strengths().await;
    let folder = tempfile::tempdir().unwrap();
    let home = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text"), "no program").unwrap();
    let code = |arguments: &[&str]| {
        let output = Command::new(helper())
            .args(["sandbox", "run"])
            .args(arguments)
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("HOME", home.path().to_str().unwrap())])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (arguments, expected) in [
        (&["--", "nosuch"][..], 127),
        (&["--", "./nosuch"], 127),
        (&["--", "./text"], 126),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["--timeout", "18446744073709551615", "--", "true"], 0),
        (&["--timeout", "1", "--", "sleep", "60"], 124),
    ] {
        let (code, said) = code(arguments);
        assert_eq!(code, Some(expected), "{arguments:?}: {said}");
        assert!(expected < 100 || !said.is_empty(), "{arguments:?}");
    }
}
