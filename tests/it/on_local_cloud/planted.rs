//! What somebody plants in the place of ours: code, who may write to the code bucket or update the function; the server of
//! another, who may write to the state.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::Command;

use serde_json::Value;
use sftpctl_testkit::programs::{authorizer, oracle, venv};

use crate::site::{Site, shown, succeeded};

/// The SHA-256 of a binary's package in base64, and the key of its object.
fn package(site: &Site, binary: &str) -> (String, String) {
    let zip = ["--out", "package.zip", "--max-size", "50", "--output", "json"];
    let shown = site.ok(&[&["package", "--binary", binary][..], &zip].concat());
    let package: Value = serde_json::from_str(&shown).unwrap();
    let text = |name: &str| package[name].as_str().unwrap().to_owned();
    (text("sha256"), format!("pl-upload-99-{}.zip", text("digest")))
}

#[test]
fn planted_code_is_seen_and_replaced() {
    let site = Site::deployed("");
    let login = site.add(17_578, "me@example.com", "Fake-Password-1");
    let (ours, key) = package(&site, authorizer().to_str().unwrap());
    assert_eq!(site.oracle("planted.py", &["code"]), ours);
    assert_eq!(site.oracle("planted.py", &["keys"]), format!("[\"{key}\"]"));

    // The object is replaced, and the function updated from it.
    let theirs = site.oracle("planted.py", &["put", &key]);
    site.oracle("planted.py", &["run", &key]);
    assert_eq!(site.oracle("planted.py", &["code"]), theirs);
    assert!(!site.test_login(&login).0);
    assert_eq!(site.planned(), ["us-west-2/package", "us-west-2/stack"]);
    let drifted = site.run(&["drift", "--env", "99", "--local"]);
    assert_eq!(drifted.status.code(), Some(4), "{}", shown(&drifted));
    assert!(shown(&drifted).contains(&theirs), "{}", shown(&drifted));
    site.deploy();
    assert_eq!(site.oracle("planted.py", &["code"]), ours);
    assert!(site.test_login(&login).0);
    assert_eq!(site.planned(), Vec::<String>::new());

    // Only the function: its object and its stack are as they were.
    site.oracle("planted.py", &["put", "elsewhere.zip"]);
    site.oracle("planted.py", &["run", "elsewhere.zip"]);
    assert_eq!(site.planned(), ["us-west-2/server-id"]);
    site.deploy();
    assert_eq!(site.oracle("planted.py", &["code"]), ours);
    assert_eq!(site.planned(), Vec::<String>::new());
}

/// Whoever may change the function's settings needs no other code to decide on log-ins.
#[test]
fn variables_and_layers_that_are_not_ours_are_removed() {
    let site = Site::deployed("");
    let login = site.add(17_578, "me@example.com", "Fake-Password-1");
    let ours = site.oracle("planted.py", &["settings"]);
    site.oracle("planted.py", &["redirect"]);
    assert_ne!(site.oracle("planted.py", &["settings"]), ours);
    assert_eq!(site.planned(), ["us-west-2/server-id"]);
    let plan = site.ok(&["plan", "--env", "99", "--local"]);
    assert!(plan.contains("AWS_ENDPOINT_URL_DYNAMODB") && plan.contains("layers"), "{plan}");
    site.deploy();
    assert_eq!(site.oracle("planted.py", &["settings"]), ours);
    assert!(site.test_login(&login).0);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn code_planted_under_the_key_of_the_next_release_never_runs() {
    let site = Site::deployed("");
    let login = site.add(17_578, "me@example.com", "Fake-Password-1");
    let next = site.dir.path().join("next-release");
    std::fs::copy(authorizer(), &next).unwrap();
    std::fs::File::options().append(true).open(&next).unwrap().write_all(b"\0").unwrap();
    let next = next.to_str().unwrap();
    let (ours, key) = package(&site, next);
    let theirs = site.oracle("planted.py", &["put", &key]);
    assert_ne!(ours, theirs);
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--package", next]);
    assert_eq!(site.oracle("planted.py", &["code"]), ours);
    assert!(site.test_login(&login).0);
}

#[test]
fn server_that_only_the_state_names_is_left_alone() {
    let site = Site::deployed("");
    let stranger = site.oracle("planted.py", &["server"]);
    let state = site.cloud().join("state/99.json");
    let mut forge = Command::new(venv().join("bin/python"));
    forge.arg(oracle("forged_state.py")).arg(&state).args(["us-west-2/server", &stranger]);
    succeeded("forged_state.py", &forge.output().unwrap());
    for command in ["plan", "deploy"] {
        let yes: &[&str] = if command == "deploy" { &["--yes"] } else { &[] };
        let refused = site.ends_with(3, &[&[command, "--env", "99", "--local"], yes].concat());
        let why = format!("server {stranger} is known from the state only");
        assert!(refused.contains(&why) && refused.contains("sftpctl state rebuild --env 99"), "{refused}");
    }
    let kept = site.run(&["teardown", "--env", "99", "--local", "--yes"]);
    assert!(shown(&kept).contains("is known from the state only"), "{}", shown(&kept));
    site.oracle("planted.py", &["untouched", &stranger]);

    // The advice helps.
    site.ok(&["state", "rebuild", "--env", "99", "--local"]);
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new());
    site.oracle("planted.py", &["untouched", &stranger]);
}
