//! `--output json`: every line of every command is one object that names its form, and the forms stay as they are.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;
use sftpctl_core::events::{Event, Outcome, RegionRow, Summary};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Change, PropertyChange};

use crate::site::{Site, shown, text, with_input};

/// The forms that a command's lines have; each line must be JSON, and nothing but data may be on stdout.
fn forms(output: &Output) -> BTreeSet<String> {
    let lines = text(&output.stdout);
    let form = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {}", shown(output)));
        value["schema"].as_str().unwrap_or_else(|| panic!("no schema: {line}")).to_owned()
    };
    lines.lines().map(form).collect()
}

#[test]
fn every_line_names_its_form() {
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
    check(0, &of(&["verify"]), &["login/1"]);
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
    check(0, &of(&["teardown", "--yes", "--delete-data"]), &["events/1"]);
    check(0, &of(&["teardown", "--yes"]), &["events/1", "plan/1"]);
    check(0, &["local", "stop"], &["local/1"]);
}

/// Every kind of event there is: one that is added and not told here does not compile.
fn events() -> Vec<Event> {
    let step = || "us-west-2/server".parse::<NodeId>().unwrap();
    let change = Change {
        action: Action::Update,
        properties: vec![PropertyChange {
            name: "security policy".into(),
            before: Some("old".into()),
            after: Some("new".into()),
            after_node: None,
            replaces: None,
        }],
        reason: None,
    };
    let finished = |outcome| Event::StepFinished { step: step(), outcome, seconds: 1.5 };
    let reason = || "it holds customers' files".to_owned();
    let outcomes = [
        Outcome::Changed,
        Outcome::Unchanged,
        Outcome::Deleted,
        Outcome::Kept { reason: reason() },
        Outcome::Later { reason: "not before 2026-11-25T10:00:00Z".into() },
        Outcome::Failed {
            error: "the stack failed".into(),
            causes: vec!["Api: denied".into()],
            left: "the stack sftp-99".into(),
            hint: Some("run it again".into()),
        },
        Outcome::Blocked { by: "us-west-2/stack".parse().unwrap() },
        Outcome::Stopped,
    ];
    let row = RegionRow {
        region: "us-west-2".into(),
        stack: Some("CREATE_COMPLETE".into()),
        server: Some("s-0123456789abcdef0".into()),
        state: Some("ONLINE".into()),
        host: Some("99-uploads-us-west-2.xx.net".into()),
        endpoint: Some("s-0123456789abcdef0.server.transfer.us-west-2.amazonaws.com".into()),
    };
    let summary = Summary {
        environment: "99".into(),
        command: "deploy".into(),
        changed: 3,
        failed: 1,
        not_begun: 2,
        kept: vec![reason()],
        later: Vec::new(),
        regions: vec![row],
        seconds: 12.5,
        aws_calls: 56,
    };
    let mut all = vec![
        Event::Observing { environment: "99".into(), resources: 30 },
        Event::StepStarted { step: step(), kind: Kind::Server, title: "Transfer server".into(), change },
        Event::StepWaiting { step: step(), status: "STARTING".into() },
        Event::StepNews { step: step(), line: "Api CREATE_COMPLETE".into() },
        Event::StepRetried { step: step(), reason: "throttled".into() },
        Event::Stopping,
    ];
    all.extend(outcomes.map(finished));
    all.push(Event::Finished { summary });
    for event in &all {
        match event {
            Event::Observing { .. }
            | Event::StepStarted { .. }
            | Event::StepWaiting { .. }
            | Event::StepNews { .. }
            | Event::StepRetried { .. }
            | Event::Stopping
            | Event::StepFinished {
                outcome:
                    Outcome::Changed
                    | Outcome::Unchanged
                    | Outcome::Deleted
                    | Outcome::Kept { .. }
                    | Outcome::Later { .. }
                    | Outcome::Failed { .. }
                    | Outcome::Blocked { .. }
                    | Outcome::Stopped,
                ..
            }
            | Event::Finished { .. } => {}
        }
    }
    all
}

/// What pipelines read: a field that goes or is renamed is another version of the form.
#[test]
fn the_form_of_every_event() {
    let lines: Vec<String> = events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    insta::assert_snapshot!("events_1", lines.join("\n"));
}
