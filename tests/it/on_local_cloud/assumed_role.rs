//! The whole life of an environment as a role that has the shipped permissions only, on a local cloud that enforces
//! them; and what happens if one of them is missing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use sftpctl_aws::NewRole;

use crate::site::{Login, Site, text};

const ACCOUNT: &str = "111111111111";

/// The statements of the printed policies for everything that one may do with environment 99.
fn deployer(site: &Site) -> Vec<Value> {
    let policies = ["reader", "deployer", "stack", "teardown", "users"];
    let printed = policies.map(|name| site.ok(&["policy", name, "--env", "99", "--local"]));
    let statements = printed.iter().flat_map(|text| {
        let policy: Value = serde_json::from_str(text).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    });
    statements.collect()
}

/// The statements without one action.
fn without(statements: &[Value], action: &str) -> Vec<Value> {
    let texts = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let mut removed = 0;
    let mut left = Vec::new();
    for statement in statements {
        let (mut statement, all) = (statement.clone(), texts(&statement["Action"]));
        let kept: Vec<Value> = all.iter().filter(|name| *name != action).cloned().collect();
        removed += all.len() - kept.len();
        if !kept.is_empty() {
            statement["Action"] = kept.into();
            left.push(statement);
        }
    }
    assert!(removed > 0, "no statement allows {action}");
    left
}

/// Creates a role that the account may assume with the external ID `ticket-1`. Returns its ARN.
fn role(site: &Site, name: &str, statements: &[Value]) -> String {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") },
        "Condition": { "StringEquals": { "sts:ExternalId": "ticket-1" } },
    }]});
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let aws = site.aws_of(ACCOUNT).await;
        let iam = aws.iam();
        let trust = trust.to_string();
        let new = NewRole { name, description: "tests", trust: &trust, boundary: None, tags: &Default::default() };
        iam.create_role(&new).await.unwrap();
        // In parts: IAM limits the size of a managed policy.
        for (index, part) in statements.chunks(8).enumerate() {
            let document = json!({ "Version": "2012-10-17", "Statement": part }).to_string();
            let policy = format!("{name}-{index}");
            iam.create_policy(&policy, "tests", &document, &Default::default()).await.unwrap();
            let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{policy}");
            // IAM does not know at once what was just created.
            while let Err(error) = iam.attach(name, &arn).await {
                assert!(error.is_busy(), "{error}");
            }
        }
    });
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// What `doctor` finds about the permissions of a role: status and evidence.
fn simulated(site: &Site, arn: &str) -> (String, String) {
    let output = site.run(&["doctor", "--env", "99", "--local", "--as", arn, "--output", "json"]);
    let report: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["id"] == "D080-permissions").unwrap();
    let text = |name: &str| check[name].as_str().unwrap().to_owned();
    (text("status"), text("evidence"))
}

/// Sets the role of the environment file.
fn assume(site: &Site, arn: &str, external_id: &str) {
    site.edit(|file| {
        let lines = file.lines().filter(|line| !line.starts_with("assume_role:"));
        let file: String = lines.map(|line| format!("{line}\n")).collect();
        format!("{file}assume_role: {{ arn: {arn:?}, external_id: {external_id} }}\n")
    });
}

#[test]
fn shipped_permissions_suffice_and_each_is_needed() {
    let site = Site::new();
    let statements = deployer(&site);
    for (index, action) in
        ["dynamodb:CreateTableReplica", "iam:AttachRolePolicy", "transfer:CreateServer"].into_iter().enumerate()
    {
        let arn = role(&site, &format!("lacking-{index}"), &without(&statements, action));
        let (status, evidence) = simulated(&site, &arn);
        assert!(status == "failed" && evidence.contains(action), "{status}: {evidence}");
        assume(&site, &arn, "ticket-1");
        let output = site.run(&["deploy", "--env", "99", "--local", "--yes", "--output", "plain"]);
        let shown = crate::site::shown(&output);
        assert!(!output.status.success(), "{action}: {shown}");
        let who = format!("arn:aws:sts::{ACCOUNT}:assumed-role/lacking-{index}/sftpctl");
        assert!(shown.contains(&format!("User: {who} is not authorized to perform: {action} on resource:")), "{shown}");
        assert!(shown.contains(&format!("allow `{action}`")), "{shown}");
        // Everything else has been deployed.
        site.teardown_with_data(&[]);
    }

    let arn = role(&site, "sftpctl-deployer", &statements);
    let (status, evidence) = simulated(&site, &arn);
    assert_eq!(status, "ok", "{evidence}");
    assume(&site, &arn, "ticket-2");
    let refused = site.ends_with(3, &["plan", "--env", "99", "--local"]);
    assert!(refused.contains(&format!("arn:aws:iam::{ACCOUNT}:root may not assume the role {arn}")), "{refused}");

    assume(&site, &arn, "ticket-1");
    site.deploy();
    site.aws(&["properties"]);
    assert_eq!(site.planned(), Vec::<String>::new());
    site.ok(&["drift", "--env", "99", "--local"]);
    let login = site.add(17578, "me@example.com", "Fake-Password-1");
    let (admitted, output) = site.test_login(&login);
    assert!(admitted, "{output}");
    site.aws(&["drift", "server"]);
    assert_eq!(site.planned(), ["us-west-2/server"]);
    site.deploy();
    site.teardown_with_data(&[]);
    assert!(!site.logs().contains("does not know which permissions"), "{}", site.logs());
}

/// The helpdesk's role may not read roles and buckets, and learns all the same whether a customer can log in.
#[test]
fn helpdesk_tests_log_ins_with_the_policy_for_users() {
    let site = Site::deployed("");
    let login = site.add(17578, "me@example.com", "Fake-Password-1");
    let policy: Value = serde_json::from_str(&site.ok(&["policy", "users", "--env", "99", "--local"])).unwrap();
    let arn = role(&site, "helpdesk", policy["Statement"].as_array().unwrap());
    assume(&site, &arn, "ticket-1");
    let (admitted, output) = site.test_login(&login);
    assert!(admitted && output.contains("the role and the bucket behind it were not checked"), "{output}");
    let (admitted, output) = site.test_login(&Login::new("me@example.com", "Fake-Password-2"));
    assert!(!admitted, "{output}");
}

/// With the policy that only reads, all that is looked up works, and each change is refused.
#[test]
fn who_only_reads_accounts_can_look_everything_up_and_change_nothing() {
    let site = Site::new();
    site.edit(|file| format!("{file}\nguard: {{}}\n"));
    site.deploy();
    let login = site.add(17578, "me@example.com", "Fake-Password-1");
    let create = |name: &str, policies: &[&str]| {
        let printed = policies.iter().map(|name| site.ok(&["policy", name, "--env", "99", "--local"]));
        let printed: Vec<Value> = printed.map(|text| serde_json::from_str(&text).unwrap()).collect();
        let of = |policy: &Value| policy["Statement"].as_array().unwrap().clone();
        let mut statements: Vec<Value> = printed.iter().flat_map(of).collect();
        // Their names are unique within one policy only.
        statements.iter_mut().for_each(|statement| drop(statement.as_object_mut().unwrap().remove("Sid")));
        role(&site, name, &statements)
    };
    let onlooker = create("onlooker", &["users-reader", "logs", "reader"]);
    let tester = create("tester", &["users-reader", "logs", "reader", "test-login"]);
    assume(&site, &onlooker, "ticket-1");
    let of = |words: &[&'static str]| [words, &["--env", "99", "--local"]].concat();
    let who = ["--username", "me@example.com"];
    for words in [
        &of(&["users", "list"])[..],
        &[&of(&["users", "show"])[..], &who].concat(),
        &[&of(&["users", "show", "--activity"])[..], &who].concat(),
        &of(&["users", "audit", "--logins", "1", "--ignore", "no-login"]),
        &of(&["users", "export", "--format", "csv"]),
        &of(&["users", "silent", "--days", "1"]),
        &of(&["guard", "list"]),
        &of(&["logs", "--since", "1h"]),
        &of(&["status"]),
    ] {
        let output = site.run(words);
        let shown = crate::site::shown(&output);
        assert!(
            matches!(output.status.code(), Some(0 | 4 | 6)) && !shown.contains("not authorized"),
            "{words:?}: {shown}"
        );
    }
    // With a guard a log-in that is tried may ban somebody.
    let (admitted, output) = site.test_login(&login);
    assert!(!admitted && output.contains("is not authorized to perform: transfer:TestIdentityProvider"), "{output}");
    for words in [
        [&of(&["users", "disable"])[..], &who].concat(),
        [&of(&["users", "passwd", "--generate-password"])[..], &who].concat(),
        [&of(&["users", "remove", "--yes"])[..], &who].concat(),
        of(&["guard", "ban", "192.0.2.7"]),
    ] {
        let output = site.run(&words);
        let shown = crate::site::shown(&output);
        assert!(
            !output.status.success() && shown.contains("is not authorized to perform: dynamodb:"),
            "{words:?}: {shown}"
        );
    }
    assume(&site, &tester, "ticket-1");
    let (admitted, output) = site.test_login(&login);
    assert!(admitted && !output.contains("were not checked"), "{output}");
}

#[test]
fn boundary_and_unknown_keys_refuse_a_session() {
    let site = Site::new();
    let everything = [json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })];
    let arn = role(&site, "bounded", &everything);
    // It calls AWS in one step after another, without asking again.
    site.ok(&["local", "manners", "off", "all"]);
    let output = site.oracle("sessions.py", &[&arn]);
    assert_eq!(output, "all as expected");
}
