//! `agent`: the calls of `pull`, which takes customers' files from S3 and changes nothing there.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let buckets = arns.clusters_buckets();
    let objects: Vec<String> = buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity"]),
        allow("ListFiles", &["s3:ListBucket"], buckets),
        allow("ReadFiles", &["s3:GetObject"], objects),
    ]
}
