//! Times of the command line that may also be spans before now: `1h`, `2026-11-30`. Pure.

use sftpctl_core::span;

use super::history::values;

/// A time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// So many seconds before now.
    Before(i64),
    /// Seconds since 1970.
    At(i64),
}

impl Time {
    /// Seconds since 1970.
    pub(crate) fn seconds(self, now: i64) -> i64 {
        match self {
            Self::Before(seconds) => now - seconds,
            Self::At(seconds) => seconds,
        }
    }
}

/// A span before now, the first second of a date, or a time of RFC 3339.
pub(crate) fn since(text: &str) -> Result<Time, String> {
    time(text, values::since)
}

/// A span before now, the last second of a date, or a time of RFC 3339.
pub(crate) fn until(text: &str) -> Result<Time, String> {
    time(text, values::until)
}

fn time(text: &str, instant: impl Fn(&str) -> Result<i64, String>) -> Result<Time, String> {
    if let Some(seconds) = span(text) {
        return Ok(Time::Before(seconds));
    }
    let wrong =
        |_| "expected a span (90s, 30m, 1h, 7d), a date (2026-11-30) or a time (2026-11-30T18:00:00Z)".to_owned();
    instant(text).map(Time::At).map_err(wrong)
}

/// The seconds of a span.
pub(crate) fn span(text: &str) -> Option<i64> {
    span::seconds(text).and_then(|seconds| i64::try_from(seconds).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_dates_and_times_are_understood() {
        for (text, expected) in [
            ("90s", Time::Before(90)),
            ("1h", Time::Before(3_600)),
            ("7d", Time::Before(604_800)),
            ("1970-01-02", Time::At(86_400)),
            ("1970-01-01T01:00:00Z", Time::At(3_600)),
        ] {
            assert_eq!(since(text), Ok(expected), "{text}");
        }
        assert_eq!(until("1970-01-01"), Ok(Time::At(86_399)));
        assert_eq!((Time::Before(10).seconds(100), Time::At(10).seconds(100)), (90, 10));
        for wrong in ["", "h", "-1h", "1w", "1.5h", "yesterday", "99999999999999d"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
