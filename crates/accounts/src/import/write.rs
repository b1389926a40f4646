//! Writes what a review found, conditionally and by the batch, as fast as the table takes it.
//!
//! A new account is three writes in this order: the marker of its home folder, the reservation of its name, its item. A
//! run that is killed between two of them leaves nothing that the next does not complete. Another writer may take over
//! a name that has no account yet, so whose it is is read once more at the end. An account whose marker S3 does
//! not take is written at the end of the run, after another attempt.

mod exchange;
mod kept_names;
mod markers;
mod removal;
mod run;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_aws::{Aws, AwsError, BATCH, Statement};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::compare::{CREATED, DIGEST, IMPORTED, SOURCE, UPDATED, text};
use super::rejected::shown;
use super::review::Review;
use super::wanted::{Change, Wanted};
use crate::bulk::execute::{End, Resent, execute};
use crate::bulk::pace::Ended;
use crate::bulk::unwritten::Unwritten;
use crate::bulk::watch::Watch;
use crate::change::timestamp;
use crate::spill::Spill;
use crate::store::{AccountError, Accounts};
use markers::{ATTEMPTS, LAST_ATTEMPTS, no_marker};
use run::Run;

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
    /// User names that were reserved for accounts that are gone, and are not any more.
    pub freed: u64,
    /// Writes, and reads of reservations, that the table throttled, and that were sent again.
    pub throttled: u64,
    /// Writes whose answers were lost, or that AWS could not carry out, and that were sent again.
    pub repeated: u64,
    /// Objects for home folders that S3 throttled, and that were sent again.
    pub folders_throttled: u64,
    /// As of `repeated`.
    pub folders_repeated: u64,
    /// Accounts that another writer has created or changed since the review: they are left as they are.
    pub overtaken: u64,
    /// Accounts that could not be written.
    pub failed: u64,
    /// Accounts among `new` whose user names may be another's by now.
    pub unchecked: u64,
    /// The first of these three; the review has all of them.
    pub missed: Vec<Missed>,
    /// Whether the run was asked to stop before its end.
    pub interrupted: bool,
}

/// An account that was to be written, and was not, or whose user name may be another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Missed {
    /// Its row in the source, from 1; 0 for an account that the source does not have any more.
    pub row: u64,
    /// Where the row is, as a person finds it.
    pub place: String,
    #[serde(flatten)]
    pub account: Unwritten,
    /// The user name as the source has it, if it is stored in another form.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub written: Option<String>,
    /// Whether another writer has created or changed the account.
    pub overtaken: bool,
    /// Whether the account is written, and its user name may be another's by now.
    pub unchecked: bool,
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
    freed: u64,
    resent: Resent,
    /// Apart, since it says nothing about the table.
    folders_resent: Resent,
    /// New accounts that are written, and whose names are still to be checked.
    there: Vec<Added>,
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
    let mut chains = std::mem::take(&mut review.chains).into_iter();
    let mut after_deletions = std::mem::take(&mut review.after_deletions).into_iter();
    let mut new = review.new.all();
    let mut changed = review.changed.all();
    let mut removed = review.removed.all();
    let mut reserved = review.reserved.all();
    let mut later: Spill<Added> = Spill::new()?;
    let mut run = Run::new(writer, (of, watch), &mut review.missed);
    let mut is_marked = false;
    loop {
        let is_without_markers = run.is_without_markers(later.count());
        let stopping = watch.is_stopping() || is_without_markers || run.is_hopeless();
        if !stopping {
            if !is_marked && run.has_room_to_mark() {
                let batch = new.take(BATCH)?;
                is_marked = batch.is_empty();
                let added = run.writer.added(batch);
                run.mark(added, ATTEMPTS);
                continue;
            }
            if run.writing.has_room() {
                if let Some(chain) = chains.next() {
                    run.write(|writer| async move { writer.exchange(chain).await });
                    continue;
                }
                if run.add() {
                    continue;
                }
                let batch = changed.take(BATCH)?;
                if !batch.is_empty() {
                    run.write(|writer| async move { writer.change(batch).await });
                    continue;
                }
                let is_next = choices.deletes && is_marked && run.is_added();
                let batch = if is_next { removed.take(BATCH)? } else { Vec::new() };
                if !batch.is_empty() {
                    run.write(|writer| async move { writer.remove(batch).await });
                    continue;
                }
            }
        }
        let Some(unmarked) = run.next().await? else { break };
        for (added, _) in unmarked {
            later.push(&added.row.to_be_bytes(), &added)?;
        }
    }
    let is_without_markers = run.is_without_markers(later.count());
    let mut later = later.all();
    let mut is_marked = false;
    loop {
        if !watch.is_stopping() {
            if !is_marked && run.has_room_to_mark() {
                let some = later.take(BATCH)?;
                is_marked = some.is_empty();
                if is_without_markers {
                    run.fail(&some)?;
                } else {
                    run.mark(some, LAST_ATTEMPTS);
                }
                continue;
            }
            if run.writing.has_room() && run.add() {
                continue;
            }
        }
        let Some(unmarked) = run.next().await? else { break };
        let mut batch = Batch::default();
        unmarked.iter().for_each(|(added, error)| batch.failed(&added.of(), no_marker(error)));
        run.result.add(batch, run.missed)?;
    }
    // All deletions have ended.
    loop {
        let next = if watch.is_stopping() || !run.writing.has_room() { None } else { after_deletions.next() };
        if let Some(chain) = next {
            run.write(|writer| async move { writer.exchange(chain).await });
        } else if run.next().await?.is_none() {
            break;
        }
    }
    // All names have been given.
    loop {
        let is_next = choices.deletes && !watch.is_stopping() && run.writing.has_room();
        let batch = if is_next { reserved.take(BATCH)? } else { Vec::new() };
        if !batch.is_empty() {
            run.write(|writer| async move { writer.free(batch).await });
        } else if run.next().await?.is_none() {
            break;
        }
    }
    let is_reserved = choices.deletes && !reserved.take(1)?.is_empty();
    let mut result = run.result;
    result.interrupted = watch.is_stopping() && (result.done() < of || is_reserved);
    Ok(result)
}

impl Ended for Batch {
    fn sent_again(&self) -> u64 {
        self.resent.all()
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

    /// Counts a new account whose user name may be another's.
    fn unchecked(&mut self, of: &Of<'_>, why: String) {
        self.new += 1;
        self.missed.push(Missed { unchecked: true, ..of.missed(why, false) });
    }

    fn miss(&mut self, of: &Of<'_>, why: String, overtaken: bool) {
        self.missed.push(of.missed(why, overtaken));
    }
}

/// An account that is written: its row, and its item.
struct Of<'a> {
    row: u64,
    place: &'a str,
    written: Option<&'a str>,
    item: &'a Item,
}

impl<'a> Of<'a> {
    fn change(change: &'a Change) -> Self {
        Self { row: change.number, place: &change.place, written: change.written.as_deref(), item: &change.row }
    }

    fn item(item: &'a Item) -> Self {
        Self { row: 0, place: "", written: None, item }
    }

    fn missed(&self, why: String, overtaken: bool) -> Missed {
        let (place, account) = (self.place.to_owned(), Unwritten::new(self.item, why));
        Missed { row: self.row, place, account, written: self.written.map(shown), overtaken, unchecked: false }
    }
}

/// An account whose folder gets a marker: its row, and its item; of a new account with the times.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Added {
    row: u64,
    place: String,
    written: Option<String>,
    item: Item,
}

impl Added {
    fn of_change(change: &Change) -> Self {
        Self {
            row: change.number,
            place: change.place.clone(),
            written: change.written.clone(),
            item: change.row.clone(),
        }
    }

    fn of(&self) -> Of<'_> {
        Of { row: self.row, place: &self.place, written: self.written.as_deref(), item: &self.item }
    }
}

/// Whether a change needs a transaction.
fn is_alone(change: &Change) -> bool {
    let is_removed = |name: &String| name != UPDATED && !change.row.contains_key(name);
    change.is_renamed()
        || change.attributes.iter().any(is_removed)
        || change.item.get(UPDATED) == Some(&Attribute::Other)
}

/// The condition that there is no item.
const NEW: &str = "attribute_not_exists(orgid)";

impl Written {
    fn add(&mut self, ended: Batch, all: &mut Spill<Missed>) -> io::Result<()> {
        self.new += ended.new;
        self.changed += ended.changed;
        self.renewed += ended.renewed;
        self.deleted += ended.deleted;
        self.freed += ended.freed;
        self.throttled += ended.resent.throttled;
        self.repeated += ended.resent.repeated;
        self.folders_throttled += ended.folders_resent.throttled;
        self.folders_repeated += ended.folders_resent.repeated;
        for missed in ended.missed {
            all.push(&missed.row.to_be_bytes(), &missed)?;
            *match (missed.unchecked, missed.overtaken) {
                (true, _) => &mut self.unchecked,
                (_, true) => &mut self.overtaken,
                _ => &mut self.failed,
            } += 1;
            if self.missed.len() < NAMED {
                self.missed.push(missed);
            }
        }
        Ok(())
    }

    /// Accounts that were written.
    fn written(&self) -> u64 {
        self.new + self.changed + self.renewed + self.deleted
    }

    fn done(&self) -> u64 {
        self.written() + self.overtaken + self.failed
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
            Some(Added { row: wanted.row, place: wanted.place, written: wanted.written, item })
        };
        wanted.into_iter().filter_map(with_times).collect()
    }

    /// Adds a batch of accounts whose markers are there.
    async fn add(&self, added: Vec<Added>) -> Batch {
        let mut result = Batch::default();
        let reservations = added.iter().map(|added| Statement::Insert(self.reservation_of(&added.item))).collect();
        let reserved = execute(&self.accounts, reservations, &mut result.resent).await;
        let (mut free, mut slow) = (Vec::new(), Vec::new());
        for (added, end) in added.into_iter().zip(reserved) {
            match end {
                End::Done => free.push(added),
                End::Taken => slow.push(added),
                End::Failed(why) => result.failed(&added.of(), why),
            }
        }
        let inserts = free.iter().map(|added| Statement::Insert(added.item.clone())).collect();
        let ends = execute(&self.accounts, inserts, &mut result.resent).await;
        for (added, end) in free.into_iter().zip(ends) {
            match end {
                End::Done => result.there.push(added),
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
            Ok(Some(found)) if found == added.item => result.there.push(added),
            Ok(_) => result.overtaken(&added.of(), "the organisation was given an account by another writer"),
            Err(error) => result.failed(&added.of(), error.to_string()),
        }
    }

    /// Changes a batch of accounts. What a statement cannot do alone is done by transaction: a new name, which is reserved,
    /// and the removal of attributes.
    async fn change(&self, changes: Vec<Change>) -> Batch {
        let mut result = Batch::default();
        let changes = self.with_new_folders(changes, &mut result).await;
        let (alone, together): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(is_alone);
        let updates = together.iter().map(|change| self.update(change)).collect();
        let ends = execute(&self.accounts, updates, &mut result.resent).await;
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
        let own = change.attributes.iter().filter(|name| *name != UPDATED);
        let own = own.map(|name| (name.clone(), change.row.get(name).cloned()));
        let own = own.chain([(UPDATED.to_owned(), now())]);
        if change.is_newer {
            return own.collect();
        }
        let kept = [DIGEST, SOURCE].map(|name| (name.to_owned(), change.row.get(name).cloned()));
        own.chain(kept).chain([(IMPORTED.to_owned(), now())]).collect()
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
}
