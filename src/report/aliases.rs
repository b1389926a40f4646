//! Customers' host names: what was found, what is changed, and how far it is.

use serde::Serialize;
use sftpctl_core::aliases::decide::{Change, Foreign, Plan};
use sftpctl_core::aliases::zone::Found;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;
use sftpctl_engine::aliases::{Progress, Sent};

use super::import::grouped;
use super::import::progress::{Shown, Stage};

/// Names that are listed for people; programs get all.
const LISTED: usize = 20;

/// A command on aliases for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasesView<'a> {
    environment: &'a str,
    /// `add`, `remove`, `lower-ttl`, `move` or `back`.
    command: &'a str,
    /// The host that they get.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    /// The records before and after.
    changes: &'a [Change],
    /// Names that are as wanted.
    same: &'a [String],
    foreign: &'a [Foreign],
    /// Aliases that were not looked at where no names are given, since they are not plain CNAMEs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Foreign>,
    /// Absent if nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<SentView>,
    #[serde(skip)]
    pub plan: &'a Plan,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentView {
    changed: u64,
    /// Changed by somebody else meanwhile, and left so.
    overtaken: Vec<Foreign>,
    interrupted: bool,
    /// Whether all name servers are known to have the changes.
    in_sync: bool,
}

impl<'a> AliasesView<'a> {
    pub fn new(environment: &'a str, command: &'a str, host: Option<&'a str>, plan: &'a Plan) -> Self {
        let Plan { changes, same, foreign } = plan;
        Self { environment, command, host, changes, same, foreign, left: Vec::new(), sent: None, plan }
    }

    /// With the result.
    pub fn set_sent(&mut self, sent: &Sent) {
        self.sent = Some(SentView {
            changed: sent.done,
            overtaken: sent.overtaken.clone(),
            interrupted: sent.interrupted,
            in_sync: sent.in_sync.is_some(),
        });
    }
}

/// A plan for people.
pub fn found(view: &AliasesView<'_>) -> Text {
    let Plan { changes, same, foreign } = view.plan;
    let count = |changes: &mut dyn Iterator<Item = &Change>| changes.count() as u64;
    let (created, deleted) = (
        count(&mut changes.iter().filter(|change| change.old.is_none())),
        count(&mut changes.iter().filter(|change| change.new.is_none())),
    );
    let pointed = count(&mut changes.iter().filter(|change| change.is_new_target()));
    let rest = changes.len() as u64 - created - deleted - pointed;
    let all = changes.len() + same.len() + foreign.len();
    let mut text = Text::from(format!("{}:", counted(all as u64, "alias")));
    let to = view.host.map_or_else(String::new, |host| format!(", pointing to {host}"));
    for (count, words) in [
        (created, format!("to create{to}")),
        (pointed, "to point to another host".to_owned()),
        (rest, "to get another TTL".to_owned()),
        (deleted, "to remove".to_owned()),
        (same.len() as u64, "as wanted".to_owned()),
        (foreign.len() as u64, "not as expected; never changed:".to_owned()),
    ] {
        if count > 0 {
            text.line(format!("  {:>10}  {words}", grouped(count)));
        }
    }
    list(&mut text, foreign);
    text
}

fn list(text: &mut Text, names: &[Foreign]) {
    for Foreign { name, reason } in names.iter().take(LISTED) {
        text.line(format!("  {name} {reason}"));
    }
    if names.len() > LISTED {
        text.line(format!("  and {} more (--output json has all)", grouped((names.len() - LISTED) as u64)));
    }
}

/// The result for people.
pub fn sent(sent: &Sent) -> Text {
    let known = if sent.in_sync.is_some() { "; all name servers of Route 53 have them" } else { "" };
    let mut text = Text::from(format!("{} changed{known}", counted(sent.done, "alias")));
    if !sent.overtaken.is_empty() {
        text.line(format!("{} not changed:", grouped(sent.overtaken.len() as u64)));
        list(&mut text, &sent.overtaken);
    }
    text
}

/// Shows how far it is.
pub fn shown(display: &Shown, progress: Progress) {
    let step = |stage, done, of| Stage { name: stage, done, of, ..Stage::default() };
    match progress {
        Progress::Reading { records } => display
            .stage(step("reading", records, None), |_, _| format!("reading the zone: {}", counted(records, "record"))),
        Progress::Changing { done, of } => display.stage(step("changing", done, Some(of)), |_, _| {
            format!("changing records: {} of {}", grouped(done), grouped(of))
        }),
        Progress::Waiting { done, of } => display.stage(step("waiting", done, Some(of)), |_, _| {
            format!("waiting for the name servers of Route 53: {} of {} batches", grouped(done), grouped(of))
        }),
    }
}

/// An alias, as `alias/1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasView<'a> {
    name: &'a str,
    /// `None` if it is not a simple CNAME.
    target: Option<String>,
    ttl: Option<i64>,
    /// Whether it points to a host of the environment.
    ours: bool,
    /// What it has in place of a CNAME.
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a str>,
}

impl<'a> AliasView<'a> {
    pub fn new(name: &'a str, found: &'a Found, ours: bool) -> Self {
        match found {
            Found::Cname(cname) => Self { name, target: Some(cname.target()), ttl: Some(cname.ttl), ours, other: None },
            Found::Other(what) => Self { name, target: None, ttl: None, ours, other: Some(what) },
        }
    }

    /// The alias in a line.
    pub fn row(&self) -> String {
        match (&self.target, self.ttl) {
            (Some(target), Some(ttl)) => {
                let whose = if self.ours { "" } else { "  (not a host of this environment)" };
                format!("{}  {target}  TTL {ttl}{whose}", self.name)
            }
            _ => format!("{}  {}", self.name, self.other.unwrap_or_default()),
        }
    }
}
