//! Opens the files of a folder that keeps state. Somebody else may have put anything in the place of one: a link, a
//! pipe to which nobody writes, a device without an end, or a file of their own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use sftpctl_aws::owner::{is_anybody, is_own};

use crate::limited;

/// Largest document in bytes, in a folder and in a bucket. The state of a thousand clusters has about one million.
pub(super) const LARGEST: u64 = 64 << 20;

/// A file or folder that must not be used as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfit {
    pub(super) reason: &'static str,
    /// What to do; its path belongs after it.
    pub(super) remedy: &'static str,
}

/// Why a file is not used.
#[derive(Debug)]
pub(super) enum FileProblem {
    Io(io::Error),
    Unfit(Unfit),
}

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const LINK: Unfit = Unfit {
    reason: "it is a symbolic link",
    remedy: "look where it leads, then replace it by the file, or remove it: rm",
};
const NO_FILE: Unfit = Unfit { reason: "it is not a regular file", remedy: "look at it, then remove it: rm" };

/// Opens a regular file, and follows no link. Never waits. `is_private` asks for a file of our own.
pub(super) fn open(options: &mut OpenOptions, path: &Path, is_private: bool) -> Result<File, FileProblem> {
    // The bits of these flags are small and positive on every platform.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = options.custom_flags(flags).open(path).map_err(|error| match Errno::from_io_error(&error) {
        // FreeBSD says EMLINK.
        Some(Errno::LOOP | Errno::MLINK) => FileProblem::Unfit(LINK),
        // A pipe without a reader, a socket, or a folder.
        Some(Errno::NXIO | Errno::ISDIR) => FileProblem::Unfit(NO_FILE),
        _ => FileProblem::Io(error),
    })?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(FileProblem::Unfit(NO_FILE));
    }
    match is_private.then(|| openness(&facts)).flatten() {
        Some(unfit) => Err(FileProblem::Unfit(unfit)),
        None => Ok(file),
    }
}

/// The content of a file as [`open`] opens it; `None` if there is none.
pub(super) fn read(path: &Path, is_private: bool) -> Result<Option<Vec<u8>>, FileProblem> {
    match open(OpenOptions::new().read(true), path, is_private) {
        Ok(file) => Ok(Some(limited::read_open(file, LARGEST)?)),
        Err(FileProblem::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Why a file or folder is not ours alone. What root owns is as safe as root.
pub(super) fn openness(facts: &impl MetadataExt) -> Option<Unfit> {
    let owner = facts.uid();
    if is_anybody(owner) {
        let reason = "this user namespace does not say who owns it";
        return Some(Unfit { reason, remedy: "rerun the command outside of the namespace, as the owner of" });
    }
    if owner != 0 && !is_own(owner) {
        let remedy = "look at it, then take it over: chown -R \"$USER\"";
        return Some(Unfit { reason: "another user owns it", remedy });
    }
    let remedy = "look at it, then close it: chmod -R go-w";
    (facts.mode() & 0o022 != 0).then_some(Unfit { reason: "others may write to it", remedy })
}
