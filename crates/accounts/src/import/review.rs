//! What an import would do, found out before anything is written.
//!
//! Rows and items are put on disk in parts by their keys, and compared part by part, so that memory does not grow with
//! their number: a hash join on disk.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::home::Home;
use sftp_authorizer::password::is_over;
use sftp_authorizer::{Account, Attribute, Item};
use sftpctl_aws::AwsError;
use sftpctl_core::spec::model::Environment;

use super::absent::Absent;
use super::check::Rules;
use super::compare::{self, DIGEST, IMPORTED, PASSWORD, Proof, SOURCE, Terms, UPDATED, Verdict, text};
use super::digest::DigestKey;
use super::estimate::{Estimate, Work};
use super::rejected::{Reason, Rejected};
use super::row::{Remark, Row, Rows, RowsError};
use super::write::Choices;
use crate::bulk::pages::Pages;
use crate::bulk::watch::{Progress, Watch};
use crate::folders::{self, Folder};
use crate::key::{REMOVED, RESERVED_BY, RESERVES, TableKey, is_reservation};
use crate::password::{self, HashError};
use crate::spill::{PARTS, Spill};
use crate::store::Accounts;

/// Samples that are kept of each outcome.
const SAMPLES: usize = 5;
/// Hardened passwords that are computed between two looks at the request to stop.
const PROVEN_AT_ONCE: usize = 256;

/// How an import compares.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    pub rules: Rules<'a>,
    pub key: DigestKey,
    /// Whether the source wins where row and item have both changed.
    pub overwrite: bool,
    /// The name of the source, which its accounts keep.
    pub source: String,
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

/// A row that can be written, as an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) row: u64,
    pub(super) place: String,
    pub(super) org_id: i64,
    /// The key in the table, as text.
    pub(super) key: String,
    /// Nothing for a row that was rejected before, which still claims its organisation.
    pub(super) item: Option<Item>,
}

impl Wanted {
    /// The user name, if the row was not rejected before.
    fn name(&self) -> Option<&str> {
        text(self.item.as_ref()?, "username")
    }
}

/// A claim of a user name: by a row, or by an item, which has the row 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claim {
    name: String,
    org_id: Option<i64>,
    row: u64,
    place: String,
    /// As of [`Wanted`].
    key: String,
}

/// A change to an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Change {
    /// The row, as an item.
    pub(super) row: Item,
    /// The item as it was read.
    pub(super) item: Item,
    /// The attributes that differ.
    pub(super) attributes: Vec<String>,
}

/// A remark on a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Noted {
    /// From 1.
    pub row: u64,
    pub place: String,
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
    /// Of these, accounts whose digest is written anew, because it was made with another key.
    pub renewed: u64,
    /// Accounts that were changed in the table after the last import, and stay as they are.
    pub newer: u64,
    /// Rows whose accounts an operator has removed from the table; they are not brought back.
    pub kept_out: u64,
    /// Rows that are not imported.
    pub rejected: u64,
    /// Accounts of the table that were imported, and that the source does not have any more.
    pub removed: u64,
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
    /// User names that differ from another row's only by case.
    pub case_variants: u64,
}

/// The result of a review: what would be written, and what not.
pub struct Review {
    pub counts: Counts,
    /// Rejected rows by reason; a row with several is counted for each.
    pub reasons: BTreeMap<Reason, u64>,
    /// Some accounts of each outcome: `new`, `changed`, `newer`, `kept-out`, `removed`, `spared`, `removed-but-newer`,
    /// `of-other-sources`, `only-in-table`, `capitals`, `case-variants`.
    pub samples: BTreeMap<&'static str, Vec<String>>,
    /// What the operator should know about the source as a whole.
    pub remarks: Vec<String>,
    pub(super) work: Work,
    /// Whether the items that reserve user names are in the index.
    is_indexed: bool,
    pub(super) new: Spill<Wanted>,
    pub(super) changed: Spill<Change>,
    pub(super) removed: Spill<Item>,
    rejected: Spill<Rejected>,
    noted: Spill<Noted>,
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

    /// What the writes take; `choices` says which.
    pub fn estimate(&self, environment: &Environment, choices: Choices) -> Estimate {
        self.work.estimate(environment, choices.markers, choices.deletes)
    }

    pub(super) fn sample(&mut self, of: &'static str, words: impl FnOnce() -> String) {
        let samples = self.samples.entry(of).or_default();
        if samples.len() < SAMPLES {
            samples.push(words());
        }
    }
}

/// Reads records in the order of their rows, with a part of them in memory.
fn in_order<T: Serialize + serde::de::DeserializeOwned>(
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

/// The source, read.
pub(super) struct Read {
    wanted: Spill<Wanted>,
    claims: Spill<Claim>,
    folders: Spill<Folder<Claim>>,
    rejected: Spill<Rejected>,
    noted: Spill<Noted>,
    absent: Absent,
    counts: Counts,
    forms: BTreeMap<String, Form>,
}

/// Values that were taken in another form for one reason.
struct Form {
    count: u64,
    /// The first of them.
    sample: String,
}

/// Reasons that are counted; the report has every remark.
const FORMS: usize = 20;

/// Counts a value that was taken in another form, unless it is secret.
fn count_form(forms: &mut BTreeMap<String, Form>, place: &str, remark: &Remark) {
    let Remark { before, after, why, .. } = remark;
    if before.is_empty() || after.is_empty() || (forms.len() >= FORMS && !forms.contains_key(why)) {
        return;
    }
    let sample = || format!("`{before}` as `{after}` ({place})");
    forms.entry(why.clone()).or_insert_with(|| Form { count: 0, sample: sample() }).count += 1;
}

/// The table, read.
pub(super) struct Held {
    items: Spill<Item>,
    claims: Spill<Claim>,
    folders: Spill<Folder<Claim>>,
    removals: Spill<Removal>,
    /// Accounts that were imported with another key.
    other_key: u64,
}

/// The mark of an account that an operator has removed.
#[derive(Serialize, Deserialize)]
struct Removal {
    /// As of [`Wanted`].
    key: String,
    time: String,
}

impl Held {
    /// An empty table.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            items: Spill::new()?,
            claims: Spill::new()?,
            folders: Spill::new()?,
            removals: Spill::new()?,
            other_key: 0,
        })
    }
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
            true => held(accounts, &terms.key, watch).await,
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
    attributes.push("HomeDirectory");
    attributes.sort_unstable();
    attributes.dedup();
    attributes.retain(|name| *name != "orgid");
    Terms { key: options.key.clone(), attributes, overwrite: options.overwrite, source: options.source.clone() }
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
    let Read { wanted, claims, folders, mut rejected, noted, mut absent, counts, forms } = read;
    let forms = forms.into_iter().map(|(why, Form { count, sample })| {
        let values = if count == 1 { "1 value was" } else { &format!("{count} values were") };
        format!("{values} taken in another form: {why}, such as {sample}")
    });
    let mut review = Review {
        counts,
        reasons: BTreeMap::new(),
        samples: BTreeMap::new(),
        remarks: remarks.into_iter().chain(forms).collect(),
        work: Work::default(),
        is_indexed: key.has_name(),
        new: Spill::new()?,
        changed: Spill::new()?,
        removed: Spill::new()?,
        rejected: Spill::new()?,
        noted,
    };
    compare_names(claims, held.claims, &mut rejected, &mut absent, &mut review)?;
    compare_folders([folders, held.folders], &mut rejected, &mut absent)?;
    let other_key = held.other_key;
    let held = (held.items, held.removals);
    compare_accounts(wanted, held, rejected, (terms, key), &mut absent, (&mut review, watch)).await?;
    absent.settle(&mut review)?;
    if other_key > 0 {
        review.remarks.push(format!(
            "{other_key} accounts were imported with another digest key than the one beside this state \
             ({}.accounts.key): check --state, or restore the key from a backup. Without it, hardened passwords are \
             compared by computing them, and an account that was changed in the table counts as a conflict",
            options.rules.environment.name
        ));
    }
    Ok(review)
}

pub(super) async fn read(
    rows: &mut dyn Rows,
    options: &Options<'_>,
    terms: &Terms,
    key: TableKey,
    watch: &dyn Watch,
) -> Result<Read, ReviewError> {
    let mut read = Read {
        wanted: Spill::new()?,
        claims: Spill::new()?,
        folders: Spill::new()?,
        rejected: Spill::new()?,
        noted: Spill::new()?,
        absent: Absent::new(key.has_name())?,
        counts: Counts::default(),
        forms: BTreeMap::new(),
    };
    let expected = rows.expected();
    loop {
        let batch = rows.next().await?;
        if batch.is_empty() {
            return Ok(read);
        }
        if watch.is_stopping() {
            return Err(ReviewError::Interrupted);
        }
        let mut plain = Vec::new();
        for row in batch {
            read.counts.read += 1;
            let waiting = take_row(&mut read, &row, options, terms, key)?;
            plain.extend(waiting);
        }
        for wanted in hashed(plain).await? {
            read.wanted.push(wanted.key.as_bytes(), &wanted)?;
        }
        watch.progress(Progress::Reading { rows: read.counts.read, expected });
    }
}

/// Checks a row and keeps it, or its faults. Returns the account if its password is still to be hashed.
fn take_row(
    read: &mut Read,
    row: &Row,
    options: &Options<'_>,
    terms: &Terms,
    key: TableKey,
) -> Result<Option<(Wanted, String)>, ReviewError> {
    let number = read.counts.read;
    let checked = options.rules.check(number, row);
    for remark in checked.remarks {
        if checked.account.is_ok() {
            count_form(&mut read.forms, &row.place, &remark);
        }
        let noted = Noted { row: number, place: row.place.clone(), remark };
        read.noted.push(&number.to_be_bytes(), &noted)?;
    }
    let own_key = key_text(key, checked.org_id.unwrap_or_default(), checked.username.as_deref().unwrap_or_default());
    if checked.account.is_err() {
        read.absent.reject(checked.org_id, checked.username.as_deref())?;
    }
    if let Some(name) = checked.username {
        let claim = Claim { org_id: checked.org_id, row: number, place: row.place.clone(), name, key: own_key.clone() };
        read.claims.push(claim.name.to_lowercase().as_bytes(), &claim)?;
        if let Ok((account, _)) = &checked.account {
            let folder = Folder::new(&account.home, account.org_id, claim);
            read.folders.push(folder.group().as_bytes(), &folder)?;
        }
    }
    let wanted = |org_id, item| Wanted { row: number, place: row.place.clone(), org_id, key: own_key.clone(), item };
    match checked.account {
        Err(faults) => {
            for fault in faults {
                read.rejected.push(own_key.as_bytes(), &fault)?;
            }
            if let Some(org_id) = checked.org_id {
                read.wanted.push(own_key.as_bytes(), &wanted(org_id, None))?;
            }
            Ok(None)
        }
        Ok((account, plain)) => {
            let org_id = account.org_id;
            let item = with_digest(&account, plain.as_deref(), terms);
            match plain {
                Some(plain) => Ok(Some((wanted(org_id, Some(item)), plain))),
                None => {
                    read.wanted.push(own_key.as_bytes(), &wanted(org_id, Some(item)))?;
                    Ok(None)
                }
            }
        }
    }
}

/// The account as an item, with the digest of its row.
fn with_digest(account: &Account, plain: Option<&str>, terms: &Terms) -> Item {
    let mut item = account.to_item();
    if let Some(plain) = plain {
        item.insert("password".to_owned(), Attribute::Text(plain.to_owned()));
    }
    let digest = compare::digest(&item, terms);
    if plain.is_some() {
        item.remove("password");
    }
    item.insert(DIGEST.to_owned(), Attribute::Text(digest));
    item.insert(SOURCE.to_owned(), Attribute::Text(terms.source.clone()));
    item
}

/// Hashes passwords with all processors.
async fn hashed(plain: Vec<(Wanted, String)>) -> Result<Vec<Wanted>, ReviewError> {
    let hashed = on_all_processors(plain, |(mut wanted, plain): (Wanted, String)| {
        let stored = Attribute::Text(password::hash(&plain)?);
        if let Some(item) = &mut wanted.item {
            item.insert("password".to_owned(), stored);
        }
        Ok::<Wanted, HashError>(wanted)
    });
    Ok(hashed.await?.into_iter().collect::<Result<_, _>>()?)
}

/// Computes with all processors, in any order.
async fn on_all_processors<T, R>(items: Vec<T>, compute: fn(T) -> R) -> io::Result<Vec<R>>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut rest, mut tasks, mut all) = (items, Vec::new(), Vec::new());
    let share = rest.len().div_ceil(cores).max(1);
    while !rest.is_empty() {
        let some = rest.split_off(rest.len().saturating_sub(share));
        tasks.push(tokio::task::spawn_blocking(move || some.into_iter().map(compute).collect::<Vec<R>>()));
    }
    for task in tasks {
        all.extend(task.await.map_err(io::Error::other)?);
    }
    Ok(all)
}

/// Reads the customers' items of the table, several segments at once.
async fn held(accounts: &Accounts, digests: &DigestKey, watch: &dyn Watch) -> Result<Held, ReviewError> {
    let mut pages = Pages::of(accounts);
    let mut held = Held::new()?;
    while let Some(items) = pages.next().await? {
        if watch.is_stopping() {
            return Err(ReviewError::Interrupted);
        }
        for item in items {
            held.other_key += u64::from(compare::has_other_key(&item, digests));
            hold(&mut held, &item, accounts.key())?;
        }
        watch.progress(Progress::Scanning { items: held.items.count() });
    }
    Ok(held)
}

/// Keeps an item and its claim of a name, and the marks of removed accounts; not the other reservations of names, nor
/// the canaries of `verify`.
pub(super) fn hold(held: &mut Held, item: &Item, key: TableKey) -> io::Result<()> {
    if is_reservation(item) {
        let owner = number(item, RESERVED_BY);
        let (Some(time), Some(name), Some(owner)) = (text(item, REMOVED), text(item, RESERVES), owner) else {
            return Ok(());
        };
        let removal = Removal { key: key_text(key, owner, name), time: time.to_owned() };
        return held.removals.push(removal.key.as_bytes(), &removal);
    }
    let (Some(name), Some(org_id)) = (text(item, "username"), org_id(item)) else { return Ok(()) };
    if org_id <= 0 {
        return Ok(());
    }
    let key = key_text(key, org_id, name);
    let claim = Claim { name: name.to_owned(), org_id: Some(org_id), row: 0, place: String::new(), key };
    held.claims.push(name.to_lowercase().as_bytes(), &claim)?;
    held.items.push(claim.key.as_bytes(), item)?;
    if let Some(home) = text(item, "HomeDirectory").and_then(Home::parse) {
        let folder = Folder::new(&home, org_id, claim);
        held.folders.push(folder.group().as_bytes(), &folder)?;
    }
    Ok(())
}

/// The key of an account as text, by which rows and items find each other.
fn key_text(key: TableKey, org_id: i64, username: &str) -> String {
    if key.has_name() { format!("{org_id}/{username}") } else { org_id.to_string() }
}

fn key_of(key: TableKey, item: &Item) -> Option<String> {
    Some(key_text(key, org_id(item)?, text(item, "username").unwrap_or_default()))
}

pub(super) fn org_id(item: &Item) -> Option<i64> {
    number(item, "orgid")
}

fn number(item: &Item, name: &str) -> Option<i64> {
    match item.get(name) {
        Some(Attribute::Number(digits)) => digits.parse().ok(),
        _ => None,
    }
}

/// Finds the names that several rows claim, or that the table has for another organisation.
fn compare_names(
    mut claims: Spill<Claim>,
    mut held: Spill<Claim>,
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
    review: &mut Review,
) -> Result<(), ReviewError> {
    for part in 0..PARTS {
        let mut owners: HashMap<String, Vec<i64>> = HashMap::new();
        for claim in held.read(part)? {
            let claim = claim?;
            owners.entry(claim.name).or_default().extend(claim.org_id);
        }
        let mut names: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
        for claim in claims.read(part)? {
            let claim = claim?;
            names.entry(claim.name.clone()).or_default().push(claim);
        }
        let mut folded: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, claims) in &names {
            folded.entry(name.to_lowercase()).or_default().push(name);
            let others = owners.get(name).map_or(&[][..], Vec::as_slice);
            for claim in claims {
                if let Some((kind, reason)) = name_fault(claim, claims, others) {
                    let fault = Rejected {
                        row: claim.row,
                        place: claim.place.clone(),
                        column: "username".to_owned(),
                        value: sftpctl_core::shown::visible(name).into_owned(),
                        reason,
                        kind,
                    };
                    absent.spare(claim.org_id, Some(name))?;
                    rejected.push(claim.key.as_bytes(), &fault)?;
                }
            }
        }
        for (_, variants) in folded.into_iter().filter(|(_, names)| names.len() > 1) {
            review.counts.case_variants += variants.len() as u64;
            review.sample("case-variants", || variants.join(", "));
        }
    }
    Ok(())
}

/// Finds the rows whose folder another organisation has, in the source or in the table, or whose folder meets it.
fn compare_folders(
    mut folders: [Spill<Folder<Claim>>; 2],
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
) -> io::Result<()> {
    for part in 0..PARTS {
        let mut all = Vec::new();
        for spill in &mut folders {
            for folder in spill.read(part)? {
                all.push(folder?);
            }
        }
        folders::shared(&all, |folder, rival| {
            let claim = &folder.of;
            if claim.row == 0 {
                return Ok(());
            }
            let fault = Rejected {
                row: claim.row,
                place: claim.place.clone(),
                column: "home".to_owned(),
                value: String::new(),
                reason: rival.words(folder),
                kind: Reason::SharedHome,
            };
            absent.spare(claim.org_id, Some(&claim.name))?;
            rejected.push(claim.key.as_bytes(), &fault)
        })?;
    }
    Ok(())
}

/// Why a claim of a name is refused.
fn name_fault(claim: &Claim, claims: &[Claim], others: &[i64]) -> Option<(Reason, String)> {
    let rivals: Vec<&str> =
        claims.iter().filter(|other| other.row != claim.row).map(|other| other.place.as_str()).take(3).collect();
    if !rivals.is_empty() {
        let more = claims.len().saturating_sub(1 + rivals.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Some((Reason::DuplicateName, format!("{}{more} has the same user name", rivals.join(", "))));
    }
    let owner = others.iter().find(|owner| claim.org_id.is_some_and(|own| own != **owner))?;
    Some((Reason::NameTaken, format!("organisation {owner} has this user name in the table")))
}

/// Compares rows with items, by organisation.
async fn compare_accounts(
    mut wanted: Spill<Wanted>,
    (mut held, mut removals): (Spill<Item>, Spill<Removal>),
    mut rejected: Spill<Rejected>,
    (terms, key): (&Terms, TableKey),
    absent: &mut Absent,
    (review, watch): (&mut Review, &dyn Watch),
) -> Result<(), ReviewError> {
    let mut proven = 0;
    for part in 0..PARTS {
        let mut faulty = HashSet::new();
        for fault in rejected.read(part)? {
            reject(review, part, &fault?, &mut faulty)?;
        }
        let mut items: HashMap<String, Item> = HashMap::new();
        for item in held.read(part)? {
            let item = item?;
            items.extend(key_of(key, &item).map(|key| (key, item)));
        }
        let mut removed: HashMap<String, String> = HashMap::new();
        for removal in removals.read(part)? {
            let Removal { key, time } = removal?;
            removed.insert(key, time);
        }
        let mut rows: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
        for wanted in wanted.read(part)? {
            let wanted = wanted?;
            rows.entry(wanted.key.clone()).or_default().push(wanted);
        }
        let mut unproven = Vec::new();
        for (key, mut claims) in rows {
            let item = items.remove(&key);
            if claims.len() > 1 {
                for (index, claim) in claims.iter().enumerate() {
                    let rival = claims.iter().enumerate().find(|(other, _)| *other != index);
                    let place = rival.map_or("", |(_, rival)| rival.place.as_str());
                    let fault = org_fault(claim, Reason::DuplicateOrg, format!("{place} has the same organisation ID"));
                    absent.spare(Some(claim.org_id), claim.name())?;
                    reject(review, part, &fault, &mut faulty)?;
                }
                continue;
            }
            let Some(claim) = claims.pop().filter(|claim| !faulty.contains(&claim.row)) else { continue };
            let removed = removed.get(&key).filter(|_| item.is_none() && !terms.overwrite);
            if let (Some(time), Some(row)) = (removed, &claim.item) {
                keep_out(review, &claim, row, time)?;
                continue;
            }
            let verdict = claim.item.as_ref().map(|row| compare::compare(row, item.as_ref(), terms, Proof::None));
            match verdict {
                None => {}
                Some(Verdict::Unproven) => unproven.extend(item.map(|item| (claim, item))),
                Some(verdict) => decide(review, part, (claim, item), verdict, (terms, &mut *absent), &mut faulty)?,
            }
        }
        while !unproven.is_empty() {
            if watch.is_stopping() {
                return Err(ReviewError::Interrupted);
            }
            let some = unproven.split_off(unproven.len().saturating_sub(PROVEN_AT_ONCE));
            proven += some.len() as u64;
            for (claim, item, proof) in on_all_processors(some, prove).await? {
                let verdict = claim.item.as_ref().map(|row| compare::compare(row, Some(&item), terms, proof));
                let Some(verdict) = verdict else { continue };
                decide(review, part, (claim, Some(item)), verdict, (terms, &mut *absent), &mut faulty)?;
            }
            watch.progress(Progress::Proving { done: proven });
        }
        for item in items.into_values() {
            let imported = text(&item, IMPORTED);
            if imported.is_none() {
                review.counts.only_in_table += 1;
                review.sample("only-in-table", || label(&item));
            } else if let Some(source) = terms.other_source(&item) {
                review.counts.of_other_sources += 1;
                review.sample("of-other-sources", || format!("{} of {source}", label(&item)));
            } else if imported == text(&item, UPDATED) {
                absent.add(&item)?;
            } else {
                review.counts.removed_but_newer += 1;
                review.sample("removed-but-newer", || label(&item));
            }
        }
        review.counts.rejected += faulty.len() as u64;
    }
    Ok(())
}

/// Leaves out a row whose account was removed from the table.
fn keep_out(review: &mut Review, claim: &Wanted, row: &Item, time: &str) -> io::Result<()> {
    review.counts.kept_out += 1;
    review.sample("kept-out", || label(row));
    let why = format!("the account was removed from the table at {time}, and is kept out; --overwrite brings it back");
    let remark = Remark { column: "username".into(), before: label(row), after: String::new(), why };
    let noted = Noted { row: claim.row, place: claim.place.clone(), remark };
    review.noted.push(&claim.row.to_be_bytes(), &noted)
}

/// Computes whether an item's hardened password is over a row's hash.
fn prove((claim, item): (Wanted, Item)) -> (Wanted, Item, Proof) {
    let row = claim.item.as_ref().and_then(|row| text(row, PASSWORD));
    let is_over = row.zip(text(&item, PASSWORD)).is_some_and(|(row, stored)| is_over(stored, row));
    (claim, item, if is_over { Proof::Over } else { Proof::NotOver })
}

/// Counts a verdict, and keeps what is to be written.
fn decide(
    review: &mut Review,
    part: usize,
    (claim, item): (Wanted, Option<Item>),
    verdict: Verdict,
    (terms, absent): (&Terms, &mut Absent),
    faulty: &mut HashSet<u64>,
) -> Result<(), ReviewError> {
    let Some(row) = &claim.item else { return Ok(()) };
    // Where names are compared without case, they are stored in lower case.
    let name = text(row, "username").unwrap_or_default();
    if !matches!(verdict, Verdict::Conflict(_)) && name.contains(|c: char| c.is_ascii_uppercase()) {
        review.counts.capitals += 1;
        review.sample("capitals", || name.to_owned());
    }
    match verdict {
        Verdict::New => {
            review.counts.new += 1;
            review.sample("new", || label(row));
            review.work.add(row, review.is_indexed);
            review.new.push_to(part, &claim)?;
        }
        Verdict::Same | Verdict::Unproven => review.counts.same += 1,
        Verdict::Renewed => {
            review.counts.same += 1;
            review.counts.renewed += 1;
            keep_change(
                review,
                part,
                Change { row: row.clone(), item: item.unwrap_or_default(), attributes: Vec::new() },
            )?;
        }
        Verdict::Newer => {
            review.counts.newer += 1;
            review.sample("newer", || label(row));
        }
        Verdict::Changed(attributes) => {
            review.counts.changed += 1;
            review.sample("changed", || format!("{}: {}", label(row), attributes.join(", ")));
            keep_change(review, part, Change { row: row.clone(), item: item.unwrap_or_default(), attributes })?;
        }
        Verdict::Conflict(attributes) => {
            let other = item.as_ref().and_then(|item| terms.other_source(item));
            let since = item.as_ref().and_then(|item| text(item, UPDATED));
            let since = since.map_or_else(String::new, |time| format!(" at {time}"));
            let attributes = attributes.join(", ");
            let reason = match other {
                Some(other) => format!(
                    "the account in the table was brought by another source, `{other}`, and differs in {attributes}; \
                     pass --source-name if it is the same source, or --overwrite to replace the account"
                ),
                None => format!(
                    "the account in the table was changed{since} by something else than this import, and differs in \
                     {attributes}; pass --overwrite to replace it"
                ),
            };
            absent.spare(Some(claim.org_id), claim.name())?;
            reject(review, part, &org_fault(&claim, Reason::Conflict, reason), faulty)?;
        }
    }
    Ok(())
}

fn keep_change(review: &mut Review, part: usize, change: Change) -> io::Result<()> {
    review.work.change(&change.row, &change.item, &change.attributes);
    review.changed.push_to(part, &change)
}

fn org_fault(claim: &Wanted, kind: Reason, reason: String) -> Rejected {
    let (column, value) = ("orgid".to_owned(), claim.org_id.to_string());
    Rejected { row: claim.row, place: claim.place.clone(), column, value, reason, kind }
}

fn reject(review: &mut Review, part: usize, fault: &Rejected, faulty: &mut HashSet<u64>) -> io::Result<()> {
    faulty.insert(fault.row);
    *review.reasons.entry(fault.kind).or_default() += 1;
    review.rejected.push_to(part, fault)
}

/// `jan (organisation 17578)`.
pub(super) fn label(item: &Item) -> String {
    let org_id = org_id(item).map_or_else(|| "?".to_owned(), |id| id.to_string());
    format!("{} (organisation {org_id})", text(item, "username").unwrap_or("?"))
}
