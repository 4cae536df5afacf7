//! What kind of text something is, as far as estimates depend on it.

use schemars::JsonSchema;
use serde::Serialize;

/// A kind of text: tokenizers that agree on one may differ on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextKind {
    /// Prose in a language with Latin letters.
    Prose,
    /// Markdown and its like.
    Markdown,
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// TypeScript and JavaScript.
    Typescript,
    /// Any other programming or markup language.
    Code,
    /// JSON.
    Json,
    /// Lines with times, levels and sources.
    Log,
    /// Chinese.
    Chinese,
    /// Japanese.
    Japanese,
    /// Other scripts, or several.
    Mixed,
}

/// How much of a text is looked at in each of a few places.
const SAMPLE_BYTES: usize = 4 << 10;
/// How many lines of the first sample are looked at.
const LINES_MAX: usize = 40;

impl TextKind {
    /// Returns the kind of `text`, which is cheap however long it is: scripts are told by samples,
    /// then the extension of `name` decides, and where it tells nothing, the first lines do.
    pub fn of(name: Option<&str>, text: &str) -> Self {
        by_script(text).or_else(|| name.and_then(by_extension)).unwrap_or_else(|| by_lines(text))
    }

    /// Returns the kind as one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prose => "prose",
            Self::Markdown => "markdown",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Typescript => "typescript",
            Self::Code => "code",
            Self::Json => "json",
            Self::Log => "log",
            Self::Chinese => "chinese",
            Self::Japanese => "japanese",
            Self::Mixed => "mixed",
        }
    }
}

/// Parts from the beginning, the middle and the end; all of a short text.
fn samples(text: &str) -> impl Iterator<Item = &str> {
    let short = text.len() <= 3 * SAMPLE_BYTES;
    let starts = if short { vec![0] } else { vec![0, text.len() / 2, text.len() - SAMPLE_BYTES] };
    starts.into_iter().map(move |start| {
        let end = if short { text.len() } else { start + SAMPLE_BYTES };
        &text[text.floor_char_boundary(start)..text.floor_char_boundary(end)]
    })
}

/// The kind of a text of which a good part is not in Latin letters.
///
/// A character of Chinese counts three times: it says about as much as three letters, and it costs
/// as many tokens as a short word.
fn by_script(text: &str) -> Option<TextKind> {
    let (mut all, mut han, mut kana, mut other) = (0, 0, 0, 0);
    for c in samples(text).flat_map(str::chars).filter(|c| !c.is_whitespace()) {
        all += 1;
        match c {
            '\u{3040}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}' => kana += 1,
            '\u{2e80}'..='\u{2fdf}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
                han += 1;
            }
            // Latin, punctuation, symbols and signs that stand in any text.
            '\0'..='\u{36f}' | '\u{1e00}'..='\u{1eff}' | '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{303f}' => {}
            '\u{fe00}'..='\u{fe0f}' | '\u{ff00}'..='\u{ff65}' | char::REPLACEMENT_CHARACTER => {}
            _ => other += 1,
        }
    }
    let foreign = 3 * (han + kana) + other;
    if foreign == 0 || foreign * 4 < all + 2 * (han + kana) {
        return None;
    }
    Some(if other * 4 > han + kana {
        TextKind::Mixed
    } else if kana * 10 > han {
        TextKind::Japanese
    } else {
        TextKind::Chinese
    })
}

fn by_extension(name: &str) -> Option<TextKind> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    let (_, extension) = file.rsplit_once('.')?;
    Some(match extension {
        "md" | "markdown" | "mdx" | "rst" | "adoc" => TextKind::Markdown,
        "rs" => TextKind::Rust,
        "py" | "pyi" | "pyw" => TextKind::Python,
        "ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs" | "vue" | "svelte" => TextKind::Typescript,
        "json" | "jsonl" | "ndjson" | "json5" | "jsonc" | "geojson" | "ipynb" | "webmanifest" => TextKind::Json,
        "log" => TextKind::Log,
        "c" | "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" | "m" | "mm" | "cs" | "go" | "java" | "kt" | "kts"
        | "scala" | "swift" | "rb" | "php" | "pl" | "pm" | "lua" | "r" | "jl" | "ex" | "exs" | "erl" | "hs" | "ml"
        | "mli" | "clj" | "dart" | "zig" | "nim" | "sh" | "bash" | "zsh" | "fish" | "ps1" | "sql" | "html" | "htm"
        | "xml" | "svg" | "css" | "scss" | "less" | "toml" | "yaml" | "yml" | "ini" | "cfg" | "conf" | "cmake"
        | "gradle" | "tf" | "proto" | "graphql" | "asm" | "s" | "diff" | "patch" | "lock" => TextKind::Code,
        _ => return None,
    })
}

/// The kind of a text that has no telling name, by its first lines.
fn by_lines(text: &str) -> TextKind {
    let head = &text[..text.floor_char_boundary(SAMPLE_BYTES)];
    let trimmed = head.trim_start();
    let quoted = trimmed.get(1..).is_some_and(|rest| rest.trim_start().starts_with(['"', '{', '[', ']', '}']));
    if trimmed.starts_with(['{', '[']) && quoted {
        return TextKind::Json;
    }
    if let Some(program) = head.strip_prefix("#!").and_then(|rest| rest.lines().next()) {
        return match program {
            program if program.contains("python") => TextKind::Python,
            program if program.contains("node") || program.contains("deno") => TextKind::Typescript,
            _ => TextKind::Code,
        };
    }
    let lines: Vec<&str> = head.lines().filter(|line| !line.trim().is_empty()).take(LINES_MAX).collect();
    let many =
        |is: fn(&str) -> bool, of: usize| lines.iter().filter(|line| is(line)).count() * of >= lines.len().max(1);
    let any = |is: fn(&str) -> bool| lines.iter().filter(|line| is(line)).count();
    if many(has_time, 2) {
        TextKind::Log
    } else if any(is_python) >= 2 {
        TextKind::Python
    } else if any(is_rust) >= 2 {
        TextKind::Rust
    } else if any(is_typescript) >= 2 {
        TextKind::Typescript
    } else if many(ends_as_code, 3) {
        TextKind::Code
    } else if any(is_markup) >= 2 {
        TextKind::Markdown
    } else {
        TextKind::Prose
    }
}

/// Whether a line has a time of day near its beginning, such as `12:30:01`.
fn has_time(line: &str) -> bool {
    let head = &line.as_bytes()[..line.len().min(48)];
    head.windows(8).any(|at| {
        at.iter().enumerate().all(|(index, byte)| if index % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
    })
}

fn is_python(line: &str) -> bool {
    let line = line.trim_start();
    let block = ["def ", "class ", "if ", "for ", "with ", "elif "].iter().any(|word| line.starts_with(word));
    block && line.ends_with(':') || line.starts_with("from ") && line.contains(" import ")
}

fn is_rust(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("pub ").unwrap_or(line);
    line.starts_with("fn ") && line.contains('(')
        || ["impl ", "let mut ", "#[", "mod "].iter().any(|word| line.starts_with(word))
        || line.starts_with("use ") && line.contains("::")
}

fn is_typescript(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    ["const ", "interface ", "function ", "async function "].iter().any(|word| line.starts_with(word))
        || line.starts_with("import ") && (line.contains(" from ") || line.contains('"') || line.contains('\''))
        || line.ends_with("=> {")
}

fn ends_as_code(line: &str) -> bool {
    line.trim_end().ends_with(['{', '}', ';', ')', '>'])
}

fn is_markup(line: &str) -> bool {
    let marks = ["# ", "## ", "### ", "#### ", "- ", "* ", "> ", "```", "|"];
    marks.iter().any(|mark| line.trim_start().starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_first_and_the_first_lines_else() {
        let rust = "use std::fs;\n\nfn main() {\n    let mut n = 1;\n}\n";
        for (name, text, kind) in [
            (Some("src/a.rs"), "not much", TextKind::Rust),
            (Some("A.MD"), "not much", TextKind::Markdown),
            (Some("dir.rs/file"), "Some words, nothing else.", TextKind::Prose),
            (Some("x.lock"), "", TextKind::Code),
            (None, rust, TextKind::Rust),
            (None, "from os import path\ndef run():\n    return 1\n", TextKind::Python),
            (None, "import fs from 'fs';\nconst a = 1;\n", TextKind::Typescript),
            (None, "int main() {\n  return 0;\n}\n", TextKind::Code),
            (None, "{\"a\": 1}", TextKind::Json),
            (None, "[\n  {\"a\": 1}]", TextKind::Json),
            (None, "[see below] the note", TextKind::Prose),
            (None, "2026-01-02T03:04:05Z INFO started\n2026-01-02T03:04:06Z INFO ready\n", TextKind::Log),
            (None, "# Title\n\nWords.\n\n- one\n- two\n", TextKind::Markdown),
            (None, "#!/usr/bin/env python3\nprint(1)\n", TextKind::Python),
            (None, "", TextKind::Prose),
            (Some("a.md"), "这是一个关于令牌的文件。它主要是中文。", TextKind::Chinese),
            (Some("a.md"), "これは日本語の文章です。トークンを数えます。", TextKind::Japanese),
            (Some("a.md"), "Это русский текст, а не английский.", TextKind::Mixed),
            (Some("a.rs"), "// 中文\nfn main() { println!(\"a long enough line of code here\"); }", TextKind::Rust),
            (None, "Café, naïve, “quoted” — and an emoji 🎉.", TextKind::Prose),
        ] {
            assert_eq!(TextKind::of(name, text), kind, "{name:?} {text:?}");
        }
    }

    #[test]
    fn a_long_text_is_sampled_at_character_boundaries() {
        for text in ["é".repeat(50_000), format!("x{}", "漢".repeat(50_000)), "a🎉".repeat(9_000)] {
            TextKind::of(None, &text);
        }
        assert_eq!(TextKind::of(None, &"漢字".repeat(9_000)), TextKind::Chinese);
    }
}
