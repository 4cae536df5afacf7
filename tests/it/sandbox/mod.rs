//! The sandbox: ordinary work runs inside, and attacks that work outside do not work inside.
//!
//! Run as root, the same tests run once more as an ordinary user.
#![expect(clippy::disallowed_methods, reason = "attacks are first tried without the sandbox")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what a test prepares must work, and it says what it saw"
)]

mod attacks;
mod controls;
mod lifetime;
mod neighbours;
mod scenario;

use std::path::{Path, PathBuf};
use std::process::Command;

use context_engine::exec::sandbox::{Report, Strength};
use context_engine::exec::{Executor, Exit, Launch, Policy};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Names the `ctx` binary where the one in the build folder cannot be reached.
const HELPER: &str = "CTX_TEST_HELPER";
/// The user `nobody`, who owns nothing.
const ORDINARY_USER: u32 = 65534;

fn helper() -> PathBuf {
    std::env::var_os(HELPER).map_or_else(|| env!("CARGO_BIN_EXE_ctx").into(), PathBuf::from)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn launch(program: &str, arguments: &[&str], folder: &Path) -> Launch {
    Launch {
        program: program.into(),
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        stdin: Vec::new(),
        environment: Vec::new(),
        working_directory: folder.to_path_buf(),
        home_files: Vec::new(),
    }
}

async fn run(strength: Strength, launch: Launch, policy: &Policy) -> Exit {
    Executor::at_most(helper(), strength)
        .run(launch, policy, CancellationToken::new(), None)
        .await
        .unwrap_or_else(|error| panic!("{strength:?}: {error:?}"))
}

async fn sh(strength: Strength, workspace: &Path, script: &str) -> Exit {
    run(strength, launch("/bin/sh", &["-c", script], workspace), &Policy::command(workspace.to_path_buf(), None)).await
}

/// Set to 1 by whoever accepts that the system at hand cannot have the strength `full`.
const WITHOUT_FULL: &str = "CTX_TEST_WITHOUT_FULL";

/// The strengths that this system has, weakest first. One that is missing is a failure, unless it
/// was accepted in words.
async fn strengths() -> Vec<Strength> {
    static STRONGEST: OnceCell<Report> = OnceCell::const_new();
    let strongest = STRONGEST.get_or_init(|| async { Executor::new(helper()).probe().await }).await;
    let accepted = std::env::var_os(WITHOUT_FULL).is_some_and(|value| value == "1");
    assert!(
        strongest.strength == Strength::Full || accepted,
        "NOT TESTED: this system does not allow the strength `full`; allow unprivileged user namespaces (on Ubuntu: \
         sysctl kernel.apparmor_restrict_unprivileged_userns=0), or set {WITHOUT_FULL}=1 to test without it: \
         {strongest:?}"
    );
    assert!(strongest.strength > Strength::Unprotected, "no boundary can be built here: {strongest:?}");
    [Strength::Landlock, Strength::Full].into_iter().filter(|strength| *strength <= strongest.strength).collect()
}

#[test]
fn all_of_this_holds_for_an_ordinary_user_too() {
    if !is_root() {
        // We are that user.
        return;
    }
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (tests, ctx) = (folder.path().join("tests"), folder.path().join("ctx"));
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    std::fs::copy(helper(), &ctx).unwrap();
    let output = Command::new(&tests)
        .args(["sandbox::", "--test-threads=2"])
        .env(HELPER, &ctx)
        .env("HOME", "/nonexistent")
        .current_dir("/")
        .uid(ORDINARY_USER)
        .gid(ORDINARY_USER)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("sandbox::attacks::"), "the tests did not run: {text}");
}
