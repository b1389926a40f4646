//! Compares a template with what exists in AWS. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::Property;
use super::unknown::is_unknown;
use sftpctl_core::policy;
use sftpctl_core::secret::is_named_secret;

/// The differences in the properties that were read. A property that the template does not name should be empty.
pub fn differences(wanted: &Value, live: &Value) -> Vec<Property> {
    let mut found = Vec::new();
    for (name, have) in live.as_object().into_iter().flatten() {
        walk(name, wanted.get(name).unwrap_or(&Value::Null), have, &mut found);
    }
    found
}

/// Whether two values are the same to AWS: lists have no order, a list of one value equals that value, an empty value
/// equals an absent one, and numbers and flags may be written as strings.
pub fn same(one: &Value, other: &Value) -> bool {
    if is_unknown(one) || is_unknown(other) || is_empty(one) && is_empty(other) {
        return true;
    }
    match (one, other) {
        // A policy; S3 and IAM return some of its parts in another form.
        (Value::Object(members), Value::Object(_))
            if members.contains_key("Statement") && policy::is_same(one, other) =>
        {
            true
        }
        (Value::Object(one), Value::Object(other)) => names(one, other).iter().all(|name| {
            let member = |of: &Map<String, Value>| of.get(name.as_str()).cloned().unwrap_or_default();
            same(&member(one), &member(other))
        }),
        (Value::Array(one), Value::Array(other)) => one.len() == other.len() && unmatched(one, other).0.is_empty(),
        (Value::Array(list), single) | (single, Value::Array(list)) => list.len() == 1 && same(&list[0], single),
        (Value::Number(_), _) | (_, Value::Number(_)) => number(one).is_some() && number(one) == number(other),
        (Value::Bool(flag), Value::String(text)) | (Value::String(text), Value::Bool(flag)) => {
            text.parse() == Ok(*flag)
        }
        _ => one == other,
    }
}

fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<Property>) {
    if same(before, after) {
        return;
    }
    match (&by_name(before), &by_name(after)) {
        // The name that says that a value is secret would be lost: `{ "Key": "token", "Value": … }`.
        (before, after) if is_named_secret(before) || is_named_secret(after) => {
            found.push(Property::new(path, before.clone(), tidy(after)));
        }
        (Value::Object(before), Value::Object(after)) if !before.is_empty() && !after.is_empty() => {
            for name in names(before, after) {
                let member = |of: &Map<String, Value>| of.get(name.as_str()).cloned().unwrap_or_default();
                walk(&format!("{path}.{name}"), &member(before), &member(after), found);
            }
        }
        (Value::Array(wanted), Value::Array(have))
            if wanted.len() == have.len() && wanted.iter().chain(have).all(Value::is_object) =>
        {
            // Members without an equal are compared in pairs, under their index in the template.
            let (wanted, have) = unmatched(wanted, have);
            for ((at, before), (_, after)) in wanted.into_iter().zip(have) {
                walk(&format!("{path}.{at}"), before, after, found);
            }
        }
        _ => found.push(Property::new(path, before.clone(), tidy(after))),
    }
}

/// Members of a list with their indexes.
type Placed<'a> = Vec<(usize, &'a Value)>;

/// The members of each list that have no equal in the other.
fn unmatched<'a>(one: &'a [Value], other: &'a [Value]) -> (Placed<'a>, Placed<'a>) {
    let (mut one, mut other): (Placed<'a>, Placed<'a>) =
        (one.iter().enumerate().collect(), other.iter().enumerate().collect());
    one.retain(|(_, wanted)| match other.iter().position(|(_, have)| same(wanted, have)) {
        Some(at) => {
            other.remove(at);
            false
        }
        None => true,
    });
    (one, other)
}

/// A role's policies by name, so that the others are still compared when one was added or removed.
fn by_name(value: &Value) -> Value {
    let named = |policy: &Value| Some((policy["PolicyName"].as_str()?.to_owned(), policy["PolicyDocument"].clone()));
    let all = value.as_array().filter(|all| !all.is_empty());
    match all.and_then(|all| all.iter().map(named).collect::<Option<Map<_, _>>>()) {
        Some(policies) => policies.into(),
        None => value.clone(),
    }
}

fn names<'a>(one: &'a Map<String, Value>, other: &'a Map<String, Value>) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

/// AWS returns null, an empty string or an empty list for a property that was never set.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Number(_) | Value::Bool(_) => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Whole numbers without a fraction: the SDK returns a threshold of 1 as 1.0.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number below 2^53")]
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => json!(float as i64),
            _ => value.clone(),
        },
        Value::Array(all) => all.iter().map(tidy).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), tidy(value))).collect(),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::unknown::UNKNOWN;
    use super::*;

    #[test]
    fn same_to_aws_is_same() {
        for (one, other, expected) in [
            (json!(1), json!("1.0"), true),
            (json!(1), json!("one"), false),
            (json!("1"), json!("1.0"), false),
            (json!(true), json!("true"), true),
            (json!(true), Value::Null, false),
            (json!({ "parameter": false }), json!({}), false),
            (json!(["a", "b"]), json!(["b", "a"]), true),
            (json!(["a", "a"]), json!(["a", "b"]), false),
            (json!(["a"]), json!("a"), true),
            (json!([]), Value::Null, true),
            (json!({ "a": "", "b": 1 }), json!({ "b": 1.0 }), true),
            (json!({ "a": UNKNOWN, "b": 1 }), json!({ "a": 7, "b": 1 }), true),
            (json!([UNKNOWN]), json!([{ "x": 1 }]), true),
            (json!([{ "b": 1 }, { "a": ["x", "y"] }]), json!([{ "a": ["y", "x"] }, { "b": 1 }]), true),
        ] {
            assert_eq!(same(&one, &other), expected, "{one} {other}");
            assert_eq!(same(&other, &one), expected, "{other} {one}");
        }
    }

    #[test]
    fn a_difference_is_named_where_it_is() {
        let policy = |name: &str, action: &str| {
            let statement = json!([{ "Effect": "Deny", "Action": "x" }, { "Effect": "Allow", "Action": action }]);
            json!({ "PolicyName": name, "PolicyDocument": { "Statement": statement } })
        };
        let wanted = json!({
            "Threshold": 1, "NotRead": "x", "Actions": ["a"], "Policies": [policy("a", "s3:Get"), policy("b", "x")],
        });
        let live = json!({
            "Threshold": 7.0, "Actions": ["a", "b"], "Policy": "p", "Policies": [policy("c", "x"), policy("a", "s3:*")],
        });
        let found: Vec<_> = differences(&wanted, &live)
            .into_iter()
            .map(|property| format!("{}: {} -> {}", property.name, property.before(), property.after()))
            .collect();
        let document = r#"{"Statement":[{"Action":"x","Effect":"Deny"},{"Action":"x","Effect":"Allow"}]}"#;
        assert_eq!(
            found,
            [
                r#"Actions: ["a"] -> ["a","b"]"#.to_owned(),
                r#"Policies.a.Statement.1.Action: "s3:Get" -> "s3:*""#.to_owned(),
                format!("Policies.b: {document} -> null"),
                format!("Policies.c: null -> {document}"),
                r#"Policy: null -> "p""#.to_owned(),
                "Threshold: 1 -> 7".to_owned(),
            ]
        );
    }

    #[test]
    fn secrets_that_differ_are_named_and_not_shown() {
        let facts = |secret: &str| {
            json!({
                "Environment": { "Variables": { "DB_PASSWORD": secret, "A": secret.len().to_string() } },
                "Tags": [{ "Key": "api-token", "Value": secret }],
                "Hash": format!("$6$salt${secret}"),
            })
        };
        let found = differences(&facts("hunter2hunter2"), &facts("hunter3hunter3x"));
        let names: Vec<_> = found.iter().map(|property| property.name.as_str()).collect();
        assert_eq!(names, ["Environment.Variables.A", "Environment.Variables.DB_PASSWORD", "Hash", "Tags.0"]);
        let shown = serde_json::to_string(&found).unwrap();
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(found.iter().all(|property| property.before() != property.after()), "{shown}");
    }
}
