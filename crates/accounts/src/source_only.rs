//! Accounts of a source that the table does not have. Rows and items are put on disk in parts by their keys, so that
//! memory does not grow with their number.

use std::collections::{HashMap, HashSet};
use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::Item;
use sftpctl_core::spec::model::Environment;

use super::import::check::Rules;
use super::import::compare::text;
use super::import::rejected::shown;
use super::import::row::Rows;
use super::import::wanted::{key_of, key_text, number};
use super::key::{REMOVED, RESERVED_BY, RESERVES, TableKey, is_reservation};
use super::spill::{PARTS, Spill};

/// The rows of a source, read to its end.
pub struct SourceRows {
    rows: Spill<SourceRow>,
}

/// A row of a source.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SourceRow {
    /// Where it is, as a person finds it: `line 5`.
    place: String,
    org_id: String,
    username: String,
    /// What finds its account in the table: its key, or else its user name; nothing if the row has neither.
    found_by: Option<FoundBy>,
    /// Why an import rejects it.
    rejected: Option<String>,
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
    // Which cluster a row is for does not matter here.
    let rules = Rules { environment, default_cluster: environment.clusters.keys().next().cloned() };
    let mut all = Spill::new()?;
    let mut count = 0;
    loop {
        let batch = rows.next().await?;
        if batch.is_empty() {
            return Ok(SourceRows { rows: all });
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
            let words = |value: Option<&str>| value.map_or_else(|| "?".to_owned(), shown);
            let row = SourceRow {
                place: row.place,
                org_id: words(row.org_id.as_deref()),
                username: words(name),
                rejected: checked.account.err().and_then(|faults| faults.into_iter().next()).map(|fault| fault.reason),
                removed: None,
                found_by,
            };
            let part = row.found_by.as_ref().map_or("", FoundBy::text).as_bytes().to_vec();
            all.push(&part, &row)?;
        }
    }
}

/// What the table has.
pub(crate) struct InTable {
    key: TableKey,
    /// The accounts, by key and by name.
    accounts: Spill<FoundBy>,
    /// The keys of accounts that an operator has removed, and when.
    removed: Spill<(String, String)>,
}

impl InTable {
    pub(crate) fn new(key: TableKey) -> io::Result<Self> {
        Ok(Self { key, accounts: Spill::new()?, removed: Spill::new()? })
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
    pub(crate) fn missing(&mut self, table: &mut InTable, mut found: impl FnMut(&SourceRow)) -> io::Result<()> {
        for part in 0..PARTS {
            let accounts = table.accounts.read(part)?.collect::<io::Result<HashSet<FoundBy>>>()?;
            let mut removed = table.removed.read(part)?.collect::<io::Result<HashMap<String, String>>>()?;
            for row in self.rows.read(part)? {
                let mut row = row?;
                if row.found_by.as_ref().is_some_and(|found_by| accounts.contains(found_by)) {
                    continue;
                }
                if let Some(FoundBy::Key(key)) = &row.found_by {
                    row.removed = removed.remove(key);
                }
                found(&row);
            }
        }
        Ok(())
    }
}
