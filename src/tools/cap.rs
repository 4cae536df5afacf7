//! The last word on size: what an assistant is sent is never over its budget, whatever a tool
//! returned.
//!
//! Tools keep their own budgets; this is for what they do not foresee, such as many results that
//! are small one by one. Long texts are cut to equal shares, each with a mark that names the
//! handle of the whole; lists lose their ends, and say how much.

use serde_json::{Map, Value};

use super::{Answer, Call, ErrorKind, ToolError};
use crate::compress::original::{self, ToKeep};
use crate::memory;
use crate::tokens::Measure;

/// What a result may have besides the text for which its caller set a budget: names, numbers,
/// handles.
pub const OVERHEAD: usize = 512;
/// What the short text beside a structured result costs at most.
const BESIDE: usize = 160;
/// Texts of fewer tokens are not cut.
const SHORT: usize = 80;
/// What a mark costs, about.
const MARK: usize = 40;
/// How often the shares are made smaller, or a list shorter.
const TRIES: usize = 48;

/// Returns the budget that the caller itself named for the text of the result.
pub fn asked(input: &Value) -> Option<usize> {
    // A workflow has a budget for each step, not one for the result.
    let field = if input.get("steps").is_some() { "max_tokens" } else { "result_tokens" };
    let named = input.get("max_tokens").or_else(|| input.get(field))?.as_u64()?;
    usize::try_from(named).ok()
}

/// Returns the answer within its budget; `asked` is the budget that the caller named.
pub async fn hold(call: &Call, name: &str, asked: Option<usize>, mut answer: Answer) -> Result<Answer, ToolError> {
    let measure = call.services.default_measure();
    let limit = limit(call, asked);
    let texts = if asked.is_some() { texts(&answer.structured, measure) } else { 0 };
    let fits = match asked {
        // The budget is that of the text, not of its quotation marks and line ends in JSON.
        Some(_) => fits_beside_texts(&mut answer.structured, measure, limit.saturating_sub(texts)),
        None => measure.fits(&answer.structured.to_string(), limit),
    };
    if !fits {
        let most = limit + if asked.is_some() { escapes(&answer.structured, measure, texts) } else { 0 };
        let mut shrinking = Shrinking { call, measure, limit: most, longs: Vec::new() };
        if !measure.fits(&answer.structured.to_string(), most) && !shrinking.shrink(&mut answer.structured).await {
            return Err(too_large(name, &answer.structured, limit));
        }
        for long in shrinking.longs {
            answer.text = answer.text.replace(&long.whole, &long.cut);
        }
    }
    let besides = answer.remark.as_deref().map_or(0, |remark| measure.count(remark));
    let most = limit.saturating_sub(besides);
    let is_counted = fits
        && texts > 0
        && texts <= most
        && TEXTS
            .iter()
            .any(|name| answer.structured.get(name).and_then(Value::as_str).is_some_and(|text| text == answer.text));
    if !is_counted && !measure.fits(&answer.text, most) {
        answer.text = ends(call, &answer.text, measure, most).await;
        answer.bytes = None;
    }
    Ok(answer)
}

/// Returns the most tokens of a result as JSON.
pub fn limit(call: &Call, asked: Option<usize>) -> usize {
    let most = call.services.config.context.max_output_tokens;
    let most = most.max(asked.map_or(0, |asked| asked.saturating_add(OVERHEAD)));
    most - BESIDE.min(most / 16)
}

/// The members of a result that are its main text.
const TEXTS: [&str; 2] = ["text", "result"];

/// Returns the tokens of the main text of a result.
fn texts(structured: &Value, measure: Measure) -> usize {
    let texts = TEXTS.into_iter().filter_map(|name| structured.get(name)?.as_str());
    texts.map(|text| measure.count_parallel(text)).sum()
}

/// Returns how many tokens more the main text of a result, which has so many, has as JSON.
fn escapes(structured: &Value, measure: Measure, tokens: usize) -> usize {
    let texts = TEXTS.into_iter().filter_map(|name| structured.get(name)).filter(|value| value.is_string());
    texts.map(|value| measure.count(&value.to_string())).sum::<usize>().saturating_sub(tokens)
}

/// How many tokens more two texts may have together than each alone.
const SEAM: usize = 8;

/// Makes what stands beside the main text fit: of what was cut the list gives way, since the text names it
/// too. Returns whether it does. The text, which may be large, is not counted again.
fn fits_beside_texts(structured: &mut Value, measure: Measure, limit: usize) -> bool {
    let Some(map) = structured.as_object_mut() else { return false };
    let mut taken: Vec<(&str, String)> = Vec::new();
    for name in TEXTS {
        if let Some(Value::String(text)) = map.get_mut(name) {
            taken.push((name, std::mem::take(text)));
        }
    }
    let room = limit.saturating_sub(SEAM * taken.len());
    let fits = room > 0 && (measure.fits(&json(map), room) || shorten_cuts(map, measure, room));
    for (name, text) in taken {
        map[name] = Value::String(text);
    }
    fits
}

fn too_large(name: &str, structured: &Value, limit: usize) -> ToolError {
    let run = structured.get("run_id").and_then(Value::as_str).map(|id| format!(" of {id}")).unwrap_or_default();
    ToolError::new(
        ErrorKind::BudgetTooSmall,
        format!("the result{run} has more than the {limit} tokens that {name} may return"),
    )
    .with_hint("ask for less (limit, lines, filter, max_tokens), or raise context.max_output_tokens")
}

/// A long text of a result.
struct Long {
    pointer: String,
    whole: String,
    tokens: usize,
    handle: Option<String>,
    cut: String,
}

struct Shrinking<'a> {
    call: &'a Call,
    measure: Measure,
    limit: usize,
    longs: Vec<Long>,
}

impl Shrinking<'_> {
    /// Makes the result fit; returns whether that was possible.
    async fn shrink(&mut self, structured: &mut Value) -> bool {
        collect(structured, String::new(), self.measure, &mut self.longs);
        let mut slack = 0;
        for _ in 0..TRIES {
            self.longs.retain(|long| structured.pointer(&long.pointer).is_some());
            for long in &self.longs {
                put(structured, &long.pointer, "");
            }
            let fixed = self.measure.count(&structured.to_string());
            if self.longs.is_empty() && fixed <= self.limit {
                return true;
            }
            let marks = self.longs.len() * MARK;
            let room = self.limit.saturating_sub(fixed + marks + slack);
            if room < self.longs.len() * SHORT || self.longs.is_empty() {
                let wanted = fixed + self.longs.len() * (MARK + SHORT) + slack;
                if !shorten(structured, self.limit, wanted) {
                    return false;
                }
                continue;
            }
            let share = share(&self.longs, room);
            for index in 0..self.longs.len() {
                self.cut(structured, index, share).await;
            }
            let tokens = self.measure.count(&structured.to_string());
            if tokens <= self.limit {
                return true;
            }
            slack += tokens - self.limit + 8;
        }
        false
    }

    /// Cuts a long text to its share and puts it into the result.
    async fn cut(&mut self, structured: &mut Value, index: usize, share: usize) {
        let long = &mut self.longs[index];
        long.cut = if long.tokens <= share {
            long.whole.clone()
        } else {
            if long.handle.is_none() {
                long.handle = match sibling(structured, &long.pointer) {
                    Some(handle) => Some(handle),
                    None => keep(self.call, &long.whole).await,
                };
            }
            // A share is counted in JSON, where line ends and quotation marks cost more.
            let plain = self.measure.count(&long.whole);
            let share = share.saturating_mul(plain) / long.tokens.max(1);
            let mark = mark(plain.saturating_sub(share), long.handle.as_deref());
            beginning(&long.whole, self.measure, plain, share, &mark)
        };
        put(structured, &long.pointer, &long.cut);
    }
}

/// Says what is missing, and where it is.
fn mark(tokens: usize, handle: Option<&str>) -> String {
    match handle {
        Some(handle) => format!("\n[... {tokens} tokens cut; context_retrieve {handle} has the whole]"),
        None => format!("\n[... {tokens} tokens cut]"),
    }
}

/// Returns the beginning of a text with a mark: about `share` tokens of it, and never more in all than
/// the `whole` tokens of the text, for which somebody may have set a budget.
fn beginning(text: &str, measure: Measure, whole: usize, share: usize, mark: &str) -> String {
    let mut share = share.min(whole.saturating_sub(measure.count(mark)));
    loop {
        let cut = format!("{}{mark}", measure.prefix(text, share));
        if share == 0 || measure.fits(&cut, whole) {
            return cut;
        }
        share -= 1;
    }
}

/// Keeps a text that is about to be cut, and returns its handle.
async fn keep(call: &Call, text: &str) -> Option<String> {
    let services = &call.services;
    let source = Some("a result that was too long".to_owned());
    let new = ToKeep { content: text.as_bytes().to_vec(), source, ..ToKeep::default() };
    let now = services.clock.now();
    match original::keep(services.store.as_ref(), new, now, Some(&memory::redacted)).await {
        Ok(kept) => Some(kept.handle.to_string()),
        Err(error) => {
            tracing::warn!(%error, "what was cut could not be kept");
            None
        }
    }
}

/// Returns the beginning and the end of a text, with a mark between them.
async fn ends(call: &Call, text: &str, measure: Measure, limit: usize) -> String {
    let handle = keep(call, text).await;
    let mark = mark(measure.count(text).saturating_sub(limit), handle.as_deref());
    let mut room = limit.saturating_sub(measure.count(&mark) + 4);
    loop {
        let head = measure.prefix(text, room - room / 4);
        let tail = measure.suffix(&text[head.len()..], room / 4);
        let cut = format!("{head}{mark}\n{tail}");
        if room == 0 || measure.fits(&cut, limit) {
            return cut;
        }
        room -= (room / 16).max(1);
    }
}

/// Returns how many tokens each may have so that all of them have `room`: what one does not need
/// goes to the others.
fn share(longs: &[Long], room: usize) -> usize {
    let mut sizes: Vec<usize> = longs.iter().map(|long| long.tokens).collect();
    sizes.sort_unstable();
    let mut room = room;
    for (index, size) in sizes.iter().enumerate() {
        let share = room / (sizes.len() - index);
        if *size > share {
            return share;
        }
        room -= size;
    }
    usize::MAX
}

/// Finds the texts that can be cut.
fn collect(value: &Value, pointer: String, measure: Measure, longs: &mut Vec<Long>) {
    match value {
        Value::String(text) if text.len() > SHORT => {
            let tokens = measure.count(&value.to_string());
            if tokens > SHORT {
                longs.push(Long { pointer, whole: text.clone(), tokens, handle: None, cut: text.clone() });
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| {
                collect(item, format!("{pointer}/{index}"), measure, longs);
            });
        }
        Value::Object(map) => map.iter().for_each(|(name, member)| {
            let name = name.replace('~', "~0").replace('/', "~1");
            collect(member, format!("{pointer}/{name}"), measure, longs);
        }),
        _ => {}
    }
}

fn put(structured: &mut Value, pointer: &str, text: &str) {
    if let Some(value) = structured.pointer_mut(pointer) {
        *value = Value::from(text);
    }
}

/// Returns the handle that stands beside a text.
fn sibling(structured: &Value, pointer: &str) -> Option<String> {
    let parent = &pointer[..pointer.rfind('/')?];
    structured.pointer(parent)?.get("handle")?.as_str().map(str::to_owned)
}

/// Cuts the end of the list of cuts as far as that helps; returns whether the result is within its limit
/// then, so that nothing else of it has to go.
fn shorten_cuts(map: &mut Map<String, Value>, measure: Measure, limit: usize) -> bool {
    for _ in 0..TRIES {
        let listed = match map.get("cuts") {
            Some(Value::Array(cuts)) if cuts.len() > 1 => map["cuts"].to_string(),
            _ => return measure.fits(&json(map), limit),
        };
        let over = measure.count(&json(map)).saturating_sub(limit);
        if over == 0 {
            return true;
        }
        let listed = measure.count(&listed);
        let Some(Value::Array(cuts)) = map.get_mut("cuts") else { return false };
        let before = cuts.len();
        cuts.truncate((before * listed.saturating_sub(over + 16) / listed.max(1)).clamp(1, before - 1));
        let gone = (before - cuts.len()) as u64 + map.get("more_cuts").and_then(Value::as_u64).unwrap_or(0);
        map.insert("more_cuts".to_owned(), Value::from(gone));
    }
    false
}

fn json(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).expect("what has string keys can be written")
}

/// Cuts the end of the longest list, so that `wanted` tokens become at most `limit`; returns
/// whether there was one.
fn shorten(value: &mut Value, limit: usize, wanted: usize) -> bool {
    match value {
        Value::Object(map) => shorten_member(map, limit, wanted),
        Value::Array(items) => items.iter_mut().any(|item| shorten(item, limit, wanted)),
        _ => false,
    }
}

fn shorten_member(map: &mut Map<String, Value>, limit: usize, wanted: usize) -> bool {
    let lists = map.iter().filter_map(|(name, member)| Some((name, member.as_array()?)));
    let sizes = lists.filter(|(_, list)| list.len() > 1);
    let longest = sizes.max_by_key(|(_, list)| list.iter().map(|item| item.to_string().len()).sum::<usize>());
    let Some(name) = longest.map(|(name, _)| name.clone()) else {
        return map.values_mut().any(|member| shorten(member, limit, wanted));
    };
    let first = map.iter().find(|(_, member)| member.is_array()).is_some_and(|(first, _)| *first == name);
    let Some(Value::Array(list)) = map.get_mut(&name) else { return false };
    let before = list.len();
    let fit = before.saturating_mul(limit) / wanted.max(1);
    list.truncate((fit - fit / 16).clamp(1, before - 1));
    let gone = (before - list.len()) as u64;
    let key = if first { "more".to_owned() } else { format!("more_{name}") };
    let gone = gone + map.get(&key).and_then(Value::as_u64).unwrap_or(0);
    map.insert(key, Value::from(gone));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_loses_its_end_and_says_how_much() {
        let mut value = json!({ "stored": (0..100).collect::<Vec<_>>(), "names": ["a"], "more": 2 });
        assert!(shorten(&mut value, 50, 100));
        let left = value["stored"].as_array().expect("a list").len();
        assert!(left < 51, "{value}");
        assert_eq!(value["more"], 102 - left);
        assert!(!shorten(&mut json!({ "one": [1] }), 1, 2));
    }

    #[test]
    fn a_text_that_is_cut_is_not_longer_than_the_whole() {
        let measure = Measure::default();
        let text = "one two three ".repeat(50);
        let whole = measure.count(&text);
        for share in 0..whole {
            let cut = beginning(&text, measure, whole, share, &mark(whole - share, Some("ctx:abcd2345")));
            assert!(measure.count(&cut) <= whole && cut.contains("cut;"), "{share}: {cut}");
        }
    }

    #[test]
    fn the_list_of_cuts_gives_way_before_the_text() {
        let cuts: Vec<Value> = (0..100).map(|line| json!({ "from_line": line, "to_line": line })).collect();
        let mut value = json!({ "text": "word ".repeat(100), "cuts": cuts });
        shorten_cuts(value.as_object_mut().expect("an object"), Measure::default(), 300);
        let left = value["cuts"].as_array().expect("a list").len();
        assert!(left > 1 && Measure::default().fits(&value.to_string(), 300), "{value}");
        assert_eq!(value["more_cuts"], 100 - left);
        assert_eq!(value["text"], "word ".repeat(100));
    }

    #[test]
    fn what_one_text_does_not_need_goes_to_the_others() {
        let long =
            |tokens| Long { pointer: String::new(), whole: String::new(), tokens, handle: None, cut: String::new() };
        assert_eq!(share(&[long(10), long(500), long(500)], 110), 50);
        assert_eq!(share(&[long(10)], 10), usize::MAX);
    }

    #[test]
    fn a_caller_names_its_budget() {
        assert_eq!(asked(&json!({ "max_tokens": 5 })), Some(5));
        assert_eq!(asked(&json!({ "result_tokens": 5 })), Some(5));
        assert_eq!(asked(&json!({ "steps": [], "result_tokens": 5 })), None);
    }
}
