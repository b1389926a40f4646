//! What is written after a refusal: one change, and a second one if it brings a ban.

use super::{Record, Rules, Subject};

/// A change of a subject's item, with the condition under which it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// More points in the current window.
    Add { points: u32, now: i64 },
    /// The first points of a new window.
    Start { points: u32, now: i64, window_end: i64, bans: u32, expires: i64 },
    /// A ban, after so many others.
    Ban { until: i64, bans: u32, before: u32, expires: i64 },
}

/// The change for these points, by what is known of the subject; `None` if it is banned: then nothing is counted.
///
/// What is known may be old. If the condition does not hold, this is called again with the item as DynamoDB shows it then.
pub fn next(rules: &Rules, known: Option<&Record>, points: u32, now: i64) -> Option<Change> {
    let record = known.copied().unwrap_or_default();
    if record.is_banned(now) {
        return None;
    }
    if now < record.window_end {
        return Some(Change::Add { points, now });
    }
    let bans = remembered(rules, &record, now);
    let window_end = now.saturating_add(rules.window);
    let forgotten = if bans > 0 { record.banned_until.saturating_add(rules.longest_ban) } else { 0 };
    Some(Change::Start { points, now, window_end, bans, expires: window_end.max(forgotten) })
}

/// The ban that a record brings which has just been written.
pub fn ban(rules: &Rules, subject: Subject, record: &Record, now: i64) -> Option<Change> {
    if record.points < rules.threshold(subject) || record.is_banned(now) {
        return None;
    }
    let until = now.saturating_add(rules.length(record.bans));
    let expires = until.saturating_add(rules.longest_ban);
    Some(Change::Ban { until, bans: record.bans.saturating_add(1), before: record.bans, expires })
}

/// Whether these points were counted before the threshold was reached, and not between it and the ban that it brings.
pub fn is_first(rules: &Rules, subject: Subject, record: &Record, points: u32) -> bool {
    record.points.saturating_sub(points) < rules.threshold(subject)
}

/// The bans that make the next one longer. DynamoDB deletes an expired item days later.
fn remembered(rules: &Rules, record: &Record, now: i64) -> u32 {
    if now < record.banned_until.saturating_add(rules.longest_ban) { record.bans } else { 0 }
}

impl Change {
    /// In DynamoDB's language; the placeholders are those of [`Self::values`].
    pub const fn expression(&self) -> &'static str {
        match self {
            Self::Add { .. } => "ADD points :points",
            Self::Start { .. } => "SET points = :points, windowEnd = :windowEnd, bans = :bans, expires = :expires",
            Self::Ban { .. } => {
                "SET bannedUntil = :until, bans = :bans, expires = :expires, points = :none, windowEnd = :none"
            }
        }
    }

    /// Two functions that write at the same time: both add points, one starts the window, and one bans.
    pub const fn condition(&self) -> &'static str {
        match self {
            Self::Add { .. } => "windowEnd > :now",
            Self::Start { .. } => {
                "(attribute_not_exists(windowEnd) OR windowEnd <= :now) \
                 AND (attribute_not_exists(bannedUntil) OR bannedUntil <= :now)"
            }
            Self::Ban { .. } => "bans = :before",
        }
    }

    pub fn values(&self) -> Vec<(&'static str, i64)> {
        match *self {
            Self::Add { points, now } => vec![(":points", points.into()), (":now", now)],
            Self::Start { points, now, window_end, bans, expires } => vec![
                (":points", points.into()),
                (":now", now),
                (":windowEnd", window_end),
                (":bans", bans.into()),
                (":expires", expires),
            ],
            Self::Ban { until, bans, before, expires } => vec![
                (":until", until),
                (":bans", bans.into()),
                (":before", before.into()),
                (":expires", expires),
                (":none", 0),
            ],
        }
    }
}
