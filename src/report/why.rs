//! The output of `status --why`: the last failure, and whether a later run got over it. Pure.

use serde::Serialize;

use super::fold::folded;
use super::span::span;
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::Text;
use sftpctl_engine::state::failure::{FailedStep, Failure};
use sftpctl_engine::state::model::LastRun;

/// Why an environment's last failed run failed, as `status-why/1`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyReport {
    pub environment: String,
    pub account: String,
    pub standing: Standing,
    /// The last run in which a step failed.
    pub failure: Option<Failure>,
    pub last_run: Option<LastRun>,
    /// The command, user and machine that hold the lock now.
    pub lock_held_by: Option<String>,
    /// While a run is unfinished: operations of it that failed so far.
    pub journal_failures: Vec<Failed>,
    /// Operations that began and have no outcome yet.
    pub without_outcome: Vec<Begun>,
    /// Regions whose server has not admitted a canary since its last change.
    pub unverified: Vec<String>,
}

/// Whether the last failure still matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// No failure is remembered.
    None,
    /// A run is at work, or was killed.
    Unfinished,
    /// No run has ended without a failure since.
    Unresolved,
    /// A later run ended without a failure.
    Resolved,
}

/// An operation that failed, in the journal.
#[derive(Clone, Debug, Serialize)]
pub struct Failed {
    pub step: NodeId,
    /// RFC 3339.
    pub at: String,
    /// AWS's words.
    pub error: String,
}

impl From<(NodeId, String, String)> for Failed {
    fn from((step, at, error): (NodeId, String, String)) -> Self {
        Self { step, at, error }
    }
}

/// An operation without an outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Begun {
    pub step: NodeId,
    /// RFC 3339.
    pub at: String,
    /// The resource's name in messages.
    pub title: String,
}

impl From<(NodeId, String, String)> for Begun {
    fn from((step, at, title): (NodeId, String, String)) -> Self {
        Self { step, at, title }
    }
}

/// Whether the failure still matters, after the last run.
pub fn standing(failure: Option<&Failure>, last_run: Option<&LastRun>) -> Standing {
    match (failure, last_run) {
        (_, Some(run)) if run.outcome == "running" => Standing::Unfinished,
        (None, _) => Standing::None,
        // Times of one form are in the order of their text.
        (Some(failure), Some(run)) if is_resolved(failure, run) => Standing::Resolved,
        (Some(_), _) => Standing::Unresolved,
    }
}

/// Whether a later run of the same command ended without a failure. A teardown of orphans gets over no deployment's failure.
fn is_resolved(failure: &Failure, run: &LastRun) -> bool {
    run.outcome == "done" && run.command == failure.run.command && run.started >= failure.run.started
}

/// The report as text, in lines of at most `width` characters. `now` is in seconds since 1970.
pub fn render(report: &WhyReport, now: i64, width: usize) -> Text {
    let mut text = Text::from(format!("Environment {} in account {}", report.environment, report.account));
    if let Some(run) = report.last_run.as_ref().filter(|_| report.standing == Standing::Unfinished) {
        unfinished(&mut text, report, run, now);
    }
    match &report.failure {
        None if report.standing == Standing::None => text.line("No run of this environment is known to have failed."),
        None => {}
        Some(failure) => failed(&mut text, report, failure, now),
    }
    if report.standing != Standing::Unfinished {
        report.without_outcome.iter().for_each(|one| begun(&mut text, one));
    }
    if !report.unverified.is_empty() {
        text.line("");
        text.line(format!(
            "No canary has logged in since the last change of the server in {}: check with `sftpctl verify --env {}`",
            report.unverified.join(", "),
            report.environment
        ));
    }
    folded(&text, width)
}

fn unfinished(text: &mut Text, report: &WhyReport, run: &LastRun, now: i64) {
    text.line("");
    match &report.lock_held_by {
        Some(holder) => text.line(format!("{} is unfinished: the lock is held ({holder})", described(run, now))),
        None => {
            text.line(format!("{} was killed: {}", described(run, now), resumption(&run.command, &report.environment)))
        }
    }
    for one in &report.journal_failures {
        text.line(format!("  {} failed {}: {}", one.step, one.at, one.error));
    }
    report.without_outcome.iter().for_each(|one| begun(text, one));
}

fn begun(text: &mut Text, one: &Begun) {
    text.line(format!("  {} ({}) was begun {} and has no outcome yet", one.step, one.title, one.at));
}

fn failed(text: &mut Text, report: &WhyReport, failure: &Failure, now: i64) {
    let run = &failure.run;
    let ended = run.finished.as_ref().map(|at| format!(", {} {at}", run.outcome)).unwrap_or_default();
    text.line("");
    text.line(format!("Last failure: {}{ended}, with {}", described(run, now), run.by));
    failure.steps.iter().for_each(|step| failed_step(text, step));
    if !failure.not_begun.is_empty() {
        let steps: Vec<&str> = failure.not_begun.iter().map(NodeId::as_str).collect();
        text.line("");
        text.line(format!("Not begun after that: {}", steps.join(", ")));
    }
    text.line("");
    match (report.standing, &report.last_run) {
        (Standing::Resolved, Some(last)) => {
            text.line(format!("Since then: {} ended without a failure.", described(last, now)));
            text.line(format!(
                "If that run was limited by --region, `sftpctl drift --env {}` shows what is left.",
                report.environment
            ));
        }
        (Standing::Unfinished, _) => {}
        _ => text.line(format!("It is not resolved: {}", resumption(&run.command, &report.environment))),
    }
}

/// How to resume. A teardown may have been one of orphans only: its command is not given, since without its options it would
/// delete everything.
fn resumption(command: &str, environment: &str) -> String {
    match command {
        "teardown" => "rerun the same teardown, with the options that it had, to resume".to_owned(),
        _ => format!("run `sftpctl {command} --env {environment}` to resume, with the options that it had"),
    }
}

fn failed_step(text: &mut Text, step: &FailedStep) {
    text.line("");
    text.line(format!("  {}  {} ({}), at {}", step.step.place(), step.title, step.step, step.at));
    text.line(format!("    error: {}", step.error));
    step.causes.iter().for_each(|cause| text.line(format!("    because: {cause}")));
    text.line(format!("    left in AWS: {}", step.left));
    if let Some(hint) = &step.hint {
        text.line(format!("    hint: {hint}"));
    }
}

/// A run by its command, time and origin.
fn described(run: &LastRun, now: i64) -> String {
    let age = run.started.parse::<jiff::Timestamp>().ok().map(|started| now - started.as_second());
    let age = age.map(|age| format!(", {} ago", span(age.max(0).unsigned_abs()))).unwrap_or_default();
    let who = run.who.as_ref().map(|who| format!(", by {who}")).unwrap_or_default();
    format!("{}, begun {}{age}{who}", run.command, run.started)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_core::kind::Kind;

    fn run(started: &str, outcome: &str) -> LastRun {
        LastRun {
            command: "deploy".into(),
            started: started.into(),
            finished: (outcome != "running").then(|| "2026-11-24T09:05:00Z".into()),
            outcome: outcome.into(),
            by: "sftpctl 0.1.0".into(),
            who: Some("alice on laptop".into()),
            plan: None,
        }
    }

    fn failure() -> Failure {
        let step = FailedStep {
            step: NodeId::new("us-west-2", Kind::Stack),
            title: "stack s".into(),
            at: "2026-11-24T09:04:00Z".into(),
            error: "stack s ended in ROLLBACK_COMPLETE".into(),
            causes: vec!["the bucket already exists".into()],
            left: "s (ROLLBACK_COMPLETE)".into(),
            hint: Some("fix the first cause".into()),
        };
        let not_begun = vec![NodeId::new("us-west-2", Kind::Server)];
        let whole = Failure::new("99", "111111111111", run("2026-11-24T09:00:00Z", "failed"));
        Failure { steps: vec![step], not_begun, ..whole }
    }

    fn report(failure: Option<Failure>, last_run: Option<LastRun>) -> WhyReport {
        WhyReport {
            environment: "99".into(),
            account: "111111111111".into(),
            standing: standing(failure.as_ref(), last_run.as_ref()),
            failure,
            last_run,
            lock_held_by: None,
            journal_failures: Vec::new(),
            without_outcome: Vec::new(),
            unverified: Vec::new(),
        }
    }

    /// Five minutes after the start of the failed run.
    const NOW: i64 = 1_795_511_100;

    fn shown(report: &WhyReport) -> String {
        render(report, NOW, 200).to_string()
    }

    #[test]
    fn a_failure_stands_until_a_later_run_ends_without_one() {
        let (early, late) = ("2026-11-24T08:00:00Z", "2026-11-24T10:00:00Z");
        for (failure, last, expected) in [
            (None, None, Standing::None),
            (None, Some(run(late, "done")), Standing::None),
            (None, Some(run(late, "running")), Standing::Unfinished),
            (Some(failure()), None, Standing::Unresolved),
            (Some(failure()), Some(failure().run), Standing::Unresolved),
            (Some(failure()), Some(run(early, "done")), Standing::Unresolved),
            (Some(failure()), Some(run(late, "stopped")), Standing::Unresolved),
            (Some(failure()), Some(run(late, "running")), Standing::Unfinished),
            (Some(failure()), Some(run(late, "done")), Standing::Resolved),
            (Some(failure()), Some(LastRun { command: "teardown".into(), ..run(late, "done") }), Standing::Unresolved),
        ] {
            assert_eq!(standing(failure.as_ref(), last.as_ref()), expected, "{last:?}");
        }
    }

    #[test]
    fn a_failure_is_told_with_step_region_cause_time_and_remedy() {
        let expected = "Environment 99 in account 111111111111\n\n\
             Last failure: deploy, begun 2026-11-24T09:00:00Z, 5 min ago, by alice on laptop, \
             failed 2026-11-24T09:05:00Z, with sftpctl 0.1.0\n\n  \
             us-west-2  stack s (us-west-2/stack), at 2026-11-24T09:04:00Z\n    \
             error: stack s ended in ROLLBACK_COMPLETE\n    \
             because: the bucket already exists\n    \
             left in AWS: s (ROLLBACK_COMPLETE)\n    \
             hint: fix the first cause\n\n\
             Not begun after that: us-west-2/server\n\n\
             It is not resolved: run `sftpctl deploy --env 99` to resume, with the options that it had";
        assert_eq!(shown(&report(Some(failure()), Some(failure().run))), expected);
        let resolved = shown(&report(Some(failure()), Some(run("2026-11-24T09:04:00Z", "done"))));
        assert!(resolved.contains("Since then: deploy, begun 2026-11-24T09:04:00Z") && !resolved.contains("to resume"));
    }

    /// It may have been one of orphans only, and its bare command would delete everything.
    #[test]
    fn no_command_is_given_to_resume_a_teardown() {
        let of_teardown = LastRun { command: "teardown".into(), ..failure().run };
        let failed = Failure { run: of_teardown.clone(), ..failure() };
        let text = shown(&report(Some(failed), Some(of_teardown)));
        assert!(text.contains("rerun the same teardown") && !text.contains("sftpctl teardown"), "{text}");
    }

    #[test]
    fn no_failure_and_servers_without_a_canary_are_said() {
        assert!(shown(&report(None, None)).ends_with("No run of this environment is known to have failed."));
        let unverified = WhyReport { unverified: vec!["us-west-2".into()], ..report(None, None) };
        assert!(shown(&unverified).ends_with("in us-west-2: check with `sftpctl verify --env 99`"));
    }

    #[test]
    fn an_unfinished_run_shows_what_its_journal_has() {
        let line = |text: &str| (NodeId::new("us-west-2", Kind::Server), "2026-11-24T09:01:00Z".into(), text.into());
        let killed = WhyReport {
            journal_failures: vec![line("Rate exceeded").into()],
            without_outcome: vec![line("Transfer server").into()],
            ..report(None, Some(run("2026-11-24T09:00:00Z", "running")))
        };
        let lines = "  us-west-2/server failed 2026-11-24T09:01:00Z: Rate exceeded\n  \
             us-west-2/server (Transfer server) was begun 2026-11-24T09:01:00Z and has no outcome yet";
        let text = shown(&killed);
        assert!(
            text.contains("was killed: run `sftpctl deploy --env 99` to resume") && text.ends_with(lines),
            "{text}"
        );
        let held = WhyReport { lock_held_by: Some("deploy by alice".into()), ..killed };
        let text = shown(&held);
        assert!(text.contains("is unfinished: the lock is held (deploy by alice)"), "{text}");
    }
}
