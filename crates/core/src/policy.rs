//! Policies compared by meaning. Pure.
//!
//! S3 returns the elements of a bucket policy's arrays in an order of its own, and a one-element array as a single
//! value (hashicorp/terraform#2432, terraform-provider-aws#24338; recorded by cloud-custodian's
//! `test_s3_encrypt_policy`). A comparison text by text finds a difference on every run.
//!
//! The rules are those of the IAM reference ("IAM JSON policy elements"): lists are sets, a single value is a list of
//! one, actions and the names of condition keys have no case, an account's ID stands for its root user's ARN, `"*"` as
//! a principal stands for `{"AWS": "*"}`, and a policy without a version is of 2008. Nothing else is equal: least of
//! all a role's unique ID and its ARN, because S3 returns the ID of a role that was deleted.

use serde_json::{Map, Value};

/// The version of a policy that names none.
const OLD_VERSION: &str = "2008-10-17";

/// Whether two policy documents mean the same.
pub fn is_same(one: &Value, other: &Value) -> bool {
    canonical(one) == canonical(other)
}

/// `wanted` if `have` means the same, so that a comparison text by text finds no difference; otherwise `have`.
pub fn as_wanted(have: Value, wanted: &Value) -> Value {
    if is_same(&have, wanted) { wanted.clone() } else { have }
}

/// A document in the one form that all documents of its meaning have.
fn canonical(document: &Value) -> Value {
    let Value::Object(members) = document else { return document.clone() };
    let mut out = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "Statement" => set(list(value).into_iter().map(statement).collect()),
            _ => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    out.entry("Version").or_insert_with(|| OLD_VERSION.into());
    out.into()
}

fn statement(statement: &Value) -> Value {
    let Value::Object(members) = statement else { return statement.clone() };
    let mut out = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "Action" | "NotAction" => set(list(value).into_iter().map(lower_case).collect()),
            "Resource" | "NotResource" => set(list(value).into_iter().cloned().collect()),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            // No statement ID is the same as an empty one.
            "Sid" if value == "" => continue,
            _ => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    out.into()
}

fn principal(principal: &Value) -> Value {
    match principal {
        Value::String(all) if all == "*" => Value::Object(Map::from_iter([("AWS".to_owned(), set(vec!["*".into()]))])),
        Value::Object(kinds) => kinds
            .iter()
            .map(|(kind, names)| {
                let names = list(names).into_iter();
                let names = if kind == "AWS" { names.map(account_root).collect() } else { names.cloned().collect() };
                (kind.clone(), set(names))
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// `111111111111` as `arn:aws:iam::111111111111:root`.
fn account_root(name: &Value) -> Value {
    match name.as_str() {
        Some(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("arn:aws:iam::{id}:root").into()
        }
        _ => name.clone(),
    }
}

/// Operators keep their names; keys lose their case; values become texts, as AWS stores them.
fn condition(condition: &Value) -> Value {
    let Value::Object(operators) = condition else { return condition.clone() };
    let keys = |keys: &Value| match keys {
        Value::Object(keys) => keys
            .iter()
            .map(|(key, values)| (key.to_ascii_lowercase(), set(list(values).into_iter().map(text).collect())))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    };
    operators.iter().map(|(operator, values)| (operator.clone(), keys(values))).collect::<Map<_, _>>().into()
}

fn text(value: &Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
        other => other.clone(),
    }
}

fn lower_case(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), |text| text.to_ascii_lowercase().into())
}

/// One value, or all values of a list.
pub(crate) fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// Sorted, each element once.
fn set(mut all: Vec<Value>) -> Value {
    all.sort_by_cached_key(Value::to_string);
    all.dedup();
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ACTIONS: [&str; 4] = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:*"];
    const RESOURCES: [&str; 3] = ["arn:aws:s3:::a", "arn:aws:s3:::a/*", "arn:aws:s3:::b"];
    const PRINCIPALS: [&str; 3] = ["arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:role/r", "AROAEXAMPLE"];

    fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
        proptest::sample::subsequence(of, 1..=of.len())
    }

    fn statements() -> impl Strategy<Value = Vec<Value>> {
        let one = (some(&ACTIONS), some(&RESOURCES), some(&PRINCIPALS), any::<bool>(), any::<bool>());
        let one = one.prop_map(|(actions, resources, principals, deny, secure)| {
            let mut statement = json!({
                "Effect": if deny { "Deny" } else { "Allow" },
                "Action": actions,
                "Resource": resources,
                "Principal": { "AWS": principals },
            });
            if secure {
                statement["Condition"] = json!({ "Bool": { "aws:SecureTransport": false } });
            }
            statement
        });
        proptest::collection::vec(one, 1..4)
    }

    /// As AWS may return it: `seed` decides on the order, and on single values for lists of one.
    fn returned(value: &Value, seed: u64) -> Value {
        match value {
            Value::Array(all) => {
                let mut all: Vec<Value> = all.iter().map(|one| returned(one, seed / 2)).collect();
                let by = usize::try_from(seed).unwrap_or_default() % all.len().max(1);
                all.rotate_left(by);
                match all.as_slice() {
                    [single] if seed.is_multiple_of(2) => single.clone(),
                    _ => all.into(),
                }
            }
            Value::Object(members) => {
                let key =
                    |name: &String| if name == "aws:SecureTransport" { "AWS:securetransport" } else { name }.to_owned();
                members.iter().map(|(name, value)| (key(name), returned(value, seed / 3))).collect::<Map<_, _>>().into()
            }
            Value::String(id) if seed.is_multiple_of(3) && id == PRINCIPALS[0] => "111111111111".into(),
            Value::Bool(flag) => flag.to_string().into(),
            plain => plain.clone(),
        }
    }

    proptest! {
        #[test]
        fn what_aws_returns_is_the_same(statements in statements(), seed in any::<u64>()) {
            let wanted = json!({ "Version": "2012-10-17", "Statement": statements });
            let have = returned(&wanted, seed);
            prop_assert!(is_same(&have, &wanted), "{have}\n{wanted}");
            prop_assert_eq!(as_wanted(have, &wanted), wanted);
        }

        #[test]
        fn another_meaning_is_never_the_same(
            statements in statements(),
            seed in any::<u64>(),
            at in any::<proptest::sample::Index>(),
            change in 0..6_u8,
        ) {
            let wanted = json!({ "Version": "2012-10-17", "Statement": statements });
            let mut other = wanted.clone();
            let all = other["Statement"].as_array_mut().unwrap();
            let position = at.index(all.len());
            let one = &mut all[position];
            match change {
                0 => one["Effect"] = if one["Effect"] == "Deny" { "Allow".into() } else { "Deny".into() },
                1 => one["Action"].as_array_mut().unwrap().push("s3:DeleteObject".into()),
                2 => one["Resource"] = json!(["arn:aws:s3:::c"]),
                3 => one["Principal"] = json!("*"),
                4 => one["Condition"] = json!({ "Bool": { "aws:SecureTransport": true } }),
                _ => drop(all.remove(position)),
            }
            // Two equal statements are one, so that a removed one may remain.
            prop_assume!(change != 5 || !all.iter().any(|left| *left == statements[position]));
            prop_assert!(!is_same(&returned(&other, seed), &wanted), "{other}\n{wanted}");
        }
    }

    #[test]
    fn equal_meanings_are_few() {
        let policy = |principal: Value| json!({ "Statement": { "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": "*" } });
        let same = |one: Value, other: Value| is_same(&policy(one), &policy(other));
        assert!(same(json!("*"), json!({ "AWS": "*" })));
        assert!(same(json!({ "AWS": "111111111111" }), json!({ "AWS": ["arn:aws:iam::111111111111:root"] })));
        assert!(!same(json!({ "AWS": "AROAEXAMPLE" }), json!({ "AWS": "arn:aws:iam::111111111111:role/r" })));
        assert!(!same(json!({ "Service": "*" }), json!({ "AWS": "*" })));
        let of = |version: &str| json!({ "Version": version, "Statement": [] });
        assert!(is_same(&of("2008-10-17"), &json!({ "Statement": [] })));
        assert!(!is_same(&of("2012-10-17"), &json!({ "Statement": [] })));
        // Not a policy at all: compared as it is.
        assert!(is_same(&Value::Null, &Value::Null) && !is_same(&Value::Null, &of("2012-10-17")));
    }
}
