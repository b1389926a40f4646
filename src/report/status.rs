//! What `status` shows: taken from AWS, with the last run beside it.

use std::fmt::Write as _;

use serde::Serialize;

use super::events::RegionRow;
use super::fold::fold;
use super::summary;
use crate::resources::resource::NodeId;
use crate::state::model::LastRun;

/// The status of an environment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The last run that state remembers.
    pub last_run: Option<LastRun>,
    /// Seconds since that run began.
    pub age_seconds: Option<i64>,
    /// One row per region.
    pub regions: Vec<RegionRow>,
    /// Every resource.
    pub resources: Vec<ResourceStatus>,
}

/// One resource.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceStatus {
    /// Its name in plans.
    pub id: NodeId,
    /// A person's name for it.
    pub title: String,
    /// `ready`, `missing`, `pending`, `failed`, `drifted`, `foreign`, `unreadable`.
    pub state: &'static str,
    /// What about it.
    pub detail: Option<String>,
}

/// For people, in lines of at most `width` characters.
pub fn render(report: &StatusReport, width: usize) -> String {
    let mut text = format!("Environment {} in account {}\n", report.environment, report.account);
    match &report.last_run {
        Some(run) => {
            let age = report.age_seconds.map(|s| format!(", {} ago", age(s))).unwrap_or_default();
            let _ = writeln!(text, "Last run: {} {} by {}{age}", run.command, run.outcome, run.by);
        }
        None => text.push_str("Last run: none that this machine knows of\n"),
    }
    let _ = writeln!(text, "\n{}\n", summary::regions(&report.regions, width));
    let notable: Vec<_> = report.resources.iter().filter(|r| r.state != "ready").collect();
    for resource in &notable {
        let detail = resource.detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
        let line = format!("{:<10} {}  {}{detail}", resource.state, resource.id.place(), resource.title);
        let _ = writeln!(text, "{}", fold(&line, width));
    }
    let ready = report.resources.len() - notable.len();
    let _ = write!(text, "{ready} of {} resources as the file says", report.resources.len());
    text
}

fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
