//! What to ask IAM's policy simulator about a policy, and what its answers mean. Pure.
//!
//! The simulator evaluates the identity's policies and its permissions boundary. It does not know the session's policy,
//! the policies of resources and endpoints, or resource control policies, and it evaluated service control policies
//! with conditions wrongly until July 2026 (IAM user guide, "IAM policy testing with the IAM policy simulator";
//! aws/aws-cli#10525). So what it allows may still be denied, and a denial by the organisation alone may be wrong.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One call of the simulator: actions of one service on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub actions: Vec<String>,
    /// An ARN, possibly a pattern, or `*`.
    pub resource: String,
    /// Condition keys with the values that a deployment's requests have.
    pub context: Vec<(String, Vec<String>)>,
}

/// An action that the simulator does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub action: String,
    pub resource: String,
    /// Whether only the organisation's policies deny it.
    pub by_organization: bool,
    /// Whether the permissions boundary denies it.
    pub by_boundary: bool,
}

/// What to ask, to know whether a principal has everything that a policy allows.
pub fn requests(document: &Value) -> Vec<Request> {
    let mut all = Vec::new();
    let allows = list(&document["Statement"]).into_iter().filter(|statement| statement["Effect"] == "Allow");
    for statement in allows {
        let mut by_service: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for action in list(&statement["Action"]).into_iter().filter_map(Value::as_str) {
            by_service.entry(action.split(':').next().unwrap_or_default()).or_default().push(action.to_owned());
        }
        let context = context(&statement["Condition"]);
        for resource in list(&statement["Resource"]).into_iter().filter_map(Value::as_str) {
            for (service, actions) in &by_service {
                // Statements may list the actions and resources of several services.
                if resource == "*" || resource.split(':').nth(2) == Some(service) {
                    let (actions, context) = (actions.clone(), context.clone());
                    all.push(Request { actions, resource: resource.to_owned(), context });
                }
            }
        }
    }
    all
}

/// One value, or all values of a list.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// The first value of each condition that requires one.
fn context(condition: &Value) -> Vec<(String, Vec<String>)> {
    let operators = condition.as_object().into_iter().flatten();
    let required = operators.filter(|(operator, _)| {
        let operator = operator.trim_start_matches("ForAllValues:").trim_start_matches("ForAnyValue:");
        matches!(operator, "StringEquals" | "StringLike" | "ArnLike" | "ArnEquals")
    });
    let pairs = required.filter_map(|(_, keys)| keys.as_object()).flatten();
    let first = |values: &Value| list(values).first().and_then(|value| value.as_str()).map(str::to_owned);
    pairs.filter_map(|(key, values)| Some((key.clone(), vec![first(values)?]))).collect()
}

/// The smallest policy that allows what is denied.
pub fn denied(denials: &[Denial]) -> Value {
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for denial in denials {
        by_resource.entry(&denial.resource).or_default().push(&denial.action);
    }
    // Resources with the same actions share a statement.
    let mut statements: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (resource, mut actions) in by_resource {
        actions.sort_unstable();
        actions.dedup();
        statements.entry(actions).or_default().push(resource);
    }
    let statement = |(actions, resources): (&Vec<&str>, &Vec<&str>)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(statement).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_becomes_one_request_for_each_service_and_resource() {
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["s3:GetObject", "lambda:GetFunction", "s3:PutObject"],
              "Resource": ["arn:aws:s3:::b/*", "arn:aws:lambda:*:1:function:f"] },
            { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/r",
              "Condition": { "StringEquals": { "iam:PassedToService": ["lambda.amazonaws.com", "x"] } } },
            { "Effect": "Deny", "Action": "s3:*", "Resource": "*" },
        ]});
        let found = requests(&document);
        let named: Vec<_> = found.iter().map(|one| format!("{} {}", one.actions.join("+"), one.resource)).collect();
        assert_eq!(
            named,
            [
                "s3:GetObject+s3:PutObject arn:aws:s3:::b/*",
                "lambda:GetFunction arn:aws:lambda:*:1:function:f",
                "iam:PassRole arn:aws:iam::1:role/r",
            ]
        );
        assert_eq!(found[2].context, [("iam:PassedToService".to_owned(), vec!["lambda.amazonaws.com".to_owned()])]);
    }

    #[test]
    fn the_missing_statements_are_few() {
        let denial = |action: &str, resource: &str| Denial {
            action: action.into(),
            resource: resource.into(),
            by_organization: false,
            by_boundary: false,
        };
        let policy = denied(&[denial("s3:b", "r1"), denial("s3:a", "r1"), denial("s3:a", "r2"), denial("s3:b", "r2")]);
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1, "{policy}");
        assert_eq!(statements[0]["Action"], json!(["s3:a", "s3:b"]));
        assert_eq!(statements[0]["Resource"], json!(["r1", "r2"]));
    }
}
