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

/// The first folder above a path, as far as there are any, in which others could exchange what is in it, and why.
pub(crate) fn exposed_above(path: &Path) -> io::Result<Option<(PathBuf, &'static str)>> {
    let path = std::path::absolute(path)?;
    let Some(existing) = path.ancestors().skip(1).find(|folder| folder.exists()) else { return Ok(None) };
    for folder in existing.canonicalize()?.ancestors() {
        let facts = folder.metadata()?;
        let is_private = || {
            let user = rustix::process::geteuid().as_raw();
            facts.mode() & 0o002 == 0 && !has_list(folder) && is_private_group(facts.gid(), user)
        };
        match fault(&facts) {
            Some(why) if why == OPEN && is_private() => {}
            Some(why) => return Ok(Some((folder.to_owned(), why))),
            None => {}
        }
    }
    Ok(None)
}
