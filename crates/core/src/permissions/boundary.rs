//! `boundary`: the most that the roles of a deployment may ever do, for the managed policy that `permissions_boundary`
//! names.

use serde_json::Value;

use super::arns::Arns;
use super::reader::apis;
use super::statement::{allow, allow_all};
use super::{malware, s3_files};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = vec![
        // The function's role.
        allow("ReadAccounts", &["dynamodb:GetItem", "dynamodb:Query"], arns.table_and_indexes()),
        // The role that Transfer Family calls the API with.
        allow("Authorize", &["execute-api:Invoke"], [arns.authorizer_paths()]),
        allow("ReadApis", &["apigateway:GET"], apis(&["/restapis/*"])),
        // The customers' role.
        allow("ListFiles", &["s3:GetBucketLocation", "s3:ListBucket"], arns.upload_buckets()),
        allow(
            "UseFiles",
            &[
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectTagging",
                "s3:GetObjectVersion",
                "s3:GetObjectVersionTagging",
                "s3:PutObject",
                "s3:PutObjectTagging",
                "s3:PutObjectVersionTagging",
            ],
            arns.upload_objects("*"),
        ),
        // The role of rules for another region's bus.
        allow("ForwardEvents", &["events:PutEvents"], [arns.default_buses()]),
        // The function's role, and API Gateway's for logs, whose group for its own test has a name of AWS's choice.
        allow(
            "WriteLogs",
            &[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:GetLogEvents",
                "logs:PutLogEvents",
            ],
            [arns.any_log_group()],
        ),
        allow_all("ListLogGroups", &["logs:DescribeLogGroups"]),
    ];
    if arns.0.guard.is_some() {
        all.push(allow("CountRefusals", &["dynamodb:BatchGetItem", "dynamodb:UpdateItem"], [arns.guard_table()]));
    }
    if !arns.0.decrypt.is_empty() {
        all.push(allow("ReadPgpKeys", &["secretsmanager:GetSecretValue"], [arns.pgp_secrets()]));
    }
    if !arns.0.s3_files.is_empty() {
        all.extend(s3_files::synchronization(arns));
    }
    if !arns.0.malware_scan.is_empty() {
        all.extend(malware::scanning(arns));
    }
    all
}
