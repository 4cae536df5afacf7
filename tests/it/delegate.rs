//! Delegation through the tools, with real processes in the real sandbox.

use std::fs;
use std::time::{Duration, Instant};

use context_engine::tools::{self, ErrorKind};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Project, eventually, run};

/// Returns whether a process with this argument exists, as the host sees it.
fn is_running(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|argument| argument == marker.as_bytes()))
}

/// A number of seconds that no other test sleeps, to recognise our sleepers by.
fn marker(test: u32) -> String {
    format!("{}.{test}", 3000 + std::process::id() % 1000)
}

#[test]
fn a_task_reaches_its_agent_and_its_answer_comes_back() {
    run(async {
        let project = Project::new();
        project.command_agent("echo", &["cat"], &[]);
        let out = project.call("delegate_task", json!({ "agent": "echo", "task": "Say zebra." })).await;
        assert_eq!(out["status"], "succeeded", "{out}");
        assert_eq!(out["exit_code"], 0);
        assert!(out["result"].as_str().unwrap().contains("Say zebra."), "{out}");
        assert!(["full", "landlock"].contains(&out["sandbox"]["strength"].as_str().unwrap()), "{out}");
        let run_id = out["run_id"].as_str().unwrap();
        let seen = project.call("get_run", json!({ "run_id": run_id })).await;
        assert_eq!(seen["runs"][0]["steps"][0]["result"], out["result"]);
        let events: Vec<&str> = seen["runs"][0]["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["detail"].as_str().unwrap())
            .collect();
        assert!(
            events.first().unwrap().ends_with("started") && events.last().unwrap().ends_with("succeeded"),
            "{events:?}"
        );
    });
}

#[test]
fn a_failing_agent_keeps_its_output_and_its_exit_code() {
    run(async {
        let project = Project::new();
        project.command_agent("broken", &["sh", "-c", "echo half done; echo the reason >&2; exit 7"], &[]);
        let out = project.call("delegate_task", json!({ "agent": "broken", "task": "Break." })).await;
        assert_eq!((&out["status"], &out["exit_code"]), (&json!("failed"), &json!(7)), "{out}");
        assert!(out["result"].as_str().unwrap().contains("half done"), "{out}");
        assert!(out["error"].as_str().unwrap().contains("the reason"), "{out}");
    });
}

#[test]
fn every_problem_is_told_before_anything_starts() {
    run(async {
        let project = Project::new();
        project.command_agent("reviewer", &["cat"], &[]);
        let error =
            project.refusal("delegate_task", json!({ "agent": "reviewr", "task": "x" }), ErrorKind::InvalidInput).await;
        assert!(error.message.contains("did you mean reviewer?"), "{error}");
        let steps = json!([
            { "name": "a", "agent": "reviewer", "task": "x", "needs": ["b"] },
            { "name": "b", "agent": "nobody", "task": "x", "needs": ["c"] },
        ]);
        let error =
            project.refusal("run_workflow", json!({ "steps": steps, "mode": "dag" }), ErrorKind::InvalidInput).await;
        assert!(error.message.contains("nobody") && error.message.contains("needs c, which is not a step"), "{error}");
        let circle = json!([
            { "name": "a", "agent": "reviewer", "task": "x", "needs": ["b"] },
            { "name": "b", "agent": "reviewer", "task": "x", "needs": ["a"] },
        ]);
        let error =
            project.refusal("run_workflow", json!({ "steps": circle, "mode": "dag" }), ErrorKind::InvalidInput).await;
        assert!(error.message.contains("a, b wait for each other"), "{error}");
        assert_eq!(project.call("get_run", json!({})).await["runs"], json!([]));
    });
}

#[test]
fn a_packet_never_exceeds_its_budget() {
    run(async {
        let project = Project::new();
        project.command_agent("echo", &["cat"], &[]);
        project.file("src/big.rs", &"fn f() { let x = 1; }\n".repeat(3000));
        for budget in [60, 200, 1000, 5000] {
            let input = json!({
                "agent": "echo",
                "task": "Look at the file.",
                "context": { "files": ["src/*.rs"], "text": "Some words of context. ".repeat(500) },
                "budget_tokens": budget,
                "result_tokens": 20_000,
            });
            let out = project.call("delegate_task", input).await;
            assert_eq!(out["status"], "succeeded", "{out}");
            assert!(out["packet"]["tokens"].as_u64().unwrap() <= budget, "{out}");
            let sent = project.call("count_tokens", json!({ "text": out["result"] })).await;
            assert!(sent["total"].as_u64().unwrap() <= budget, "{budget}: {sent}");
        }
        let input = json!({ "agent": "echo", "task": "word ".repeat(400), "budget_tokens": 50 });
        let out = project.call("delegate_task", input).await;
        assert_eq!(out["status"], "failed", "{out}");
        assert!(out["error"].as_str().unwrap().contains("50"), "{out}");
    });
}

#[test]
fn a_flood_of_output_is_cut_to_the_result_budget_and_can_be_fetched() {
    run(async {
        let project = Project::new();
        project.command_agent(
            "flood",
            &["sh", "-c", "yes 'a line of the flood' | head -c 20000000; echo the end"],
            &[],
        );
        let out =
            project.call("delegate_task", json!({ "agent": "flood", "task": "Flood.", "result_tokens": 300 })).await;
        assert_eq!(out["status"], "succeeded", "{out}");
        assert!(out["result_tokens"].as_u64().unwrap() <= 300, "{out}");
        let part = project.call("context_retrieve", json!({ "handle": out["handle"], "lines": "1-2" })).await;
        assert_eq!(part["text"], "a line of the flood\na line of the flood\n");
    });
}

#[test]
fn a_time_out_ends_the_whole_process_tree() {
    run(async {
        let project = Project::new();
        let sleeper = marker(1);
        let script = format!("setsid sleep {sleeper} & sleep {sleeper}");
        project.command_agent("sleepy", &["sh", "-c", &script], &[]);
        let out =
            project.call("delegate_task", json!({ "agent": "sleepy", "task": "Sleep.", "timeout_seconds": 1 })).await;
        assert_eq!(out["status"], "timed_out", "{out}");
        eventually("no sleeper is left", || !is_running(&sleeper));
    });
}

#[test]
fn cancel_run_ends_the_whole_process_tree() {
    run(async {
        let project = Project::new();
        let sleeper = marker(2);
        let script = format!("setsid sleep {sleeper} & sleep {sleeper}");
        project.command_agent("sleepy", &["sh", "-c", &script], &[]);
        let out =
            project.call("delegate_task", json!({ "agent": "sleepy", "task": "Sleep.", "wait_seconds": 0 })).await;
        assert_eq!(out["status"], "running", "{out}");
        eventually("the sleeper runs", || is_running(&sleeper));
        let stopped = project.call("cancel_run", json!({ "run_id": out["run_id"] })).await;
        assert_eq!((&stopped["status"], &stopped["stopped"]), (&json!("cancelled"), &json!(["sleepy"])), "{stopped}");
        eventually("no sleeper is left", || !is_running(&sleeper));
        let again = project.call("cancel_run", json!({ "run_id": out["run_id"] })).await;
        assert_eq!(again["stopped"], json!([]));
    });
}

#[test]
fn a_cancelled_request_cancels_its_run() {
    run(async {
        let project = Project::new();
        let sleeper = marker(3);
        project.command_agent("sleepy", &["sleep", &sleeper], &[]);
        let cancel = CancellationToken::new();
        let call = project.call_of(cancel.clone());
        let asked = tokio::spawn(async move {
            tools::call(&call, "delegate_task", json!({ "agent": "sleepy", "task": "Sleep." })).await
        });
        tokio::task::block_in_place(|| eventually("the sleeper runs", || is_running(&sleeper)));
        cancel.cancel();
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled);
        tokio::task::block_in_place(|| eventually("no sleeper is left", || !is_running(&sleeper)));
        let runs = project.call("get_run", json!({})).await;
        let id = runs["runs"][0]["run_id"].clone();
        let seen = project.call("get_run", json!({ "run_id": id, "wait_seconds": 10 })).await;
        assert_eq!(seen["runs"][0]["status"], "cancelled", "{seen}");
    });
}

#[test]
fn parallel_steps_overlap_and_sequential_ones_see_earlier_results() {
    run(async {
        let project = Project::new();
        // Each waits for the other's file: they succeed only if both run at the same time.
        let meet = |mine: &str, other: &str| {
            format!("touch {mine}; for i in $(seq 200); do test -e {other} && exit 0; sleep 0.05; done; exit 1")
        };
        project.command_agent("left", &["sh", "-c", &meet("l", "r")], &[]);
        project.command_agent("right", &["sh", "-c", &meet("r", "l")], &[]);
        let steps = json!([{ "agent": "left", "task": "Meet." }, { "agent": "right", "task": "Meet." }]);
        let out = project.call("run_workflow", json!({ "steps": steps, "mode": "parallel" })).await;
        assert_eq!((&out["status"], &out["phases_completed"]), (&json!("succeeded"), &json!(2)), "{out}");

        project.command_agent("first", &["echo", "the word is walrus"], &[]);
        project.command_agent("second", &["grep", "walrus"], &[]);
        let steps = json!([{ "agent": "first", "task": "Speak." }, { "agent": "second", "task": "Listen." }]);
        let out = project.call("run_workflow", json!({ "steps": steps })).await;
        assert_eq!(out["status"], "succeeded", "{out}");

        project.command_agent("failing", &["false"], &[]);
        let steps = json!([{ "agent": "failing", "task": "x" }, { "agent": "second", "task": "x" }]);
        let out = project.call("run_workflow", json!({ "steps": steps })).await;
        let states: Vec<&Value> = out["steps"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
        assert_eq!((&out["status"], states), (&json!("failed"), vec![&json!("failed"), &json!("skipped")]), "{out}");
    });
}

#[test]
fn a_failed_step_is_tried_again_as_often_as_asked() {
    run(async {
        let project = Project::new();
        project.command_agent(
            "second-time",
            &["sh", "-c", "test -e tried || { touch tried; exit 1; }; echo done"],
            &[],
        );
        let steps = json!([{ "agent": "second-time", "task": "Try.", "retries": 1 }]);
        let out = project.call("run_workflow", json!({ "steps": steps })).await;
        assert_eq!((&out["status"], &out["steps"][0]["attempt"]), (&json!("succeeded"), &json!(2)), "{out}");
    });
}

#[test]
fn the_same_key_is_the_same_run() {
    run(async {
        let project = Project::new();
        project.command_agent("count", &["sh", "-c", "echo x >> counted; cat counted"], &[]);
        let input = json!({ "agent": "count", "task": "Count.", "idempotency_key": "once" });
        let first = project.call("delegate_task", input.clone()).await;
        let second = project.call("delegate_task", input).await;
        assert_eq!(first, second);
        assert_eq!(second["result"].as_str().unwrap().trim(), "x");
    });
}

#[test]
fn work_apart_comes_back_as_a_diff_and_leaves_nothing() {
    run(async {
        for isolation in ["worktree", "copy"] {
            let project = Project::new();
            project.file("kept.txt", "old\n");
            project.file(".gitignore", "ignored/\n");
            let git = |arguments: &[&str]| {
                #[expect(clippy::disallowed_methods, reason = "the test prepares a repository")]
                let mut git = std::process::Command::new("git");
                git.args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
                    .args(arguments)
                    .current_dir(&project.root);
                assert!(git.output().expect("git runs").status.success(), "git {arguments:?}");
            };
            git(&["init", "-q"]);
            git(&["add", "kept.txt", ".gitignore"]);
            git(&["commit", "-qm", "first"]);
            let script = "echo new > kept.txt; echo more > added.txt; mkdir ignored; echo x > ignored/x";
            project.command_agent("editor", &["sh", "-c", script], &[]);
            let input = json!({ "agent": "editor", "task": "Edit.", "isolation": isolation });
            let out = project.call("delegate_task", input).await;
            assert_eq!(out["status"], "succeeded", "{isolation}: {out}");
            let diff = project.call("context_retrieve", json!({ "handle": out["diff"] })).await;
            let text = diff["text"].as_str().unwrap();
            assert!(
                text.contains("-old\n+new\n") && text.contains("+++ b/added.txt") && !text.contains("ignored/x"),
                "{text}"
            );
            assert_eq!(fs::read_to_string(project.root.join("kept.txt")).unwrap(), "old\n", "{isolation}");
            let trees = project.services.config.paths.user_data.with_file_name("context-engine-trees");
            let left: Vec<_> = walkdir::WalkDir::new(&trees).min_depth(2).into_iter().flatten().collect();
            assert!(left.is_empty(), "{isolation} leaves {left:?}");
        }
    });
}

#[test]
fn an_outcome_is_an_example_in_the_next_packet_of_its_agent() {
    run(async {
        let project = Project::new();
        project.command_agent("echo", &["cat"], &[]);
        project.command_agent("deployer", &["echo", "deployed the staging cluster with terraform"], &[]);
        let first = json!({ "agent": "deployer", "task": "Deploy the staging cluster." });
        assert_eq!(project.call("delegate_task", first).await["status"], "succeeded");
        project.command_agent("deployer", &["cat"], &[]);
        let second = json!({ "agent": "deployer", "task": "Deploy the staging cluster again." });
        let out = project.call("delegate_task", second).await;
        assert!(out["result"].as_str().unwrap().contains("terraform"), "{out}");
        let other = json!({ "agent": "echo", "task": "Deploy the staging cluster again." });
        let out = project.call("delegate_task", other).await;
        assert!(!out["result"].as_str().unwrap().contains("terraform"), "another agent's episode: {out}");
    });
}

#[test]
fn steps_beyond_the_limit_wait_for_a_slot() {
    run(async {
        let project = Project::with(&["delegation.max_parallel=1"]);
        // Fails when two run at once.
        project.command_agent("alone", &["sh", "-c", "mkdir here || exit 1; sleep 0.2; rmdir here"], &[]);
        let steps: Vec<Value> = (0..3).map(|_| json!({ "agent": "alone", "task": "Be alone." })).collect();
        let began = Instant::now();
        let out = project.call("run_workflow", json!({ "steps": steps, "mode": "parallel" })).await;
        assert_eq!(out["status"], "succeeded", "{out}");
        assert!(began.elapsed() >= Duration::from_millis(600));
    });
}

#[test]
fn files_of_a_nested_repository_come_back_and_its_hooks_do_not() {
    run(async {
        let project = Project::new();
        project.file("kept.txt", "old\n");
        let script = "mkdir -p sub/.git/hooks; echo evil > sub/.git/hooks/pre-commit; echo ref > sub/.git/HEAD; echo inner > sub/inner.txt";
        project.command_agent("nester", &["sh", "-c", script], &["isolation: copy"]);
        let out = project.call("delegate_task", json!({ "agent": "nester", "task": "Nest." })).await;
        assert_eq!(out["status"], "succeeded", "{out}");
        assert!(!project.root.join("sub").exists(), "the agent file asks for a copy");
        let diff = project.call("context_retrieve", json!({ "handle": out["diff"] })).await;
        let text = diff["text"].as_str().unwrap();
        assert!(text.contains("+inner") && !text.contains("evil"), "{text}");
    });
}

#[test]
fn who_joins_a_run_by_its_key_does_not_end_it_by_leaving() {
    run(async {
        let project = Project::new();
        project.command_agent("slow", &["sh", "-c", "sleep 2; echo done"], &[]);
        let input = json!({ "agent": "slow", "task": "Wait.", "idempotency_key": "shared", "wait_seconds": 0 });
        let first = project.call("delegate_task", input).await;
        let cancel = CancellationToken::new();
        let call = project.call_of(cancel.clone());
        let joined = json!({ "agent": "slow", "task": "Wait.", "idempotency_key": "shared" });
        let joining = tokio::spawn(async move { tools::call(&call, "delegate_task", joined).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        cancel.cancel();
        assert_eq!(joining.await.unwrap().unwrap_err().kind, ErrorKind::Cancelled);
        let seen = project.call("get_run", json!({ "run_id": first["run_id"], "wait_seconds": 30 })).await;
        assert_eq!(seen["runs"][0]["status"], "succeeded", "{seen}");
    });
}

#[test]
fn a_secret_in_an_error_or_a_task_is_not_kept() {
    const SECRET: &str = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    run(async {
        let project = Project::new();
        project.command_agent("leaky", &["sh", "-c", &format!("echo {SECRET}; echo {SECRET} >&2; exit 1")], &[]);
        let out = project.call("delegate_task", json!({ "agent": "leaky", "task": format!("Use {SECRET}.") })).await;
        assert_eq!(out["status"], "failed", "{out}");
        let seen = project.call("get_run", json!({ "run_id": out["run_id"] })).await;
        assert!(!out.to_string().contains(SECRET) && !seen.to_string().contains(SECRET), "{out} {seen}");
    });
}

#[test]
fn a_repository_cannot_raise_the_limits_of_its_agents() {
    run(async {
        let project = Project::with(&["delegation.timeout_seconds=1", "delegation.result_tokens=50"]);
        let more = ["timeout_seconds: 3600", "result_tokens: 100000"];
        project.command_agent("greedy", &["sh", "-c", "seq 10000; sleep 60"], &more);
        let out = project.call("delegate_task", json!({ "agent": "greedy", "task": "Take." })).await;
        assert_eq!(out["status"], "timed_out", "{out}");
        assert!(out["result_tokens"].as_u64().unwrap() <= 50, "{out}");
    });
}
