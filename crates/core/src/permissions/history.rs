//! `history` and `restore`: the versions of customers' files, and with `files.history_events` the messages that tell of them.
//! Whoever has them can read every file of every customer.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};

/// What reads versions and contents.
pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut all = vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity"]),
        // A customer's folder is that of the account.
        allow("FindAccounts", &["dynamodb:GetItem", "dynamodb:Query"], arns.table_and_indexes()),
        // Without ListBucket, S3 responds with "access denied" instead of "not found".
        // A restoration, also one that is only planned, needs a bucket that keeps versions.
        allow(
            "ListVersions",
            &["s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketVersions"],
            arns.upload_buckets(),
        ),
        allow("ReadVersions", &["s3:GetObject", "s3:GetObjectVersion"], arns.upload_objects("*")),
    ];
    if arns.0.files.history_events {
        let calls = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"];
        all.push(allow("TakeEvents", &calls, [arns.history_queues()]));
    }
    all
}

/// What brings versions back. A deletion without a version leaves a marker, and every version.
pub(super) fn restoring(arns: &Arns<'_>) -> Vec<Value> {
    let actions = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:PutObject",
        // A copy has the tags of its source (S3 API reference, CopyObject).
        "s3:GetObjectTagging",
        "s3:GetObjectVersionTagging",
        "s3:PutObjectTagging",
    ];
    vec![allow("RestoreVersions", &actions, arns.upload_objects("*"))]
}
