//! Dates as systems store them. Pure.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// The number of days from 1970-01-01 until now, in UTC.
pub(crate) fn today() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(seconds).unwrap_or_default() / DAY
}

/// The date of a day, counted from 1970-01-01: `2027-01-31`. `None` outside the years 0000 to 9999.
///
/// After Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
pub(crate) fn date(day: i64) -> Option<String> {
    if !(-719_528..=2_932_896).contains(&day) {
        return None;
    }
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Some(format!("{year:04}-{month:02}-{:02}", of_year - (153 * from_march + 2) / 5 + 1))
}

/// The number of a date's day, counted from 1970-01-01. `None` if there is no such date.
///
/// After Howard Hinnant, `days_from_civil`.
pub(crate) fn day(year: i64, month: i64, day_of_month: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day_of_month) {
        return None;
    }
    let shifted = year - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day_of_month - 1;
    let found = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468;
    // A month without such a day has become a day of the next one.
    (date(found)? == format!("{year:04}-{month:02}-{day_of_month:02}")).then_some(found)
}

/// An instant of RFC 3339 in UTC, from seconds since 1970-01-01T00:00:00Z.
pub(crate) fn instant(seconds: i64) -> Option<String> {
    let date = date(seconds.div_euclid(DAY))?;
    let of_day = seconds.rem_euclid(DAY);
    Some(format!("{date}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (number, text) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_454, "2026-01-01"),
            (2_932_896, "9999-12-31"),
            (-719_528, "0000-01-01"),
        ] {
            assert_eq!(date(number).as_deref(), Some(text));
            let parts: Vec<i64> = text.split('-').map(|part| part.parse().unwrap()).collect();
            assert_eq!(day(parts[0], parts[1], parts[2]), Some(number), "{text}");
        }
        assert_eq!(date(2_932_897), None);
        assert_eq!(date(i64::MAX), None);
        assert_eq!((day(2026, 2, 29), day(2024, 2, 29)), (None, Some(19_782)));
        assert_eq!((day(2026, 4, 31), day(2026, 0, 1), day(2026, 1, 0)), (None, None, None));
    }

    #[test]
    fn seconds_are_instants() {
        assert_eq!(instant(1_893_455_999).as_deref(), Some("2029-12-31T23:59:59Z"));
        assert_eq!(instant(-1).as_deref(), Some("1969-12-31T23:59:59Z"));
        assert_eq!(instant(i64::MAX), None);
    }
}
