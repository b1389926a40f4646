//! Who owns a resource that carries no tag or that others use as well: foreign resources are neither changed nor
//! removed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use rstest::rstest;
use serde_json::json;
use sftpctl_core::kind::Kind;
use sftpctl_core::model::{Actual, Live, Owner, Removal, RemovalOptions};
use sftpctl_engine::desired::{self, History};
use sftpctl_engine::observe::observe;
use sftpctl_engine::resources::resource::Resource;
use sftpctl_engine::resources::resource::ResourceError;
use sftpctl_engine::resources::{Orphan, strays};

use crate::drive::{environment, resource};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, deploy_one, done, node, one_server, server, stack};

const DELETE_DATA: RemovalOptions = RemovalOptions { delete_data: true, release_addresses: true };
pub(crate) const API_ROLE: &str = "arn:aws:iam::111111111111:role/99-uploads-apigateway-logs";

/// A log group with the function's name.
fn group(stub: &Stub, retention: Option<u32>, tags: serde_json::Value) {
    let name = "/aws/lambda/lambda-99-upload-us-west-2";
    let arn = format!("arn:aws:logs:us-west-2:111111111111:log-group:{name}");
    let group = json!({ "logGroupName": name, "arn": format!("{arn}:*"), "retentionInDays": retention });
    stub.on("logs:DescribeLogGroups", [Reply::ok(json!({ "logGroups": [group] }).to_string())])
        .on("logs:ListTagsForResource", [Reply::ok(json!({ "tags": tags }).to_string())]);
}

/// The function that writes to it.
fn function(stub: &Stub, tags: Option<serde_json::Value>) {
    let reply = match tags {
        Some(tags) => Reply::ok(json!({ "Configuration": { "FunctionArn": "a" }, "Tags": tags }).to_string()),
        None => Reply::json_error(404, "ResourceNotFoundException", "Function not found"),
    };
    stub.on("lambda:GET /2015-03-31/functions/lambda-99-upload-us-west-2", [reply]);
}

#[rstest]
#[case::our_tag(None, json!({ "sftpctl:environment": "99" }), false, None, true)]
#[case::tag_of_another_environment(None, json!({ "sftpctl:environment": "98" }), true, None, false)]
#[case::created_manually_and_never_deployed(None, json!({}), false, None, false)]
#[case::a_late_line_after_a_teardown(None, json!({}), true, None, true)]
#[case::retention_was_set(Some(30), json!({}), true, None, false)]
#[case::of_a_manually_created_function(None, json!({}), true, Some(json!({})), false)]
#[case::of_our_function(None, json!({}), true, Some(json!({ "sftpctl:environment": "99" })), true)]
#[tokio::test]
async fn log_group_ownership_needs_more_than_a_name(
    #[case] retention: Option<u32>,
    #[case] tags: serde_json::Value,
    #[case] deployed: bool,
    #[case] its_function: Option<serde_json::Value>,
    #[case] ours: bool,
) {
    let stub = Stub::new().await;
    group(&stub, retention, tags);
    function(&stub, its_function);
    let past = History { deployed, ..History::default() };
    let all = desired::leftovers(&environment(), &past);
    let id = node("us-west-2/log-group/aws/lambda/lambda-99-upload-us-west-2");
    let group = all.into_iter().find(|group| *group.id() == id).unwrap();
    let aws = stub.aws(REGION).await;
    let live = group.read(&aws, None).await.unwrap().unwrap();
    assert_eq!(live.owner == Owner::Ours, ours, "{live:?}");
    let known = group.read(&aws, Some("/aws/lambda/lambda-99-upload-us-west-2")).await.unwrap().unwrap();
    assert!(known.owner == Owner::Ours || !ours, "a log group in the state is ours: {known:?}");
}

/// Whoever can write the state could name any log group in it, and a teardown would delete it.
#[rstest]
#[case::of_an_api_that_is_gone("API-Gateway-Execution-Logs_d4/prod", true)]
#[case::of_an_api_that_exists("API-Gateway-Execution-Logs_a1/prod", false)]
#[case::of_a_server_that_is_gone("/aws/transfer/s-0123456789abcdef0", true)]
#[case::of_something_else("/company/audit", false)]
#[case::of_another_environment("/aws/vendedlogs/transfer/98-upload-us-west-2", false)]
#[tokio::test]
async fn log_group_of_the_state_is_ours_if_nothing_else_writes_to_it(#[case] name: &str, #[case] ours: bool) {
    let stub = Stub::new().await;
    let group =
        json!({ "logGroupName": name, "arn": format!("arn:aws:logs:us-west-2:111111111111:log-group:{name}:*") });
    stub.on("logs:DescribeLogGroups", [Reply::ok(json!({ "logGroups": [group] }).to_string())])
        .on("logs:ListTagsForResource", [Reply::ok(r#"{"tags":{}}"#)])
        .on("apigateway:GET /restapis", [Reply::ok(r#"{"item":[{"id":"a1","name":"other"}]}"#)])
        .on("transfer:DescribeServer", [Reply::json_error(400, "ResourceNotFoundException", "Unknown server")]);
    let past = History { log_groups: vec![(REGION.to_owned(), name.to_owned())], ..History::default() };
    let all = desired::leftovers(&environment(), &past);
    let id = node(&format!("us-west-2/log-group/{}", name.trim_start_matches('/')));
    let group = all.into_iter().find(|group| *group.id() == id).unwrap();
    let live = group.read(&*stub.aws(REGION).await, Some(name)).await.unwrap().unwrap();
    assert_eq!(live.owner == Owner::Ours, ours, "{live:?}");
}

#[test]
fn log_groups_named_by_an_id_are_leftovers() {
    let past = History {
        apis: BTreeMap::from([(REGION.to_owned(), "a1b2c3".to_owned())]),
        servers: BTreeMap::from([(REGION.to_owned(), "s-0123456789abcdef0".to_owned())]),
        log_groups: vec![("us-east-1".to_owned(), "API-Gateway-Execution-Logs_d4/prod".to_owned())],
        ..History::default()
    };
    let all = desired::leftovers(&environment(), &past);
    let ids: Vec<&str> = all.iter().map(|group| group.id().as_str()).collect();
    for id in [
        "us-west-2/log-group/API-Gateway-Execution-Logs_a1b2c3/prod",
        "us-west-2/log-group/aws/transfer/s-0123456789abcdef0",
        "us-east-1/log-group/API-Gateway-Execution-Logs_d4/prod",
        "us-east-2/log-group/aws/vendedlogs/transfer/99-upload-us-east-2",
    ] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
    assert_eq!(ids.len(), 3 * 3 + 3);
}

/// AWS refuses such an ID as invalid, not as missing: if it were asked for, no deployment could read the server.
#[tokio::test]
async fn impossible_server_id_of_the_state_is_not_believed() {
    for id in ["s-\u{1b}[2J0123456789abc", "s-1", "", "../x"] {
        let stub = Stub::new().await;
        stub.on("transfer:ListServers", [one_server()])
            .on("transfer:DescribeServer", [server("TransferSecurityPolicy-2025-03", "ONLINE")])
            .on("transfer:ListHostKeys", [Reply::ok(r#"{"ServerId":"s-0123456789abcdef0","HostKeys":[]}"#)]);
        let live = resource("us-west-2/server").read(&*stub.aws(REGION).await, Some(id)).await.unwrap().unwrap();
        assert_eq!((live.identity.as_str(), &live.owner), ("s-0123456789abcdef0", &Owner::Ours), "{id:?}");
        let asked = stub.asked("transfer:DescribeServer");
        assert!(asked.iter().all(|call| call.body.contains("s-0123456789abcdef0")), "{id:?}");
    }
}

/// `GetRole` of a role with these tags.
pub(crate) fn role(tags: &str) -> Reply {
    Reply::ok(format!(
        "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><RoleName>r</RoleName><RoleId>AROA1</RoleId>\
         <Arn>{API_ROLE}</Arn><CreateDate>2026-11-24T09:00:00Z</CreateDate><Tags>{tags}</Tags></Role>\
         </GetRoleResult></GetRoleResponse>"
    ))
}

/// A role from before the environment file named the boundary: without it, nothing may be attached to the role.
#[tokio::test]
async fn older_log_role_gets_the_boundary_first() {
    let stub = Stub::new().await;
    let boundary = "arn:aws:iam::111111111111:policy/sftp-boundary";
    let mut environment = crate::drive::environment();
    environment.permissions_boundary = Some(boundary.to_owned());
    let all = crate::drive::resources(&environment);
    let resource = all.into_iter().find(|one| one.id().as_str() == "us-west-2/api-account").unwrap();
    let tags: String = sftpctl_core::spec::names::tags(&environment)
        .iter()
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .collect();
    let ours = json!({ "cloudwatchRoleArn": API_ROLE }).to_string();
    // Two reads of the region and, for the role, of all three.
    let unset = (0..8).map(|_| Reply::ok("{}"));
    stub.on("apigateway:GET /account", unset.chain([Reply::ok(&*ours)]).collect::<Vec<_>>())
        .on("iam:GetRole", [role(&tags)])
        .on("iam:CreateRole", [Reply::query_error(409, "EntityAlreadyExists", "it is there")])
        .on("iam:PutRolePermissionsBoundary", [done("PutRolePermissionsBoundary")])
        .on("iam:AttachRolePolicy", [done("AttachRolePolicy")])
        .on("apigateway:PATCH /account", [Reply::ok(&*ours)]);
    let aws = stub.aws(REGION).await;
    crate::drive::deploy(&aws, &[resource], Actual::new()).await;
    let operations = stub.operations();
    let at = |name: &str| operations.iter().position(|one| one == name);
    assert!(at("iam:PutRolePermissionsBoundary").is_some(), "{operations:?}");
    assert!(at("iam:PutRolePermissionsBoundary") < at("iam:AttachRolePolicy"), "{operations:?}");
    let put = &stub.asked("iam:PutRolePermissionsBoundary")[0].body;
    assert!(put.contains("sftp-boundary"), "{put}");
}

#[tokio::test]
async fn foreign_log_role_is_neither_used_nor_removed() {
    let stub = Stub::new().await;
    stub.on("apigateway:GET /account", [Reply::ok("{}")]).on("iam:GetRole", [role("")]);
    let ended = deploy_one(&stub, "us-west-2/api-account", Actual::new()).await;
    let outcome = ended.outcome(&node("us-west-2/api-account"));
    assert!(outcome["error"].as_str().unwrap().contains("exists without the tag sftpctl:environment"), "{outcome}");
    assert_eq!(
        stub.operations().iter().filter(|o| !o.contains("Get") && !o.contains("GET")).count(),
        0,
        "nothing is written"
    );

    let account = json!({ "cloudwatchRoleArn": API_ROLE }).to_string();
    stub.on("apigateway:GET /account", [Reply::ok(account)])
        .on("apigateway:GET /restapis", [Reply::ok(r#"{"item":[]}"#)])
        .on("apigateway:GET /v2/apis", [Reply::ok(r#"{"items":[]}"#)]);
    let (aws, resource) = (stub.aws(REGION).await, resource("us-west-2/api-account"));
    let live = resource.read(&aws, None).await.unwrap().unwrap();
    assert_eq!(resource.removal(&aws, &live, DELETE_DATA).await.unwrap(), Removal::Leave);
    stub.on("iam:GetRole", [role("<member><Key>sftpctl:environment</Key><Value>99</Value></member>")]);
    assert_eq!(resource.removal(&aws, &live, DELETE_DATA).await.unwrap(), Removal::Delete);

    // The setting is one for REST, WebSocket and HTTP APIs.
    let keeps = async |reply: Reply| {
        stub.on("apigateway:GET /v2/apis", [reply]);
        match resource.removal(&aws, &live, DELETE_DATA).await.unwrap() {
            Removal::Keep(why) => why,
            other => panic!("{other:?}"),
        }
    };
    let chat = Reply::ok(r#"{"items":[{"apiId":"a1","name":"chat","protocolType":"WEBSOCKET"}]}"#);
    assert_eq!(keeps(chat).await, "other APIs use it to write logs: chat");
    let denied = keeps(Reply::json_error(403, "AccessDeniedException", "not authorized")).await;
    assert!(denied.contains("apigateway:GetApis"), "{denied}");
}

const CODE: &str = "s3:GET /lambda-pl-upload-us-west-2";

/// A code bucket without the wanted package, with these tags and keys.
fn code_bucket(stub: &Stub, package: &dyn Resource, tags: &str, keys: &[&str]) {
    let object = package.title().split(' ').nth(1).unwrap().to_owned();
    let versions: String =
        keys.iter().map(|key| format!("<Version><Key>{key}</Key><VersionId>1</VersionId></Version>")).collect();
    stub.on(&format!("s3:HEAD /lambda-pl-upload-us-west-2/{object}"), [Reply::new(404, "")])
        .on(&format!("{CODE}?tagging"), [Reply::ok(format!("<Tagging><TagSet>{tags}</TagSet></Tagging>"))])
        .on(&format!("{CODE}?versions"), [Reply::ok(format!("<ListVersionsResult>{versions}</ListVersionsResult>"))]);
}

#[tokio::test]
async fn empty_untagged_code_bucket_is_adopted_by_the_plan() {
    let stub = Stub::new().await;
    let package = resource("us-west-2/package");
    code_bucket(&stub, &*package, "", &[]);
    let aws = stub.aws(REGION).await;
    let actual = observe(&aws, &[Arc::clone(&package)], &BTreeMap::new()).await.actual;
    let live = actual[package.id()].clone().unwrap();
    let change = package.diff(Some(&live), &actual).unwrap();
    let reason = "the empty bucket lambda-pl-upload-us-west-2 of this account, without tags, is taken over";
    assert_eq!(change.reason.as_deref(), Some(reason));
    assert_eq!(package.removal(&aws, &live, DELETE_DATA).await.unwrap(), Removal::Leave);

    for (tags, keys) in [("", &["theirs.zip"][..]), ("<Tag><Key>team</Key><Value>build</Value></Tag>", &[])] {
        code_bucket(&stub, &*package, tags, keys);
        let live = package.read(&aws, None).await.unwrap().unwrap();
        assert!(matches!(live.owner, Owner::Foreign(_)), "{live:?}");
    }
}

#[rstest]
#[case::ours(&["pl-upload-99-0123456789ab.zip", "pl-upload-0123456789ab.zip"], Removal::Delete)]
#[case::empty(&[], Removal::Delete)]
#[case::only_foreign(&["pl-upload-0123456789ab.zip"], Removal::Leave)]
#[tokio::test]
async fn code_bucket_with_only_foreign_packages_is_left(#[case] keys: &[&str], #[case] expected: Removal) {
    let stub = Stub::new().await;
    let package = resource("us-west-2/package");
    code_bucket(&stub, &*package, "<Tag><Key>sftpctl:code</Key><Value>packages</Value></Tag>", keys);
    let aws = stub.aws(REGION).await;
    let live = package.read(&aws, None).await.unwrap().unwrap();
    assert_eq!(package.removal(&aws, &live, DELETE_DATA).await.unwrap(), expected);
}

pub(crate) const POLICY: &str = "arn:aws:iam::111111111111:policy/99-uploads-sftp-transfer";
pub(crate) const USER_ROLE: &str = "arn:aws:iam::111111111111:role/sftp-transfer";
pub(crate) const TABLE: &str = "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads";

pub(crate) fn attached(arns: &[&str]) -> Reply {
    let members: String = arns
        .iter()
        .map(|arn| format!("<member><PolicyName>p</PolicyName><PolicyArn>{arn}</PolicyArn></member>"))
        .collect();
    Reply::ok(format!(
        "<ListAttachedRolePoliciesResponse><ListAttachedRolePoliciesResult>\
         <AttachedPolicies>{members}</AttachedPolicies>\
         <IsTruncated>false</IsTruncated></ListAttachedRolePoliciesResult></ListAttachedRolePoliciesResponse>"
    ))
}

/// The managed policy with this document and these tags.
pub(crate) fn managed(stub: &Stub, document: &str, tags: &str) {
    let document = document.replace('"', "%22");
    stub.on(
        "iam:GetPolicy",
        [Reply::ok(format!(
            "<GetPolicyResponse><GetPolicyResult><Policy><Arn>{POLICY}</Arn><DefaultVersionId>v1</DefaultVersionId>\
             <Tags>{tags}</Tags></Policy></GetPolicyResult></GetPolicyResponse>"
        ))],
    )
    .on(
        "iam:GetPolicyVersion",
        [Reply::ok(format!(
            "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>{document}</Document>\
             </PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>"
        ))],
    );
}

const REPLICA: &str = "arn:aws:dynamodb:us-east-1:111111111111:table/dydb-99-uploads";
const CREATED_BY_HAND: &str = r#"{"Tags":[{"Key":"made-by","Value":"hand"}]}"#;
const OURS: &str = r#"{"Tags":[{"Key":"sftpctl:environment","Value":"99"}]}"#;
const OTHER_ENVIRONMENT: &str = r#"{"Tags":[{"Key":"sftpctl:environment","Value":"98"}]}"#;

/// The replica's own tags are read first, then those of the table in the home region.
#[rstest]
#[case::of_a_manually_created_table(None, CREATED_BY_HAND, CREATED_BY_HAND, false)]
#[case::of_a_foreign_table(None, CREATED_BY_HAND, OTHER_ENVIRONMENT, false)]
#[case::tag_of_another_environment(Some(REPLICA), OTHER_ENVIRONMENT, OURS, false)]
#[case::of_our_table(None, CREATED_BY_HAND, OURS, true)]
#[case::tagged(None, OURS, CREATED_BY_HAND, true)]
#[case::remembered(Some(REPLICA), CREATED_BY_HAND, CREATED_BY_HAND, true)]
#[tokio::test]
async fn replica_has_the_owner_of_its_table(
    #[case] known: Option<&str>,
    #[case] own: &str,
    #[case] home: &str,
    #[case] ours: bool,
) {
    let stub = Stub::new().await;
    let table = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE", "TableArn": REPLICA,
        "Replicas": [{ "RegionName": "us-west-2", "ReplicaStatus": "ACTIVE" }],
    }});
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())])
        .on("dynamodb:ListTagsOfResource", [Reply::ok(own), Reply::ok(home)])
        .on("cloudformation:DescribeStacks", [stack("UPDATE_COMPLETE", "d")]);
    let live = resource("us-east-1/replica").read(&*stub.aws(REGION).await, known).await.unwrap().unwrap();
    assert_eq!(live.owner == Owner::Ours, ours, "{live:?}");
    if let [_, home] = &stub.asked("dynamodb:ListTagsOfResource")[..] {
        assert!(home.region == REGION && home.body.contains(TABLE), "{home:?}");
    }
}

/// While a replica is being created, only the home region knows of it.
#[tokio::test]
async fn replica_being_created_has_the_owner_of_its_table() {
    let stub = Stub::new().await;
    let missing = Reply::json_error(400, "ResourceNotFoundException", "no such table");
    let table = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE", "TableArn": TABLE,
        "Replicas": [{ "RegionName": "us-east-1", "ReplicaStatus": "CREATING" }],
    }});
    for (tags, ours) in [(CREATED_BY_HAND, false), (OURS, true)] {
        stub.on("dynamodb:DescribeTable", [missing.clone(), Reply::ok(table.to_string())])
            .on("dynamodb:ListTagsOfResource", [Reply::ok(tags)]);
        let live = resource("us-east-1/replica").read(&*stub.aws(REGION).await, None).await.unwrap().unwrap();
        assert_eq!(live.owner == Owner::Ours, ours, "{live:?}");
    }
}

/// The table's replica in a region that is no longer in the environment file.
fn dropped_replica() -> Orphan {
    Orphan {
        id: node("us-east-1/replica"),
        stray: strays::of(Kind::Replica).unwrap(),
        region: "us-east-1".into(),
        home: REGION.into(),
        account: "111111111111".into(),
        identity: "dydb-99-uploads".into(),
        note: "",
        after: Vec::new(),
        before: vec![node("us-west-2/table")],
        environment: "99".into(),
        servers: Vec::new(),
    }
}

/// Without a tag, a replica has the owner of its table, as long as it is a replica of that table.
#[rstest]
#[case::of_our_table("us-west-2", CREATED_BY_HAND, OURS, true)]
#[case::of_a_foreign_table("us-west-2", CREATED_BY_HAND, OTHER_ENVIRONMENT, false)]
#[case::unrelated_table_of_that_name("eu-west-1", CREATED_BY_HAND, OURS, false)]
#[case::tagged_without_its_table("eu-west-1", OURS, CREATED_BY_HAND, true)]
#[tokio::test]
async fn dropped_replica_is_an_orphan_only_if_its_table_is_ours(
    #[case] other: &str,
    #[case] own: &str,
    #[case] home: &str,
    #[case] ours: bool,
) {
    let stub = Stub::new().await;
    let table = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE", "TableArn": REPLICA,
        "Replicas": [{ "RegionName": other, "ReplicaStatus": "ACTIVE" }],
    }});
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())])
        .on("dynamodb:ListTagsOfResource", [Reply::ok(own), Reply::ok(home)]);
    let live = dropped_replica().read(&*stub.aws(REGION).await, None).await.unwrap().unwrap();
    assert_eq!(live.owner == Owner::Ours, ours, "{live:?}");
}

/// Deleting the table in the home region leaves the replica as a table of its own.
#[tokio::test]
async fn replica_without_its_table_is_deleted_in_its_own_region() {
    let stub = Stub::new().await;
    let gone = Reply::json_error(400, "ResourceNotFoundException", "no such table");
    let today = "acted as a source region for new replica(s) being added to the table in the last 24 hours";
    stub.on("dynamodb:UpdateTable", [gone])
        .on("dynamodb:DeleteTable", [Reply::ok("{}"), Reply::json_error(400, "ValidationException", today)]);
    let aws = stub.aws(REGION).await;
    let delete = async || dropped_replica().delete(&aws, "call", &Live::new("dydb-99-uploads"), DELETE_DATA).await;
    delete().await.unwrap();
    assert_eq!(stub.asked("dynamodb:DeleteTable")[0].region, "us-east-1");
    assert!(matches!(delete().await, Err(ResourceError::NotYet(_))), "it can be deleted after 24 hours");
}

/// IAM has no idempotency token: if the SDK retried after a lost response, there would be two versions.
#[tokio::test]
async fn policy_version_is_created_once() {
    let stub = Stub::new().await;
    let policy = resource("global/user-policy");
    managed(&stub, "{}", "<member><Key>sftpctl:environment</Key><Value>99</Value></member>");
    stub.on("iam:ListAttachedRolePolicies", [attached(&[POLICY])])
        .on(
            "iam:ListPolicyVersions",
            [Reply::ok(
                "<ListPolicyVersionsResponse><ListPolicyVersionsResult></ListPolicyVersionsResult>\
                 </ListPolicyVersionsResponse>",
            )],
        )
        .on(
            "iam:CreatePolicyVersion",
            [Reply::query_error(500, "ServiceFailure", "lost"), crate::wire::done("CreatePolicyVersion")],
        );
    let aws = stub.aws(REGION).await;
    let live = policy.read(&aws, None).await.unwrap().unwrap();
    let change = policy.diff(Some(&live), &Actual::new()).unwrap();
    let failed = policy.apply(&aws, "call", &change, Some(&live), &Actual::new()).await;
    assert!(
        matches!(&failed, Err(ResourceError::Aws(error)) if error.is_transient()),
        "the step must read before it retries: {failed:?}"
    );
    assert_eq!(stub.count("iam:CreatePolicyVersion"), 1);
}

#[tokio::test]
async fn second_user_policy_exists_only_with_its_clusters() {
    let stub = Stub::new().await;
    let policy = |environment: &sftpctl_core::spec::model::Environment| {
        let all = crate::drive::resources(environment);
        all.into_iter().find(|resource| resource.id().as_str() == "global/user-policy").unwrap()
    };
    let mut many = environment();
    let cluster = many.clusters["99-0"].clone();
    many.clusters.extend((100..200).map(|n| (format!("99-{n}"), cluster.clone())));
    let missing = || Reply::query_error(404, "NoSuchEntity", "there is no such policy");
    stub.on("iam:GetPolicy", [missing()])
        .on("iam:ListAttachedRolePolicies", [attached(&[])])
        .on("iam:CreatePolicy", [crate::wire::done("CreatePolicy")]);
    let aws = stub.aws(REGION).await;
    let two = policy(&many);
    assert_eq!(two.title(), "policies 99-uploads-sftp-transfer to 99-uploads-sftp-transfer-2");
    let change = two.diff(None, &Actual::new()).unwrap();
    two.apply(&aws, "call", &change, None, &Actual::new()).await.unwrap();
    let created: Vec<String> = stub.asked("iam:CreatePolicy").into_iter().map(|request| request.body).collect();
    assert!(created[0].contains("PolicyName=99-uploads-sftp-transfer&"), "{}", &created[0][..200]);
    assert!(created[1].contains("PolicyName=99-uploads-sftp-transfer-2&"), "{}", &created[1][..200]);

    // With fewer clusters the second policy is detached and deleted, and the role is otherwise unchanged.
    let one = policy(&environment());
    let sftpctl_core::model::Want::Is(document) = &one.wanted(&Actual::new())["document"] else { panic!() };
    managed(&stub, &document.to_string(), "<member><Key>sftpctl:environment</Key><Value>99</Value></member>");
    let second = format!("{POLICY}-2");
    stub.on("iam:ListAttachedRolePolicies", [attached(&[POLICY, &second, "arn:aws:iam::aws:policy/theirs"])]);
    for operation in ["DetachRolePolicy", "DeletePolicy"] {
        stub.on(&format!("iam:{operation}"), [crate::wire::done(operation)]);
    }
    stub.on(
        "iam:ListPolicyVersions",
        [Reply::ok(
            "<ListPolicyVersionsResponse><ListPolicyVersionsResult></ListPolicyVersionsResult>\
             </ListPolicyVersionsResponse>",
        )],
    );
    let live = one.read(&aws, None).await.unwrap().unwrap();
    let mut change = one.diff(Some(&live), &Actual::new()).unwrap();
    change.properties.retain(|property| property.name != "tags");
    let names: Vec<&str> = change.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["document 2"]);
    one.apply(&aws, "call", &change, Some(&live), &Actual::new()).await.unwrap();
    for operation in ["iam:DetachRolePolicy", "iam:DeletePolicy"] {
        let requests = stub.asked(operation);
        assert_eq!(requests.len(), 1);
        assert!(requests[0].body.contains("sftp-transfer-2"), "{}", requests[0].body);
    }
}

#[tokio::test]
async fn foreign_policy_with_a_similar_name_is_left_alone() {
    let stub = Stub::new().await;
    let policy = resource("global/user-policy");
    let sftpctl_core::model::Want::Is(document) = &policy.wanted(&Actual::new())["document"] else { panic!() };
    managed(&stub, &document.to_string(), "<member><Key>sftpctl:environment</Key><Value>99</Value></member>");
    let get = |tags: &str| {
        Reply::ok(format!(
            "<GetPolicyResponse><GetPolicyResult><Policy><DefaultVersionId>v1</DefaultVersionId><Tags>{tags}</Tags>\
             </Policy></GetPolicyResult></GetPolicyResponse>"
        ))
    };
    let ours = || get("<member><Key>sftpctl:environment</Key><Value>99</Value></member>");
    stub.on("iam:GetPolicy", [ours(), get("")])
        .on("iam:ListAttachedRolePolicies", [attached(&[POLICY, &format!("{POLICY}-2")])])
        .on("iam:DetachRolePolicy", [crate::wire::done("DetachRolePolicy")]);
    let aws = stub.aws(REGION).await;
    let live = policy.read(&aws, Some(POLICY)).await.unwrap().unwrap();
    assert_eq!(live.owner, Owner::Ours);
    let change = policy.diff(Some(&live), &Actual::new());
    assert!(!change.is_some_and(|change| change.touches("document 2")));
    policy.delete(&aws, "call", &live, DELETE_DATA).await.unwrap();
    let requests = stub.asked("iam:DetachRolePolicy");
    assert_eq!(requests.len(), 1);
    assert!(requests.iter().all(|request| !request.body.contains("sftp-transfer-2")), "{requests:?}");
    assert_eq!(stub.count("iam:DeletePolicy"), 0);
}
