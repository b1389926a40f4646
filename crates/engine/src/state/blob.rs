//! Where state lies: small documents, each replaced as a whole, and only where nobody else did so in between.
//!
//! That one rule carries everything above it: a lease is taken by replacing what was read, a writer that lost its lease
//! finds its document replaced, and nothing needs a clock that two machines agree on. A folder and an S3 bucket keep
//! the same contract; `sftpctl_testkit::promises` is the one suite for both.

use std::fmt::Debug;

use async_trait::async_trait;

use super::error::StateError;

/// What a document was when it was read. Opaque: an ETag in S3, a digest in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// A document.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Its bytes.
    pub content: Vec<u8>,
    /// What it was when they were read.
    pub version: Version,
}

/// What must be there for a write to happen.
#[derive(Clone, Copy, Debug)]
pub enum Expect<'a> {
    /// Nothing.
    Absent,
    /// The document as it was read.
    Is(&'a Version),
}

impl<'a> Expect<'a> {
    /// Expects what a read found.
    pub fn found(blob: Option<&'a Version>) -> Self {
        blob.map_or(Self::Absent, Self::Is)
    }
}

/// A place for documents.
#[async_trait]
pub trait Blobs: Debug + Send + Sync {
    /// The document's address, for people.
    fn address(&self, name: &str) -> String;

    /// Whether other machines may be at work on the very same documents: only where that is certainly not so does a
    /// process id say who has died.
    fn is_shared(&self) -> bool;

    /// Reads a document; none is `None`.
    ///
    /// # Errors
    /// The place cannot be read.
    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError>;

    /// Replaces a document, durably, where it is still as expected.
    ///
    /// # Errors
    /// [`StateError::Conflict`] where it is not, and then nothing was written; or the place cannot be written.
    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError>;

    /// The names of all documents.
    ///
    /// # Errors
    /// The place cannot be read.
    async fn names(&self) -> Result<Vec<String>, StateError>;

    /// Whether it is fit to keep state: asked once, before the first write of a run.
    ///
    /// # Errors
    /// It is not there, or lacks what state needs.
    async fn check(&self) -> Result<(), StateError>;
}
