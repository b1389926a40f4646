//! Stacks that failed: the first cause is reported, and the next run recovers in the way that AWS allows.

use std::sync::Arc;

use rstest::rstest;
use serde_json::json;
use sftpctl_core::kind::Kind;
use sftpctl_core::model::{Actual, Removal, RemovalOptions};
use sftpctl_engine::resources::resource::Resource;
use sftpctl_engine::resources::{Orphan, strays};

use crate::drive::{resource, teardown};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, STACK, STACK_ARN, deploy_one, digest, done, events, no_server, no_stack, node, stack};

#[tokio::test]
async fn early_validation_error_is_reported_as_the_cause() {
    let stub = Stub::new().await;
    stub.on("cloudformation:DescribeStacks", [no_stack(), no_stack(), stack("ROLLBACK_COMPLETE", "")])
        .on("cloudformation:CreateStack", [done("CreateStack")])
        .on(
            "cloudformation:DescribeStackEvents",
            [events(&[
                ("sftp-99-upload-us-west-2", "ROLLBACK_COMPLETE", ""),
                ("sftp-99-upload-us-west-2", "CREATE_FAILED", "Validation failed; call DescribeEvents for the details"),
                ("sftp-99-upload-us-west-2", "CREATE_IN_PROGRESS", "User Initiated"),
            ])],
        )
        .on(
            "cloudformation:DescribeEvents",
            [Reply::ok(
                "<DescribeEventsResponse><DescribeEventsResult><OperationEvents><member><EventId>1</EventId>\
             <EventType>VALIDATION_ERROR</EventType><LogicalResourceId>Authorizer</LogicalResourceId>\
             <ValidationPath>/Resources/Authorizer/Properties/FunctionName</ValidationPath>\
             <ValidationStatusReason>Resource of type 'AWS::Lambda::Function' already exists</ValidationStatusReason>\
             </member></OperationEvents></DescribeEventsResult></DescribeEventsResponse>",
            )],
        );
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    let outcome = ended.outcome(&node(STACK));
    assert_eq!(outcome["outcome"], "failed", "{outcome}");
    assert_eq!(
        outcome["causes"],
        json!(["Authorizer: Resource of type 'AWS::Lambda::Function' already exists at \
                /Resources/Authorizer/Properties/FunctionName"])
    );
    assert_eq!(outcome["left"], format!("{STACK_ARN} (ROLLBACK_COMPLETE)"));
    assert_eq!(stub.count("cloudformation:CreateStack"), 1);
}

#[rstest]
#[case("ROLLBACK_COMPLETE")]
#[case("ROLLBACK_FAILED")]
#[case("CREATE_FAILED")]
#[case("DELETE_FAILED")]
#[case("REVIEW_IN_PROGRESS")]
#[tokio::test]
async fn stack_that_can_only_be_deleted_is_recreated(#[case] status: &str) {
    let stub = Stub::new().await;
    let failed = || stack(status, "");
    stub.on(
        "cloudformation:DescribeStacks",
        [
            failed(),
            failed(),
            stack("DELETE_IN_PROGRESS", ""),
            no_stack(),
            stack("CREATE_IN_PROGRESS", ""),
            stack("CREATE_COMPLETE", &digest()),
        ],
    )
    .on("cloudformation:DescribeStackEvents", [events(&[])])
    .on("cloudformation:DeleteStack", [done("DeleteStack")])
    .on("cloudformation:CreateStack", [done("CreateStack")]);
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    let writes =
        stub.operations().into_iter().filter(|o| o.contains("DeleteS") || o.contains("CreateS")).collect::<Vec<_>>();
    assert_eq!(writes, ["cloudformation:DeleteStack", "cloudformation:CreateStack"]);
    let tokens: Vec<String> = ["cloudformation:DeleteStack", "cloudformation:CreateStack"]
        .iter()
        .map(|operation| {
            let body = stub.asked(operation)[0].body.clone();
            body.split('&').find(|pair| pair.starts_with("ClientRequestToken=")).unwrap().to_owned()
        })
        .collect();
    assert_ne!(tokens[0], tokens[1], "each operation has a token of its own");
}

/// The name of a bucket that was deleted a moment ago is refused for a while.
#[tokio::test(start_paused = true)]
async fn update_with_a_bucket_whose_name_is_not_free_yet_is_repeated() {
    let stub = Stub::new().await;
    let old = || stack("CREATE_COMPLETE", "old");
    let answers = [old(), old(), stack("UPDATE_ROLLBACK_COMPLETE", "old"), stack("UPDATE_COMPLETE", &digest())];
    let busy = "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    stub.on("cloudformation:DescribeStacks", answers)
        .on("cloudformation:GetTemplate", [done("GetTemplate")])
        .on("cloudformation:UpdateStack", [done("UpdateStack"), done("UpdateStack")])
        .on(
            "cloudformation:DescribeStackEvents",
            [events(&[
                ("sftp-99-upload-us-west-2", "UPDATE_ROLLBACK_COMPLETE", ""),
                ("UploadBucket", "CREATE_FAILED", busy),
                ("sftp-99-upload-us-west-2", "UPDATE_IN_PROGRESS", "User Initiated"),
            ])],
        );
    let ended = deploy_one(&stub, STACK, no_server()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("cloudformation:UpdateStack"), 2);
}

/// AWS does not delete a stack with termination protection, however it failed.
#[tokio::test]
async fn protected_stack_refuses_before_anything_is_deleted() {
    let lift = "aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name \
                sftp-99-upload-us-west-2 --region us-west-2";
    for (status, tears_down) in [("CREATE_COMPLETE", true), ("ROLLBACK_COMPLETE", false)] {
        let stub = Stub::new().await;
        let protected = stack(status, &digest())
            .replacing("<StackStatus>", "<EnableTerminationProtection>true</EnableTerminationProtection><StackStatus>");
        stub.on("cloudformation:DescribeStacks", [protected]);
        let (aws, of_stack) = (stub.aws(REGION).await, resource(STACK));
        let live = of_stack.read(&aws, None).await.unwrap().unwrap();
        assert_eq!(of_stack.refusal(&live).is_some_and(|text| text.contains(lift)), !tears_down, "{live:?}");
        match of_stack.removal(&aws, &live, RemovalOptions::default()).await.unwrap() {
            Removal::Refuse(text) => assert!(text.contains(lift), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

/// An operation that a killed run had started, found by the first read.
#[rstest]
#[case("CREATE_IN_PROGRESS", "CREATE_COMPLETE")]
#[case("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")]
#[case("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE")]
#[case("IMPORT_IN_PROGRESS", "IMPORT_COMPLETE")]
#[tokio::test]
async fn stack_operation_in_progress_is_waited_for(#[case] status: &str, #[case] end: &str) {
    let stub = Stub::new().await;
    let answers = [stack(status, ""), stack(status, ""), stack(status, ""), stack(end, &digest())];
    stub.on("cloudformation:DescribeStacks", answers).on("cloudformation:DescribeStackEvents", [events(&[])]);
    let ended = deploy_one(&stub, STACK, no_server()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "unchanged", "{:?}", ended.outcomes);
    assert!(stub.operations().iter().all(|one| one.contains(":Describe")), "{:?}", stub.operations());
}

#[rstest]
#[case("UPDATE_ROLLBACK_IN_PROGRESS", Some("UPDATE_ROLLBACK_COMPLETE"), "UpdateStack")]
#[case("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Some("UPDATE_ROLLBACK_COMPLETE"), "UpdateStack")]
#[case("IMPORT_ROLLBACK_IN_PROGRESS", Some("IMPORT_ROLLBACK_COMPLETE"), "UpdateStack")]
#[case("DELETE_IN_PROGRESS", None, "CreateStack")]
#[tokio::test]
async fn rollback_or_deletion_in_progress_is_waited_for_first(
    #[case] status: &str,
    #[case] end: Option<&str>,
    #[case] then: &str,
) {
    let stub = Stub::new().await;
    let old = || stack(status, "old");
    let left = || end.map_or_else(no_stack, |end| stack(end, "old"));
    let updated = || stack("UPDATE_COMPLETE", &digest());
    let answers = [old(), old(), old(), left(), left(), updated()];
    stub.on("cloudformation:DescribeStacks", answers)
        .on("cloudformation:DescribeStackEvents", [events(&[])])
        .on("cloudformation:GetTemplate", [done("GetTemplate")])
        .on(&format!("cloudformation:{then}"), [done(then)]);
    let ended = deploy_one(&stub, STACK, no_server()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    let operations = stub.operations();
    let at = operations.iter().position(|one| *one == format!("cloudformation:{then}")).unwrap();
    let reads = operations[..at].iter().filter(|one| one.ends_with("DescribeStacks")).count();
    assert!(reads >= 4, "{operations:?}");
    assert_eq!(stub.count(&format!("cloudformation:{then}")), 1);
}

#[tokio::test]
async fn unrecoverable_stack_is_refused_with_a_remedy() {
    let stub = Stub::new().await;
    stub.on("cloudformation:DescribeStacks", [stack("IMPORT_ROLLBACK_FAILED", "old")])
        .on("cloudformation:GetTemplate", [done("GetTemplate")]);
    let aws = stub.aws(REGION).await;
    let live = resource(STACK).read(&aws, None).await.unwrap().unwrap();
    let why = resource(STACK).refusal(&live).unwrap();
    assert!(why.contains("aws cloudformation delete-stack --region us-west-2 --stack-name sftp-99"), "{why}");
}

/// The events of a stack whose API could not be deleted.
fn failed_deletion() -> Reply {
    let name = "sftp-99-upload-us-west-2";
    events(&[
        (name, "DELETE_FAILED", "The following resource(s) failed to delete: [Api]."),
        ("Api", "DELETE_FAILED", "TooManyRequestsException"),
        (name, "DELETE_IN_PROGRESS", "User Initiated"),
    ])
}

/// A stack in a region that is no longer in the environment file.
#[tokio::test]
async fn undeletable_orphan_stack_reports_its_cause_after_one_attempt() {
    let stub = Stub::new().await;
    let orphan: Arc<dyn Resource> = Arc::new(Orphan {
        id: node("us-west-2/orphan/stack"),
        stray: strays::of(Kind::Stack).unwrap(),
        region: REGION.into(),
        home: REGION.into(),
        account: "111111111111".into(),
        identity: "sftp-99-upload-us-west-2".into(),
        note: "",
        after: Vec::new(),
        before: Vec::new(),
        environment: "99".into(),
        servers: Vec::new(),
    });
    let review = || stack("REVIEW_IN_PROGRESS", "");
    stub.on(
        "cloudformation:DescribeStacks",
        [review(), review(), review(), stack("DELETE_IN_PROGRESS", ""), stack("DELETE_FAILED", "")],
    )
    .on("cloudformation:DeleteStack", [done("DeleteStack")])
    .on("cloudformation:DescribeStackEvents", [failed_deletion()]);
    let outcome = teardown(&stub.aws(REGION).await, &[orphan]).await.outcome(&node("us-west-2/orphan/stack"));
    assert_eq!(outcome["outcome"], "failed", "{outcome}");
    assert_eq!(outcome["causes"], json!(["Api (AWS::X::Y): TooManyRequestsException"]));
    assert_eq!(stub.count("cloudformation:DeleteStack"), 1);
}

#[tokio::test]
async fn failed_stack_reports_its_first_cause_and_is_recreated() {
    let stub = Stub::new().await;
    let name = "sftp-99-upload-us-west-2";
    let cause = "CloudWatch Logs role ARN must be set in account settings to enable logging";
    stub.on(
        "cloudformation:DescribeStacks",
        [
            no_stack(),
            no_stack(),
            stack("CREATE_IN_PROGRESS", ""),
            stack("ROLLBACK_IN_PROGRESS", ""),
            stack("ROLLBACK_COMPLETE", ""),
        ],
    )
    .on(
        "cloudformation:DescribeStackEvents",
        [events(&[
            (name, "ROLLBACK_COMPLETE", ""),
            ("Authorizer", "DELETE_COMPLETE", ""),
            (name, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [ApiStage, Authorizer]."),
            ("Authorizer", "CREATE_FAILED", "Resource creation cancelled"),
            ("ApiStage", "CREATE_FAILED", cause),
            (name, "CREATE_IN_PROGRESS", "User Initiated"),
        ])],
    )
    .on("cloudformation:CreateStack", [done("CreateStack")])
    .on("cloudformation:DeleteStack", [done("DeleteStack")]);
    let outcome = deploy_one(&stub, STACK, Actual::new()).await.outcome(&node(STACK));
    assert_eq!(outcome["error"], format!("stack {name} ended in ROLLBACK_COMPLETE"));
    assert_eq!(outcome["causes"], json!([format!("ApiStage (AWS::X::Y): {cause}")]), "and no consequential failures");
    assert_eq!(outcome["left"], format!("{STACK_ARN} (ROLLBACK_COMPLETE)"));

    let left = || stack("ROLLBACK_COMPLETE", "");
    stub.on("cloudformation:DescribeStacks", [left(), left(), no_stack(), stack("CREATE_COMPLETE", &digest())]);
    let ended = deploy_one(&stub, STACK, Actual::new()).await;
    let change = &ended.plan.steps[0].change;
    assert_eq!(
        change.reason.as_deref(),
        Some("it is ROLLBACK_COMPLETE, which can only be deleted; then it is created again")
    );
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
}

#[tokio::test]
async fn failed_update_rollback_is_continued_before_the_update() {
    let stub = Stub::new().await;
    let failed = || stack("UPDATE_ROLLBACK_FAILED", "old");
    stub.on(
        "cloudformation:DescribeStacks",
        [
            failed(),
            failed(),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", "old"),
            stack("UPDATE_ROLLBACK_COMPLETE", "old"),
            stack("UPDATE_IN_PROGRESS", "old"),
            stack("UPDATE_COMPLETE", &digest()),
        ],
    )
    .on("cloudformation:GetTemplate", [done("GetTemplate")])
    .on("cloudformation:DescribeStackEvents", [events(&[])])
    .on("cloudformation:ContinueUpdateRollback", [done("ContinueUpdateRollback")])
    .on("cloudformation:UpdateStack", [done("UpdateStack")]);
    let ended = deploy_one(&stub, STACK, no_server()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
    let writes: Vec<_> = stub.operations().into_iter().filter(|o| o.contains("Update")).collect();
    assert_eq!(writes, ["cloudformation:ContinueUpdateRollback", "cloudformation:UpdateStack"]);
}

#[tokio::test]
async fn repeated_rollback_failure_is_reported_once() {
    let stub = Stub::new().await;
    stub.on(
        "cloudformation:DescribeStacks",
        [
            stack("UPDATE_ROLLBACK_FAILED", "old"),
            stack("UPDATE_ROLLBACK_FAILED", "old"),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", "old"),
            stack("UPDATE_ROLLBACK_FAILED", "old"),
        ],
    )
    .on("cloudformation:GetTemplate", [done("GetTemplate")])
    .on(
        "cloudformation:DescribeStackEvents",
        [events(&[
            (
                "sftp-99-upload-us-west-2",
                "UPDATE_ROLLBACK_FAILED",
                "The following resource(s) failed to update: [Role].",
            ),
            ("Role", "UPDATE_FAILED", "AccessDenied"),
            ("sftp-99-upload-us-west-2", "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated"),
        ])],
    )
    .on("cloudformation:ContinueUpdateRollback", [done("ContinueUpdateRollback")]);
    let outcome = deploy_one(&stub, STACK, Actual::new()).await.outcome(&node(STACK));
    assert_eq!(outcome["outcome"], "failed", "{outcome}");
    assert_eq!(outcome["causes"], json!(["Role (AWS::X::Y): AccessDenied"]));
    assert_eq!(stub.count("cloudformation:ContinueUpdateRollback"), 1);
}

#[tokio::test]
async fn update_without_changes_succeeds() {
    let stub = Stub::new().await;
    stub.on(
        "cloudformation:DescribeStacks",
        [stack("CREATE_COMPLETE", "old"), stack("CREATE_COMPLETE", "old"), stack("CREATE_COMPLETE", &digest())],
    )
    .on("cloudformation:GetTemplate", [done("GetTemplate")])
    .on("cloudformation:DescribeStackEvents", [events(&[])])
    .on("cloudformation:UpdateStack", [Reply::query_error(400, "ValidationError", "No updates are to be performed.")]);
    let ended = deploy_one(&stub, STACK, no_server()).await;
    assert_eq!(ended.outcome(&node(STACK))["outcome"], "changed", "{:?}", ended.outcomes);
}

#[tokio::test]
async fn failed_deletion_reports_its_cause_and_the_next_run_retries() {
    let stub = Stub::new().await;
    let created = || stack("CREATE_COMPLETE", &digest());
    stub.on(
        "cloudformation:DescribeStacks",
        [created(), created(), stack("DELETE_IN_PROGRESS", ""), stack("DELETE_FAILED", "")],
    )
    .on("cloudformation:GetTemplate", [done("GetTemplate")])
    .on("cloudformation:DeleteStack", [done("DeleteStack")])
    .on("cloudformation:DescribeStackEvents", [failed_deletion()]);
    let aws = stub.aws(REGION).await;
    let outcome = teardown(&aws, &[resource(STACK)]).await.outcome(&node(STACK));
    assert_eq!(outcome["outcome"], "failed", "{outcome}");
    assert_eq!(outcome["causes"], json!(["Api (AWS::X::Y): TooManyRequestsException"]));
    assert!(outcome["hint"].as_str().unwrap().contains("rerun the same command"), "{outcome}");

    let failed = || stack("DELETE_FAILED", "");
    stub.on("cloudformation:DescribeStacks", [failed(), failed(), stack("DELETE_IN_PROGRESS", ""), no_stack()]);
    let outcome = teardown(&aws, &[resource(STACK)]).await.outcome(&node(STACK));
    assert_eq!(outcome["outcome"], "deleted", "{outcome}");
    assert_eq!(stub.count("cloudformation:DeleteStack"), 2);
}
