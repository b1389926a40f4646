//! What shall go wrong, and with which calls.

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
    /// Only calls to S3 about such an object: a key with `*` for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Only calls that change something, or only those that don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// How many matching calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// How many calls it happens to, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// From 0 to 1: how likely it happens to a matching call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The same seed, the same dice.
    #[serde(default)]
    pub seed: u64,
    /// What happens.
    pub fault: Fault,
}

/// Calls by their nature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Only {
    /// What changes something.
    Mutating,
    /// What only reads.
    Reads,
}

/// What happens to a call. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Fault {
    /// Refused as the service refuses what comes too fast.
    Throttle,
    /// Refused with status 500.
    Error500,
    /// Refused with an error of one's own.
    Error {
        /// HTTP status.
        status: u16,
        /// AWS's code.
        code: String,
        /// AWS's message.
        message: String,
    },
    /// The connection closes before the call reaches the service.
    ResetBefore,
    /// The call takes effect, and its answer is lost.
    ResetAfter,
    /// It takes this much longer.
    Delay(u64),
    /// The call waits before it takes effect, until released.
    HoldBefore,
    /// The call takes effect, and its answer waits until released.
    HoldAfter,
    /// A read is answered as the same request was before, if that is less long ago than this.
    Stale(u64),
    /// ListServers and GetRole don't show what was made less long ago than this.
    HideNew(u64),
}

impl Fault {
    /// Whether only reads can suffer it.
    pub(super) fn is_for_reads(&self) -> bool {
        matches!(self, Self::Stale(_) | Self::HideNew(_))
    }
}

impl Rule {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err("probability goes from 0 to 1".to_owned());
        }
        match &self.fault {
            Fault::Error { status, .. } if !(400..600).contains(status) => {
                Err(format!("{status} is no status of an error: 400 to 599"))
            }
            fault if fault.is_for_reads() && self.only == Some(Only::Mutating) => {
                Err("this fault is for reads".to_owned())
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
    fn stars_stand_for_any_text() {
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
    fn a_rule_with_a_typing_error_is_refused() {
        let parse = |text: &str| serde_json::from_str::<Rule>(text);
        assert_eq!(parse(r#"{"fault": "throttle"}"#).unwrap().call, "*");
        assert!(parse(r#"{"fault": "throttle", "cuont": 1}"#).is_err());
        assert!(parse(r#"{"call": "*"}"#).is_err());
        let unlikely = parse(r#"{"fault": {"delay": 10}, "probability": 1.5}"#).unwrap();
        assert!(unlikely.check().is_err());
    }
}
