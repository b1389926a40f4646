//! Arriving files are told to a topic, in words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::doctor;
use crate::site::Site;

const WEST: &str = "us-west-2";
const NOTIFY: &str = "files: { notify: { 99-5: { email: [orders@example.com] }, \
                      99-4: { topic: \"arn:aws:sns:us-west-2:111111111111:given\" } } }\n";

/// What has been told until there are so many messages.
fn told(site: &Site, queue: &str, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    let end = Instant::now() + Duration::from_secs(20);
    while all.len() < count {
        let messages = site.oracle("topics.py", &["messages", WEST, queue]);
        all.extend(messages.lines().map(|line| {
            let message: Value = serde_json::from_str(line).unwrap();
            // A text in JSON.
            serde_json::from_str::<String>(message["message"].as_str().unwrap()).unwrap()
        }));
        assert!(Instant::now() < end, "{all:?}");
    }
    all
}

#[test]
fn each_whole_upload_is_told_to_the_topic_of_its_cluster() {
    let site = Site::new();
    site.oracle("topics.py", &["make", WEST, "given"]);
    site.edit(|file| format!("{file}\n{NOTIFY}"));
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    site.ok(&["drift", "--env", "99", "--local"]);
    let topic = "99-upload-99-5-arrivals";
    let subscribed = site.oracle("topics.py", &["subscriptions", WEST, topic]);
    assert_eq!(subscribed, "PendingConfirmation email orders@example.com");
    site.oracle("topics.py", &["listen", WEST, topic, "told"]);

    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    let put = |region: &str, name: &str| {
        std::fs::write(site.dir.path().join("content"), "twelve bytes").unwrap();
        assert!(site.sftp(site.port(region), &login, &format!("put content {name}\n")).status.success(), "{name}");
    };
    put(WEST, "order.csv");
    let line = told(&site, "told", 1).remove(0);
    let start = "jan@example.com uploaded /pl-pt99-5-uploads/17578/order.csv: 12 bytes, from 127.0.0.1, at 20";
    assert!(line.starts_with(start) && line.ends_with('Z'), "{line}");
    // A server elsewhere tells the region of the bucket, and a client that renames ends an upload so.
    put("us-east-2", "east.csv.part");
    site.sftp(site.port("us-east-2"), &login, "rename east.csv.part east.csv\n");
    let lines = told(&site, "told", 2);
    assert!(lines.iter().any(|line| line.contains(" uploaded /pl-pt99-5-uploads/17578/east.csv.part: ")), "{lines:?}");
    let renamed =
        "jan@example.com renamed /pl-pt99-5-uploads/17578/east.csv.part to /pl-pt99-5-uploads/17578/east.csv, at ";
    assert!(lines.iter().any(|line| line.starts_with(renamed)), "{lines:?}");
    // Of a broken upload nobody is told; of the next whole one they are.
    site.paramiko_ok(site.port(WEST), &login, &["breaks-off", "broken.csv", "40000"]);
    put(WEST, "after.csv");
    let lines = told(&site, "told", 1);
    assert!(lines.len() == 1 && lines[0].contains("/after.csv: "), "{lines:?}");

    // Without the setting, topic and rules go, and what was given stays.
    site.edit(|file| file.replace(NOTIFY, ""));
    site.deploy();
    assert_eq!(site.oracle("topics.py", &["subscriptions", WEST, topic]), "no topic");
    assert!(site.oracle("topics.py", &["subscriptions", WEST, "given"]).contains(" sqs "));
    let rules = site.oracle("topics.py", &["rules", WEST]) + &site.oracle("topics.py", &["rules", "us-east-2"]);
    assert_eq!(rules, "");
}

/// The check of the topics that the file names: its status and evidence.
fn examined(site: &Site) -> (String, String) {
    doctor::examined(site, "D053-given-topics", WEST)
}

/// EventBridge says nothing of what a topic does not take: the check does, and the local cloud delivers nothing.
#[test]
fn a_given_topic_is_told_once_its_policy_admits_event_bridge() {
    let site = Site::new();
    site.edit(|file| {
        format!("{file}\nfiles: {{ notify: {{ 99-5: {{ topic: \"arn:aws:sns:{WEST}:111111111111:given\" }} }} }}\n")
    });
    let (status, evidence) = examined(&site);
    assert!(status == "warning" && evidence.starts_with("there is no topic arn:aws:sns:"), "{evidence}");
    // With the policy that SNS gives to a new topic, of which a deployment warns: the first, and a later one.
    site.oracle("topics.py", &["make", WEST, "given"]);
    let deploy = || site.ends_with(0, &["deploy", "--env", "99", "--local", "--yes", "--no-verify"]);
    let warning = "does not let EventBridge publish, so subscribers get no messages of files";
    let said = deploy();
    assert!(said.contains(warning), "{said}");
    site.edit(|file| format!("{file}\nalarms: {{ email: [] }}\n"));
    let said = deploy();
    assert!(said.contains(warning), "{said}");

    let login = site.add(17578, "jan@example.com", "Fake-Password-1");
    let put = |name: &str| {
        std::fs::write(site.dir.path().join("content"), "twelve bytes").unwrap();
        assert!(site.sftp(site.port(WEST), &login, &format!("put content {name}\n")).status.success(), "{name}");
    };
    put("before.csv");
    assert_eq!(examined(&site).0, "warning");
    site.oracle("topics.py", &["admit", WEST, "given", "events.amazonaws.com"]);
    assert_eq!(examined(&site), ("ok".to_owned(), "EventBridge may publish to them".to_owned()));
    put("after.csv");
    // Events are delivered one after the other: what came before this one never comes.
    let lines = told(&site, "given", 1);
    assert!(lines.len() == 1 && lines[0].contains("/17578/after.csv: 12 bytes"), "{lines:?}");

    site.oracle("topics.py", &["encrypt", WEST, "given", "alias/aws/sns"]);
    let (status, evidence) = examined(&site);
    assert!(status == "warning" && evidence.contains("encrypted with SNS's own key"), "{evidence}");
    put("lost.csv");
    site.oracle("topics.py", &["encrypt", WEST, "given", ""]);
    put("last.csv");
    let lines = told(&site, "given", 1);
    assert!(lines.len() == 1 && lines[0].contains("/last.csv: "), "{lines:?}");
}
