//! `stack`: what CloudFormation calls to create, read, update and delete the resources of the stacks, by
//! `handlers.*.permissions` of AWS's resource schemas. Upload buckets are not deleted: the template retains them.

use serde_json::{Value, json};

use super::arns::Arns;
use super::reader::{BUCKET, FUNCTION, LOG_GROUP, LOGS, QUEUE, ROLE, RULE, TABLE, apis};
use super::statement::{allow, allow_all, allow_if, service_linked_roles};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = buckets(arns);
    all.extend(roles(arns));
    all.extend(functions(arns));
    all.extend(api(arns));
    all.extend(logs(arns));
    all.extend(events(arns));
    all.push(guard(arns));
    all
}

fn buckets(arns: &Arns<'_>) -> Vec<Value> {
    let mut actions = BUCKET.to_vec();
    actions.extend([
        "s3:CreateBucket",
        "s3:DeleteBucketPolicy",
        "s3:GetBucketLocation",
        "s3:GetBucketTagging",
        "s3:ListTagsForResource",
        "s3:PutBucketNotification",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:TagResource",
        "s3:UntagResource",
    ]);
    vec![
        allow("UploadBuckets", &actions, arns.upload_buckets()),
        // Lambda reads the package with the caller's permissions.
        allow("ReadCode", &["s3:GetObject", "s3:GetObjectVersion"], arns.code_objects()),
    ]
}

fn roles(arns: &Arns<'_>) -> Vec<Value> {
    let mut write = vec!["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"];
    // With a boundary, no role loses it.
    write.push(match arns.0.permissions_boundary {
        Some(_) => "iam:PutRolePermissionsBoundary",
        None => "iam:DeleteRolePermissionsBoundary",
    });
    let mut others = ROLE.to_vec();
    others.extend(["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole", "iam:UpdateRoleDescription"]);
    vec![
        allow_if("WriteRoles", &write, [arns.stack_roles()], arns.is_bounded()),
        allow("Roles", &others, [arns.stack_roles()]),
        allow_if(
            "PassRoles",
            &["iam:PassRole"],
            [arns.stack_roles()],
            json!({ "StringEquals": { "iam:PassedToService": ["events.amazonaws.com", "lambda.amazonaws.com"] } }),
        ),
        service_linked_roles(arns, &["lambda.amazonaws.com", "ops.apigateway.amazonaws.com"]),
    ]
}

fn functions(arns: &Arns<'_>) -> [Value; 1] {
    let mut actions = FUNCTION.to_vec();
    actions.extend([
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        "lambda:DeleteFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
        "lambda:TagResource",
        "lambda:UntagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ]);
    [allow("Functions", &actions, [arns.functions()])]
}

/// An API is created with the environment's tag, which everything in it inherits (API Gateway developer guide, "Using
/// tags to control access").
fn api(arns: &Arns<'_>) -> [Value; 4] {
    [
        allow("ReadApis", &["apigateway:GET"], apis(&["/restapis", "/restapis/*", "/tags/*"])),
        allow_if(
            "CreateApis",
            &["apigateway:POST"],
            apis(&["/restapis"]),
            json!({ "StringEquals": { "aws:RequestTag/sftpctl:environment": arns.0.name } }),
        ),
        allow_if(
            "ChangeApis",
            &["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"],
            apis(&["/restapis/*"]),
            arns.is_tagged(),
        ),
        // The path has the ARN of the API, percent-encoded; this resource type has no condition key for its tags.
        allow(
            "TagApis",
            &["apigateway:DELETE", "apigateway:PUT"],
            apis(&["/tags/arn%3Aaws%3Aapigateway%3A*%3A%3A%2Frestapis%2F*"]),
        ),
    ]
}

fn logs(arns: &Arns<'_>) -> [Value; 4] {
    let mut groups = LOG_GROUP.to_vec();
    groups.extend([
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DeleteMetricFilter",
        "logs:DeleteRetentionPolicy",
        "logs:PutMetricFilter",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
        "logs:UntagResource",
    ]);
    // IAM has no resource for these. Queries also without `logs.saved_queries`: the deployment after it was left out
    // deletes them.
    let mut others = LOGS.to_vec();
    others.extend([
        "logs:CreateLogDelivery",
        "logs:DeleteQueryDefinition",
        "logs:PutQueryDefinition",
        "logs:PutResourcePolicy",
    ]);
    [
        allow("LogGroups", &groups, arns.log_groups()),
        allow_all("Logs", &others),
        allow("ReadAlarms", &["cloudwatch:DescribeAlarms"], [arns.any_alarm()]),
        allow(
            "Alarms",
            &[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:ListTagsForResource",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
            [arns.alarms()],
        ),
    ]
}

/// Also without `files.events`: the deployment after it was left out deletes them.
fn events(arns: &Arns<'_>) -> [Value; 2] {
    let (mut queues, mut rules) = (QUEUE.to_vec(), RULE.to_vec());
    queues.extend(["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]);
    rules.extend([
        "events:DeleteRule",
        "events:PutRule",
        "events:PutTargets",
        "events:RemoveTargets",
        "events:TagResource",
        "events:UntagResource",
    ]);
    [allow("Queues", &queues, [arns.queues()]), allow("Rules", &rules, [arns.rules()])]
}

/// Also without `guard`, for the same reason.
fn guard(arns: &Arns<'_>) -> Value {
    let mut actions = TABLE.to_vec();
    actions.extend([
        "dynamodb:CreateTable",
        "dynamodb:DeleteTable",
        "dynamodb:TagResource",
        "dynamodb:UntagResource",
        "dynamodb:UpdateTable",
        "dynamodb:UpdateTimeToLive",
    ]);
    allow("GuardTables", &actions, [arns.guard_table()])
}
