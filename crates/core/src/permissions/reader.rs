//! `reader`: the calls of `plan`, `drift`, `status` and `connect-info`, and those of CloudFormation's drift detection,
//! which reads the resources of a stack with the caller's permissions (CloudFormation user guide, "Detect drift").

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};
use super::{Site, decrypt, malware, s3_files, state, topics, waf};
use crate::spec::model::HostKeySource;

/// What the read handlers of `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`, and sftpctl, read of an upload bucket.
pub(super) const BUCKET: [&str; 20] = [
    "s3:GetAccelerateConfiguration",
    "s3:GetAnalyticsConfiguration",
    "s3:GetBucketAbac",
    "s3:GetBucketCORS",
    "s3:GetBucketLogging",
    "s3:GetBucketMetadataTableConfiguration",
    "s3:GetBucketNotification",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:GetIntelligentTieringConfiguration",
    "s3:GetInventoryConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:GetMetricsConfiguration",
    "s3:GetReplicationConfiguration",
    // For HeadBucket. It also lists the names of customers' files, but not what is in them.
    "s3:ListBucket",
];
pub(super) const FUNCTION: [&str; 8] = [
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionRecursionConfig",
    "lambda:GetFunctionScalingConfig",
    "lambda:GetPolicy",
    "lambda:GetRuntimeManagementConfig",
    "lambda:ListTags",
];
pub(super) const ROLE: [&str; 4] =
    ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"];
pub(super) const LOG_GROUP: [&str; 3] =
    ["logs:DescribeMetricFilters", "logs:GetDataProtectionPolicy", "logs:ListTagsForResource"];
/// Reads of log groups that have no resource type.
pub(super) const LOGS: [&str; 4] = [
    "logs:DescribeIndexPolicies",
    "logs:DescribeLogGroups",
    "logs:DescribeQueryDefinitions",
    "logs:DescribeResourcePolicies",
];

pub(super) const TABLE: [&str; 7] = [
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeContributorInsights",
    "dynamodb:DescribeKinesisStreamingDestination",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:GetResourcePolicy",
    "dynamodb:ListTagsOfResource",
];
pub(super) const QUEUE: [&str; 3] = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"];
pub(super) const RULE: [&str; 3] = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"];

/// What `doctor` reads of the account's quotas, and of what is left over under the environment's names; and the usage
/// that `cost --measured` reads.
const LIMITS: [&str; 8] = [
    "cloudformation:DescribeAccountLimits",
    "cloudformation:ListStacks",
    "cloudwatch:GetMetricData",
    "dynamodb:ListTables",
    "iam:GetAccountSummary",
    "lambda:GetAccountSettings",
    "servicequotas:GetAWSDefaultServiceQuota",
    "transfer:ListSecurityPolicies",
];

/// What is read of servers in VPCs: their addresses, their endpoints, and the network that they are in.
const NETWORK: [&str; 6] = [
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
];

pub(super) fn statements(arns: &Arns<'_>, site: Site<'_>) -> Vec<Value> {
    let mut all = account(arns);
    all.extend(stacks(arns));
    all.extend(buckets(arns));
    all.extend([allow("ReadRoles", &ROLE, arns.roles()), functions_and_more(arns, site)]);
    all.extend(host_keys(arns));
    let given = arns.given_topics();
    all.extend((!given.is_empty()).then(|| allow("ReadGivenTopics", &["sns:GetTopicAttributes"], given)));
    let state = site.state.and_then(|place| state::statements(arns, place, &["s3:GetObject"]));
    all.extend(state.into_iter().flatten());
    all
}

/// In one statement, to save characters: each action applies to one of the resources.
fn functions_and_more(arns: &Arns<'_>, site: Site<'_>) -> Value {
    let mut actions =
        ["cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"].to_vec();
    actions.extend(TABLE.into_iter().chain(FUNCTION).chain(LOG_GROUP).chain(QUEUE).chain(RULE));
    actions.extend(["apigateway:GET", "dynamodb:DescribeGlobalTable"]);
    // Log-ins that fail are diagnosed from every policy that is attached to the roles.
    actions.extend(["iam:GetPolicy", "iam:GetPolicyVersion"]);
    // A server is found among all by its tag.
    actions.extend(["transfer:DescribeServer", "transfer:ListHostKeys"]);
    // The caller's own role, service-linked roles, and the role that API Gateway already has for logs; whether a bucket
    // that is adopted is in another stack; quotas; what a role or a user may do.
    actions.extend([
        "cloudformation:DescribeStackResources",
        "iam:GetRole",
        "iam:SimulatePrincipalPolicy",
        "servicequotas:GetServiceQuota",
    ]);
    let mut resources =
        vec![arns.any_alarm(), arns.dashboard(), arns.functions(), arns.queues(), arns.rules(), arns.servers()];
    resources.extend([arns.table(), arns.guard_table(), arns.global_table()]);
    resources.extend(arns.log_groups());
    resources.extend(arns.any_policy());
    resources.extend([arns.any_role(), arns.any_stack(), arns.any_user(), arns.any_quota()]);
    resources.extend(apis(&["/account", "/apis", "/restapis", "/restapis/*"]));
    if site.environment.dns.is_some() {
        actions.extend(["route53:GetHostedZone", "route53:GetHostedZoneLimit", "route53:ListResourceRecordSets"]);
        resources.push(arns.hosted_zone(site.zone_id));
    }
    if !arns.0.s3_files.is_empty() {
        actions.extend(s3_files::READS);
        resources.push(arns.file_systems());
    }
    if arns.0.waf.is_some() {
        actions.extend(waf::READS);
        resources.push(arns.web_acls_and_sets());
    }
    if !arns.0.malware_scan.is_empty() {
        actions.push(malware::READ);
        resources.push(arns.malware_plans());
    }
    if arns.0.has_topics() {
        actions.extend(topics::READS);
        resources.push(arns.topics());
    }
    if !arns.0.decrypt.is_empty() {
        // Of a key only whether it is there.
        actions.extend([decrypt::READ, "secretsmanager:DescribeSecret"]);
        resources.extend([arns.workflows(), arns.default_pgp_secrets()]);
    }
    allow("ReadFunctionsAndMore", &actions, resources)
}

/// The paths below API Gateway, in every region.
pub(super) fn apis(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| format!("arn:aws:apigateway:*::{path}")).collect()
}

/// Reads that have no resource type.
fn account(arns: &Arns<'_>) -> Vec<Value> {
    let mut actions = vec!["cloudformation:DescribeStackDriftDetectionStatus"];
    actions.extend(LOGS);
    if arns.0.dns.is_some() {
        actions.push("route53:ListHostedZonesByName");
    }
    if arns.0.names_endpoints() {
        actions.extend(NETWORK);
    }
    // What Transfer Family calls with the caller's permissions for structured logs.
    actions.extend(["logs:GetLogDelivery", "logs:ListLogDeliveries"]);
    actions.extend(["s3:ListAllMyBuckets", "sts:GetCallerIdentity", "transfer:ListServers"]);
    actions.extend(LIMITS);
    vec![allow_all("ReadAccount", &actions)]
}

fn stacks(arns: &Arns<'_>) -> [Value; 1] {
    [allow(
        "ReadStacks",
        &[
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeEvents",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStackResourceDrifts",
            "cloudformation:DescribeStacks",
            "cloudformation:DetectStackDrift",
            "cloudformation:DetectStackResourceDrift",
            "cloudformation:GetTemplate",
            "cloudformation:ListChangeSets",
            "cloudformation:ListStackResources",
        ],
        [arns.stacks()],
    )]
}

fn buckets(arns: &Arns<'_>) -> [Value; 4] {
    [
        allow(
            "ReadTagsOfBuckets",
            &["s3:GetBucketLocation", "s3:GetBucketTagging", "s3:ListTagsForResource"],
            [arns.buckets_with_prefix(), arns.code_buckets()],
        ),
        allow("ReadUploadBuckets", &BUCKET, arns.upload_buckets()),
        allow("ReadCodeBuckets", &["s3:ListBucket", "s3:ListBucketVersions"], [arns.code_buckets()]),
        allow("ReadCode", &["s3:GetObject", "s3:GetObjectVersion"], arns.code_objects()),
    ]
}

/// The private host keys that the environment file names: a plan compares their fingerprints.
fn host_keys(arns: &Arns<'_>) -> Vec<Value> {
    let (region, account) = (&arns.0.home_region, &arns.0.account);
    let (mut secrets, mut parameters) = (Vec::new(), Vec::new());
    for source in &arns.0.server.host_keys {
        match source {
            HostKeySource::File(_) => {}
            HostKeySource::Secret(arn) if arn.starts_with("arn:") => secrets.push(format!("{arn}*")),
            // Secrets Manager adds a hyphen and six characters to the name.
            HostKeySource::Secret(name) => {
                secrets.push(format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-??????"));
            }
            HostKeySource::Parameter(arn) if arn.starts_with("arn:") => parameters.push(arn.clone()),
            HostKeySource::Parameter(name) => {
                parameters.push(format!("arn:aws:ssm:{region}:{account}:parameter/{}", name.trim_start_matches('/')));
            }
        }
    }
    let statement =
        |sid: &str, action: &str, arns: Vec<String>| (!arns.is_empty()).then(|| allow(sid, &[action], arns));
    [
        statement("ReadSecretHostKeys", "secretsmanager:GetSecretValue", secrets),
        statement("ReadParameterHostKeys", "ssm:GetParameter", parameters),
    ]
    .into_iter()
    .flatten()
    .collect()
}
