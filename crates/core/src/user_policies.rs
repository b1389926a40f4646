//! What the user role may do: the union of an environment's upload buckets, in as many managed policies as it takes. Pure.
//!
//! Each bucket is written out, since a wildcard over the prefix would open buckets of others. IAM takes 6,144 characters for
//! a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas"), which some 80 buckets fill.

use std::ops::Range;

use serde_json::{Value, json};

/// Characters of a managed policy.
const CHARACTERS: usize = 6_144;
/// Managed policies that AWS attaches to a role, unless its quota is raised.
pub const ATTACHED: usize = 10;
/// Managed policies that AWS attaches to a role at most.
pub const ATTACHED_AT_MOST: usize = 20;

/// The policies' documents, in the order of the buckets. At least one.
pub fn documents(buckets: &[String]) -> Vec<Value> {
    parts(buckets).into_iter().map(|part| document(&buckets[part])).collect()
}

/// Which buckets each policy holds.
pub fn parts(buckets: &[String]) -> Vec<Range<usize>> {
    // The first of each list has no comma before it.
    let empty = document(&[]).to_string().len() - 2;
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, empty);
    for (at, bucket) in buckets.iter().enumerate() {
        // Twice in quotes, with a comma; once with `/*`.
        let more = 2 * (arn(bucket, "").len() + 3) + 2;
        if size + more > CHARACTERS && at > start {
            parts.push(start..at);
            (start, size) = (at, empty);
        }
        size += more;
    }
    parts.push(start..buckets.len());
    parts
}

fn arn(bucket: &str, suffix: &str) -> String {
    format!("arn:aws:s3:::{bucket}{suffix}")
}

fn document(buckets: &[String]) -> Value {
    let arns = |suffix: &str| -> Vec<String> { buckets.iter().map(|bucket| arn(bucket, suffix)).collect() };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ListBuckets",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                "Resource": arns(""),
            },
            {
                "Sid": "UseObjects",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
                    // Transfer renames by a copy, which copies the tags.
                    "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging",
                    "s3:PutObjectVersionTagging",
                ],
                "Resource": arns("/*"),
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("pl-pt77-{n:04}-uploads")).collect()
    }

    #[test]
    fn every_bucket_is_in_one_policy_that_iam_takes() {
        for count in [0, 1, 6, 80, 81, 82, 83, 84, 1000] {
            let buckets = buckets(count);
            let documents = documents(&buckets);
            let mut held = Vec::new();
            for document in &documents {
                assert!(document.to_string().len() <= CHARACTERS, "{}", document.to_string().len());
                let list = |at: usize| document["Statement"][at]["Resource"].as_array().cloned().unwrap_or_default();
                assert_eq!(list(0).len(), list(1).len());
                held.extend(list(0));
            }
            assert_eq!(held, buckets.iter().map(|bucket| json!(arn(bucket, ""))).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_policy_is_filled_before_the_next_begins() {
        let parts = parts(&buckets(1000));
        let one_more = document(&buckets(parts[0].len() + 1)).to_string().len();
        assert!(one_more > CHARACTERS, "{one_more}");
        assert_eq!(parts.len(), 1000_usize.div_ceil(parts[0].len()));
    }
}
