//! `--output json`: every line of every command is one object that names its schema, and the schemas do not change.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::site::{Site, shown, text, with_input};

/// The schemas of a command's lines; each line must be JSON, and only data may be on stdout.
fn forms(output: &Output) -> BTreeSet<String> {
    let lines = text(&output.stdout);
    let form = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {}", shown(output)));
        value["schema"].as_str().unwrap_or_else(|| panic!("no schema: {line}")).to_owned()
    };
    lines.lines().map(form).collect()
}

#[test]
fn every_line_names_its_schema() {
    let site = Site::new();
    let check = |code: i32, arguments: &[&str], wanted: &[&str]| {
        let mut command = site.command(arguments);
        command.args(["--output", "json"]);
        let output = with_input(&mut command, b"Fake-password-1\n");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", shown(&output));
        let wanted: BTreeSet<String> = wanted.iter().map(|form| format!("sftpctl/{form}")).collect();
        assert_eq!(forms(&output), wanted, "{arguments:?}");
    };
    let environment = ["--env", "99", "--local"];
    let of = |command: &[&'static str]| [command, &environment].concat();
    let who = ["--username", "my1sftp"];

    check(0, &["validate", "--env", "99"], &["validate/1"]);
    check(0, &of(&["plan"]), &["events/1", "plan/1"]);
    check(3, &of(&["deploy"]), &["events/1", "error/1"]);
    check(0, &of(&["deploy", "--yes"]), &["events/1", "login/1"]);
    check(0, &of(&["deploy", "--yes"]), &["events/1", "plan/1"]);
    check(0, &of(&["status"]), &["events/1", "status/1"]);
    check(0, &of(&["status", "--why"]), &["status-why/1"]);
    check(0, &of(&["verify"]), &["login/1"]);
    let verified = site.ok(&of(&["verify", "--output", "json"]));
    assert!(verified.contains(r#""id":"V001-login""#), "as `doctor` has it: {verified}");
    check(0, &of(&["drift"]), &["events/1", "drift/1"]);
    check(0, &of(&["lock", "show"]), &["lock/1"]);
    check(0, &of(&["lock", "break", "--yes"]), &["lock/1"]);
    check(0, &of(&["state", "list"]), &["states/1"]);
    check(0, &of(&["state", "show"]), &["state/1"]);
    check(0, &of(&["state", "rebuild"]), &["events/1", "state/1"]);
    check(0, &of(&["import"]), &["events/1", "import/1"]);
    let account = ["--orgid", "175781", "--cluster", "99-5", "--password-stdin"];
    check(0, &[&of(&["users", "add"])[..], &who, &account].concat(), &["account/1"]);
    check(0, &of(&["users", "list"]), &["account/1"]);
    check(0, &[&of(&["users", "show"])[..], &who].concat(), &["account/1"]);
    check(0, &[&of(&["test-login", "--password-stdin", "--all-regions"])[..], &who].concat(), &["login/1"]);
    check(0, &[&of(&["connect-info"])[..], &who].concat(), &["connect/1"]);
    check(0, &[&of(&["users", "remove", "--yes"])[..], &who].concat(), &["account/1"]);
    check(2, &[&of(&["users", "show"])[..], &who].concat(), &["error/1"]);
    check(0, &["local", "status"], &["local/1"]);
    check(0, &["local", "faults", "add", "sts.Nothing", "throttle"], &["fault/1"]);
    check(0, &["local", "faults", "list"], &["faults/1"]);
    check(0, &of(&["teardown", "--yes"]), &["events/1"]);
    // AWS keeps the table for a day after it was the source of a replica.
    check(6, &of(&["teardown", "--yes", "--delete-data"]), &["events/1"]);
    check(0, &of(&["teardown", "--yes", "--delete-data"]), &["events/1"]);
    check(0, &of(&["teardown", "--yes"]), &["events/1", "plan/1"]);
    check(0, &["local", "stop"], &["local/1"]);
}
