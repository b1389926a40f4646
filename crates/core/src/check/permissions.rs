//! What to ask IAM's policy simulator about a policy, and what its answers mean. Pure.
//!
//! The simulator evaluates the identity's policies and its permissions boundary. It does not know the session's policy,
//! the policies of resources and endpoints, or resource control policies, and it evaluated service control policies
//! with conditions wrongly until July 2026 (IAM user guide, "IAM policy testing with the IAM policy simulator";
//! aws/aws-cli#10525). So what it allows may still be denied, and a denial by the organisation alone may be wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::policy::list;

/// Condition keys with values.
type Context = BTreeMap<String, String>;

/// One call of the simulator: actions of one service on several resources, of which only some pairs are wanted. The
/// simulator evaluates each action on each resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Actions, each with a resource: an ARN, possibly a pattern, or `*`.
    pub wanted: BTreeSet<(String, String)>,
    /// Condition keys with the values that a deployment's requests have.
    pub context: BTreeMap<String, String>,
}

impl Request {
    pub fn actions(&self) -> Vec<String> {
        self.wanted.iter().map(|(action, _)| action.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub fn resources(&self) -> Vec<String> {
        self.wanted.iter().map(|(_, resource)| resource.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Smaller requests for the same pairs, as the simulator refuses some actions "that require different authorization
    /// information" in one call: first one for each set of resources with the same actions, then one for each action,
    /// then one for each pair. Empty for a single pair.
    pub fn divided(&self) -> Vec<Self> {
        let mut actions_of: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for (action, resource) in &self.wanted {
            actions_of.entry(resource).or_default().insert(action);
        }
        [
            self.parts(|(_, resource)| actions_of[resource].iter().map(ToString::to_string).collect::<Vec<_>>()),
            self.parts(|(action, _)| action.clone()),
            self.parts(Clone::clone),
        ]
        .into_iter()
        .find(|parts| parts.len() > 1)
        .unwrap_or_default()
    }

    /// The pairs with the same key, each a request.
    fn parts<K: Ord>(&self, key: impl Fn(&(String, String)) -> K) -> Vec<Self> {
        let mut parts: BTreeMap<K, BTreeSet<(String, String)>> = BTreeMap::new();
        for pair in &self.wanted {
            parts.entry(key(pair)).or_default().insert(pair.clone());
        }
        parts.into_values().map(|wanted| Self { wanted, context: self.context.clone() }).collect()
    }

    /// The part with this action, divided into its resources.
    pub fn alone(&self, action: &str) -> Vec<Self> {
        let wanted = self.wanted.iter().filter(|(one, _)| one == action).cloned().collect();
        Self { wanted, context: self.context.clone() }.parts(Clone::clone)
    }

    /// Whether one call can ask for both: its context is that of both, as keys of the service itself describe the
    /// request of a single action.
    fn goes_with(&self, context: &Context) -> bool {
        let is_missing = |this: &Context, other: &Context| {
            this.iter().any(|(key, value)| match other.get(key) {
                Some(same) => same != value,
                None => key.starts_with("aws:"),
            })
        };
        !is_missing(&self.context, context) && !is_missing(context, &self.context)
    }
}

/// An action that the simulator does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub action: String,
    pub resource: String,
    /// Whether the organisation's policies deny it.
    pub by_organization: bool,
    /// Whether the permissions boundary denies it.
    pub by_boundary: bool,
    /// Whether the simulation ended before the principal's own policies, so that they may not allow it either.
    pub hides_own: bool,
    /// Whether the policies allow it under a condition. A statement without it would allow more.
    pub conditional: bool,
}

/// What to ask, to know whether a principal has everything that these policies allow: each permission once, in as few
/// calls as possible. `*` is not asked for together with ARNs: the simulator's answer does not tell them apart.
pub fn requests<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Vec<Request> {
    let mut all: BTreeMap<(String, bool), Vec<Request>> = BTreeMap::new();
    let statements = documents.into_iter().flat_map(|document| list(&document["Statement"]));
    for statement in statements.filter(|statement| statement["Effect"] == "Allow") {
        let context = context(&statement["Condition"]);
        let resources: Vec<&str> = list(&statement["Resource"]).into_iter().filter_map(Value::as_str).collect();
        for action in list(&statement["Action"]).into_iter().filter_map(Value::as_str) {
            let service = action.split(':').next().unwrap_or_default();
            // Statements may list the actions and resources of several services.
            let fits = |resource: &&&str| **resource == "*" || resource.split(':').nth(2) == Some(service);
            for resource in resources.iter().filter(fits) {
                let group = all.entry((service.to_owned(), *resource == "*")).or_default();
                let pair = (action.to_owned(), (*resource).to_owned());
                match group.iter_mut().find(|request| request.goes_with(&context)) {
                    Some(request) => {
                        request.context.extend(context.clone());
                        request.wanted.insert(pair);
                    }
                    None => group.push(Request { wanted: BTreeSet::from([pair]), context: context.clone() }),
                }
            }
        }
    }
    all.into_values().flatten().collect()
}

/// The first value of each condition that requires one.
fn context(condition: &Value) -> Context {
    let operators = condition.as_object().into_iter().flatten();
    let required = operators.filter(|(operator, _)| {
        let operator = operator.trim_start_matches("ForAllValues:").trim_start_matches("ForAnyValue:");
        matches!(operator, "StringEquals" | "StringLike" | "ArnLike" | "ArnEquals")
    });
    let pairs = required.filter_map(|(_, keys)| keys.as_object()).flatten();
    let first = |values: &Value| list(values).first().and_then(|value| value.as_str()).map(str::to_owned);
    pairs.filter_map(|(key, values)| Some((key.clone(), first(values)?))).collect()
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

    fn named(requests: &[Request]) -> Vec<String> {
        requests.iter().map(|one| format!("{} {}", one.actions().join("+"), one.resources().join("+"))).collect()
    }

    #[test]
    fn permissions_of_a_service_share_a_request_and_are_asked_for_once() {
        let pass = |service: &str| {
            json!({ "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/r",
                    "Condition": { "StringEquals": { "iam:PassedToService": [service, "x"] } } })
        };
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["s3:GetObject", "lambda:GetFunction", "s3:PutObject"],
              "Resource": ["arn:aws:s3:::b/*", "arn:aws:lambda:*:1:function:f"] },
            { "Effect": "Allow", "Action": ["s3:ListAllMyBuckets"], "Resource": "*" },
            { "Effect": "Allow", "Action": "iam:GetRole", "Resource": "arn:aws:iam::1:role/r" },
            pass("lambda.amazonaws.com"), pass("transfer.amazonaws.com"),
            { "Effect": "Deny", "Action": "s3:*", "Resource": "*" },
        ]});
        let other = json!({ "Statement": { "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
                                           "Resource": ["arn:aws:s3:::b/*", "arn:aws:s3:::b"] } });
        let found = requests([&document, &other]);
        assert_eq!(
            named(&found),
            [
                "iam:GetRole+iam:PassRole arn:aws:iam::1:role/r",
                "iam:PassRole arn:aws:iam::1:role/r",
                "lambda:GetFunction arn:aws:lambda:*:1:function:f",
                "s3:GetObject+s3:ListBucket+s3:PutObject arn:aws:s3:::b+arn:aws:s3:::b/*",
                "s3:ListAllMyBuckets *",
            ]
        );
        assert_eq!(found[0].context["iam:PassedToService"], "lambda.amazonaws.com");
        assert_eq!(found[1].context["iam:PassedToService"], "transfer.amazonaws.com");
        assert_eq!(found[3].wanted.len(), 5, "PutObject is not wanted on the bucket");
        // Divided until nothing is left to divide.
        let halves = found[3].divided();
        assert_eq!(
            named(&halves),
            ["s3:GetObject+s3:ListBucket arn:aws:s3:::b", "s3:GetObject+s3:ListBucket+s3:PutObject arn:aws:s3:::b/*"]
        );
        assert_eq!(named(&halves[0].divided()), ["s3:GetObject arn:aws:s3:::b", "s3:ListBucket arn:aws:s3:::b"]);
        assert!(halves[0].divided()[0].divided().is_empty());
    }

    /// The tag of a resource is not the tag of another request's.
    #[test]
    fn global_keys_are_not_shared() {
        let with = |key: &str| {
            json!({ "Effect": "Allow", "Action": "transfer:TagResource", "Resource": "arn:aws:transfer:::server/*",
                    "Condition": { "StringEquals": { key: "99" } } })
        };
        let document = json!({ "Statement": [with("aws:RequestTag/e"), with("aws:ResourceTag/e")] });
        assert_eq!(requests([&document]).len(), 2);
    }

    #[test]
    fn the_missing_statements_are_few() {
        let denial = |action: &str, resource: &str| Denial {
            action: action.into(),
            resource: resource.into(),
            by_organization: false,
            by_boundary: false,
            hides_own: false,
            conditional: false,
        };
        let policy = denied(&[denial("s3:b", "r1"), denial("s3:a", "r1"), denial("s3:a", "r2"), denial("s3:b", "r2")]);
        let statements = policy["Statement"].as_array().unwrap();
        assert_eq!(statements.len(), 1, "{policy}");
        assert_eq!(statements[0]["Action"], json!(["s3:a", "s3:b"]));
        assert_eq!(statements[0]["Resource"], json!(["r1", "r2"]));
    }
}
