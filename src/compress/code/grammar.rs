//! The languages that are parsed, and how one is told from its name or its looks.
//!
//! A grammar's tables are constants of the binary: nothing is loaded or made before a text is parsed.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::language::{BRACES, Language, PYTHON, RUST};

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    Rust,
    Python,
    TypeScript,
    Tsx,
    JavaScript,
    Go,
    Java,
    C,
    Cpp,
}

use Grammar::{C, Cpp, Go, Java, JavaScript, Python, Rust, Tsx, TypeScript};

/// What files end with, and what fences say.
const NAMES: &[(&str, Grammar)] = &[
    ("rs", Rust),
    ("rust", Rust),
    ("py", Python),
    ("pyi", Python),
    ("python", Python),
    ("ts", TypeScript),
    ("mts", TypeScript),
    ("cts", TypeScript),
    ("typescript", TypeScript),
    ("tsx", Tsx),
    ("js", JavaScript),
    ("mjs", JavaScript),
    ("cjs", JavaScript),
    ("jsx", JavaScript),
    ("javascript", JavaScript),
    ("go", Go),
    ("golang", Go),
    ("java", Java),
    ("c", C),
    ("h", Cpp),
    ("cc", Cpp),
    ("cpp", Cpp),
    ("cxx", Cpp),
    ("c++", Cpp),
    ("hh", Cpp),
    ("hpp", Cpp),
    ("hxx", Cpp),
];

/// Words that lines of a language begin with, and words that occur in them; each line counts once.
const LOOKS: &[(Grammar, &[&str], &[&str])] = &[
    (
        Rust,
        &["fn ", "pub ", "impl ", "impl<", "let mut ", "use ", "mod ", "#[", "//!", "///", "match ", "async fn "],
        &["-> Result<", "&mut ", "::<", "&self", "let Some("],
    ),
    (
        Python,
        &["def ", "async def ", "elif ", "except", "from ", "self.", "@", "raise ", "with ", "print(", "if __name__"],
        &["(self", " is not None", "\"\"\""],
    ),
    (
        TypeScript,
        &[
            "interface ",
            "export interface ",
            "type ",
            "export type ",
            "import type ",
            "private ",
            "public ",
            "readonly ",
        ],
        &[": string", ": number", ": boolean", ": void", ": any", ": unknown", " as const", ": Promise<", "<T>", "[];"],
    ),
    (
        JavaScript,
        &["const ", "let ", "var ", "function ", "export ", "import ", "module.exports", "async ", "'use strict'"],
        &["=> {", "=>", "require(", "===", "this."],
    ),
    (
        Go,
        &["package ", "func ", "type ", "defer ", "go ", "import ("],
        &[" := ", "if err != nil", "chan ", "interface{"],
    ),
    (
        Java,
        &["public ", "private ", "protected ", "import java", "package ", "@Override", "throw new ", "final "],
        &[" extends ", " implements ", " new ", "System.", "String "],
    ),
    (
        C,
        &[
            "#include <",
            "#include \"",
            "#define ",
            "typedef ",
            "static ",
            "struct ",
            "#ifdef",
            "#ifndef",
            "int ",
            "void ",
            "char ",
        ],
        &["->", "NULL", "sizeof(", "const char *"],
    ),
    (
        Cpp,
        &["namespace ", "template", "class ", "public:", "private:", "using ", "virtual ", "explicit ", "#include <"],
        &["std::", "const&", "const &", "nullptr", "auto ", "override", "::"],
    ),
];

/// Finds the words that occur in lines, and says of which language each is, by its place in [`LOOKS`].
static PARTS: LazyLock<(AhoCorasick, Vec<u8>)> = LazyLock::new(|| {
    let all = (0_u8..).zip(LOOKS).flat_map(|(index, (.., parts))| parts.iter().map(move |part| (*part, index)));
    let (parts, languages): (Vec<&str>, Vec<u8>) = all.unzip();
    (AhoCorasick::new(parts).expect("a few short words"), languages)
});

/// How many lines are looked at.
const LINES: usize = 1_000;

impl Grammar {
    /// Returns the language that a file's ending or a fence names.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        NAMES.iter().find(|(other, _)| *other == name).map(|(_, grammar)| *grammar)
    }

    /// Returns the language of the file at this path, by its ending.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit(['/', '\\']).next()?.rsplit_once('.')?;
        Self::named(ending)
    }

    /// Returns the languages that `text` may be in, the likeliest first.
    pub(super) fn guesses(text: &str) -> Vec<Self> {
        let mut counts = [0_usize; 8];
        let (finder, languages) = &*PARTS;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES) {
            // What is far to the right on a giant line tells nothing more.
            let line = &line[..line.floor_char_boundary(400)];
            let mut holding = 0_u32;
            for found in finder.find_overlapping_iter(line) {
                holding |= 1 << languages[found.pattern().as_usize()];
            }
            let is_statement = line.ends_with(';');
            let first = line.as_bytes()[0];
            for (index, ((grammar, starts, _), count)) in LOOKS.iter().zip(&mut counts).enumerate() {
                let fits = match grammar {
                    Python | Go => !is_statement,
                    _ => true,
                };
                let starts_so = |word: &&str| word.as_bytes()[0] == first && line.starts_with(*word);
                if fits && (holding & (1 << index) != 0 || starts.iter().any(starts_so)) {
                    *count += 1;
                }
            }
        }
        let mut order: Vec<usize> = (0..LOOKS.len()).filter(|index| counts[*index] > 0).collect();
        order.sort_by_key(|index| std::cmp::Reverse(counts[*index]));
        let mut guesses = Vec::new();
        // The second is one only where it looks nearly as much like it.
        let most = order.first().map_or(0, |first| counts[*first]);
        let likely = order.into_iter().filter(|index| counts[*index] * 4 >= most * 3).take(2);
        let says_types =
            LOOKS.iter().zip(&counts).any(|((grammar, ..), count)| *grammar == TypeScript && count * 20 >= most);
        for grammar in likely.map(|index| LOOKS[index].0) {
            let family: &[Self] = match grammar {
                TypeScript => &[TypeScript, Tsx, JavaScript],
                JavaScript if says_types => &[TypeScript, JavaScript, Tsx],
                // What is said of types may be all that is not JavaScript.
                JavaScript => &[JavaScript, TypeScript, Tsx],
                C => &[C, Cpp],
                _ => &[grammar],
            };
            for member in family {
                if !guesses.contains(member) {
                    guesses.push(*member);
                }
            }
        }
        guesses
    }

    /// Whether it is a dialect of the same language as the other.
    pub(super) fn is_like(self, other: Self) -> bool {
        self.relatives().contains(&other) || other.relatives().contains(&self)
    }

    /// Returns what else a text may be in that is said to be in this language.
    pub(super) fn relatives(self) -> Vec<Self> {
        match self {
            TypeScript => vec![TypeScript, Tsx],
            Tsx => vec![Tsx, TypeScript],
            JavaScript => vec![JavaScript, Tsx],
            C => vec![C, Cpp],
            Cpp => vec![Cpp, C],
            _ => vec![self],
        }
    }

    /// Returns how comments and blocks are written.
    pub(super) fn notation(self) -> Language {
        match self {
            Rust => RUST,
            Python => PYTHON,
            _ => BRACES,
        }
    }

    /// Returns the grammar.
    pub(super) fn language(self) -> tree_sitter::Language {
        match self {
            Rust => tree_sitter_rust::LANGUAGE.into(),
            Python => tree_sitter_python::LANGUAGE.into(),
            TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Go => tree_sitter_go::LANGUAGE.into(),
            Java => tree_sitter_java::LANGUAGE.into(),
            C => tree_sitter_c::LANGUAGE.into(),
            Cpp => tree_sitter_cpp::LANGUAGE.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_name_and_by_looks() {
        assert_eq!(Grammar::of_path("src/a.b/Main.JAVA"), Some(Java));
        assert_eq!(Grammar::of_path("Makefile"), None);
        assert_eq!(Grammar::named("tsx"), Some(Tsx));
        for (text, grammar) in [
            ("use std::fmt;\n\npub fn run(&self) {\n    let mut x = 1;\n}\n", Rust),
            ("import os\n\ndef run(self):\n    raise ValueError(os)\n", Python),
            ("package main\n\nfunc main() {\n\tx := 1\n}\n", Go),
            ("import java.util.List;\n\npublic class A {\n    private int x;\n}\n", Java),
            ("#include <stdio.h>\n\nstatic int x;\nint main(void) {\n    return 0;\n}\n", C),
            ("#include <vector>\nnamespace a {\nclass B {\npublic:\n  std::string c;\n};\n}\n", Cpp),
            ("export interface A {\n  b: string;\n  c: number;\n}\n", TypeScript),
            ("const a = require('a');\nfunction b() {\n  return a === 1;\n}\n", JavaScript),
        ] {
            assert_eq!(Grammar::guesses(text).first(), Some(&grammar), "{text}");
        }
        assert!(Grammar::guesses("").is_empty());
    }
}
