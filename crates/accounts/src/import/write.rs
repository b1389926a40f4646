//! Writes what a review found, conditionally and by the batch, as fast as the table takes it.
//!
//! A new account is three writes in this order: the marker of its home folder, the reservation of its name, its item. A
//! run that is killed between two of them leaves nothing that the next does not complete.

mod exchange;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_aws::{Aws, AwsError, BATCH, Statement};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use tokio::task::JoinSet;

use super::compare::{CREATED, DIGEST, IMPORTED, SOURCE, UPDATED, text};
use super::review::Review;
use super::wanted::{Change, Wanted};
use crate::bulk::execute::{End, execute};
use crate::bulk::pace::{Ended, Pace, is_hopeless};
use crate::bulk::unwritten::Unwritten;
use crate::bulk::watch::{Progress, Watch};
use crate::change::timestamp;
use crate::key::RESERVED_BY;
use crate::store::{AccountError, Accounts};

/// What an import writes besides the items.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Whether each new account gets the empty object that shows its folder before the first upload.
    pub markers: bool,
    /// Whether accounts are deleted that were imported and that the source does not have any more. Their files stay.
    pub deletes: bool,
}

/// The result of the writes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub new: u64,
    pub changed: u64,
    /// Accounts that only got a digest with the present key.
    pub renewed: u64,
    pub deleted: u64,
    /// Writes that the table throttled, and that were sent again.
    pub throttled: u64,
    /// Accounts that another writer has created or changed since the review: they are left as they are.
    pub overtaken: u64,
    /// Accounts that could not be written.
    pub failed: u64,
    /// The first of both; the review has all of them.
    pub missed: Vec<Missed>,
    /// Whether the run was asked to stop before its end.
    pub interrupted: bool,
}

/// An account that was to be written, and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// Its row in the source, from 1; 0 for an account that the source does not have any more.
    pub row: u64,
    /// Where the row is, as a person finds it.
    pub place: String,
    #[serde(flatten)]
    pub account: Unwritten,
    /// Whether another writer has created or changed the account.
    pub overtaken: bool,
}

/// Accounts that [`Written`] names.
const NAMED: usize = 1_000;

/// What a batch came to.
#[derive(Debug, Default)]
struct Batch {
    new: u64,
    changed: u64,
    renewed: u64,
    deleted: u64,
    throttled: u64,
    missed: Vec<Missed>,
}

/// Writes what a review found.
///
/// # Errors
/// A temporary file cannot be read. What AWS refuses is in the result.
pub async fn write(
    review: &mut Review,
    (aws, environment): (&Arc<Aws>, &Environment),
    choices: Choices,
    watch: &dyn Watch,
) -> io::Result<Written> {
    let writer = Arc::new(Writer {
        accounts: Accounts::new(Arc::clone(aws), environment),
        aws: Arc::clone(aws),
        account: environment.account.clone(),
        regions: environment
            .clusters
            .iter()
            .map(|(name, cluster)| (names::upload_bucket(environment, name), cluster.region.clone()))
            .collect(),
        now: timestamp(),
        choices,
    });
    let deletions = if choices.deletes { review.counts.removed } else { 0 };
    let of = review.counts.new + review.counts.changed + review.counts.renewed + deletions;
    let (mut pace, mut result) = (Pace::new(), Written::default());
    let mut chains = std::mem::take(&mut review.chains).into_iter();
    let mut new = review.new.all();
    let mut changed = review.changed.all();
    let mut removed = review.removed.all();
    loop {
        let failed = usize::try_from(result.failed).unwrap_or(usize::MAX);
        let stopping = watch.is_stopping() || is_hopeless(failed, result.done() - result.unwritten(), of);
        if !stopping && pace.has_room() {
            if let Some(chain) = chains.next() {
                let writer = Arc::clone(&writer);
                pace.spawn(async move { writer.exchange(chain).await });
                continue;
            }
            let batch = new.take(BATCH)?;
            if !batch.is_empty() {
                let writer = Arc::clone(&writer);
                pace.spawn(async move { writer.add(batch).await });
                continue;
            }
            let batch = changed.take(BATCH)?;
            if !batch.is_empty() {
                let writer = Arc::clone(&writer);
                pace.spawn(async move { writer.change(batch).await });
                continue;
            }
            let batch = if choices.deletes { removed.take(BATCH)? } else { Vec::new() };
            if !batch.is_empty() {
                let writer = Arc::clone(&writer);
                pace.spawn(async move { writer.remove(batch).await });
                continue;
            }
        }
        let Some(ended) = pace.next().await? else {
            result.interrupted = watch.is_stopping() && result.done() < of;
            return Ok(result);
        };
        for missed in &ended.missed {
            review.missed.push(&missed.row.to_be_bytes(), missed)?;
        }
        result.add(ended);
        watch.progress(Progress::Writing {
            done: result.done(),
            of,
            throttled: result.throttled,
            at_once: pace.at_once(),
        });
    }
}

impl Ended for Batch {
    fn throttled(&self) -> u64 {
        self.throttled
    }
}

impl Batch {
    /// Counts a change.
    fn count(&mut self, change: &Change) {
        let counter = if change.attributes.is_empty() { &mut self.renewed } else { &mut self.changed };
        *counter += 1;
    }

    /// Keeps an account that could not be written.
    fn failed(&mut self, of: &Of<'_>, why: impl Into<String>) {
        self.miss(of, why.into(), false);
    }

    /// Keeps an account that another writer has created or changed.
    fn overtaken(&mut self, of: &Of<'_>, why: impl Into<String>) {
        self.miss(of, why.into(), true);
    }

    fn miss(&mut self, of: &Of<'_>, why: String, overtaken: bool) {
        let account = Unwritten::new(of.item, why);
        self.missed.push(Missed { row: of.row, place: of.place.to_owned(), account, overtaken });
    }
}

/// An account that is written: its row, and its item.
struct Of<'a> {
    row: u64,
    place: &'a str,
    item: &'a Item,
}

impl<'a> Of<'a> {
    fn change(change: &'a Change) -> Self {
        Self { row: change.number, place: &change.place, item: &change.row }
    }

    fn item(item: &'a Item) -> Self {
        Self { row: 0, place: "", item }
    }
}

/// A new account: its row, and its item with the times.
#[derive(Clone)]
struct Added {
    row: u64,
    place: String,
    item: Item,
}

impl Added {
    fn of(&self) -> Of<'_> {
        Of { row: self.row, place: &self.place, item: &self.item }
    }
}

/// The condition that there is no item.
const NEW: &str = "attribute_not_exists(orgid)";

impl Written {
    fn add(&mut self, ended: Batch) {
        self.new += ended.new;
        self.changed += ended.changed;
        self.renewed += ended.renewed;
        self.deleted += ended.deleted;
        self.throttled += ended.throttled;
        for missed in ended.missed {
            *(if missed.overtaken { &mut self.overtaken } else { &mut self.failed }) += 1;
            if self.missed.len() < NAMED {
                self.missed.push(missed);
            }
        }
    }

    /// Accounts that were not written.
    fn unwritten(&self) -> u64 {
        self.overtaken + self.failed
    }

    fn done(&self) -> u64 {
        self.new + self.changed + self.renewed + self.deleted + self.unwritten()
    }
}

struct Writer {
    accounts: Accounts,
    aws: Arc<Aws>,
    /// The AWS account, which owns the buckets.
    account: String,
    /// The region of each upload bucket.
    regions: HashMap<String, String>,
    /// The time of this run's writes.
    now: String,
    choices: Choices,
}

impl Writer {
    /// The items of new accounts, with the time.
    fn added(&self, wanted: impl IntoIterator<Item = Wanted>) -> Vec<Added> {
        let with_times = |wanted: Wanted| {
            let mut item = wanted.item?;
            for name in [CREATED, UPDATED, IMPORTED] {
                item.insert(name.to_owned(), Attribute::Text(self.now.clone()));
            }
            Some(Added { row: wanted.row, place: wanted.place, item })
        };
        wanted.into_iter().filter_map(with_times).collect()
    }

    /// Adds a batch of accounts.
    async fn add(&self, wanted: Vec<Wanted>) -> Batch {
        let mut result = Batch::default();
        let added = self.with_markers(self.added(wanted), &mut result).await;
        let reservations = added.iter().map(|added| Statement::Insert(self.reservation_of(&added.item))).collect();
        let reserved = execute(&self.accounts, reservations, &mut result.throttled).await;
        let (mut free, mut slow) = (Vec::new(), Vec::new());
        for (added, end) in added.into_iter().zip(reserved) {
            match end {
                End::Done => free.push(added),
                End::Taken => slow.push(added),
                End::Failed(why) => result.failed(&added.of(), why),
            }
        }
        let inserts = free.iter().map(|added| Statement::Insert(added.item.clone())).collect();
        let ends = execute(&self.accounts, inserts, &mut result.throttled).await;
        for (added, end) in free.into_iter().zip(ends) {
            match end {
                End::Done => result.new += 1,
                End::Taken => self.compare_with_found(added, &mut result).await,
                End::Failed(why) => result.failed(&added.of(), why),
            }
        }
        for added in slow {
            self.add_alone(added, &mut result).await;
        }
        result
    }

    fn reservation_of(&self, item: &Item) -> Item {
        let org_id = item.get("orgid").cloned().unwrap_or(Attribute::Other);
        self.accounts.key().reservation(text(item, "username").unwrap_or_default(), org_id)
    }

    /// The item that is in the table under the key of another.
    async fn found(&self, item: &Item) -> Result<Option<Item>, AwsError> {
        self.accounts.home().item(self.accounts.table(), &self.accounts.key().key_of_item(item)).await
    }

    /// Puts the marker of each account's folder, and returns the accounts that have one.
    async fn with_markers(&self, added: Vec<Added>, result: &mut Batch) -> Vec<Added> {
        if !self.choices.markers {
            return added;
        }
        let mut puts = JoinSet::new();
        for (index, added) in added.iter().enumerate() {
            let home = text(&added.item, "HomeDirectory").and_then(sftp_authorizer::home::Home::parse);
            let region = home.as_ref().and_then(|home| self.regions.get(&home.bucket));
            if let (Some(home), Some(region)) = (home, region) {
                let (s3, account) = (self.aws.s3(region), self.account.clone());
                let marker = format!("{}/", home.folder);
                puts.spawn(async move { (index, s3.put_object(&home.bucket, &marker, Vec::new(), &account).await) });
            }
        }
        let mut refused: HashMap<usize, AwsError> = HashMap::new();
        while let Some(put) = puts.join_next().await {
            if let Ok((index, Err(error))) = put {
                refused.insert(index, error);
            }
        }
        let mut kept = Vec::new();
        for (index, added) in added.into_iter().enumerate() {
            match refused.remove(&index) {
                Some(error) => result.failed(&added.of(), format!("its home folder: {error}")),
                None => kept.push(added),
            }
        }
        kept
    }

    /// Adds an account whose name is reserved already: by a run that was killed, or by an account that is gone.
    async fn add_alone(&self, added: Added, result: &mut Batch) {
        let account = match Account::from_item(&added.item) {
            Ok(account) => account,
            Err(error) => return result.failed(&added.of(), error.to_string()),
        };
        match self.accounts.add_over_reservation(&account, &added.item).await {
            Ok(()) => result.new += 1,
            Err(AccountError::OrgTaken(_)) => self.compare_with_found(added, result).await,
            Err(error @ AccountError::NameTaken(_)) => result.overtaken(&added.of(), error.to_string()),
            Err(error) => result.failed(&added.of(), error.to_string()),
        }
    }

    /// After a refused INSERT: the item that is there is this one if an earlier attempt of it was carried out.
    async fn compare_with_found(&self, added: Added, result: &mut Batch) {
        match self.found(&added.item).await {
            Ok(Some(found)) if found == added.item => result.new += 1,
            Ok(_) => result.overtaken(&added.of(), "the organisation was given an account by another writer"),
            Err(error) => result.failed(&added.of(), error.to_string()),
        }
    }

    /// Changes a batch of accounts. What a statement cannot do alone is done by transaction: a new name, which is reserved,
    /// and the removal of attributes.
    async fn change(&self, changes: Vec<Change>) -> Batch {
        let mut result = Batch::default();
        let (alone, together): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|change| {
            change.is_renamed() || change.attributes.iter().any(|name| !change.row.contains_key(name))
        });
        let updates = together.iter().map(|change| self.update(change)).collect();
        let ends = execute(&self.accounts, updates, &mut result.throttled).await;
        for (change, end) in together.into_iter().zip(ends) {
            match end {
                End::Done => result.count(&change),
                End::Taken => self.compare_with_changed(&change, &mut result).await,
                End::Failed(why) => result.failed(&Of::change(&change), why),
            }
        }
        for change in alone {
            match self.accounts.change_imported(&change.item, &self.set(&change)).await {
                Ok(()) => result.count(&change),
                Err(AccountError::Changed(_)) => self.compare_with_changed(&change, &mut result).await,
                Err(error) => result.failed(&Of::change(&change), error.to_string()),
            }
        }
        result
    }

    /// The attributes that a change sets; without a value, removes.
    fn set(&self, change: &Change) -> Vec<(String, Option<Attribute>)> {
        let now = || Some(Attribute::Text(self.now.clone()));
        let own = change.attributes.iter().map(|name| (name.clone(), change.row.get(name).cloned()));
        let kept = [DIGEST, SOURCE].map(|name| (name.to_owned(), change.row.get(name).cloned()));
        own.chain(kept).chain([(UPDATED.to_owned(), now()), (IMPORTED.to_owned(), now())]).collect()
    }

    fn update(&self, change: &Change) -> Statement {
        let set = self.set(change).into_iter().filter_map(|(name, value)| Some((name, value?)));
        let expected = ["orgid", "username", UPDATED];
        let expected = expected.map(|name| (name.to_owned(), change.item.get(name).cloned()));
        Statement::Update { set: set.collect(), expected: expected.into() }
    }

    /// After a refused change: the item has it already if an earlier attempt was carried out.
    async fn compare_with_changed(&self, change: &Change, result: &mut Batch) {
        match self.found(&change.item).await {
            Ok(Some(found)) if self.has_all(&found, change) => result.count(change),
            Ok(_) => result.overtaken(&Of::change(change), "the account was changed by another writer"),
            Err(error) => result.failed(&Of::change(change), error.to_string()),
        }
    }

    /// Whether an item has what a change sets.
    fn has_all(&self, found: &Item, change: &Change) -> bool {
        self.set(change).iter().all(|(name, value)| found.get(name) == value.as_ref())
    }

    /// Deletes a batch of accounts that are still as they were read, and frees their names.
    async fn remove(&self, items: Vec<Item>) -> Batch {
        let mut result = Batch::default();
        let expected = |item: &Item| {
            let names = ["orgid", "username", UPDATED];
            names.map(|name| (name.to_owned(), item.get(name).cloned())).into()
        };
        let deletions = items.iter().map(|item| Statement::Delete { expected: expected(item) }).collect();
        let ends = execute(&self.accounts, deletions, &mut result.throttled).await;
        let mut gone = Vec::new();
        for (item, end) in items.into_iter().zip(ends) {
            match end {
                End::Done => gone.push(item),
                End::Taken => match self.found(&item).await {
                    // An earlier attempt of this deletion was carried out.
                    Ok(None) => gone.push(item),
                    Ok(Some(_)) => result.overtaken(&Of::item(&item), "the account was changed by another writer"),
                    Err(error) => result.failed(&Of::item(&item), error.to_string()),
                },
                End::Failed(why) => result.failed(&Of::item(&item), why),
            }
        }
        // This may fail: the next account with the name takes over a stale reservation.
        let reserved = |item: &Item| {
            let mut expected: Vec<_> = self
                .accounts
                .key()
                .reservation_key(text(item, "username").unwrap_or_default())
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect();
            expected.push((RESERVED_BY.to_owned(), item.get("orgid").cloned()));
            Statement::Delete { expected }
        };
        execute(&self.accounts, gone.iter().map(reserved).collect(), &mut result.throttled).await;
        result.deleted += gone.len() as u64;
        result
    }
}
