//! What tells languages apart, as far as brackets, strings and comments go.

/// How a language writes its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Language {
    /// Whether indentation makes blocks instead of braces.
    pub(super) is_indented: bool,
    /// What begins a comment that ends with its line.
    pub(super) line_comment: &'static str,
    /// Whether `'` begins lifetimes and single characters only.
    pub(super) is_rust: bool,
    /// Whether backquotes make strings.
    pub(super) has_templates: bool,
}

pub(super) const RUST: Language =
    Language { is_indented: false, line_comment: "//", is_rust: true, has_templates: false };
pub(super) const BRACES: Language =
    Language { is_indented: false, line_comment: "//", is_rust: false, has_templates: true };
pub(super) const PYTHON: Language =
    Language { is_indented: true, line_comment: "#", is_rust: false, has_templates: false };

impl Language {
    /// Returns the language that `text` is most likely in.
    pub(super) fn of(text: &str) -> Self {
        let count =
            |is_one: &dyn Fn(&str) -> bool| text.lines().take(2_000).map(str::trim).filter(|line| is_one(line)).count();
        let python = count(&|line| {
            (line.ends_with(':')
                && ["def ", "class ", "if ", "for ", "else", "try", "with ", "elif ", "async def "]
                    .iter()
                    .any(|word| line.starts_with(word)))
                || (line.starts_with("from ") && line.contains(" import "))
                || (line.starts_with("import ") && !line.ends_with(';') && !line.contains(['"', '\'', '{']))
        });
        let rust = count(&|line| {
            ["fn ", "pub ", "impl ", "impl<", "let mut ", "use ", "mod ", "#[", "//!", "match "]
                .iter()
                .any(|word| line.starts_with(word))
        });
        let braces = count(&|line| line.ends_with('{') || line.ends_with(';') || line.starts_with('}'));
        if python > 0 && python * 3 > braces {
            PYTHON
        } else if rust > 0 && rust * 12 > braces {
            RUST
        } else {
            BRACES
        }
    }
}

/// How sure it is that `sample` is source code.
pub(super) fn looks_like_code(sample: &str) -> u8 {
    let lines: Vec<&str> = sample.lines().map(str::trim).filter(|line| !line.is_empty()).take(400).collect();
    if lines.len() < 3 {
        return 0;
    }
    let looks = lines.iter().filter(|line| is_code(line)).count();
    let defines = lines.iter().any(|line| defines_something(line));
    let share = looks * 100 / lines.len();
    match (share, defines) {
        (45.., true) => 92,
        (30.., true) => 75,
        (60.., false) => 60,
        _ => 0,
    }
}

fn is_code(line: &str) -> bool {
    line.ends_with([';', '{', '}', ','])
        || line.ends_with(");")
        || (line.ends_with(':') && defines_something(line))
        || [
            "//", "/*", "* ", "#[", "#include", "import ", "from ", "use ", "return", "def ", "@", "if ", "elif ",
            "else:", "for ", "self.",
        ]
        .iter()
        .any(|word| line.starts_with(word))
        || line.contains(" = ")
        || (line.ends_with(')') && line.contains('('))
}

fn defines_something(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "fn ",
        "pub ",
        "impl ",
        "struct ",
        "enum ",
        "trait ",
        "mod ",
        "use ",
        "def ",
        "class ",
        "async def ",
        "function ",
        "export ",
        "const ",
        "import ",
        "#include",
        "package ",
        "public ",
        "private ",
        "func ",
        "interface ",
        "static ",
        "namespace ",
        "module.exports",
        "let ",
        "var ",
    ];
    WORDS.iter().any(|word| line.starts_with(word)) && line.contains(['(', '{', ':', ';', '=', '<', '"', '\''])
        || (line.starts_with("import ") || line.starts_with("from "))
}
