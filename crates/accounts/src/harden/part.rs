//! A machine's share of the accounts. Pure.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::bulk::spread::part_of;

/// One of several shares that no account is in two of, whatever the machine and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    number: u32,
    of: NonZeroU32,
}

impl Part {
    /// All accounts.
    pub const ALL: Self = Self { number: 1, of: NonZeroU32::MIN };

    /// Whether the accounts of an organisation are in this share.
    pub(super) fn has(self, org_id: i64) -> bool {
        let part = part_of(&org_id.to_be_bytes(), usize::try_from(self.of.get()).unwrap_or(usize::MAX));
        part + 1 == usize::try_from(self.number).unwrap_or_default()
    }
}

/// Not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected K/N with K from 1 to N, such as 1/3")]
pub struct PartError;

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let (number, of) = text.split_once('/').ok_or(PartError)?;
        let (number, of): (u32, NonZeroU32) =
            (number.parse().map_err(|_| PartError)?, of.parse().map_err(|_| PartError)?);
        if number == 0 || number > of.get() {
            return Err(PartError);
        }
        Ok(Self { number, of })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_in_one_part() {
        let parts: Vec<Part> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).into();
        let mut sizes = [0; 3];
        for org_id in 1..=3000 {
            let has: Vec<usize> = (0..3).filter(|part| parts[*part].has(org_id)).collect();
            assert_eq!(has.len(), 1, "{org_id}");
            sizes[has[0]] += 1;
            assert!(Part::ALL.has(org_id));
        }
        assert!(sizes.iter().all(|size| (900..1100).contains(size)), "{sizes:?}");
    }

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("2/3".parse::<Part>().unwrap().to_string(), "2/3");
        assert_eq!("1/1".parse(), Ok(Part::ALL));
        for wrong in ["0/3", "4/3", "1/0", "1", "", "/", "-1/2", "1/2/3", "a/b"] {
            assert_eq!(wrong.parse::<Part>(), Err(PartError), "{wrong}");
        }
    }
}
