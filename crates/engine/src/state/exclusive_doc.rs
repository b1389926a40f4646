//! A document that only this run replaces, as long as it holds the lock.
//!
//! A write may take effect although its answer is lost or late, or although the disk fails after storing the file. The
//! document then differs from the last version that this run knows, but was still written by it. So the digests of all
//! contents that were sent are kept until there is an answer, and a conflict counts only if the document has none of
//! them.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;

/// A document and its last version that this run knows.
pub(super) struct ExclusiveDoc {
    blobs: Arc<dyn Blobs>,
    name: String,
    version: Option<Version>,
    /// Digests of the contents that were sent since the last answer.
    sent: Vec<[u8; 32]>,
}

impl ExclusiveDoc {
    /// A document; `version` is its current version, `None` if the document does not exist.
    pub(super) fn new(blobs: Arc<dyn Blobs>, name: String, version: Option<Version>) -> Self {
        Self { blobs, name, version, sent: Vec::new() }
    }

    /// The address that messages show.
    pub(super) fn address(&self) -> String {
        self.blobs.address(&self.name)
    }

    /// Replaces the document. Safe to cancel at any moment, and to retry.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if another run has replaced it; or it cannot be written.
    pub(super) async fn put(&mut self, content: &[u8]) -> Result<(), StateError> {
        let digest = digest(content);
        // Stored before the write is sent: a caller that cancels never learns whether it took effect.
        if !self.sent.contains(&digest) {
            self.sent.push(digest);
        }
        loop {
            match self.blobs.put(&self.name, content, Expect::found(self.version.as_ref())).await {
                Ok(version) => {
                    self.version = Some(version);
                    self.sent.clear();
                    return Ok(());
                }
                Err(StateError::Conflict { address }) => {
                    let current = self.blobs.get(&self.name).await?;
                    let changed = current.filter(|blob| self.version.as_ref() != Some(&blob.version));
                    let Some(mine) = changed.filter(|blob| self.sent.contains(&self::digest(&blob.content))) else {
                        return Err(StateError::Conflict { address });
                    };
                    self.version = Some(mine.version);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}
