//! `deployer`: the changes of `deploy`, `import` and `verify`, and what AWS services call with the deployer's
//! permissions, except what CloudFormation calls for the stacks (`stack`) and deletion of data (`teardown`). The reads
//! are those of `reader`: one document would not hold both.

use serde_json::{Value, json};

use super::Site;
use super::arns::Arns;
use super::reader;
use super::statement::{allow, allow_all, allow_if, service_linked_roles};
use crate::spec::model::Environment;

/// AWS's managed policy for API Gateway's role for logs.
const API_LOG_POLICY: &str = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";

pub(super) fn statements(arns: &Arns<'_>, site: Site<'_>) -> Vec<Value> {
    let mut all = stacks(arns);
    all.extend(buckets(arns));
    // DynamoDB copies the items with the deployer's permissions when a replica is created (DynamoDB developer guide, "Using
    // IAM with global tables"), and a canary logs in after a deployment.
    all.push(items(arns));
    all.extend(roles(arns));
    all.extend([
        pass_roles(arns),
        service_linked_roles(arns, &["ops.apigateway.amazonaws.com", "replication.dynamodb.amazonaws.com"]),
        without_conditions(arns),
    ]);
    all.extend(servers(arns));
    all.extend(records(arns, site));
    all
}

/// A condition: the stack has the service role, if the file names one.
fn with_stack_role(environment: &Environment) -> Value {
    match &environment.stack_role {
        Some(role) => json!({ "StringEquals": { "cloudformation:RoleArn": role } }),
        None => json!({}),
    }
}

fn stacks(arns: &Arns<'_>) -> Vec<Value> {
    vec![allow_if(
        "ChangeStacks",
        &[
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:CreateChangeSet",
            "cloudformation:CreateStack",
            "cloudformation:DeleteStack",
            "cloudformation:UpdateStack",
        ],
        [arns.stacks()],
        with_stack_role(arns.0),
    )]
}

fn buckets(arns: &Arns<'_>) -> [Value; 2] {
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
        // That of a region that has left the environment file is deleted, once it is empty.
        allow(
            "ChangeCodeBuckets",
            &[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
            ],
            [arns.code_buckets()],
        ),
    ]
}

/// In one statement, to save characters: each action applies to one of the resources.
fn without_conditions(arns: &Arns<'_>) -> Value {
    let mut resources = reader::apis(&["/account"]);
    resources.extend(arns.code_objects());
    resources.extend([
        arns.stacks(),
        arns.dashboard(),
        arns.functions(),
        arns.table(),
        arns.host_keys(),
        arns.sftp_users(),
    ]);
    resources.extend([arns.user_role(), arns.api_log_role(), arns.user_policies()]);
    allow(
        "ChangeFunctionsAndMore",
        &[
            "apigateway:PATCH",
            "cloudformation:DeleteChangeSet",
            "cloudformation:ExecuteChangeSet",
            "cloudwatch:DeleteDashboards",
            "cloudwatch:PutDashboard",
            "cloudwatch:TagResource",
            "dynamodb:CreateTable",
            "dynamodb:CreateTableReplica",
            "dynamodb:TagResource",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTable",
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            // Of a role without the boundary, too: one from before the file named it is torn down.
            "iam:DetachRolePolicy",
            "iam:ListPolicyVersions",
            "iam:TagPolicy",
            "iam:TagRole",
            "lambda:AddPermission",
            "lambda:RemovePermission",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            // The authorizer's package, and the stacks' templates.
            "s3:DeleteObjectVersion",
            "s3:PutObject",
            // Host keys have no tag of the environment, and the IDs of the servers are not known before they are created.
            "transfer:DeleteHostKey",
            "transfer:TestIdentityProvider",
            "transfer:UpdateHostKey",
        ],
        resources,
    )
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
        allow_if("AttachPolicies", &["iam:AttachRolePolicy"], roles.clone(), attach),
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

fn servers(arns: &Arns<'_>) -> [Value; 4] {
    let created = json!({
        "aws:RequestTag/sftpctl:environment": arns.0.name,
        "aws:RequestedRegion": arns.regions(),
    });
    [
        // Without a resource type: a server has no ARN before it is created.
        allow_if("CreateServers", &["transfer:CreateServer"], ["*".to_owned()], json!({ "StringLike": created })),
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
        // For structured logs (Transfer Family user guide, "Creating, updating and viewing logging for servers"). The
        // reads among them are in `reader`.
        allow_all(
            "DeliverLogs",
            &["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"],
        ),
    ]
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
