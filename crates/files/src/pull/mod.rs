//! Agents take customers' files from S3: whole, checked, and once.
//!
//! Pure are [`path`] (from a key to a local path), [`rules`] and [`select`] (what a listing asks for), [`ledger`] (what
//! has been fetched), [`parts`], [`sums`], [`line`](mod@line) and [`mtime`]. [`run`] does it, and [`follow`] goes on with
//! it by events: [`fetch`] downloads into the target folder ([`target`], [`folders`]), [`commit`] makes complete files
//! durable ([`group`]) and gives them their names, and [`hook`] hands them over.

mod commit;
mod fetch;
mod folders;
pub mod follow;
mod group;
pub mod hook;
pub mod ledger;
mod ledger_file;
pub mod line;
pub mod mtime;
pub mod parts;
pub mod path;
pub mod rules;
pub mod run;
pub mod select;
pub mod sums;
mod target;

use std::path::Path;

use serde::Serialize;
use sftpctl_aws::AwsError;

pub use self::ledger::Fetched;
pub use self::ledger_file::LedgerError;
pub use self::target::{OWN_FOLDER, QUARANTINE, TargetError};

/// Something that happened to a file.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It would be fetched (`--dry-run`): its key and size in bytes.
    Wanted { key: &'a str, size: u64 },
    /// It is complete, and has its name.
    Fetched { file: &'a Fetched, path: &'a Path },
    /// The hook succeeded for it.
    Hooked { key: &'a str },
    /// The hook failed too often, and it was moved.
    Quarantined { key: &'a str, path: &'a Path, why: &'a str },
    /// It was not fetched, or not handed over.
    Left { key: &'a str, why: &'a str },
}

/// Follows a pull, and may ask it to stop.
pub trait Watch: Send + Sync {
    fn event(&self, event: Event<'_>);

    /// A line that a hook has printed, which may have anything in it.
    fn said(&self, line: &str);

    /// So many objects were listed so far.
    fn listed(&self, objects: u64);

    /// Bytes that arrived.
    fn received(&self, bytes: u64);

    /// Whether no new file should begin.
    fn is_stopping(&self) -> bool;
}

/// What a pull did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Objects in the listing.
    pub listed: u64,
    /// Not for this pull: customers' folders, and what the patterns leave out.
    pub skipped: u64,
    /// Uploads that are not finished, by their names.
    pub unfinished: u64,
    /// Too new for a listing; their events are awaited.
    pub young: u64,
    /// Fetched earlier.
    pub known: u64,
    /// Would be fetched (`--dry-run`).
    pub wanted: u64,
    pub fetched: u64,
    /// Of the fetched files.
    pub bytes: u64,
    /// Files of this run and earlier ones whose hook succeeded.
    pub hooked: u64,
    /// Moved into the quarantine by this run.
    pub quarantined: u64,
    /// Deleted from S3 since they were listed.
    pub gone: u64,
    /// Not fetched, not handed over, or still in quarantine.
    pub left: u64,
    pub interrupted: bool,
}

/// What ends a pull early.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the target folder cannot be written: {0}")]
    Disk(std::io::Error),
}
