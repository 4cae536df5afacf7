//! What the SQLite store promises about its file: who may read it, what several processes do to
//! it, what a killed one leaves behind.
//!
//! A test that needs other processes starts this test binary again with the name of the test, and
//! a role in the environment that makes it play the other part.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "these tests start processes that answer on stdout, and look into the file"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use context_engine::base::{MemoryId, Timestamp};
use context_engine::store::{AddedStatus, MemoryFilter, NewMemory, NewOriginal, Purge, SqliteStore, Store, StoreError};

use crate::store_contract::{at, memory};

const FOLDER: &str = "CTX_TEST_STORE_FOLDER";

/// The folder to work on, when this process plays the other part.
fn role() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

/// Starts this binary with one test only, to play the other part on `folder`.
fn start_role(test: &str, folder: &Path) -> Child {
    let binary = std::env::current_exe().expect("this binary");
    Command::new(binary)
        .args(["--exact", &format!("store_file::{test}"), "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary starts")
}

fn store(folder: &Path) -> SqliteStore {
    SqliteStore::new(folder.join("data/memory.db"))
}

fn raw(folder: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join("data/memory.db")).expect("a database")
}

fn assert_intact(folder: &Path) {
    let verdict: String = raw(folder).query_one("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    raw(folder).execute("INSERT INTO words (words) VALUES ('integrity-check')", []).expect("the index is intact");
}

fn said(text: &str) -> NewMemory {
    NewMemory { id: MemoryId::generate(Timestamp::now()), session_id: Some("shared".to_owned()), ..memory(text) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_writes_of_two_processes_are_all_there() {
    const EACH: usize = 5_000;
    if let Some(folder) = role() {
        let store = Arc::new(store(&folder));
        let process = std::process::id();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..50 {
            let store = store.clone();
            writers.spawn(async move {
                for number in 0..EACH / 50 {
                    let new = said(&format!("process {process} writer {writer} number {number}"));
                    let added = store.add_memories(vec![new]).await.expect("added");
                    assert_eq!(added[0].status, AddedStatus::Stored);
                }
            });
        }
        while let Some(done) = writers.join_next().await {
            done.expect("a writer ends well");
        }
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // The file does not exist yet: both find nothing at the same moment and make it.
    let children = [(); 2].map(|()| start_role("ten_thousand_writes_of_two_processes_are_all_there", folder.path()));
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = store(folder.path());
    let all = store.session("shared", 0, i64::MAX).await.expect("read");
    assert_eq!(all.len(), 2 * EACH);
    assert!(all.iter().enumerate().all(|(place, memory)| memory.order == place as i64), "each has a place of its own");
    let texts: BTreeSet<&str> = all.iter().map(|memory| memory.content.text.as_str()).collect();
    assert_eq!(texts.len(), 2 * EACH);
    let found = store.match_terms(&["process".to_owned()], &MemoryFilter::default()).await.expect("found");
    assert_eq!(found.postings[0].len(), 2 * EACH);
    assert_intact(folder.path());
}

#[tokio::test]
async fn many_processes_may_make_the_same_file() {
    if let Some(folder) = role() {
        while !folder.join("go").exists() {
            std::thread::yield_now();
        }
        let text = format!("process {}", std::process::id());
        store(&folder).add_memories(vec![said(&text)]).await.expect("added");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let children: Vec<Child> =
        (0..6).map(|_| start_role("many_processes_may_make_the_same_file", folder.path())).collect();
    std::fs::write(folder.path().join("go"), "").expect("written");
    for child in children {
        let output = child.wait_with_output().expect("an end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(store(folder.path()).status().await.expect("answers").memories, 6);
    assert_intact(folder.path());
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    if let Some(folder) = role() {
        let store = store(&folder);
        loop {
            let new = said(&format!("at {}", Timestamp::now()));
            let id = new.id.clone();
            store.add_memories(vec![new]).await.expect("added");
            println!("\nacknowledged {id}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged: Vec<MemoryId> = Vec::new();
    for round in 1..=5 {
        let mut child = start_role("a_killed_process_loses_nothing_that_was_acknowledged", folder.path());
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut heard = 0;
        while let Some(Ok(line)) = lines.next() {
            let Some(id) = line.strip_prefix("acknowledged ") else { continue };
            // The last line may have been cut by the kill.
            let Ok(id) = id.parse() else { continue };
            acknowledged.push(id);
            heard += 1;
            if heard == 20 * round {
                child.kill().expect("killed");
            }
        }
        child.wait().expect("an end");
        assert!(heard >= 20 * round, "the child ended by itself");
    }
    let found = store(folder.path()).memories(&acknowledged).await.expect("read");
    assert_eq!(found.len(), acknowledged.len());
    assert_intact(folder.path());
}

#[tokio::test]
async fn a_store_sees_what_another_process_wrote_and_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two stores on one file share nothing in memory, as two processes do.
    let (one, other) = (store(folder.path()), store(folder.path()));
    let find = async |store: &SqliteStore| {
        let found = store.match_terms(&["apple".to_owned()], &MemoryFilter::default()).await.expect("found");
        found.postings[0].len()
    };
    assert_eq!(find(&one).await, 0);
    let id = other.add_memories(vec![memory("apple")]).await.expect("added").remove(0).id;
    assert_eq!(find(&one).await, 1);
    other.forget(&[id], false, at(1)).await.expect("forgotten");
    assert_eq!(find(&one).await, 0);
}

#[tokio::test]
async fn a_failing_write_does_not_spoil_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let taken = memory("taken");
    store.add_memories(vec![taken.clone()]).await.expect("added");
    let writes = (0..60).map(|number| {
        let new = said(&format!("number {number}"));
        // The same id again breaks a constraint of the file.
        let id = if number % 3 == 0 { taken.id.clone() } else { new.id.clone() };
        store.add_memories(vec![said(&format!("before {number}")), NewMemory { id, ..new }])
    });
    let results = futures::future::join_all(writes).await;
    for (number, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), number % 3 == 0, "{result:?}");
    }
    let kept = store.session("shared", 0, i64::MAX).await.expect("read");
    assert_eq!(kept.len(), 2 * 40, "a failed call leaves nothing of itself");
}

#[tokio::test]
async fn purged_text_leaves_no_trace_in_the_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let secret = NewMemory {
        source: Some("zanzibarsource".to_owned()),
        metadata: r#"{"k":"zanzibarmeta"}"#.to_owned(),
        tags: vec!["zanzibartag".to_owned()],
        topic_key: Some("zanzibartopic".to_owned()),
        ..memory("zanzibarword is the zanzibarother word")
    };
    let many = (0..300).map(|number| said(&format!("filler {number} with some zan words"))).collect();
    let ids = store.add_memories(vec![secret]).await.expect("added");
    store.add_memories(many).await.expect("added");
    // A reader that stays open must not keep the log alive.
    store.match_terms(&["zanzibarword".to_owned()], &MemoryFilter::default()).await.expect("found");
    assert!(holds(folder.path(), "zanzibar"));

    store.forget(&[ids[0].id.clone()], true, at(1)).await.expect("purged");
    assert!(!holds(folder.path(), "zanzibar"));
    assert!(!holds(folder.path(), "zibarword"), "the index may hold the word without its beginning");
    let again = store.match_terms(&["filler".to_owned()], &MemoryFilter::default()).await.expect("found");
    assert_eq!(again.postings[0].len(), 300);
    assert_intact(folder.path());
}

#[tokio::test]
async fn a_purge_claims_nothing_while_another_process_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let secret = memory("zanzibar");
    let ids = [secret.id.clone()];
    store.add_memories(vec![secret]).await.expect("added");
    let mut other = raw(folder.path());
    let reading = other.transaction().expect("a snapshot");
    let count: i64 = reading.query_one("SELECT count(*) FROM memories", [], |row| row.get(0)).expect("a number");
    assert_eq!(count, 1);
    let purged = store.forget(&ids, true, at(1)).await.expect("purged");
    assert_eq!(purged.iter().map(|one| one.purged).collect::<Vec<_>>(), [false]);
    reading.finish().expect("ended");
    drop(other);
    let purged = store.forget(&ids, true, at(2)).await.expect("purged");
    assert_eq!(purged.iter().map(|one| one.purged).collect::<Vec<_>>(), [true]);
    assert!(!holds(folder.path(), "zanzibar"));

    assert!(store.copies().is_empty());
    let copy = folder.path().join("data/memory.db.v0.backup");
    std::fs::write(&copy, "zanzibar").expect("written");
    assert_eq!(store.copies(), [copy]);
}

/// Whether any file of the store holds these bytes.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder.join("data")).expect("the folder").any(|entry| {
        let content = std::fs::read(entry.expect("an entry").path()).expect("readable");
        content.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_and_git_looks_away() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    assert_eq!(store.status().await.expect("answers").memories, 0);
    assert!(store.list_memories(&MemoryFilter::default(), 9, 0).await.expect("answers").is_empty());
    assert!(!folder.path().join("data").exists(), "nothing is made before the first write");
    store.add_memories(vec![memory("text")]).await.expect("added");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    for name in ["memory.db", "memory.db-wal", "memory.db-shm"] {
        assert_eq!(mode(&folder.path().join("data").join(name)), 0o600, "{name}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("data/.gitignore")).expect("there"), "*\n");

    let project = folder.path().join("project");
    let ordinary = folder.path().join("ordinary");
    std::fs::create_dir(&ordinary).expect("a folder");
    for (file, is_ours) in [(project.join(".claude/data/memory.db"), true), (ordinary.join("memory.db"), false)] {
        SqliteStore::new(file.clone()).add_memories(vec![memory("text")]).await.expect("added");
        assert_eq!(file.with_file_name(".gitignore").exists(), is_ours, "{}", file.display());
    }
    assert_eq!(mode(&project.join(".claude/data")), 0o700);
    assert_eq!(mode(&project.join(".claude")), mode(&ordinary), "only the data are private");
    std::fs::remove_file(project.join(".claude/data/.gitignore")).expect("removed");
    SqliteStore::new(project.join(".claude/data/memory.db")).add_memories(vec![memory("more")]).await.expect("added");
    assert!(project.join(".claude/data/.gitignore").exists(), "it is made again");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    store(folder.path()).add_memories(vec![memory("text")]).await.expect("added");
    let present: i64 =
        raw(folder.path()).pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    raw(folder.path()).pragma_update(None, "user_version", 99).expect("set");
    let refused = store(folder.path());
    let error = refused.status().await.expect_err("too new");
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error:?}");
    assert!(refused.add_memories(vec![memory("more")]).await.is_err());
    raw(folder.path()).pragma_update(None, "user_version", present).expect("set");
    assert_eq!(refused.status().await.expect("answers").memories, 1, "it recovers when the file does");
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_originals() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    let old = raw(folder.path());
    old.execute_batch(include_str!("../../src/store/migrations/0001_first.sql")).expect("the first schema");
    old.execute_batch("PRAGMA user_version = 1; PRAGMA journal_mode = wal;").expect("set");
    let content = b"kept \xff long ago".to_vec();
    let hash = context_engine::base::content_hash(&content);
    let handle = context_engine::base::Handle::of_hash(&hash, 8);
    let insert = "INSERT INTO originals (hash, handle, content, source, created_at) VALUES (?, ?, ?, 'a file', 1700000000000000)";
    old.execute(insert, rusqlite::params![hash, handle.as_str(), content]).expect("inserted");
    drop(old);
    let store = store(folder.path());
    let kept = store.original(&handle).await.expect("read").expect("there");
    assert_eq!((kept.content, kept.source.as_deref(), kept.created_at), (content.clone(), Some("a file"), at(0)));
    let info = store.original_info(&handle).await.expect("read").expect("known");
    assert_eq!((info.bytes, info.used_at, info.removed), (content.len() as u64, at(0), None));
    let again = NewOriginal { content, created_at: at(9), ..NewOriginal::default() };
    assert_eq!(store.put_original(again).await.expect("kept"), handle);
    assert_eq!(store.copies(), [folder.path().join("data/memory.db.v1.backup")]);
    assert_intact(folder.path());
}

#[tokio::test]
async fn a_purged_original_leaves_no_trace_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    let secret = "a rather peculiar secret ".repeat(400);
    let new = NewOriginal {
        content: secret.clone().into_bytes(),
        first_line: Some(secret[..60].to_owned()),
        created_at: at(0),
        ..NewOriginal::default()
    };
    let handle = store.put_original(new).await.expect("kept");
    let holds = |text: &str| {
        let files = ["memory.db", "memory.db-wal"].map(|name| folder.path().join("data").join(name));
        files
            .iter()
            .filter_map(|file| std::fs::read(file).ok())
            .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    };
    assert!(holds("peculiar secret"));
    let purged = store.purge_originals(Purge::These(vec![handle]), at(1)).await.expect("purged");
    assert!(purged.traceless && !holds("peculiar secret"));
    assert_intact(folder.path());
}

#[tokio::test]
async fn purging_nothing_makes_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path());
    assert_eq!(store.purge_originals(Purge::All, at(0)).await.expect("purged").originals, []);
    assert_eq!(store.originals(9).await.expect("listed"), []);
    assert!(!folder.path().join("data").exists());
}

#[test]
fn locations_name_their_backend() {
    for (location, backend) in [("memory:", true), ("sqlite:///tmp/x.db", true), ("C:\\x.db", true)] {
        assert_eq!(context_engine::store::open(location).is_ok(), backend, "{location}");
    }
    for location in ["", "postgres://host/db", "redis://host"] {
        let error = context_engine::store::open(location).err().expect("no such backend");
        assert!(error.to_string().contains(location), "{error}");
    }
}
