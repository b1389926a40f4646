//! CloudFormation's own drift detection, which takes seconds to minutes; the caller waits.

use serde_json::Value;

use super::error::Call as _;
use super::{AwsError, CloudFormation};

/// The difference between a resource and the state that its stack expects.
#[derive(Clone, Debug)]
pub struct ResourceDrift {
    pub logical: String,
    /// `AWS::Lambda::Function`.
    pub kind: String,
    /// `IN_SYNC`, `MODIFIED`, `DELETED`, `NOT_CHECKED`, `UNSUPPORTED`, …
    pub status: String,
    /// Path of the property (`/Environment/Variables/X`), its expected value, its actual value.
    pub differences: Vec<(String, Value, Value)>,
}

impl CloudFormation {
    /// Begins the detection and returns its id.
    pub async fn detect_drift(&self, stack: &str) -> Result<String, AwsError> {
        let call = self.client.detect_stack_drift().stack_name(stack).send().await;
        let answer = call.call("cloudformation:DetectStackDrift", stack)?;
        Ok(answer.stack_drift_detection_id().unwrap_or_default().to_owned())
    }

    /// `None` while it runs, then `Some`, with the reason if it could not check everything.
    pub async fn drift_detected(&self, id: &str) -> Result<Option<Option<String>>, AwsError> {
        let call = self.client.describe_stack_drift_detection_status().stack_drift_detection_id(id).send().await;
        let answer = call.call("cloudformation:DescribeStackDriftDetectionStatus", id)?;
        let reason = || answer.detection_status_reason().unwrap_or("CloudFormation gives no reason").to_owned();
        Ok(match answer.detection_status().map(|status| status.as_str()) {
            Some("DETECTION_IN_PROGRESS") | None => None,
            Some("DETECTION_COMPLETE") => Some(None),
            Some(_) => Some(Some(reason())),
        })
    }

    /// The results of the last detection. Types that CloudFormation cannot check are omitted.
    pub async fn resource_drifts(&self, stack: &str) -> Result<Vec<ResourceDrift>, AwsError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call =
                self.client.describe_stack_resource_drifts().stack_name(stack).set_next_token(token).send().await;
            let answer = call.call("cloudformation:DescribeStackResourceDrifts", stack)?;
            for drift in answer.stack_resource_drifts() {
                found.push(ResourceDrift {
                    logical: drift.logical_resource_id().unwrap_or_default().to_owned(),
                    kind: drift.resource_type().unwrap_or_default().to_owned(),
                    status: drift.stack_resource_drift_status().map_or_else(String::new, |s| s.as_str().to_owned()),
                    differences: drift
                        .property_differences()
                        .iter()
                        .map(|difference| {
                            (
                                difference.property_path().unwrap_or_default().to_owned(),
                                value(difference.expected_value()),
                                value(difference.actual_value()),
                            )
                        })
                        .collect(),
                });
            }
            token = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

/// CloudFormation returns values as JSON, except strings, which are plain text.
fn value(text: Option<&str>) -> Value {
    match text {
        None | Some("null") => Value::Null,
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}
