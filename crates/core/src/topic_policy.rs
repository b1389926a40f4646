//! Whether EventBridge may publish to a topic, by the topic's policy. Pure.
//!
//! EventBridge publishes with the permissions of the topic's policy alone, as the service `events.amazonaws.com`;
//! without them only the rule's metric `FailedInvocations` tells (EventBridge user guide, "Using resource-based
//! policies for Amazon EventBridge"). The policy that a new topic has admits the account's own principals alone, by
//! `AWS:SourceOwner`.

use serde_json::{Map, Value};

const SERVICE: &str = "events.amazonaws.com";
const ACTION: &str = "sns:publish";

/// The answer of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    Allowed,
    /// By conditions, or exceptions, for which AWS does not document what EventBridge's request has.
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
        // What a statement leaves out by name is rare in topics' policies, and seldom meant.
        (Value::Null, _) => Applies::Maybe,
        (value, _) if fits(value) => Applies::Yes,
        _ => Applies::No,
    };
    let parts = [
        part("Principal", "NotPrincipal", &is_event_bridge),
        part("Action", "NotAction", &|actions| any(actions, |action| fits(&action.to_ascii_lowercase(), ACTION))),
        part("Resource", "NotResource", &|resources| any(resources, |resource| fits(resource, topic))),
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

fn is_event_bridge(principal: &Value) -> bool {
    principal == "*" || any(&principal["AWS"], |one| one == "*") || any(&principal["Service"], |one| one == SERVICE)
}

/// Whether EventBridge's request meets conditions. It goes by TLS. Whether it names its rule is not documented, and of
/// the other keys in topics' policies it has none but those of services.
fn conditions(conditions: Option<&Map<String, Value>>) -> Applies {
    let mut answer = Applies::Yes;
    for (operator, keys) in conditions.into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            match key.to_ascii_lowercase().as_str() {
                "aws:securetransport" if operator == "Bool" => {
                    if !list(values).iter().any(|value| *value == true || *value == "true") {
                        return Applies::No;
                    }
                }
                "aws:sourcearn" | "aws:sourceaccount" => answer = Applies::Maybe,
                // They are in requests of services, with words of AWS's own (IAM user guide, "AWS global condition
                // context keys").
                "aws:principalisawsservice" | "aws:principalservicename" | "aws:principalservicenameslist" => {
                    answer = Applies::Maybe;
                }
                _ if operator.contains("Not") || operator.ends_with("IfExists") || operator == "Null" => {
                    answer = Applies::Maybe;
                }
                _ => return Applies::No,
            }
        }
    }
    answer
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().collect(),
        single => vec![single],
    }
}

fn any(values: &Value, fits: impl Fn(&str) -> bool) -> bool {
    list(values).into_iter().filter_map(Value::as_str).any(fits)
}

/// Whether a text fits a pattern with `*` and `?` (IAM reference, "IAM JSON policy elements: Resource").
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*').peekable();
    let mut rest: Vec<char> = text.chars().collect();
    let is_here = |part: &str, have: &[char]| {
        part.chars().count() <= have.len()
            && part.chars().zip(have).all(|(wanted, have)| wanted == '?' || wanted == *have)
    };
    let first = parts.next().unwrap_or_default();
    if !is_here(first, &rest) {
        return false;
    }
    rest.drain(..first.chars().count());
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        let length = part.chars().count();
        if parts.peek().is_none() {
            return rest.len() >= length && is_here(part, &rest[rest.len() - length..]);
        }
        // The first place is as good as any later one.
        let Some(at) = (0..=rest.len()).find(|at| is_here(part, &rest[*at..])) else { return false };
        rest.drain(..at + length);
    }
    true
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
        // As SNS makes it with the topic.
        let by_owner = json!({ "StringEquals": { "AWS:SourceOwner": "111111111111" } });
        let own = with(&[("Principal", json!({ "AWS": "*" })), ("Condition", by_owner)]);
        let plain = with(&[]);
        let deny = |more: &[(&str, Value)]| with(&[&[("Effect", json!("Deny"))][..], more].concat());
        let without_tls = json!({ "Bool": { "aws:SecureTransport": "false" } });
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
            (vec![with(&[("Condition", json!({ "ArnLike": { "aws:SourceArn": "arn:aws:events:*" } }))])], Unclear),
            (vec![with(&[("Condition", json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } }))])], Refused),
            (vec![with(&[("Condition", json!({ "Bool": { "aws:PrincipalIsAWSService": "true" } }))])], Unclear),
            (vec![plain.clone(), deny(&[])], Refused),
            (vec![plain.clone(), deny(&[("Condition", without_tls)])], Allowed),
            (vec![plain, deny(&[("Principal", Value::Null), ("NotPrincipal", json!("*"))])], Unclear),
        ] {
            let policy = json!({ "Version": "2012-10-17", "Statement": statements });
            assert_eq!(by_event_bridge(&policy, TOPIC), expected, "{policy}");
        }
        assert_eq!(by_event_bridge(&json!({ "Statement": with(&[]) }), TOPIC), Allowed);
        assert_eq!(by_event_bridge(&Value::Null, TOPIC), Refused);
    }

    #[test]
    fn patterns_fit_as_those_of_iam() {
        for (pattern, expected) in [
            ("a-b-c", true),
            ("*", true),
            ("a*", true),
            ("*c", true),
            ("a*b*c", true),
            ("a-?-c", true),
            ("**", true),
            ("a-b-c*", true),
            ("", false),
            ("a", false),
            ("a*b", false),
            ("a-b-c?", false),
            ("*a-b-c-*", false),
            ("a-b*-b-c", false),
        ] {
            assert_eq!(fits(pattern, "a-b-c"), expected, "{pattern}");
        }
    }
}
