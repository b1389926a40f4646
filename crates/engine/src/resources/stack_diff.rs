//! Differences between two templates, and the causes in a stack's events. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sftpctl_aws::StackEvent;
use sftpctl_core::model::PropertyChange;

use super::replacing::replaces;

/// Parses a stack's template; a text that is not a JSON object counts as unknown (`null`).
pub(super) fn parse(body: &str) -> Value {
    serde_json::from_str::<Value>(body).ok().filter(Value::is_object).unwrap_or(Value::Null)
}

/// The text as CloudFormation gives it back in templates, outputs and perhaps tags: each non-ASCII character is a `?`
/// (aws-cloudformation/cloudformation-coverage-roadmap, issue 814).
fn mangled(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

/// What CloudFormation gave back, with the wanted text wherever it is that text after mangling.
pub(super) fn restored(have: Value, wanted: &Value) -> Value {
    match (have, wanted) {
        (Value::String(have), Value::String(wanted)) if have == mangled(wanted) => Value::String(wanted.clone()),
        (Value::Array(have), Value::Array(wanted)) if have.len() == wanted.len() => {
            have.into_iter().zip(wanted).map(|(have, wanted)| restored(have, wanted)).collect()
        }
        (Value::Object(mut have), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                let found = have.remove(key).or_else(|| have.remove(&mangled(key)));
                if let Some(found) = found {
                    have.insert(key.clone(), restored(found, wanted));
                }
            }
            Value::Object(have)
        }
        (have, _) => have,
    }
}

/// As [`restored`], for tags and parameters.
pub(super) fn restored_texts(
    have: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut restored = have.clone();
    for (key, wanted) in wanted {
        let found = restored.remove(key).or_else(|| restored.remove(&mangled(key)));
        if let Some(found) = found {
            restored.insert(key.clone(), if found == mangled(wanted) { wanted.clone() } else { found });
        }
    }
    restored
}

/// Literal names of the buckets in a template.
pub(super) fn bucket_names(template: &Value) -> BTreeSet<String> {
    let resources = template["Resources"].as_object();
    let buckets = resources.into_iter().flat_map(|r| r.values()).filter(|r| r["Type"] == "AWS::S3::Bucket");
    buckets.filter_map(|bucket| bucket["Properties"]["BucketName"].as_str().map(str::to_owned)).collect()
}

/// The template of an IMPORT change set: the stack's existing resources, unchanged, and the buckets to import. AWS does
/// not allow Outputs to change in an import, and a new stack's template must contain only the buckets.
pub(super) fn import_template<'a>(
    existing: Option<&Value>,
    wanted: &Value,
    logical_ids: impl Iterator<Item = &'a String>,
) -> Value {
    let mut template = existing.cloned().unwrap_or_else(
        || json!({ "AWSTemplateFormatVersion": "2010-09-09", "Description": wanted["Description"], "Resources": {} }),
    );
    if let Some(resources) = template["Resources"].as_object_mut() {
        for id in logical_ids {
            let mut bucket = wanted["Resources"][id].clone();
            if let Some(bucket) = bucket.as_object_mut() {
                // The update that follows adds other attributes, such as conditions.
                bucket.retain(|key, _| {
                    matches!(key.as_str(), "Type" | "Properties" | "DeletionPolicy" | "UpdateReplacePolicy")
                });
            }
            resources.insert(id.clone(), bucket);
        }
    }
    template
}

/// The changes of an update, resource by resource and property by property.
pub(super) fn resources(before: &Value, after: &Value) -> Vec<PropertyChange> {
    let empty = Map::new();
    let old = before["Resources"].as_object().unwrap_or(&empty);
    let new = after["Resources"].as_object().unwrap_or(&empty);
    let mut changes = Vec::new();
    for (id, resource) in new {
        match old.get(id) {
            None => changes.push(change(format!("{id} ({})", kind(resource)), None, Some(json!("new")), None)),
            Some(was) if was["Type"] != resource["Type"] => {
                let why = format!("it becomes a {}", kind(resource));
                changes.push(change(id.clone(), Some(was["Type"].clone()), Some(resource["Type"].clone()), Some(why)));
            }
            Some(was) => properties(id, kind(resource), was, resource, &mut changes),
        }
    }
    for (id, resource) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
        let fate = if resource["DeletionPolicy"] == "Retain" { "leaves the stack and is kept" } else { "removed" };
        changes.push(change(format!("{id} ({})", kind(resource)), Some(json!("exists")), Some(json!(fate)), None));
    }
    if changes.is_empty() {
        // Outputs, descriptions, conditions.
        changes.push(change("template".into(), Some(json!("deployed")), Some(json!("this version's")), None));
    }
    changes
}

fn kind(resource: &Value) -> &str {
    resource["Type"].as_str().unwrap_or_default()
}

fn properties(id: &str, kind: &str, was: &Value, is: &Value, changes: &mut Vec<PropertyChange>) {
    let empty = Map::new();
    let old = was["Properties"].as_object().unwrap_or(&empty);
    let new = is["Properties"].as_object().unwrap_or(&empty);
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
        let why = replaces(kind, name).then(|| format!("{kind} cannot change {name} in place"));
        changes.push(change(format!("{id}.{name}"), old.get(name).cloned(), new.get(name).cloned(), why));
    }
}

fn change(name: String, before: Option<Value>, after: Option<Value>, replaces: Option<String>) -> PropertyChange {
    PropertyChange::new(name, before, after).replacing(replaces)
}

/// One line, such as `Authorizer  CREATE_IN_PROGRESS`, with the reason if it says more than the status.
pub(super) fn event_line(event: &StackEvent) -> String {
    match event.reason.as_deref().filter(|reason| !reason.is_empty() && *reason != "Resource creation Initiated") {
        Some(reason) => format!("{}  {}  {reason}", event.resource, event.status),
        None => format!("{}  {}", event.resource, event.status),
    }
}

/// Whether this event is the beginning of an operation on the stack.
pub(super) fn begins(stack: &str, event: &StackEvent) -> bool {
    event.resource == stack
        && event.status.ends_with("_IN_PROGRESS")
        && event.reason.as_deref().is_some_and(|reason| reason.contains("User Initiated"))
}

/// Causes of the newest operation's failure, first cause first, without the resources that were canceled because
/// another failed. `events` are newest first, as AWS lists them.
pub(super) fn first_causes(stack: &str, events: &[StackEvent]) -> Vec<String> {
    let newest = events.iter().position(|event| begins(stack, event)).map_or(events, |start| &events[..start]);
    newest
        .iter()
        .rev()
        .filter(|event| event.status.ends_with("_FAILED") && event.resource != stack)
        .filter(|event| !event.reason.as_deref().is_some_and(|reason| reason.contains("cancelled")))
        .map(|event| {
            format!("{} ({}): {}", event.resource, event.kind, event.reason.as_deref().unwrap_or("AWS gives no reason"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(resource: &str, status: &str, reason: &str) -> StackEvent {
        StackEvent {
            id: format!("{resource}-{status}"),
            resource: resource.into(),
            kind: "AWS::Test".into(),
            status: status.into(),
            reason: Some(reason.into()),
            token: None,
        }
    }

    #[test]
    fn first_cause_is_reported_without_noise() {
        let events = [
            event("s", "ROLLBACK_COMPLETE", ""),
            event("Api", "DELETE_COMPLETE", ""),
            event("s", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create"),
            event("Role", "CREATE_FAILED", "Resource creation cancelled"),
            event("Stage", "CREATE_FAILED", "CloudWatch Logs role ARN must be set in account settings"),
            event("s", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Old", "CREATE_FAILED", "of an earlier operation"),
        ];
        assert_eq!(
            first_causes("s", &events),
            ["Stage (AWS::Test): CloudWatch Logs role ARN must be set in account settings"]
        );
    }

    #[test]
    fn replacement_has_a_reason() {
        let template = |name: &str| {
            let properties = json!({ "BucketName": name, "Tags": [] });
            json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "Properties": properties } } })
        };
        let changes = resources(&template("a"), &template("b"));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].name, "B.BucketName");
        assert_eq!(changes[0].replaces.as_deref(), Some("AWS::S3::Bucket cannot change BucketName in place"));
    }

    #[test]
    fn bucket_dropped_from_the_file_is_reported_as_kept() {
        let before = json!({ "Resources": { "B": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain" } } });
        let changes = resources(&before, &json!({ "Resources": {} }));
        assert_eq!(changes[0].after, Some(json!("leaves the stack and is kept")));
    }

    #[test]
    fn import_adds_only_the_buckets() {
        let wanted = json!({
            "Description": "d",
            "Resources": {
                "B": {
                    "Type": "AWS::S3::Bucket",
                    "DeletionPolicy": "Retain",
                    "DependsOn": "X",
                    "Properties": { "BucketName": "b" },
                },
                "X": { "Type": "AWS::IAM::Role" },
            },
            "Outputs": { "O": {} },
        });
        let ids = ["B".to_owned()];
        let fresh = import_template(None, &wanted, ids.iter());
        assert_eq!(fresh["Resources"].as_object().map(Map::len), Some(1));
        assert!(fresh.get("Outputs").is_none());
        assert!(fresh["Resources"]["B"].get("DependsOn").is_none());
        let existing = json!({ "Resources": { "X": { "Type": "AWS::IAM::Role" } }, "Outputs": { "O": {} } });
        let grown = import_template(Some(&existing), &wanted, ids.iter());
        assert_eq!(grown["Resources"].as_object().map(Map::len), Some(2));
        assert_eq!(bucket_names(&grown), BTreeSet::from(["b".to_owned()]));
    }

    #[test]
    fn mangled_text_is_the_wanted_text() {
        let wanted = json!({ "Description": "Jürgen Müller", "Tags": [{ "Größe": "–" }], "Same": "a?" });
        let have = json!({ "Description": "J?rgen M?ller", "Tags": [{ "Gr??e": "?" }], "Same": "a?" });
        assert_eq!(restored(have, &wanted), wanted);
        // What somebody changed is shown as it is.
        let changed = json!({ "Description": "J?rg", "Tags": [{ "Gr??e": "?" }, {}], "More": 1 });
        assert_eq!(restored(changed.clone(), &wanted), changed);

        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let wanted = texts(&[("owner", "Jürgen"), ("größe", "1"), ("plain", "x")]);
        assert_eq!(restored_texts(&texts(&[("owner", "J?rgen"), ("gr??e", "1"), ("plain", "x")]), &wanted), wanted);
        let other = texts(&[("owner", "Jörg"), ("theirs", "?")]);
        assert_eq!(restored_texts(&other, &wanted), other);
    }
}
