//! A document that only one run replaces, as long as it holds the lock.
//!
//! A write may take effect although its answer is lost or late, or the disk takes the file and then fails. The document
//! then differs from what this run last knew, and is still its own. So the digests of what was sent are kept until
//! there is an answer, and a conflict counts only if the document is none of those.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;

/// The document, as this run knows it.
pub(super) struct ExclusiveDoc {
    blobs: Arc<dyn Blobs>,
    name: String,
    version: Option<Version>,
    /// Digests of what was sent since the last answer.
    sent: Vec<[u8; 32]>,
}

impl ExclusiveDoc {
    /// The document as it was found; `version` is `None` if there was none.
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
        // Before it is sent: a caller that cancels never learns whether it took effect.
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
                    let there = self.blobs.get(&self.name).await?;
                    let news = there.filter(|blob| self.version.as_ref() != Some(&blob.version));
                    let Some(mine) = news.filter(|blob| self.sent.contains(&self::digest(&blob.content))) else {
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
