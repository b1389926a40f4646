//! What was changed inside a stack, behind CloudFormation's back.
//!
//! CloudFormation's drift detection looks where it can. What it says nothing about is read and held against the
//! template that the stack has, and a few types always are; what nobody looks at is told as unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::Value;

use super::compare;
use super::model::{Drifted, Property, Unseen};
use super::reads::{self, Reader, Wanted};
use super::resolve::Scope;
use crate::execute::error::StepError;
use crate::wait;
use sftpctl_aws::{Aws, AwsError, ResourceDrift};

/// How long a detection may take.
const LIMIT: Duration = Duration::from_secs(300);

/// What was found in one stack.
#[derive(Debug, Default)]
pub struct Found {
    /// Resources that were looked at.
    pub seen: usize,
    /// What differs.
    pub drifted: Vec<Drifted>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// A stack to look into.
#[derive(Debug)]
pub struct Looked<'a> {
    /// Name of its node: `us-west-2/stack`.
    pub node: &'a str,
    /// Its region.
    pub region: &'a str,
    /// Its ARN.
    pub arn: &'a str,
    /// The template that it has.
    pub template: &'a Value,
}

/// The result of reading a resource.
#[derive(Clone, Debug)]
enum Look {
    /// It exists, and these properties differ.
    There(Vec<Property>),
    /// It does not exist.
    Gone,
}

/// What the template is read with.
struct Facts {
    parameters: BTreeMap<String, String>,
    physical: BTreeMap<String, String>,
}

/// Resources of one type: logical ids and properties.
type OfKind<'a> = Vec<(&'a str, &'a Value)>;

/// Finds the drift of a stack's resources.
pub async fn look(aws: &Aws, stack: &Looked<'_>) -> Found {
    let (detected, facts) = join(detect(aws, stack), facts(aws, stack)).await;
    let (drifts, trouble) = detected.unwrap_or_else(|error| (Vec::new(), Some(error.to_string())));
    let by_id: BTreeMap<&str, &ResourceDrift> = drifts.iter().map(|drift| (drift.logical.as_str(), drift)).collect();
    let mut theirs: BTreeMap<&str, Look> =
        by_id.iter().filter_map(|(id, drift)| Some((*id, verdict(drift)?))).collect();
    let mut ours = read(aws, stack, facts, &theirs).await;
    let mut found = Found::default();
    for (logical, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let name = format!("{}/{logical}", stack.node);
        // The node of the bucket reads its policy on every run.
        if kind == "AWS::S3::BucketPolicy" {
            continue;
        }
        let ours = match ours.remove(logical.as_str()) {
            Some(Err(why)) => {
                found.unseen.push(Unseen::failed(name.clone(), why));
                if !theirs.contains_key(logical.as_str()) {
                    continue;
                }
                None
            }
            Some(Ok(look)) => Some(look),
            None => None,
        };
        match (theirs.remove(logical.as_str()), ours) {
            (Some(Look::Gone), _) | (_, Some(Look::Gone)) => found.note(name, kind, "missing", vec![gone()]),
            (Some(Look::There(theirs)), Some(Look::There(ours))) => {
                found.note(name, kind, "changed", joined(theirs, ours));
            }
            (Some(Look::There(properties)), None) | (None, Some(Look::There(properties))) => {
                found.note(name, kind, "changed", properties);
            }
            (None, None) => found.unseen.push(match (by_id.get(logical.as_str()), &trouble) {
                (Some(drift), _) => {
                    let why = format!("CloudFormation says {}", drift.status);
                    // It does not support this type, or could not check this resource now.
                    Unseen { resource: name, why, failed: drift.status != "NOT_CHECKED" }
                }
                (None, Some(trouble)) => Unseen::failed(name, trouble),
                (None, None) => {
                    let why = format!("CloudFormation does not check {kind} here");
                    Unseen { resource: name, why, failed: false }
                }
            }),
        }
    }
    found
}

impl Found {
    fn note(&mut self, resource: String, kind: &str, how: &'static str, properties: Vec<Property>) {
        self.seen += 1;
        if !properties.is_empty() {
            self.drifted.push(Drifted { resource, title: kind.to_owned(), how, properties });
        }
    }
}

async fn detect(aws: &Aws, stack: &Looked<'_>) -> Result<(Vec<ResourceDrift>, Option<String>), StepError> {
    let cloudformation = aws.cloudformation(stack.region);
    let id = cloudformation.detect_drift(stack.arn).await?;
    let trouble = match wait::short(LIMIT, || cloudformation.drift_detected(&id)).await? {
        Some(trouble) => trouble,
        None => return Ok((Vec::new(), Some(format!("drift detection did not finish within {} s", LIMIT.as_secs())))),
    };
    Ok((cloudformation.resource_drifts(stack.arn).await?, trouble))
}

async fn facts(aws: &Aws, stack: &Looked<'_>) -> Result<Facts, AwsError> {
    let cloudformation = aws.cloudformation(stack.region);
    let (live, physical) = join(cloudformation.stack(stack.arn), cloudformation.physical_ids(stack.arn)).await;
    Ok(Facts { parameters: live?.unwrap_or_default().parameters, physical: physical? })
}

/// Reads the types that CloudFormation does not check, and those that are always read; all of one type together.
async fn read<'a>(
    aws: &Aws,
    stack: &'a Looked<'_>,
    facts: Result<Facts, AwsError>,
    theirs: &BTreeMap<&str, Look>,
) -> BTreeMap<&'a str, Result<Look, String>> {
    let mut kinds: BTreeMap<&str, (&Reader, OfKind<'a>)> = BTreeMap::new();
    for (logical, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
        let Some((kind, reader)) = resource["Type"].as_str().and_then(|kind| Some((kind, reads::reader(kind)?))) else {
            continue;
        };
        let open = match theirs.get(logical.as_str()) {
            Some(Look::Gone) => false,
            Some(Look::There(_)) => reader.always,
            None => true,
        };
        if open {
            kinds.entry(kind).or_insert_with(|| (reader, Vec::new())).1.push((logical, &resource["Properties"]));
        }
    }
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => {
            let all = kinds.into_values().flat_map(|(_, resources)| resources);
            return all.map(|(logical, _)| (logical, Err(error.to_string()))).collect();
        }
    };
    let scope =
        Scope { arn: stack.arn, template: stack.template, parameters: &facts.parameters, physical: &facts.physical };
    let scope = &scope;
    let looks = kinds.into_values().map(|(reader, resources)| async move {
        let (known, unknown): (Vec<_>, Vec<_>) =
            resources.into_iter().partition(|(logical, _)| scope.physical.contains_key(*logical));
        let wanted: Vec<Wanted<'_>> = known
            .iter()
            .map(|(logical, properties)| Wanted {
                logical,
                id: &scope.physical[*logical],
                properties: scope.value(properties),
            })
            .collect();
        let mut found: Vec<(&str, Result<Look, String>)> =
            unknown.into_iter().map(|(logical, _)| (logical, Err("the stack has no ID for it".to_owned()))).collect();
        match reader.read(aws, stack.region, &wanted).await {
            Ok(live) => found.extend(known.iter().zip(&wanted).zip(live).map(|(((logical, _), wanted), live)| {
                (*logical, Ok(live.map_or(Look::Gone, |live| held(reader, &wanted.properties, &live))))
            })),
            Err(error) => found.extend(known.iter().map(|(logical, _)| (*logical, Err(error.to_string())))),
        }
        found
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// Compares what exists with the template.
fn held(reader: &Reader, wanted: &Value, live: &Value) -> Look {
    let mut wanted = wanted.as_object().cloned().unwrap_or_default();
    for name in live.as_object().into_iter().flatten().map(|(name, _)| name) {
        if let Some(default) = reader.default_of(name).filter(|_| !wanted.contains_key(name)) {
            wanted.insert(name.clone(), default);
        }
    }
    Look::There(compare::differences(&wanted.into(), live))
}

fn gone() -> Property {
    Property { name: "exists".into(), before: true.into(), after: false.into(), ignored: None }
}

/// CloudFormation's result for a resource; `None` if it has none.
fn verdict(drift: &ResourceDrift) -> Option<Look> {
    match drift.status.as_str() {
        "IN_SYNC" => Some(Look::There(Vec::new())),
        "MODIFIED" => Some(Look::There(properties(drift))),
        "DELETED" => Some(Look::Gone),
        _ => None,
    }
}

/// What somebody changed. The server id is left out: the stack only hands it on, and its own node looks after it. Where
/// the file has dropped the server, the function keeps the id of one that is gone, and nobody asks it.
fn properties(drift: &ResourceDrift) -> Vec<Property> {
    drift
        .differences
        .iter()
        .filter(|(path, ..)| path != "/Environment/Variables/SERVER_ID")
        .map(|(path, before, after)| Property {
            name: path.trim_start_matches('/').replace('/', "."),
            before: before.clone(),
            after: after.clone(),
            ignored: None,
        })
        .collect()
}

/// CloudFormation's differences, and ours in the properties in which it has found none.
fn joined(mut theirs: Vec<Property>, ours: Vec<Property>) -> Vec<Property> {
    let first = |property: &Property| property.name.split('.').next().unwrap_or_default().to_owned();
    let found: BTreeSet<String> = theirs.iter().map(first).collect();
    theirs.extend(ours.into_iter().filter(|property| !found.contains(&first(property))));
    theirs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(look: &Look) -> Vec<&str> {
        match look {
            Look::There(properties) => properties.iter().map(|property| property.name.as_str()).collect(),
            Look::Gone => vec!["gone"],
        }
    }

    #[test]
    fn omitted_property_has_its_default() {
        let reader = reads::reader("AWS::CloudWatch::Alarm").unwrap();
        let live = json!({ "ActionsEnabled": true, "TreatMissingData": "missing", "OKActions": [], "Threshold": 1.0 });
        assert_eq!(names(&held(reader, &json!({ "Threshold": "1" }), &live)), Vec::<&str>::new());
        let live = json!({ "ActionsEnabled": false, "TreatMissingData": "ignore", "OKActions": ["x"] });
        let expected = ["ActionsEnabled", "OKActions", "TreatMissingData"];
        assert_eq!(names(&held(reader, &json!({ "Threshold": "1" }), &live)), expected);
    }

    #[test]
    fn difference_found_twice_is_reported_once() {
        let property = |name: &str| Property { name: name.into(), before: 1.into(), after: 2.into(), ignored: None };
        let theirs = vec![property("Policies.0.PolicyDocument"), property("Description")];
        let ours = vec![property("Policies.call-api.Statement"), property("ManagedPolicyArns")];
        let all = Look::There(joined(theirs, ours));
        assert_eq!(names(&all), ["Policies.0.PolicyDocument", "Description", "ManagedPolicyArns"]);
    }
}
