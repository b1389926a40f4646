//! Whether a file that says what to do with others is this user's alone.

use std::os::unix::fs::MetadataExt;

use sftpctl_aws::owner::{is_anybody, is_own};

/// Bits of the mode by which others may write.
pub(crate) const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a file or a folder may have been changed by others. What root owns is as safe as root; in a folder with the sticky
/// bit, such as `/tmp`, nobody changes the files of others.
pub(crate) fn fault(facts: &impl MetadataExt) -> Option<&'static str> {
    const FOLDER_WITH_STICKY: u32 = 0o041_000;
    let (owner, mode) = (facts.uid(), facts.mode());
    if is_anybody(owner) || owner != 0 && !is_own(owner) {
        return Some("belongs to another user");
    }
    let is_open = mode & WRITABLE_BY_OTHERS != 0 && mode & FOLDER_WITH_STICKY != FOLDER_WITH_STICKY;
    is_open.then_some("may be written by others")
}
