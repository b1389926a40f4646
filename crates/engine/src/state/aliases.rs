//! What `dns alias move` remembers of a cut-over, beside the state. It has no lock: the document is replaced only as it
//! was read, and Route 53 changes a record only as it was read.

use std::sync::Arc;

use sftpctl_core::aliases::memory::{Memory, VERSION};

use super::blob::{Blobs, Expect, Version};
use super::document;
use super::error::StateError;
use super::store::Store;

/// The document of an environment.
pub struct AliasMemory {
    blobs: Arc<dyn Blobs>,
    name: String,
    version: Option<Version>,
    memory: Memory,
}

impl AliasMemory {
    pub fn get(&self) -> &Memory {
        &self.memory
    }

    /// Replaces the document.
    ///
    /// # Errors
    /// Another command has replaced it since it was read, or it cannot be written.
    pub async fn replace(&mut self, memory: Memory) -> Result<(), StateError> {
        let content = serde_json::to_vec(&memory).unwrap_or_default();
        let expect = Expect::found(self.version.as_ref());
        self.version = Some(self.blobs.put(&self.name, &content, expect).await?);
        self.memory = memory;
        Ok(())
    }
}

impl Store {
    pub(super) fn aliases_name(&self) -> String {
        format!("{}.aliases", self.environment)
    }

    /// Reads what is remembered of aliases; empty without a document.
    ///
    /// # Errors
    /// It cannot be read, is damaged, was written by a newer sftpctl, or belongs to another environment or account.
    pub async fn alias_memory(&self) -> Result<AliasMemory, StateError> {
        self.blobs.check().await?;
        let name = self.aliases_name();
        let (memory, version) = match self.blobs.get(&name).await? {
            None => (Memory::new(&self.environment, &self.account), None),
            Some(blob) => {
                let memory: Memory = document::parse(&self.blobs.address(&name), &blob.content, VERSION)?;
                self.check_owner(&name, &memory.environment, &memory.account)?;
                (memory, Some(blob.version))
            }
        };
        Ok(AliasMemory { blobs: Arc::clone(&self.blobs), name, version, memory })
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::aliases::decide::Change;
    use sftpctl_core::aliases::zone::Cname;

    use super::super::folder::Folder;
    use super::super::machine::ThisMachine;
    use super::*;

    #[tokio::test]
    async fn memory_is_kept_and_replaced_only_as_it_was_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = |environment: &str| {
            let blobs = Arc::new(Folder::new(dir.path().join("state")));
            Store::new(blobs, environment, "111111111111", Arc::new(ThisMachine))
        };
        let (mut one, mut other) =
            (store("99").alias_memory().await.unwrap(), store("99").alias_memory().await.unwrap());
        let old = Some(Cname { value: "old.".into(), ttl: 60 });
        let memory = one.get().moved(&[Change { name: "a".into(), old, new: None }]);
        one.replace(memory.clone()).await.unwrap();
        one.replace(memory.clone()).await.unwrap();
        assert_eq!(store("99").alias_memory().await.unwrap().get(), &memory);
        let late = other.replace(memory).await;
        assert!(matches!(late, Err(StateError::Conflict { .. })), "{late:?}");
        assert_eq!(store("99").environments().await.unwrap(), Vec::<String>::new(), "it is not the state of one");
        std::fs::rename(dir.path().join("state/99.aliases"), dir.path().join("state/98.aliases")).unwrap();
        assert!(matches!(store("98").alias_memory().await.err(), Some(StateError::Other { .. })));
    }
}
