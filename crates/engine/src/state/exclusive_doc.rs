//! A document that one run alone replaces for as long as it holds the lock.
//!
//! A write may take effect although no answer comes, or none in time: S3's answer got lost, the disk took the file and
//! then failed. The document is not as this run last knew it then, and still its own. So what was sent is remembered
//! until there is an answer, and a conflict is looked into before it is believed.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::blob::{Blobs, Expect, Version};
use super::error::StateError;

/// The document.
pub(super) struct Owned {
    blobs: Arc<dyn Blobs>,
    name: String,
    version: Option<Version>,
    /// Digests of what was sent since the last answer.
    sent: Vec<[u8; 32]>,
}

impl Owned {
    /// The document as it was found; `None` for none.
    pub(super) fn new(blobs: Arc<dyn Blobs>, name: String, version: Option<Version>) -> Self {
        Self { blobs, name, version, sent: Vec::new() }
    }

    /// Where it is, for people.
    pub(super) fn address(&self) -> String {
        self.blobs.address(&self.name)
    }

    /// Replaces it. May be given up at any moment, and said again.
    ///
    /// # Errors
    /// [`StateError::Conflict`] where somebody else has replaced it; or it cannot be written.
    pub(super) async fn put(&mut self, content: &[u8]) -> Result<(), StateError> {
        let digest = digest(content);
        // Before it is sent: whoever gives it up does not hear what came of it.
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
