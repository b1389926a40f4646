//! What an account may say of its log-ins, and the settings for names.

use serde_json::Value;

use super::shared;
use crate::site::{Login, Site, shown, succeeded, text};

const WEST: &str = "us-west-2";
const EAST: &str = "us-east-2";

/// `sftpctl users WHAT --username NAME`. Returns its output.
fn users(site: &Site, what: &[&str], name: &str) -> String {
    succeeded(&format!("{what:?}"), &site.users(&[what, &["--username", name]].concat(), ""))
}

/// As [`users`]. Returns what it says of its work, too.
fn said(site: &Site, what: &[&str], name: &str) -> String {
    let output = site.users(&[what, &["--username", name]].concat(), "");
    succeeded(&format!("{what:?}"), &output);
    shown(&output)
}

fn account(site: &Site, name: &str) -> Value {
    serde_json::from_str(&users(site, &["show", "--output", "json"], name)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn expired_account_is_refused_until_its_time_is_extended() {
    let site = shared();
    let (port, login) = (site.port(WEST), site.add(4901, "temporary", "secret"));
    assert!(said(&site, &["expire", "--at", "9999-12-31"], "temporary").contains("expires: 9999-12-31"));
    assert!(site.admits(port, &login));
    let output = said(&site, &["expire", "--at", "2026-01-31T23:00:00+01:00"], "temporary");
    assert!(output.contains("has expired"), "{output}");
    assert!(!site.admits(port, &login));
    let (good, finding) = site.test_login(&login);
    assert!(!good && finding.contains("the account has expired: 2026-01-31T23:00:00+01:00"), "{finding}");
    assert!(finding.contains("sftpctl users expire --env 99 --local --username temporary --at DATE"), "{finding}");
    let log = site.oracle("door.py", &["log", WEST]);
    let refused = |line: &str| line.contains(r#""reason":"expired""#) && line.contains(r#""username":"temporary""#);
    assert!(log.lines().any(refused), "{log}");
    assert!(said(&site, &["disable"], "temporary").contains("disabled"));
    assert!(said(&site, &["enable"], "temporary").contains("it has expired"));
    assert_eq!(account(&site, "temporary")["expired"], true);
    users(&site, &["expire", "--at", "never"], "temporary");
    assert!(site.admits(port, &login));
    assert_eq!(account(&site, "temporary")["expires"], Value::Null);
    let output = site.users(&["expire", "--at", "31.12.2026", "--username", "temporary"], "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("2026-12-31T18:00:00Z"), "{}", shown(&output));
}

#[test]
fn account_is_admitted_in_its_regions_alone_and_its_attributes_can_be_changed() {
    let site = shared();
    let which = ["add", "--orgid", "4902", "--username", "regional", "--cluster", "99-5", "--password-stdin"];
    let limits = ["--region", WEST, "--expires-at", "9999-12-31", "--note", "calls \u{1b}[2J on Mondays"];
    succeeded("add", &site.users(&[&which[..], &limits].concat(), "secret"));
    let login = Login::new("regional", "secret");
    assert!(site.admits(site.port(WEST), &login) && !site.admits(site.port(EAST), &login));
    let (good, finding) = site.test_login(&login);
    assert!(!good && finding.contains("the account does not admit log-ins in us-east-2"), "{finding}");
    let shown_account = users(&site, &["show"], "regional");
    assert!(shown_account.contains(r"calls \u{1b}[2J on Mondays"), "{shown_account}");

    users(&site, &["set", "--all-regions", "--note", ""], "regional");
    assert!(site.admits(site.port(EAST), &login));
    let changed = account(&site, "regional");
    assert_eq!((&changed["note"], &changed["expires"]), (&Value::Null, &Value::from("9999-12-31")));
    // This machine is outside of that range.
    users(&site, &["set", "--allow-cidr", "10.1.0.0/16"], "regional");
    assert!(!site.admits(site.port(EAST), &login));
    users(&site, &["set", "--all-addresses"], "regional");
    assert!(site.admits(site.port(EAST), &login));
    assert!(said(&site, &["set", "--all-addresses"], "regional").contains("unchanged"));
    for (what, says) in [
        (&["set", "--region", "eu-west-1"][..], "its regions are us-east-1, us-east-2, us-west-2"),
        (&["set", "--region", WEST, "--all-regions"], "cannot be used with"),
        (&["set"], "required"),
    ] {
        let output = site.users(&[what, &["--username", "regional"]].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert!(shown(&output).contains(says), "{}", shown(&output));
    }
    assert!(site.admits(site.port(EAST), &login), "nothing was changed");
}

#[test]
fn keys_can_be_replaced_but_not_the_last_way_in_removed() {
    let site = shared();
    let keys = ["first", "second"].map(|name| {
        let file = site.dir.path().join(format!("set-{name}"));
        let mut generate = crate::site::tool("ssh-keygen", "openssh-client");
        let output = generate.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&file).output().unwrap();
        succeeded("ssh-keygen", &output);
        format!("{}.pub", file.display())
    });
    let which = ["add", "--orgid", "4903", "--username", "re.keyed", "--cluster", "99-5", "--public-key", &keys[0]];
    succeeded("add", &site.users(&which, ""));
    let first = account(&site, "re.keyed")["publicKeys"].clone();
    users(&site, &["set", "--public-key", &keys[1], "--public-key", &keys[0]], "re.keyed");
    let both = account(&site, "re.keyed")["publicKeys"].clone();
    assert_eq!((both.as_array().map(Vec::len), &both[1]), (Some(2), &first[0]));
    let output = site.users(&["set", "--no-keys", "--username", "re.keyed"], "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(shown(&output).contains("neither a password nor a public key"), "{}", shown(&output));
    assert_eq!(account(&site, "re.keyed")["publicKeys"], both);
}

/// An environment in which an organisation has several accounts, whose names are compared without their case.
#[test]
fn names_in_any_case_open_each_account_of_an_organisation() {
    let site = Site::new();
    site.edit(|file| format!("{file}\naccounts:\n  usernames: case-insensitive\n  per_organisation: many\n"));
    assert!(site.deploy().contains("ok: admitted"));
    assert_eq!(site.oracle("door.py", &["canaries"]), "0");
    // Left behind by a killed run, under another name.
    let left = r#"{"orgid": {"N": "-1"}, "username": {"S": "sftpctl-canary-left"}, "createdAt": {"S": "2026-01-01"}}"#;
    site.oracle("door.py", &["item", left]);
    site.ok(&["verify", "--env", "99", "--local"]);
    assert_eq!(site.oracle("door.py", &["canaries"]), "0");

    let (port, login) = (site.port(WEST), site.add(7, "Jan.Novak@Example.com", "first secret"));
    let home = "/pl-pt99-5-uploads/seven/second";
    let second = ["add", "--orgid", "7", "--username", "piet", "--home", home, "--password-stdin"];
    succeeded("add", &site.users(&second, "second secret"));
    for (name, password, folder) in [
        ("jan.novak@example.com", "first secret", "/pl-pt99-5-uploads/7"),
        ("JAN.NOVAK@EXAMPLE.COM", "first secret", "/pl-pt99-5-uploads/7"),
        ("PIET", "second secret", home),
    ] {
        let login = Login::new(name, password);
        let output = succeeded(name, &site.sftp(port, &login, "pwd\n"));
        assert!(output.contains(&format!("working directory: {folder}\n")), "{output}");
        assert!(!site.admits(port, &Login::new(name, "another")), "{name}");
        assert!(site.test_login(&login).0, "{name}");
    }
    let typed = Login::new("JAN.novak@example.COM", "first secret");
    assert_eq!(site.paramiko_ok(port, &typed, &["log-in"]), "admitted");
    assert!(site.admits(port, &login), "as it was typed when the account was added");

    // A name is one account's in any case, and in every organisation.
    for (orgid, name) in [("7", "PIET"), ("8", "Piet")] {
        let which = ["add", "--orgid", orgid, "--username", name, "--cluster", "99-5", "--password-stdin"];
        let output = site.users(&which, "secret");
        assert!(!output.status.success() && shown(&output).contains("is taken"), "{}", shown(&output));
    }
    let output = site.users(&["show", "--orgid", "7"], "");
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    let listed = shown(&output);
    assert!(listed.contains("organisation 7 has 2 accounts: jan.novak@example.com, piet"), "{listed}");
    assert!(listed.contains("--username NAME"), "{listed}");

    let listed = site.users(&["list", "--output", "csv"], "");
    let mut names: Vec<String> = text(&listed.stdout).lines().skip(1).map(|row| row[..6].to_owned()).collect();
    names.sort();
    assert_eq!((listed.status.code(), names), (Some(0), vec!["7,jan.".to_owned(), "7,piet".to_owned()]));
    // One that a tool has written in another case is never found, and named.
    let item = r#"{"orgid": {"N": "9"}, "username": {"S": "Upper"}, "HomeDirectory": {"S": "/pl-pt99-5-uploads/9"},
        "password": {"S": "lcf7ypKsUIOv2mKlZKPQFPw7cskUDjy5nqa/Eg=="}}"#;
    site.oracle("door.py", &["item", item]);
    assert!(!site.admits(port, &Login::new("Upper", "correct horse")));
    let listed = shown(&site.users(&["list"], ""));
    assert!(listed.contains("in the item of Upper (organisation 9), the attribute username has upper"), "{listed}");

    users(&site, &["disable"], "PIET");
    assert!(!site.admits(port, &Login::new("piet", "second secret")));
    users(&site, &["passwd", "--generate-password"], "Piet");
    users(&site, &["remove", "--yes"], "Jan.Novak@example.com");
    assert!(!site.admits(port, &login));
    site.add(8, "JAN.NOVAK@example.com", "first secret");
    assert!(site.admits(port, &login), "the name was free again");
}
