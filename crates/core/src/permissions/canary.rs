//! `canary`: the metric of `verify --put-metric`.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::allow_if;
use crate::spec::names;

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let namespace = names::metric_namespace(arns.0, "*");
    // PutMetricData has no resource type, only the condition.
    let condition = json!({ "StringLike": { "cloudwatch:namespace": namespace } });
    vec![allow_if("PutMetric", &["cloudwatch:PutMetricData"], ["*".to_owned()], condition)]
}
