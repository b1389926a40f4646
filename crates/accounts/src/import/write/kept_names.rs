//! Whether new accounts still have their names.
//!
//! A name is reserved before its account is there. Another writer that claims the name in between finds a reservation
//! without an account, and takes it over in one transaction, on the condition that the account is not there. So either
//! the transaction comes first, and the reservation is another's when it is read after the account was written; or the
//! account does, and the condition does not hold.

use std::collections::HashMap;

use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::{AwsError, Write, Written as AllOrNone};

use super::super::compare::text;
use super::{Added, Batch, Writer};
use crate::bulk::execute::{ATTEMPTS, pause};
use crate::key::{RESERVED_BY, RESERVES};
use crate::store::unchanged_item;

/// Names that are read at once (Amazon DynamoDB API reference, BatchGetItem).
pub(super) const AT_ONCE: usize = 100;

/// Why an account is not written.
const TAKEN: &str = "another writer has taken the user name";

impl Writer {
    /// Counts accounts that were written and still have their names, at most [`AT_ONCE`], and removes the others.
    pub(super) async fn with_names(&self, there: Vec<Added>) -> Batch {
        let mut result = Batch::default();
        let owners = match self.owners(&there).await {
            Ok(owners) => owners,
            Err(error) => {
                let why =
                    format!("it is written, but whether another writer has taken its user name is not known: {error}");
                there.iter().for_each(|added| result.failed(&added.of(), why.as_str()));
                return result;
            }
        };
        for added in there {
            let name = text(&added.item, "username").unwrap_or_default();
            if owners.get(name) == added.item.get("orgid") {
                result.new += 1;
                continue;
            }
            match self.take_back(&added.item).await {
                Ok(true) => result.overtaken(&added.of(), TAKEN),
                Ok(false) => {
                    let why = format!("{TAKEN}, and this account was changed: `sftpctl users audit` finds both");
                    result.failed(&added.of(), why);
                }
                Err(error) => {
                    let why = format!("{TAKEN}, and this account could not be removed: {error}");
                    result.failed(&added.of(), why);
                }
            }
        }
        result
    }

    /// By which organisation each name is reserved now.
    async fn owners(&self, there: &[Added]) -> Result<HashMap<String, Attribute>, AwsError> {
        let key_of =
            |added: &Added| self.accounts.key().reservation_key(text(&added.item, "username").unwrap_or_default());
        let mut left: Vec<Item> = there.iter().map(key_of).collect();
        let mut owners = HashMap::new();
        for attempt in 1..=ATTEMPTS {
            match self.accounts.home().items_of(self.accounts.table(), &left).await {
                Ok((found, unread)) => {
                    let owner = |item: &Item| Some((text(item, RESERVES)?.to_owned(), item.get(RESERVED_BY)?.clone()));
                    owners.extend(found.iter().filter_map(owner));
                    left = unread;
                }
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
            if left.is_empty() {
                break;
            }
            pause(attempt).await;
        }
        match left.is_empty() {
            true => Ok(owners),
            false => Err(AwsError {
                operation: "dynamodb:BatchGetItem",
                object: self.accounts.table().to_owned(),
                code: None,
                message: "the table is throttled".to_owned(),
                status: None,
            }),
        }
    }

    /// Removes an account whose name another has; false if somebody has changed it.
    async fn take_back(&self, item: &Item) -> Result<bool, AwsError> {
        let (condition, values) = unchanged_item(item);
        let key = self.accounts.key().key_of_item(item);
        let delete = [Write::Delete { key, condition: Some(condition), values }];
        let mut attempt = 1;
        loop {
            match self.accounts.home().write_items(self.accounts.table(), &delete).await {
                Ok(AllOrNone::Done) => return Ok(true),
                // It is gone if an earlier attempt was carried out.
                Ok(AllOrNone::Refused(_)) => return Ok(self.found(item).await?.is_none()),
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    pause(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
