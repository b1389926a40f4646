//! Which price each kind of resource has, or why it is free. Pure.

use super::prices::id;
use crate::kind::Kind;

/// What a resource costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The rows of the table of prices that it is billed by.
    Priced(&'static [&'static str]),
    /// It is free, and why.
    Free(&'static str),
    /// It costs something, and no price of it is known; what it is called in a bill.
    Unknown(&'static str),
}

use Coverage::{Free, Priced, Unknown};

/// What file systems are called.
pub const FILE_SYSTEMS: &str = "file systems of Amazon S3 Files";

/// What a kind of resource costs. A new kind does not compile until it is here.
pub const fn of_kind(kind: Kind) -> Coverage {
    match kind {
        Kind::Table => Priced(&[id::TABLE_STORAGE, id::TABLE_READS, id::TABLE_REPLICATED_WRITES, id::TABLE_RECOVERY]),
        Kind::Replica => Priced(&[id::TABLE_STORAGE, id::TABLE_READS, id::TABLE_REPLICATED_WRITES]),
        Kind::UserRole | Kind::UserPolicy | Kind::ApiAccount => Free("IAM has no charges"),
        Kind::Package => Free("a few MB in S3: less than a cent"),
        // Its resources by their types, below.
        Kind::Stack => Priced(&[id::ALARM, id::METRIC]),
        Kind::Bucket => Priced(&[id::S3_STORAGE, id::S3_PUTS, id::S3_GETS]),
        Kind::SecurityGroup => Free("security groups have no charges"),
        Kind::Address => Priced(&[id::IPV4_HOUR]),
        Kind::Server => Priced(&[id::SFTP_HOUR, id::SFTP_UPLOAD, id::SFTP_DOWNLOAD]),
        Kind::ServerId | Kind::Trigger => Free("a setting of the function, which is priced with the stack"),
        Kind::Record => Priced(&[id::QUERIES, id::LATENCY_QUERIES]),
        Kind::Dashboard => Priced(&[id::DASHBOARD]),
        Kind::LogGroup => Free("only deleted, never created"),
    }
}

/// What a resource type of CloudFormation costs; `None` if it is not known here.
pub fn of_type(resource_type: &str) -> Option<Coverage> {
    Some(match resource_type {
        "AWS::ApiGateway::RestApi" => Priced(&[id::API_REQUESTS]),
        "AWS::ApiGateway::Stage" => Priced(&[id::METRIC]),
        "AWS::ApiGateway::Deployment"
        | "AWS::ApiGateway::Method"
        | "AWS::ApiGateway::Model"
        | "AWS::ApiGateway::Resource" => Free("a part of the API, which is billed by its requests"),
        "AWS::CloudWatch::Alarm" => Priced(&[id::ALARM, id::ALARM_HIGH_RESOLUTION]),
        "AWS::CloudWatch::CompositeAlarm" => Priced(&[id::ALARM_COMPOSITE]),
        // What it stores is forgotten within days, and costs less than a cent.
        "AWS::DynamoDB::Table" => Priced(&[id::TABLE_READS, id::TABLE_WRITES]),
        "AWS::Events::Rule" => Priced(&[id::EVENTS]),
        "AWS::GuardDuty::MalwareProtectionPlan" => Priced(&[id::MALWARE_GB, id::MALWARE_OBJECTS]),
        "AWS::IAM::Role" => Free("IAM has no charges"),
        "AWS::Lambda::Function" => Priced(&[id::LAMBDA_X86, id::LAMBDA_ARM, id::LAMBDA_REQUESTS]),
        "AWS::Logs::LogGroup" => Priced(&[id::LOGS_INGEST, id::LOGS_STORAGE]),
        "AWS::Logs::MetricFilter" => Priced(&[id::METRIC]),
        "AWS::Logs::QueryDefinition" => Free("a saved query is billed when it runs, by what it scans"),
        "AWS::S3::Bucket" => Priced(&[id::S3_STORAGE, id::S3_PUTS, id::S3_GETS]),
        "AWS::S3::BucketPolicy" | "AWS::SQS::QueuePolicy" => Free("a policy is a setting of its resource"),
        "AWS::S3Files::FileSystem" => Unknown(FILE_SYSTEMS),
        "AWS::S3Files::AccessPoint" | "AWS::S3Files::MountTarget" => Free("a part of its file system"),
        // Of alarms, too few to count.
        "AWS::SNS::Topic" => Priced(&[id::SNS_REQUESTS, id::SNS_MAILS]),
        "AWS::SNS::Subscription" | "AWS::SNS::TopicPolicy" => Free("a part of its topic"),
        "AWS::SQS::Queue" => Priced(&[id::SQS_REQUESTS]),
        "AWS::Transfer::Workflow" => Priced(&[id::PGP]),
        "AWS::WAFv2::WebACL" => Priced(&[id::WAF_ACL, id::WAF_RULE, id::WAF_REQUESTS]),
        "AWS::WAFv2::IPSet" | "AWS::WAFv2::WebACLAssociation" => {
            Free("a part of its web ACL, which is billed by its rules")
        }
        _ => return None,
    })
}
