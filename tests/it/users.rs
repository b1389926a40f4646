//! `sftpctl users` with a stub for AWS.

use serde_json::{Value, json};

use crate::site::{shown, text};
use crate::stub::{Reply, Stub};

const BUCKET: &str = "pl-pt99-5-uploads";

#[tokio::test]
async fn list_continues_to_the_last_page_and_names_what_is_broken() {
    let stub = Stub::new().await;
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account>\
                  <Arn>arn:aws:iam::111111111111:user/u</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let account = |id: i64| {
        let home = format!("/{BUCKET}/{id}");
        json!({ "orgid": { "N": id.to_string() }, "username": { "S": format!("user{id}") },
                "HomeDirectory": { "S": home }, "password": { "S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==" } })
    };
    let with = |id: i64, attribute: &str, value: Value| {
        let mut account = account(id);
        account[attribute] = value;
        account
    };
    let spoilt = with(13, "password", json!({ "S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg==\n" }));
    let capital = with(21, "status", json!({ "S": "Active" }));
    let page = |items: &[Value], last: Option<i64>| {
        let mut page = json!({ "Items": items, "Count": items.len(), "ScannedCount": items.len() });
        if let Some(id) = last {
            page["LastEvaluatedKey"] = json!({ "orgid": { "N": id.to_string() } });
        }
        Reply::ok(page.to_string())
    };
    stub.on("sts:GetCallerIdentity", [Reply::ok(caller)]).on(
        "dynamodb:Scan",
        [
            page(&[account(11), account(12), spoilt], Some(13)),
            // An empty page need not be the last.
            page(&[], Some(20)),
            page(&[capital, account(22)], None),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("environments")).unwrap();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/environments/99.yaml");
    std::fs::copy(file, folder.path().join("environments/99.yaml")).unwrap();
    let mut command = std::process::Command::new(sftpctl_testkit::programs::sftpctl());
    command.args(["users", "list", "--env", "99", "--output", "csv"]).current_dir(&folder);
    command.env("AWS_ENDPOINT_URL", stub.endpoint()).env_remove("AWS_PROFILE");
    command.envs([("AWS_ACCESS_KEY_ID", "111111111111"), ("AWS_SECRET_ACCESS_KEY", "fake-secret")]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let listed = text(&output.stdout);
    let names: Vec<&str> = listed.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert_eq!(names, ["user11", "user12", "user13", "user22"], "{listed}");
    let told = text(&output.stderr);
    for fault in [
        "in the item of user13 (organisation 13), the attribute password has a line end after the hash",
        "the item of user21 is malformed: the attribute status is neither active nor disabled",
    ] {
        assert!(told.contains(fault), "{told}");
    }
    let begins = stub.asked("dynamodb:Scan").into_iter().map(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        body["ExclusiveStartKey"]["orgid"]["N"].as_str().map(str::to_owned)
    });
    assert_eq!(begins.collect::<Vec<_>>(), [None, Some("13".to_owned()), Some("20".to_owned())]);
}
