//! What is there of a stack's resources, one reader a type, each of this shape: the resources of its type go in, and
//! what is there of each comes out in the same order, under the template's names; `None` for one that is gone.
//!
//! A reader gives what it knows and nothing else: what it leaves out is not compared. It leaves out the name that a
//! resource was found by: a template may leave that to CloudFormation.

mod alarms;
mod api;
mod functions;
mod metric_filters;
mod roles;

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::unknown::is_unknown;
use sftpctl_aws::{Aws, AwsError};

/// A resource that a stack should have.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Logical id.
    pub logical: &'a str,
    /// Physical id.
    pub id: &'a str,
    /// Properties, as far as they are known.
    pub properties: Value,
}

impl Wanted<'_> {
    /// A property that is a text and known.
    fn text(&self, name: &str) -> Option<&str> {
        self.properties[name].as_str().filter(|_| !is_unknown(&self.properties[name]))
    }
}

/// What is there, in the order of what is wanted.
pub type Answer = Result<Vec<Option<Value>>, AwsError>;

/// Looks at all resources of a type in a region.
type Read = for<'a> fn(&'a Aws, &'a str, &'a [Wanted<'a>]) -> BoxFuture<'a, Answer>;

/// How resources of a type are read.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    kind: &'static str,
    /// Whether CloudFormation's word on it is not enough.
    pub always: bool,
    read: Read,
}

const READERS: [Reader; 10] = [
    Reader { kind: "AWS::ApiGateway::Deployment", always: false, read: |a, r, w| Box::pin(api::deployments(a, r, w)) },
    // A log-in depends on it.
    Reader { kind: "AWS::ApiGateway::Method", always: true, read: |a, r, w| Box::pin(api::methods(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Model", always: false, read: |a, r, w| Box::pin(api::models(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Resource", always: false, read: |a, r, w| Box::pin(api::resources(a, r, w)) },
    // CloudFormation compares only what a template names: a resource policy, a cache, an alarm that is switched off, a
    // layer are no drift to it.
    Reader { kind: "AWS::ApiGateway::RestApi", always: true, read: |a, r, w| Box::pin(api::apis(a, r, w)) },
    Reader { kind: "AWS::ApiGateway::Stage", always: true, read: |a, r, w| Box::pin(api::stages(a, r, w)) },
    Reader { kind: "AWS::CloudWatch::Alarm", always: true, read: |a, r, w| Box::pin(alarms::read(a, r, w)) },
    // A policy beside those of the template is no drift to CloudFormation.
    Reader { kind: "AWS::IAM::Role", always: true, read: |a, r, w| Box::pin(roles::read(a, r, w)) },
    // Nor is the code.
    Reader { kind: "AWS::Lambda::Function", always: true, read: |a, r, w| Box::pin(functions::read(a, r, w)) },
    Reader { kind: "AWS::Logs::MetricFilter", always: false, read: |a, r, w| Box::pin(metric_filters::read(a, r, w)) },
];

/// The reader of a type; `None` where only CloudFormation looks.
pub fn reader(kind: &str) -> Option<&'static Reader> {
    READERS.iter().find(|reader| reader.kind == kind)
}

impl Reader {
    /// Looks at all resources of the type.
    pub async fn read(&self, aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
        (self.read)(aws, region, wanted).await
    }

    /// What AWS takes for a property that a template leaves out, where that is not nothing.
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

/// What the SDK gave, under the template's names.
fn told(facts: &impl serde::Serialize) -> Value {
    serde_json::to_value(facts).unwrap_or_default()
}
