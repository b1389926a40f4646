//! What the state remembers and whose tag is missing: ours only if a stack with our tag refers to it. Whoever can write
//! the state could name anything in it.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::json;
use sftpctl_core::model::{Actual, Owner};

use crate::drive::{deploy, resource};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, node, server};
use crate::wire_bucket::bucket_settings;
use crate::wire_owner::{API_ROLE, POLICY, TABLE, USER_ROLE, attached, managed, role};
use crate::wire_stack::with_server;

const SERVER: &str = "s-0123456789abcdef0";
const BUCKET: &str = "pl-pt99-5-uploads";

/// `DescribeStackResources` of a bucket in our stack.
pub(crate) fn bucket_in_stack() -> Reply {
    Reply::ok(
        "<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources><member>\
         <StackName>sftp-99-upload-us-west-2</StackName><LogicalResourceId>B</LogicalResourceId>\
         <ResourceType>AWS::S3::Bucket</ResourceType><Timestamp>2026-11-24T09:00:00Z</Timestamp>\
         <ResourceStatus>CREATE_COMPLETE</ResourceStatus></member></StackResources>\
         </DescribeStackResourcesResult></DescribeStackResourcesResponse>",
    )
}

/// An AWS with each of these resources, without tags.
async fn without_tags(stack: Reply) -> Stub {
    let stub = Stub::new().await;
    let table = json!({ "Table": { "TableName": "t", "TableStatus": "ACTIVE", "TableArn": TABLE } });
    let backups = json!({ "ContinuousBackupsDescription": { "ContinuousBackupsStatus": "ENABLED" } });
    managed(&stub, "{}", "");
    bucket_settings(&stub, BUCKET, "Enabled");
    let tagged = "\"Key\":\"sftpctl:environment\"";
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())])
        .on("dynamodb:ListTagsOfResource", [Reply::ok(r#"{"Tags":[]}"#)])
        .on("dynamodb:DescribeContinuousBackups", [Reply::ok(backups.to_string())])
        .on("iam:GetRole", [role("").replacing(API_ROLE, USER_ROLE)])
        .on("iam:ListAttachedRolePolicies", [attached(&[POLICY])])
        .on("transfer:DescribeServer", [server("p", "ONLINE").replacing(tagged, "\"Key\":\"made-by\"")])
        .on(&format!("s3:GET /{BUCKET}?policy"), [Reply::s3_error(404, "NoSuchBucketPolicy", "there is none")])
        .on(&format!("s3:GET /{BUCKET}?tagging"), [Reply::s3_error(404, "NoSuchTagSet", "there are none")])
        .on("cloudformation:DescribeStackResources", [bucket_in_stack()])
        .on("cloudformation:DescribeStacks", [stack]);
    stub
}

fn referring() -> Reply {
    with_server("UPDATE_COMPLETE", "d", SERVER)
}

#[rstest]
#[case::table("us-west-2/table", TABLE)]
#[case::role("global/user-role", USER_ROLE)]
#[case::policy("global/user-policy", POLICY)]
#[case::server("us-west-2/server", SERVER)]
#[case::bucket("us-west-2/bucket/pl-pt99-5-uploads", BUCKET)]
#[tokio::test]
async fn untagged_resource_needs_a_witness(#[case] id: &str, #[case] identity: &str) {
    let resource = resource(id);
    let stub = without_tags(referring()).await;
    let aws = stub.aws(REGION).await;
    let live = resource.read(&aws, Some(identity)).await.unwrap().unwrap();
    assert_eq!((live.owner.clone(), live.identity.as_str()), (Owner::Ours, identity));
    if !id.contains("bucket") {
        let change = resource.diff(Some(&live), &Actual::new()).unwrap();
        assert!(change.touches("tags"), "the tags are put back: {change:?}");
    }

    // Neither another environment's stack nor one with other parameters is a witness.
    let other_stack = referring().replacing("<Value>99</Value>", "<Value>98</Value>");
    let mut strangers = vec![other_stack];
    if !id.contains("bucket") {
        let without = ["ServerId", "TableName", "UserRoleArn"];
        strangers
            .push(without.iter().fold(referring(), |reply, name| reply.replacing(&format!(">{name}<"), ">Other<")));
    }
    for stranger in strangers {
        let stub = without_tags(stranger).await;
        let live = resource.read(&*stub.aws(REGION).await, Some(identity)).await.unwrap().unwrap();
        let Owner::Foreign(why) = live.owner else { panic!("{live:?}") };
        assert!(why.contains("known from the state only") && why.contains("state rebuild --env 99"), "{why}");
    }
}

/// Without the state, nothing asks for a witness.
#[rstest]
#[case::table("us-west-2/table")]
#[case::role("global/user-role")]
#[case::policy("global/user-policy")]
#[case::bucket("us-west-2/bucket/pl-pt99-5-uploads")]
#[tokio::test]
async fn unknown_untagged_resource_is_foreign(#[case] id: &str) {
    let stub = without_tags(referring()).await;
    let aws = stub.aws(REGION).await;
    for stranger in [None, Some("arn:of:another")] {
        let live = resource(id).read(&aws, stranger).await.unwrap().unwrap();
        assert!(matches!(&live.owner, Owner::Foreign(why) if !why.contains("state")), "{live:?}");
    }
    assert_eq!(stub.count("cloudformation:DescribeStacks"), 0);
}

/// Route 53 has no tags on records. After `import` only the state calls one ours, and the plan says so.
#[tokio::test]
async fn record_of_the_state_is_named_as_such_in_the_plan() {
    let id = "global/record/99-uploads-us-west-2.xx.net";
    let stub = Stub::new().await;
    stub.on(
        "route53:GET /2013-04-01/hostedzone/Z1/rrset",
        [Reply::ok(
            "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet>\
             <Name>99-uploads-us-west-2.xx.net.</Name><Type>CNAME</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
             <Value>old.example.com</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></ResourceRecordSets>\
             <IsTruncated>false</IsTruncated><MaxItems>1</MaxItems></ListResourceRecordSetsResponse>",
        )],
    );
    let record = resource(id);
    let identity = "Z1/99-uploads-us-west-2.xx.net";
    let live = record.read(&*stub.aws(REGION).await, Some(identity)).await.unwrap().unwrap();
    assert_eq!(live.owner, Owner::Ours);
    let mut server = sftpctl_core::model::Live::new(SERVER);
    server.outputs =
        BTreeMap::from([("Endpoint".to_owned(), "s-1.server.transfer.us-west-2.amazonaws.com".to_owned())]);
    let actual = Actual::from([(node("us-west-2/server"), Some(server))]);
    let change = record.diff(Some(&live), &actual).unwrap();
    assert!(change.reason.is_some_and(|reason| reason.contains("known from the state only")));
}

/// A table has no tags while it is being created, so its owner is unknown until then.
#[tokio::test]
async fn foreign_table_that_is_being_created_is_left_alone() {
    let stub = without_tags(referring()).await;
    let table = |status: &str| {
        let table = json!({ "Table": { "TableName": "t", "TableStatus": status, "TableArn": TABLE } });
        Reply::ok(table.to_string())
    };
    stub.on("dynamodb:DescribeTable", [table("CREATING"), table("CREATING"), table("ACTIVE")])
        .on("dynamodb:ListTagsOfResource", [Reply::ok(r#"{"Tags":[{"Key":"owner","Value":"someone else"}]}"#)]);
    let ended = deploy(&stub.aws(REGION).await, &[resource("us-west-2/table")], Actual::new()).await;
    let outcome = ended.outcome(&node("us-west-2/table"));
    assert!(outcome["error"].to_string().contains("exists without the tag sftpctl:environment"), "{outcome}");
    let writes = ["UpdateTable", "TagResource", "UpdateContinuousBackups"];
    assert!(writes.iter().all(|write| stub.count(&format!("dynamodb:{write}")) == 0), "{:?}", stub.operations());
}

#[tokio::test]
async fn table_that_is_being_deleted_is_created_again() {
    let stub = without_tags(referring()).await;
    let table = json!({ "Table": { "TableName": "t", "TableStatus": "DELETING", "TableArn": TABLE } });
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())]);
    for id in ["us-west-2/table", "us-east-1/replica"] {
        let resource = resource(id);
        let live = resource.read(&*stub.aws(REGION).await, None).await.unwrap().unwrap();
        let change = resource.diff(Some(&live), &Actual::new()).unwrap();
        assert!(change.properties.is_empty(), "{change:?}");
        assert!(change.reason.is_some_and(|reason| reason.contains("created again")), "{id}");
    }
}

/// The tags of a replica's table are asked for in the home region, where it may be gone before the replica is.
#[tokio::test]
async fn denied_tags_of_a_table_that_is_gone_are_none() {
    let stub = Stub::new().await;
    let denied = Reply::json_error(400, "AccessDeniedException", "not authorized");
    let missing = Reply::json_error(400, "ResourceNotFoundException", "no such table");
    stub.on("dynamodb:ListTagsOfResource", [denied]).on("dynamodb:DescribeTable", [missing]);
    let aws = stub.aws(REGION).await;
    assert_eq!(aws.dynamodb(REGION).tags(TABLE).await.unwrap(), None);
    let table = json!({ "Table": { "TableName": "t", "TableStatus": "ACTIVE", "TableArn": TABLE } });
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())]);
    assert!(aws.dynamodb(REGION).tags(TABLE).await.unwrap_err().is_access_denied());
}
