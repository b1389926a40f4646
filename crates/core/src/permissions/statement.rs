//! Statements of a policy.

use serde_json::{Value, json};

use super::arns::Arns;

/// Allows actions on resources.
pub(super) fn allow<R: Into<Vec<String>>>(sid: &str, actions: &[&str], resources: R) -> Value {
    let resources: Vec<String> = resources.into();
    json!({ "Sid": sid, "Effect": "Allow", "Action": one_or_all(actions), "Resource": one_or_all(&resources) })
}

/// Allows actions that have no resource type: AWS knows no narrower resource for them.
pub(super) fn allow_all(sid: &str, actions: &[&str]) -> Value {
    allow(sid, actions, ["*".to_owned()])
}

/// As [`allow`], under a condition.
pub(super) fn allow_if<R: Into<Vec<String>>>(sid: &str, actions: &[&str], resources: R, condition: Value) -> Value {
    let mut statement = allow(sid, actions, resources);
    if condition.as_object().is_some_and(|condition| !condition.is_empty()) {
        statement["Condition"] = condition;
    }
    statement
}

fn one_or_all<T: serde::Serialize>(values: &[T]) -> Value {
    match values {
        [one] => json!(one),
        all => json!(all),
    }
}

/// Allows services to get their service-linked roles with the first use.
pub(super) fn service_linked_roles(arns: &Arns<'_>, services: &[&str]) -> Value {
    allow_if(
        "CreateServiceLinkedRoles",
        &["iam:CreateServiceLinkedRole"],
        [format!("arn:aws:iam::{}:role/aws-service-role/*", arns.0.account)],
        json!({ "StringEquals": { "iam:AWSServiceName": services } }),
    )
}
