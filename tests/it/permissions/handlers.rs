//! What CloudFormation calls for the resource types of the template.

use std::collections::BTreeSet;

use serde_json::Value;
use sftpctl_testkit::schemas::resource_schema;

/// What CloudFormation calls to create, read, update and delete a resource of this type: `handlers.*.permissions` of
/// AWS's own schema, without those of [`UNUSED`], and with those of [`BESIDES`]. The read handlers are what an import
/// and drift detection call.
///
/// # Panics
/// `UNUSED` names an action that the schema does not have (any more).
pub(super) fn handlers(kind: &str) -> BTreeSet<String> {
    let schema = resource_schema(kind);
    let handlers = ["create", "read", "update", "delete"].map(|name| &schema["handlers"][name]["permissions"]);
    let permissions = handlers.into_iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut needed: BTreeSet<String> = permissions.map(str::to_owned).collect();
    assert!(!needed.is_empty(), "{kind}: the schema has no handlers");
    for (why, actions) in UNUSED.iter().filter(|(of, ..)| *of == kind).map(|(_, why, actions)| (why, actions)) {
        for action in *actions {
            assert!(needed.remove(*action), "{kind}: no handler calls {action} ({why})");
        }
    }
    needed.extend(BESIDES.iter().filter(|(of, _)| *of == kind).map(|(_, action)| (*action).to_owned()));
    needed
}

/// What drift detection calls for a resource of this type, with the caller's permissions.
pub(super) fn reads(kind: &str) -> BTreeSet<String> {
    let schema = resource_schema(kind);
    let permissions = schema["handlers"]["read"]["permissions"].as_array().into_iter().flatten();
    permissions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// Calls that no handler's list has: GetFunction returns tags only to a caller who may list them.
const BESIDES: [(&str, &str); 1] = [("AWS::Lambda::Function", "lambda:ListTags")];

/// Calls for properties that the template does not have.
const UNUSED: &[(&str, &str, &[&str])] = &[
    ("AWS::Transfer::Workflow", "IAM does not care about the case: UntagResource", &["transfer:UnTagResource"]),
    ("AWS::ApiGateway::RestApi", "Policy", &["apigateway:UpdateRestApiPolicy"]),
    (
        "AWS::IAM::Role",
        "ManagedPolicyArns, and PermissionsBoundary without the setting",
        &[
            "iam:AttachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DetachRolePolicy",
            "iam:PutRolePermissionsBoundary",
        ],
    ),
    (
        "AWS::Lambda::Function",
        "VpcConfig, FileSystemConfigs",
        &[
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "elasticfilesystem:DescribeMountTargets",
            "s3files:ListMountTargets",
        ],
    ),
    (
        "AWS::Lambda::Function",
        "KmsKeyArn",
        &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
    ),
    (
        "AWS::Lambda::Function",
        "CodeSigningConfigArn, Layers, CapacityProviderConfig, PublishToLatestPublished, RecursiveLoop, \
         FunctionScalingConfig, RuntimeManagementConfig",
        &[
            "lambda:AssociateRuntimeAlias",
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:GetLayerVersion",
            "lambda:PassCapacityProvider",
            "lambda:PublishVersion",
            "lambda:PutFunctionCodeSigningConfig",
            "lambda:PutFunctionRecursionConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PutRuntimeManagementConfig",
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        "KmsKeyId, DataProtectionPolicy, FieldIndexPolicies, ResourcePolicyDocument, DeletionProtectionEnabled, \
         BearerTokenAuthenticationEnabled",
        &[
            "firehose:TagDeliveryStream",
            "logs:AssociateKmsKey",
            "logs:DeleteDataProtectionPolicy",
            "logs:DeleteIndexPolicy",
            "logs:DeleteResourcePolicy",
            "logs:DisassociateKmsKey",
            "logs:PutBearerTokenAuthentication",
            "logs:PutDataProtectionPolicy",
            "logs:PutIndexPolicy",
            "logs:PutLogGroupDeletionProtection",
            "s3:REST.PUT.OBJECT",
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        "ContributorInsightsSpecification, KinesisStreamSpecification, PointInTimeRecoverySpecification, ResourcePolicy",
        &[
            "dynamodb:DeleteResourcePolicy",
            "dynamodb:DisableKinesisStreamingDestination",
            "dynamodb:EnableKinesisStreamingDestination",
            "dynamodb:PutResourcePolicy",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateContributorInsights",
            "dynamodb:UpdateKinesisStreamingDestination",
            "kinesis:DescribeStream",
            "kinesis:PutRecords",
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        "ImportSourceSpecification",
        &[
            "dynamodb:DescribeImport",
            "dynamodb:ImportTable",
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            "logs:PutRetentionPolicy",
            "s3:GetObject",
            "s3:GetObjectMetadata",
            "s3:ListBucket",
        ],
    ),
    (
        "AWS::DynamoDB::Table",
        "GlobalSecondaryIndexes, replicas, SSESpecification",
        &[
            "dynamodb:AssociateTableReplica",
            "dynamodb:BatchWriteItem",
            "dynamodb:CreateTableReplica",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
            "iam:CreateServiceLinkedRole",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:ListAliases",
            "kms:RevokeGrant",
        ],
    ),
    (
        "AWS::S3Files::FileSystem",
        "KmsKeyId",
        &["kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"],
    ),
    ("AWS::SNS::Subscription", "SubscriptionRoleArn", &["iam:GetRole", "iam:PassRole"]),
    (
        "AWS::SNS::Topic",
        "DeliveryStatusLogging, DataProtectionPolicy",
        &["iam:GetRole", "iam:PassRole", "sns:PutDataProtectionPolicy"],
    ),
    ("AWS::WAFv2::WebACL", "rule groups of the AWS Marketplace", &["payments:GetConnectedAccount"]),
    (
        "AWS::WAFv2::WebACLAssociation",
        "rule groups of other accounts",
        &["wafv2:GetPermissionPolicy", "wafv2:PutPermissionPolicy"],
    ),
    (
        "AWS::WAFv2::WebACLAssociation",
        "resources other than a stage of API Gateway",
        &[
            "amplify:AssociateWebACL",
            "amplify:DisassociateWebACL",
            "amplify:GetWebACLForResource",
            "apprunner:AssociateWebAcl",
            "apprunner:DescribeWebAclForService",
            "apprunner:DisassociateWebAcl",
            "appsync:AssociateWebACL",
            "appsync:DisassociateWebACL",
            "appsync:GetWebACLForResource",
            "appsync:SetWebACL",
            "bedrock-agentcore:GatewayAssociateWebACL",
            "bedrock-agentcore:GatewayDisassociateWebACL",
            "bedrock-agentcore:GatewayGetWebACLForResource",
            "cognito-idp:AssociateWebACL",
            "cognito-idp:DisassociateWebACL",
            "cognito-idp:GetWebACLForResource",
            "ec2:AssociateVerifiedAccessInstanceWebAcl",
            "ec2:DescribeVerifiedAccessInstanceWebAclAssociations",
            "ec2:DisassociateVerifiedAccessInstanceWebAcl",
            "ec2:GetVerifiedAccessInstanceWebAcl",
            "elasticloadbalancing:CreateWebACLAssociation",
            "elasticloadbalancing:DeleteWebACLAssociation",
            "elasticloadbalancing:GetLoadBalancerWebACL",
            "elasticloadbalancing:SetWebACL",
        ],
    ),
    ("AWS::S3::Bucket", "the template retains buckets", &["s3:DeleteBucket", "s3:DeleteObject"]),
    (
        "AWS::S3::Bucket",
        "BucketEncryption and LifecycleConfiguration are always there",
        &["s3:DeleteBucketEncryption", "s3:DeleteBucketLifecycle"],
    ),
    (
        "AWS::S3::Bucket",
        "AccelerateConfiguration, AccessControl, AnalyticsConfigurations, CorsConfiguration, \
         IntelligentTieringConfigurations, InventoryConfigurations, LoggingConfiguration, MetricsConfigurations, \
         ObjectLockConfiguration, AbacStatus, WebsiteConfiguration",
        &[
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketWebsite",
            "s3:GetBucketAcl",
            "s3:PutAccelerateConfiguration",
            "s3:PutAnalyticsConfiguration",
            "s3:PutBucketAbac",
            "s3:PutBucketAcl",
            "s3:PutBucketCORS",
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketWebsite",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:PutObjectAcl",
            "s3:PutObjectLockConfiguration",
        ],
    ),
    (
        "AWS::S3::Bucket",
        "ReplicationConfiguration",
        &["iam:PassRole", "s3:DeleteBucketReplication", "s3:PutBucketReplication", "s3:PutReplicationConfiguration"],
    ),
    (
        "AWS::S3::Bucket",
        "MetadataConfiguration, MetadataTableConfiguration",
        &[
            "s3:CreateBucketMetadataTableConfiguration",
            "s3:DeleteBucketMetadataTableConfiguration",
            "s3:UpdateBucketMetadataAnnotationTableConfiguration",
            "s3:UpdateBucketMetadataInventoryTableConfiguration",
            "s3:UpdateBucketMetadataJournalTableConfiguration",
            "s3tables:CreateNamespace",
            "s3tables:CreateTable",
            "s3tables:CreateTableBucket",
            "s3tables:GetTable",
            "s3tables:GetTableMetadataLocation",
            "s3tables:PutTableBucketPolicy",
            "s3tables:PutTableEncryption",
            "s3tables:PutTablePolicy",
            "s3tables:UpdateTableMetadataLocation",
        ],
    ),
];
