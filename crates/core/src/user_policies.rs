//! The user role's permissions: access to all upload buckets of an environment, in as many managed policies as needed.
//! Pure.
//!
//! Each bucket is written out, because a wildcard after the prefix would also match other owners' buckets. IAM allows
//! 6,144 characters for a managed policy, without white space (IAM user guide, "IAM and AWS STS quotas"), which about
//! 80 buckets fill.

use std::ops::Range;

use serde_json::{Value, json};

/// Maximum length of a managed policy in characters.
const CHARACTERS: usize = 6_144;
/// Managed policies per role, unless the quota is raised.
pub const ATTACHED: usize = 10;
/// Managed policies per role with the highest quota.
pub const ATTACHED_AT_MOST: usize = 20;

/// The documents of the policies, in the order of the buckets. At least one.
pub fn documents(buckets: &[String]) -> Vec<Value> {
    parts(buckets).into_iter().map(|part| document(&buckets[part])).collect()
}

/// The range of buckets in each policy.
pub fn parts(buckets: &[String]) -> Vec<Range<usize>> {
    // The first of each list has no comma before it.
    let empty = document(&[]).to_string().len() - 2;
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, empty);
    for (at, bucket) in buckets.iter().enumerate() {
        // Each bucket occurs twice, with quotes and a comma; once followed by `/*`.
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
                    // A rename copies the object with its tags: a virus scanner's, or those of a lifecycle rule.
                    "s3:GetObject*Tagging", "s3:PutObject*Tagging",
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
    fn every_bucket_is_in_one_policy_that_iam_accepts() {
        for count in [0, 1, 6, 80, 81, 82, 83, 84, 1000] {
            let buckets = buckets(count);
            let documents = documents(&buckets);
            let mut listed = Vec::new();
            for document in &documents {
                assert!(document.to_string().len() <= CHARACTERS, "{}", document.to_string().len());
                let list = |at: usize| document["Statement"][at]["Resource"].as_array().cloned().unwrap_or_default();
                assert_eq!(list(0).len(), list(1).len());
                listed.extend(list(0));
            }
            assert_eq!(listed, buckets.iter().map(|bucket| json!(arn(bucket, ""))).collect::<Vec<_>>());
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
