//! Runs as memories: which agent did what, with what outcome.

use super::recall::{RecallRequest, Recalled};
use super::remember::{Draft, Outcome, TEXT_BYTES_MAX};
use super::{Memories, MemoryError};
use crate::base::{MemoryId, Name, RunId, Timestamp};
use crate::store::{MemoryFilter, MemoryKind, Scope};
use crate::tokens::Budget;

/// How much of a task is kept in an episode, in characters.
const TASK_CHARACTERS_MAX: usize = 2_000;
/// How much of an outcome is kept in an episode, in characters.
const OUTCOME_CHARACTERS_MAX: usize = 6_000;
/// How many past runs may be examples.
const EXAMPLES_MAX: usize = 5;

/// The outcome of a run, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Who did it.
    pub agent: Name,
    /// The run.
    pub run: RunId,
    /// What was asked.
    pub task: String,
    /// How it ended, in a word: `succeeded`, `failed`, ...
    pub status: String,
    /// What came of it, shortened where it is long.
    pub outcome: String,
    /// When it ended.
    pub at: Timestamp,
}

impl Memories {
    /// Keeps the outcome of a run, so that later packets for the same agent can have it as an
    /// example. Returns the id it has.
    pub async fn keep_episode(&self, episode: Episode) -> Result<MemoryId, MemoryError> {
        let task = shortened(&episode.task, TASK_CHARACTERS_MAX);
        let outcome = shortened(&episode.outcome, OUTCOME_CHARACTERS_MAX);
        let text = format!("Task: {task}\nOutcome ({}): {outcome}", episode.status);
        debug_assert!(text.len() <= TEXT_BYTES_MAX, "the limits of the parts keep it within that of the whole");
        let draft = Draft {
            text,
            kind: MemoryKind::Episode,
            scope: Scope::Project,
            actor: Some(episode.agent.to_string()),
            agent: Some(episode.agent.into()),
            tags: vec![episode.status],
            occurred_at: Some(episode.at),
            source: Some(format!("run://{}", episode.run)),
            ..Draft::default()
        };
        let remembered = self.remember(vec![draft]).await?.pop().ok_or(MemoryError::Count { given: 0 })?;
        match (remembered.id, remembered.outcome) {
            (Some(id), _) => Ok(id),
            (None, Outcome::Rejected(reason)) => Err(MemoryError::Rejected { reason }),
            (None, _) => Err(MemoryError::Rejected { reason: "the store gave it no id".to_owned() }),
        }
    }

    /// Returns past runs of an agent that resemble a task, best first; their texts, with an empty
    /// line between two, are within the budget together.
    pub async fn examples(&self, agent: &Name, task: &str, budget: Budget) -> Result<Vec<Recalled>, MemoryError> {
        let filter = MemoryFilter {
            scopes: vec![Scope::Project],
            kinds: vec![MemoryKind::Episode],
            agent: Some(agent.to_string()),
            ..MemoryFilter::default()
        };
        let request = RecallRequest { query: task.to_owned(), limit: EXAMPLES_MAX, filter, ..RecallRequest::default() };
        let mut found = self.recall(&request).await?;
        found.keep_within(budget.tokens, &|one| budget.measure.count(&one.memory.content.text), &|found| {
            let texts: Vec<&str> = found.memories.iter().map(|one| one.memory.content.text.as_str()).collect();
            budget.holds(&texts.join("\n\n"))
        });
        Ok(found.memories)
    }
}

fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} […]", &text[..end]),
    }
}
