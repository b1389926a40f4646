//! Locks on this machine: one heal, and one canary, of a mount at a time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

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
        let file =
            open_plain(&run_file(root, record, &format!("{what}.lock"))?, File::options().write(true).create(true))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { _file: file })
    }
}

/// Opens a file that may be another's: not through a link, and without waiting for the other end of a pipe.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if it is not a regular file; others if it cannot be opened.
pub fn open_plain(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = how.custom_flags(flags.bits().cast_signed()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// A file about a mount that a restart of the machine deletes.
///
/// # Errors
/// If its folder cannot be created.
pub fn run_file(root: &Path, record: &Record, end: &str) -> io::Result<PathBuf> {
    let folder = below(root, "/run/sftpctl/mounts");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{}.{end}", own_name(root, record))))
}

/// The name of a mount, whose mount point may have been moved below a root.
pub fn own_name(root: &Path, record: &Record) -> String {
    let name = record.at().strip_prefix(root).unwrap_or(record.at()).to_string_lossy().replace('/', "-");
    name.trim_start_matches('-').to_owned()
}
