//! Who is banned, allowed or counted, as text and JSON.

use serde::Serialize;
use sftp_authorizer::guard::by_hand::{Entry, Verb};
use sftpctl_accounts::guard::{Counted, Listed, shown};
use sftpctl_core::text::{counted, either};

use super::format::time;

/// One that is banned, allowed or counted, as `guard/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardView<'a> {
    region: &'a str,
    /// `banned`, `allowed` or `counted`.
    pub state: &'static str,
    /// By `hand`, or by points.
    by: &'static str,
    /// An address or a range; `null` for a user name that is banned everywhere.
    address: Option<String>,
    /// `null` for every name.
    username: Option<&'a str>,
    /// When it ends: the ban, the permission, or the window of the points.
    until: String,
    /// Of the window that runs.
    points: u32,
    /// So far.
    bans: u32,
}

/// Everything of a region: entries by hand, bans that end last, and the highest `top` scores.
pub fn views<'a>(region: &'a str, listed: &'a Listed, top: usize, now: i64) -> Vec<GuardView<'a>> {
    let by_hand = listed.by_hand.iter().map(|entry| GuardView {
        region,
        state: state(entry.verb),
        by: "hand",
        address: Some(shown(entry.range)),
        username: None,
        until: time(entry.until),
        points: 0,
        bans: 0,
    });
    let (mut banned, mut others): (Vec<&Counted>, Vec<&Counted>) =
        listed.counted.iter().partition(|counted| counted.record.is_banned(now));
    banned.sort_by_key(|counted| std::cmp::Reverse(counted.record.banned_until));
    others.sort_by_key(|counted| std::cmp::Reverse(counted.record.points));
    let view = |counted: &'a Counted, state: &'static str, until: i64| GuardView {
        region,
        state,
        by: "points",
        address: counted.address.map(shown),
        username: counted.username.as_deref(),
        until: time(until),
        points: counted.record.points,
        bans: counted.record.bans,
    };
    let banned = banned.into_iter().map(|counted| view(counted, "banned", counted.record.banned_until));
    let others = others.into_iter().take(top).map(|counted| view(counted, "counted", counted.record.window_end));
    by_hand.chain(banned).chain(others).collect()
}

fn state(verb: Verb) -> &'static str {
    match verb {
        Verb::Allow => "allowed",
        Verb::Ban => "banned",
    }
}

impl GuardView<'_> {
    /// One line of `guard list`.
    pub fn row(&self) -> String {
        let Self { region, state, until, points, bans, .. } = self;
        let who = match (&self.address, self.username) {
            (Some(address), Some(name)) => format!("{address} as {name}"),
            (Some(address), None) => address.clone(),
            (None, name) => format!("everybody as {}", name.unwrap_or_default()),
        };
        let why = match (self.by, *state) {
            ("hand", _) => "by hand".to_owned(),
            (_, "counted") => counted((*points).into(), "point"),
            _ => format!("its {} ban", ordinal(*bans)),
        };
        format!("{region:<12} {state:<8} {who:<40} until {until}  {why}")
    }
}

/// `1st`, `2nd`, `11th`.
fn ordinal(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// A decision that was written, as `guard-decision/1`.
#[derive(Debug, Serialize)]
pub struct DecidedView<'a> {
    region: &'a str,
    state: &'static str,
    address: String,
    until: String,
}

impl<'a> DecidedView<'a> {
    pub fn new(region: &'a str, entry: &Entry) -> Self {
        Self { region, state: state(entry.verb), address: shown(entry.range), until: time(entry.until) }
    }

    pub fn line(&self) -> String {
        let Self { region, state, address, until } = self;
        format!("{region:<12} {state} {address} until {until}")
    }
}

/// Bans that were ended, as `guard-forgiven/1`.
#[derive(Debug, Serialize)]
pub struct ForgivenView<'a> {
    pub region: &'a str,
    /// Bans and scores.
    pub ended: u64,
}

impl ForgivenView<'_> {
    pub fn line(&self) -> String {
        let what = match self.ended {
            0 => "nothing to end".to_owned(),
            count => format!("ended {count} {}", either(count, "ban or score", "bans and scores")),
        };
        format!("{:<12} {what}", self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftp_authorizer::guard::{Record, Subject};
    use sftpctl_accounts::guard::range;

    #[test]
    fn rows_say_who_until_when_and_why() {
        let record = |points, window_end, banned_until, bans| Record { points, window_end, banned_until, bans };
        let counted = |address: &str, name: Option<&str>, record| Counted {
            subject: if name.is_some() { Subject::Login } else { Subject::Address },
            address: range(address).ok(),
            username: name.map(str::to_owned),
            record,
        };
        let listed = Listed {
            by_hand: vec![Entry { verb: Verb::Allow, range: range("203.0.113.0/24").unwrap(), until: 86_400 }],
            counted: vec![
                counted("192.0.2.1", None, record(3, 1800, 0, 0)),
                counted("192.0.2.2", None, record(7, 1800, 0, 1)),
                counted("192.0.2.3", None, record(0, 0, 3600, 2)),
                counted("2001:db8::/64", Some("jan"), record(0, 0, 7200, 11)),
            ],
        };
        let rows: Vec<String> = views("us-west-2", &listed, 1, 60).iter().map(GuardView::row).collect();
        let squeezed: Vec<String> =
            rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            squeezed,
            [
                "us-west-2 allowed 203.0.113.0/24 until 1970-01-02T00:00:00Z by hand",
                "us-west-2 banned 2001:db8::/64 as jan until 1970-01-01T02:00:00Z its 11th ban",
                "us-west-2 banned 192.0.2.3 until 1970-01-01T01:00:00Z its 2nd ban",
                "us-west-2 counted 192.0.2.2 until 1970-01-01T00:30:00Z 7 points",
            ]
        );
    }
}
