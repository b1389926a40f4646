//! What a command on homes tells while it works, and how it is asked to stop.

use super::concern::Concern;
use super::name::Raw;

/// The stage of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Entries of homes that were read.
    Reading { entries: u64 },
    /// Entries that are done, of those that were found so far; bytes that were sent.
    Copying { done: u64, found: u64, bytes: u64 },
    /// Objects that were compared with S3, of how many.
    Verifying { done: u64, of: u64 },
    /// Objects that were brought back.
    Returning { done: u64, bytes: u64 },
}

/// What becomes of an entry that a copy does not store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays behind, and keeps the copy incomplete.
    Left(Concern),
    /// An option says that it stays.
    Skipped(Concern),
    /// It is not in the home any more, but its object is there.
    Gone,
}

/// The listener of such a command.
pub trait Watch: Send + Sync {
    /// Shows the stage; called often.
    fn progress(&self, progress: Progress);

    /// An entry is not stored; called once for each. `detail` says more about it, and may be empty.
    fn not_stored(&self, _path: &Raw, _fate: Fate, _detail: &str) {}

    /// An object is not brought back under its own name; called once for each. With the path that it has instead, if any.
    fn elsewhere(&self, _key: &str, _at: Option<&Raw>, _why: &str) {}

    /// Nothing is sent until later, for this reason; called once.
    fn waiting(&self, _words: &str) {}

    /// Whether the user asked to stop.
    fn is_stopping(&self) -> bool {
        false
    }
}
