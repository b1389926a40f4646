//! `deployer`: the calls of `deploy`, `import` and `verify`, and what AWS services call with the deployer's
//! permissions, except what CloudFormation calls for the stacks (`stack`) and deletion of data (`teardown`).

use serde_json::{Value, json};

use super::Site;
use super::arns::Arns;
use super::reader;
use super::statement::{allow, allow_all, allow_if};
use crate::spec::model::Environment;

/// AWS's managed policy for API Gateway's role for logs.
const API_LOG_POLICY: &str = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";

pub(super) fn statements(arns: &Arns<'_>, site: Site<'_>) -> Vec<Value> {
    let mut all = reader::reads(arns, site);
    all.extend(stacks(arns));
    all.extend(buckets(arns));
    all.extend(table(arns));
    all.extend(roles(arns));
    all.extend([
        pass_roles(arns),
        allow_if(
            "CreateServiceLinkedRoles",
            &["iam:CreateServiceLinkedRole"],
            [format!("arn:aws:iam::{}:role/aws-service-role/*", arns.0.account)],
            json!({ "StringEquals": {
                "iam:AWSServiceName": ["ops.apigateway.amazonaws.com", "replication.dynamodb.amazonaws.com"],
            } }),
        ),
        allow(
            "ChangeFunctions",
            &["lambda:AddPermission", "lambda:RemovePermission", "lambda:UpdateFunctionConfiguration"],
            [arns.functions()],
        ),
        allow("SetLogRoleOfApis", &["apigateway:PATCH"], reader::apis(&["/account"])),
    ]);
    all.extend(servers(arns));
    all.extend(records(arns, site));
    all
}

/// A condition: the stack has the service role, if the file names one, and `more`.
fn with_stack_role(environment: &Environment, mut more: Value) -> Value {
    if let Some(role) = &environment.stack_role {
        more["StringEquals"]["cloudformation:RoleArn"] = json!(role);
    }
    more
}

fn stacks(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        allow_if(
            "ChangeStacks",
            &["cloudformation:CreateChangeSet", "cloudformation:CreateStack", "cloudformation:UpdateStack"],
            [arns.stacks()],
            with_stack_role(arns.0, json!({ "StringEquals": in_regions(arns.0) })),
        ),
        // Also where the environment no longer has a region.
        allow_if(
            "DeleteStacks",
            &["cloudformation:ContinueUpdateRollback", "cloudformation:DeleteStack"],
            [arns.stacks()],
            with_stack_role(arns.0, json!({})),
        ),
        allow("UseChangeSets", &["cloudformation:DeleteChangeSet", "cloudformation:ExecuteChangeSet"], [arns.stacks()]),
    ]
}

/// The part of a condition that allows only regions of the environment.
fn in_regions(environment: &Environment) -> Value {
    json!({ "aws:RequestedRegion": environment.regions.keys().collect::<Vec<_>>() })
}

fn buckets(arns: &Arns<'_>) -> [Value; 4] {
    [
        // The settings of a kept bucket, before its import into a stack.
        allow(
            "ChangeUploadBuckets",
            &[
                "s3:DeleteBucketPolicy",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
            ],
            arns.upload_buckets(),
        ),
        allow(
            "ChangeCodeBuckets",
            &["s3:CreateBucket", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging"],
            [arns.code_buckets()],
        ),
        // That of a region that has left the environment file, once it is empty.
        allow("DeleteCodeBuckets", &["s3:DeleteBucket"], [arns.code_buckets()]),
        allow("ChangeCode", &["s3:DeleteObject", "s3:PutObject"], arns.code_objects()),
    ]
}

/// The items: DynamoDB copies them with the deployer's permissions when a replica is created (DynamoDB developer guide,
/// "Using IAM with global tables"), and a canary logs in after a deployment.
fn table(arns: &Arns<'_>) -> [Value; 2] {
    [
        allow(
            "ChangeTable",
            &[
                "dynamodb:CreateTable",
                "dynamodb:CreateTableReplica",
                "dynamodb:TagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
            ],
            [arns.table()],
        ),
        items(arns),
    ]
}

/// Reads and writes of accounts.
pub(super) fn items(arns: &Arns<'_>) -> Value {
    allow(
        "Accounts",
        &[
            "dynamodb:BatchWriteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
        arns.table_and_indexes(),
    )
}

fn roles(arns: &Arns<'_>) -> Vec<Value> {
    let roles = [arns.user_role(), arns.api_log_role()];
    let mut create = vec!["iam:CreateRole", "iam:UpdateAssumeRolePolicy"];
    if arns.0.permissions_boundary.is_some() {
        create.push("iam:PutRolePermissionsBoundary");
    }
    let mut attach = arns.is_bounded();
    attach["ArnLike"] = json!({ "iam:PolicyARN": [arns.user_policies(), API_LOG_POLICY] });
    vec![
        allow_if("CreateRoles", &create, roles.clone(), arns.is_bounded()),
        allow("TagRoles", &["iam:TagRole"], roles.clone()),
        allow_if("AttachPolicies", &["iam:AttachRolePolicy"], roles.clone(), attach),
        allow_if(
            "DetachPolicies",
            &["iam:DetachRolePolicy"],
            roles,
            json!({ "ArnLike": { "iam:PolicyARN": [arns.user_policies(), API_LOG_POLICY] } }),
        ),
        allow(
            "ChangePolicies",
            &[
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:ListPolicyVersions",
                "iam:TagPolicy",
            ],
            [arns.user_policies()],
        ),
    ]
}

fn pass_roles(arns: &Arns<'_>) -> Value {
    let mut roles = arns.roles().to_vec();
    roles.extend(arns.logging_role());
    let mut services = vec!["apigateway.amazonaws.com", "transfer.amazonaws.com"];
    if let Some(role) = &arns.0.stack_role {
        services.push("cloudformation.amazonaws.com");
        roles.push(role.clone());
    }
    allow_if("PassRoles", &["iam:PassRole"], roles, json!({ "StringEquals": { "iam:PassedToService": services } }))
}

fn servers(arns: &Arns<'_>) -> [Value; 6] {
    let mut created = in_regions(arns.0);
    created["aws:RequestTag/sftpctl:environment"] = json!(arns.0.name);
    [
        // Without a resource type: a server has no ARN before it is created.
        allow_if("CreateServers", &["transfer:CreateServer"], ["*".to_owned()], json!({ "StringEquals": created })),
        // A server without the tag of any environment, when it is created or adopted.
        allow_if(
            "TagServers",
            &["transfer:TagResource"],
            [arns.servers()],
            json!({
                "Null": { "aws:ResourceTag/sftpctl:environment": "true" },
                "StringEquals": { "aws:RequestTag/sftpctl:environment": arns.0.name },
            }),
        ),
        allow_if(
            "ChangeServers",
            &[
                "transfer:DeleteServer",
                "transfer:ImportHostKey",
                "transfer:StartServer",
                "transfer:TagResource",
                "transfer:UpdateServer",
            ],
            [arns.servers()],
            arns.is_tagged(),
        ),
        // Host keys have no tag of the environment, and the IDs of the servers are not known before they are created.
        allow("ChangeHostKeys", &["transfer:DeleteHostKey", "transfer:UpdateHostKey"], [arns.host_keys()]),
        test_logins(arns),
        // For structured logs (Transfer Family user guide, "Creating, updating and viewing logging for servers").
        allow_all(
            "DeliverLogs",
            &[
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ],
        ),
    ]
}

/// Authorized on the user, whose ARN has the server's ID and the name that logs in.
pub(super) fn test_logins(arns: &Arns<'_>) -> Value {
    allow("TestLogins", &["transfer:TestIdentityProvider"], [arns.sftp_users()])
}

fn records(arns: &Arns<'_>, site: Site<'_>) -> Option<Value> {
    let dns = site.environment.dns.as_ref()?;
    let condition = json!({
        "ForAllValues:StringLike": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": arns.record_names(dns),
        },
        "ForAllValues:StringEquals": { "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"] },
    });
    let zone = [arns.hosted_zone(site.zone_id)];
    Some(allow_if("ChangeRecords", &["route53:ChangeResourceRecordSets"], zone, condition))
}
