//! The tables of one vocabulary. `src/tokens/layout.rs` says how they are laid out.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::layout::{
    self, Group, HEAD, KEY_BITS, Long, NO_PLACE, NO_TOKEN, RECORD, Rank, Record, SHORT_MAX, TOKEN_MAX,
};

type Ranks<'a> = HashMap<&'a [u8], Rank>;

/// Writes the tables of the vocabulary whose tokens are `tokens`, by rank.
pub fn write(out: &Path, name: &str, tokens: &[Vec<u8>]) {
    assert!(tokens.len() < NO_TOKEN as usize && tokens.iter().all(|token| (1..=TOKEN_MAX).contains(&token.len())));
    let ranks: Ranks = tokens.iter().zip(0..).map(|(token, rank)| (token.as_slice(), rank)).collect();

    let records: Vec<u64> = tokens.iter().map(|token| record(token, &ranks).0).collect();
    let (short, long): (Vec<_>, Vec<_>) = tokens.iter().zip(0..).partition(|(token, _)| token.len() <= SHORT_MAX);
    let (slots, pilots) = perfect_hash(&short);
    let (groups, list, bytes) = long_tables(long);

    let save = |table: &str, bytes: Vec<u8>| {
        fs::write(out.join(format!("{name}.{table}")), bytes).expect("the output folder is writable");
    };
    let records = records.iter().flat_map(|record| record.to_le_bytes().into_iter().take(RECORD));
    // Two more, so that the last record can be read as a whole word.
    save("records", records.chain([0; 8 - RECORD]).collect());
    save("slots", slots.iter().flat_map(|slot| slot.to_le_bytes()).collect());
    save("pilots", pilots.iter().flat_map(|pilot| pilot.to_le_bytes()).collect());
    save("long_groups", groups.iter().flat_map(|group| group.to_le_bytes()).collect());
    save("long_list", list.iter().flat_map(|token| token.0.to_le_bytes()).collect());
    save("long_bytes", bytes);
    let (pairs, tails) = joints(tokens);
    save("pairs", pairs);
    save("tails", tails);
    save("masks", masks(tokens));
    save("bytes", (0..=u8::MAX).flat_map(|byte| ranks[&[byte][..]].to_le_bytes()).collect());
    let (mut twos, mut threes) = (vec![0; layout::TWOS / 8], vec![0; layout::THREES / 8]);
    for token in tokens {
        match token.len() {
            2 => set_bit(&mut twos, layout::two_bit(word(token))),
            3 => set_bit(&mut threes, layout::three_bit(word(token))),
            _ => {}
        }
    }
    save("twos", twos);
    save("threes", threes);
    save("filter", filter(&short));
}

/// What the token is merged from, and its length.
fn record(token: &[u8], ranks: &Ranks) -> Record {
    let own = ranks[token];
    if token.len() == 1 {
        return Record::new(own, own, 1);
    }
    // The reference's merge, which always joins the pair of lowest rank, stopped before the last.
    let mut parts: Vec<&[u8]> = token.chunks(1).collect();
    while parts.len() > 2 {
        let mut start = 0;
        let (_, at, joined) = (0..parts.len() - 1)
            .filter_map(|at| {
                let pair = &token[start..start + parts[at].len() + parts[at + 1].len()];
                start += parts[at].len();
                Some((*ranks.get(pair).filter(|rank| **rank < own)?, at, pair))
            })
            .min()
            .expect("every token can be merged from its bytes");
        parts[at] = joined;
        parts.remove(at + 1);
    }
    Record::new(ranks[parts[0]], ranks[parts[1]], token.len())
}

/// Places each short token in a slot of its own, and returns the slots and the buckets' pilots.
fn perfect_hash(tokens: &[(&Vec<u8>, Rank)]) -> (Vec<u128>, Vec<u16>) {
    let mut slots = vec![0_u128; tokens.len() + tokens.len() / 50];
    let mut pilots = vec![0_u16; tokens.len() / 4];
    let mut buckets: Vec<Vec<(u64, u128)>> = vec![Vec::new(); pilots.len()];
    for (token, rank) in tokens {
        let key = key(token);
        let hash = layout::hash_key(key);
        buckets[layout::bucket(hash, pilots.len())].push((hash, key | u128::from(*rank) << KEY_BITS));
    }
    // The fullest buckets choose first, while most slots are free.
    let mut order: Vec<usize> = (0..buckets.len()).collect();
    order.sort_by_key(|bucket| std::cmp::Reverse(buckets[*bucket].len()));
    for bucket in order {
        let entries = &buckets[bucket];
        let pilot = (0..=u16::MAX)
            .find(|pilot| {
                let places: Vec<usize> =
                    entries.iter().map(|(hash, _)| layout::slot(*hash, *pilot, slots.len())).collect();
                places.iter().enumerate().all(|(at, place)| slots[*place] == 0 && !places[..at].contains(place))
            })
            .expect("some pilot separates the bucket");
        pilots[bucket] = pilot;
        for (hash, entry) in entries {
            let place = layout::slot(*hash, pilot, slots.len());
            slots[place] = *entry;
        }
    }
    (slots, pilots)
}

/// The tokens that do not fit into a slot: the table of their groups, their list, and their bytes.
fn long_tables(mut tokens: Vec<(&Vec<u8>, Rank)>) -> (Vec<u32>, Vec<Long>, Vec<u8>) {
    tokens.sort();
    let (mut list, mut blob) = (Vec::new(), Vec::new());
    assert!(tokens.len() < usize::from(NO_PLACE) - 1, "places in the list have sixteen bits");
    let mut groups = vec![0; (tokens.len() * 3 / 2).next_power_of_two()];
    for group in tokens.chunk_by(|(a, _), (b, _)| a[..HEAD] == b[..HEAD]) {
        let mut head = [0; 16];
        head[..HEAD].copy_from_slice(&group[0].0[..HEAD]);
        let mut at = layout::hash_key(u128::from_le_bytes(head)) as usize % groups.len();
        while groups[at] != 0 {
            at = (at + 1) % groups.len();
        }
        assert!(group.len() < 1 << 8, "a group has more tokens than its count has room for");
        groups[at] = Group::new(list.len(), group.len()).0;
        for (at, (token, rank)) in group.iter().enumerate() {
            // What a token begins with comes before it, and the longest of those last.
            let shorter = group[..at].iter().rposition(|(other, _)| token.starts_with(other));
            list.push(Long::new(*rank, token.len(), blob.len(), shorter.map_or(0, |other| at - other)));
            blob.extend_from_slice(token);
        }
    }
    (groups, list, blob)
}

/// Where tokens hold together two characters of which neither is ASCII and the second has three
/// bytes or more: the pairs of characters; and for tokens that have no more than the end of the first
/// character, that character's last byte and the second one.
fn joints(tokens: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let (mut pairs, mut tails) = (vec![0; layout::PAIRS / 8], vec![0; layout::TAILS / 8]);
    for token in tokens {
        for at in 1..token.len() {
            if token[at] < 0xe0 || token[at - 1] < 0x80 {
                continue;
            }
            let left = (1..=4.min(at)).map(|len| &token[at - len..at]).find(|left| left[0] >= 0xc0);
            let right = &token[at..token.len().min(at + layout::char_len(token[at]))];
            for right in completed(right) {
                match left {
                    Some(left) => set_bit(&mut pairs, layout::pair_bit(word(left), right)),
                    None => set_bit(&mut tails, layout::tail_bit(token[at - 1], right)),
                }
            }
        }
    }
    (pairs, tails)
}

/// All characters, as their bytes, that begin with these.
fn completed(bytes: &[u8]) -> Vec<u32> {
    let missing = layout::char_len(bytes[0]) - bytes.len();
    assert!(missing <= 2, "too many characters begin as the end of a token does");
    (0..1 << (6 * missing))
        .map(|rest: u32| {
            let rest = (0..missing).map(|at| 0x80 | (rest >> (6 * at) & 0x3f) as u8);
            word(&bytes.iter().copied().chain(rest).collect::<Vec<u8>>())
        })
        .collect()
}

/// At most four bytes, little end first.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

fn set_bit(table: &mut [u8], bit: usize) {
    table[bit / 8] |= 1 << (bit % 8);
}

/// Which lengths of tokens there are, by their first four bytes.
fn masks(tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut lengths: HashMap<&[u8], u16> = HashMap::new();
    for token in tokens.iter().filter(|token| token.len() >= 4) {
        *lengths.entry(&token[..4]).or_default() |= layout::mask_bit(token.len());
    }
    let mut masks = vec![0_u16; (lengths.len() * 2).next_power_of_two()];
    for (head, lengths) in lengths {
        let (entry, tag) = layout::mask_of_4(word(head), masks.len());
        let mask = &mut masks[entry];
        *mask = if *mask == 0 { lengths | tag } else { (*mask | lengths) & !layout::TAG };
    }
    masks.iter().flat_map(|mask| mask.to_le_bytes()).collect()
}

/// What passes for a short token at first sight.
fn filter(tokens: &[(&Vec<u8>, Rank)]) -> Vec<u8> {
    let mut words = vec![0_u64; tokens.len().next_power_of_two() / 8];
    for (token, _) in tokens {
        let (word, bits) = layout::filter_bits(layout::hash_key(key(token)), words.len());
        words[word] |= bits;
    }
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The key of a short token.
fn key(token: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes[..token.len()].copy_from_slice(token);
    layout::key(u128::from_le_bytes(bytes), token.len())
}
