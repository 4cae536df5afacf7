//! What is kept of conversations and of prose, on made-up ones: the turn that answers, whoever said
//! it and in whatever words, and without a query what happened rather than how do you do.

use context_engine::compress::{Fitted, Kind, Request, detect, fit};
use context_engine::tokens::Measure;

/// What is said between what matters, in turns of every length.
const CHATTER: &[&str] = &[
    "Hi! How have you been?",
    "Oh, fine. And you?",
    "Same here, really. It is good to hear your voice again after such a while.",
    "That sounds great!",
    "I think so too. You always know what to say, and I appreciate that more than you know.",
    "Ha, you are too kind.",
    "What do you make of it?",
    "Hard to tell. It could go either way, and there is no hurry.",
];

/// A chat of many days between two people, with what matters said now and then.
fn chat(facts: &[(usize, &str, &str)]) -> String {
    let mut text = String::new();
    for day in 0..12 {
        text.push_str(&format!("## Day {day} ({} May, 2023)\n", day + 3));
        for turn in 0..16 {
            let said = facts.iter().find(|(at, _, _)| *at == day * 16 + turn);
            let (name, words) = match said {
                Some((_, name, words)) => (*name, *words),
                None => (["Vera", "Tomas"][turn % 2], CHATTER[(day * 5 + turn) % CHATTER.len()]),
            };
            text.push_str(&format!("{name}: {words}\n"));
        }
    }
    text
}

const FACTS: &[(usize, &str, &str)] = &[
    (21, "Tomas", "My sister had her wedding in Porto last Saturday, and I was asked to give the speech."),
    (38, "Vera", "I sold the old van, so I ride my bicycle to the clinic now."),
    (70, "Vera", "The doctor says I must not eat shellfish any more."),
    (71, "Tomas", "I may eat whatever I like, said mine."),
    (101, "Tomas", "We called the puppy Biscuit, after the colour of his ears."),
    (150, "Vera", "I have been accepted for the master's course in marine biology."),
];

fn fitted(text: &str, query: Option<&str>, max_tokens: usize) -> Fitted {
    let request = Request { query, ..Request::new(text, Some(max_tokens), Measure::default()) };
    let fitted = fit(&request).expect("fits");
    assert!(fitted.tokens_after <= max_tokens, "{fitted:?}");
    fitted
}

#[test]
fn the_turn_that_answers_is_kept_in_a_twelfth_of_the_chat() {
    let text = chat(FACTS);
    assert_eq!(detect(&text).kind, Kind::Dialog);
    for (query, answer) in [
        ("Where did Tomas's sister get married?", FACTS[0].2),
        ("Which vehicle has Vera sold?", FACTS[1].2),
        ("What food is forbidden to Vera by her physician?", FACTS[2].2),
        ("what is the name of Tomas' dog", FACTS[4].2),
        ("Which degree will Vera study for at the university?", FACTS[5].2),
    ] {
        let fitted = fitted(&text, Some(query), 230);
        assert!(fitted.tokens_before > 12 * 230, "{}", fitted.tokens_before);
        assert!(fitted.text.contains(answer), "{query}\n{}", fitted.text);
    }
}

#[test]
fn a_turn_that_tells_of_last_week_keeps_its_day() {
    let text = chat(FACTS);
    for query in ["When was the wedding of Tomas's sister?", "Who gave a speech at the wedding?"] {
        let fitted = fitted(&text, Some(query), 200);
        assert!(fitted.text.contains("## Day 1 (4 May, 2023)\n"), "{}", fitted.text);
    }
}

#[test]
fn without_a_query_what_happened_is_kept() {
    let text = chat(FACTS);
    let fitted = fitted(&text, None, 500);
    for (_, _, fact) in FACTS {
        assert!(fitted.text.contains(fact), "{fact}\n{}", fitted.text);
    }
    assert!(fitted.text.contains("Hi! How have you been?"), "the first turn is missing:\n{}", fitted.text);
    let last = text.lines().last().expect("a turn");
    assert!(fitted.text.contains(last), "the last turn is missing:\n{}", fitted.text);
}

#[test]
fn without_a_query_what_somebody_did_comes_before_praise_and_farewells() {
    let mut text = String::new();
    for day in 0..10 {
        text.push_str(&format!("## Day {day} ({} May, 2023)\n", day + 3));
        for said in [
            format!("Vera: I painted the fence number {day} with my father and we sold it."),
            format!("Tomas: You surely deserve your applause for such marvellous fence {day}!"),
            "Vera: Will you admire whichever gate comes afterwards?".to_owned(),
            format!("Tomas: Cheerio, splendid neighbour, enjoy meadow {day}."),
            "Vera: Likewise, sleep soundly.".to_owned(),
        ] {
            text.push_str(&said);
            text.push('\n');
        }
    }
    let fitted = fitted(&text, None, 250);
    let kept = |what: &str| fitted.text.matches(what).count();
    assert!(kept("I painted the fence") > 2 * kept("You surely deserve"), "{}", fitted.text);
    assert!(kept("I painted the fence") > 2 * kept("Cheerio"), "{}", fitted.text);
}

#[test]
fn a_numbered_turn_is_the_line_of_that_number_and_every_gap_is_told() {
    let text = chat(FACTS);
    let lines: Vec<&str> = text.lines().collect();
    for query in [None, Some("When did Vera sell the van?"), Some("what did they call the dog")] {
        for max_tokens in [60, 150, 400, 1_000, 2_000] {
            let fitted = fitted(&text, query, max_tokens);
            let mut cut = vec![false; lines.len()];
            for gap in &fitted.cuts {
                assert!(!gap.partial, "every turn is short: {gap:?}");
                cut[gap.from_line - 1..gap.to_line].fill(true);
            }
            let kept: Vec<&str> = (0..lines.len()).filter(|line| !cut[*line]).map(|line| lines[line]).collect();
            let mut written = Vec::new();
            for line in fitted.text.lines().filter(|line| !line.starts_with('[')) {
                let rest = line.trim_start_matches('…');
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                match rest[..digits].parse::<usize>() {
                    Ok(number) if line.starts_with('…') => {
                        assert_eq!(&rest[digits + 1..], lines[number - 1], "{line}");
                        written.push(lines[number - 1]);
                    }
                    _ => written.push(rest),
                }
            }
            assert_eq!(written, kept, "{query:?} at {max_tokens}:\n{}", fitted.text);
        }
    }
}

#[test]
fn whoever_presents_in_a_meeting_is_heard_with_the_topic_around_it() {
    let topics = [
        ("battery", "the battery lasts two days when the radio sleeps"),
        ("case", "the case is to be made of rubber so that it survives a fall"),
        ("price", "the price must stay below thirty francs to leave us a margin"),
    ];
    let mut text = String::new();
    for (topic, claim) in topics {
        for turn in 0..30 {
            let name = ["Project Manager", "Industrial Designer", "Marketing"][turn % 3];
            let said = match turn {
                0 => format!("Let us talk about the {topic} now."),
                13 => format!("Well, I believe that {claim}."),
                14 => "And why is that so important to you?".to_owned(),
                _ => format!("Mm, {}", CHATTER[turn % CHATTER.len()]),
            };
            text.push_str(&format!("{name}: {said}\n"));
        }
    }
    for (topic, claim) in topics {
        let query = format!("What did the industrial designer say when they were discussing the {topic}?");
        let fitted = fitted(&text, Some(&query), 160);
        assert!(fitted.text.contains(claim), "{query}\n{}", fitted.text);
    }
}

#[test]
fn a_long_turn_gives_its_best_sentence_under_its_name() {
    let filler = "Nothing of note was decided on this point, as everybody agreed to look at it again. ".repeat(12);
    let text = format!(
        "Ann: Shall we begin?\nBob: {filler}The deadline for the grant is the ninth of June. {filler}\nAnn: Thank you.\n\
         Bob: Not at all.\n"
    );
    let fitted = fitted(&text, Some("When is the grant due?"), 80);
    let line = fitted.text.lines().find(|line| line.contains("ninth of June")).expect("the sentence is kept");
    assert!(line.contains("Bob: "), "{}", fitted.text);
}

#[test]
fn prose_answers_in_other_words() {
    let paragraph = |topic: &str, claim: &str| {
        let about = format!("The {topic} of the island has been described by many travellers over the years.");
        format!("{about} Accounts differ in detail. {claim} Later writers repeated all of it without a visit.\n\n")
    };
    let text: String = [
        ("harbour", "Ships of any draught can anchor there in winter."),
        ("kitchen", "Cooks season nearly every dish with wild fennel."),
        ("school", "Pupils learn two languages before they are ten."),
        ("hospital", "Its physicians were trained in Lyon and paid by the guild."),
        ("forest", "Oaks were felled for masts until none was left."),
    ]
    .map(|(topic, claim)| paragraph(topic, claim))
    .concat();
    for (query, answer) in [
        ("Who paid the doctors?", "paid by the guild"),
        ("Which herb is used in the food?", "wild fennel"),
        ("Why were the trees cut down?", "felled for masts"),
    ] {
        let request = Request {
            query: Some(query),
            kind: Some(Kind::Prose),
            ..Request::new(&text, Some(70), Measure::default())
        };
        let fitted = fit(&request).expect("fits");
        assert!(fitted.text.contains(answer), "{query}\n{}", fitted.text);
    }
}
