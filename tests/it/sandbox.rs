//! The sandbox: ordinary work runs inside, and attacks that work outside do not work inside.

use std::path::{Path, PathBuf};

use context_engine::exec::sandbox::Strength;
use context_engine::exec::{Ended, Executor, Exit, Launch, Policy};
use tokio_util::sync::CancellationToken;

fn helper() -> PathBuf {
    env!("CARGO_BIN_EXE_ctx").into()
}

fn launch(workspace: &Path, script: &str) -> Launch {
    Launch {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        stdin: Vec::new(),
        environment: Vec::new(),
        working_directory: workspace.to_path_buf(),
        home_files: Vec::new(),
    }
}

async fn sh(strength: Strength, workspace: &Path, script: &str) -> Exit {
    let policy = Policy::command(workspace.to_path_buf(), None);
    Executor::at_most(helper(), strength)
        .run(launch(workspace, script), &policy, CancellationToken::new(), None)
        .await
        .expect("it starts")
}

/// The strengths that this system has, weakest first.
async fn strengths() -> Vec<Strength> {
    let strongest = Executor::new(helper()).probe().await;
    [Strength::Landlock, Strength::Full].into_iter().filter(|strength| *strength <= strongest.strength).collect()
}

#[tokio::test]
async fn a_command_runs_in_its_workspace_and_leaves_nothing_else() {
    for strength in strengths().await {
        let folder = tempfile::tempdir().unwrap();
        let exit = sh(strength, folder.path(), "echo hello; echo oops >&2; echo kept > file; exit 7").await;
        assert_eq!(exit.ended, Ended::Exited(7), "{exit:?}");
        assert_eq!((exit.stdout.bytes.as_slice(), exit.stderr.bytes.as_slice()), (&b"hello\n"[..], &b"oops\n"[..]));
        assert_eq!(exit.sandbox.strength, strength);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"]);
    }
}
