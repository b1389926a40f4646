//! The stack's template for one region of one environment. Pure.
//!
//! The source is the merged fragments of `templates/region/`. [`render`] applies the three changes that the head of
//! `base.yaml` describes.

mod alarms;
mod arrivals;
mod decrypt;
mod events;
mod guard;
mod malware;
mod prototype;
mod queries;
mod s3_files;
mod source;
mod topics;
mod waf;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::hex;
use crate::spec::model::Environment;
use crate::spec::names;

pub(crate) use alarms::PERIOD_MINUTES;
pub use alarms::alarms;
pub use arrivals::{SUBSCRIPTION as ARRIVALS_SUBSCRIPTION, UPLOADS as ARRIVED_UPLOADS};
pub use decrypt::{DECRYPT_ROLE, DECRYPT_WORKFLOW, decrypt_output};
pub use s3_files::{access_point_output, file_system_output};
pub use source::source;
pub use topics::{OwnTopic, given_topics, own_topics};
pub use waf::{EXEMPT as WAF_EXEMPT, PROOF as WAF_PROOF};

/// The location of the authorizer's package.
#[derive(Clone, Debug)]
pub struct Code {
    /// A bucket in the stack's region.
    pub bucket: String,
    pub key: String,
}

/// The fragments in `templates/region/` do not fit together or do not fit this code: a fault of the build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A fragment is not a YAML mapping, or has a key twice.
    #[error("{file}: {message}")]
    Syntax {
        file: &'static str,
        /// The YAML parser's message.
        message: String,
    },
    /// A section of a fragment, such as `Resources`, is not a mapping.
    #[error("{file}: {section} is not a mapping")]
    NotMapping { file: &'static str, section: String },
    /// Two fragments define the same key, such as `Resources.Api`.
    #[error("{} and {} both define {key}", files[0], files[1])]
    Duplicate { key: String, files: [&'static str; 2] },
    /// No fragment has a part that this code changes.
    #[error("templates/region has no {0}")]
    Lacks(&'static str),
}

/// Logical ids of a cluster's bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketIds {
    pub bucket: String,
    pub policy: String,
}

/// A template ready to deploy.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub template: Value,
    /// SHA-256 of the template, 64 hexadecimal digits.
    pub digest: String,
    /// Parameters, except `ServerId`.
    pub parameters: BTreeMap<String, String>,
    /// Bucket name → logical ids.
    pub buckets: BTreeMap<String, BucketIds>,
}

impl Rendered {
    /// The authorizer's environment variables, except those whose values are only known in AWS.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let variables = &self.template["Resources"]["Authorizer"]["Properties"]["Environment"]["Variables"];
        let value = |value: &Value| match value["Ref"].as_str() {
            Some(parameter) => self.parameters.get(parameter).cloned(),
            None => value.as_str().map(str::to_owned),
        };
        let variables = variables.as_object().into_iter().flatten();
        variables.filter_map(|(name, variable)| Some((name.clone(), value(variable)?))).collect()
    }
}

/// Resource types of the template that take tags as a list of `Key` and `Value`.
const TAGGED: [&str; 17] = [
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::DynamoDB::Table",
    "AWS::Events::Rule",
    "AWS::GuardDuty::MalwareProtectionPlan",
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::S3Files::AccessPoint",
    "AWS::S3Files::FileSystem",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::Transfer::Workflow",
    "AWS::WAFv2::IPSet",
    "AWS::WAFv2::WebACL",
];

/// The template and its parameters for one region.
///
/// # Errors
/// The source does not have the form that this code expects, which a test rules out.
pub fn render(environment: &Environment, region: &str, code: &Code) -> Result<Rendered, TemplateError> {
    let mut template = source()?.clone();
    decrypt::fit(environment, region, &mut template)?;
    let resources = template["Resources"].as_object_mut().ok_or(TemplateError::Lacks("Resources"))?;
    let buckets = repeat_buckets(environment, region, resources)?;
    events::repeat(environment, region, resources)?;
    arrivals::repeat(environment, region, resources)?;
    let file_systems = s3_files::repeat(environment, region, resources)?;
    alarms::repeat(environment, region, resources)?;
    malware::repeat(environment, region, resources)?;
    guard::fit(environment, resources)?;
    waf::fit(environment, region, resources)?;
    queries::fit(environment, resources)?;
    name_deployment(resources)?;
    tag(environment, resources);
    bound(environment, resources);
    if let Some(parameters) = template["Parameters"].as_object_mut() {
        parameters.remove("UploadBucketName");
        parameters.remove("EventsRegion");
        let more = s3_files::PARAMETERS.iter().chain(&alarms::PARAMETERS);
        more.for_each(|name| drop(parameters.remove(*name)));
    }
    s3_files::show(template["Outputs"].as_object_mut().ok_or(TemplateError::Lacks("Outputs"))?, file_systems);
    let digest = hex::encode(&Sha256::digest(template.to_string().as_bytes()));
    Ok(Rendered { template, digest, parameters: parameters(environment, region, code), buckets })
}

/// The text of a template as it is sent to CloudFormation: pure ASCII, with escapes for all other characters, because
/// `GetTemplate` gives the text back with every non-ASCII character replaced by `?`
/// (aws-cloudformation/cloudformation-coverage-roadmap, issues 814 and 1220).
pub fn body(template: &Value) -> String {
    let mut body = String::new();
    for character in template.to_string().chars() {
        if character.is_ascii() {
            body.push(character);
        } else {
            // Only the strings of a JSON document can contain one.
            body.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    body
}

/// The policy that the stack sets on an upload bucket, as S3 returns it.
pub fn bucket_policy(bucket: &str, user_role_arn: &str) -> Value {
    let arn = format!("arn:aws:s3:::{bucket}");
    let objects = format!("{arn}/*");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "RefusePlainHttp",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, objects],
                "Condition": { "Bool": { "aws:SecureTransport": "false" } },
            },
            {
                "Sid": "UserRoleListsBucket",
                "Effect": "Allow",
                "Principal": { "AWS": user_role_arn },
                "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                "Resource": arn,
            },
            {
                "Sid": "UserRoleUsesObjects",
                "Effect": "Allow",
                "Principal": { "AWS": user_role_arn },
                "Action": [
                    "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
                ],
                "Resource": objects,
            },
        ],
    })
}

/// Replaces the prototype by a bucket and a policy per cluster of the region, with literal names.
fn repeat_buckets(
    environment: &Environment,
    region: &str,
    resources: &mut Map<String, Value>,
) -> Result<BTreeMap<String, BucketIds>, TemplateError> {
    let bucket = resources.remove("UploadBucket").ok_or(TemplateError::Lacks("UploadBucket"))?;
    let policy = resources.remove("UploadBucketPolicy").ok_or(TemplateError::Lacks("UploadBucketPolicy"))?;
    let user_role_arn = format!("arn:aws:iam::{}:role/{}", environment.account, environment.names.user_role);
    let mut all = BTreeMap::new();
    for (cluster, _) in environment.clusters.iter().filter(|(_, cluster)| cluster.region == region) {
        let name = names::upload_bucket(environment, cluster);
        let stem = cluster_stem(environment, cluster);
        let ids = BucketIds { bucket: format!("UploadBucket{stem}"), policy: format!("UploadBucketPolicy{stem}") };
        let mut one = bucket.clone();
        one["Properties"]["BucketName"] = json!(name);
        if let (Some(days), Some(rules)) = (
            environment.files.keep_old_versions_days,
            one["Properties"]["LifecycleConfiguration"]["Rules"].as_array_mut(),
        ) {
            rules.push(json!({
                "Id": "DeleteOldVersions",
                "Status": "Enabled",
                "NoncurrentVersionExpiration": { "NoncurrentDays": days },
                // The marker of a deletion whose versions are gone.
                "ExpiredObjectDeleteMarker": true,
            }));
        }
        // S3 Files and GuardDuty turn these on by themselves; a template without them would let an update turn them off
        // again.
        let uses_events = environment.s3_files.contains_key(cluster) || environment.malware_scan.contains_key(cluster);
        if environment.files.events || uses_events {
            one["Properties"]["NotificationConfiguration"] =
                json!({ "EventBridgeConfiguration": { "EventBridgeEnabled": true } });
        }
        let mut its_policy = policy.clone();
        its_policy["Properties"]["Bucket"] = json!({ "Ref": ids.bucket });
        its_policy["Properties"]["PolicyDocument"] = bucket_policy(&name, &user_role_arn);
        resources.insert(ids.bucket.clone(), one);
        resources.insert(ids.policy.clone(), its_policy);
        all.insert(name, ids);
    }
    Ok(all)
}

/// The name of a cluster's resources in logical ids.
fn cluster_stem(environment: &Environment, cluster: &str) -> String {
    logical_stem(environment.origin(cluster))
}

/// A name in logical ids. Hex distinguishes clusters that differ only in characters that these cannot contain.
fn logical_stem(cluster: &str) -> String {
    let part = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("x{:x}", u32::from(c)) };
    cluster.chars().map(part).collect()
}

/// Gives the API's deployment a logical id that changes if and only if the API changes.
fn name_deployment(resources: &mut Map<String, Value>) -> Result<(), TemplateError> {
    let mut hash = Sha256::new();
    for (id, resource) in resources.iter() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let part_of_api = matches!(
            kind,
            "AWS::ApiGateway::RestApi"
                | "AWS::ApiGateway::Resource"
                | "AWS::ApiGateway::Method"
                | "AWS::ApiGateway::Model"
        );
        if part_of_api {
            hash.update(id.as_bytes());
            hash.update(resource.to_string().as_bytes());
        }
    }
    let id = format!("ApiDeployment{}", &hex::encode(&hash.finalize())[..10]);
    let deployment = resources.remove("ApiDeployment").ok_or(TemplateError::Lacks("ApiDeployment"))?;
    resources.insert(id.clone(), deployment);
    let stage = resources.get_mut("ApiStage").ok_or(TemplateError::Lacks("ApiStage"))?;
    stage["Properties"]["DeploymentId"] = json!({ "Ref": id });
    Ok(())
}

/// Adds the tags to every resource that supports them, because buckets do not inherit the stack's everywhere.
fn tag(environment: &Environment, resources: &mut Map<String, Value>) {
    let tags: Vec<Value> =
        names::tags(environment).iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    for resource in resources.values_mut() {
        if resource["Type"].as_str().is_some_and(|kind| TAGGED.contains(&kind)) {
            resource["Properties"]["Tags"] = json!(tags);
        }
    }
}

/// Puts the permissions boundary on every role.
fn bound(environment: &Environment, resources: &mut Map<String, Value>) {
    let Some(boundary) = &environment.permissions_boundary else { return };
    for role in resources.values_mut().filter(|resource| resource["Type"] == "AWS::IAM::Role") {
        role["Properties"]["PermissionsBoundary"] = json!(boundary);
    }
}

fn parameters(environment: &Environment, region: &str, code: &Code) -> BTreeMap<String, String> {
    let (authorizer, alarms) = (&environment.authorizer, &environment.alarms);
    let text = |value: u32| value.to_string();
    BTreeMap::from([
        ("ResourceStem".to_owned(), names::resource_stem(environment, region)),
        (
            "UserRoleArn".to_owned(),
            format!("arn:aws:iam::{}:role/{}", environment.account, environment.names.user_role),
        ),
        ("TableName".to_owned(), environment.table.name.clone()),
        ("CodeBucket".to_owned(), code.bucket.clone()),
        ("CodeKey".to_owned(), code.key.clone()),
        ("BlockList".to_owned(), authorizer.block_list.join(",")),
        ("HomeType".to_owned(), authorizer.home.clone()),
        ("Usernames".to_owned(), environment.accounts.usernames.clone()),
        ("TakesKeys".to_owned(), environment.server.takes_keys().to_string()),
        ("Architecture".to_owned(), authorizer.architecture.clone()),
        ("MemoryMb".to_owned(), text(authorizer.memory_mb)),
        ("TimeoutSeconds".to_owned(), text(authorizer.timeout_seconds)),
        ("ReservedConcurrency".to_owned(), authorizer.reserved_concurrency.map_or("-1".to_owned(), text)),
        (
            "GuardTableName".to_owned(),
            environment.guard.as_ref().map_or_else(String::new, |_| names::guard_table(environment)),
        ),
        (
            "GuardRules".to_owned(),
            environment.guard.as_ref().map_or_else(String::new, |guard| guard.rules().to_string()),
        ),
        ("RetentionDays".to_owned(), text(environment.logs.retention_days)),
        ("RefusalReasons".to_owned(), environment.metrics.refusal_reasons.to_string()),
        ("ApiMethodMetrics".to_owned(), environment.metrics.api_methods.to_string()),
        ("AlarmTopicArn".to_owned(), alarms.topics.get(region).cloned().unwrap_or_default()),
        ("ErrorThreshold".to_owned(), text(alarms.authorizer_errors)),
        ("ThrottleThreshold".to_owned(), text(alarms.authorizer_throttles)),
        ("DurationThresholdMs".to_owned(), text(alarms.authorizer_duration_ms)),
        ("Api5xxThreshold".to_owned(), text(alarms.api_5xx)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The logical id of the deployment after this change to the source.
    fn named(change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let mut template = source().expect("the fragments fit together").clone();
        let resources = template["Resources"].as_object_mut().expect("it has resources");
        change(resources);
        name_deployment(resources).expect("it has a deployment");
        resources["ApiStage"]["Properties"]["DeploymentId"]["Ref"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn every_part_of_the_api_makes_a_deployment_of_its_own() {
        let append = |pointer: &'static str| {
            named(move |resources| {
                let (resource, path) = pointer.split_once('/').expect("a path");
                let place = resources[resource].pointer_mut(&format!("/{path}")).expect(pointer);
                *place = json!(format!("{} ", place.as_str().unwrap_or_default()));
            })
        };
        let mut ids = vec![
            named(|_| {}),
            append("ApiMethod/Properties/Integration/RequestTemplates/application~1json"),
            append("ApiMethod/Properties/AuthorizationType"),
            append("ApiSuccessModel/Properties/Schema/title"),
            append("ApiConfig/Properties/PathPart"),
            append("Api/Properties/Description"),
        ];
        assert_eq!(append("FaultsAlarm/Properties/AlarmDescription"), ids[0], "an alarm is not part of the API");
        assert_eq!(append("Authorizer/Properties/Description"), ids[0], "nor is the function");
        assert!(ids.iter().all(|id| id.len() == "ApiDeployment".len() + 10), "{ids:?}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{ids:?}");
    }
}
