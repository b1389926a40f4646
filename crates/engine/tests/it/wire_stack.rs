//! Stacks as only AWS has them: imports, a server that cannot be read, foreign stacks, long histories.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sftpctl_core::events::Event;
use sftpctl_core::model::{Action, Actual, Live, Owner};
use sftpctl_core::plan::planner;
use sftpctl_engine::observe::observe;

use crate::drive::{RunResult, deploy, resource};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, STACK, STACK_ARN, deploy_one, digest, done, events, no_stack, node, stack};
use crate::wire_bucket::bucket_settings;

const BUCKET: &str = "us-west-2/bucket/pl-pt99-5-uploads";

/// `GetTemplate` of a stack that has everything except one bucket.
fn template_without_a_bucket() -> Reply {
    let mut template: Value = serde_json::from_str(&template()).unwrap();
    template["Resources"].as_object_mut().unwrap().retain(|_, r| r["Properties"]["BucketName"] != "pl-pt99-5-uploads");
    Reply::ok(format!(
        "<GetTemplateResponse><GetTemplateResult><TemplateBody>{}</TemplateBody></GetTemplateResult>\
         </GetTemplateResponse>",
        escaped(&template.to_string())
    ))
}

fn template() -> String {
    let environment = crate::drive::environment();
    let code = sftpctl_core::template::Code { bucket: "b".into(), key: "k".into() };
    sftpctl_core::template::render(&environment, REGION, &code).unwrap().template.to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A stack with other tags, change set and parameters than [`stack`] has.
fn bare(status: &str, change_set: Option<&str>, parameters: &str) -> Reply {
    let change_set = change_set.map_or_else(String::new, |name| {
        format!("<ChangeSetId>arn:aws:cloudformation:us-west-2:111111111111:changeSet/{name}/1</ChangeSetId>")
    });
    Reply::ok(format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>{STACK_ARN}</StackId>{change_set}\
         <StackName>sftp-99-upload-us-west-2</StackName><CreationTime>2026-11-24T09:00:00Z</CreationTime>\
         <StackStatus>{status}</StackStatus><Parameters>{parameters}</Parameters></member></Stacks>\
         </DescribeStacksResult></DescribeStacksResponse>"
    ))
}

/// The fields of a query, decoded.
fn fields(body: &str) -> BTreeMap<String, String> {
    let decoded =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decoded(k), decoded(v))).collect()
}

/// The parameters of a query.
fn parameters(body: &str) -> BTreeMap<String, String> {
    let fields = fields(body);
    let name = |n: usize, part: &str| fields.get(&format!("Parameters.member.{n}.{part}")).cloned();
    (1..).map_while(|n| Some((name(n, "ParameterKey")?, name(n, "ParameterValue")?))).collect()
}

#[tokio::test]
async fn unreadable_template_is_an_error_and_causes_no_import() {
    let stub = Stub::new().await;
    stub.on("cloudformation:DescribeStacks", [stack("CREATE_COMPLETE", "old")])
        .on("cloudformation:GetTemplate", [Reply::query_error(403, "AccessDenied", "no GetTemplate for you")]);
    let aws = stub.aws(REGION).await;
    let observed = observe(&aws, &[resource(STACK)], &BTreeMap::new()).await;
    assert!(observed.unreadable[&node(STACK)].is("AccessDenied"), "{observed:?}");

    // A template that is not JSON: the buckets in it are unknown, so none is imported.
    stub.on("cloudformation:GetTemplate", [done("GetTemplate")]);
    let mut actual = observe(&aws, &[resource(STACK)], &BTreeMap::new()).await.actual;
    actual.insert(node(BUCKET), Some(Live::new("pl-pt99-5-uploads")));
    let change = resource(STACK).diff(actual[&node(STACK)].as_ref(), &actual).unwrap();
    assert_eq!(change.action, Action::Update);
}

#[tokio::test]
async fn import_into_a_stack_changes_nothing_else() {
    let stub = Stub::new().await;
    let old = || {
        let reply = stack("UPDATE_COMPLETE", "old");
        reply.replacing("<ParameterValue>512</ParameterValue>", "<ParameterValue>256</ParameterValue>")
    };
    bucket_settings(&stub, "pl-pt99-5-uploads", "Suspended");
    stub.on("s3:PUT /pl-pt99-5-uploads?versioning", [Reply::ok("")]);
    // CloudFormation cannot create a bucket policy if there already is one.
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [Reply::ok(r#"{"Statement":[]}"#)])
        .on("s3:DELETE /pl-pt99-5-uploads?policy", [Reply::new(204, "")]);
    stub.on("cloudformation:DescribeStacks", [old(), old(), old(), stack("UPDATE_COMPLETE", &digest())])
        .on("cloudformation:GetTemplate", [template_without_a_bucket()])
        .on("cloudformation:DescribeStackEvents", [events(&[])])
        .on("cloudformation:CreateChangeSet", [done("CreateChangeSet")])
        .on(
            "cloudformation:DescribeChangeSet",
            [Reply::ok(
                "<DescribeChangeSetResponse><DescribeChangeSetResult><Status>CREATE_COMPLETE</Status>\
                 </DescribeChangeSetResult></DescribeChangeSetResponse>",
            )],
        )
        .on("cloudformation:ExecuteChangeSet", [done("ExecuteChangeSet")]);
    let policy = json!({ "Statement": [] });
    let bucket = Live::new("pl-pt99-5-uploads").with("policy", policy).with("versioning", "Suspended");
    let bucket = bucket.with("encryption", "AES256");
    let given = Actual::from([(node(BUCKET), Some(bucket))]);
    let ended = deploy_one(&stub, STACK, given).await;
    let change = &ended.plan.steps[0].change;
    assert_eq!(change.action, Action::Import);
    let names: Vec<&str> = change.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["pl-pt99-5-uploads policy", "pl-pt99-5-uploads versioning"], "the plan shows the differences");
    let writing = |operation: &String| ["PUT", "DELETE", "ChangeSet"].iter().any(|part| operation.contains(part));
    let writes: Vec<_> = stub.operations().into_iter().filter(writing).collect();
    assert_eq!(
        writes[..3],
        [
            "s3:PUT /pl-pt99-5-uploads?versioning",
            "s3:DELETE /pl-pt99-5-uploads?policy",
            "cloudformation:CreateChangeSet"
        ]
    );
    let request = &stub.asked("cloudformation:CreateChangeSet")[0].body;
    let sent = parameters(request);
    assert_eq!(sent["MemoryMb"], "256", "the stack's value, not that of the environment file");
    let template: Value = serde_json::from_str(&fields(request)["TemplateBody"]).unwrap();
    let known = template["Parameters"].as_object().unwrap();
    assert!(sent.keys().all(|key| known.contains_key(key)), "{sent:?}");
}

#[tokio::test]
async fn stack_bucket_is_read_fully_only_if_its_policy_differs() {
    let stub = Stub::new().await;
    let bucket = resource(BUCKET);
    let sftpctl_core::model::Want::Is(policy) = bucket.wanted(&Actual::new())["policy"].clone() else { panic!() };
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [Reply::ok(policy.to_string())]);
    let aws = stub.aws(REGION).await;
    let given = crate::wire::existing_stack();
    let live = bucket.read(&aws, None).await.unwrap();
    assert_eq!(bucket.diff(live.as_ref(), &given), None);
    assert_eq!(stub.operations().len(), 1, "one call per bucket");

    bucket_settings(&stub, "pl-pt99-5-uploads", "Suspended");
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [Reply::ok("{}")]);
    let tagging = "s3:GET /pl-pt99-5-uploads?tagging";
    let tag = "<Tagging><TagSet><Tag><Key>sftpctl:environment</Key><Value>98</Value></Tag></TagSet></Tagging>";
    stub.on(tagging, [Reply::ok(tag)]);
    let taken = bucket.read(&aws, Some("pl-pt99-5-uploads")).await.unwrap().unwrap();
    assert!(matches!(&taken.owner, Owner::Foreign(what) if what.contains("environment 98")), "{taken:?}");

    // A bucket in our stack is ours even if its tags were removed.
    stub.on(tagging, [Reply::s3_error(404, "NoSuchTagSet", "The TagSet does not exist")])
        .on("cloudformation:DescribeStackResources", [crate::wire_witness::bucket_in_stack()])
        .on("cloudformation:DescribeStacks", [stack("UPDATE_COMPLETE", "d")]);
    let live = bucket.read(&aws, Some("pl-pt99-5-uploads")).await.unwrap();
    let change = bucket.diff(live.as_ref(), &given).unwrap();
    let names: Vec<&str> = change.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["policy", "versioning"]);
}

#[tokio::test]
async fn update_keeps_the_server_id_if_the_server_is_unreadable() {
    let stub = Stub::new().await;
    let id = "s-0123456789abcdef0";
    let function = json!({ "Configuration": {
        "FunctionArn": "arn:aws:lambda:us-west-2:111111111111:function:lambda-99-upload-us-west-2",
        "Environment": { "Variables": { "SERVER_ID": id } },
    }});
    let old = || stack("UPDATE_COMPLETE", "old");
    let lambda = "lambda:GET /2015-03-31/functions/lambda-99-upload-us-west-2";
    stub.on("cloudformation:DescribeStacks", [old(), old(), stack("UPDATE_COMPLETE", &digest())])
        .on("cloudformation:GetTemplate", [done("GetTemplate")])
        .on("cloudformation:DescribeStackEvents", [events(&[])])
        .on("cloudformation:UpdateStack", [done("UpdateStack")])
        .on(lambda, [Reply::ok(function.to_string())]);
    deploy_one(&stub, STACK, Actual::new()).await;
    assert_eq!(parameters(&stub.asked("cloudformation:UpdateStack")[0].body)["ServerId"], id);

    // The ID is unknown: no call is made that might lock customers out.
    let denied = Reply::json_error(403, "AccessDeniedException", "no GetFunction for you");
    stub.on("cloudformation:DescribeStacks", [old()]).on(lambda, [denied]);
    let outcome = deploy_one(&stub, STACK, Actual::new()).await.outcome(&node(STACK));
    assert_eq!(outcome["outcome"], "failed", "{outcome}");
    assert_eq!(stub.count("cloudformation:UpdateStack"), 1);

    // There is no server: an update does not make up an ID.
    stub.on("cloudformation:DescribeStacks", [old(), old(), stack("UPDATE_COMPLETE", &digest())]);
    deploy_one(&stub, STACK, Actual::from([(node("us-west-2/server"), None)])).await;
    assert_eq!(parameters(&stub.asked("cloudformation:UpdateStack")[1].body)["ServerId"], "unset");
}

/// `DescribeStacks` of a stack whose parameter has this server ID.
pub(crate) fn with_server(status: &str, digest: &str, server: &str) -> Reply {
    let parameter = format!("<member><ParameterKey>ServerId</ParameterKey><ParameterValue>{server}</ParameterValue>");
    stack(status, digest).replacing("<Parameters>", &format!("<Parameters>{parameter}</member>"))
}

fn function(server: &str) -> Reply {
    Reply::ok(
        json!({ "Configuration": {
            "FunctionArn": "arn:aws:lambda:us-west-2:111111111111:function:lambda-99-upload-us-west-2",
            "State": "Active", "LastUpdateStatus": "Successful", "RevisionId": "r1",
            "Environment": { "Variables": { "SERVER_ID": server } },
        }})
        .to_string(),
    )
}

#[tokio::test]
async fn live_server_id_is_set_before_an_update_that_could_roll_back() {
    let stub = Stub::new().await;
    let id = "s-0123456789abcdef0";
    stub.on(
        "cloudformation:DescribeStacks",
        [
            with_server("CREATE_COMPLETE", "old", "unset"),
            with_server("CREATE_COMPLETE", "old", "unset"),
            with_server("CREATE_COMPLETE", "old", "unset"),
            with_server("UPDATE_COMPLETE", "old", id),
            with_server("UPDATE_COMPLETE", &digest(), id),
        ],
    )
    .on("cloudformation:GetTemplate", [done("GetTemplate")])
    .on("cloudformation:DescribeStackEvents", [events(&[])])
    .on("cloudformation:UpdateStack", [done("UpdateStack")]);
    let server = Live::new(id).output("ServerId", id);
    let ended = deploy_one(&stub, STACK, Actual::from([(node("us-west-2/server"), Some(server))])).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    let updates = stub.asked("cloudformation:UpdateStack");
    let [first, second] = updates.as_slice() else { panic!("{updates:?}") };
    let first = fields(&first.body);
    assert_eq!(first["UsePreviousTemplate"], "true");
    assert!(!first.keys().any(|key| key.starts_with("Tags")), "the tags stay: {first:?}");
    let set = first.iter().find(|(_, value)| *value == "ServerId").map(|(key, _)| key.replace("Key", "Value"));
    assert_eq!(first[&set.unwrap()], id);
    let previous = first.iter().filter(|(key, value)| key.ends_with("UsePreviousValue") && *value == "true");
    let others = first.keys().filter(|key| key.ends_with("ParameterKey")).count() - 1;
    assert_eq!(previous.count(), others);
    assert_eq!(parameters(&second.body)["ServerId"], id);
}

#[tokio::test]
async fn parameter_is_set_in_the_run_that_sets_the_variable() {
    let stub = Stub::new().await;
    let (id, path) = ("s-0123456789abcdef0", "/2015-03-31/functions/lambda-99-upload-us-west-2");
    stub.on(
        "cloudformation:DescribeStacks",
        [
            with_server("CREATE_COMPLETE", &digest(), "unset"),
            with_server("UPDATE_IN_PROGRESS", &digest(), id),
            with_server("UPDATE_COMPLETE", &digest(), id),
        ],
    )
    .on("cloudformation:UpdateStack", [done("UpdateStack")])
    .on(&format!("lambda:GET {path}"), [function("unset"), function("unset"), function("unset"), function(id)])
    .on(&format!("lambda:PUT {path}/configuration"), [Reply::ok("{}")]);
    let stack = Live::new(STACK_ARN).with("server id", "unset").with("status", "CREATE_COMPLETE");
    let server = Live::new(id).output("ServerId", id);
    let given = Actual::from([(node("us-west-2/server"), Some(server)), (node(STACK), Some(stack))]);
    let ended = deploy_one(&stub, "us-west-2/server-id", given).await;
    let names: Vec<_> = ended.plan.steps[0].change.properties.iter().map(|property| property.name.as_str()).collect();
    assert_eq!(names, ["SERVER_ID", "stack parameter"]);
    assert_eq!(ended.outcome(&node("us-west-2/server-id"))["outcome"], "changed", "{:?}", ended.outcomes);
    let writes =
        stub.operations().into_iter().filter(|operation| !operation.contains("GET") && !operation.contains("Desc"));
    let writes: Vec<_> = writes.collect();
    assert_eq!(writes, [format!("lambda:PUT {path}/configuration"), "cloudformation:UpdateStack".to_owned()]);
}

#[tokio::test]
async fn server_id_is_set_again_after_a_rollback() {
    let stub = Stub::new().await;
    let (id, path) = ("s-0123456789abcdef0", "/2015-03-31/functions/lambda-99-upload-us-west-2");
    let rolled_back = || with_server("UPDATE_ROLLBACK_COMPLETE", "old", "unset");
    stub.on("cloudformation:DescribeStacks", [rolled_back()])
        .on("cloudformation:GetTemplate", [done("GetTemplate")])
        .on("cloudformation:DescribeStackEvents", [events(&[])])
        .on("cloudformation:DescribeEvents", [done("DescribeEvents")])
        .on("cloudformation:UpdateStack", [done("UpdateStack")])
        .on(&format!("lambda:GET {path}"), [function(id), function("unset"), function("unset"), function(id)])
        .on(&format!("lambda:PUT {path}/configuration"), [Reply::ok("{}")]);
    let server = Live::new(id).output("ServerId", id);
    let given = Actual::from([(node("us-west-2/server"), Some(server))]);
    let aws = stub.aws(REGION).await;
    let ended = deploy(&aws, &[resource(STACK), resource("us-west-2/server-id")], given).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "failed", "{:?}", ended.outcomes);
    assert_eq!(ended.outcome(&node("us-west-2/server-id"))["outcome"], "changed", "{:?}", ended.outcomes);
    let put = &stub.asked(&format!("lambda:PUT {path}/configuration"))[0];
    assert!(put.body.contains(id), "{}", put.body);
    assert_eq!(stub.count("cloudformation:UpdateStack"), 1, "the parameter waits for the update that the stack needs");
}

#[tokio::test]
async fn new_stack_without_tags_is_ours_only_by_its_change_set() {
    let stub = Stub::new().await;
    let no_change_sets =
        || Reply::ok("<ListChangeSetsResponse><ListChangeSetsResult></ListChangeSetsResult></ListChangeSetsResponse>");
    let aws = stub.aws(REGION).await;
    let foreign = async |known: &BTreeMap<_, _>| {
        let observed = observe(&aws, &[resource(STACK)], known).await;
        assert!(observed.unreadable.is_empty(), "{observed:?}");
        planner::foreign(&observed.actual)
    };
    stub.on("cloudformation:ListChangeSets", [no_change_sets()]).on(
        "cloudformation:DescribeStackEvents",
        [events(&[("sftp-99-upload-us-west-2", "REVIEW_IN_PROGRESS", "User Initiated")])],
    );
    // The last one: the update after an import, which brings the tags, was rolled back.
    for (status, theirs) in
        [("REVIEW_IN_PROGRESS", None), ("IMPORT_COMPLETE", Some("by-hand")), ("UPDATE_ROLLBACK_COMPLETE", None)]
    {
        stub.on("cloudformation:DescribeStacks", [bare(status, theirs, "")])
            .on("cloudformation:GetTemplate", [done("GetTemplate")]);
        let found = foreign(&BTreeMap::new()).await;
        assert!(found[0].contains("exists without the tag sftpctl:environment"), "{status}: {found:?}");
        let known = BTreeMap::from([(node(STACK), STACK_ARN.to_owned())]);
        assert!(!foreign(&known).await.is_empty(), "{status}: the state proves nothing");
        stub.on("cloudformation:DescribeStacks", [bare(status, Some("sftpctl-1a2b-3"), "")]);
        assert!(
            foreign(&BTreeMap::new()).await.is_empty(),
            "{status}: its change set has the name of one of our operations"
        );
    }
    // A change set that has not been executed yet.
    stub.on("cloudformation:DescribeStacks", [bare("REVIEW_IN_PROGRESS", None, "")]).on(
        "cloudformation:ListChangeSets",
        [Reply::ok(
            "<ListChangeSetsResponse><ListChangeSetsResult><Summaries><member><ChangeSetName>sftpctl-1a2b-3\
             </ChangeSetName></member></Summaries></ListChangeSetsResult></ListChangeSetsResponse>",
        )],
    );
    assert!(foreign(&BTreeMap::new()).await.is_empty());
    for request in stub.asked("cloudformation:ListChangeSets") {
        assert!(request.body.contains("StackName=sftp-99-upload-us-west-2"), "by name: {}", request.body);
    }

    // A foreign stack is neither deleted nor recreated.
    stub.on("cloudformation:DescribeStacks", [bare("REVIEW_IN_PROGRESS", Some("by-hand"), "")])
        .on("cloudformation:ListChangeSets", [no_change_sets()]);
    let ended = deploy(&aws, &[resource(STACK)], Actual::new()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "failed", "{:?}", ended.outcomes);
    assert!(matches!(ended.actual[&node(STACK)].as_ref().unwrap().owner, Owner::Foreign(_)));
    assert_eq!(stub.count("cloudformation:DeleteStack"), 0);
}

#[tokio::test]
async fn first_cause_is_found_behind_hundreds_of_events() {
    let stub = Stub::new().await;
    let name = "sftp-99-upload-us-west-2";
    let noise: Vec<String> = (0..100).map(|n| format!("UploadBucket{n}")).collect();
    let mut newest: Vec<(&str, &str, &str)> = vec![(name, "ROLLBACK_COMPLETE", "")];
    newest.extend(noise.iter().skip(1).map(|bucket| (bucket.as_str(), "DELETE_SKIPPED", "")));
    let oldest = [
        (name, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [ApiStage]."),
        ("UploadBucket1", "CREATE_FAILED", "Resource creation cancelled"),
        ("ApiStage", "CREATE_FAILED", "the cause"),
        (name, "CREATE_IN_PROGRESS", "User Initiated"),
        ("Old", "CREATE_FAILED", "of an earlier operation"),
    ];
    stub.on("cloudformation:DescribeStacks", [no_stack(), no_stack(), stack("ROLLBACK_COMPLETE", "")])
        .on("cloudformation:CreateStack", [done("CreateStack")])
        // The first read only marks the old events; the later ones follow the operation back to its beginning.
        .on(
            "cloudformation:DescribeStackEvents",
            [
                Reply::query_error(400, "ValidationError", "no such stack"),
                events(&newest).replacing("</StackEvents>", "</StackEvents><NextToken>older</NextToken>"),
                events(&oldest).replacing("</StackEvents>", "</StackEvents><NextToken>even-older</NextToken>"),
            ],
        );
    let outcome = deploy_one(&stub, STACK, Actual::new()).await.outcome(&node(STACK));
    assert_eq!(outcome["causes"], json!(["ApiStage (AWS::X::Y): the cause"]), "{outcome}");
    let pages = stub.asked("cloudformation:DescribeStackEvents");
    assert!(!pages.iter().any(|page| page.body.contains("even-older")), "no further than the operation's beginning");
}

#[tokio::test]
async fn validation_errors_of_earlier_operations_are_ignored() {
    let stub = Stub::new().await;
    let event = |operation: &str, at: u32, reason: &str| {
        format!(
            "<member><EventId>{operation}</EventId><OperationId>{operation}</OperationId>\
             <EventType>VALIDATION_ERROR</EventType><LogicalResourceId>Authorizer</LogicalResourceId>\
             <Timestamp>2026-11-24T09:00:0{at}Z</Timestamp><ValidationStatusReason>{reason}</ValidationStatusReason>\
             </member>"
        )
    };
    let page = |events: &str, next: &str| {
        Reply::ok(format!(
            "<DescribeEventsResponse><DescribeEventsResult><OperationEvents>{events}</OperationEvents>{next}\
             </DescribeEventsResult></DescribeEventsResponse>"
        ))
    };
    stub.on(
        "cloudformation:DescribeEvents",
        [
            page(&(event("new", 9, "one") + &event("old", 1, "old")), "<NextToken>2</NextToken>"),
            page(&(event("new", 8, "two") + &event("older", 0, "older")), ""),
        ],
    );
    let cloudformation = stub.aws(REGION).await.cloudformation(REGION);
    let found = cloudformation.validation_errors("s", None).await.unwrap();
    assert_eq!(found, ["Authorizer: one", "Authorizer: two"]);
}

/// The reported events of the stack's resources.
fn news(ended: &RunResult) -> Vec<&str> {
    fn line(event: &Event) -> Option<&str> {
        match event {
            Event::StepNews { line, .. } => Some(line),
            _ => None,
        }
    }
    ended.events.iter().filter_map(line).collect()
}

#[tokio::test]
async fn all_events_of_a_new_stack_are_reported() {
    let stub = Stub::new().await;
    let first = [
        ("AuthorizerRole", "CREATE_COMPLETE", ""),
        ("sftp-99-upload-us-west-2", "CREATE_IN_PROGRESS", "User Initiated"),
    ];
    let later = [("Authorizer", "CREATE_COMPLETE", ""), first[0], first[1]];
    stub.on(
        "cloudformation:DescribeStacks",
        [
            no_stack(),
            no_stack(),
            stack("CREATE_IN_PROGRESS", ""),
            stack("CREATE_IN_PROGRESS", ""),
            stack("CREATE_COMPLETE", &digest()),
        ],
    )
    .on("cloudformation:DescribeStackEvents", [no_stack(), events(&first), events(&first), events(&later)])
    .on("cloudformation:CreateStack", [done("CreateStack")]);
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    assert_eq!(news(&ended), ["AuthorizerRole  CREATE_COMPLETE", "Authorizer  CREATE_COMPLETE"]);
}

#[tokio::test]
async fn events_of_the_previous_operation_are_not_reported() {
    let stub = Stub::new().await;
    let name = "sftp-99-upload-us-west-2";
    let before = [("Api", "CREATE_COMPLETE", ""), (name, "CREATE_IN_PROGRESS", "User Initiated")];
    // The events of the new operation are not listed at once.
    let after =
        [("Authorizer", "UPDATE_COMPLETE", ""), (name, "UPDATE_IN_PROGRESS", "User Initiated"), before[0], before[1]];
    let old = || stack("UPDATE_COMPLETE", "of another template");
    stub.on(
        "cloudformation:DescribeStacks",
        [
            old(),
            old(),
            stack("UPDATE_IN_PROGRESS", ""),
            stack("UPDATE_IN_PROGRESS", ""),
            stack("UPDATE_COMPLETE", &digest()),
        ],
    )
    .on("cloudformation:GetTemplate", [template_without_a_bucket()])
    .on("cloudformation:DescribeStackEvents", [events(&before), events(&before), events(&after)])
    .on("cloudformation:UpdateStack", [done("UpdateStack")]);
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(news(&ended), ["Authorizer  UPDATE_COMPLETE"]);
}
