//! The events of `--output json`: their schema does not change.

use sftpctl_core::events::{Event, Outcome, RegionRow, Summary};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Change, PropertyChange};

/// Every kind of event and outcome; a new one that is missing here is a compile error.
fn events() -> Vec<Event> {
    let step = || "us-west-2/server".parse::<NodeId>().unwrap();
    let change = Change {
        action: Action::Update,
        properties: vec![PropertyChange::new("security policy", Some("old".into()), Some("new".into()))],
        reason: None,
    };
    let finished = |outcome| Event::StepFinished { step: step(), outcome, seconds: 1.5 };
    let reason = || "it holds customers' files".to_owned();
    let outcomes = [
        Outcome::Changed,
        Outcome::Incomplete { reason: "a role is left".into() },
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
        addresses: vec!["203.0.113.1".into()],
    };
    let summary = Summary {
        environment: "99".into(),
        command: "deploy".into(),
        changed: 3,
        failed: 1,
        not_begun: 2,
        kept: vec![reason()],
        later: Vec::new(),
        left_out: Vec::new(),
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
                    | Outcome::Incomplete { .. }
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

/// docs/ci.md has a row for each event and each outcome, with the name of every field.
#[test]
fn every_event_is_documented() {
    let page = std::fs::read_to_string(sftpctl_testkit::programs::root().join("docs/ci.md")).unwrap();
    let row = |name: &str| -> String {
        let start = format!("| `{name}` |");
        page.lines()
            .find(|line| line.starts_with(&start))
            .unwrap_or_else(|| panic!("docs/ci.md has no {name}"))
            .to_owned()
    };
    let has = |name: &str, fields: &serde_json::Value, but: &[&str]| {
        let row = row(name);
        for field in fields.as_object().unwrap().keys().filter(|field| !but.contains(&field.as_str())) {
            assert!(row.contains(&format!("`{field}`")), "{name}: {field}");
        }
    };
    for event in events() {
        let event = serde_json::to_value(event).unwrap();
        let name = event["event"].as_str().unwrap();
        has(name, &event, &["event"]);
        match name {
            "step-finished" => has(event["outcome"]["outcome"].as_str().unwrap(), &event["outcome"], &["outcome"]),
            "finished" => has(name, &event["summary"], &[]),
            "step-started" => {
                // This one has no reason, which is documented all the same.
                has(name, &event["change"], &[]);
                has(name, &event["change"]["properties"][0], &[]);
            }
            _ => {}
        }
    }
}

/// Pipelines read the events: removing or renaming a field requires a new version of the schema.
#[test]
fn every_event_keeps_its_schema() {
    let lines: Vec<String> = events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    insta::assert_snapshot!("events_1", lines.join("\n"));
}
