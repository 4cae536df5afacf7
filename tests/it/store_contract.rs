//! What every store promises, checked over each adapter.

use std::sync::Arc;

use context_engine::base::{Handle, MemoryId, Name, RunId, Timestamp};
use context_engine::store::{
    AddedStatus, Change, Created, Event, InMemoryStore, Index, Matches, Meaning, MemoryFilter, MemoryKind, NewMemory,
    NewOriginal, OriginalLimits, Posting, Purge, Removal, Removed, Run, RunFilter, RunState, SavingRow, Scope,
    SqliteStore, Step, Store,
};

/// Runs `$check` over a fresh store of every kind.
macro_rules! contract {
    ($($check:ident),+ $(,)?) => {
        mod in_memory {
            use super::*;
            $(#[tokio::test]
            async fn $check() {
                super::$check(Arc::new(InMemoryStore::default())).await;
            })+
        }
        mod sqlite {
            use super::*;
            $(#[tokio::test]
            async fn $check() {
                let folder = tempfile::tempdir().expect("a folder");
                super::$check(Arc::new(SqliteStore::new(folder.path().join("data/memory.db")))).await;
            })+
        }
    };
}

contract!(
    what_was_added_is_read_back_whole,
    the_same_digest_is_added_once,
    a_topic_has_one_current_memory,
    superseding_keeps_place_and_history,
    terms_are_counted_exactly_under_the_filter,
    filters_restrict_what_they_name,
    narrow_scopes_are_found_by_name_only,
    changes_leave_the_rest_alone,
    forgetting_can_be_taken_back_and_purging_cannot,
    merging_is_taken_back_by_its_moment,
    rewriting_leaves_only_the_new_words,
    vectors_can_be_given_later,
    all_that_is_stored_is_read_in_pages,
    uses_are_noted_once_each,
    lists_are_newest_first_and_paged,
    sessions_are_read_by_place,
    equal_originals_share_a_handle,
    what_is_known_of_originals_is_listed_by_use,
    a_purged_original_says_so_and_can_be_kept_again,
    an_original_that_nobody_uses_expires,
    savings_are_added_up,
    runs_and_steps_are_read_back_whole,
    an_idempotency_key_means_one_run,
    a_stale_save_takes_back_neither_lease_nor_cancel,
    abandoned_runs_are_interrupted,
    events_are_numbered_in_order,
    the_status_counts,
);

type AnyStore = Arc<dyn Store>;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

pub fn memory(text: &str) -> NewMemory {
    NewMemory {
        id: MemoryId::generate(at(0)),
        text: text.to_owned(),
        terms: text.split_whitespace().map(str::to_lowercase).collect(),
        length: text.split_whitespace().count() as u32,
        asks: false,
        meaning: None,
        digest: text.to_owned(),
        kind: MemoryKind::Note,
        scope: Scope::Project,
        agent: None,
        tags: Vec::new(),
        session_id: None,
        actor: None,
        occurred_at: at(0),
        created_at: at(0),
        importance: 0.5,
        pinned: false,
        expires_at: None,
        source: None,
        metadata: "{}".to_owned(),
        topic_key: None,
        supersedes: None,
    }
}

/// Adds memories and returns their ids.
async fn add(store: &AnyStore, memories: Vec<NewMemory>) -> Vec<MemoryId> {
    store.add_memories(memories).await.expect("added").into_iter().map(|added| added.id).collect()
}

async fn texts(store: &AnyStore, filter: MemoryFilter) -> Vec<String> {
    let memories = store.list_memories(&filter, 100, 0).await.expect("listed");
    memories.into_iter().map(|memory| memory.content.text).collect()
}

/// The postings of the first term as ids and frequencies.
fn holders(matches: &Matches, term: usize) -> Vec<(MemoryId, u32)> {
    held(&matches.index, &matches.postings[term])
}

fn held(index: &Index, postings: &[Posting]) -> Vec<(MemoryId, u32)> {
    postings.iter().map(|posting| (index.entry(posting.number).id(), posting.frequency)).collect()
}

async fn holders_of(store: &AnyStore, term: &str, filter: MemoryFilter) -> Vec<(MemoryId, u32)> {
    holders(&store.match_terms(&[term.to_owned()], &filter).await.expect("matched"), 0)
}

async fn what_was_added_is_read_back_whole(store: AnyStore) {
    let full = NewMemory {
        kind: MemoryKind::Decision,
        scope: Scope::Agent,
        agent: Some("builder".to_owned()),
        tags: vec!["b".to_owned(), "a, \"quoted\"".to_owned()],
        session_id: Some("s-1".to_owned()),
        actor: Some("Ann Ünal".to_owned()),
        importance: 0.75,
        pinned: true,
        expires_at: Some(at(900)),
        source: Some("README.md".to_owned()),
        metadata: r#"{"z":1,"a":[null]}"#.to_owned(),
        topic_key: Some("topic".to_owned()),
        ..memory("héllo 日本 a-b_c.d 'quoted' \u{1F980} (x)")
    };
    let ids = add(&store, vec![full.clone(), memory("plain")]).await;
    let found = store.memories(&[ids[1].clone(), MemoryId::generate(at(1)), ids[0].clone()]).await.expect("read");
    assert_eq!(found.iter().map(|memory| &memory.content.text[..5]).collect::<Vec<_>>(), ["plain", "héll"]);
    assert_eq!(found[1].content, full);
    assert_eq!((found[1].order, found[1].superseded_at, found[1].forgotten_at), (0, None, None));
}

async fn the_same_digest_is_added_once(store: AnyStore) {
    let brief = NewMemory { expires_at: Some(at(10)), ..memory("brief") };
    let added = store.add_memories(vec![memory("one"), memory("two"), memory("one"), brief]).await.expect("added");
    assert_eq!(added[2].status, AddedStatus::Duplicate);
    assert_eq!(added[2].id, added[0].id);
    let again = store.add_memories(vec![memory("two")]).await.expect("added");
    assert_eq!((&again[0].id, &again[0].status), (&added[1].id, &AddedStatus::Duplicate));
    let later = NewMemory { created_at: at(10), ..memory("brief") };
    let renewed = store.add_memories(vec![later]).await.expect("added");
    assert_eq!(renewed[0].status, AddedStatus::Stored, "an expired memory is no duplicate");
}

async fn a_topic_has_one_current_memory(store: AnyStore) {
    let about =
        |text: &str, second| NewMemory { topic_key: Some("port".to_owned()), created_at: at(second), ..memory(text) };
    let added = store.add_memories(vec![about("port 80", 0), about("port 90", 5)]).await.expect("added");
    assert_eq!(added[1].status, AddedStatus::Superseded(added[0].id.clone()));
    assert_eq!(texts(&store, MemoryFilter::default()).await, ["port 90"]);
    let before = MemoryFilter { as_of: Some(at(4)), ..MemoryFilter::default() };
    assert_eq!(texts(&store, before).await, ["port 80"]);
    let old = &store.memories(&[added[0].id.clone()]).await.expect("read")[0];
    assert_eq!((&old.superseded_by, old.superseded_at), (&Some(added[1].id.clone()), Some(at(5))));

    let stray = NewMemory { supersedes: Some(added[0].id.clone()), ..memory("late") };
    let refused = store.add_memories(vec![stray]).await.expect("answered");
    assert_eq!(refused[0].status, AddedStatus::UnknownSuperseded(added[0].id.clone()));
    assert_eq!(texts(&store, MemoryFilter::default()).await, ["port 90"]);

    let elsewhere = NewMemory { scope: Scope::User, ..about("port 100", 6) };
    assert_eq!(store.add_memories(vec![elsewhere]).await.expect("added")[0].status, AddedStatus::Stored);
}

async fn superseding_keeps_place_and_history(store: AnyStore) {
    let said = |text: &str| NewMemory { session_id: Some("s".to_owned()), ..memory(text) };
    let ids = add(&store, vec![said("first"), said("secnd"), said("third")]).await;
    let new = NewMemory { created_at: at(3), ..said("second") };
    let replaced = store.supersede(&ids[1], new).await.expect("superseded").expect("it was current");
    assert_eq!((replaced.order, &replaced.content.supersedes), (1, &Some(ids[1].clone())));
    assert_eq!(store.supersede(&ids[1], said("again")).await.expect("answered"), None);
    let session = store.session("s", 0, 9).await.expect("read");
    let current: Vec<_> = session.iter().filter(|memory| memory.superseded_at.is_none()).collect();
    assert_eq!(current.iter().map(|m| m.content.text.as_str()).collect::<Vec<_>>(), ["first", "second", "third"]);
}

async fn terms_are_counted_exactly_under_the_filter(store: AnyStore) {
    let by = |text: &str, actor: &str| NewMemory { actor: Some(actor.to_owned()), ..memory(text) };
    let ids = add(
        &store,
        vec![by("go x go a-b go", "Ann"), by("x 東京 東京", "Bo"), by("nothing here", "Ann"), by("go", "Bo")],
    )
    .await;
    let terms: Vec<String> = ["go", "x", "東京", "a-b", "absent"].map(str::to_owned).to_vec();
    let all = store.match_terms(&terms, &MemoryFilter::default()).await.expect("matched");
    assert_eq!(all.passing.len(), 4);
    assert_eq!(all.passing.iter().map(|number| all.index.entry(*number).length).sum::<u32>(), 11);
    assert_eq!(holders(&all, 0), [(ids[0].clone(), 3), (ids[3].clone(), 1)]);
    assert_eq!(holders(&all, 1), [(ids[0].clone(), 1), (ids[1].clone(), 1)]);
    assert_eq!(holders(&all, 2), [(ids[1].clone(), 2)]);
    assert_eq!(holders(&all, 3), [(ids[0].clone(), 1)]);
    assert_eq!(holders(&all, 4), []);
    let only_bo = MemoryFilter { actor: Some("BO".to_owned()), ..MemoryFilter::default() };
    let some = store.match_terms(&terms, &only_bo).await.expect("matched");
    assert_eq!(some.passing.len(), 2);
    assert_eq!(holders(&some, 0), [(ids[3].clone(), 1)]);
    // "go" stands at four places, "x" at two.
    let rare = store.match_rare_terms(&terms, 3, &MemoryFilter::default()).await.expect("matched");
    assert_eq!((rare.postings[0].len(), rare.postings[1].len()), (0, 2));
    let all = store.match_rare_terms(&terms, 4, &MemoryFilter::default()).await.expect("matched");
    assert_eq!(all.postings[0].len(), 2);
    let of_bo = store.match_rare_terms(&terms, 4, &only_bo).await.expect("matched");
    assert_eq!(held(&of_bo.index, &of_bo.postings[0]), [(ids[3].clone(), 1)]);
}

async fn filters_restrict_what_they_name(store: AnyStore) {
    let one = NewMemory {
        kind: MemoryKind::Fact,
        tags: vec!["a".to_owned(), "b".to_owned()],
        actor: Some("Ann".to_owned()),
        occurred_at: at(10),
        ..memory("one")
    };
    let two = NewMemory { tags: vec!["b".to_owned()], occurred_at: at(20), expires_at: Some(at(50)), ..memory("two") };
    let three = NewMemory { scope: Scope::User, agent: Some("x".to_owned()), occurred_at: at(30), ..memory("three") };
    add(&store, vec![one, two, three]).await;
    let any = MemoryFilter::default;
    for (filter, expected) in [
        (any(), vec!["three", "two", "one"]),
        (MemoryFilter { kinds: vec![MemoryKind::Fact], ..any() }, vec!["one"]),
        (MemoryFilter { scopes: vec![Scope::User, Scope::Agent], ..any() }, vec!["three"]),
        (MemoryFilter { tags: vec!["b".to_owned()], ..any() }, vec!["two", "one"]),
        (MemoryFilter { tags: vec!["b".to_owned(), "a".to_owned()], ..any() }, vec!["one"]),
        (MemoryFilter { tags: vec!["c".to_owned()], ..any() }, vec![]),
        (MemoryFilter { actor: Some("aNN".to_owned()), ..any() }, vec!["one"]),
        (MemoryFilter { actor: Some("nobody".to_owned()), ..any() }, vec![]),
        (MemoryFilter { agent: Some("x".to_owned()), ..any() }, vec!["three"]),
        (MemoryFilter { since: Some(at(20)), ..any() }, vec!["three", "two"]),
        (MemoryFilter { until: Some(at(20)), ..any() }, vec!["one"]),
        (MemoryFilter { now: Some(at(50)), ..any() }, vec!["three", "one"]),
        (MemoryFilter { as_of: Some(at(50)), ..any() }, vec!["three", "one"]),
        (MemoryFilter { as_of: Some(at(-1)), ..any() }, vec![]),
    ] {
        assert_eq!(texts(&store, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn narrow_scopes_are_found_by_name_only(store: AnyStore) {
    let of_session = NewMemory { scope: Scope::Session, session_id: Some("s".to_owned()), ..memory("in session") };
    let of_agent = NewMemory { scope: Scope::Agent, agent: Some("x".to_owned()), ..memory("of agent") };
    add(&store, vec![of_session, of_agent]).await;
    let any = MemoryFilter::default;
    assert_eq!(texts(&store, any()).await, [""; 0]);
    assert_eq!(texts(&store, MemoryFilter { scopes: vec![Scope::Session, Scope::Agent], ..any() }).await, [""; 0]);
    assert_eq!(texts(&store, MemoryFilter { session_id: Some("s".to_owned()), ..any() }).await, ["in session"]);
    assert_eq!(texts(&store, MemoryFilter { session_id: Some("t".to_owned()), ..any() }).await, [""; 0]);
    assert_eq!(texts(&store, MemoryFilter { agent: Some("x".to_owned()), ..any() }).await, ["of agent"]);
}

async fn changes_leave_the_rest_alone(store: AnyStore) {
    let first = NewMemory { tags: vec!["old".to_owned()], expires_at: Some(at(50)), ..memory("text") };
    let ids = add(&store, vec![first.clone()]).await;
    let change = Change { tags: Some(vec!["new".to_owned()]), pinned: Some(true), ..Change::default() };
    let changed = store.change_memory(&ids[0], change).await.expect("changed").expect("there");
    assert_eq!(changed.content, NewMemory { tags: vec!["new".to_owned()], pinned: true, ..first.clone() });
    let change = Change {
        metadata: Some(r#"{"a":1}"#.to_owned()),
        importance: Some(1.0),
        expires_at: Some(None),
        ..Change::default()
    };
    let changed = store.change_memory(&ids[0], change).await.expect("changed").expect("there");
    assert_eq!((changed.content.metadata.as_str(), changed.content.importance), (r#"{"a":1}"#, 1.0));
    assert_eq!((changed.content.expires_at, changed.content.pinned), (None, true));
    let tagged = MemoryFilter { tags: vec!["new".to_owned()], ..MemoryFilter::default() };
    assert_eq!(texts(&store, tagged).await, ["text"]);
    assert_eq!(store.change_memory(&MemoryId::generate(at(9)), Change::default()).await.expect("answered"), None);
}

async fn forgetting_can_be_taken_back_and_purging_cannot(store: AnyStore) {
    let ids = add(&store, vec![memory("apple pie"), memory("apple tart")]).await;
    let unknown = MemoryId::generate(at(9));
    let forgotten = store.forget(&[ids[0].clone(), unknown], false, at(7)).await.expect("forgotten");
    assert_eq!(forgotten.iter().map(|one| (&one.id, one.purged)).collect::<Vec<_>>(), [(&ids[0], false)]);
    assert!(store.forget(&ids[..1], false, at(8)).await.expect("answered").is_empty(), "it is forgotten already");
    let any = MemoryFilter::default;
    assert_eq!(texts(&store, any()).await, ["apple tart"]);
    assert_eq!(holders_of(&store, "apple", any()).await, [(ids[1].clone(), 1)]);
    let tombstone = &store.memories(&ids[..1]).await.expect("read")[0];
    assert_eq!((tombstone.content.text.as_str(), tombstone.forgotten_at), ("", Some(at(7))));

    let restore = || Change { restore: true, ..Change::default() };
    let restored = store.change_memory(&ids[0], restore()).await.expect("changed").expect("there");
    assert_eq!((restored.content.text.as_str(), restored.forgotten_at), ("apple pie", None));
    assert_eq!(holders_of(&store, "apple", any()).await.len(), 2);

    let purged = store.forget(&ids[..1], true, at(9)).await.expect("purged");
    assert_eq!(purged.iter().map(|one| one.purged).collect::<Vec<_>>(), [true]);
    assert_eq!(store.change_memory(&ids[0], restore()).await.expect("answered"), None);
    assert_eq!(holders_of(&store, "pie", any()).await, []);
    store.forget(&ids[1..], false, at(9)).await.expect("forgotten");
    assert_eq!(store.forget(&ids[1..], true, at(9)).await.expect("purged").len(), 1, "a tombstone can be purged");
    assert!(store.forget(&ids[1..], false, at(9)).await.expect("answered").is_empty(), "it is purged already");
    let again = store.forget(&ids[1..], true, at(9)).await.expect("purged");
    assert_eq!(again.iter().map(|one| one.purged).collect::<Vec<_>>(), [true], "a purge can be repeated");
    let added = store.add_memories(vec![memory("apple pie")]).await.expect("added");
    assert_eq!(added[0].status, AddedStatus::Stored, "what was forgotten is no duplicate");
}

async fn merging_is_taken_back_by_its_moment(store: AnyStore) {
    let ids = add(&store, vec![memory("a worse version"), memory("the better version"), memory("apart")]).await;
    let pair = |old: usize, into: usize| (ids[old].clone(), ids[into].clone());
    // Into itself, or into what is no longer current, nothing goes.
    let pairs = vec![pair(0, 1), pair(1, 0), pair(2, 2)];
    assert_eq!(store.merge_memories(pairs, at(9)).await.expect("merged"), [ids[0].clone()]);
    assert_eq!(texts(&store, MemoryFilter::default()).await.len(), 2);
    let history = MemoryFilter { as_of: Some(at(5)), ..MemoryFilter::default() };
    assert_eq!(texts(&store, history).await.len(), 3, "history has it");
    let old = store.memories(&ids[..1]).await.expect("read").remove(0);
    assert_eq!((old.superseded_by.as_ref(), old.superseded_at), (Some(&ids[1]), Some(at(9))));
    assert_eq!(store.replaced_by(&ids[1..]).await.expect("read"), [old]);
    assert_eq!(store.replaced_by(&ids[..1]).await.expect("read"), []);
    assert!(store.unmerge_memories(ids.clone(), at(8)).await.expect("parted").is_empty());
    assert_eq!(store.unmerge_memories(ids.clone(), at(9)).await.expect("parted"), [ids[0].clone()]);
    assert_eq!(texts(&store, MemoryFilter::default()).await.len(), 3);
}

async fn rewriting_leaves_only_the_new_words(store: AnyStore) {
    let ids = add(&store, vec![memory("the hidden word"), memory("another hidden word")]).await;
    store.forget(&ids[1..], false, at(1)).await.expect("forgotten");
    let rewritten = |id: &MemoryId| NewMemory { id: id.clone(), ..memory("the shown word") };
    assert!(store.rewrite_memories(ids.iter().map(rewritten).collect()).await.expect("rewritten"));
    assert!(holders_of(&store, "hidden", MemoryFilter::default()).await.is_empty());
    assert_eq!(holders_of(&store, "shown", MemoryFilter::default()).await, [(ids[0].clone(), 1)]);
    store.change_memory(&ids[1], Change { restore: true, ..Change::default() }).await.expect("restored");
    assert_eq!(texts(&store, MemoryFilter::default()).await, ["the shown word", "the shown word"]);
    assert_eq!(holders_of(&store, "shown", MemoryFilter::default()).await.len(), 2);
    assert!(store.examine(false).await.expect("examined").is_empty());
}

async fn vectors_can_be_given_later(store: AnyStore) {
    let ids = add(&store, vec![memory("one"), memory("two")]).await;
    let cosine = async |id: &MemoryId| {
        let matches = store.match_terms(&[], &MemoryFilter::default()).await.expect("matched");
        let number = matches.passing.iter().copied().find(|number| matches.index.entry(*number).id() == *id);
        let mut query = vec![0.0; 256];
        query[0] = 1.0;
        matches.index.meanings().cosine(number.expect("it passes"), &query)
    };
    assert_eq!(cosine(&ids[0]).await, 0.0);
    let lacking = store.without_meaning(9).await.expect("asked");
    assert_eq!(lacking, [(ids[0].clone(), "one".to_owned()), (ids[1].clone(), "two".to_owned())]);
    assert_eq!(store.without_meaning(1).await.expect("asked").len(), 1);
    let mut vector = vec![0; 256];
    vector[0] = 127;
    let meaning = Meaning { model: context_engine::embed::MODEL.to_owned(), vector };
    store.put_meanings(vec![(ids[0].clone(), meaning)]).await.expect("put");
    assert_eq!(store.without_meaning(9).await.expect("asked").len(), 1);
    assert!((cosine(&ids[0]).await - 1.0).abs() < 1e-6, "whoever follows the store sees it");
}

async fn all_that_is_stored_is_read_in_pages(store: AnyStore) {
    let mut ids = add(&store, (0..5).map(|number| memory(&format!("text {number}"))).collect()).await;
    ids.sort();
    store.forget(&ids[..1], false, at(1)).await.expect("forgotten");
    store.forget(&ids[4..], true, at(1)).await.expect("purged");
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.stored_memories(after.as_ref(), 2).await.expect("read");
        let Some(last) = page.last() else { break };
        after = Some(last.content.id.clone());
        found.extend(page);
    }
    let read: Vec<&MemoryId> = found.iter().map(|memory| &memory.content.id).collect();
    assert_eq!(read, ids[..4].iter().collect::<Vec<_>>());
    assert!(found[0].forgotten_at.is_some() && found[0].content.text.starts_with("text"), "its text is still there");
    let end = store.ids_ending(ids[2].short()).await.expect("asked");
    assert_eq!(end, [ids[2].clone()]);
    assert!(store.ids_ending("_%").await.expect("asked").is_empty());
}

async fn uses_are_noted_once_each(store: AnyStore) {
    let ids = add(&store, vec![memory("one"), memory("two")]).await;
    let unknown = MemoryId::generate(at(3));
    let uses = vec![(ids[0].clone(), at(9)), (ids[1].clone(), at(5)), (unknown, at(9))];
    store.note_uses(uses).await.expect("noted");
    store.note_uses(vec![(ids[0].clone(), at(4))]).await.expect("noted");
    assert_eq!(store.used_since(at(9)).await.expect("asked"), [ids[0].clone()]);
    assert_eq!(store.used_since(at(5)).await.expect("asked").len(), 2);
    assert!(store.used_since(at(10)).await.expect("asked").is_empty());
}

async fn lists_are_newest_first_and_paged(store: AnyStore) {
    let timed = |second: i64| NewMemory { occurred_at: at(second), ..memory(&second.to_string()) };
    add(&store, [3, 1, 4, 2].map(timed).to_vec()).await;
    assert_eq!(texts(&store, MemoryFilter::default()).await, ["4", "3", "2", "1"]);
    let page = store.list_memories(&MemoryFilter::default(), 2, 1).await.expect("listed");
    assert_eq!(page.iter().map(|memory| memory.content.text.as_str()).collect::<Vec<_>>(), ["3", "2"]);
}

async fn sessions_are_read_by_place(store: AnyStore) {
    let said = |text: &str, session: &str| NewMemory { session_id: Some(session.to_owned()), ..memory(text) };
    add(&store, vec![said("a", "s"), said("b", "t"), said("c", "s")]).await;
    add(&store, vec![said("d", "s"), said("e", "s")]).await;
    let part = store.session("s", 1, 2).await.expect("read");
    assert_eq!(part.iter().map(|m| (m.order, m.content.text.as_str())).collect::<Vec<_>>(), [(1, "c"), (2, "d")]);
}

fn original(content: &[u8], second: i64) -> NewOriginal {
    NewOriginal { content: content.to_vec(), created_at: at(second), ..NewOriginal::default() }
}

async fn what_is_known_of_originals_is_listed_by_use(store: AnyStore) {
    let first = NewOriginal {
        kind: Some("log".to_owned()),
        tokens: Some(7),
        encoding: Some("o200k_base".to_owned()),
        first_line: Some("one".to_owned()),
        source: Some("a file".to_owned()),
        ..original(b"one\ntwo", 0)
    };
    let one = store.put_original(first).await.expect("kept");
    let two = store.put_original(original(b"two", 10)).await.expect("kept");
    let listed = store.originals(9).await.expect("listed");
    assert_eq!(listed.iter().map(|info| &info.handle).collect::<Vec<_>>(), [&two, &one]);
    let info = &listed[1];
    assert_eq!((info.bytes, info.kind.as_deref(), info.tokens), (7, Some("log"), Some(7)));
    assert_eq!((info.encoding.as_deref(), info.first_line.as_deref()), (Some("o200k_base"), Some("one")));
    assert_eq!(
        (info.source.as_deref(), info.created_at, info.used_at, info.removed),
        (Some("a file"), at(0), at(0), None)
    );
    assert_eq!(store.original_info(&one).await.expect("read").as_ref(), Some(info));

    assert!(store.touch_original(&one, at(60)).await.expect("noted"));
    assert_eq!(store.original_info(&one).await.expect("read").expect("known").used_at, at(0), "not for a minute");
    assert!(store.touch_original(&one, at(4000)).await.expect("noted"));
    let again = NewOriginal { tokens: Some(2), ..original(b"two", 500) };
    store.put_original(again).await.expect("kept");
    let listed = store.originals(9).await.expect("listed");
    let used: Vec<_> = listed.iter().map(|info| (&info.handle, info.used_at, info.tokens)).collect();
    assert_eq!(used, [(&one, at(4000), Some(7)), (&two, at(500), Some(2))]);
    assert_eq!(store.originals(1).await.expect("listed").len(), 1);
    let status = store.status().await.expect("answers");
    assert_eq!((status.originals, status.originals_bytes), (2, 10));
    let unknown = "ctx:00000000".parse::<Handle>().expect("a handle");
    assert_eq!(store.original_info(&unknown).await.expect("read"), None);
    assert!(!store.touch_original(&unknown, at(9)).await.expect("read"));
}

async fn a_purged_original_says_so_and_can_be_kept_again(store: AnyStore) {
    let mut handles = Vec::new();
    for (second, content) in [b"first", b"other", b"third"].into_iter().enumerate() {
        handles.push(store.put_original(original(content, second as i64)).await.expect("kept"));
    }
    let these = Purge::These(vec![handles[1].clone(), "ctx:00000000".parse().expect("a handle")]);
    let purged = store.purge_originals(these.clone(), at(50)).await.expect("purged");
    assert_eq!(purged.originals.iter().map(|info| (&info.handle, info.bytes)).collect::<Vec<_>>(), [(&handles[1], 5)]);
    assert!(purged.traceless);
    assert_eq!(store.purge_originals(these, at(51)).await.expect("purged").originals, [], "it is gone already");
    assert_eq!(store.original(&handles[1]).await.expect("read"), None);
    assert!(!store.touch_original(&handles[1], at(60)).await.expect("read"));
    let info = store.original_info(&handles[1]).await.expect("read").expect("its end is known");
    assert_eq!(info.removed, Some(Removed { at: at(50), why: Removal::Purged }));
    assert_eq!((info.first_line, info.source), (None, None));

    assert_eq!(store.put_original(original(b"other", 70)).await.expect("kept"), handles[1]);
    let info = store.original_info(&handles[1]).await.expect("read").expect("known");
    assert_eq!((info.removed, info.created_at), (None, at(70)));
    assert_eq!(store.original(&handles[1]).await.expect("read").expect("there").content, b"other");

    let old = store.purge_originals(Purge::UnusedSince(at(2)), at(80)).await.expect("purged");
    assert_eq!(old.originals.iter().map(|info| &info.handle).collect::<Vec<_>>(), [&handles[0]]);
    assert_eq!(store.purge_originals(Purge::All, at(90)).await.expect("purged").originals.len(), 2);
    assert_eq!(store.originals(9).await.expect("listed"), []);
}

async fn an_original_that_nobody_uses_expires(store: AnyStore) {
    const DAY: i64 = 86_400;
    let idle = store.put_original(original(b"idle", 0)).await.expect("kept");
    let used = store.put_original(original(b"used", 0)).await.expect("kept");
    store.touch_original(&used, at(20 * DAY)).await.expect("noted");
    store.put_original(original(b"within", 29 * DAY)).await.expect("kept");
    assert!(store.original(&idle).await.expect("read").is_some());
    store.put_original(original(b"beyond", 31 * DAY)).await.expect("kept");
    let removed = store.original_info(&idle).await.expect("read").expect("its end is known").removed;
    assert_eq!(removed, Some(Removed { at: at(31 * DAY), why: Removal::Expired }));
    assert!(store.original(&used).await.expect("read").is_some());
    // A year later nobody knows that it was ever there.
    store.put_original(original(b"much later", 400 * DAY)).await.expect("kept");
    assert_eq!(store.original_info(&idle).await.expect("read"), None);
    assert_eq!(store.status().await.expect("answers").originals, 1);
}

async fn savings_are_added_up(store: AnyStore) {
    let day = |number| jiff::civil::date(2026, 3, number);
    let row = |number, kind: &str, percent, calls| SavingRow {
        day: day(number),
        tool: "run".to_owned(),
        kind: kind.to_owned(),
        percent,
        calls,
        before: 1000 * calls,
        after: 10 * calls,
        marks: calls,
    };
    assert_eq!(store.savings(day(1)).await.expect("read"), []);
    store.add_savings(vec![row(2, "log", 99, 1), row(1, "test", -5, 1), row(2, "log", 98, 4)]).await.expect("added");
    store.add_savings(vec![row(2, "log", 99, 2)]).await.expect("added");
    let all = [row(1, "test", -5, 1), row(2, "log", 98, 4), row(2, "log", 99, 3)];
    assert_eq!(store.savings(day(1)).await.expect("read"), all);
    assert_eq!(store.savings(day(2)).await.expect("read"), all[1..]);
}

#[tokio::test]
async fn originals_make_room_for_newer_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = OriginalLimits { bytes_max: 1000, unused_days_max: 30 };
    let stores: [AnyStore; 2] = [
        Arc::new(InMemoryStore::within(limits)),
        Arc::new(SqliteStore::new(folder.path().join("memory.db")).within(limits)),
    ];
    for store in stores {
        let mut handles = Vec::new();
        for second in 0..4 {
            let content = vec![b'a' + second; 300];
            handles.push(store.put_original(original(&content, i64::from(second))).await.expect("kept"));
        }
        let kept: Vec<_> = store.originals(9).await.expect("listed").into_iter().map(|info| info.handle).collect();
        assert_eq!(kept, [&handles[3], &handles[2], &handles[1]].map(Clone::clone));
        let removed = store.original_info(&handles[0]).await.expect("read").expect("known").removed;
        assert_eq!(removed, Some(Removed { at: at(3), why: Removal::Crowded }));
        // The oldest of those left was used again, so the next one goes.
        store.put_original(original(&[b'b'; 300], 10)).await.expect("kept");
        store.put_original(original(&[b'e'; 300], 11)).await.expect("kept");
        assert!(store.original(&handles[1]).await.expect("read").is_some());
        assert!(store.original(&handles[2]).await.expect("read").is_none());
        // One that is larger than everything takes all the room, and stays.
        let large = store.put_original(original(&[b'x'; 5000], 20)).await.expect("kept");
        assert_eq!(store.original(&large).await.expect("read").expect("there").content.len(), 5000);
        assert_eq!(store.status().await.expect("answers").originals, 1);
    }
}

async fn equal_originals_share_a_handle(store: AnyStore) {
    let original = |content: &[u8]| original(content, 0);
    let one = store.put_original(original(b"one \xff\0 bytes")).await.expect("kept");
    let two = store.put_original(original(b"two")).await.expect("kept");
    assert_ne!(one, two);
    assert_eq!(store.put_original(original(b"one \xff\0 bytes")).await.expect("kept"), one);
    let found = store.original(&one).await.expect("read").expect("there");
    assert_eq!((found.content.as_slice(), found.handle, found.created_at), (&b"one \xff\0 bytes"[..], one, at(0)));
    let unknown = "ctx:00000000".parse::<Handle>().expect("a handle");
    assert_eq!(store.original(&unknown).await.expect("read"), None);
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn run(second: i64) -> Run {
    Run {
        id: RunId::generate(at(second)),
        tool: "delegate_task".to_owned(),
        title: "a title".to_owned(),
        state: RunState::Queued,
        idempotency_key: None,
        parent: None,
        owner: "process-1".to_owned(),
        lease_until: at(second + 30),
        created_at: at(second),
        finished_at: None,
        cancel_requested_at: None,
        outcome: None,
        error: None,
    }
}

fn step(run: &Run, step_name: &str, position: usize) -> Step {
    Step {
        run: run.id.clone(),
        name: name(step_name),
        position,
        needs: Vec::new(),
        agent: name("builder"),
        task: "do it".to_owned(),
        state: RunState::Queued,
        attempt: 0,
        started_at: None,
        finished_at: None,
        outcome: None,
        error: None,
    }
}

async fn runs_and_steps_are_read_back_whole(store: AnyStore) {
    let first = run(0);
    let steps = vec![
        step(&first, "z-first", 0),
        Step { needs: vec![name("z-first")], agent: name("tester"), ..step(&first, "a-second", 1) },
    ];
    assert_eq!(store.create_run(first.clone(), steps.clone()).await.expect("recorded"), Created::New);
    assert_eq!(store.run(&first.id).await.expect("read"), Some(first.clone()));
    assert_eq!(store.steps(&first.id).await.expect("read"), steps);

    let done = Run {
        state: RunState::Succeeded,
        finished_at: Some(at(9)),
        outcome: Some("{}".to_owned()),
        error: Some("none".to_owned()),
        ..first.clone()
    };
    store.save_run(&done).await.expect("saved");
    assert_eq!(store.run(&first.id).await.expect("read"), Some(done.clone()));
    let failed = Step { state: RunState::Failed, attempt: 2, started_at: Some(at(1)), ..steps[1].clone() };
    store.save_step(&failed).await.expect("saved");
    assert_eq!(store.steps(&first.id).await.expect("read"), [steps[0].clone(), failed]);

    let second = Run { parent: Some(first.id.clone()), ..run(5) };
    store.create_run(second.clone(), vec![step(&second, "only", 0)]).await.expect("recorded");
    let any = RunFilter::default;
    for (filter, expected) in [
        (any(), vec![&second, &done]),
        (RunFilter { states: vec![RunState::Succeeded, RunState::Failed], ..any() }, vec![&done]),
        (RunFilter { agent: Some("tester".to_owned()), ..any() }, vec![&done]),
        (RunFilter { parent: Some(first.id.clone()), ..any() }, vec![&second]),
    ] {
        let found = store.runs(&filter, 9).await.expect("listed");
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert_eq!(store.runs(&any(), 1).await.expect("listed"), [second]);
}

async fn an_idempotency_key_means_one_run(store: AnyStore) {
    let keyed = |second| Run { idempotency_key: Some("key".to_owned()), ..run(second) };
    let (one, two) = (keyed(0), keyed(1));
    assert_eq!(store.create_run(one.clone(), Vec::new()).await.expect("recorded"), Created::New);
    let existing = store.create_run(two.clone(), vec![step(&two, "x", 0)]).await.expect("answered");
    assert_eq!(existing, Created::Existing(Box::new(one)));
    assert_eq!(store.run(&two.id).await.expect("read"), None);
    assert_eq!(store.steps(&two.id).await.expect("read"), []);
}

async fn a_stale_save_takes_back_neither_lease_nor_cancel(store: AnyStore) {
    let first = run(0);
    store.create_run(first.clone(), Vec::new()).await.expect("recorded");
    store.renew_lease(&first.id, "process-1", at(90)).await.expect("renewed");
    store.renew_lease(&first.id, "process-2", at(99)).await.expect("answered");
    store.request_cancel(&first.id, at(5)).await.expect("asked");
    store.request_cancel(&first.id, at(6)).await.expect("asked");
    store.save_run(&Run { state: RunState::Running, ..first.clone() }).await.expect("saved");
    let found = store.run(&first.id).await.expect("read").expect("there");
    assert_eq!((found.state, found.lease_until, found.cancel_requested_at), (RunState::Running, at(90), Some(at(5))));
}

async fn abandoned_runs_are_interrupted(store: AnyStore) {
    let (dead, alive) = (Run { state: RunState::Running, ..run(0) }, run(60));
    let done = Run { state: RunState::Succeeded, ..run(0) };
    for run in [&dead, &alive, &done] {
        let steps = vec![
            Step { state: RunState::Succeeded, ..step(run, "done", 0) },
            Step { state: RunState::Running, ..step(run, "open", 1) },
        ];
        store.create_run(run.clone(), steps).await.expect("recorded");
    }
    assert_eq!(store.interrupt_abandoned(at(31), &[]).await.expect("marked"), std::slice::from_ref(&dead.id));
    let found = store.run(&dead.id).await.expect("read").expect("there");
    assert_eq!((found.state, found.finished_at), (RunState::Interrupted, Some(at(31))));
    let states: Vec<_> = store.steps(&dead.id).await.expect("read").into_iter().map(|step| step.state).collect();
    assert_eq!(states, [RunState::Succeeded, RunState::Interrupted]);
    assert_eq!(store.run(&alive.id).await.expect("read"), Some(alive));
    assert!(store.interrupt_abandoned(at(31), &[]).await.expect("marked").is_empty());

    // Nobody else may say what became of it, and only its end is news.
    let ended = Run { state: RunState::Succeeded, finished_at: Some(at(40)), ..dead.clone() };
    let open = Step { state: RunState::Running, ..step(&dead, "open", 1) };
    store.save_run(&Run { owner: "process-2".to_owned(), ..ended.clone() }).await.expect("answered");
    store.save_run(&Run { state: RunState::Running, ..dead.clone() }).await.expect("answered");
    store.save_step(&open).await.expect("answered");
    let state = async || store.run(&dead.id).await.expect("read").expect("there").state;
    assert_eq!(state().await, RunState::Interrupted);
    assert_eq!(store.steps(&dead.id).await.expect("read")[1].state, RunState::Interrupted);
    store.save_step(&Step { state: RunState::Succeeded, ..open }).await.expect("saved");
    store.save_run(&ended).await.expect("saved");
    assert_eq!(state().await, RunState::Succeeded, "the owner came back");
    assert_eq!(store.steps(&dead.id).await.expect("read")[1].state, RunState::Succeeded);
}

async fn events_are_numbered_in_order(store: AnyStore) {
    let first = run(0);
    store.create_run(first.clone(), Vec::new()).await.expect("recorded");
    for kind in ["started", "output", "finished"] {
        let step = (kind == "output").then(|| name("only"));
        let event =
            Event {
                number: 0, run: first.id.clone(), step, at: at(1), kind: kind.to_owned(), detail: "…".to_owned()
            };
        store.add_event(event).await.expect("added");
    }
    let all = store.events(&first.id, 0, 9).await.expect("read");
    assert_eq!(all.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["started", "output", "finished"]);
    assert!(all.windows(2).all(|pair| pair[0].number < pair[1].number));
    assert_eq!(store.events(&first.id, all[0].number, 1).await.expect("read"), [all[1].clone()]);
    assert_eq!(store.events(&RunId::generate(at(0)), 0, 9).await.expect("read"), []);
}

async fn the_status_counts(store: AnyStore) {
    assert_eq!(store.status().await.expect("answers").memories, 0);
    let ids = add(&store, vec![memory("one"), memory("two")]).await;
    store.forget(&ids[..1], false, at(1)).await.expect("forgotten");
    store.create_run(run(0), Vec::new()).await.expect("recorded");
    let status = store.status().await.expect("answers");
    assert_eq!((status.memories, status.originals, status.runs), (1, 0, 1));
}
