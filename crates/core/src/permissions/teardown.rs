//! `teardown`: the calls that delete data, and what only a teardown deletes. In addition to `deployer`.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_if};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        // A bucket without files is deleted without `--delete-data` too.
        allow("DeleteUploadBuckets", &["s3:DeleteBucket", "s3:ListBucketVersions"], arns.upload_buckets()),
        allow("DeleteFiles", &["s3:DeleteObject", "s3:DeleteObjectVersion"], arns.upload_objects("*")),
        allow("DeleteTable", &["dynamodb:DeleteTable", "dynamodb:DeleteTableReplica"], [arns.table()]),
        allow("DeleteRoles", &["iam:DeleteRole"], [arns.user_role(), arns.api_log_role()]),
        // With `--release-addresses`.
        allow_if("ReleaseAddresses", &["ec2:ReleaseAddress"], [arns.elastic_ips()], arns.is_tagged()),
        // A late line creates a log group again after its stack has been deleted.
        allow("DeleteLogGroups", &["logs:DeleteLogGroup"], arns.log_groups()),
    ]
}
