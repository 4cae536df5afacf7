//! Whatever is put into a tool: it answers with what its schema promises, or with an error that
//! says what to do. No input makes it panic.

use std::sync::Arc;
use std::time::Duration;

use context_engine::app;
use context_engine::config::{self, Environment, Sources};
use context_engine::tools::{self, Call, ErrorKind, Progress, Services, TOOLS, Tool};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// How long a call may take before it is cancelled; some wait for runs when asked to.
const PATIENCE: Duration = Duration::from_secs(2);

/// A project without agents, memories or anything to run.
struct Project {
    services: Arc<Services>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a project");
        std::fs::write(folder.path().join("a.txt"), "one two three\n").expect("a file");
        let home = folder.path().display().to_string();
        let loaded = config::load(&Sources {
            environment: Environment::from([("HOME", home.as_str())]),
            working_directory: folder.path().to_owned(),
            flags: Vec::new(),
            system_file: folder.path().join("none.yaml"),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let services = runtime.block_on(async { app::build(loaded) }).expect("services");
        Self { services, runtime, _folder: folder }
    }

    /// Calls a tool and checks what comes back.
    fn check(&self, tool: &dyn Tool, input: Value) -> Result<(), TestCaseError> {
        let cancel = CancellationToken::new();
        let call = Call {
            services: self.services.clone(),
            cancel: cancel.clone(),
            progress: Progress::to(|update| assert!(!update.message.is_empty())),
            session_id: "ses_test".to_owned(),
            capped: true,
        };
        let shown: String = input.to_string().chars().take(2000).collect();
        let result = self.runtime.block_on(async {
            let calling = tools::call(&call, tool.name(), input);
            tokio::pin!(calling);
            tokio::select! {
                result = &mut calling => result,
                () = tokio::time::sleep(PATIENCE) => {
                    cancel.cancel();
                    calling.await
                }
            }
        });
        match result {
            Ok(answer) => {
                let schemas = tools::schemas(tool);
                for schema in [&schemas.output, &schemas.listed_output] {
                    let validator = jsonschema::validator_for(schema).expect("a schema");
                    let errors = validator.iter_errors(&answer.structured);
                    let wrong: Vec<String> = errors.map(|error| error.to_string()).collect();
                    prop_assert!(wrong.is_empty(), "{}: {wrong:?} in {} for {shown}", tool.name(), answer.structured);
                }
                prop_assert!(answer.text.is_empty() || !answer.structured.is_null(), "{}", tool.name());
            }
            Err(error) => {
                prop_assert!(error.kind != ErrorKind::Internal, "{}: {error} for {shown}", tool.name());
                prop_assert!(!error.message.is_empty() && error.message.len() < 4000, "{}: {error}", tool.name());
            }
        }
        Ok(())
    }
}

#[test]
fn what_is_recalled_has_the_promised_shape_and_count() {
    let project = Project::new();
    let call = Call {
        services: project.services.clone(),
        cancel: CancellationToken::new(),
        progress: Progress::default(),
        session_id: "ses_own".to_owned(),
        capped: true,
    };
    let ask = |tool: &str, input: Value| {
        project.runtime.block_on(tools::call(&call, tool, input)).expect("answers").structured
    };
    let mut memories: Vec<Value> = (0..30)
        .map(|number| json!({ "text": format!("apple tree number {number} bears {} apples", number * 7), "kind": "fact" }))
        .collect();
    memories.push(json!({ "text": "the apple is for this session", "scope": "session" }));
    memories.push(json!({ "text": "the apple is for another one", "scope": "session", "session_id": "ses_other" }));
    ask("memory_store", json!({ "memories": memories }));

    let measure = project.services.default_measure();
    for (input, count) in [
        (json!({ "query": "apple" }), 10),
        (json!({ "query": "apple", "limit": 7, "offset": 3, "explain": true }), 7),
        (json!({ "query": "apple", "limit": 100, "max_tokens": 700 }), 0),
        (json!({ "query": "", "limit": 100, "kind": "fact" }), 30),
    ] {
        let found = ask("memory_recall", input.clone());
        let shown = found["memories"].as_array().expect("a list");
        assert!(
            if count == 0 { !shown.is_empty() && shown.len() < 30 } else { shown.len() == count },
            "{input}: {found}"
        );
        let offset = input["offset"].as_u64().unwrap_or(0) as usize;
        assert_eq!(found["more"], 30 - offset - shown.len(), "{input}: {found}");
        let tokens = measure.count(&found.to_string());
        assert_eq!(found["tokens"], tokens, "{input}: {found}");
        assert!(tokens as u64 <= input["max_tokens"].as_u64().unwrap_or(u64::MAX));
        for key in ["id", "text", "score", "scope", "kind", "actor", "occurred_at", "session_id", "source", "metadata"]
        {
            assert!(shown.iter().all(|one| one.get(key).is_some()), "{key} is missing: {found}");
        }
    }

    let own = json!({ "query": "apple", "scope": "session" });
    let found = ask("memory_recall", own.clone());
    assert_eq!(found["memories"][0]["text"], "the apple is for this session");
    assert_eq!((&found["memories"][1], &found["more"]), (&Value::Null, &json!(0)));
    let gone = ask("memory_forget", json!({ "filter": { "scope": "session" } }));
    assert_eq!(gone["forgotten"][0]["id"], found["memories"][0]["id"]);
    assert_eq!(
        (gone["count"].as_u64(), ask("memory_recall", own)["memories"].as_array().map(Vec::len)),
        (Some(1), Some(0))
    );
    let again = ask("memory_forget", json!({ "ids": [found["memories"][0]["id"]] }));
    assert_eq!(again["already"], json!([found["memories"][0]["id"]]), "{again}");
}

/// Texts that mean something somewhere: names, paths, ids, patterns, and nothing at all.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z]{1,12}( [a-z]{1,8}){0,6}",
        prop::sample::select(vec![
            "",
            "a.txt",
            "../a.txt",
            "/",
            "*",
            "**/*",
            "(",
            "[",
            "\\",
            "\0",
            "\u{FFFD}",
            "-1",
            "o200k_base",
            "run_0123456789abcdef",
            "mem_0123456789abcdef",
            "ctx:01234567",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "claude-sonnet-5",
            "; drop table memories",
        ])
        .prop_map(str::to_owned),
        (1..400_usize).prop_map(|count| "word \u{1F600}\n".repeat(count)),
    ]
}

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
    .boxed()
}

/// Values that mostly satisfy a schema.
fn by_schema(schema: &Value) -> BoxedStrategy<Value> {
    let good = if let Some(Value::Array(values)) = schema.get("enum") {
        prop::sample::select(values.clone()).boxed()
    } else if let Some(Value::Array(options)) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        let options: Vec<_> = options.iter().map(by_schema).collect();
        prop::strategy::Union::new(options).boxed()
    } else if let Some(value) = schema.get("const") {
        Just(value.clone()).boxed()
    } else {
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => any_text().prop_map(Value::from).boxed(),
            Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
            Some("integer") => prop_oneof![0..300_i64, any::<i64>()].prop_map(Value::from).boxed(),
            Some("number") => prop_oneof![0.0..2.0_f64, any::<f64>()].prop_map(Value::from).boxed(),
            Some("array") => {
                let item = schema.get("items").map_or_else(any_json, by_schema);
                prop::collection::vec(item, 0..4).prop_map(Value::from).boxed()
            }
            Some("object") => object_by_schema(schema),
            _ => any_json(),
        }
    };
    prop_oneof![12 => good, 1 => any_json()].boxed()
}

fn object_by_schema(schema: &Value) -> BoxedStrategy<Value> {
    let Some(Value::Object(properties)) = schema.get("properties") else { return any_json() };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let members: Vec<_> = properties
        .iter()
        .map(|(name, schema)| {
            let chance = if required.contains(&name.as_str()) { 0.97 } else { 0.3 };
            let name = name.clone();
            prop::option::weighted(chance, by_schema(schema).prop_map(move |value| (name.clone(), value)))
        })
        .collect();
    members.prop_map(|members| Value::Object(Map::from_iter(members.into_iter().flatten()))).boxed()
}

fn check_all(cases: u32, input: impl Fn(&'static dyn Tool) -> BoxedStrategy<Value>) {
    let project = Project::new();
    for tool in TOOLS.iter().copied() {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(&input(tool), |input| project.check(tool, input));
        result.unwrap_or_else(|error| panic!("{}: {error}", tool.name()));
    }
}

#[test]
fn any_json_is_answered() {
    check_all(40, |_| any_json());
}

#[test]
fn almost_right_input_is_answered() {
    check_all(60, |tool| by_schema(&tools::schemas(tool).input));
}

#[test]
fn extreme_input_is_answered() {
    let project = Project::new();
    let long = "x".repeat(1 << 20);
    for tool in TOOLS.iter().copied() {
        let Value::Object(properties) = tools::schemas(tool).input["properties"].clone() else { continue };
        for name in properties.keys() {
            for value in [
                json!(long),
                json!(i64::MIN),
                json!(u64::MAX),
                json!(1e308),
                json!([]),
                json!({}),
                json!(vec![0; 5000]),
            ] {
                let input = json!({ name.as_str(): value });
                project.check(tool, input).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        project.check(tool, json!({ long.as_str(): 1 })).unwrap_or_else(|error| panic!("{error}"));
    }
}
