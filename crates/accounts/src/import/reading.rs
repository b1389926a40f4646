//! The source, read to its end: every row is checked, and kept on disk with what it claims, or with its faults.

use std::collections::BTreeMap;
use std::io;

use sftp_authorizer::{Account, Attribute, Item};

use super::absent::Absent;
use super::compare::{self, DIGEST, SOURCE, Terms};
use super::old_folders::OldFolder;
use super::rejected::{Rejected, Whose};
use super::review::{Counts, Noted, Options, ReviewError};
use super::row::{Remark, Row, Rows};
use super::wanted::{Claim, Wanted, key_text};
use crate::bulk::watch::{Progress, Watch};
use crate::folders::Folder;
use crate::key::TableKey;
use crate::password::{self, HashError};
use crate::spill::Spill;

/// The source, read.
pub(super) struct Read {
    pub(super) wanted: Spill<Wanted>,
    pub(super) claims: Spill<Claim>,
    pub(super) folders: Spill<Folder<Claim>>,
    pub(super) old_folders: Spill<OldFolder>,
    pub(super) rejected: Spill<Rejected>,
    pub(super) noted: Spill<Noted>,
    pub(super) absent: Absent,
    pub(super) counts: Counts,
    pub(super) forms: BTreeMap<String, Form>,
}

/// Values that were taken in another form for one reason.
pub(super) struct Form {
    pub(super) count: u64,
    /// The first of them.
    pub(super) sample: String,
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
        old_folders: Spill::new()?,
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
        let noted = Noted { row: number, place: row.place.clone(), whose: Whose::of_row(row), remark };
        read.noted.push(&number.to_be_bytes(), &noted)?;
    }
    let own_key = key_text(key, checked.org_id.unwrap_or_default(), checked.username.as_deref().unwrap_or_default());
    if checked.account.is_err() {
        read.absent.reject(checked.org_id, checked.username.as_deref())?;
    }
    let written = row.username.clone().filter(|written| Some(written) != checked.username.as_ref());
    if let Some(name) = checked.username {
        let written = written.clone();
        let (org_id, place, key) = (checked.org_id, row.place.clone(), own_key.clone());
        let claim = Claim { name, written, org_id, row: number, place, key };
        read.claims.push(claim.name.to_lowercase().as_bytes(), &claim)?;
        if let Ok((account, _)) = &checked.account {
            let folder = Folder::new(&account.home, account.org_id, claim);
            read.folders.push(folder.group().as_bytes(), &folder)?;
        }
    }
    if let (Ok((account, _)), Some(path)) = (&checked.account, checked.old_folder) {
        let (org_id, name) = (account.org_id, account.username.clone());
        let folder = OldFolder { path, org_id, name, row: number, place: row.place.clone() };
        read.old_folders.push(folder.path.as_bytes(), &folder)?;
    }
    let wanted = |org_id, item| Wanted {
        row: number,
        place: row.place.clone(),
        org_id,
        written: written.clone(),
        key: own_key.clone(),
        item,
    };
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
pub(super) async fn on_all_processors<T, R>(items: Vec<T>, compute: fn(T) -> R) -> io::Result<Vec<R>>
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
