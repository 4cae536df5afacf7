//! What of a source a parser has to see: its outline, without what only does something.
//!
//! A parser spends most of its time within the bodies of functions, of which nothing is wanted but
//! where they end. So what stands in brackets, or is indented under a `def`, is left out before the
//! source is parsed, unless a definition may be in it. The parser then judges what is left: where it
//! does not understand that, the whole is parsed. What is too much in an outline costs time, what is
//! lacking would cost definitions; so where it is not sure, this keeps.

use std::ops::Range;

use super::grammar::Grammar;

mod braces;
mod indents;

/// Less than this is not worth leaving out.
const GAP_MIN: usize = 24;

/// What of a source is left out at least, in its length; else the source is parsed as it is.
const SHARE_MIN: usize = 8;

/// A source without what holds no definitions.
pub(super) struct Skeleton {
    /// What is to be parsed.
    pub(super) text: String,
    parts: Vec<Part>,
    /// Where the brackets begin that the source does not close: it may be the beginning of a longer one.
    closers: usize,
}

/// A part of the skeleton and what it stands for.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Where it begins in the skeleton.
    at: usize,
    /// Where that is in the source.
    from: usize,
    /// Where in the source it ends.
    until: usize,
}

/// What is left out of a source.
#[derive(Debug, Clone, Copy)]
struct Gap {
    from: usize,
    until: usize,
}

/// How a source becomes a skeleton.
#[derive(Debug, Default)]
struct Plan {
    /// What is left out, in order and apart.
    gaps: Vec<Gap>,
    /// The brackets that are missing at the end.
    closers: String,
}

impl Skeleton {
    /// Returns the skeleton of a source; `None` where nothing much can be left out.
    pub(super) fn of(source: &str, grammar: Grammar) -> Option<Self> {
        let (Plan { gaps, closers }, word) = match grammar {
            Grammar::Python => (Plan { gaps: indents::gaps(source), closers: String::new() }, "pass"),
            _ => (braces::plan(source, grammar)?, ""),
        };
        let gone: usize = gaps.iter().map(|gap| gap.until - gap.from).sum();
        if gone * SHARE_MIN < source.len() && closers.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(source.len() - gone + gaps.len() * word.len());
        let mut parts = Vec::with_capacity(gaps.len() * (1 + usize::from(!word.is_empty())) + 1);
        let mut from = 0;
        for Gap { from: start, until } in gaps {
            parts.push(Part { at: text.len(), from, until: start });
            text.push_str(&source[from..start]);
            if !word.is_empty() {
                parts.push(Part { at: text.len(), from: start, until });
                text.push_str(word);
            }
            from = until;
        }
        parts.push(Part { at: text.len(), from, until: source.len() });
        text.push_str(&source[from..]);
        let closers_at = text.len();
        if !closers.is_empty() {
            parts.push(Part { at: closers_at, from: source.len(), until: source.len() });
            text.push('\n');
            text.push_str(&closers);
        }
        Some(Self { text, parts, closers: closers_at })
    }

    /// Returns where in the source a range of the skeleton lies; what is left out at its borders is
    /// not in it.
    pub(super) fn in_source(&self, range: Range<usize>) -> Range<usize> {
        let first = self.parts.partition_point(|part| part.at <= range.start).max(1);
        let start = self.parts[first - 1].place(range.start);
        if range.is_empty() {
            return start..start;
        }
        let last = self.parts.partition_point(|part| part.at < range.end).max(1);
        let ends_part = self.parts.get(last).is_some_and(|next| next.at == range.end);
        let part = self.parts[last - 1];
        start..if ends_part { part.until } else { part.place(range.end) }.max(start)
    }

    /// Whether what ends here in the skeleton is not ended in the source.
    pub(super) fn is_unclosed(&self, end: usize) -> bool {
        end > self.closers
    }
}

impl Part {
    fn place(self, at: usize) -> usize {
        (self.from + (at - self.at)).min(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(grammar: Grammar, source: &str, expected: &str) {
        let skeleton = Skeleton::of(source, grammar).expect("something can be left out");
        assert_eq!(skeleton.text, expected, "{source}");
        // A bracket stands where it did.
        for (at, found) in skeleton.text[..skeleton.closers].match_indices(['{', '}', '(']) {
            let place = skeleton.in_source(at..at + 1);
            assert_eq!(&source[place.clone()], found, "{source}\n{at} at {place:?}");
        }
    }

    #[test]
    fn bodies_are_left_out_and_what_holds_definitions_stays() {
        check(
            Grammar::Rust,
            "impl A {\n    fn b(&self) {\n        // why\n        let text = \"}\" + r#\"\"}\"# + '}';\n    }\n}\n",
            "impl A {\n    fn b(&self) {\n        // why\n}\n}\n",
        );
        check(
            Grammar::TypeScript,
            "class A extends B<{ x: number }> {\n  run(`${{ a: '}' }}`: T) {\n    return /[/}]/.test(this.text + '{');\n  }\n}\n",
            "class A extends B<{ x: number }> {\n  run(`${{ a: '}' }}`: T) {}\n}\n",
        );
        check(
            Grammar::C,
            "#ifdef A\nint a(struct b *c) {\n#if B\n  if (c) {\n#else\n  if (!c) {\n#endif\n    call(c, '}');\n  }\n}\n#endif\n",
            "#ifdef A\nint a(struct b *c) {}\n#endif\n",
        );
        check(
            Grammar::Python,
            "class A:\n    def b(self):\n        \"\"\"Does: it.\"\"\"\n        c = '''\ndef d():'''\n        return c + self.e  # so\n\n    f = 1\n",
            "class A:\n    def b(self):\n        \"\"\"Does: it.\"\"\"\n        pass  # so\n\n    f = 1\n",
        );
    }

    #[test]
    fn a_body_with_a_definition_in_it_stays() {
        check(
            Grammar::JavaScript,
            "it('a', () => {\n  if (b) { call(one, two, three, four, five); }\n  const f = function () {\n    return one + two + three + four;\n  };\n});\n",
            "it('a', () => {\n  if (b) {}\n  const f = function () {};\n});\n",
        );
        let python = "def a():\n    def b():\n        return 1 + 2 + 3 + 4 + 5 + 6 + 7\n    return b\n";
        check(Grammar::Python, python, "def a():\n    def b():\n        pass\n    return b\n");
    }

    #[test]
    fn what_is_not_closed_is_closed_for_the_parser() {
        let java =
            "class A {\n    void b() {\n        run();\n    }\n    void c() {\n        if (two) {\n            call(\"";
        check(Grammar::Java, java, "class A {\n    void b() {\n        run();\n    }\n    void c() {\n}}");
        assert!(Skeleton::of("class A { void b() { (} }", Grammar::Java).is_none());
    }
}
