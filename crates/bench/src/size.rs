//! Sizes of files, in the units of disks and networks: 1 MB is 1,000,000 bytes. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("B", 1)];

/// More than S3 takes as one object today.
const MOST: u64 = 50_000_000_000_000;

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected a whole number with B, KB, MB or GB, such as 5MB";
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(FORM)?;
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(FORM)?;
        match bytes {
            0 => Err("a size must be at least 1B"),
            bytes if bytes > MOST => Err("no target takes files of more than 50000GB"),
            bytes => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS.into_iter().find(|(_, factor)| self.0.is_multiple_of(*factor)).unwrap_or(("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Size {
    /// In MB.
    #[expect(clippy::cast_precision_loss, reason = "a size of which four digits are shown")]
    pub fn mb(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// For people, rounded: `1.2 GB`.
    pub fn about(self) -> String {
        match self.mb() {
            mb if mb >= 1000.0 => format!("{:.1} GB", mb / 1000.0),
            mb if mb >= 10.0 => format!("{mb:.0} MB"),
            mb => format!("{mb:.1} MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_shown() {
        for (text, bytes, shown) in [
            ("1MB", 1_000_000, "1MB"),
            ("5 gb", 5_000_000_000, "5GB"),
            ("1500KB", 1_500_000, "1500KB"),
            ("2000MB", 2_000_000_000, "2GB"),
            ("17B", 17, "17B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size, size.to_string().as_str()), (Size(bytes), shown));
        }
        for text in ["", "5", "MB", "0MB", "-1MB", "1.5MB", "1TB", "99999999999999999999GB", "60000GB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!((Size(1_234_000_000).about(), Size(500_000).about()), ("1.2 GB".into(), "0.5 MB".into()));
    }
}
