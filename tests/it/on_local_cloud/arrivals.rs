//! Arriving files are told to a topic, in words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use serde_json::Value;

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
