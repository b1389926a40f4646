//! Environments with a `ttl`: `teardown --expired` deletes those whose time is over, and no others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use sftpctl_core::hex;
use sftpctl_engine::state::model::State;
use sha2::{Digest as _, Sha256};

use crate::site::{Site, shown, text};

const EXPIRED: [&str; 6] = ["teardown", "--folder", "environments", "--expired", "--yes", "--local"];

/// What became of the environments, by their names.
fn environments(output: &str) -> Vec<(String, String, String)> {
    let view: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!(view["schema"], "sftpctl/expired/1");
    let word = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let all = view["environments"].as_array().unwrap().iter();
    all.map(|one| (word(one, "environment"), word(one, "outcome"), word(one, "why"))).collect()
}

fn expired(site: &Site, code: i32) -> Vec<(String, String, String)> {
    let output = site.run(&[&EXPIRED[..], &["--output", "json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
    environments(&text(&output.stdout))
}

/// Sets the times of the last deployment in the state back to January, as a state that was written then has them.
fn age(site: &Site) {
    let path = site.cloud().join("state/99.json");
    let mut state = State::read("99.json", &std::fs::read(&path).unwrap()).unwrap();
    let run = state.last_deploy.as_mut().unwrap();
    run.started = "2026-01-01T00:00:00Z".into();
    run.finished = Some("2026-01-01T00:05:00Z".into());
    state.last_run = state.last_deploy.clone();
    state.digest.clear();
    state.digest = hex::encode(&Sha256::digest(serde_json::to_vec(&state).unwrap()));
    std::fs::write(path, serde_json::to_string_pretty(&state).unwrap()).unwrap();
}

#[test]
fn an_environment_is_deleted_when_its_time_is_over_and_not_before() {
    let site = Site::new();
    let kept = |why: &str| ("99".to_owned(), "kept".to_owned(), why.to_owned());
    let prod = ("prod".to_owned(), "kept".to_owned(), "its file has no `ttl`".to_owned());
    assert_eq!(expired(&site, 0), [kept("its file has no `ttl`"), prod.clone()]);
    site.edit(|file| format!("{file}\nttl: 2h\n"));
    assert_eq!(expired(&site, 0), [kept("the state knows no deployment of it"), prod.clone()]);
    site.deploy();
    let young = expired(&site, 0);
    assert!(young[0].2.starts_with("it has 119 min left") || young[0].2 == "it has 2 h left", "{young:?}");
    let status = site.ok(&["status", "--env", "99", "--local"]);
    assert!(status.contains("Expires: 20") && status.contains("a deploy renews it"), "{status}");
    assert_eq!(site.ports().len(), 2, "nothing is gone");

    // A customer's file: without the file's word, the bucket that has it stays.
    site.aws(&["put"]);
    age(&site);
    assert!(site.ok(&["status", "--env", "99", "--local"]).contains("Expired: 2026-01-01T02:05:00Z"));
    let without = site.ends_with(3, &["teardown", "--env", "99", "--expired", "--local"]);
    assert!(without.contains("pass --yes"), "{without}");
    let gone = expired(&site, 0);
    assert_eq!((gone[0].1.as_str(), gone[0].2.as_str()), ("torn-down", "its time was over"), "{gone:?}");
    assert_eq!(gone[1], prod);
    assert!(site.ports().is_empty());
    let kept_bucket = site.ok(&["state", "show", "--env", "99", "--local"]);
    assert!(kept_bucket.contains("pl-pt99-5-uploads"), "{kept_bucket}");
    assert_eq!(expired(&site, 0), [kept("it is torn down already"), prod.clone()]);

    // The next deployment begins a new life, with the bucket that was kept.
    site.deploy();
    assert!(expired(&site, 0)[0].2.starts_with("it has "));

    // With the file's word, the data goes, too; the table as soon as AWS allows it.
    site.edit(|file| file.replace("ttl: 2h", "ttl: { after: 2h, delete_data: true }"));
    age(&site);
    let later = expired(&site, 6);
    assert!(later[0].1 == "failed" && later[0].2.contains("something is left (exit code 6)"), "{later:?}");
    assert_eq!(expired(&site, 0)[0].1, "torn-down");
    assert_eq!(expired(&site, 0)[0].2, "it is torn down already");
    let nothing = site.ok(&["state", "show", "--env", "99", "--local"]);
    assert!(!nothing.contains("pl-pt99-5-uploads"), "{nothing}");
}

#[test]
fn a_file_that_is_wrong_does_not_stop_the_others() {
    let site = Site::deployed("ttl: 2h\n");
    age(&site);
    std::fs::write(site.dir.path().join("environments/98.yaml"), "version: 1\nttl: 8h\n").unwrap();
    let all = expired(&site, 2);
    let outcomes: Vec<&str> = all.iter().map(|(_, outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "torn-down", "kept"], "{all:?}");
    assert!(all[0].0.contains("98.yaml"), "{all:?}");
    assert!(site.ports().is_empty());
    // A copy, whose author forgot to change the name, would delete the original.
    let file = |name: &str| site.dir.path().join("environments").join(name);
    std::fs::copy(file("99.yaml"), file("copy.yaml")).unwrap();
    let twice = site.ends_with(2, &["teardown", "--folder", "environments", "--expired", "--yes", "--local"]);
    assert!(twice.contains("are both environment 99") && twice.contains("nothing was deleted"), "{twice}");
    for (arguments, says) in [
        (&["teardown", "--folder", "environments"][..], "--expired"),
        (&["teardown", "--expired", "--yes"], "--env"),
        (&["teardown", "--env", "99", "--expired", "--delete-data"], "--delete-data"),
        (&["teardown", "--folder", "nowhere", "--expired"], "cannot read the folder nowhere"),
    ] {
        let refused = site.ends_with(2, arguments);
        assert!(refused.contains(says), "{refused}");
    }
}
