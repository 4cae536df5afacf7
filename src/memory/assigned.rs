//! Whether a value with a telling name is a secret.
//!
//! `password = ...` stands in configurations, where the value is one, and in code and prose, where
//! it is a type, an expression or a word. What surrounds the value tells them apart.

use std::collections::BTreeMap;

/// A value and what stands around it.
#[derive(Debug, Default)]
pub(super) struct Assigned<'a> {
    /// The text before the name.
    pub(super) before: &'a str,
    /// The name it was given.
    pub(super) name: &'a str,
    /// What stands between the two.
    pub(super) sign: &'a str,
    /// The value.
    pub(super) value: &'a str,
    /// The text after it.
    pub(super) after: &'a str,
}

/// What stands for a value in descriptions and types.
const USUAL: &[&str] = &[
    "string",
    "str",
    "&str",
    "text",
    "bytes",
    "varchar",
    "number",
    "boolean",
    "required",
    "optional",
    "hidden",
    "none",
    "null",
    "nil",
    "undefined",
    "true",
    "false",
    "empty",
    "unset",
    "value",
    "input",
    "secret",
    "example",
    "changed",
    "unchanged",
    "default",
    "any",
    "redacted",
    "missing",
    "invalid",
    "incorrect",
    "wrong",
    "field",
    "option",
    "hashed",
    "encrypted",
    "stdin",
    "prompt",
    "self",
    "ask",
    "see",
];

/// How a value begins that says how passwords are written rather than what one is.
const ENCODINGS: &[&str] =
    &["base64", "base32", "sha", "md5", "bcrypt", "argon2", "pbkdf2", "scrypt", "utf", "hex", "aes", "x509", "ed25519"];

/// Whether a name ends as those of passwords do.
pub(super) fn names_a_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "pwd", "_pass"].iter().any(|end| name.ends_with(end))
}

/// Whether a quoted value is a password: any text that is not about passwords.
pub(super) fn is_literal(found: &Assigned<'_>) -> bool {
    names_a_password(found.name) && found.value.chars().count() >= 4 && !is_usual(found.value)
}

/// Whether it looks like something that people choose: a sign, or letters with digits.
pub(super) fn is_chosen(found: &Assigned<'_>) -> bool {
    let value = found.value;
    let letters = value.chars().any(char::is_alphabetic);
    let digits = value.chars().any(|c| c.is_ascii_digit());
    !is_usual(value)
        && !is_code(found)
        && value.len() >= 6
        && entropy(value) >= 2.0
        && (has_signs(value) || letters && digits)
}

/// Whether it was told in a sentence: "the password is ...".
pub(super) fn is_told(found: &Assigned<'_>) -> bool {
    let told = Assigned { value: found.value.trim_end_matches(['.', '!', '?', ':']), ..*found };
    let lower = told.value.to_ascii_lowercase();
    let about = ENCODINGS.iter().any(|encoding| lower.starts_with(encoding))
        || lower.starts_with(|c: char| c.is_ascii_digit()) && lower.contains("-char");
    is_chosen(&told) && !about && told.value.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a value without quotes, or with an open one, is a secret.
pub(super) fn is_secret(found: &Assigned<'_>) -> bool {
    let value = found.value.trim_end_matches(['.', '!', '?', ':', '\\']);
    let found = &Assigned { value, ..*found };
    let name = found.name.to_ascii_lowercase();
    if is_code(found) || name.ends_with("pwd") && value.starts_with(['/', '~', '.']) {
        return false;
    }
    if names_a_password(&name) && is_set(found) {
        return true;
    }
    if ["passw", "pwd", "passphrase"].iter().any(|part| name.contains(part)) {
        let is_place = ["file", "path", "url", "name", "dir"].iter().any(|end| name.ends_with(end));
        return !is_place && is_chosen(found);
    }
    let letters = value.chars().any(char::is_alphabetic);
    let digits = value.chars().any(|c| c.is_ascii_digit());
    let mixed_case = value.chars().any(char::is_uppercase) && value.chars().any(char::is_lowercase);
    let entropy = entropy(value);
    value.len() >= 12 && letters && digits && entropy >= 3.0 && (mixed_case || has_signs(value) || entropy >= 3.3)
}

/// Whether it is set as environments, connection strings and configurations set a password: any
/// word is one there.
fn is_set(found: &Assigned<'_>) -> bool {
    let Assigned { before, name, sign, value, after } = found;
    if is_usual(value) {
        return false;
    }
    let ends = after.is_empty() || after.starts_with(char::is_whitespace);
    if *sign == "=" {
        let of_environment = !name.contains(|c: char| c.is_ascii_lowercase());
        return of_environment || value.contains('-') || (ends && !is_path_of_names(value) && !before.ends_with('('));
    }
    let begins_line = before.rsplit('\n').next().is_some_and(|line| line.trim_matches([' ', '-']).is_empty());
    let ends_line = after.trim_start_matches([' ', '\t', '\r']).is_empty()
        || after.trim_start_matches([' ', '\r']).starts_with('\n');
    sign.starts_with(':') && begins_line && ends_line && value.len() >= 6 && !is_path_of_names(value)
}

/// `settings.database`, as code names things.
fn is_path_of_names(value: &str) -> bool {
    value.contains('.') && value.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'.' | b'_'))
}

/// Whether a value is a type, a placeholder, or speaks of passwords itself.
fn is_usual(value: &str) -> bool {
    let lower = value.to_lowercase();
    USUAL.contains(&lower.as_str())
        || ["passw", "pwd", "passphrase"].iter().any(|part| lower.contains(part))
        || lower.contains("${")
        || lower.contains("{{")
}

/// Whether it is an expression rather than a value.
fn is_code(found: &Assigned<'_>) -> bool {
    let value = found.value;
    value.contains("::")
        || value.contains("->")
        || value.starts_with("self.")
        || value.contains("env")
        || is_printed_object(value)
        || found.after.starts_with(['(', '[', '<', '{'])
}

/// `android.os.Proxy@2bd79ce`, as Java prints an object of a class.
fn is_printed_object(value: &str) -> bool {
    value.split_once('@').is_some_and(|(class, hash)| {
        is_path_of_names(class) && (1..=8).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether it has signs that words, names and paths do not have.
fn has_signs(value: &str) -> bool {
    value.chars().any(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | ':' | '/'))
}

/// Bits for each character, by how often each occurs.
fn entropy(text: &str) -> f64 {
    let mut counts: BTreeMap<char, f64> = BTreeMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_default() += 1.0);
    let total: f64 = counts.values().sum();
    counts.values().map(|count| count / total).map(|share| -share * share.log2()).sum()
}
