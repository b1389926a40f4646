//! What is common to the commands: whose credentials, which endpoint, which colours, and completions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};

use crate::site::{Site, shown, succeeded, text, tool};
use crate::terminal::Terminal;

/// A command without `--local` that finds nothing of the machine's own configuration.
fn on_aws(site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.command(arguments);
    let config = site.dir.path().join("config");
    std::fs::write(
        &config,
        "[profile ours]\naws_access_key_id = 111111111111\naws_secret_access_key = fake\n\
         [profile theirs]\naws_access_key_id = 222222222222\naws_secret_access_key = fake\n",
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
fn a_profile_says_who_and_the_environment_where() {
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
    let said = text(&theirs.stderr);
    assert!(said.contains("222222222222") && said.contains("111111111111"), "{said}");

    let nobody = plan("nobody", &endpoint);
    assert!(![Some(0), Some(4)].contains(&nobody.status.code()), "{}", shown(&nobody));
    assert!(text(&nobody.stderr).contains("nobody"), "{}", shown(&nobody));

    // The option is stronger than the environment, where nobody listens.
    let mut other = on_aws(&site, &["plan", "--env", "99", "--profile", "ours", "--state", ".sftpctl/local/state"]);
    other.args(["--endpoint-url", &endpoint]).env("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    succeeded("--endpoint-url", &other.output().unwrap());
}

#[test]
fn credentials_that_are_nowhere_are_asked_for() {
    let site = Site::new();
    let mut plan = on_aws(&site, &["plan", "--env", "99"]);
    let output = plan.env("AWS_ENDPOINT_URL", site.endpoint()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(text(&output.stderr).contains("hint: no credentials were found: sign in"), "{}", shown(&output));
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.yaml"), "version: 1\nenvironmnet: x\n").unwrap();
    let validate = |color: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sftpctl"));
        command.args(["validate", "--env-file", "bad.yaml"]).args(color).current_dir(dir.path()).env_remove("NO_COLOR");
        command
    };
    // The cursor is shown again on every terminal.
    let colored = |bytes: &[u8]| text(bytes).replace("\x1b[?25h", "").contains("\x1b[");
    for (color, wanted) in [(&[][..], false), (&["--color", "always"], true), (&["--color", "never"], false)] {
        let output = validate(color).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
        assert_eq!(colored(&output.stderr), wanted, "{color:?}: {}", shown(&output));
    }
    for (color, quiet, wanted) in [(&[][..], false, true), (&[], true, false), (&["--color", "never"], false, false)] {
        let mut command = validate(color);
        if quiet {
            command.env("NO_COLOR", "1");
        }
        let run = Terminal::run(&command, 80, &[]);
        assert_eq!(run.code, Some(2));
        assert_eq!(colored(&run.written), wanted, "{color:?} {quiet}: {}", text(&run.written));
    }
}

/// The script of each shell, and what bash makes of it.
#[test]
fn completions_complete() {
    let program = env!("CARGO_BIN_EXE_sftpctl");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeeded(shell, &Command::new(program).args(["completions", shell]).output().unwrap());
        for command in ["deploy", "teardown", "connect-info"] {
            assert!(script.contains(command), "{shell}: no {command}");
        }
    }
    let completed = |words: &str| {
        let count = words.split(' ').count() - 1;
        let line = format!(
            "source <({program} completions bash); COMP_WORDS=({words}); COMP_CWORD={count}; \
             _sftpctl sftpctl \"${{COMP_WORDS[$COMP_CWORD]}}\" \"\"; echo \"${{COMPREPLY[@]}}\""
        );
        succeeded(words, &tool("bash", "bash").args(["--norc", "-c", &line]).output().unwrap()).trim().to_owned()
    };
    assert_eq!(completed("sftpctl dep"), "deploy");
    assert_eq!(completed("sftpctl users pass"), "passwd");
    assert_eq!(completed("sftpctl deploy --no-v"), "--no-verify");
}
