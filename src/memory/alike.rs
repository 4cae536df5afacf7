//! Telling which texts say nearly the same.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::terms;

/// Texts of fewer words are repeats only when they are equal.
const WORDS_MIN: usize = 8;
/// The share of common words from which two texts say the same.
const ALIKE: f64 = 0.9;

/// Remembers which texts were seen, to tell what says the same again.
#[derive(Default)]
pub(super) struct Distinct {
    texts: HashSet<String>,
    words: Vec<HashSet<String>>,
}

impl Distinct {
    /// Whether no text before said the same.
    pub(super) fn is_new(&mut self, text: &str) -> bool {
        let text = terms::normalized(text);
        let words = words(&text);
        if !text.is_empty() && !self.texts.insert(text) {
            return false;
        }
        if words.len() < WORDS_MIN {
            return true;
        }
        if self.words.iter().any(|other| alike(&words, other)) {
            return false;
        }
        self.words.push(words);
        true
    }
}

/// Returns the groups of texts that say the same as the first of their group; texts that are like no
/// other are left out. Earlier texts are the first of their groups, so the caller's order decides.
pub(super) fn groups(texts: &[&str]) -> Vec<Vec<usize>> {
    let texts: Vec<String> = texts.iter().map(|text| terms::normalized(text)).collect();
    let sets: Vec<HashSet<String>> = texts.iter().map(|text| words(text)).collect();
    let mut spread: HashMap<&str, usize> = HashMap::new();
    sets.iter().flatten().for_each(|word| *spread.entry(word).or_default() += 1);
    let mut same: HashMap<&str, usize> = HashMap::new();
    let mut holders: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, set) in sets.iter().enumerate() {
        if texts[place].is_empty() {
            continue;
        }
        let first = match same.get(texts[place].as_str()) {
            Some(first) => Some(*first),
            None => {
                let rare = rarest(set, &spread);
                let mut near: Vec<usize> =
                    rare.iter().filter_map(|word| holders.get(word)).flatten().copied().collect();
                near.sort_unstable();
                near.dedup();
                let first = near.into_iter().find(|other| alike(set, &sets[*other]));
                // What equals a member of a group belongs to that group.
                same.insert(&texts[place], first.unwrap_or(place));
                if first.is_none() {
                    rare.into_iter().for_each(|word| holders.entry(word).or_default().push(place));
                }
                first
            }
        };
        if let Some(first) = first {
            groups.entry(first).or_insert_with(|| vec![first]).push(place);
        }
    }
    groups.into_values().collect()
}

/// The rarest words of a text, so many that any text that is alike has one of them among its own:
/// those two may differ in a tenth of their words.
fn rarest<'a>(set: &'a HashSet<String>, spread: &HashMap<&str, usize>) -> Vec<&'a str> {
    if set.len() < WORDS_MIN {
        return Vec::new();
    }
    let mut words: Vec<&str> = set.iter().map(String::as_str).collect();
    words.sort_by_key(|word| (spread.get(word).copied().unwrap_or(0), *word));
    let needed = (ALIKE * words.len() as f64).ceil() as usize;
    words.truncate(words.len() - needed + 1);
    words
}

fn words(normalized: &str) -> HashSet<String> {
    normalized.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Words that turn what is said into its opposite; the beginnings of "don't" and its like among them.
const NEGATIONS: [&str; 26] = [
    "not", "no", "never", "none", "nor", "neither", "without", "cannot", "don", "dont", "doesn", "didn", "isn", "aren",
    "wasn", "weren", "won", "wouldn", "cant", "couldn", "shouldn", "mustn", "hasn", "haven", "hadn", "except",
];

/// Whether two texts have nearly the same words, exactly the same numbers, and neither says the opposite
/// of the other or names something else in its place: one may only add words.
fn alike(one: &HashSet<String>, other: &HashSet<String>) -> bool {
    let (shorter, longer) = (one.len().min(other.len()) as f64, one.len().max(other.len()) as f64);
    if shorter < ALIKE * longer {
        return false;
    }
    let common = one.intersection(other).count();
    let union = one.len() + other.len() - common;
    if (common as f64) < ALIKE * union as f64 {
        return false;
    }
    let tells = |word: &String| word.bytes().any(|byte| byte.is_ascii_digit()) || NEGATIONS.contains(&word.as_str());
    let adds = |one: &HashSet<String>, other| one.difference(other).any(|word| !terms::is_stop_word(word));
    let replaced = adds(one, other) && adds(other, one);
    !replaced && !one.symmetric_difference(other).any(tells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_say_the_same_are_in_one_group() {
        let base = "the staging cluster runs postgres with two replicas behind the proxy in frankfurt since spring";
        let near = format!("{base} really");
        let other = base.replace("two", "2").replace("frankfurt", "dublin and london");
        let texts = [base, "Lunch is at noon", &near, &other, "lunch is at noon!", "", ""];
        assert_eq!(groups(&texts), [vec![0, 2], vec![1, 4]]);
        assert!(groups(&["port 80", "port 81"]).is_empty());
        for other in ["must not run", "must never run", "need not run", "has to walk"] {
            let rule = "the nightly import of the warehouse must run before the report of the finance team starts";
            let changed = rule.replace("must run", other);
            assert!(groups(&[rule, &changed]).is_empty(), "{changed}");
        }
    }

    #[test]
    fn looking_only_at_rare_words_misses_no_pair() {
        // Words drawn in a fixed manner from a small vocabulary, so that many pairs are near.
        let mut state = 7_u64;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut texts: Vec<String> = Vec::new();
        for number in 0..300 {
            let mut words: Vec<String> = (0..20).map(|_| format!("w{}", (b'a' + next(26) as u8) as char)).collect();
            if number % 3 > 0 {
                words = texts[number - 1].split(' ').map(str::to_owned).collect();
                words.push(["really", "always", "quite"][next(3) as usize].to_owned());
            }
            texts.push(words.join(" "));
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let sets: Vec<HashSet<String>> = texts.iter().map(|text| words(&terms::normalized(text))).collect();
        let mut firsts: Vec<usize> = Vec::new();
        let mut expected: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in 0..sets.len() {
            let equal = |other: &usize| texts[*other] == texts[place] || alike(&sets[*other], &sets[place]);
            match firsts.iter().copied().find(equal) {
                Some(first) => expected.entry(first).or_insert_with(|| vec![first]).push(place),
                None => firsts.push(place),
            }
        }
        assert!(expected.len() > 20, "the test has something to find");
        assert_eq!(groups(&texts), expected.into_values().collect::<Vec<_>>());
    }
}
