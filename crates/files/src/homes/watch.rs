//! What a command on homes tells while it works, and how it is asked to stop.

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

/// The listener of such a command.
pub trait Watch: Send + Sync {
    /// Shows the stage; called often.
    fn progress(&self, progress: Progress);

    /// Whether the user asked to stop.
    fn is_stopping(&self) -> bool {
        false
    }
}
