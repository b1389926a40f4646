//! Changes that replace a resource of the stack. Pure.

/// Properties of the template's resource types for which CloudFormation replaces the resource when they change:
/// `createOnlyProperties` of the schemas in CloudFormation's registry.
const REPLACING: &[(&str, &[&str])] = &[
    ("AWS::ApiGateway::Deployment", &["DeploymentCanarySettings", "RestApiId"]),
    ("AWS::ApiGateway::Method", &["HttpMethod", "ResourceId", "RestApiId"]),
    ("AWS::ApiGateway::Model", &["ContentType", "Name", "RestApiId"]),
    ("AWS::ApiGateway::Resource", &["ParentId", "PathPart", "RestApiId"]),
    ("AWS::ApiGateway::Stage", &["RestApiId", "StageName"]),
    ("AWS::CloudWatch::Alarm", &["AlarmName"]),
    ("AWS::DynamoDB::Table", &["ImportSourceSpecification", "TableName"]),
    ("AWS::Events::Rule", &["Name"]),
    ("AWS::IAM::Role", &["Path", "RoleName"]),
    ("AWS::Lambda::Function", &["FunctionName", "PackageType", "TenancyConfig"]),
    ("AWS::Logs::LogGroup", &["LogGroupName"]),
    ("AWS::Logs::MetricFilter", &["FilterName", "LogGroupName"]),
    ("AWS::S3::Bucket", &["BucketName", "BucketNamePrefix", "BucketNamespace"]),
    ("AWS::S3::BucketPolicy", &["Bucket"]),
    ("AWS::S3Files::AccessPoint", &["ClientToken", "FileSystemId", "PosixUser", "RootDirectory"]),
    ("AWS::S3Files::FileSystem", &["AcceptBucketWarning", "Bucket", "ClientToken", "KmsKeyId", "Prefix", "RoleArn"]),
    ("AWS::S3Files::MountTarget", &["FileSystemId", "IpAddressType", "Ipv4Address", "Ipv6Address", "SubnetId"]),
    ("AWS::SNS::Subscription", &["Endpoint", "Protocol", "TopicArn"]),
    ("AWS::SNS::Topic", &["FifoTopic", "TopicName"]),
    ("AWS::SQS::Queue", &["FifoQueue", "QueueName"]),
    ("AWS::Transfer::Workflow", &["Description", "OnExceptionSteps", "Steps"]),
    ("AWS::WAFv2::IPSet", &["Name", "Scope"]),
    ("AWS::WAFv2::WebACL", &["Name", "Scope"]),
    ("AWS::WAFv2::WebACLAssociation", &["ResourceArn", "WebACLArn"]),
];

/// Whether a change of this property replaces a resource of this type.
pub(super) fn replaces(kind: &str, property: &str) -> bool {
    REPLACING.iter().any(|(of, properties)| *of == kind && properties.contains(&property))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use sftpctl_testkit::schemas::resource_schema;

    use super::*;

    #[test]
    fn the_table_is_that_of_the_registrys_schemas() {
        let resources = sftpctl_core::template::source().unwrap()["Resources"].as_object().unwrap();
        let kinds: BTreeSet<&str> = resources.values().filter_map(|resource| resource["Type"].as_str()).collect();
        let listed = |kind: &str| REPLACING.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, list)| list);
        for kind in &kinds {
            let schema = resource_schema(kind);
            let paths = schema["createOnlyProperties"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let create_only: BTreeSet<&str> = paths.filter_map(|path| path.split('/').nth(2)).collect();
            assert_eq!(listed(kind).iter().copied().collect::<BTreeSet<_>>(), create_only, "{kind}");
        }
        let others: Vec<&str> = REPLACING.iter().map(|(kind, _)| *kind).filter(|kind| !kinds.contains(kind)).collect();
        assert_eq!(others, Vec::<&str>::new(), "the template has no resource of this type");
    }
}
