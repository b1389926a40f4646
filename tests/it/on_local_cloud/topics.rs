//! The topics of SNS that stacks have, and who is subscribed to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::Site;

const WEST: &str = "us-west-2";
const TOPIC: &str = "99-upload-us-west-2-alarms";
const STACK: &str = "sftp-99-upload-us-west-2";
const EMAIL: &str = "alarms: { email: [a@example.com, b@example.com], \
                     topics: { us-east-2: \"arn:aws:sns:us-east-2:111111111111:given\" } }\n";

fn topics(site: &Site, command: &str, more: &[&str]) -> String {
    site.oracle("topics.py", &[&[command, WEST], more].concat())
}

/// The check of a region: its status, evidence and hint.
fn examined(site: &Site, region: &str) -> (String, String, String) {
    let shown = site.ok(&["doctor", "--env", "99", "--local", "--all", "--output", "json"]);
    let report: Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == "D052-subscriptions" && check["region"] == region);
    let check = check.unwrap_or_else(|| panic!("no check of {region}: {report}"));
    let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("evidence"), text("hint"))
}

#[test]
fn alarms_tell_the_topic_of_their_stack_and_doctor_who_must_confirm() {
    let site = Site::new();
    site.edit(|file| format!("{file}\n{EMAIL}"));
    assert_eq!(examined(&site, WEST).1, "the topics are not deployed yet");
    site.deploy();
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");

    let topic: Value = serde_json::from_str(&topics(&site, "topic", &[TOPIC])).unwrap();
    assert_eq!(topic["tags"]["sftpctl:environment"], "99", "{topic}");
    let statements = topic["policy"]["Statement"].as_array().unwrap();
    assert_eq!(statements[1]["Principal"]["Service"], "cloudwatch.amazonaws.com", "{topic}");
    let arn = format!("arn:aws:sns:{WEST}:111111111111:{TOPIC}");
    let alarms = topics(&site, "alarms", &[]);
    assert!(alarms.lines().count() >= 5 && alarms.lines().all(|alarm| alarm.ends_with(&arn)), "{alarms}");
    let given = site.oracle("topics.py", &["alarms", "us-east-2"]);
    assert!(given.lines().all(|alarm| alarm.ends_with(" arn:aws:sns:us-east-2:111111111111:given")), "{given}");

    // Whoever listens hears of an alarm.
    let pager = topics(&site, "listen", &[TOPIC, "pager"]);
    topics(&site, "ring", &[alarms.split(' ').next().unwrap()]);
    let heard = topics(&site, "messages", &["pager"]);
    assert!(heard.lines().count() == 1 && heard.contains("ALARM"), "{heard}");
    topics(&site, "unsubscribe", &[&pager]);

    // Nobody has clicked.
    let listed = topics(&site, "subscriptions", &[TOPIC]);
    assert_eq!(listed, "PendingConfirmation email a@example.com\nPendingConfirmation email b@example.com");
    let (status, evidence, hint) = examined(&site, WEST);
    assert_eq!(
        (status.as_str(), evidence.as_str()),
        ("warning", "not confirmed, and told nothing: a@example.com, b@example.com")
    );
    assert!(
        hint.contains(&format!("--topic-arn {arn} --protocol email --notification-endpoint a@example.com")),
        "{hint}"
    );
    let refused = topics(&site, "unsubscribe", &["PendingConfirmation"]);
    assert!(refused.contains("pending confirmation"), "{refused}");

    let resources = topics(&site, "resources", &[STACK]);
    let logical = |address: &str| {
        let start = format!("AlarmSubscription{address}examplecom");
        let found = resources.lines().find(|id| id.starts_with(&start));
        found.unwrap_or_else(|| panic!("{resources}")).to_owned()
    };
    topics(&site, "click", &[STACK, TOPIC, &logical("a")]);
    let (_, evidence, _) = examined(&site, WEST);
    assert_eq!(evidence, "not confirmed, and told nothing: b@example.com");
    topics(&site, "click", &[STACK, TOPIC, &logical("b")]);
    assert_eq!(examined(&site, WEST).0, "ok");
    site.ok(&["drift", "--env", "99", "--local"]);

    // By the link in a mail.
    let listed = topics(&site, "subscriptions", &[TOPIC]);
    let of_b = listed.lines().find(|line| line.ends_with(" b@example.com")).unwrap();
    topics(&site, "unsubscribe", &[of_b.split(' ').next().unwrap()]);
    assert_eq!(examined(&site, WEST).1, "no longer subscribed: b@example.com");
    let said = site.ends_with(4, &["drift", "--env", "99", "--local"]);
    assert!(said.contains(&logical("b")), "{said}");

    // As the documentation says.
    site.edit(|file| file.replace("[a@example.com, b@example.com]", "[a@example.com]"));
    site.deploy();
    assert_eq!(examined(&site, WEST).0, "ok");
    site.edit(|file| file.replace("[a@example.com]", "[a@example.com, b@example.com]"));
    site.deploy();
    assert_eq!(examined(&site, WEST).1, "not confirmed, and told nothing: b@example.com");

    // The pending one is not in the way, neither of the setting nor of a teardown.
    site.edit(|file| file.replace(EMAIL, ""));
    site.deploy();
    assert_eq!(topics(&site, "subscriptions", &[TOPIC]), "no topic");
    assert!(topics(&site, "alarms", &[]).lines().all(|alarm| !alarm.contains("arn:")), "no alarm names it");
    site.edit(|file| format!("{file}\n{EMAIL}"));
    site.deploy();
    site.teardown_with_data(&[]);
    assert_eq!(topics(&site, "subscriptions", &[TOPIC]), "no topic");
}
