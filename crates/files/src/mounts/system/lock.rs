//! Locks on this machine: one heal, and one canary, of a mount at a time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::super::record::{Record, below};

/// A lock that is held until this is dropped, or the process ends.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

impl Held {
    /// Takes a lock of a mount.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process holds it.
    pub fn of(root: &Path, record: &Record, what: &str) -> io::Result<Self> {
        let file = File::create(run_file(root, record, &format!("{what}.lock"))?)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _file: file })
    }
}

/// A file about a mount that a restart of the machine deletes.
///
/// # Errors
/// If its folder cannot be created.
pub fn run_file(root: &Path, record: &Record, end: &str) -> io::Result<PathBuf> {
    let folder = below(root, "/run/sftpctl/mounts");
    fs::create_dir_all(&folder)?;
    // The mount point may have been moved below a root; its own name is the last part in any case.
    let name = record.at().strip_prefix(root).unwrap_or(record.at()).to_string_lossy().replace('/', "-");
    Ok(folder.join(format!("{}.{end}", name.trim_start_matches('-'))))
}
