//! Seeded random texts that are hard to count: everything that encodings treat specially.

/// A small generator of pseudo-random numbers, the same on every machine.
pub struct Random(u64);

const PARTS: &[&str] = &[
    "a",
    "B",
    "the",
    " The",
    "ing",
    "HTTPServer",
    "camelCase",
    "SCREAMING_SNAKE",
    "x1",
    "'",
    "'s",
    "'S",
    "'ſ",
    "'ll",
    "'LL",
    "'Ve",
    "'re",
    "'d",
    "'t",
    "'m",
    "'x",
    "don't",
    "DON'T",
    "ʰ",
    "ʰAB",
    "ʰAb",
    "ǅ",
    "ª",
    "ß",
    "é",
    "e\u{301}",
    "\u{301}",
    "\u{300}\u{301}",
    "Ω",
    "ж",
    "Ж",
    "ת",
    "ا",
    "한",
    "中",
    "文字",
    "日本語",
    "カ",
    "क्षि",
    "ไทย",
    "👍",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🇩🇪",
    "\u{fe0f}",
    "\u{200d}",
    "\u{200b}",
    "\u{feff}",
    "0",
    "12",
    "345",
    "6789",
    "٣",
    "Ⅷ",
    "²",
    "½",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " \n",
    "\n ",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{2003}",
    "\u{3000}",
    "\u{b}",
    "\u{c}",
    "\u{1c}",
    "!",
    "!!",
    "?",
    ".",
    ",",
    "/",
    "//",
    "/*",
    "*/\n",
    "\\",
    "_",
    "__",
    "-",
    "--",
    "=>",
    "::",
    "{",
    "}",
    "();",
    "\"",
    "`",
    "#",
    "@",
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|start|>",
    "\0",
    "\u{7f}",
    "\u{10ffff}",
    "\u{e000}",
    "\u{1f1e6}",
    "\u{ad}",
];

impl Random {
    /// Returns a generator with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    /// Returns a text of up to 40 parts: special ones, letters, any characters, repetitions.
    pub fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..1 + self.below(40) {
            match self.below(10) {
                0 => {
                    for _ in 0..self.below(12) {
                        text.push(char::from(b'a' + self.below(26) as u8));
                    }
                }
                1 => text.push(char::from(self.below(128) as u8)),
                2 => text.extend(char::from_u32(self.below(0x3000) as u32)),
                3 => text.extend(char::from_u32(self.below(0x11_0000) as u32)),
                4 => text.push_str(&PARTS[self.below(PARTS.len())].repeat(1 + self.below(5))),
                _ => text.push_str(PARTS[self.below(PARTS.len())]),
            }
        }
        text
    }
}
