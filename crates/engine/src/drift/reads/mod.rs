//! Reads a stack's resources from AWS, with one reader for each type. A reader takes all resources of its type, and
//! returns the live properties of each in the same order, under the template's names; `None` for one that does not
//! exist.
//!
//! Properties that a reader leaves out are not compared. It leaves out the name that a resource is found by: a template
//! may leave that to CloudFormation.

mod alarms;
mod api;
mod functions;
mod metric_filters;
mod roles;
mod saved_queries;

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::unknown::is_unknown;
use sftpctl_aws::{Aws, AwsError};

/// A resource that a stack should have.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub logical: &'a str,
    /// The physical ID by which AWS finds it.
    pub id: &'a str,
    /// The template's properties, as far as they are known.
    pub properties: Value,
}

impl Wanted<'_> {
    /// A property that is a string and known.
    fn text(&self, name: &str) -> Option<&str> {
        self.properties[name].as_str().filter(|_| !is_unknown(&self.properties[name]))
    }
}

/// The live properties, in the order of the resources that were asked for; `None` for one that does not exist.
pub type Answer = Result<Vec<Option<Value>>, AwsError>;

type Read = for<'a> fn(&'a Aws, &'a str, &'a [Wanted<'a>]) -> BoxFuture<'a, Answer>;

/// Reads the resources of one type.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    kind: &'static str,
    /// Read these resources even if CloudFormation has checked them.
    pub always: bool,
    read: Read,
}

const READERS: [Reader; 11] = [
    Reader { kind: "AWS::ApiGateway::Deployment", always: false, read: |a, r, w| Box::pin(api::deployments(a, r, w)) },
    // A log-in depends on it.
    Reader { kind: "AWS::ApiGateway::Method", always: true, read: |a, r, w| Box::pin(api::methods(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Model", always: false, read: |a, r, w| Box::pin(api::models(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Resource", always: false, read: |a, r, w| Box::pin(api::resources(a, r, w)) },
    // CloudFormation compares only the properties that a template names. It reports no drift for a resource policy, a
    // cache, an alarm that is switched off, or a layer.
    Reader { kind: "AWS::ApiGateway::RestApi", always: true, read: |a, r, w| Box::pin(api::apis(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Stage", always: true, read: |a, r, w| Box::pin(api::stages(a, r, w)) },
    Reader { kind: "AWS::CloudWatch::Alarm", always: true, read: |a, r, w| Box::pin(alarms::read(a, r, w)) },
    // CloudFormation reports no drift for a policy beside those of the template.
    Reader { kind: "AWS::IAM::Role", always: true, read: |a, r, w| Box::pin(roles::read(a, r, w)) },
    // Nor for changed code.
    Reader { kind: "AWS::Lambda::Function", always: true, read: |a, r, w| Box::pin(functions::read(a, r, w)) },
    Reader { kind: "AWS::Logs::MetricFilter", always: false, read: |a, r, w| Box::pin(metric_filters::read(a, r, w)) },
    Reader {
        kind: "AWS::Logs::QueryDefinition",
        always: false,
        read: |a, r, w| Box::pin(saved_queries::read(a, r, w)),
    },
];

/// The reader of a type; `None` if only CloudFormation checks it.
pub fn reader(kind: &str) -> Option<&'static Reader> {
    READERS.iter().find(|reader| reader.kind == kind)
}

impl Reader {
    /// Reads all these resources of the type in a region.
    pub async fn read(&self, aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
        (self.read)(aws, region, wanted).await
    }

    /// AWS's default for a property that a template leaves out; `None` if that is empty.
    pub fn default_of(&self, property: &str) -> Option<Value> {
        Some(match (self.kind, property) {
            ("AWS::CloudWatch::Alarm", "ActionsEnabled") => json!(true),
            ("AWS::CloudWatch::Alarm", "TreatMissingData") => json!("missing"),
            ("AWS::ApiGateway::RestApi", "DisableExecuteApiEndpoint") => json!(false),
            ("AWS::ApiGateway::Stage", "CacheClusterEnabled" | "TracingEnabled") => json!(false),
            ("AWS::Lambda::Function", "TracingConfig") => json!("PassThrough"),
            ("AWS::Lambda::Function", "Architectures") => json!(["x86_64"]),
            ("AWS::ApiGateway::Model", "ContentType") => json!("application/json"),
            _ => return None,
        })
    }
}

/// The different values of a property.
fn distinct<'a>(wanted: &'a [Wanted<'_>], property: &str) -> BTreeSet<&'a str> {
    wanted.iter().filter_map(|one| one.text(property)).collect()
}

/// Facts as JSON: they serialize under the template's names.
fn to_template_names(facts: &impl serde::Serialize) -> Value {
    serde_json::to_value(facts).unwrap_or_default()
}
