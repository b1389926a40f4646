//! `sftpctl doctor` on a local cloud.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Site, text};

const DOCTOR: [&str; 4] = ["doctor", "--env", "99", "--local"];

fn report(site: &Site, more: &[&str]) -> (Value, i32) {
    let output = site.run(&[&DOCTOR[..], &["--output", "json"], more].concat());
    let shown = text(&output.stdout);
    let report = shown.lines().last().and_then(|line| serde_json::from_str(line).ok());
    (report.unwrap_or_else(|| panic!("{shown}{}", text(&output.stderr))), output.status.code().unwrap())
}

/// Status and evidence of a check.
fn found<'a>(report: &'a Value, id: &str, region: Option<&str>) -> (&'a str, &'a str) {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let check = checks.find(|check| check["id"] == id && check["region"].as_str() == region);
    let check = check.unwrap_or_else(|| panic!("{id} {region:?} is not in {report}"));
    (check["status"].as_str().unwrap(), check["evidence"].as_str().unwrap())
}

/// The same of a check of which there is one for each region, also if all is well.
pub(super) fn examined(site: &Site, id: &str, region: &str) -> (String, String) {
    let (report, _) = report(site, &["--all"]);
    let (status, evidence) = found(&report, id, Some(region));
    (status.to_owned(), evidence.to_owned())
}

#[test]
fn an_account_is_examined_before_and_after_the_first_deployment() {
    let site = Site::new();
    let (before, code) = report(&site, &[]);
    assert_eq!((code, before["schema"].as_str()), (0, Some("sftpctl/doctor/1")), "{before}");
    assert_eq!(found(&before, "D012-lambda-concurrency", Some("us-west-2")).0, "warning", "{before}");
    assert!(found(&before, "D010-servers", Some("us-west-2")).1.starts_with("need 1, free 50 of 50"), "{before}");
    assert!(found(&before, "D017-stacks", Some("us-west-2")).1.contains("cloudformation:DescribeAccountLimits"));
    assert!(found(&before, "D013-buckets", None).1.starts_with("need 9, free 10000 of 10000"), "{before}");
    assert!(found(&before, "D019-records", None).1.starts_with("need 2, free 9998 of 10000"), "{before}");

    let shown = site.deploy();
    assert!(!shown.contains("D012"), "warnings go to the standard error: {shown}");
    let (after, code) = report(&site, &[]);
    assert_eq!(code, 0, "{after}");
    for (id, region) in [("D010-servers", Some("us-west-2")), ("D013-buckets", None), ("D019-records", None)] {
        assert!(found(&after, id, region).1.starts_with("need 0, "), "{id}: {after}");
    }
    // Whoever may deploy may find out everything that `doctor` asks.
    for report in [&before, &after] {
        assert!(!report.to_string().contains("not authorized"), "{report}");
        assert!(!report.to_string().contains("does not know which permissions"), "{report}");
    }
    assert_eq!(found(&after, "D031-stack-leftovers", Some("us-west-2")).0, "ok", "{after}");
    assert_eq!(found(&after, "D061-lock", None), ("ok", "free"), "{after}");
}

#[test]
fn findings_that_stop_a_deployment_refuse_the_first_one_unless_ignored() {
    let site = Site::new();
    let plain = std::fs::read_to_string(site.dir.path().join("environments/99.yaml")).unwrap();
    site.edit(|file| format!("{file}\nauthorizer: {{ reserved_concurrency: 20 }}\n"));
    let shown = site.ends_with(1, &DOCTOR);
    assert!(shown.contains(
        "failed   D012-lambda-concurrency us-east-1, us-east-2, us-west-2: Lambda's concurrency: need 20, free 0 of 10"
    ));
    assert!(shown.contains("3 findings stop a deployment of environment 99"), "{shown}");
    let refused = site.ends_with(1, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("environment 99 cannot be deployed yet"), "{refused}");
    assert!(refused.contains("us-east-1, us-east-2, us-west-2: Lambda's concurrency: need 20"), "{refused}");

    site.edit(|file| {
        file + "doctor: { ignore: [{ check: D012-lambda-concurrency, reason: asked for more }, \
                { check: D003, reason: none }] }\n"
    });
    let shown = site.ends_with(0, &[&DOCTOR[..], &["--all"]].concat());
    assert!(shown.contains("ignored: asked for more"), "{shown}");
    assert!(shown.contains("the `ignore` rule D003 matches nothing"), "{shown}");

    site.edit(|_| format!("{plain}\ndoctor: {{ ignore: [{{ check: D012-lambda, reason: x }}] }}\n"));
    let fault = site.ends_with(2, &DOCTOR);
    assert!(fault.contains("did you mean `D012-lambda-concurrency`?"), "{fault}");
}

#[test]
fn a_quota_without_a_value_is_the_default() {
    let site = Site::new();
    let fault = "error=400:AccessDeniedException:not authorized";
    site.ok(&["local", "faults", "add", "servicequotas.GetServiceQuota", fault]);
    let (report, code) = report(&site, &[]);
    let (status, evidence) = found(&report, "D018-tables", Some("us-east-1"));
    assert_eq!((code, status), (0, "ok"), "{report}");
    assert!(evidence.contains("default, not this account's; allow `servicequotas:GetServiceQuota`"), "{evidence}");
}
