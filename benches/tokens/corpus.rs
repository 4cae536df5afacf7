//! Texts of many kinds, made up from a seed.
//!
//! Nothing is downloaded and nothing lies in the repository. English, Russian, French and Arabic words
//! are the vocabularies that the dependency `rust-stemmers` carries for its tests; how often the
//! English ones occur is counted in the documentation of other dependencies. Rust is the source text
//! of dependencies. All are of the versions in `Cargo.lock`, so every machine has the same texts.
//!
//! Frequencies follow the law of Zipf and Mandelbrot, as those of words and names do: 135 words make up
//! half of the English, as they do of the Brown corpus. Without that, caches look better or worse than
//! they are.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::texts::Random;

/// Crates whose sources are the Rust text: written by people, and large together.
const RUST_CRATES: [&str; 24] = [
    "tokio",
    "rmcp",
    "jiff",
    "regex-automata",
    "clap_builder",
    "futures-util",
    "rusqlite",
    "jsonschema",
    "serde_core",
    "schemars",
    "hashbrown",
    "regex-syntax",
    "proptest",
    "ignore",
    "globset",
    "bytes",
    "indexmap",
    "tracing-subscriber",
    "bstr",
    "tokio-util",
    "nix",
    "walkdir",
    "serde_json",
    "insta",
];

/// A kind of text, and how it is made.
pub struct Kind {
    /// What it is called in tables.
    pub name: &'static str,
    make: fn(&Words, &mut Random, usize) -> String,
}

/// All kinds.
pub const KINDS: [Kind; 14] = [
    Kind { name: "prose", make: prose },
    Kind { name: "Rust", make: rust },
    Kind { name: "Python", make: python },
    Kind { name: "TypeScript", make: typescript },
    Kind { name: "JSON", make: json },
    Kind { name: "logs", make: logs },
    Kind { name: "Markdown", make: markdown },
    Kind { name: "mixed scripts", make: mixed },
    Kind { name: "whitespace", make: whitespace },
    Kind { name: "Chinese", make: chinese },
    Kind { name: "Japanese", make: japanese },
    Kind { name: "Korean", make: korean },
    Kind { name: "base64", make: base64 },
    Kind { name: "diff", make: diff },
];

impl Kind {
    /// Returns a text of `len` bytes, made from a seed.
    pub fn text(&self, words: &Words, seed: u64, len: usize) -> String {
        let mut text = (self.make)(words, &mut Random::new(seed), len);
        text.truncate(text.floor_char_boundary(len));
        text
    }
}

/// A list whose `n`th item is drawn with a weight of `1 / (n + 2.7)`, raised to an exponent.
struct Zipf {
    items: Vec<String>,
    sums: Vec<f64>,
}

impl Zipf {
    fn new(items: Vec<String>, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weigh = |rank| {
            sum += 1.0 / (rank as f64 + 3.7).powf(exponent);
            sum
        };
        let sums = (0..items.len()).map(weigh).collect();
        Self { items, sums }
    }

    fn draw(&self, random: &mut Random) -> &str {
        let total = self.sums.last().expect("a list of words has words");
        let at = random.below(1 << 30) as f64 / f64::from(1 << 30) * total;
        &self.items[self.sums.partition_point(|sum| *sum <= at).min(self.items.len() - 1)]
    }
}

/// What texts are made of.
pub struct Words {
    english: Zipf,
    names: Zipf,
    snake: Zipf,
    camel: Zipf,
    pascal: Zipf,
    foreign: [Zipf; 3],
    chinese: Zipf,
    kanji: Zipf,
    katakana: Zipf,
    korean: Zipf,
    rust: Vec<String>,
    rust_next: Cell<usize>,
}

impl Words {
    /// Reads the words of the dependencies and makes up the rest.
    pub fn new() -> Self {
        let random = &mut Random::new(1);
        let mut rust = Vec::new();
        for name in RUST_CRATES {
            let mut files: Vec<PathBuf> = walkdir::WalkDir::new(dependency(name))
                .into_iter()
                .filter_map(|entry| Some(entry.ok()?.into_path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
                .collect();
            files.sort();
            let texts = files.iter().filter_map(|path| fs::read_to_string(path).ok());
            // Tables of numbers are no source text.
            rust.extend(texts.filter(|text| text.len() < 200_000 && !text.contains("DO NOT EDIT")));
        }
        shuffle(&mut rust, random);
        let english = by_frequency(vocabulary("en", random), &rust);

        let names = made(40_000, random, |random| {
            let mut name = syllables(random, 2, 4);
            name[..1].make_ascii_uppercase();
            name
        });
        let english = Zipf::new(english, 1.1);
        let identifiers = |random: &mut Random, join: fn(&[&str]) -> String| {
            let list = made(20_000, random, |random| {
                let parts: Vec<&str> = (0..1 + random.below(3)).map(|_| english.draw(random)).collect();
                join(&parts)
            });
            Zipf::new(list, 0.9)
        };
        let snake = identifiers(random, |parts| parts.join("_"));
        let pascal = identifiers(random, |parts| parts.iter().map(|part| capital(part)).collect());
        let camel = identifiers(random, |parts| {
            let rest: String = parts[1..].iter().map(|part| capital(part)).collect();
            format!("{}{rest}", parts[0])
        });
        let foreign = ["ru", "fr", "ar"].map(|language| Zipf::new(vocabulary(language, random), 0.9));
        let letters = |first: u32, count: usize, random: &mut Random| {
            let list = made(count * 3 / 4, random, |random| character(first, count, random).to_string());
            Zipf::new(list, 0.8)
        };
        let compound = |letters: &Zipf, count: usize, longest: usize, random: &mut Random| {
            let list = made(count, random, |random| {
                (0..1 + random.below(longest)).map(|_| letters.draw(random)).collect::<String>()
            });
            Zipf::new(list, 0.9)
        };
        let han = letters(0x4e00, 5_000, random);
        let hangul = letters(0xac00, 2_500, random);
        let kana = letters(0x30a1, 84, random);
        Self {
            names: Zipf::new(names, 1.0),
            snake,
            camel,
            pascal,
            foreign,
            chinese: compound(&han, 30_000, 3, random),
            kanji: compound(&han, 15_000, 2, random),
            katakana: compound(&kana, 4_000, 6, random),
            korean: compound(&hangul, 40_000, 4, random),
            english,
            rust,
            rust_next: Cell::new(0),
        }
    }
}

/// Returns the folder with the source of a dependency, in the version of `Cargo.lock`.
#[expect(clippy::disallowed_methods, reason = "where cargo keeps sources is said by its environment")]
fn dependency(name: &str) -> PathBuf {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = fs::read_to_string(lock).expect("Cargo.lock is there");
    let (_, after) = lock.split_once(&format!("name = \"{name}\"\nversion = \"")).expect("a dependency");
    let version = after.split('"').next().expect("a version");
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).expect("a home folder");
    let registries = fs::read_dir(home.join("registry/src")).expect("cargo's sources; run `cargo fetch` first");
    let mut folders = registries.filter_map(|entry| Some(entry.ok()?.path().join(format!("{name}-{version}"))));
    folders.find(|folder| folder.is_dir()).unwrap_or_else(|| panic!("{name} {version} is not fetched: `cargo fetch`"))
}

/// Returns the words of a language in random order.
fn vocabulary(language: &str, random: &mut Random) -> Vec<String> {
    let file = dependency("rust-stemmers").join(format!("test_data/voc_{language}.txt"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut words: Vec<String> = text.lines().map(str::to_owned).filter(|word| !word.is_empty()).collect();
    shuffle(&mut words, random);
    words
}

/// Sorts words by how often comments have them; those that are never there stay as they are, last.
fn by_frequency(words: Vec<String>, sources: &[String]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let lines = sources.iter().flat_map(|text| text.lines());
    for line in lines.filter(|line| line.trim_start().starts_with("//")) {
        for word in line.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_ascii_lowercase()).or_default() += 1;
        }
    }
    let mut words = words;
    words.sort_by_key(|word| std::cmp::Reverse(counts.get(word).copied().unwrap_or(0)));
    words
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at + 1));
    }
}

/// Returns `count` different strings.
fn made(count: usize, random: &mut Random, mut make: impl FnMut(&mut Random) -> String) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let mut list = Vec::with_capacity(count);
    while list.len() < count {
        let item = make(random);
        if seen.insert(item.clone()) {
            list.push(item);
        }
    }
    list
}

fn syllables(random: &mut Random, least: usize, most: usize) -> String {
    const ONSETS: [&str; 20] =
        ["b", "br", "c", "ch", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w"];
    const VOWELS: [&str; 10] = ["a", "e", "i", "o", "u", "ai", "ea", "ie", "oo", "y"];
    const CODAS: [&str; 9] = ["", "", "", "n", "r", "s", "l", "m", "ck"];
    (0..least + random.below(most - least + 1))
        .flat_map(|_| [ONSETS[random.below(20)], VOWELS[random.below(10)], CODAS[random.below(9)]])
        .collect()
}

fn capital(word: &str) -> String {
    let mut word = word.to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}

fn character(first: u32, count: usize, random: &mut Random) -> char {
    char::from_u32(first + random.below(count) as u32).expect("a range of characters")
}

fn hex(random: &mut Random, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[random.below(16)])).collect()
}

fn timestamp(random: &mut Random) -> String {
    let [month, day] = [1 + random.below(12), 1 + random.below(28)];
    let [hour, minute, second, millis] = [24, 60, 60, 1000].map(|bound| random.below(bound));
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Appends a sentence of English.
fn sentence(words: &Words, random: &mut Random, text: &mut String) {
    let count = 4 + random.below(22);
    for at in 0..count {
        let mut word = match random.below(100) {
            0..5 => words.names.draw(random).to_owned(),
            5 => random.below(3000).to_string(),
            _ => words.english.draw(random).to_owned(),
        };
        if at == 0 {
            word = capital(&word);
        }
        let after = match random.below(60) {
            _ if at + 1 == count => [".", ".", ".", ".", ".", ".", "?", "!", ".\"", ":"][random.below(10)],
            0..6 => ",",
            6 => "'s",
            7 => ";",
            8 => " -",
            9 => "n't",
            _ => "",
        };
        let before = if at == 0 { "" } else { " " };
        let _ = write!(text, "{before}{word}{after}");
    }
}

/// Repeats a step until the text is long enough.
fn filled(len: usize, mut step: impl FnMut(&mut String)) -> String {
    let mut text = String::with_capacity(len + 4096);
    while text.len() < len {
        step(&mut text);
    }
    text
}

fn prose(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        for _ in 0..2 + random.below(7) {
            sentence(words, random, text);
            text.push(' ');
        }
        text.push_str("\n\n");
    })
}

/// Whole files, each once before any comes twice.
fn rust(words: &Words, _: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let next = words.rust_next.get();
        text.push_str(&words.rust[next]);
        words.rust_next.set((next + 1) % words.rust.len());
    })
}

fn python(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let class = words.pascal.draw(random).to_owned();
        let _ = write!(text, "class {class}({}):\n    \"\"\"", words.pascal.draw(random));
        sentence(words, random, text);
        text.push_str("\"\"\"\n");
        for _ in 0..1 + random.below(6) {
            let [name, first, second, third] = [(); 4].map(|()| words.snake.draw(random));
            let kind = ["str", "int", "list[str]", "dict[str, Any]", "Path | None", "float"][random.below(6)];
            let _ = write!(text, "\n    def {name}(self, {first}: {kind}, {second}=None) -> {kind}:\n        # ");
            sentence(words, random, text);
            text.push('\n');
            for _ in 0..2 + random.below(8) {
                let other = words.snake.draw(random);
                let number = random.below(500);
                let _ = match random.below(7) {
                    0 => write!(
                        text,
                        "        if {first} is not None and {other} > {number}:\n            return self.{third}\n"
                    ),
                    1 => writeln!(text, "        self.{other} = {second}.get(\"{third}\", {number})"),
                    2 => write!(
                        text,
                        "        for {other} in enumerate({first}):\n            {third}.append({other})\n"
                    ),
                    3 => writeln!(text, "        {other} = [{third}({second}, x) for x in range({number})]"),
                    4 => writeln!(text, "        raise ValueError(f\"{other} of {{{first}}} must not be {number}\")"),
                    5 => writeln!(text, "        {other}.{third}({first}, key=lambda item: item[{}])", number % 4),
                    _ => writeln!(text, "        assert {other} == {first}[{number}:], {second}"),
                };
            }
        }
        text.push_str("\n\n");
    })
}

fn typescript(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let class = words.pascal.draw(random).to_owned();
        let kinds = ["string", "number", "boolean", "string[]", "Promise<void>", "Record<string, unknown>"];
        let _ = writeln!(text, "export interface {class}Options {{");
        for _ in 0..1 + random.below(5) {
            let _ = writeln!(text, "  readonly {}?: {};", words.camel.draw(random), kinds[random.below(6)]);
        }
        let _ = write!(text, "}}\n\n/**\n * ");
        sentence(words, random, text);
        let _ = writeln!(text, "\n */\nexport class {class} extends {} {{", words.pascal.draw(random));
        for _ in 0..1 + random.below(5) {
            let [name, first, second, third] = [(); 4].map(|()| words.camel.draw(random));
            let _ = writeln!(
                text,
                "  async {name}({first}: {}, {second} = {}): Promise<{class}> {{",
                kinds[random.below(6)],
                random.below(100)
            );
            for _ in 0..2 + random.below(7) {
                let other = words.camel.draw(random);
                let number = random.below(500);
                let _ = match random.below(6) {
                    0 => write!(
                        text,
                        "    if (this.{other} !== undefined && {first}.length > {number}) {{\n      return {third};\n    }}\n"
                    ),
                    1 => writeln!(text, "    const {other} = await this.{third}({first}, {{ {second}: {number} }});"),
                    2 => writeln!(text, "    {first}.map(({other}) => {other}.{third} ?? '{second}');"),
                    3 => writeln!(text, "    throw new Error(`{other}: ${{{first}}} is not ${{this.{third}}}`);"),
                    4 => writeln!(text, "    console.log(\"{other}\", {second}?.{third});"),
                    _ => writeln!(text, "    this.{other}.set({first}, {second} as unknown as {class});"),
                };
            }
            text.push_str("  }\n\n");
        }
        text.push_str("}\n\n");
    })
}

fn json(words: &Words, random: &mut Random, len: usize) -> String {
    let keys: Vec<&str> = (0..40).map(|_| words.snake.draw(random)).collect();
    let text = filled(len, |text| {
        let id = hex(random, 8);
        let _ = write!(
            text,
            "  {{\n    \"id\": \"{id}-{}\",\n    \"created_at\": \"{}\",\n",
            hex(random, 4),
            timestamp(random)
        );
        for _ in 0..3 + random.below(8) {
            let key = keys[random.below(keys.len())];
            let _ = match random.below(6) {
                0 => writeln!(text, "    \"{key}\": {},", random.below(100_000)),
                1 => writeln!(text, "    \"{key}\": {}.{},", random.below(100), random.below(10_000)),
                2 => writeln!(text, "    \"{key}\": {},", ["true", "false", "null"][random.below(3)]),
                3 => writeln!(
                    text,
                    "    \"{key}\": [\"{}\", \"{}\"],",
                    words.snake.draw(random),
                    words.names.draw(random)
                ),
                4 => writeln!(
                    text,
                    "    \"{key}\": {{ \"url\": \"https://example.org/{}/{}\" }},",
                    words.snake.draw(random),
                    random.below(9999)
                ),
                _ => {
                    let _ = write!(text, "    \"{key}\": \"");
                    sentence(words, random, text);
                    writeln!(text, "\",")
                }
            };
        }
        let _ = write!(text, "    \"name\": \"{}\"\n  }},\n", words.names.draw(random));
    });
    format!("[\n{text}")
}

fn logs(words: &Words, random: &mut Random, len: usize) -> String {
    let shapes = made(300, random, |random| {
        let mut shape = String::new();
        sentence(words, random, &mut shape);
        shape
    });
    let shapes = Zipf::new(shapes, 1.0);
    let modules: Vec<String> =
        (0..60).map(|_| format!("{}::{}", words.snake.draw(random), words.snake.draw(random))).collect();
    filled(len, |text| {
        let level = ["INFO ", "INFO ", "INFO ", "DEBUG", "WARN ", "ERROR"][random.below(6)];
        let _ = write!(text, "{} {level} [{}] {}", timestamp(random), modules[random.below(60)], shapes.draw(random));
        let _ = match random.below(4) {
            0 => writeln!(text, " request_id={} took {}ms", hex(random, 12), random.below(5000)),
            1 => writeln!(
                text,
                " 10.{}.{}.{}:{} \"GET /{}/{} HTTP/1.1\" {}",
                random.below(256),
                random.below(256),
                random.below(256),
                random.below(65_536),
                words.snake.draw(random),
                random.below(100_000),
                [200, 200, 200, 304, 404, 500][random.below(6)]
            ),
            2 => writeln!(text, " user={} bytes={}", words.names.draw(random), random.below(10_000_000)),
            _ => writeln!(text),
        };
    })
}

fn markdown(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let _ = match random.below(8) {
            0 => writeln!(text, "## {} {}\n", capital(words.english.draw(random)), words.english.draw(random)),
            1 => {
                for _ in 0..2 + random.below(5) {
                    let _ = write!(text, "- **{}**: ", words.english.draw(random));
                    sentence(words, random, text);
                    text.push('\n');
                }
                writeln!(text)
            }
            2 => writeln!(
                text,
                "```rust\nlet {} = {}({});\n```\n",
                words.snake.draw(random),
                words.snake.draw(random),
                random.below(99)
            ),
            3 => {
                let _ =
                    writeln!(text, "| {} | {} |\n|---|---:|", words.english.draw(random), words.english.draw(random));
                for _ in 0..2 + random.below(6) {
                    let _ = writeln!(
                        text,
                        "| `{}` | {}.{} |",
                        words.snake.draw(random),
                        random.below(400),
                        random.below(10)
                    );
                }
                writeln!(text)
            }
            4 => writeln!(
                text,
                "See [{}](https://docs.example.org/{}#{}).\n",
                words.english.draw(random),
                words.snake.draw(random),
                words.english.draw(random)
            ),
            _ => {
                for _ in 0..1 + random.below(4) {
                    sentence(words, random, text);
                    let _ = write!(text, " `{}` ", words.snake.draw(random));
                }
                writeln!(text, "\n")
            }
        };
    })
}

fn mixed(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let list = match random.below(8) {
            0..3 => &words.english,
            3 => &words.foreign[0],
            4 => &words.foreign[1],
            5 => &words.foreign[2],
            6 => &words.chinese,
            _ => &words.korean,
        };
        for _ in 0..3 + random.below(10) {
            text.push_str(list.draw(random));
            text.push(' ');
        }
        text.push_str([". ", ", ", "! ", "?\n", "。", " – ", "… ", " 😀 ", " 👩‍💻\n", "» "][random.below(10)]);
    })
}

fn whitespace(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        let run = match random.below(20) {
            0 => 60 + random.below(140),
            1..5 => 1 + random.below(60),
            _ => 1 + random.below(20),
        };
        let blank = [" ", " ", " ", "\t", "\n", " \n", "\r\n"][random.below(7)];
        text.push_str(&blank.repeat(run));
        if random.below(3) > 0 {
            text.push_str(words.snake.draw(random));
        }
    })
}

fn chinese(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        for _ in 0..2 + random.below(7) {
            text.push_str(words.chinese.draw(random));
        }
        text.push_str(["，", "，", "，", "。", "。", "、", "！", "。\n", "：“", "”"][random.below(10)]);
    })
}

fn japanese(words: &Words, random: &mut Random, len: usize) -> String {
    const PARTICLES: [&str; 14] =
        ["は", "の", "を", "に", "が", "と", "で", "から", "まで", "します", "している", "された", "です", "という"];
    filled(len, |text| {
        for _ in 0..2 + random.below(5) {
            let list = if random.below(4) == 0 { &words.katakana } else { &words.kanji };
            text.push_str(list.draw(random));
            text.push_str(PARTICLES[random.below(14)]);
        }
        text.push_str(["、", "、", "。", "。\n", "「", "」"][random.below(6)]);
    })
}

fn korean(words: &Words, random: &mut Random, len: usize) -> String {
    filled(len, |text| {
        for _ in 0..3 + random.below(9) {
            text.push_str(words.korean.draw(random));
            text.push_str(["", "은", "는", "을", "를", "에서", "입니다", "하고"][random.below(8)]);
            text.push(' ');
        }
        text.pop();
        text.push_str([". ", ", ", ".\n", "? "][random.below(4)]);
    })
}

fn base64(_: &Words, random: &mut Random, len: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    filled(len, |text| {
        text.extend((0..76).map(|_| char::from(DIGITS[random.below(64)])));
        text.push('\n');
    })
}

fn diff(words: &Words, random: &mut Random, len: usize) -> String {
    let source = rust(words, random, len);
    let mut lines = source.lines();
    filled(len, |text| {
        let name = words.snake.draw(random);
        let at = random.below(900);
        let _ = writeln!(text, "--- a/src/{name}.rs\n+++ b/src/{name}.rs\n@@ -{at},7 +{at},9 @@");
        for _ in 0..6 + random.below(20) {
            let sign = [" ", " ", " ", "+", "-"][random.below(5)];
            let _ = writeln!(text, "{sign}{}", lines.next().unwrap_or_default());
        }
    })
}
