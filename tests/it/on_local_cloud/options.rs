//! The options for credentials and endpoint, which all commands share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use crate::site::{Site, shown, succeeded, text};

/// A command without `--local` and without this machine's own AWS configuration.
fn on_aws(site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.command(arguments);
    let config = site.dir.path().join("config");
    std::fs::write(
        &config,
        format!(
            "[profile ours]\naws_access_key_id = 111111111111\naws_secret_access_key = {0}\n\
             [profile theirs]\naws_access_key_id = 222222222222\naws_secret_access_key = {0}\n",
            site.secret()
        ),
    )
    .unwrap();
    let none = site.dir.path().join("none");
    for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", config).env("AWS_SHARED_CREDENTIALS_FILE", none);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

#[test]
fn profile_selects_the_account_and_variable_the_endpoint() {
    let site = Site::new();
    site.deploy();
    let endpoint = site.endpoint();
    let plan = |profile: &str, endpoint: &str| {
        on_aws(&site, &["plan", "--env", "99", "--profile", profile, "--state", ".sftpctl/local/state", "--exit-code"])
            .env("AWS_ENDPOINT_URL", endpoint)
            .output()
            .unwrap()
    };
    let ours = plan("ours", &endpoint);
    succeeded("the profile of the account", &ours);
    assert!(text(&ours.stdout).contains("Nothing to do"), "{}", shown(&ours));

    let theirs = plan("theirs", &endpoint);
    assert_eq!(theirs.status.code(), Some(3), "{}", shown(&theirs));
    let output = text(&theirs.stderr);
    assert!(output.contains("222222222222") && output.contains("111111111111"), "{output}");

    let missing = plan("missing", &endpoint);
    assert!(![Some(0), Some(4)].contains(&missing.status.code()), "{}", shown(&missing));
    assert!(text(&missing.stderr).contains("missing"), "{}", shown(&missing));

    // The option overrides the variable, whose port is closed.
    let mut other = on_aws(&site, &["plan", "--env", "99", "--profile", "ours", "--state", ".sftpctl/local/state"]);
    other.args(["--endpoint-url", &endpoint]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    succeeded("--endpoint-url", &other.output().unwrap());
}

#[test]
fn missing_credentials_are_reported_with_a_hint() {
    let site = Site::new();
    let mut plan = on_aws(&site, &["plan", "--env", "99"]);
    let output = plan.env("AWS_ENDPOINT_URL", site.endpoint()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(text(&output.stderr).contains("hint: no credentials were found: sign in"), "{}", shown(&output));
}
