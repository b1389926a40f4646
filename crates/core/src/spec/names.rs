//! The names of all resources of an environment, in one place. Pure.

use super::model::{Cluster, Environment};
use crate::kind::{Kind, NodeId};
use crate::model::Tags;

/// The account table's index on user names.
pub const TABLE_INDEX: &str = "username-index";
/// The end of every upload bucket's name.
pub const UPLOAD_BUCKET_SUFFIX: &str = "-uploads";
/// The API's only stage.
pub const STAGE: &str = "prod";

/// `99-uploads`, in production `uploads`: the stem of several names.
fn stem(environment: &Environment) -> String {
    parts::stem(&environment.name, environment.production)
}

/// `sftp-99-upload-us-west-2`: the CloudFormation stack.
///
/// The design's `99-upload-us-west-2` cannot exist: a stack's name begins with a letter (CloudFormation API reference,
/// CreateStack, `StackName`).
pub fn stack(environment: &Environment, region: &str) -> String {
    format!("sftp-{}-upload-{region}", environment.name)
}

/// `lambda-99-upload-us-west-2`: the authorizer.
pub fn function(environment: &Environment, region: &str) -> String {
    parts::function(&environment.name, region)
}

/// `api-99-upload-us-west-2`: the REST API.
pub fn api(environment: &Environment, region: &str) -> String {
    format!("api-{}-upload-{region}", environment.name)
}

/// `lambda-pl-upload-us-west-2`: the bucket that Lambda reads code from, which must be in its own region.
pub fn code_bucket(environment: &Environment, region: &str) -> String {
    parts::code_bucket(&environment.names.code_bucket_prefix, region)
}

/// `pl-upload-99`, in production `pl-upload`: the prefix of the code object's key.
pub fn code_stem(environment: &Environment) -> String {
    if environment.production { "pl-upload".to_owned() } else { format!("pl-upload-{}", environment.name) }
}

/// `pl-upload-99-0123456789ab.zip`: the code object, with a digest of its content.
pub fn code_key(environment: &Environment, digest: &str) -> String {
    format!("{}-{digest}.zip", code_stem(environment))
}

/// `pl-pt99-5-uploads`: the upload bucket of a cluster.
pub fn upload_bucket(environment: &Environment, cluster: &str) -> String {
    parts::upload_bucket(&environment.names.bucket_prefix, environment.origin(cluster))
}

/// `99-upload-us-west-2`: the stem of the names of a region's alarms, log groups and metrics.
pub fn resource_stem(environment: &Environment, region: &str) -> String {
    format!("{}-upload-{region}", environment.name)
}

/// The ARN of `99-upload-us-west-2-alarms`: the topic that a region's stack has for its alarms.
pub fn alarm_topic_arn(environment: &Environment, region: &str) -> String {
    format!("arn:aws:sns:{region}:{}:{}-alarms", environment.account, resource_stem(environment, region))
}

/// `99-upload`: the CloudWatch dashboard of all regions.
pub fn dashboard(environment: &Environment) -> String {
    format!("{}-upload", environment.name)
}

/// `99-upload-99-5-events`: the queue for the events of a cluster's files.
pub fn events_queue(environment: &Environment, cluster: &str) -> String {
    parts::events_queue(&environment.name, environment.origin(cluster))
}

/// `99-upload-99-5-events-history`: the queue with the same messages for `history watch`, since a message has one
/// reader.
pub fn history_queue(environment: &Environment, cluster: &str) -> String {
    format!("{}-history", events_queue(environment, cluster))
}

/// `99-upload-99-5-arrivals`: the topic that is told of a cluster's arriving files.
pub fn arrivals_topic(environment: &Environment, cluster: &str) -> String {
    format!("{}-upload-{}-arrivals", environment.name, environment.origin(cluster))
}

/// Its ARN, in the region of the cluster.
pub fn arrivals_topic_arn(environment: &Environment, region: &str, cluster: &str) -> String {
    format!("arn:aws:sns:{region}:{}:{}", environment.account, arrivals_topic(environment, cluster))
}

/// `99-upload-99-5-events-arrived-uploads`: a rule that tells this topic.
pub fn arrival_rule(environment: &Environment, cluster: &str, end: &str) -> String {
    format!("{}-arrived-{end}", events_queue(environment, cluster))
}

/// `99-upload-99-5-events-threats`: the rule that tells of a cluster's files with malware.
pub fn threats_rule(environment: &Environment, cluster: &str) -> String {
    parts::threats_rule(&environment.name, environment.origin(cluster))
}

/// `99-upload-99-5-events-dead`: where the messages go that nobody could handle.
pub fn events_dead_queue(environment: &Environment, cluster: &str) -> String {
    format!("{}-dead", events_queue(environment, cluster))
}

/// `99-upload-us-west-2`: the web ACL of a region's API, and how its metrics name it.
pub fn web_acl(environment: &Environment, region: &str) -> String {
    resource_stem(environment, region)
}

/// The cluster whose upload bucket this is.
pub fn cluster_of<'a>(environment: &'a Environment, bucket: &str) -> Option<(&'a String, &'a Cluster)> {
    environment.clusters.iter().find(|(name, _)| upload_bucket(environment, name) == bucket)
}

/// The metric of scheduled canaries (templates/region/alarms.yaml).
pub const CANARY_METRIC: &str = "CanaryLogIns";

/// `sftpctl/99-upload-us-west-2`: the CloudWatch namespace of a region's own metrics.
pub fn metric_namespace(environment: &Environment, region: &str) -> String {
    format!("sftpctl/{}", resource_stem(environment, region))
}

/// `dydb-99-guard`, in production `dydb-guard`: the guard's table of each region.
pub fn guard_table(environment: &Environment) -> String {
    if environment.production { "dydb-guard".to_owned() } else { format!("dydb-{}-guard", environment.name) }
}

/// `99-uploads-sftp-transfer`, in production `uploads-sftp-transfer`: the user role's managed policy.
pub fn user_policy(environment: &Environment) -> String {
    format!("{}-sftp-transfer", stem(environment))
}

/// `99-uploads-apigateway-logs`: API Gateway's role for logs, created if the account has none.
pub fn api_log_role(environment: &Environment) -> String {
    format!("{}-apigateway-logs", stem(environment))
}

/// `99-uploads-us-west-2.xx.net`: the customers' host name for a region's server.
pub fn host(environment: &Environment, region: &str, zone: &str) -> String {
    parts::host(&stem(environment), region, zone)
}

/// `99-uploads.xx.net`: the host name with latency routing.
pub fn latency_host(environment: &Environment, zone: &str) -> String {
    parts::latency_host(&stem(environment), zone)
}

/// `/aws/lambda/lambda-99-upload-us-west-2`.
pub fn function_log_group(environment: &Environment, region: &str) -> String {
    format!("/aws/lambda/{}", function(environment, region))
}

/// `/aws/apigateway/api-99-upload-us-west-2`: access logs.
pub fn api_log_group(environment: &Environment, region: &str) -> String {
    format!("/aws/apigateway/{}", api(environment, region))
}

/// `/aws/vendedlogs/transfer/99-upload-us-west-2`: the servers' structured logs.
///
/// For a group with another prefix, AWS adds the group's ARN to the account's one resource policy for log delivery,
/// which holds 5,120 characters and is never shortened; with this prefix one statement covers all groups (Amazon
/// CloudWatch Logs user guide, "Enable logging from AWS services").
pub fn transfer_log_group(environment: &Environment, region: &str) -> String {
    format!("/aws/vendedlogs/transfer/{}-upload-{region}", environment.name)
}

/// Prefix of the names that API Gateway gives to APIs' own logs.
pub const EXECUTION_LOGS: &str = "API-Gateway-Execution-Logs_";
/// Prefix of the names that Transfer Family gives to servers' legacy logs.
pub const SERVER_LOGS: &str = "/aws/transfer/";

/// `API-Gateway-Execution-Logs_a1b2c3/prod`: an API's own log, named by AWS.
pub fn execution_log_group(api: &str) -> String {
    format!("{EXECUTION_LOGS}{api}/{STAGE}")
}

/// `/aws/transfer/s-0123456789abcdef0`: a server's legacy log, named by AWS.
pub fn server_log_group(server: &str) -> String {
    format!("{SERVER_LOGS}{server}")
}

/// Whether a text can be the ID of a Transfer server (Transfer Family API reference, `ServerId`): calls with another
/// are refused as invalid, not as missing.
pub fn is_server_id(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("s-").is_some_and(|digits| digits.len() == 17 && digits.bytes().all(is_digit))
}

/// Whether a text can be the ID of a security group (Amazon EC2 API reference, `SecurityGroup`).
pub fn is_security_group_id(text: &str) -> bool {
    is_id(text, "sg-")
}

/// Whether a text can be the allocation ID of an Elastic IP address (Amazon EC2 API reference, `Address`).
pub fn is_allocation_id(text: &str) -> bool {
    is_id(text, "eipalloc-")
}

fn is_id(text: &str, prefix: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(prefix).is_some_and(|digits| digits.len() >= 8 && digits.bytes().all(is_digit))
}

/// Log groups that a late log line recreates after the stack is deleted.
pub fn log_groups(environment: &Environment, region: &str) -> Vec<String> {
    vec![
        function_log_group(environment, region),
        api_log_group(environment, region),
        transfer_log_group(environment, region),
    ]
}

/// The node of a region's stack.
pub fn stack_node(region: &str) -> NodeId {
    NodeId::new(region, Kind::Stack)
}

/// The node of a region's server.
pub fn server_node(region: &str) -> NodeId {
    NodeId::new(region, Kind::Server)
}

/// The node of the security group of a region's server.
pub fn security_group_node(region: &str) -> NodeId {
    NodeId::new(region, Kind::SecurityGroup)
}

/// The node of one of the addresses of a region's server; they are numbered from 1.
pub fn address_node(region: &str, number: usize) -> NodeId {
    NodeId::named(region, Kind::Address, &number.to_string())
}

/// The node of the account table.
pub fn table_node(environment: &Environment) -> NodeId {
    NodeId::new(&environment.home_region, Kind::Table)
}

/// The environment's tags, and the tag that marks its resources.
pub fn tags(environment: &Environment) -> Tags {
    let mut tags = environment.tags.clone();
    tags.insert("sftpctl:environment".into(), environment.name.clone());
    tags
}

/// The same names from their parts, for checks before there is an [`Environment`].
pub(super) mod parts {
    /// The stem of several names: `99-uploads`, in production `uploads`.
    pub(in crate::spec) fn stem(environment: &str, production: bool) -> String {
        if production { "uploads".to_owned() } else { format!("{environment}-uploads") }
    }

    /// The default name of the table: `dydb-99-uploads`, in production `dydb-uploads`.
    pub(in crate::spec) fn table(environment: &str, production: bool) -> String {
        format!("dydb-{}", stem(environment, production))
    }

    pub(in crate::spec) fn function(environment: &str, region: &str) -> String {
        format!("lambda-{environment}-upload-{region}")
    }

    pub(in crate::spec) fn events_queue(environment: &str, cluster: &str) -> String {
        format!("{environment}-upload-{cluster}-events")
    }

    pub(in crate::spec) fn threats_rule(environment: &str, cluster: &str) -> String {
        format!("{}-threats", events_queue(environment, cluster))
    }

    /// The longest name of a cluster's rules for events.
    pub(in crate::spec) fn longest_rule(environment: &str, cluster: &str) -> String {
        format!("{}-forward-uploads", events_queue(environment, cluster))
    }

    pub(in crate::spec) fn code_bucket(prefix: &str, region: &str) -> String {
        format!("{prefix}-{region}")
    }

    pub(in crate::spec) fn upload_bucket(prefix: &str, cluster: &str) -> String {
        format!("{prefix}{cluster}{}", super::UPLOAD_BUCKET_SUFFIX)
    }

    pub(in crate::spec) fn host(stem: &str, region: &str, zone: &str) -> String {
        format!("{stem}-{region}.{zone}")
    }

    pub(in crate::spec) fn latency_host(stem: &str, zone: &str) -> String {
        format!("{stem}.{zone}")
    }
}

/// Whether a text has the form of a bucket's name (Amazon S3 user guide, "General purpose bucket naming rules").
pub fn is_bucket_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    (3..=63).contains(&name.len()) && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_ids_are_as_aws_makes_them() {
        assert!(is_server_id("s-0123456789abcdef0"));
        for text in ["", "s-", "s-1", "s-0123456789ABCDEF0", "s-0123456789abcdef01", "s-0123456789abcde\u{1b}0", "x"] {
            assert!(!is_server_id(text), "{text:?}");
        }
    }

    #[test]
    fn production_has_no_prefix() {
        let load = |source: &str| crate::spec::load(source, "x.yaml").unwrap();
        let of = |environment: &Environment| {
            [
                user_policy(environment),
                code_key(environment, "0123456789ab"),
                api_log_role(environment),
                host(environment, "us-west-2", "xx.net"),
                latency_host(environment, "xx.net"),
            ]
        };
        let prod = load(include_str!("../../../../environments/prod.yaml"));
        assert_eq!(
            of(&prod),
            [
                "uploads-sftp-transfer",
                "pl-upload-0123456789ab.zip",
                "uploads-apigateway-logs",
                "uploads-us-west-2.xx.net",
                "uploads.xx.net",
            ]
        );
        let test = load(include_str!("../../../../environments/99.yaml"));
        assert_eq!(
            of(&test),
            [
                "99-uploads-sftp-transfer",
                "pl-upload-99-0123456789ab.zip",
                "99-uploads-apigateway-logs",
                "99-uploads-us-west-2.xx.net",
                "99-uploads.xx.net",
            ]
        );
    }
}
