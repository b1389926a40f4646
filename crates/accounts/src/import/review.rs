//! What an import would do, found out before anything is written.
//!
//! Rows and items are put on disk in parts by their keys, and compared part by part, so that memory does not grow with
//! their number: a hash join on disk. [`reading`](super::reading) and [`held`](super::held) are its two sides,
//! [`claims`](super::claims) and [`decide`](super::decide) the comparison.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::Item;
use sftpctl_aws::AwsError;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::{counted, either};

use super::admission::Admission;
use super::check::Rules;
use super::claims::{compare_folders, compare_names};
use super::compare::{HOME, Terms};
use super::decide::compare_accounts;
use super::differences::Difference;
use super::digest::DigestKey;
use super::estimate::{Estimate, Work};
use super::held::{Held, held};
use super::moves::{Chain, Moves};
use super::old_folders::note_shared;
use super::reading::{Form, Read, read};
use super::rejected::{Reason, Rejected, Whose};
use super::row::{Remark, Rows, RowsError};
use super::wanted::{Change, Claim, Wanted};
use super::write::{Choices, Missed};
use crate::bulk::watch::{Progress, Watch};
use crate::key::TableKey;
use crate::password::HashError;
use crate::spill::{PARTS, Spill};
use crate::store::Accounts;

/// Samples that are kept of each outcome.
const SAMPLES: usize = 5;

/// How an import compares.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    pub rules: Rules<'a>,
    pub key: DigestKey,
    /// Whether the source wins where row and item have both changed.
    pub overwrite: bool,
    /// The name of the source, which its accounts keep.
    pub source: String,
    /// The name that earlier versions gave to this source, and to others: accounts with it may be this source's.
    pub former_source: Option<String>,
    /// Whether accounts are deleted that were imported and that the source does not have any more.
    pub deletes: bool,
    /// The command that deletes them, for hints.
    pub sync: String,
    /// Whether the table is there; without one, every account is new.
    pub has_table: bool,
}

/// A review could not be made; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    #[error(transparent)]
    Source(#[from] RowsError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A temporary file could not be written or read.
    #[error("a temporary file could not be used: {0}")]
    Spill(#[from] io::Error),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error("interrupted; nothing was written")]
    Interrupted,
}

/// A remark on a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noted {
    /// From 1.
    pub row: u64,
    pub place: String,
    pub whose: Whose,
    #[serde(flatten)]
    pub remark: Remark,
}

/// How many rows have which outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows of the source.
    pub read: u64,
    /// Accounts that the table does not have.
    pub new: u64,
    /// Accounts that differ, and whose rows have changed since the last import.
    pub changed: u64,
    /// Accounts that the table has as the source has them.
    pub same: u64,
    /// Of these, accounts whose digest is written anew, because it is of another key or another form of the row.
    pub renewed: u64,
    /// Accounts that were changed in the table after the last import, and stay as they are.
    pub newer: u64,
    /// Rows whose accounts an operator has removed from the table; they are not brought back.
    pub kept_out: u64,
    /// Rows that are not imported.
    pub rejected: u64,
    /// Accounts of the table that were imported, and that the source does not have any more.
    pub removed: u64,
    /// User names that are reserved for accounts that are gone; counted if the source has its accounts deleted.
    pub stale_reservations: u64,
    /// Accounts of the table that were imported, and that only a rejected row may be about; they are not deleted.
    pub spared: u64,
    /// Rejected rows that do not say which account they are about: it may be any, and nothing is deleted.
    pub nameless: u64,
    /// Accounts that were imported and then changed in the table, and that the source does not have any more.
    pub removed_but_newer: u64,
    /// Accounts of the table that other sources brought, and that this one does not have.
    pub of_other_sources: u64,
    /// Accounts of the table that were never imported, and that the source does not have.
    pub only_in_table: u64,
    /// Accepted rows whose user name has capital letters, where names are compared exactly.
    pub capitals: u64,
    /// Rows whose user name differs only by case from another row's, or from one of the table.
    pub case_variants: u64,
    /// New accounts with which nobody can log in: ended, or limited to regions without a server.
    pub shut_out: u64,
    /// Accounts of the table with the name that earlier versions gave to this source.
    pub of_former_name: u64,
    /// Accounts, of those that are changed, whose home folder becomes another one.
    pub folder_changed: u64,
}

/// The result of a review: what would be written, and what not.
pub struct Review {
    pub counts: Counts,
    /// Rejected rows by reason; a row with several is counted for each.
    pub reasons: BTreeMap<Reason, u64>,
    /// Some accounts of each outcome: `new`, `changed`, `same`, `newer`, `kept-out`, `rejected`, `removed`,
    /// `stale-reservations`, `spared`,
    /// `removed-but-newer`, `of-other-sources`, `only-in-table`, `capitals`,
    /// `case-variants`, `shut-out`.
    pub samples: BTreeMap<&'static str, Vec<String>>,
    /// What the operator should know about the source as a whole.
    pub remarks: Vec<String>,
    pub(super) admission: Admission,
    /// The first rejected rows, by their numbers, until the comparison ends.
    pub(super) first_rejected: BTreeMap<u64, String>,
    pub(super) work: Work,
    /// Whether the items that reserve user names are in the index.
    pub(super) is_indexed: bool,
    pub(super) new: Spill<Wanted>,
    pub(super) changed: Spill<Change>,
    /// Accounts whose names pass from one to the other.
    pub(super) chains: Vec<Chain>,
    /// Those that begin with the name of an account that is deleted.
    pub(super) after_deletions: Vec<Chain>,
    pub(super) removed: Spill<Item>,
    /// Accounts that are gone, and whose names are still reserved.
    pub(super) reserved: Spill<Item>,
    pub(super) rejected: Spill<Rejected>,
    pub(super) noted: Spill<Noted>,
    /// What becomes of the accounts in `changed` and in the chains, for the report.
    pub(super) differing: Spill<Difference>,
    /// Accounts that were to be written, and were not.
    pub(super) missed: Spill<Missed>,
}

impl std::fmt::Debug for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Review").field("counts", &self.counts).field("reasons", &self.reasons).finish_non_exhaustive()
    }
}

impl Review {
    /// Calls `take` with every rejection, in the order of the source.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn rejected(&mut self, take: impl FnMut(&Rejected)) -> io::Result<()> {
        in_order(&mut self.rejected, self.counts.read, |rejected| rejected.row, take)
    }

    /// Calls `take` with every remark, in the order of the source.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn noted(&mut self, take: impl FnMut(&Noted)) -> io::Result<()> {
        in_order(&mut self.noted, self.counts.read, |noted| noted.row, take)
    }

    /// Calls `take` with every account that was to be written and was not, in the order of the source.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn missed(&mut self, take: impl FnMut(&Missed)) -> io::Result<()> {
        in_order(&mut self.missed, self.counts.read, |missed| missed.row, take)
    }

    /// What the writes take; `choices` says which, and the table takes so many write units a second.
    pub fn estimate(&self, environment: &Environment, rate: u64, choices: Choices) -> Estimate {
        self.work.estimate((environment, rate), choices.markers, choices.deletes)
    }

    /// Keeps a remark on a row.
    pub(super) fn note(&mut self, (row, place): (u64, &str), whose: Whose, remark: Remark) -> io::Result<()> {
        self.noted.push(&row.to_be_bytes(), &Noted { row, place: place.to_owned(), whose, remark })
    }

    pub(super) fn sample(&mut self, of: &'static str, words: impl FnOnce() -> String) {
        let samples = self.samples.entry(of).or_default();
        if samples.len() < SAMPLES {
            samples.push(sampled(&words()));
        }
    }

    /// Keeps a rejected row if it is one of the first of the source: rows are compared in another order.
    pub(super) fn sample_rejected(&mut self, row: u64, words: impl FnOnce() -> String) {
        let first = &mut self.first_rejected;
        if first.len() >= SAMPLES && first.last_key_value().is_some_and(|(last, _)| *last <= row) {
            return;
        }
        first.entry(row).or_insert_with(|| sampled(&words()));
        if first.len() > SAMPLES {
            first.pop_last();
        }
    }
}

/// A sample, without what may not be told.
fn sampled(words: &str) -> String {
    words.split(' ').map(super::rejected::shown).collect::<Vec<_>>().join(" ")
}

/// Reads records in the order of their rows, with a part of them in memory.
pub(super) fn in_order<T: Serialize + serde::de::DeserializeOwned>(
    spill: &mut Spill<T>,
    rows: u64,
    row: impl Fn(&T) -> u64,
    mut take: impl FnMut(&T),
) -> io::Result<()> {
    let mut ordered = Spill::new()?;
    for part in 0..PARTS {
        for record in spill.read(part)? {
            let record = record?;
            let place = row(&record).saturating_sub(1).saturating_mul(PARTS as u64) / rows.max(1);
            ordered.push_to(usize::try_from(place).unwrap_or(usize::MAX), &record)?;
        }
    }
    for part in 0..PARTS {
        let mut records = ordered.read(part)?.collect::<io::Result<Vec<T>>>()?;
        records.sort_by_key(|record| row(record));
        records.iter().for_each(&mut take);
    }
    Ok(())
}

/// Reads the source and the table, checks every row, and compares.
///
/// # Errors
/// Source or table could not be read to their ends, or the review was interrupted.
pub async fn review(
    rows: &mut dyn Rows,
    accounts: &Accounts,
    options: &Options<'_>,
    watch: &dyn Watch,
) -> Result<Review, ReviewError> {
    let terms = terms(rows, options);
    let held = async {
        match options.has_table {
            true => held(accounts, &terms.key, options.deletes, watch).await,
            false => Ok(Held::new()?),
        }
    };
    let (read, held) = tokio::try_join!(read(rows, options, &terms, accounts.key(), watch), held)?;
    watch.progress(Progress::Comparing);
    compared(read, held, rows.remarks(), options, (&terms, accounts.key()), watch).await
}

/// What the rows of this source are compared by.
pub(super) fn terms(rows: &dyn Rows, options: &Options<'_>) -> Terms {
    let mut attributes: Vec<&'static str> = rows.attributes().into_iter().map(super::row::Field::attribute).collect();
    attributes.push(HOME);
    attributes.sort_unstable();
    attributes.dedup();
    attributes.retain(|name| *name != "orgid");
    Terms {
        key: options.key.clone(),
        attributes,
        overwrite: options.overwrite,
        source: options.source.clone(),
        former: options.former_source.clone(),
    }
}

/// Keeps a note for each row whose user name differs from others only by case: `names`, of the source and the table.
fn note_variants(review: &mut Review, claims: &[&Claim], names: &[&str]) -> io::Result<()> {
    review.counts.case_variants += claims.len() as u64;
    review.sample("case-variants", || names.join(", "));
    for claim in claims {
        let others: Vec<&str> = names.iter().filter(|name| **name != claim.name).take(SAMPLES).copied().collect();
        let why = format!("it differs only by case from {}, and each is another customer's", others.join(", "));
        let before = super::rejected::shown(claim.written.as_ref().unwrap_or(&claim.name));
        let remark = Remark { column: "username".to_owned(), before, after: String::new(), why };
        review.note((claim.row, &claim.place), Whose::new(claim.org_id, Some(&claim.name)), remark)?;
    }
    Ok(())
}

/// Compares the source with the table.
pub(super) async fn compared(
    read: Read,
    held: Held,
    remarks: Vec<String>,
    options: &Options<'_>,
    (terms, key): (&Terms, TableKey),
    watch: &dyn Watch,
) -> Result<Review, ReviewError> {
    let Read { wanted, claims, folders, old_folders, mut rejected, noted, mut absent, counts, forms } = read;
    let forms = forms.into_iter().map(|(why, Form { count, sample })| {
        let (values, were) = (counted(count, "value"), either(count, "was", "were"));
        format!("{values} {were} taken in another form: {why}, such as {sample}")
    });
    let mut review = Review {
        counts,
        reasons: BTreeMap::new(),
        samples: BTreeMap::new(),
        remarks: remarks.into_iter().chain(forms).collect(),
        admission: Admission::of(options.rules.environment, jiff::Timestamp::now().as_second()),
        first_rejected: BTreeMap::new(),
        work: Work::default(),
        is_indexed: key.has_name(),
        new: Spill::new()?,
        changed: Spill::new()?,
        chains: Vec::new(),
        after_deletions: Vec::new(),
        differing: Spill::new()?,
        missed: Spill::new()?,
        removed: Spill::new()?,
        reserved: Spill::new()?,
        rejected: Spill::new()?,
        noted,
    };
    let mut moves = Moves::new(key);
    let variants = |claims: &[&Claim], names: &[&str]| note_variants(&mut review, claims, names);
    compare_names(claims, held.claims, &mut rejected, &mut absent, (Some(&mut moves), variants))?;
    note_shared(old_folders, &mut review)?;
    compare_folders([folders, held.folders], &mut rejected, &mut absent, Some(&mut moves.homes))?;
    let other_key = held.other_key;
    let held = (held.items, held.removals, held.reserved);
    compare_accounts(wanted, held, rejected, (terms, key), (&mut absent, &mut moves), (&mut review, watch)).await?;
    moves.settle(&mut review, &mut absent, (options.deletes, &options.sync))?;
    absent.settle(&mut review)?;
    let rejected: Vec<String> = std::mem::take(&mut review.first_rejected).into_values().collect();
    if !rejected.is_empty() {
        review.samples.insert("rejected", rejected);
    }
    if review.counts.folder_changed > 0 {
        let (count, samples) = (review.counts.folder_changed, review.samples.get("folder-changed"));
        review.remarks.push(format!(
            "the home folder of {} becomes another one: {}. Only the account is changed: the files stay in the old folder, \
             and have to be copied. --report FILE has each account with its old and its new folder",
            counted(count, "account"),
            samples.map(|samples| samples.join("; ")).unwrap_or_default()
        ));
    }
    if let Some(former) = options.former_source.as_ref().filter(|_| review.counts.of_former_name > 0) {
        let name = shell_word(former);
        review.remarks.push(format!(
            "{} of the table {} the source's name `{former}`, which earlier versions gave to every source with that last \
             part: to this run they are another source's, are not deleted, and differ only in rejected rows. If this is \
             the source that brought them, always pass --source-name {name}",
            counted(review.counts.of_former_name, "account"),
            either(review.counts.of_former_name, "has", "have"),
        ));
    }
    if other_key > 0 {
        review.remarks.push(format!(
            "{} {} imported with another digest key than the one beside this state \
             ({}.accounts.key): check --state, or restore the key from a backup. Without it, hardened passwords are \
             compared by computing them, and an account that was changed in the table counts as a conflict",
            counted(other_key, "account"),
            either(other_key, "was", "were"),
            options.rules.environment.name
        ));
    }
    Ok(review)
}
