//! What the file has dropped is listed, and goes only by `teardown --orphans`, by the rules for data.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, shown, text};

/// `resource` of every orphan, and how `drift` ended.
fn orphans(site: &Site) -> (Vec<String>, i32) {
    let output = site.run(&["drift", "--env", "99", "--local", "--output", "json"]);
    let report: Option<Value> = text(&output.stdout).lines().last().and_then(|line| serde_json::from_str(line).ok());
    let report = report.unwrap_or_else(|| panic!("{}", shown(&output)));
    let drifted = report["drifted"].as_array().unwrap().iter().filter(|drifted| drifted["how"] == "orphan");
    let mut names: Vec<String> = drifted.map(|drifted| drifted["resource"].as_str().unwrap().to_owned()).collect();
    names.sort();
    (names, output.status.code().unwrap())
}

#[test]
fn what_the_file_has_dropped_is_listed_and_goes_when_it_is_asked_for() {
    let site = Site::deployed("");
    assert_eq!(orphans(&site), (Vec::new(), 0));
    let customers: Vec<u16> = site.ports().into_values().collect();
    let second = site.oracle("orphans.py", &[]);
    site.edit(|file| {
        let lines = file.lines().filter(|line| !line.starts_with("  us-east-1:") && !line.starts_with("  99-0:"));
        lines.collect::<Vec<_>>().join("\n")
    });
    // Without the check at the end: which of two servers is the customers' one it cannot know.
    site.ok(&["deploy", "--env", "99", "--local", "--yes", "--no-verify"]);
    let all = [
        "us-east-1/orphan/log-group/aws/apigateway/api-99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/log-group/aws/lambda/lambda-99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/log-group/aws/transfer/99-upload-us-east-1".to_owned(),
        "us-east-1/orphan/replica/dydb-99-uploads".to_owned(),
        "us-east-1/orphan/stack/sftp-99-upload-us-east-1".to_owned(),
        "us-west-2/orphan/bucket/pl-pt99-0-uploads".to_owned(),
        format!("us-west-2/orphan/server/{second}"),
    ];
    assert_eq!(orphans(&site), (all.to_vec(), 4));

    let asked = site.ends_with(3, &["teardown", "--env", "99", "--local", "--orphans"]);
    assert!(asked.contains(&second) && asked.contains("say --yes"), "{asked}");
    assert_eq!(orphans(&site).0, all, "a question changes nothing");

    // The accounts stay until data may go; nothing of the environment itself is touched.
    let kept = site.ok(&["teardown", "--env", "99", "--local", "--orphans", "--yes"]);
    assert!(kept.contains("it holds the accounts; --delete-data deletes it"), "{kept}");
    assert_eq!(orphans(&site), (vec!["us-east-1/orphan/replica/dydb-99-uploads".to_owned()], 4));
    site.ok(&["teardown", "--env", "99", "--local", "--orphans", "--yes", "--delete-data"]);
    assert_eq!(orphans(&site), (Vec::new(), 0));
    assert_eq!(site.planned(), Vec::<String>::new());
    assert_eq!(site.ports().into_values().collect::<Vec<u16>>(), customers);
    let nothing = site.ok(&["teardown", "--env", "99", "--local", "--orphans", "--yes"]);
    assert!(nothing.contains("Nothing is left"), "{nothing}");
}
