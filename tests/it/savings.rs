//! `ctx savings`: what every call saved, added up honestly.

use context_engine::base::{Handle, content_hash};
use context_engine::compress::savings::Saving;
use context_engine::compress::{COMPRESSORS, Request, fit};
use context_engine::store::SavingRow;
use context_engine::tokens::{Encoding, Measure};
use serde_json::json;

use crate::cli::Place;
use crate::compress_kinds::fixture_of;
use crate::support::{Project, run};

fn long(what: &str) -> String {
    (0..400).map(|number| format!("Sentence {number} tells something new about {what}. ")).collect()
}

fn tokens(text: &str) -> u64 {
    Encoding::default().count(text) as u64
}

/// The sums of one tool.
async fn of_tool(project: &Project, tool: &str) -> Vec<SavingRow> {
    let rows = project.services.savings.of_days(1).await.expect("read");
    rows.into_iter().filter(|row| row.tool == tool).collect()
}

#[test]
fn every_call_is_counted_also_one_that_saves_nothing() {
    run(async {
        let project = Project::new();
        let text = long("cats");
        let cut = project.call("context_compress", json!({ "text": text, "max_tokens": 200 })).await;
        for _ in 0..2 {
            project.call("context_compress", json!({ "text": "It fits.", "max_tokens": 200 })).await;
        }
        let rows = of_tool(&project, "context_compress").await;
        let [none, most] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((none.percent, none.calls, none.before, none.after, none.marks), (0, 2, 6, 6, 0));
        let after = cut["tokens_after"].as_u64().expect("a number");
        assert_eq!((most.calls, most.before, most.after, most.kind.as_str()), (1, tokens(&text), after, "prose"));
        assert_eq!(i64::from(most.percent), (100 * (most.before - after) / most.before) as i64);
        // The mark that names the handle is in the result, and it costs something.
        assert!(most.marks >= 10 && most.marks < after, "{most:?}");
        assert_eq!(most.day, project.services.store.savings(most.day).await.expect("read")[0].day);

        let handle = cut["handle"].as_str().expect("a handle");
        let part = project.call("context_retrieve", json!({ "handle": handle, "regex": "Sentence 7 " })).await;
        let fetched = of_tool(&project, "context_retrieve").await;
        assert_eq!((fetched[0].before, fetched[0].after), (0, part["tokens"].as_u64().expect("a number")));

        let sources = json!([{ "text": long("dogs") }, { "text": "Short." }]);
        let packet = project.call("context_pack", json!({ "sources": sources, "max_tokens": 300 })).await;
        let rows = of_tool(&project, "context_pack").await;
        assert_eq!((rows[0].kind.as_str(), rows[0].before), ("packet", tokens(&long("dogs")) + tokens("Short.")));
        assert_eq!(rows[0].after, packet["tokens"].as_u64().expect("a number"));
    });
}

#[test]
fn the_marks_of_every_kind_cost_something() {
    let measure = Measure::default();
    for compressor in COMPRESSORS {
        let (kind, name) = (compressor.kind(), compressor.kind().word());
        let text = fixture_of(kind);
        for share in [4, 10] {
            let handle = Handle::of_hash(&content_hash(text.as_bytes()), 8);
            let budget = (measure.count(&text) / share).max(60);
            let request =
                Request { kind: Some(kind), handle: Some(&handle), ..Request::new(&text, Some(budget), measure) };
            let made = fit(&request).expect("fits");
            let saving = Saving::of("test", kind, made.tokens_before, made.tokens_after, &made.text, measure);
            let told = format!("{name} at 1/{share}: {saving:?}\n{}", made.text);
            assert_eq!(saving.marks > 0, !made.cuts.is_empty(), "{told}");
            assert!(saving.marks <= saving.after, "{told}");
            // The mark that names the handle is always one of them.
            if made.text.contains(handle.as_str()) {
                assert!(saving.marks >= measure.count(handle.as_str()), "{told}");
            }
        }
    }
}

#[test]
fn the_results_of_agents_are_counted() {
    run(async {
        let project = Project::new();
        project.file("long.txt", &long("birds"));
        project.command_agent("reader", &["cat", "long.txt"], &[]);
        let input = json!({ "agent": "reader", "task": "Read it.", "result_tokens": 150 });
        let out = project.call("delegate_task", input).await;
        assert_eq!(out["status"], "succeeded", "{out}");
        let rows = of_tool(&project, "delegate_task").await;
        assert_eq!((rows.len(), rows[0].calls), (1, 1));
        assert_eq!(rows[0].after, out["result_tokens"].as_u64().expect("a number"));
        assert!(rows[0].percent > 80, "{rows:?}");
    });
}

#[test]
fn the_command_tells_sums_and_median() {
    let place = Place::new();
    assert_eq!(place.ctx(&["savings"]).exits(0), "nothing was compressed in the last 30 days\n");
    place.ctx_with("It fits.", &["compress", "--max-tokens", "50"]).exits(0);
    assert!(!place.project().join(".claude/data").exists(), "a call that saves nothing makes no store");
    let text = long("fish");
    let cut = place.ctx_with(&text, &["compress", "--max-tokens", "100", "--json"]).json();
    for _ in 0..2 {
        place.ctx_with("It fits.", &["compress", "--max-tokens", "50"]).exits(0);
    }
    place.ctx(&["run", "--max-tokens", "100", "--", "seq", "5000"]).exits(0);
    place.ctx(&["run", "--", "echo", "short"]).exits(0);
    place.ctx(&["retrieve", cut["handle"].as_str().expect("a handle"), "1-1", "--max-tokens", "70"]).exits(0);

    let ran = place.ctx(&["savings", "--json", "--days", "2"]);
    ran.exits(0);
    let told = ran.json();
    let total = &told["total"];
    assert_eq!(
        (&total["calls"], &total["calls_below_1_percent"], &total["median_percent"]),
        (&5.into(), &3.into(), &0.into())
    );
    assert!(total["percent"].as_u64().is_some_and(|percent| percent > 90), "{told}");
    let line = told["lines"].as_array().expect("a list").iter().find(|line| line["tool"] == "context_compress");
    let line = line.expect("the tool is listed");
    assert_eq!((&line["calls"], &line["tokens_before"]), (&3.into(), &(tokens(&text) + 6).into()), "{told}");
    let saved = total["tokens_saved"].as_i64().expect("a number");
    let fetched = told["fetched"]["tokens"].as_i64().expect("a number");
    assert!(fetched > 0 && told["net_tokens_saved"] == saved - fetched, "{told}");
    let text = place.ctx(&["savings"]);
    assert!(text.exits(0).contains("Half of the 5 calls saved 0 % or less; 3 saved less than 1 %."), "{text:?}");
    assert!(text.stdout.lines().next().is_some_and(|line| line.ends_with("median")), "{text:?}");
}
