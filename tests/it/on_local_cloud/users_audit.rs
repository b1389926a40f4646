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
