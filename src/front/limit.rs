//! How often one connection may ask.

use std::time::Duration;

use crate::tools::{ErrorKind, ToolError};

/// A bucket that fills with the time and gives a token to every request.
#[derive(Debug)]
pub struct Bucket {
    per_minute: Option<u32>,
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    /// Returns a full bucket of a minute's requests; `None`: no limit.
    pub fn new(per_minute: Option<u32>) -> Self {
        Self { per_minute, tokens: per_minute.map_or(0.0, f64::from), filled: Duration::ZERO }
    }

    /// Takes a token at `now`, a time since any fixed point that never goes back.
    pub fn take(&mut self, now: Duration) -> Result<(), ToolError> {
        let Some(per_minute) = self.per_minute else { return Ok(()) };
        let per_second = f64::from(per_minute) / 60.0;
        let since = now.saturating_sub(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min(f64::from(per_minute));
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let error =
            ToolError::new(ErrorKind::RateLimited, format!("more than {per_minute} requests a minute were sent"));
        Err(if per_minute == 0 {
            error.with_hint("security.rate_limit.requests_per_minute is 0 in the settings")
        } else {
            let seconds = ((1.0 - self.tokens) / per_second).max(0.001);
            error.with_hint(format!("try again in {seconds:.1} seconds"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_holds_as_many_requests_as_are_allowed() {
        let mut bucket = Bucket::new(Some(2));
        let at = Duration::from_secs;
        assert!(bucket.take(at(0)).is_ok());
        assert!(bucket.take(at(0)).is_ok());
        let error = bucket.take(at(0)).expect_err("the bucket is empty");
        assert_eq!(error.hint.as_deref(), Some("try again in 30.0 seconds"));
        assert!(bucket.take(at(31)).is_ok());
        assert!(bucket.take(at(32)).is_err());
        assert!(Bucket::new(None).take(at(0)).is_ok());
        assert!(Bucket::new(Some(0)).take(at(9)).is_err());
    }
}
