//! Defaults of a cluster for new accounts.

use serde_json::Value;

use crate::site::{Login, Site, shown, text};

#[test]
fn a_new_account_takes_the_defaults_of_its_cluster() {
    let site = Site::deployed("defaults:\n  99-5: { status: disabled, expires_days: 30, note: trial }\n");
    let add = |orgid: &str, username: &str, cluster: &str, more: &[&str]| -> (Value, String) {
        let arguments = ["add", "--orgid", orgid, "--username", username, "--cluster", cluster, "--password-stdin"];
        let output = site.users(&[&arguments[..], &["--output", "json"], more].concat(), "Fake-password-1");
        assert!(output.status.success(), "{}", shown(&output));
        let account = serde_json::from_str(text(&output.stdout).trim()).unwrap_or_default();
        (account, text(&output.stderr))
    };
    let (jan, said) = add("17578", "jan", "99-5", &[]);
    assert!(said.contains("taken from `defaults` of the environment file: status, expires_days, note"), "{said}");
    assert_eq!((&jan["status"], &jan["note"]), (&"disabled".into(), &"trial".into()), "{jan:#}");
    assert!(jan["expires"].is_string(), "{jan:#}");
    let login = Login::new("jan", "Fake-password-1");
    assert!(!site.test_login(&login).0, "until it is enabled");
    site.ok(&["users", "enable", "--env", "99", "--local", "--username", "jan"]);
    let (admitted, output) = site.test_login(&login);
    assert!(admitted, "{output}");

    let (els, said) = add("17579", "els", "99-5", &["--note", "ours", "--no-defaults"]);
    assert!(!said.contains("defaults"), "{said}");
    assert_eq!((&els["status"], &els["note"]), (&"active".into(), &"ours".into()), "{els:#}");
    let (tom, said) = add("17580", "tom", "99-4", &[]);
    assert!(!said.contains("defaults") && tom["expires"].is_null(), "{said} {tom:#}");
}
