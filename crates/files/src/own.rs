//! Whether a file that says what to do with others is this user's alone.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sftpctl_aws::owner::{has_list, is_anybody, is_own, is_private_group};

/// Bits of the mode by which others may write.
pub(crate) const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What [`fault`] says of an open mode.
const OPEN: &str = "may be written by others";

/// Why a file or a folder may have been changed by others. What root owns is as safe as root; in a folder with the sticky
/// bit, such as `/tmp`, nobody changes the files of others.
pub(crate) fn fault(facts: &impl MetadataExt) -> Option<&'static str> {
    const FOLDER_WITH_STICKY: u32 = 0o041_000;
    let (owner, mode) = (facts.uid(), facts.mode());
    if is_anybody(owner) || owner != 0 && !is_own(owner) {
        return Some("belongs to another user");
    }
    let is_open = mode & WRITABLE_BY_OTHERS != 0 && mode & FOLDER_WITH_STICKY != FOLDER_WITH_STICKY;
    is_open.then_some(OPEN)
}

/// As [`fault`] for a folder, which the group may write to that a system has made for the user alone.
pub(crate) fn folder_fault(folder: &Path, facts: &impl MetadataExt) -> Option<&'static str> {
    let user = rustix::process::geteuid().as_raw();
    let is_private = || facts.mode() & 0o002 == 0 && !has_list(folder) && is_private_group(facts.gid(), user);
    fault(facts).filter(|why| *why != OPEN || !is_private())
}

/// The path without links, as far as it exists; or the first folder above it in which others could exchange what is in it,
/// and why. What is done by the name is done where this says: a link on the way may be another's.
pub(crate) fn closed_above(path: &Path) -> io::Result<Result<PathBuf, (PathBuf, &'static str)>> {
    let path = std::path::absolute(path)?;
    let Some(existing) = path.ancestors().skip(1).find(|folder| folder.exists()) else { return Ok(Ok(path)) };
    let real = existing.canonicalize()?;
    for folder in real.ancestors() {
        if let Some(why) = folder_fault(folder, &folder.metadata()?) {
            return Ok(Err((folder.to_owned(), why)));
        }
    }
    Ok(Ok(path.strip_prefix(existing).map_or_else(|_| path.clone(), |inside| real.join(inside))))
}
