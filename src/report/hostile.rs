//! Every form of output, with hostile text in every string that can come from outside.

use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use proptest::prelude::*;
use serde_json::{Value, json};
use sftp_authorizer::Account;
use sftp_authorizer::home::Home;
use sftpctl_core::check::{self, Check, CheckIgnore, Definition};
use sftpctl_core::events::{Event, Outcome, RegionRow, Reporter as _, Summary};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Change, PropertyChange};
use sftpctl_core::plan::model::{Plan, Step, VERSION};
use sftpctl_core::shown::Text;
use sftpctl_core::spec;
use sftpctl_engine::drift::model::{Drifted, Property, Report, Unseen};
use sftpctl_engine::run::Orphans;
use sftpctl_engine::state::failure::{FailedStep, Failure};
use sftpctl_engine::state::model::LastRun;
use sftpctl_testkit::harmless::{HOSTILE, harm};

use super::events::live::Live;
use super::events::plain::Plain;
use super::status::{ResourceStatus, StatusReport};
use super::why::{self, Standing, WhyReport};
use super::{account, annotations, connect, doctor, drift, json, markdown, plan_view, status, summary};

fn hostile() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&HOSTILE[..]), 0..6).prop_map(|parts| parts.concat())
}

fn node(text: &str) -> NodeId {
    format!("{text}/{text}").parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}

fn change(text: &str) -> Change {
    let property = |before: Option<Value>, after: Option<Value>| {
        PropertyChange::new(text, before, after).known_after(node(text)).replacing(Some(text.to_owned()))
    };
    let properties = vec![
        property(None, Some(text.into())),
        property(Some(text.into()), None),
        property(Some(json!({ text: [text, 1] })), Some(json!({ text: [text, 2], "more": text }))),
    ];
    Change { action: Action::Update, reason: Some(text.to_owned()), properties }
}

fn plan(text: &str) -> Plan {
    let (kind, title) = (Kind::Server, text.to_owned());
    let step = Step { id: node(text), kind, title, change: change(text), needs: vec![node(text)] };
    Plan { version: VERSION, environment: text.to_owned(), account: text.to_owned(), steps: vec![step] }
}

fn row(text: &str) -> RegionRow {
    let some = || Some(text.to_owned());
    RegionRow {
        region: text.to_owned(),
        stack: some(),
        server: some(),
        state: some(),
        host: some(),
        endpoint: some(),
        addresses: vec![text.to_owned()],
    }
}

fn run_summary(text: &str) -> Summary {
    Summary {
        environment: text.to_owned(),
        command: "deploy".to_owned(),
        failed: 1,
        kept: vec![text.to_owned()],
        later: vec![text.to_owned()],
        left_out: vec![node(text)],
        regions: vec![row(text)],
        ..Summary::default()
    }
}

fn drift_report(text: &str) -> Report {
    let property = |ignored| {
        let mut property = Property::new(text, text, json!([text]));
        property.ignored = ignored;
        property
    };
    let properties = vec![property(None), property(Some(text.to_owned()))];
    Report {
        environment: text.to_owned(),
        account: text.to_owned(),
        seen: 1,
        drifted: vec![Drifted { resource: text.to_owned(), title: text.to_owned(), how: "changed", properties }],
        unseen: vec![Unseen::failed(text, text)],
        unused_ignores: vec![text.to_owned()],
    }
}

fn status_report(text: &str) -> StatusReport {
    let last = |command: &str| LastRun {
        command: command.to_owned(),
        started: text.to_owned(),
        finished: Some(text.to_owned()),
        outcome: text.to_owned(),
        by: text.to_owned(),
        who: Some(text.to_owned()),
        plan: Some(text.to_owned()),
    };
    let detail = Some(text.to_owned());
    StatusReport {
        environment: text.to_owned(),
        account: text.to_owned(),
        last_deploy: Some(last("deploy")),
        deploy_age_seconds: Some(1),
        last_run: Some(last(&format!("teardown{text}"))),
        age_seconds: Some(1),
        expires: Some(text.to_owned()),
        expires_in_seconds: Some(1),
        orphans: Some(Orphans { found: vec![text.to_owned()], unseen: vec![Unseen::failed(text, text)] }),
        regions: vec![row(text)],
        resources: vec![ResourceStatus { id: node(text), title: text.to_owned(), state: "drifted", detail }],
    }
}

fn why_report(text: &str, standing: Standing) -> WhyReport {
    let last = status_report(text).last_run.unwrap();
    let step = FailedStep {
        step: node(text),
        title: text.to_owned(),
        at: text.to_owned(),
        error: text.to_owned(),
        causes: vec![text.to_owned()],
        left: text.to_owned(),
        hint: Some(text.to_owned()),
    };
    let line = || (node(text), text.to_owned(), text.to_owned());
    let failure = Failure::new(text, text, last.clone());
    WhyReport {
        environment: text.to_owned(),
        account: text.to_owned(),
        standing,
        failure: Some(Failure { steps: vec![step], not_begun: vec![node(text)], ..failure }),
        last_run: Some(last),
        lock_held_by: Some(text.to_owned()),
        journal_failures: vec![line().into()],
        without_outcome: vec![line().into()],
        unverified: vec![text.to_owned()],
    }
}

fn doctor_report(text: &str) -> check::Report {
    let checks = vec![
        Check::failed(&Definition::SERVERS, Some(text), text).hint(text),
        Check::ok(&Definition::ACCOUNT, None, text),
    ];
    check::Report::new(text, text, checks, &[] as &[CheckIgnore])
}

fn an_account(text: &str) -> Account {
    Account {
        org_id: 7,
        username: text.to_owned(),
        password: Some(text.to_owned()),
        home: Home { bucket: text.to_owned(), folder: text.to_owned() },
        disabled: false,
        expires: None,
        allowed: Vec::new(),
        regions: vec![text.to_owned()],
        public_keys: vec![format!("ssh-ed25519 AAAA {text}")],
        note: Some(text.to_owned()),
        created: Some(text.to_owned()),
        updated: Some(text.to_owned()),
    }
}

fn endpoints(text: &str) -> Vec<connect::Endpoint> {
    vec![connect::Endpoint {
        region: text.to_owned(),
        host: text.to_owned(),
        others: vec![(text.to_owned(), true)],
        port: 22,
        addresses: vec![text.to_owned()],
        server: text.to_owned(),
        keys: vec![(text.to_owned(), text.to_owned())],
    }]
}

/// The events of a step that fails.
fn events(text: &str) -> Vec<Event> {
    let step = || node(text);
    let outcome = Outcome::Failed {
        error: text.to_owned(),
        causes: vec![text.to_owned()],
        left: text.to_owned(),
        hint: Some(text.to_owned()),
    };
    vec![
        Event::Observing { environment: text.to_owned(), resources: 1 },
        Event::StepStarted { step: step(), kind: Kind::Server, title: text.to_owned(), change: change(text) },
        Event::StepWaiting { step: step(), status: text.to_owned() },
        Event::StepNews { step: step(), line: text.to_owned() },
        Event::StepRetried { step: step(), reason: text.to_owned() },
        Event::StepFinished { step: step(), outcome, seconds: 1.0 },
        Event::StepFinished { step: step(), outcome: Outcome::Kept { reason: text.to_owned() }, seconds: 1.0 },
        Event::StepFinished { step: step(), outcome: Outcome::Incomplete { reason: text.to_owned() }, seconds: 1.0 },
        Event::StepFinished { step: step(), outcome: Outcome::Blocked { by: step() }, seconds: 1.0 },
        Event::Finished { summary: run_summary(text) },
    ]
}

/// The text of every report for people, in lines of at most `width` characters.
fn reports(text: &str, width: usize) -> Vec<Text> {
    let (account, plain) = (an_account(text), Plain::default());
    let view = account::view(&account, 0);
    let mut reports = vec![
        plan_view::render(&plan(text), &plan(text).steps, width),
        summary::render(&run_summary(text), width),
        drift::render(&drift_report(text)),
        status::render(&status_report(text), width),
        doctor::render(&doctor_report(text), true),
        connect::render(text, text, &endpoints(text)),
        account::lines(&view),
        account::row(&view).into(),
        account::csv(&view).into(),
        markdown::render(&plan(text), &plan(text).steps),
        why::render(&why_report(text, Standing::Unfinished), 0, width),
        why::render(&why_report(text, Standing::Resolved), 0, width),
    ];
    reports.extend(events(text).iter().filter_map(|event| plain.lines(event)));
    reports
}

fn json_lines(text: &str) -> Vec<Text> {
    let (account, endpoints) = (an_account(text), endpoints(text));
    let mut lines = vec![
        json::line("plan/1", &plan(text)),
        json::line("drift/1", &drift_report(text)),
        json::line("status/1", &status_report(text)),
        json::line("status-why/1", &why_report(text, Standing::Unresolved)),
        json::line("doctor/1", &doctor_report(text)),
        json::line("connect/1", &connect::ConnectView::new(text, text, &endpoints)),
        json::line("account/1", &account::view(&account, 0)),
        Text::pretty_json(&plan(text)),
    ];
    lines.extend(events(text).iter().map(|event| json::line("events/1", event)));
    lines
}

/// A terminal that keeps what is written to it.
#[derive(Clone, Debug, Default)]
struct Written(Arc<Mutex<String>>);

impl TermLike for Written {
    fn width(&self) -> u16 {
        60
    }

    fn height(&self) -> u16 {
        20
    }

    fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> std::io::Result<()> {
        self.write_str(&format!("{line}\n"))
    }

    fn write_str(&self, text: &str) -> std::io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> std::io::Result<()> {
        Ok(())
    }
}

fn live(text: &str) -> String {
    let written = Written::default();
    let live = Live::on(ProgressDrawTarget::term_like(Box::new(written.clone())));
    events(text).iter().for_each(|event| live.event(event));
    live.note(text);
    drop(live);
    let shown = written.0.lock().unwrap();
    shown.clone()
}

proptest! {
    #[test]
    fn reports_for_people_are_harmless(text in hostile()) {
        for width in [usize::MAX, 30] {
            for report in reports(&text, width) {
                prop_assert_eq!(harm(report.to_string().as_bytes(), false), None);
            }
        }
        let count = |text: &str| reports(text, usize::MAX).iter().map(|text| text.to_string().lines().count()).collect();
        let (expected, lines): (Vec<usize>, Vec<usize>) = (count("x"), count(&text));
        prop_assert_eq!(lines, expected, "a line end in a value began a line");
    }

    #[test]
    fn json_is_harmless_and_the_same(text in hostile()) {
        for line in json_lines(&text) {
            prop_assert_eq!(harm(line.to_string().as_bytes(), false), None);
            prop_assert!(serde_json::from_str::<Value>(&line.to_string()).is_ok(), "{}", line);
        }
        let value: Value = serde_json::from_str(&json::line("plan/1", &plan(&text)).to_string()).unwrap();
        prop_assert_eq!(value["steps"][0]["title"].as_str(), Some(&*text));
    }

    #[test]
    fn markdown_has_no_elements_and_links_of_others(text in hostile()) {
        let page = markdown::render(&plan(&text), &plan(&text).steps).to_string();
        let apart = ["@", "#", "$", ":", ".", "-"].map(|letter| format!("<span>{letter}</span>"));
        let mut rest = page.replace("### sftpctl", "");
        for ours in apart.iter().map(String::as_str).chain(["<span></span>", "<code>", "</code>", "<details>", "</details>",
            "<summary>", "</summary>"]) {
            rest = rest.replace(ours, "\u{1}");
        }
        for foreign in ["<", ">", "://", "@", "www.", "`", "[", "~"] {
            prop_assert!(!rest.contains(foreign), "{}: {}", foreign, page);
        }
        prop_assert_eq!(page.matches("</details>").count(), 1);
        let bars = |line: &str| line.matches('|').count();
        prop_assert!(page.lines().all(|line| [0, 4, 5].contains(&bars(line))), "{}", page);
    }

    #[test]
    fn cells_of_accounts_are_no_formulas(text in hostile()) {
        let account = an_account(&text);
        let record = account::csv(&account::view(&account, 0));
        // Excel's separator is that of the system's language, whatever the file is quoted for.
        for cell in record.split([';', ',', '\t', '\n', '\r']) {
            let cell = cell.trim_start_matches(|c: char| c == '"' || c.is_whitespace());
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']), "{}", record);
        }
    }

    #[test]
    fn faults_and_annotations_are_harmless(text in hostile()) {
        let file = format!("version: 1\n# {text}\nenvironment: \"{text}\"\n{text}: x\nregions: {{ {text}: {text} }}\n");
        let Err(faults) = spec::load(&file, &format!("{text}.yaml")) else { return Err(TestCaseError::fail("valid")) };
        for color in [true, false] {
            let shown = crate::error::CliError::from_faults(&faults, color).rendered.unwrap_or_default().to_string();
            prop_assert_eq!(harm(shown.as_bytes(), color), None);
        }
        let lines = annotations::github(&format!("{text}.yaml"), faults.list()).to_string();
        prop_assert_eq!(harm(lines.as_bytes(), false), None);
        prop_assert_eq!(lines.lines().count(), faults.list().len());
        prop_assert!(lines.lines().all(|line| line.starts_with("::error file=")), "{}", lines);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn live_tree_is_harmless(text in hostile()) {
        prop_assert_eq!(harm(live(&text).as_bytes(), false), None);
    }
}
