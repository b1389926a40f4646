//! The end of an account: a time in RFC 3339, read without a library for dates, since the Lambda's package is small.

/// The time from which an account is refused.
///
/// Either an instant of RFC 3339 (`2026-12-31T23:00:00Z`, fractions of a second are cut off), or a date
/// (`2026-12-31`), which counts to its end in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// As it is stored.
    text: String,
    /// Seconds since 1970.
    from: i64,
}

const DAY: i64 = 86_400;

impl Expiry {
    /// Reads a date or an instant; `None` for any other text, also for a day or an hour that does not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let from = match text.len() {
            10 => (days(text)? + 1) * DAY,
            _ => instant(text)?,
        };
        Some(Self { text: text.to_owned(), from })
    }

    /// Whether it is over at this time, in seconds since 1970.
    pub fn is_over(&self, now: i64) -> bool {
        now >= self.from
    }

    /// The first second at which it is over, counted from 1970.
    pub fn seconds(&self) -> i64 {
        self.from
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Seconds since 1970 of `YYYY-MM-DDThh:mm:ss`, an optional fraction, and `Z` or `±hh:mm` (RFC 3339, 5.6).
fn instant(text: &str) -> Option<i64> {
    let (date, time) = (text.get(..10)?, text.get(10..19)?);
    let time = time.strip_prefix(['T', 't'])?;
    let [hour, minute, second] = sexagesimal(time)?;
    // The second 60 is a leap second.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
    };
    Some(days(date)? * DAY + hour * 3600 + minute * 60 + second - offset(zone)?)
}

/// Seconds by which local time is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, time) = match (zone.strip_prefix('+'), zone.strip_prefix('-')) {
        (Some(time), _) => (1, time),
        (_, Some(time)) => (-1, time),
        _ => return None,
    };
    let [hours, minutes] = sexagesimal(time)?;
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Numbers of two digits, separated by colons.
fn sexagesimal<const N: usize>(text: &str) -> Option<[i64; N]> {
    let parts: Vec<i64> = text.split(':').map(|part| digits(part, 2)).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Days since 1970 of `YYYY-MM-DD` in the Gregorian calendar.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let mut part = |length| digits(parts.next()?, length);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    let before = (1..month).map(|month| days_of_month(year, month)).sum::<i64>();
    Some(days_before(year) - days_before(1970) + before + day - 1)
}

/// Days before the first of January of a year from 0 on, counted from the year 0.
fn days_before(year: i64) -> i64 {
    let last = year - 1;
    365 * year + last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The seconds are those of `date -u -d TEXT +%s`.
    #[test]
    fn instants_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2026-11-29T10:36:07Z", 1_795_948_567),
            ("2026-11-29t10:36:07z", 1_795_948_567),
            ("2026-11-29T10:36:07.999999Z", 1_795_948_567),
            ("2026-11-29T12:06:07+01:30", 1_795_948_567),
            ("2026-11-29T05:36:07-05:00", 1_795_948_567),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
        ] {
            let expiry = Expiry::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((expiry.from, expiry.as_str()), (seconds, text));
            assert!(expiry.is_over(seconds) && !expiry.is_over(seconds - 1), "{text}");
        }
    }

    #[test]
    fn a_date_counts_to_its_end() {
        let expiry = Expiry::parse("2026-12-31").unwrap();
        assert_eq!(Some(expiry.from), instant("2027-01-01T00:00:00Z"));
        assert!(!expiry.is_over(instant("2026-12-31T23:59:59Z").unwrap()));
        assert_eq!(Expiry::parse("2024-02-28").map(|date| date.from), instant("2024-02-29T00:00:00Z"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "never",
            "2026-13-01",
            "2026-00-01",
            "2026-02-29",
            "2100-02-29",
            "2026-04-31",
            "2026-01-00",
            "26-01-01",
            "2026-1-1",
            "2026/01/01",
            "+026-01-01",
            "2026-12-31 ",
            "1767225600",
            "2026-12-31T23:00:00",
            "2026-12-31 23:00:00Z",
            "2026-12-31T23:00Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T23:60:00Z",
            "2026-12-31T23:00:61Z",
            "2026-12-31T23:00:00.Z",
            "2026-12-31T23:00:00+0100",
            "2026-12-31T23:00:00+24:00",
            "2026-12-31T23:00:00ZZ",
            "2026-12-31T23:00:00Z ",
            "２026-12-31",
            "2026-12-3é",
        ] {
            assert_eq!(Expiry::parse(text), None, "{text}");
        }
    }

    proptest! {
        /// Each day is one day after the day before, over all years.
        #[test]
        fn days_follow_each_other(year in 0..9999_i64, month in 1..=12_i64, day in 1..=31_i64) {
            let date = |year: i64, month: i64, day: i64| days(&format!("{year:04}-{month:02}-{day:02}"));
            let next = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == days_of_month(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
            if let Some(this) = date(year, month, day) {
                prop_assert_eq!(date(next.0, next.1, next.2), Some(this + 1));
            } else {
                prop_assert!(day > days_of_month(year, month));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[0-9TZ:+.-]{8,30}") {
            let _ = Expiry::parse(&text);
        }
    }
}
