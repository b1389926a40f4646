//! `s3-files`: what CloudFormation calls for the file systems of Amazon S3 Files, in addition to `stack`, by
//! `handlers.*.permissions` of AWS's resource schemas. One document would not hold both.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::{allow, allow_all, allow_if};

/// What the read handlers of `AWS::S3Files::*` call.
pub(super) const READS: [&str; 5] = [
    "s3files:GetAccessPoint",
    "s3files:GetFileSystem",
    "s3files:GetMountTarget",
    "s3files:GetSynchronizationConfiguration",
    "s3files:ListTagsForResource",
];

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let mut changes = READS.to_vec();
    changes.extend([
        "s3files:CreateAccessPoint",
        "s3files:CreateMountTarget",
        "s3files:DeleteAccessPoint",
        "s3files:DeleteFileSystem",
        "s3files:DeleteMountTarget",
        "s3files:ListMountTargets",
        "s3files:PutSynchronizationConfiguration",
        "s3files:TagResource",
        "s3files:UntagResource",
        "s3files:UpdateMountTarget",
    ]);
    let new = json!({ "aws:RequestTag/sftpctl:environment": arns.0.name });
    let mut created = new.clone();
    created["s3files:CreateAction"] = json!(["CreateAccessPoint", "CreateFileSystem"]);
    vec![
        allow_if("FileSystems", &changes, [arns.file_systems()], arns.is_tagged()),
        // Without a resource type: a file system has no ARN before it is created.
        allow_if("CreateFileSystems", &["s3files:CreateFileSystem"], ["*".to_owned()], json!({ "StringEquals": new })),
        allow_if(
            "TagNewFileSystems",
            &["s3files:TagResource"],
            [arns.file_systems()],
            json!({ "StringEquals": created }),
        ),
        allow_if(
            "PassRolesToS3Files",
            &["iam:PassRole"],
            [arns.stack_roles()],
            json!({ "StringEquals": { "iam:PassedToService": "elasticfilesystem.amazonaws.com" } }),
        ),
        // S3 Files calls these with the caller's permissions: a mount target is a network interface, and rules tell of
        // changes in the bucket.
        allow(
            "MountTargets",
            &["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"],
            arns.network(),
        ),
        allow(
            "RulesOfS3Files",
            &[
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
            ],
            [arns.rules_of_s3_files()],
        ),
        // The descriptions beside that of subnets are those of AWS's policy AmazonS3FilesFullAccess.
        allow_all(
            "ReadNetworkAndRules",
            &[
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeNetworkInterfaceAttribute",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "events:ListRules",
            ],
        ),
    ]
}

/// What a role of Amazon S3 Files does, for the permissions boundary. Its policy has AWS's own patterns of actions.
pub(super) fn synchronization(arns: &Arns<'_>) -> Vec<Value> {
    vec![
        allow("ListVersions", &["s3:ListBucketVersions"], arns.upload_buckets()),
        allow(
            "Synchronize",
            &["s3:AbortMultipartUpload", "s3:DeleteObject*", "s3:GetObject*", "s3:List*", "s3:PutObject*"],
            arns.upload_objects("*"),
        ),
        allow(
            "RulesOfS3Files",
            &[
                "events:DeleteRule",
                "events:DisableRule",
                "events:EnableRule",
                "events:PutRule",
                "events:PutTargets",
                "events:RemoveTargets",
            ],
            [arns.rules_of_s3_files()],
        ),
        allow("ReadRules", &["events:DescribeRule", "events:ListTargetsByRule"], [arns.any_rule()]),
        allow_all("ListRules", &["events:ListRuleNamesByTarget", "events:ListRules"]),
    ]
}
