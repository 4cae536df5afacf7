//! `${VAR}` and `${VAR:-default}` in the values of settings files.
//!
//! `${VAR:-default}` gives the default when the variable is unset or empty, and a default may hold
//! variables again. `$$` is one `$`, so `$${VAR}` stays `${VAR}`; a `$` before anything else is
//! itself. What a variable holds is never read as YAML: it can be a number, but not a list.

use std::borrow::Cow;

use super::sources::Environment;

/// Where the shielded characters go: a private area that no settings file uses.
const SHIELD: u32 = 0xF_0000;

/// Returns the text of a settings file with each `${...}` made safe for the YAML reader, places
/// unchanged. [`unshield`] undoes it.
///
/// Within `{ }` and `[ ]` YAML would read the braces of `redis: ${REDIS_URL}` as its own, and people
/// do not expect to have to quote them.
pub(super) fn shield(text: &str) -> Cow<'_, str> {
    if !text.contains("${") || text.chars().any(|character| (SHIELD..SHIELD + 128).contains(&u32::from(character))) {
        return Cow::Borrowed(text);
    }
    let mut shielded = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, inside) = (&rest[..=at], &rest[at + 1..]);
        shielded.push_str(before);
        let line = &inside[1..inside.find('\n').unwrap_or(inside.len())];
        match closing_brace(line) {
            Some(end) if !line[..end].contains(['"', '\'', '\\']) => {
                let special = |character: &char| "{}[],:#".contains(*character);
                let shield = |character: char| char::from_u32(SHIELD + u32::from(character)).unwrap_or(character);
                let variable = inside[..end + 2].chars();
                shielded.extend(variable.map(
                    |character| {
                        if special(&character) { shield(character) } else { character }
                    },
                ));
                rest = &inside[end + 2..];
            }
            _ => rest = inside,
        }
    }
    shielded.push_str(rest);
    Cow::Owned(shielded)
}

/// Returns `text` as it was before [`shield`].
pub(super) fn unshield(text: &str) -> String {
    let character = |character: char| {
        let original = u32::from(character).checked_sub(SHIELD).filter(|code| *code < 128);
        original.and_then(char::from_u32).unwrap_or(character)
    };
    text.chars().map(character).collect()
}

/// The deepest nesting of defaults inside defaults.
const DEPTH_MAX: usize = 8;

/// Returns `text` with its variables replaced, or what is wrong with it.
pub(super) fn expand(text: &str, environment: &Environment) -> Result<String, String> {
    expand_to(text, environment, 0)
}

fn expand_to(text: &str, environment: &Environment, depth: usize) -> Result<String, String> {
    if depth > DEPTH_MAX {
        return Err(format!("defaults are nested deeper than {DEPTH_MAX} levels"));
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('{') {
            let end = closing_brace(after).ok_or("`${` without its `}` (write `$$` for a `$`)")?;
            result.push_str(&variable(&after[..end], environment, depth)?);
            rest = &after[end + 1..];
        } else {
            result.push('$');
        }
    }
    result.push_str(rest);
    Ok(result)
}

fn variable(inside: &str, environment: &Environment, depth: usize) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_variable_name(name) {
        return Err(format!("`${{{inside}}}` names no variable: expected ${{NAME}} or ${{NAME:-default}}"));
    }
    match (environment.value(name), default) {
        (Some(value), None) => Ok(value.to_owned()),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value.to_owned()),
        (_, Some(default)) => expand_to(default, environment, depth + 1),
        (None, None) => {
            Err(format!("the environment variable {name} is not set (write ${{{name}:-default}} to do without it)"))
        }
    }
}

/// Returns where the `}` stands that ends what `text` begins with.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = character;
    }
    None
}

/// Returns whether `name` can name an environment variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let environment = Environment::from([("A", "1"), ("EMPTY", ""), ("D", "$A ${A}")]);
        for (text, expected) in [
            ("plain", Ok("plain")),
            ("${A}${A}", Ok("11")),
            ("x-${A}-y", Ok("x-1-y")),
            ("${EMPTY}", Ok("")),
            ("${EMPTY:-b}", Ok("b")),
            ("${A:-b}", Ok("1")),
            ("${B:-}", Ok("")),
            ("${B:-${C:-${A}}}!", Ok("1!")),
            ("${B:-a:-b}", Ok("a:-b")),
            ("${D}", Ok("$A ${A}")),
            ("$$", Ok("$")),
            ("$${A}", Ok("${A}")),
            ("$A costs 5$", Ok("$A costs 5$")),
            ("${B}", Err("B is not set")),
            ("${A", Err("without its")),
            ("${}", Err("names no variable")),
            ("${A-b}", Err("names no variable")),
            ("\u{e9}${A}\u{1f600}", Ok("\u{e9}1\u{1f600}")),
        ] {
            match (expand(text, &environment), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
                (Err(got), Err(part)) => assert!(got.contains(part), "{text}: {got}"),
                (got, expected) => panic!("{text}: {got:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn variables_survive_inside_yaml() {
        let text = "a: {b: ${B}, c: '${C}', d: ${D:-x, y: z}, e: [${E:-1}]} # ${F}\nf: ${G\n";
        let (node, flaws) = crate::base::yaml::parse(&shield(text), 1);
        assert_eq!(flaws, []);
        let node = node.expect("a document");
        let entries = node.as_map().expect("a mapping")[0].node.as_map().expect("a mapping");
        let value = |entry: &crate::base::yaml::Entry| entry.node.as_scalar().map(|scalar| unshield(&scalar.text));
        assert_eq!(value(&entries[0]).as_deref(), Some("${B}"));
        assert_eq!(value(&entries[1]).as_deref(), Some("${C}"));
        assert_eq!(value(&entries[2]).as_deref(), Some("${D:-x, y: z}"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[${}:\\-Aa\u{e9}]{0,40}") {
            let _ = expand(&text, &Environment::from([("A", "1")]));
        }

        #[test]
        fn shielding_loses_nothing(text in "[${}:\\-A,#\"\n \u{e9}\u{f007b}]{0,40}") {
            proptest::prop_assume!(!text.contains('\u{f007b}'));
            proptest::prop_assert_eq!(unshield(&shield(&text)), text.as_str());
            proptest::prop_assert_eq!(shield(&text).chars().count(), text.chars().count());
        }
    }
}
