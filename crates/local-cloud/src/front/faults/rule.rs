//! Rules: which calls a fault applies to, and what it does.

use serde::{Deserialize, Serialize};

use crate::front::call::Call;

/// A fault for the calls that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// `service.Operation`, with `*` for any text: `transfer.CreateServer`, `dynamodb.*`, `*`.
    #[serde(default = "any")]
    pub call: String,
    /// Only in this region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only in this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only calls to S3 about an object with this key, with `*` for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Only calls that change something, or only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// Number of matching calls that pass first.
    #[serde(default)]
    pub skip: u64,
    /// Maximum number of calls that the fault applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Probability for a matching call, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Seed of the random numbers.
    #[serde(default)]
    pub seed: u64,
    pub fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Only {
    /// Calls that change something.
    Mutating,
    /// Calls that only read.
    Reads,
}

/// What happens to a call. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Fault {
    /// Refused with the service's throttling error.
    Throttle,
    /// Refused with status 500.
    Error500,
    /// Refused with this error.
    Error { status: u16, code: String, message: String },
    /// The connection closes before the call reaches the service.
    ResetBefore,
    /// The call takes effect, and its answer is lost.
    ResetAfter,
    /// The call takes this much longer.
    Delay(u64),
    /// The call waits before it takes effect, until released.
    HoldBefore,
    /// The call takes effect, and its answer waits until released.
    HoldAfter,
    /// A stack operation (CreateStack, UpdateStack) fails after everything else in it was done, and is rolled back.
    RollBack,
    /// Half of a batch (BatchExecuteStatement, BatchWriteItem) is carried out, and the rest is throttled.
    Partly,
    /// A read repeats the last answer to the same request, if it is younger than this.
    Stale(u64),
    /// ListServers and GetRole omit resources younger than this.
    HideNew(u64),
}

const STACKS_CREATED: &str = "cloudformation.CreateStack";
const STACKS_UPDATED: &str = "cloudformation.UpdateStack";

impl Fault {
    /// Whether the fault applies to reads only.
    pub(super) fn is_for_reads(&self) -> bool {
        matches!(self, Self::Stale(_) | Self::HideNew(_))
    }
}

impl Rule {
    /// Checks the rule; the error says what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err("probability must be between 0 and 1".to_owned());
        }
        match &self.fault {
            Fault::Error { status, .. } if !(400..600).contains(status) => {
                Err(format!("{status} is not an error status: expected 400 to 599"))
            }
            fault if fault.is_for_reads() && self.only == Some(Only::Mutating) => {
                Err("this fault applies to reads only".to_owned())
            }
            Fault::RollBack if !matches!(self.call.as_str(), STACKS_CREATED | STACKS_UPDATED) => {
                Err(format!("this fault applies to {STACKS_CREATED} and {STACKS_UPDATED} only"))
            }
            Fault::Partly if !super::partly::applies_to(&self.call) => {
                Err("this fault applies to dynamodb.BatchExecuteStatement and dynamodb.BatchWriteItem only".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn matches(&self, call: &Call) -> bool {
        let nature = match self.only {
            None => !(self.fault.is_for_reads() && call.mutating),
            Some(Only::Mutating) => call.mutating,
            Some(Only::Reads) => !call.mutating,
        };
        nature
            && self.region.as_ref().is_none_or(|region| *region == call.region)
            && self.account.as_ref().is_none_or(|account| *account == call.account)
            && self
                .object
                .as_ref()
                .is_none_or(|object| call.object.as_ref().is_some_and(|key| glob(object.as_bytes(), key.as_bytes())))
            && glob(self.call.as_bytes(), call.name().as_bytes())
    }
}

fn any() -> String {
    "*".to_owned()
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| glob(rest, &text[from..])),
        Some((byte, rest)) => text.split_first().is_some_and(|(first, text)| first == byte && glob(rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_matches_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("transfer.*", "transfer.CreateServer", true),
            ("*.Describe*", "dynamodb.DescribeTable", true),
            ("transfer.Create", "transfer.CreateServer", false),
            ("*Server", "transfer.ListServers", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn unknown_fields_and_values_are_refused() {
        let parse = |text: &str| serde_json::from_str::<Rule>(text);
        assert_eq!(parse(r#"{"fault": "throttle"}"#).unwrap().call, "*");
        assert!(parse(r#"{"fault": "throttle", "cuont": 1}"#).is_err());
        assert!(parse(r#"{"call": "*"}"#).is_err());
        let unlikely = parse(r#"{"fault": {"delay": 10}, "probability": 1.5}"#).unwrap();
        assert!(unlikely.check().is_err());
    }
}
