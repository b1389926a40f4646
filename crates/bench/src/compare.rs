//! Two results beside each other. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Results, parse};
use crate::stats::{Verdict, verdict};
use crate::summary::{Direction, Key, Report, Row};

/// The tables of the worksheet of 2019, as results: a mount of s3fs on EC2, measured once.
const WORKSHEET_2019: &str = include_str!("../data/2019.jsonl");

/// The name by which a command line means [`worksheet_2019`].
pub const NAME_2019: &str = "2019";

/// The results of 2019. Their values are single ones, so that no interval, and no verdict, follows from them.
pub fn worksheet_2019() -> Results {
    parse(WORKSHEET_2019).unwrap_or_default()
}

/// Two values of the same kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    pub first_target: String,
    pub second_target: String,
    #[serde(flatten)]
    pub key: Key,
    /// Medians: MB a second, or seconds of a log-in.
    pub first: f64,
    pub second: f64,
    pub first_interval: Option<(f64, f64)>,
    pub second_interval: Option<(f64, f64)>,
    /// How many times as fast the second is.
    pub ratio: f64,
    /// What is said of the second value.
    pub verdict: Verdict,
}

/// Compares two results: targets of the same name, and those of which one side has only one.
pub fn compare(first: &Report, second: &Report) -> Vec<Pair> {
    let targets = |report: &Report| {
        let mut names: Vec<String> = report.rows.iter().map(|row| row.target.clone()).collect();
        names.sort();
        names.dedup();
        names
    };
    let (ours, theirs) = (targets(first), targets(second));
    let is_pair = |one: &str, other: &str| {
        one == other
            || (ours.len() == 1 && !ours.iter().any(|name| theirs.contains(name)))
            || (theirs.len() == 1 && !theirs.iter().any(|name| ours.contains(name)))
    };
    let mut by_key: BTreeMap<&Key, Vec<&Row>> = BTreeMap::new();
    for row in &first.rows {
        by_key.entry(&row.key).or_default().push(row);
    }
    let mut pairs = Vec::new();
    for row in &second.rows {
        for other in by_key.get(&row.key).into_iter().flatten().filter(|other| is_pair(&other.target, &row.target)) {
            pairs.extend(pair(other, row));
        }
    }
    pairs
}

fn pair(first: &Row, second: &Row) -> Option<Pair> {
    let is_login = first.key.direction == Direction::Login;
    let of = |row: &Row| {
        let summary = if is_login { row.seconds.clone() } else { row.speed.clone() };
        summary.map(|summary| (summary.median, summary.interval))
    };
    let ((one, one_interval), (other, other_interval)) = (of(first)?, of(second)?);
    // Of log-ins, fewer seconds are faster.
    let verdict = if is_login { verdict(other_interval, one_interval) } else { verdict(one_interval, other_interval) };
    Some(Pair {
        first_target: first.target.clone(),
        second_target: second.target.clone(),
        key: first.key.clone(),
        first: one,
        second: other,
        first_interval: one_interval,
        second_interval: other_interval,
        ratio: if is_login { one / other } else { other / one },
        verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Test;

    #[test]
    fn the_worksheet_of_2019_has_its_figures() {
        let report = Report::of(&worksheet_2019());
        let speed = |test, mb: u64, direction, threads| {
            let row = report.rows.iter().find(|row| {
                row.key.test == test
                    && row.key.size.0 == mb * 1_000_000
                    && row.key.direction == direction
                    && row.key.threads == threads
            });
            row.and_then(|row| row.speed.as_ref()).map(|speed| (speed.median * 10.0).round() / 10.0)
        };
        assert_eq!(speed(Test::Sizes, 1, Direction::Get, 1), Some(13.2));
        assert_eq!(speed(Test::Sizes, 10, Direction::GetCached, 1), Some(188.7));
        assert_eq!(speed(Test::Sizes, 5000, Direction::Get, 1), Some(31.7));
        // The mean of the two columns, with cache and without.
        assert_eq!(speed(Test::Sizes, 50, Direction::Put, 1), Some(25.3));
        assert_eq!(speed(Test::Threads, 50, Direction::Put, 1), Some(22.8));
        assert_eq!(speed(Test::Threads, 200, Direction::Put, 10), Some(12.7));
        assert_eq!(report.rows.iter().filter(|row| row.key.test == Test::Sizes).count(), 30);
        assert_eq!(report.rows.iter().filter(|row| row.key.test == Test::Threads).count(), 60);
    }

    #[test]
    fn a_verdict_is_given_only_where_intervals_allow_one() {
        let old = Report::of(&worksheet_2019());
        let same = compare(&old, &old);
        assert_eq!(same.len(), 90);
        assert!(same.iter().all(|pair| pair.verdict == Verdict::NoInterval && (pair.ratio - 1.0).abs() < 1e-9));
        let with = |low: f64, high: f64, target: &str| {
            let mut report = old.clone();
            report.rows.truncate(1);
            report.rows[0].target = target.into();
            let speed = report.rows[0].speed.as_mut().unwrap();
            (speed.median, speed.interval) = (f64::midpoint(low, high), Some((low, high)));
            report
        };
        let word = |one: &Report, other: &Report| compare(one, other)[0].verdict;
        let (slow, fast, wide) = (with(1.0, 2.0, "a"), with(3.0, 4.0, "b"), with(1.5, 3.5, "a"));
        assert_eq!(word(&slow, &fast), Verdict::Faster);
        assert_eq!(word(&fast, &slow), Verdict::Slower);
        assert_eq!(word(&slow, &wide), Verdict::NotShown);
        assert_eq!(word(&old, &fast), Verdict::NoInterval);
    }

    /// Fewer seconds of a log-in are faster, while more MB a second of a transfer are.
    #[test]
    fn a_log_in_that_takes_less_time_is_faster() {
        let with = |seconds: f64| {
            let mut report = Report::of(&worksheet_2019());
            report.rows.truncate(1);
            let row = &mut report.rows[0];
            (row.key.direction, row.speed) = (Direction::Login, None);
            let summary = row.seconds.as_mut().unwrap();
            (summary.median, summary.interval) = (seconds, Some((seconds - 0.1, seconds + 0.1)));
            report
        };
        let (quick, slow) = (with(0.5), with(2.0));
        let of = |one: &Report, other: &Report| {
            let pair = compare(one, other).remove(0);
            (pair.first, pair.second, pair.ratio, pair.verdict)
        };
        assert_eq!(of(&slow, &quick), (2.0, 0.5, 4.0, Verdict::Faster));
        assert_eq!(of(&quick, &slow), (0.5, 2.0, 0.25, Verdict::Slower));
    }
}
