//! The typed values of conditions: numbers, moments, truth values and addresses.
//!
//! Each type has exactly one reader, used for the policy's value and for the
//! request's value alike, so that both sides need the same spelling.

use std::net::IpAddr;

/// A decimal number, scaled by 10^9 so that comparisons are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(i128);

const SCALE: usize = 9;

impl Number {
    /// Reads digits with an optional sign and fraction; exponents are refused.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is not a number of at most 18 digits and 9 decimals");
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(error()),
            Some((whole, fraction)) => (whole, fraction),
            None => (digits, ""),
        };
        let well_formed = !whole.is_empty() && whole.len() <= 18 && fraction.len() <= SCALE;
        if !well_formed || !is_digits(whole) || !is_digits(fraction) {
            return Err(error());
        }
        let scaled: i128 = format!("{whole}{fraction:0<SCALE$}").parse().map_err(|_| error())?;
        Ok(Self(if negative { -scaled } else { scaled }))
    }
}

/// A moment in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    /// Reads an ISO 8601 date or time with a zone, or seconds since 1970.
    ///
    /// Years alone are refused because they cannot be distinguished from small second counts.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is neither an ISO 8601 moment nor seconds since 1970");
        if is_digits(text) && (5..=15).contains(&text.len()) {
            let seconds: i64 = text.parse().map_err(|_| error())?;
            return Ok(Self(seconds * 1000));
        }
        Self::iso(text).ok_or_else(error)
    }

    fn iso(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = field(parts.next()?, 4, 1, 9999)?;
        let month = field(parts.next()?, 2, 1, 12)?;
        let day = field(parts.next()?, 2, 1, days_in_month(year, month))?;
        if parts.next().is_some() {
            return None;
        }
        let midnight = days_since_epoch(year, month, day) * 86_400_000;
        let Some(time) = time else {
            return Some(Self(midnight));
        };
        let (clock, offset) = match time.strip_suffix('Z') {
            Some(clock) => (clock, 0),
            None => {
                let (clock, zone) = time.split_at_checked(time.len().checked_sub(6)?)?;
                let minutes = zone.get(1..).and_then(hours_and_minutes)?;
                match zone.chars().next()? {
                    '+' => (clock, minutes),
                    '-' => (clock, -minutes),
                    _ => return None,
                }
            }
        };
        let minutes = hours_and_minutes(clock.get(..5)?)?;
        let millis = match clock.get(5..)? {
            "" => 0,
            seconds => seconds_to_millis(seconds.strip_prefix(':')?)?,
        };
        Some(Self(midnight + (minutes - offset) * 60_000 + millis))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a number of exactly `width` digits within the bounds.
fn field(text: &str, width: usize, least: i64, most: i64) -> Option<i64> {
    let value = (text.len() == width && is_digits(text)).then(|| text.parse::<i64>().ok())??;
    (least..=most).contains(&value).then_some(value)
}

fn hours_and_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    Some(field(hours, 2, 0, 23)? * 60 + field(minutes, 2, 0, 59)?)
}

fn seconds_to_millis(text: &str) -> Option<i64> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((seconds, fraction)) => (seconds, fraction),
        None => (text, ""),
    };
    if fraction.len() > 3 {
        return None;
    }
    let padded = format!("{fraction:0<3}");
    Some(field(seconds, 2, 0, 59)? * 1000 + field(&padded, 3, 0, 999)?)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts in years that begin in March, which puts the leap day at the end.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// Reads the only two spellings AWS documents.
pub(crate) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("{text:?} is neither \"true\" nor \"false\"")),
    }
}

/// Reads one address of either family.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an IP address"))
}

/// An address range in CIDR notation; a bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    base: IpAddr,
    prefix: u32,
}

impl Block {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (address(base)?, Some(prefix)),
            None => (address(text)?, None),
        };
        let most = if base.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = match prefix {
            None => most,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|length: &u32| *length <= most && length.to_string() == *digits)
                .ok_or_else(|| format!("{text:?} has no prefix length between 0 and {most}"))?,
        };
        Ok(Self { base, prefix })
    }

    /// Families never match each other, not even through mapped addresses.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (width, difference) = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(other)) => (32, u128::from(base.to_bits() ^ other.to_bits())),
            (IpAddr::V6(base), IpAddr::V6(other)) => (128, base.to_bits() ^ other.to_bits()),
            _ => return false,
        };
        // A shift by the full width is undefined, and a zero prefix contains everything.
        difference.checked_shr(width - self.prefix).unwrap_or(0) == 0
    }
}

/// Checks that a request's value has the six parts of an ARN.
pub(crate) fn arn(text: &str) -> Result<&str, String> {
    let parts = text.splitn(6, ':').count();
    if parts == 6 && text.starts_with("arn:") { Ok(text) } else { Err(format!("{text:?} is not an ARN")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_exactly() {
        for (smaller, larger) in [("9", "10"), ("-1", "0"), ("1.5", "1.51"), ("0.1", "0.10000001")] {
            assert!(Number::parse(smaller) < Number::parse(larger), "{smaller} {larger}");
        }
        assert_eq!(Number::parse("1.0"), Number::parse("1"));
        assert_eq!(Number::parse("007"), Number::parse("7"));
        for text in ["", "-", "1.", ".5", "1e3", "+1", " 1", "0x1", "1_0", "NaN", "1.0000000001"] {
            assert!(Number::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_read_from_dates_and_seconds() {
        for (left, right) in [
            ("1970-01-01T00:00:00Z", "00000"),
            ("2024-02-29T12:00:00Z", "1709208000"),
            ("2024-02-29T12:00:00Z", "2024-02-29T13:00:00+01:00"),
            ("2024-02-29T12:00:00Z", "2024-02-29T06:30-05:30"),
            ("2024-01-01", "2024-01-01T00:00:00.000Z"),
            ("2000-03-01", "951868800"),
            ("1999-12-31T23:59:59.5Z", "1999-12-31T23:59:59.500Z"),
        ] {
            assert_eq!(Moment::parse(left), Moment::parse(right), "{left} {right}");
            assert!(Moment::parse(left).is_ok(), "{left}");
        }
        assert!(Moment::parse("2024-01-01T00:00:00Z") < Moment::parse("2024-01-01T00:00:01Z"));
        for text in [
            "",
            "2024",
            "2024-13-01",
            "2023-02-29",
            "2024-1-1",
            "2024-01-01T00:00:00",
            "2024-01-01T24:00:00Z",
            "2024-01-01 00:00:00Z",
            "2024-01-01T00:00:60Z",
            "2024-01-01T00:00:00z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00*01:00",
            "yesterday",
            "é-01-01T00:00:00é00:00",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn blocks_contain_their_addresses() {
        for (block, inside, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.9/24", "203.0.113.1", true),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("2001:db8::/32", "2001:db8:ffff::", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("2001:DB8::1", "2001:db8:0:0::1", true),
        ] {
            let contains = match (Block::parse(block), address(inside)) {
                (Ok(block), Ok(address)) => Some(block.contains(address)),
                _ => None,
            };
            assert_eq!(contains, Some(expected), "{inside} in {block}");
        }
        for text in ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/+8", "1.2.3.4/08", "::/129", "*"] {
            assert!(Block::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_booleans_and_arns_are_refused() {
        assert_eq!((truth("true"), truth("false")), (Ok(true), Ok(false)));
        assert!(truth("True").is_err() && truth("1").is_err() && truth("").is_err());
        assert!(arn("arn:aws:s3:::b").is_ok() && arn("arn:aws:s3::b").is_err() && arn("x:::::").is_err());
    }
}
