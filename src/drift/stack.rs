//! What was changed inside a stack, behind CloudFormation's back.
//!
//! CloudFormation's drift detection looks where it can. What it does not look at is told as unseen, the API's method
//! excepted: a log-in depends on it, so it is read here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::model::{Drifted, Property, Unseen};
use crate::aws::{Aws, ResourceDrift};
use crate::execute::wait;
use crate::resources::resource::StepError;

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
    /// Its name or ARN.
    pub name: &'a str,
    /// The REST API's id, from the stack's outputs.
    pub api: Option<&'a str>,
    /// The template that it has.
    pub template: &'a Value,
}

/// Looks into a stack.
pub async fn look(aws: &Aws, stack: &Looked<'_>) -> Found {
    let drifts = detect(aws, stack).await;
    let mut found = Found::default();
    let (drifts, trouble) = match drifts {
        Ok((drifts, trouble)) => (drifts, trouble),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let by_id: BTreeMap<&str, &ResourceDrift> = drifts.iter().map(|drift| (drift.logical.as_str(), drift)).collect();
    for (logical, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let name = format!("{}/{logical}", stack.node);
        // The node of the bucket reads its policy on every run.
        if kind == "AWS::S3::BucketPolicy" {
            continue;
        }
        if kind == "AWS::ApiGateway::Method" {
            match method(aws, stack, resource).await {
                Ok(properties) => found.note(name, kind, "changed", properties),
                Err(why) => found.unseen.push(Unseen::failed(name, why)),
            }
            continue;
        }
        match by_id.get(logical.as_str()) {
            Some(drift) => match drift.status.as_str() {
                "IN_SYNC" => found.seen += 1,
                "MODIFIED" => found.note(name, kind, "changed", properties(drift)),
                "DELETED" => found.note(name, kind, "missing", vec![gone()]),
                status => {
                    let why = format!("CloudFormation says {status}");
                    found.unseen.push(Unseen { resource: name, why, failed: false });
                }
            },
            None => found.unseen.push(match &trouble {
                Some(trouble) => Unseen::failed(name, trouble),
                None => {
                    let why = format!("CloudFormation does not look at {kind} here");
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
    let id = cloudformation.detect_drift(stack.name).await?;
    let trouble = match wait::short(LIMIT, || cloudformation.drift_detected(&id)).await? {
        Some(trouble) => trouble,
        None => return Ok((Vec::new(), Some(format!("the detection was not done after {} s", LIMIT.as_secs())))),
    };
    Ok((cloudformation.resource_drifts(stack.name).await?, trouble))
}

fn gone() -> Property {
    Property { name: "exists".into(), before: true.into(), after: false.into(), ignored: None }
}

/// What somebody changed. The server id is left out: the stack only hands it on, and its own node looks after it.
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

/// The API's method against the template: who may call it, what it asks, how it translates.
async fn method(aws: &Aws, stack: &Looked<'_>, resource: &Value) -> Result<Vec<Property>, String> {
    let api = stack.api.ok_or("the stack has no output ApiId")?;
    let methods = aws.apigateway(stack.region).methods(api).await.map_err(|error| error.to_string())?;
    let wanted = &resource["Properties"];
    let verb = wanted["HttpMethod"].as_str().unwrap_or_default();
    let Some(live) = methods.iter().find(|method| method.http_method == verb && method.path.ends_with("/config"))
    else {
        return Ok(vec![gone()]);
    };
    let integration = live.integration.as_ref();
    let compared = [
        ("AuthorizationType", wanted["AuthorizationType"].clone(), json!(live.authorization)),
        ("RequestParameters", wanted["RequestParameters"].clone(), json!(live.parameters)),
        ("Integration.Type", wanted["Integration"]["Type"].clone(), json!(integration.map(|i| &i.kind))),
        (
            "Integration.RequestTemplates",
            wanted["Integration"]["RequestTemplates"].clone(),
            json!(integration.map(|i| &i.templates)),
        ),
        (
            "Integration.PassthroughBehavior",
            wanted["Integration"]["PassthroughBehavior"].clone(),
            json!(integration.map(|i| &i.passthrough)),
        ),
    ];
    let differs = compared.into_iter().filter(|(_, before, after)| before != after);
    Ok(differs.map(|(name, before, after)| Property { name: name.to_owned(), before, after, ignored: None }).collect())
}
