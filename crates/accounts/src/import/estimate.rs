//! The time and money that writing a review takes, before the first write. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sftp_authorizer::home::Home;
use sftp_authorizer::{Attribute, Item};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::compare::{HOME, text};
use super::wanted::Change;
use crate::prices;

/// Write units a second that a new on-demand table takes at once, and so does its index (DynamoDB developer guide,
/// "On-demand capacity mode", "Initial throughput").
pub const WRITE_UNITS_PER_SECOND: u64 = 4_000;
/// Bytes of a write unit (DynamoDB developer guide, "Write request units").
const UNIT: usize = 1024;
/// Bytes of the attributes that a write adds to a row: `createdAt`, `updatedAt`, `importedAt`.
const TIMES: usize = 3 * (10 + 27);
/// Write units of the item that reserves a user name.
const RESERVATION: u64 = 1;

/// What is written to the table in one region, in write units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Units {
    table: u64,
    /// Of the index on user names, which has every attribute.
    index: u64,
}

/// The work of a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    changes: Units,
    deletions: Units,
    /// Home folders of new accounts, and of those that get another one, by bucket.
    folders: BTreeMap<String, u64>,
}

impl Work {
    /// An account that is added. `is_indexed` says whether the item that reserves its name is in the index.
    pub(super) fn add(&mut self, row: &Item, is_indexed: bool) {
        let units = units(bytes(row) + TIMES);
        self.changes.table += units + RESERVATION;
        self.changes.index += units + if is_indexed { RESERVATION } else { 0 };
        self.folder(row, true);
    }

    /// The home folder of an account, if it is another than before.
    fn folder(&mut self, row: &Item, is_other: bool) {
        if let Some(home) = text(row, HOME).and_then(Home::parse).filter(|_| is_other) {
            *self.folders.entry(home.bucket).or_default() += 1;
        }
    }

    /// An account that is changed. A new user name is written in a transaction, which counts twice, with two
    /// reservations, and moves the account in the index. Accounts whose folders pass on are written in transactions, too; of
    /// them there are few, and they are estimated as others.
    pub(super) fn change(&mut self, change: &Change) {
        let units = units(bytes(&change.row) + TIMES).max(units(bytes(&change.item)));
        let is_renamed = change.is_renamed();
        self.changes.table += if is_renamed { 2 * (units + 2 * RESERVATION) } else { units };
        self.changes.index += if is_renamed { 2 * units } else { units };
        self.folder(&change.row, change.is_moved());
    }

    /// An account that is deleted, with the reservation of its name.
    pub(super) fn delete(&mut self, item: &Item) {
        let units = units(bytes(item));
        self.deletions.table += units + RESERVATION;
        self.deletions.index += units;
    }

    /// A reservation that is deleted in a transaction, which counts twice, with the check of its account.
    pub(super) fn free(&mut self) {
        self.deletions.table += 2 * (RESERVATION + 1);
    }

    /// The estimate for an environment and a table that takes so many write units a second; `folders` and `deletes` as in
    /// [`super::write::Choices`].
    pub(super) fn estimate(&self, (environment, rate): (&Environment, u64), folders: bool, deletes: bool) -> Estimate {
        let rate = rate.max(1);
        let deletions = if deletes { self.deletions } else { Units::default() };
        let (table, index) = (self.changes.table + deletions.table, self.changes.index + deletions.index);
        // Not in the file's list, perhaps, but it always has the table.
        let mut regions: BTreeSet<&str> = environment.table.regions.iter().map(String::as_str).collect();
        regions.insert(&environment.home_region);
        let usd = regions.iter().map(|region| prices::write_units(region, table + index)).sum::<Option<f64>>();
        let counts = self.folders.iter().filter(|_| folders);
        let region_of = |bucket: &str| names::cluster_of(environment, bucket).map(|(_, of)| of.region.as_str());
        let put = |(bucket, count): (&String, &u64)| prices::puts(region_of(bucket)?, *count);
        Estimate {
            write_units: table + index,
            regions: regions.len() as u64,
            usd,
            folders: counts.clone().map(|(_, count)| count).sum(),
            folders_usd: counts.map(put).try_fold(0.0, |sum, usd| Some(sum + usd?)),
            seconds: table.max(index).div_ceil(rate),
            write_units_per_second: rate,
            prices_of: prices::OF,
        }
    }
}

/// The time and money of the writes. It assumes an on-demand table of class Standard whose index has every attribute,
/// and no taxes, discounts, throttled or repeated writes; reading the table costs little besides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Of the table and its index, in each region.
    pub write_units: u64,
    /// Regions with a replica, the home region among them.
    pub regions: u64,
    /// Of the write units in all regions; absent if a region's price is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Empty objects that show home folders.
    pub folders: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folders_usd: Option<f64>,
    /// At least, at this rate.
    pub seconds: u64,
    pub write_units_per_second: u64,
    /// When the prices were read.
    pub prices_of: &'static str,
}

/// The size of an item (DynamoDB developer guide, "DynamoDB Item sizes and formats").
fn bytes(item: &Item) -> usize {
    let value = |value: &Attribute| match value {
        Attribute::Text(text) => text.len(),
        Attribute::Number(digits) => digits.len().div_ceil(2) + 1,
        Attribute::Texts(texts) => texts.iter().map(|text| text.len() + 1).sum::<usize>() + 3,
        Attribute::Other => 0,
    };
    item.iter().map(|(name, of)| name.len() + value(of)).sum()
}

fn units(bytes: usize) -> u64 {
    bytes.div_ceil(UNIT).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        sftpctl_core::spec::load(include_str!("../../../../environments/99.yaml"), "99.yaml").unwrap()
    }

    fn row(password: usize) -> Item {
        let text = |text: &str| Attribute::Text(text.to_owned());
        [
            ("orgid".to_owned(), Attribute::Number("17578".into())),
            ("username".to_owned(), text("jan")),
            ("password".to_owned(), text(&"x".repeat(password))),
            ("HomeDirectory".to_owned(), text("/pl-pt99-0-uploads/17578")),
        ]
        .into()
    }

    #[test]
    fn a_million_accounts_in_three_regions() {
        let mut work = Work::default();
        (0..1_000).for_each(|_| work.add(&row(40), false));
        let of = |count: u64| u64::from(1_000_u32) * count;
        let of_99 = environment();
        let estimate = work.estimate((&of_99, WRITE_UNITS_PER_SECOND), true, false);
        // Item and reservation, and the item in the index.
        assert_eq!((estimate.write_units, estimate.regions, estimate.seconds), (of(3), 3, 1));
        assert!((estimate.usd.unwrap() - 3.0 * 0.003 * 0.625).abs() < 1e-9, "{estimate:?}");
        assert_eq!(estimate.folders, 1_000);
        assert!((estimate.folders_usd.unwrap() - 0.005).abs() < 1e-9, "{estimate:?}");
        assert_eq!(work.estimate((&of_99, 500), true, false).seconds, 4);
        let without = work.estimate((&of_99, WRITE_UNITS_PER_SECOND), false, false);
        assert_eq!((without.folders, without.folders_usd), (0, Some(0.0)));
        assert!(without.folders_usd.is_some_and(f64::is_sign_positive), "not -0.0");
        let mut elsewhere = environment();
        elsewhere.table.regions.push("mars-1".into());
        assert_eq!(work.estimate((&elsewhere, WRITE_UNITS_PER_SECOND), true, false).usd, None);
    }

    #[test]
    fn large_items_renames_and_deletions_cost_more() {
        let of = environment();
        let estimated = |work: &Work, deletes| work.estimate((&of, 4_000), true, deletes).write_units;
        let mut work = Work::default();
        work.add(&row(1_000), true);
        assert_eq!(estimated(&work, false), (2 + 1) + (2 + 1), "two units, and a reservation that is in the index");
        let change = |name: &str| Change {
            number: 1,
            place: String::new(),
            written: None,
            row: row(40),
            item: row(40),
            attributes: vec![name.to_owned()],
            is_newer: false,
        };
        let mut work = Work::default();
        work.change(&change("password"));
        assert_eq!(estimated(&work, false), 1 + 1);
        work.change(&change("username"));
        assert_eq!(estimated(&work, false), 2 + 2 * 3 + 2);
        let mut work = Work::default();
        work.delete(&row(40));
        assert_eq!((estimated(&work, false), estimated(&work, true)), (0, 3));
    }
}
