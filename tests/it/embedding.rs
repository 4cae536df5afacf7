//! Models that memories are embedded with besides the one within the program: from a folder, and behind
//! a server, which is a real one on this machine.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use context_engine::app;
use context_engine::base::SystemClock;
use context_engine::embed::{Embedder, Embeddings, Endpoint, Folder, Purpose, Remote};
use context_engine::memory::{Draft, Memories, RecallRequest};
use context_engine::store::{self, InMemoryStore, OriginalLimits, Store};
use serde_json::{Value, json};

use crate::cli::Place;
use crate::support::{Project, run};

/// How the server behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Well,
    /// Says 500 to the first request, then behaves.
    FailsOnce,
    Down,
    Silent,
    WrongKey,
    /// Gives vectors of another length from the second request on.
    Grows,
    /// Refuses texts of more characters, and batches that hold one.
    Refuses(usize),
    Nonsense,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    key: Option<String>,
    model: String,
    texts: Vec<String>,
}

/// A server of embeddings: a text's vector tells which of a few subjects it names, by any of their words.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

const SUBJECTS: [&[&str]; 4] = [
    &["car", "vehicle", "automobile"],
    &["bread", "loaf", "bakery"],
    &["database", "sqlite", "persistence"],
    &["port", "socket"],
];

fn vector_of(text: &str) -> Vec<f32> {
    let text = text.to_lowercase();
    let mut vector: Vec<f32> =
        SUBJECTS.iter().map(|words| if words.iter().any(|word| text.contains(word)) { 3.0 } else { 0.0 }).collect();
    vector.push(0.1);
    vector
}

impl Server {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.clone();
                std::thread::spawn(move || while answer(&stream, manner, &log).is_some() {});
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn flags(&self) -> Vec<String> {
        vec![
            format!("embedding.url={}", self.url),
            "embedding.model=concepts".to_owned(),
            "embedding.api_key=sk-geheimgeheim".to_owned(),
            "embedding.timeout_seconds=1".to_owned(),
            "embedding.batch_max=3".to_owned(),
        ]
    }

    fn project(&self) -> Project {
        let flags = self.flags();
        Project::with(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            model: "concepts".to_owned(),
            api_key: None,
            timeout: Duration::from_secs(1),
            batch_max: 3,
        }
    }
}

/// Answers one request; `None`: there are no more.
fn answer(stream: &TcpStream, manner: Manner, log: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut length, mut key) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().expect("a number"),
            "authorization" => key = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked: Value = serde_json::from_slice(&body).expect("JSON");
    let texts: Vec<String> = asked["input"]
        .as_array()
        .expect("texts")
        .iter()
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect();
    let model = asked["model"].as_str().expect("a model").to_owned();
    let number = {
        let mut log = log.lock().expect("no panic");
        log.push(Seen { path, key: key.clone(), model, texts: texts.clone() });
        log.len()
    };
    let (status, answer) = match manner {
        Manner::Down => (503, json!({ "error": "no model is loaded" })),
        Manner::FailsOnce if number == 1 => (500, json!({ "error": "warming up" })),
        Manner::Silent => {
            std::thread::sleep(Duration::from_secs(20));
            return None;
        }
        Manner::WrongKey => (401, json!({ "error": format!("{} is not a valid key", key.unwrap_or_default()) })),
        Manner::Refuses(most) if texts.iter().any(|text| text.chars().count() > most) => {
            (400, json!({ "error": "input is too long" }))
        }
        Manner::Nonsense => (200, json!({ "vectors": [] })),
        Manner::Well | Manner::FailsOnce | Manner::Grows | Manner::Refuses(_) => {
            // In the wrong order, as servers may.
            let data: Vec<Value> = texts
                .iter()
                .enumerate()
                .rev()
                .map(|(index, text)| {
                    let mut vector = vector_of(text);
                    if manner == Manner::Grows && number > 1 {
                        vector.push(1.0);
                    }
                    json!({ "object": "embedding", "index": index, "embedding": vector })
                })
                .collect();
            (200, json!({ "object": "list", "data": data, "usage": { "prompt_tokens": 1 } }))
        }
    };
    let body = answer.to_string();
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()
}

fn first(recalled: &Value) -> &str {
    recalled["memories"][0]["text"].as_str().unwrap_or_default()
}

fn notes(answer: &Value) -> String {
    answer["notes"].to_string()
}

const TEXTS: [&str; 5] = [
    "The red automobile is in the garage",
    "A loaf must rest an hour",
    "We keep everything in SQLite",
    "Ann likes green tea",
    "It listens on socket 8080",
];

async fn remember(project: &Project) -> Value {
    let memories: Vec<Value> = TEXTS.iter().map(|text| json!({ "text": text })).collect();
    project.call("memory_store", json!({ "memories": memories })).await
}

#[test]
fn a_server_finds_what_no_word_does() {
    let server = Server::new(Manner::Well);
    run(async {
        let project = server.project();
        let stored = remember(&project).await;
        assert!(stored.get("notes").is_none(), "{stored}");
        for (query, expected) in
            [("which vehicle", TEXTS[0]), ("bakery rules", TEXTS[1]), ("persistence layer", TEXTS[2])]
        {
            let found = project.call("memory_recall", json!({ "query": query, "explain": true })).await;
            assert_eq!(first(&found), expected, "{query}: {found}");
            assert!(found["memories"][0]["explained"]["meaning"].as_f64().is_some_and(|part| part > 0.0), "{found}");
            assert!(found.get("notes").is_none(), "{found}");
        }
    });
    let seen = server.seen();
    assert!(seen.iter().all(|one| one.path == "/v1/embeddings" && one.model == "concepts"), "{seen:?}");
    assert!(seen.iter().all(|one| one.key.as_deref() == Some("Bearer sk-geheimgeheim")), "{seen:?}");
    assert_eq!(seen.iter().map(|one| one.texts.len()).take(2).collect::<Vec<_>>(), [3, 2], "batches of three");
}

#[test]
fn a_server_that_is_down_is_told_and_words_do_its_work() {
    for (manner, told) in [
        (Manner::Down, "answers 503: {\\\"error\\\":\\\"no model is loaded\\\"}"),
        (Manner::Silent, "cannot be asked"),
        (Manner::Nonsense, "gives no list of embeddings"),
        (Manner::WrongKey, "check embedding.api_key"),
    ] {
        let server = Server::new(manner);
        run(async {
            let project = server.project();
            let stored = remember(&project).await;
            assert!(stored["stored"].as_array().expect("a list").iter().all(|one| one["status"] == "stored"));
            assert!(notes(&stored).contains(told), "{stored}");
            assert!(notes(&stored).contains("by their words alone"), "{stored}");
            let begun = Instant::now();
            let found = project.call("memory_recall", json!({ "query": "who likes tea" })).await;
            assert_eq!(first(&found), TEXTS[3]);
            assert!(notes(&found).contains(told), "{found}");
            assert!(begun.elapsed() < Duration::from_millis(900), "it was not asked again: {:?}", begun.elapsed());
            assert!(!(notes(&stored) + &notes(&found)).contains("geheim"), "{stored} {found}");
            let health = project.call("server_health", json!({})).await;
            assert_eq!(health["checks"]["api"]["status"], "degraded", "{health}");
            assert!(health["checks"]["api"].to_string().contains(told), "{health}");
        });
    }
    // Nobody listens at all.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let url = format!("embedding.url=http://127.0.0.1:{port}");
    run(async {
        let project = Project::with(&[&url, "embedding.model=m"]);
        let stored = remember(&project).await;
        assert!(notes(&stored).contains("cannot be asked"), "{stored}");
        assert_eq!(first(&project.call("memory_recall", json!({ "query": "green tea" })).await), TEXTS[3]);
    });
}

#[test]
fn what_a_server_may_do_wrong_once_does_no_harm() {
    let server = Server::new(Manner::FailsOnce);
    let vectors =
        Remote::new(server.endpoint()).embed(&["a car", ""], Purpose::Keep).expect("the second time it works");
    assert_eq!(vectors.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5]);
    assert!(vectors[1].iter().all(|number| *number == 0.0), "an empty text is not sent");
    assert_eq!(server.seen().len(), 2);
    assert!(
        Remote::new(Server::new(Manner::FailsOnce).endpoint()).embed(&["a"], Purpose::Query).is_err(),
        "somebody waits"
    );

    let server = Server::new(Manner::Grows);
    let remote = Remote::new(server.endpoint());
    remote.embed(&["a car"], Purpose::Keep).expect("the first is as long as it likes");
    let error = remote.embed(&["a car"], Purpose::Keep).expect_err("another length").to_string();
    assert!(error.contains("vectors of 6 numbers, and of 5 before"), "{error}");

    // The next process knows nothing of that, but the file does.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memory.db");
    run(async {
        let (before, _) = memories(&file, Embeddings::new(Box::new(Remote::new(Server::new(Manner::Well).endpoint()))));
        let drafts = TEXTS.map(|text| Draft { text: text.to_owned(), ..Draft::default() });
        before.remember(drafts.into()).await.expect("remembered");
        let server = Server::new(Manner::Grows);
        let _ = Remote::new(server.endpoint()).embed(&["one that it gives as before"], Purpose::Query);
        let (after, _) = memories(&file, Embeddings::new(Box::new(Remote::new(server.endpoint()))));
        let request = RecallRequest { query: "green tea".to_owned(), limit: 1, ..RecallRequest::default() };
        let recalled = after.recall(&request).await.expect("recalled");
        assert_eq!(recalled.memories[0].memory.content.text, TEXTS[3]);
        assert!(
            recalled.notes.iter().any(|note| note.contains("of 6 numbers, and those that are stored have 5")),
            "{recalled:?}"
        );
    });

    let server = Server::new(Manner::Refuses(400));
    let long = "the car and ".repeat(100);
    let vectors = Remote::new(server.endpoint()).embed(&["a loaf", &long, "a port"], Purpose::Keep).expect("shortened");
    assert!(vectors[0][1] > 0.9 && vectors[1][0] > 0.9 && vectors[2][3] > 0.9, "{vectors:?}");
}

/// A service over one file, with this model.
fn memories(file: &Path, embeddings: Embeddings) -> (Memories, Arc<dyn Store>) {
    let embeddings = Arc::new(embeddings);
    let location = file.to_str().expect("UTF-8");
    let store = store::open_with(location, OriginalLimits::default(), &embeddings).expect("a store");
    let user = Arc::new(InMemoryStore::default());
    (Memories::new(store.clone(), user, Arc::new(SystemClock)).with(embeddings), store)
}

async fn found(memories: &Memories, query: &str) -> Option<String> {
    let request = RecallRequest { query: query.to_owned(), limit: 1, ..RecallRequest::default() };
    let found = memories.recall(&request).await.expect("recalled").memories;
    found.first().map(|one| one.memory.content.text.clone())
}

async fn until_all_have_vectors(store: &Arc<dyn Store>) {
    for _ in 0..500 {
        if store.without_meaning(1).await.expect("an answer").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("some memories never got a vector");
}

#[test]
fn another_model_embeds_everything_anew_in_the_background() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memory.db");
    run(async {
        let (before, store) = memories(&file, Embeddings::default());
        let drafts = TEXTS.map(|text| Draft { text: text.to_owned(), ..Draft::default() });
        before.remember(drafts.into()).await.expect("remembered");
        assert!(store.without_meaning(1).await.expect("an answer").is_empty());
        drop((before, store));

        let server = Server::new(Manner::Well);
        let (after, store) = memories(&file, Embeddings::new(Box::new(Remote::new(server.endpoint()))));
        assert_eq!(
            store.without_meaning(9).await.expect("an answer").len(),
            5,
            "vectors of another model do not count"
        );
        assert_eq!(found(&after, "green tea").await.as_deref(), Some(TEXTS[3]), "words find before");
        until_all_have_vectors(&store).await;
        assert_eq!(found(&after, "which vehicle").await.as_deref(), Some(TEXTS[0]));
        assert_eq!(store.status().await.expect("an answer").embeddings, 5, "one vector for each");
    });
}

#[test]
fn a_server_that_comes_back_gets_what_it_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memory.db");
    run(async {
        let (down, store) =
            memories(&file, Embeddings::new(Box::new(Remote::new(Server::new(Manner::Down).endpoint()))));
        let drafts = TEXTS.map(|text| Draft { text: text.to_owned(), ..Draft::default() });
        down.remember(drafts.into()).await.expect("remembered all the same");
        assert_eq!(store.without_meaning(9).await.expect("an answer").len(), 5);
        drop((down, store));
        let server = Server::new(Manner::Well);
        let (back, store) = memories(&file, Embeddings::new(Box::new(Remote::new(server.endpoint()))));
        found(&back, "anything").await;
        until_all_have_vectors(&store).await;
        assert_eq!(found(&back, "bakery").await.as_deref(), Some(TEXTS[1]));
    });
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/embed/tiny-bert")
}

/// A copy of the tiny model, to be damaged.
fn copied(folder: &Path) -> PathBuf {
    let copy = folder.join("model");
    fs::create_dir_all(&copy).expect("a folder");
    for name in ["config.json", "vocab.txt", "model.safetensors"] {
        fs::copy(tiny().join(name), copy.join(name)).expect("copied");
    }
    copy
}

#[test]
fn a_model_in_a_folder_computes_as_the_reference_does() {
    let golden: Vec<Value> =
        serde_json::from_str(&fs::read_to_string(tiny().join("golden.json")).expect("golden vectors")).expect("JSON");
    let texts: Vec<&str> = golden.iter().map(|one| one["text"].as_str().expect("a text")).collect();
    let vectors = Folder::new(tiny()).embed(&texts, Purpose::Keep).expect("it works");
    for (one, vector) in golden.iter().zip(vectors) {
        let expected =
            one["vector"].as_array().expect("numbers").iter().map(|number| number.as_f64().expect("a number"));
        for (ours, theirs) in vector.iter().zip(expected) {
            assert!((f64::from(*ours) - theirs).abs() < 1e-4, "{}: {ours} is not {theirs}", one["text"]);
        }
    }
}

#[test]
fn a_folder_that_holds_no_model_is_told_and_words_do_its_work() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("config.json is not there", |folder| fs::remove_file(folder.join("config.json")).expect("removed")),
        ("vocab.txt has no [UNK]", |folder| fs::write(folder.join("vocab.txt"), "a\nb\n").expect("written")),
        ("model.safetensors is not there", |folder| {
            fs::remove_file(folder.join("model.safetensors")).expect("removed");
        }),
        ("lies outside the file", |folder| {
            let bytes = fs::read(folder.join("model.safetensors")).expect("read");
            fs::write(folder.join("model.safetensors"), &bytes[..bytes.len() / 2]).expect("written");
        }),
        ("BERT encoders", |folder| {
            let text = fs::read_to_string(folder.join("config.json")).expect("read").replace("\"bert\"", "\"llama\"");
            fs::write(folder.join("config.json"), text).expect("written");
        }),
        ("which config.json contradicts", |folder| {
            let text = fs::read_to_string(folder.join("config.json")).expect("read");
            let text = text.replace("\"intermediate_size\": 16", "\"intermediate_size\": 24");
            fs::write(folder.join("config.json"), text).expect("written");
        }),
    ];
    for (told, damage) in damages {
        let folder = tempfile::tempdir().expect("a folder");
        let model = copied(folder.path());
        damage(&model);
        run(async {
            let project = Project::with(&[&format!("embedding.model_dir={}", model.display())]);
            let stored = remember(&project).await;
            assert_eq!(stored["stored"][0]["status"], "stored");
            assert!(notes(&stored).contains(told), "{told}: {stored}");
            let found = project.call("memory_recall", json!({ "query": "green tea" })).await;
            assert_eq!(first(&found), TEXTS[3]);
            assert!(notes(&found).contains(told), "{told}: {found}");
        });
    }
}

#[test]
fn vectors_say_which_model_made_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = copied(folder.path());
    let name = |folder: &Path| Folder::new(folder.to_owned()).model().to_owned();
    let before = name(&model);
    assert!(before.starts_with("folder/model/"), "{before}");
    assert_eq!(before, name(&model));
    let mut bytes = fs::read(model.join("model.safetensors")).expect("read");
    let at = bytes.len() - 2;
    bytes[at] ^= 1;
    fs::write(model.join("model.safetensors"), bytes).expect("written");
    assert_ne!(before, name(&model), "another training is another model");
    assert_eq!(Remote::new(Server::new(Manner::Well).endpoint()).model(), "remote/concepts");
}

#[test]
fn the_command_line_uses_the_model_of_the_settings() {
    let place = Place::new();
    let folder = tiny();
    let set = format!("embedding.model_dir={}", folder.display());
    place.ctx(&["remember", "The port of the database server is 8080"]).exits(0);
    place.ctx(&["memory", "doctor"]).exits(0);
    let examined = place.ctx(&["--set", &set, "memory", "doctor"]);
    assert_eq!(examined.code, Some(1), "{examined:?}");
    assert!(examined.stdout.contains("without_vector"), "{examined:?}");
    place.ctx(&["--set", &set, "memory", "doctor", "--fix"]).exits(0);
    place.ctx(&["--set", &set, "memory", "doctor"]).exits(0);
    place.ctx(&["--set", &set, "recall", "the server's port"]).exits(0);
}

#[test]
fn a_repository_cannot_say_where_memories_are_sent() {
    let place = Place::new();
    let server = Server::new(Manner::Well);
    place.file(
        "context-engine.yaml",
        &format!("embedding:\n  url: {}\n  model: concepts\n  api_key: ${{HOME}}\n", server.url),
    );
    place.ctx(&["remember", "The car is red"]).exits(0);
    place.ctx(&["recall", "vehicle"]);
    assert!(server.seen().is_empty(), "{:?}", server.seen());
    let checked = place.ctx(&["config", "check"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.contains("embedding.url") || checked.stderr.contains("embedding.url"), "{checked:?}");
}

#[test]
fn without_embeddings_words_find_memories() {
    let place = Place::new();
    let off = ["--set", "embedding.enabled=false"];
    let with = |rest: &[&'static str]| [&off[..], rest].concat();
    place.ctx(&with(&["remember", "The automobile is red"])).exits(0);
    let count = |shown: &str| {
        let shown: Value = serde_json::from_str(shown).expect("JSON");
        shown.to_string().matches(r#""embeddings":1"#).count()
    };
    assert_eq!(count(place.ctx(&with(&["memory", "stats", "--json"])).exits(0)), 0);
    assert!(place.ctx(&with(&["recall", "red automobile"])).exits(0).contains("The automobile is red"));
    assert!(!place.ctx(&with(&["recall", "vehicle"])).stdout.contains("The automobile is red"));
    assert!(!place.ctx(&with(&["memory", "doctor"])).exits(0).contains("without_vector"));
    // Switched on again, what lacks a vector gets one.
    place.ctx(&["memory", "doctor", "--fix"]).exits(0);
    assert_eq!(count(place.ctx(&["memory", "stats", "--json"]).exits(0)), 1);
}

#[test]
fn a_key_is_never_shown() {
    let place = Place::new();
    let shown = place.ctx(&["--set", "embedding.api_key=sk-geheim", "config", "show"]);
    assert!(shown.exits(0).contains("embedding.api_key") && !shown.stdout.contains("geheim"), "{shown:?}");
    for (sets, told) in [
        (&["embedding.url=http://x"][..], "embedding.model"),
        (&["embedding.url=localhost:1", "embedding.model=m"], "http://"),
        (&["embedding.url=http://x", "embedding.model=m", "embedding.model_dir=/y"], "one model"),
    ] {
        let mut arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        arguments.extend(["config", "check"]);
        let checked = place.ctx(&arguments);
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert!(format!("{}{}", checked.stdout, checked.stderr).contains(told), "{told}: {checked:?}");
    }
    let config = context_engine::config::EmbeddingConfig::Remote {
        url: "http://u:geheim@x".to_owned(),
        model: "m".to_owned(),
        api_key: Some("geheim".to_owned()),
        timeout: Duration::from_secs(1),
        batch_max: 1,
    };
    assert!(!format!("{config:?}").contains("geheim"));
    assert_eq!(app::embeddings(&config).model(), "remote/m");
}
