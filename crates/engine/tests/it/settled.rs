//! When a resource counts as ready or failed, held against the waiters of AWS's SDKs: `waiters-2.json` of botocore.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sftpctl_core::model::Settled;
use sftpctl_testkit::schemas::{states, waiters};

use crate::drive::resource;
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, STACK, digest, server, stack, table_is_ours};

/// What the waiters of these names do at each status.
fn verdicts(service: &str, version: &str, names: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let waiters = waiters(service, version);
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in names {
        let acceptors = waiters[name]["acceptors"].as_array().unwrap_or_else(|| panic!("there is no waiter {name}"));
        for acceptor in acceptors.iter().filter(|acceptor| acceptor["matcher"].as_str().unwrap().starts_with("path")) {
            let status = acceptor["expected"].as_str().unwrap().to_owned();
            found.entry(status).or_default().insert(acceptor["state"].as_str().unwrap().to_owned());
        }
    }
    found
}

/// The one verdict on a status; one that a waiter has none on is waited at.
fn verdict(verdicts: &BTreeMap<String, BTreeSet<String>>, status: &str) -> &'static str {
    match verdicts.get(status) {
        // What completed by a rollback is a success for the waiters of the other operations.
        Some(found) if found.contains("failure") => "failure",
        Some(found) if found.contains("success") => "success",
        _ => "retry",
    }
}

/// What the engine does at this answer, in the waiters' words; `None` where the resource does not exist.
async fn read(stub: &Stub, id: &str, operation: &str, reply: Reply) -> Option<&'static str> {
    stub.on(operation, [reply]);
    let aws = stub.aws(REGION).await;
    let live = resource(id).read(&aws, None).await.unwrap()?;
    Some(match live.settled {
        Settled::Ready => "success",
        Settled::Failed(_) => "failure",
        Settled::Pending(_) => "retry",
    })
}

#[tokio::test]
async fn stacks_are_ready_and_failed_as_for_the_waiters() {
    let waiters = ["StackCreateComplete", "StackUpdateComplete", "StackImportComplete"];
    let verdicts = verdicts("cloudformation", "2010-05-15", &waiters);
    let stub = Stub::new().await;
    for status in states("cloudformation", "StackStatus") {
        let expected = match status.as_str() {
            "DELETE_COMPLETE" => None,
            // A stack without resources, on which no operation is in progress. No waiter knows it.
            "REVIEW_IN_PROGRESS" => Some("success"),
            // The waiters that say more see only that another operation than theirs is in progress.
            status if status.ends_with("_IN_PROGRESS") => Some("retry"),
            status => Some(verdict(&verdicts, status)),
        };
        assert_eq!(
            read(&stub, STACK, "cloudformation:DescribeStacks", stack(&status, &digest())).await,
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn servers_are_ready_and_failed_as_for_the_waiters() {
    let verdicts = verdicts("transfer", "2018-11-05", &["ServerOnline", "ServerOffline"]);
    let stub = Stub::new().await;
    stub.on("transfer:ListServers", [Reply::ok(r#"{"Servers":[{"Arn":"a","ServerId":"s-0123456789abcdef0"}]}"#)]);
    stub.on("transfer:ListHostKeys", [Reply::ok(r#"{"ServerId":"s-0123456789abcdef0","HostKeys":[]}"#)]);
    for state in states("transfer", "State") {
        let found = read(
            &stub,
            "us-west-2/server",
            "transfer:DescribeServer",
            server("TransferSecurityPolicy-2024-01", &state),
        );
        assert_eq!(found.await, Some(verdict(&verdicts, &state)), "{state}");
    }
}

/// The waiter knows only `ACTIVE`: at a status that does not end by itself it waits until its time is over.
#[tokio::test]
async fn tables_are_ready_as_for_the_waiter() {
    let verdicts = verdicts("dynamodb", "2012-08-10", &["TableExists"]);
    let stub = Stub::new().await;
    table_is_ours(&stub);
    let arn = "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads";
    for status in states("dynamodb", "TableStatus") {
        let table = json!({ "Table": { "TableName": "dydb-99-uploads", "TableStatus": status, "TableArn": arn }});
        let found = read(&stub, "us-west-2/table", "dynamodb:DescribeTable", Reply::ok(table.to_string())).await;
        assert_eq!(found == Some("success"), verdict(&verdicts, &status) == "success", "{status}");
        let ends = status.ends_with("ING") && status != "ARCHIVING";
        assert_eq!(found == Some("retry"), ends, "{status}: {found:?}");
    }
}

#[tokio::test]
async fn functions_are_ready_and_failed_as_for_the_waiters() {
    let stub = Stub::new().await;
    let path = "lambda:GET /2015-03-31/functions/lambda-99-upload-us-west-2";
    for (name, member) in [("FunctionActiveV2", "State"), ("FunctionUpdatedV2", "LastUpdateStatus")] {
        let verdicts = verdicts("lambda", "2015-03-31", &[name]);
        assert_eq!(verdicts.len(), 3, "{verdicts:?}");
        for status in verdicts.keys() {
            let mut configuration = json!({ "FunctionArn": "a", "State": "Active", "LastUpdateStatus": "Successful" });
            configuration[member] = Value::String(status.clone());
            let reply = Reply::ok(json!({ "Configuration": configuration }).to_string());
            let found = read(&stub, "us-west-2/server-id", path, reply).await;
            assert_eq!(found, Some(verdict(&verdicts, status)), "{member} {status}");
        }
    }
}
