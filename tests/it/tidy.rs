//! Keeps the house in the order that ARCHITECTURE.md describes.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom. A room uses only rooms below it.
const ROOMS: [&str; 16] = [
    "front", "app", "tools", "delegate", "runners", "agents", "pack", "memory", "compress", "store", "exec", "tokens",
    "embed", "observe", "config", "base",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.expect("the tree can be read").into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// The rooms that a source text names after `crate::`, with the line of each.
fn rooms_used(source: &str) -> Vec<(usize, String)> {
    let code: String = source
        .split_inclusive('\n')
        .map(|line| if line.trim_start().starts_with("//") { "\n" } else { line })
        .collect();
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => used.push((line, word(rest))),
            Some(list) => used.extend(top_level_items(list).into_iter().map(|item| (line, word(item)))),
        }
    }
    used
}

/// The items of a list of paths up to its closing brace; what stands in inner braces belongs to one.
fn top_level_items(list: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let source = root().join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).expect("below src");
        let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs");
        let Some(place) = ROOMS.iter().position(|name| *name == room) else {
            assert!(["lib", "main"].contains(&room), "src/{room} is not a room of the list");
            continue;
        };
        for (line, used) in rooms_used(&fs::read_to_string(&file).expect("readable")) {
            match ROOMS.iter().position(|name| *name == used) {
                Some(other) if other >= place => {}
                Some(_) => {
                    wrong.push(format!("src/{}:{line}: {room} uses {used}, which is above it", relative.display()));
                }
                None => wrong.push(format!("src/{}:{line}: crate::{used} is not a room", relative.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lib_lists_the_rooms_in_order() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let listed: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, ROOMS);
}

#[test]
fn the_check_sees_an_upward_use() {
    assert_eq!(rooms_used("use crate::front::mcp;"), [(1, "front".to_owned())]);
    assert_eq!(rooms_used("\nuse crate::{base::Name, store};"), [(2, "base".to_owned()), (2, "store".to_owned())]);
    let several = "use crate::{\n    base::{Name, Clock},\n    front,\n};";
    assert_eq!(rooms_used(several), [(1, "base".to_owned()), (1, "front".to_owned())]);
    assert!(rooms_used("// crate::front").is_empty());
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = root().join("tests/it");
    let main = fs::read_to_string(folder.join("main.rs")).expect("tests/it/main.rs");
    for entry in fs::read_dir(&folder).expect("tests/it") {
        let name = entry.expect("an entry").file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        if name != "main" {
            assert!(main.lines().any(|line| line == format!("mod {name};")), "tests/it/main.rs does not list {name}");
        }
    }
    let fixtures = root().join("tests").join("fixtures");
    let others: Vec<_> = rust_files(&root().join("tests"))
        .into_iter()
        .filter(|file| !file.starts_with(&folder) && !file.starts_with(&fixtures))
        .collect();
    assert!(others.is_empty(), "tests belong into tests/it: {others:?}");
}

/// A module of `src/` by its path, or what a module's file says of a name in it.
fn is_in_source(path: &[&str]) -> bool {
    let (mut folder, mut file) = (root().join("src"), None);
    for (at, name) in path.iter().enumerate() {
        let candidates = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
        match candidates.into_iter().find(|candidate| candidate.exists()) {
            Some(found) => (folder, file) = (folder.join(name), Some(found)),
            None => {
                let text = file.map(|file| fs::read_to_string(file).expect("readable")).unwrap_or_default();
                let declared = |kind: &str| text.contains(&format!("{kind} {name}"));
                return at + 1 == path.len() && ["fn", "struct", "enum"].into_iter().any(declared);
            }
        }
    }
    true
}

#[test]
fn what_is_linked_together_is_there() {
    let script = fs::read_to_string(root().join("build/together.ld")).expect("build/together.ld");
    let mut checked = 0;
    for line in script.lines() {
        let Some((_, mangled)) = line.split_once("._ZN14context_engine") else { continue };
        let (mut rest, mut path) = (mangled.trim_end_matches("*)"), Vec::new());
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).expect("a name after its length");
            let len: usize = rest[..digits].parse().expect("a length");
            path.push(&rest[digits..digits + len]);
            rest = &rest[digits + len..];
        }
        assert!(is_in_source(&path), "build/together.ld names {}, which is not in src/", path.join("::"));
        checked += 1;
    }
    assert!(checked > 10, "the check has not understood build/together.ld");
    assert!(!is_in_source(&["tokens", "nothing"]) && !is_in_source(&["nothing"]));
}
