//! Code that somebody plants in the place of the authorizer's, who may write to the code bucket or update the function.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;

use serde_json::Value;
use sftpctl_testkit::programs::authorizer;

use crate::site::{Site, shown};

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
    assert_eq!(site.planned(), ["us-west-2/package", "us-west-2/stack", "us-west-2/server-id"]);
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

#[test]
fn code_planted_under_the_key_of_the_next_release_never_runs() {
    let site = Site::deployed("");
    let next = site.dir.path().join("next-release");
    std::fs::copy(authorizer(), &next).unwrap();
    std::fs::File::options().append(true).open(&next).unwrap().write_all(b"\0").unwrap();
    let next = next.to_str().unwrap();
    let (ours, key) = package(&site, next);
    let theirs = site.oracle("planted.py", &["put", &key]);
    assert_ne!(ours, theirs);
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--package", next]);
    assert_eq!(site.oracle("planted.py", &["code"]), ours);
    let events = site.ok(&["verify", "--env", "99", "--local", "--package", next]);
    assert!(!events.contains("failed"), "{events}");
}
