//! Writes what a review found, conditionally and by the batch, as fast as the table takes it.
//!
//! A new account is three writes in this order: the marker of its home folder, the reservation of its name, its item. A
//! run that is killed between two of them leaves nothing that the next does not complete.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_aws::{Aws, AwsError, BATCH, Outcome, Statement};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use tokio::task::JoinSet;

use super::compare::{CREATED, DIGEST, IMPORTED, UPDATED, text};
use super::review::{Change, Review, Wanted};
use super::watch::{Progress, Watch};
use crate::change::timestamp;
use crate::key::RESERVED_BY;
use crate::store::{AccountError, Accounts};

/// Batches at once to begin with, and at most.
const FIRST_AT_ONCE: f64 = 4.0;
const MOST_AT_ONCE: f64 = 64.0;
/// Attempts of a batch: with the pauses between them about two minutes.
const ATTEMPTS: u32 = 14;

/// What an import writes besides the items.
#[derive(Clone, Copy, Debug)]
pub struct Choices {
    /// Whether each new account gets the empty object that shows its folder before the first upload.
    pub markers: bool,
    /// Whether accounts are deleted that were imported and that the source does not have any more. Their files stay.
    pub deletes: bool,
}

/// An account that was not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwritten {
    pub username: String,
    pub org_id: String,
    pub why: String,
}

/// The result of the writes.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub new: u64,
    pub changed: u64,
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
    let of = review.counts.new + review.counts.changed + deletions;
    let mut pace = Pace::new(of);
    let mut new = review.new.all();
    let mut changed = review.changed.all();
    let mut removed = review.removed.all();
    loop {
        let stopping = watch.is_stopping() || pace.is_hopeless();
        if !stopping && pace.has_room() {
            let batch = new.take(BATCH)?;
            if !batch.is_empty() {
                pace.spawn(&writer, Work::New(batch));
                continue;
            }
            let batch = changed.take(BATCH)?;
            if !batch.is_empty() {
                pace.spawn(&writer, Work::Changed(batch));
                continue;
            }
            let batch = if choices.deletes { removed.take(BATCH)? } else { Vec::new() };
            if !batch.is_empty() {
                pace.spawn(&writer, Work::Removed(batch));
                continue;
            }
        }
        if !pace.next().await? {
            pace.written.interrupted = watch.is_stopping() && pace.done() < of;
            return Ok(pace.written);
        }
        watch.progress(Progress::Writing {
            done: pace.done(),
            of,
            throttled: pace.written.throttled,
            at_once: pace.at_once(),
        });
    }
}

/// A batch of one kind.
enum Work {
    New(Vec<Wanted>),
    Changed(Vec<Change>),
    Removed(Vec<Item>),
}

/// The batches in flight, and how many there may be: one more for each round without throttling, half as many after one
/// with it, as TCP does.
struct Pace {
    tasks: JoinSet<(u64, Written)>,
    limit: f64,
    /// The number of batches that were begun, and of those before the last halving: what they met is known.
    begun: u64,
    slowed: u64,
    of: u64,
    written: Written,
}

impl Pace {
    fn new(of: u64) -> Self {
        Self { tasks: JoinSet::new(), limit: FIRST_AT_ONCE, begun: 0, slowed: 0, of, written: Written::default() }
    }

    fn has_room(&self) -> bool {
        self.tasks.len() < self.at_once()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and MOST_AT_ONCE")]
    fn at_once(&self) -> usize {
        self.limit as usize
    }

    fn done(&self) -> u64 {
        let Written { new, changed, deleted, overtaken, failed, .. } = &self.written;
        new + changed + deleted + (overtaken.len() + failed.len()) as u64
    }

    /// Whether nothing can be written, so that the rest need not be tried.
    fn is_hopeless(&self) -> bool {
        let failed = self.written.failed.len() as u64;
        failed > 0 && failed >= 1000.min(self.of) && self.done() == failed
    }

    fn spawn(&mut self, writer: &Arc<Writer>, work: Work) {
        let writer = Arc::clone(writer);
        self.begun += 1;
        let number = self.begun;
        self.tasks.spawn(async move {
            let written = match work {
                Work::New(wanted) => writer.add(wanted).await,
                Work::Changed(changes) => writer.change(changes).await,
                Work::Removed(items) => writer.remove(items).await,
            };
            (number, written)
        });
    }

    /// Waits for a batch; `false` if there is none.
    async fn next(&mut self) -> io::Result<bool> {
        let Some(ended) = self.tasks.join_next().await else { return Ok(false) };
        let (number, ended) = ended.map_err(io::Error::other)?;
        if ended.throttled == 0 {
            self.limit = (self.limit + 1.0 / self.limit).min(MOST_AT_ONCE);
        } else if number > self.slowed {
            self.limit = (self.limit / 2.0).max(1.0);
            self.slowed = self.begun;
        }
        self.written.new += ended.new;
        self.written.changed += ended.changed;
        self.written.deleted += ended.deleted;
        self.written.throttled += ended.throttled;
        self.written.overtaken.extend(ended.overtaken);
        self.written.failed.extend(ended.failed);
        Ok(true)
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

/// What became of a write in the end.
enum End {
    Done,
    /// The condition did not hold: another writer came first, or an earlier attempt of this one.
    Taken,
    Failed(String),
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
        let reserved = self.execute(reservations, &mut result).await;
        let (mut free, mut slow) = (Vec::new(), Vec::new());
        for (item, end) in items.into_iter().zip(reserved) {
            match end {
                End::Done => free.push(item),
                End::Taken => slow.push(item),
                End::Failed(why) => result.failed.push(unwritten(&item, why)),
            }
        }
        let inserts = free.iter().cloned().map(Statement::Insert).collect();
        let ends = self.execute(inserts, &mut result).await;
        for (item, end) in free.into_iter().zip(ends) {
            match end {
                End::Done => result.new += 1,
                End::Taken => self.compare_with_found(item, &mut result).await,
                End::Failed(why) => result.failed.push(unwritten(&item, why)),
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
                Some(error) => result.failed.push(unwritten(&item, format!("its home folder: {error}"))),
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
            Err(error) => return result.failed.push(unwritten(&item, error.to_string())),
        };
        match self.accounts.add_over_reservation(&account, &item).await {
            Ok(()) => result.new += 1,
            Err(AccountError::OrgTaken(_)) => self.compare_with_found(item, result).await,
            Err(error @ AccountError::NameTaken(_)) => result.overtaken.push(unwritten(&item, error.to_string())),
            Err(error) => result.failed.push(unwritten(&item, error.to_string())),
        }
    }

    /// After a refused INSERT: the item that is there is this one if an earlier attempt of it was carried out.
    async fn compare_with_found(&self, item: Item, result: &mut Written) {
        match self.found(&item).await {
            Ok(Some(found)) if found == item => result.new += 1,
            Ok(_) => {
                let why = "the organisation was given an account by another writer".to_owned();
                result.overtaken.push(unwritten(&item, why));
            }
            Err(error) => result.failed.push(unwritten(&item, error.to_string())),
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
        let ends = self.execute(updates, &mut result).await;
        for (change, end) in together.into_iter().zip(ends) {
            match end {
                End::Done => result.changed += 1,
                End::Taken => self.compare_with_changed(&change, &mut result).await,
                End::Failed(why) => result.failed.push(unwritten(&change.row, why)),
            }
        }
        for change in alone {
            match self.accounts.change_imported(&change.item, &self.set(&change)).await {
                Ok(()) => result.changed += 1,
                Err(AccountError::Changed(_)) => self.compare_with_changed(&change, &mut result).await,
                Err(error) => result.failed.push(unwritten(&change.row, error.to_string())),
            }
        }
        result
    }

    /// The attributes that a change sets; without a value, removes.
    fn set(&self, change: &Change) -> Vec<(String, Option<Attribute>)> {
        let now = || Some(Attribute::Text(self.now.clone()));
        let own = change.attributes.iter().map(|name| (name.clone(), change.row.get(name).cloned()));
        let digest = (DIGEST.to_owned(), change.row.get(DIGEST).cloned());
        own.chain([digest, (UPDATED.to_owned(), now()), (IMPORTED.to_owned(), now())]).collect()
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
                result.changed += 1;
            }
            Ok(_) => {
                let why = "the account was changed by another writer".to_owned();
                result.overtaken.push(unwritten(&change.row, why));
            }
            Err(error) => result.failed.push(unwritten(&change.row, error.to_string())),
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
        let ends = self.execute(deletions, &mut result).await;
        let mut gone = Vec::new();
        for (item, end) in items.into_iter().zip(ends) {
            match end {
                End::Done => gone.push(item),
                End::Taken => match self.found(&item).await {
                    // An earlier attempt of this deletion was carried out.
                    Ok(None) => gone.push(item),
                    Ok(Some(_)) => {
                        let why = "the account was changed by another writer".to_owned();
                        result.overtaken.push(unwritten(&item, why));
                    }
                    Err(error) => result.failed.push(unwritten(&item, error.to_string())),
                },
                End::Failed(why) => result.failed.push(unwritten(&item, why)),
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
        self.execute(gone.iter().map(reserved).collect(), &mut result).await;
        result.deleted += gone.len() as u64;
        result
    }

    /// Carries out statements on different items until each has ended.
    async fn execute(&self, statements: Vec<Statement>, result: &mut Written) -> Vec<End> {
        let mut ends: Vec<Option<End>> = statements.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..statements.len()).collect();
        for attempt in 0..ATTEMPTS {
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                pause(attempt).await;
            }
            let batch: Vec<Statement> = open.iter().filter_map(|index| statements.get(*index).cloned()).collect();
            let outcomes = match self.accounts.home().execute_batch(self.accounts.table(), &batch).await {
                Ok(outcomes) => outcomes,
                Err(error) if error.is_transient() => batch.iter().map(|_| Outcome::Again(error.to_string())).collect(),
                Err(error) => batch.iter().map(|_| Outcome::Refused(error.to_string())).collect(),
            };
            let mut again = Vec::new();
            for (index, outcome) in open.into_iter().zip(outcomes) {
                let end = match outcome {
                    Outcome::Done => End::Done,
                    Outcome::Exists | Outcome::Changed => End::Taken,
                    Outcome::Again(_) if attempt + 1 < ATTEMPTS => {
                        result.throttled += 1;
                        again.push(index);
                        continue;
                    }
                    Outcome::Again(why) | Outcome::Refused(why) => End::Failed(why),
                };
                if let Some(place) = ends.get_mut(index) {
                    *place = Some(end);
                }
            }
            open = again;
        }
        ends.into_iter().map(|end| end.unwrap_or_else(|| End::Failed("it was not carried out".to_owned()))).collect()
    }
}

/// Waits before an attempt: from 25 to 50 ms, doubled each time, at most 15 s.
async fn pause(attempt: u32) {
    let most = (50_u64 << attempt.min(10)).min(15_000);
    #[expect(clippy::disallowed_methods, reason = "the pause between attempts of a throttled batch")]
    tokio::time::sleep(Duration::from_millis(fastrand::u64(most / 2..=most))).await;
}

fn unwritten(item: &Item, why: String) -> Unwritten {
    let org_id = match item.get("orgid") {
        Some(Attribute::Number(digits)) => digits.clone(),
        _ => String::new(),
    };
    Unwritten { username: text(item, "username").unwrap_or_default().to_owned(), org_id, why }
}
