//! Keeps secrets out of what is stored and out of what is recalled.
//!
//! Known shapes of keys are replaced wherever they stand; a value after `password =` and its like
//! only when it can hardly be a word, a type or an expression ([`super::assigned`]), because code
//! and prose are full of such names. A replaced secret leaves `[redacted:KIND]`. Text between
//! `<private>` and `</private>` is never stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::Regex;

use super::assigned::{self, Assigned};
use crate::store::{Memory, MemoryFilter};

/// How many secrets of a kind were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The kind, as it stands in the text: `github_token`, `private_key`, ...
    pub kind: &'static str,
    /// How many.
    pub count: usize,
}

/// A kind of secret.
struct Shape {
    kind: &'static str,
    /// What a text must hold, in lower case, for the pattern to be worth trying: searching plain
    /// texts is much cheaper, and most memories hold none of them.
    triggers: &'static [&'static str],
    /// Where the pattern has a group named `secret`, only that goes.
    pattern: &'static str,
    /// Whether it is a name, with the trigger in it, and a sign after it; it is tried only at such names.
    is_named: bool,
    /// Whether what the pattern found is a secret after all.
    holds: fn(&Assigned<'_>) -> bool,
}

const fn shape(kind: &'static str, triggers: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, triggers, pattern, is_named: false, holds: |_| true }
}

/// A value that stands where a password does.
const fn value(triggers: &'static [&'static str], pattern: &'static str, holds: fn(&Assigned<'_>) -> bool) -> Shape {
    Shape { kind: "password", triggers, pattern, is_named: false, holds }
}

/// A value that was given a telling name.
const fn named(triggers: &'static [&'static str], pattern: &'static str, holds: fn(&Assigned<'_>) -> bool) -> Shape {
    Shape { is_named: true, ..value(triggers, pattern, holds) }
}

const SHAPES: &[Shape] = &[
    shape(
        "private_key",
        &["private key"],
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    shape("private_key", &["age-secret-key-"], r"\bAGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    shape("jwt", &["eyj"], r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    shape("anthropic_key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    shape("openai_key", &["sk-"], r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    shape(
        "github_token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    shape(
        "gitlab_token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-"],
        r"\bgl(?:pat|dt|rt|cbt|ptt)-[A-Za-z0-9_-]{20,}",
    ),
    shape("slack_token", &["xox", "xapp-"], r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}"),
    shape("webhook", &["hooks.slack.com"], r"https://hooks\.slack\.com/(?P<secret>services/[A-Za-z0-9/]{20,})"),
    shape(
        "webhook",
        &["/api/webhooks/"],
        r"https://(?:[a-z]+\.)?discord(?:app)?\.com/api/(?P<secret>webhooks/[0-9]+/[A-Za-z0-9_-]{20,})",
    ),
    shape("npm_token", &["npm_"], r"\bnpm_[A-Za-z0-9]{30,}"),
    shape("pypi_token", &["pypi-"], r"\bpypi-[A-Za-z0-9_-]{40,}"),
    shape("crates_io_token", &["cio"], r"\bcio[A-Za-z0-9]{32}\b"),
    shape("docker_token", &["dckr_"], r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    shape("aws_key", &["akia", "asia", "abia", "acca"], r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
    shape(
        "aws_key",
        &["aws"],
        r#"(?i)\baws_?(?:secret|session)[a-z_]*["']?\s*[=:]\s*["']?(?P<secret>[A-Za-z0-9/+]{40,}=*)"#,
    ),
    shape(
        "google_key",
        &["aiza", "gocspx-", "ya29."],
        r"\bAIza[A-Za-z0-9_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_-]{20,}",
    ),
    shape(
        "azure_key",
        &["accountkey=", "sharedaccesskey="],
        r"(?i)\b(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{30,}=*)",
    ),
    shape("stripe_key", &["k_live_", "k_test_", "whsec_"], r"\b(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}"),
    shape("sendgrid_key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    shape("twilio_key", &["sk"], r"\bSK[0-9a-f]{32}\b"),
    shape("telegram_token", &[":aa"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    shape(
        "service_token",
        &["hf_", "gsk_", "r8_", "xai-", "pplx-", "lin_api_", "ntn_", "figd_"],
        r"\b(?:hf_|gsk_|r8_|xai-|pplx-|lin_api_|ntn_|figd_)[A-Za-z0-9_-]{30,}",
    ),
    shape(
        "service_token",
        &["dop_v1_", "hvs.", "shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(?:dop_v1_[0-9a-f]{60,}|hvs\.[A-Za-z0-9_-]{24,}|shp(?:at|ca|pa|ss)_[0-9a-f]{32})",
    ),
    shape(
        "authorization",
        &["bearer", "authorization"],
        r"(?i)\b(?:bearer|authorization\s*:\s*(?:basic|token))\s+(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)",
    ),
    shape("connection_password", &["://"], r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@"'<>]*:(?P<secret>[^\s/"'<>]+)@"#),
    value(
        &["curl", "wget", "http "],
        r#"(?i)\b(?:curl|wget|http)\b[^\n|;]*?\s(?:-u|--user|-U|--proxy-user|-a|--auth)(?:\s+|=)?["']?[^\s:"'/]+:(?P<secret>[^\s"']+)"#,
        |_| true,
    ),
    value(
        &["--pass", "sshpass"],
        r#"(?i)(?:\s--?pass(?:word|wd|phrase)?(?:\s+|=)|\bsshpass\s+-p\s*)["']?(?P<secret>[^\s"'`]{4,})"#,
        assigned::is_chosen,
    ),
    named(
        &["passw", "passphrase", "pwd"],
        r#"(?i)(?P<name>\b[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd))["'`]?(?P<sign>\s*(?:=>|:=|[=:])\s*)"(?P<secret>(?:[^"\\\n]|\\.){4,})""#,
        assigned::is_literal,
    ),
    named(
        &["passw", "passphrase", "pwd"],
        r#"(?i)(?P<name>\b[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd))["'`]?(?P<sign>\s*(?:=>|:=|[=:])\s*)'(?P<secret>[^'\n]{4,})'"#,
        assigned::is_literal,
    ),
    named(
        &["passw", "passphrase", "pwd"],
        r#"(?i)(?P<name>\b[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd))\\"(?P<sign>\s*:\s*)\\"(?P<secret>[^"\\\n]{4,})\\""#,
        assigned::is_literal,
    ),
    named(
        &["passw", "passphrase", "pwd", "secret", "key", "token", "credential", "_pass"],
        r#"(?i)(?P<name>\b[a-z0-9_.-]*(?:passw(?:or)?d|passphrase|pwd|_pass|secret|api_?-?key|access_?-?key|auth_?-?key|token|credential)[a-z0-9_-]*)["'`]?(?P<sign>\s*(?:=>|:=|[=:])\s*["'`]?)(?P<secret>[^\s"'`,;<>(){}\[\]]{4,})"#,
        assigned::is_secret,
    ),
    value(
        &["password is ", "password was ", "passphrase is "],
        r#"(?i)(?P<name>\b(?:password|passphrase))(?P<sign>\s+(?:is|was)(?:\s+now)?:?\s+)["'`]?(?P<secret>[^\s"'`,;<>(){}\[\]]{6,})"#,
        assigned::is_told,
    ),
];

/// Each compiled when a text first needs it.
static PATTERNS: [OnceLock<Regex>; SHAPES.len()] = [const { OnceLock::new() }; SHAPES.len()];

fn compiled(shape: &Shape) -> Regex {
    // ASCII boundaries: the Unicode ones make every text with another letter slow, and no key has any.
    let pattern = shape.pattern.replace(r"\b", r"(?-u:\b)");
    let anchored = if shape.is_named { format!(r"\A(?:{pattern})") } else { pattern };
    Regex::new(&anchored).expect("the patterns are valid")
}

/// Finds the triggers of all shapes in one pass.
struct Triggers {
    finder: AhoCorasick,
    /// For each trigger the shapes that it is one of, a bit each.
    shapes: Vec<u64>,
}

/// A bit for each shape that is a name with a sign.
static NAMED: LazyLock<u64> =
    LazyLock::new(|| SHAPES.iter().enumerate().filter(|(_, shape)| shape.is_named).map(|(place, _)| 1 << place).sum());

static TRIGGERS: LazyLock<Triggers> = LazyLock::new(|| {
    const { assert!(SHAPES.len() <= 64) };
    let mut all: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (place, shape) in SHAPES.iter().enumerate() {
        shape.triggers.iter().for_each(|trigger| *all.entry(trigger).or_default() |= 1 << place);
    }
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .build(all.keys())
        .expect("a few short words");
    Triggers { finder, shapes: all.into_values().collect() }
});

/// What of a text is worth a closer look.
#[derive(Default)]
struct Suspects {
    /// The shapes of which a trigger is there, a bit each.
    shapes: u64,
    /// Where names begin that hold a trigger and have a sign after them.
    names: Vec<usize>,
}

impl Suspects {
    fn of(text: &str) -> Self {
        let Triggers { finder, shapes } = &*TRIGGERS;
        let named = *NAMED;
        let mut suspects = Self::default();
        let mut last = 0..0;
        for found in finder.find_overlapping_iter(text) {
            let shapes = shapes[found.pattern().as_usize()];
            suspects.shapes |= shapes & !named;
            if shapes & named == 0 || found.start() < last.end {
                continue;
            }
            last = name_around(text, found.range());
            if is_signed(&text.as_bytes()[last.end..]) {
                suspects.shapes |= named;
                suspects.names.push(last.start);
            }
        }
        suspects
    }
}

/// The bytes of the name that these bytes are a part of, from its first letter or digit.
fn name_around(text: &str, part: Range<usize>) -> Range<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let bytes = text.as_bytes();
    let end = part.end + bytes[part.end..].iter().take_while(|byte| is_part(byte)).count();
    let start = part.start - bytes[..part.start].iter().rev().take_while(|byte| is_part(byte)).count();
    let signs = bytes[start..part.start].iter().take_while(|byte| matches!(byte, b'.' | b'-')).count();
    start + signs..end
}

/// Whether a name is followed by a sign that gives it a value, after the quotation mark that ends it.
fn is_signed(after: &[u8]) -> bool {
    let after = after.strip_prefix(b"\\").unwrap_or(after);
    let after = match after {
        [b'"' | b'\'' | b'`', rest @ ..] => rest,
        _ => after,
    };
    // Blanks beyond ASCII are not looked at closely.
    let first = after.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0x0b);
    first.is_some_and(|first| matches!(first, b'=' | b':') || !first.is_ascii())
}

static PRIVATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?is)<private>.*?(?:</private>|\z)").expect("the pattern is valid"));

/// Returns the text with secrets replaced, borrowed when there were none.
pub fn redacted(text: &str) -> Cow<'_, str> {
    search(text).0
}

/// Returns the text with secrets replaced, and what was replaced. Doing it twice changes nothing.
pub fn redact(text: &str) -> (String, Vec<Redacted>) {
    let (clean, found) = search(text);
    (clean.into_owned(), found)
}

fn search(text: &str) -> (Cow<'_, str>, Vec<Redacted>) {
    let mut text = Cow::Borrowed(text);
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut suspects = Suspects::of(&text);
    // In the order of the list: a shape that was replaced is gone for the ones after it.
    for (place, shape) in SHAPES.iter().enumerate() {
        if suspects.shapes & (1 << place) == 0 {
            continue;
        }
        let pattern = PATTERNS[place].get_or_init(|| compiled(shape));
        let secrets = if shape.is_named {
            named_secrets(&text, shape, pattern, &suspects.names)
        } else {
            let found = pattern.captures_iter(&text);
            found.filter_map(|found| secret(&text, shape, 0, &found)).collect()
        };
        if secrets.is_empty() {
            continue;
        }
        *counts.entry(shape.kind).or_default() += secrets.len();
        text = Cow::Owned(without(&text, &secrets, shape.kind));
        let known = suspects.shapes;
        suspects = Suspects { shapes: known, ..Suspects::of(&text) };
    }
    (text, counts.into_iter().map(|(kind, count)| Redacted { kind, count }).collect())
}

/// The values of these names that are secrets.
fn named_secrets(text: &str, shape: &Shape, pattern: &Regex, names: &[usize]) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut read = 0;
    for name in names {
        // What is a part of a value is no name.
        if *name < read {
            continue;
        }
        let Some(found) = pattern.captures(&text[*name..]) else { continue };
        read = name + found.get(0).map_or(0, |whole| whole.end());
        secrets.extend(secret(text, shape, *name, &found));
    }
    secrets
}

/// The secret in what a pattern found in the text from `start` on, if it is one.
fn secret(text: &str, shape: &Shape, start: usize, found: &regex::Captures<'_>) -> Option<Range<usize>> {
    let whole = found.get(0).expect("a match has a text");
    let secret = found.name("secret").unwrap_or(whole);
    let part = |name| found.name(name).map_or("", |part| part.as_str());
    let span = start + secret.start()..start + secret.end();
    let assigned = Assigned {
        before: &text[..start + whole.start()],
        name: part("name"),
        sign: part("sign"),
        value: secret.as_str(),
        after: &text[span.end..],
    };
    (!is_placeholder(secret.as_str()) && (shape.holds)(&assigned)).then_some(span)
}

/// The text with what is replaced of it.
fn without(text: &str, secrets: &[Range<usize>], kind: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    for secret in secrets {
        clean.push_str(&text[copied..secret.start]);
        clean.push_str("[redacted:");
        clean.push_str(kind);
        clean.push(']');
        copied = secret.end;
    }
    clean.push_str(&text[copied..]);
    clean
}

/// Returns the text without its private spans; one that is not closed reaches to the end.
pub(super) fn without_private(text: &str) -> (String, usize) {
    let (mut text, mut spans) = (text.to_owned(), 0);
    // What stood around a span may be one in its turn.
    loop {
        let found = PRIVATE.find_iter(&text).count();
        if found == 0 {
            return (text, spans);
        }
        spans += found;
        text = PRIVATE.replace_all(&text, "").into_owned();
    }
}

/// Redacts every text of a JSON value, and returns it as text.
pub(super) fn redact_json(json: &str) -> Result<(String, Vec<Redacted>), serde_json::Error> {
    let mut value: serde_json::Value = serde_json::from_str(json)?;
    let mut all = Vec::new();
    redact_value("", &mut value, &mut all);
    let text = if all.is_empty() { json.to_owned() } else { value.to_string() };
    Ok((text, all))
}

fn redact_value(key: &str, value: &mut serde_json::Value, all: &mut Vec<Redacted>) {
    match value {
        serde_json::Value::String(text) => {
            if assigned::names_a_password(key)
                && !is_placeholder(text)
                && assigned::is_literal(&Assigned { name: key, value: text, ..Assigned::default() })
            {
                *text = "[redacted:password]".to_owned();
                merge(all, &mut vec![Redacted { kind: "password", count: 1 }]);
                return;
            }
            // The key tells as much as a name before `=` does.
            let prefix = format!("{key}=");
            let (with_key, mut redacted) = redact(&format!("{prefix}{text}"));
            if !redacted.is_empty() {
                *text = with_key.strip_prefix(&prefix).map_or(with_key.clone(), str::to_owned);
                merge(all, &mut redacted);
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| redact_value(key, item, all)),
        serde_json::Value::Object(fields) => {
            fields.iter_mut().for_each(|(key, field)| redact_value(key, field, all));
        }
        _ => {}
    }
}

/// Redacts whatever of a memory can hold a secret, and returns what was replaced.
pub(super) fn redact_memory(memory: &mut Memory) -> Vec<Redacted> {
    let mut all = Vec::new();
    let content = &mut memory.content;
    redact_in_place(&mut content.text, &mut all);
    for field in
        [&mut content.agent, &mut content.session_id, &mut content.actor, &mut content.source, &mut content.topic_key]
    {
        field.iter_mut().for_each(|field| redact_in_place(field, &mut all));
    }
    content.tags.iter_mut().for_each(|tag| redact_in_place(tag, &mut all));
    if let Ok((metadata, mut more)) = redact_json(&content.metadata) {
        content.metadata = metadata;
        merge(&mut all, &mut more);
    }
    all
}

/// Returns the filter as it is asked of a store, where no name holds a secret.
pub(super) fn redacted_filter(filter: &MemoryFilter) -> MemoryFilter {
    let mut filter = filter.clone();
    for field in [&mut filter.agent, &mut filter.session_id, &mut filter.actor] {
        field.iter_mut().for_each(|field| redact_in_place(field, &mut Vec::new()));
    }
    filter.tags.iter_mut().for_each(|tag| redact_in_place(tag, &mut Vec::new()));
    filter
}

/// Redacts a text and adds what was replaced.
pub(super) fn redact_in_place(text: &mut String, all: &mut Vec<Redacted>) {
    let (clean, mut redacted) = redact(text);
    if !redacted.is_empty() {
        *text = clean;
        merge(all, &mut redacted);
    }
}

/// Adds counts to counts.
pub(super) fn merge(all: &mut Vec<Redacted>, more: &mut Vec<Redacted>) {
    for one in more.drain(..) {
        match all.iter_mut().find(|known| known.kind == one.kind) {
            Some(known) => known.count += one.count,
            None => all.push(one),
        }
    }
}

/// Whether it only stands for a secret: `${TOKEN}`, `$TOKEN`, `<token>`, `****`, `xxxx`, one already replaced.
fn is_placeholder(secret: &str) -> bool {
    let first = secret.chars().next().unwrap_or('*');
    secret.starts_with(['$', '%', '<', '{'])
        || secret.contains("[redacted:")
        || secret.chars().all(|c| c == first)
        || secret.eq_ignore_ascii_case("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secrets are put together here, so that no scanner takes this file for a leak.
    fn fake(prefix: &str, length: usize) -> String {
        let letters = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7";
        prefix.chars().chain(letters.chars().cycle().take(length)).collect()
    }

    #[test]
    fn known_shapes_are_replaced_wherever_they_stand() {
        for (secret, kind) in [
            (fake("sk-ant-api03-", 40), "anthropic_key"),
            (fake("sk-proj-", 40), "openai_key"),
            (fake("ghp_", 36), "github_token"),
            (fake("github_pat_", 60), "github_token"),
            (fake("glpat-", 20), "gitlab_token"),
            (fake("xoxb-", 30), "slack_token"),
            (fake("npm_", 36), "npm_token"),
            (fake("pypi-", 80), "pypi_token"),
            (format!("AKIA{}", "ABCDEFGH234567QR"), "aws_key"),
            (fake("AIza", 35), "google_key"),
            (fake("sk_live_", 24), "stripe_key"),
            (fake("hf_", 34), "service_token"),
            (format!("{}.{}.{}", fake("eyJ", 20), fake("eyJ", 30), fake("", 40)), "jwt"),
            (format!("-----BEGIN {0} KEY-----\nMIIE\nabc\n-----END {0} KEY-----", "RSA PRIVATE"), "private_key"),
        ] {
            let (text, redacted) = redact(&format!("before {secret} after"));
            assert_eq!(text, format!("before [redacted:{kind}] after"));
            assert_eq!(redacted, [Redacted { kind, count: 1 }]);
        }
    }

    #[test]
    fn every_pattern_is_valid_and_every_trigger_in_lower_case() {
        for shape in SHAPES {
            compiled(shape);
            assert!(!shape.triggers.is_empty() && shape.triggers.iter().all(|one| *one == one.to_ascii_lowercase()));
        }
    }

    #[test]
    fn only_the_secret_part_goes() {
        for (text, expected) in [
            ("postgres://app:s3cr3t-pw@db:5432/x", "postgres://app:[redacted:connection_password]@db:5432/x"),
            ("Authorization: Bearer abcdefghij0123456789", "Authorization: Bearer [redacted:authorization]"),
            ("DB_PASSWORD=hunter2!", "DB_PASSWORD=[redacted:password]"),
            (r#"{"password": "Tr0ub4dor"}"#, r#"{"password": "[redacted:password]"}"#),
            ("api_key = 'q9Zx81LmPw02RtYv'", "api_key = '[redacted:password]'"),
            ("DB_PASSWORD=correct-horse", "DB_PASSWORD=[redacted:password]"),
            ("export SMTP_PASS=letmein && run", "export SMTP_PASS=[redacted:password] && run"),
            ("host=db password=swordfish user=app", "host=db password=[redacted:password] user=app"),
            ("db:\n  password: correct-horse\n  port: 1", "db:\n  password: [redacted:password]\n  port: 1"),
            (r#"password: "two words here", x"#, r#"password: "[redacted:password]", x"#),
            ("password = 'it is\\' me'", "password = '[redacted:password]' me'"),
            (r#"{\"password\": \"two words\"}"#, r#"{\"password\": \"[redacted:password]\"}"#),
            ("curl -u admin:hunter22 https://x.org/a", "curl -u admin:[redacted:password] https://x.org/a"),
            ("curl -s --user 'admin:hunter22' x", "curl -s --user 'admin:[redacted:password]' x"),
            ("mysql --password hunter22 -h db", "mysql --password [redacted:password] -h db"),
            ("my database password is hunter22, now", "my database password is [redacted:password], now"),
        ] {
            let (once, redacted) = redact(text);
            assert_eq!(once, expected);
            assert_eq!(redacted.iter().map(|one| one.count).sum::<usize>(), 1, "{text}");
            assert_eq!(redact(&once), (once.clone(), Vec::new()), "twice changes nothing");
        }
    }

    #[test]
    fn prose_code_and_placeholders_stay() {
        for text in [
            "the token: authentication is handled by the proxy",
            "password = get_password(user)",
            "let token = self.tokens.next();",
            "max_tokens: 4000",
            "Bad activity token: android.os.BinderProxy@2bd79ce",
            "tokens=1000000",
            "password: ${DB_PASSWORD}",
            "password=********",
            "https://example.org:8080/path?x=1",
            "postgres://app:${PW}@db/x",
            "see src/secret.rs:120 and the sk-learn docs",
            "commit 3f786850e387550fdab836ed7e6dc881de23001b",
            "token_count = usize::MAX",
            "connect(host=host, password=password, user=user_name)",
            "self.password = password_from_stdin",
            "password = prompt2(user)",
            "pub struct Login { password: String, name: String }",
            "password: string;",
            "  password: required\n",
            "password: \"string\"",
            "label(password: \"Enter your password\")",
            "Passwords: ask Bo, who keeps them in the safe",
            "the password is base64-encoded and then hashed",
            "the password is required",
            "use --password to set one, or --password-stdin",
            "PWD=/home/ann/work2 OLDPWD=/home/ann",
            "PASSWORD_FILE=/run/secrets/db",
            "curl -u \"$USER:$PASS\" https://example.org",
            "curl -u admin https://example.org:8080/path",
            "password == \"\" || password != other",
        ] {
            assert_eq!(redact(text), (text.to_owned(), Vec::new()));
        }
    }

    #[test]
    fn names_are_found_wherever_they_stand_in_a_long_line() {
        let row = r#"{"max_token": 12, "note":"a -- token","db_password":"Tr0ub4dor","x.api_key"="#;
        let text = format!("{row}\n\n 'q9Zx81LmPw02RtYv' }} ").repeat(2_000);
        let (clean, found) = redact(&text);
        assert_eq!(found, [Redacted { kind: "password", count: 4_000 }]);
        assert!(!clean.contains("Tr0ub4dor") && !clean.contains("q9Zx81"));
        assert_eq!(clean.matches("\"max_token\": 12, \"note\":\"a -- token\"").count(), 2_000);
        // Names without an end, and names that nothing follows.
        let started = std::time::Instant::now();
        for text in
            ["token".repeat(200_000), "token ".repeat(200_000), "pwd=\"".repeat(100_000), "key:\n".repeat(200_000)]
        {
            redact(&text);
        }
        assert!(started.elapsed().as_secs() < 60);
    }

    #[test]
    fn private_spans_are_dropped() {
        assert_eq!(without_private("a <private>x\ny</private>b <PRIVATE>c"), ("a b ".to_owned(), 2));
        assert_eq!(without_private("a <pri<private>x</private>vate>y</private>b"), ("a b".to_owned(), 2));
    }

    #[test]
    fn json_stays_json() {
        let (json, redacted) = redact_json(r#"{"password":"Tr0ub4dor","list":["plain"],"n":1}"#).expect("valid");
        assert_eq!(json, r#"{"password":"[redacted:password]","list":["plain"],"n":1}"#);
        assert_eq!(redacted.len(), 1);
        let (json, _) = redact_json(r#"{"db_password":"two words here","password":"string"}"#).expect("valid");
        assert_eq!(json, r#"{"db_password":"[redacted:password]","password":"string"}"#);
        let (same, _) = redact_json(r#"{ "a" : 1 }"#).expect("valid");
        assert_eq!(same, r#"{ "a" : 1 }"#);
    }
}
