//! Accounts that the source does not have any more.

use sftp_authorizer::Item;
use sftpctl_aws::Statement;

use super::super::compare::{UPDATED, text};
use super::{Batch, Of, Writer};
use crate::bulk::execute::{End, execute};
use crate::key::RESERVED_BY;

impl Writer {
    /// Deletes a batch of accounts that are still as they were read, and frees their names.
    pub(super) async fn remove(&self, items: Vec<Item>) -> Batch {
        let mut result = Batch::default();
        let expected = |item: &Item| {
            let names = ["orgid", "username", UPDATED];
            names.map(|name| (name.to_owned(), item.get(name).cloned())).into()
        };
        let deletions = items.iter().map(|item| Statement::Delete { expected: expected(item) }).collect();
        let ends = execute(&self.accounts, deletions, &mut result.resent).await;
        let mut gone = Vec::new();
        for (item, end) in items.into_iter().zip(ends) {
            match end {
                End::Done => gone.push(item),
                End::Taken => match self.found(&item).await {
                    // An earlier attempt of this deletion was carried out.
                    Ok(None) => gone.push(item),
                    Ok(Some(_)) => result.overtaken(&Of::item(&item), "the account was changed by another writer"),
                    Err(error) => result.failed(&Of::item(&item), error.to_string()),
                },
                End::Failed(why) => result.failed(&Of::item(&item), why),
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
}
