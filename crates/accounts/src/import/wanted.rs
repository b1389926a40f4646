//! What a row of a source wants of the table, and the keys by which rows and items find each other. Pure.

use serde::{Deserialize, Serialize};
use sftp_authorizer::{Attribute, Item};

use super::compare::{HOME, text};
use crate::key::TableKey;

/// A row that can be written, as an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) row: u64,
    pub(super) place: String,
    pub(super) org_id: i64,
    /// The user name as the source has it, if that is another than the item's.
    pub(super) written: Option<String>,
    /// The key in the table, as text.
    pub(super) key: String,
    /// Nothing for a row that was rejected before, which still claims its organisation.
    pub(super) item: Option<Item>,
}

impl Wanted {
    /// The user name, if the row was not rejected before.
    pub(super) fn name(&self) -> Option<&str> {
        text(self.item.as_ref()?, "username")
    }
}

/// A claim of a user name: by a row, or by an item, which has the row 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) name: String,
    /// The name as the source has it, if that is another.
    pub(crate) written: Option<String>,
    pub(crate) org_id: Option<i64>,
    pub(crate) row: u64,
    pub(crate) place: String,
    /// As of [`Wanted`].
    pub(crate) key: String,
}

/// A change to an item.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Change {
    /// The number of the row, its place, and the name as written, as of [`Wanted`].
    pub(super) number: u64,
    pub(super) place: String,
    pub(super) written: Option<String>,
    /// The row, as an item.
    pub(super) row: Item,
    /// The item as it was read.
    pub(super) item: Item,
    /// The attributes that differ.
    pub(super) attributes: Vec<String>,
    /// Whether somebody has changed the account since its import: it is repaired, and stays newer than the source.
    pub(super) is_newer: bool,
}

impl Change {
    /// Whether the account gets another user name.
    pub(super) fn is_renamed(&self) -> bool {
        self.attributes.iter().any(|name| name == "username")
    }

    /// Whether the account gets another home folder.
    pub(super) fn is_moved(&self) -> bool {
        self.attributes.iter().any(|name| name == HOME)
    }
}

/// The key of an account as text, by which rows and items find each other.
pub(crate) fn key_text(key: TableKey, org_id: i64, username: &str) -> String {
    if key.has_name() { format!("{org_id}/{username}") } else { org_id.to_string() }
}

pub(crate) fn key_of(key: TableKey, item: &Item) -> Option<String> {
    Some(key_text(key, org_id(item)?, text(item, "username").unwrap_or_default()))
}

pub(crate) fn org_id(item: &Item) -> Option<i64> {
    number(item, "orgid")
}

pub(crate) fn number(item: &Item, name: &str) -> Option<i64> {
    match item.get(name) {
        Some(Attribute::Number(digits)) => digits.parse().ok(),
        _ => None,
    }
}

/// `jan (organisation 17578)`.
pub(super) fn label(item: &Item) -> String {
    let org_id = org_id(item).map_or_else(|| "?".to_owned(), |id| id.to_string());
    format!("{} (organisation {org_id})", text(item, "username").unwrap_or("?"))
}
