//! Spans of time as a person writes them: `90s`, `30m`, `8h`, `7d`. Pure.

/// Seconds in a unit.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
/// The highest number before a unit.
const MOST: u64 = 1_000_000;

/// The seconds of a span; `None` if it is none.
pub fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = UNITS.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|number| is_number && *number <= MOST).map(|number: u64| number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        for (text, expected) in
            [("90s", 90), ("30m", 1_800), ("8h", 28_800), ("7d", 604_800), ("0h", 0), ("1000000s", 1_000_000)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for other in ["", "h", "8", "+8h", "-1h", "1.5h", "1w", "8 h", "1000001s", "99999999999999999999d"] {
            assert_eq!(seconds(other), None, "{other}");
        }
    }
}
