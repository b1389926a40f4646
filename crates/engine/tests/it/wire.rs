//! Behavior of AWS that no emulator has, from a stub that responds as AWS does; the requests are compared with what AWS
//! accepts. Sources: AWS's API references, and issues of the Terraform provider and of CDK.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use rstest::rstest;
use serde_json::{Value, json};
use sftpctl_core::events::Event;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Actual, Live};
use sftpctl_core::spec::model::Cluster;
use sftpctl_engine::resources::resource::Resource;

use crate::drive::{self, RunResult, deploy, resource, resources, teardown};
use crate::stub::{Reply, Stub};

pub(crate) const REGION: &str = "us-west-2";
pub(crate) const STACK: &str = "us-west-2/stack";
pub(crate) const STACK_ARN: &str = "arn:aws:cloudformation:us-west-2:111111111111:stack/sftp-99-upload-us-west-2/1";

pub(crate) fn node(id: &str) -> NodeId {
    serde_json::from_value(json!(id)).unwrap()
}

/// A stack with all outputs that other resources need.
pub(crate) fn existing_stack() -> Actual {
    let live = Live::new(STACK_ARN)
        .with("template", "digest")
        .output("ApiId", "a1")
        .output("ApiUrl", "https://a1.execute-api.us-west-2.amazonaws.com/prod")
        .output("InvocationRoleArn", "arn:aws:iam::111111111111:role/invocation")
        .output("TriggerSourceArn", "arn:aws:execute-api:us-west-2:111111111111:a1/prod/GET/x");
    Actual::from([(node(STACK), Some(live))])
}

/// A region without a server.
pub(crate) fn no_server() -> Actual {
    Actual::from([(node("us-west-2/server"), None)])
}

pub(crate) fn retries(ended: &RunResult) -> Vec<String> {
    let reason = |event: &Event| match event {
        Event::StepRetried { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    ended.events.iter().filter_map(reason).collect()
}

/// `DescribeStacks` of a stack that is as wanted, except for its status and digest.
pub(crate) fn stack(status: &str, digest: &str) -> Reply {
    let wanted = resource(STACK).wanted(&Actual::new());
    let sftpctl_core::model::Want::Is(Value::Object(parameters)) = &wanted["parameters"] else { panic!() };
    let parameters: String = parameters
        .iter()
        .map(|(key, value)| {
            let value = value.as_str().unwrap().replace('&', "&amp;").replace('<', "&lt;");
            format!("<member><ParameterKey>{key}</ParameterKey><ParameterValue>{value}</ParameterValue></member>")
        })
        .collect();
    let tags: String = sftpctl_core::spec::names::tags(&drive::environment())
        .iter()
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .collect();
    let digest = format!("<member><OutputKey>TemplateDigest</OutputKey><OutputValue>{digest}</OutputValue></member>");
    Reply::ok(format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>{STACK_ARN}</StackId>\
         <StackName>sftp-99-upload-us-west-2</StackName><CreationTime>2026-11-24T09:00:00Z</CreationTime>\
         <StackStatus>{status}</StackStatus><Parameters>{parameters}</Parameters><Outputs>{digest}</Outputs>\
         <Tags>{tags}</Tags></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    ))
}

pub(crate) fn no_stack() -> Reply {
    Reply::query_error(400, "ValidationError", "Stack with id sftp-99-upload-us-west-2 does not exist")
}

/// The digest of the wanted template.
pub(crate) fn digest() -> String {
    match &resource(STACK).wanted(&Actual::new())["template"] {
        sftpctl_core::model::Want::Is(Value::String(digest)) => digest.clone(),
        other => panic!("{other:?}"),
    }
}

/// Events, newest first; an event keeps its ID in a later, longer response.
pub(crate) fn events(members: &[(&str, &str, &str)]) -> Reply {
    let members: String = (1..=members.len())
        .rev()
        .zip(members)
        .map(|(id, (resource, status, reason))| {
            format!(
                "<member><StackId>{STACK_ARN}</StackId><EventId>{id}</EventId><StackName>s</StackName>\
                 <LogicalResourceId>{resource}</LogicalResourceId><ResourceType>AWS::X::Y</ResourceType>\
                 <Timestamp>2026-11-24T09:00:00Z</Timestamp><ResourceStatus>{status}</ResourceStatus>\
                 <ResourceStatusReason>{reason}</ResourceStatusReason></member>"
            )
        })
        .collect();
    Reply::ok(format!(
        "<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents>{members}</StackEvents>\
         </DescribeStackEventsResult></DescribeStackEventsResponse>"
    ))
}

pub(crate) fn done(operation: &str) -> Reply {
    Reply::ok(format!("<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"))
}

pub(crate) async fn deploy_one(stub: &Stub, id: &str, given: Actual) -> RunResult {
    let aws = stub.aws(REGION).await;
    deploy(&aws, &[resource(id)], given).await
}

#[tokio::test]
async fn existing_api_log_role_is_kept() {
    let stub = Stub::new().await;
    stub.on("apigateway:GET /account", [Reply::ok(r#"{"cloudwatchRoleArn":"arn:aws:iam::111111111111:role/theirs"}"#)]);
    let ended = deploy_one(&stub, "us-west-2/api-account", Actual::new()).await;
    assert!(ended.plan.is_empty());
    assert_eq!(stub.operations(), ["apigateway:GET /account"]);
}

#[tokio::test]
async fn missing_api_log_role_is_set_once_the_new_role_is_usable() {
    let stub = Stub::new().await;
    let ours = r#"{"cloudwatchRoleArn":"arn:aws:iam::111111111111:role/x"}"#;
    stub.on(
        "apigateway:GET /account",
        [Reply::ok("{}"), Reply::ok("{}"), Reply::ok("{}"), Reply::ok("{}"), Reply::ok(ours)],
    )
    .on("iam:GetRole", [Reply::query_error(404, "NoSuchEntity", "there is no such role")])
    .on("iam:CreateRole", [done("CreateRole"), Reply::query_error(409, "EntityAlreadyExists", "it is there")])
    .on("iam:AttachRolePolicy", [done("AttachRolePolicy")])
    .on(
        "apigateway:PATCH /account",
        [
            Reply::json_error(
                400,
                "BadRequestException",
                "The role ARN does not have required permissions configured.",
            ),
            Reply::ok(ours),
        ],
    );
    let ended = deploy_one(&stub, "us-west-2/api-account", Actual::new()).await;
    assert_eq!(ended.outcome(&node("us-west-2/api-account"))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("apigateway:PATCH /account"), 2);
    assert_eq!(retries(&ended).len(), 1, "{:?}", retries(&ended));
    let patch: Value = serde_json::from_str(&stub.asked("apigateway:PATCH /account")[0].body).unwrap();
    assert_eq!(patch["patchOperations"][0]["path"], "/cloudwatchRoleArn");
}

const DAY: &str = "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to \
                   the table in the last 24 hours";

fn table(status: &str) -> Reply {
    let table = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": status,
        "TableArn": "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads",
    }});
    Reply::ok(table.to_string())
}

pub(crate) fn table_is_ours(stub: &Stub) {
    let tag = json!({ "Tags": [{ "Key": "sftpctl:environment", "Value": "99" }] });
    let backups = json!({ "ContinuousBackupsDescription": { "ContinuousBackupsStatus": "ENABLED" } });
    stub.on("dynamodb:ListTagsOfResource", [Reply::ok(tag.to_string())])
        .on("dynamodb:DescribeContinuousBackups", [Reply::ok(backups.to_string())]);
}

#[tokio::test]
async fn recent_source_table_is_deleted_later() {
    let stub = Stub::new().await;
    table_is_ours(&stub);
    stub.on("dynamodb:DescribeTable", [table("ACTIVE")])
        .on("dynamodb:DeleteTable", [Reply::json_error(400, "ValidationException", DAY)]);
    let ended = teardown(&stub.aws(REGION).await, &[resource("us-west-2/table")]).await;
    let outcome = ended.outcome(&node("us-west-2/table"));
    assert_eq!(outcome["outcome"], "later", "{outcome}");
    assert!(outcome["reason"].as_str().unwrap().contains("Rerun the same command tomorrow"), "{outcome}");
    assert_eq!(stub.count("dynamodb:DeleteTable"), 1, "a call that AWS refuses for a day is not retried");
}

#[tokio::test]
async fn recent_source_replica_is_deleted_later() {
    let stub = Stub::new().await;
    table_is_ours(&stub);
    let replica = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE",
        "TableArn": "arn:aws:dynamodb:us-east-1:111111111111:table/dydb-99-uploads",
        "Replicas": [{ "RegionName": "us-west-2", "ReplicaStatus": "ACTIVE" }],
    }});
    stub.on("dynamodb:DescribeTable", [Reply::ok(replica.to_string())])
        .on("dynamodb:UpdateTable", [Reply::json_error(400, "ValidationException", DAY)]);
    let ended = teardown(&stub.aws(REGION).await, &[resource("us-east-1/replica")]).await;
    let outcome = ended.outcome(&node("us-east-1/replica"));
    assert_eq!(outcome["outcome"], "later", "{outcome}");
    assert!(outcome["reason"].as_str().unwrap().contains("Rerun the same command tomorrow"), "{outcome}");
    assert_eq!(stub.count("dynamodb:UpdateTable"), 1, "a call that AWS refuses for a day is not retried");
}

#[tokio::test]
async fn point_in_time_recovery_waits_for_continuous_backups() {
    let stub = Stub::new().await;
    let resource = resource("us-west-2/table");
    let wanted = resource.wanted(&Actual::new());
    let sftpctl_core::model::Want::Is(Value::Object(tags)) = &wanted["tags"] else { panic!() };
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let backups = |recovery: &str| {
        Reply::ok(
            json!({ "ContinuousBackupsDescription": { "ContinuousBackupsStatus": "ENABLED",
                "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": recovery } } })
            .to_string(),
        )
    };
    let table = json!({ "Table": {
        "TableName": "dydb-99-uploads", "TableStatus": "ACTIVE",
        "TableArn": "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads",
        "KeySchema": [{ "AttributeName": "orgid", "KeyType": "HASH" }],
        "AttributeDefinitions": [
            { "AttributeName": "orgid", "AttributeType": "N" }, { "AttributeName": "username", "AttributeType": "S" },
        ],
        "GlobalSecondaryIndexes": [{ "IndexName": "username-index", "IndexStatus": "ACTIVE",
            "KeySchema": [{ "AttributeName": "username", "KeyType": "HASH" }] }],
        "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" },
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    }});
    let off = || backups("DISABLED");
    stub.on("dynamodb:DescribeTable", [Reply::ok(table.to_string())])
        .on("dynamodb:ListTagsOfResource", [Reply::ok(json!({ "Tags": tags }).to_string())])
        .on("dynamodb:DescribeContinuousBackups", [off(), off(), off(), off(), backups("ENABLED")])
        .on(
            "dynamodb:UpdateContinuousBackups",
            [
                Reply::json_error(
                    400,
                    "ContinuousBackupsUnavailableException",
                    "Backups are being enabled for the table: dydb-99-uploads. Please retry later",
                ),
                off(),
            ],
        );
    let ended = deploy_one(&stub, "us-west-2/table", Actual::new()).await;
    assert_eq!(ended.outcome(&node("us-west-2/table"))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("dynamodb:UpdateContinuousBackups"), 2);
    assert_eq!(retries(&ended).len(), 1, "{:?}", retries(&ended));
}

#[tokio::test]
async fn concurrently_changed_function_is_read_again() {
    let stub = Stub::new().await;
    let path = "/2015-03-31/functions/lambda-99-upload-us-west-2";
    let function = |server: &str, revision: &str| {
        Reply::ok(
            json!({ "Configuration": {
                "FunctionArn": "arn:aws:lambda:us-west-2:111111111111:function:lambda-99-upload-us-west-2",
                "State": "Active", "LastUpdateStatus": "Successful", "RevisionId": revision,
                "Environment": { "Variables": { "SERVER_ID": server, "TABLE_NAME": "t" } },
            }})
            .to_string(),
        )
    };
    let (old, new) = (|| function("unset", "r1"), || function("unset", "r2"));
    let server = "s-0123456789abcdef0";
    stub.on(&format!("lambda:GET {path}"), [old(), old(), old(), new(), new(), new(), function(server, "r3")]).on(
        &format!("lambda:PUT {path}/configuration"),
        [
            Reply::json_error(
                412,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id.",
            ),
            Reply::ok("{}"),
        ],
    );
    stub.on("cloudformation:DescribeStacks", std::iter::repeat_with(no_stack).take(9));
    let given = Actual::from([(node("us-west-2/server"), Some(Live::new(server).output("ServerId", server)))]);
    let ended = deploy_one(&stub, "us-west-2/server-id", given).await;
    assert_eq!(ended.outcome(&node("us-west-2/server-id"))["outcome"], "changed", "{:?}", ended.outcomes);
    let puts = stub.asked(&format!("lambda:PUT {path}/configuration"));
    let revisions: Vec<Value> =
        puts.iter().map(|put| serde_json::from_str::<Value>(&put.body).unwrap()["RevisionId"].clone()).collect();
    assert_eq!(revisions, ["r1", "r2"]);
}

#[tokio::test]
async fn table_in_use_is_waited_for() {
    let stub = Stub::new().await;
    table_is_ours(&stub);
    let gone = Reply::json_error(400, "ResourceNotFoundException", "Requested resource not found");
    let busy = Reply::json_error(400, "ResourceInUseException", "Table is being updated: dydb-99-uploads");
    stub.on(
        "dynamodb:DescribeTable",
        [table("ACTIVE"), table("ACTIVE"), table("UPDATING"), table("ACTIVE"), table("DELETING"), gone],
    )
    .on("dynamodb:DeleteTable", [busy, table("DELETING")]);
    let ended = teardown(&stub.aws(REGION).await, &[resource("us-west-2/table")]).await;
    assert_eq!(ended.outcome(&node("us-west-2/table"))["outcome"], "deleted", "{:?}", ended.outcomes);
}

/// `DescribeServer` of a server that is as wanted, except for this security policy.
pub(crate) fn server(policy: &str, state: &str) -> Reply {
    let environment = drive::environment();
    let wanted = resource("us-west-2/server").wanted(&existing_stack());
    let value = |name: &str| match &wanted[name] {
        sftpctl_core::model::Want::Is(value) => value.clone(),
        other => panic!("{other:?}"),
    };
    let tags = value("tags");
    let tags: Vec<Value> =
        tags.as_object().unwrap().iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let server = json!({ "Server": {
        "Arn": "arn:aws:transfer:us-west-2:111111111111:server/s-0123456789abcdef0",
        "ServerId": "s-0123456789abcdef0", "State": state, "Tags": tags,
        "IdentityProviderType": "API_GATEWAY",
        "IdentityProviderDetails": {
            "Url": value("identity provider"), "InvocationRole": value("invocation role"),
            "SftpAuthenticationMethods": environment.server.authentication,
        },
        "LoggingRole": value("logging role"), "StructuredLogDestinations": value("structured logs"),
        "SecurityPolicyName": policy, "ProtocolDetails": { "SetStatOption": "ENABLE_NO_OP" },
        "S3StorageOptions": { "DirectoryListingOptimization": "ENABLED" },
    }});
    Reply::ok(server.to_string())
}

pub(crate) fn one_server() -> Reply {
    Reply::ok(r#"{"Servers":[{"Arn":"a","ServerId":"s-0123456789abcdef0","State":"ONLINE"}]}"#)
}

#[tokio::test]
async fn server_update_is_retried_during_a_state_change() {
    let stub = Stub::new().await;
    let policy = drive::environment().server.security_policy;
    let old = || server("TransferSecurityPolicy-2018-11", "ONLINE");
    stub.on("transfer:ListServers", [one_server()])
        .on("transfer:DescribeServer", [old(), old(), old(), old(), old(), server(&policy, "ONLINE")])
        .on(
            "transfer:UpdateServer",
            [
                Reply::json_error(400, "ConflictException", "The server is in the process of changing its state"),
                Reply::ok(r#"{"ServerId":"s-0123456789abcdef0"}"#),
            ],
        );
    let ended = deploy_one(&stub, "us-west-2/server", existing_stack()).await;
    assert_eq!(ended.outcome(&node("us-west-2/server"))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("transfer:UpdateServer"), 2);
    let update: Value = serde_json::from_str(&stub.asked("transfer:UpdateServer")[0].body).unwrap();
    assert_eq!(update["SecurityPolicyName"], policy);
    assert!(update.get("HostKey").is_none(), "an update never touches the host key: {update}");
}

/// AWS created the server, and the connection broke in the middle of the response.
#[tokio::test]
async fn truncated_response_creates_no_second_server() {
    let stub = Stub::new().await;
    let policy = drive::environment().server.security_policy;
    let none = || Reply::ok(r#"{"Servers":[]}"#);
    stub.on("transfer:ListServers", [none(), none(), none(), one_server()])
        .on("transfer:DescribeServer", [server(&policy, "ONLINE")])
        .on("transfer:CreateServer", [Reply::ok(r#"{"ServerId":"s-01234"#)]);
    let ended = deploy_one(&stub, "us-west-2/server", existing_stack()).await;
    assert_eq!(ended.outcome(&node("us-west-2/server"))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("transfer:CreateServer"), 1);
}

#[tokio::test]
async fn new_role_is_waited_for_until_it_can_be_assumed() {
    let stub = Stub::new().await;
    let policy = drive::environment().server.security_policy;
    let none = || Reply::ok(r#"{"Servers":[]}"#);
    stub.on("transfer:ListServers", [none(), none(), none(), none(), one_server()])
        .on("transfer:DescribeServer", [server(&policy, "STARTING"), server(&policy, "ONLINE")])
        .on(
            "transfer:CreateServer",
            [
                Reply::json_error(
                    400,
                    "InvalidRequestException",
                    "The role cannot be assumed by transfer.amazonaws.com",
                ),
                Reply::ok(r#"{"ServerId":"s-0123456789abcdef0"}"#),
            ],
        );
    let ended = deploy_one(&stub, "us-west-2/server", existing_stack()).await;
    assert_eq!(ended.outcome(&node("us-west-2/server"))["outcome"], "changed", "{:?}", ended.outcomes);
    let create: Value = serde_json::from_str(&stub.asked("transfer:CreateServer")[1].body).unwrap();
    assert_eq!(create["ProtocolDetails"]["SetStatOption"], "ENABLE_NO_OP");
    assert_eq!(create["S3StorageOptions"]["DirectoryListingOptimization"], "ENABLED");
    let tags = create["Tags"].as_array().unwrap();
    assert!(tags.iter().any(|tag| tag["Key"] == "sftpctl:operation"), "the tag identifies the server later: {create}");
}

#[tokio::test]
async fn existing_permission_is_accepted() {
    let stub = Stub::new().await;
    let statement = json!({ "Version": "2012-10-17", "Statement": [{
        "Sid": "sftpctl-api-trigger", "Effect": "Allow", "Principal": { "Service": "apigateway.amazonaws.com" },
        "Action": "lambda:InvokeFunction", "Resource": "x",
        "Condition": {
            "StringEquals": { "AWS:SourceAccount": "111111111111" },
            "ArnLike": { "AWS:SourceArn": "arn:aws:execute-api:us-west-2:111111111111:a1/prod/GET/x" },
        },
    }]});
    let none =
        || Reply::json_error(404, "ResourceNotFoundException", "No policy is associated with the given resource.");
    let path = "/2015-03-31/functions/lambda-99-upload-us-west-2/policy";
    // The response to the first call was lost; the policy shows the permission only a moment later.
    stub.on(
        &format!("lambda:GET {path}"),
        [none(), none(), Reply::ok(json!({ "Policy": statement.to_string() }).to_string())],
    )
    .on(
        &format!("lambda:POST {path}"),
        [Reply::json_error(
            409,
            "ResourceConflictException",
            "The statement id (sftpctl-api-trigger) provided already exists.",
        )],
    );
    let ended = deploy_one(&stub, "us-west-2/trigger", existing_stack()).await;
    assert_eq!(ended.outcome(&node("us-west-2/trigger"))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count(&format!("lambda:POST {path}")), 1);
    let body: Value = serde_json::from_str(&stub.asked(&format!("lambda:POST {path}"))[0].body).unwrap();
    assert_eq!(body["SourceArn"], "arn:aws:execute-api:us-west-2:111111111111:a1/prod/GET/x");
    assert_eq!(body["SourceAccount"], "111111111111");
}

/// The SDK retries the errors that it knows; the executor retries the others.
#[rstest]
#[case::retried_by_the_sdk(vec![Reply::query_error(400, "Throttling", "Rate exceeded")], 0)]
#[case::retried_by_the_executor(vec![Reply::new(520, ""), Reply::new(520, "")], 2)]
#[tokio::test]
async fn transient_poll_failure_fails_no_deployment(#[case] faults: Vec<Reply>, #[case] reported: usize) {
    let stub = Stub::new().await;
    let mut replies = vec![no_stack(), no_stack(), stack("CREATE_IN_PROGRESS", "")];
    replies.extend(faults);
    replies.push(stack("CREATE_COMPLETE", &digest()));
    stub.on("cloudformation:DescribeStacks", replies)
        .on("cloudformation:DescribeStackEvents", [Reply::query_error(400, "ValidationError", "no events")])
        .on("cloudformation:CreateStack", [done("CreateStack")]);
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(retries(&ended).len(), reported, "{:?}", retries(&ended));
}

#[rstest]
#[case("us-east-1", None)]
#[case("us-west-2", Some("<LocationConstraint>us-west-2</LocationConstraint>"))]
#[tokio::test]
async fn only_us_east_1_buckets_have_no_location_constraint(#[case] region: &str, #[case] constraint: Option<&str>) {
    let stub = Stub::new().await;
    stub.on("s3:PUT /some-bucket", [Reply::ok("")]);
    stub.aws(region).await.s3(region).create_bucket("some-bucket").await.unwrap();
    let request = &stub.asked("s3:PUT /some-bucket")[0];
    assert_eq!(request.region, region);
    assert_eq!(request.body.contains("LocationConstraint"), constraint.is_some(), "{}", request.body);
    assert!(request.body.contains(constraint.unwrap_or_default()), "{}", request.body);
}

#[tokio::test]
async fn large_template_is_uploaded_to_the_code_bucket() {
    let mut environment = drive::environment();
    for cluster in 100..160 {
        environment.clusters.insert(format!("99-{cluster}"), Cluster { region: REGION.to_owned() });
    }
    let all: Vec<Arc<dyn Resource>> = resources(&environment);
    let stack_of_many = all.into_iter().find(|resource| resource.id().as_str() == STACK).unwrap();
    let stub = Stub::new().await;
    stub.on("cloudformation:DescribeStacks", [no_stack(), no_stack(), stack("CREATE_FAILED", "")])
        .on("cloudformation:DescribeStackEvents", [events(&[])])
        .on("cloudformation:CreateStack", [done("CreateStack")]);
    let put = |stub: &Stub| {
        stub.operations().into_iter().find(|o| o.starts_with("s3:PUT /lambda-pl-upload-us-west-2/templates/99/"))
    };
    deploy(&stub.aws(REGION).await, &[Arc::clone(&stack_of_many)], Actual::new()).await;
    let key = put(&stub).expect("the template was uploaded to the code bucket");
    stub.on(&key, [Reply::ok("").header("x-amz-version-id", "v7")]);
    stub.on("cloudformation:DescribeStacks", [no_stack(), no_stack(), stack("CREATE_FAILED", "")]);
    deploy(&stub.aws(REGION).await, &[stack_of_many], Actual::new()).await;
    let create = stub.asked("cloudformation:CreateStack").pop().unwrap().body;
    assert!(create.contains("TemplateURL=") && !create.contains("TemplateBody="), "{}", &create[..200]);
    assert!(create.contains("versionId%3Dv7"), "CloudFormation reads what was written, and nothing else");
    assert!(stub.asked(&key).pop().unwrap().body.len() > 51_200);
}
