//! Findings that an environment file ignores, with reasons. Pure.

use super::{Check, find};

/// A check whose finding is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckIgnore {
    /// Its code, `D012-lambda-concurrency`, or only the number, `D012`.
    pub check: String,
    /// Only the finding in this region; `None` for all.
    pub region: Option<String>,
    pub reason: String,
}

impl CheckIgnore {
    /// Whether the rule covers this check.
    pub fn covers(&self, check: &Check) -> bool {
        find(&self.check).is_some_and(|of| of.id == check.id)
            && self.region.as_ref().is_none_or(|region| check.region.as_ref() == Some(region))
    }

    /// The rule as a report names it.
    pub fn name(&self) -> String {
        match &self.region {
            None => self.check.clone(),
            Some(region) => format!("{} in {region}", self.check),
        }
    }
}
