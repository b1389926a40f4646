//! The table, read to its end: its accounts, what they claim, and the marks of those that an operator has removed.

use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::account::is_canary;
use sftp_authorizer::home::Home;
use sftp_authorizer::{Attribute, Item};

use super::compare::{self, HOME, text};
use super::digest::DigestKey;
use super::review::ReviewError;
use super::wanted::{Claim, key_text, number, org_id};
use crate::bulk::pages::Pages;
use crate::bulk::watch::{Progress, Watch};
use crate::folders::Folder;
use crate::key::{REMOVED, RESERVED_BY, RESERVES, TableKey, is_reservation};
use crate::spill::Spill;
use crate::store::Accounts;

/// The table, read.
pub(super) struct Held {
    pub(super) items: Spill<Item>,
    pub(super) claims: Spill<Claim>,
    pub(super) folders: Spill<Folder<Claim>>,
    pub(super) removals: Spill<Removal>,
    /// The accounts (organisation and name) for which names are reserved, if the source has its accounts deleted.
    pub(super) reserved: Option<Spill<Item>>,
    /// Accounts that were imported with another key.
    pub(super) other_key: u64,
}

impl Held {
    /// An empty table.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            items: Spill::new()?,
            claims: Spill::new()?,
            folders: Spill::new()?,
            removals: Spill::new()?,
            reserved: None,
            other_key: 0,
        })
    }
}

/// The mark of an account that an operator has removed.
#[derive(Serialize, Deserialize)]
pub(super) struct Removal {
    /// As of [`Wanted`].
    pub(super) key: String,
    pub(super) time: String,
}

/// Reads the customers' items of the table, several segments at once.
pub(super) async fn held(
    accounts: &Accounts,
    digests: &DigestKey,
    deletes: bool,
    watch: &dyn Watch,
) -> Result<Held, ReviewError> {
    let mut pages = Pages::of(accounts);
    let mut held = Held { reserved: deletes.then(Spill::new).transpose()?, ..Held::new()? };
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

/// Keeps an item and its claim of a name, the marks of removed accounts, and the other reservations of names if they
/// are asked for; not the canaries of `verify`.
pub(super) fn hold(held: &mut Held, item: &Item, key: TableKey) -> io::Result<()> {
    if is_reservation(item) {
        let (Some(name), Some(owner)) = (text(item, RESERVES), number(item, RESERVED_BY)) else { return Ok(()) };
        let of = key_text(key, owner, name);
        return match (text(item, REMOVED), &mut held.reserved) {
            (Some(time), _) => held.removals.push(of.as_bytes(), &Removal { key: of.clone(), time: time.to_owned() }),
            (None, Some(reserved)) => {
                let name = Attribute::Text(name.to_owned());
                let org_id = Attribute::Number(owner.to_string());
                reserved.push(of.as_bytes(), &Item::from([("orgid".into(), org_id), ("username".into(), name)]))
            }
            (None, None) => Ok(()),
        };
    }
    match claim(item, key, (&mut held.claims, &mut held.folders))? {
        Some(key) => held.items.push(key.as_bytes(), item),
        None => Ok(()),
    }
}

/// Keeps the user name and the folder that a customer's item claims; returns its key, as of [`Claim`].
pub(crate) fn claim(
    item: &Item,
    key: TableKey,
    (claims, folders): (&mut Spill<Claim>, &mut Spill<Folder<Claim>>),
) -> io::Result<Option<String>> {
    let name = text(item, "username").unwrap_or_default().to_owned();
    let Some(org_id) = org_id(item).filter(|_| !is_canary(item)) else { return Ok(None) };
    let key = key_text(key, org_id, &name);
    let claim = Claim { name, written: None, org_id: Some(org_id), row: 0, place: String::new(), key: key.clone() };
    // Without a name it is no account, but has the organisation's key.
    if !claim.name.is_empty() {
        claims.push(claim.name.to_lowercase().as_bytes(), &claim)?;
    }
    if let Some(home) = text(item, HOME).and_then(Home::parse) {
        let folder = Folder::new(&home, org_id, claim);
        folders.push(folder.group().as_bytes(), &folder)?;
    }
    Ok(Some(key))
}
