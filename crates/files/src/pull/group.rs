//! Makes files and folders durable, many with one call: a group commit.
//!
//! `fsync` waits for the disk once for each file. `syncfs` waits once for all that was written to the file system, with what
//! other programs wrote to it meanwhile. It takes the place of `fsync` only where an error cannot get lost:
//! - on Linux from 5.17 on: `syncfs` reports files that could not be written back since 5.8 (sync(2)), and the journal of a
//!   file system that could not be written since 5.17 (commit 5679897eb104);
//! - on ext4 and XFS, where both hold. A file system on a network, on FUSE or on others (overlayfs) has rules of its own.
//!
//! Its error may be of a file of another program. Then every file is synchronised by itself, which tells: a file that stayed
//! open since it was written has its own record of errors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FsWord, fstatfs, fsync, syncfs};

/// So many are synchronised one by one: one file that has arrived does not wait for what others write.
const FEW: usize = 8;
/// The first Linux that reports all errors of `syncfs`.
const TELLS_ALL: (u32, u32) = (5, 17);
/// Of ext4 and XFS (statfs(2)).
const TELLING: [FsWord; 2] = [0xef53, 0x5846_5342];

/// How what is on one file system becomes durable.
#[derive(Debug)]
pub(super) struct Group {
    /// By which all of it is synchronised. `syncfs` reports what went wrong since the descriptor was opened, or since the last
    /// call.
    together: Option<OwnedFd>,
}

impl Group {
    /// For the file system of a folder.
    pub(super) fn of(folder: &OwnedFd) -> io::Result<Self> {
        let release = rustix::system::uname();
        let is_telling = tells_all(&release.release().to_string_lossy()) && TELLING.contains(&fstatfs(folder)?.f_type);
        Ok(Self { together: if is_telling { Some(folder.try_clone()?) } else { None } })
    }

    /// Makes files and folders of the file system durable. They have been open since before they were changed.
    ///
    /// # Errors
    /// One of them could not be written.
    pub(super) fn sync_all(&self, all: &[BorrowedFd<'_>]) -> io::Result<()> {
        let together = self.together.as_ref().map(|folder| move || Ok(syncfs(folder)?));
        sync_by(all, together, |one| sync(one))
    }
}

/// Makes what was written to a file or a folder durable.
pub(super) fn sync(file: impl AsFd) -> io::Result<()> {
    Ok(fsync(file)?)
}

/// Synchronises many together, and each by itself if they are few or if that fails.
fn sync_by<T>(
    all: &[T],
    together: Option<impl FnOnce() -> io::Result<()>>,
    each: impl FnMut(&T) -> io::Result<()>,
) -> io::Result<()> {
    if all.len() > FEW && together.is_some_and(|together| together().is_ok()) {
        return Ok(());
    }
    all.iter().try_for_each(each)
}

/// Whether a release of Linux (`6.1.0-18-amd64`) reports all errors of `syncfs`.
fn tells_all(release: &str) -> bool {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= TELLS_ALL)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What was called for so many files, and the result. `broken` is the file that cannot be written.
    fn called(count: usize, together: Option<io::Result<()>>, broken: Option<usize>) -> (Vec<String>, bool) {
        let calls = RefCell::new(Vec::new());
        let together = together.map(|result| {
            || {
                calls.borrow_mut().push("all".to_owned());
                result
            }
        });
        let files: Vec<usize> = (0..count).collect();
        let result = sync_by(&files, together, |file| {
            calls.borrow_mut().push(file.to_string());
            if Some(*file) == broken { Err(io::Error::other("lost")) } else { Ok(()) }
        });
        (calls.into_inner(), result.is_ok())
    }

    fn one_by_one(count: usize) -> Vec<String> {
        (0..count).map(|file| file.to_string()).collect()
    }

    #[test]
    fn many_files_cost_one_call() {
        assert_eq!(called(FEW + 1, Some(Ok(())), None), (vec!["all".into()], true));
        assert_eq!(called(FEW, Some(Ok(())), None), (one_by_one(FEW), true), "a few do not wait for others");
        assert_eq!(called(FEW + 1, None, None), (one_by_one(FEW + 1), true), "where errors may get lost");
        assert_eq!(called(0, Some(Ok(())), None), (vec![], true));
    }

    #[test]
    fn an_error_is_looked_for_in_each_file() {
        let failed = || Some(Err(io::Error::other("of some file")));
        let all = |count| [vec!["all".to_owned()], one_by_one(count)].concat();
        assert_eq!(called(20, failed(), None), (all(20), true), "a file of another program");
        assert_eq!(called(20, failed(), Some(11)), (all(12), false));
        assert_eq!(called(3, Some(Ok(())), Some(1)), (one_by_one(2), false));
    }

    #[test]
    fn old_kernels_do_not_tell() {
        for release in ["5.17.0", "6.1.0-18-amd64", "5.17-rc1", "10.0"] {
            assert!(tells_all(release), "{release}");
        }
        for release in ["5.16.20", "4.18.0-553.el8_10.x86_64", "5.8.0", "5", "", "next-20260101"] {
            assert!(!tells_all(release), "{release}");
        }
    }

    #[test]
    fn real_files_become_durable() {
        let dir = tempfile::tempdir().unwrap();
        let folder: OwnedFd = std::fs::File::open(dir.path()).unwrap().into();
        let files: Vec<_> = (0..FEW * 2).map(|_| tempfile::tempfile_in(dir.path()).unwrap()).collect();
        let all: Vec<_> = files.iter().map(AsFd::as_fd).chain([folder.as_fd()]).collect();
        for group in [Group::of(&folder).unwrap(), Group { together: None }] {
            group.sync_all(&all).unwrap();
            group.sync_all(&all[..1]).unwrap();
        }
        // What cannot be synchronised at all is an error, also among many.
        let (pipe, _other) = std::io::pipe().unwrap();
        let wrong: Vec<_> = files.iter().map(AsFd::as_fd).chain([pipe.as_fd()]).collect();
        assert!(Group { together: None }.sync_all(&wrong).is_err());
    }
}
