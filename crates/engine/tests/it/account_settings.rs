//! The environment file's settings for accounts: what a plan says of a change of them, and the calls that they decide.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rstest::rstest;
use serde_json::{Value, json};
use sftp_authorizer::Account;
use sftp_authorizer::home::Home;
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_core::model::{Actual, Live};
use sftpctl_core::spec::model::Environment;

use crate::drive;
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, STACK};

fn with(usernames: &str, many: bool) -> Environment {
    let mut environment = drive::environment();
    environment.accounts.usernames = usernames.to_owned();
    environment.accounts.many_per_organisation = many;
    environment
}

fn account() -> Account {
    Account {
        org_id: 7,
        username: "jan".into(),
        password: Some("hash".into()),
        home: Home { bucket: "bucket".into(), folder: "7".into() },
        disabled: false,
        expires: None,
        allowed: Vec::new(),
        regions: Vec::new(),
        public_keys: Vec::new(),
        note: None,
        created: None,
        updated: None,
    }
}

async fn accounts(stub: &Stub, environment: &Environment) -> Accounts {
    Accounts::new(stub.aws(REGION).await, environment)
}

/// Customers can be locked out by the setting alone, so the plan says so.
#[rstest]
#[case::to_lower_case(Some("exact"), "case-insensitive", Some("`sftpctl users list --env 99` names each"))]
#[case::from_an_earlier_version(None, "case-insensitive", Some("`sftpctl users list --env 99` names each"))]
#[case::to_exact(Some("case-insensitive"), "exact", Some("another case than the stored one are refused"))]
#[case::unchanged(Some("case-insensitive"), "case-insensitive", None)]
#[case::new_and_exact(None, "exact", None)]
fn plan_says_whom_a_change_of_the_comparison_locks_out(
    #[case] before: Option<&str>,
    #[case] after: &str,
    #[case] expected: Option<&str>,
) {
    let all = drive::resources(&with(after, false));
    let stack = all.iter().find(|resource| resource.id().as_str() == STACK).unwrap();
    let sftpctl_core::model::Want::Is(mut parameters) = stack.wanted(&Actual::new())["parameters"].clone() else {
        panic!("they are known")
    };
    parameters["MemoryMb"] = json!("1");
    match before {
        Some(before) => parameters["Usernames"] = json!(before),
        None => drop(parameters.as_object_mut().unwrap().remove("Usernames")),
    }
    let live = Live::new("arn").with("status", "UPDATE_COMPLETE").with("parameters", parameters);
    let change = stack.diff(Some(&live), &Actual::new()).unwrap();
    assert_eq!(change.reason.is_some(), expected.is_some(), "{:?}", change.reason);
    assert!(change.reason.unwrap_or_default().contains(expected.unwrap_or_default()));
}

#[rstest]
#[case(false, json!([{ "AttributeName": "orgid", "KeyType": "HASH" }]))]
#[case(true, json!([{ "AttributeName": "orgid", "KeyType": "HASH" },
                    { "AttributeName": "username", "KeyType": "RANGE" }]))]
#[tokio::test]
async fn new_table_has_the_key_of_the_setting(#[case] many: bool, #[case] schema: Value) {
    let stub = Stub::new().await;
    stub.on("dynamodb:CreateTable", [Reply::ok("{}")]);
    let aws = stub.aws(REGION).await;
    let all = drive::resources(&with("exact", many));
    let table = all.iter().find(|resource| resource.id().as_str() == "us-west-2/table").unwrap();
    let change = table.diff(None, &Actual::new()).unwrap();
    table.create(&aws, "call", &change, &Actual::new()).await.unwrap();
    let sent: Value = serde_json::from_str(&stub.asked("dynamodb:CreateTable")[0].body).unwrap();
    assert_eq!(sent["KeySchema"], schema);
    assert_eq!(sent["AttributeDefinitions"].as_array().map(Vec::len), Some(2), "{sent}");
}

#[rstest]
#[case(true, "orgid (N)", "Set `accounts: { per_organisation: one }`, as the table has it; or give")]
#[case(false, "orgid (N) + username (S)", "Set `accounts: { per_organisation: many }`, as the table has it; or give")]
#[case(true, "orgid (N) + name (S)", "never changes. Give the environment another table")]
fn table_with_the_key_of_the_other_setting_is_refused(#[case] many: bool, #[case] have: &str, #[case] advice: &str) {
    let all = drive::resources(&with("exact", many));
    let table = all.iter().find(|resource| resource.id().as_str() == "us-west-2/table").unwrap();
    let why = table.refusal(&Live::new("arn").with("key", have)).unwrap();
    assert!(why.contains(&format!("has the key {have}, not ")) && why.contains(advice), "{why}");
    let wanted = if many { "orgid (N) + username (S)" } else { "orgid (N)" };
    assert_eq!(table.refusal(&Live::new("arn").with("key", wanted)), None);
}

/// The keys of the writes of the only transaction, in its order.
fn keys(stub: &Stub) -> Vec<Value> {
    let asked = stub.asked("dynamodb:TransactWriteItems");
    let sent: Value = serde_json::from_str(&asked.last().unwrap().body).unwrap();
    let part = |write: &Value| {
        let (_, write) = write.as_object().unwrap().iter().next().unwrap();
        let mut key = write.get("Key").or(write.get("Item")).unwrap().clone();
        key.as_object_mut().unwrap().retain(|name, _| matches!(name.as_str(), "orgid" | "username"));
        key
    };
    sent["TransactItems"].as_array().unwrap().iter().map(part).collect()
}

/// A write with a part of the key too many or too few is refused by DynamoDB, so every one is shown.
#[tokio::test]
async fn every_write_has_the_key_of_the_table() {
    for many in [false, true] {
        let stub = Stub::new().await;
        stub.on("dynamodb:TransactWriteItems", [Reply::ok("{}")]);
        stub.on("dynamodb:Query", [Reply::ok(r#"{"Items":[]}"#)]);
        let imported = json!({ "Item": { "orgid": { "N": "7" }, "importedAt": { "S": "2026-11-29T00:00:00Z" } } });
        stub.on("dynamodb:GetItem", [Reply::ok("{}"), Reply::ok(imported.to_string())]);
        let accounts = accounts(&stub, &with("exact", many)).await;
        let key = |org: &str, name: &str| match many {
            true => json!({ "orgid": { "N": org }, "username": { "S": name } }),
            false => json!({ "orgid": { "N": org } }),
        };
        let reservation = sftpctl_accounts::rules::reservation("jan").to_string();
        let (ours, reserved) = (key("7", "jan"), key(&reservation, "#jan"));

        accounts.remove(&account()).await.unwrap();
        assert_eq!(keys(&stub), [ours.clone(), reserved.clone()]);
        accounts.remove(&account()).await.unwrap();
        assert_eq!(keys(&stub), [ours.clone(), reserved.clone()]);
        let asked = stub.asked("dynamodb:TransactWriteItems");
        assert!(
            !asked[0].body.contains("removedAt") && asked[1].body.contains("removedAt"),
            "an imported one leaves a mark"
        );
        accounts.set_disabled(account(), true).await.unwrap();
        assert_eq!(keys(&stub), std::slice::from_ref(&ours));
        accounts.end_malformed(&account().to_item(), true).await.unwrap();
        assert_eq!(keys(&stub), std::slice::from_ref(&reserved), "the last of two transactions");
        accounts.remove_canary(&account()).await.unwrap();
        assert_eq!(keys(&stub), [ours]);
        accounts.add(&account()).await.unwrap();
        // A put has the whole item, in which an account always has a name.
        let item = json!({ "orgid": { "N": "7" }, "username": { "S": "jan" } });
        assert_eq!(keys(&stub), [item, reserved]);
    }
}

#[tokio::test]
async fn canary_replaces_those_left_in_its_place() {
    let stub = Stub::new().await;
    stub.on("dynamodb:TransactWriteItems", [Reply::ok("{}")]);
    let left = json!({ "orgid": { "N": "-9" }, "username": { "S": "sftpctl-canary-old" } });
    stub.on("dynamodb:Query", [Reply::ok(json!({ "Items": [left] }).to_string())]);
    let canary = Account { org_id: -9, username: "sftpctl-canary-new".into(), ..account() };
    assert!(accounts(&stub, &with("exact", true)).await.put_canary(&canary, "9999").await.unwrap());
    let new = json!({ "orgid": { "N": "-9" }, "username": { "S": "sftpctl-canary-new" } });
    assert_eq!(keys(&stub), [left, new]);
}

#[tokio::test]
async fn names_are_looked_up_as_they_are_stored() {
    for (usernames, looked_up) in [("exact", "Jan"), ("case-insensitive", "jan")] {
        let stub = Stub::new().await;
        stub.on("dynamodb:Query", [Reply::ok(r#"{"Items":[]}"#)]);
        let accounts = accounts(&stub, &with(usernames, false)).await;
        assert!(matches!(accounts.by_name("Jan").await, Err(AccountError::Missing(name)) if name == "Jan"));
        accounts.items("us-east-2", "Jan").await.unwrap();
        accounts.raw(None, Some("Jan")).await.unwrap();
        let asked = stub.asked("dynamodb:Query");
        let names = asked.iter().map(|query| serde_json::from_str::<Value>(&query.body).unwrap());
        let names = names.map(|query| query["ExpressionAttributeValues"][":value"]["S"].clone());
        assert_eq!(names.collect::<Vec<_>>(), [looked_up, looked_up, looked_up]);
    }
}

/// In a table that is sorted by names, a reservation is in the index, under a name of its own.
#[tokio::test]
async fn reservation_is_not_found_as_an_account() {
    let stub = Stub::new().await;
    let reserved = json!({ "orgid": { "N": "-5000000000000000000" }, "username": { "S": "#jan" },
                           "reserves": { "S": "jan" }, "reservedBy": { "N": "7" } });
    stub.on("dynamodb:Query", [Reply::ok(json!({ "Items": [reserved] }).to_string())]);
    stub.on("dynamodb:Scan", [Reply::ok(json!({ "Items": [reserved] }).to_string())]);
    let accounts = accounts(&stub, &with("exact", true)).await;
    assert!(matches!(accounts.by_name("#jan").await, Err(AccountError::Missing(_))));
    assert_eq!(accounts.raw(None, Some("#jan")).await.unwrap(), []);
    assert!(accounts.page(None).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn organisation_with_several_accounts_is_ambiguous() {
    let item = |name: &str| {
        json!({ "orgid": { "N": "7" }, "username": { "S": name }, "password": { "S": "hash" },
                "HomeDirectory": { "S": "/bucket/7" } })
    };
    let stub = Stub::new().await;
    let accounts = accounts(&stub, &with("exact", true)).await;
    for (names, expected) in [
        (&[][..], Err("account 7 does not exist")),
        (&["jan"], Ok("jan")),
        (&["jan", "piet"], Err("organisation 7 has 2 accounts: jan, piet")),
    ] {
        let items: Vec<Value> = names.iter().map(|name| item(name)).collect();
        stub.on("dynamodb:Query", [Reply::ok(json!({ "Items": items }).to_string())]);
        let found = accounts.by_org(7).await.map(|account| account.username).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned));
    }
    assert_eq!(stub.count("dynamodb:GetItem"), 0);
}
