//! The table that DynamoDB creates with its accounts, where AWS ends the import otherwise than the local cloud does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use sftpctl_aws::ImportFacts;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::seed::{Seed, SeedError};

use crate::drive::environment;
use crate::stub::{Reply, Stub};

const TABLE_ARN: &str = "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads";
const LIST: &str = "s3:GET /states?versions";

fn table() -> Reply {
    let table = json!({ "TableName": "dydb-99-uploads", "TableArn": TABLE_ARN, "TableStatus": "ACTIVE" });
    Reply::ok(json!({ "Table": table }).to_string())
}

fn import(status: &str, imported: u64, more: Value) -> Reply {
    let mut import = json!({
        "ImportArn": format!("{TABLE_ARN}/import/1"), "ImportStatus": status, "ProcessedItemCount": 4,
        "ImportedItemCount": imported, "S3BucketSource": { "S3Bucket": "states", "S3KeyPrefix": "runs/99.import/x/" },
    });
    import.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Reply::ok(json!({ "ImportTableDescription": import }).to_string())
}

/// A line of DynamoDB's log of an import.
fn log() -> Reply {
    let message = json!({
        "itemS3Pointer": { "bucket": "states", "key": "runs/99.import/x/000000.json", "itemIndex": 2 },
        "importArn": format!("{TABLE_ARN}/import/1"), "errorMessages": ["Missing the key orgid in the item"],
    });
    Reply::ok(json!({ "events": [{ "message": message.to_string() }] }).to_string())
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_hides_no_failure() {
    for (reply, expected) in [
        (Reply::json_error(400, "AccessDeniedException", "no"), "the log /aws-dynamodb/imports could not be read"),
        (Reply::json_error(400, "ResourceNotFoundException", "none"), "has no lines yet"),
    ] {
        let stub = aws().await;
        let code = json!({ "FailureCode": "ItemValidationError", "FailureMessage": "Some", "ErrorCount": 1 });
        stub.on("dynamodb:ImportTable", [import("FAILED", 3, code)])
            .on("dynamodb:DescribeTable", [table()])
            .on("logs:FilterLogEvents", [reply]);
        let error = finished(&stub).await.unwrap_err();
        let SeedError::Failed { reasons, errors: 1, .. } = error else { panic!("{error}") };
        assert!(reasons.len() == 1 && reasons[0].contains(expected), "{reasons:?}");
    }
}

/// AWS with one object of an import.
async fn aws() -> Stub {
    let stub = Stub::new().await;
    let version = "<Version><Key>runs/99.import/x/000000.json</Key><VersionId>v</VersionId></Version>";
    stub.on(LIST, [Reply::ok(format!("<ListVersionsResult>{version}</ListVersionsResult>"))])
        .on("s3:POST /states?delete", [Reply::ok("<DeleteResult/>")])
        .on("dynamodb:TagResource", [Reply::ok("{}")]);
    stub
}

async fn seed(stub: &Stub) -> Seed {
    let place: StatePlace = "s3://states/runs".parse().unwrap();
    Seed::new(&stub.aws("us-west-2").await, &environment(), &place).unwrap()
}

async fn finished(stub: &Stub) -> Result<ImportFacts, SeedError> {
    let seed = seed(stub).await;
    let begun = seed.begin().await.unwrap();
    seed.finish(begun, Some(4), &|_| true).await
}

fn deleted(stub: &Stub) -> bool {
    stub.asked("s3:POST /states?delete").iter().any(|request| request.body.contains("<VersionId>v</VersionId>"))
}

#[tokio::test(start_paused = true)]
async fn items_that_dynamodb_refuses_leave_a_table_that_a_deployment_may_complete() {
    let stub = aws().await;
    let code =
        json!({ "FailureCode": "ItemValidationError", "FailureMessage": "Some of the items …", "ErrorCount": 1 });
    stub.on("dynamodb:ImportTable", [import("IN_PROGRESS", 0, json!({}))])
        .on("dynamodb:DescribeImport", [import("IN_PROGRESS", 1, json!({})), import("FAILED", 3, code)])
        .on("dynamodb:DescribeTable", [table()])
        .on("logs:FilterLogEvents", [Reply::ok(json!({ "nextToken": "t" }).to_string()), log()]);
    let SeedError::Failed { imported: 3, read: 4, errors: 1, exists: true, code, reasons, .. } =
        finished(&stub).await.unwrap_err()
    else {
        panic!("another error")
    };
    assert_eq!(code, "ItemValidationError");
    // Their reasons are read from DynamoDB's log, also behind a page without lines.
    assert_eq!(reasons, ["item 2 of 000000.json: Missing the key orgid in the item"]);
    assert!(stub.asked("logs:FilterLogEvents")[0].body.contains("\"/aws-dynamodb/imports\""));
    assert!(stub.asked("logs:FilterLogEvents")[0].body.contains("\"1/error\""));
    assert!(deleted(&stub));
    assert!(stub.asked("dynamodb:TagResource")[0].body.contains("sftpctl:environment"));
    let asked: Value = serde_json::from_str(&stub.asked("dynamodb:ImportTable")[0].body).unwrap();
    let created = &asked["TableCreationParameters"];
    assert_eq!(created["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(created["KeySchema"], json!([{ "AttributeName": "orgid", "KeyType": "HASH" }]));
    assert_eq!(created["GlobalSecondaryIndexes"][0]["IndexName"], "username-index");
    assert_eq!((&asked["InputFormat"], &asked["InputCompressionType"]), (&"DYNAMODB_JSON".into(), &"NONE".into()));
    assert_eq!(asked["S3BucketSource"]["S3BucketOwner"], "111111111111");
}

#[tokio::test(start_paused = true)]
async fn import_that_never_created_a_table_has_nothing_to_complete() {
    let stub = aws().await;
    let code = json!({ "FailureCode": "S3AccessDenied", "FailureMessage": "no access" });
    let none = Reply::json_error(400, "ResourceNotFoundException", "Requested resource not found");
    stub.on("dynamodb:ImportTable", [import("FAILED", 0, code)]).on("dynamodb:DescribeTable", [none]);
    assert!(matches!(finished(&stub).await, Err(SeedError::Failed { exists: false, .. })));
    assert!(deleted(&stub) && stub.count("dynamodb:TagResource") == 0);
}

#[tokio::test(start_paused = true)]
async fn success_with_fewer_items_than_given_is_none() {
    let stub = aws().await;
    stub.on("dynamodb:ImportTable", [import("COMPLETED", 3, json!({}))]).on("dynamodb:DescribeTable", [table()]);
    assert!(matches!(finished(&stub).await, Err(SeedError::Counts { given: 4, imported: 3, .. })));
}

#[tokio::test(start_paused = true)]
async fn table_that_was_created_otherwise_is_left_alone() {
    let stub = aws().await;
    let imports = |arn: Option<&str>| {
        let list: Vec<Value> = arn.map(|arn| json!({ "ImportArn": arn })).into_iter().collect();
        Reply::ok(json!({ "ImportSummaryList": list }).to_string())
    };
    let foreign = json!({ "S3BucketSource": { "S3Bucket": "states", "S3KeyPrefix": "elsewhere/" } });
    stub.on("dynamodb:DescribeTable", [table()])
        .on("dynamodb:ListImports", [imports(None), imports(Some("arn"))])
        .on("dynamodb:DescribeImport", [import("COMPLETED", 4, foreign)]);
    let seed = seed(&stub).await;
    for _ in 0..2 {
        assert!(matches!(seed.unfinished(false).await, Err(SeedError::Exists(_))));
    }
    assert_eq!(stub.count("dynamodb:TagResource"), 0);
}
