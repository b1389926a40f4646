//! The time of day as it is written into state and events: RFC 3339, in UTC.

use jiff::Timestamp;

/// A time, to the second.
pub fn rfc3339(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now, to the second.
pub fn now() -> String {
    rfc3339(Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_without_fractions_and_with_a_z() {
        let time: Timestamp = "2026-11-24T10:00:00.25+01:00".parse().unwrap();
        assert_eq!(rfc3339(time), "2026-11-24T09:00:00Z");
    }
}
