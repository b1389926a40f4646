//! `notify`: messages to the topics that the environment file names, in addition to the policy of the command that ends.

use serde_json::Value;

use super::arns::Arns;
use super::statement::allow;

/// `None` without topics.
pub(super) fn statements(arns: &Arns<'_>) -> Option<Vec<Value>> {
    let topics = &arns.0.notify.as_ref()?.topics;
    (!topics.is_empty()).then(|| vec![allow("TellTheEnd", &["sns:Publish"], topics.clone())])
}
