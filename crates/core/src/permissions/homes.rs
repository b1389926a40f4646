//! `homes`: the calls of `homes …` on the files, in addition to `users` for the accounts whose homes they are.

use serde_json::Value;

use super::arns::Arns;
use super::statement::allow;

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        // Without ListBucket, S3 responds with "access denied" instead of "not found" for a file that is not there yet.
        allow("ListFiles", &["s3:ListBucket", "s3:ListBucketMultipartUploads"], arns.upload_buckets()),
        allow(
            "MoveFiles",
            &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            arns.upload_objects("*"),
        ),
    ]
}
