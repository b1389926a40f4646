//! Writes what a review found, conditionally and by the batch, as fast as the table takes it.
//!
//! A new account is three writes in this order: the marker of its home folder, the reservation of its name, its item. A
//! run that is killed between two of them leaves nothing that the next does not complete.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
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
    pub overtaken: Vec<Unwritten>,
    /// Accounts that could not be written.
    pub failed: Vec<Unwritten>,
    /// Whether the run was asked to stop before its end.
    pub interrupted: bool,
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
    let mut new = review.new.all();
    let mut changed = review.changed.all();
    let mut removed = review.removed.all();
    loop {
        let stopping = watch.is_stopping() || is_hopeless(result.failed.len(), result.done() - result.unwritten(), of);
        if !stopping && pace.has_room() {
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
        result.add(ended);
        watch.progress(Progress::Writing {
            done: result.done(),
            of,
            throttled: result.throttled,
            at_once: pace.at_once(),
        });
    }
}

impl Ended for Written {
    fn throttled(&self) -> u64 {
        self.throttled
    }
}

impl Written {
    /// Counts a change.
    fn count(&mut self, change: &Change) {
        let counter = if change.attributes.is_empty() { &mut self.renewed } else { &mut self.changed };
        *counter += 1;
    }

    fn add(&mut self, ended: Self) {
        self.new += ended.new;
        self.changed += ended.changed;
        self.renewed += ended.renewed;
        self.deleted += ended.deleted;
        self.throttled += ended.throttled;
        self.overtaken.extend(ended.overtaken);
        self.failed.extend(ended.failed);
    }

    /// Accounts that were not written.
    fn unwritten(&self) -> u64 {
        (self.overtaken.len() + self.failed.len()) as u64
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
    /// Adds a batch of accounts.
    async fn add(&self, wanted: Vec<Wanted>) -> Written {
        let mut result = Written::default();
        let mut items: Vec<Item> = wanted.into_iter().filter_map(|wanted| wanted.item).collect();
        for item in &mut items {
            for name in [CREATED, UPDATED, IMPORTED] {
                item.insert(name.to_owned(), Attribute::Text(self.now.clone()));
            }
        }
        let items = self.with_markers(items, &mut result).await;
        let reservations = items.iter().map(|item| Statement::Insert(self.reservation_of(item))).collect();
        let reserved = execute(&self.accounts, reservations, &mut result.throttled).await;
        let (mut free, mut slow) = (Vec::new(), Vec::new());
        for (item, end) in items.into_iter().zip(reserved) {
            match end {
                End::Done => free.push(item),
                End::Taken => slow.push(item),
                End::Failed(why) => result.failed.push(Unwritten::new(&item, why)),
            }
        }
        let inserts = free.iter().cloned().map(Statement::Insert).collect();
        let ends = execute(&self.accounts, inserts, &mut result.throttled).await;
        for (item, end) in free.into_iter().zip(ends) {
            match end {
                End::Done => result.new += 1,
                End::Taken => self.compare_with_found(item, &mut result).await,
                End::Failed(why) => result.failed.push(Unwritten::new(&item, why)),
            }
        }
        for item in slow {
            self.add_alone(item, &mut result).await;
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
    async fn with_markers(&self, items: Vec<Item>, result: &mut Written) -> Vec<Item> {
        if !self.choices.markers {
            return items;
        }
        let mut puts = JoinSet::new();
        for (index, item) in items.iter().enumerate() {
            let home = text(item, "HomeDirectory").and_then(sftp_authorizer::home::Home::parse);
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
        let (mut kept, mut index) = (Vec::new(), 0);
        for item in items {
            match refused.remove(&index) {
                Some(error) => result.failed.push(Unwritten::new(&item, format!("its home folder: {error}"))),
                None => kept.push(item),
            }
            index += 1;
        }
        kept
    }

    /// Adds an account whose name is reserved already: by a run that was killed, or by an account that is gone.
    async fn add_alone(&self, item: Item, result: &mut Written) {
        let account = match Account::from_item(&item) {
            Ok(account) => account,
            Err(error) => return result.failed.push(Unwritten::new(&item, error.to_string())),
        };
        match self.accounts.add_over_reservation(&account, &item).await {
            Ok(()) => result.new += 1,
            Err(AccountError::OrgTaken(_)) => self.compare_with_found(item, result).await,
            Err(error @ AccountError::NameTaken(_)) => result.overtaken.push(Unwritten::new(&item, error.to_string())),
            Err(error) => result.failed.push(Unwritten::new(&item, error.to_string())),
        }
    }

    /// After a refused INSERT: the item that is there is this one if an earlier attempt of it was carried out.
    async fn compare_with_found(&self, item: Item, result: &mut Written) {
        match self.found(&item).await {
            Ok(Some(found)) if found == item => result.new += 1,
            Ok(_) => {
                let why = "the organisation was given an account by another writer".to_owned();
                result.overtaken.push(Unwritten::new(&item, why));
            }
            Err(error) => result.failed.push(Unwritten::new(&item, error.to_string())),
        }
    }

    /// Changes a batch of accounts. What a statement cannot do alone is done by transaction: a new name, which is reserved,
    /// and the removal of attributes.
    async fn change(&self, changes: Vec<Change>) -> Written {
        let mut result = Written::default();
        let (alone, together): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(|change| {
            change.attributes.iter().any(|name| name == "username" || !change.row.contains_key(name))
        });
        let updates = together.iter().map(|change| self.update(change)).collect();
        let ends = execute(&self.accounts, updates, &mut result.throttled).await;
        for (change, end) in together.into_iter().zip(ends) {
            match end {
                End::Done => result.count(&change),
                End::Taken => self.compare_with_changed(&change, &mut result).await,
                End::Failed(why) => result.failed.push(Unwritten::new(&change.row, why)),
            }
        }
        for change in alone {
            match self.accounts.change_imported(&change.item, &self.set(&change)).await {
                Ok(()) => result.count(&change),
                Err(AccountError::Changed(_)) => self.compare_with_changed(&change, &mut result).await,
                Err(error) => result.failed.push(Unwritten::new(&change.row, error.to_string())),
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
    async fn compare_with_changed(&self, change: &Change, result: &mut Written) {
        match self.found(&change.item).await {
            Ok(Some(found)) if self.set(change).iter().all(|(name, value)| found.get(name) == value.as_ref()) => {
                result.count(change);
            }
            Ok(_) => {
                let why = "the account was changed by another writer".to_owned();
                result.overtaken.push(Unwritten::new(&change.row, why));
            }
            Err(error) => result.failed.push(Unwritten::new(&change.row, error.to_string())),
        }
    }

    /// Deletes a batch of accounts that are still as they were read, and frees their names.
    async fn remove(&self, items: Vec<Item>) -> Written {
        let mut result = Written::default();
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
                    Ok(Some(_)) => {
                        let why = "the account was changed by another writer".to_owned();
                        result.overtaken.push(Unwritten::new(&item, why));
                    }
                    Err(error) => result.failed.push(Unwritten::new(&item, error.to_string())),
                },
                End::Failed(why) => result.failed.push(Unwritten::new(&item, why)),
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
