//! Reads the text files that a command line names, with a limit. A pipe is waited for, as that of `<(…)` in a shell; so
//! a command reads its files before it listens for signals (`Run::locked`), and Ctrl-C ends the wait.

use std::io;
use std::path::Path;

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_engine::limited;

/// Largest environment file, or file of public keys, in bytes.
pub(super) const SMALL: u64 = 16 << 20;
/// Largest saved plan, in bytes: one with a thousand new buckets has about two million.
pub(super) const LARGE: u64 = 256 << 20;

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// It cannot be read, is larger, or is not UTF-8 ([`io::ErrorKind::InvalidData`]).
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    let bytes = limited::read(path, most)?;
    String::from_utf8(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8"))
}

/// The text of a file that an option names.
///
/// # Errors
/// It cannot be read, which the error says with its path.
pub(super) fn named(path: &Path, most: u64) -> Result<String, CliError> {
    read(path, most).map_err(|error| CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display())))
}
