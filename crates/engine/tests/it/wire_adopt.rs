//! What only AWS has of things that somebody made by hand: what cannot be adopted, what a deployment must not begin with,
//! and what differs and is no deployment's to change.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rstest::rstest;
use serde_json::{Value, json};
use sftpctl_core::model::{Live, PropertyChange, Removal, RemovalOptions};
use sftpctl_engine::resources::resource::ResourceError;

use crate::drive::resource;
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, done, server};

const BUCKET: &str = "us-west-2/bucket/pl-pt99-5-uploads";
const NO_TAGS: &str = r#"{"Tags":[]}"#;

/// Why it is refused.
fn refused<T: std::fmt::Debug>(adoptable: Result<T, ResourceError>) -> String {
    match adoptable {
        Err(ResourceError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_bucket_in_another_stack_is_refused_and_one_that_its_stack_let_go_is_not() {
    let stub = Stub::new().await;
    let tags =
        "<Tagging><TagSet><Tag><Key>aws:cloudformation:stack-name</Key><Value>old</Value></Tag></TagSet></Tagging>";
    let there = "<StackResources><member><StackName>old</StackName><LogicalResourceId>B</LogicalResourceId>\
                 <ResourceType>AWS::S3::Bucket</ResourceType><Timestamp>2026-11-24T09:00:00Z</Timestamp>\
                 <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResources>";
    let answer = "DescribeStackResources";
    stub.on("s3:GET /pl-pt99-5-uploads?tagging", [Reply::ok(tags)]).on(
        "cloudformation:DescribeStackResources",
        [
            Reply::ok(format!("<{answer}Response><{answer}Result>{there}</{answer}Result></{answer}Response>")),
            Reply::query_error(400, "ValidationError", "Stack for pl-pt99-5-uploads does not exist"),
        ],
    );
    let aws = stub.aws(REGION).await;
    let (bucket, live) = (resource(BUCKET), Live::new("pl-pt99-5-uploads"));
    let why = refused(bucket.adoptable(&aws, &live).await);
    assert!(why.contains("is in the stack old") && why.contains("DeletionPolicy: Retain"), "{why}");
    let tags = bucket.adoptable(&aws, &live).await.unwrap();
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("sftpctl:environment".to_owned(), "99".to_owned())]);
}

#[tokio::test]
async fn a_global_table_of_2017_is_refused() {
    let stub = Stub::new().await;
    stub.on("dynamodb:ListTagsOfResource", [Reply::ok(NO_TAGS)]).on(
        "dynamodb:DescribeGlobalTable",
        [
            Reply::ok(r#"{"GlobalTableDescription":{"GlobalTableName":"dydb-99-uploads"}}"#),
            Reply::json_error(400, "GlobalTableNotFoundException", "no such global table"),
        ],
    );
    let aws = stub.aws(REGION).await;
    let (table, live) = (resource("us-west-2/table"), Live::new("arn"));
    let why = refused(table.adoptable(&aws, &live).await);
    assert!(why.contains("version 2017.11.29") && why.contains("Update version"), "{why}");
    assert_eq!(table.adoptable(&aws, &live).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_asks_no_api_is_refused() {
    let stub = Stub::new().await;
    let managed = || server("p", "ONLINE").replacing("\"API_GATEWAY\"", "\"SERVICE_MANAGED\"");
    stub.on("transfer:DescribeServer", [managed(), server("p", "ONLINE")]);
    let aws = stub.aws(REGION).await;
    let (adopted, live) = (resource("us-west-2/server"), Live::new("s-0123456789abcdef0"));
    let why = refused(adopted.adoptable(&aws, &live).await);
    assert!(why.contains("SERVICE_MANAGED, which AWS cannot change"), "{why}");
    assert_eq!(adopted.adoptable(&aws, &live).await.unwrap().len(), 1);
}

fn table(key: &str, index: &str, more: Value) -> Reply {
    let mut table = json!({
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE", "TableArn": "arn",
        "AttributeDefinitions": [{ "AttributeName": "orgid", "AttributeType": key },
                                 { "AttributeName": index, "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "orgid", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [{ "IndexName": "username-index", "IndexStatus": "ACTIVE",
                                     "KeySchema": [{ "AttributeName": index, "KeyType": "HASH" }] }],
    });
    table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::ok(json!({ "Table": table }).to_string())
}

/// AWS would say so after everything else was made.
#[rstest]
#[case::key("S", "username", "has the key orgid (S), not orgid (N)")]
#[case::index("N", "userName", "has the index username-index: userName (S), not username-index: username (S)")]
#[tokio::test]
async fn what_never_changes_of_a_table_stops_a_deployment(#[case] key: &str, #[case] index: &str, #[case] says: &str) {
    let stub = Stub::new().await;
    crate::wire::table_is_ours(&stub);
    stub.on("dynamodb:DescribeTable", [table(key, index, json!({})), table("N", "username", json!({}))]);
    let aws = stub.aws(REGION).await;
    let wanted = resource("us-west-2/table");
    let why = wanted.refusal(&wanted.read(&aws, None).await.unwrap().unwrap()).unwrap();
    assert!(why.contains(says), "{why}");
    assert_eq!(wanted.refusal(&wanted.read(&aws, None).await.unwrap().unwrap()), None);
}

/// `name: what is -> what a deployment makes`.
fn told(changes: &[PropertyChange]) -> Vec<String> {
    let shown = |value: &Option<Value>| value.clone().unwrap_or_default().to_string();
    changes
        .iter()
        .map(|change| format!("{}: {} -> {}", change.name, shown(&change.before), shown(&change.after)))
        .collect()
}

#[tokio::test]
async fn what_no_run_changes_of_a_table_is_told() {
    let stub = Stub::new().await;
    crate::wire::table_is_ours(&stub);
    let replicas = ["us-east-1", "eu-west-1"].map(|region| json!({ "RegionName": region, "ReplicaStatus": "ACTIVE" }));
    let more = json!({ "SSEDescription": { "KMSMasterKeyArn": "arn:key" }, "Replicas": replicas });
    let ttl = |status: &str| {
        let description = json!({ "TimeToLiveStatus": status, "AttributeName": "expires" });
        Reply::ok(json!({ "TimeToLiveDescription": description }).to_string())
    };
    stub.on("dynamodb:DescribeTable", [table("N", "username", more), table("N", "username", json!({}))])
        .on("dynamodb:DescribeTimeToLive", [ttl("ENABLED"), ttl("DISABLED")]);
    let aws = stub.aws(REGION).await;
    let wanted = resource("us-west-2/table");
    let live = wanted.read(&aws, None).await.unwrap().unwrap();
    assert_eq!(
        told(&wanted.unmanaged(&aws, &live).await.unwrap()),
        [
            r#"encryption key: "arn:key" -> null"#,
            r#"more replicas: ["eu-west-1"] -> []"#,
            r#"time to live: "expires" -> null"#
        ]
    );
    let live = wanted.read(&aws, None).await.unwrap().unwrap();
    assert_eq!(wanted.unmanaged(&aws, &live).await.unwrap(), []);
}

#[tokio::test]
async fn what_no_run_changes_of_a_server_is_told() {
    let stub = Stub::new().await;
    let settings = r#""EndpointType":"VPC","Protocols":["SFTP","FTPS"],"PreAuthenticationLoginBanner":"hello",
        "WorkflowDetails":{"OnUpload":[{"WorkflowId":"w-1","ExecutionRole":"r"}]},"IdentityProviderType":"API_GATEWAY""#;
    let ours = r#""EndpointType":"PUBLIC","Protocols":["SFTP"],"IdentityProviderType":"API_GATEWAY""#;
    let with = |settings: &str| server("p", "ONLINE").replacing(r#""IdentityProviderType":"API_GATEWAY""#, settings);
    stub.on("transfer:DescribeServer", [with(settings), with(ours)]);
    let aws = stub.aws(REGION).await;
    let (wanted, id) = (resource("us-west-2/server"), Some("s-0123456789abcdef0"));
    let live = wanted.read(&aws, id).await.unwrap().unwrap();
    assert_eq!(
        told(&wanted.unmanaged(&aws, &live).await.unwrap()),
        [
            r#"banners: ["hello"] -> []"#,
            r#"endpoint type: "VPC" -> "PUBLIC""#,
            r#"protocols: ["SFTP","FTPS"] -> ["SFTP"]"#,
            r#"workflows: ["w-1"] -> []"#
        ]
    );
    let live = wanted.read(&aws, id).await.unwrap().unwrap();
    assert_eq!(wanted.unmanaged(&aws, &live).await.unwrap(), []);
}

#[tokio::test]
async fn a_role_with_policies_of_others_stops_a_teardown_before_it_begins() {
    let stub = Stub::new().await;
    let own = "arn:aws:iam::111111111111:policy/99-uploads-sftp-transfer";
    let attached = |arns: &[&str]| {
        let members: String = arns
            .iter()
            .map(|arn| format!("<member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>"))
            .collect();
        done("ListAttachedRolePolicies").replacing(
            "<ListAttachedRolePoliciesResult>",
            &format!("<ListAttachedRolePoliciesResult><AttachedPolicies>{members}</AttachedPolicies>"),
        )
    };
    let second = format!("{own}-2");
    stub.on("iam:ListAttachedRolePolicies", [attached(&[own, &second, "arn:theirs"]), attached(&[own, &second])])
        .on("iam:ListRolePolicies", [done("ListRolePolicies")]);
    let aws = stub.aws(REGION).await;
    let (role, live) = (resource("global/user-role"), Live::new("arn"));
    let removal = role.removal(&aws, &live, RemovalOptions::default()).await.unwrap();
    assert!(
        matches!(&removal, Removal::Refuse(why) if why.contains("arn:theirs") && !why.contains(own)),
        "{removal:?}"
    );
    assert_eq!(role.removal(&aws, &live, RemovalOptions::default()).await.unwrap(), Removal::Delete);
}
