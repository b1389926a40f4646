//! `mount`: what the program of a mount calls, for the role of an application server. `mounts` itself calls nothing.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_if};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let buckets = arns.clusters_buckets();
    let objects: Vec<String> = buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    let mut all = vec![
        // Without ListBucket, S3 responds with "access denied" instead of "not found" for a file that is not there.
        allow("ListFiles", &["s3:ListBucket"], buckets),
        allow(
            "UseFiles",
            &["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            objects.clone(),
        ),
    ];
    if !arns.0.s3_files.is_empty() {
        all.extend(file_systems(arns, objects));
    }
    all
}

/// For a mount of Amazon S3 Files: the NFS client; reads of large files, which it makes from the bucket itself; and the
/// outputs of the stacks, in which `mounts install` finds the file system.
fn file_systems(arns: &Arns<'_>, objects: Vec<String>) -> [Value; 3] {
    [
        allow_if(
            "MountFileSystems",
            &["s3files:ClientMount", "s3files:ClientRootAccess", "s3files:ClientWrite"],
            [arns.file_systems()],
            arns.is_tagged(),
        ),
        allow("ReadVersions", &["s3:GetObjectVersion"], objects),
        allow("FindFileSystems", &["cloudformation:DescribeStacks"], [arns.stacks()]),
    ]
}
