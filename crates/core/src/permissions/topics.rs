//! `topics`: what CloudFormation calls for SNS topics and their subscriptions, in addition to `stack`, by
//! `handlers.*.permissions` of AWS's resource schemas. One document would not hold both. Also for the deployment after the
//! setting was left out, which deletes them.

use serde_json::Value;

use super::arns::Arns;
use super::statement::allow;

/// What the read handlers of `AWS::SNS::*` call, and `doctor`.
pub(super) const READS: [&str; 5] = [
    "sns:GetDataProtectionPolicy",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTagsForResource",
];

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut changes = READS.to_vec();
    changes.extend([
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:SetSubscriptionAttributes",
        "sns:SetTopicAttributes",
        "sns:Subscribe",
        "sns:TagResource",
        "sns:Unsubscribe",
        "sns:UntagResource",
    ]);
    vec![allow("Topics", &changes, [arns.topics()])]
}
