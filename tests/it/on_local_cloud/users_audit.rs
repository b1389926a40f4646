//! `users audit` with what the servers log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Login, Site, shown, until};

const PASSWORD: &str = "Fake-Password-1";

/// The names of those without a log-in.
fn without_login(site: &Site) -> Vec<String> {
    let audit = ["users", "audit", "--env", "99", "--local", "--logins", "1", "--output", "json"];
    let output = site.command(&audit).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", shown(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = lines.iter().filter(|line| line["kind"] == "no-login");
    found.map(|line| line["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_has_not_logged_in_is_found_by_the_servers_logs() {
    let site = Site::deployed("");
    for (org_id, name) in [(17578, "jan"), (17579, "piet"), (17580, "kees"), (17581, "els")] {
        site.add(org_id, name, PASSWORD);
    }
    site.ok(&["users", "disable", "--env", "99", "--local", "--username", "kees"]);
    // In two regions; a wrong password is no log-in.
    assert!(site.admits(site.port("us-west-2"), &Login::new("jan", PASSWORD)));
    assert!(site.admits(site.port("us-east-2"), &Login::new("els", PASSWORD)));
    assert!(!site.admits(site.port("us-west-2"), &Login::new("piet", "Wrong-Password-1")));
    until("the log-ins in the logs", || {
        let found = without_login(&site);
        assert!(found.contains(&"piet".to_owned()) && !found.contains(&"kees".to_owned()), "{found:?}");
        (found == ["piet"]).then_some(())
    });
    let refused = site.ends_with(2, &["users", "audit", "--env", "99", "--local", "--logins", "9999"]);
    assert!(refused.contains("the servers' logs are kept for") && refused.contains("pass --logins"), "{refused}");
}

/// Rows that cannot be imported, and accounts that were removed on purpose, are missing in the table as well.
#[test]
fn accounts_that_only_the_source_has_are_found() {
    let site = Site::deployed("");
    let hash = sftp_authorizer::password::legacy(PASSWORD);
    let csv = |name: &str, rows: &[(&str, &str)]| {
        let rows: Vec<String> = rows.iter().map(|(org_id, name)| format!("{org_id},{name},{hash},99-0")).collect();
        let text = format!("orgid,username,password,cluster\n{}\n", rows.join("\n"));
        std::fs::write(site.dir.path().join(name), text).unwrap();
    };
    csv("a.csv", &[("17578", "jan"), ("17581", "els")]);
    site.ok(&["users", "import", "--env", "99", "--local", "--yes", "--no-home-folders", "--from", "csv:a.csv"]);
    site.ok(&["users", "remove", "--env", "99", "--local", "--username", "els", "--yes"]);
    site.add(17580, "kees", PASSWORD);
    let audit =
        ["users", "audit", "--env", "99", "--local", "--ignore", "legacy-hash", "--ignore", "stale-reservation"];
    let from = |source: &'static str| [&audit[..], &["--from", source]].concat();
    site.ok(&from("csv:a.csv")[..audit.len()]);
    // `kees` is found by its name, although nothing says which organisation it is.
    csv("b.csv", &[("17578", "jan"), ("17579", "piet"), ("", "kees"), ("17581", "els"), ("17582", "root")]);
    let said = site.ends_with(4, &from("csv:b.csv"));
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("source-only: ")).collect();
    assert_eq!(lines.len(), 3, "{said}");
    for (name, words) in [
        ("source-only: piet (organisation 17579): line 3 of the source is not in the table", "adds it"),
        ("source-only: els (organisation 17581): line 5 of the source was removed from the table at", "--overwrite"),
        ("source-only: root (organisation 17582): line 6 of the source is not in the table", "an import rejects it"),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(name) && line.contains(words)), "{name}: {said}");
    }
    // What an import rejects only beside other rows, or beside the table.
    let with_homes = "orgid,username,password,cluster,home\n".to_owned()
        + &[
            ("17590", "one", "17590"),
            ("17590", "two", "17591"),
            ("17592", "three", "17592"),
            ("17593", "three", "17593"),
            ("17594", "kees", "17594"),
            ("17595", "four", "17578/in"),
            ("17596", "five", "17596"),
        ]
        .map(|(org_id, name, folder)| format!("{org_id},{name},{hash},99-0,/pl-pt99-0-uploads/{folder}\n"))
        .concat();
    std::fs::write(site.dir.path().join("c.csv"), with_homes).unwrap();
    let said = site.ends_with(4, &from("csv:c.csv"));
    for (name, words) in [
        (
            "one",
            "line 2 of the source is not in the table, and an import rejects it: line 3 has the same organisation ID",
        ),
        ("two", "an import rejects it: line 2 has the same organisation ID"),
        ("three", "an import rejects it: line 5 has the same user name"),
        (
            "kees",
            "rejects it, unless the source gives that account another name: organisation 17580 has this user name",
        ),
        ("four", "an import rejects it: the folder is inside /pl-pt99-0-uploads/17578 of organisation 17578"),
        ("five", "`sftpctl users import` or `users sync` adds it"),
    ] {
        let start = format!("source-only: {name} (");
        assert!(said.lines().any(|line| line.starts_with(&start) && line.contains(words)), "{name}: {said}");
    }
    assert_eq!(said.matches("adds it").count(), 1, "{said}");
    let refused = site.ends_with(2, &[&audit[..], &["--mapping", "m.yaml"]].concat());
    assert!(refused.contains("--mapping is an option of a source") && refused.contains("--from"), "{refused}");
}
