//! Identifiers of memories, runs and originals.
//!
//! Memory and run ids are a prefix, then 48 bits of milliseconds and 32 random bits in Crockford's
//! base 32 (16 characters): they sort by time and are short enough to be cheap as tokens.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The reason why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what} id: expected {expected}")]
pub struct InvalidId {
    /// What kind of thing was to be identified.
    pub what: &'static str,
    /// The text, shortened.
    pub text: String,
    /// The accepted form.
    pub expected: &'static str,
}

macro_rules! time_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            /// Returns a new identifier that sorts by `now`.
            pub fn generate(now: Timestamp) -> Self {
                Self(format!(concat!($prefix, "{}"), time_and_chance(now)))
            }

            /// Returns the identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns its end, all of it by chance: in a list it tells one from another.
            pub fn short(&self) -> &str {
                &self.0[self.0.len() - 6..]
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid = text
                    .strip_prefix($prefix)
                    .is_some_and(|rest| rest.len() == 16 && rest.bytes().all(|byte| ALPHABET.contains(&byte)));
                if valid {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { what: $what, text: text.chars().take(80).collect(), expected: $pattern })
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

time_id! {
    /// Identifies a memory: `mem_` and 16 characters.
    MemoryId, "mem_", "memory", "^mem_[0-9a-hjkmnp-tv-z]{16}$"
}

time_id! {
    /// Identifies a run of an agent or a workflow: `run_` and 16 characters.
    RunId, "run_", "run", "^run_[0-9a-hjkmnp-tv-z]{16}$"
}

/// Identifies a stored original by its content: `ctx:` and 8 to 52 characters of the base-32
/// SHA-256, as many as are needed to tell it from every other original of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^ctx:[0-9a-hjkmnp-tv-z]{8,52}$"))]
pub struct Handle(String);

impl Handle {
    /// The fewest characters of the hash in a handle.
    pub const DIGITS_MIN: usize = 8;

    /// Returns the handle made of the first `digits` characters of `hash`, a [`content_hash`].
    pub fn of_hash(hash: &str, digits: usize) -> Self {
        Self(format!("ctx:{}", &hash[..digits.clamp(Self::DIGITS_MIN, hash.len())]))
    }

    /// Returns the handle as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the characters of the hash, without `ctx:`.
    pub fn digits(&self) -> &str {
        &self.0[4..]
    }
}

impl TryFrom<String> for Handle {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        let valid = text.strip_prefix("ctx:").is_some_and(|rest| {
            (Self::DIGITS_MIN..=52).contains(&rest.len()) && rest.bytes().all(|byte| ALPHABET.contains(&byte))
        });
        if valid {
            Ok(Self(text))
        } else {
            Err(InvalidId {
                what: "handle",
                text: text.chars().take(80).collect(),
                expected: "^ctx:[0-9a-hjkmnp-tv-z]{8,52}$",
            })
        }
    }
}

impl std::str::FromStr for Handle {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text.to_owned())
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns the SHA-256 of `content` in 52 lower-case base-32 characters.
pub fn content_hash(content: &[u8]) -> String {
    base32(&Sha256::digest(content), 52)
}

fn time_and_chance(now: Timestamp) -> String {
    let milliseconds = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let mut bytes = [0_u8; 10];
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    getrandom::fill(&mut bytes[6..]).expect("the operating system gives random bytes");
    base32(&bytes, 16)
}

/// Returns the first `digits` base-32 digits of `bytes`, the last one padded with zero bits.
fn base32(bytes: &[u8], digits: usize) -> String {
    (0..digits)
        .map(|digit| {
            let bit = digit * 5;
            let high = u16::from(*bytes.get(bit / 8).unwrap_or(&0)) << 8;
            let low = u16::from(*bytes.get(bit / 8 + 1).unwrap_or(&0));
            let value = ((high | low) >> (11 - bit % 8)) & 31;
            char::from(ALPHABET[usize::from(value)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = RunId::generate(Timestamp::from_millisecond(1_000).expect("a time"));
        let late = RunId::generate(Timestamp::from_millisecond(2_000).expect("a time"));
        assert!(early < late);
        assert_eq!(late.as_str().parse::<RunId>(), Ok(late));
        assert!("run_0000".parse::<RunId>().is_err());
        assert!("mem_00000000000000000".parse::<MemoryId>().is_err());
    }

    #[test]
    fn a_handle_is_a_prefix_of_the_content_hash() {
        let hash = content_hash(b"text");
        assert_eq!(hash.len(), 52);
        assert_eq!(Handle::of_hash(&hash, 8).digits(), &hash[..8]);
        assert!(Handle::of_hash(&hash, 0).as_str().parse::<Handle>().is_ok());
        assert!("ctx:ilou".parse::<Handle>().is_err());
    }
}
