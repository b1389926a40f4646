//! Drift, and the adoption of what was made by hand, on a local cloud; botocore is the hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, text};

const DRIFT: [&str; 6] = ["drift", "--env", "99", "--local", "--output", "json"];

/// The report, and how the command ended.
fn drift(site: &Site, more: &[&str]) -> (Value, i32) {
    let output = site.run(&[&DRIFT, more].concat());
    let shown = text(&output.stdout);
    let report = shown.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (report.unwrap_or_else(|| panic!("{shown}{}", text(&output.stderr))), output.status.code().unwrap())
}

/// `resource property`, for everything that counts.
fn counted(report: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for drifted in report["drifted"].as_array().unwrap() {
        for property in drifted["properties"].as_array().unwrap() {
            if property.get("ignored").is_none() {
                all.push(format!("{} {}", drifted["resource"].as_str().unwrap(), property["name"].as_str().unwrap()));
            }
        }
    }
    all.sort();
    all
}

#[test]
fn what_is_changed_by_hand_is_named_in_the_stack_and_outside() {
    let site = Site::deployed("");
    let (clean, code) = drift(&site, &[]);
    assert_eq!((counted(&clean), code), (Vec::new(), 0));
    assert!(clean["seen"].as_u64().unwrap() > 30, "{clean}");
    // What the endpoint's CloudFormation does not look at is said, not passed over.
    let unseen = clean["unseen"].to_string();
    assert!(unseen.contains("us-west-2/stack/ApiStage"), "{unseen}");

    for what in ["memory", "retention", "method", "trigger"] {
        site.oracle("handmade.py", &["meddle", what]);
    }
    let (report, code) = drift(&site, &[]);
    assert_eq!(code, 4, "{report}");
    assert_eq!(
        counted(&report),
        [
            "us-west-2/stack/ApiMethod AuthorizationType",
            "us-west-2/stack/Authorizer MemorySize",
            "us-west-2/stack/AuthorizerLogs RetentionInDays",
            "us-west-2/trigger exists",
        ]
    );

    // Ignored by the file with a reason, or on the command line; a rule without effect is told.
    site.edit(|file| {
        file + "\ndrift:\n  ignore:\n    - { resource: us-west-2/stack/*, reason: \"a load test\" }\n    \
                - { resource: us-west-2/server, property: SETSTAT, reason: \"old\" }\n"
    });
    let (report, code) = drift(&site, &["--ignore", "us-west-2/trigger"]);
    assert_eq!((counted(&report), code), (Vec::new(), 0));
    assert!(report["drifted"].to_string().contains("a load test"), "{report}");
    assert_eq!(report["unusedIgnores"].to_string(), r#"["us-west-2/server:SETSTAT"]"#);
}

#[test]
fn what_was_made_by_hand_is_adopted_and_stays_itself() {
    let site = Site::new();
    site.planned();
    let server = site.oracle("handmade.py", &["make"]);
    let before = site.oracle("handmade.py", &["look"]);

    let refused = site.ends_with(3, &["deploy", "--env", "99", "--local", "--yes"]);
    let ids =
        "global/record/99-uploads-us-west-2.xx.net global/user-role us-west-2/bucket/pl-pt99-5-uploads us-west-2/table";
    assert!(refused.contains(&format!("sftpctl import --env 99 {ids}")), "{refused}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a refusal changes nothing");

    let named = format!("us-west-2/server={server}");
    let import: Vec<&str> =
        ["import", "--env", "99", "--local"].into_iter().chain(ids.split(' ')).chain([named.as_str()]).collect();
    let asked = site.ends_with(3, &import);
    assert!(asked.contains("say --yes"), "{asked}");
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "a preview changes nothing");
    site.ok(&[import.as_slice(), &["--yes"]].concat());
    assert!(site.ok(&["import", "--env", "99", "--local"]).contains("Nothing of this environment's names"));
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "an import changes tags only");

    // What an import would leave as the hand made it is changed before, and is in the plan.
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["", false]"#);
    let plan = site.ok(&["plan", "--env", "99", "--local"]);
    assert!(plan.contains("pl-pt99-5-uploads versioning"), "{plan}");
    site.deploy();
    assert_eq!(site.oracle("handmade.py", &["bucket"]), r#"["Enabled", true]"#);
    assert_eq!(site.oracle("handmade.py", &["look"]), before, "server, host key, accounts and files are the old ones");
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn nothing_is_taken_from_another_environment() {
    let site = Site::new();
    site.planned();
    site.oracle("handmade.py", &["make"]);
    site.oracle("handmade.py", &["meddle", "other-environment"]);
    let refused = site.ends_with(3, &["import", "--env", "99", "--local", "global/user-role", "--yes"]);
    assert!(refused.contains("belongs to environment 98"), "{refused}");
    let unknown = site.ends_with(2, &["import", "--env", "99", "--local", "global/nothing", "--yes"]);
    assert!(unknown.contains("has no resource global/nothing"), "{unknown}");
}
