//! The output of `status`: what AWS has, and the last run in the state.

use serde::Serialize;

use super::fold::folded;
use super::span::span;
use super::summary;
use sftpctl_core::events::RegionRow;
use sftpctl_core::kind::NodeId;
use sftpctl_core::shown::Text;
use sftpctl_engine::run::Orphans;
use sftpctl_engine::state::model::LastRun;

/// The status of an environment, as `status/1`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    pub environment: String,
    pub account: String,
    /// The last deployment in the state.
    pub last_deploy: Option<LastRun>,
    /// Seconds since the start of that deployment.
    pub deploy_age_seconds: Option<i64>,
    /// The last run in the state.
    pub last_run: Option<LastRun>,
    /// Seconds since the start of that run.
    pub age_seconds: Option<i64>,
    /// The end of its life, RFC 3339, if the environment file has a `ttl` and the state a deployment.
    pub expires: Option<String>,
    /// Seconds until then; less than 0 after it.
    pub expires_in_seconds: Option<i64>,
    /// Resources with the environment's tag that are not in its file; none if the run is limited to some regions.
    pub orphans: Option<Orphans>,
    pub regions: Vec<RegionRow>,
    pub resources: Vec<ResourceStatus>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceStatus {
    pub id: NodeId,
    pub title: String,
    /// `ready`, `missing`, `pending`, `failed`, `drifted`, `foreign`, `unreadable`.
    pub state: &'static str,
    /// The reason, unless the state is `ready`.
    pub detail: Option<String>,
}

/// The status as text, in lines of at most `width` characters.
pub fn render(report: &StatusReport, width: usize) -> Text {
    let mut text = Text::from(format!("Environment {} in account {}", report.environment, report.account));
    match &report.last_deploy {
        Some(run) => text.line(format!("Last deploy: {}", describe(run, report.deploy_age_seconds))),
        None => text.line("Last deploy: none in the state"),
    }
    if let Some(run) = report.last_run.as_ref().filter(|run| Some(*run) != report.last_deploy.as_ref()) {
        text.line(format!("Last run: {} {}", run.command, describe(run, report.age_seconds)));
    }
    if let (Some(end), Some(seconds)) = (&report.expires, report.expires_in_seconds) {
        text.line(expiry(&report.environment, end, seconds));
    }
    text.line("");
    text.extend(summary::regions(&report.regions, width));
    text.line("");
    let notable: Vec<_> = report.resources.iter().filter(|r| r.state != "ready").collect();
    for resource in &notable {
        let detail = resource.detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
        text.line(format!("{:<10} {}  {}{detail}", resource.state, resource.id.place(), resource.title));
    }
    let ready = report.resources.len() - notable.len();
    text.line(format!("{ready} of {} resources match the environment file", report.resources.len()));
    for line in report.orphans.iter().flat_map(|orphans| orphan_lines(orphans, &report.environment)) {
        text.line(line);
    }
    folded(&text, width)
}

fn orphan_lines(orphans: &Orphans, environment: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if !orphans.found.is_empty() {
        let noun = if orphans.found.len() == 1 { "orphaned resource" } else { "orphaned resources" };
        lines.push(format!(
            "{} {noun} (not in the environment file); list with `sftpctl drift --env {environment}`, \
             delete with `sftpctl teardown --env {environment} --orphans`",
            orphans.found.len()
        ));
    }
    if let Some(first) = orphans.unseen.first() {
        lines.push(format!("There may be more orphans: {} could not be read: {}", first.resource, first.why));
    }
    lines
}

/// The end of the environment's life, which is `seconds` from now.
fn expiry(environment: &str, end: &str, seconds: i64) -> String {
    match seconds {
        ..=0 => format!(
            "Expired: {end}, {} ago; `sftpctl teardown --env {environment} --expired` deletes it",
            span(seconds.unsigned_abs())
        ),
        _ => format!("Expires: {end}, in {}; a deploy renews it", span(seconds.unsigned_abs())),
    }
}

/// The outcome, start and origin of a run.
fn describe(run: &LastRun, seconds: Option<i64>) -> String {
    // A killed run could not write its outcome.
    let outcome = if run.outcome == "running" { "unfinished (still running, or killed)" } else { &run.outcome };
    let who = run.who.as_ref().map(|who| format!(", by {who}")).unwrap_or_default();
    let age = seconds.map(|seconds| format!(", {} ago", span(seconds.unsigned_abs()))).unwrap_or_default();
    format!("{outcome}, begun {}{age}{who} with {}", run.started, run.by)
}

#[cfg(test)]
mod tests {
    use sftpctl_engine::drift::model::Unseen;

    use super::*;

    #[test]
    fn orphans_are_one_line_with_commands() {
        let lines = |found: &[&str], unseen: &[Unseen]| {
            orphan_lines(
                &Orphans { found: found.iter().map(ToString::to_string).collect(), unseen: unseen.to_vec() },
                "99",
            )
        };
        assert!(lines(&[], &[]).is_empty());
        let one = lines(&["us-west-2/orphan/server/s-1"], &[]);
        assert!(
            one.len() == 1 && one[0].starts_with("1 orphaned resource (") && one[0].ends_with("--orphans`"),
            "{one:?}"
        );
        let unseen = lines(&[], &[Unseen::failed("us-west-2/orphans/servers", "AccessDenied")]);
        let words = "There may be more orphans: us-west-2/orphans/servers could not be read: AccessDenied";
        assert_eq!(unseen, [words]);
    }

    #[test]
    fn the_end_of_a_life_is_before_or_after_now() {
        assert_eq!(expiry("9", "T", 7_300), "Expires: T, in 2 h; a deploy renews it");
        assert_eq!(expiry("9", "T", -7_300), "Expired: T, 2 h ago; `sftpctl teardown --env 9 --expired` deletes it");
    }

    #[test]
    fn a_killed_run_is_unfinished() {
        let run = |outcome: &str| LastRun {
            command: "deploy".into(),
            started: "2026-11-24T09:00:00Z".into(),
            finished: None,
            outcome: outcome.into(),
            by: "sftpctl 0.1.0".into(),
            who: Some("alice on laptop".into()),
            plan: None,
        };
        let when = "begun 2026-11-24T09:00:00Z, 5 min ago, by alice on laptop with sftpctl 0.1.0";
        assert_eq!(describe(&run("done"), Some(300)), format!("done, {when}"));
        assert_eq!(describe(&run("running"), Some(300)), format!("unfinished (still running, or killed), {when}"));
    }
}
