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
    /// Whether nothing is known of it but how comments begin: only whole lines are cut.
    pub(super) is_plain: bool,
}

pub(super) const RUST: Language =
    Language { is_indented: false, line_comment: "//", is_rust: true, has_templates: false, is_plain: false };
pub(super) const BRACES: Language =
    Language { is_indented: false, line_comment: "//", is_rust: false, has_templates: true, is_plain: false };
pub(super) const PYTHON: Language =
    Language { is_indented: true, line_comment: "#", is_rust: false, has_templates: false, is_plain: false };

/// How comments begin in languages without a grammar, by what their files end with or fences say.
const SIGNS: &[(&str, &[&str])] = &[
    (
        "#",
        &[
            "rb", "ruby", "sh", "bash", "zsh", "fish", "shell", "pl", "pm", "perl", "r", "jl", "julia", "yaml", "yml",
            "toml", "mk", "make", "cmake", "tcl", "nim", "ex", "exs", "elixir", "ps1", "tf", "nix", "awk", "cr", "gd",
        ],
    ),
    ("--", &["sql", "lua", "hs", "haskell", "elm", "ada", "adb", "ads", "vhd", "vhdl", "purs"]),
    (";", &["lisp", "lsp", "cl", "el", "clj", "cljs", "clojure", "scm", "scheme", "rkt", "asm", "s", "ini"]),
    ("%", &["erl", "hrl", "erlang", "tex", "latex", "sty", "m", "matlab", "prolog"]),
    ("!", &["f90", "f95", "f03", "fortran"]),
    ("'", &["vb", "bas", "vbs"]),
];

/// What lines begin with that define something, in languages without a grammar.
const DEFINES: &[&str] = &[
    "def ",
    "class ",
    "module ",
    "function ",
    "local function ",
    "sub ",
    "fun ",
    "func ",
    "proc ",
    "defmodule ",
    "defp ",
    "(defun ",
    "(defn ",
    "(define ",
    "(defmacro ",
    "create ",
    "alter ",
    "instance ",
    "data ",
    "type ",
    "newtype ",
    "subroutine ",
    "package ",
    "interface ",
    "object ",
    "trait ",
    "struct ",
    "enum ",
    "private ",
    "public ",
    "resource ",
    "\\section",
    "\\chapter",
    "\\newcommand",
    "-module",
    "-spec",
];

/// Whether a line begins a definition in a language of which only the comments are known.
pub(super) fn begins_definition(line: &str) -> bool {
    let line = line.trim();
    let starts = |word: &str| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    DEFINES.iter().any(|word| starts(word))
        || line.strip_suffix('{').is_some_and(|head| head.trim_end().ends_with("()"))
        || (line.contains("<- function(") || line.contains(" = function("))
}

impl Language {
    /// Returns the language without a grammar that a file's ending or a fence names.
    pub(super) fn named(name: &str) -> Option<Self> {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let ending = base.rsplit_once('.').map_or(base, |(_, ending)| ending).to_ascii_lowercase();
        let sign = match base {
            "Makefile" | "Dockerfile" | "Rakefile" | "Gemfile" => "#",
            _ => SIGNS.iter().find(|(_, endings)| endings.contains(&ending.as_str())).map(|(sign, _)| *sign)?,
        };
        Some(Self::plain(sign))
    }

    const fn plain(line_comment: &'static str) -> Self {
        Self { is_indented: false, line_comment, is_rust: false, has_templates: false, is_plain: true }
    }

    /// Returns the language without a grammar that a text looks like, by its comments and by how its
    /// blocks end.
    fn without_grammar(text: &str) -> Option<Self> {
        if text.starts_with("#!") {
            return Some(Self::plain("#"));
        }
        let mut counts = [0_usize; 4];
        let (mut lines, mut ends) = (0, 0);
        for line in text.lines().take(2_000).map(str::trim).filter(|line| !line.is_empty()) {
            lines += 1;
            let has_word = |words: &[&str]| words.contains(&line);
            ends += usize::from(line.ends_with([';', '{']) && !line.ends_with(";;") || line.starts_with("//"));
            let upper = line.get(..7).unwrap_or(line).to_ascii_uppercase();
            let sql =
                ["SELECT ", "CREATE ", "INSERT ", "UPDATE ", "ALTER T"].iter().any(|word| upper.starts_with(word));
            if line.starts_with("# ") || has_word(&["end", "fi", "done", "esac", "end."]) {
                counts[0] += 1;
            }
            if line.starts_with("-- ") || sql || line.starts_with("local ") && !line.contains(['$', '"']) {
                counts[1] += 2;
            }
            if line.starts_with(";") || line.starts_with("(def") {
                counts[2] += 1;
            }
            if line.starts_with("% ") || line.starts_with("\\begin{") || line.starts_with("-module(") {
                counts[3] += 1;
            }
        }
        let best = (0..counts.len()).rev().max_by_key(|index| counts[*index])?;
        // What ends its statements like C is no such language, but for SQL.
        let is_one = counts[best] * 30 >= lines && counts[best] > 0 && (best == 1 || ends * 3 < lines);
        is_one.then(|| Self::plain(["#", "--", ";", "%"][best]))
    }

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
        let other = Self::without_grammar(text);
        if let Some(other) =
            other.filter(|_| text.starts_with("#!") && !text.lines().next().is_some_and(|line| line.contains("python")))
        {
            other
        } else if python > 0
            && python * 3 > braces
            && !text.lines().any(|line| matches!(line.trim(), "end" | "fi" | "done"))
        {
            PYTHON
        } else if rust > 0 && rust * 12 > braces {
            RUST
        } else {
            other.unwrap_or(BRACES)
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
