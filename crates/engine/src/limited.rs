//! Reads files with a limit: a device, or a file that somebody else has put there, must not fill the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The bytes of a file, of which there are at most `most`. Waits for a pipe.
///
/// # Errors
/// It cannot be read, or is larger ([`io::ErrorKind::FileTooLarge`]).
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_open(File::open(path)?, most)
}

/// As [`read`], for a file that is open.
pub(crate) fn read_open(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= most {
        return Ok(bytes);
    }
    let limit = if most >> 20 > 0 { format!("{} MiB", most >> 20) } else { format!("{} KiB", most >> 10) };
    let message = format!("it has more than {limit}, too much for a file of this kind");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, message))
}

/// As [`read`], for a secret: nobody but the owner may read the file. The owner is not compared.
///
/// # Errors
/// As for [`read`]; others may read it ([`io::ErrorKind::PermissionDenied`], without an error number of the system).
pub fn read_private(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if is_open(&file.metadata()?) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may read it"));
    }
    read_open(file, most)
}

/// Whether an error is that of [`read_private`] for a file that others may read.
pub fn is_not_private(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

#[cfg(unix)]
fn is_open(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    file.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}
