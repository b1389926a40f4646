//! The CloudWatch dashboard: deployed, compared and deleted with everything else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, text};

const DASHBOARD: &str = "metrics: { dashboard: true }\n";
/// Each alarm that can be asked for.
const ALARMS: &str = "files: { events: true }\nalarms: { no_log_in_minutes: 60, replication_ms: 30000, dead_letters: true, \
                      runbook: \"https://wiki.example.com/sftp\" }\n";

/// The properties of the dashboard that differ, after a plan.
fn differs(site: &Site) -> Vec<String> {
    let output = site.run(&["plan", "--env", "99", "--local", "--output", "json"]);
    let plan: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["id"] == "global/dashboard"), "{plan}");
    let properties = steps.iter().flat_map(|step| step["change"]["properties"].as_array().unwrap());
    properties.map(|property| property["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_dashboard_shows_all_regions_and_is_kept_as_it_should_be() {
    let site = Site::deployed(&format!("{ALARMS}{DASHBOARD}"));
    assert_eq!(site.planned(), Vec::<String>::new(), "a second deployment has nothing to do");
    let oracle = |command: &str| site.oracle("dashboard.py", &[command]);
    oracle("strict");
    oracle("deployed");
    oracle("charges");
    site.ok(&["drift", "--env", "99", "--local"]);
    oracle("meddle");
    assert_eq!(differs(&site), ["Files uploaded and downloaded", "other widgets", "tags"]);
    site.ends_with(4, &["drift", "--env", "99", "--local"]);
    site.deploy();
    oracle("deployed");
    // A server that is created again has another ID.
    site.aws(&["drift", "server"]);
    site.deploy();
    oracle("deployed");
    oracle("delete");
    assert_eq!(site.planned(), ["global/dashboard"]);
    site.deploy();
    oracle("deployed");
    // Without its tag it may be another's.
    oracle("disown");
    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("dashboard 99-upload exists without the tag sftpctl:environment"), "{refused}");
    oracle("delete");
    oracle("foreign");
    site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    oracle("delete");
    site.deploy();
    // A limited run does not know the servers of the other regions.
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--region", "us-east-2"]);
    oracle("deployed");

    site.edit(|file| file.replace(DASHBOARD, ""));
    assert_eq!(site.planned(), ["global/dashboard"]);
    site.deploy();
    oracle("gone");
    // Without the state it is found by its tag.
    site.edit(|file| file + DASHBOARD);
    site.deploy();
    oracle("deployed");
    site.edit(|file| file.replace(DASHBOARD, ""));
    site.forget();
    site.teardown_with_data(&[]);
    oracle("gone");
}
