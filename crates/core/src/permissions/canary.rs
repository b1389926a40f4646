//! `canary`: the metric of `verify --put-metric`.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::allow_if;

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let namespace = format!("sftpctl/{}-upload-*", arns.0.name);
    // PutMetricData has no resource type, only the condition.
    let condition = json!({ "StringLike": { "cloudwatch:namespace": namespace } });
    vec![allow_if("PutMetric", &["cloudwatch:PutMetricData"], ["*".to_owned()], condition)]
}
