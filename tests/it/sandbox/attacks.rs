//! Each class of attacks, first without the sandbox, then within every strength.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use context_engine::exec::sandbox::Strength;
use serde::Deserialize;

use super::scenario::{PYTHON, Scenario};
use super::{is_root, launch, run, strengths};

const ATTACKS: &str = include_str!("../../fixtures/sandbox/attacks.py");

#[derive(Debug, Deserialize)]
struct Attack {
    name: String,
    class: String,
    /// The weakest strength that holds it.
    holds: Strength,
    /// Without a sandbox only root can do it.
    root: bool,
}

fn attacks() -> Vec<Attack> {
    let output = Command::new(PYTHON).args(["-c", ATTACKS, "list"]).output().expect("python3 is installed");
    serde_json::from_slice(&output.stdout).expect("a list of attacks")
}

/// What became of an attack: what it said, and whether it got through, as the host sees it.
struct Outcome {
    said: String,
    breached: bool,
}

fn judge(scenario: &Scenario, before: &Sight, stdout: &[u8], more: &str) -> Outcome {
    let said = String::from_utf8_lossy(stdout).into_owned();
    let changed = look(scenario) != *before;
    Outcome { breached: changed || said.contains("BREACH"), said: format!("{} {more} changed: {changed}", said.trim()) }
}

/// What the host sees: the folders outside, and what it would obey.
type Sight = [BTreeMap<PathBuf, String>; 2];

fn look(scenario: &Scenario) -> Sight {
    [scenario.outside(), scenario.obeyed()]
}

fn without_sandbox(attack: &Attack) -> Outcome {
    let scenario = Scenario::new();
    let before = look(&scenario);
    let output = Command::new(PYTHON)
        .args(["-c", ATTACKS, &attack.name, &scenario.description()])
        .current_dir(scenario.workspace())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let more = String::from_utf8_lossy(&output.stderr).into_owned();
    judge(&scenario, &before, &output.stdout, &more)
}

async fn within(strength: Strength, attack: &Attack) -> Outcome {
    let scenario = Scenario::new();
    let before = look(&scenario);
    let launch = launch(PYTHON, &["-c", ATTACKS, &attack.name, &scenario.description()], &scenario.workspace());
    let exit = run(strength, launch, &scenario.policy()).await;
    assert_eq!(exit.sandbox.strength, strength);
    let more = format!("{:?} {}", exit.ended, String::from_utf8_lossy(&exit.stderr.bytes).trim());
    judge(&scenario, &before, &exit.stdout.bytes, &more)
}

/// Tries every attack of a class.
async fn check(class: &str) {
    let attacks: Vec<Attack> =
        attacks().into_iter().filter(|attack| attack.class == class && (is_root() || !attack.root)).collect();
    assert!(!attacks.is_empty(), "no attack of class {class}");
    let mut wrong = Vec::new();
    for attack in &attacks {
        let plain = without_sandbox(attack);
        if !plain.breached {
            wrong.push(format!("{} proves nothing, it fails without a sandbox: {}", attack.name, plain.said));
        }
        for strength in strengths().await.into_iter().filter(|strength| *strength >= attack.holds) {
            let outcome = within(strength, attack).await;
            if outcome.breached {
                wrong.push(format!("{} got through {strength:?}: {}", attack.name, outcome.said));
            } else if std::env::var_os("CTX_TEST_SHOW").is_some() {
                eprintln!("{} {strength:?}: {}", attack.name, outcome.said);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn nothing_outside_is_read() {
    check("read").await;
}

#[tokio::test]
async fn nothing_outside_is_seen() {
    check("information").await;
}

#[tokio::test]
async fn nothing_outside_is_changed() {
    check("write").await;
}

#[tokio::test]
async fn nothing_is_planted_that_the_host_obeys() {
    check("persistence").await;
}

#[tokio::test]
async fn no_other_process_is_reached() {
    check("processes").await;
}

#[tokio::test]
async fn nothing_is_reached_over_a_network() {
    check("network").await;
}

#[tokio::test]
async fn nothing_leaks_in() {
    check("leaks").await;
}

#[tokio::test]
async fn no_privilege_is_gained() {
    check("privilege").await;
}

#[tokio::test]
async fn the_kernel_shows_little_surface() {
    check("surface").await;
}

#[tokio::test]
async fn no_limit_is_passed() {
    check("resources").await;
}

#[test]
fn every_class_is_tried() {
    let source = include_str!("attacks.rs");
    for attack in attacks() {
        assert!(source.contains(&format!("check(\"{}\")", attack.class)), "no test tries {}", attack.class);
    }
}
