//! From a request to a plan that can run: every problem is found here, and all at once. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Mode, Request, StepRequest};
use crate::agents::Agent;
use crate::base::Name;

/// The most steps of a run.
pub const STEPS_MAX: usize = 100;

/// Steps that can run, in an order in which each comes after those it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<PlannedStep>,
}

/// A step that can run.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep {
    /// Its name, unique within the plan.
    pub name: Name,
    /// Its agent, as read from its file.
    pub agent: Agent,
    /// The steps that must succeed before it.
    pub needs: Vec<Name>,
    /// What was asked.
    pub request: StepRequest,
}

/// Plans a request over the agents that exist; returns every problem, one line each.
pub fn plan(request: &Request, agents: &[Agent]) -> Result<Plan, Vec<String>> {
    let mut problems = Vec::new();
    if request.steps.is_empty() {
        problems.push("there are no steps: name at least one".to_owned());
    }
    if request.steps.len() > STEPS_MAX {
        problems.push(format!("{} steps: at most {STEPS_MAX} are allowed", request.steps.len()));
    }
    let by_name: BTreeMap<&str, &Agent> = agents.iter().map(|agent| (agent.name.as_str(), agent)).collect();
    let names = step_names(&request.steps, &mut problems);
    let mut steps = Vec::new();
    for (index, (step, name)) in request.steps.iter().zip(&names).enumerate() {
        if step.task.trim().is_empty() {
            problems.push(format!("step {name}: the task is empty"));
        }
        let needs = match request.mode {
            Mode::Sequential => index.checked_sub(1).map(|before| names[before].clone()).into_iter().collect(),
            Mode::Parallel => Vec::new(),
            Mode::Dag => step.needs.clone(),
        };
        if request.mode != Mode::Dag && !step.needs.is_empty() {
            problems.push(format!("step {name}: `needs` goes with mode dag only"));
        }
        for need in &needs {
            if need == name {
                problems.push(format!("step {name} needs itself"));
            } else if !names.contains(need) {
                problems.push(format!("step {name} needs {need}, which is not a step"));
            }
        }
        match by_name.get(step.agent.as_str()) {
            Some(agent) => {
                steps.push(PlannedStep { name: name.clone(), agent: (*agent).clone(), needs, request: step.clone() });
            }
            None => problems.push(unknown_agent(&step.agent, &by_name)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    in_order(steps).map(|steps| Plan { steps }).map_err(|circle| vec![circle])
}

/// Returns the name of each step: its own, or its agent's with a number where that is taken.
fn step_names(steps: &[StepRequest], problems: &mut Vec<String>) -> Vec<Name> {
    let mut taken: BTreeSet<Name> = BTreeSet::new();
    for name in steps.iter().filter_map(|step| step.name.as_ref()) {
        if !taken.insert(name.clone()) {
            problems.push(format!("two steps are named {name}"));
        }
    }
    steps
        .iter()
        .map(|step| match &step.name {
            Some(name) => name.clone(),
            None => {
                let stem: String = step.agent.as_str().chars().take(58).collect();
                let name = std::iter::once(stem.clone())
                    .chain((2..).map(|number| format!("{stem}-{number}")))
                    .filter_map(|candidate| Name::try_from(candidate).ok())
                    .find(|candidate| !taken.contains(candidate))
                    .expect("one of infinitely many names is free");
                taken.insert(name.clone());
                name
            }
        })
        .collect()
}

fn unknown_agent(name: &Name, known: &BTreeMap<&str, &Agent>) -> String {
    let nearest = known
        .keys()
        .map(|candidate| (strsim::damerau_levenshtein(name.as_str(), candidate), candidate))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, candidate)| format!(" (did you mean {candidate}?)"))
        .unwrap_or_default();
    let names: Vec<&str> = known.keys().copied().take(30).collect();
    let list = if names.is_empty() {
        "there are no agents: add one as .claude/agents/NAME.md".to_owned()
    } else {
        format!("the agents are {}", names.join(", "))
    };
    format!("there is no agent {name}{nearest}: {list}")
}

/// Sorts steps so that each comes after those it needs, otherwise keeping their order; an error
/// names the steps of a circle.
fn in_order(mut waiting: Vec<PlannedStep>) -> Result<Vec<PlannedStep>, String> {
    let mut done: BTreeSet<Name> = BTreeSet::new();
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let Some(next) = waiting.iter().position(|step| step.needs.iter().all(|need| done.contains(need))) else {
            let names: Vec<&str> = waiting.iter().map(|step| step.name.as_str()).collect();
            return Err(format!("the steps {} wait for each other in a circle", names.join(", ")));
        };
        let step = waiting.remove(next);
        done.insert(step.name.clone());
        ordered.push(step);
    }
    Ok(ordered)
}
