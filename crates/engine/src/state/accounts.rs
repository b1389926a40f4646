//! What commands that write many accounts keep beside the state: a lock of their own, so that they neither wait for a
//! deployment nor write at once, and the key of the digests that tell whether a row of a source has changed.

use std::sync::Arc;

use super::blob::Expect;
use super::error::StateError;
use super::lease::{Lock, Terms};
use super::lease_keeper::Heartbeat;
use super::store::{Store, run_id};
use sftpctl_aws::Aws;

/// The lock of a command that writes many accounts. If it is dropped without [`AccountsLock::release`], it expires.
pub struct AccountsLock(Heartbeat);

impl AccountsLock {
    /// Releases the lock.
    ///
    /// # Errors
    /// The lock cannot be written; it then expires by itself.
    pub async fn release(self) -> Result<(), StateError> {
        self.0.release().await
    }
}

impl Store {
    pub(super) fn accounts_key_name(&self) -> String {
        format!("{}.accounts.key", self.environment)
    }

    /// Takes the lock, and renews it until it is released. AWS gets no more writes of this process once it may be lost.
    ///
    /// # Errors
    /// Another command holds the lock, or it cannot be read or written.
    pub async fn hold_accounts(
        &self,
        command: &str,
        aws: &Aws,
        terms: Terms,
        on_wait: &(dyn Fn(&str) + Sync),
    ) -> Result<AccountsLock, StateError> {
        self.blobs.check().await?;
        let held = self.accounts_lock().take((&run_id(), command), terms, on_wait).await?;
        let heartbeat = Heartbeat::new(held, Arc::clone(&self.machine));
        let guard = Arc::clone(heartbeat.guard());
        aws.set_fence(Some(Box::new(move || guard.may_be_lost())));
        Ok(AccountsLock(heartbeat))
    }

    fn accounts_lock(&self) -> Lock {
        let name = format!("{}.accounts", self.environment);
        Lock::new(Arc::clone(&self.blobs), &name, Arc::clone(&self.machine))
    }

    /// Releases the lock if this process has taken it, for a command that ends while it waits for it.
    pub async fn release_own_accounts_lock(&self) {
        self.accounts_lock().release_own().await;
    }

    /// Checks that the place is fit for what a command that writes accounts keeps there, and writes nothing.
    ///
    /// # Errors
    /// It is not, or it cannot be read.
    pub async fn check_place(&self) -> Result<(), StateError> {
        self.blobs.check().await
    }

    /// The key of the digests, or `new` if there is none yet; nothing is written.
    ///
    /// # Errors
    /// The place cannot be read.
    pub async fn known_accounts_key(&self, new: &str) -> Result<String, StateError> {
        let name = self.accounts_key_name();
        match self.blobs.get(&name).await? {
            Some(blob) => text(blob.content, || self.blobs.address(&name)),
            None => Ok(new.to_owned()),
        }
    }

    /// The key of the digests. If there is none, `new` becomes it, unless another command was faster.
    ///
    /// # Errors
    /// The place cannot be read or written.
    pub async fn accounts_key(&self, new: &str) -> Result<String, StateError> {
        let name = self.accounts_key_name();
        if let Some(blob) = self.blobs.get(&name).await? {
            return text(blob.content, || self.blobs.address(&name));
        }
        match self.blobs.put(&name, new.as_bytes(), Expect::Absent).await {
            Ok(_) => Ok(new.to_owned()),
            Err(StateError::Conflict { .. }) => match self.blobs.get(&name).await? {
                Some(blob) => text(blob.content, || self.blobs.address(&name)),
                None => Err(StateError::Conflict { address: self.blobs.address(&name) }),
            },
            Err(error) => Err(error),
        }
    }

    /// Copies what is kept beside the state to another place, unless that has it.
    pub(super) async fn copy_companions(&self, to: &Self) -> Result<(), StateError> {
        for name in [self.accounts_key_name(), self.aliases_name(), self.failure_name()] {
            let Some(blob) = self.blobs.get(&name).await? else { continue };
            match to.blobs.put(&name, &blob.content, Expect::Absent).await {
                Ok(_) | Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn text(content: Vec<u8>, address: impl FnOnce() -> String) -> Result<String, StateError> {
    let damaged = |_| StateError::Damaged { address: address(), reason: "it is not text".to_owned() };
    String::from_utf8(content).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::super::folder::Folder;
    use super::super::machine::ThisMachine;
    use super::*;

    #[tokio::test]
    async fn the_first_key_stays_and_moves_along_with_the_aliases() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = |folder: &tempfile::TempDir| {
            let blobs = Arc::new(Folder::new(folder.path().join("state")));
            Store::new(blobs, "99", "111111111111", Arc::new(ThisMachine))
        };
        let (from, to) = (store(&here), store(&there));
        assert_eq!(from.known_accounts_key("none").await.unwrap(), "none", "and it is not kept");
        assert_eq!(from.accounts_key("first").await.unwrap(), "first");
        assert_eq!(from.known_accounts_key("none").await.unwrap(), "first");
        assert_eq!(from.accounts_key("second").await.unwrap(), "first");
        let memory = from.alias_memory().await.unwrap().get().clone();
        from.alias_memory().await.unwrap().replace(memory).await.unwrap();
        from.copy_companions(&to).await.unwrap();
        assert_eq!(to.accounts_key("third").await.unwrap(), "first");
        assert!(there.path().join("state/99.aliases").exists());
        assert_eq!(from.environments().await.unwrap(), Vec::<String>::new());
    }
}
