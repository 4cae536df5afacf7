//! Ordinary work: what a sandbox must not break. One that holds because nothing runs is no sandbox.

use std::path::Path;

use context_engine::exec::sandbox::Strength;
use context_engine::exec::{Ended, ExecError, Executor, Network, Policy, find_program, tool};
use tokio_util::sync::CancellationToken;

use super::scenario::PYTHON;
use super::{helper, launch, run, sh, strengths};

/// Runs a shell script under every strength from this one on and compares what it prints.
async fn check(weakest: Strength, script: &str, expected: &str) {
    for strength in strengths().await.into_iter().filter(|strength| *strength >= weakest) {
        let folder = tempfile::tempdir().unwrap();
        let exit = sh(strength, folder.path(), script).await;
        let said = String::from_utf8_lossy(&exit.stdout.bytes).into_owned();
        assert_eq!(exit.ended, Ended::Exited(0), "{strength:?} {script}: {said} {exit:?}");
        assert_eq!(said, expected, "{strength:?} {script}");
    }
}

#[tokio::test]
async fn a_command_runs_in_its_workspace_and_leaves_nothing_else() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let exit = sh(strength, folder.path(), "echo hello; echo oops >&2; echo kept > file; exit 7").await;
        assert_eq!(exit.ended, Ended::Exited(7), "{exit:?}");
        assert_eq!((exit.stdout.bytes.as_slice(), exit.stderr.bytes.as_slice()), (&b"hello\n"[..], &b"oops\n"[..]));
        assert_eq!(exit.sandbox.strength, strength);
        assert!(!exit.sandbox.gaps.is_empty(), "the network at least is never all that it could be");
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
    }
}

#[tokio::test]
async fn files_are_edited_as_ever() {
    check(
        Strength::Landlock,
        "mkdir -p a/b && echo one > a/b/c && sed -i s/one/two/ a/b/c && ln -s b a/link && mv a/b/c a/d && cp -p a/d e \
         && chmod +x e && mkfifo pipe && rm -r a/b && cat a/d e && ls -d a e pipe",
        "two\ntwo\na\ne\npipe\n",
    )
    .await;
}

#[tokio::test]
async fn git_makes_a_repository_and_commits() {
    check(
        Strength::Landlock,
        "git init -q . && git config user.name a && git config user.email b@c && echo x > f && git add -A \
         && git commit -qm first && git status --short && git log --format=%s && git branch other && git switch -q other \
         && git ls-files",
        "first\nf\n",
    )
    .await;
}

#[tokio::test]
async fn git_commits_to_a_repository_that_is_there() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let made =
            sh(strength, folder.path(), "git init -q . && git config user.name a && git config user.email b@c").await;
        assert_eq!(made.ended, Ended::Exited(0), "{made:?}");
        let script =
            "echo x > f && git add -A && git commit -qm first && git gc -q && git log --format=%s && git ls-files";
        let exit = sh(strength, folder.path(), script).await;
        assert_eq!(
            (exit.ended, exit.stdout.bytes.as_slice()),
            (Ended::Exited(0), &b"first\nf\n"[..]),
            "{:?}",
            exit.stderr
        );
    }
}

#[tokio::test]
async fn python_has_threads_children_and_temporary_files() {
    let script = "import subprocess, sys, tempfile, threading, random, socket
with tempfile.NamedTemporaryFile() as file:
    file.write(b'x'); file.flush()
    done = []
    threads = [threading.Thread(target=done.append, args=(i,)) for i in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    child = subprocess.run([sys.executable, '-c', 'print(6*7)'], capture_output=True, text=True)
    a, b = socket.socketpair(); a.send(b'pair')
    print(len(done), child.stdout.strip(), open(file.name).read(), b.recv(9).decode())";
    check(Strength::Landlock, &format!("{PYTHON} -c \"{script}\""), "8 42 x pair\n").await;
}

#[tokio::test]
async fn the_task_has_a_loopback_of_its_own() {
    let script = "import socket, threading
server = socket.create_server(('127.0.0.1', 8080))
threading.Thread(target=lambda: server.accept()[0].sendall(b'mine')).start()
print(socket.create_connection(('localhost', 8080)).recv(9).decode())";
    check(Strength::Full, &format!("{PYTHON} -c \"{script}\""), "mine\n").await;
}

#[tokio::test]
async fn system_programs_find_what_they_need() {
    check(
        Strength::Landlock,
        "id -u > /dev/null && date +%Y > /dev/null && test -w $HOME && test -w $TMPDIR && echo x > $TMPDIR/x \
         && head -c 4 /dev/urandom | wc -c && nproc > /dev/null && awk 'BEGIN { print 1+1 }' && echo $HOME | grep -c /",
        "4\n2\n1\n",
    )
    .await;
}

#[tokio::test]
async fn a_compiler_works_where_there_is_one() {
    check(
        Strength::Landlock,
        "command -v gcc > /dev/null || { echo 42; exit; }; echo 'int main() { return 42; }' > a.c && gcc a.c -o a; ./a; echo $?",
        "42\n",
    )
    .await;
}

#[tokio::test]
async fn the_hosts_network_is_there_when_the_policy_says_so() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy { network: Network::Host, ..Policy::command(folder.path().to_path_buf(), None) };
        let script = format!("import socket; socket.create_connection(('127.0.0.1', {port})); print('connected')");
        let exit = run(strength, launch(PYTHON, &["-c", &script], folder.path()), &policy).await;
        assert_eq!(exit.stdout.bytes, b"connected\n", "{exit:?}");
        assert!(exit.sandbox.gaps.iter().any(|gap| gap.contains("network")), "{:?}", exit.sandbox);
    }
}

#[tokio::test]
async fn arguments_and_input_arrive_unchanged() {
    let odd = ["", " ", "a b", "$(id)", "`id`", "'\"\\", "-n", "--", "\n\t", "*", "ünï\u{1F600}", ";&|<>"];
    let script = "import sys; sys.stdout.write('\\0'.join(sys.argv[1:])); sys.stdout.flush(); sys.stdout.buffer.write(sys.stdin.buffer.read())";
    // More than any pipe holds, and not text.
    let stdin: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = launch(PYTHON, &[&["-c", script], &odd[..]].concat(), folder.path());
        launch.stdin = stdin.clone();
        let mut policy = Policy::command(folder.path().to_path_buf(), None);
        policy.limits.output_bytes = 10 << 20;
        let exit = run(strength, launch, &policy).await;
        let expected = [odd.join("\0").as_bytes(), &stdin].concat();
        assert!(exit.stdout.bytes == expected, "{} bytes, {:?}", exit.stdout.bytes.len(), exit.stderr);
    }
}

#[tokio::test]
async fn the_environment_is_what_was_named() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = launch("/usr/bin/env", &[], folder.path());
        launch.environment = vec![("GREETING".into(), "a=b c".into()), ("HOME".into(), "/elsewhere".into())];
        let exit = run(strength, launch, &Policy::command(folder.path().to_path_buf(), None)).await;
        let text = String::from_utf8(exit.stdout.bytes).unwrap();
        let mut names: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["GREETING", "HOME", "LANG", "PATH", "TMPDIR"]);
        assert!(text.contains("GREETING=a=b c\n") && !text.contains("/elsewhere"), "{text}");
    }
}

#[tokio::test]
async fn files_are_placed_in_the_private_home() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join(".cargo/bin")).unwrap();
        std::fs::write(home.path().join(".cargo/bin/tool"), "tool").unwrap();
        std::fs::write(home.path().join(".cargo/credentials.toml"), "token").unwrap();
        let policy = Policy::command(folder.path().to_path_buf(), Some(home.path().to_path_buf()));
        let script = "cat ~/.agent/settings ~/.cargo/bin/tool; test -e ~/.cargo/credentials.toml || echo ' none'; \
                      echo x > ~/.cargo/.package-cache && echo new > ~/written && cat ~/written";
        let mut launch = launch("/bin/sh", &["-c", script], folder.path());
        launch.home_files = vec![(".agent/settings".into(), b"placed ".to_vec())];
        let exit = run(strength, launch.clone(), &policy).await;
        assert_eq!(
            String::from_utf8_lossy(&exit.stdout.bytes),
            "placed tool none\nnew\n",
            "{strength:?} {:?}",
            exit.stderr
        );
        assert!(!home.path().join("written").exists() && !home.path().join(".agent").exists());

        launch.home_files = vec![("../escaped".into(), b"x".to_vec())];
        let error = Executor::at_most(helper(), strength).run(launch, &policy, CancellationToken::new(), None).await;
        assert!(matches!(error, Err(ExecError::Refused { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::command(folder.path().to_path_buf(), None);
    let script = folder.path().join("script");
    std::fs::write(&script, "no program").unwrap();
    for strength in strengths().await {
        let executor = Executor::at_most(helper(), strength);
        let run =
            |program: &str| executor.run(launch(program, &[], folder.path()), &policy, CancellationToken::new(), None);
        for missing in ["sh", "/no/such/program"] {
            assert!(matches!(run(missing).await, Err(ExecError::NotFound { .. })));
        }
        let error = run(script.to_str().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("ermission denied"), "{error}");
        let mut elsewhere = launch("/bin/sh", &[], folder.path());
        elsewhere.working_directory = "/nowhere".into();
        let error = executor.run(elsewhere, &policy, CancellationToken::new(), None).await.unwrap_err().to_string();
        assert!(error.contains("/nowhere"), "{error}");
    }
}

#[tokio::test]
async fn a_boundary_below_the_minimum_is_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::command(folder.path().to_path_buf(), None);
    policy.minimum = context_engine::config::MinimumStrength::Full;
    let executor = Executor::at_most(helper(), Strength::Landlock);
    let error = executor.run(launch("/bin/true", &[], folder.path()), &policy, CancellationToken::new(), None).await;
    assert!(matches!(error, Err(ExecError::Refused { .. })), "{error:?}");
}

#[tokio::test]
async fn the_home_folder_is_no_workspace() {
    for strength in strengths().await {
        let home = tempfile::tempdir().unwrap();
        for workspace in [home.path(), home.path().parent().unwrap(), Path::new("/")] {
            let policy = Policy::command(workspace.to_path_buf(), Some(home.path().to_path_buf()));
            let executor = Executor::at_most(helper(), strength);
            let error =
                executor.run(launch("/bin/true", &[], workspace), &policy, CancellationToken::new(), None).await;
            assert!(matches!(error, Err(ExecError::Refused { .. })), "{workspace:?} {error:?}");
        }
    }
}

#[tokio::test]
async fn our_own_helpers_run_without_hooks_and_within_their_time() {
    let folders = ["/nowhere", "/usr/local/bin", "/usr/bin", "/bin"].map(Into::into);
    let git = find_program("git", &folders).expect("git is installed");
    assert!(git.is_absolute());
    assert_eq!(find_program("no-such-program", &folders), None);
    assert_eq!(find_program("../bin/sh", &folders), None);
    let folder = tempfile::tempdir().unwrap();
    let time = std::time::Duration::from_secs(20);
    assert!(tool(&git, &["init", "-q"], folder.path(), time).await.unwrap().success());
    let hook = folder.path().join(".git/hooks/pre-commit");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\ntouch hooked\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let commit = ["-c", "user.name=a", "-c", "user.email=b@c", "commit", "-q", "--allow-empty", "-m", "x"];
    let output = tool(&git, &commit, folder.path(), time).await.unwrap();
    assert!(output.success() && !folder.path().join("hooked").exists(), "{output:?}");
    let sleep = find_program("sleep", &folders).unwrap();
    let error = tool(&sleep, &["30"], folder.path(), std::time::Duration::from_millis(50)).await;
    assert!(matches!(error, Err(ExecError::Start { .. })), "{error:?}");
}
