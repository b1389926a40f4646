//! A policy as several documents that together allow the same, each short enough for a managed policy.

use serde_json::{Value, json};

use super::CHARACTERS;

/// The documents, in the order in which they are numbered: the policy itself, if it is short enough.
pub fn parts(document: &Value) -> Vec<Value> {
    parts_of(document, CHARACTERS)
}

fn parts_of(document: &Value, limit: usize) -> Vec<Value> {
    if document.to_string().len() <= limit {
        return vec![document.clone()];
    }
    let of = |statements: &[Value]| json!({ "Version": document["Version"], "Statement": statements });
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut waiting: Vec<Value> = document["Statement"].as_array().into_iter().flatten().rev().cloned().collect();
    while let Some(statement) = waiting.pop() {
        if of(std::slice::from_ref(&statement)).to_string().len() > limit
            && let Some([first, second]) = halves(&statement)
        {
            waiting.extend([second, first]);
            continue;
        }
        let fitting = parts.iter_mut().find(|part| {
            let with: Vec<Value> = part.iter().chain([&statement]).cloned().collect();
            of(&with).to_string().len() <= limit
        });
        match fitting {
            Some(part) => part.push(statement),
            None => parts.push(vec![statement]),
        }
    }
    parts.iter().map(|part| of(part)).collect()
}

/// Two statements that together allow the same: each action on each resource is in one of them. `None` for a single
/// pair. They have no name: a document may have a name once only.
fn halves(statement: &Value) -> Option<[Value; 2]> {
    let length = |name: &str| {
        statement[name]
            .as_array()
            .filter(|list| list.len() > 1)
            .map_or(0, |list| list.iter().map(|one| one.to_string().len()).sum::<usize>())
    };
    let name = if length("Action") >= length("Resource") { "Action" } else { "Resource" };
    let list = statement[name].as_array().filter(|list| list.len() > 1)?;
    let (first, second) = list.split_at(list.len() / 2);
    Some([first, second].map(|part| {
        let mut half = statement.clone();
        half[name] = json!(part);
        half.as_object_mut().map(|half| half.remove("Sid"));
        half
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each action on each resource, under a condition.
    fn allowed<'a>(documents: impl IntoIterator<Item = &'a Value>) -> BTreeSet<(String, String, String)> {
        let list = |value: &Value| match value {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        let mut all = BTreeSet::new();
        for statement in documents.into_iter().flat_map(|document| document["Statement"].as_array().unwrap()) {
            assert_eq!(statement["Effect"], "Allow");
            for action in list(&statement["Action"]) {
                for resource in list(&statement["Resource"]) {
                    all.insert((action.to_string(), resource.to_string(), statement["Condition"].to_string()));
                }
            }
        }
        all
    }

    #[test]
    fn parts_allow_together_what_the_policy_allows() {
        let names = |stem: &str, count: usize| (0..count).map(|n| format!("{stem}{n}")).collect::<Vec<_>>();
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Sid": "A", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a" },
            { "Sid": "B", "Effect": "Allow", "Action": names("s3:Get", 20), "Resource": names("arn:aws:s3:::b", 9),
              "Condition": { "Bool": { "aws:SecureTransport": "true" } } },
            { "Sid": "C", "Effect": "Allow", "Action": "s3:PutObject", "Resource": names("arn:aws:s3:::c", 30) },
        ] });
        let whole = document.to_string().len();
        for limit in [whole, whole - 1, 600, 400, 300] {
            let parts = parts_of(&document, limit);
            assert_eq!(parts.len() == 1, limit == whole, "{limit}");
            assert!(parts.iter().all(|part| part.to_string().len() <= limit), "{limit}");
            assert_eq!(allowed(&parts), allowed([&document]), "{limit}");
            for part in &parts {
                let names: Vec<_> =
                    part["Statement"].as_array().unwrap().iter().filter_map(|one| one["Sid"].as_str()).collect();
                assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{part}");
            }
        }
        assert_eq!(parts_of(&document, whole), [document]);
    }
}
