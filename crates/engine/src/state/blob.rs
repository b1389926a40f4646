//! Storage for the state: small documents, each replaced as a whole, and only if it has not been replaced since it was
//! read.
//!
//! The lock and the journal depend on that rule: a lease is taken by replacing the document that was read, a writer
//! that lost its lease finds its document replaced, and no two machines need to agree on the time. A folder and an S3
//! bucket keep the same contract; the test suite `sftpctl_testkit::promises` covers both.

use std::fmt::Debug;

use async_trait::async_trait;

use super::error::StateError;

/// Identifies the content of a document at the time it was read. Opaque: an ETag in S3, a digest in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

#[derive(Clone, Debug)]
pub struct Blob {
    pub content: Vec<u8>,
    pub version: Version,
}

/// The condition of a write.
#[derive(Clone, Copy, Debug)]
pub enum Expect<'a> {
    /// The document does not exist.
    Absent,
    /// The document still has this version.
    Is(&'a Version),
}

impl<'a> Expect<'a> {
    /// Expects the result of a read.
    pub fn found(blob: Option<&'a Version>) -> Self {
        blob.map_or(Self::Absent, Self::Is)
    }
}

/// A place for documents.
#[async_trait]
pub trait Blobs: Debug + Send + Sync {
    /// The document's address, for people.
    fn address(&self, name: &str) -> String;

    /// Whether other machines may use the same documents. Only if they certainly do not, a process ID can show that the
    /// holder of a lock has died.
    fn is_shared(&self) -> bool;

    /// Reads a document; `None` if there is none.
    ///
    /// # Errors
    /// The place cannot be read.
    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError>;

    /// Replaces a document, durably, if it is still as expected.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if it is not, and nothing was written; or the place cannot be written.
    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError>;

    /// The names of all documents.
    ///
    /// # Errors
    /// The place cannot be read.
    async fn names(&self) -> Result<Vec<String>, StateError>;

    /// Checks that the place can keep state. Called once, before the first write of a run.
    ///
    /// # Errors
    /// The place does not exist, or lacks what state needs.
    async fn check(&self) -> Result<(), StateError>;
}
