//! Accounts that were not written.

use serde::{Deserialize, Serialize};
use sftp_authorizer::{Attribute, Item};

use crate::import::compare::text;

/// An account that was not written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwritten {
    pub username: String,
    pub org_id: String,
    pub why: String,
}

impl Unwritten {
    /// The account of an item.
    pub(crate) fn new(item: &Item, why: String) -> Self {
        let org_id = match item.get("orgid") {
            Some(Attribute::Number(digits)) => digits.clone(),
            _ => String::new(),
        };
        Self { username: text(item, "username").unwrap_or_default().to_owned(), org_id, why }
    }
}
