//! `table-import`: `users import --via-s3`, which creates the account table with its accounts. DynamoDB reads the objects and
//! writes its log with the permissions of whoever calls ImportTable (Amazon DynamoDB developer guide, "Requesting a table
//! import in DynamoDB").

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};
use crate::spec::state_place::StatePlace;

/// The statements for a state in a bucket; `None` for a folder, from which DynamoDB reads nothing.
pub(super) fn statements(arns: &Arns<'_>, place: &StatePlace) -> Option<Vec<Value>> {
    let StatePlace::Bucket { bucket, prefix, .. } = place else { return None };
    let objects = format!("arn:aws:s3:::{bucket}/{prefix}{}.import/*", arns.0.name);
    Some(vec![
        allow(
            "CreateTable",
            &[
                "dynamodb:DescribeTable",
                "dynamodb:ImportTable",
                "dynamodb:ListImports",
                "dynamodb:ListTagsOfResource",
                "dynamodb:TagResource",
            ],
            [arns.table()],
        ),
        allow("FollowImport", &["dynamodb:DescribeImport"], [format!("{}/import/*", arns.table())]),
        // The objects contain hashes of passwords: no version of them stays.
        allow("DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"], [objects]),
        allow("FindObjects", &["s3:ListBucketVersions"], [format!("arn:aws:s3:::{bucket}")]),
        allow_all("FindLogOfImport", &["logs:DescribeLogGroups"]),
        allow(
            "LogOfImport",
            &[
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:FilterLogEvents",
                "logs:PutLogEvents",
                "logs:PutRetentionPolicy",
            ],
            [format!("arn:aws:logs:{}:{}:log-group:/aws-dynamodb/*", arns.0.home_region, arns.0.account)],
        ),
    ])
}
