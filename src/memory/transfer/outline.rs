//! Markdown as its statements: every list item and every paragraph, with the headings above it.
//!
//! Nested items and code belong to the statement they stand under. Comments, rules and headings
//! themselves are no statements.

/// A list item or a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// The headings above it, the outermost first.
    pub(super) headings: Vec<String>,
    /// The text, without the sign of a list item.
    pub(super) text: String,
    /// The line in which it begins, from 1.
    pub(super) line: usize,
    /// Whether it is an item of a list.
    pub(super) is_item: bool,
    /// Whether it is an item of a numbered list.
    pub(super) is_step: bool,
    /// Whether code stands in it, in lines of its own.
    pub(super) has_code: bool,
}

/// Returns the statements of a text whose first line counts as `first_line`.
pub(super) fn statements(text: &str, first_line: usize) -> Vec<Statement> {
    let mut outline = Outline::default();
    for (line, number) in text.lines().zip(first_line..) {
        outline.take(line.trim_end(), number);
    }
    outline.end();
    outline.statements
}

#[derive(Default)]
struct Outline {
    statements: Vec<Statement>,
    headings: Vec<(usize, String)>,
    /// The one that is still growing.
    open: Option<Statement>,
    /// The sign that ends the code we are in.
    fence: Option<String>,
    in_comment: bool,
    after_blank: bool,
}

impl Outline {
    fn take(&mut self, line: &str, number: usize) {
        let bare = line.trim_start();
        if let Some(fence) = &self.fence {
            let is_end = bare.starts_with(fence.as_str()) && bare.chars().all(|c| fence.starts_with(c));
            self.grow(line, number);
            if is_end {
                self.fence = None;
            }
            return;
        }
        if self.in_comment || bare.starts_with("<!--") {
            self.in_comment = !bare.contains("-->");
            return;
        }
        if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| bare.starts_with(fence)) {
            self.fence = Some(fence.to_owned());
            self.grow(line, number);
            if let Some(open) = &mut self.open {
                open.has_code = true;
            }
            return;
        }
        if bare.is_empty() {
            self.after_blank = true;
            return;
        }
        let after_blank = std::mem::take(&mut self.after_blank);
        if let Some((level, heading)) = heading(line) {
            self.end();
            self.headings.retain(|(other, _)| *other < level);
            self.headings.push((level, heading.to_owned()));
            return;
        }
        let indent = line.len() - bare.len();
        if is_rule(bare) {
            self.end();
        } else if let Some((text, is_step)) = item(bare).filter(|_| indent < 2) {
            self.end();
            self.begin(text, number, true, is_step);
        } else if self.open.as_ref().is_some_and(|open| !after_blank || (open.is_item && indent >= 2)) {
            self.grow(line, number);
        } else {
            self.end();
            self.begin(bare, number, false, false);
        }
    }

    fn begin(&mut self, text: &str, line: usize, is_item: bool, is_step: bool) {
        let headings = self.headings.iter().map(|(_, heading)| heading.clone()).collect();
        self.open = Some(Statement { headings, text: text.to_owned(), line, is_item, is_step, has_code: false });
    }

    fn grow(&mut self, line: &str, number: usize) {
        match &mut self.open {
            Some(open) => {
                open.text.push('\n');
                open.text.push_str(line);
            }
            None => self.begin(line, number, false, false),
        }
    }

    fn end(&mut self) {
        self.statements.extend(self.open.take().filter(|open| !open.text.trim().is_empty()));
    }
}

/// The level and the text of a heading.
fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = line.get(level..).filter(|_| (1..=6).contains(&level))?;
    let text = rest.strip_prefix([' ', '\t'])?.trim().trim_end_matches('#').trim_end();
    (!text.is_empty()).then_some((level, text))
}

/// The text of a list item, and whether it has a number.
fn item(line: &str) -> Option<(&str, bool)> {
    if let Some(rest) = ["- ", "* ", "+ "].into_iter().find_map(|sign| line.strip_prefix(sign)) {
        return Some((rest.trim_start(), false));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = line.get(digits..).filter(|_| (1..=3).contains(&digits))?;
    let rest = rest.strip_prefix(['.', ')'])?.strip_prefix(' ')?;
    Some((rest.trim_start(), true))
}

fn is_rule(line: &str) -> bool {
    let signs: String = line.chars().filter(|c| !c.is_whitespace()).collect();
    signs.len() >= 3 && ['-', '*', '_', '='].iter().any(|sign| signs.chars().all(|c| c == *sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_have_their_headings_and_lines() {
        let text = "# Title\n\nA paragraph\nof two lines.\n\n## Build\n\n- Run `make`\n  - with `-j`\n* Then test\n\n\
                    1. First\n2. Second\n\n```sh\nmake all\n```\n\n<!-- a note\n- not this -->\n---\n### Deep\nText\n";
        let found: Vec<(String, String, usize)> =
            statements(text, 1).into_iter().map(|one| (one.headings.join(" > "), one.text, one.line)).collect();
        let expected = [
            ("Title", "A paragraph\nof two lines.", 3),
            ("Title > Build", "Run `make`\n  - with `-j`", 8),
            ("Title > Build", "Then test", 10),
            ("Title > Build", "First", 12),
            ("Title > Build", "Second\n```sh\nmake all\n```", 13),
            ("Title > Build > Deep", "Text", 23),
        ];
        let expected: Vec<_> = expected.map(|(path, text, line)| (path.to_owned(), text.to_owned(), line)).into();
        assert_eq!(found, expected);
    }
}
