//! What a budget is measured with.

use std::fmt;

use super::count::Weights;
use super::meter::Meter;
use super::models::Family;
use super::{Encoding, TextKind, cut, parallel};

/// An encoding, or a labelled estimate for a model whose tokenizer is not public.
///
/// An estimate is the exact count of an encoding times a factor, rounded up, so a budget kept by
/// the estimate is kept on the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measure {
    encoding: Encoding,
    estimate: Option<Estimate>,
}

/// How an estimate is made from the count of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Estimate {
    /// The factor for ASCII text, in hundredths.
    pub(super) ascii_percent: u32,
    /// The factor for other text, in hundredths.
    pub(super) other_percent: u32,
    /// How far below the estimate the true count may be, in hundredths of the estimate.
    pub(super) margin_percent: u32,
    /// The models of which the ratio to the count of the encoding was measured by kind of text.
    pub(super) family: Option<Family>,
}

/// What was measured for a kind of text: tokens for a hundred of the encoding, from the least to the
/// most of the bodies of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) least: u32,
    pub(super) most: u32,
}

/// What is added on both sides of a measured ratio, in hundredths of it. It is an allowance and not
/// a measurement: one body of text was measured for most kinds, and another one differs. Three
/// programming languages lie 5 % to both sides of their mean.
const ALLOWANCE_PERCENT: u32 = 8;

/// How many tokens a text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The count, or the estimate.
    pub tokens: usize,
    /// What is known of an estimate; `None`: the count is exact.
    pub bounds: Option<Bounds>,
}

/// Where the true count lies that an estimate stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Hardly fewer.
    pub low: usize,
    /// Hardly more.
    pub high: usize,
    /// How far the true count may be from the estimate, in hundredths of the estimate.
    pub margin_percent: u32,
}

impl Measure {
    /// Returns the exact measure of `encoding`.
    pub const fn exact(encoding: Encoding) -> Self {
        Self { encoding, estimate: None }
    }

    /// Returns an estimate: the count of `encoding` times `factor_percent` hundredths, rounded up.
    ///
    /// Its margin reaches down to the count itself.
    pub const fn estimate(encoding: Encoding, factor_percent: u32) -> Self {
        let factor = if factor_percent == 0 { 1 } else { factor_percent };
        let margin_percent = (factor.saturating_sub(100) as u64 * 100).div_ceil(factor as u64) as u32;
        Self::of_model(
            encoding,
            Estimate { ascii_percent: factor, other_percent: factor, margin_percent, family: None },
        )
    }

    pub(super) const fn of_model(encoding: Encoding, estimate: Estimate) -> Self {
        Self { encoding, estimate: Some(estimate) }
    }

    /// Returns whether counts are exact.
    pub fn is_exact(self) -> bool {
        self.estimate.is_none()
    }

    /// Returns the encoding that is counted with.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Returns the factor of an estimate for ASCII text in hundredths; `None` for an exact measure.
    pub fn factor_percent(self) -> Option<u32> {
        self.estimate.map(|estimate| estimate.ascii_percent)
    }

    /// Returns how far below an estimate the true count may be, in hundredths of the estimate;
    /// `None` for an exact measure.
    pub fn margin_percent(self) -> Option<u32> {
        self.estimate.map(|estimate| estimate.margin_percent)
    }

    /// Returns the number of tokens in `text`, counted on this thread alone.
    pub fn count(self, text: &str) -> usize {
        let cost = self.meter(text.len()).cost(text, usize::MAX).expect("nothing costs more than the most");
        cost.div_ceil(self.unit())
    }

    /// Returns the number of tokens of each of these parts of a text of `len` bytes, as
    /// [`Measure::count`] does, with less ado for each.
    pub fn count_each<'t>(self, len: usize, texts: impl Iterator<Item = &'t str>) -> Vec<usize> {
        let mut meter = self.meter(len);
        let cost = |text| meter.cost(text, usize::MAX).expect("nothing costs more than the most");
        texts.map(cost).map(|cost| cost.div_ceil(self.unit())).collect()
    }

    /// Returns what [`Measure::count`] does, on several threads where the text is long enough for
    /// them to pay.
    pub fn count_parallel(self, text: &str) -> usize {
        parallel::cost(|len| self.meter(len), text).div_ceil(self.unit())
    }

    /// Returns the number of tokens in a text of this kind.
    ///
    /// Where the ratio for the kind was measured, an estimate is the count of the encoding times the
    /// ratio, rounded up, and so nearer to the truth than [`Measure::count`], which must be safe for
    /// any text and adds up over the parts of one. Budgets are kept by that one.
    pub fn count_of_kind(self, text: &str, kind: TextKind) -> Counted {
        let Some(estimate) = self.estimate else { return Counted { tokens: self.count_parallel(text), bounds: None } };
        let Some(family) = estimate.family else {
            let tokens = self.count_parallel(text);
            let low = tokens * 100_usize.saturating_sub(estimate.margin_percent as usize) / 100;
            let bounds = Bounds { low, high: tokens, margin_percent: estimate.margin_percent };
            return Counted { tokens, bounds: Some(bounds) };
        };
        let base = Self::exact(self.encoding).count_parallel(text);
        let Ratio { least, most } = family.ratio(kind);
        let low = base * (least * (100 - ALLOWANCE_PERCENT)) as usize / 10_000;
        let high = (base * (most * (100 + ALLOWANCE_PERCENT)) as usize).div_ceil(10_000);
        let below = (100 * most - least * (100 - ALLOWANCE_PERCENT)).div_ceil(most);
        let margin_percent = below.max(ALLOWANCE_PERCENT);
        let tokens = (base * most as usize).div_ceil(100);
        Counted { tokens, bounds: Some(Bounds { low, high, margin_percent }) }
    }

    /// Returns whether `text` has at most `limit` tokens; stops as soon as it knows.
    pub fn fits(self, text: &str, limit: usize) -> bool {
        let limit = limit.saturating_mul(self.unit());
        self.surely_fits(text, limit) || cut::fits(&mut self.early_meter(text, limit), text, limit)
    }

    /// Returns the longest beginning of `text` of at most `limit` tokens that ends on a character
    /// boundary.
    ///
    /// Longest up to the place where it is cut: further places are tried for some characters only.
    pub fn prefix(self, text: &str, limit: usize) -> &str {
        let limit = limit.saturating_mul(self.unit());
        if self.surely_fits(text, limit) { text } else { cut::prefix(&mut self.early_meter(text, limit), text, limit) }
    }

    /// Returns the longest end of `text` of at most `limit` tokens that begins on a character
    /// boundary, with the same reservation as [`Measure::prefix`].
    pub fn suffix(self, text: &str, limit: usize) -> &str {
        let limit = limit.saturating_mul(self.unit());
        if self.surely_fits(text, limit) { text } else { cut::suffix(&mut self.early_meter(text, limit), text, limit) }
    }

    /// Returns a meter for about `len` bytes of text.
    pub(super) fn meter(self, len: usize) -> Meter {
        let weights = self
            .estimate
            .map_or(Weights::ONE, |estimate| Weights { ascii: estimate.ascii_percent, other: estimate.other_percent });
        Meter::new(self.encoding, weights, len)
    }

    /// A meter for the part of `text` that is read until the limit is met.
    fn early_meter(self, text: &str, limit: usize) -> Meter {
        const BYTES_PER_TOKEN: usize = 6;
        self.meter(text.len().min((limit / self.unit()).saturating_mul(BYTES_PER_TOKEN)))
    }

    /// Returns what one token costs.
    pub(super) fn unit(self) -> usize {
        if self.is_exact() { 1 } else { 100 }
    }

    /// Whether there is no need to count, because no byte costs more than one token.
    fn surely_fits(self, text: &str, limit: usize) -> bool {
        let dearest = self.estimate.map_or(1, |estimate| estimate.ascii_percent.max(estimate.other_percent));
        text.len().saturating_mul(dearest as usize) <= limit
    }
}

impl From<Encoding> for Measure {
    fn from(encoding: Encoding) -> Self {
        Self::exact(encoding)
    }
}

impl Default for Measure {
    fn default() -> Self {
        Self::exact(Encoding::default())
    }
}

/// Says how tokens are counted, for a person: `o200k_base`, or `estimate: o200k_base x 1.65, up to
/// 23 % too high`.
impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(estimate) = self.estimate else { return self.encoding.fmt(formatter) };
        let Estimate { ascii_percent: factor, margin_percent: margin, .. } = estimate;
        write!(
            formatter,
            "estimate: {} x {}.{:02}, up to {margin} % too high",
            self.encoding,
            factor / 100,
            factor % 100
        )
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

    /// Returns the longest beginning of `text` within the budget.
    pub fn prefix(self, text: &str) -> &str {
        self.measure.prefix(text, self.tokens)
    }

    /// Returns the longest end of `text` within the budget.
    pub fn suffix(self, text: &str) -> &str {
        self.measure.suffix(text, self.tokens)
    }
}
