//! Manually created resources as only AWS has them: which cannot be adopted, which stop a deployment before it starts,
//! and which differ in ways that no deployment changes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rstest::rstest;
use serde_json::{Value, json};
use sftpctl_core::model::{Change, Live, PropertyChange, Removal, RemovalOptions, Tags};
use sftpctl_engine::resources::resource::ResourceError;

use crate::drive::resource;
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, done, existing_stack, server};

const BUCKET: &str = "us-west-2/bucket/pl-pt99-5-uploads";
const NO_TAGS: &str = r#"{"Tags":[]}"#;

/// The reason of a refusal.
fn refused<T: std::fmt::Debug>(adoptable: Result<T, ResourceError>) -> String {
    match adoptable {
        Err(ResourceError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bucket_is_refused_while_another_stack_has_it() {
    let stub = Stub::new().await;
    let tags =
        "<Tagging><TagSet><Tag><Key>aws:cloudformation:stack-name</Key><Value>old</Value></Tag></TagSet></Tagging>";
    let resources = "<StackResources><member><StackName>old</StackName><LogicalResourceId>B</LogicalResourceId>\
                 <ResourceType>AWS::S3::Bucket</ResourceType><Timestamp>2026-11-24T09:00:00Z</Timestamp>\
                 <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResources>";
    let answer = "DescribeStackResources";
    stub.on("s3:GET /pl-pt99-5-uploads?tagging", [Reply::ok(tags)]).on(
        "cloudformation:DescribeStackResources",
        [
            Reply::ok(format!("<{answer}Response><{answer}Result>{resources}</{answer}Result></{answer}Response>")),
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
async fn global_table_of_version_2017_is_refused() {
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

/// AWS changes the type of the identity provider in place since October 2025.
#[tokio::test]
async fn server_with_another_identity_provider_is_adopted_and_updated_in_place() {
    let stub = Stub::new().await;
    let managed =
        || server("TransferSecurityPolicy-2025-03", "ONLINE").replacing("\"API_GATEWAY\"", "\"SERVICE_MANAGED\"");
    stub.on("transfer:DescribeServer", [managed()])
        .on("transfer:UpdateServer", [Reply::ok(r#"{"ServerId":"s-0123456789abcdef0"}"#)]);
    let aws = stub.aws(REGION).await;
    let adopted = resource("us-west-2/server");
    let live = adopted.read(&aws, Some("s-0123456789abcdef0")).await.unwrap().unwrap();
    assert_eq!(
        adopted.adoptable(&aws, &live).await.unwrap(),
        Tags::from([("sftpctl:environment".into(), "99".into())])
    );
    let change = adopted.diff(Some(&live), &existing_stack()).unwrap();
    assert!(change.touches("identity provider type"), "{change:?}");
    adopted.apply(&aws, "call", &change, Some(&live), &existing_stack()).await.unwrap();
    let sent: Value = serde_json::from_str(&stub.asked("transfer:UpdateServer")[0].body).unwrap();
    assert_eq!(sent["IdentityProviderType"], "API_GATEWAY");
    assert_eq!(sent["IdentityProviderDetails"]["Url"], "https://a1.execute-api.us-west-2.amazonaws.com/prod");
    assert_eq!(sent.get("SecurityPolicyName"), None, "{sent}");
}

/// Structures are sent back as they were read, with the changed member: nothing that others set is reset.
#[rstest]
#[case::set_stat("SETSTAT", json!({ "ProtocolDetails": {
    "PassiveIp": "AUTO", "TlsSessionResumptionMode": "ENFORCED", "SetStatOption": "ENABLE_NO_OP",
    "SftpPorts": [{ "SftpPort": 22 }, { "SftpPort": 2222, "CommunicationMode": "CLIENT_TALK_FIRST" }],
}}))]
#[case::ports("ports", json!({ "ProtocolDetails": {
    "PassiveIp": "AUTO", "TlsSessionResumptionMode": "ENFORCED", "SetStatOption": "DEFAULT",
    "SftpPorts": [{ "SftpPort": 2222, "CommunicationMode": "CLIENT_TALK_FIRST" }, { "SftpPort": 2223 }],
}}))]
#[case::policy("security policy", json!({ "SecurityPolicyName": "TransferSecurityPolicy-2025-03" }))]
#[case::old_logs("logging role", json!({ "LoggingRole": "" }))]
#[tokio::test]
async fn update_sends_only_what_differs(#[case] property: &str, #[case] sent: Value) {
    let stub = Stub::new().await;
    let set_by_others = r#""ProtocolDetails":{"PassiveIp":"AUTO","TlsSessionResumptionMode":"ENFORCED",
        "SftpPorts":[{"SftpPort":22},{"SftpPort":2222,"CommunicationMode":"CLIENT_TALK_FIRST"}],
        "SetStatOption":"DEFAULT"}"#;
    let described = server("TransferSecurityPolicy-2018-11", "ONLINE")
        .replacing(r#""ProtocolDetails":{"SetStatOption":"ENABLE_NO_OP"}"#, set_by_others);
    stub.on("transfer:DescribeServer", [described])
        .on("transfer:UpdateServer", [Reply::ok(r#"{"ServerId":"s-0123456789abcdef0"}"#)]);
    let aws = stub.aws(REGION).await;
    let mut environment = crate::drive::environment();
    environment.server.ports = vec![2222, 2223];
    let wanted =
        crate::drive::resources(&environment).into_iter().find(|r| r.id().as_str() == "us-west-2/server").unwrap();
    let live = wanted.read(&aws, Some("s-0123456789abcdef0")).await.unwrap().unwrap();
    let change = PropertyChange::new(property, None, None);
    let change = Change { properties: vec![change], ..Change::new(sftpctl_core::model::Action::Update, "") };
    wanted.apply(&aws, "call", &change, Some(&live), &existing_stack()).await.unwrap();
    let mut body: Value = serde_json::from_str(&stub.asked("transfer:UpdateServer")[0].body).unwrap();
    assert_eq!(body.as_object_mut().unwrap().remove("ServerId"), Some(json!("s-0123456789abcdef0")));
    assert_eq!(body, sent);
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

/// AWS itself would refuse only after everything else was created.
#[rstest]
#[case::key("S", "username", "has the key orgid (S), not orgid (N)")]
#[case::index("N", "userName", "has the index username-index: userName (S), not username-index: username (S)")]
#[tokio::test]
async fn wrong_table_schema_stops_a_deployment(#[case] key: &str, #[case] index: &str, #[case] message: &str) {
    let stub = Stub::new().await;
    crate::wire::table_is_ours(&stub);
    stub.on("dynamodb:DescribeTable", [table(key, index, json!({})), table("N", "username", json!({}))]);
    let aws = stub.aws(REGION).await;
    let wanted = resource("us-west-2/table");
    let why = wanted.refusal(&wanted.read(&aws, None).await.unwrap().unwrap()).unwrap();
    assert!(why.contains(message), "{why}");
    assert_eq!(wanted.refusal(&wanted.read(&aws, None).await.unwrap().unwrap()), None);
}

/// Each change as `name: current value -> what a deployment creates`.
fn lines(changes: &[PropertyChange]) -> Vec<String> {
    let shown = |value: &Option<Value>| value.clone().unwrap_or_default().to_string();
    changes
        .iter()
        .map(|change| format!("{}: {} -> {}", change.name, shown(&change.before), shown(&change.after)))
        .collect()
}

#[tokio::test]
async fn unmanaged_table_settings_are_reported() {
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
        lines(&wanted.unmanaged(&aws, &live).await.unwrap()),
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
async fn unmanaged_server_settings_are_reported() {
    let stub = Stub::new().await;
    let settings = r#""EndpointType":"VPC","Protocols":["SFTP","FTPS"],"PreAuthenticationLoginBanner":"hello",
        "WorkflowDetails":{"OnUpload":[{"WorkflowId":"w-1","ExecutionRole":"r"}]},
        "IdentityProviderType":"API_GATEWAY""#;
    let ours = r#""EndpointType":"PUBLIC","Protocols":["SFTP"],"IdentityProviderType":"API_GATEWAY""#;
    let with = |settings: &str| server("p", "ONLINE").replacing(r#""IdentityProviderType":"API_GATEWAY""#, settings);
    stub.on("transfer:DescribeServer", [with(settings), with(ours)]);
    let aws = stub.aws(REGION).await;
    let (wanted, id) = (resource("us-west-2/server"), Some("s-0123456789abcdef0"));
    let live = wanted.read(&aws, id).await.unwrap().unwrap();
    assert_eq!(
        lines(&wanted.unmanaged(&aws, &live).await.unwrap()),
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
async fn role_with_foreign_policies_stops_a_teardown() {
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
