//! Changes to a stack's resources that were not made through CloudFormation.
//!
//! CloudFormation's drift detection comes first. The resources that it does not check, and a few types always, are read
//! and compared with the stack's template. A resource that neither way covers is reported as unseen.

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

/// The time limit of one drift detection.
const LIMIT: Duration = Duration::from_secs(300);

/// The drift of one stack.
#[derive(Debug, Default)]
pub struct Found {
    /// The number of resources that were checked.
    pub seen: usize,
    pub drifted: Vec<Drifted>,
    /// Resources that could not be checked.
    pub unseen: Vec<Unseen>,
}

/// The stack to check.
#[derive(Debug)]
pub struct StackToCheck<'a> {
    /// The node's name: `us-west-2/stack`.
    pub node: &'a str,
    pub region: &'a str,
    pub arn: &'a str,
    /// The template that the stack was last deployed with.
    pub template: &'a Value,
}

/// The result of comparing a resource with the template.
#[derive(Clone, Debug)]
enum Comparison {
    /// The resource exists, and these properties differ.
    Exists(Vec<Property>),
    Missing,
}

/// The stack's values that the template refers to.
struct Facts {
    parameters: BTreeMap<String, String>,
    physical: BTreeMap<String, String>,
}

/// Resources of one type: logical IDs and properties.
type OfKind<'a> = Vec<(&'a str, &'a Value)>;

/// Finds the drift of a stack's resources.
pub async fn find_drift(aws: &Aws, stack: &StackToCheck<'_>) -> Found {
    let (detection, facts) = join(detect(aws, stack), facts(aws, stack)).await;
    let (drifts, trouble) = detection.unwrap_or_else(|error| (Vec::new(), Some(error.to_string())));
    let by_id: BTreeMap<&str, &ResourceDrift> = drifts.iter().map(|drift| (drift.logical.as_str(), drift)).collect();
    let mut detected: BTreeMap<&str, Comparison> =
        by_id.iter().filter_map(|(id, drift)| Some((*id, verdict(drift)?))).collect();
    let mut compared = read(aws, stack, facts, &detected).await;
    let mut found = Found::default();
    for (logical, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let name = format!("{}/{logical}", stack.node);
        // The node of the bucket reads its policy on every run.
        if kind == "AWS::S3::BucketPolicy" {
            continue;
        }
        let compared = match compared.remove(logical.as_str()) {
            Some(Err(why)) => {
                found.unseen.push(Unseen::failed(name.clone(), why));
                if !detected.contains_key(logical.as_str()) {
                    continue;
                }
                None
            }
            Some(Ok(comparison)) => Some(comparison),
            None => None,
        };
        match (detected.remove(logical.as_str()), compared) {
            (Some(Comparison::Missing), _) | (_, Some(Comparison::Missing)) => {
                found.add(name, kind, "missing", vec![missing()]);
            }
            (Some(Comparison::Exists(detected)), Some(Comparison::Exists(compared))) => {
                found.add(name, kind, "changed", merge(detected, compared));
            }
            (Some(Comparison::Exists(properties)), None) | (None, Some(Comparison::Exists(properties))) => {
                found.add(name, kind, "changed", properties);
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
    fn add(&mut self, resource: String, kind: &str, how: &'static str, properties: Vec<Property>) {
        self.seen += 1;
        if !properties.is_empty() {
            self.drifted.push(Drifted { resource, title: kind.to_owned(), how, properties });
        }
    }
}

async fn detect(aws: &Aws, stack: &StackToCheck<'_>) -> Result<(Vec<ResourceDrift>, Option<String>), StepError> {
    let cloudformation = aws.cloudformation(stack.region);
    let id = cloudformation.detect_drift(stack.arn).await?;
    let trouble = match wait::short(LIMIT, || cloudformation.drift_detected(&id)).await? {
        Some(trouble) => trouble,
        None => return Ok((Vec::new(), Some(format!("drift detection did not finish within {} s", LIMIT.as_secs())))),
    };
    Ok((cloudformation.resource_drifts(stack.arn).await?, trouble))
}

async fn facts(aws: &Aws, stack: &StackToCheck<'_>) -> Result<Facts, AwsError> {
    let cloudformation = aws.cloudformation(stack.region);
    let (live, physical) = join(cloudformation.stack(stack.arn), cloudformation.physical_ids(stack.arn)).await;
    Ok(Facts { parameters: live?.unwrap_or_default().parameters, physical: physical? })
}

/// Compares the resources that CloudFormation has not checked, and those of types that are always read. All resources
/// of one type are read together.
async fn read<'a>(
    aws: &Aws,
    stack: &'a StackToCheck<'_>,
    facts: Result<Facts, AwsError>,
    detected: &BTreeMap<&str, Comparison>,
) -> BTreeMap<&'a str, Result<Comparison, String>> {
    let mut kinds: BTreeMap<&str, (&Reader, OfKind<'a>)> = BTreeMap::new();
    for (logical, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
        let Some((kind, reader)) = resource["Type"].as_str().and_then(|kind| Some((kind, reads::reader(kind)?))) else {
            continue;
        };
        let is_read = match detected.get(logical.as_str()) {
            Some(Comparison::Missing) => false,
            Some(Comparison::Exists(_)) => reader.always,
            None => true,
        };
        if is_read {
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
    let comparisons = kinds.into_values().map(|(reader, resources)| async move {
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
        let mut found: Vec<(&str, Result<Comparison, String>)> =
            unknown.into_iter().map(|(logical, _)| (logical, Err("the stack has no ID for it".to_owned()))).collect();
        match reader.read(aws, stack.region, &wanted).await {
            Ok(live) => found.extend(known.iter().zip(&wanted).zip(live).map(|(((logical, _), wanted), live)| {
                let compare = |live: Value| compare_with_template(reader, &wanted.properties, &live);
                (*logical, Ok(live.map_or(Comparison::Missing, compare)))
            })),
            Err(error) => found.extend(known.iter().map(|(logical, _)| (*logical, Err(error.to_string())))),
        }
        found
    });
    join_all(comparisons).await.into_iter().flatten().collect()
}

/// Compares live properties with the template's.
fn compare_with_template(reader: &Reader, wanted: &Value, live: &Value) -> Comparison {
    let mut wanted = wanted.as_object().cloned().unwrap_or_default();
    for name in live.as_object().into_iter().flatten().map(|(name, _)| name) {
        if let Some(default) = reader.default_of(name).filter(|_| !wanted.contains_key(name)) {
            wanted.insert(name.clone(), default);
        }
    }
    Comparison::Exists(compare::differences(&wanted.into(), live))
}

fn missing() -> Property {
    Property::exists(true, false)
}

/// CloudFormation's result for a resource; `None` if it has none.
fn verdict(drift: &ResourceDrift) -> Option<Comparison> {
    match drift.status.as_str() {
        "IN_SYNC" => Some(Comparison::Exists(Vec::new())),
        "MODIFIED" => Some(Comparison::Exists(properties(drift))),
        "DELETED" => Some(Comparison::Missing),
        _ => None,
    }
}

/// The properties that were changed. The server ID is left out: it has a node of its own, and the stack only passes it
/// on. If the server was removed from the environment file, the function keeps the ID of a deleted server, and is never
/// invoked. So is an empty value in place of none, as the prefixes of a plan that scans a whole bucket.
fn properties(drift: &ResourceDrift) -> Vec<Property> {
    drift
        .differences
        .iter()
        .filter(|(path, before, after)| {
            path != "/Environment/Variables/SERVER_ID" && !(compare::is_empty(before) && compare::is_empty(after))
        })
        .map(|(path, before, after)| {
            Property::new(path.trim_start_matches('/').replace('/', "."), before.clone(), after.clone())
        })
        .collect()
}

/// CloudFormation's differences, and those of the comparison in the properties for which CloudFormation has none.
fn merge(mut detected: Vec<Property>, compared: Vec<Property>) -> Vec<Property> {
    let first = |property: &Property| property.name.split('.').next().unwrap_or_default().to_owned();
    let found: BTreeSet<String> = detected.iter().map(first).collect();
    detected.extend(compared.into_iter().filter(|property| !found.contains(&first(property))));
    detected
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(comparison: &Comparison) -> Vec<&str> {
        match comparison {
            Comparison::Exists(properties) => properties.iter().map(|property| property.name.as_str()).collect(),
            Comparison::Missing => vec!["missing"],
        }
    }

    #[test]
    fn omitted_property_has_its_default() {
        let reader = reads::reader("AWS::CloudWatch::Alarm").unwrap();
        let live = json!({ "ActionsEnabled": true, "TreatMissingData": "missing", "OKActions": [], "Threshold": 1.0 });
        let wanted = json!({ "Threshold": "1" });
        assert_eq!(names(&compare_with_template(reader, &wanted, &live)), Vec::<&str>::new());
        let live = json!({ "ActionsEnabled": false, "TreatMissingData": "ignore", "OKActions": ["x"] });
        let expected = ["ActionsEnabled", "OKActions", "TreatMissingData"];
        assert_eq!(names(&compare_with_template(reader, &wanted, &live)), expected);
    }

    #[test]
    fn empty_value_in_place_of_none_is_no_difference() {
        let difference = |name: &str, before, after| (format!("/Bucket/{name}"), before, after);
        let drift = ResourceDrift {
            logical: "Plan".into(),
            kind: "AWS::GuardDuty::MalwareProtectionPlan".into(),
            status: "MODIFIED".into(),
            differences: vec![
                difference("Prefixes", json!(null), json!([])),
                difference("Others", json!([]), json!(["a/"])),
                difference("Name", json!("a"), json!(null)),
            ],
        };
        assert_eq!(names(&verdict(&drift).unwrap()), ["Bucket.Others", "Bucket.Name"]);
    }

    #[test]
    fn difference_found_twice_is_reported_once() {
        let property = |name: &str| Property::new(name, 1, 2);
        let detected = vec![property("Policies.0.PolicyDocument"), property("Description")];
        let compared = vec![property("Policies.call-api.Statement"), property("ManagedPolicyArns")];
        let all = Comparison::Exists(merge(detected, compared));
        assert_eq!(names(&all), ["Policies.0.PolicyDocument", "Description", "ManagedPolicyArns"]);
    }
}
