//! What stands between `<` and `>`, and between `&` and `;`.

/// Where the tag that `text` begins with ends: after its `>`, which may not stand in quotes.
pub(super) fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            // A quote that is open beyond reason was none.
            (Some(_), b'<') if at > 4_096 => break,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        if quote.is_some() && at > 64 * 1024 {
            break;
        }
    }
    text.find('>').map(|end| end + 1)
}

/// The value of an attribute, with its entities read.
pub(super) fn attribute(attributes: &str, name: &str) -> Option<String> {
    let lower = attributes.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].chars().next_back();
        let after = lower[at + name.len()..].trim_start();
        before.is_none_or(char::is_whitespace) && after.starts_with('=')
    })?;
    let value = attributes[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (decoded, length) = entity(&rest[at..]);
        match decoded {
            Some(c) => out.push(c),
            None => out.push_str(&rest[at..at + length]),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The character that the entity at the beginning of `text` stands for, and the entity's length; for
/// what is no entity the length of the `&` alone.
pub(super) fn entity(text: &str) -> (Option<char>, usize) {
    const NAMED: &[(&str, char)] = &[
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("copy", '©'),
        ("reg", '®'),
        ("trade", '™'),
        ("hellip", '…'),
        ("mdash", '—'),
        ("ndash", '–'),
        ("lsquo", '‘'),
        ("rsquo", '’'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("laquo", '«'),
        ("raquo", '»'),
        ("bull", '•'),
        ("middot", '·'),
        ("times", '×'),
        ("divide", '÷'),
        ("deg", '°'),
        ("plusmn", '±'),
        ("frac12", '½'),
        ("euro", '€'),
        ("pound", '£'),
        ("yen", '¥'),
        ("cent", '¢'),
        ("sect", '§'),
        ("para", '¶'),
        ("larr", '←'),
        ("rarr", '→'),
        ("uarr", '↑'),
        ("darr", '↓'),
        ("le", '≤'),
        ("ge", '≥'),
        ("ne", '≠'),
        ("infin", '∞'),
        ("agrave", 'à'),
        ("aacute", 'á'),
        ("acirc", 'â'),
        ("auml", 'ä'),
        ("aring", 'å'),
        ("aelig", 'æ'),
        ("ccedil", 'ç'),
        ("egrave", 'è'),
        ("eacute", 'é'),
        ("ecirc", 'ê'),
        ("euml", 'ë'),
        ("iacute", 'í'),
        ("ntilde", 'ñ'),
        ("oacute", 'ó'),
        ("ocirc", 'ô'),
        ("ouml", 'ö'),
        ("oslash", 'ø'),
        ("uacute", 'ú'),
        ("uuml", 'ü'),
        ("szlig", 'ß'),
        ("Auml", 'Ä'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("Eacute", 'É'),
        ("ensp", ' '),
        ("emsp", ' '),
        ("thinsp", ' '),
        ("zwnj", '\u{200c}'),
        ("zwj", '\u{200d}'),
        ("shy", '\u{ad}'),
    ];
    let head = &text[1..text.floor_char_boundary(12).max(1)];
    let Some(end) = head.find(';') else { return (None, 1) };
    let name = &head[..end];
    let found = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => number.parse().ok(),
        }
        .and_then(char::from_u32)
        .map(|c| if c == '\u{a0}' { ' ' } else { c })
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t')),
        None => NAMED.iter().find(|(other, _)| *other == name).map(|(_, c)| *c),
    };
    match found {
        Some(c) => (Some(c), end + 2),
        None => (None, 1),
    }
}
