//! Fitting parts into one packet.

use super::Part;
use super::allocate::{Want, allocate};
use crate::base::{Handle, thousands};
use crate::compress::{self, Cut, Fitted, Kind, Level, Levels, Query, fit};
use crate::tokens::Budget;

/// A part gets at least so many tokens or is left out: less would hold little but its mark.
const PART_MIN: usize = 24;

/// Packets of fewer tokens have no table of contents.
const CONTENTS_MIN: usize = 240;

/// How often the room of the parts is made smaller when the whole is over the budget.
const TRIES: usize = 12;

/// What is to be packed, and into what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The parts, in the order of the packet.
    pub parts: &'a [Part],
    /// What the reader wants to know; parts that answer it get more room.
    pub query: Option<&'a str>,
    /// The levels of compression that may be used.
    pub levels: Levels,
    /// The size of the packet.
    pub budget: Budget,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The text: a table of contents, then each part under its label.
    pub text: String,
    /// Its tokens.
    pub tokens: usize,
    /// What became of each part, in the order given.
    pub parts: Vec<PackedPart>,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPart {
    /// Where it comes from.
    pub label: String,
    /// Its tokens before.
    pub tokens_before: usize,
    /// Its tokens in the packet, without its label; 0 when it was left out.
    pub tokens: usize,
    /// The kind of its text.
    pub kind: Kind,
    /// How far it was changed; `None` when it was left out.
    pub level: Option<Level>,
    /// What was cut of it.
    pub cuts: Vec<Cut>,
    /// The handle of its original.
    pub handle: Option<Handle>,
}

/// Why there is no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// What must be in the packet is larger than the packet, or nothing has room in it.
    #[error("the smallest packet needs {needed} tokens, more than the {max_tokens} allowed")]
    CannotFit {
        /// The tokens needed.
        needed: usize,
        /// The tokens allowed.
        max_tokens: usize,
    },
}

/// Returns the parts in one packet, never over the budget.
pub fn pack(request: &Request<'_>) -> Result<Packed, PackError> {
    let Request { parts, budget, .. } = *request;
    let counts: Vec<usize> = parts.iter().map(|part| budget.measure.count(&part.text)).collect();
    let wants = wants(request, &counts);
    let mandatory: usize = wants.iter().filter(|want| want.mandatory).map(|want| want.tokens).sum();
    let has_contents = parts.len() > 1 && budget.tokens >= CONTENTS_MIN;
    let mut room = budget.tokens.saturating_sub(overhead(request, has_contents));
    for _ in 0..TRIES {
        let texts = fit_parts(request, &wants, room);
        let text = write(parts, &counts, &texts, has_contents, true);
        let tokens = budget.measure.count(&text);
        if tokens <= budget.tokens {
            if texts.iter().all(Option::is_none) {
                break;
            }
            return Ok(packed(parts, &counts, texts, text, tokens));
        }
        let over = tokens - budget.tokens;
        if room <= mandatory {
            break;
        }
        room = room.saturating_sub(over + over / 8 + 1).max(mandatory);
    }
    if mandatory > 0 {
        let texts = fit_parts(request, &wants, mandatory);
        // Rather what must stay alone, and no word on what was left out, than nothing.
        let text = write(parts, &counts, &texts, false, false);
        let needed = budget.measure.count(&text);
        if needed <= budget.tokens {
            return Ok(packed(parts, &counts, texts, text, needed));
        }
        return Err(PackError::CannotFit { needed, max_tokens: budget.tokens });
    }
    if let Some(packed) = whole_ones(request, &wants, &counts).or_else(|| only_one(request, &wants, &counts, budget)) {
        return Ok(packed);
    }
    if parts.is_empty() {
        return Ok(packed(parts, &counts, Vec::new(), String::new(), 0));
    }
    let all: usize = counts.iter().sum::<usize>() + overhead(request, false);
    let mut tokens = (budget.tokens + 1).max(PART_MIN);
    while tokens < all && only_one(request, &wants, &counts, Budget { tokens, ..budget }).is_none() {
        tokens += tokens / 4;
    }
    Err(PackError::CannotFit { needed: tokens, max_tokens: budget.tokens })
}

/// As many of the smallest parts as have room, uncut; what was left out is named if that has room.
fn whole_ones(request: &Request<'_>, wants: &[Want], counts: &[usize]) -> Option<Packed> {
    let Request { parts, budget, .. } = *request;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|index| counts[*index]);
    let mut used = 0;
    order.retain(|index| {
        used += counts[*index];
        used <= budget.tokens
    });
    while !order.is_empty() {
        let mut texts: Vec<Option<Fitted>> = parts.iter().map(|_| None).collect();
        for index in &order {
            texts[*index] = fit_part(request, *index, wants[*index], counts[*index]);
        }
        for names_left_out in [true, false] {
            let text = write(parts, counts, &texts, false, names_left_out);
            if budget.holds(&text) {
                let tokens = budget.measure.count(&text);
                return Some(packed(parts, counts, texts, text, tokens));
            }
        }
        order.truncate(order.len() - order.len().div_ceil(8));
    }
    None
}

/// The one part that matters most of those that can be cut to the budget.
fn only_one(request: &Request<'_>, wants: &[Want], counts: &[usize], budget: Budget) -> Option<Packed> {
    let parts = request.parts;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| wants[*b].weight.total_cmp(&wants[*a].weight).then(a.cmp(b)));
    order.into_iter().take(TRIES).find_map(|index| {
        let label = heading(index + 1, &parts[index].label);
        let before = thousands(counts[index]);
        let handle = parts[index].handle.as_ref().map_or(String::new(), |handle| format!(", {handle}"));
        let label = budget.measure.count(&format!("{label} ({before} of {before} tokens{handle}) <==\n"));
        let room = budget.tokens.checked_sub(label)?;
        let mut texts: Vec<Option<Fitted>> = parts.iter().map(|_| None).collect();
        texts[index] = Some(fit_part(request, index, wants[index], room)?);
        let text = write(parts, counts, &texts, false, false);
        let tokens = budget.measure.count(&text);
        (tokens <= budget.tokens).then(|| packed(parts, counts, texts, text, tokens))
    })
}

/// What each part wants: by its priority and by how well it answers the query.
fn wants(request: &Request<'_>, counts: &[usize]) -> Vec<Want> {
    let query = request.query.and_then(Query::parse);
    let scores = query.map(|query| query.relevance(request.parts.iter().map(|part| part.text.as_str())));
    request
        .parts
        .iter()
        .zip(counts)
        .enumerate()
        .map(|(index, (part, tokens))| {
            let answers = scores.as_ref().map_or(1.0, |scores| 0.25 + scores[index]);
            let weight = f64::from(part.priority.clamp(1, 10)) * answers;
            Want { tokens: *tokens, weight, mandatory: part.mandatory }
        })
        .collect()
}

/// The tokens of everything but the parts' own text, at most.
fn overhead(request: &Request<'_>, has_contents: bool) -> usize {
    let measure = request.budget.measure;
    let numbers = measure.count(" (100,000 of 100,000 tokens, ctx:00000000)\n\n");
    let labels = request.parts.iter().map(|part| {
        let label = measure.count(&heading(1_000, &part.label));
        if has_contents { 2 * label + numbers } else { label + numbers }
    });
    labels.sum::<usize>() + if has_contents { measure.count("# Contents\n\n") } else { 0 }
}

/// Fits each part into its share; what one leaves over goes to the next that was cut.
fn fit_parts(request: &Request<'_>, wants: &[Want], room: usize) -> Vec<Option<Fitted>> {
    let given = allocate(wants, room);
    let mut fitted: Vec<Option<Fitted>> =
        (0..wants.len()).map(|index| fit_part(request, index, wants[index], given[index])).collect();
    let used = |fitted: &[Option<Fitted>]| -> usize { fitted.iter().flatten().map(|fitted| fitted.tokens_after).sum() };
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by(|a, b| wants[*b].weight.total_cmp(&wants[*a].weight).then(a.cmp(b)));
    for index in order {
        let tokens = fitted[index].as_ref().map_or(0, |fitted| fitted.tokens_after);
        let spare = room.saturating_sub(used(&fitted));
        let is_cut = fitted[index].as_ref().is_none_or(|fitted| fitted.level >= Level::Summarize);
        if is_cut && spare > given[index].saturating_sub(tokens) + PART_MIN {
            fitted[index] = fit_part(request, index, wants[index], tokens + spare);
        }
    }
    fitted
}

fn fit_part(request: &Request<'_>, index: usize, want: Want, tokens: usize) -> Option<Fitted> {
    let part = &request.parts[index];
    if tokens < want.tokens.min(PART_MIN) {
        return None;
    }
    let request = compress::Request {
        query: request.query,
        kind: part.kind,
        levels: request.levels,
        handle: part.handle.as_ref(),
        ..compress::Request::new(&part.text, Some(tokens), request.budget.measure)
    };
    fit(&request).ok()
}

fn heading(number: usize, label: &str) -> String {
    format!("==> {number}. {label}")
}

fn write(
    parts: &[Part],
    counts: &[usize],
    fitted: &[Option<Fitted>],
    has_contents: bool,
    names_left_out: bool,
) -> String {
    let mut text = String::new();
    if has_contents {
        text.push_str("# Contents\n");
        for (index, part) in parts.iter().enumerate() {
            text.push_str(&format!("{}. {}\n", index + 1, part.label));
        }
    }
    for (index, (part, fitted)) in parts.iter().zip(fitted).enumerate() {
        if fitted.is_none() && !names_left_out {
            continue;
        }
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        text.push_str(&heading(index + 1, &part.label));
        let before = thousands(counts[index]);
        let handle = part.handle.as_ref().map_or(String::new(), |handle| format!(", {handle}"));
        match fitted {
            Some(fitted) if fitted.level < Level::Summarize => {
                text.push_str(&format!(" ({} tokens) <==\n", thousands(fitted.tokens_after)));
            }
            Some(fitted) => {
                let after = thousands(fitted.tokens_after);
                text.push_str(&format!(" ({after} of {before} tokens{handle}) <==\n"));
            }
            None => text.push_str(&format!(" (left out, {before} tokens{handle}) <==\n")),
        }
        if let Some(fitted) = fitted {
            text.push_str(&fitted.text);
        }
    }
    text
}

fn packed(parts: &[Part], counts: &[usize], fitted: Vec<Option<Fitted>>, text: String, tokens: usize) -> Packed {
    let parts = parts
        .iter()
        .zip(counts)
        .zip(fitted)
        .map(|((part, count), fitted)| match fitted {
            Some(fitted) => PackedPart {
                label: part.label.clone(),
                tokens_before: *count,
                tokens: fitted.tokens_after,
                kind: fitted.kind,
                level: Some(fitted.level),
                cuts: fitted.cuts,
                handle: part.handle.clone(),
            },
            None => PackedPart {
                label: part.label.clone(),
                tokens_before: *count,
                tokens: 0,
                kind: part.kind.unwrap_or(Kind::Prose),
                level: None,
                cuts: Vec::new(),
                handle: part.handle.clone(),
            },
        })
        .collect();
    Packed { text, tokens, parts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Measure;

    fn packed(parts: &[Part], query: Option<&str>, tokens: usize) -> Result<Packed, PackError> {
        let budget = Budget { tokens, measure: Measure::default() };
        let packed = pack(&Request { parts, query, levels: Levels::ALL, budget })?;
        assert_eq!(budget.measure.count(&packed.text), packed.tokens);
        assert!(packed.tokens <= tokens, "{} > {tokens}:\n{}", packed.tokens, packed.text);
        Ok(packed)
    }

    fn story(about: &str) -> String {
        (0..80).map(|number| format!("Sentence {number} tells something new about {about}. ")).collect()
    }

    #[test]
    fn parts_that_fit_are_all_there() {
        let parts = [Part::new("a.txt", "First.\n"), Part::new("memory mem_1", "Second.")];
        let packed = packed(&parts, None, 60).expect("a packet");
        assert_eq!(packed.text, "==> 1. a.txt (2 tokens) <==\nFirst.\n\n==> 2. memory mem_1 (2 tokens) <==\nSecond.");
    }

    #[test]
    fn room_flows_to_parts_that_need_it() {
        let parts = [Part::new("short", "Brief."), Part::new("long", story("cats")), Part::new("other", story("dogs"))];
        let first = packed(&parts, None, 600).expect("a packet");
        assert_eq!(first.parts[0].level, Some(Level::None));
        assert!(first.tokens > 540, "the room is used: {}", first.tokens);
        let asked = packed(&parts, Some("dogs"), 600).expect("a packet");
        assert!(asked.parts[2].tokens > 2 * asked.parts[1].tokens, "{:?}", asked.parts);
    }

    #[test]
    fn small_parts_stay_when_a_large_one_has_no_room() {
        let mut parts: Vec<Part> = (0..30).map(|number| Part::new(format!("note {number}"), "Short.")).collect();
        parts.insert(0, Part::new("large", "x1".repeat(9_000)));
        for tokens in [60, 120, 400] {
            let packed = packed(&parts, None, tokens).expect("a packet");
            assert!(packed.parts.iter().any(|part| part.tokens > 0), "{}", packed.text);
        }
        let parts = [Part::new("small", "Brief."), Part::new("large", "x1".repeat(9_000))];
        let packed = packed(&parts, None, 40).expect("a packet");
        assert_eq!((packed.parts[0].tokens, packed.parts[1].tokens), (2, 0), "{}", packed.text);
        assert!(packed.text.contains("2. large (left out"), "{}", packed.text);
    }

    #[test]
    fn no_budget_is_exceeded_and_what_must_stay_stays() {
        let mut parts = vec![Part::new("a", story("cats")), Part::new("b", story("dogs"))];
        for tokens in [0, 1, 5, 20, 50, 100, 239, 240, 300, 1_000, 5_000] {
            match packed(&parts, None, tokens) {
                Ok(packed) => assert!(!packed.text.is_empty(), "{tokens}"),
                Err(PackError::CannotFit { needed, .. }) => {
                    assert!(tokens < 50 && needed > tokens, "{tokens} {needed}");
                    packed(&parts, None, needed).expect("what was said to be needed is enough");
                }
            }
        }
        parts[0].mandatory = true;
        let needed = match packed(&parts, None, 100) {
            Err(PackError::CannotFit { needed, .. }) => needed,
            Ok(packed) => panic!("{packed:?}"),
        };
        let packed = packed(&parts, None, needed).expect("what was said to be needed is enough");
        assert_eq!(packed.parts[0].level, Some(Level::None));
    }
}
