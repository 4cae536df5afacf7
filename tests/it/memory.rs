//! Remembering and recalling, through the door of the memory room.

use std::sync::Arc;

use context_engine::base::{Clock, FixedClock, MemoryId, Timestamp};
use context_engine::memory::{
    Draft, Episode, ForgetRequest, Memories, MemoryError, Outcome, RecallRequest, Recollection, Update,
};
use context_engine::store::{InMemoryStore, MemoryFilter, MemoryKind, Scope};
use context_engine::tokens::{Budget, Measure};
use jiff::SignedDuration;

/// The service over stores in memory, at a time that stands still.
pub struct Fixture {
    pub memories: Memories,
    pub clock: Arc<FixedClock>,
}

pub fn fixture() -> Fixture {
    let clock = Arc::new(FixedClock::new("2026-03-01T12:00:00Z".parse().expect("a time")));
    let store = || Arc::new(InMemoryStore::default());
    Fixture { memories: Memories::new(store(), store(), clock.clone()), clock }
}

impl Fixture {
    /// Remembers texts as turns of a session, a minute apart, and returns their ids.
    async fn session(&self, session: &str, turns: &[(&str, &str)]) -> Vec<MemoryId> {
        let draft = |(actor, text): &(&str, &str)| Draft {
            text: (*text).to_owned(),
            actor: Some((*actor).to_owned()),
            session_id: Some(session.to_owned()),
            ..Draft::default()
        };
        self.remember(turns.iter().map(draft).collect()).await
    }

    async fn remember(&self, drafts: Vec<Draft>) -> Vec<MemoryId> {
        let mut ids = Vec::new();
        for draft in drafts {
            self.clock.advance(SignedDuration::from_mins(1));
            let remembered = self.memories.remember(vec![draft]).await.expect("remembered").remove(0);
            ids.push(remembered.id.unwrap_or_else(|| panic!("{:?}", remembered.outcome)));
        }
        ids
    }

    async fn note(&self, text: &str) -> MemoryId {
        self.remember(vec![draft(text)]).await.remove(0)
    }

    async fn recall(&self, query: &str) -> Vec<String> {
        texts(&self.memories.recall(&request(query)).await.expect("recalled"))
    }
}

fn draft(text: &str) -> Draft {
    Draft { text: text.to_owned(), ..Draft::default() }
}

fn request(query: &str) -> RecallRequest {
    RecallRequest { query: query.to_owned(), limit: 10, ..RecallRequest::default() }
}

fn texts(found: &Recollection) -> Vec<String> {
    found.memories.iter().map(|one| one.memory.content.text.clone()).collect()
}

#[tokio::test]
async fn the_best_answer_comes_first_whatever_the_form_of_its_words() {
    let fixture = fixture();
    for text in [
        "We decided to store sessions in PostgreSQL because of replication",
        "The deployment runs every Friday",
        "Lunch is at noon",
        "fn parseHttpHeader reads one header",
        "東京都の天気は晴れ",
    ] {
        fixture.note(text).await;
    }
    for (query, expected) in [
        (
            "what database was the decision for storing a session?",
            "We decided to store sessions in PostgreSQL because of replication",
        ),
        ("When do deployments run", "The deployment runs every Friday"),
        ("http header parsing", "fn parseHttpHeader reads one header"),
        ("parsehttpheader", "fn parseHttpHeader reads one header"),
        ("天気", "東京都の天気は晴れ"),
    ] {
        assert_eq!(fixture.recall(query).await.first().map(String::as_str), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn an_answer_is_found_by_the_question_before_it() {
    let fixture = fixture();
    fixture.session("s1", &[("Ann", "Which port does the staging proxy use?"), ("Bo", "8443, since May")]).await;
    fixture.session("s2", &[("Ann", "Shall we have lunch?"), ("Bo", "Yes, at noon")]).await;
    let found = fixture.recall("staging proxy port").await;
    assert_eq!(found, ["Which port does the staging proxy use?", "8443, since May"]);
}

#[tokio::test]
async fn the_named_actor_is_preferred() {
    let fixture = fixture();
    fixture.session("s", &[("Ann", "I like green tea"), ("Bo", "I like green tea")]).await;
    let found = fixture.memories.recall(&request("What tea does Bo like?")).await.expect("recalled");
    assert_eq!(found.memories[0].memory.content.actor.as_deref(), Some("Bo"));
    let sum: f64 = found.memories[0].parts.iter().map(|part| part.value).sum();
    assert!((sum - found.memories[0].score).abs() < 1e-9, "the parts explain the score");
}

#[tokio::test]
async fn each_draft_is_answered_in_its_place() {
    let fixture = fixture();
    let known = fixture.note("The port is 80").await;
    let drafts = vec![
        draft("  the PORT is 80! "),
        draft("   "),
        Draft { scope: Scope::Session, ..draft("in no session") },
        Draft { metadata: Some("[1]".to_owned()), ..draft("list") },
        Draft { importance: Some(f64::NAN), ..draft("what") },
        draft(&"long ".repeat(20_000)),
        draft("<private>all of it</private>"),
        Draft { supersedes: Some(known.clone()), ..draft("The port is 90") },
        Draft { scope: Scope::User, ..draft("The port is 80") },
    ];
    let answers = fixture.memories.remember(drafts).await.expect("remembered");
    let statuses: Vec<&str> = answers.iter().map(|one| one.outcome.as_str()).collect();
    assert_eq!(
        statuses,
        [
            "duplicate",
            "rejected",
            "rejected",
            "rejected",
            "rejected",
            "rejected",
            "rejected",
            "superseded_other",
            "stored"
        ]
    );
    assert_eq!(answers[0].id.as_ref(), Some(&known));
    assert_eq!(answers[7].outcome, Outcome::SupersededOther(known));
    for answer in &answers[1..7] {
        let Outcome::Rejected(reason) = &answer.outcome else { panic!("{answer:?}") };
        assert!(!reason.is_empty() && answer.id.is_none());
    }
    assert!(matches!(fixture.memories.remember(Vec::new()).await, Err(MemoryError::Count { given: 0 })));
}

#[tokio::test]
async fn two_people_may_say_the_same() {
    let fixture = fixture();
    let ids = fixture.session("s", &[("Ann", "yes"), ("Bo", "yes"), ("Ann", "Yes.")]).await;
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
}

#[tokio::test]
async fn secrets_are_neither_stored_nor_recalled() {
    let fixture = fixture();
    let token = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
    let drafts = vec![Draft {
        metadata: Some(format!(r#"{{"token":"{token}"}}"#)),
        ..draft(&format!("deploy with {token} <private>and my name</private> now"))
    }];
    let answer = fixture.memories.remember(drafts).await.expect("remembered").remove(0);
    let kinds: Vec<_> = answer.redacted.iter().map(|one| (one.kind, one.count)).collect();
    assert_eq!(kinds, [("github_token", 2), ("private", 1)]);
    let found = fixture.memories.recall(&request("deploy")).await.expect("recalled");
    let content = &found.memories[0].memory.content;
    assert_eq!(content.text, "deploy with [redacted:github_token]  now");
    assert_eq!(content.metadata, r#"{"token":"[redacted:github_token]"}"#);
}

#[tokio::test]
async fn no_field_keeps_a_secret_and_filters_still_find() {
    let fixture = fixture();
    let token = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
    let with_secret = Draft {
        tags: vec![token.clone(), "plain".to_owned()],
        session_id: Some(format!("s {token}")),
        topic_key: Some(token.clone()),
        agent: Some(token.clone()),
        actor: Some(token.clone()),
        source: Some(token.clone()),
        ..draft("deploy on Friday")
    };
    let answer = fixture.memories.remember(vec![with_secret]).await.expect("remembered").remove(0);
    assert_eq!(answer.redacted.iter().map(|one| one.count).sum::<usize>(), 6);
    let filter = MemoryFilter {
        tags: vec![token.clone()],
        session_id: Some(format!("s {token}")),
        agent: Some(token.clone()),
        ..MemoryFilter::default()
    };
    let found = fixture.memories.recall(&RecallRequest { filter, ..request("deploy") }).await.expect("recalled");
    assert_eq!(texts(&found), ["deploy on Friday"]);
    assert!(!format!("{found:?}").contains(&token), "{found:?}");
    let id = found.memories[0].memory.content.id.clone();
    let update = Update { tags: Some(vec![token.clone()]), ..Update::default() };
    let updated = fixture.memories.update(&id, update).await.expect("updated");
    assert_eq!(updated.memory.content.tags, ["[redacted:github_token]"]);
}

#[tokio::test]
async fn the_users_memories_are_ranked_with_the_projects() {
    let fixture = fixture();
    let user = Draft { scope: Scope::User, ..draft("Ann prefers tabs over spaces in Go code") };
    fixture.remember(vec![user, draft("The project is formatted with spaces"), draft("Tests run on Friday")]).await;
    let found = fixture.memories.recall(&request("tabs or spaces in code?")).await.expect("recalled");
    assert_eq!(texts(&found), ["Ann prefers tabs over spaces in Go code", "The project is formatted with spaces"]);
    assert_eq!(found.searched, [Scope::Project, Scope::User]);
    let only = MemoryFilter { scopes: vec![Scope::Project], ..MemoryFilter::default() };
    let found = fixture.memories.recall(&RecallRequest { filter: only, ..request("tabs") }).await.expect("recalled");
    assert_eq!(texts(&found), [""; 0]);
}

#[tokio::test]
async fn an_empty_answer_says_why() {
    let fixture = fixture();
    let note = |found: Recollection| found.notes.join(" ");
    let recall = async |filter, query: &str| {
        note(fixture.memories.recall(&RecallRequest { filter, ..request(query) }).await.expect("recalled"))
    };
    assert_eq!(recall(MemoryFilter::default(), "x").await, "nothing has been remembered yet");
    fixture.note("something").await;
    assert_eq!(
        recall(MemoryFilter::default(), "elephants").await,
        "none of the 1 memories that pass the filters shares a word with the query"
    );
    let tagged = MemoryFilter { tags: vec!["t".to_owned()], ..MemoryFilter::default() };
    assert_eq!(
        recall(tagged, "something").await,
        "the filters excluded everything: none of 1 memories passes them (scopes searched: project, user)"
    );
}

#[tokio::test]
async fn an_empty_query_lists_the_newest_and_pages() {
    let fixture = fixture();
    for text in ["one", "two", "three"] {
        fixture.note(text).await;
    }
    let page = RecallRequest { limit: 2, ..request("") };
    let found = fixture.memories.recall(&page).await.expect("recalled");
    assert_eq!((texts(&found), found.more), (vec!["three".to_owned(), "two".to_owned()], 1));
    let found = fixture.memories.recall(&RecallRequest { offset: 2, ..page }).await.expect("recalled");
    assert_eq!((texts(&found), found.more), (vec!["one".to_owned()], 0));
}

#[tokio::test]
async fn pages_of_a_query_do_not_overlap() {
    let fixture = fixture();
    for number in 0..25 {
        fixture.note(&format!("apple number {number}")).await;
    }
    let mut seen = Vec::new();
    for offset in [0, 10, 20] {
        let page = RecallRequest { offset, ..request("apple") };
        let found = fixture.memories.recall(&page).await.expect("recalled");
        assert_eq!(found.more, 25_usize.saturating_sub(offset + 10));
        seen.extend(texts(&found));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 25);
}

#[tokio::test]
async fn near_duplicates_come_once_but_other_numbers_are_other_facts() {
    let fixture = fixture();
    let fact = "the nightly build of the service takes about 40 minutes on the large runner";
    fixture.note(fact).await;
    fixture.note("The nightly build of the service takes about 40 minutes on the LARGE runner, now").await;
    fixture.note("the nightly build of the service takes about 70 minutes on the large runner").await;
    let found = fixture.recall("nightly build minutes").await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found.iter().filter(|text| text.contains("70")).count(), 1);
}

#[tokio::test]
async fn neighbours_follow_what_they_stand_beside() {
    let fixture = fixture();
    let turns = [("Ann", "hello"), ("Bo", "the launch code is green"), ("Ann", "fine"), ("Bo", "bye")];
    let ids = fixture.session("s", &turns).await;
    let wide = RecallRequest { neighbours: 1, limit: 1, ..request("launch code") };
    let found = fixture.memories.recall(&wide).await.expect("recalled");
    assert_eq!(texts(&found), ["the launch code is green", "hello", "fine"]);
    assert_eq!(found.memories[1].neighbour_of.as_ref(), Some(&ids[1]));
}

#[tokio::test]
async fn a_changed_text_supersedes_the_old_one() {
    let fixture = fixture();
    let old = fixture.note("The port is 80").await;
    let before = fixture.clock.now();
    fixture.clock.advance(SignedDuration::from_hours(1));
    let update = Update { text: Some("The port is 8080".to_owned()), pinned: Some(true), ..Update::default() };
    let updated = fixture.memories.update(&old, update).await.expect("updated");
    assert_eq!(updated.previous.as_ref(), Some(&old));
    assert!(updated.memory.content.pinned);
    assert_eq!(fixture.recall("port").await, ["The port is 8080"]);
    let then = MemoryFilter { as_of: Some(before), ..MemoryFilter::default() };
    let found = fixture.memories.recall(&RecallRequest { filter: then, ..request("port") }).await.expect("recalled");
    assert_eq!(texts(&found), ["The port is 80"]);

    let again = Update { text: Some("The port is 1".to_owned()), ..Update::default() };
    let error = fixture.memories.update(&old, again).await.expect_err("it is not current").to_string();
    assert!(error.contains(updated.memory.content.id.as_str()), "{error}");

    let restored =
        fixture.memories.update(&old, Update { restore: true, ..Update::default() }).await.expect("restored");
    assert_eq!(restored.previous, Some(updated.memory.content.id));
    assert_eq!(fixture.recall("port").await, ["The port is 80"]);
}

#[tokio::test]
async fn a_change_of_fields_keeps_the_id() {
    let fixture = fixture();
    let id = fixture.note("text").await;
    let update = Update {
        tags: Some(vec![" a ".to_owned(), "a".to_owned(), String::new()]),
        metadata: Some(r#"{"k":1}"#.to_owned()),
        importance: Some(0.9),
        ..Update::default()
    };
    let updated = fixture.memories.update(&id, update).await.expect("updated");
    assert_eq!((&updated.memory.content.id, updated.previous), (&id, None));
    assert_eq!(updated.memory.content.tags, ["a"]);
    let bad = Update { importance: Some(2.0), ..Update::default() };
    assert!(matches!(fixture.memories.update(&id, bad).await, Err(MemoryError::Rejected { .. })));
    let unknown = MemoryId::generate(Timestamp::UNIX_EPOCH);
    let error = fixture.memories.update(&unknown, Update::default()).await;
    assert!(matches!(error, Err(MemoryError::Unknown { .. })));
}

#[tokio::test]
async fn forgetting_takes_the_earlier_versions_along() {
    let fixture = fixture();
    let old = fixture.note("The code is 1234").await;
    let before = fixture.clock.now();
    fixture.clock.advance(SignedDuration::from_hours(1));
    let update = Update { text: Some("The code is 9999".to_owned()), ..Update::default() };
    let new = fixture.memories.update(&old, update).await.expect("updated").memory.content.id;
    let kept = fixture.note("Something else").await;
    let unknown = MemoryId::generate(Timestamp::UNIX_EPOCH);

    let forget = ForgetRequest { ids: vec![new.clone(), unknown.clone()], dry_run: true, ..ForgetRequest::default() };
    let told = fixture.memories.forget(&forget).await.expect("told");
    assert_eq!(told.forgotten.iter().map(|gone| &gone.id).collect::<Vec<_>>(), [&old, &new]);
    assert_eq!(told.unknown, [unknown]);
    assert_eq!(fixture.recall("code").await, ["The code is 9999"]);

    fixture.memories.forget(&ForgetRequest { dry_run: false, ..forget.clone() }).await.expect("forgotten");
    assert_eq!(fixture.recall("code").await, [""; 0]);
    let then = MemoryFilter { as_of: Some(before), ..MemoryFilter::default() };
    let found = fixture.memories.recall(&RecallRequest { filter: then, ..request("code") }).await.expect("recalled");
    assert_eq!(texts(&found), [""; 0]);

    let restore = Update { restore: true, ..Update::default() };
    fixture.memories.update(&new, restore.clone()).await.expect("restored");
    assert_eq!(fixture.recall("code").await, ["The code is 9999"]);
    fixture.memories.forget(&ForgetRequest { dry_run: false, purge: true, ..forget }).await.expect("purged");
    assert!(fixture.memories.update(&new, restore).await.is_err(), "a purge cannot be taken back");
    assert_eq!(fixture.recall("else").await, ["Something else"]);
    assert_eq!(fixture.memories.get(&[kept]).await.expect("read").len(), 1);
}

#[tokio::test]
async fn forgetting_an_earlier_version_tells_which_one_stays() {
    let fixture = fixture();
    let mut ids = vec![fixture.note("The code is 1").await];
    for text in ["The code is 2", "The code is 3"] {
        fixture.clock.advance(SignedDuration::from_hours(1));
        let update = Update { text: Some(text.to_owned()), ..Update::default() };
        let last = ids.last().expect("there is one");
        ids.push(fixture.memories.update(last, update).await.expect("updated").memory.content.id);
    }
    let forget = ForgetRequest { ids: vec![ids[1].clone()], ..ForgetRequest::default() };
    let done = fixture.memories.forget(&forget).await.expect("forgotten");
    let told: Vec<_> = done.forgotten.iter().map(|gone| (&gone.id, gone.superseded_by.as_ref())).collect();
    assert_eq!(told, [(&ids[0], None), (&ids[1], Some(&ids[2]))]);
    assert_eq!(fixture.recall("code").await, ["The code is 3"]);
    let again = fixture.memories.forget(&forget).await.expect("answered");
    assert_eq!((again.forgotten.len(), again.already), (0, vec![ids[1].clone()]));

    let purge = ForgetRequest { purge: true, ..forget };
    let done = fixture.memories.forget(&purge).await.expect("purged");
    assert_eq!(done.forgotten.iter().map(|gone| &gone.id).collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    assert!(done.forgotten.iter().all(|gone| gone.purged && gone.superseded_by.is_none()), "{done:?}");
    assert_eq!(fixture.recall("code").await, [""; 0]);
}

#[tokio::test]
async fn one_memory_alone_has_a_score() {
    let fixture = fixture();
    fixture.note("The staging port is 8443").await;
    let found = fixture.memories.recall(&request("staging port")).await.expect("recalled");
    assert!(found.memories[0].score > 0.1, "{found:?}");
    fixture.note("Lunch is at noon").await;
    fixture.note("A port is a place for ships, says the dictionary of the sea").await;
    let found = fixture.memories.recall(&request("staging port")).await.expect("recalled");
    assert!(found.memories.iter().all(|one| one.score > 0.0), "{found:?}");
}

#[tokio::test]
async fn forgetting_needs_something_that_restricts() {
    let fixture = fixture();
    let tagged = |text: &str, tag: &str| Draft { tags: vec![tag.to_owned()], ..draft(text) };
    fixture.remember(vec![tagged("one", "a"), tagged("two", "b")]).await;
    let all = ForgetRequest { filter: Some(MemoryFilter::default()), ..ForgetRequest::default() };
    assert!(matches!(fixture.memories.forget(&all).await, Err(MemoryError::EmptyFilter)));
    let some = MemoryFilter { tags: vec!["a".to_owned()], ..MemoryFilter::default() };
    let some = ForgetRequest { filter: Some(some), ..ForgetRequest::default() };
    assert_eq!(fixture.memories.forget(&some).await.expect("forgotten").forgotten.len(), 1);
    assert_eq!(fixture.recall("").await, ["two"]);
}

#[tokio::test]
async fn a_recollection_is_cut_to_what_fits() {
    let fixture = fixture();
    fixture.note(&format!("apple {}", "very long ".repeat(200))).await;
    for number in 0..10 {
        fixture.note(&format!("the apple of tree number {number} is red")).await;
    }
    let measure = Measure::default();
    let whole = |found: &Recollection| texts(found).join("\n");
    for limit in [0, 5, 30, 60, 10_000] {
        let mut found =
            fixture.memories.recall(&RecallRequest { limit: 20, ..request("apple") }).await.expect("recalled");
        let total = found.memories.len() + found.more;
        found.keep_within(limit, &|one| measure.count(&one.memory.content.text), &|found| {
            measure.fits(&whole(found), limit)
        });
        assert!(measure.count(&whole(&found)) <= limit);
        assert_eq!(found.memories.len() + found.more, total);
        if limit == 60 {
            assert!(found.memories.len() > 2, "a long one does not keep shorter ones out");
        }
    }
}

#[tokio::test]
async fn past_runs_are_examples_for_their_agent_only() {
    let fixture = fixture();
    let name = |text: &str| text.parse::<context_engine::base::Name>().expect("a name");
    for (agent, task) in [("builder", "compile the parser"), ("tester", "test the parser"), ("builder", "paint")] {
        let episode = Episode {
            agent: name(agent),
            run: context_engine::base::RunId::generate(fixture.clock.now()),
            task: task.to_owned(),
            status: "succeeded".to_owned(),
            outcome: "it took three attempts".to_owned(),
            at: fixture.clock.now(),
        };
        fixture.memories.keep_episode(episode).await.expect("kept");
    }
    let budget = |tokens| Budget { tokens, measure: Measure::default() };
    let found = fixture.memories.examples(&name("builder"), "compile a parser", budget(500)).await.expect("recalled");
    assert_eq!(found[0].memory.content.text, "Task: compile the parser\nOutcome (succeeded): it took three attempts");
    assert!(found.iter().all(|one| one.memory.content.agent.as_deref() == Some("builder")));
    assert_eq!(found[0].memory.content.kind, MemoryKind::Episode);
    let none = fixture.memories.examples(&name("builder"), "compile a parser", budget(3)).await.expect("recalled");
    assert!(none.is_empty());
}
