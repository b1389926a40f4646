//! Whether EventBridge may publish to a topic, by the topic's policy. Pure.
//!
//! EventBridge publishes with the permissions of the topic's policy alone, as the service `events.amazonaws.com`;
//! without them only the rule's metric `FailedInvocations` tells (EventBridge user guide, "Using resource-based
//! policies for Amazon EventBridge"). The policy that a new topic has admits the account's own principals alone, by
//! `AWS:SourceOwner` (SNS developer guide, "`aws:SourceAccount` versus `aws:SourceOwner`"): EventBridge's page adds a
//! statement to it.

use serde_json::{Map, Value};

use crate::policy::list;
use crate::text::fits;

const SERVICE: &str = "events.amazonaws.com";
const ACTION: &str = "sns:publish";

/// The answer of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    Allowed,
    /// By conditions that a missing key may meet, or exceptions.
    Unclear,
    Refused,
}

/// Whether EventBridge may publish to the topic with this ARN.
pub fn by_event_bridge(policy: &Value, topic: &str) -> Publishing {
    let statements = list(&policy["Statement"]);
    let of = |effect: &str| {
        let chosen = statements.iter().filter(|statement| statement["Effect"] == effect);
        let answers = chosen.map(|statement| applies(statement, topic)).collect::<Vec<_>>();
        if answers.contains(&Applies::Yes) {
            Applies::Yes
        } else if answers.contains(&Applies::Maybe) {
            Applies::Maybe
        } else {
            Applies::No
        }
    };
    match (of("Deny"), of("Allow")) {
        (Applies::Yes, _) | (_, Applies::No) => Publishing::Refused,
        (Applies::No, Applies::Yes) => Publishing::Allowed,
        (Applies::Maybe, _) | (_, Applies::Maybe) => Publishing::Unclear,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Applies {
    Yes,
    Maybe,
    No,
}

/// Whether a statement is about EventBridge's messages to the topic.
fn applies(statement: &Value, topic: &str) -> Applies {
    let part = |name: &str, not: &str, fits: &dyn Fn(&Value) -> bool| match (&statement[name], &statement[not]) {
        (Value::Null, Value::Null) => Applies::No,
        // What a statement leaves out by name is rare in topics' policies, and rarely intended.
        (Value::Null, _) => Applies::Maybe,
        (value, _) if fits(value) => Applies::Yes,
        _ => Applies::No,
    };
    let parts = [
        part("Principal", "NotPrincipal", &is_event_bridge),
        part("Action", "NotAction", &|actions| any(actions, |action| fits(ACTION, &action.to_ascii_lowercase()))),
        part("Resource", "NotResource", &|resources| any(resources, |resource| fits(topic, resource))),
        conditions(statement["Condition"].as_object()),
    ];
    if parts.contains(&Applies::No) {
        Applies::No
    } else if parts.contains(&Applies::Maybe) {
        Applies::Maybe
    } else {
        Applies::Yes
    }
}

/// `{"AWS": "*"}` admits services, too (SNS developer guide, "Allow any CloudWatch alarm to publish to a topic in a
/// different account").
fn is_event_bridge(principal: &Value) -> bool {
    principal == "*" || any(&principal["AWS"], |one| one == "*") || any(&principal["Service"], |one| one == SERVICE)
}

/// Whether EventBridge's request meets conditions. "You can't use Condition blocks in Amazon SNS topic policies for
/// EventBridge" (EventBridge user guide, "Using resource-based policies for Amazon EventBridge"): a condition that
/// wants a key is not met, whatever it is, as one on the rule (`aws:SourceArn`) or the account (`aws:SourceAccount`).
/// Those that a missing key meets may be. Messages go by TLS, and so one that wants the opposite is not met.
fn conditions(conditions: Option<&Map<String, Value>>) -> Applies {
    let mut answer = Applies::Yes;
    for (operator, keys) in conditions.into_iter().flatten() {
        let is_met_without = operator.contains("Not")
            || operator.ends_with("IfExists")
            || operator.starts_with("ForAllValues:")
            || operator == "Null";
        for (key, values) in keys.as_object().into_iter().flatten() {
            let is_tls = key.eq_ignore_ascii_case("aws:SecureTransport");
            let wants_tls = is_tls && list(values).iter().any(|value| **value == true || **value == "true");
            let wants_none = is_tls && !wants_tls && operator.starts_with("Bool");
            if wants_none || !is_met_without && !wants_tls {
                return Applies::No;
            }
            answer = Applies::Maybe;
        }
    }
    answer
}

fn any(values: &Value, fits: impl Fn(&str) -> bool) -> bool {
    list(values).into_iter().filter_map(Value::as_str).any(fits)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Publishing::{Allowed, Refused, Unclear};
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-west-2:111111111111:arrivals";

    #[test]
    fn event_bridge_needs_a_statement_of_its_own() {
        let with = |change: &[(&str, Value)]| {
            let mut statement = json!({
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sns:Publish",
                "Resource": TOPIC,
            });
            for (name, value) in change {
                statement[*name] = value.clone();
            }
            statement
        };
        let when = |condition: Value| with(&[("Condition", condition)]);
        // As SNS makes it with the topic.
        let by_owner = json!({ "StringEquals": { "AWS:SourceOwner": "111111111111" } });
        let own = with(&[("Principal", json!({ "AWS": "*" })), ("Condition", by_owner)]);
        let plain = with(&[]);
        let deny = |more: &[(&str, Value)]| with(&[&[("Effect", json!("Deny"))][..], more].concat());
        let without_tls = json!({ "Bool": { "aws:SecureTransport": "false" } });
        let without_tls_if_known = json!({ "BoolIfExists": { "aws:SecureTransport": "false" } });
        let others = json!({ "StringNotEquals": { "aws:SourceAccount": "111111111111" } });
        for (statements, expected) in [
            (vec![plain.clone()], Allowed),
            (vec![own.clone()], Refused),
            (vec![own, plain.clone()], Allowed),
            (vec![], Refused),
            (vec![with(&[("Action", json!(["SNS:Subscribe", "SNS:Pub*"]))])], Allowed),
            (vec![with(&[("Action", json!("sns:Subscribe"))])], Refused),
            (vec![with(&[("Principal", json!("*"))])], Allowed),
            (vec![with(&[("Principal", json!({ "Service": ["s3.amazonaws.com", "events.amazonaws.com"] }))])], Allowed),
            (vec![with(&[("Principal", json!({ "Service": "cloudwatch.amazonaws.com" }))])], Refused),
            (vec![with(&[("Resource", json!("arn:aws:sns:*:111111111111:arr?vals"))])], Allowed),
            (vec![with(&[("Resource", json!(format!("{TOPIC}2")))])], Refused),
            (vec![when(json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*" } }))], Refused),
            (vec![when(json!({ "StringEquals": { "aws:SourceAccount": "111111111111" } }))], Refused),
            (vec![when(json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }))], Refused),
            (vec![when(json!({ "ArnLikeIfExists": { "aws:SourceArn": "arn:aws:events:*" } }))], Unclear),
            (vec![when(json!({ "ForAllValues:StringEquals": { "aws:CalledVia": "events.amazonaws.com" } }))], Unclear),
            (vec![when(json!({ "Bool": { "aws:SecureTransport": "true" } }))], Unclear),
            (vec![when(json!({}))], Allowed),
            (vec![plain.clone(), deny(&[])], Refused),
            (vec![plain.clone(), deny(&[("Condition", without_tls)])], Allowed),
            (vec![plain.clone(), deny(&[("Condition", without_tls_if_known)])], Allowed),
            (vec![plain.clone(), deny(&[("Condition", others)])], Unclear),
            (vec![plain, deny(&[("Principal", Value::Null), ("NotPrincipal", json!("*"))])], Unclear),
        ] {
            let policy = json!({ "Version": "2012-10-17", "Statement": statements });
            assert_eq!(by_event_bridge(&policy, TOPIC), expected, "{policy}");
        }
        assert_eq!(by_event_bridge(&json!({ "Statement": with(&[]) }), TOPIC), Allowed);
        assert_eq!(by_event_bridge(&Value::Null, TOPIC), Refused);
    }
}
