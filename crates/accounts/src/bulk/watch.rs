//! What a command on many accounts tells while it works, and how it is asked to stop.

/// The stage of an import, or of hardening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows of the source that were read, of about how many.
    Reading { rows: u64, expected: Option<u64> },
    /// Accounts of the table that were read.
    Scanning { items: u64 },
    /// Rows and accounts are compared.
    Comparing,
    /// Hardened passwords that were computed, since their digests are of another key.
    Proving { done: u64 },
    /// Accounts that were written, of how many; writes that the table throttled; batches of them at once; the home folders
    /// of new accounts, if they get markers.
    Writing { done: u64, of: u64, throttled: u64, at_once: u64, folders: Option<Folders> },
    /// The table is to take so many write units a second at once.
    Warming { writes: u64 },
    /// Items that DynamoDB has imported by itself, of how many if it is known.
    Importing { done: u64, of: Option<u64> },
    /// Passwords that were hardened, of about how many; writes that the table throttled.
    Hardening { done: u64, of: u64, throttled: u64 },
}

/// The objects that show home folders, which S3 takes at another pace than the table takes its writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folders {
    /// Objects that S3 throttled.
    pub throttled: u64,
    /// Batches of them at once.
    pub at_once: u64,
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
