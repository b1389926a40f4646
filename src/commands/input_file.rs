//! Reads the text files that a command line names, with a limit: a device, or a file that somebody has sent, must not fill
//! the memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Largest environment file, or file of public keys, in bytes.
pub(super) const SMALL: u64 = 16 << 20;
/// Largest saved plan, in bytes: one with a thousand new buckets has about two million.
pub(super) const LARGE: u64 = 256 << 20;

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// It cannot be read, is larger, or is not UTF-8 ([`io::ErrorKind::InvalidData`]).
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let message = format!("it has more than {} MiB, too much for a file of this kind", most >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}
