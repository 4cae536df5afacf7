//! What a budget is measured with.

use super::Encoding;

/// An encoding, or a labelled estimate for a model whose tokenizer is not public.
///
/// An estimate is the exact count of an encoding times a factor, rounded up, so a budget kept by
/// the estimate is kept on the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measure {
    encoding: Encoding,
    /// The factor over the encoding's count in hundredths; `None` for an exact count.
    factor_percent: Option<u32>,
}

impl Measure {
    /// Returns the exact measure of `encoding`.
    pub const fn exact(encoding: Encoding) -> Self {
        Self { encoding, factor_percent: None }
    }

    /// Returns an estimate: the count of `encoding` times `factor_percent` hundredths, rounded up.
    pub const fn estimate(encoding: Encoding, factor_percent: u32) -> Self {
        Self { encoding, factor_percent: Some(factor_percent) }
    }

    /// Returns whether counts are exact.
    pub fn is_exact(self) -> bool {
        self.factor_percent.is_none()
    }

    /// Returns the encoding that is counted with.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Returns the factor of an estimate in hundredths; `None` for an exact measure.
    pub fn factor_percent(self) -> Option<u32> {
        self.factor_percent
    }

    /// Returns the number of tokens in `text`.
    pub fn count(self, text: &str) -> usize {
        self.scale_up(self.encoding.count(text))
    }

    /// Returns whether `text` has at most `limit` tokens.
    pub fn fits(self, text: &str, limit: usize) -> bool {
        self.encoding.fits(text, self.scale_down(limit))
    }

    /// Returns the longest beginning of `text` of at most `limit` tokens.
    pub fn prefix(self, text: &str, limit: usize) -> &str {
        self.encoding.prefix(text, self.scale_down(limit))
    }

    /// Returns the longest end of `text` of at most `limit` tokens.
    pub fn suffix(self, text: &str, limit: usize) -> &str {
        self.encoding.suffix(text, self.scale_down(limit))
    }

    fn scale_up(self, tokens: usize) -> usize {
        match self.factor_percent {
            None => tokens,
            Some(percent) => (tokens * percent as usize).div_ceil(100),
        }
    }

    /// The most tokens of the encoding whose estimate is at most `limit`.
    fn scale_down(self, limit: usize) -> usize {
        match self.factor_percent {
            None => limit,
            Some(percent) => limit.saturating_mul(100) / percent.max(1) as usize,
        }
    }
}

impl Default for Measure {
    fn default() -> Self {
        Self::exact(Encoding::default())
    }
}

/// A number of tokens that must not be exceeded, and what they are measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most tokens.
    pub tokens: usize,
    /// What they are measured with.
    pub measure: Measure,
}

impl Budget {
    /// Returns whether `text` is within the budget.
    pub fn holds(self, text: &str) -> bool {
        self.measure.fits(text, self.tokens)
    }
}
