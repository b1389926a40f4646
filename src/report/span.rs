//! A span of time in words. Pure.

/// A span in the largest unit of which it has at least two.
pub fn span(seconds: u64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        for (seconds, words) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (32_400, "9 h"), (172_800, "2 days")] {
            assert_eq!(span(seconds), words);
        }
    }
}
