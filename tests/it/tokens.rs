//! Exact counts: the counter against an independent exact one, and against its own promises.

use context_engine::tokens::{Encoding, Measure, for_model};

use crate::checks;
use crate::texts::Random;

/// The two ways that text is cut; `o200k_harmony` cuts ordinary text as `o200k_base` does.
fn references() -> [(Encoding, &'static bpe_openai::Tokenizer); 2] {
    [(Encoding::Cl100kBase, bpe_openai::cl100k_base()), (Encoding::O200kBase, bpe_openai::o200k_base())]
}

/// Asserts that the encoding counts `text` as the reference does.
fn check(encoding: Encoding, reference: &bpe_openai::Tokenizer, text: &str) {
    assert_eq!(encoding.count(text), reference.count(text), "{encoding}: {text:?}");
}

/// In a debug build, where everything is slow, the parts of the code space that hold no characters
/// are sampled.
fn code_points() -> impl Iterator<Item = char> {
    let all = !cfg!(debug_assertions);
    ('\0'..=char::MAX).filter(move |c| all || (*c as u32) < 0x3400 || (*c as u32).is_multiple_of(64))
}

#[test]
fn every_code_point_in_context_counts_as_in_the_reference() {
    std::thread::scope(|scope| {
        for (encoding, reference) in references() {
            scope.spawn(move || {
                for c in code_points() {
                    check(encoding, reference, &checks::in_context(c));
                }
            });
        }
    });
}

#[test]
fn random_texts_count_as_in_the_reference() {
    let rounds = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    std::thread::scope(|scope| {
        for (encoding, reference) in references() {
            scope.spawn(move || {
                let mut random = Random::new(7);
                for _ in 0..rounds {
                    check(encoding, reference, &random.text());
                }
            });
        }
    });
}

/// Texts of about `len` bytes that have made counters panic or crawl.
fn hard_texts(len: usize) -> Vec<(&'static str, String)> {
    let mut random = Random::new(3);
    let mut any = |first: u32, count: usize, width: usize| -> String {
        (0..len / width).filter_map(|_| char::from_u32(first + random.below(count) as u32)).collect()
    };
    vec![
        ("spaces", " ".repeat(len)),
        ("newlines", "\n".repeat(len)),
        ("newline, then spaces", format!("\n{}x", " ".repeat(len))),
        ("one letter", "a".repeat(len)),
        ("two letters", "ab".repeat(len / 2)),
        ("digits", "7".repeat(len)),
        ("slashes", "/".repeat(len)),
        ("quotes", "'".repeat(len)),
        ("zeros", "\0".repeat(len)),
        ("a caseless letter, then capitals", format!("ʰ{}", "A".repeat(len))),
        ("random letters", any(0x61, 26, 1)),
        ("random signs", any(0x21, 15, 1)),
        ("Chinese", any(0x4e00, 0x5200, 3)),
        ("emoji", any(0x1f300, 700, 4)),
        ("family emoji", "👨‍👩‍👧‍👦".repeat(len / 25)),
        ("combining marks", "\u{301}".repeat(len / 2)),
        ("special tokens", "<|endoftext|>".repeat(len / 13)),
        ("spaces and tabs", format!("{}\t", " ".repeat(82)).repeat(len / 83)),
    ]
}

/// Rows of every length, twice, so that what was remembered of one is not taken for another.
#[test]
fn rows_of_every_length_count_as_in_the_reference() {
    for (encoding, reference) in references() {
        for _ in 0..2 {
            for part in
                [" ", "\n", "\r\n", "\t", "-", "=-", "/*", "....!", "\0", " \n", "ab", "\u{301}", "0123456789abcdef"]
            {
                for count in (1..70).chain([100, 127, 128, 200, 254, 255, 256, 257, 300]) {
                    check(encoding, reference, &format!("{}x", part.repeat(count)));
                }
            }
        }
    }
}

/// Under a seventh of a megabyte, so that the reference, too, copes in a debug build.
#[test]
fn hard_texts_count_as_in_the_reference() {
    for (encoding, reference) in references() {
        for (name, text) in hard_texts(1 << if cfg!(debug_assertions) { 14 } else { 20 }) {
            assert_eq!(encoding.count(&text), reference.count(&*text), "{encoding}: {name}");
        }
    }
}

#[test]
fn a_megabyte_of_anything_is_counted_and_cut() {
    for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
        for (name, text) in hard_texts(1 << if cfg!(debug_assertions) { 16 } else { 20 }) {
            let tokens = encoding.count(&text);
            assert!(tokens > 0 && tokens <= text.len(), "{encoding}: {name}");
            assert_eq!(Measure::exact(encoding).count_parallel(&text), tokens, "{encoding}: {name}");
            assert!(!encoding.fits(&text, tokens - 1) && encoding.fits(&text, tokens), "{encoding}: {name}");
            check_cuts(Measure::exact(encoding), &text, 200);
        }
    }
}

/// Asserts what a cut promises: a part of the text at its beginning or end, never over the limit,
/// and not less than it needs to be.
fn check_cuts(measure: Measure, text: &str, limit: usize) {
    let prefix = measure.prefix(text, limit);
    let suffix = measure.suffix(text, limit);
    assert!(text.starts_with(prefix) && text.ends_with(suffix));
    for part in [prefix, suffix] {
        let tokens = measure.count(part);
        assert!(tokens <= limit, "{measure}: {tokens} > {limit}: {part:?} of {text:?}");
        if part.len() < text.len() {
            // A character has at most four bytes, so at most four tokens are left unspent, and a few
            // where a cut changes how the text beside it is spelled.
            let slack = 8 * measure.factor_percent().unwrap_or(100) as usize / 100;
            assert!(tokens + slack >= limit, "{measure}: only {tokens} of {limit}: {part:?} of {text:?}");
        }
    }
    // A character more would be too much, except in a pretoken so long that not every place is tried.
    if text.len() > 10_000 {
        return;
    }
    if let Some(next) = text[prefix.len()..].chars().next() {
        let longer = &text[..prefix.len() + next.len_utf8()];
        assert!(measure.count(longer) > limit, "{measure}: {longer:?} fits {limit} too, part of {text:?}");
    }
    let before = &text[..text.len() - suffix.len()];
    if let Some(last) = before.chars().next_back() {
        let longer = &text[before.len() - last.len_utf8()..];
        assert!(measure.count(longer) > limit, "{measure}: {longer:?} fits {limit} too, part of {text:?}");
    }
}

#[test]
fn a_cut_keeps_within_its_limit_and_uses_it() {
    let measures = [
        Measure::exact(Encoding::Cl100kBase),
        Measure::exact(Encoding::O200kBase),
        for_model("claude-sonnet-4-5").unwrap(),
        for_model("claude-opus-4-7").unwrap(),
        for_model("gemini-2.5-pro").unwrap(),
    ];
    let mut random = Random::new(11);
    for _ in 0..if cfg!(debug_assertions) { 5_000 } else { 200_000 } {
        let text = random.text();
        let measure = measures[random.below(measures.len())];
        let tokens = measure.count(&text);
        check_cuts(measure, &text, random.below(tokens + 2));
    }
}

#[test]
fn fits_agrees_with_count() {
    let mut random = Random::new(13);
    for _ in 0..2_000 {
        let text = random.text();
        for measure in [Measure::default(), for_model("claude-sonnet-4-5").unwrap()] {
            let tokens = measure.count(&text);
            assert!(measure.fits(&text, tokens), "{measure}: {text:?}");
            assert!(tokens == 0 || !measure.fits(&text, tokens - 1), "{measure}: {text:?}");
        }
    }
}

#[test]
fn long_texts_are_cut_and_answered_as_counted() {
    let measures = [
        Measure::exact(Encoding::Cl100kBase),
        Measure::exact(Encoding::O200kBase),
        for_model("claude-sonnet-4-5").unwrap(),
    ];
    let random = &mut Random::new(17);
    let rounds = if cfg!(debug_assertions) { 8 } else { 1_000 };
    let mut texts: Vec<String> = (0..rounds)
        .map(|_| {
            // Half of them of few parts only, so that boundaries are rare.
            let parts: Vec<String> = (0..1 + random.below(6)).map(|_| random.text()).collect();
            let few = random.below(2) == 0;
            (0..300).map(|_| if few { parts[random.below(parts.len())].clone() } else { random.text() }).collect()
        })
        .collect();
    texts.extend(["  1", "1  ", "a ", " 1\n", "aB", "\n/", "中a"].map(|part| part.repeat(6_000)));
    texts.extend(hard_texts(12_000).into_iter().map(|(_, text)| text));
    for text in &texts {
        for measure in measures {
            let tokens = measure.count(text);
            for limit in [tokens - 1, tokens, tokens + 1, random.below(tokens), random.below(300)] {
                assert_eq!(measure.fits(text, limit), tokens <= limit, "{measure}: {limit} of {tokens}");
                check_cuts(measure, text, limit);
            }
        }
    }
}

/// The parts of a text cost at least what the text does, so a budget may be split over them.
#[test]
fn lines_of_an_estimate_add_up() {
    let measure = for_model("claude-sonnet-4-5").unwrap();
    let text = "English, then 中文字, then 日本語の文章。\nAnd again: ключ = значение\n";
    let lines: usize = text.split_inclusive('\n').map(|line| measure.count(line)).sum();
    assert!(measure.count(text) <= lines && lines <= measure.count(text) + 2);
}

/// What `fuzz/` asks of the texts that a fuzzer finds, asked of some that are made up, so that its
/// target cannot rot.
#[test]
fn the_fuzz_target_holds_for_random_texts() {
    let mut random = Random::new(17);
    for _ in 0..if cfg!(debug_assertions) { 3_000 } else { 100_000 } {
        let mut bytes: Vec<u8> = (0..2).map(|_| random.below(256) as u8).collect();
        bytes.extend(random.text().bytes());
        if random.below(4) == 0 {
            let at = random.below(bytes.len());
            bytes[at] = random.below(256) as u8;
        }
        checks::check_bytes(&bytes);
    }
}

/// The older encodings, with the reference for each.
fn rare_references() -> [(Encoding, &'static tiktoken_rs::CoreBPE); 3] {
    [
        (Encoding::R50kBase, tiktoken_rs::r50k_base_singleton()),
        (Encoding::P50kBase, tiktoken_rs::p50k_base_singleton()),
        (Encoding::P50kEdit, tiktoken_rs::p50k_edit_singleton()),
    ]
}

#[test]
fn older_encodings_count_as_in_the_reference() {
    std::thread::scope(|scope| {
        for (encoding, reference) in rare_references() {
            scope.spawn(move || {
                let check = |text: &str| {
                    assert_eq!(encoding.count(text), reference.encode_ordinary(text).len(), "{encoding}: {text:?}");
                };
                let random = &mut Random::new(19);
                for _ in 0..if cfg!(debug_assertions) { 3_000 } else { 300_000 } {
                    check(&random.text());
                }
                // A debug build takes a part of the code points that all the others share.
                for c in code_points().filter(|c| !cfg!(debug_assertions) || (*c as u32).is_multiple_of(5)) {
                    check(&format!("a{c}b {c} A{c}B {c}b1{c}2'{c}\n{c}{c}!{c}c {c}\n'S{c}  {c}'ll"));
                }
                for (_, text) in hard_texts(2_000) {
                    check(&text);
                }
            });
        }
    });
}

#[test]
fn older_encodings_count_and_cut_a_megabyte_of_anything() {
    for encoding in [Encoding::R50kBase, Encoding::P50kBase, Encoding::P50kEdit] {
        let measure = Measure::exact(encoding);
        for (name, text) in hard_texts(1 << if cfg!(debug_assertions) { 14 } else { 20 }) {
            let tokens = encoding.count(&text);
            assert!(tokens > 0 && tokens <= text.len(), "{encoding}: {name}");
            assert!(!encoding.fits(&text, tokens - 1) && encoding.fits(&text, tokens), "{encoding}: {name}");
            assert_eq!(measure.count_parallel(&text), tokens, "{encoding}: {name}");
            let (prefix, suffix) = (encoding.prefix(&text, 200), encoding.suffix(&text, 200));
            assert!(text.starts_with(prefix) && encoding.count(prefix) <= 200, "{encoding}: {name}");
            assert!(text.ends_with(suffix) && encoding.count(suffix) <= 200, "{encoding}: {name}");
            assert!(!prefix.is_empty() && !suffix.is_empty(), "{encoding}: {name}");
        }
        let random = &mut Random::new(23);
        for _ in 0..if cfg!(debug_assertions) { 500 } else { 20_000 } {
            let text = random.text();
            check_cuts(measure, &text, random.below(encoding.count(&text) + 2));
        }
    }
}

#[test]
fn every_encoding_is_parsed_by_its_name_and_listed_in_the_error() {
    let message = "x50k".parse::<Encoding>().unwrap_err().to_string();
    for encoding in Encoding::ALL {
        assert_eq!(encoding.name().parse::<Encoding>(), Ok(encoding));
        assert_eq!(serde_json::to_value(encoding).unwrap(), encoding.name());
        assert!(message.contains(encoding.name()), "{message}");
    }
}
