//! Accounts of a source that the table does not have. Rows and items are put on disk in parts by their keys, so that
//! memory does not grow with their number.

use std::collections::{HashMap, HashSet};
use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::Item;
use sftpctl_core::spec::model::Environment;

use super::folders::Folder;
use super::import::absent::Absent;
use super::import::check::Rules;
use super::import::claims::{compare_folders, compare_names};
use super::import::compare::text;
use super::import::held;
use super::import::rejected::{Reason, Rejected, shown};
use super::import::row::Rows;
use super::import::wanted::{Claim, key_of, key_text, number};
use super::key::{REMOVED, RESERVED_BY, RESERVES, TableKey, is_reservation};
use super::spill::{PARTS, Spill};

/// The rows of a source, read to its end.
pub struct SourceRows {
    rows: Spill<SourceRow>,
    claims: Spill<Claim>,
    folders: Spill<Folder<Claim>>,
}

/// A row of a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SourceRow {
    /// From 1.
    number: u64,
    /// Where it is, as a person finds it: `line 5`.
    place: String,
    org_id: String,
    username: String,
    /// What finds its account in the table: its key, or else its user name; nothing if the row has neither.
    found_by: Option<FoundBy>,
    /// Why an import rejects it.
    rejected: Option<String>,
    /// Whether it does not if the source gives the user name up.
    is_passed_on: bool,
    /// When its account was removed from the table.
    removed: Option<String>,
}

/// What finds an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum FoundBy {
    Key(String),
    Name(String),
}

impl FoundBy {
    fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Name(text) => text,
        }
    }
}

impl SourceRow {
    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn org_id(&self) -> &str {
        &self.org_id
    }

    /// What is wrong, and what to do.
    pub(crate) fn words(&self) -> String {
        let place = &self.place;
        match (&self.rejected, &self.removed) {
            (Some(why), _) if self.is_passed_on => format!(
                "{place} of the source is not in the table, and an import rejects it, unless the source gives that \
                 account another name: {why}"
            ),
            (Some(why), _) => format!("{place} of the source is not in the table, and an import rejects it: {why}"),
            (None, Some(time)) => format!(
                "{place} of the source was removed from the table at {time}; imports keep it out without --overwrite"
            ),
            (None, None) => {
                format!("{place} of the source is not in the table: `sftpctl users import` or `users sync` adds it")
            }
        }
    }
}

/// Reads a source to its end. `key` is the table's.
///
/// # Errors
/// The source, or a temporary file, cannot be read.
pub async fn rows_of(
    rows: &mut dyn Rows,
    environment: &Environment,
    key: TableKey,
) -> Result<SourceRows, super::audit::AuditError> {
    // Which cluster a row is for matters only for its folder.
    let rules = Rules { environment, default_cluster: environment.clusters.keys().next().cloned() };
    let mut all = SourceRows { rows: Spill::new()?, claims: Spill::new()?, folders: Spill::new()? };
    let mut count = 0;
    loop {
        let batch = rows.next().await?;
        if batch.is_empty() {
            return Ok(all);
        }
        for row in batch {
            count += 1;
            let checked = rules.check(count, &row);
            let name = checked.username.as_deref();
            let found_by = match (checked.org_id, name) {
                (Some(org_id), name) if name.is_some() || !key.has_name() => {
                    Some(FoundBy::Key(key_text(key, org_id, name.unwrap_or_default())))
                }
                (_, Some(name)) => Some(FoundBy::Name(name.to_owned())),
                _ => None,
            };
            if let Some(name) = name {
                let own_key = key_text(key, checked.org_id.unwrap_or_default(), name);
                let (name, org_id, place) = (name.to_owned(), checked.org_id, row.place.clone());
                let claim = Claim { name, written: row.username.clone(), org_id, row: count, place, key: own_key };
                all.claims.push(claim.name.to_lowercase().as_bytes(), &claim)?;
                let has_cluster = row.cluster.is_some() || environment.clusters.len() == 1;
                if let (Ok((account, _)), true) = (&checked.account, has_cluster) {
                    let folder = Folder::new(&account.home, account.org_id, claim);
                    all.folders.push(folder.group().as_bytes(), &folder)?;
                }
            }
            let words = |value: Option<&str>| value.map_or_else(|| "?".to_owned(), shown);
            let row = SourceRow {
                number: count,
                place: row.place,
                org_id: words(row.org_id.as_deref()),
                username: words(name),
                rejected: checked.account.err().and_then(|faults| faults.into_iter().next()).map(|fault| fault.reason),
                is_passed_on: false,
                removed: None,
                found_by,
            };
            let part = row.found_by.as_ref().map_or("", FoundBy::text).as_bytes().to_vec();
            all.rows.push(&part, &row)?;
        }
    }
}

/// What the table has.
pub(crate) struct InTable {
    key: TableKey,
    /// The accounts, by key and by name.
    accounts: Spill<FoundBy>,
    claims: Spill<Claim>,
    folders: Spill<Folder<Claim>>,
    /// The keys of accounts that an operator has removed, and when.
    removed: Spill<(String, String)>,
}

impl InTable {
    pub(crate) fn new(key: TableKey) -> io::Result<Self> {
        let (accounts, claims, folders, removed) = (Spill::new()?, Spill::new()?, Spill::new()?, Spill::new()?);
        Ok(Self { key, accounts, claims, folders, removed })
    }

    pub(crate) fn add(&mut self, item: &Item) -> io::Result<()> {
        if is_reservation(item) {
            if let (Some(time), Some(name), Some(org_id)) =
                (text(item, REMOVED), text(item, RESERVES), number(item, RESERVED_BY))
            {
                let key = key_text(self.key, org_id, name);
                self.removed.push(key.as_bytes(), &(key.clone(), time.to_owned()))?;
            }
            return Ok(());
        }
        held::claim(item, self.key, (&mut self.claims, &mut self.folders))?;
        let key = key_of(self.key, item).map(FoundBy::Key);
        let name = text(item, "username").map(|name| FoundBy::Name(name.to_owned()));
        for found_by in key.into_iter().chain(name) {
            self.accounts.push(found_by.text().as_bytes(), &found_by)?;
        }
        Ok(())
    }
}

impl SourceRows {
    /// Calls `found` with each row whose account is not in the table.
    pub(crate) fn missing(mut self, mut table: InTable, mut found: impl FnMut(&SourceRow)) -> io::Result<()> {
        let (mut rejected, mut absent) = (Spill::new()?, Absent::new(table.key.has_name())?);
        compare_names(
            self.claims,
            table.claims,
            &mut rejected,
            &mut absent,
            (None, |_: &[&Claim], _: &[&str]| Ok(())),
        )?;
        compare_folders([self.folders, table.folders], &mut rejected, &mut absent, None)?;
        for part in 0..PARTS {
            let accounts = table.accounts.read(part)?.collect::<io::Result<HashSet<FoundBy>>>()?;
            let mut removed = table.removed.read(part)?.collect::<io::Result<HashMap<String, String>>>()?;
            let mut faults: HashMap<u64, Rejected> = HashMap::new();
            for fault in rejected.read(part)? {
                let fault = fault?;
                faults.entry(fault.row).or_insert(fault);
            }
            let rows = self.rows.read(part)?.collect::<io::Result<Vec<SourceRow>>>()?;
            let mut places: HashMap<FoundBy, Vec<String>> = HashMap::new();
            for row in &rows {
                if let Some(found_by @ FoundBy::Key(_)) = &row.found_by {
                    places.entry(found_by.clone()).or_default().push(row.place.clone());
                }
            }
            for mut row in rows {
                if row.found_by.as_ref().is_some_and(|found_by| accounts.contains(found_by)) {
                    continue;
                }
                let places = row.found_by.as_ref().and_then(|found_by| places.get(found_by));
                let rival = places.and_then(|places| places.iter().find(|place| **place != row.place));
                if let Some(FoundBy::Key(key)) = &row.found_by {
                    row.removed = removed.remove(key);
                }
                if row.rejected.is_none() {
                    let fault = faults.remove(&row.number);
                    let is_taken = fault.as_ref().is_some_and(|fault| fault.kind == Reason::NameTaken);
                    row.is_passed_on = rival.is_none() && is_taken && !table.key.has_name();
                    row.rejected = match rival {
                        Some(place) => Some(format!("{place} has the same organisation ID")),
                        None => fault.map(|fault| fault.reason),
                    };
                }
                found(&row);
            }
        }
        Ok(())
    }
}
