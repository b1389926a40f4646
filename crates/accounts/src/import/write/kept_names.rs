//! Whether new accounts still have their names.
//!
//! A name is reserved before its account is there. Another writer that claims the name in between finds a reservation
//! without an account, and takes it over in one transaction, on the condition that the account is not there. So either
//! the transaction comes first, and the reservation is another's when it is read after the account was written; or the
//! account does, and the condition does not hold.

use std::collections::HashMap;

use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::BATCH;

use super::super::compare::text;
use super::{Added, Batch, Writer};
use crate::bulk::execute::{ATTEMPTS, Resent, pause};
use crate::key::{RESERVED_BY, RESERVES};

/// Names that are read at once (Amazon DynamoDB API reference, BatchGetItem).
pub(super) const AT_ONCE: usize = 100;

/// Why an account is removed again.
const TAKEN: &str = "another writer has taken the user name";

impl Writer {
    /// Counts accounts that were written and still have their names, at most [`AT_ONCE`], and removes the others.
    pub(super) async fn with_names(&self, there: Vec<Added>) -> Batch {
        let mut result = Batch::default();
        let owners = match self.owners(&there, &mut result.resent).await {
            Ok(owners) => owners,
            Err(why) => {
                let why = format!("whether another writer has taken the user name is not known: {why}");
                there.iter().for_each(|added| result.unchecked(&added.of(), why.clone()));
                return result;
            }
        };
        let (kept, taken): (Vec<Added>, Vec<Added>) = there.into_iter().partition(|added| {
            let name = text(&added.item, "username").unwrap_or_default();
            owners.get(name) == added.item.get("orgid")
        });
        result.new += kept.len() as u64;
        for taken in taken.chunks(BATCH) {
            let items: Vec<Item> = taken.iter().map(|added| added.item.clone()).collect();
            let deleted = self.delete(&items, &mut result.resent).await;
            for (added, deleted) in taken.iter().zip(deleted) {
                match deleted {
                    Ok(true) => result.overtaken(&added.of(), TAKEN),
                    Ok(false) => result.unchecked(&added.of(), format!("{TAKEN}, and this account was changed")),
                    Err(why) => {
                        result.unchecked(&added.of(), format!("{TAKEN}, and this account was not removed: {why}"));
                    }
                }
            }
        }
        result
    }

    /// By which organisation each name is reserved now; if they cannot be read, why.
    async fn owners(&self, there: &[Added], resent: &mut Resent) -> Result<HashMap<String, Attribute>, String> {
        let key_of =
            |added: &Added| self.accounts.key().reservation_key(text(&added.item, "username").unwrap_or_default());
        let mut left: Vec<Item> = there.iter().map(key_of).collect();
        let mut owners = HashMap::new();
        let mut attempt = 1;
        loop {
            let (why, is_throttled) = match self.accounts.home().items_of(self.accounts.table(), &left).await {
                Ok((found, unread)) => {
                    let owner = |item: &Item| Some((text(item, RESERVES)?.to_owned(), item.get(RESERVED_BY)?.clone()));
                    owners.extend(found.iter().filter_map(owner));
                    left = unread;
                    if left.is_empty() {
                        return Ok(owners);
                    }
                    ("the table is throttled".to_owned(), true)
                }
                Err(error) if error.is_transient() => (error.to_string(), error.is_throttle()),
                Err(error) => return Err(error.to_string()),
            };
            if attempt == ATTEMPTS {
                return Err(why);
            }
            *(if is_throttled { &mut resent.throttled } else { &mut resent.repeated }) += left.len() as u64;
            pause(attempt).await;
            attempt += 1;
        }
    }
}
