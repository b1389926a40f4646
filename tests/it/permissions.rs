//! The deployer's policy allows every call that sftpctl can make, and every call that CloudFormation makes with the
//! deployer's permissions, so that the file cannot lag behind the code and the template.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

/// What CloudFormation calls to create, read, update and delete a resource of each type: `handlers.*.permissions` of
/// AWS's own schemas (`aws cloudformation describe-type --type RESOURCE --type-name …`, as of August 2026), without
/// those for properties that the template does not have (VPC, file systems, code signing, KMS keys, replication, …).
/// The read handlers are what an import and drift detection call.
const HANDLERS: [(&str, &[&str]); 13] = [
    ("AWS::ApiGateway::Deployment", APIS),
    ("AWS::ApiGateway::Method", APIS),
    ("AWS::ApiGateway::Model", APIS),
    ("AWS::ApiGateway::Resource", APIS),
    ("AWS::ApiGateway::RestApi", APIS),
    ("AWS::ApiGateway::Stage", APIS),
    (
        "AWS::CloudWatch::Alarm",
        &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:ListTagsForResource",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ],
    ),
    (
        "AWS::IAM::Role",
        &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
        ],
    ),
    (
        "AWS::Lambda::Function",
        &[
            "iam:PassRole",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetFunctionScalingConfig",
            "lambda:GetRuntimeManagementConfig",
            "lambda:ListTags",
            "lambda:PutFunctionConcurrency",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "s3:GetObject",
            "s3:GetObjectVersion",
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            "logs:CreateLogDelivery",
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:DescribeIndexPolicies",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetDataProtectionPolicy",
            "logs:ListTagsForResource",
            "logs:PutResourcePolicy",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
            "logs:UntagResource",
        ],
    ),
    ("AWS::Logs::MetricFilter", &["logs:DeleteMetricFilter", "logs:DescribeMetricFilters", "logs:PutMetricFilter"]),
    (
        "AWS::S3::Bucket",
        &[
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:GetAccelerateConfiguration",
            "s3:GetAnalyticsConfiguration",
            "s3:GetBucketAbac",
            "s3:GetBucketCORS",
            "s3:GetBucketLogging",
            "s3:GetBucketMetadataTableConfiguration",
            "s3:GetBucketNotification",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetBucketVersioning",
            "s3:GetBucketWebsite",
            "s3:GetEncryptionConfiguration",
            "s3:GetIntelligentTieringConfiguration",
            "s3:GetInventoryConfiguration",
            "s3:GetLifecycleConfiguration",
            "s3:GetMetricsConfiguration",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
            "s3:ListTagsForResource",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:TagResource",
            "s3:UntagResource",
        ],
    ),
    ("AWS::S3::BucketPolicy", &["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"]),
];
const APIS: &[&str] = &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"];

/// What DynamoDB calls with the deployer's permissions in a replica's region when the replica is created or deleted
/// (DynamoDB developer guide, "Using IAM with DynamoDB global tables").
const REPLICAS: [&str; 12] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:CreateTable",
    "dynamodb:CreateTableReplica",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:DeleteTableReplica",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateTable",
];

/// What Transfer Family calls with the deployer's permissions for structured logs (Transfer Family user guide,
/// "Creating, updating and viewing logging for servers").
const LOG_DELIVERY: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

fn policy() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deployer-policy.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().map(|value| value.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

/// Each action with the resources it is allowed on.
fn allowed(policy: &Value) -> BTreeMap<&str, Vec<&str>> {
    let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for action in list(&statement["Action"]) {
            allowed.entry(action).or_default().extend(list(&statement["Resource"]));
        }
    }
    allowed
}

fn missing<'a>(needed: impl IntoIterator<Item = &'a &'a str>) -> Vec<&'a str> {
    let policy = policy();
    let allowed = allowed(&policy);
    needed.into_iter().copied().filter(|action| !allowed.contains_key(action)).collect()
}

#[test]
fn calls_by_cloudformation_are_allowed() {
    let resources = sftpctl_core::template::source().unwrap()["Resources"].as_object().unwrap();
    let types: BTreeSet<&str> = resources.values().filter_map(|resource| resource["Type"].as_str()).collect();
    assert_eq!(types, HANDLERS.iter().map(|(kind, _)| *kind).collect(), "a type that comes or goes changes the table");
    for (kind, needed) in HANDLERS {
        assert_eq!(missing(needed), Vec::<&str>::new(), "{kind}");
    }
}

#[test]
fn calls_by_other_services_are_allowed() {
    assert_eq!(missing(&REPLICAS), Vec::<&str>::new());
    assert_eq!(missing(&LOG_DELIVERY), Vec::<&str>::new());
}

#[test]
fn roles_are_passed_to_and_created_for_named_services_only() {
    let policy = policy();
    let statement = |action: &str| {
        let all = policy["Statement"].as_array().unwrap();
        let mut with = all.iter().filter(|statement| list(&statement["Action"]).contains(&action));
        let one = with.next().unwrap();
        assert_eq!((list(&one["Action"]), with.next()), (vec![action], None), "{action} has a statement of its own");
        one
    };
    let pass = statement("iam:PassRole");
    assert_eq!(
        pass["Condition"],
        json!({ "StringEquals": { "iam:PassedToService":
            ["apigateway.amazonaws.com", "lambda.amazonaws.com", "transfer.amazonaws.com"] } })
    );
    assert!(list(&pass["Resource"]).iter().all(|role| role.starts_with("arn:aws:iam::111111111111:role/")), "{pass}");
    let linked = statement("iam:CreateServiceLinkedRole");
    assert_eq!(
        linked["Condition"],
        json!({ "StringEquals": { "iam:AWSServiceName":
            ["lambda.amazonaws.com", "ops.apigateway.amazonaws.com", "replication.dynamodb.amazonaws.com"] } })
    );
    assert_eq!(linked["Resource"], "arn:aws:iam::111111111111:role/aws-service-role/*");
}

/// AWS supports no narrower resource than `*` for these and for [`LOG_DELIVERY`] (Service Authorization Reference).
const WITHOUT_RESOURCE: [&str; 9] = [
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackDriftDetectionStatus",
    "cloudwatch:DescribeAlarms",
    "logs:DescribeIndexPolicies",
    "route53:GetChange",
    "route53:ListHostedZonesByName",
    "s3:ListAllMyBuckets",
    "sts:GetCallerIdentity",
    "transfer:ListServers",
];

#[test]
fn wildcard_resources_are_used_only_where_aws_requires_them() {
    let policy = policy();
    for (action, resources) in allowed(&policy) {
        if resources.contains(&"*") {
            let can_be_narrower = !WITHOUT_RESOURCE.contains(&action) && !LOG_DELIVERY.contains(&action);
            assert!(!can_be_narrower, "{action} is allowed on every resource");
        }
        for resource in resources {
            assert!(!resource.ends_with(":log-group:*"), "{action} is allowed on every log group");
        }
    }
}

/// The IAM action of a call; some have another name than the call.
fn action(call: &str) -> String {
    match call {
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:HeadObject" => "s3:GetObject",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:CopyObject" => "s3:PutObject",
        read if read.starts_with("apigateway:Get") => "apigateway:GET",
        "apigateway:UpdateAccount" => "apigateway:PATCH",
        other => other,
    }
    .to_owned()
}

#[test]
fn every_call_is_allowed_without_wildcard_actions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy = policy();
    let allowed = allowed(&policy);
    assert!(allowed.keys().all(|action| !action.contains('*')), "{allowed:?}");
    let mut calls = BTreeSet::new();
    for file in std::fs::read_dir(root.join("crates/aws/src")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for part in source.split(".call(").skip(1) {
            calls.extend(part.split('"').nth(1).filter(|name| name.contains(':')).map(str::to_owned));
        }
    }
    assert!(calls.len() > 60, "{calls:?}");
    // A hosted zone is created only on the local cloud, and only its front acts as API Gateway and Transfer Family.
    for call in ["route53:CreateHostedZone", "lambda:InvokeFunction", "s3:AbortMultipartUpload", "sts:AssumeRole"] {
        assert!(calls.remove(call), "{call} is not called any more");
    }
    let missing: Vec<_> =
        calls.iter().map(|call| action(call)).filter(|action| !allowed.contains_key(action.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// The policy names the same bucket and prefix for the state as the README.
#[test]
fn s3_state_is_allowed_where_the_readme_puts_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy: Value =
        serde_json::from_str(&std::fs::read_to_string(root.join("docs/deployer-policy.json")).unwrap()).unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains("s3://company-sftpctl/state") && readme.contains("StateKey"));
    let allowed = |resource: &str| -> BTreeSet<String> {
        let statements = policy["Statement"].as_array().unwrap().iter();
        let matching = statements.filter(|statement| statement["Resource"].as_str() == Some(resource));
        matching.flat_map(|s| s["Action"].as_array().unwrap()).map(|a| a.as_str().unwrap().to_owned()).collect()
    };
    let names = |actions: [&str; 2]| BTreeSet::from(actions.map(str::to_owned));
    assert_eq!(allowed("arn:aws:s3:::company-sftpctl/state/*"), names(["s3:GetObject", "s3:PutObject"]));
    // Without ListBucket, S3 responds with "access denied" instead of "not found" while there is no state yet.
    assert_eq!(allowed("arn:aws:s3:::company-sftpctl"), names(["s3:GetBucketVersioning", "s3:ListBucket"]));
    let key = "arn:aws:kms:*:111111111111:key/00000000-0000-0000-0000-000000000000";
    assert_eq!(allowed(key), names(["kms:Decrypt", "kms:GenerateDataKey"]));
}
