//! Optional settings of an environment: latency records, aliases, Transfer Family's legacy logs.

use crate::site::Site;

#[test]
fn latency_records_and_aliases_are_created_repaired_and_deleted() {
    let site = Site::new();
    let chosen = "\n  latency: true\n  aliases: { 99-5.xx.net: us-east-2 }";
    site.edit(|file| file.replace("zone: xx.net", &format!("zone: xx.net{chosen}")));
    site.deploy();
    let whole = r#"[["99-5.xx.net", "", 300, "us-east-2"], ["99-uploads-us-east-2.xx.net", "", 300, "us-east-2"], "#
        .to_owned()
        + r#"["99-uploads-us-west-2.xx.net", "", 300, "us-west-2"], "#
        + r#"["99-uploads.xx.net", "us-east-2", 300, "us-east-2"], "#
        + r#"["99-uploads.xx.net", "us-west-2", 300, "us-west-2"]]"#;
    assert_eq!(site.aws(&["records"]), whole);

    // Each manual change is planned alone and repaired, even to one of two records that share a name.
    for (action, name, latency, step) in [
        ("DELETE", "99-uploads.xx.net", "us-east-2", "global/record/99-uploads.xx.net/us-east-2"),
        ("UPSERT", "99-uploads.xx.net", "us-east-2", "global/record/99-uploads.xx.net/us-east-2"),
        ("UPSERT", "99-5.xx.net", "", "global/record/99-5.xx.net"),
        ("DELETE", "99-5.xx.net", "", "global/record/99-5.xx.net"),
    ] {
        site.aws(&["change-records", action, name, latency]);
        assert_eq!(site.planned(), [step], "{action}");
        site.deploy();
        assert_eq!(site.aws(&["records"]), whole, "{action} {name}");
    }

    // Only the records that are no longer in the file are deleted.
    site.edit(|file| file.replace(chosen, ""));
    let mut planned = site.planned();
    planned.sort();
    let dropped = [
        "global/record/99-5.xx.net",
        "global/record/99-uploads.xx.net/us-east-2",
        "global/record/99-uploads.xx.net/us-west-2",
    ];
    assert_eq!(planned, dropped);
    site.deploy();
    let rest = r#"[["99-uploads-us-east-2.xx.net", "", 300, "us-east-2"], "#.to_owned()
        + r#"["99-uploads-us-west-2.xx.net", "", 300, "us-west-2"]]"#;
    assert_eq!(site.aws(&["records"]), rest);
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn logging_role_replaces_structured_logs_and_back() {
    let site = Site::new();
    site.aws(&["make-role", "transfer-logs"]);
    let chosen = "\nserver: { logging_role: transfer-logs }\n";
    site.edit(|file| file + chosen);
    site.deploy();
    let role = r#"["arn:aws:iam::111111111111:role/transfer-logs", 0]"#;
    assert_eq!(site.aws(&["server-logs"]), format!("[{role}, {role}]"));
    assert_eq!(site.planned(), Vec::<String>::new());

    site.edit(|file| file.replace(chosen, ""));
    assert_eq!(site.planned(), ["us-east-2/server", "us-west-2/server"]);
    site.deploy();
    assert_eq!(site.aws(&["server-logs"]), "[[null, 1], [null, 1]]");
    assert_eq!(site.planned(), Vec::<String>::new());
}

#[test]
fn redirected_record_is_left_alone() {
    let site = Site::new();
    let alias = "\n  aliases: { 99-5.xx.net: us-east-2 }";
    site.edit(|file| file.replace("zone: xx.net", &format!("zone: xx.net{alias}")));
    site.deploy();
    site.aws(&["point-record", "99-5.xx.net", "new.example.com"]);
    site.edit(|file| file.replace(alias, ""));
    let deploy = site.ends_with(0, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(
        deploy.contains("points to new.example.com, which is not a server of this environment; it is left unchanged"),
        "{deploy}"
    );
    assert_eq!(site.aws(&["record-target", "99-5.xx.net"]), r#"["new.example.com"]"#);

    // The same in a teardown, with a record that is still in the file.
    site.aws(&["point-record", "99-uploads-us-east-2.xx.net", "new.example.com"]);
    let teardown = site.ends_with(0, &["teardown", "--env", "99", "--local", "--yes"]);
    assert!(teardown.contains("it points to new.example.com, which is not a server of this environment"), "{teardown}");
    for (name, left) in [
        ("99-5.xx.net", r#"["new.example.com"]"#),
        ("99-uploads-us-east-2.xx.net", r#"["new.example.com"]"#),
        ("99-uploads-us-west-2.xx.net", "[]"),
    ] {
        assert_eq!(site.aws(&["record-target", name]), left, "{name}");
    }
}
