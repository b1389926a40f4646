//! What a plan changes of the bill of a month. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bill::{Amount, Bill, GLOBAL, Line};
use super::money::Usd;
use super::usage::Basis;

/// The difference of one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// A region, or [`GLOBAL`] for what usage divides among the regions.
    pub place: String,
    pub service: String,
    pub item: String,
    /// The smaller and the larger difference, at the lowest and the highest usage.
    pub change: Amount,
}

/// How a bill changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostChange {
    pub before: Amount,
    pub after: Amount,
    pub change: Amount,
    pub lines: Vec<Difference>,
    /// What is new, or is more of it, and could not be priced, one sentence each.
    pub unpriced: Vec<String>,
    /// Whether something of it depends on usage that is only assumed.
    pub is_assumed: bool,
    /// The oldest date of a price that a difference is computed with.
    #[serde(skip)]
    pub oldest_price: Option<String>,
}

impl CostChange {
    /// From one bill to another, both at the same usage.
    pub fn between(before: &Bill, after: &Bill) -> Self {
        let mut all: BTreeMap<(String, String, String), Amount> = BTreeMap::new();
        for line in &before.lines {
            let sum = all.entry(key(line)).or_default();
            *sum = sum.minus(line.exact);
        }
        for line in &after.lines {
            let sum = all.entry(key(line)).or_default();
            *sum = sum.plus(line.exact);
        }
        let total = after.total.minus(before.total);
        let mut rounding = total;
        let mut lines = Vec::new();
        let mut changed = BTreeSet::new();
        for (key, change) in all {
            let change = change.rounded();
            rounding = rounding.minus(change);
            if change != Amount::default() {
                changed.insert(key.clone());
            }
            let (place, service, item) = key;
            lines.push(Difference { place, service, item, change: ascending(change) });
        }
        lines.retain(|line| line.change != Amount::default());
        lines.sort_by_key(|line| std::cmp::Reverse(line.change.high.max(Usd::ZERO - line.change.low)));
        if !lines.is_empty() && rounding != Amount::default() {
            let (place, service, item) =
                (GLOBAL.to_owned(), "Rounding".to_owned(), "of each line to a cent".to_owned());
            lines.push(Difference { place, service, item, change: ascending(rounding) });
        }
        let with = before.lines.iter().chain(&after.lines).filter(|line| changed.contains(&key(line)));
        let assumed = |bill: &Bill| bill.lines.iter().any(|line| line.quantity.basis == Basis::Assumed);
        Self {
            before: before.total,
            after: after.total,
            change: ascending(total),
            is_assumed: !lines.is_empty() && (assumed(before) || assumed(after)),
            lines,
            unpriced: after
                .unpriced
                .iter()
                .filter(|what| what.is_more_than_in(before))
                .map(ToString::to_string)
                .collect(),
            oldest_price: with.filter_map(|line| line.published.clone()).min(),
        }
    }

    /// Whether the bill rises by more than this whatever the usage is.
    pub fn exceeds_at_least(&self, limit: Usd) -> bool {
        self.change.low > limit
    }

    /// Whether the bill may rise by more than this.
    pub fn exceeds(&self, limit: Usd) -> bool {
        self.change.high > limit
    }
}

/// What the environment fixes is compared in its region. What customers do is compared as a whole: a second server only
/// divides it.
fn key(line: &Line) -> (String, String, String) {
    let place = if line.quantity.basis == Basis::Fixed { line.place.clone() } else { GLOBAL.to_owned() };
    (place, line.service.clone(), line.item.clone())
}

/// The smaller difference first: at the lowest usage it may be the larger one.
fn ascending(change: Amount) -> Amount {
    Amount { low: change.low.min(change.high), high: change.low.max(change.high) }
}
