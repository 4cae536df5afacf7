//! Times as callers write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::ToolError;
use crate::base::Timestamp;

/// Reads a time: RFC 3339, or without an offset (UTC), or a date alone (its first moment, UTC).
/// `pointer` names the field in the error.
pub fn parse(text: &str, pointer: &str) -> Result<Timestamp, ToolError> {
    let text = text.trim();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
        .or_else(|| TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok())
        .ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            ToolError::invalid(format!("{pointer} is {shown:?}: expected a time"))
                .with_hint("write 2026-05-08T13:56:00Z, 2026-05-08T13:56:00 (UTC) or 2026-05-08")
        })
}

/// Reads a time that may be absent.
pub fn parse_option(text: Option<&str>, pointer: &str) -> Result<Option<Timestamp>, ToolError> {
    text.map(|text| parse(text, pointer)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let wanted: Timestamp = "2026-05-08T00:00:00Z".parse().expect("a time");
        for text in ["2026-05-08", "2026-05-08T00:00:00", "2026-05-08T00:00:00Z", "2026-05-08T02:00:00+02:00"] {
            assert_eq!(parse(text, "/x").expect(text), wanted, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "8.5.2026"] {
            assert!(parse(text, "/x").expect_err(text).message.starts_with("/x is "), "{text}");
        }
    }
}
