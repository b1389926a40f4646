//! Writes of accounts, with a stub that responds as DynamoDB does.

use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::{Write, Written};

use crate::stub::{Reply, Stub};

#[tokio::test]
async fn conflicting_transactions_are_retried() {
    let canceled = |code: &str| {
        let reasons = serde_json::json!([{ "Code": code }, { "Code": "None" }]);
        let body = serde_json::json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "Transaction cancelled", "CancellationReasons": reasons });
        Reply::new(400, body.to_string())
    };
    let written = async |replies: Vec<Reply>| {
        let stub = Stub::new().await;
        stub.on("dynamodb:TransactWriteItems", replies);
        let key = Item::from([("orgid".to_owned(), Attribute::Number("1".to_owned()))]);
        let write = Write::Delete { key, condition: None, values: Vec::new() };
        let aws = stub.aws("us-west-2").await;
        (aws.dynamodb("us-west-2").write_items("t", &[write]).await, stub.count("dynamodb:TransactWriteItems"))
    };
    let conflict = || canceled("TransactionConflict");
    let (result, calls) = written(vec![conflict(), conflict(), Reply::ok("{}")]).await;
    assert_eq!((result.unwrap(), calls), (Written::Done, 3));
    // A failed condition is reported, and not retried.
    let (result, _) = written(vec![conflict(), canceled("ConditionalCheckFailed")]).await;
    assert_eq!(result.unwrap(), Written::Refused(vec![0]));
    let (result, calls) = written(vec![conflict()]).await;
    assert!(result.is_err() && calls == 6, "{result:?} {calls}");
}
