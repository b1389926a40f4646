//! Times and sizes of the command line. Pure.

use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time as it is shown.
pub(super) use crate::report::format::time as shown;

/// The last second of a date, or a time of RFC 3339. Seconds since 1970.
pub(in crate::commands) fn until(text: &str) -> Result<i64, String> {
    instant(text, time(23, 59, 59, 0))
}

/// The first second of a date, or a time of RFC 3339. Seconds since 1970.
pub(in crate::commands) fn since(text: &str) -> Result<i64, String> {
    instant(text, time(0, 0, 0, 0))
}

fn instant(text: &str, of_date: jiff::civil::Time) -> Result<i64, String> {
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        let time = TimeZone::UTC.to_timestamp(date.to_datetime(of_date));
        return time.map(Timestamp::as_second).map_err(|error| error.to_string());
    }
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_second)
        .map_err(|_| "expected a date (2026-11-30) or a time of RFC 3339 (2026-11-30T18:00:00Z)".to_owned())
}

/// Bytes: `50M`, `1G`, `500K`, or a number.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "expected bytes, such as 500K, 50M or 1G".to_owned())
}

/// Now, less some seconds.
pub(super) fn before_now(seconds: i64) -> i64 {
    Timestamp::now().saturating_sub(SignedDuration::from_secs(seconds)).map_or(0, Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_two_ends() {
        assert_eq!(until("2026-11-30").map(shown).as_deref(), Ok("2026-11-30T23:59:59Z"));
        assert_eq!(since("2026-11-30").map(shown).as_deref(), Ok("2026-11-30T00:00:00Z"));
        assert_eq!(since("2026-11-30T18:00:00+01:00").map(shown).as_deref(), Ok("2026-11-30T17:00:00Z"));
        for wrong in ["yesterday", "2026-02-30", "2026-11-30T18:00:00", ""] {
            assert!(until(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("0", 0), ("7", 7), ("500K", 512_000), ("50M", 52_428_800), ("1g", 1 << 30)] {
            assert_eq!(size(text), Ok(bytes));
        }
        for wrong in ["", "M", "-1", "1T", "99999999999999999999", "99999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
