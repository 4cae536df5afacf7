//! Exports and imports: what goes out comes in again, and what others wrote is understood.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use context_engine::base::{Clock, FixedClock, MemoryId, Timestamp};
use context_engine::memory::{
    Draft, ForgetRequest, Format, Memories, Report, SourceFile, TidyRules, TranscriptOptions, Update, read_source,
};
use context_engine::store::{InMemoryStore, Memory, MemoryFilter, MemoryKind, Scope, SqliteStore, Store};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::support::run;

/// Memories with the stores that they are in.
struct Fixture {
    memories: Memories,
    stores: [Arc<dyn Store>; 2],
    clock: Arc<FixedClock>,
}

fn over(project: Arc<dyn Store>, user: Arc<dyn Store>) -> Fixture {
    let clock = Arc::new(FixedClock::new("2026-03-01T12:00:00.123456Z".parse().expect("a time")));
    let memories = Memories::new(project.clone(), user.clone(), clock.clone());
    Fixture { memories, stores: [project, user], clock }
}

fn fixture() -> Fixture {
    over(Arc::new(InMemoryStore::default()), Arc::new(InMemoryStore::default()))
}

fn in_files(folder: &Path) -> Fixture {
    let store = |name: &str| Arc::new(SqliteStore::new(folder.join(name)));
    over(store("project.db"), store("user.db"))
}

impl Fixture {
    /// Everything that is there, by id.
    async fn all(&self) -> Vec<Memory> {
        let mut all = Vec::new();
        for store in &self.stores {
            all.extend(store.memories_after(0, 100_000).await.expect("read").into_iter().map(|(_, memory)| memory));
        }
        // What a vector is made from is the text, and only an index has it.
        all.iter_mut().for_each(|memory| memory.content.meaning = None);
        all.sort_by(|one, other| one.content.id.cmp(&other.content.id));
        all
    }

    async fn remember(&self, drafts: Vec<Draft>) -> Vec<Option<MemoryId>> {
        let mut ids = Vec::new();
        for draft in drafts {
            self.clock.advance(SignedDuration::from_millis(7));
            ids.push(self.memories.remember(vec![draft]).await.expect("remembered").remove(0).id);
        }
        ids
    }

    async fn lines(&self) -> String {
        let mut out = Vec::new();
        self.memories.export_lines(&[], &mut out).await.expect("exported");
        String::from_utf8(out).expect("UTF-8")
    }

    async fn import(&self, files: Vec<SourceFile>, format: Format) -> Report {
        self.memories.import(files, format, false).await.expect("imported")
    }

    async fn import_text(&self, name: &str, text: &str) -> Report {
        let files = vec![SourceFile { name: name.to_owned(), text: text.to_owned() }];
        let format = Format::detect(&files).unwrap_or_else(|| panic!("no format: {text}"));
        self.import(files, format).await
    }

    /// Imports a sample, twice: the second time must change nothing.
    async fn import_sample(&self, name: &str, format: Format) -> Vec<Memory> {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/memory")).join(name);
        let (files, problems) = read_source(&path).expect("a sample");
        assert_eq!((Format::detect(&files), problems), (Some(format), vec![]));
        let tried = self.memories.import(files.clone(), format, true).await.expect("tried");
        assert_eq!(self.all().await, [], "a dry run changes nothing");
        let report = self.import(files.clone(), format).await;
        assert_eq!(Report { dry_run: false, ..tried }, report, "a dry run tells what happens");
        assert_eq!((report.problems.as_slice(), report.known), (&[][..], 0));
        let before = self.all().await;
        assert_eq!(before.len(), report.stored);
        let again = self.import(files, format).await;
        assert_eq!((again.stored, again.known), (0, report.stored));
        assert_eq!(self.all().await, before);
        before
    }
}

fn of_text<'a>(all: &'a [Memory], text: &str) -> &'a Memory {
    let found = all.iter().find(|memory| memory.content.text == text);
    found.unwrap_or_else(|| {
        panic!("{text:?} is not among {:#?}", all.iter().map(|one| &one.content.text).collect::<Vec<_>>())
    })
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// A store with everything that a memory can have: versions, a topic, a pin, an expiry, every scope,
/// and something forgotten.
async fn rich(fixture: &Fixture) {
    let draft = |text: &str| Draft { text: text.to_owned(), ..Draft::default() };
    let ids = fixture
        .remember(vec![
            Draft { tags: vec!["a,b".to_owned(), "c: d".to_owned()], importance: Some(0.1 + 0.2), ..draft("first") },
            Draft {
                scope: Scope::User,
                kind: MemoryKind::Preference,
                pinned: true,
                ..draft("of the user\r\n---\r\nend")
            },
            Draft { scope: Scope::Session, session_id: Some("s 1".to_owned()), ..draft("in a session") },
            Draft { scope: Scope::Agent, agent: Some("reviewer".to_owned()), ..draft("of an agent") },
            Draft { topic_key: Some("db".to_owned()), ..draft("the database is MySQL") },
            Draft { topic_key: Some("db".to_owned()), ..draft("the database is PostgreSQL") },
            Draft { expires_at: Some(at("2026-02-01T00:00:00Z")), ..draft("over") },
            Draft {
                metadata: Some(r#"{ "a" : 1.0e3 }"#.to_owned()),
                source: Some("a\nb".to_owned()),
                ..draft("with metadata")
            },
            draft("to be forgotten"),
        ])
        .await;
    let id = |at: usize| ids[at].clone().expect("kept");
    for text in ["second", "third", "first"] {
        fixture.clock.advance(SignedDuration::from_secs(1));
        let newest = fixture.memories.versions(&id(0)).await.expect("versions").pop().expect("one").content.id;
        let update = Update { text: Some(text.to_owned()), ..Update::default() };
        fixture.memories.update(&newest, update).await.expect("updated");
    }
    let request = ForgetRequest { ids: vec![id(8)], ..ForgetRequest::default() };
    fixture.memories.forget(&request).await.expect("forgotten");
}

#[test]
fn an_export_and_its_import_are_the_identity_in_both_forms_and_stores() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        for (number, from) in [fixture(), in_files(&folder.path().join("from"))].into_iter().enumerate() {
            rich(&from).await;
            let expected = from.all().await;
            assert_eq!(expected.len(), 11, "the forgotten one is left out");
            let lines = from.lines().await;
            let files = folder.path().join(format!("export-{number}"));
            let exported = from.memories.export_folder(&[], &files).await.expect("exported");
            assert_eq!((exported.memories, exported.history, exported.stale.len()), (11, 4, 0));
            for (place, into) in [fixture(), in_files(&folder.path().join(format!("into-{number}")))].iter().enumerate()
            {
                let report = into.import_text("memories.jsonl", &lines).await;
                assert_eq!((report.stored, report.known, report.problems.len()), (11, 0, 0), "{report:?}");
                assert_eq!(into.all().await, expected, "{number} {place}");
                assert_eq!(into.lines().await, lines);
                assert_eq!(into.import_text("memories.jsonl", &lines).await.known, 11);
                assert_eq!(into.all().await, expected);
            }
            let (sources, problems) = read_source(&files).expect("readable");
            assert_eq!((Format::detect(&sources), problems), (Some(Format::Markdown), vec![]));
            let into = fixture();
            assert_eq!(into.import(sources, Format::Markdown).await.problems, []);
            assert_eq!(into.all().await, expected);
            // It can be recalled, and its history is known.
            let current = into.memories.versions(&expected[0].content.id).await.expect("versions");
            let texts: Vec<&str> = current.iter().map(|one| one.content.text.as_str()).collect();
            assert_eq!(texts, ["first", "second", "third", "first"]);
        }
    });
}

/// Texts with everything that has ever broken a file format.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("---".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n---\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\u{0}\u{7f}\u{85}".to_owned()),
        Just("'\"\\ #: &*!|>%@`{[,]}".to_owned()),
        Just("id: mem_0000000000000000".to_owned()),
        Just("日本語 😀 e\u{301}".to_owned()),
        Just("<private>x</private>".to_owned()),
        "[a-z ]{1,8}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let maybe = || proptest::option::of(nasty());
    let word = prop_oneof![Just(Scope::Project), Just(Scope::User), Just(Scope::Session), Just(Scope::Agent)];
    (
        (nasty(), word, proptest::collection::vec(nasty(), 0..3), 0.0..=1.0_f64, any::<bool>()),
        (maybe(), maybe(), maybe(), maybe(), maybe()),
        (
            maybe(),
            proptest::option::of(-2_000_000_000_000_000..4_000_000_000_000_000_i64),
            proptest::option::of(any::<u32>()),
        ),
    )
        .prop_map(
            |((text, scope, tags, importance, pinned), (agent, session_id, actor, source, topic_key), more)| {
                let (metadata, occurred, expires) = more;
                let time = |micros: i64| Timestamp::from_microsecond(micros).expect("a time");
                Draft {
                    text,
                    kind: MemoryKind::Fact,
                    scope,
                    agent: agent.or((scope == Scope::Agent).then(|| "agent".to_owned())),
                    tags,
                    session_id: session_id.or((scope == Scope::Session).then(|| "session".to_owned())),
                    actor,
                    occurred_at: occurred.map(time),
                    importance: Some(importance),
                    pinned,
                    expires_at: expires.map(|seconds| time(i64::from(seconds) * 1_000_000)),
                    source,
                    metadata: metadata.map(|text| serde_json::json!({ "key": text, "number": importance }).to_string()),
                    topic_key,
                    supersedes: None,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_can_be_remembered_comes_back_as_it_was(
        drafts in proptest::collection::vec(any_draft(), 1..6),
        new_text in nasty(),
    ) {
        run(async {
            let from = fixture();
            let ids: Vec<MemoryId> = from.remember(drafts).await.into_iter().flatten().collect();
            for id in ids.iter().step_by(2) {
                // A text of nothing is refused, and what was superseded cannot be changed: both are fine here.
                let _ = from.memories.update(id, Update { text: Some(new_text.clone()), ..Update::default() }).await;
            }
            let expected = from.all().await;
            let lines = from.lines().await;
            let into = fixture();
            let files = vec![SourceFile { name: "x.jsonl".to_owned(), text: lines.clone() }];
            let report = into.import(files, Format::JsonLines).await;
            assert_eq!(report.problems, []);
            assert_eq!(into.all().await, expected);
            assert_eq!(into.lines().await, lines);

            let folder = tempfile::tempdir().expect("a folder");
            from.memories.export_folder(&[], folder.path()).await.expect("exported");
            let (files, _) = read_source(folder.path()).expect("readable");
            let into = fixture();
            let report = into.import(files, Format::Markdown).await;
            assert_eq!(report.problems, []);
            assert_eq!(into.all().await, expected);
        });
    }
}

#[test]
fn a_bad_line_is_told_with_its_place_and_takes_no_other_with_it() {
    run(async {
        let from = fixture();
        from.remember(vec![
            Draft { text: "one".to_owned(), ..Draft::default() },
            Draft { text: "two".to_owned(), ..Draft::default() },
        ])
        .await;
        let lines: Vec<String> = from.lines().await.lines().map(str::to_owned).collect();
        let unknown = lines[1].replacen("\"kind\"", "\"colour\":1,\"kind\"", 1);
        let empty = lines[1].replacen("\"two\"", "\" \"", 1);
        let text = format!("{}\n{{\"id\":\n\n{unknown}\r\n{empty}\n{}", lines[0], lines[1]);
        let into = fixture();
        let report = into.import_text("m.jsonl", &text).await;
        let problems: Vec<String> =
            report.problems.iter().map(|one| format!("{}: {}", one.place, one.reason)).collect();
        assert_eq!(report.stored, 2);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("m.jsonl:2: EOF"), "{problems:?}");
        assert!(problems[1].starts_with("m.jsonl:4: unknown field `colour`"), "{problems:?}");
        assert!(problems.iter().any(|one| one.starts_with("m.jsonl:5") && one.contains("empty")), "{problems:?}");

        let good = "---\nid: mem_0000000000000001\noccurred_at: 2026-01-01T00:00:00Z\n---\n\nkept\n";
        let file = |name: &str, text: &str| SourceFile { name: name.to_owned(), text: text.to_owned() };
        let files = vec![
            file("a.md", good),
            file("b.md", "---\nid: mem_0000000000000002\noccurred_at: soon\n---\n\nx\n"),
            file("c.md", "no front matter"),
            file("d.md", &good.replace("0001", "0003").replace('\n', "\r\n")),
        ];
        let into = fixture();
        let report = into.import(files, Format::Markdown).await;
        let places: Vec<&str> = report.problems.iter().map(|one| one.place.as_str()).collect();
        assert_eq!((report.stored, places), (2, vec!["b.md:3", "c.md:1"]));
        let all = into.all().await;
        assert!(all.iter().all(|one| one.content.text == "kept"), "line ends of a checkout are not the text's");
    });
}

#[test]
fn what_was_edited_or_forgotten_does_not_come_back() {
    run(async {
        let notes = "# Notes\n\n- Always run the linter\n- The queue is drained by hand\n";
        let fixture = fixture();
        assert_eq!(fixture.import_text("CLAUDE.md", notes).await.stored, 2);
        let all = fixture.all().await;
        let update = Update { text: Some("Run the linter before each commit".to_owned()), ..Update::default() };
        fixture.memories.update(&all[0].content.id, update).await.expect("updated");
        let request = ForgetRequest { ids: vec![all[1].content.id.clone()], ..ForgetRequest::default() };
        fixture.memories.forget(&request).await.expect("forgotten");
        let report = fixture.import_text("CLAUDE.md", notes).await;
        assert_eq!((report.stored, report.known), (0, 2));
        let (listed, more) = fixture.memories.list(&MemoryFilter::default(), 10, 0).await.expect("listed");
        let texts: Vec<&str> = listed.iter().map(|one| one.content.text.as_str()).collect();
        assert_eq!((texts, more), (vec!["Run the linter before each commit"], false));
    });
}

#[test]
fn of_two_stores_the_later_memory_of_a_topic_is_current() {
    run(async {
        let draft = |text: &str| Draft { text: text.to_owned(), topic_key: Some("db".to_owned()), ..Draft::default() };
        let (here, there) = (fixture(), fixture());
        here.remember(vec![draft("MySQL")]).await;
        there.clock.advance(SignedDuration::from_hours(1));
        there.remember(vec![draft("PostgreSQL"), Draft { topic_key: None, ..draft("MySQL") }]).await;
        let report = here.import_text("m.jsonl", &there.lines().await).await;
        assert_eq!((report.stored, report.superseded), (1, 1), "{report:?}");
        let (listed, _) = here.memories.list(&MemoryFilter::default(), 10, 0).await.expect("listed");
        assert_eq!(listed.iter().map(|one| one.content.text.as_str()).collect::<Vec<_>>(), ["PostgreSQL"]);
        assert_eq!(report.known, 1, "the same content is not kept twice: {report:?}");
        // And the other way round.
        let other = fixture();
        other.clock.advance(SignedDuration::from_hours(2));
        other.remember(vec![draft("SQLite")]).await;
        other.import_text("m.jsonl", &here.lines().await).await;
        let (listed, _) = other.memories.list(&MemoryFilter::default(), 10, 0).await.expect("listed");
        assert_eq!(listed.iter().map(|one| one.content.text.as_str()).collect::<Vec<_>>(), ["SQLite"]);
    });
}

#[test]
fn the_file_of_the_official_memory_server_is_understood() {
    run(async {
        let all = fixture().import_sample("server-memory.jsonl", Format::ServerMemory).await;
        assert_eq!(all.len(), 8);
        let one = of_text(&all, "checkout service: is written in Go");
        assert_eq!((one.content.kind, one.content.tags.as_slice()), (MemoryKind::Fact, &["service".to_owned()][..]));
        assert_eq!(one.content.source.as_deref(), Some("server-memory.jsonl:1"));
        of_text(&all, "Mara Lindqvist maintains checkout service");
        of_text(&all, "Zürich office: place");
    });
}

#[test]
fn what_mem0_gives_out_is_understood_with_and_without_its_frame() {
    run(async {
        let all = fixture().import_sample("mem0.json", Format::Mem0).await;
        assert_eq!(all.len(), 3);
        let one = &of_text(&all, "We moved the nightly backup to 02:30 because the batch job overran.").content;
        assert_eq!((one.session_id.as_deref(), one.agent.as_deref()), (Some("run-17"), Some("ops-bot")));
        assert_eq!(one.actor.as_deref(), Some("mara"));
        assert!(one.metadata.contains("OPS-204") && !one.metadata.contains("hash"), "{}", one.metadata);
        assert!(one.source.as_deref().is_some_and(|source| source.starts_with("mem0:")));
        assert!(one.occurred_at < "2026-11-25T00:00:00Z".parse().expect("a time"));
        assert_eq!(of_text(&all, "Prefers short answers with the command first").content.tags, ["preferences"]);

        let list = r#"[{"id":"1","memory":"Likes tea","user_id":"bo"},{"id":"2"},{"id":"3","memory":"x","created_at":"soon"}]"#;
        let report = fixture().import_text("list.json", list).await;
        let problems: Vec<String> =
            report.problems.iter().map(|one| format!("{}: {}", one.place, one.reason)).collect();
        assert_eq!(report.stored, 1);
        assert_eq!(
            problems,
            ["list.json#2: there is no text under \"memory\"", "list.json#3: created_at: \"soon\" is not a time"]
        );
    });
}

#[test]
fn notes_of_basic_memory_are_understood() {
    run(async {
        let all = fixture().import_sample("basic-memory", Format::BasicMemory).await;
        let one = &of_text(&all, "Payment retries: A failed payment is retried three times, then parked").content;
        assert_eq!(one.kind, MemoryKind::Decision);
        assert_eq!(one.tags, ["payments", "reliability", "decision", "retries"]);
        assert!(one.metadata.contains("agreed with Mara in the planning"), "{}", one.metadata);
        assert_eq!(one.source.as_deref(), Some("services/Payment retries.md:15"));
        assert_eq!(
            of_text(&all, "Payment retries: Replay parked payments with `payctl replay`").content.kind,
            MemoryKind::Procedure
        );
        assert_eq!(of_text(&all, "Zürich: Büro: Calls after 14:00 only").content.kind, MemoryKind::Preference);
        of_text(&all, "Payment retries part of Checkout Service");
        of_text(&all, "Payment retries was decided by Mara Lindqvist");
        of_text(&all, "Payment retries: How the checkout service deals with failed payments.");
        of_text(&all, "Payment retries > Relations: see also [[Queue Limits]] before changing anything");
    });
}

#[test]
fn notes_for_an_assistant_are_understood() {
    run(async {
        let all = fixture().import_sample("CLAUDE.md", Format::ClaudeMd).await;
        let kinds = |text: &str| (of_text(&all, text).content.kind, of_text(&all, text).content.source.clone());
        let at = |line: usize| Some(format!("CLAUDE.md:{line}"));
        assert_eq!(kinds("Style: Never use `unwrap` outside tests"), (MemoryKind::Preference, at(21)));
        assert_eq!(kinds("Commands: Run `make check` before a commit"), (MemoryKind::Procedure, at(9)));
        assert_eq!(kinds("Layout > Storage: The schema lies in `db/schema.sql`"), (MemoryKind::Note, at(28)));
        assert_eq!(all.len(), 9, "{:#?}", all.iter().map(|one| &one.content.text).collect::<Vec<_>>());
    });
}

#[test]
fn the_turns_of_a_session_are_remembered_in_order_without_what_tools_said() {
    run(async {
        let fixture = fixture();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/memory/claude-code.jsonl");
        let (files, _) = read_source(Path::new(path)).expect("a sample");
        let options = TranscriptOptions { tags: vec!["imported".to_owned()], ..TranscriptOptions::default() };
        let report = fixture.memories.remember_transcript(&files[0], &options).await.expect("remembered");
        assert_eq!((report.stored, report.problems.len()), (4, 1), "{report:?}");
        assert_eq!(report.problems[0].place, "claude-code.jsonl:9");
        assert_eq!(report.redacted.len(), 1, "{report:?}");
        let session =
            fixture.stores[0].session("6f1d2c3b-0000-4000-8000-5a5a5a5a5a5a", 0, 100).await.expect("a session");
        let turns: Vec<(&str, &str)> = session
            .iter()
            .map(|one| (one.content.actor.as_deref().unwrap_or_default(), one.content.text.as_str()))
            .collect();
        assert_eq!(turns[0], ("user", "Why does the importer drop the last row?"));
        assert_eq!(turns[1].0, "assistant");
        assert!(turns[3].1.contains("[redacted:"), "{turns:?}");
        assert_eq!(session[0].content.kind, MemoryKind::Episode);
        assert_eq!(session[0].content.occurred_at, at("2026-02-10T09:15:02.120Z"));
        assert!(session.iter().all(|one| !one.content.text.contains("rows.pop()")), "results of tools are left out");
        let again = fixture.memories.remember_transcript(&files[0], &options).await.expect("remembered");
        assert_eq!((again.stored, again.known), (0, 4));

        let chat = SourceFile {
            name: "standup.txt".to_owned(),
            text: "Ann: The build is red.\nBo: I look.\nNow.\n".to_owned(),
        };
        let report =
            fixture.memories.remember_transcript(&chat, &TranscriptOptions::default()).await.expect("remembered");
        assert_eq!(report.stored, 2);
        let session = fixture.stores[0].session("standup", 0, 100).await.expect("a session");
        assert_eq!(session[1].content.text, "I look.\nNow.");
        let prose = SourceFile { name: "a.txt".to_owned(), text: "Nobody speaks.\n".to_owned() };
        assert!(fixture.memories.remember_transcript(&prose, &TranscriptOptions::default()).await.is_err());
        assert!(fixture.clock.now() > at("2026-01-01T00:00:00Z"));
    });
}

#[test]
fn a_known_text_that_others_were_merged_into_is_imported_with_them() {
    run(async {
        let from = fixture();
        let draft = |text: &str| Draft { text: text.to_owned(), ..Draft::default() };
        let text = "The release of the engine goes through the staging cluster before it reaches all customers";
        from.remember(vec![draft(text), Draft { importance: Some(0.9), ..draft(&format!("{text} always")) }]).await;
        let done = from.memories.tidy(&TidyRules::default(), false).await.expect("tidied");
        assert_eq!(done.tidied.len(), 1, "one is merged into the other");
        let exported = from.lines().await;

        let to = fixture();
        to.remember(vec![draft(&format!("{text} always"))]).await;
        let report = to.import_text("export.jsonl", &exported).await;
        assert_eq!((report.stored, report.known), (2, 0), "{report:?}");
        let all = to.all().await;
        let ids: Vec<&MemoryId> = all.iter().map(|memory| &memory.content.id).collect();
        for memory in &all {
            assert!(
                memory.superseded_by.as_ref().is_none_or(|next| ids.contains(&next)),
                "its successor is here: {memory:?}"
            );
        }
        assert_eq!(all.iter().filter(|memory| memory.superseded_at.is_none()).count(), 1, "one of the same is current");
    });
}

#[test]
fn an_export_is_of_one_moment() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let fixture = in_files(folder.path());
        let draft = |number: usize| Draft { text: format!("fact number {number} of many"), ..Draft::default() };
        for chunk in 0..3 {
            let drafts = (chunk * 1_000..(chunk + 1) * 1_000).map(draft).collect();
            fixture.memories.remember(drafts).await.expect("remembered");
        }
        // While the first line is being written, others write on.
        struct Slow(Vec<u8>, Arc<dyn Store>, bool);
        impl std::io::Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                if !std::mem::replace(&mut self.2, true) {
                    let store = self.1.clone();
                    let purge = async move {
                        let last = store.list_memories(&MemoryFilter::default(), 1, 0).await.expect("listed");
                        store
                            .forget(&[last[0].content.id.clone()], false, at("2026-03-01T13:00:00Z"))
                            .await
                            .expect("forgotten");
                    };
                    std::thread::spawn(move || run(purge)).join().expect("it is forgotten by now");
                }
                self.0.extend_from_slice(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut out = Slow(Vec::new(), fixture.stores[0].clone(), false);
        let exported = fixture.memories.export_lines(&[], &mut out).await.expect("exported");
        assert_eq!(exported.memories, 3_000, "as it was when it began");
        assert_eq!(fixture.memories.stats().await.expect("summed up").current, 2_999);
    });
}
