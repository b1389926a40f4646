//! The contract for the application that creates organisations: its worked call, its schema, and a customer who logs in.

use std::process::Command;

use sftp_authorizer::Attribute;

use crate::site::{Login, Site, shown, with_input};
use sftpctl_testkit::programs::{installed, root};

/// Runs the example of docs/provisioning.md for a customer of cluster 99-0.
fn provision(site: &Site, org_id: &str, username: &str, password: &str) -> (bool, String) {
    let mut command = Command::new(installed("moto/bin/python"));
    command
        .arg(root().join("docs/examples/provision.py"))
        .args(["dydb-99-uploads", "pl-pt99-0-uploads", org_id, username])
        .env("AWS_ENDPOINT_URL", site.endpoint())
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", site.secret())
        .env("AWS_DEFAULT_REGION", "us-west-2");
    let output = with_input(&mut command, password.as_bytes());
    (output.status.success(), shown(&output))
}

#[test]
fn worked_call_makes_an_account_that_the_program_takes_for_its_own() {
    let site = Site::deployed("");
    let (added, said) = provision(&site, "17578", "jan", "Fake-Password-1\n");
    assert!(added, "{said}");
    let port = site.port("us-west-2");
    assert!(site.admits(port, &Login::new("jan", "Fake-Password-1")));
    assert!(!site.admits(port, &Login::new("jan", "another")));

    // Neither the example nor `users add` gives name or organisation away a second time.
    for (org_id, username, taken) in [("17579", "jan", "the user name jan"), ("17578", "piet", "the organisation")] {
        let (added, said) = provision(&site, org_id, username, "Fake-Password-2\n");
        assert!(!added && said.contains(taken), "{said}");
    }
    let own = site.users(
        &["add", "--orgid", "17579", "--username", "jan", "--cluster", "99-0", "--password-stdin"],
        "Fake-Password-2",
    );
    assert_eq!(own.status.code(), Some(3), "{}", shown(&own));

    // A reservation that is left behind, of this organisation or of another one, is taken over.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (reserved_by, org_id, username) in [("20001", "20001", "own.name"), ("20002", "20003", "other.name")] {
        let key = sftpctl_accounts::rules::reservation(username).to_string();
        let number = |digits: &str| Attribute::Number(digits.to_owned());
        let item = sftp_authorizer::Item::from([
            ("orgid".to_owned(), number(&key)),
            ("reserves".to_owned(), Attribute::Text(username.to_owned())),
            ("reservedBy".to_owned(), number(reserved_by)),
        ]);
        runtime.block_on(async {
            let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
            let put = sftpctl_aws::Write::Put { item, condition: None, values: Vec::new() };
            home.write_items("dydb-99-uploads", &[put]).await.unwrap();
        });
        let (added, said) = provision(&site, org_id, username, "Fake-Password-3\n");
        assert!(added, "{username}: {said}");
        assert!(site.admits(port, &Login::new(username, "Fake-Password-3")));
    }

    // Its reservation is where the program has it, and nothing is wrong with the account.
    let audit = site.ok(&["users", "audit", "--env", "99", "--local"]);
    assert!(audit.contains("3 accounts"), "{audit}");
    let item = runtime.block_on(async {
        let home = site.aws_of("111111111111").await.dynamodb("us-west-2");
        let key = [("orgid".to_owned(), Attribute::Number("17578".into()))].into();
        home.item("dydb-99-uploads", &key).await.unwrap().unwrap()
    });
    // In DynamoDB's JSON, as the schema describes it.
    let members = item.iter().map(|(name, value)| {
        let value = match value {
            Attribute::Text(text) => serde_json::json!({ "S": text }),
            Attribute::Number(digits) => serde_json::json!({ "N": digits }),
            other => panic!("{name}: {other:?}"),
        };
        (name.clone(), value)
    });
    let item = serde_json::Value::Object(members.collect());
    let schema = root().join("docs/account.schema.json");
    let fits = |item: &serde_json::Value| {
        let path = site.dir.path().join("item.json");
        std::fs::write(&path, item.to_string()).unwrap();
        let output =
            Command::new(installed("tools/bin/check-jsonschema")).arg("--schemafile").arg(&schema).arg(&path).output();
        output.unwrap().status.success()
    };
    assert!(fits(&item), "{item}");
    for (name, wrong) in [
        ("orgid", serde_json::json!({ "N": "0" })),
        ("username", serde_json::json!({ "S": "ab" })),
        ("status", serde_json::json!({ "S": "on" })),
        ("HomeDirectory", serde_json::json!({ "S": "17578" })),
        ("regions", serde_json::json!({ "L": [] })),
    ] {
        let mut malformed = item.clone();
        malformed[name] = wrong;
        assert!(!fits(&malformed), "{malformed}");
    }
}

/// The vectors of the page, and the program's own key.
#[test]
fn vectors_of_reservations_are_those_of_the_page() {
    let page = std::fs::read_to_string(root().join("docs/provisioning.md")).unwrap();
    let vectors: Vec<(&str, i64)> = page
        .lines()
        .filter_map(|line| {
            let (name, key) = line.strip_prefix("| `")?.split_once("` | ")?;
            Some((name, key.trim_end_matches(" |").parse().ok()?))
        })
        .collect();
    assert_eq!(vectors.len(), 2, "{vectors:?}");
    for (name, key) in vectors {
        assert_eq!(sftpctl_accounts::rules::reservation(name), key, "{name}");
    }
}
