//! How results and errors look outside: one table of codes, and what an assistant gets to see.

use serde_json::{Value, json};

use crate::tools::{Answer, ErrorKind, ToolError};

/// What a kind of failure is called outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// The code of a JSON-RPC error.
    pub json_rpc: i32,
    /// The exit code of a command.
    pub exit: u8,
    /// The word in `data.kind` and in metrics.
    pub word: &'static str,
}

/// Returns what a kind of failure is called outside.
///
/// The negative codes below -32000 are JSON-RPC's own; those from -32000 are left to servers by
/// its specification and keep clear of the ones that MCP has taken (-32002, -32020 to -32022,
/// -32042).
pub fn codes(kind: ErrorKind) -> Codes {
    let (json_rpc, exit, word) = match kind {
        ErrorKind::UnknownTool => (-32601, 2, "unknown_tool"),
        ErrorKind::InvalidInput => (-32602, 2, "invalid_input"),
        ErrorKind::NotFound => (-32004, 3, "not_found"),
        ErrorKind::BudgetTooSmall => (-32005, 4, "budget_too_small"),
        ErrorKind::Refused => (-32006, 5, "refused"),
        ErrorKind::RateLimited => (-32007, 6, "rate_limited"),
        ErrorKind::Unavailable => (-32008, 7, "unavailable"),
        ErrorKind::Cancelled => (-32009, 130, "cancelled"),
        ErrorKind::Internal => (-32603, 70, "internal"),
    };
    Codes { json_rpc, exit, word }
}

/// Returns an error in the words of a text: what failed, and what to try.
pub fn error_text(error: &ToolError) -> String {
    match &error.hint {
        Some(hint) => format!("{}\nHint: {hint}", error.message),
        None => error.message.clone(),
    }
}

/// Returns the `data` of a JSON-RPC error.
pub fn error_data(error: &ToolError) -> Value {
    let mut data = json!({ "kind": codes(error.kind).word });
    if let Some(hint) = &error.hint {
        data["hint"] = Value::from(hint.as_str());
    }
    data
}

/// Which half of a result a client shows to its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// `structuredContent`, or both halves.
    Structured,
    /// Only `content`.
    Text,
}

/// The clients that are known to show only `content`.
const TEXT_ONLY: [&str; 3] = ["gemini-cli", "opencode", "qwen-code"];

impl Shown {
    /// Returns what a client shows that speaks this version of MCP and has this name.
    ///
    /// A large payload must never be in both halves: clients that pass both on would pay for it
    /// twice, and budgets would not hold. So each client gets one half, and where the text is
    /// needed, `structuredContent` and the `outputSchema` that demands it are both left out
    /// (revisions before 2025-06-18 know neither).
    pub fn by(version: &str, client: &str) -> Self {
        let client = client.to_ascii_lowercase();
        if version < "2025-06-18" || TEXT_ONLY.iter().any(|name| client.starts_with(name)) {
            Self::Text
        } else {
            Self::Structured
        }
    }
}

/// The longest text that is sent beside a structured result. What both halves cost together stays
/// near the budget of the one.
const BESIDE_BYTES_MAX: usize = 200;
/// How much of a longer text is shown.
const GLANCE_BYTES: usize = 80;

/// Returns the texts and the structured half of a result. A reader of the text alone gets the
/// remark too, for example which handle gives back what was cut; the other has it as a field.
pub fn answer(answer: Answer, shown: Shown) -> (Vec<String>, Option<Value>) {
    match shown {
        Shown::Text => ([Some(answer.text), answer.remark].into_iter().flatten().collect(), None),
        Shown::Structured if answer.text.len() <= BESIDE_BYTES_MAX => (vec![answer.text], Some(answer.structured)),
        Shown::Structured => {
            let lines = answer.text.lines().count();
            let first = answer.text.lines().next().unwrap_or_default();
            let glance = &first[..first.floor_char_boundary(GLANCE_BYTES)];
            let note = format!("{glance}...\n[{lines} lines; the whole result is in structuredContent]");
            (vec![note], Some(answer.structured))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_large_payload_in_one_half_only() {
        let large = || Answer {
            structured: json!({ "text": "x".repeat(9000) }),
            text: "é".repeat(4500),
            remark: Some("cut".to_owned()),
            bytes: None,
            failure: None,
        };
        let (texts, structured) = answer(large(), Shown::Structured);
        assert!(texts.concat().len() < 200 && structured.is_some());
        let (texts, structured) = answer(large(), Shown::Text);
        assert!(texts[0].len() == 9000 && texts[1] == "cut" && structured.is_none());
    }

    #[test]
    fn the_half_depends_on_version_and_client() {
        for (version, client, shown) in [
            ("2024-11-05", "claude-code", Shown::Text),
            ("2025-06-18", "codex-mcp-client", Shown::Structured),
            ("2025-06-18", "gemini-cli-mcp-client", Shown::Text),
            ("2025-11-25", "opencode", Shown::Text),
            ("2026-07-28", "claude-code", Shown::Structured),
        ] {
            assert_eq!(Shown::by(version, client), shown, "{version} {client}");
        }
    }
}
