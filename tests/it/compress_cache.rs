//! Results that are given again: the same bytes, with their original still there.

use context_engine::store::Purge;
use serde_json::{Value, json};

use crate::support::{Project, run};

async fn counts(project: &Project) -> (u64, u64) {
    let health = project.call("server_health", json!({})).await;
    let count = |name: &str| health["metrics"][name].as_u64().unwrap_or_else(|| panic!("{name} in {health}"));
    (count("compress_cache_hits_total"), count("compress_cache_misses_total"))
}

#[test]
fn the_same_wish_gets_the_same_bytes_and_its_original() {
    run(async {
        let project = Project::new();
        let text: String =
            (0..500).map(|number| format!("Sentence {number} is about cats and password=hunter{number}2. ")).collect();
        let compress = async |more: Value| {
            let mut input = json!({ "text": text, "max_tokens": 200 });
            input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            project.call("context_compress", input).await
        };
        project.call("context_compress", json!({ "text": "It fits.", "max_tokens": 200 })).await;
        assert_eq!(counts(&project).await, (0, 0), "what fits needs no cache");
        let first = compress(json!({})).await;
        assert_eq!(counts(&project).await, (0, 1));
        assert_eq!(compress(json!({})).await, first);
        assert_eq!(counts(&project).await, (1, 1));
        for other in [
            json!({ "query": "cats" }),
            json!({ "max_tokens": 201 }),
            json!({ "kind": "log" }),
            json!({ "encoding": "cl100k_base" }),
        ] {
            compress(other).await;
        }
        assert_eq!(counts(&project).await, (1, 5));

        let store = &project.services.store;
        let handle = first["handle"].as_str().expect("a handle");
        let whole = project.call("context_retrieve", json!({ "handle": handle })).await;
        store.purge_originals(Purge::All, project.services.clock.now()).await.expect("purged");
        assert_eq!(compress(json!({})).await, first, "made again, from the text that was sent");
        assert_eq!(counts(&project).await, (1, 6));
        assert_eq!(project.call("context_retrieve", json!({ "handle": handle })).await, whole);

        let rows = project.services.savings.of_days(1).await.expect("read");
        let calls: u64 = rows.iter().filter(|row| row.tool == "context_compress").map(|row| row.calls).sum();
        assert_eq!(calls, 8, "a call that is answered from the cache is a call");
    });
}

#[test]
fn lossless_results_are_given_again_as_well() {
    run(async {
        let project = Project::new();
        let text = "the same line over and over\n".repeat(300);
        let first = project.call("context_compress", json!({ "text": text })).await;
        assert!(first["level"] == "whitespace" && first["reversible"] == true, "{first}");
        assert_eq!(project.call("context_compress", json!({ "text": text })).await, first);
        assert_eq!(counts(&project).await, (1, 1));
    });
}
