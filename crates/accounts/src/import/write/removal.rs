//! Accounts that the source does not have any more.

use sftp_authorizer::Item;
use sftpctl_aws::Statement;

use super::super::compare::{UPDATED, text};
use super::{Batch, Of, Writer};
use crate::bulk::execute::{End, Resent, execute};
use crate::key::RESERVED_BY;

impl Writer {
    /// Deletes a batch of accounts that are still as they were read, and frees their names.
    pub(super) async fn remove(&self, items: Vec<Item>) -> Batch {
        let mut result = Batch::default();
        let mut gone = Vec::new();
        let deleted = self.delete(&items, &mut result.resent).await;
        for (item, deleted) in items.into_iter().zip(deleted) {
            match deleted {
                Ok(true) => gone.push(item),
                Ok(false) => result.overtaken(&Of::item(&item), "the account was changed by another writer"),
                Err(why) => result.failed(&Of::item(&item), why),
            }
        }
        // This may fail: the next account with the name takes over a stale reservation.
        let reserved = |item: &Item| {
            let mut expected: Vec<_> = self
                .accounts
                .key()
                .reservation_key(text(item, "username").unwrap_or_default())
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect();
            expected.push((RESERVED_BY.to_owned(), item.get("orgid").cloned()));
            Statement::Delete { expected }
        };
        execute(&self.accounts, gone.iter().map(reserved).collect(), &mut result.resent).await;
        result.deleted += gone.len() as u64;
        result
    }

    /// Frees names that are reserved for accounts that are gone, as a run that was killed leaves them.
    pub(super) async fn free(&self, gone: Vec<Item>) -> Batch {
        let mut result = Batch::default();
        for item in gone {
            match self.accounts.free(&item).await {
                Ok(is_free) => result.freed += u64::from(is_free),
                Err(error) => result.failed(&Of::item(&item), format!("its user name is still reserved: {error}")),
            }
        }
        result
    }

    /// Deletes accounts, at most a batch, that are still as they were read or written: whether each is gone, which it
    /// is not if another writer has changed it.
    pub(super) async fn delete(&self, items: &[Item], resent: &mut Resent) -> Vec<Result<bool, String>> {
        let ends = execute(&self.accounts, items.iter().map(deletion).collect(), resent).await;
        let mut deleted = Vec::new();
        for (item, end) in items.iter().zip(ends) {
            deleted.push(match end {
                End::Done => Ok(true),
                // It is gone if an earlier attempt of this deletion was carried out.
                End::Taken => self.found(item).await.map(|found| found.is_none()).map_err(|error| error.to_string()),
                End::Failed(why) => Err(why),
            });
        }
        deleted
    }
}

/// The deletion of an account that is still as it was read or written.
fn deletion(item: &Item) -> Statement {
    let names = ["orgid", "username", UPDATED];
    let expected = names.map(|name| (name.to_owned(), item.get(name).cloned()));
    Statement::Delete { expected: expected.into() }
}
