//! `mount`: what the program of a mount calls, for the role of an application server. `mounts` itself calls nothing.

use serde_json::Value;

use super::arns::Arns;
use super::statement::allow;

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let buckets = arns.clusters_buckets();
    let objects: Vec<String> = buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    vec![
        // Without ListBucket, S3 responds with "access denied" instead of "not found" for a file that is not there.
        allow("ListFiles", &["s3:ListBucket"], buckets),
        allow("UseFiles", &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"], objects),
    ]
}
